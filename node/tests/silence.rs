//! Cancel on disconnect under load: clients with a session policy are killed, all at once, while others
//! trade; every order of theirs goes, by one logged silence each, and none fills afterwards.
//!
//! `KEEL_VICTIMS` sets how many are killed (CI kills 24, `cargo xtask silence` a thousand). How late
//! each silence was logged is printed; no test fails on time.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.
#![allow(clippy::print_stdout)] // How late the silences were.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use client::{WalletRequest, register_key};
use common::load::{Clients, LoadEnd};
use common::{Node, keel, options, run, text};
use engine::State;
use tokio::sync::Notify;
use types::auth::{FrameKey, SigningKey, development_seed};
use types::block::Entry;
use types::decimal::to_hex;
use types::genesis::{Genesis, development};
use types::keys::{KeyGrant, KeyScope};
use types::outcome::{BlockOutcome, DoneReason, Event};
use types::wallet::WalletKey;
use types::wire::payload::decode_entries;
use types::{AccountId, KeyId, Nonce, OrderId};

/// How long a victim may be silent, in milliseconds.
const SILENCE_MS: u64 = 500;
const ORDERS_EACH: usize = 3;
/// Accounts with victims: behind those that trade, before the last.
const FIRST_ACCOUNT: u32 = 8;
const ACCOUNTS: u32 = 50;

/// A client process with orders on the book.
struct Victim {
    process: Child,
    key: KeyId,
    orders: Vec<OrderId>,
    killed_at: u64,
}

impl Victim {
    fn start(node: &Node, directory: &Path, number: u32) -> Self {
        let account = AccountId::new(FIRST_ACCOUNT + number % ACCOUNTS);
        let seed = development_seed(&format!("victim {number}"));
        let (file, key) = register(node, directory, account, seed, number);
        // With hundreds of processes on few cores a handshake may take too long.
        for _ in 0..10 {
            let process = keel()
                .args(["client", "--keep-alive-ms", "200", "--connect"])
                .arg(node.address.to_string())
                .arg("--key")
                .arg(&file)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut victim = Self {
                process,
                key,
                orders: Vec::new(),
                killed_at: 0,
            };
            if victim.quote(number) {
                return victim;
            }
        }
        panic!("victim {number} never got a session");
    }

    /// Says when its orders are to go, and places them; whether it has a session.
    fn quote(&mut self, number: u32) -> bool {
        let mut input = self.process.stdin.as_ref().unwrap();
        let policy = format!(
            r#"{{"op":"set_session_policy","silence_ms":{SILENCE_MS},"good_till_cancelled":true}}"#
        );
        // Who has no session has ended, or is about to.
        let _ = writeln!(input, "{policy}");
        let mut output = BufReader::new(self.process.stdout.as_mut().unwrap()).lines();
        let Some(line) = output.next() else {
            return false;
        };
        assert!(line.unwrap().contains("accepted"));
        for order in 0..ORDERS_EACH {
            let price = 1 + number as usize % 90 + order;
            writeln!(
                input,
                r#"{{"op":"place","market":"ETH-USD","side":"bid","price":"{price}","quantity":"0.01"}}"#
            )
            .unwrap();
        }
        for _ in 0..ORDERS_EACH {
            let line = output.next().unwrap().unwrap();
            let reply: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(reply["status"], "accepted", "{line}");
            self.orders
                .push(OrderId::new(reply["order_id"].as_u64().unwrap()));
        }
        true
    }

