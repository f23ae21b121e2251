//! Checkpoints from outside: a start from one forgets nothing, a damaged one is passed over, a
//! journal that lost what one covers is refused, and proofs hold.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{Node, ended, keel, refuses_to_serve, run, text};
use crate::inspecting::{flip, is_hash, lines, traded};
use crate::shell::{Shell, accepted, op, place, with};

const ANY_PORT: &str = "127.0.0.1:0";

/// The checkpoint files of a directory, the oldest first.
fn checkpoints(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("checkpoints")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files
}

fn height_of(checkpoint: &Path) -> String {
    let name = checkpoint.file_stem().unwrap().to_str().unwrap();
    name.trim_start_matches('0').to_owned()
}

fn replayed(directory: &Path, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
    serde_json::from_str(&text(&run("replay", directory, &arguments))).unwrap()
}

/// Copies a folder's files; the second must not exist.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Stops after trading twice: two checkpoints, and a fill in between.
fn traded_twice(directory: &Path) {
    assert!(traded(directory).stop().success());
    trade_again(directory);
}

/// A fill, between a start and a stop.
pub(crate) fn trade_again(directory: &Path) {
    let node = Node::serve(directory);
    let mut one = Shell::connect(&node, "dev-1");
    one.check(&place("ask", "100", "0.2"), &json!({"filled": "0.2"}));
    assert!(one.close().success());
    assert!(node.stop().success());
}

#[test]
fn every_start_leads_to_the_same_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    traded_twice(path);
    let files = checkpoints(path);
    assert_eq!(files.len(), 2, "one for each stop");

    let mut whole = replayed(path, &["--from", "start"]);
    assert_eq!(whole["checkpoints"].as_array().unwrap().len(), 2);
    let starts: Vec<String> = files.iter().map(|file| height_of(file)).collect();
    for from in starts.iter().map(String::as_str).chain(["newest", "start"]) {
        let workers = ["1", "2", "4", "8"].into_iter();
        let executors = ["sequential", "parallel", "auto"];
        for (workers, executor) in workers.flat_map(|it| executors.map(|other| (it, other))) {
            let arguments = ["--from", from, "--workers", workers, "--executor", executor];
            let mut part = replayed(path, &arguments);
            for key in ["from_height", "checkpoints"] {
                part[key] = whole[key].take();
                whole[key] = part[key].clone();
            }
            assert_eq!(part, whole, "from {from}, {workers} workers, {executor}");
        }
    }
    let (code, error) = ended(&run("replay", path, &["--from", "yesterday"]));
    assert_eq!(code, 2, "{error}");
    let (code, error) = ended(&run("replay", path, &["--from", "9999"]));
    assert_eq!(code, 1, "{error}");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    traded_twice(path);
    let dumped = |what: &str| lines(&run("dump", path, &[what]));
    let what = ["--balances", "--orders", "--nonces"];
    let before = what.map(dumped);
    let files = checkpoints(path);
    // The newest, then the older one too: from the genesis on, all is the same.
    for damaged in files.iter().rev() {
        flip(
            &File::options()
                .read(true)
                .write(true)
                .open(damaged)
                .unwrap(),
            5_000,
        );
        let (code, error) = ended(&run("verify", path, &[]));
        let place = format!("{}:4096", damaged.display());
        assert!(
            code == 3 && error.contains(damaged.to_str().unwrap()),
            "{error}"
        );
        assert!(
            error.contains(&place) || damaged != files.last().unwrap(),
            "{error}"
        );
        assert_eq!(what.map(dumped), before);
        let node = Node::serve(path);
        let mut shell = Shell::connect(&node, "dev-0");
        let orders = shell.check(&op("orders"), &accepted());
        assert_eq!(orders["orders"].as_array().unwrap().len(), 2);
        node.kill();
    }
    // A clean stop writes a good one again.
    assert!(Node::serve(path).stop().success());
    assert_eq!(what.map(dumped), before);
}

