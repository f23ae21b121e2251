//! One session's stream, inwards: bytes to admitted frames and questions.
//!
//! A burst is what one read of the stream brings: it is stamped once, pushed frame by frame and
//! announced once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::RecvStream;
use rtrb::{Producer, PushError};
use tokio::time::{Instant, timeout_at};
use types::block::Origin;
use types::wire::ack::{Ack, CommandOutcome, StageTimes};
use types::wire::orders::OrdersFrame;
use types::wire::query::{Query, Question, encode_reply};
use types::wire::session::Refused;
use types::wire::{Kind, split_message};
use types::{Nonce, RejectReason};
use zerocopy::IntoBytes;

use crate::ports::{QueryRequest, UnverifiedFrame, Wake};
use crate::serve::{Phase, Shared, unix_nanos};
use crate::session::{Ending, Session};

/// Splits a stream into messages.
#[derive(Debug)]
pub(crate) struct MessageReader {
    stream: RecvStream,
    /// Received and not yet taken: part of the shared block while messages are taken, and a copy of its
    /// own while the rest of one is awaited, so that a slow client keeps no more than it has sent.
    buffer: BytesMut,
    /// Where QUIC puts received packets: one lock per read instead of one per packet.
    packets: [Bytes; PACKETS_PER_READ],
    /// When the first byte of the message at the head of the buffer was seen.
    began: Option<Instant>,
}

/// About 45 KiB, which is more than arrives in one turn of the runtime.
const PACKETS_PER_READ: usize = 32;
/// Received bytes live in blocks of this size, which sessions share, until their frames are journalled.
const BLOCK_LENGTH: usize = 64 * 1024;

impl MessageReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            packets: std::array::from_fn(|_| Bytes::new()),
            began: None,
        }
    }

    /// The next message that is whole already. An error is fatal for the stream.
    pub(crate) fn next_message(&mut self) -> Result<Option<(Kind, Bytes)>, RejectReason> {
        let message = split_message(&mut self.buffer)?;
        if message.is_some() {
            self.began = None;
        }
        Ok(message)
    }

    /// Waits for bytes: `false` at the end of the stream. A message that has begun must go on
    /// within `message_timeout` of its beginning.
    pub(crate) async fn receive(
        &mut self,
        block: &RefCell<BytesMut>,
        message_timeout: Duration,
    ) -> Result<bool, RejectReason> {
        self.buffer = BytesMut::from(&self.buffer[..]);
        let read = self.stream.read_chunks(&mut self.packets);
        let received = if self.buffer.is_empty() {
            read.await
        } else {
            let began = *self.began.get_or_insert_with(Instant::now);
            let received = timeout_at(began + message_timeout, read).await;
            received.map_err(|_| RejectReason::Timeout)?
        };
        // A reset stream or a lost connection ends a session like a finished stream.
        let Ok(Some(count)) = received else {
            return Ok(false);
        };
        let packets = &mut self.packets[..count];
        let length = self.buffer.len() + packets.iter().map(Bytes::len).sum::<usize>();
        let mut block = block.borrow_mut();
        if block.capacity() < length {
            *block = BytesMut::with_capacity(length.max(BLOCK_LENGTH));
        }
        block.extend_from_slice(&self.buffer);
        for packet in packets {
            block.extend_from_slice(packet);
            *packet = Bytes::new();
        }
        self.buffer = block.split();
        Ok(true)
    }

    /// Waits for one message; `None` at the end of the stream.
    pub(crate) async fn message(
        &mut self,
        block: &RefCell<BytesMut>,
        message_timeout: Duration,
    ) -> Result<Option<(Kind, Bytes)>, RejectReason> {
        loop {
            if let Some(message) = self.next_message()? {
                return Ok(Some(message));
            }
            if !self.receive(block, message_timeout).await? {
                return Ok(None);
            }
        }
    }
}

/// Reads one session's messages until it ends, and says how.
pub(crate) async fn read(
    shared: &Shared,
    session: &Rc<Session>,
    mut reader: MessageReader,
) -> Ending {
    let message_timeout = shared.config.message_timeout;
    loop {
        if let Err(reason) = admit_burst(shared, session, &mut reader) {
            shared.counters.rejects.add(reason);
            return Ending::Closing(reason);
        }
        let before = reader.buffer.len();
        match reader.receive(&shared.block, message_timeout).await {
            Ok(true) => {
                let received = reader.buffer.len() - before;
                shared.counters.bytes_received.add(received as u64);
            }
            Ok(false) if reader.buffer.is_empty() => return Ending::Finishing,
            Ok(false) => {
                shared.counters.rejects.add(RejectReason::Malformed);
                return Ending::Closing(RejectReason::Malformed);
            }
            Err(reason) => {
                shared.counters.rejects.add(reason);
                return Ending::Closing(reason);
            }
        }
        if session.ending() != Ending::Open {
            return session.ending();
        }
    }
}

