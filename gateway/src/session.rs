//! One open session: its limits, and the bytes that it is still owed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use quinn::{Connection, VarInt};
use tokio::sync::Notify;
use types::auth::PublicKey;
use types::{KeyId, Nonce, RejectReason, SequenceNumber, SessionId};

use crate::config::GatewayConfig;
use crate::directory::KeyRecord;
use crate::receipts::PendingReceipts;

/// One open session. Lives on the gateway's thread, shared by its reader, its writer and the
/// dispatcher.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) record: KeyRecord,
    pub(crate) public_key: PublicKey,
    pub(crate) connection: Connection,
    frames_in_flight: Cell<u32>,
    commands_in_flight: Cell<u32>,
    queries_in_flight: Cell<u32>,
    ending: Cell<Ending>,
    /// Answers that the writer has not taken yet.
    unsent: RefCell<Vec<u8>>,
    limits: UnsentLimits,
    /// What of all sessions' unsent bytes are this one's.
    owed: Cell<usize>,
    owed_by_all: Rc<Cell<usize>>,
    /// Whether `unsent` has grown since the writer was last woken.
    grown: Cell<bool>,
    writer: Notify,
    /// In a session that wants receipts.
    receipts: Option<PendingReceipts>,
}

/// Unsent bytes at which sessions are closed.
#[derive(Clone, Copy, Debug)]
struct UnsentLimits {
    each: usize,
    all: usize,
}

/// A session that owes no more than this is not to blame for a crowd.
const OWED_FREELY: usize = 64 * 1024;

impl Drop for Session {
    fn drop(&mut self) {
        let others = self.owed_by_all.get() - self.owed.get();
        self.owed_by_all.set(others);
    }
}

