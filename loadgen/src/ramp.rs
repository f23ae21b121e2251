//! The highest rate that a node carries with its answers in time: doubling until it does not, then
//! halving the gap.
//!
//! Every step is a run of its own at a fixed rate, so that one which went wrong leaves nothing behind
//! for the next. `Search` decides, [`ramp()`] drives.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Serialize;

use crate::error::LoadError;
use crate::report::{RunReport, Verdict, grouped, line};
use crate::run::{Progress, Rate, RunOptions, run};

/// What to look for.
#[derive(Clone, Debug)]
pub struct RampOptions {
    /// Each step; its rate, if it has one, is where the search begins.
    pub run: RunOptions,
    /// What the 99th percentile of durable answers may be.
    pub p99_max: Duration,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct RampReport {
    /// The highest rate that held, in commands a second; `None`: not even the first did.
    pub highest_per_second: Option<u64>,
    /// The limit of the 99th percentile, in microseconds.
    pub p99_max_us: f64,
    /// All steps, in order.
    pub steps: Vec<Step>,
    /// The run of the highest rate that held, or the first one.
    pub run: RunReport,
}

/// One rate that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Commands a second.
    pub offered_per_second: u64,
    /// Commands with a durable answer, a second.
    pub orders_per_second: f64,
    /// The 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Whether it was in time and the run passed.
    pub holds: bool,
    /// Why it did not pass, beside the time.
    pub failures: Vec<String>,
}

/// Searches, a run for each step. Fails with the first run that comes to no report at all.
pub fn ramp(
    options: &RampOptions,
    mut progress: impl FnMut(Progress),
) -> Result<RampReport, LoadError> {
    let first = match options.run.rate {
        Rate::PerSecond(rate) => rate,
        Rate::Max => FIRST_RATE,
    };
    let mut search = Search::new(first);
    let mut steps = Vec::new();
    let mut best: Option<RunReport> = None;
    while let Some(rate) = search.next() {
        let step = RunOptions {
            rate: Rate::PerSecond(rate),
            ..options.run.clone()
        };
        let report = run(&step, &mut progress)?;
        let p99 = report.ack_latency_us.p99;
        let is_in_time = p99 <= options.p99_max.as_secs_f64() * 1e6;
        let holds = is_in_time && report.verdict == Verdict::Pass;
        steps.push(Step {
            offered_per_second: rate.get(),
            orders_per_second: report.orders_per_second,
            p99_us: p99,
            holds,
            failures: report.failures.clone(),
        });
        search.tried(rate, holds);
        if holds || best.is_none() {
            best = Some(report);
        }
    }
    Ok(RampReport {
        highest_per_second: search.highest.map(NonZeroU64::get),
        p99_max_us: options.p99_max.as_secs_f64() * 1e6,
        steps,
        run: best.expect("there is a first step"),
    })
}

impl RampReport {
    /// Whether any rate held.
    pub const fn verdict(&self) -> Verdict {
        match self.highest_per_second {
            Some(_) => Verdict::Pass,
            None => Verdict::Fail,
        }
    }

    /// For people: the steps, the answer, and the run behind it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let why = match (step.holds, step.failures.is_empty()) {
                (true, _) => "holds".to_owned(),
                (false, true) => "too slow".to_owned(),
                (false, false) => step.failures.join("; "),
            };
            let rate = grouped(step.offered_per_second);
            let p99 = step.p99_us / 1_000.0;
            text += &line("step", &format!("{rate}/s: p99 {p99:.2} ms, {why}"));
        }
        let limit = self.p99_max_us / 1_000.0;
        let found = match self.highest_per_second {
            Some(rate) => format!("{}/s with p99 <= {limit} ms", grouped(rate)),
            None => format!("none: the first rate has no p99 <= {limit} ms"),
        };
        text += &line("highest rate", &found);
        text + "\n" + &self.run.text()
    }
}

/// Which rate to try next.
#[derive(Debug)]
struct Search {
    next: Option<NonZeroU64>,
    /// The highest that held.
    highest: Option<NonZeroU64>,
    /// The lowest that did not.
    lowest: Option<NonZeroU64>,
    steps: u32,
}

impl Search {
    const fn new(first: NonZeroU64) -> Self {
        Self {
            next: Some(first),
            highest: None,
            lowest: None,
            steps: 0,
        }
    }

    const fn next(&self) -> Option<NonZeroU64> {
        self.next
    }

    fn tried(&mut self, rate: NonZeroU64, holds: bool) {
        self.steps += 1;
        match holds {
            true => self.highest = self.highest.max(Some(rate)),
            false => self.lowest = Some(self.lowest.map_or(rate, |it| it.min(rate))),
        }
        let next = match (self.highest, self.lowest) {
            (Some(highest), None) => highest.get().saturating_mul(2),
            (None, Some(lowest)) => lowest.get() / 2,
            (Some(highest), Some(lowest)) => {
                let gap = lowest.get().saturating_sub(highest.get());
                // Two steps of a noisy machine that contradict each other end the search, too.
                if gap <= (highest.get() / PRECISION).max(1) {
                    0
                } else {
                    highest.get() + gap / 2
                }
            }
            (None, None) => unreachable!("a step was tried"),
        };
        self.next = NonZeroU64::new(next).filter(|_| self.steps < STEPS_MAX);
    }
}

/// Where a search begins if nobody says.
const FIRST_RATE: NonZeroU64 = NonZeroU64::new(50_000).expect("it is above zero");
/// The gap at which it ends, as a part of the rate.
const PRECISION: u64 = 20;
/// Enough to double from 1 to a million and to halve the gap down to a part in [`PRECISION`].
const STEPS_MAX: u32 = 26;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search finds on a node that carries exactly `capacity`.
    fn found(first: u64, capacity: u64) -> (Option<u64>, u32) {
        let mut search = Search::new(NonZeroU64::new(first).unwrap());
        while let Some(rate) = search.next() {
            search.tried(rate, rate.get() <= capacity);
        }
        (search.highest.map(NonZeroU64::get), search.steps)
    }

    #[test]
    fn the_highest_rate_is_found_to_a_twentieth() {
        for (first, capacity) in [
            (50_000, 400_000),
            (50_000, 1_234_567),
            (50_000, 50_000),
            (50_000, 7_000),
            (1, 1_000_000),
            (1_000_000, 3),
        ] {
            let (highest, steps) = found(first, capacity);
            let highest = highest.unwrap();
            assert!(highest <= capacity, "{first} {capacity}: {highest}");
            assert!(
                capacity - highest <= (capacity / PRECISION).max(1),
                "{highest}"
            );
            assert!(steps < STEPS_MAX, "{first} {capacity}: {steps} steps");
        }
    }

    #[test]
    fn a_node_that_carries_nothing_ends_the_search() {
        assert_eq!(found(50_000, 0).0, None);
        let (highest, steps) = found(u64::MAX / 2, u64::MAX);
        assert!(highest.is_some() && steps <= STEPS_MAX);
    }
}
