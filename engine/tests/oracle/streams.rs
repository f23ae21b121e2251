//! Random streams, executed by both.

use std::collections::BTreeSet;

use engine::State;
use types::block::Entry;
use types::genesis::Genesis;
use types::limits::INDICATIVE_INTERVAL_NS;
use types::outcome::BlockOutcome;
use types::{FeeRate, RejectReason};

use crate::common::{cut, poor_genesis, random_frames};
use crate::compare::{Exchanges, check};
use crate::mixes::MIXES;

const COMMANDS: u64 = 5_000;

#[test]
fn the_engine_does_what_the_page_says() {
    let genesis = poor_genesis();
    for seed in 0..20 {
        let frames = random_frames(&genesis, seed, COMMANDS as usize);
        check(
            &genesis,
            &format!("seed {seed}"),
            &frames,
            &mut BTreeSet::new(),
        );
    }
}

#[test]
fn whatever_a_stream_stresses() {
    let mut reached = BTreeSet::new();
    for mix in MIXES {
        let genesis = mix.genesis();
        for seed in 0..number("KEEL_SEEDS", 10) {
            let name = format!("mix {:?}, seed {seed}", mix.name);
            check(&genesis, &name, &mix.frames(seed, COMMANDS), &mut reached);
        }
    }
    assert_reached(&reached);
}

/// A stream that never reaches the rare answers proves nothing about them.
pub(crate) fn assert_reached(reached: &BTreeSet<String>) {
    let reasons = RejectReason::ALL.iter();
    // A full book takes a test of its own, and so does what crosses the ledger's edge.
    let here = RejectReason::NotOperator..RejectReason::TooManyAccounts;
    let reasons =
        reasons.filter(|reason| here.contains(*reason) && **reason != RejectReason::BookFull);
    let events = [
        "fill",
        "refreshed",
        "rebate",
        "rested",
        "rested: stop",
        "rested: protected",
        "armed",
        "triggered",
        "reduced: replaced",
        "reduced: self_trade",
        "done: cancelled",
        "done: unfilled",
        "done: expired",
        "done: self_trade",
        "done: replaced",
        "done: protection",
        "done: fill_limit",
        "met",
        "met: refreshed",
        "status changed",
        "indicative",
        "indicative: none",
        "taker done: self_trade",
        "transferred",
    ];
    let names = reasons.map(|reason| reason.name());
    let missing: Vec<_> = names
        .chain(events)
        .filter(|name| !reached.contains(*name))
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

/// A number from the environment: how long the test runs is the caller's choice.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may be asked to run longer; the engine under test sees none of it"
)]
pub(crate) fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Whoever makes the ticks asks the state when one is due.
#[test]
fn a_tick_tells_something_exactly_when_one_is_due() {
    for mix in MIXES {
        let genesis = mix.genesis();
        let mut state = State::from_genesis(&genesis, 1);
        let mut outcome = BlockOutcome::default();
        let blocks = cut(&state, &mix.frames(1_000, COMMANDS), 100, 1);
        for block in &blocks {
            let due = state.next_due();
            engine::sequential::execute(&mut state, block, &mut outcome);
            if let [Entry::Tick(time)] = block.entries[..] {
                let is_due = due.is_some_and(|due| due <= time);
                let tells = !outcome.events.is_empty();
                let name = || format!("mix {:?}, at {time}", mix.name);
                assert!(tells || !is_due, "{}: due for nothing", name());
                // Logged time begins decades after zero: its first interval never is.
                let is_early = time.get() < INDICATIVE_INTERVAL_NS;
                assert!(is_due || !tells || is_early, "{}: not due", name());
            }
        }
        state.assert_invariants();
    }
}

/// An exchange with another fee is found out, at its first fill, with the few orders that show it.
#[test]
fn a_planted_difference_is_found_and_made_small() {
    let mix = MIXES[0];
    let genesis = mix.genesis();
    let mut markets = genesis.markets().to_vec();
    markets[0].taker_fee = FeeRate::new(301).unwrap();
    let planted = Genesis::new(
        genesis.network(),
        genesis.assets().to_vec(),
        markets,
        genesis.accounts().to_vec(),
    );
    let frames = mix.frames(1, 500);
    let exchanges = Exchanges {
        engine: &genesis,
        oracle: &planted.unwrap(),
    };
    let difference = exchanges.difference(&frames, 20, &mut BTreeSet::new());
    assert!(difference.unwrap_err().contains("taker_fee"));
    let smallest = exchanges.shrink(&frames);
    let lines = smallest.matches(" x at ").count();
    assert!((2..=6).contains(&lines), "{smallest}");
}
