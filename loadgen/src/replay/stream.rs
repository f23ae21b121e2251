//! One of the two sessions of a replay: collects commands of its side into frames and counts the
//! answers.

use client::{Message, Receiver, Sender};
use types::limits::NONCE_WINDOW;
use types::wire::ack::{Ack, FillReport, Role};
use types::{Command, RejectReason, Side};

use super::ordering::reach;
use super::recording::Dollars;
use crate::error::LoadError;
use crate::in_flight::InFlight;
use crate::session::{Session, answered_in_time, ended};

/// A session that sends the commands of one side.
#[derive(Debug)]
pub(super) struct Stream {
    name: String,
    side: Side,
    sender: Sender,
    receiver: Receiver,
    /// The frame that is being filled.
    commands: Vec<Command<'static>>,
    /// How far its commands reach.
    commands_reach: Option<Dollars>,
    frame: usize,
    in_flight: InFlight<SentFrame>,
    window: usize,
    counts: Counts,
}

#[derive(Debug)]
struct SentFrame {
    commands: usize,
    reach: Dollars,
}

/// What the answers said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Commands answered.
    pub(super) answered: u64,
    /// Cancels of orders that were gone already.
    pub(super) late_cancels: u64,
    /// All other rejects: there should be none.
    pub(super) rejects: u64,
    /// Trades whose taker is ours.
    pub(super) trades: u64,
    /// Lots traded in them.
    pub(super) volume_lots: u64,
    /// The sum of their prices times sizes, in ticks and lots.
    pub(super) notional_tick_lots: u128,
}

impl Stream {
    pub(super) fn new(session: Session, side: Side, frame: usize) -> Self {
        let frames_in_flight_max = session.sender.terms().frames_in_flight as usize;
        let window = frames_in_flight_max.clamp(1, NONCE_WINDOW as usize / 2);
        Self {
            name: session.name,
            side,
            sender: session.sender,
            receiver: session.receiver,
            commands: Vec::with_capacity(frame),
            commands_reach: None,
            frame,
            in_flight: InFlight::with_capacity(window),
            window,
            counts: Counts::default(),
        }
    }

    /// How far the commands that have no answer yet reach.
    pub(super) fn reach(&self) -> Option<Dollars> {
        let sent = self.in_flight.iter().map(|frame| frame.reach);
        sent.chain(self.commands_reach)
            .reduce(|a, b| reach(self.side, a, b))
    }

    /// Adds a command; sends the frame if that fills it.
    pub(super) async fn push(
        &mut self,
        command: Command<'static>,
        price: Dollars,
    ) -> Result<(), LoadError> {
        self.commands.push(command);
        self.commands_reach = Some(match self.commands_reach {
            Some(before) => reach(self.side, before, price),
            None => price,
        });
        if self.commands.len() == self.frame {
            self.send().await?;
        }
        Ok(())
    }

    /// Sends what there is, once the window has room.
    pub(super) async fn send(&mut self) -> Result<(), LoadError> {
        let Some(reach) = self.commands_reach.take() else {
            return Ok(());
        };
        while self.in_flight.len() == self.window {
            self.wait_for_answers().await?;
        }
        let nonce = self.sender.queue_frame(&self.commands);
        let commands = self.commands.len();
        self.in_flight.push(nonce, SentFrame { commands, reach });
        self.commands.clear();
        let flushed = self.sender.flush().await;
        flushed.map_err(|error| ended(&self.name, error))
    }

    /// Waits for at least one message and takes all that have come.
    pub(super) async fn wait_for_answers(&mut self) -> Result<(), LoadError> {
        let next = async {
            let message = self.receiver.next().await;
            message.map_err(|error| ended(&self.name, error))
        };
        let message = answered_in_time(&self.name, "a frame", next).await?;
        self.take(&message)?;
        self.take_answers()
    }

    /// Takes the messages that have come already.
    pub(super) fn take_answers(&mut self) -> Result<(), LoadError> {
        while let Some(message) = self.receiver.try_next() {
            let message = message.map_err(|error| ended(&self.name, error))?;
            self.take(&message)?;
        }
        Ok(())
    }

    /// Sends what is left, waits for all answers and closes the session.
    pub(super) async fn finish(mut self) -> Result<Counts, LoadError> {
        self.send().await?;
        while self.in_flight.len() > 0 {
            self.wait_for_answers().await?;
        }
        self.sender.close().await;
        Ok(self.counts)
    }

    fn take(&mut self, message: &Message) -> Result<(), LoadError> {
        match message {
            Message::Ack(message) => self.ack(&message.view()),
            Message::Fills(message) => {
                self.counts.add_fills(message.reports());
                Ok(())
            }
            Message::Refused { reason, .. } => Err(self.refused(*reason)),
            // Nobody asks questions during a replay, and no order of it ends by itself.
            _ => Err(self.refused(RejectReason::UnexpectedMessage)),
        }
    }

    /// A frame that is refused, repeated or unknown breaks the order of the stream: no later
    /// result would mean anything.
    fn ack(&mut self, ack: &Ack<'_>) -> Result<(), LoadError> {
        if let Some(reason) = ack.refused {
            return Err(self.refused(reason));
        }
        let frame = self.in_flight.answer(ack.nonce);
        let fits = frame.is_some_and(|frame| frame.commands == ack.outcomes.len());
        if !fits || ack.repeated {
            return Err(self.refused(RejectReason::UnexpectedMessage));
        }
        self.counts.answered += ack.outcomes.len() as u64;
        for outcome in ack.outcomes {
            match outcome.reject_reason() {
                None => {}
                Some(RejectReason::OrderNotFound) => self.counts.late_cancels += 1,
                Some(_) => self.counts.rejects += 1,
            }
        }
        Ok(())
    }

    fn refused(&self, reason: RejectReason) -> LoadError {
        LoadError::Refused {
            key: self.name.clone(),
            what: "a frame of the replay",
            reason,
        }
    }
}

impl Counts {
    fn add_fills(&mut self, reports: &[FillReport]) {
        for report in reports.iter().filter(|report| report.role() == Role::Taker) {
            let lots = report.quantity().get();
            self.trades += 1;
            self.volume_lots += lots;
            self.notional_tick_lots += u128::from(report.price().get()) * u128::from(lots);
        }
    }

    /// What both sessions saw.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            late_cancels: self.late_cancels + other.late_cancels,
            rejects: self.rejects + other.rejects,
            trades: self.trades + other.trades,
            volume_lots: self.volume_lots + other.volume_lots,
            notional_tick_lots: self.notional_tick_lots + other.notional_tick_lots,
        }
    }
}
