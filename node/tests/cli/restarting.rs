//! The restart protocol: a node that is back takes cancels before it takes orders, and its journal says
//! so to everybody who replays it.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use store::JournalReader;
use types::auth::FrameKey;
use types::block::Entry;
use types::genesis::development;
use types::phase::Phase;
use types::wire::payload::decode_entries;

use crate::common::{Node, run, text};
use crate::shell::{Shell, accepted, cancel, includes, op, place, rejected, with};

/// Nothing of a test takes so long: the exchange stays closed until the node is killed.
const DAY: [&str; 2] = ["--cancel-only", "86400000"];

/// A client is answered this status of a market, also if he asks at once.
fn check_status(shell: &mut Shell, status: &str) {
    let market = with(op("market"), "market", "BTC-USD");
    shell.check(&market, &json!({"market_status": status}));
}

/// Until an order is taken: meanwhile there is one reason for which it is not.
fn wait_until_taken(shell: &mut Shell, order: &Value, expected: &Value) {
    let started = Instant::now();
    loop {
        let reply = shell.ask(order);
        if includes(&reply, expected) {
            return;
        }
        assert!(includes(&reply, &rejected("MARKET_STATUS")), "{reply}");
        assert!(started.elapsed() < PATIENCE, "{reply}");
    }
}

/// Far longer than the exchange stays closed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the whole exchange takes cancels and nothing else from this client.
fn is_cancel_only(node: &Node, stale: &Value) {
    let mut maker = Shell::connect(node, "dev-0");
    let mut taker = Shell::connect(node, "dev-1");
    check_status(&mut taker, "cancel_only");
    for bid in [
        place("bid", "110", "1"),
        with(place("bid", "110", "1"), "tif", "ioc"),
        with(place("bid", "1", "1"), "kind", "post_only"),
        with(place("bid", "1", "1"), "market", "ETH-USD"),
    ] {
        taker.check(&bid, &rejected("MARKET_STATUS"));
    }
    maker.check(&cancel(stale), &json!({"cancelled": 1}));
    maker.check(&place("ask", "130", "1"), &rejected("MARKET_STATUS"));
}

#[test]
fn a_node_that_is_back_takes_cancels_before_it_takes_orders() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // A new journal: nobody has an order that could be stale.
    let node = Node::serve_with(path, &DAY);
    assert_eq!(node.ready["cancel_only_ms"], 0);
    let mut maker = Shell::connect(&node, "dev-0");
    let mut ask = |price| maker.check(&place("ask", price, "1"), &accepted())["order_id"].clone();
    let stale = ["110", "111", "112"].map(&mut ask);
    node.kill();

    let node = Node::serve_with(path, &DAY);
    assert_eq!(node.ready["cancel_only_ms"], 86_400_000);
    is_cancel_only(&node, &stale[0]);
    node.kill();

    // A crash within the grace begins a new one, with the parallel executor too.
    let parallel = [&DAY[..], &["--executor", "parallel", "--workers", "2"]].concat();
    let node = Node::serve_with(path, &parallel);
    is_cancel_only(&node, &stale[1]);
    node.kill();

    // Without the option it opens before it takes the first order.
    let node = Node::serve(path);
    assert_eq!(node.ready["cancel_only_ms"], 0);
    let mut taker = Shell::connect(&node, "dev-1");
    let filled = json!({"filled": "0.5"});
    taker.check(&place("bid", "112", "0.5"), &filled);
    check_status(&mut taker, "open");
    node.kill();

    // And else by itself.
    let node = Node::serve_with(path, &["--cancel-only", "200"]);
    assert_eq!(node.ready["cancel_only_ms"], 200);
    let mut taker = Shell::connect(&node, "dev-1");
    wait_until_taken(&mut taker, &place("bid", "112", "0.5"), &filled);
    check_status(&mut taker, "open");
    assert!(node.stop().success());
    check_journal(path);
}

/// What auditors see is what clients saw.
fn check_journal(path: &Path) {
    text(&run("verify", path, &[]));
    let replay = |arguments: &[&str]| text(&run("replay", path, arguments));
    let sequential = replay(&["--roots", "--signatures", "--executor", "sequential"]);
    let parallel = ["--roots", "--executor", "parallel", "--workers", "3"];
    assert_eq!(sequential, replay(&parallel));
    let end: Value = serde_json::from_str(&replay(&["--json"])).unwrap();
    assert_eq!(end["phase"], "open");
    let phases = phases(path);
    let order: Vec<_> = phases.iter().map(|(_, phase)| *phase).collect();
    use Phase::{CancelOnly, Open};
    assert_eq!(order, [CancelOnly, CancelOnly, Open, CancelOnly, Open]);
    let [.., (closed_at, _), (opened_at, _)] = phases[..] else {
        unreachable!("just compared")
    };
    assert!(200_000_000 <= opened_at - closed_at, "by logged time");
}

/// The phases of a journal, each with the logged time.
fn phases(path: &Path) -> Vec<(u64, Phase)> {
    let genesis = development();
    let identity = store::Identity {
        network: genesis.network(),
        genesis_hash: genesis.hash(),
    };
    let frame_key = FrameKey::new(genesis.network(), genesis.hash());
    let mut reader = JournalReader::open(path, &identity).unwrap();
    let (mut now, mut phases) = (0, Vec::new());
    while let Some(record) = reader.next_record().unwrap() {
        let mut entries = Vec::new();
        decode_entries(Bytes::from(record.payload), &frame_key, &mut entries).unwrap();
        for entry in entries {
            match entry {
                Entry::Tick(time) => now = time.get(),
                Entry::Phase(phase) => phases.push((now, phase)),
                Entry::Frame(_) | Entry::Silence(_) => {}
            }
        }
    }
    phases
}
