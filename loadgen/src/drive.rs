//! What one client does during a run: makes frames, signs and sends them when it should, and
//! counts the answers.
//!
//! Sending and receiving are two loops of one task that share a window. Frames that are due
//! together go out in one write, and answers that have come together are taken together: at half
//! a million orders a second wake-ups are the cost that counts.

use std::cell::RefCell;
use std::time::Duration;

use client::{Message, Receiver, Sender, SessionError};
use tokio::sync::Notify;
use types::command::CancelScope;
use types::limits::NONCE_WINDOW;
use types::wire::query::Question;
use types::{Command, LogTime, RejectReason, SequenceNumber};

use crate::error::LoadError;
use crate::frames::Frames;
use crate::in_flight::InFlight;
use crate::pacer::Pacer;
use crate::record::Recorder;
use crate::run::Board;
use crate::schedule::Schedule;
use crate::session::{Balances, Session, ended};
use crate::tally::{SentFrame, Tally};

/// One client, ready to go.
#[derive(Debug)]
pub(crate) struct Client {
    session: Session,
    pace: Pace,
    frames: Frames,
    window: usize,
    recorder: Option<Recorder>,
}

/// When a client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Frames at their times.
    Scheduled(Schedule),
    /// So many frames in flight.
    Windowed(usize),
}

impl Client {
    /// `frames_in_flight_max` is what the node allows.
    pub(crate) fn new(
        session: Session,
        frames: Frames,
        pace: Pace,
        frames_in_flight_max: usize,
        recorder: Option<Recorder>,
    ) -> Self {
        // Nonces farther apart than their window would be refused.
        let allowed = frames_in_flight_max.min(NONCE_WINDOW as usize / 2).max(1);
        Self {
            recorder,
            session,
            pace,
            frames,
            window: match pace {
                Pace::Scheduled(_) => allowed,
                Pace::Windowed(window) => allowed.min(window),
            },
        }
    }

    /// Runs to the end of the schedule and waits for the last answers.
    pub(crate) async fn drive(self, board: &Board) -> Result<Tally, LoadError> {
        let Session {
            name,
            mut sender,
            mut receiver,
            ..
        } = self.session;
        let exchange = Exchange {
            board,
            state: RefCell::new(State {
                tally: Tally::new(),
                in_flight: InFlight::with_capacity(self.window),
                window: self.window,
                recorder: self.recorder,
                last_sequence: SequenceNumber::ZERO,
                balances: None,
            }),
            answered: Notify::new(),
        };
        let mut frames = self.frames;
        let sending = async {
            match self.pace {
                Pace::Scheduled(schedule) => {
                    exchange
                        .send_scheduled(&mut sender, &mut frames, &schedule)
                        .await?;
                }
                Pace::Windowed(_) => exchange.send_windowed(&mut sender, &mut frames).await?,
            }
            exchange.drain().await;
            exchange.settle(&mut sender, &mut frames).await
        };
        tokio::select! {
            sent = sending => sent.map_err(|failure: Failure| failure.of(&name))?,
            error = exchange.receive(&mut receiver) => return Err(ended(&name, error)),
        }
        // The report is complete; a node that does not say goodbye changes nothing about it.
        let _ = tokio::time::timeout(DRAIN_LIMIT, sender.close()).await;
        let state = exchange.state.into_inner();
        let mut tally = state.tally;
        tally.unanswered = state.in_flight.len() as u64;
        if let Some(recorder) = state.recorder {
            recorder.finish(frames.next_nonce, state.balances.as_ref())?;
        }
        Ok(tally)
    }
}

/// What the two loops of a client share.
struct Exchange<'a> {
    board: &'a Board,
    state: RefCell<State>,
    /// Some frames were answered.
    answered: Notify,
}

struct State {
    tally: Tally,
    in_flight: InFlight<SentFrame>,
    /// Frames that may be in flight. Shrinks when the node says it is too many.
    window: usize,
    /// Keeps what comes, if the run is recorded.
    recorder: Option<Recorder>,
    /// Where the last answered frame was sequenced.
    last_sequence: SequenceNumber,
    /// The balances of a recorded client at its end.
    balances: Option<Balances>,
}

