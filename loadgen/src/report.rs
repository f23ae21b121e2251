//! The outcome of a run: for machines as JSON (the keys are a contract), for people as text.
//!
//! The other forms say nothing that is not in here: `html` is a page, `hgrm` the distribution of
//! latencies, `series` the intervals. `docs/LOAD.md` says what each figure means.

mod charts;
mod curve;
pub(crate) mod hgrm;
pub(crate) mod html;
mod plot;
pub(crate) mod series;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use types::RejectReason;

use crate::latency::Latencies;
use crate::machine::{Machine, command_line};
use crate::node_metrics::NodeFigures;
use crate::run::{Rate, RunOptions};
use crate::tally::{Stages, Tally};

pub use curve::CurvePoint;
pub use series::SeriesRow;
pub(crate) use text::{grouped, line};

/// The outcome of a run. Whoever checks more than the clients can see (replay, conservation, the
/// other side's CPU time) sets those fields and calls [`RunReport::judge`] again.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Which scenario.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// The commit that the generator was built from, or `unknown`.
    pub commit: &'static str,
    /// How many clients.
    pub clients: u32,
    /// Commands in a frame.
    pub frame: usize,
    /// How commands are signed.
    pub signature_mode: &'static str,
    /// When: `live`, as they are sent, or `ahead`, before the clock started.
    pub signing: &'static str,
    /// What an answer means.
    pub ack: &'static str,
    /// Seconds from the end of the warm-up to the last answer.
    pub seconds: f64,
    /// Commands a second that were to be sent; none: as fast as possible.
    pub offered_per_second: Option<u64>,
    /// Commands with a durable answer, a second.
    pub orders_per_second: f64,
    /// Trades a second.
    pub trades_per_second: f64,
    /// Commands with a durable answer.
    pub orders: u64,
    /// Of them, those that were rejected.
    pub rejects: u64,
    /// The same by reason.
    pub rejects_by_reason: BTreeMap<&'static str, u64>,
    /// Trades.
    pub trades: u64,
    /// Frames that were refused whole, without effect.
    pub refused_frames: u64,
    /// The same by reason.
    pub refused_by_reason: BTreeMap<&'static str, u64>,
    /// Frames that never got an answer.
    pub unanswered_frames: u64,
    /// Answers that fit no frame.
    pub unexpected_answers: u64,
    /// From the time a frame was meant to be sent to its durable answer.
    pub ack_latency_us: Percentiles,
    /// The same as a curve, up to the slowest frame.
    pub ack_latency_curve_us: Vec<CurvePoint>,
    /// Medians from the gateway to each later stage.
    pub stage_median_us: Stages<f64>,
    /// 99th percentiles of the same.
    pub stage_p99_us: Stages<f64>,
    /// CPU microseconds, user and system, for each command: of this process, and of the other side
    /// once [`RunReport::add_cpu`] or the node's own numbers add it.
    pub cpu_us_per_order: f64,
    /// Of this process alone, whatever else runs in it.
    pub generator_cpu_us_per_order: f64,
    /// The node's side, if it was asked for.
    pub node: Option<NodeFigures>,
    /// Why the node's side is missing although it was asked for.
    pub node_problem: Option<String>,
    /// What was answered when.
    pub series: Vec<SeriesRow>,
    /// Where the generator ran.
    pub machine: Machine,
    /// What started it.
    pub command: String,
    /// Rate over that of a bare skeleton, if that was measured.
    pub skeleton_ratio: Option<f64>,
    /// Commands a second that the skeleton answered.
    pub skeleton_orders_per_second: Option<f64>,
    /// Whether a replay of the journal gave the same, if that was checked.
    pub replay_equal: Option<bool>,
    /// Whether conservation holds, if that was checked.
    pub conserved: Option<bool>,
    /// Whether frames were sent when they were meant to be. Always, if there was no schedule.
    pub schedule_kept: bool,
    /// By how much not.
    pub schedule: ScheduleKeeping,
    /// Pass or fail.
    pub verdict: Verdict,
    /// Why it failed.
    pub failures: Vec<String>,
    /// All latencies, for formats that want their counts.
    #[serde(skip)]
    pub(crate) latency: Latencies,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs)] // The names say it.
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// How well the generator kept its schedule.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ScheduleKeeping {
    /// Frames that were to be sent; zero: there was no schedule.
    pub frames: u64,
    /// Of them, those that went out more than 10 ms late.
    pub late_frames: u64,
    /// Of them, those that did not go out at all.
    pub unsent_frames: u64,
    /// How late the latest was.
    pub lateness_max_us: f64,
}

/// Whether a run shows what it is meant to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does.
    Pass,
    /// It does not.
    Fail,
}

