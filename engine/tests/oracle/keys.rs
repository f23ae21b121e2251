//! Streams of keys of all kinds: granted, limited, moved, revoked, silent and timed.

use std::collections::BTreeSet;

use engine::State;

use crate::common::{cut_entries, keyed, limited_genesis, poor_genesis};
use crate::compare::Exchanges;
use crate::streams::number;

const COMMANDS: usize = 2_000;

/// What keys alone come to.
const REACHES: &[&str] = &[
    "KEY_SCOPE",
    "KEY_MARKET",
    "KEY_ORDER_NOTIONAL",
    "KEY_OPEN_NOTIONAL",
    "KEY_DAILY_LOSS",
    "KEY_NOT_FOUND",
    "KEY_TAKEN",
    "INVALID_POLICY",
    "done: disconnected",
    "done: timer",
    "done: daily_loss",
    "done: key_revoked",
    "key changed",
    "policy set",
];

#[test]
fn keys_do_what_the_page_says() {
    let mut reached = BTreeSet::new();
    for seed in 0..number("KEEL_SEEDS", 10) * 3 {
        let genesis = match seed % 2 {
            0 => poor_genesis(),
            _ => limited_genesis(),
        };
        let state = State::from_genesis(&genesis, 1);
        let entries = keyed::entries(&genesis, seed, COMMANDS);
        let blocks = cut_entries(&state, entries, 20, seed);
        let exchanges = Exchanges {
            engine: &genesis,
            oracle: &genesis,
        };
        let same = exchanges.difference_in(&blocks, &mut reached);
        same.unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
    }
    let missing = REACHES.iter().filter(|name| !reached.contains(**name));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
