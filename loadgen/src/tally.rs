//! What one client saw: every command's one outcome, and how long each answer took.
//!
//! A tally can be written as JSON and read again, so that several processes can share a run and one
//! of them can report it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::RejectReason;
use types::wire::ack::{Ack, FillReport, Role, StageTimes};

use crate::latency::Latencies;
use crate::series::{Answer, Series};

/// Counts and histograms of one client, or of all after [`Tally::merge`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Commands with a durable answer.
    pub(crate) answered: u64,
    /// Of them, by reason, those that were rejected.
    #[serde(with = "by_code")]
    pub(crate) rejects: BTreeMap<RejectReason, u64>,
    /// Frames that were refused whole, by reason. Nothing of them happened.
    #[serde(with = "by_code")]
    pub(crate) refused: BTreeMap<RejectReason, u64>,
    /// Trades, each counted once, where its taker is ours.
    pub(crate) trades: u64,
    /// From the time a frame was meant to be sent to its durable answer.
    pub(crate) latency: Latencies,
    /// From the gateway to each later stage.
    pub(crate) stages: Stages<Latencies>,
    /// What was answered when. One client has no series of its own: all of a process share one.
    pub(crate) series: Option<Series>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
            latency: Latencies::fine(),
            stages: Stages {
                sequenced: Latencies::fine(),
                executed: Latencies::fine(),
                durable: Latencies::fine(),
                sent: Latencies::fine(),
            },
            series: None,
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

    /// A durable answer, `frame` being what it answers, if there is such a frame. Returns what is to
    /// go into the series, if the frame counts.
    pub(crate) fn ack(
        &mut self,
        ack: &Ack<'_>,
        frame: Option<SentFrame>,
        now: Duration,
    ) -> Option<Answer> {
        let trades = std::mem::take(&mut self.fills_before_ack);
        let Some(frame) = frame else {
            self.unexpected += 1;
            return None;
        };
        if let Some(reason) = ack.refused {
            self.refuse(reason);
            return None;
        }
        if ack.repeated || ack.outcomes.len() != frame.commands {
            self.unexpected += 1;
        }
        if !frame.measured {
            return None;
        }
        let mut answer = Answer {
            at: now,
            latency: now.saturating_sub(frame.intended),
            commands: ack.outcomes.len() as u64,
            rejects: 0,
        };
        for outcome in ack.outcomes {
            if let Some(reason) = outcome.reject_reason() {
                *self.rejects.entry(reason).or_default() += 1;
                answer.rejects += 1;
            }
        }
        self.trades += trades;
        self.answered += answer.commands;
        self.last_answer = now;
        self.latency.record(answer.latency);
        self.stages(&ack.times);
        Some(answer)
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
            own.merge(others);
        }
        match (&mut self.series, &other.series) {
            (Some(own), Some(others)) => own.merge(others),
            (own @ None, others) => own.clone_from(others),
            (Some(_), None) => {}
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
        for (latencies, nanos) in [
            (&mut self.stages.sequenced, times.sequenced),
            (&mut self.stages.executed, times.executed),
            (&mut self.stages.durable, times.durable),
            (&mut self.stages.sent, times.sent),
        ] {
            latencies.record(Duration::from_nanos(nanos.into()));
        }
    }
}

/// Reasons as their codes: names are for people.
mod by_code {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use types::RejectReason;

    pub(super) fn serialize<S: Serializer>(
        counts: &BTreeMap<RejectReason, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(counts.iter().map(|(reason, count)| (reason.code(), count)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<RejectReason, u64>, D::Error> {
        let named = |(code, count)| {
            let reason = RejectReason::from_code(code);
            let unknown = || D::Error::custom(format!("no reason has the code {code}"));
            reason.map(|reason| (reason, count)).ok_or_else(unknown)
        };
        let counts = Vec::<(u16, u64)>::deserialize(deserializer)?;
        counts.into_iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests;
