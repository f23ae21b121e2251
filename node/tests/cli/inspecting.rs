//! What a journal tells after the node: restart, `dump`, `replay`, `verify`, and damage.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Node, ended, refuses_to_serve, run, text};
use crate::shell::{Shell, accepted, op, place, with};

const ANY_PORT: &str = "127.0.0.1:0";
/// Records start on multiples of this, after one for the segment's header; those of these tests
/// are no longer.
const PAGE: u64 = 4_096;

/// A directory in which dev-0 and dev-1 have traded: one bid of dev-0 was half taken, another
/// rests in the other market, and an ask of dev-1 rests.
pub(crate) fn traded(directory: &Path) -> Node {
    let node = Node::serve(directory);
    let mut zero = Shell::connect(&node, "dev-0");
    let mut one = Shell::connect(&node, "dev-1");
    let bid = with(place("bid", "100", "1"), "client_order_id", 9);
    zero.check(&bid, &accepted());
    zero.check(
        &with(place("bid", "50.5", "2"), "market", "ETH-USD"),
        &accepted(),
    );
    one.check(&place("ask", "100", "0.5"), &json!({"filled": "0.5"}));
    one.check(&place("ask", "101.25", "3"), &accepted());
    assert!(zero.close().success() && one.close().success());
    node
}

pub(crate) fn lines(output: &std::process::Output) -> Vec<String> {
    text(output).lines().map(str::to_owned).collect()
}

#[test]
fn a_restart_forgets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let node = traded(directory.path());
    let ask_both = |node: &Node| {
        let answers = ["dev-0", "dev-1"].map(|key| {
            let mut shell = Shell::connect(node, key);
            [op("orders"), op("balances")].map(|line| shell.check(&line, &accepted()))
        });
        answers.concat()
    };
    let before = ask_both(&node);
    let again = with(
        with(place("bid", "100", "1"), "client_order_id", 9),
        "nonce",
        1,
    );
    let first = Shell::connect(&node, "dev-0").ask(&again);
    assert_eq!(first["repeated"], true);
    assert!(node.stop().success());

    let node = Node::serve(directory.path());
    let mut after = ask_both(&node);
    // The repeat was sequenced, and had no effect.
    for (after, before) in after.iter_mut().zip(&before) {
        assert!(after["sequence"].as_u64() > before["sequence"].as_u64());
        after["sequence"] = before["sequence"].clone();
    }
    assert_eq!(after, before);
    let mut shell = Shell::connect(&node, "dev-0");
    let repeated = shell.ask(&again);
    assert_eq!(repeated["order_id"], first["order_id"]);
    shell.check(&op("cancel_all"), &json!({"cancelled": 2, "nonce": 3}));
    assert!(node.stop().success());
}

#[test]
fn state_is_dumped_as_sorted_text() {
    let directory = tempfile::tempdir().unwrap();
    assert!(traded(directory.path()).stop().success());
    let dump = |what: &str| {
        let dumped = lines(&run("dump", directory.path(), &[what]));
        assert!(dumped.is_sorted(), "{what}");
        dumped
    };
    // Both paid for half a coin at 100: dev-0 100 ppm of 0.5 BTC, dev-1 300 ppm of 50 USD.
    let balances = dump("--balances");
    for expected in [
        "0 BTC 10000000.49995 0",
        "0 ETH 100000000 0",
        "0 USD 999999999799 151",
        "1 BTC 9999996.5 3",
        "1 USD 1000000000049.985 0",
        "63 USD 1000000000000 0",
        "fees BTC 0.00005 0",
        "fees USD 0.015 0",
    ] {
        assert!(balances.iter().any(|line| line == expected), "{expected}");
    }
    assert_eq!(balances.len(), 64 * 3 + 2);

    let orders = dump("--orders");
    let fields: Vec<Vec<&str>> = orders
        .iter()
        .map(|line| line.split(' ').collect())
        .collect();
    for expected in [
        ["0", "BTC-USD", "bid", "100", "0.5", "9"],
        ["0", "ETH-USD", "bid", "50.5", "2", "0"],
        ["1", "BTC-USD", "ask", "101.25", "3", "0"],
    ] {
        let found = fields.iter().filter(|line| line[1..] == expected).count();
        assert_eq!(found, 1, "{expected:?} in {orders:?}");
    }
    assert_eq!(orders.len(), 3);
    assert!(fields.iter().all(|line| line[0].parse::<u64>().is_ok()));

    // Each has used the nonces 1 and 2.
    let window = format!("{:0>256}", "6");
    assert_eq!(
        dump("--nonces"),
        [format!("0 0 0 {window}"), format!("1 1 0 {window}")]
    );
}

