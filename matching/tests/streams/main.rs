//! Random operation streams, compared with the oracle event for event.

#[path = "../common/mod.rs"]
mod common;
mod mix;
mod stream;

use std::collections::BTreeMap;

use matching::{Meeting, Stopped, Taken};

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
struct Seen(BTreeMap<&'static str, u32>);

impl Seen {
    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn count_take(&mut self, taken: &Taken, meetings: &[Meeting]) {
        for meeting in meetings {
            self.count(match meeting {
                Meeting::Fill {
                    refreshed: true, ..
                } => "refresh",
                Meeting::Fill { .. } => "fill",
                Meeting::Expired(_) => "expired",
                Meeting::SelfTradeCancelled(_) => "cancelled",
                Meeting::SelfTradeReduced { .. } => "reduced",
                Meeting::Pulled(_) => "pulled",
            });
        }
        match taken.stopped {
            None => {}
            Some(Stopped::FillLimit) => self.count("fill limit"),
            Some(Stopped::SelfTrade) => self.count("self trade"),
        }
    }

    fn assert_often(&self, expected: &[&str]) {
        for what in expected {
            let count = self.0.get(what).copied().unwrap_or(0);
            assert!(count > 300, "{what} happened {count} times: {self:?}");
        }
    }
}
