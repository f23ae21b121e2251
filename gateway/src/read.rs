//! One session's stream, inwards: bytes to admitted frames and questions.
//!
//! A burst is what one read of the stream brings: it is stamped once, pushed frame by frame and
//! announced once. In a session with rolling signatures frames wait here until the signature over
//! them has come, and are then admitted or refused together.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::RecvStream;
use rtrb::{Producer, PushError};
use tokio::time::{Instant, sleep, timeout_at};
use types::auth::{OpenRun, SignedFrames};
use types::block::Origin;
use types::wallet::WalletContext;
use types::wire::ack::{Ack, CommandOutcome, StageTimes};
use types::wire::feed::{Subscribe, Subscribed, Unsubscribe};
use types::wire::orders::OrdersFrame;
use types::wire::query::{Query, Question, encode_reply};
use types::wire::rolling::RollingSignature;
use types::wire::session::Refused;
use types::wire::{Kind, split_message};
use types::{Command, KeyEpoch, KeyId, Nonce, RejectReason};
use zerocopy::IntoBytes;

use crate::config::{NARROW_WINDOW, RECEIVE_WINDOW};
use crate::ports::{QueryRequest, UnverifiedFrames, Wake};
use crate::serve::{Phase, Shared, unix_nanos};
use crate::session::{Ending, Session, WORK_PER_PLACE};

/// Splits a stream into messages.
#[derive(Debug)]
pub(crate) struct MessageReader {
    stream: RecvStream,
    /// Received and not yet taken: part of the shared block while messages are taken, and a copy of its
    /// own while the rest of one is awaited, so that a slow client keeps no more than it has sent.
    buffer: BytesMut,
    /// When the first byte of the message at the head of the buffer was seen.
    began: Option<Instant>,
}

/// Where received bytes go, for all sessions, so that an idle one holds none.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Where QUIC puts received packets: one lock per read instead of one per packet.
    packets: [Bytes; PACKETS_PER_READ],
    /// Received bytes live in blocks of a fixed size, which sessions share, until their frames are
    /// journalled.
    block: BytesMut,
}

/// About 45 KiB, which is more than arrives in one turn of the runtime.
const PACKETS_PER_READ: usize = 32;
/// From a session that was refused much: a few frames, for the next ones may be refused too.
const PACKETS_PER_NARROW_READ: usize = 2;
/// Length of a block.
const BLOCK_LENGTH: usize = 64 * 1024;

impl Arrivals {
    /// So many packets, behind what was there before, in one piece.
    fn collect(&mut self, before: &[u8], count: usize) -> BytesMut {
        let packets = &mut self.packets[..count];
        let length = before.len() + packets.iter().map(Bytes::len).sum::<usize>();
        if self.block.capacity() < length {
            self.block = BytesMut::with_capacity(length.max(BLOCK_LENGTH));
        }
        self.block.extend_from_slice(before);
        for packet in packets {
            self.block.extend_from_slice(packet);
            *packet = Bytes::new();
        }
        self.block.split()
    }
}