#[test]
fn a_journal_that_lost_what_a_checkpoint_covers_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(traded(path).stop().success());
    let backup = path.join("backup");
    copy(&path.join("journal"), &backup);
    let node = Node::serve(path);
    let mut shell = Shell::connect(&node, "dev-0");
    shell.check(&op("cancel_all"), &json!({"cancelled": 2}));
    assert!(node.stop().success());

    // An operator restores an old backup of the journal alone.
    fs::remove_dir_all(path.join("journal")).unwrap();
    fs::rename(&backup, path.join("journal")).unwrap();
    let newest = height_of(checkpoints(path).last().unwrap());
    let told = format!("checkpoint of height {newest}");
    for command in ["verify", "dump", "replay"] {
        let arguments: &[&str] = if command == "dump" {
            &["--orders"]
        } else {
            &[]
        };
        let (code, error) = ended(&run(command, path, arguments));
        assert!(code == 3, "{command}: {error}");
    }
    let (code, error) = refuses_to_serve(path, ANY_PORT, &[]);
    assert!(code == 3 && error.contains(&told), "{error}");
}

#[test]
fn a_checkpoint_of_another_directory_is_refused() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    assert!(traded(one.path()).stop().success());
    assert!(traded(other.path()).stop().success());
    let foreign = checkpoints(other.path()).pop().unwrap();
    let name = foreign.file_name().unwrap();
    fs::copy(&foreign, one.path().join("checkpoints").join(name)).unwrap();
    let (code, error) = refuses_to_serve(one.path(), ANY_PORT, &[]);
    assert!(code != 0 && error.contains("instance"), "{code}: {error}");
}

#[test]
fn what_was_remembered_is_remembered_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let node = Node::serve_with(path, &["--checkpoint-interval", "10"]);
    let mut shell = Shell::connect(&node, "dev-0");
    let order = with(place("bid", "100", "1"), "nonce", 7);
    let first = shell.check(&order, &accepted());
    // Until a checkpoint holds it.
    while checkpoints(path).is_empty() {
        shell.check(&op("balances"), &accepted());
    }
    shell.check(&place("bid", "99", "1"), &accepted());
    node.kill();
    let node = Node::serve(path);
    let mut shell = Shell::connect(&node, "dev-0");
    let again = shell.check(&order, &json!({"repeated": true}));
    assert_eq!(again["order_id"], first["order_id"]);
    let orders = shell.check(&op("orders"), &accepted());
    assert_eq!(orders["orders"].as_array().unwrap().len(), 2);
    assert!(node.stop().success());
    let heights: Vec<String> = checkpoints(path).iter().map(|it| height_of(it)).collect();
    assert!(heights.len() <= 3, "three are kept: {heights:?}");
}

/// `keel check-proof` on this text.
fn check_proof(proof: &str, root: &str) -> (i32, String, String) {
    let mut process = keel()
        .args(["check-proof", "-", "--root", root])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(proof.as_bytes()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    let (code, error) = ended(&output);
    (code, String::from_utf8(output.stdout).unwrap(), error)
}

#[test]
fn proofs_hold_under_the_root_and_under_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let node = traded(path);
    let prove = |account: &str| text(&run("prove", path, &["--account", account]));
    // Beside a running node, from its checkpoint or, before the first, from its journal.
    let early: Value = serde_json::from_str(&prove("0")).unwrap();
    assert!(is_hash(early["state_root"].as_str().unwrap()));
    assert!(node.stop().success());

    let with_roots = lines(&run("replay", path, &["--roots"]));
    let (_, root) = with_roots.last().unwrap().split_once(',').unwrap();
    for (account, expected) in [
        ("0", "asset 0: 1000000049995000 atoms free"),
        ("63", "asset 2: "),
        ("fees", "asset 0: 5000 atoms free"),
        (
            "dust",
            "account 4294967294 of 0x0000000000000000000000000000000000000000",
        ),
        ("70", "account 70 does not exist"),
    ] {
        let proof = prove(account);
        let object: Value = serde_json::from_str(&proof).unwrap();
        assert_eq!(object["state_root"], root);
        let (code, told, error) = check_proof(&proof, root);
        assert!(
            code == 0 && told.starts_with("proven\n"),
            "{account}: {told}{error}"
        );
        assert!(told.contains(expected), "{account}: {told}");
        // A digit elsewhere in the record or in a sibling.
        for key in ["record", "siblings"] {
            let mut forged = object.clone();
            let digits = match &mut forged[key] {
                Value::String(record) => record,
                Value::Array(siblings) => match &mut siblings[7] {
                    Value::String(sibling) => sibling,
                    _ => unreachable!("siblings are text"),
                },
                _ => continue,
            };
            let last = if digits.ends_with('0') { "1" } else { "0" };
            digits.replace_range(digits.len() - 1.., last);
            let (code, told, error) = check_proof(&forged.to_string(), root);
            assert!(code == 1 && told.is_empty(), "{key}: {told}{error}");
        }
        let other = root.replace(['a', '1'], "b");
        let (code, _, error) = check_proof(&proof, &other);
        assert!(code == 1 && error.contains("not proven"), "{error}");
    }
    for broken in [
        "",
        "{}",
        "{\"account\":0,\"record\":\"zz\",\"siblings\":[]}",
    ] {
        assert_eq!(check_proof(broken, root).0, 1, "{broken}");
    }
    assert_eq!(check_proof("", "no root").0, 2);
}