    fn kill(&mut self) {
        self.killed_at = unix_nanos();
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // After `kill` there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A key in a file, registered for an account.
fn register(
    node: &Node,
    directory: &Path,
    account: AccountId,
    seed: [u8; 32],
    number: u32,
) -> (std::path::PathBuf, KeyId) {
    let file = directory.join(format!("victim-{number}"));
    std::fs::write(&file, to_hex(&seed)).unwrap();
    let mut connect = options(node.address, "dev-0");
    connect.key = SigningKey::from_seed(seed);
    let public = connect.key.public();
    let wallet = WalletKey::development(&format!("dev-{account}"));
    let grant = KeyGrant {
        scope: KeyScope::Trade,
        ..KeyGrant::OWNER
    };
    let request = WalletRequest {
        account,
        nonce: Nonce::new(u64::from(number) + 1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let key = runtime.block_on(register_key(&connect, request, |context| {
        wallet.register(context, public, &grant)
    }));
    (file, key.unwrap())
}

#[test]
fn orders_of_killed_clients_go_and_never_fill() {
    let count = std::env::var("KEEL_VICTIMS").map_or(24, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let node = Node::serve(&data);
    let mut victims: Vec<_> = (0..count)
        .map(|number| Victim::start(&node, directory.path(), number))
        .collect();
    let mut clients = Clients::new(&["dev-0", "dev-1", "dev-2"]);
    let frames = 4_000;
    std::thread::scope(|scope| {
        let load = scope.spawn(|| clients.load(node.address, &Notify::new(), frames));
        victims.iter_mut().for_each(Victim::kill);
        assert_eq!(load.join().unwrap(), LoadEnd::Finished);
    });
    // Asked of a journal that grows; each look costs more than an order lives.
    let mut looks = 0;
    while resting(&data) > clients.resting() {
        looks += 1;
        assert!(looks < 500, "orders of the dead are still there");
    }
    assert!(node.stop().success());
    text(&run("verify", &data, &[]));
    text(&run("replay", &data, &["--signatures"]));
    check(&data, &victims);
}

fn resting(data: &Path) -> usize {
    let dump = run("dump", data, &["--orders"]);
    // A tail that is being written looks torn.
    String::from_utf8(dump.stdout).unwrap().lines().count()
}

/// The journal says of every victim that it was silent, and that its orders ended and never filled
/// afterwards. One that the machine starved for longer than its silence may be told dead before it is,
/// and again when its last packets came late.
fn check(data: &Path, victims: &[Victim]) {
    let mut late = Vec::new();
    let mut ended = BTreeMap::new();
    let mut silences = BTreeMap::<KeyId, Vec<u64>>::new();
    replay(data, |now, entry, events| {
        if let Entry::Silence(key) = entry {
            silences.entry(*key).or_default().push(now);
        }
        for event in events {
            match event {
                Event::Done(done) if done.reason == DoneReason::Disconnected => {
                    ended.insert(done.owner.order_id, done.sequence);
                }
                Event::Fill(fill) => {
                    for order in [fill.maker.order_id, fill.taker.order_id] {
                        assert!(!ended.contains_key(&order), "{order} fills after its end");
                    }
                }
                _ => {}
            }
        }
    });
    let mut starved = 0;
    for victim in victims {
        let told = &silences[&victim.key];
        let dead = told.iter().find(|at| **at > victim.killed_at);
        starved += usize::from(told.len() > 1 || dead.is_none());
        late.extend(dead.map(|at| (at - victim.killed_at) / 1_000_000));
        assert!(victim.orders.iter().all(|order| ended.contains_key(order)));
    }
    late.sort_unstable();
    let at = |part: usize| late.get(late.len().saturating_sub(1) * part / 100).copied();
    println!(
        "{} killed, {starved} starved; a silence of {SILENCE_MS} ms was logged after \
         p50 {} p99 {} max {} ms",
        victims.len(),
        at(50).unwrap_or(0),
        at(99).unwrap_or(0),
        at(100).unwrap_or(0)
    );
    assert_eq!(silences.len(), victims.len());
}

/// Executes a journal entry by entry: logged time, the entry, and what happened.
fn replay(data: &Path, mut each: impl FnMut(u64, &Entry, &[Event])) {
    let genesis: Genesis = development();
    let identity = store::Identity {
        network: genesis.network(),
        genesis_hash: genesis.hash(),
    };
    let frame_key = FrameKey::new(genesis.network(), genesis.hash());
    let mut reader = store::JournalReader::open(data, &identity).unwrap();
    let mut state = State::from_genesis(&genesis, 0);
    let mut outcome = BlockOutcome::default();
    while let Some(record) = reader.next_record().unwrap() {
        let mut entries = Vec::new();
        decode_entries(Bytes::from(record.payload), &frame_key, &mut entries).unwrap();
        for entry in entries {
            let block = state.position().next_block(vec![entry]);
            engine::sequential::execute(&mut state, &block, &mut outcome);
            let events = outcome.events.iter().map(|record| record.event());
            let events: Vec<Event> = events.collect();
            each(state.position().time.get(), &block.entries[0], &events);
        }
    }
}

fn unix_nanos() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}
