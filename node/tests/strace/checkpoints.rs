//! Calls on checkpoint files that fail: the node serves on, and the next start holds exactly what was
//! acknowledged, from an older checkpoint or from the journal alone.

use std::path::{Path, PathBuf};

use crate::common::load::{Clients, told_when_ended};
use crate::common::{Node, serving};
use crate::process::restart;
use crate::trace::{Call, parse};
use crate::traced::{Faults, Traced};

/// A checkpoint whenever a block came and the last one is 10 ms old.
const ARGUMENTS: [&str; 4] = ["--checkpoint-interval", "10", "--journal-io", "sync"];
/// Each a block of its own, so that the names of checkpoints are known beforehand.
const ORDERS: usize = 60;

#[test]
fn a_failed_checkpoint_stops_nobody() {
    let counts: Vec<usize> = match std::env::var("KEEL_FAULTS").as_deref() {
        Ok("full") => (1..=50).collect(),
        _ => vec![1, 3],
    };
    for call in ["openat", "pwrite64", "fdatasync", "fsync", "renameat2"] {
        let mut hit = 0;
        for error in ["EIO", "ENOSPC"] {
            let directory = tempfile::tempdir().unwrap();
            let mut clients = Clients::new(&["dev-0"]);
            restart(directory.path(), &ARGUMENTS, &mut clients);
            for count in &counts {
                let inject = format!("{call}:error={error}:when={count}");
                hit += served_on(directory.path(), &mut clients, inject);
            }
        }
        println!("{call}: {hit} calls failed, every node served on");
        assert!(0 < hit, "{call}: never hit");
    }
}

/// How many calls failed.
fn served_on(directory: &Path, clients: &mut Clients, inject: String) -> usize {
    let faults = Faults {
        files: checkpoint_files(directory, clients.last_sequence()),
        inject: Some(inject.clone()),
    };
    let node = Node::start(serving(&[], directory, "127.0.0.1:0", &ARGUMENTS)).unwrap();
    let traced = Traced::attach(node, &faults);
    let told = told_when_ended(&traced.node);
    let answered = clients.single_orders(traced.node.address, &told, ORDERS);
    assert_eq!(answered.len(), ORDERS, "{inject}");
    let ((code, reason), trace) = traced.stop();
    assert_eq!(code, 0, "{inject}: {reason}");
    let calls = parse(&trace).unwrap();
    let failed: Vec<&Call> = calls.iter().filter(|call| call.injected).collect();
    let is_told = failed.is_empty() || reason.contains("no checkpoint: ");
    assert!(is_told, "{inject}: {failed:#?}: {reason}");
    restart(directory, &ARGUMENTS, clients);
    failed.len()
}

/// The folder, and every file that may soon be in it: blocks have at least one command.
fn checkpoint_files(directory: &Path, last_sequence: u64) -> Vec<PathBuf> {
    let folder = directory.join("checkpoints");
    let mut files = vec![folder.clone()];
    let heights = 1..=last_sequence + 4 * ORDERS as u64;
    for height in heights.rev().take(6 * ORDERS) {
        for ending in ["tmp", "keel"] {
            files.push(folder.join(format!("{height:020}.{ending}")));
        }
    }
    files
}
