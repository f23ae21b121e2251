//! Wallets register keys, keys stay within what they were granted, and orders end when nobody is there:
//! over the real binary, and after a restart.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Node, keel, run, text};
use crate::shell::{Shell, accepted, op, place, rejected};

/// A key in a file.
fn keygen(directory: &Path, name: &str) -> (PathBuf, String) {
    let file = directory.join(name);
    let output = keel()
        .args(["keygen", "--json", "--out"])
        .arg(&file)
        .output()
        .unwrap();
    let made: Value = serde_json::from_str(&text(&output)).unwrap();
    (file, made["public_key"].as_str().unwrap().to_owned())
}

/// `keel key` at a node: what it prints, or its complaint.
fn key(
    node: &Node,
    (action, account, wallet): (&str, &str, &str),
    more: &[&str],
) -> Result<Value, String> {
    let output = keel()
        .args(["key", action, "--connect", &node.address.to_string()])
        .args(["--account", account, "--wallet", wallet])
        .args(more)
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_str(&text(&output)).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn register(node: &Node, file: &Path, more: &[&str]) -> Result<u64, String> {
    let file = file.to_str().unwrap();
    let more = [&["--key", file], more].concat();
    key(node, ("register", "3", "dev-3"), &more).map(|object| object["key"].as_u64().unwrap())
}

fn connect(node: &Node, file: &Path) -> Shell {
    Shell::connect_with(node, &["--key", file.to_str().unwrap()])
}

#[test]
fn a_registered_key_trades_within_its_limits_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let node = Node::serve(&data);
    let (file, public) = keygen(directory.path(), "session");
    // 100 USD are 10^10 atoms.
    let limits = ["--markets", "0", "--order-notional", "10000000000"];
    assert_eq!(register(&node, &file, &limits), Ok(65));
    let mut session = connect(&node, &file);
    let order = session.check(&place("bid", "100", "1"), &accepted())["order_id"].clone();
    let too_large = rejected("KEY_ORDER_NOTIONAL");
    session.check(&place("bid", "100", "1.000001"), &too_large);
    let elsewhere = json!({"op": "place", "market": "ETH-USD", "side": "bid", "price": "1",
        "quantity": "1"});
    session.check(&elsewhere, &rejected("KEY_MARKET"));
    let transfer = json!({"op": "transfer", "to": "dev-4", "asset": "USD", "amount": "1"});
    session.check(&transfer, &rejected("KEY_SCOPE"));
    assert!(session.close().success());

    // Everything of it is there again after a restart, once by way of a checkpoint, once by the
    // journal alone.
    assert!(node.stop().success());
    for by_journal in [false, true] {
        if by_journal {
            std::fs::remove_dir_all(data.join("checkpoints")).unwrap();
        }
        let node = Node::serve(&data);
        let mut session = connect(&node, &file);
        session.check(&place("bid", "100", "1.000001"), &too_large);
        let orders = session.check(&op("orders"), &accepted());
        assert_eq!(orders["orders"][0]["order_id"], order);
        assert!(session.close().success());
        assert!(node.stop().success());
    }

    let node = Node::serve(&data);
    let mut session = connect(&node, &file);
    session.check(&op("orders"), &accepted());
    let revoke = ["--public-key", &public];
    let revoked = key(&node, ("revoke", "3", "dev-3"), &revoke).unwrap();
    assert_eq!(revoked["cancelled"], 1);
    let ended = session.later_event();
    assert_eq!(
        (&ended["order_id"], &ended["reason"]),
        (&order, &json!("key_revoked"))
    );
    // Its session is over, and it opens no other.
    drop(session);
    let output = keel()
        .args(["client", "--connect", &node.address.to_string(), "--key"])
        .arg(&file)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("UNKNOWN_KEY"), "{complaint}");
    assert!(node.stop().success());
    // Strangers find every signature good, those of wallets too.
    text(&run("verify", &data, &[]));
    text(&run("replay", &data, &["--signatures"]));
}

#[test]
fn only_the_wallet_of_the_account_registers() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(&directory.path().join("data"));
    let (file, public) = keygen(directory.path(), "session");
    let path = file.to_str().unwrap();
    for account in ["3", "99"] {
        let foreign = ("register", account, "dev-4");
        let complaint = key(&node, foreign, &["--key", path]).unwrap_err();
        assert!(complaint.contains("WRONG_WALLET"), "{complaint}");
    }
    let of_genesis = ["--key", "dev-4"];
    let complaint = key(&node, ("register", "3", "dev-3"), &of_genesis).unwrap_err();
    assert!(complaint.contains("KEY_TAKEN"), "{complaint}");
    let unknown = ["--public-key", &public];
    let complaint = key(&node, ("revoke", "3", "dev-3"), &unknown).unwrap_err();
    assert!(complaint.contains("KEY_NOT_FOUND"), "{complaint}");
    // Of one wallet each nonce is higher than the last, and the same request has the same answer.
    assert_eq!(
        register(&node, &file, &["--nonce", "18446744073709550000"]),
        Ok(65)
    );
    let (other, _) = keygen(directory.path(), "other");
    let complaint = register(&node, &other, &[]).unwrap_err();
    assert!(complaint.contains("NONCE_TOO_OLD"), "{complaint}");
}

#[test]
fn timers_and_policies_end_orders() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(&directory.path().join("data"));
    let mut maker = Shell::connect(&node, "dev-5");
    let timer = |after_ms: u64| json!({"op": "set_timer", "after_ms": after_ms});
    maker.check(&timer(60_000), &accepted());
    let order = maker.check(&place("bid", "100", "1"), &accepted())["order_id"].clone();
    maker.check(&timer(1), &accepted());
    let ended = maker.later_event();
    assert_eq!(
        (&ended["order_id"], &ended["reason"]),
        (&order, &json!("timer"))
    );

    let short = json!({"op": "set_session_policy", "silence_ms": 10});
    maker.check(&short, &rejected("INVALID_POLICY"));
    let policy =
        json!({"op": "set_session_policy", "silence_ms": 2000, "good_till_cancelled": true});
    maker.check(&policy, &accepted());
    maker.check(&place("bid", "100", "1"), &accepted());
    // Who closes his session is as silent as who dies.
    assert!(maker.close().success());
    // A restart is no excuse: nobody has come back since.
    assert!(node.stop().success());
    let node = Node::serve(&directory.path().join("data"));
    let mut other = Shell::connect(&node, "dev-6");
    let trade = json!({"op": "market", "market": "BTC-USD"});
    let dump = || text(&run("dump", &directory.path().join("data"), &["--orders"]));
    let mut tries = 0;
    while !dump().is_empty() {
        other.check(&trade, &accepted());
        tries += 1;
        assert!(tries < 1_000, "the order is still there");
    }
    assert!(other.close().success());
    assert!(node.stop().success());
}
