//! What was answered when: a run cut into intervals, so that a stall shows that an average hides.
//!
//! One series serves all clients of a process; those of several processes are merged. It has no
//! clock of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latency::Latencies;

/// How a run is cut, in times from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intervals {
    /// Where the first one begins: at the end of the warm-up.
    pub(crate) begin: Duration,
    /// How long each is.
    pub(crate) length: Duration,
}

/// What happened in each interval, up to the last in which anything did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) intervals: Intervals,
    pub(crate) rows: Vec<Row>,
}

/// What happened in one interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Commands with a durable answer.
    pub(crate) answered: u64,
    /// Of them, those that were rejected.
    pub(crate) rejects: u64,
    /// Of the frames that were answered in it.
    pub(crate) latency: Latencies,
    /// CPU time of the generator.
    pub(crate) cpu: Duration,
}

/// A frame that counts was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// When, from the start of the run.
    pub(crate) at: Duration,
    /// Since it was meant to be sent.
    pub(crate) latency: Duration,
    /// Number of commands.
    pub(crate) commands: u64,
    /// Of them, those that were rejected.
    pub(crate) rejects: u64,
}

impl Intervals {
    /// Tenths of a second for a short run, else seconds; longer ones only where there would be more
    /// than [`ROWS_MAX`].
    pub(crate) fn of(warm_up: Duration, duration: Duration) -> Self {
        let second = Duration::from_secs(1);
        let length = if duration < SHORT {
            second / 10
        } else {
            let lengths = [1, 10, 60, 600].map(|count| second * count);
            let fits = |length: &Duration| duration <= *length * ROWS_MAX;
            lengths.into_iter().find(fits).unwrap_or(lengths[3])
        };
        Self {
            begin: warm_up,
            length,
        }
    }

    /// Which interval a time falls into; what is before the first one belongs to it.
    fn index(&self, at: Duration) -> usize {
        let since = at.saturating_sub(self.begin);
        let index = since.as_nanos() / self.length.as_nanos().max(1);
        usize::try_from(index).expect("a run has few intervals")
    }
}

impl Series {
    pub(crate) const fn new(intervals: Intervals) -> Self {
        Self {
            intervals,
            rows: Vec::new(),
        }
    }

    /// Counts an answer.
    pub(crate) fn answer(&mut self, answer: &Answer) {
        let row = self.row(self.intervals.index(answer.at));
        row.answered += answer.commands;
        row.rejects += answer.rejects;
        row.latency.record(answer.latency);
    }

    /// Charges CPU time that was used up to a time to the interval that ends there or holds it.
    pub(crate) fn charge(&mut self, until: Duration, cpu: Duration) {
        let within = until.saturating_sub(Duration::from_nanos(1));
        self.row(self.intervals.index(within)).cpu += cpu;
    }

    /// Adds what another process saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        assert_eq!(self.intervals, other.intervals, "processes of one run");
        for (index, others) in other.rows.iter().enumerate() {
            let row = self.row(index);
            row.answered += others.answered;
            row.rejects += others.rejects;
            row.latency.merge(&others.latency);
            row.cpu += others.cpu;
        }
    }

    fn row(&mut self, index: usize) -> &mut Row {
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, Row::new);
        }
        &mut self.rows[index]
    }
}

impl Row {
    fn new() -> Self {
        Self {
            answered: 0,
            rejects: 0,
            latency: Latencies::coarse(),
            cpu: Duration::ZERO,
        }
    }
}

/// Runs below it are cut finer: ten points say more than none.
const SHORT: Duration = Duration::from_secs(10);
/// More intervals than this show nothing more on a page, and each holds a histogram.
const ROWS_MAX: u32 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn answer(at: u64, commands: u64) -> Answer {
        Answer {
            at: millis(at),
            latency: millis(commands),
            commands,
            rejects: 1,
        }
    }

    #[test]
    fn intervals_suit_the_run() {
        for (seconds, expected) in [
            (0.2, 0.1),
            (9.9, 0.1),
            (10.0, 1.0),
            (3_600.0, 1.0),
            (3_601.0, 10.0),
            (40_000.0, 60.0),
            (604_800.0, 600.0),
        ] {
            let run = Duration::from_secs_f64(seconds);
            let length = Intervals::of(millis(1_000), run).length;
            assert_eq!(length, Duration::from_secs_f64(expected), "{seconds}");
        }
    }

    #[test]
    fn answers_fall_into_their_intervals() {
        let mut series = Series::new(Intervals::of(millis(1_000), millis(2_000)));
        for (at, commands) in [(1_000, 1), (1_099, 2), (1_100, 4), (1_350, 8)] {
            series.answer(&answer(at, commands));
        }
        series.charge(millis(1_100), millis(30));
        series.charge(millis(1_200), millis(20));
        series.charge(millis(1_360), millis(10));
        let rows = series.rows.iter();
        let rows: Vec<_> = rows
            .map(|row| (row.answered, row.rejects, row.latency.count(), row.cpu))
            .collect();
        assert_eq!(
            rows,
            [
                (3, 2, 2, millis(30)),
                (4, 1, 1, millis(20)),
                (0, 0, 0, millis(0)),
                (8, 1, 1, millis(10)),
            ]
        );
    }

    #[test]
    fn merging_is_counting_together() {
        let intervals = Intervals::of(millis(0), millis(2_000));
        let (mut one, mut other) = (Series::new(intervals), Series::new(intervals));
        let mut together = Series::new(intervals);
        for (at, commands) in [(10, 1), (150, 2), (950, 3)] {
            one.answer(&answer(at, commands));
            together.answer(&answer(at, commands));
        }
        for (at, commands) in [(20, 5), (1_250, 7)] {
            other.answer(&answer(at, commands));
            together.answer(&answer(at, commands));
        }
        other.charge(millis(100), millis(9));
        together.charge(millis(100), millis(9));
        one.merge(&other);
        assert_eq!(one, together);
        let handed_on: Series =
            serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
        assert_eq!(handed_on, one);
    }
}
