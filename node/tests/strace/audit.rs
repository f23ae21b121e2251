//! No order is acknowledged before it is on disk, as seen from outside: system calls of the node,
//! and two moments of a client for each of 200 single orders.
//!
//! Between the moment before an order is sent and the moment after its ack has come, the trace must
//! have
//!
//! 1. a write to a journal segment that wrote all it was given,
//! 2. then an fdatasync of the same file, begun after that write had ended, which returned 0,
//! 3. then a datagram that is long enough to carry the ack, begun after that sync had ended;
//! 4. and between sending and the end of that sync no datagram that could carry the ack.
//!
//! The last rule is what makes the audit sound. QUIC sends datagrams of its own at any time, so "the
//! last datagram before the ack came was sent after the sync" proves nothing: the ack may have left
//! earlier, and a mere transport ack after the sync. But contents are encrypted, not padded: a
//! datagram shorter than [`ACK_DATAGRAM_MIN`] carries no ack, and of the others there must be none.
//! What is left is a node that cuts the ack into pieces over several datagrams, which QUIC does only
//! to a message that does not fit one.
//!
//! Why the order of lines in the trace is an order of calls is told in [`trace`](crate::trace).

use common::load::{Clients, Exchange};
use tokio::sync::Notify;

use crate::common;
use crate::trace::{Call, parse};
use crate::traced::{Traced, no_faults};

const ORDERS: usize = 200;
/// Orders that come first and are not judged: meanwhile QUIC finds out how long datagrams may be,
/// with long ones of its own.
const WARM_UP: usize = 40;

/// An ack of one command has 72 bytes, and QUIC adds a tag of 16.
const ACK_DATAGRAM_MIN: u64 = 72 + 16;

#[test]
fn no_ack_leaves_before_its_order_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--journal-io", "sync"];
    let traced = Traced::start(directory.path(), &no_faults(), &arguments).unwrap();
    let mut clients = Clients::new(&["dev-0"]);
    let server = traced.node.address;
    let exchanges = clients.single_orders(server, &Notify::new(), WARM_UP + ORDERS);
    assert_eq!(exchanges.len(), WARM_UP + ORDERS);
    let (ended, trace) = traced.stop();
    assert_eq!(ended.0, 0, "{}", ended.1);
    let calls = parse(&trace).unwrap();
    judge(&calls, &exchanges[WARM_UP..]).unwrap();
    println!(
        "{ORDERS} orders, {} calls: each sync before its ack",
        calls.len()
    );
}

/// Whether each order was synced before its ack left; else which one was not, and why.
fn judge(calls: &[Call], orders: &[Exchange]) -> Result<(), String> {
    for (number, order) in orders.iter().enumerate() {
        let within = |call: &&Call| {
            order.sent_at <= call.begun_at + 1_000 && call.begun_at <= order.answered_at
        };
        let calls: Vec<&Call> = calls.iter().filter(within).collect();
        judge_one(&calls).map_err(|why| format!("order {number} ({order:?}): {why}"))?;
    }
    Ok(())
}

fn judge_one(calls: &[&Call]) -> Result<(), String> {
    let synced = first_synced(calls)?;
    let carriers = calls.iter().filter(|call| could_carry_ack(call));
    let (early, late): (Vec<&&Call>, Vec<&&Call>) = carriers.partition(|call| call.begun < synced);
    match (early.first(), late.first()) {
        (Some(early), _) => Err(format!("before the sync has ended: {early:?}")),
        (None, None) => Err("no datagram that could carry the ack".to_owned()),
        (None, Some(_)) => Ok(()),
    }
}

/// The line at which the first whole write to the journal was synced.
fn first_synced(calls: &[&Call]) -> Result<usize, String> {
    let write = calls
        .iter()
        .find(|call| call.name == "pwrite64" && is_segment(call.file()))
        .ok_or("no write to the journal")?;
    let length = write
        .number_from_end(1)
        .and_then(|length| length.try_into().ok());
    let (Some(written), true) = (write.ended, write.result == length) else {
        return Err(format!("not all was written: {write:?}"));
    };
    let sync = calls
        .iter()
        .find(|call| {
            call.name == "fdatasync" && call.file() == write.file() && written < call.begun
        })
        .ok_or_else(|| format!("no sync after {write:?}"))?;
    match (sync.ended, sync.result) {
        (Some(ended), Some(0)) => Ok(ended),
        _ => Err(format!("not synced: {sync:?}")),
    }
}

/// `…/journal/00000000000000000001.keel`.
fn is_segment(path: &str) -> bool {
    let name = path.rsplit_once("/journal/").map(|(_, name)| name);
    name.and_then(store::SegmentNumber::from_file_name)
        .is_some()
}

fn could_carry_ack(call: &Call) -> bool {
    let length = match (&*call.name, call.result) {
        // What was not sent carries nothing.
        (_, Some(..0)) => 0,
        ("sendmsg" | "sendto" | "write" | "writev", Some(length)) => length.unsigned_abs(),
        // Several datagrams at once, or one of which only the entry is known.
        ("sendmsg" | "sendmmsg" | "sendto" | "write" | "writev", _) => u64::MAX,
        _ => 0,
    };
    call.file().starts_with("socket:") && ACK_DATAGRAM_MIN <= length
}

