//! Many seeds of a whole node: every future of every crash is one that the oracles know.
#![allow(missing_docs, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Instant;

use sim::{Outcome, RARE, run};

/// Crash points of the test; `KEEL_CRASH_POINTS` asks for more.
const CRASH_POINTS: u64 = 20_000;

#[test]
fn a_node_survives_every_crash() {
    let wanted = std::env::var("KEEL_CRASH_POINTS");
    let wanted = wanted.map_or(CRASH_POINTS, |text| text.parse().expect("a number"));
    let first: u64 = std::env::var("KEEL_SEED").map_or(1, |text| text.parse().expect("a number"));
    let start = Instant::now();
    let kept = include_str!("../seeds.txt").lines();
    let kept = kept.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let kept: Vec<u64> = kept.collect();
    let (mut points, mut lives, mut blocks, mut events, mut runs) = (0, 0, 0, 0, 0);
    let mut reached: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in kept.into_iter().chain(first..) {
        let outcome: Outcome = run(seed).unwrap_or_else(|failed| panic!("{failed}"));
        points += outcome.crash_points;
        lives += outcome.lives;
        blocks += outcome.blocks;
        events += outcome.events;
        runs += 1;
        for state in outcome.reached {
            *reached.entry(state).or_default() += 1;
        }
        if wanted <= points {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{points} crash points in {runs} runs of {lives} lives: {blocks} blocks, {events} events, \
         seeds from {first}, {seconds:.1} s"
    );
    let mut counts: Vec<_> = RARE
        .iter()
        .map(|state| (reached.get(state).copied().unwrap_or(0), *state))
        .collect();
    counts.sort_unstable();
    for (runs, state) in &counts {
        println!("{runs:>6} runs reached: {state}");
    }
    let missing = counts.iter().filter(|(runs, _)| *runs == 0);
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "never reached: {missing:#?}");
}

#[test]
fn a_seed_decides_everything() {
    for seed in 1..=12 {
        let [first, second] =
            [(); 2].map(|()| run(seed).unwrap_or_else(|failed| panic!("{failed}")));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.events, second.events, "seed {seed}");
    }
}
