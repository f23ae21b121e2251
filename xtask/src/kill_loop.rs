//! The long form of the kill test. CI runs the same test with a handful of kills.

use crate::project::{Failure, Project};

/// Kills in the long form.
const CYCLES: &str = "50";

/// Runs `node/tests/kill_loop.rs` with many kills, in release so that the load is heavy.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--release", "--locked", "-p", "node"])
        .args(["--test", "kill_loop", "--", "--nocapture"])
        .env("KEEL_KILL_CYCLES", CYCLES);
    project.execute(cargo)
}
