//! `loadgen compare`: the figures of two runs beside each other, and whether the second is worse.
//!
//! It reads JSON reports and nothing else, and compares only what is comparable: two runs of one
//! scenario, frame, signature mode, signing and rate. What decides is the rate where it was free, the 99th
//! percentile where it was given, and the CPU time per order always; absolute times of one machine
//! drift, so the tolerance is the caller's.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::LoadError;
use crate::frames::Signing;
use crate::report::{Verdict, grouped, line};

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareArguments {
    /// The JSON report to measure by.
    a: PathBuf,
    /// The JSON report that is judged.
    b: PathBuf,
    /// By which share of A's figure B may be worse.
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = parse_tolerance)]
    tolerance: f64,
}

/// Reads both, and returns what to print and the verdict.
pub(crate) fn compare(arguments: &CompareArguments) -> Result<(String, Verdict), LoadError> {
    let (a, b) = (read(&arguments.a)?, read(&arguments.b)?);
    let differences = differences(&a, &b);
    if !differences.is_empty() {
        let why = differences.join("; ");
        return Err(LoadError::Options(format!("cannot compare: {why}")));
    }
    let complaints = complaints(&a, &b, arguments.tolerance);
    let verdict = if complaints.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Fail
    };
    let text = [
        line("A", &headline(&arguments.a, &a)),
        line("B", &headline(&arguments.b, &b)),
        table(&a, &b),
        notes(&a, &b),
        line("verdict", &verdict.text(&complaints)),
    ];
    Ok((text.concat(), verdict))
}

/// What is read of a report. The keys are a contract, so reports of other versions are read too.
#[derive(Clone, Debug, Deserialize)]
struct Figures {
    scenario: String,
    frame: u64,
    signature_mode: String,
    /// Live in all reports that do not say.
    #[serde(default = "live")]
    signing: String,
    offered_per_second: Option<u64>,
    clients: u64,
    seed: u64,
    commit: String,
    verdict: String,
    orders_per_second: f64,
    ack_latency_us: Latencies,
    cpu_us_per_order: f64,
    /// Not in reports of versions before it.
    node: Option<NodeCpu>,
    machine: Option<Cpu>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Latencies {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct NodeCpu {
    cpu_us_per_order: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Cpu {
    cpu: String,
    cores: u64,
}

fn read(path: &Path) -> Result<Figures, LoadError> {
    let refused = |why: String| LoadError::Options(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    serde_json::from_str(&text)
        .map_err(|error| refused(format!("no report of `loadgen run --json`: {error}")))
}

fn live() -> String {
    Signing::Live.name().to_owned()
}

/// Why two runs say nothing about each other: one line each.
fn differences(a: &Figures, b: &Figures) -> Vec<String> {
    let differ = |what: &str, a: String, b: String| {
        (a != b).then(|| format!("{what}: A has {a}, B has {b}"))
    };
    let rate = |run: &Figures| match run.offered_per_second {
        Some(rate) => format!("{} orders/s", grouped(rate)),
        None => "as fast as possible".to_owned(),
    };
    let sides = |run: &Figures| match run.node_cpu() {
        Some(_) => "that of both sides".to_owned(),
        None => "that of the process alone".to_owned(),
    };
    let useless = (a.verdict != "pass" || a.orders_per_second <= 0.0)
        .then(|| "A failed, so there is nothing to measure by".to_owned());
    [
        differ("scenario", a.scenario.clone(), b.scenario.clone()),
        differ("frame", a.frame.to_string(), b.frame.to_string()),
        differ(
            "signature mode",
            a.signature_mode.clone(),
            b.signature_mode.clone(),
        ),
        differ("signing", a.signing.clone(), b.signing.clone()),
        differ("rate", rate(a), rate(b)),
        differ("CPU time", sides(a), sides(b)),
        useless,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// In what B is worse than A by more than the tolerance: one line each.
fn complaints(a: &Figures, b: &Figures, tolerance: f64) -> Vec<String> {
    let is_free = a.offered_per_second.is_none();
    let (rate, least) = (b.orders_per_second, a.orders_per_second * (1.0 - tolerance));
    let (p99, slowest) = (
        b.ack_latency_us.p99,
        a.ack_latency_us.p99 * (1.0 + tolerance),
    );
    let (cpu, dearest) = (b.cpu_us_per_order, a.cpu_us_per_order * (1.0 + tolerance));
    [
        (b.verdict != "pass", "B failed on its own".to_owned()),
        (
            is_free && rate < least,
            format!("{rate:.0} orders/s are less than {least:.0}"),
        ),
        (
            !is_free && slowest < p99,
            format!("a p99 of {p99:.0} us is more than {slowest:.0}"),
        ),
        (
            dearest < cpu,
            format!("{cpu:.2} us of CPU per order are more than {dearest:.2}"),
        ),
    ]
    .into_iter()
    .filter_map(|(is_worse, why)| is_worse.then_some(why))
    .collect()
}

impl Figures {
    fn node_cpu(&self) -> Option<f64> {
        self.node.and_then(|node| node.cpu_us_per_order)
    }
}

fn headline(path: &Path, run: &Figures) -> String {
    format!(
        "{} ({}, {} clients, frames of {}, seed {}, commit {})",
        path.display(),
        run.scenario,
        run.clients,
        run.frame,
        run.seed,
        run.commit
    )
}

fn table(a: &Figures, b: &Figures) -> String {
    let (la, lb) = (&a.ack_latency_us, &b.ack_latency_us);
    let rows = [
        ("orders/s", a.orders_per_second, b.orders_per_second),
        ("p50 us", la.p50, lb.p50),
        ("p90 us", la.p90, lb.p90),
        ("p99 us", la.p99, lb.p99),
        ("p99.9 us", la.p999, lb.p999),
        ("max us", la.max, lb.max),
        ("CPU us/order", a.cpu_us_per_order, b.cpu_us_per_order),
    ];
    let mut text = line("", &format!("{:>14} {:>14} {:>8}", "A", "B", "B/A"));
    for (name, a, b) in rows {
        let ratio = if a > 0.0 {
            format!("{:.3}", b / a)
        } else {
            "-".to_owned()
        };
        text.push_str(&line(name, &format!("{a:>14.2} {b:>14.2} {ratio:>8}")));
    }
    text
}

/// What else differs: no reason to refuse, but one to think.
fn notes(a: &Figures, b: &Figures) -> String {
    let cpu = |run: &Figures| {
        let machine = run.machine.as_ref();
        machine.map_or_else(
            || "unknown".to_owned(),
            |machine| format!("{} cores of {}", machine.cores, machine.cpu),
        )
    };
    [
        ("clients", a.clients.to_string(), b.clients.to_string()),
        ("seed", a.seed.to_string(), b.seed.to_string()),
        ("machine", cpu(a), cpu(b)),
    ]
    .into_iter()
    .filter(|(_, a, b)| a != b)
    .map(|(what, a, b)| line("note", &format!("{what}: A has {a}, B has {b}")))
    .collect()
}

fn parse_tolerance(text: &str) -> Result<f64, String> {
    let tolerance: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    // Below zero every run is worse than itself, and from one on none is slower than another.
    if (0.0..1.0).contains(&tolerance) {
        Ok(tolerance)
    } else {
        Err("a tolerance is a share of at least 0 and below 1".to_owned())
    }
}

#[cfg(test)]
mod tests;
