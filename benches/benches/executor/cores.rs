//! What as many real workers as the machine has cores took.
//!
//! Where the machine has more than two cores this is what the simulated curves are to be held against.

use std::time::Duration;

use engine::parallel::Choice;

use crate::flow::Blocks;
use crate::timing::{Bench, Subject, Way};

fn head(unit: &str) {
    println!(
        "| block | workers | sequential {unit} | {unit} | CPU {unit} | x | executions per transaction |"
    );
    println!("|---|---|---|---|---|---|---|");
}

/// Payments: times are us per transaction. `?`: the machine was busy.
pub fn payments(bench: &mut Bench, subjects: &mut [(String, crate::Payments)], runs: usize) {
    head("us");
    for (label, subject) in subjects {
        rows(bench, subject, (label, 1e6), runs);
    }
}

/// Order flow in lanes whatever it is worth, and as `auto` decides: times are ns per command.
pub fn flow(bench: &mut Bench, subjects: &mut [(String, Blocks)], runs: usize) {
    head("ns");
    for (label, subject) in subjects {
        for (name, choice) in [("parallel", Choice::Lanes), ("auto", Choice::Auto)] {
            subject.set(choice, None);
            rows(bench, subject, (&format!("{label}, `{name}`"), 1e9), runs);
        }
    }
}

fn rows(bench: &mut Bench, subject: &mut dyn Subject, (label, scale): (&str, f64), runs: usize) {
    let counts = bench.worker_counts();
    let mut ways = vec![Way::Sequential];
    ways.extend(counts.iter().copied().map(Way::Workers));
    let samples = bench.medians(subject, &ways, runs);
    let transactions = subject.transactions() as f64;
    let each = |time: Duration| time.as_secs_f64() * scale / transactions;
    let sequential = each(samples[0].took);
    for (workers, sample) in counts.iter().zip(&samples[1..]) {
        let mark = if sample.is_disturbed { "?" } else { "" };
        let took = each(sample.took);
        println!(
            "| {label} | {workers} | {sequential:.2} | {took:.2}{mark} | {:.2} | {:.2}{mark} | {:.3} |",
            each(sample.cpu),
            sequential / took,
            sample.counts.executions as f64 / transactions,
        );
    }
}
