//! The long form of the simulation: ten times the crash points of the test, with its
//! figures. Not in release: the checks of a debug build are worth more than the time.

use crate::project::{Failure, Project};

/// Futures after a crash that are recovered and checked.
const CRASH_POINTS: &str = "200000";

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo.args(["test", "-p", "sim", "--locked"]);
    cargo.args(["--test", "crash_points", "--", "--nocapture"]);
    cargo.env("KEEL_CRASH_POINTS", CRASH_POINTS);
    project.execute(cargo)
}
