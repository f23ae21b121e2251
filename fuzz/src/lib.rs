//! What the fuzzer runs: bytes become a list of operations, the operations are applied to the thing
//! itself and to something slow and obvious beside it, and after each the two must agree.
//!
//! The targets proper, in `fuzz_targets`, only hand bytes to the functions here; so the same code
//! replays the corpus in an ordinary test, and neither rots. No input is wrong: what an operation
//! may not do at that moment is left out. Start with `README.md` beside this crate for how to run
//! it, and with [`book`] for what a target looks like.
//!
//! | module | runs |
//! |---|---|
//! | [`book`] | operations on `Book` beside `NaiveBook` |
//! | [`triggers`] | operations on `Triggers` beside `NaiveTriggers` |
//! | [`commands`] | commands of several accounts through the engine, its followers beside it |
//! | [`wire`] | bytes from strangers through every decoder |
//! | [`handshake`] | the first bytes of a connection, in pieces |
//! | [`envelope`] | signatures: a batch beside each frame alone |
//! | `draw` | numbers that collide often, and now and then the last ones of their range |
//! | `request` | commands before their position is known |
//! | `frame` | frames that nobody signed |
//! | `fuses` | who is protected in a book, and how far |
#![forbid(unsafe_code)]

pub mod book;
pub mod commands;
mod draw;
pub mod envelope;
mod frame;
mod fuses;
pub mod handshake;
mod request;
pub mod triggers;
pub mod wire;

use std::collections::BTreeSet;

/// What an input reached, by name: a corpus that never reaches the rare cases proves nothing.
pub type Reached = BTreeSet<&'static str>;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its file in `fuzz_targets` and of its folder in `corpus`.
    pub name: &'static str,
    /// Runs one input. Panics if anything is wrong.
    pub run: fn(&[u8]) -> Reached,
    /// What its corpus must reach.
    pub reaches: &'static [&'static str],
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target {
        name: "book",
        run: book::run,
        reaches: book::REACHES,
    },
    Target {
        name: "triggers",
        run: triggers::run,
        reaches: triggers::REACHES,
    },
    Target {
        name: "commands",
        run: commands::run,
        reaches: commands::REACHES,
    },
    Target {
        name: "wire",
        run: wire::run,
        reaches: wire::REACHES,
    },
    Target {
        name: "handshake",
        run: handshake::run,
        reaches: handshake::REACHES,
    },
    Target {
        name: "envelope",
        run: envelope::run,
        reaches: envelope::REACHES,
    },
];

/// Runs every file named on the command line: an input that the fuzzer found, without the fuzzer.
pub fn replay(run: fn(&[u8]) -> Reached) {
    for path in std::env::args().skip(1) {
        let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let reached = run(&input);
        eprintln!("{path}: {reached:?}");
    }
}

/// The answer, which both must give.
#[track_caller]
fn agreed<T: PartialEq + std::fmt::Debug>(fast: T, naive: T) -> T {
    assert_eq!(fast, naive, "the thing itself and the oracle");
    fast
}
