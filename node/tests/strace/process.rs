//! Faults of the process and its surroundings: stopped for a while, a clock that is wrong, little
//! memory, a slow disk, a full one. Each ends with a start without fault that holds exactly what was
//! acknowledged.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use store::SegmentNumber;
use tokio::sync::Notify;

use crate::common::load::{Clients, LoadEnd, told_when_ended};
use crate::common::{Node, ended, run, serving, text};
use crate::shell::{Shell, accepted, op, place, with};
use crate::traced::{Faults, Traced};

const CLIENTS: [&str; 2] = ["dev-0", "dev-1"];
const ANY_PORT: &str = "127.0.0.1:0";

#[test]
fn a_slow_disk_slows_every_answer() {
    const DELAY: Duration = Duration::from_millis(30);
    let directory = tempfile::tempdir().unwrap();
    let segment = SegmentNumber::FIRST.file_name();
    let faults = Faults {
        // Before the sync: what was answered in less time was not synced when it was answered.
        inject: Some(format!("fdatasync:delay_enter={}", DELAY.as_micros())),
        files: vec![directory.path().join("journal").join(segment)],
    };
    let traced = Traced::start(directory.path(), &faults, &["--journal-io", "sync"]).unwrap();
    let mut clients = Clients::new(&CLIENTS[..1]);
    let exchanges = clients.single_orders(traced.node.address, &Notify::new(), 30);
    assert_eq!(exchanges.len(), 30);
    for exchange in exchanges {
        let took = Duration::from_nanos(exchange.answered_at - exchange.sent_at);
        assert!(DELAY <= took, "answered after {took:?}");
    }
    assert_eq!(traced.stop().0.0, 0);
    restart(directory.path(), &[], &mut clients);
}

#[test]
fn a_process_that_is_stopped_for_two_seconds_goes_on() {
    const STOPPED: Duration = Duration::from_secs(2);
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut clients = Clients::new(&CLIENTS);
    let begun = Instant::now();
    let end = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Not synchronisation but the fault itself: when it begins and how long it takes.
            std::thread::sleep(Duration::from_millis(100));
            node.signal(Signal::STOP);
            std::thread::sleep(STOPPED);
            node.signal(Signal::CONT);
        });
        clients.load(node.address, &Notify::new(), 4_000)
    });
    assert_eq!(end, LoadEnd::Finished);
    assert!(STOPPED < begun.elapsed(), "it was over before the fault");
    clients.settle(node.address);
    assert!(node.stop().success());
    restart(directory.path(), &[], &mut clients);
}

#[test]
fn clocks_that_are_a_day_ahead_or_an_hour_behind_change_nothing() {
    assert_faketime_works();
    let directory = tempfile::tempdir().unwrap();
    let mut clients = Clients::new(&CLIENTS);
    // Each start after the one before: also from a day ahead back to an hour behind.
    for offset in ["+0", "+1d", "-1h", "+1d", "+0"] {
        let faketime = faketime(offset);
        let faketime = faketime.each_ref().map(String::as_str);
        let node = Node::start(serving(&faketime, directory.path(), ANY_PORT, &[])).unwrap();
        let end = clients.load(node.address, &Notify::new(), 50);
        assert_eq!(end, LoadEnd::Finished, "{offset}");
        node.signal(Signal::TERM);
        let (code, error) = node.wait();
        assert_eq!(code, 0, "{offset}: {error}");
    }
    let replayed = text(&run("replay", directory.path(), &["--roots"]));
    for offset in ["+1d", "-1h"] {
        let [program, rest @ ..] = faketime(offset);
        let output = std::process::Command::new(program)
            .args(rest)
            .arg(env!("CARGO_BIN_EXE_keel"))
            .args(["replay", "--roots", "--dir"])
            .arg(directory.path())
            .output();
        assert!(
            text(&output.unwrap()) == replayed,
            "{offset}: another replay"
        );
    }
    restart(directory.path(), &[], &mut clients);
}

/// Only the time of day is wrong: a monotonic clock that jumps is not one. Not by the program of that
/// name, which stays in between as a parent and keeps signals from the node.
fn faketime(offset: &str) -> [String; 4] {
    [
        "env".to_owned(),
        "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        format!("FAKETIME={offset}"),
    ]
}

/// A library that cannot be preloaded is only a warning, and the test would be of nothing.
fn assert_faketime_works() {
    let day = |offset: &str| {
        let [program, rest @ ..] = faketime(offset);
        let output = std::process::Command::new(program)
            .args(rest)
            .args(["date", "+%s"])
            .output();
        let seconds: i64 = text(&output.unwrap()).trim().parse().unwrap();
        seconds
    };
    // The earlier of the two is asked later: a second may pass between them.
    let ahead = day("+1d") - day("-1h");
    assert!(
        (89_900..90_100).contains(&ahead),
        "faketime is not there: {ahead}"
    );
}

