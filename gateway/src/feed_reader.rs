//! One reader of a feed: its backlog, and the stream that it is written to.
//!
//! A reader that leaves too much unread is cut: what it was not sent is dropped, and it is told so, by a
//! `FeedGap` where its stream ends or, if it does not even take that, by a reset. Its session goes on.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, SendStream, VarInt};
use tokio::sync::Notify;
use tokio::time::timeout;
use types::RejectReason;
use types::wire::feed::{FeedEvents, FeedGap, FeedId, FeedMark, GapReason, Subscribed};
use zerocopy::IntoBytes;

use crate::serve::Shared;
use crate::session::Session;

/// What one reader is still owed.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) number: u64,
    pub(crate) ticket: u64,
    feed: FeedId,
    state: Cell<State>,
    backlog: RefCell<VecDeque<Bytes>>,
    backlog_bytes: Cell<usize>,
    wake: Notify,
}

/// Open -> cut or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// It fell behind. The last event that it is sent.
    Cut(u64),
    /// It wants no more.
    Over,
}

impl Reader {
    pub(crate) fn new(number: u64, ticket: u64, feed: FeedId) -> Self {
        Self {
            number,
            ticket,
            feed,
            state: Cell::new(State::Open),
            backlog: RefCell::default(),
            backlog_bytes: Cell::new(0),
            wake: Notify::new(),
        }
    }

    /// One more message. One that comes on top of more than `backlog_max` bytes cuts the reader off.
    pub(crate) fn push(&self, message: &Bytes, backlog_max: usize) {
        if self.state.get() != State::Open {
            return;
        }
        let mut backlog = self.backlog.borrow_mut();
        if self.backlog_bytes.get() > backlog_max {
            let first = backlog.front().unwrap_or(message);
            self.state.set(State::Cut(sequence_before(first)));
            backlog.clear();
            self.backlog_bytes.set(0);
        } else {
            backlog.push_back(message.clone());
            self.backlog_bytes
                .set(self.backlog_bytes.get() + message.len());
        }
        self.wake.notify_one();
    }

    /// It wants no more.
    pub(crate) fn end(&self) {
        self.state.set(State::Over);
        self.backlog.borrow_mut().clear();
        self.wake.notify_one();
    }

    /// Moves some of the backlog into `batch`, which must be empty.
    fn take(&self, batch: &mut Vec<Bytes>) {
        debug_assert!(batch.is_empty());
        let mut backlog = self.backlog.borrow_mut();
        let mut length = 0;
        while length < BATCH_LENGTH
            && let Some(message) = backlog.pop_front()
        {
            length += message.len();
            batch.push(message);
        }
        self.backlog_bytes.set(self.backlog_bytes.get() - length);
    }
}

/// Bytes that are written at once: the deadline of a slow reader is for so many.
const BATCH_LENGTH: usize = 64 * 1024;
/// A session's answers go before its feeds.
const PRIORITY: i32 = -1;

/// Why a stream ends before its feed.
enum Failure {
    /// It was not taken in time.
    TooSlow,
    /// Nobody listens.
    Gone,
}

/// Writes a reader's stream to its end, and then takes the reader off the list.
pub(crate) async fn write(
    shared: Rc<Shared>,
    session: Rc<Session>,
    reader: Rc<Reader>,
    first: Vec<Bytes>,
) {
    let deadline = shared.config.feed_timeout;
    match open(&session.connection, deadline).await {
        Ok(stream) => {
            answer(&session, &reader, None);
            send(stream, &reader, first, deadline).await;
        }
        // It asks for a stream and grants none.
        Err(Failure::TooSlow) => answer(&session, &reader, Some(RejectReason::Timeout)),
        Err(Failure::Gone) => {}
    }
    shared.feeds.borrow_mut().end(session.id, reader.ticket);
}

fn answer(session: &Session, reader: &Reader, refused: Option<RejectReason>) {
    let subscribed = Subscribed::new(reader.number, refused);
    session.append(|out| out.extend_from_slice(subscribed.as_bytes()));
    session.wake_writer();
}

async fn open(connection: &Connection, deadline: Duration) -> Result<SendStream, Failure> {
    let opened = timeout(deadline, connection.open_uni()).await;
    let stream = opened
        .map_err(|_| Failure::TooSlow)?
        .map_err(|_| Failure::Gone)?;
    stream.set_priority(PRIORITY).map_err(|_| Failure::Gone)?;
    Ok(stream)
}

async fn send(mut stream: SendStream, reader: &Reader, first: Vec<Bytes>, deadline: Duration) {
    let sent = match begin(&mut stream, reader, first, deadline).await {
        Ok(()) => go_on(&mut stream, reader, deadline).await,
        failed => failed,
    };
    match sent {
        Ok(()) => {
            // Both only fail if there is nobody left to wait for.
            let _ = stream.finish();
            let _ = timeout(deadline, stream.stopped()).await;
        }
        Err(Failure::TooSlow) => {
            let code = VarInt::from_u32(u32::from(RejectReason::Timeout.code()));
            let _ = stream.reset(code);
        }
        Err(Failure::Gone) => {}
    }
}

/// Says whose stream this is, and what this reader alone is told.
async fn begin(
    stream: &mut SendStream,
    reader: &Reader,
    first: Vec<Bytes>,
    deadline: Duration,
) -> Result<(), Failure> {
    let head = Subscribed::new(reader.number, None);
    let head = Bytes::copy_from_slice(head.as_bytes());
    for message in std::iter::once(head).chain(first) {
        if reader.state.get() == State::Over {
            return Ok(());
        }
        put(stream, &mut [message], deadline).await?;
    }
    Ok(())
}

/// Sends the backlog until the reader is cut or wants no more.
async fn go_on(
    stream: &mut SendStream,
    reader: &Reader,
    deadline: Duration,
) -> Result<(), Failure> {
    let mut batch = Vec::new();
    loop {
        reader.take(&mut batch);
        if !batch.is_empty() {
            put(stream, &mut batch, deadline).await?;
            batch.clear();
            continue;
        }
        match reader.state.get() {
            State::Open => tokio::select! {
                () = reader.wake.notified() => {}
                _ = stream.stopped() => return Err(Failure::Gone),
            },
            State::Cut(after) => {
                let gap = FeedGap {
                    feed: reader.feed,
                    reason: GapReason::TooSlow,
                    after,
                    through: 0,
                };
                let gap = Bytes::copy_from_slice(&gap.encode());
                return put(stream, &mut [gap], deadline).await;
            }
            State::Over => return Ok(()),
        }
    }
}

async fn put(
    stream: &mut SendStream,
    messages: &mut [Bytes],
    deadline: Duration,
) -> Result<(), Failure> {
    let written = timeout(deadline, stream.write_all_chunks(messages)).await;
    written
        .map_err(|_| Failure::TooSlow)?
        .map_err(|_| Failure::Gone)
}

/// The last event before this message.
fn sequence_before(message: &[u8]) -> u64 {
    if let Ok(events) = FeedEvents::parse(message) {
        return events.sequence - 1;
    }
    FeedMark::parse_checkpoint(message).map_or(0, |mark| mark.position.sequence)
}
