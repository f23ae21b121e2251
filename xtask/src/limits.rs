//! The long form of the attacks on a node: the sizes that it promises to stand, and the report of what
//! came of them, in `docs/limits-report.md`.

use std::process::Stdio;

use crate::project::{Failure, Project};

const REPORT: &str = "docs/limits-report.md";
/// Hostile frames in all, unless `KEEL_HOSTILE_FRAMES` says otherwise.
const FRAMES: &str = "1000000";

/// Runs all of them and writes the report, also when one of them fails.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let sizes = std::env::var("KEEL_LIMITS").unwrap_or_else(|_| "long".to_owned());
    let crowds = test(project, "limits", &[("KEEL_LIMITS", &sizes)]);
    let count = std::env::var("KEEL_HOSTILE_FRAMES").unwrap_or_else(|_| FRAMES.to_owned());
    let frames = test(project, "hostile", &[("KEEL_HOSTILE_FRAMES", &count)]);
    let (crowds, frames) = (crowds?, frames?);
    let rows = rows(&[crowds.text, frames.text].concat());
    let report = report(&rows, &machine(), &sizes);
    std::fs::write(project.root().join(REPORT), report)
        .map_err(|error| Failure::new(format!("{REPORT}: {error}")))?;
    println!("{}", rows.join("\n"));
    match crowds.is_good && frames.is_good {
        true => Ok(()),
        false => Err(Failure::new("limits: a scenario failed")),
    }
}

/// What a test printed, and whether it passed: what was measured counts also when something else
/// failed.
struct Outcome {
    text: String,
    is_good: bool,
}

/// Runs one target of the node's tests.
fn test(project: &Project, name: &str, environment: &[(&str, &str)]) -> Result<Outcome, Failure> {
    let mut cargo = project.command("cargo");
    cargo.args(["test", "-p", "node", "--locked", "--test", name, "--"]);
    cargo.args(["--nocapture", "--test-threads", "1"]);
    cargo.envs(environment.iter().copied());
    cargo.stderr(Stdio::inherit());
    let output = cargo
        .output()
        .map_err(|error| Failure::new(format!("cargo test: {error}")))?;
    Ok(Outcome {
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        is_good: output.status.success(),
    })
}

/// The rows of the report among everything else.
fn rows(output: &str) -> Vec<String> {
    // The first row of a test stands behind the test's name.
    let rows = output.lines().filter_map(|line| {
        let row = &line[line.find("| ")?..];
        (row.ends_with(" |") && row.matches(" | ").count() == 3).then(|| row.to_owned())
    });
    rows.collect()
}

/// What it ran on: cores, how busy they were at the end, and where the journal was.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(", ");
    let files = match std::env::temp_dir().starts_with("/dev/shm") {
        true => "in memory",
        false => "on disk",
    };
    format!("{cores} cores, load average {load}, files {files}")
}

fn report(rows: &[String], machine: &str, sizes: &str) -> String {
    let rows = rows.join("\n");
    format!(
        "# What a node stands\n\n\
         Written by `cargo xtask limits`, {sizes} sizes (`KEEL_LIMITS`); what the scenarios are is in `node/tests/limits`.\n\
         Node, attackers and honest traders share one machine: {machine}, test build (`dev` \
         profile).\n\
         Times are from when a frame was due until its durable answer, so a busy disk is in them.\n\n\
         | limit | asked | measured | holds |\n|---|---|---|---|\n{rows}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_among_other_lines() {
        let output = "running 2 tests\ntest a ... | b | c | d | yes |\nok\n| e | f | g | **no** |\n\
                      | h | i |\nthread | panicked\n";
        let rows = rows(output);
        assert_eq!(rows, ["| b | c | d | yes |", "| e | f | g | **no** |"]);
        let report = report(&rows, "no machine", "long");
        assert!(
            report.ends_with("|---|---|---|---|\n| b | c | d | yes |\n| e | f | g | **no** |\n")
        );
    }
}
