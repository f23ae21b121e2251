//! Both ways of the journal to the disk, and `keel doctor`, which says what a directory's disk has.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Node, ended, keel, refuses_to_serve, run, text};
use crate::shell::{Shell, accepted, place};

const ANY_PORT: &str = "127.0.0.1:0";

/// What `keel doctor --json` says, and its exit code.
fn doctor(directory: &Path) -> (i32, Value) {
    let output = run("doctor", directory, &["--json"]);
    let line = String::from_utf8(output.stdout.clone()).unwrap();
    let report = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (ended(&output).0, report)
}

/// The check of this name.
fn check<'a>(report: &'a Value, what: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["what"] == what);
    found.unwrap_or_else(|| panic!("no {what} in {report}"))
}

#[test]
fn both_ways_serve_stop_and_replay() {
    let directory = tempfile::tempdir().unwrap();
    let (_, report) = doctor(directory.path());
    let has_ring = check(&report, "io_uring")["verdict"] == "ok";
    let (mut orders, mut sequence) = (0, json!(0));
    for asked in ["sync", "uring", "auto", "uring", "sync"] {
        let arguments = ["--journal-io", asked];
        if asked == "uring" && !has_ring {
            let (code, error) = refuses_to_serve(directory.path(), ANY_PORT, &arguments);
            assert_eq!(code, 1, "{error}");
            assert!(error.contains("io_uring is not available"), "{error}");
            assert!(error.contains("hint: `--journal-io sync`"), "{error}");
            continue;
        }
        let node = Node::serve_with(directory.path(), &arguments);
        let way = node.ready["journal_io"].as_str().unwrap();
        match asked {
            "auto" => assert!(["sync", "uring"].contains(&way), "{way}"),
            asked => assert_eq!(way, asked),
        }
        assert_eq!(node.ready["sequence"], sequence, "{asked}");
        let mut shell = Shell::connect(&node, "dev-0");
        for _ in 0..3 {
            shell.check(&place("bid", "100", "1"), &accepted());
            orders += 1;
        }
        assert!(shell.close().success());
        assert!(node.stop().success(), "{asked}");
        let replayed = text(&run("replay", directory.path(), &["--json"]));
        let replayed: Value = serde_json::from_str(&replayed).unwrap();
        assert_eq!(replayed["conserved"], true, "{asked}");
        // Ticks count too.
        sequence = replayed["sequence"].clone();
        let open = text(&run("dump", directory.path(), &["--orders"]));
        assert_eq!(open.lines().count(), orders, "{asked}: {open}");
    }
    assert!(text(&run("verify", directory.path(), &[])).starts_with("clean"));
}

#[test]
fn an_unknown_way_is_wrong_usage() {
    let directory = tempfile::tempdir().unwrap();
    let (code, error) = refuses_to_serve(directory.path(), ANY_PORT, &["--journal-io", "mmap"]);
    assert_eq!(code, 2, "{error}");
    for way in ["auto", "uring", "sync"] {
        assert!(error.contains(way), "{error}");
    }
}

#[test]
fn doctor_prints_the_documented_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (code, report) = doctor(directory.path());
    let keys: Vec<_> = report.as_object().unwrap().keys().collect();
    let documented = [
        "checks",
        "directory",
        "in_use",
        "journal_io",
        "measurement",
        "verdict",
    ];
    assert_eq!(keys, documented);
    let verdicts = ["ok", "warn", "fail"];
    for check in report["checks"].as_array().unwrap() {
        let keys: Vec<_> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["advice", "found", "verdict", "what"], "{check}");
        let verdict = check["verdict"].as_str().unwrap();
        assert!(verdicts.contains(&verdict), "{check}");
        assert_eq!(check["advice"].is_null(), verdict == "ok", "{check}");
    }
    for what in [
        "kernel",
        "cores",
        "memory",
        "open files",
        "clock source",
        "clock",
        "file system",
        "direct io",
        "preallocation",
        "free space",
        "io_uring",
        "journal io",
        "directory",
    ] {
        check(&report, what);
    }
    assert_eq!(code, i32::from(report["verdict"] == "fail"), "{report}");
    assert_eq!(report["in_use"], false);
    assert_eq!(report["directory"], directory.path().to_str().unwrap());
    let measurement = &report["measurement"];
    assert!(0 < measurement["rounds"].as_u64().unwrap(), "{report}");
    let sync = &measurement["sync"];
    assert!(sync["median_ns"].as_u64() <= sync["worst_ns"].as_u64());
    let lines = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(lines, 0, "it leaves nothing behind");
}

#[test]
fn doctor_needs_no_directory() {
    let output = keel().arg("doctor").output().unwrap();
    let report = String::from_utf8(output.stdout.clone()).unwrap();
    let verdict = report.lines().last().unwrap();
    assert!(verdict.starts_with("verdict: "), "{report}");
    let (code, error) = ended(&output);
    assert_eq!(code, i32::from(verdict == "verdict: fail"), "{error}");
}

#[test]
fn doctor_leaves_a_directory_in_use_alone() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    // The node may be making its next segment ahead; the rest does not change.
    let names = || {
        let entries = std::fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    };
    let before = names();
    let (code, report) = doctor(directory.path());
    assert_eq!(names(), before);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["in_use"], true);
    assert_eq!(report["measurement"], json!(null));
    let state = check(&report, "directory")["found"].as_str().unwrap();
    assert!(state.contains("in use by a running node"), "{state}");
    assert!(node.stop().success());

    let (_, report) = doctor(directory.path());
    assert_eq!(report["in_use"], false);
    assert!(report["measurement"].is_object(), "{report}");
    assert_eq!(check(&report, "journal")["verdict"], "ok");
    assert!(text(&run("verify", directory.path(), &[])).starts_with("clean"));
}

#[test]
fn doctor_fails_where_no_node_can_run() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let (code, report) = doctor(&missing);
    assert_eq!((code, &report["verdict"]), (1, &json!("fail")));
    assert!(check(&report, "directory")["advice"].is_string());

    // A hole in a journal.
    let journal = directory.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    std::fs::write(journal.join("00000000000000000002.keel"), "").unwrap();
    let (code, report) = doctor(directory.path());
    assert_eq!(code, 1, "{report}");
    assert_eq!(check(&report, "journal")["verdict"], "fail");
}