#[test]
fn a_journal_is_executed_again() {
    let directory = tempfile::tempdir().unwrap();
    assert!(traded(directory.path()).stop().success());
    let replay = |arguments: &[&str]| lines(&run("replay", directory.path(), arguments));
    let blocks = replay(&[]);
    let mut last = [0, 0];
    for block in &blocks {
        let fields: Vec<&str> = block.split(',').collect();
        let position = [0, 1].map(|field| fields[field].parse::<u64>().unwrap());
        assert_eq!(position[0], last[0] + 1, "heights are consecutive");
        assert!(last[1] < position[1], "sequence numbers rise");
        assert!(is_hash(fields[2]) && fields.len() == 3, "{block}");
        last = position;
    }
    assert!(blocks.len() >= 4);

    let with_root = replay(&["--roots", "--signatures", "--executor", "sequential"]);
    let (root, same) = with_root.split_last().unwrap();
    assert_eq!(same, blocks);
    let (sequence, root) = root.split_once(',').unwrap();
    assert_eq!(sequence, last[1].to_string());
    assert!(is_hash(root));

    let object: Value = serde_json::from_str(&replay(&["--json"])[0]).unwrap();
    let outcome_hash = blocks.last().unwrap().rsplit(',').next().unwrap();
    let at_end = json!({"sequence": last[1], "state_root": root});
    let expected = json!({"height": last[0], "sequence": last[1], "state_root": root,
        "outcome_hash": outcome_hash, "conserved": true, "from_height": 0, "phase": "open",
        "checkpoints": [at_end], "state_digest": object["state_digest"]});
    assert_eq!(object, expected);
    assert!(is_hash(object["state_digest"].as_str().unwrap()));
}

pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn damage_is_told_from_a_torn_tail() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(traded(path).stop().success());
    let verdict = || {
        let output = run("verify", path, &["--json"]);
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        let (code, error) = ended(&output);
        (code, object, error)
    };
    let before = listing(path);
    let (code, clean, _) = verdict();
    assert_eq!((code, &clean["verdict"]), (0, &json!("clean")));
    assert_eq!(listing(path), before, "verify never writes");

    let segment = path.join("journal/00000000000000000001.keel");
    let file = File::options()
        .read(true)
        .write(true)
        .open(&segment)
        .unwrap();
    let third = 3 * PAGE;
    flip(&file, third + 300);
    let (code, object, error) = verdict();
    assert_eq!((code, &object["verdict"]), (3, &json!("corruption")));
    assert_eq!(object["records"], 2);
    let place = format!("{}:{third}", segment.display());
    assert!(error.contains(&place), "{error}");
    for (command, argument) in [("replay", "--roots"), ("dump", "--orders")] {
        let (code, error) = ended(&run(command, path, &[argument]));
        assert!(code == 3 && error.contains(&place), "{command}: {error}");
    }
    let (code, error) = refuses_to_serve(path, ANY_PORT, &[]);
    assert!(code == 3 && error.contains(&place), "{error}");
    flip(&file, third + 300);
    assert_eq!(verdict().1, clean);

    let end = PAGE + clean["bytes"].as_u64().unwrap();
    file.write_all_at(b"half a record", end).unwrap();
    let (code, object, error) = verdict();
    assert_eq!((code, &object["verdict"]), (4, &json!("torn tail")));
    assert_eq!(object["records"], clean["records"]);
    let place = format!("{}:{end}", segment.display());
    assert!(error.contains(&place), "{error}");
    let output = run("dump", path, &["--orders"]);
    let orders = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((ended(&output).0, orders.lines().count()), (4, 3));

    // A start cuts it, keeps it, and goes on.
    let node = Node::serve(path);
    let mut shell = Shell::connect(&node, "dev-0");
    shell.check(&op("cancel_all"), &json!({"cancelled": 2}));
    assert!(node.stop().success());
    assert_eq!(verdict().0, 0);
    let is_kept = |name: &PathBuf| name.extension().is_some_and(|ending| ending == "bin");
    let kept = listing(path)
        .into_iter()
        .map(|(name, ..)| name)
        .find(is_kept);
    assert!(
        fs::read(kept.unwrap())
            .unwrap()
            .starts_with(b"half a record")
    );
}

#[test]
fn a_changed_genesis_is_corruption() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(Node::serve(path).stop().success());
    let genesis = path.join("genesis.toml");
    let good = fs::read_to_string(&genesis).unwrap();
    for (from, to) in [
        ("decimals = 8", "decimals = 9"),
        ("maker_fee_ppm = 100", "maker_fee_ppm = 101"),
        ("network", "netwerk"),
        ("decimals = 8", "decimals  = 8"),
    ] {
        fs::write(&genesis, good.replacen(from, to, 1)).unwrap();
        let (code, error) = ended(&run("verify", path, &[]));
        assert!(code == 3 && error.contains("genesis.toml"), "{to}: {error}");
    }
    fs::write(&genesis, good).unwrap();
    assert_eq!(ended(&run("verify", path, &[])).0, 0);
}

/// Every file below a directory with its length and when it was written.
fn listing(directory: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut files = Vec::new();
    let folders = ["", "journal", "checkpoints"].map(|folder| directory.join(folder));
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            if about.is_file() {
                files.push((entry.path(), about.len(), about.modified().unwrap()));
            }
        }
    }
    files.sort_unstable();
    files
}

/// Changes one bit; twice is as before.
pub(crate) fn flip(file: &File, offset: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    byte[0] ^= 0x10;
    file.write_all_at(&byte, offset).unwrap();
}
