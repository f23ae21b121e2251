//! Each planted bug is caught within so many runs: a simulation that finds nothing may be blind.
#![allow(missing_docs, clippy::print_stdout)]

use sim::{Failed, run};
use types::planted::{Bug, plant};

/// Runs that a bug may survive.
const RUNS_MAX: u64 = 400;

/// Runs without a bug, in the same build.
const RUNS_WITHOUT: u64 = 40;

#[test]
fn every_planted_bug_is_caught() {
    // Most bugs break an invariant of the node at some point; that is not worth a backtrace.
    std::panic::set_hook(Box::new(|_| {}));
    plant(None);
    for seed in 1..=RUNS_WITHOUT {
        if let Err(failed) = run(seed) {
            fail(&format!("without a bug: {failed}"));
        }
    }
    let mut missed = Vec::new();
    println!("{:<22} {:>5}  {:<10} first words", "bug", "runs", "oracle");
    for bug in Bug::ALL {
        plant(Some(bug));
        match (1..=RUNS_MAX).find_map(|seed| run(seed).err()) {
            Some(Failed { seed, oracle, what }) => {
                let words: String = what
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(110)
                    .collect();
                let (bug, oracle) = (format!("{bug:?}"), format!("{oracle:?}"));
                println!("{bug:<22} {seed:>5}  {oracle:<10} {words}");
            }
            None => missed.push(bug),
        }
    }
    plant(None);
    if !missed.is_empty() {
        fail(&format!("not caught in {RUNS_MAX} runs: {missed:?}"));
    }
}

/// The hook prints nothing.
fn fail(text: &str) -> ! {
    println!("{text}");
    let _ = std::panic::take_hook();
    panic!("{text}")
}
