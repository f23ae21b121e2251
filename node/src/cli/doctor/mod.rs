//! `keel doctor`: what this machine and a directory's disk offer to a node, and what to do about it.
//!
//! Never writes into a data directory that a node uses, and never judges its content; that is what
//! `keel verify` is for. A directory that nobody uses gets a short measurement, which leaves
//! nothing behind.
//!
//! `--json` prints one object:
//!
//! | key | what |
//! |---|---|
//! | `verdict` | the worst of all checks: `ok`, `warn` or `fail` |
//! | `checks` | each with `what`, `found`, `verdict` and `advice` (null if there is none) |
//! | `directory` | the one of `--dir`, or null |
//! | `in_use` | whether a running node has it |
//! | `journal_io` | what `keel serve` would choose now, `sync` or `uring`; null: not measured |
//! | `measurement` | null, or `rounds`, `direct`, `sync` and `uring`, each with `median_ns` and `worst_ns` (`uring` null: there is none) |

mod directory;
mod disk;
mod machine;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use store::{Measurement, StoreError, Timing};

use super::{Failure, print_line};
use crate::threads::Clock;

/// Options of `keel doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The directory whose disk to check; without it a temporary one.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Ok,
    /// A node runs, less well than it could.
    Warn,
    /// A node does not run, or would lose what it promised.
    Fail,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the report.
#[derive(Debug)]
struct Check {
    what: &'static str,
    found: String,
    verdict: Verdict,
    /// What to do.
    advice: Option<String>,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            found: found.into(),
            verdict: Verdict::Ok,
            advice: None,
        }
    }

    fn warn(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            advice: Some(advice.into()),
            ..Self::ok(what, found)
        }
    }

    fn fail(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(what, found, advice)
        }
    }

    /// Fine, or worth a warning.
    fn ok_if(good: bool, what: &'static str, found: String, advice: &str) -> Self {
        match good {
            true => Self::ok(what, found),
            false => Self::warn(what, found, advice),
        }
    }

    fn text(&self) -> String {
        let verdict = self.verdict.name();
        let line = format!("{verdict:<5} {:<14} {}", self.what, self.found);
        match &self.advice {
            Some(advice) => format!("{line}\n{:21}-> {advice}", ""),
            None => line,
        }
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "found": self.found,
            "verdict": self.verdict.name(),
            "advice": self.advice,
        })
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut checks = machine::checks();
    // Removed when it goes out of scope.
    let temporary = match &options.dir {
        Some(_) => None,
        None => Some(temporary_directory(&std::env::temp_dir())?),
    };
    let path = options.dir.as_deref();
    let path = path.or(temporary.as_ref().map(tempfile::TempDir::path));
    let path = path.expect("one of the two is there");
    let measured = if path.is_dir() {
        let measured = measure(path);
        checks.extend(disk::checks(path, &measured));
        checks.extend(directory::checks(path, is_locked(&measured)));
        Some(measured)
    } else {
        let found = format!("{} is not a directory", path.display());
        let advice = "make it, or name one on the disk that it will be on";
        checks.push(Check::fail("directory", found, advice));
        None
    };
    let verdict = checks.iter().map(|check| check.verdict).max();
    let verdict = verdict.unwrap_or(Verdict::Ok);
    if options.json {
        let measurement = measured
            .as_ref()
            .and_then(|measured| measured.as_ref().ok());
        print_line(
            &json!({
                "verdict": verdict.name(),
                "checks": checks.iter().map(Check::json).collect::<Vec<_>>(),
                "directory": options.dir,
                "in_use": measured.as_ref().is_some_and(is_locked),
                "journal_io": measurement.map(|found| found.choose().name()),
                "measurement": measurement.map(measurement_json),
            })
            .to_string(),
        );
    } else {
        checks.iter().for_each(|check| print_line(&check.text()));
        print_line(&format!("verdict: {}", verdict.name()));
    }
    let failed = |check: &&Check| check.verdict == Verdict::Fail;
    let failed: Vec<_> = checks.iter().filter(failed).map(|c| c.what).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("failed: {}", failed.join(", ")))),
    }
}

/// Measures beside the journal where there is one, so that its lock tells whether it is in use, and
/// else in a directory that is removed again.
fn measure(path: &Path) -> Result<Measurement, StoreError> {
    let clock = Clock::start();
    let clock = || clock.unix_nanos();
    if path.join("journal").is_dir() {
        return store::measure(path, &clock);
    }
    match temporary_directory(path) {
        Ok(beside) => store::measure(beside.path(), &clock),
        Err(_) => store::measure(path, &clock),
    }
}

fn temporary_directory(parent: &Path) -> Result<tempfile::TempDir, Failure> {
    let what = format!("cannot make a directory in {}", parent.display());
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix("keel-doctor-").tempdir_in(parent);
    made.map_err(|error| Failure::failed(&what, error))
}

const fn is_locked(measured: &Result<Measurement, StoreError>) -> bool {
    matches!(measured, Err(StoreError::Locked { .. }))
}

fn measurement_json(measurement: &Measurement) -> Value {
    let timing = |timing: &Timing| json!({"median_ns": timing.median, "worst_ns": timing.worst});
    json!({
        "rounds": measurement.rounds,
        "direct": measurement.direct,
        "sync": timing(&measurement.sync),
        "uring": measurement.uring.as_ref().ok().map(timing),
    })
}
