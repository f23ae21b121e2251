//! What more workers would give: virtual ones, where they can be trusted.
//!
//! A curve is published if with one and two workers the simulation took what real workers took,
//! within a tenth. It does not model caches, memory bandwidth, or a second socket: take it for an
//! upper bound. Beside it stands the bound by the block itself: no order of work is faster than its
//! longest chain of transactions that each need the one before.

use std::time::Duration;

use crate::timing::{Bench, REAL, Sample, Subject, Way};

pub const WORKERS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Speed-ups over the sequential loop.
#[derive(Clone, Debug)]
pub struct Curve {
    pub label: String,
    pub simulated: Vec<(usize, f64)>,
    pub measured: Vec<(usize, f64)>,
    pub bound: Vec<(usize, f64)>,
    /// Why it is not to be shown.
    pub fault: Option<String>,
}

/// How far the simulation may be off.
const TOLERANCE: f64 = 0.1;

pub fn head() {
    println!(
        "| block | workers | simulated x | bound x | tx/s | alone us | executions | validations | aborts | measured x | simulated / measured: time | CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
}

pub fn curve(bench: &mut Bench, subject: &mut dyn Subject, label: String, runs: usize) -> Curve {
    let mut ways = vec![Way::Sequential];
    ways.extend(REAL.map(Way::Workers));
    ways.extend(WORKERS.map(Way::Virtual));
    let samples = bench.medians(subject, &ways, runs);
    let (sequential, samples) = (samples[0], &samples[1..]);
    let (real, simulated) = samples.split_at(REAL.len());
    let speedup = |sample: &Sample| ratio(sequential.took, sample.took);
    let (work, chain) = subject.critical_path();
    let mut curve = Curve {
        label,
        simulated: WORKERS
            .into_iter()
            .zip(simulated.iter().map(speedup))
            .collect(),
        measured: REAL.into_iter().zip(real.iter().map(speedup)).collect(),
        bound: WORKERS
            .map(|workers| (workers, (workers as f64).min(work / chain)))
            .to_vec(),
        fault: None,
    };
    if real.iter().any(|it| it.is_disturbed) {
        curve.fault = Some("the machine was busy".to_owned());
    }
    for ((workers, sample), real) in WORKERS.iter().zip(simulated).zip(real) {
        let ratio = ratio(sample.took, real.took);
        if TOLERANCE < (ratio - 1.0).abs() {
            let fault = format!("with {workers} it took {ratio:.2} of what was measured");
            curve.fault.get_or_insert(fault);
        }
    }
    print(
        &curve,
        (&sequential, real, simulated),
        subject.transactions(),
    );
    curve
}

/// Times are per transaction; `alone` is what one thread does before the workers begin and after they
/// end.
fn print(
    curve: &Curve,
    (sequential, real, simulated): (&Sample, &[Sample], &[Sample]),
    transactions: usize,
) {
    let transactions = transactions as f64;
    let rate = transactions / sequential.took.as_secs_f64();
    for (at, (sample, (workers, speedup))) in simulated.iter().zip(&curve.simulated).enumerate() {
        let counts = sample.counts;
        let measured = real.get(at).map_or_else(
            || "| | ".to_owned(),
            |real| {
                let mark = if real.is_disturbed { "?" } else { "" };
                format!(
                    "{:.2}{mark} | {:.3}{mark} | {:.3}",
                    curve.measured[at].1,
                    ratio(sample.took, real.took),
                    ratio(sample.cpu, real.cpu)
                )
            },
        );
        println!(
            "| {} | {workers} | {speedup:.2} | {:.2} | {:.0} | {:.3} | {:.3} | {:.3} | {:.3} | {measured} |",
            curve.label,
            curve.bound[at].1,
            rate * speedup,
            sample.around.as_secs_f64() * 1e6 / transactions,
            counts.executions as f64 / transactions,
            counts.validations as f64 / transactions,
            counts.aborts as f64 / transactions,
        );
    }
    if let Some(fault) = &curve.fault {
        println!(
            "| {} | | not published: {fault} | | | | | | | | | |",
            curve.label
        );
    }
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
