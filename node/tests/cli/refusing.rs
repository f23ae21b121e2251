//! What does not start: impossible or foreign input, taken places, wrong usage. Each says why.

use std::net::UdpSocket;
use std::path::Path;

use crate::common::{Node, ended, keel, refuses_to_serve, run};

const ANY_PORT: &str = "127.0.0.1:0";

const GENESIS: &str = r#"network = 7

[[asset]]
symbol = "BTC"
decimals = 8

[[asset]]
symbol = "USD"
decimals = 6

[[market]]
symbol = "BTC-USD"
base = "BTC"
quote = "USD"
tick = "0.01"
lot = "0.0001"
"#;

/// Writes a genesis file and returns its path.
fn genesis(directory: &Path, text: &str) -> String {
    let path = directory.join("given.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_impossible_genesis_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    for (from, to, line) in [
        ("network = 7", "network = 7\nchain = 7", 2),
        ("network = 7", "network = 0", 1),
        ("decimals = 6", "decimals = 6\ncolour = 1", 10),
        ("lot = \"0.0001\"", "lot = \"0.0001\"\nfee = 1", 17),
        ("quote = \"USD\"", "quote = \"EUR\"", 14),
        ("quote = \"USD\"", "quote = \"BTC\"", 11),
        ("tick = \"0.01\"", "tick = \"0.001\"", 11),
        ("tick = \"0.01\"", "tick = \"0\"", 11),
        ("lot = \"0.0001\"", "lot = \"all\"", 16),
        ("[[market]]", "[market]", 11),
        ("network = 7", "network = ", 1),
    ] {
        let given = genesis(directory.path(), &GENESIS.replacen(from, to, 1));
        let (code, error) = refuses_to_serve(&home, ANY_PORT, &["--genesis", &given]);
        assert_eq!(code, 2, "{to}: {error}");
        let place = format!("given.toml: genesis line {line}:");
        assert!(error.contains(&place), "{to}: {error}");
        assert!(!home.exists(), "nothing is made of a refused genesis");
    }
    let missing = directory.path().join("missing.toml");
    let arguments = ["--genesis", missing.to_str().unwrap()];
    let (code, error) = refuses_to_serve(&home, ANY_PORT, &arguments);
    assert!(code == 2 && error.contains("missing.toml"), "{error}");
}

#[test]
fn a_directory_of_another_network_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    assert!(Node::serve(&home).stop().success());
    let given = genesis(directory.path(), GENESIS);
    let (code, error) = refuses_to_serve(&home, ANY_PORT, &["--genesis", &given]);
    assert!(code == 1 && error.contains("another genesis"), "{error}");
    assert!(error.contains("network 1,") && error.contains("network 7,"));

    // A foreign genesis in place of its own does not deceive it either.
    let own = std::fs::read_to_string(home.join("genesis.toml")).unwrap();
    for (from, to, reason) in [
        ("maker_fee_ppm = 100", "maker_fee_ppm = 99", "from genesis"),
        ("network = 1", "network = 7", "network"),
    ] {
        std::fs::write(home.join("genesis.toml"), own.replacen(from, to, 1)).unwrap();
        let (code, error) = refuses_to_serve(&home, ANY_PORT, &[]);
        assert!(code != 0 && error.contains(reason), "{to}: {error}");
    }
}

#[test]
fn what_is_taken_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let (code, error) = refuses_to_serve(directory.path(), ANY_PORT, &[]);
    assert!(
        code == 1 && error.contains("in use by another process"),
        "{error}"
    );

    let other = tempfile::tempdir().unwrap();
    let taken = node.address.to_string();
    let (code, error) = refuses_to_serve(other.path(), &taken, &[]);
    assert!(code == 1 && error.contains(&taken), "{error}");
    assert!(node.stop().success());
}

#[test]
fn a_node_that_does_not_answer_is_an_error_with_a_hint() {
    // Bound but silent: a port that is free could become somebody's.
    let silent = UdpSocket::bind(ANY_PORT).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = keel()
        .args(["client", "--key", "dev-0", "--connect", &address])
        .output()
        .unwrap();
    let (code, error) = ended(&output);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains(&address) && error.contains("is the node running"));
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().to_str().unwrap();
    for (code, arguments) in [
        (2, "nonsense".to_owned()),
        (2, String::new()),
        (2, "serve".to_owned()),
        (2, format!("serve --dir {empty} --listen nowhere")),
        (2, format!("serve --dir {empty} --colour red")),
        (2, "verify".to_owned()),
        (2, format!("dump --dir {empty}")),
        (2, format!("dump --dir {empty} --orders --balances")),
        (2, format!("replay --dir {empty} --executor none")),
        (2, "client".to_owned()),
        (2, "client --key dev-64".to_owned()),
        (2, "client --key dev-0 --pin 12".to_owned()),
        (2, "client --key dev-0 --connect here".to_owned()),
        (2, "keygen".to_owned()),
        (1, format!("verify --dir {empty}")),
        (1, format!("replay --dir {empty}")),
        (1, format!("dump --dir {empty} --orders")),
        (1, format!("keygen --out {empty}/no/such/place")),
        (0, "--help".to_owned()),
        (0, "--version".to_owned()),
    ] {
        let output = keel().args(arguments.split_whitespace()).output().unwrap();
        let (found, error) = ended(&output);
        assert_eq!(found, code, "keel {arguments}: {error}");
        assert_eq!(error.is_empty(), code == 0, "keel {arguments}");
    }
    let (_, error) = ended(&run("verify", directory.path(), &[]));
    assert!(error.contains("hint:"), "{error}");
    assert_eq!(std::fs::read_dir(empty).unwrap().count(), 0);
}
