//! What one and two real workers took, beside one core without any of it.

use std::time::Duration;

use crate::timing::{Bench, Subject, Way};

pub fn head(what: &str) {
    println!(
        "| {what} | accounts | sequential us | 1 worker us | x | 2 workers us | CPU us | x | x at most, by CPU | tx/s | executions | aborts | the paper, Aptos p2p |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
}

/// Times are per transaction. `?`: the machine was busy.
pub fn row(
    bench: &mut Bench,
    subject: &mut dyn Subject,
    (label, accounts): (&str, u32),
    runs: usize,
) {
    let ways = [Way::Sequential, Way::Workers(1), Way::Workers(2)];
    let samples = bench.medians(subject, &ways, runs);
    let transactions = subject.transactions() as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / transactions;
    let [sequential, one, two] = [0, 1, 2].map(|way: usize| each(samples[way].took));
    let (cpu, counts) = (each(samples[2].cpu), samples[2].counts);
    let mark = if samples[2].is_disturbed { "?" } else { "" };
    println!(
        "| {label} | {accounts} | {sequential:.2} | {one:.2} | {:.2} | {two:.2}{mark} | {cpu:.2} | {:.2}{mark} | {:.2} | {:.0}{mark} | {:.3} | {:.3} | {} |",
        sequential / one,
        sequential / two,
        2.0 * sequential / cpu,
        1e6 / two,
        counts.executions as f64 / transactions,
        counts.aborts as f64 / transactions,
        paper(accounts),
    );
}

/// Gelashvili et al., PPoPP 2023: 32 threads of an AWS c5a.16xlarge, a virtual machine that takes
/// about 100 us for a transaction. Of its curves only these figures are known to us.
const fn paper(accounts: u32) -> &'static str {
    match accounts {
        2 => ">= 0.7x",
        10 => "> 1x",
        100 => "up to 8x",
        1_000 => "-",
        _ => "12x at 16, 16x at 32",
    }
}
