//! The intervals of a run, as rows for JSON, CSV and the page.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::{microseconds, ratio};
use crate::series::Series;
use crate::tally::Tally;

/// What happened in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeriesRow {
    /// Where it begins, in seconds from the end of the warm-up.
    pub at_s: f64,
    /// How long it is; the last one ends with the last answer.
    pub seconds: f64,
    /// Frames that were answered in it.
    pub frames: u64,
    /// Commands of these frames.
    pub orders: u64,
    /// The same a second.
    pub orders_per_second: f64,
    /// Of the commands, those that were rejected.
    pub rejects: u64,
    /// Median latency of the frames that were answered in it; none: no frame was.
    pub p50_us: Option<f64>,
    /// Their 99th percentile.
    pub p99_us: Option<f64>,
    /// CPU time of the generator.
    pub generator_cpu_us: f64,
}

/// All intervals up to that of the last answer: what comes after it is only saying goodbye.
pub(super) fn rows(tally: &Tally) -> Vec<SeriesRow> {
    let series = tally.series.as_ref();
    series.map_or_else(Vec::new, |series| rows_until(series, tally.last_answer))
}

fn rows_until(series: &Series, end: Duration) -> Vec<SeriesRow> {
    let length = series.intervals.length;
    let end = end.saturating_sub(series.intervals.begin);
    let numbered = (0..).zip(&series.rows);
    let begun = numbered.take_while(|(number, _)| length * *number < end);
    let row = |(number, row): (u32, &crate::series::Row)| {
        let begin = length * number;
        let seconds = length.min(end - begin).as_secs_f64();
        let quantile = |quantile| row.latency.quantile_us(quantile);
        let is_answered = row.latency.count() > 0;
        SeriesRow {
            at_s: begin.as_secs_f64(),
            seconds,
            frames: row.latency.count(),
            orders: row.answered,
            orders_per_second: ratio(row.answered as f64, seconds),
            rejects: row.rejects,
            p50_us: is_answered.then(|| quantile(0.5)),
            p99_us: is_answered.then(|| quantile(0.99)),
            generator_cpu_us: microseconds(row.cpu),
        }
    };
    begun.map(row).collect()
}

/// The rows as comma-separated values, under a line of their names. Each says when frames were
/// signed, so that no figure goes without it.
pub(crate) fn csv(rows: &[SeriesRow], signing: &str) -> String {
    let mut text = format!("{CSV_HEAD}\n");
    let maybe = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for row in rows {
        let written = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{signing}",
            row.at_s,
            row.seconds,
            row.frames,
            row.orders,
            row.orders_per_second,
            row.rejects,
            maybe(row.p50_us),
            maybe(row.p99_us),
            row.generator_cpu_us
        );
        written.expect("memory takes every write");
    }
    text
}

const CSV_HEAD: &str = "at_s,seconds,frames,orders,orders_per_second,rejects,p50_us,p99_us,generator_cpu_us,\
     signing";
