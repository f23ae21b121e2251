//! The outcome of a replay: the figures that other engines were measured by.

use std::time::Duration;

use serde::Serialize;

use super::recording::{Recording, SkippedRows};
use super::stream::Counts;
use crate::report::{Verdict, grouped, line};

/// The outcome of a replay.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayReport {
    /// Orders sent.
    pub orders: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Rows of the file that are no command.
    pub skipped: SkippedRows,
    /// Trades.
    pub trades: u64,
    /// Lots traded, each of a millionth of the base asset.
    pub volume_lots: u64,
    /// The sum of price times size over all trades, in dollars and lots.
    pub notional_dollar_lots: u128,
    /// Cancels of orders that had filled already.
    pub late_cancels: u64,
    /// All other rejects: there should be none.
    pub rejects: u64,
    /// How often one session had to wait for the other to keep the order of the file.
    pub waits: u64,
    /// How long it took.
    pub seconds: f64,
    /// Pass or fail.
    pub verdict: Verdict,
    /// Why it failed.
    pub failures: Vec<String>,
}

impl ReplayReport {
    pub(super) fn new(
        recording: &Recording,
        counts: &Counts,
        ticks_per_dollar: u64,
        waits: u64,
        elapsed: Duration,
    ) -> Self {
        let commands = recording.commands.len() as u64;
        let ticks_per_dollar = u128::from(ticks_per_dollar);
        let whole_dollars = counts.notional_tick_lots.is_multiple_of(ticks_per_dollar);
        let failures: Vec<String> = [
            (
                counts.answered != commands,
                format!("{} of {commands} commands were answered", counts.answered),
            ),
            (
                counts.rejects > 0,
                format!("{} commands were rejected", counts.rejects),
            ),
            (
                !whole_dollars,
                "it traded with orders that are not of the recording: the node was not fresh"
                    .to_owned(),
            ),
        ]
        .into_iter()
        .filter_map(|(failed, why)| failed.then_some(why))
        .collect();
        Self {
            orders: recording.orders,
            cancels: commands - recording.orders,
            skipped: recording.skipped,
            trades: counts.trades,
            volume_lots: counts.volume_lots,
            notional_dollar_lots: counts.notional_tick_lots / ticks_per_dollar,
            late_cancels: counts.late_cancels,
            rejects: counts.rejects,
            waits,
            seconds: elapsed.as_secs_f64(),
            verdict: if failures.is_empty() {
                Verdict::Pass
            } else {
                Verdict::Fail
            },
            failures,
        }
    }

    /// The report for people: one fact a line, aligned.
    pub fn text(&self) -> String {
        let commands = (self.orders + self.cancels) as f64;
        let rate = commands / self.seconds.max(f64::MIN_POSITIVE);
        [
            line("orders", &grouped(self.orders)),
            line(
                "cancels",
                &format!(
                    "{}   ({} of orders that had filled)",
                    grouped(self.cancels),
                    grouped(self.late_cancels)
                ),
            ),
            line("trades", &grouped(self.trades)),
            line("volume", &format!("{} lots", grouped(self.volume_lots))),
            line(
                "notional",
                &format!("{} dollar-lots", grouped(self.notional_dollar_lots)),
            ),
            line("rejects", &grouped(self.rejects)),
            line(
                "time",
                &format!(
                    "{:.1} s   ({} commands/s, {} waits to keep the order of the file)",
                    self.seconds,
                    grouped(rate as u64),
                    grouped(self.waits)
                ),
            ),
            line("verdict", &self.verdict.text(&self.failures)),
        ]
        .concat()
    }
}
