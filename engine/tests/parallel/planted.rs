//! Each mistake that the executor could make is found, which shows that the comparison looks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::parallel::Executor;
use types::planted::{Bug, plant};

use crate::{flow, programs};

/// Programs to find a mistake in, and, of these, how many go with a stream of order flow.
const SEEDS: u64 = 6_000;
const STREAMS: u64 = 20;

#[test]
fn every_planted_bug_is_caught() {
    // What is caught panics, on purpose, and not in as many lines.
    std::panic::set_hook(Box::new(|_| {}));
    let caught = Bug::EXECUTOR.map(|bug| (bug, first_caught(bug)));
    let sound = is_sound(None, 0) && is_sound(None, 1);
    drop(std::panic::take_hook());
    println!("{caught:?}");
    assert!(sound, "without a bug all is well");
    for (bug, seed) in caught {
        assert!(seed.is_some(), "{bug:?} was not caught");
    }
}

/// The first seed under which a bug shows.
fn first_caught(bug: Bug) -> Option<u64> {
    (0..SEEDS).find(|seed| !is_sound(Some(bug), *seed))
}

fn is_sound(bug: Option<Bug>, seed: u64) -> bool {
    plant(bug);
    let run = catch_unwind(AssertUnwindSafe(|| {
        programs::check_virtual(seed, &mut Executor::new(16, 16));
        if seed < STREAMS {
            flow::check_virtual(seed);
        }
    }));
    plant(None);
    run.is_ok()
}
