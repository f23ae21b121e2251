//! The long form of the comparison with the oracle. CI runs the same tests with few seeds.

use crate::project::{Failure, Project};

/// Streams of each mix.
const SEEDS: &str = "1000";

/// Cancels that race with fills.
const RACES: &str = "10000000";

/// Runs `engine/tests/oracle` with many seeds, in release so that it ends the same day.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--release", "--locked", "-p", "engine"])
        .args(["--test", "oracle", "--", "--nocapture"])
        .env("KEEL_SEEDS", SEEDS)
        .env("KEEL_RACES", RACES);
    project.execute(cargo)
}
