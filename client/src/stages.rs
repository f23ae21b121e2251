//! Where the time of an order goes: a histogram of its round trip, and one of each stage of it.
//!
//! The stages are consecutive, so of one order they add up to its round trip.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use types::wire::ack::StageTimes;

/// The stages of a round trip, in order.
pub const STAGES: [&str; 5] = [
    "verify, sequence",
    "execute",
    "sync",
    "release, send",
    "network, client",
];

/// Round trips and their stages.
#[derive(Clone, Debug)]
pub struct StageHistogram {
    round_trip: Histogram<u64>,
    stages: [Histogram<u64>; STAGES.len()],
}

/// Two quantiles of a row, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageRow {
    /// `round trip`, or one of [`STAGES`].
    pub name: &'static str,
    /// The median.
    pub p50_us: f64,
    /// All but the slowest hundredth.
    pub p99_us: f64,
}

impl Default for StageHistogram {
    fn default() -> Self {
        let empty = || Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("legal bounds");
        Self {
            round_trip: empty(),
            stages: std::array::from_fn(|_| empty()),
        }
    }
}

/// What takes longer counts as this.
const LONGEST_NS: u64 = 600_000_000_000;
/// Digits that a histogram keeps.
const DIGITS: u8 = 3;

impl StageHistogram {
    /// Takes an answer in: the times in its ack, and how long it took for this side.
    pub fn record(&mut self, times: &StageTimes, round_trip: Duration) {
        let round_trip = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        let at = |stage: u32| u64::from(stage);
        // A block is synced while it is executed, so only what the sync took longer is its own.
        let marks = [
            at(times.sequenced),
            at(times.executed),
            at(times.durable).max(at(times.executed)),
            at(times.sent),
            round_trip,
        ];
        let mut before = 0;
        for (histogram, mark) in self.stages.iter_mut().zip(marks) {
            histogram.saturating_record(mark.saturating_sub(before));
            before = mark;
        }
        self.round_trip.saturating_record(round_trip);
    }

    /// How many answers it holds.
    pub fn len(&self) -> u64 {
        self.round_trip.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.round_trip.reset();
        self.stages.iter_mut().for_each(Histogram::reset);
    }

    /// The round trip, then every stage.
    pub fn rows(&self) -> impl Iterator<Item = StageRow> {
        let stages = STAGES.into_iter().zip(&self.stages);
        let rows = std::iter::once(("round trip", &self.round_trip)).chain(stages);
        rows.map(|(name, histogram)| {
            let micros = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
            StageRow {
                name,
                p50_us: micros(0.5),
                p99_us: micros(0.99),
            }
        })
    }

    /// The same as a table.
    pub fn text(&self) -> String {
        let mut text = format!("{:<18}{:>10}{:>10}\n", "microseconds", "p50", "p99");
        for row in self.rows() {
            let _ = writeln!(
                text,
                "{:<18}{:>10.1}{:>10.1}",
                row.name, row.p50_us, row.p99_us
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_add_up_to_the_round_trip() {
        for (durable, sync) in [(90, 60.0), (20, 0.0)] {
            let times = StageTimes {
                received_at: 1,
                sequenced: 10_000,
                executed: 30_000,
                durable: durable * 1_000,
                sent: 100_000,
            };
            let mut histogram = StageHistogram::default();
            histogram.record(&times, Duration::from_micros(150));
            let rows: Vec<StageRow> = histogram.rows().collect();
            let expected = [150.0, 10.0, 20.0, sync, 70.0 - sync, 50.0];
            for (row, expected) in rows.iter().zip(expected) {
                assert!((row.p50_us - expected).abs() <= expected / 500.0, "{row:?}");
            }
            assert_eq!(histogram.text().lines().count(), 7);
        }
    }
}
