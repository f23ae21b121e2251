//! Random operation streams, compared with the oracle event for event.

#[path = "../common/mod.rs"]
mod common;
mod mix;
mod stream;

use std::collections::BTreeMap;

use mix::{Mix, PLAIN_MIXES, RICH_MIXES};
use stream::Stream;

const SEEDS: u64 = 8;

#[test]
fn a_book_of_plain_orders_says_what_the_oracle_says() {
    let seen = run(&PLAIN_MIXES);
    seen.assert_often(&["fill", "fill limit", "fillable", "not fillable", "requeued"]);
}

#[test]
fn a_book_of_all_orders_says_what_the_oracle_says() {
    let seen = run(&RICH_MIXES);
    seen.assert_often(&[
        "fill",
        "refresh",
        "expired",
        "cancelled",
        "reduced",
        "requeued",
        "pulled",
        "crossing",
        "fill limit",
        "self trade",
        "fillable",
        "not fillable",
    ]);
}

#[test]
fn a_book_that_goes_back_says_what_the_oracle_said_there() {
    let mut seen = Seen::default();
    for mix in PLAIN_MIXES.iter().chain(&RICH_MIXES) {
        for seed in 100..100 + SEEDS / 2 {
            Stream::new(mix, seed, &mut seen).with_undo().run();
        }
    }
    // Everything that is written down, in every shape that it is written in.
    seen.assert_undone_often(&[
        "rested",
        "rested: labelled",
        "rested: partly filled",
        "rested: iceberg",
        "rested: expiring",
        "rested: stop",
        "rested: protected",
        "left: plain",
        "left: partly filled",
        "left: stop",
        "left: hiding",
        "left: expiring",
        "fill",
        "fill: partly",
        "fill: partly, stop",
        "refresh",
        "expired",
        "cancelled",
        "reduced",
        "pulled",
        "shrunk: shown",
        "shrunk: hidden",
        "requeued",
        "requeued: elsewhere",
        "requeued: iceberg",
        "collecting",
        "crossing: fill",
        "crossing: refresh",
        "uncrossed",
    ]);
}

fn run(mixes: &[Mix]) -> Seen {
    let mut seen = Seen::default();
    for mix in mixes {
        for seed in 0..SEEDS {
            Stream::new(mix, seed, &mut seen).run();
        }
    }
    seen
}

/// How often things happened: streams that agree because nothing happens prove nothing.
#[derive(Debug, Default)]
struct Seen {
    happened: BTreeMap<&'static str, u32>,
    undone: BTreeMap<&'static str, u32>,
}

impl Seen {
    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// It had happened, and was undone.
    fn count_undone(&mut self, what: &'static str) {
        *self.undone.entry(what).or_default() += 1;
    }

    fn assert_often(&self, expected: &[&str]) {
        self.assert_counts(&self.happened, expected);
    }

    fn assert_undone_often(&self, expected: &[&str]) {
        self.assert_counts(&self.undone, expected);
    }

    fn assert_counts(&self, counts: &BTreeMap<&'static str, u32>, expected: &[&str]) {
        for what in expected {
            let count = counts.get(what).copied().unwrap_or(0);
            assert!(count > 300, "{what} happened {count} times: {self:?}");
        }
    }
}
