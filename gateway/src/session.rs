//! One open session: its limits, and the bytes that it is still owed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use quinn::{Connection, VarInt};
use tokio::sync::Notify;
use types::auth::PublicKey;
use types::{AccountId, KeyId, Nonce, RejectReason, SequenceNumber, SessionId};

use crate::config::{GatewayConfig, RECEIVE_WINDOW};
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
    /// So many frames in flight wake the reader.
    resume_at: Cell<u32>,
    reader: Notify,
    window: Cell<u32>,
    queries_in_flight: Cell<u32>,
    ending: Cell<Ending>,
    /// Answers that the writer has not taken yet.
    unsent: RefCell<Vec<u8>>,
    limits: UnsentLimits,
    /// What of all sessions' unsent bytes are this one's.
    owed: Cell<usize>,
    together: Rc<Together>,
    /// Whether `unsent` has grown since the writer was last woken.
    grown: Cell<bool>,
    writer: Notify,
    /// In a session that wants receipts.
    receipts: Option<Box<PendingReceipts>>,
}

/// What all sessions have together.
#[derive(Debug, Default)]
pub(crate) struct Together {
    /// Unsent bytes.
    owed: Cell<usize>,
    /// Work in flight.
    work: Cell<u64>,
}

/// What a frame of one command costs behind the gateway, in commands: its signature takes as long as the
/// others. A place in a ring is for that much, so longer frames take more places, and a full ring is
/// about the same time's work whatever is in it.
pub(crate) const WORK_PER_PLACE: u64 = 32;

/// No number of frames in flight.
const NEVER: u32 = u32::MAX;

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
        let Together { owed, work } = &*self.together;
        owed.set(owed.get() - self.owed.get());
        work.set(work.get() - self.work());
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
        together: Rc<Together>,
    ) -> Self {
        Self {
            id,
            record,
            public_key,
            connection,
            frames_in_flight: Cell::new(0),
            commands_in_flight: Cell::new(0),
            resume_at: Cell::new(NEVER),
            reader: Notify::new(),
            window: Cell::new(RECEIVE_WINDOW),
            queries_in_flight: Cell::new(0),
            ending: Cell::new(Ending::Open),
            unsent: RefCell::default(),
            limits: UnsentLimits {
                each: config.unsent_bytes_max,
                all: config.unsent_bytes_total,
            },
            owed: Cell::new(0),
            together,
            grown: Cell::new(false),
            writer: Notify::new(),
            receipts: receipts.map(Box::new),
        }
    }

    /// Whose it is; nobody's if it is a guest's.
    pub(crate) fn account(&self) -> Option<AccountId> {
        (!self.is_guest()).then_some(self.record.account)
    }

    /// How much the client may have on its way.
    pub(crate) fn set_window(&self, window: u32) {
        self.window.set(window);
        self.connection.set_receive_window(VarInt::from_u32(window));
    }

    /// Whether that is less than usual.
    pub(crate) fn is_narrow(&self) -> bool {
        self.window.get() < RECEIVE_WINDOW
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
        let (commands, before) = (in_all, self.work());
        let frames_max = match self.is_guest() {
            true => 1,
            false => config.frames_in_flight,
        };
        let allowed = frames <= frames_max && commands <= config.commands_in_flight;
        if allowed {
            self.frames_in_flight.set(frames);
            self.commands_in_flight.set(commands);
            let all = &self.together.work;
            all.set(all.get() - before + self.work());
        }
        allowed
    }

    /// Whether its work in flight is no more than what is left for others, of so much in all. So a few
    /// that send all they can take equal shares, and there is always as much left for who comes next.
    pub(crate) fn is_within_share(&self, work_max: u64) -> bool {
        let left = work_max.saturating_sub(self.together.work.get());
        self.work() <= left
    }

    /// What is in flight, as [`WORK_PER_PLACE`] counts.
    fn work(&self) -> u64 {
        let signatures = u64::from(self.frames_in_flight.get()) * (WORK_PER_PLACE - 1);
        signatures + u64::from(self.commands_in_flight.get())
    }

    /// Whether any frame is in flight.
    pub(crate) fn has_in_flight(&self) -> bool {
        self.frames_in_flight.get() > 0
    }

    /// Waits until half of what is in flight now is answered.
    pub(crate) async fn half_landed(&self) {
        self.resume_at.set(self.frames_in_flight.get() / 2);
        self.reader.notified().await;
    }

    /// A frame of so many commands is in flight no more.
    pub(crate) fn land(&self, commands: u16) {
        let before = self.work();
        let frames = self.frames_in_flight.get().checked_sub(1);
        let commands = self
            .commands_in_flight
            .get()
            .checked_sub(u32::from(commands));
        let frames = frames.expect("every frame is answered once");
        self.frames_in_flight.set(frames);
        self.commands_in_flight
            .set(commands.expect("every frame is answered once"));
        let all = &self.together.work;
        all.set(all.get() - before + self.work());
        if frames <= self.resume_at.get() && self.resume_at.get() != NEVER {
            self.resume_at.set(NEVER);
            self.reader.notify_one();
        }
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
        let is_crowded = self.together.owed.get() > self.limits.all;
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
        let all = &self.together.owed;
        self.owed.set(self.owed.get() + more);
        all.set(all.get() + more);
    }

    /// So many bytes that were taken are QUIC's now.
    pub(crate) fn sent(&self, count: usize) {
        let all = &self.together.owed;
        self.owed.set(self.owed.get() - count);
        all.set(all.get() - count);
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