/// Open -> `Finishing` -> `Closing`, or open -> `Closing`; never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Frames are admitted.
    Open,
    /// The client sends no more; the session ends when it has all its answers.
    Finishing,
    /// The session ends when what is unsent has been sent.
    Closing(RejectReason),
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        record: KeyRecord,
        public_key: PublicKey,
        connection: Connection,
        receipts: Option<PendingReceipts>,
        config: &GatewayConfig,
        owed_by_all: Rc<Cell<usize>>,
    ) -> Self {
        Self {
            id,
            record,
            public_key,
            connection,
            frames_in_flight: Cell::new(0),
            commands_in_flight: Cell::new(0),
            queries_in_flight: Cell::new(0),
            ending: Cell::new(Ending::Open),
            unsent: RefCell::default(),
            limits: UnsentLimits {
                each: config.unsent_bytes_max,
                all: config.unsent_bytes_total,
            },
            owed: Cell::new(0),
            owed_by_all,
            grown: Cell::new(false),
            writer: Notify::new(),
            receipts,
        }
    }

    /// Whether it is for frames of a wallet alone.
    pub(crate) fn is_guest(&self) -> bool {
        self.record.key == KeyId::WALLET
    }

    /// Whether more frames of so many commands each may be in flight; if so, they are.
    pub(crate) fn take_off(
        &self,
        commands: impl Iterator<Item = u16>,
        config: &GatewayConfig,
    ) -> bool {
        let mut frames = self.frames_in_flight.get();
        let mut in_all = self.commands_in_flight.get();
        for commands in commands {
            frames += 1;
            in_all += u32::from(commands);
        }
        let commands = in_all;
        let frames_max = match self.is_guest() {
            true => 1,
            false => config.frames_in_flight,
        };
        let allowed = frames <= frames_max && commands <= config.commands_in_flight;
        if allowed {
            self.frames_in_flight.set(frames);
            self.commands_in_flight.set(commands);
        }
        allowed
    }

    /// A frame of so many commands is in flight no more.
    pub(crate) fn land(&self, commands: u16) {
        let frames = self.frames_in_flight.get().checked_sub(1);
        let commands = self
            .commands_in_flight
            .get()
            .checked_sub(u32::from(commands));
        self.frames_in_flight
            .set(frames.expect("every frame is answered once"));
        self.commands_in_flight
            .set(commands.expect("every frame is answered once"));
    }

    /// Whether another question may be in flight; if so, it is.
    pub(crate) fn ask(&self, config: &GatewayConfig) -> bool {
        let queries = self.queries_in_flight.get() + 1;
        let allowed = queries <= config.queries_in_flight;
        if allowed {
            self.queries_in_flight.set(queries);
        }
        allowed
    }

    /// A question is in flight no more.
    pub(crate) fn answered(&self) {
        let queries = self.queries_in_flight.get().checked_sub(1);
        self.queries_in_flight
            .set(queries.expect("every question is answered once"));
    }

    /// Appends messages for the client. The caller wakes the writer when it has no more to append.
    ///
    /// A client that leaves too much unread loses its session at once: it can reconnect and ask by
    /// nonce, while memory that it pins is everybody's. The check comes first so that one reply
    /// may be longer than the limit.
    pub(crate) fn append(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut unsent = self.unsent.borrow_mut();
        let is_crowded = self.owed_by_all.get() > self.limits.all;
        if unsent.len() > self.limits.each || (is_crowded && self.owed.get() > OWED_FREELY) {
            self.ending.set(Ending::Closing(RejectReason::Timeout));
            close(&self.connection, RejectReason::Timeout);
            return;
        }
        let before = unsent.len();
        encode(&mut unsent);
        self.owe(unsent.len() - before);
        self.grown.set(true);
    }

    fn owe(&self, more: usize) {
        self.owed.set(self.owed.get() + more);
        self.owed_by_all.set(self.owed_by_all.get() + more);
    }

    /// So many bytes that were taken are QUIC's now.
    pub(crate) fn sent(&self, count: usize) {
        self.owed.set(self.owed.get() - count);
        self.owed_by_all.set(self.owed_by_all.get() - count);
    }

    /// As [`Session::append`]; notes in `grown` the first time that the writer has to be woken.
    pub(crate) fn append_noting(
        self: &Rc<Self>,
        grown: &mut Vec<Rc<Self>>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        if !self.grown.get() {
            grown.push(Rc::clone(self));
        }
        self.append(encode);
    }

    /// Wakes the writer if something was appended since it last was.
    pub(crate) fn wake_writer(&self) {
        if self.grown.replace(false) {
            self.writer.notify_one();
        }
    }

    /// No more frames are admitted from now on.
    pub(crate) fn end(&self, ending: Ending) {
        if !matches!(self.ending.get(), Ending::Closing(_)) {
            self.ending.set(ending);
        }
        self.writer.notify_one();
    }

    /// How the session ends, if it does.
    pub(crate) fn ending(&self) -> Ending {
        self.ending.get()
    }

    /// Whether nothing is owed to the client that is not in `unsent` yet.
    pub(crate) fn is_settled(&self) -> bool {
        self.frames_in_flight.get() == 0 && self.queries_in_flight.get() == 0
    }

    /// Moves what is unsent into `sending`, which must be empty, and keeps its buffer for more.
    pub(crate) fn take_unsent(&self, sending: &mut Vec<u8>) {
        debug_assert!(sending.is_empty());
        std::mem::swap(&mut *self.unsent.borrow_mut(), sending);
        if let Some(receipts) = &self.receipts {
            let before = sending.len();
            receipts.sign(sending);
            self.owe(sending.len() - before);
        }
    }

    /// A frame of this arrival was answered.
    pub(crate) fn note_receipt(&self, nonce: Nonce, arrival: u64, first_sequence: SequenceNumber) {
        if let Some(receipts) = &self.receipts {
            receipts.note(nonce, arrival, first_sequence);
        }
    }

    /// Until there may be something for the writer to do.
    pub(crate) async fn writer_woken(&self) {
        self.writer.notified().await;
    }
}

/// Closes a connection with a reason, now: unsent data is lost.
pub(crate) fn close(connection: &Connection, reason: RejectReason) {
    let code = VarInt::from_u32(u32::from(reason.code()));
    connection.close(code, reason.name().as_bytes());
}