impl MessageReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
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

    /// Waits for bytes, so many packets at most: `false` at the end of the stream. A message that has
    /// begun must go on within `message_timeout` of its beginning.
    pub(crate) async fn receive(
        &mut self,
        arrivals: &RefCell<Arrivals>,
        packets: usize,
        message_timeout: Duration,
        signature_due: Option<Instant>,
    ) -> Result<bool, RejectReason> {
        // The rest of a message that is awaited must not keep a whole block.
        let before = BytesMut::from(&self.buffer[..]);
        self.buffer = BytesMut::new();
        let stream = &mut self.stream;
        // A read that is not done holds nothing, so it may begin anew each time that it is polled.
        let read = poll_fn(|context| {
            let mut arrivals = arrivals.borrow_mut();
            let arrivals = &mut *arrivals;
            let packets = &mut arrivals.packets[..packets];
            let read = pin!(stream.read_chunks(packets)).poll(context);
            read.map_ok(|count| count.map(|count| arrivals.collect(&before, count)))
        });
        let due = match before.is_empty() {
            true => None,
            false => {
                let began = *self.began.get_or_insert_with(Instant::now);
                Some((began + message_timeout, RejectReason::Timeout))
            }
        };
        let signature_due = signature_due.map(|due| (due, RejectReason::SignatureMissing));
        let due = due.into_iter().chain(signature_due);
        let received = match due.min_by_key(|(at, _)| *at) {
            None => read.await,
            // Bytes that keep coming would keep the timeout from being looked at. A message ends with
            // them; frames without a signature do not.
            Some((due, reason @ RejectReason::SignatureMissing)) if due <= Instant::now() => {
                return Err(reason);
            }
            // Boxed, for an idle session waits for nothing.
            Some((due, reason)) => Box::pin(timeout_at(due, read)).await.map_err(|_| reason)?,
        };
        // A reset stream or a lost connection ends a session like a finished stream.
        match received {
            Ok(Some(buffer)) => {
                self.buffer = buffer;
                Ok(true)
            }
            _ => {
                self.buffer = before;
                Ok(false)
            }
        }
    }

    /// So long the rest of a message was not awaited.
    fn excuse(&mut self, paused: Duration) {
        self.began = self.began.map(|began| began + paused);
    }

    /// Waits for one message; `None` at the end of the stream.
    pub(crate) async fn message(
        &mut self,
        arrivals: &RefCell<Arrivals>,
        message_timeout: Duration,
    ) -> Result<Option<(Kind, Bytes)>, RejectReason> {
        loop {
            if let Some(message) = self.next_message()? {
                return Ok(Some(message));
            }
            if !self.receive(arrivals, 1, message_timeout, None).await? {
                return Ok(None);
            }
        }
    }
}

/// Reads one session's messages until it ends, and says how.
pub(crate) async fn read(
    shared: &Shared,
    session: &Rc<Session>,
    reader: &mut MessageReader,
    run: Option<Box<OpenRun>>,
) -> Ending {
    let message_timeout = shared.config.message_timeout;
    let mut unsigned = run.map(|run| Unsigned { run, due: None });
    loop {
        match admit_burst(shared, session, reader, &mut unsigned) {
            Ok(toll) if toll.is_due() => {
                // Boxed, for an idle session should be small.
                let paused = Box::pin(pay(shared, session, toll)).await;
                reader.excuse(paused);
                if let Some(unsigned) = &mut unsigned {
                    unsigned.excuse(paused);
                }
            }
            Ok(_) => widen(shared, session),
            Err(reason) => {
                shared.counters.rejects.add(reason);
                return Ending::Closing(reason);
            }
        }
        let before = reader.buffer.len();
        let due = unsigned.as_ref().and_then(|unsigned| unsigned.due);
        let packets = match session.is_narrow() {
            true => PACKETS_PER_NARROW_READ,
            false => PACKETS_PER_READ,
        };
        let received = reader.receive(&shared.arrivals, packets, message_timeout, due);
        let ended = match received.await {
            Ok(true) => {
                let received = reader.buffer.len() - before;
                shared.counters.bytes_received.add(received as u64);
                None
            }
            Ok(false) if !reader.buffer.is_empty() => Some(RejectReason::Malformed),
            Ok(false) if unsigned.as_ref().is_some_and(|it| !it.run.is_empty()) => {
                Some(RejectReason::SignatureMissing)
            }
            Ok(false) => return Ending::Finishing,
            Err(reason) => Some(reason),
        };
        if let Some(reason) = ended {
            shared.counters.rejects.add(reason);
            return Ending::Closing(reason);
        }
        if session.ending() != Ending::Open {
            return session.ending();
        }
    }
}

/// What a burst's refusals cost the session that they were for. Whoever keeps sending what is refused
/// would take time from all others, so he is not read for a while, and QUIC's flow control stops him.
#[derive(Clone, Copy, Debug, Default)]
struct Toll {
    /// Refused messages, and whole KiB of them.
    refusals: u64,
    /// The same of those for which there was no room.
    without_room: u64,
    /// Whether any were beyond their account's budget.
    over_budget: bool,
}

/// How long a budget is filled up before its sessions are read again: short, for what waits behind may
/// be allowed, and long enough that one refusal comes upon many frames that are not.
const REFILL: Duration = Duration::from_millis(20);

