//! Many processes on one key: sixteen traders, each a process of its own, share the nonces of one key,
//! send in any order, send again at random, lose their connections and their node, and every frame
//! executes once. Some frames are sent by two processes, and both must hear the same answer.
//!
//! The test (`desk`) hands out nonces and kills the node; this same binary, started again with
//! [`SERVER`] set, is a trader (`trader`). They speak in lines: `order` is what a trader is told on its
//! standard input, `report` what it says on its standard output. Nobody waits for a time: a process
//! that starves holds the others up at the end of the nonce window, and the test with them.
//!
//! `KEEL_STORM_COMMANDS` sets how many commands are sent (CI sends 64,000, `cargo xtask storm` a
//! million); the seed is printed, and `KEEL_STORM_SEED` sets it.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

#[path = "../common/mod.rs"]
mod common;
mod desk;
mod lines;
mod nonces;
mod trader;

use std::net::SocketAddr;
use std::path::Path;

use common::{Node, run, serving, text};
use desk::Desk;

const TRADERS: u64 = 16;
/// The key that they share.
const KEY: &str = "dev-0";
const COMMANDS_PER_FRAME: u64 = 64;
const KILLS: u64 = 4;

/// Makes a process of this binary a trader: the node's address.
const SERVER: &str = "KEEL_STORM_SERVER";
/// The test's seed, and a trader's own.
const SEED: &str = "KEEL_STORM_SEED";

#[test]
fn sixteen_processes_on_one_key_execute_every_frame_once() {
    let commands = number("KEEL_STORM_COMMANDS").unwrap_or(64_000);
    let seed = number(SEED).unwrap_or_else(|| std::process::id().into());
    println!("{commands} commands, {SEED}={seed}");
    let frames = commands / COMMANDS_PER_FRAME;
    let directory = tempfile::tempdir().unwrap();
    let mut node = Node::serve(directory.path());
    let server = node.address;
    let mut desk = Desk::open(frames, server, seed);
    for kill in 1..=KILLS {
        desk.serve_until(kill * frames / (KILLS + 1));
        node.kill();
        node = serve_there(directory.path(), server);
        desk.node_was_started();
    }
    desk.serve_until(frames);
    let tally = desk.close();
    println!("{frames} frames: {tally:?}");
    assert!(frames / 10 < tally.sent_again && 0 < tally.repeated && 0 < tally.shared);
    assert!(node.stop().success());
    check(directory.path(), frames);
}

/// Nothing by itself: in a process that the test above started, a trader's whole life.
#[test]
fn a_trader_trades() {
    if let Ok(server) = std::env::var(SERVER) {
        let seed = number(SEED).expect("a trader has a seed");
        trader::trade(server.parse().unwrap(), seed);
    }
}

/// A trillion USD in atoms, and what came to it: what was executed twice would be seen here, whatever
/// the answers were.
fn check(directory: &Path, frames: u64) {
    text(&run("verify", directory, &[]));
    text(&run("replay", directory, &["--signatures"]));
    let balances = text(&run("dump", directory, &["--balances"]));
    let received = balances.lines().find(|line| line.starts_with("1 USD "));
    let received: Vec<&str> = received.unwrap().split(' ').collect();
    let atoms = 1_000_000_000_000 * 100_000_000_u128 + u128::from(frames * COMMANDS_PER_FRAME);
    assert_eq!(received[2], types::decimal::format(atoms, 8));
}

fn serve_there(directory: &Path, address: SocketAddr) -> Node {
    let command = serving(&[], directory, &address.to_string(), &[]);
    Node::start(command).unwrap()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
