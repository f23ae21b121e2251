//! `kill -9` under load, again and again on one directory: what was acknowledged is there, nothing
//! is there twice, and what is in doubt is settled by sending the same bytes again
//! (`common/load.rs` keeps the oracle).
//!
//! `KEEL_KILL_CYCLES` sets the number of kills (CI has a step with 200, `cargo xtask kill-loop` runs
//! 2,000); the seed of the moments is printed, and `KEEL_KILL_SEED` sets it. Segments are short, so
//! that kills also meet a segment being prepared or begun.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod common;

use std::time::{Duration, Instant};

use common::load::{Clients, LoadEnd, told_when_ended};
use common::{Node, run, text};

const CLIENTS: [&str; 3] = ["dev-0", "dev-1", "dev-2"];
/// A few segments are begun in each life.
const ARGUMENTS: [&str; 2] = ["--segment-length", "1048576"];

#[test]
fn acknowledged_orders_survive_every_kill_and_none_is_doubled() {
    let cycles = number("KEEL_KILL_CYCLES").unwrap_or(20);
    let seed = number("KEEL_KILL_SEED").unwrap_or_else(|| std::process::id().into());
    println!("{cycles} kills, KEEL_KILL_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let mut clients = Clients::new(&CLIENTS);
    for cycle in 0..cycles {
        let spawned = Instant::now();
        let node = Node::serve_with(directory.path(), &ARGUMENTS);
        let ready = spawned.elapsed();
        let (server, ended) = (node.address, told_when_ended(&node));
        let end = std::thread::scope(|scope| {
            // Scoped, so that the node is killed even if a client's claim fails meanwhile.
            scope.spawn(move || {
                // Not synchronisation but the fault itself: the moment of death.
                std::thread::sleep(moment(seed, cycle));
                node.kill();
            });
            clients.load(server, &ended, u64::MAX)
        });
        assert_eq!(end, LoadEnd::NodeEnded);
        // Later kills find a long journal, so not each is verified from its beginning.
        let verified = match cycle < 20 || cycle % 10 == 0 {
            true => format!("verify {}, ", verify(directory.path(), cycle)),
            false => String::new(),
        };
        let acknowledged = clients.acknowledged();
        println!("kill {cycle}: ready in {ready:?}, {verified}{acknowledged} acknowledged so far");
    }
    assert!(clients.acknowledged() > cycles, "no load, no proof");

    // A last start settles the last doubts; then the journal alone must tell the same.
    let node = Node::serve_with(directory.path(), &ARGUMENTS);
    clients.settle(node.address);
    assert!(node.stop().success());
    text(&run("verify", directory.path(), &[]));
    text(&run("replay", directory.path(), &["--signatures"]));
    let dumped = text(&run("dump", directory.path(), &["--orders"]));
    assert_eq!(dumped.lines().count(), clients.resting());
}

/// The exit code of `keel verify`, which is one of two.
fn verify(directory: &std::path::Path, cycle: u64) -> i32 {
    let verify = run("verify", directory, &[]);
    let code = verify.status.code().unwrap();
    assert!(
        code == 0 || code == 4,
        "verify after kill {cycle}: {verify:?}"
    );
    code
}

/// SplitMix64 of the cycle: the moment of each kill, from before the first client is connected to
/// full load. On average about 0.1 s, so that hundreds of kills fit a run of CI.
fn moment(seed: u64, cycle: u64) -> Duration {
    let mut z = seed.wrapping_add(cycle.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_micros((z ^ (z >> 31)) % 200_000)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}
