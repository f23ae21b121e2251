//! System calls that fail once: the first failed write or sync stops the node, and nothing that it
//! acknowledged is missing at the next start.
//!
//! strace makes the n-th call of a kind fail, and counts for each thread. A sync that was made to
//! fail leaves its bytes where they are, so that a node which acknowledged them all the same would
//! lose nothing here; its acknowledgements themselves have to be looked at:
//!
//! - [`single_orders`]: each order is one record, one write and one sync. If the n-th fails there are
//!   exactly n - 1 answers.
//! - [`under_load`]: the trace tells at which offset the write or sync failed, the journal which
//!   sequence numbers lie from there on; none of them was acknowledged.
//! - [`first_starts`]: a new directory is made, or the start refused; the next start makes it whole.
//!
//! After each fault a start without faults must succeed and hold exactly what was acknowledged, plus
//! what is settled by asking again. `KEEL_FAULTS=full` runs n = 1..=50 (`cargo xtask faults`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use store::{JournalReader, SegmentNumber};
use tempfile::TempDir;

use crate::common::load::{Clients, LoadEnd, told_when_ended};
use crate::common::{Node, serving};
use crate::process::restart;
use crate::trace::{Call, parse};
use crate::traced::{Ended, Faults, Traced};

const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];
/// A few segments are filled in each life; the largest batch of this load fits one.
const ARGUMENTS: [&str; 4] = ["--segment-length", "524288", "--journal-io", "sync"];
const CLIENTS: [&str; 2] = ["dev-0", "dev-1"];
const FRAMES: u64 = 500;
/// So many that segments are left behind.
const FRAMES_OF_SEGMENTS: u64 = 4_000;

/// Which calls fail: the n-th of each thread.
fn counts(short: &[usize]) -> Vec<usize> {
    match std::env::var("KEEL_FAULTS").as_deref() {
        Ok("full") => (1..=50).collect(),
        _ => short.to_vec(),
    }
}

fn faults(call: &str, error: &str, count: usize, files: Vec<PathBuf>) -> Faults {
    Faults {
        inject: Some(format!("{call}:error={error}:when={count}")),
        files,
    }
}

#[test]
fn single_orders_up_to_the_failed_call_are_answered() {
    for call in ["fdatasync", "pwrite64"] {
        for error in ERRORS {
            let counts = counts(&[1, 2, 7]);
            for &count in &counts {
                single_orders(call, error, count);
            }
            println!(
                "{call} {error}: {} nodes stopped, each with n - 1 answers",
                counts.len()
            );
        }
    }
}

fn single_orders(call: &str, error: &str, count: usize) {
    let directory = tempfile::tempdir().unwrap();
    let first_segment = journal(directory.path()).join(SegmentNumber::FIRST.file_name());
    let faults = faults(call, error, count, vec![first_segment]);
    let traced = Traced::start(directory.path(), &faults, &ARGUMENTS);
    let traced = traced.unwrap();
    let mut clients = Clients::new(&CLIENTS[..1]);
    let ended = told_when_ended(&traced.node);
    let answered = clients.single_orders(traced.node.address, &ended, count + 2);
    // Before waiting: a node that answers more may well go on for ever.
    assert_eq!(answered.len(), count - 1, "{call} {error} {count}");
    let ((code, reason), _) = traced.wait();
    let what = format!("{call} {error} {count}: exit {code}: {reason}");
    assert!(
        code == 1 && reason.contains("cannot write and sync"),
        "{what}"
    );
    restart(directory.path(), &ARGUMENTS, &mut clients);
}

#[test]
fn under_load_nothing_is_answered_that_was_not_synced() {
    let mut reached = BTreeMap::new();
    for call in ["fdatasync", "pwrite64", "fsync", "renameat2", "openat"] {
        for error in ERRORS {
            let directory = tempfile::tempdir().unwrap();
            let mut clients = Clients::new(&CLIENTS);
            let mut tally = Tally::default();
            restart(directory.path(), &ARGUMENTS, &mut clients);
            // These are called once or twice for each segment.
            let is_rare = matches!(call, "fsync" | "renameat2" | "openat");
            let short: &[usize] = if is_rare { &[1, 2] } else { &[1, 2, 6, 25] };
            for count in counts(short) {
                let what = format!("{call} {error} {count}");
                tally.note(
                    under_load(&directory, &mut clients, call, error, count),
                    &what,
                );
            }
            println!(
                "{call} {error} under load: {tally}, {} acknowledged",
                clients.acknowledged()
            );
            *reached.entry(call).or_insert(0) += tally.stopped + tally.tolerated;
        }
    }
    // A table whose faults never happen proves nothing.
    assert!(reached.values().all(|hits| 0 < *hits), "{reached:?}");
}

fn under_load(
    directory: &TempDir,
    clients: &mut Clients,
    call: &str,
    error: &str,
    count: usize,
) -> Ending {
    let directory = directory.path();
    let faults = faults(call, error, count, journal_files(directory));
    // Attached when it is ready: else the calls of the start would be the ones that fail.
    let node = Node::start(serving(&[], directory, "127.0.0.1:0", &ARGUMENTS)).unwrap();
    let traced = Traced::attach(node, &faults);
    let told = told_when_ended(&traced.node);
    let frames = match call {
        "fdatasync" | "pwrite64" => FRAMES,
        _ => FRAMES_OF_SEGMENTS,
    };
    let ended = match clients.load(traced.node.address, &told, frames) {
        LoadEnd::Finished => traced.stop(),
        LoadEnd::NodeEnded => traced.wait(),
    };
    let calls = parse(&ended.1).unwrap();
    let answered = clients.last_sequence();
    if let Some(place) = not_synced(&calls) {
        let undurable = first_sequence_from(directory, place);
        let what = format!("{call} {error} {count}: {answered} answered, {undurable:?} not synced");
        assert!(
            undurable.is_none_or(|sequence| answered < sequence),
            "{what}"
        );
    }
    restart(directory, &ARGUMENTS, clients);
    ending(&ended, &calls, true)
}

