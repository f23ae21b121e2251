//! Latencies as a histogram that can be merged with others and handed to another process.
//!
//! Nothing here knows a clock: a latency comes in as a duration and goes out in microseconds.
//! Counts, not percentiles, are what may be added: the 99th percentile of two clients is not made
//! of theirs.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Counts of latencies, at one of two resolutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Counts", try_from = "Counts")]
pub(crate) struct Latencies(Histogram<u64>);

/// The same as it is handed on: occupied buckets alone, for most are empty.
#[derive(Debug, Serialize, Deserialize)]
struct Counts {
    /// Significant decimal digits of a bucket.
    digits: u8,
    /// The highest value of a bucket, in nanoseconds, and how many fell into it.
    counts: Vec<(u64, u64)>,
}

/// Why counts are no latencies.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CountsError {
    #[error("latencies have {FINE} or {COARSE} digits, not {0}")]
    Digits(u8),
    #[error("{0} ns is longer than any answer is waited for")]
    TooLong(u64),
}

impl Latencies {
    /// None yet, to a tenth of a percent: for the figures of a run.
    pub(crate) fn fine() -> Self {
        let all = Histogram::new_with_bounds(1, NANOS_MAX, FINE);
        Self(all.expect("the bounds are legal"))
    }

    /// None yet, to one percent, and only as large as its longest: there are thousands of these.
    pub(crate) fn coarse() -> Self {
        let growing = Histogram::new(COARSE);
        Self(growing.expect("the digits are legal"))
    }

    /// One more.
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.record_many(nanos.min(NANOS_MAX), 1);
    }

    /// Those of another, of the same resolution.
    pub(crate) fn merge(&mut self, other: &Self) {
        assert_eq!(self.0.sigfig(), other.0.sigfig(), "of one resolution");
        let added = self.0.add(&other.0);
        added.expect("both have the same bounds, or grow");
    }

    /// So many of them, from 0 to 1, were at most so long, in microseconds. Zero, if there are none.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        micros(self.0.value_at_quantile(quantile))
    }

    /// The longest.
    pub(crate) fn max_us(&self) -> f64 {
        micros(self.0.max())
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The histogram itself, in nanoseconds, for formats that want more than quantiles.
    pub(crate) const fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    fn record_many(&mut self, nanos: u64, count: u64) {
        let recorded = self.0.record_n(nanos, count);
        recorded.expect("it is within the bounds, or it grows");
    }
}

impl From<Latencies> for Counts {
    fn from(Latencies(histogram): Latencies) -> Self {
        let counts = histogram.iter_recorded();
        Self {
            digits: histogram.sigfig(),
            counts: counts
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
                .collect(),
        }
    }
}

impl TryFrom<Counts> for Latencies {
    type Error = CountsError;

    fn try_from(Counts { digits, counts }: Counts) -> Result<Self, CountsError> {
        let mut latencies = match digits {
            FINE => Self::fine(),
            COARSE => Self::coarse(),
            _ => return Err(CountsError::Digits(digits)),
        };
        for (nanos, count) in counts {
            // The highest value of the last bucket lies above the longest latency.
            if nanos > NANOS_MAX + NANOS_MAX / 100 {
                return Err(CountsError::TooLong(nanos));
            }
            latencies.record_many(nanos.min(NANOS_MAX), count);
        }
        Ok(latencies)
    }
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}

/// A minute is longer than any answer is waited for.
const NANOS_MAX: u64 = 60_000_000_000;
/// Significant digits of the figures of a run.
const FINE: u8 = 3;
/// Significant digits of the figures of an interval.
const COARSE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(mut latencies: Latencies, micros: impl IntoIterator<Item = u64>) -> Latencies {
        for micros in micros {
            latencies.record(Duration::from_micros(micros));
        }
        latencies
    }

    #[test]
    fn what_is_handed_on_is_the_same() {
        for empty in [Latencies::fine(), Latencies::coarse()] {
            for recorded in [
                latencies(empty.clone(), []),
                latencies(empty.clone(), (1..2_000).map(|i| i * i)),
                latencies(empty.clone(), [0, 1, 59_999_999, 60_000_000, u64::MAX]),
            ] {
                let text = serde_json::to_string(&recorded).unwrap();
                let handed_on: Latencies = serde_json::from_str(&text).unwrap();
                assert_eq!(handed_on, recorded, "{text}");
                assert_eq!(handed_on.max_us(), recorded.max_us());
            }
        }
    }

    #[test]
    fn what_is_not_latencies_is_refused() {
        for (text, expected) in [
            (r#"{"digits":4,"counts":[]}"#, "2 digits, not 4"),
            (
                r#"{"digits":3,"counts":[[70000000000,1]]}"#,
                "70000000000 ns is longer",
            ),
            (r#"{"digits":3,"counts":[[-1,1]]}"#, "-1"),
        ] {
            let refused = serde_json::from_str::<Latencies>(text).unwrap_err();
            assert!(refused.to_string().contains(expected), "{refused}");
        }
    }

    #[test]
    fn merging_is_recording_together() {
        for empty in [Latencies::fine(), Latencies::coarse()] {
            let mut merged = latencies(empty.clone(), 1..500);
            merged.merge(&latencies(empty.clone(), 500..100_000));
            let together = latencies(empty, 1..100_000);
            assert_eq!(merged, together);
            assert_eq!(merged.count(), 99_999);
            let median = merged.quantile_us(0.5);
            assert!((median - 50_000.0).abs() < 500.0, "{median}");
        }
    }
}
