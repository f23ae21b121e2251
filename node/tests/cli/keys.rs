//! Keys made by `keygen`, on a network of its own whose server is known by a pin.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{Node, ended, keel, text};
use crate::shell::{Shell, accepted, op, place};

/// Makes a key: its file and its public half.
fn keygen(directory: &Path, name: &str) -> (String, String) {
    let file = directory.join(name).to_str().unwrap().to_owned();
    let output = keel().args(["keygen", "--json", "--out", &file]).output();
    let object: Value = serde_json::from_str(&text(&output.unwrap())).unwrap();
    assert_eq!(object["file"], file);
    (file, object["public_key"].as_str().unwrap().to_owned())
}

/// A network with one account of this key.
fn genesis(directory: &Path, public_key: &str) -> PathBuf {
    let path = directory.join("given.toml");
    let owner = "01".repeat(20);
    let text = format!(
        r#"network = 7
[[asset]]
symbol = "GOLD"
decimals = 3
[[asset]]
symbol = "EUR"
decimals = 2
[[market]]
symbol = "GOLD/EUR"
base = "GOLD"
quote = "EUR"
tick = "0.5"
lot = "0.1"
[[account]]
owner = "0x{owner}"
keys = ["{public_key}"]
balances = {{ GOLD = "10", EUR = "1000.5" }}
"#
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_is_secret_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let (file, public_key) = keygen(directory.path(), "key");
    assert_eq!(mode(file.as_ref()), 0o600);
    let secret = std::fs::read_to_string(&file).unwrap();
    assert!(secret.len() == 65 && !secret.contains(&public_key));

    let again = keel().args(["keygen", "--out", &file]).output().unwrap();
    let (code, error) = ended(&again);
    assert!(code == 1 && error.contains(&file), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    let (_, other) = keygen(directory.path(), "other");
    assert_ne!(other, public_key);
}

#[test]
fn a_network_of_its_own_is_pinned() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (key, public_key) = keygen(directory.path(), "key");
    let (stranger, _) = keygen(directory.path(), "stranger");
    let genesis = genesis(directory.path(), &public_key);
    let arguments = ["--genesis", genesis.to_str().unwrap()];
    let node = Node::serve_with(&home, &arguments);
    let pin = node.pin.clone();
    assert_eq!(node.ready["cancel_only_ms"], 0, "nobody has an order yet");
    assert_eq!(mode(&home.join("tls.seed")), 0o600);

    let mut shell = Shell::connect_with(&node, &["--key", &key, "--pin", &pin]);
    let balances = json!({"account": 0, "balances": [
        {"asset": "GOLD", "free": "10", "held": "0"},
        {"asset": "EUR", "free": "1000.5", "held": "0"},
    ]});
    shell.check(&op("balances"), &balances);
    let mut bid = place("bid", "0.5", "0.1");
    bid["market"] = json!("GOLD/EUR");
    shell.check(&bid, &accepted());
    assert!(shell.close().success());

    let wrong = "ab".repeat(32);
    for (arguments, reason) in [
        (vec!["--key", &key], "not the pinned"),
        (vec!["--key", &key, "--pin", &wrong], "not the pinned"),
        (vec!["--key", &stranger, "--pin", &pin], "UNKNOWN_KEY"),
        (vec!["--key", "dev-0", "--pin", &pin], "UNKNOWN_KEY"),
    ] {
        let address = node.address.to_string();
        let output = keel()
            .args(["client", "--connect", &address])
            .args(&arguments)
            .output()
            .unwrap();
        let (code, error) = ended(&output);
        assert!(
            code == 1 && error.contains(reason),
            "{arguments:?}: {error}"
        );
    }
    assert!(node.stop().success());
    // The genesis may be named again, or not, and the pin stays.
    let node = Node::serve_with(&home, &arguments);
    assert_eq!(node.pin, pin);
    assert_eq!(node.ready["cancel_only_ms"], 3_000);
    assert!(node.stop().success());
}

#[test]
fn a_ready_line_is_for_people_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = keel()
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = process.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready listen=127.0.0.1:"), "{line}");
    assert!(line.contains("sequence=0 network 1 genesis "), "{line}");
    assert!(line.contains(" journal_io="), "{line}");
    let id = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let (code, error) = ended(&process.wait_with_output().unwrap());
    assert_eq!(code, 0, "an interrupt is a clean stop: {error}");
    assert!(error.contains("stopped at sequence 0"), "{error}");
}
