//! Withdrawals halt when the chain is too far behind, and everything else goes on.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use store::Anchored;
use types::SequenceNumber;

use crate::common::{Node, run, text};
use crate::shell::{Shell, accepted, cancel, op, place, rejected};

const LIMIT: u64 = 3_600;
const LIMITED: &[&str] = &["--anchor-lag-limit", "3600"];
/// Longer than the node takes to look, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

fn withdraw() -> Value {
    json!({"op": "withdraw", "asset": "USD", "amount": "1"})
}

/// As the publisher would have written it so many seconds ago.
fn seen(directory: &Path, seconds_ago: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let anchored = Anchored {
        sequence: SequenceNumber::new(0),
        seen_at: now.as_secs() - seconds_ago,
    };
    anchored.write(directory).unwrap();
}

/// Withdraws until the answer is this one. Returns how much was withdrawn meanwhile.
fn withdraw_until(shell: &mut Shell, status: &str) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    let mut withdrawn = 0;
    loop {
        let reply = shell.ask(&withdraw());
        withdrawn += u64::from(reply["status"] == "accepted");
        if reply["status"] == status {
            return withdrawn;
        }
        assert!(Instant::now() < deadline, "{reply}");
    }
}

/// Orders need no chain.
fn trade(shell: &mut Shell) {
    let placed = shell.check(&place("bid", "100", "1"), &accepted());
    shell.check(&cancel(&placed["order_id"]), &accepted());
}

#[test]
fn withdrawals_halt_while_the_chain_is_too_far_behind() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let node = Node::serve_with(directory, LIMITED);
    let mut shell = Shell::connect(&node, "dev-0");
    // Nothing is known of a chain.
    let halted = shell.check(&withdraw(), &rejected("WITHDRAWALS_HALTED"));
    assert_eq!(halted["transient"], true, "{halted}");
    trade(&mut shell);
    // The chain is seen, then for too long it is not.
    seen(directory, 0);
    let mut withdrawn = withdraw_until(&mut shell, "accepted");
    trade(&mut shell);
    seen(directory, LIMIT + 1);
    withdrawn += withdraw_until(&mut shell, "rejected");
    trade(&mut shell);
    let left = format!("{}", 1_000_000_000_000 - withdrawn);
    let balances = shell.check(&op("balances"), &accepted());
    assert_eq!(balances["balances"][2]["free"], left, "{balances}");
    drop(shell);
    assert!(node.stop().success());
    // What was refused is nowhere.
    text(&run("replay", directory, &[]));

    // From the start on, and not at all without the option.
    let node = Node::serve_with(directory, LIMITED);
    let mut shell = Shell::connect(&node, "dev-0");
    shell.check(&withdraw(), &rejected("WITHDRAWALS_HALTED"));
    drop(shell);
    assert!(node.stop().success());
    let node = Node::serve(directory);
    let mut shell = Shell::connect(&node, "dev-0");
    shell.check(&withdraw(), &accepted());
    drop(shell);
    assert!(node.stop().success());
}
