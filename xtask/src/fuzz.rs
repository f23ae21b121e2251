//! The long form of fuzzing: each target for minutes. CI replays the corpus instead, as a test.
//!
//! Installs nothing. What a target finds new goes into `fuzz/found`, which git ignores: what of it
//! is worth keeping is a decision (`fuzz/README.md`).

use crate::project::{Failure, Project};

/// Seconds per target, unless `KEEL_FUZZ_SECONDS` says otherwise.
const SECONDS: &str = "600";

/// Longer inputs are slower and say nothing more.
const LENGTH_MAX: u32 = 2_048;

/// An input that takes longer than this many seconds is a finding.
const INPUT_SECONDS_MAX: u32 = 20;

const TARGETS_FOLDER: &str = "fuzz/fuzz_targets/";

/// Runs all targets one after the other. The first finding ends it.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let mut version = project.command("cargo");
    version.args(["fuzz", "--version"]);
    project.capture(version).map_err(|_| {
        Failure::new("fuzz: cargo-fuzz is missing; `cargo install cargo-fuzz --locked` gets it")
    })?;
    let seconds = std::env::var("KEEL_FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let files = project.files()?;
    let targets = targets(&files);
    for target in &targets {
        println!("\n== {target}");
        fuzz(project, target, &seconds)?;
    }
    println!("\n== fuzz: {} targets, nothing found", targets.len());
    Ok(())
}

fn fuzz(project: &Project, target: &str, seconds: &str) -> Result<(), Failure> {
    let folder = |name: &str| project.root().join("fuzz").join(name).join(target);
    let (found, corpus) = (folder("found"), folder("corpus"));
    std::fs::create_dir_all(&found)
        .map_err(|error| Failure::new(format!("{}: {error}", found.display())))?;
    let mut cargo = project.command("cargo");
    // A sanitizer needs an unstable compiler, and what is fuzzed has no `unsafe` of ours.
    cargo.args(["fuzz", "run", "--sanitizer", "none", target]);
    // The fuzzer writes into the first folder and reads all.
    cargo.args([found, corpus]);
    cargo.args(["--", &format!("-max_total_time={seconds}")]);
    cargo.arg(format!("-max_len={LENGTH_MAX}"));
    cargo.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    cargo.arg("-print_final_stats=1");
    project.execute(cargo)
}

/// The names of the targets among these files.
fn targets(files: &[String]) -> Vec<&str> {
    let names = files
        .iter()
        .filter_map(|path| path.strip_prefix(TARGETS_FOLDER)?.strip_suffix(".rs"));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_files_of_their_folder() {
        let files = [
            "fuzz/Cargo.toml",
            "fuzz/fuzz_targets/book.rs",
            "fuzz/fuzz_targets/wire.rs",
            "fuzz/src/book.rs",
        ];
        let files = files.map(str::to_owned);
        assert_eq!(targets(&files), ["book", "wire"]);
    }

    #[test]
    fn there_are_targets() {
        let files = Project::here().files().unwrap();
        assert!(!targets(&files).is_empty());
    }
}
