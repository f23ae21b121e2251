//! Directories of every released format: they lead to the same hashes, roots and texts for ever.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Node, keel, run, text};
use crate::shell::{Shell, accepted, op, place, rejected};

/// One directory per released format.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A copy that may be written to.
fn copied(fixture: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["journal", "checkpoints"] {
        let to = directory.path().join(folder);
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(fixture.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    let genesis = "genesis.toml";
    fs::copy(fixture.join(genesis), directory.path().join(genesis)).unwrap();
    directory
}

#[test]
fn directories_of_every_released_format_are_read_as_ever() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for fixture in fixtures {
        let directory = copied(&fixture);
        let path = directory.path();
        let of = |name: &str| fs::read_to_string(fixture.join(name)).unwrap();
        text(&run("verify", path, &[]));
        let expected: Value = serde_json::from_str(&of("expected.json")).unwrap();
        let heights = fs::read_dir(path.join("checkpoints"))
            .unwrap()
            .map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.trim_start_matches('0').replace(".keel", "")
            });
        for from in heights.chain(["start".to_owned()]) {
            let arguments = ["--json", "--signatures", "--from", &from];
            let replayed = text(&run("replay", path, &arguments));
            let replayed: Value = serde_json::from_str(&replayed).unwrap();
            for (key, value) in expected.as_object().unwrap() {
                let is_whole = from == "start" || !matches!(&**key, "from_height" | "checkpoints");
                assert!(
                    !is_whole || replayed[key] == *value,
                    "{from} {key}: {replayed}"
                );
            }
        }
        for what in ["balances", "orders", "nonces"] {
            let dumped = text(&run("dump", path, &[&format!("--{what}")]));
            assert_eq!(dumped, of(&format!("{what}.txt")));
        }
        assert_eq!(
            text(&run("prove", path, &["--account", "0"])),
            of("proof.json")
        );
        let proof = fixture.join("proof.json");
        let root = expected["state_root"].as_str().unwrap();
        let checked = keel()
            .arg("check-proof")
            .arg(proof)
            .args(["--root", root])
            .output()
            .unwrap();
        assert!(text(&checked).starts_with("proven\n"));
        // And a node of this version goes on with it.
        assert!(Node::serve(path).stop().success());
        text(&run("verify", path, &[]));
    }
}

/// What stands in a checkpoint beside the state, since version 2: keys with their limits, and feeds.
#[test]
fn keys_and_feeds_of_version_2_go_on() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v2");
    let directory = copied(&fixture);
    let node = Node::serve(directory.path());
    let session_key = fixture.join("session.key");
    let session_key = session_key.to_str().unwrap();
    let mut session = Shell::connect_with(&node, &["--key", session_key]);
    let orders = session.check(&op("orders"), &accepted());
    assert_eq!(orders["orders"].as_array().unwrap().len(), 3);
    let too_large = rejected("KEY_ORDER_NOTIONAL");
    session.check(&place("bid", "100", "1.000001"), &too_large);
    // It may have 300 USD open, and what rested before counts.
    let too_much = rejected("KEY_OPEN_NOTIONAL");
    session.check(&place("bid", "100", "1"), &accepted());
    session.check(&place("bid", "100", "0.75"), &too_much);
    let mut taker = Shell::connect(&node, "dev-1");
    taker.check(&place("ask", "100", "0.1"), &accepted());

    let feeds = fs::read_to_string(fixture.join("feeds.json")).unwrap();
    let feeds: Value = serde_json::from_str(&feeds).unwrap();
    let feeds = feeds.as_object().unwrap();
    assert_eq!(feeds.len(), 5);
    for (feed, position) in feeds {
        let number = position["number"].as_u64().unwrap();
        let from = format!("{number}:{}", position["hash"].as_str().unwrap());
        let subscribed = keel()
            .args([
                "subscribe",
                "--connect",
                &node.address.to_string(),
                "--json",
            ])
            .args(["--key", session_key, "--market", "BTC-USD", "--feed", feed])
            .args(["--from", &from, "--count", "1"])
            .output()
            .unwrap();
        let subscribed = text(&subscribed);
        let first = subscribed.lines().next().unwrap();
        let first: Value = serde_json::from_str(first).unwrap();
        assert_eq!(first["number"], number + 1, "{feed}: {first}");
    }
    assert!(node.stop().success());
}