/// Old segments go, and everything that is left still fits together.
#[test]
fn old_segments_go_once_checkpoints_cover_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let arguments = [
        "--segment-length",
        "524288",
        "--keep-segments",
        "3",
        "--checkpoint-interval",
        "10",
    ];
    let node = Node::serve_with(path, &arguments);
    let first = path.join("journal/00000000000000000001.keel");
    let mut shell = Shell::connect(&node, "dev-0");
    let mut asked = 0;
    while first.exists() {
        let label = with(place("bid", "100", "1"), "client_order_id", asked % 50 + 1);
        shell.check(&label, &accepted());
        shell.check(&with(op("cancel_all"), "market", "BTC-USD"), &accepted());
        asked += 1;
        assert!(asked < 5_000, "segments hold 128 blocks");
    }
    shell.check(&place("bid", "99", "2"), &accepted());
    node.kill();
    let verified = ended(&run("verify", path, &[])).0;
    assert!(verified == 0 || verified == 4);
    let node = Node::serve_with(path, &arguments);
    let mut shell = Shell::connect(&node, "dev-0");
    let orders = shell.check(&op("orders"), &accepted());
    assert_eq!(orders["orders"][0]["price"], "99");
    assert!(node.stop().success());
    let segments = fs::read_dir(path.join("journal")).unwrap().count();
    assert!(
        segments <= 3 + 2,
        "three segments, the lock, and at most one torn tail"
    );
    let whole = replayed(path, &["--from", "start"]);
    assert_ne!(
        whole["from_height"], 0,
        "the journal begins at a checkpoint"
    );
    assert_eq!(
        whole["state_digest"],
        replayed(path, &["--from", "newest"])["state_digest"]
    );
    // Without its checkpoints such a journal is nothing.
    fs::remove_dir_all(path.join("checkpoints")).unwrap();
    let (code, error) = ended(&run("verify", path, &[]));
    assert!(code == 3 && error.contains("missing"), "{error}");
    let (code, error) = refuses_to_serve(path, ANY_PORT, &[]);
    assert!(code == 3 && error.contains("missing"), "{error}");
}

#[test]
fn impossible_options_are_refused() {
    for arguments in [
        ["--segment-length", "4096"],
        ["--segment-length", "600001"],
        ["--keep-segments", "1"],
        ["--keep-checkpoints", "0"],
        ["--checkpoint-interval", "0"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_keel"))
            .args(["serve", "--dir", "/nonexistent/keel"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(ended(&output).0, 2, "{arguments:?}");
    }
}

#[test]
fn readers_need_not_wait_for_the_node_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    drop(traded(path));
    let node = Node::serve_with(path, &["--checkpoint-interval", "10"]);
    let mut shell = Shell::connect(&node, "dev-2");
    for size in 1..30 {
        shell.check(&place("bid", "90", &size.to_string()), &accepted());
        let orders = lines(&run("dump", path, &["--orders"]));
        assert_eq!(orders.len(), 3 + size, "what is answered is there");
        for arguments in [["verify", "--json"], ["replay", "--roots"]] {
            text(&run(arguments[0], path, &arguments[1..]));
        }
        text(&run("prove", path, &["--account", "2"]));
        if size > 5 && checkpoints(path).len() > 1 {
            break;
        }
    }
    assert!(node.stop().success());
}