#[test]
fn first_starts_make_a_directory_or_refuse() {
    for call in [
        "openat",
        "pwrite64",
        "fdatasync",
        "fsync",
        "rename",
        "renameat2",
    ] {
        for error in ERRORS {
            let mut tally = Tally::default();
            for count in counts(&[1, 2, 6]) {
                let home = tempfile::tempdir().unwrap();
                let directory = home.path().join("new");
                let mut files = journal_files(&directory);
                for name in ["", "genesis.toml", "genesis.toml.tmp", "journal"] {
                    files.push(directory.join(name));
                }
                let faults = faults(call, error, count, files);
                let (ended, started) = match Traced::start(&directory, &faults, &ARGUMENTS) {
                    Err(ended) => (ended, false),
                    Ok(traced) => (traced.stop(), true),
                };
                let what = format!("{call} {error} {count}");
                tally.note(ending(&ended, &parse(&ended.1).unwrap(), started), &what);
                restart(&directory, &ARGUMENTS, &mut Clients::new(&CLIENTS));
            }
            println!("{call} {error} at a first start: {tally}");
            assert!(0 < tally.refused, "{call} {error}: never hit");
        }
    }
}

/// How a node ended that a call may have failed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// Exit 1 before it was ready, with a reason.
    Refused,
    /// Exit 1 by itself, with a reason.
    Stopped,
    /// A call failed that may fail; the node served on.
    Tolerated,
    /// There were not so many calls.
    NotHit,
    Bad(String),
}

#[derive(Debug, Default)]
struct Tally {
    refused: u64,
    stopped: u64,
    tolerated: u64,
    not_hit: u64,
}

impl Tally {
    fn note(&mut self, ending: Ending, what: &str) {
        match ending {
            Ending::Refused => self.refused += 1,
            Ending::Stopped => self.stopped += 1,
            Ending::Tolerated => self.tolerated += 1,
            Ending::NotHit => self.not_hit += 1,
            Ending::Bad(why) => panic!("{what}: {why}"),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            refused,
            stopped,
            tolerated,
            not_hit,
        } = self;
        write!(
            f,
            "{refused} refused, {stopped} stopped, {tolerated} tolerated, {not_hit} not hit"
        )
    }
}

fn ending(((code, reason), _): &Ended, calls: &[Call], started: bool) -> Ending {
    let injected: Vec<&Call> = calls.iter().filter(|call| call.injected).collect();
    match (code, &*injected, started) {
        (0, [], true) => Ending::NotHit,
        (0, injected, true) if injected.iter().all(|call| may_fail(call, calls)) => {
            Ending::Tolerated
        }
        (1, [_, ..], _) if reason.contains("keel: ") && reason.contains("(os error ") => {
            match started {
                true => Ending::Stopped,
                false => Ending::Refused,
            }
        }
        _ => Ending::Bad(format!(
            "exit {code}, {injected:#?}, started {started}: {reason}"
        )),
    }
}

/// Preparing a segment ahead may fail: the journal then makes it itself. Its thread is known by the
/// file that it creates.
fn may_fail(failed: &Call, calls: &[Call]) -> bool {
    let prepares = |call: &&Call| call.name == "openat" && call.arguments.contains(".ahead.tmp");
    calls
        .iter()
        .filter(prepares)
        .any(|call| call.thread == failed.thread)
}

/// Where in the journal the first record begins whose write or sync failed.
fn not_synced(calls: &[Call]) -> Option<(SegmentNumber, u64)> {
    let segment = |call: &Call| {
        let (_, name) = call.file().rsplit_once('/')?;
        SegmentNumber::from_file_name(name)
    };
    let failed = calls.iter().find(|call| {
        call.injected && matches!(&*call.name, "pwrite64" | "fdatasync") && segment(call).is_some()
    })?;
    let offset = match &*failed.name {
        "pwrite64" => failed.number_from_end(0),
        _ => calls
            .iter()
            .take_while(|call| call.begun < failed.begun)
            .filter(|call| call.thread == failed.thread && call.file() == failed.file())
            .fold(None, |first, call| match &*call.name {
                "pwrite64" => first.or(call.number_from_end(0)),
                "fdatasync" => None,
                _ => first,
            }),
    };
    Some((segment(failed)?, offset?))
}

/// The first sequence number at or after this place of the journal.
fn first_sequence_from(directory: &Path, place: (SegmentNumber, u64)) -> Option<u64> {
    let identity = store::identity(directory).unwrap().unwrap();
    let mut reader = JournalReader::open(directory, &identity).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        if place <= (record.location.segment, record.location.offset) {
            return Some(record.first_sequence.get());
        }
    }
    None
}

fn journal(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// Everything of the journal: its folder, what is in it, and what may be in it soon. Not the rest of
/// the process' files, because the dynamic loader's are not what shall fail.
fn journal_files(directory: &Path) -> Vec<PathBuf> {
    let folder = journal(directory);
    let names = std::fs::read_dir(&folder).into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let last = names.filter_map(|name| SegmentNumber::from_file_name(&name));
    let last = last.map(SegmentNumber::get).max().unwrap_or_default();
    let mut files = vec![folder.clone(), folder.join("lock")];
    for number in (1..=last + 8).map(SegmentNumber::new) {
        files.push(folder.join(number.file_name()));
        files.push(folder.join(format!("{number}.ahead.tmp")));
        files.push(folder.join(format!("{number}.journal.tmp")));
    }
    files
}
