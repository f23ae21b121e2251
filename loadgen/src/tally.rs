//! What one client saw: every command's one outcome, and how long each answer took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use types::RejectReason;
use types::wire::ack::{Ack, FillReport, Role, StageTimes};

/// Counts and histograms of one client, or of all after [`Tally::merge`].
#[derive(Debug)]
pub(crate) struct Tally {
    /// Commands with a durable answer.
    pub(crate) answered: u64,
    /// Of them, by reason, those that were rejected.
    pub(crate) rejects: BTreeMap<RejectReason, u64>,
    /// Frames that were refused whole, by reason. Nothing of them happened.
    pub(crate) refused: BTreeMap<RejectReason, u64>,
    /// Trades, each counted once, where its taker is ours.
    pub(crate) trades: u64,
    /// From the time a frame was meant to be sent to its durable answer, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// From the gateway to each later stage, in nanoseconds.
    pub(crate) stages: Stages<Histogram<u64>>,
    /// When the last answer came, from the start of the run.
    pub(crate) last_answer: Duration,
    /// Answers that fit no frame: unknown or answered before, repeated, or of another length.
    pub(crate) unexpected: u64,
    /// Frames without an answer at the end.
    pub(crate) unanswered: u64,
    /// Frames that were meant to be sent.
    pub(crate) scheduled: u64,
    /// Of them, those that were not sent at all.
    pub(crate) unsent: u64,
    /// Of them, those that were sent later than [`LATE`].
    pub(crate) late: u64,
    /// How late the latest of them was.
    pub(crate) lateness_max: Duration,
    /// Taker fills whose ack is still to come: it follows them.
    fills_before_ack: u64,
}

/// A frame sent later than this after its time is late.
pub(crate) const LATE: Duration = Duration::from_millis(10);

/// One of each stage after the gateway.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Stages<T> {
    /// Got its sequence numbers.
    pub sequenced: T,
    /// Was executed.
    pub executed: T,
    /// Was synced.
    pub durable: T,
    /// The answer was handed to the connection.
    pub sent: T,
}

/// What is remembered of a frame until it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentFrame {
    /// When it was meant to be sent, from the start of the run.
    pub(crate) intended: Duration,
    /// Number of commands.
    pub(crate) commands: usize,
    /// Whether it counts: it was not meant for the warm-up.
    pub(crate) measured: bool,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            answered: 0,
            rejects: BTreeMap::new(),
            refused: BTreeMap::new(),
            trades: 0,
            latency: histogram(),
            stages: Stages {
                sequenced: histogram(),
                executed: histogram(),
                durable: histogram(),
                sent: histogram(),
            },
            last_answer: Duration::ZERO,
            unexpected: 0,
            unanswered: 0,
            scheduled: 0,
            unsent: 0,
            late: 0,
            lateness_max: Duration::ZERO,
            fills_before_ack: 0,
        }
    }

    /// A frame of the schedule went out now.
    pub(crate) fn sent(&mut self, lateness: Duration) {
        self.late += u64::from(lateness > LATE);
        self.lateness_max = self.lateness_max.max(lateness);
    }

    /// Executions of our orders.
    pub(crate) fn fills(&mut self, reports: &[FillReport]) {
        let takers = reports.iter().filter(|report| report.role() == Role::Taker);
        self.fills_before_ack += takers.count() as u64;
    }

    /// A durable answer, `frame` being what it answers, if there is such a frame.
    pub(crate) fn ack(&mut self, ack: &Ack<'_>, frame: Option<SentFrame>, now: Duration) {
        let trades = std::mem::take(&mut self.fills_before_ack);
        let Some(frame) = frame else {
            self.unexpected += 1;
            return;
        };
        if let Some(reason) = ack.refused {
            self.refuse(reason);
            return;
        }
        if ack.repeated || ack.outcomes.len() != frame.commands {
            self.unexpected += 1;
        }
        if !frame.measured {
            return;
        }
        self.trades += trades;
        self.answered += ack.outcomes.len() as u64;
        for outcome in ack.outcomes {
            if let Some(reason) = outcome.reject_reason() {
                *self.rejects.entry(reason).or_default() += 1;
            }
        }
        self.last_answer = now;
        record(&mut self.latency, now.saturating_sub(frame.intended));
        self.stages(&ack.times);
    }

    /// A message that was refused before it was sequenced.
    pub(crate) fn refused(&mut self, reason: RejectReason, frame: Option<SentFrame>) {
        match frame {
            Some(_) => self.refuse(reason),
            None => self.unexpected += 1,
        }
    }

    /// Adds what another client saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        for (own, others) in [
            (&mut self.rejects, &other.rejects),
            (&mut self.refused, &other.refused),
        ] {
            for (reason, count) in others {
                *own.entry(*reason).or_default() += count;
            }
        }
        self.trades += other.trades;
        for (own, others) in [
            (&mut self.latency, &other.latency),
            (&mut self.stages.sequenced, &other.stages.sequenced),
            (&mut self.stages.executed, &other.stages.executed),
            (&mut self.stages.durable, &other.stages.durable),
            (&mut self.stages.sent, &other.stages.sent),
        ] {
            own.add(others).expect("all have the same bounds");
        }
        self.last_answer = self.last_answer.max(other.last_answer);
        self.unexpected += other.unexpected;
        self.unanswered += other.unanswered;
        self.scheduled += other.scheduled;
        self.unsent += other.unsent;
        self.late += other.late;
        self.lateness_max = self.lateness_max.max(other.lateness_max);
    }

    /// Commands that were rejected.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    /// Refusals count in the warm-up too: there must be none of most kinds.
    fn refuse(&mut self, reason: RejectReason) {
        *self.refused.entry(reason).or_default() += 1;
    }

    fn stages(&mut self, times: &StageTimes) {
        self.stages
            .sequenced
            .saturating_record(times.sequenced.into());
        self.stages
            .executed
            .saturating_record(times.executed.into());
        self.stages.durable.saturating_record(times.durable.into());
        self.stages.sent.saturating_record(times.sent.into());
    }
}

/// Three digits from a nanosecond to a minute, longer than any answer is waited for.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are legal")
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}
