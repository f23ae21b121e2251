//! Figures and comparisons that need a node of its own: how long a restart takes, and that both
//! build profiles read the same journal alike.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Failure, Project};

/// Commands that are in the journal when the node is killed, at least.
const COMMANDS: u64 = 1_000_000;
/// Rounds of load until so many are in, at most.
const ROUNDS: u32 = 60;

/// Loads a node until a million commands are durable, kills it, and prints how long the next start
/// takes until it is ready: without any checkpoint, and with those that a node makes by default.
pub(crate) fn recovery(project: &Project) -> Result<(), Failure> {
    build(project, &["--release"])?;
    for (what, arguments) in [("no checkpoint", &NO_CHECKPOINT[..]), ("checkpoints", &[])] {
        let folder = Folder::new("recovery")?;
        let mut durable = 0;
        let mut rounds = 0;
        let mut node = Node::start(project, &folder.path, arguments)?;
        while durable < COMMANDS && rounds < ROUNDS {
            load(project, &node.listen, "1")?;
            node.kill()?;
            // A start per round: only the node itself can say how many commands are durable.
            node = Node::start(project, &folder.path, arguments)?;
            durable = node.sequence;
            rounds += 1;
        }
        node.kill()?;
        for _ in 0..STARTS {
            let node = Node::start(project, &folder.path, arguments)?;
            let (sequence, ready) = (node.sequence, node.ready);
            println!("recovery, {what}: {sequence} commands, {ready:?} from spawn to ready");
            node.kill()?;
        }
    }
    Ok(())
}

/// The next one is due in an hour.
const NO_CHECKPOINT: [&str; 2] = ["--checkpoint-interval", "3600000"];
/// Starts that are timed.
const STARTS: u32 = 3;

/// One journal, replayed by the debug and by the release build: the same hashes and root.
pub(crate) fn profiles(project: &Project) -> Result<(), Failure> {
    build(project, &[])?;
    build(project, &["--release"])?;
    let folder = Folder::new("profiles")?;
    let node = Node::start(project, &folder.path, &[])?;
    load(project, &node.listen, "1")?;
    node.kill()?;
    let replay = |profile| -> Result<String, Failure> {
        let mut keel = project.command(&binary(project, profile, "keel"));
        keel.args(["replay", "--roots", "--dir"]).arg(&folder.path);
        project.capture(keel)
    };
    let (debug, release) = (replay("debug")?, replay("release")?);
    match first_difference(&debug, &release) {
        None => {
            println!(
                "profiles: {} lines of hashes are equal",
                debug.lines().count()
            );
            Ok(())
        }
        Some(line) => Err(Failure::new(format!(
            "the replays of debug and release differ in line {line}"
        ))),
    }
}

/// The first line, from 1, in which two texts differ; nothing at all is a difference too.
fn first_difference(left: &str, right: &str) -> Option<usize> {
    if left.is_empty() {
        return Some(1);
    }
    let same = left.lines().zip(right.lines()).take_while(|(a, b)| a == b);
    let same = same.count();
    (same < left.lines().count().max(right.lines().count())).then_some(same + 1)
}

fn build(project: &Project, profile: &[&str]) -> Result<(), Failure> {
    let mut cargo = project.command("cargo");
    cargo.args(["build", "--locked", "-p", "node", "-p", "loadgen"]);
    cargo.args(profile);
    project.execute(cargo)
}

fn binary(project: &Project, profile: &str, name: &str) -> String {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| project.root().join("target"), PathBuf::from);
    target
        .join(profile)
        .join(name)
        .to_string_lossy()
        .into_owned()
}

/// Full load for some seconds. Its report goes nowhere: the node tells what is durable.
fn load(project: &Project, listen: &str, seconds: &str) -> Result<(), Failure> {
    let mut loadgen = project.command(&binary(project, "release", "loadgen"));
    loadgen.args([
        "run",
        "--connect",
        listen,
        "--warm-up",
        "0",
        "--seconds",
        seconds,
    ]);
    project.capture(loadgen).map(drop)
}

/// A folder for a data directory, removed at the end.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new(name: &str) -> Result<Self, Failure> {
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

/// A release build of `keel serve`.
struct Node {
    process: Child,
    listen: String,
    sequence: u64,
    /// From spawn to its ready line.
    ready: Duration,
}

impl Node {
    fn start(project: &Project, directory: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("keel serve: {error}"));
        let mut keel = project.command(&binary(project, "release", "keel"));
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
            ready,
        };
        // On an error the half-made one is dropped, which ends the process.
        let not_ready = || Failure::new(format!("keel serve is not ready: {line:?}"));
        node.listen = field(&line, "listen=").ok_or_else(not_ready)?;
        let sequence = field(&line, "sequence=").and_then(|text| text.parse().ok());
        node.sequence = sequence.ok_or_else(not_ready)?;
        Ok(node)
    }

    /// `kill -9`.
    fn kill(mut self) -> Result<(), Failure> {
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
    fn differences_of_replays_are_found() {
        for (left, right, expected) in [
            ("1,a\n2,b\n", "1,a\n2,b\n", None),
            ("1,a\n2,b\n", "1,a\n2,c\n", Some(2)),
            ("1,a\n2,b\n", "1,a\n", Some(2)),
            ("1,a\n", "1,a\n2,b\n", Some(2)),
            ("", "", Some(1)),
        ] {
            assert_eq!(
                first_difference(left, right),
                expected,
                "{left:?} {right:?}"
            );
        }
    }

    #[test]
    fn the_ready_line_is_read() {
        let line = "ready listen=127.0.0.1:7001 sequence=42 network 1 genesis ab (keys)";
        assert_eq!(field(line, "listen="), Some("127.0.0.1:7001".to_owned()));
        assert_eq!(field(line, "sequence="), Some("42".to_owned()));
        assert_eq!(field(line, "height="), None);
    }
}