impl Toll {
    fn add(&mut self, reason: RejectReason, length: usize) {
        let count = match reason {
            RejectReason::Busy | RejectReason::TooManyInFlight => &mut self.without_room,
            _ => &mut self.refusals,
        };
        *count += 1 + length as u64 / 1024;
        self.over_budget |= reason == RejectReason::RateLimited;
    }

    const fn is_due(self) -> bool {
        self.refusals > 0 || self.without_room > 0
    }
}

/// Waits until a session may be read again, and says how long that was. Where there was no room for its
/// frames it waits for those that are in flight: they are answered as fast as the node can, so it is
/// slowed down to its share and not below. All other refusals are charged, up to a burst for nothing and
/// then at the price of time; and where it was a budget that was empty, more of it comes first.
async fn pay(shared: &Shared, session: &Session, toll: Toll) -> Duration {
    let before = Instant::now();
    let waits_for_room = toll.without_room > 0 && session.has_in_flight();
    let charged = match waits_for_room {
        true => toll.refusals,
        false => toll.refusals + toll.without_room,
    };
    let (account, pace) = (session.account(), shared.config.refusals);
    let (all, now) = (&shared.refusals, shared.elapsed());
    all.borrow_mut().charge(account, charged, pace, now);
    let debt = || {
        let now = shared.elapsed();
        all.borrow().debt(account, pace, now)
    };
    let is_in_debt = !debt().is_zero();
    let refills = toll.over_budget && (is_in_debt || session.is_narrow());
    if !waits_for_room && !refills && !is_in_debt {
        return Duration::ZERO;
    }
    shared.counters.pauses.add(1);
    session.set_window(NARROW_WINDOW);
    let paid = async {
        if waits_for_room {
            session.half_landed().await;
        }
        if refills {
            sleep(REFILL).await;
        }
        // Other sessions of the account may be refused something meanwhile.
        loop {
            match debt() {
                Duration::ZERO => return,
                left => sleep(left).await,
            }
        }
    };
    tokio::select! {
        () = paid => {}
        _ = session.connection.closed() => {}
    }
    before.elapsed()
}

/// A session whose refusals are forgotten has its whole window again.
fn widen(shared: &Shared, session: &Session) {
    if session.is_narrow() {
        let refusals = shared.refusals.borrow();
        if refusals.is_clear(session.account(), shared.elapsed()) {
            session.set_window(RECEIVE_WINDOW);
        }
    }
}

/// Frames that wait for a rolling signature.
struct Unsigned {
    run: Box<OpenRun>,
    /// When it must be there, if any wait.
    due: Option<Instant>,
}

impl Unsigned {
    /// An error is fatal for the stream: what the client signs is then not what came.
    fn hold(
        &mut self,
        shared: &Shared,
        session: &Session,
        message: &Bytes,
    ) -> Result<(), RejectReason> {
        self.run.push(parse_frame(shared, session, message)?)?;
        let due = || Instant::now() + shared.config.signature_timeout;
        self.due.get_or_insert_with(due);
        Ok(())
    }

    /// For so long no signature could come.
    fn excuse(&mut self, paused: Duration) {
        self.due = self.due.map(|due| due + paused);
    }

    /// An error is fatal for the stream.
    fn close(&mut self, message: &[u8]) -> Result<SignedFrames, RejectReason> {
        self.due = None;
        let signature = RollingSignature::parse(message)?;
        self.run.close(signature).map(SignedFrames::Run)
    }
}

