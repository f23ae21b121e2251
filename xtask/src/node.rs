//! A node of its own for the commands that need one: built, started on a free port, ended.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Failure, Project};

/// Builds `keel` and `loadgen` of the whole workspace, as `ci` does: what that has built before will do.
/// A debug build comes with the examples, for then crates have the features that tests need of them.
pub(crate) fn build(project: &Project, profile: &[&str]) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo.args(["build", "--locked", "--workspace"]);
    cargo.args(["--bin", "keel", "--bin", "loadgen"]);
    match profile {
        [] => cargo.arg("--examples"),
        profile => cargo.args(profile),
    };
    project.execute(cargo)
}

pub(crate) fn binary(project: &Project, profile: &str, name: &str) -> String {
    target(project)
        .join(profile)
        .join(name)
        .to_string_lossy()
        .into_owned()
}

/// Where builds go.
pub(crate) fn target(project: &Project) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| project.root().join("target"), PathBuf::from)
}

/// A folder for a data directory, removed at the end.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let name = format!("keel-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the folder for such files, so nothing is lost if it stays.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// `keel serve` on a free port, ended with this.
pub(crate) struct Node {
    process: Child,
    pub(crate) listen: String,
    pub(crate) sequence: u64,
    /// Where it serves its numbers, if it was told to.
    pub(crate) metrics: Option<String>,
    api: Option<String>,
    /// From spawn to its ready line.
    pub(crate) ready: Duration,
}

impl Node {
    /// Starts a release build and waits until it is ready.
    pub(crate) fn start(
        project: &Project,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        Self::start_of(project, "release", directory, arguments)
    }

    /// Starts a build of this profile.
    pub(crate) fn start_of(
        project: &Project,
        profile: &str,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("keel serve: {error}"));
        let mut keel = project.command(&binary(project, profile, "keel"));
        keel.args(["serve", "--listen", "127.0.0.1:0", "--dir"]);
        let spawned = Instant::now();
        let mut process = keel
            .arg(directory)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(failed)?;
        let ready = spawned.elapsed();
        let mut node = Self {
            process,
            listen: String::new(),
            sequence: 0,
            metrics: field(&line, "metrics="),
            api: field(&line, "api="),
            ready,
        };
        // On an error the half-made one is dropped, which ends the process.
        let not_ready = || Failure::new(format!("keel serve is not ready: {line:?}"));
        node.listen = field(&line, "listen=").ok_or_else(not_ready)?;
        let sequence = field(&line, "sequence=").and_then(|text| text.parse().ok());
        node.sequence = sequence.ok_or_else(not_ready)?;
        Ok(node)
    }

    /// Where traders' clients connect, if it was told to let them.
    pub(crate) fn api(&self) -> Result<&str, Failure> {
        let not_there = || Failure::new("keel serve names no address of its trader API");
        self.api.as_deref().ok_or_else(not_there)
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        ended
            .map_err(|error| Failure::new(format!("keel serve: {error}")))
            .map(drop)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // After `kill` there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The word after `name` in `ready listen=… sequence=… …`.
fn field(line: &str, name: &str) -> Option<String> {
    let word = line.split(' ').find_map(|word| word.strip_prefix(name));
    word.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_read() {
        let line = "ready listen=127.0.0.1:7001 sequence=42 network 1 metrics=[::1]:9 (keys)";
        assert_eq!(field(line, "listen="), Some("127.0.0.1:7001".to_owned()));
        assert_eq!(field(line, "sequence="), Some("42".to_owned()));
        assert_eq!(field(line, "metrics="), Some("[::1]:9".to_owned()));
        assert_eq!(field(line, "height="), None);
    }
}
