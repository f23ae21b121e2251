//! Figures and comparisons that need a node of its own: how long a restart takes, and that both
//! build profiles read the same journal alike.

use crate::node::{Folder, Node, binary, build};
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
}