/// Admits all whole messages. An error is fatal for the stream.
fn admit_burst(
    shared: &Shared,
    session: &Session,
    reader: &mut MessageReader,
) -> Result<(), RejectReason> {
    let received_at = unix_nanos();
    let mut outward = shared.outward.borrow_mut();
    let (mut frames, mut questions) = (false, false);
    let mut room = outward.to_verify.slots();
    let fatal = loop {
        let (kind, message) = match reader.next_message() {
            Ok(Some(message)) => message,
            Ok(None) => break Ok(()),
            Err(reason) => break Err(reason),
        };
        let admitted = match kind {
            Kind::Orders => {
                let spare = room.saturating_sub(outward.reserve);
                let admitted =
                    check_frame(shared, session, &message, spare > 0).and_then(|frame| {
                        let commands = frame.count();
                        outward.push_frame(session, frame, received_at)?;
                        room = room.saturating_sub(1);
                        shared.counters.frames_admitted.add(1);
                        shared.counters.commands_admitted.add(commands.into());
                        Ok(())
                    });
                frames |= admitted.is_ok();
                admitted.map_err(|reason| (OrdersFrame::claimed_nonce(&message), reason))
            }
            Kind::Query => match answer_query(shared, session, &message) {
                Ok(Some(question)) => {
                    let admitted = outward.push_question(session, question);
                    questions |= admitted.is_ok();
                    shared.counters.questions_asked.add(admitted.is_ok().into());
                    admitted.map_err(|reason| (Nonce::ZERO, reason))
                }
                Ok(None) => Ok(()),
                Err(reason) => Err((Nonce::ZERO, reason)),
            },
            _ => Err((Nonce::ZERO, RejectReason::UnexpectedMessage)),
        };
        if let Err((nonce, reason)) = admitted {
            shared.counters.rejects.add(reason);
            session.append(|out| out.extend_from_slice(Refused::new(nonce, reason).as_bytes()));
        }
    };
    if frames {
        outward.wake_verifier.wake();
    }
    if questions {
        outward.wake_queries.wake();
    }
    session.wake_writer();
    fatal
}

/// Checks one frame and counts it as in flight. Without room to spare only cancels pass.
fn check_frame(
    shared: &Shared,
    session: &Session,
    message: &Bytes,
    has_spare_room: bool,
) -> Result<OrdersFrame, RejectReason> {
    let frame = OrdersFrame::parse(message.clone())?;
    let header = frame.header();
    let record = &session.record;
    if (header.account, header.key, header.epoch) != (record.account, record.key, record.epoch) {
        return Err(RejectReason::WrongAccount);
    }
    if shared.phase.get() != Phase::Open {
        return Err(RejectReason::ShuttingDown);
    }
    let count = frame.count();
    if !session.take_off(count, &shared.config) {
        return Err(RejectReason::TooManyInFlight);
    }
    let admitted = within_budget(shared, session, &frame, has_spare_room);
    admitted.inspect_err(|_| session.land(count))?;
    Ok(frame)
}

/// Whether there is room for a frame, and its account may send it now.
fn within_budget(
    shared: &Shared,
    session: &Session,
    frame: &OrdersFrame,
    has_spare_room: bool,
) -> Result<(), RejectReason> {
    let config = &shared.config;
    let has_budgets = config.commands.is_some() || config.cancels.is_some();
    if has_spare_room && !has_budgets {
        return Ok(());
    }
    let is_cancel = frame.is_cancel();
    if !is_cancel && !has_spare_room {
        return Err(RejectReason::Busy);
    }
    let (account, now) = (session.record.account, shared.elapsed());
    let mut rates = shared.rates.borrow_mut();
    match rates.take(account, frame.count(), is_cancel, config, now) {
        true => Ok(()),
        false => Err(RejectReason::RateLimited),
    }
}

/// Answers what the gateway knows itself; returns what it does not, counted as in flight.
fn answer_query(
    shared: &Shared,
    session: &Session,
    message: &[u8],
) -> Result<Option<QueryRequest>, RejectReason> {
    let (request, question) = Query::parse(message)?;
    match question {
        Question::Balances | Question::OpenOrders | Question::Markets => {
            if !session.ask(&shared.config) {
                return Err(RejectReason::Busy);
            }
            return Ok(Some(QueryRequest {
                session: session.id,
                account: session.record.account,
                request,
                question,
                at_least: shared.answers.borrow().last_sequence(),
            }));
        }
        Question::Reference => {
            let sequence = shared.answers.borrow().last_sequence();
            let records = &shared.reference;
            session.append(|out| encode_reply(Kind::Reference, request, sequence, records, out));
        }
        Question::Nonce(nonce) => answer_nonce(shared, session, request, nonce),
    }
    Ok(None)
}

fn answer_nonce(shared: &Shared, session: &Session, request: u64, nonce: Nonce) {
    let answers = shared.answers.borrow();
    let Some(answer) = answers.answer(session.record.key, nonce) else {
        let sequence = answers.last_sequence();
        let none: &[CommandOutcome] = &[];
        session.append(|out| encode_reply(Kind::UnknownNonce, request, sequence, none, out));
        return;
    };
    let mut outcomes = Vec::new();
    answer.outcomes(&mut outcomes);
    let ack = Ack {
        nonce,
        first_sequence: answer.first_sequence,
        times: StageTimes::default(),
        repeated: true,
        refused: answer.refused,
        outcomes: &outcomes,
    };
    session.append(|out| ack.encode(out));
}

/// The rings that lead away from the gateway.
#[derive(Debug)]
pub(crate) struct Outward {
    pub(crate) to_verify: Producer<UnverifiedFrame>,
    /// Places there that only cancels may take.
    pub(crate) reserve: usize,
    pub(crate) wake_verifier: Wake,
    pub(crate) to_queries: Producer<QueryRequest>,
    pub(crate) wake_queries: Wake,
}

impl Outward {
    fn push_frame(
        &mut self,
        session: &Session,
        frame: OrdersFrame,
        received_at: u64,
    ) -> Result<(), RejectReason> {
        let unverified = UnverifiedFrame {
            frame,
            public_key: session.public_key,
            origin: Origin {
                session: session.id,
                received_at,
            },
        };
        self.to_verify.push(unverified).map_err(|full| {
            let PushError::Full(unverified) = full;
            session.land(unverified.frame.count());
            RejectReason::Busy
        })
    }

    fn push_question(
        &mut self,
        session: &Session,
        question: QueryRequest,
    ) -> Result<(), RejectReason> {
        self.to_queries.push(question).map_err(|_| {
            session.answered();
            RejectReason::Busy
        })
    }
}
