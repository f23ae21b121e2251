//! The long form of the schedules: many programs, each under many schedules, by chance and by priority.

use crate::project::{Failure, Project};

/// Programs for each of the two schedulers.
const PROGRAMS: &str = "2000";

/// Schedules of each program.
const SCHEDULES: &str = "1000";

/// Runs `engine/tests/shuttle` for longer, in release so that it ends the same day.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo.args(["test", "--release", "--locked", "-p", "engine"]);
    cargo.args(["--features", "shuttle", "--test", "shuttle"]);
    cargo.args(["--", "--nocapture"]);
    cargo.env("KEEL_PROGRAMS", PROGRAMS);
    cargo.env("KEEL_SCHEDULES", SCHEDULES);
    project.execute(cargo)
}
