//! `keel demo --anchor`: what it shows, what it says when something is missing, and that nothing of
//! it is left.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::world::{errors, keel};

fn demo(arguments: &[&str]) -> Command {
    let anvil = std::env::var_os("KEEL_ANVIL").expect("`cargo xtask evm test` sets it");
    let mut command = keel();
    command.args(["demo", "--anchor", "--anvil"]).arg(anvil);
    command.args(arguments);
    command
}

fn assert_gone(url: &str) {
    let address = url.trim_start_matches("http://");
    assert!(TcpStream::connect(address).is_err(), "{url} is still there");
}

#[test]
fn the_demonstration_passes_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&["--json", "--dir"]).arg(folder.path()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, expected) in [
        ("credited", "alice 10 ETH, bob 50000 USD"),
        ("trades", "50"),
        ("early_claim", "no checkpoint is final yet"),
        ("paid_units", "1000000000"),
        ("second_claim", "the bridge refuses: NothingDue"),
        ("bridge_units", "49000000000"),
        ("verdict", "pass"),
    ] {
        let found = &told[name];
        let found = found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned);
        assert_eq!(found, expected, "{name} of {told}");
    }
    assert_eq!(told["replayed_state_root"], told["published_state_root"]);
    assert_gone(told["anvil"].as_str().unwrap());
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the directory is removed");
}

#[test]
fn what_it_started_ends_with_it() {
    let mut child = demo(&[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().to_owned();
    // `keel` has become `keel-anchor`, so its id is the one to tell.
    let told = Command::new("kill").arg(child.id().to_string()).status();
    assert!(told.unwrap().success());
    out.read_to_string(&mut line).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{line}");
    assert!(!line.contains("verdict"), "{line}");
    assert_gone(&url);
}

#[test]
fn whoever_lacks_a_program_hears_how_to_get_it() {
    let check = |command: &mut Command, code, hint: &str| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", errors(&output));
        assert!(errors(&output).contains(hint), "{}", errors(&output));
    };
    let mut command = keel();
    command.args(["demo", "--anchor", "--anvil", "/nowhere/anvil"]);
    check(&mut command, 1, "hint: `cargo xtask evm install` brings it");
    check(&mut demo(&["--seconds", "1"]), 2, "cannot be used with");
    // Copies, far from where `cargo xtask evm install` puts anvil.
    let own = Path::new(env!("CARGO_BIN_EXE_keel-anchor"));
    let folder = tempfile::tempdir().unwrap();
    let copy = |name| std::fs::copy(own.with_file_name(name), folder.path().join(name));
    copy("keel").unwrap();
    let alone = || {
        let mut command = Command::new(folder.path().join("keel"));
        command.args(["demo", "--anchor"]).env("PATH", "");
        command
    };
    check(&mut alone(), 1, "hint: `cargo build --release` makes it");
    copy("keel-anchor").unwrap();
    check(&mut alone(), 1, "anvil is not installed\nhint: ");
}
