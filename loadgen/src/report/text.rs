//! The report for people: one fact a line, aligned.

use std::collections::BTreeMap;

use super::{Percentiles, RunReport, ScheduleKeeping, Verdict};
use crate::tally::Stages;

impl RunReport {
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
            line("CPU per order", &self.cpu_text()),
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

    fn cpu_text(&self) -> String {
        let both = format!("{:.2} us", self.cpu_us_per_order);
        let node = self.node.as_ref().and_then(|node| node.cpu_us_per_order);
        match node {
            Some(node) => format!(
                "{both}   (generator {:.2}, node {node:.2})",
                self.generator_cpu_us_per_order
            ),
            None => both,
        }
    }

    pub(super) fn headline(&self) -> String {
        let rate = match self.offered_per_second {
            Some(rate) => format!("{} orders/s offered", grouped(rate)),
            None => "as fast as possible".to_owned(),
        };
        let signatures = match self.signature_mode {
            "frame" => "one signature a frame".to_owned(),
            mode => format!("{mode} signatures"),
        };
        format!(
            "{}, {} clients, frames of {}, {rate}, {signatures} made {}, seed {}, commit {}",
            self.scenario, self.clients, self.frame, self.signing, self.seed, self.commit
        )
    }
}

impl Percentiles {
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