#[test]
#[allow(clippy::too_many_lines)] // A table of traces.
fn planted_bad_traces_fail() {
    const GOOD: [&str; 8] = [
        "7 1.000010 sendmsg(9<socket:[1]>, {iov_len=34}, 0) = 34",
        "8 1.000020 pwrite64(13</d/journal/00000000000000000001.keel>, \"\"..., 4096, 8192) = 4096",
        "8 1.000030 fdatasync(13</d/journal/00000000000000000001.keel> <unfinished ...>",
        "7 1.000040 sendmsg(9<socket:[1]>, {iov_len=35}, 0) = 35",
        "8 1.000050 <... fdatasync resumed>) = 0",
        "7 1.000060 sendmsg(9<socket:[1]>, {iov_len=36}, 0) = 36",
        "7 1.000070 sendmsg(9<socket:[1]>, {iov_len=108}, 0) = 108",
        "7 1.000080 sendmsg(9<socket:[1]>, {iov_len=34}, 0) = 34",
    ];
    let order = Exchange {
        sent_at: 1_000_000_000,
        answered_at: 1_000_090_000,
    };
    let check = |lines: &[&str], expected: &str| {
        let calls = parse(&lines.join("\n")).unwrap();
        let found = judge(&calls, &[order]).err().unwrap_or_default();
        let fine = found.contains(expected) && found.is_empty() == expected.is_empty();
        assert!(fine, "{lines:#?}: {expected:?}: {found:?}");
    };
    let replaced = |line: usize, by: &'static str| {
        let mut lines = GOOD;
        lines[line] = by;
        lines
    };
    let without = |line: usize| {
        let mut lines = GOOD.to_vec();
        lines.remove(line);
        lines
    };
    let moved = |from: usize, to: usize| {
        let mut lines = GOOD.to_vec();
        let line = lines.remove(from);
        lines.insert(to, line);
        lines
    };

    check(&GOOD, "");
    // The ack leaves before the sync has ended, before it has begun, before the write. Each time a
    // transport ack follows after the sync.
    check(&moved(6, 3), "before the sync");
    check(&moved(6, 2), "before the sync");
    check(&moved(6, 0), "before the sync");
    let acks = "7 1.000040 sendmmsg(9<socket:[1]>, [{iov_len=35}, {iov_len=99}], 2, 0) = 2";
    check(&replaced(3, acks), "before the sync");
    // Begun before the sync ended, on its way after it.
    let mut lines = GOOD.to_vec();
    lines[3] = "7 1.000040 sendmsg(9<socket:[1]>, {iov_len=108} <unfinished ...>";
    lines[5] = "7 1.000060 <... sendmsg resumed>, 0) = 108";
    check(&lines, "before the sync");
    // Only what is too short leaves after it.
    check(&without(6), "no datagram");
    // No write, half a write, a failed write, a write elsewhere.
    check(&without(1), "no write");
    for end in ["4095", "-1 ENOSPC (No space left on device)", "?"] {
        let path = "13</d/journal/00000000000000000001.keel>";
        let write = format!("8 1.000020 pwrite64({path}, \"\"..., 4096, 8192) = {end}");
        let mut lines = GOOD.to_vec();
        lines[1] = &write;
        check(&lines, "not all was written");
    }
    let elsewhere = "8 1.000020 pwrite64(13</d/journal/00000000000000000002.ahead.tmp>, \"\"..., 4096, 8192) = 4096";
    check(&replaced(1, elsewhere), "no write");
    // No sync, a sync before the write, of another file, one that failed or never returned.
    let mut lines = GOOD.to_vec();
    lines.remove(4);
    lines.remove(2);
    check(&lines, "no sync");
    lines.insert(
        1,
        "8 1.000015 fdatasync(13</d/journal/00000000000000000001.keel>) = 0",
    );
    check(&lines, "no sync");
    let other = "8 1.000030 fdatasync(13</d/journal/00000000000000000002.keel> <unfinished ...>";
    check(&replaced(2, other), "no sync");
    let failed = "8 1.000050 <... fdatasync resumed>) = -1 EIO (Input/output error)";
    check(&replaced(4, failed), "not synced");
    check(
        &replaced(4, "8 1.000050 <... fdatasync resumed>) = ?"),
        "not synced",
    );
    check(&without(4), "not synced");
    // A failed sync that is tried again: the kernel may have dropped the pages.
    let mut lines = GOOD.to_vec();
    lines[4] = failed;
    lines.insert(
        5,
        "8 1.000055 fdatasync(13</d/journal/00000000000000000001.keel>) = 0",
    );
    check(&lines, "not synced");
    // Calls of other orders do not help.
    let late = Exchange {
        sent_at: 1_000_025_000,
        ..order
    };
    assert!(judge(&parse(&GOOD.join("\n")).unwrap(), &[late]).is_err());
}