#[test]
fn little_memory_is_a_refusal_or_a_crash_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut clients = Clients::new(&CLIENTS);
    let (mut served, mut failed) = (0, 0);
    for mebibytes in [16_u64, 64, 256, 512, 640, 768, 1_024, 8_192] {
        let limit = format!("--as={}", mebibytes << 20);
        let command = serving(&["prlimit", &limit], directory.path(), ANY_PORT, &[]);
        let (code, reason) = match Node::start(command) {
            Err(ended) => ended,
            Ok(node) => {
                let told = told_when_ended(&node);
                if clients.load(node.address, &told, 500) == LoadEnd::Finished {
                    node.signal(Signal::TERM);
                }
                node.wait()
            }
        };
        println!("{mebibytes} MiB: exit {code}: {}", reason.trim_end());
        match code {
            0 => served += 1,
            _ => failed += 1,
        }
        // Refused or aborted by the allocator, and either way it says so; or not even loaded: then the
        // loader says so (127), or the kernel ends it without a word (SIGSEGV) before we begin.
        let is_told = matches!(code, 0 | 1 | 127 | 134) && !reason.is_empty();
        let is_not_loaded = mebibytes <= 64 && code == 139;
        assert!(is_told || is_not_loaded, "{mebibytes} MiB: {code}");
        restart(directory.path(), &[], &mut clients);
    }
    assert!(0 < served && 0 < failed, "{served} served, {failed} failed");
}

#[test]
fn a_full_disk_refuses_orders_and_takes_cancels_until_there_is_space() {
    let disk = SmallDisk::mount(4);
    let directory = disk.path().join("data");
    let arguments = ["--segment-length", "524288"];
    let node = Node::serve_with(&directory, &arguments);
    let mut shell = Shell::connect(&node, "dev-0");
    let first = shell.check(&place("bid", "100", "1"), &accepted());
    shell.check(&place("bid", "99", "1"), &accepted());

    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let is_full = |reply: &Value| reply["reason"] == "DISK_FULL";
    // What is ready takes two segments of at most 128 blocks.
    let refused = (0..300).map(|_| shell.ask(&place("bid", "98", "1")));
    let refused = refused.into_iter().find(is_full);
    let refused = refused.expect("a full disk refuses orders in the end");
    assert_eq!(
        (&refused["status"], &refused["transient"]),
        (&json!("rejected"), &json!(true))
    );
    // The cancel that was held room for.
    let cancel = with(op("cancel"), "order_id", first["order_id"].clone());
    shell.check(&cancel, &accepted());
    shell.check(&with(op("cancel_all"), "market", "ETH-USD"), &accepted());
    assert!(is_full(&shell.ask(&place("bid", "97", "1"))));
    shell.check(&op("balances"), &accepted());

    std::fs::remove_file(&ballast).unwrap();
    let begun = Instant::now();
    let again = loop {
        let reply = shell.ask(&place("bid", "96", "1"));
        if !is_full(&reply) {
            break reply;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it never recovers"
        );
    };
    assert_eq!(again["status"], "accepted", "{again}");
    let before = shell.ask(&op("orders"))["orders"].clone();
    assert!(shell.close().success());
    assert!(node.stop().success());

    text(&run("verify", &directory, &[]));
    let node = Node::serve_with(&directory, &arguments);
    let mut shell = Shell::connect(&node, "dev-0");
    assert_eq!(shell.ask(&op("orders"))["orders"], before);
    assert!(node.stop().success());
}

/// Writes until there is no room for another page.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    let written = (0..).find_map(|_| file.write_all(&[1; 4_096]).err());
    assert_eq!(written.unwrap().kind(), ErrorKind::StorageFull);
}

/// A tmpfs of its own, gone when the test ends.
struct SmallDisk {
    home: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(mebibytes: u32) -> Self {
        let disk = Self {
            home: tempfile::tempdir().unwrap(),
        };
        disk.command(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"],
        );
        disk
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, program: &str, arguments: &[&str]) {
        let mut command = std::process::Command::new(program);
        let output = command.args(arguments).arg(self.path()).output().unwrap();
        let (code, error) = ended(&output);
        assert_eq!(
            code, 0,
            "this test needs a small disk, so it runs as root: {error}"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // If it fails the folder is not removed either, and that is seen.
        let _ = std::process::Command::new("umount")
            .arg(self.path())
            .output();
    }
}

/// A start without faults: it must succeed and hold what it should; then the bytes are checked.
pub(crate) fn restart(directory: &Path, arguments: &[&str], clients: &mut Clients) {
    let node = Node::start(serving(&[], directory, ANY_PORT, arguments)).unwrap();
    clients.settle(node.address);
    node.signal(Signal::TERM);
    let (code, error) = node.wait();
    assert_eq!(code, 0, "{error}");
    let verify = run("verify", directory, &[]);
    assert!(matches!(verify.status.code(), Some(0 | 4)), "{verify:?}");
}