impl RunReport {
    pub(crate) fn new(options: &RunOptions, tally: &Tally, cpu: Duration) -> Self {
        let seconds = tally
            .last_answer
            .saturating_sub(options.warm_up)
            .as_secs_f64();
        let per_second = |count: u64| ratio(count as f64, seconds);
        let cpu_us_per_order = ratio(microseconds(cpu), tally.answered as f64);
        let mut report = Self {
            scenario: options.scenario.name.clone(),
            seed: options.seed,
            commit: crate::COMMIT,
            clients: options.clients,
            frame: options.frame,
            signature_mode: options.target.signatures.name(),
            signing: options.signing.name(),
            ack: "durable",
            seconds,
            offered_per_second: match options.rate {
                Rate::PerSecond(rate) => Some(rate.get()),
                Rate::Max => None,
            },
            orders_per_second: per_second(tally.answered),
            trades_per_second: per_second(tally.trades),
            orders: tally.answered,
            rejects: tally.rejected(),
            rejects_by_reason: by_name(&tally.rejects),
            trades: tally.trades,
            refused_frames: tally.refused.values().sum(),
            refused_by_reason: by_name(&tally.refused),
            unanswered_frames: tally.unanswered,
            unexpected_answers: tally.unexpected,
            ack_latency_us: Percentiles::of(&tally.latency),
            ack_latency_curve_us: curve::of(&tally.latency),
            stage_median_us: tally.stages.quantiles_us(0.5),
            stage_p99_us: tally.stages.quantiles_us(0.99),
            cpu_us_per_order,
            generator_cpu_us_per_order: cpu_us_per_order,
            node: None,
            node_problem: None,
            series: series::rows(tally),
            machine: Machine::here(),
            command: command_line(),
            skeleton_ratio: None,
            skeleton_orders_per_second: None,
            replay_equal: None,
            conserved: None,
            schedule_kept: tally.unsent == 0 && tally.late * LATE_FRACTION <= tally.scheduled,
            schedule: ScheduleKeeping::of(tally),
            verdict: Verdict::Pass,
            failures: Vec::new(),
            latency: tally.latency.clone(),
        };
        report.judge();
        report
    }

    /// Adds CPU time of the other side.
    pub fn add_cpu(&mut self, cpu: Duration) {
        self.cpu_us_per_order += ratio(microseconds(cpu), self.orders as f64);
    }

    /// Adds the rate of a bare skeleton, if it was measured: [`RunOptions::skeleton`].
    pub fn add_skeleton(&mut self, rate: Option<f64>) {
        self.skeleton_orders_per_second = rate;
        self.skeleton_ratio = rate.map(|rate| ratio(self.orders_per_second, rate));
    }

    /// Adds the node's side, or why there is none.
    pub(crate) fn add_node(&mut self, node: Result<NodeFigures, String>) {
        match node {
            Ok(mut node) => {
                if let Some(seconds) = node.cpu_seconds {
                    let per_order = ratio(seconds * 1e6, self.orders as f64);
                    node.cpu_us_per_order = Some(per_order);
                    self.cpu_us_per_order += per_order;
                }
                self.node = Some(node);
            }
            Err(problem) => self.node_problem = Some(problem),
        }
        self.judge();
    }

    /// Sets the verdict from everything else. Call it again after setting a checked field.
    pub fn judge(&mut self) {
        self.failures = self.find_failures();
        self.verdict = if self.failures.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Fail
        };
    }

    fn find_failures(&self) -> Vec<String> {
        let lasting_refusals = self
            .refused_by_reason
            .keys()
            .any(|name| !is_transient(name));
        [
            (self.orders == 0, "no command was answered".to_owned()),
            (
                self.unanswered_frames > 0,
                format!("{} frames were never answered", self.unanswered_frames),
            ),
            (
                self.unexpected_answers > 0,
                format!("{} answers fit no frame", self.unexpected_answers),
            ),
            (
                self.rejects as f64 > self.orders as f64 * REJECT_SHARE_MAX,
                format!("{} of {} commands were rejected", self.rejects, self.orders),
            ),
            (
                lasting_refusals,
                "frames were refused that should have been executed".to_owned(),
            ),
            (!self.schedule_kept, self.schedule.complaint()),
            (
                self.node_problem.is_some(),
                self.node_problem.clone().unwrap_or_default(),
            ),
            (
                self.replay_equal == Some(false),
                "the replayed journal gives another outcome".to_owned(),
            ),
            (
                self.conserved == Some(false),
                "assets were made or lost".to_owned(),
            ),
        ]
        .into_iter()
        .filter_map(|(failed, why)| failed.then_some(why))
        .collect()
    }
}

impl Percentiles {
    fn of(latency: &Latencies) -> Self {
        Self {
            p50: latency.quantile_us(0.5),
            p90: latency.quantile_us(0.9),
            p99: latency.quantile_us(0.99),
            p999: latency.quantile_us(0.999),
            max: latency.max_us(),
        }
    }
}

impl Stages<Latencies> {
    fn quantiles_us(&self, quantile: f64) -> Stages<f64> {
        Stages {
            sequenced: self.sequenced.quantile_us(quantile),
            executed: self.executed.quantile_us(quantile),
            durable: self.durable.quantile_us(quantile),
            sent: self.sent.quantile_us(quantile),
        }
    }
}

impl ScheduleKeeping {
    fn of(tally: &Tally) -> Self {
        Self {
            frames: tally.scheduled,
            late_frames: tally.late,
            unsent_frames: tally.unsent,
            lateness_max_us: microseconds(tally.lateness_max),
        }
    }

    fn complaint(&self) -> String {
        format!(
            "of {} scheduled frames {} went out more than 10 ms late (at most {:.1} ms) and {} not \
             at all: node or generator cannot keep up with the rate",
            self.frames,
            self.late_frames,
            self.lateness_max_us / 1_000.0,
            self.unsent_frames
        )
    }
}

fn by_name(counts: &BTreeMap<RejectReason, u64>) -> BTreeMap<&'static str, u64> {
    let named = |(reason, count): (&RejectReason, &u64)| (reason.name(), *count);
    counts.iter().map(named).collect()
}

fn is_transient(name: &str) -> bool {
    let reason = RejectReason::ALL
        .iter()
        .find(|reason| reason.name() == name);
    reason.is_some_and(|reason| reason.is_transient())
}

fn microseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}

/// Zero of nothing is zero: JSON knows no infinity.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// One frame in so many may be late before the schedule counts as not kept.
const LATE_FRACTION: u64 = 100;

/// A run of which more was rejected shows nothing. Cancels that come after the fill are normal.
const REJECT_SHARE_MAX: f64 = 0.25;

#[cfg(test)]
mod tests;
