//! The outcome of a run: for machines as JSON (the keys are a contract), for people as text.

use std::collections::BTreeMap;
use std::time::Duration;

use client::SignatureMode;
use hdrhistogram::Histogram;
use serde::Serialize;
use types::RejectReason;

use crate::error::LoadError;
use crate::run::{Rate, RunOptions};
use crate::skeleton::{SkeletonOptions, skeleton};
use crate::tally::{Stages, Tally};

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
    /// Medians from the gateway to each later stage.
    pub stage_median_us: Stages<f64>,
    /// CPU microseconds, user and system, for each command: of this process, and of the other side
    /// once [`RunReport::add_cpu`] adds it.
    pub cpu_us_per_order: f64,
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
        let mut report = Self {
            scenario: options.scenario.name.clone(),
            seed: options.seed,
            commit: env!("LOADGEN_COMMIT"),
            clients: options.clients,
            frame: options.frame,
            signature_mode: options.target.signatures.name(),
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
            stage_median_us: Stages {
                sequenced: median(&tally.stages.sequenced),
                executed: median(&tally.stages.executed),
                durable: median(&tally.stages.durable),
                sent: median(&tally.stages.sent),
            },
            cpu_us_per_order: ratio(microseconds(cpu), tally.answered as f64),
            skeleton_ratio: None,
            skeleton_orders_per_second: None,
            replay_equal: None,
            conserved: None,
            schedule_kept: tally.unsent == 0 && tally.late * LATE_FRACTION <= tally.scheduled,
            schedule: ScheduleKeeping {
                frames: tally.scheduled,
                late_frames: tally.late,
                unsent_frames: tally.unsent,
                lateness_max_us: microseconds(tally.lateness_max),
            },
            verdict: Verdict::Pass,
            failures: Vec::new(),
        };
        report.judge();
        report
    }

    /// Adds CPU time of the other side.
    pub fn add_cpu(&mut self, cpu: Duration) {
        self.cpu_us_per_order += ratio(microseconds(cpu), self.orders as f64);
    }

    /// Measures a bare skeleton for so long and compares. Not against a schedule, which the skeleton
    /// does not know, nor rolling signatures, which it does not verify.
    pub fn measure_skeleton(
        &mut self,
        options: &RunOptions,
        duration: Duration,
    ) -> Result<(), LoadError> {
        let is_alike = options.rate == Rate::Max
            && options.target.signatures == SignatureMode::Frame
            && !duration.is_zero();
        if !is_alike {
            return Ok(());
        }
        let rate = skeleton(&SkeletonOptions {
            frame: options.frame,
            clients: options.clients,
            window: options.window_frames(),
            duration,
        })?;
        self.skeleton_orders_per_second = Some(rate);
        self.skeleton_ratio = Some(ratio(self.orders_per_second, rate));
        Ok(())
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

    /// The report for people: one fact a line, aligned.
    pub fn text(&self) -> String {
        let mut lines = vec![
            line("run", &self.headline()),
            line(
                "orders/s",
                &format!(
                    "{}   ({} with durable answers in {:.1} s)",
                    grouped(self.orders_per_second as u64),
                    grouped(self.orders),
                    self.seconds
                ),
            ),
            line(
                "trades/s",
                &format!(
                    "{}   ({} in all)",
                    grouped(self.trades_per_second as u64),
                    grouped(self.trades)
                ),
            ),
            line("ack latency", &self.ack_latency_us.text()),
            line("stage medians", &stages_text(&self.stage_median_us)),
            line("CPU per order", &format!("{:.2} us", self.cpu_us_per_order)),
            line(
                "rejects",
                &counts_text(self.rejects, &self.rejects_by_reason),
            ),
            line(
                "refused frames",
                &counts_text(self.refused_frames, &self.refused_by_reason),
            ),
        ];
        if self.schedule.frames > 0 {
            lines.push(line("schedule", &self.schedule.text(self.schedule_kept)));
        }
        for (name, value) in [
            ("replay equal", self.replay_equal),
            ("conserved", self.conserved),
        ] {
            if let Some(value) = value {
                lines.push(line(name, if value { "yes" } else { "NO" }));
            }
        }
        if let (Some(ratio), Some(rate)) = (self.skeleton_ratio, self.skeleton_orders_per_second) {
            let rate = grouped(rate as u64);
            let text =
                format!("{ratio:.2}   (QUIC, signatures and answers alone: {rate} orders/s)");
            lines.push(line("skeleton ratio", &text));
        }
        lines.push(line("verdict", &self.verdict.text(&self.failures)));
        lines.concat()
    }

    fn headline(&self) -> String {
        let rate = match self.offered_per_second {
            Some(rate) => format!("{} orders/s offered", grouped(rate)),
            None => "as fast as possible".to_owned(),
        };
        format!(
            "{}, {} clients, frames of {}, {rate}, one signature a {}, seed {}, commit {}",
            self.scenario, self.clients, self.frame, self.signature_mode, self.seed, self.commit
        )
    }
}

impl Percentiles {
    fn of(latency: &Histogram<u64>) -> Self {
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: latency.max() as f64 / 1_000.0,
        }
    }

    fn text(&self) -> String {
        let millis = |micros: f64| format!("{:.2}", micros / 1_000.0);
        format!(
            "p50 {}   p90 {}   p99 {}   p99.9 {}   max {} ms",
            millis(self.p50),
            millis(self.p90),
            millis(self.p99),
            millis(self.p999),
            millis(self.max)
        )
    }
}

impl ScheduleKeeping {
    fn text(&self, kept: bool) -> String {
        if kept {
            let millis = self.lateness_max_us / 1_000.0;
            format!("kept   (the latest frame {millis:.2} ms late)")
        } else {
            format!("NOT kept: {}", self.complaint())
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

impl Verdict {
    pub(crate) fn text(self, failures: &[String]) -> String {
        match self {
            Self::Pass => "PASS".to_owned(),
            Self::Fail => format!("FAIL: {}", failures.join("; ")),
        }
    }
}

/// One line of a report: a label, aligned, and a value.
pub(crate) fn line(label: &str, value: &str) -> String {
    format!("{label:<15} {value}\n")
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn counts_text(total: u64, by_reason: &BTreeMap<&'static str, u64>) -> String {
    let reasons: Vec<String> = by_reason
        .iter()
        .map(|(reason, count)| format!("{reason} {}", grouped(*count)))
        .collect();
    if reasons.is_empty() {
        grouped(total)
    } else {
        format!("{}   ({})", grouped(total), reasons.join(", "))
    }
}

fn stages_text(stages: &Stages<f64>) -> String {
    format!(
        "sequenced {:.0}   executed {:.0}   durable {:.0}   sent {:.0} us after the gateway",
        stages.sequenced, stages.executed, stages.durable, stages.sent
    )
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

fn median(stage: &Histogram<u64>) -> f64 {
    stage.value_at_quantile(0.5) as f64 / 1_000.0
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
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
