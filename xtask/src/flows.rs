//! The long form of the comparison of the executors: 200,000 blocks. CI runs the same test with fewer.

use crate::project::{Failure, Project};

/// Streams of about twenty blocks for virtual workers; a fifteenth of them for each number of real ones.
const STREAMS: &str = "8000";

/// Runs the streams of `engine/tests/parallel`, in release so that they end the same day.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo
        .args(["test", "--release", "--locked", "-p", "engine"])
        .args(["--test", "parallel", "--", "--nocapture", "flow"])
        .env("KEEL_FLOWS", STREAMS);
    project.execute(cargo)
}
