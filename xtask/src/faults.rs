//! The long forms of the tests that do faults to the real binary: more kills, and every call that
//! fails for the first up to the fiftieth time.

use crate::project::{Failure, Project};

/// Kills in the long form.
const CYCLES: &str = "2000";

/// Runs `node/tests/kill_loop.rs` with many kills, in release so that the load is heavy.
pub(crate) fn kill_loop(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--release", "--locked", "-p", "node"])
        .args(["--test", "kill_loop", "--", "--nocapture"])
        .env("KEEL_KILL_CYCLES", CYCLES);
    project.execute(cargo)
}

/// Kills a thousand clients whose orders must go.
pub(crate) fn silence(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--release", "--locked", "-p", "node"])
        .args(["--test", "silence", "--", "--nocapture"])
        .env("KEEL_VICTIMS", "1000");
    project.execute(cargo)
}

/// Sends a million commands on one key from sixteen processes.
pub(crate) fn storm(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--release", "--locked", "-p", "node"])
        .args(["--test", "exactly_once", "--", "--nocapture"])
        .env("KEEL_STORM_COMMANDS", "1000000");
    project.execute(cargo)
}

/// Runs `node/tests/strace` with its full tables, one test after the other.
pub(crate) fn faults(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--locked", "-p", "node", "--test", "strace"])
        .args(["--", "--nocapture", "--test-threads", "1"])
        .env("KEEL_FAULTS", "full");
    project.execute(cargo)
}