/// Why sending stopped before its end.
enum Failure {
    Session(SessionError),
    System(std::io::Error),
}

impl Exchange<'_> {
    /// Open loop: every frame at its time, or as soon as the window has room again. Frames that
    /// cannot be sent until a while after the end are given up, and counted.
    async fn send_scheduled(
        &self,
        sender: &mut Sender,
        frames: &mut Frames,
        schedule: &Schedule,
    ) -> Result<(), Failure> {
        let mut pacer = Pacer::new().map_err(Failure::System)?;
        let total = schedule.frames_before(self.board.total());
        let first_measured = schedule.frames_before(self.board.warm_up);
        let mut next = 0;
        while next < total {
            let now = self.board.elapsed();
            if now > self.board.total() + OVERRUN_MAX {
                break;
            }
            let due = schedule.due(now).min(total);
            if next == due {
                let wait = schedule.intended(next).saturating_sub(now).max(PACE_MIN);
                pacer.sleep(wait).await.map_err(Failure::System)?;
                continue;
            }
            let burst = self.room().min((due - next) as usize).min(BURST_FRAMES);
            if burst == 0 {
                let waiting = tokio::time::timeout(OVERRUN_MAX, self.answered.notified());
                // Whether it was woken or gave up, the loop looks at the time.
                let _ = waiting.await;
                continue;
            }
            for index in next..next + burst as u64 {
                self.queue(sender, frames, Some(schedule.intended(index)));
            }
            next += burst as u64;
            self.flush(sender).await?;
        }
        let tally = &mut self.state.borrow_mut().tally;
        tally.scheduled = total - first_measured.min(total);
        tally.unsent = total - next;
        Ok(())
    }

    /// Closed loop: as many frames as the window has room for, until the time is up or, if they were
    /// made ahead, until a client has no more of them.
    async fn send_windowed(&self, sender: &mut Sender, frames: &mut Frames) -> Result<(), Failure> {
        loop {
            let left = self.board.left();
            if left.is_zero() {
                return Ok(());
            }
            let frames_left = frames.left().unwrap_or(BURST_FRAMES);
            if frames_left == 0 {
                self.board.end();
                return Ok(());
            }
            let burst = self.room().min(BURST_FRAMES).min(frames_left);
            if burst < self.burst_min().min(frames_left) {
                let waiting = tokio::time::timeout(left, self.answered.notified());
                // Whether it was woken or gave up, the loop looks at the time.
                let _ = waiting.await;
                continue;
            }
            for _ in 0..burst {
                self.queue(sender, frames, None);
            }
            self.flush(sender).await?;
        }
    }

    /// Makes, signs and queues one frame. Its latency counts from `intended`, or from now.
    fn queue(&self, sender: &mut Sender, frames: &mut Frames, intended: Option<Duration>) {
        let now = self.board.elapsed();
        let intended = intended.unwrap_or(now);
        let measured = self.board.measures(intended);
        let nonce = frames.queue(sender);
        let state = &mut *self.state.borrow_mut();
        if measured {
            state.tally.sent(now.saturating_sub(intended));
        }
        state.in_flight.push(
            nonce,
            SentFrame {
                intended,
                commands: frames.size,
                measured,
            },
        );
    }

    /// Writes what is queued, then lets the connection and the receiving loop work.
    async fn flush(&self, sender: &mut Sender) -> Result<(), Failure> {
        sender.flush().await.map_err(Failure::Session)?;
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Takes messages for ever; returns why there are no more.
    async fn receive(&self, receiver: &mut Receiver) -> SessionError {
        loop {
            let mut next = Some(receiver.next().await);
            let now = self.board.elapsed();
            while let Some(message) = next {
                match message {
                    Ok(message) => self.take(&message, now),
                    Err(error) => return error,
                }
                next = receiver.try_next();
            }
            self.answered.notify_one();
        }
    }

    fn take(&self, message: &Message, now: Duration) {
        let state = &mut *self.state.borrow_mut();
        if let Some(recorder) = &mut state.recorder {
            recorder.take(message);
        }
        match message {
            Message::Ack(message) => {
                let ack = message.view();
                state.last_sequence = ack.first_sequence;
                let frame = state.in_flight.answer(ack.nonce);
                let answered = &self.board.answered;
                answered.set(answered.get() + ack.outcomes.len() as u64);
                if let Some(answer) = state.tally.ack(&ack, frame, now) {
                    self.board.series.borrow_mut().answer(&answer);
                }
            }
            Message::Fills(message) => state.tally.fills(message.reports()),
            Message::Refused { nonce, reason } => {
                let frame = state.in_flight.answer(*nonce);
                state.tally.refused(*reason, frame);
                if matches!(reason, RejectReason::Busy | RejectReason::TooManyInFlight) {
                    state.window = (state.window * 3 / 4).max(1);
                }
            }
            Message::Balances {
                sequence, balances, ..
            } if state.recorder.is_some() => {
                state.balances = Some(Balances {
                    sequence: *sequence,
                    records: balances.clone(),
                });
            }
            // Nobody asks questions else, and no order of the mix ends by itself.
            Message::Ended(_)
            | Message::Subscribed { .. }
            | Message::Receipts(_)
            | Message::Balances { .. }
            | Message::OpenOrders { .. }
            | Message::Reference { .. }
            | Message::MarketStates { .. }
            | Message::UnknownNonce { .. } => state.tally.unexpected += 1,
        }
    }

    /// Waits for the answers that are still to come, but not for ever.
    async fn drain(&self) {
        let drained = async {
            while self.in_flight() > 0 {
                self.answered.notified().await;
            }
        };
        // What is missing then is counted as unanswered.
        let _ = tokio::time::timeout(DRAIN_LIMIT, drained).await;
    }

    /// At the end of a recorded run: takes all orders off the books, so that nothing moves any more,
    /// and asks what there is. If an answer is missing, nothing is asked, and the record says so.
    async fn settle(&self, sender: &mut Sender, frames: &mut Frames) -> Result<(), Failure> {
        let is_recorded = self.state.borrow().recorder.is_some();
        if !is_recorded || self.in_flight() > 0 {
            return Ok(());
        }
        let nonce = frames.take_nonce();
        let everything = Command::CancelAll(CancelScope::EVERYTHING);
        sender.queue_frame_with(nonce, LogTime::ZERO, &[everything]);
        let frame = SentFrame {
            intended: self.board.elapsed(),
            commands: 1,
            measured: false,
        };
        self.state.borrow_mut().in_flight.push(nonce, frame);
        self.flush(sender).await?;
        self.drain().await;
        let settled = async {
            while self.in_flight() == 0 && !self.is_settled() {
                self.state.borrow_mut().balances = None;
                sender.queue_query(Question::Balances);
                self.flush(sender).await?;
                while self.state.borrow().balances.is_none() {
                    self.answered.notified().await;
                }
            }
            Ok(())
        };
        // Without an answer in time the record has no balances at its end, and says so.
        let settled = tokio::time::timeout(DRAIN_LIMIT, settled).await;
        settled.unwrap_or(Ok(()))
    }

    /// Whether the balances include everything: whoever tells them may be behind the answers.
    fn is_settled(&self) -> bool {
        let state = self.state.borrow();
        let balances = state.balances.as_ref();
        balances.is_some_and(|balances| state.last_sequence <= balances.sequence)
    }

    fn in_flight(&self) -> usize {
        self.state.borrow().in_flight.len()
    }

    fn room(&self) -> usize {
        let state = self.state.borrow();
        state.window.saturating_sub(state.in_flight.len())
    }

    /// Waiting until this many frames fit makes fewer and larger writes.
    fn burst_min(&self) -> usize {
        (self.state.borrow().window / 4).clamp(1, BURST_FRAMES)
    }
}

impl Failure {
    fn of(self, name: &str) -> LoadError {
        match self {
            Self::Session(error) => ended(name, error),
            Self::System(error) => LoadError::System(error),
        }
    }
}

/// Frames in one write: signing more would keep answers waiting.
const BURST_FRAMES: usize = 32;
/// Frames that are due within so much time share a wake-up.
const PACE_MIN: Duration = Duration::from_micros(100);
/// How long after the end late frames are still sent.
const OVERRUN_MAX: Duration = Duration::from_secs(1);
/// How long the last answers may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