/// Admits all whole messages, and says what refusals cost. An error is fatal for the stream.
fn admit_burst(
    shared: &Shared,
    session: &Session,
    reader: &mut MessageReader,
    unsigned: &mut Option<Unsigned>,
) -> Result<Toll, RejectReason> {
    let received_at = unix_nanos();
    let mut outward = shared.outward.borrow_mut();
    let (mut frames, mut questions) = (false, false);
    let mut toll = Toll::default();
    let fatal = loop {
        let (kind, message) = match reader.next_message() {
            Ok(Some(message)) => message,
            Ok(None) => break Ok(toll),
            Err(reason) => break Err(reason),
        };
        let admitted = match (kind, &mut *unsigned) {
            (Kind::Orders, None) => match parse_signed(shared, session, &message) {
                Ok(frame) => {
                    frames |= outward.admit(shared, session, frame, received_at, &mut toll);
                    Ok(())
                }
                Err(reason) => Err((OrdersFrame::claimed_nonce(&message), reason)),
            },
            (Kind::Orders, Some(unsigned)) => match unsigned.hold(shared, session, &message) {
                Ok(()) => Ok(()),
                Err(reason) => break Err(reason),
            },
            (Kind::RollingSignature, Some(unsigned)) => match unsigned.close(&message) {
                Ok(run) => {
                    frames |= outward.admit(shared, session, run, received_at, &mut toll);
                    Ok(())
                }
                Err(reason) => break Err(reason),
            },
            (Kind::Query | Kind::Subscribe | Kind::Unsubscribe, _) if session.is_guest() => {
                Err((Nonce::ZERO, RejectReason::UnexpectedMessage))
            }
            (Kind::Query, _) => match answer_query(shared, session, &message) {
                Ok(Some(question)) => {
                    let admitted = outward.push_question(session, question);
                    questions |= admitted.is_ok();
                    shared.counters.questions_asked.add(admitted.is_ok().into());
                    admitted.map_err(|reason| (Nonce::ZERO, reason))
                }
                Ok(None) => Ok(()),
                Err(reason) => Err((Nonce::ZERO, reason)),
            },
            (Kind::Subscribe | Kind::Unsubscribe, _) => {
                let taken = take_subscription(shared, session, kind, &message);
                taken.map_err(|reason| (Nonce::ZERO, reason))
            }
            _ => Err((Nonce::ZERO, RejectReason::UnexpectedMessage)),
        };
        if let Err((nonce, reason)) = admitted {
            shared.counters.rejects.add(reason);
            toll.add(reason, message.len());
            session.append(|out| out.extend_from_slice(Refused::new(nonce, reason).as_bytes()));
            if reason == RejectReason::BadSignature {
                break Err(reason);
            }
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

/// Checks one frame that has a signature of its own.
fn parse_signed(
    shared: &Shared,
    session: &Session,
    message: &Bytes,
) -> Result<SignedFrames, RejectReason> {
    let frame = parse_frame(shared, session, message)?;
    if frame.is_unsigned() {
        return Err(RejectReason::BadSignature);
    }
    Ok(SignedFrames::One(frame))
}

/// Checks one frame, except its signature.
fn parse_frame(
    shared: &Shared,
    session: &Session,
    message: &Bytes,
) -> Result<OrdersFrame, RejectReason> {
    let frame = OrdersFrame::parse(message.clone())?;
    let header = frame.header();
    if session.is_guest() {
        return check_wallet(shared, session, &frame).map(|()| frame);
    }
    let record = &session.record;
    if (header.account, header.key, header.epoch) != (record.account, record.key, record.epoch) {
        return Err(RejectReason::WrongAccount);
    }
    Ok(frame)
}

/// Whether a guest may send this: the wallet of the account has signed it, and a key that is to be
/// registered is his own.
fn check_wallet(
    shared: &Shared,
    session: &Session,
    frame: &OrdersFrame,
) -> Result<(), RejectReason> {
    let header = frame.header();
    let is_own = match frame.commands().next() {
        Some(Command::Register(registration)) => registration.key() == session.public_key,
        _ => true,
    };
    if header.key != KeyId::WALLET || header.epoch != KeyEpoch::new(0) || !is_own {
        return Err(RejectReason::WrongAccount);
    }
    let context = WalletContext {
        genesis_hash: shared.genesis_hash,
        account: header.account,
        nonce: header.nonce,
    };
    // The engine asks again: this only keeps out what would fill the journal.
    let owner = shared.directory.borrow().owner(header.account);
    match context.signer_of(frame) {
        Some(signer) if owner == Some(signer) => Ok(()),
        _ => Err(RejectReason::WrongWallet),
    }
}

/// Whether their account may send these frames now.
fn within_budget(
    shared: &Shared,
    session: &Session,
    frames: &SignedFrames,
    is_cancel: bool,
) -> Result<(), RejectReason> {
    let config = &shared.config;
    let has_budgets = config.commands.is_some() || config.cancels.is_some();
    let Some(account) = session.account() else {
        return Ok(());
    };
    if !has_budgets {
        return Ok(());
    }
    let now = shared.elapsed();
    let mut rates = shared.rates.borrow_mut();
    let commands = frames.iter().map(|frame| u32::from(frame.count())).sum();
    match rates.take(account, commands, is_cancel, config, now) {
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

/// Begins or ends a subscription. One that is refused for what it asks gets an answer of its own; an
/// error is a message that says nothing.
fn take_subscription(
    shared: &Shared,
    session: &Session,
    kind: Kind,
    message: &[u8],
) -> Result<(), RejectReason> {
    let mut feeds = shared.feeds.borrow_mut();
    if kind == Kind::Unsubscribe {
        feeds.unsubscribe(session.id, Unsubscribe::parse(message)?);
        return Ok(());
    }
    let wanted = Subscribe::parse(message)?;
    let taken = match shared.phase.get() {
        Phase::Open => feeds.subscribe(session, &wanted, &shared.config),
        _ => Err(RejectReason::ShuttingDown),
    };
    if let Err(reason) = taken {
        let refused = Subscribed::new(wanted.number(), Some(reason));
        session.append(|out| out.extend_from_slice(refused.as_bytes()));
    }
    Ok(())
}

/// The rings that lead away from the gateway.
#[derive(Debug)]
pub(crate) struct Outward {
    pub(crate) to_verify: Producer<UnverifiedFrames>,
    /// Places there that only cancels may take.
    pub(crate) reserve: usize,
    pub(crate) wake_verifier: Wake,
    pub(crate) to_queries: Producer<QueryRequest>,
    pub(crate) wake_queries: Wake,
    /// Frames that were sent to be verified.
    pub(crate) arrivals: u64,
}

impl Outward {
    /// Sends frames to be verified, counted as in flight, or refuses each. Whether they are sent.
    fn admit(
        &mut self,
        shared: &Shared,
        session: &Session,
        frames: SignedFrames,
        received_at: u64,
        toll: &mut Toll,
    ) -> bool {
        let Err((frames, reason)) = self.push_frames(shared, session, frames, received_at) else {
            return true;
        };
        for frame in frames.iter() {
            shared.counters.rejects.add(reason);
            toll.add(reason, frame.bytes().len());
            let refused = Refused::new(frame.header().nonce, reason);
            session.append(|out| out.extend_from_slice(refused.as_bytes()));
        }
        false
    }

    fn push_frames(
        &mut self,
        shared: &Shared,
        session: &Session,
        frames: SignedFrames,
        received_at: u64,
    ) -> Result<(), (SignedFrames, RejectReason)> {
        if shared.phase.get() != Phase::Open {
            return Err((frames, RejectReason::ShuttingDown));
        }
        let commands = frames.iter().map(OrdersFrame::count);
        if !session.take_off(commands, &shared.config) {
            return Err((frames, RejectReason::TooManyInFlight));
        }
        let land = |frames: &SignedFrames| {
            frames.iter().for_each(|frame| session.land(frame.count()));
        };
        let is_cancel = frames.iter().all(OrdersFrame::is_cancel);
        let kept = if is_cancel { 0 } else { self.reserve };
        let places = self.to_verify.buffer().capacity() - kept;
        let has_room = self.to_verify.slots() > kept
            && session.is_within_share(places as u64 * WORK_PER_PLACE);
        let admitted = match has_room {
            true => within_budget(shared, session, &frames, is_cancel),
            false => Err(RejectReason::Busy),
        };
        if let Err(reason) = admitted {
            land(&frames);
            return Err((frames, reason));
        }
        let counts = frames.iter().map(|frame| u64::from(frame.count()));
        let (count, commands) = (frames.len() as u64, counts.sum());
        let unverified = UnverifiedFrames {
            frames,
            public_key: session.public_key,
            origin: Origin {
                session: session.id,
                received_at,
                arrival: self.arrivals + 1,
            },
        };
        self.to_verify.push(unverified).map_err(|full| {
            let PushError::Full(UnverifiedFrames { frames, .. }) = full;
            land(&frames);
            (frames, RejectReason::Busy)
        })?;
        self.arrivals += count;
        shared.counters.frames_admitted.add(count);
        shared.counters.commands_admitted.add(commands);
        Ok(())
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
