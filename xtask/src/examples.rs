//! The examples of `client/examples` against a real node: they quote, trade, record, and say so.

use std::process::Stdio;

use crate::node::{Folder, Node, binary, build};
use crate::project::{Failure, Project};

/// Seconds that they trade.
const SECONDS: &str = "3";

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    build(project, &[])?;
    let folder = Folder::new("examples")?;
    let node = Node::start_of(project, "debug", &folder.path, &[])?;
    let example = |name| {
        let mut example = project.command(&binary(project, "debug/examples", name));
        example.args(["--connect", &node.listen, "--seconds", SECONDS]);
        example.stdout(Stdio::piped());
        example
    };
    let failed = |error| Failure::new(format!("market_maker: {error}"));
    let recorder = example("feed_recorder").spawn().map_err(failed)?;
    let maker = example("market_maker").spawn().map_err(failed)?;
    let taker = project.capture(example("taker"));
    let maker = maker.wait_with_output().map_err(failed)?;
    let (taker, maker) = (taker?, String::from_utf8_lossy(&maker.stdout).into_owned());
    let recorder = recorder.wait_with_output().map_err(failed)?;
    let recorder = String::from_utf8_lossy(&recorder.stdout).into_owned();
    let counted = recorder.lines().next_back().unwrap_or_default();
    println!("{maker}{taker}{counted}");
    node.kill()?;
    let mut keel = project.command(&binary(project, "debug", "keel"));
    keel.args(["verify", "--signatures", "--dir"])
        .arg(&folder.path);
    print!("{}", project.capture(keel)?);
    let faults = [
        fault("market maker", &maker, " quote sets,"),
        fault("taker", &taker, " orders,"),
        fault("market maker", &maker, " fills,"),
        fault("taker", &taker, " fills,"),
        fault("feed recorder", &recorder, " events,"),
        fault("feed recorder", &recorder, " books compared,"),
    ];
    Failure::unless_empty(faults.into_iter().flatten().collect())
}

/// What is wrong with the count before `what` in the last line of an example.
fn fault(name: &str, output: &str, what: &str) -> Option<String> {
    let last = output.lines().next_back().unwrap_or_default();
    let counted = last.strip_prefix(name).and_then(|line| {
        let (before, _) = line.split_once(what)?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    });
    match counted {
        Some(0) => Some(format!("{name}: no{what} {last:?}")),
        Some(_) => None,
        None => Some(format!("{name}: ended without its report: {last:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_that_does_nothing_is_found() {
        for (output, is_good) in [
            ("1 s\ntaker: 12 orders, 3 fills, 0 rejected\n", true),
            ("taker: 12 orders, 0 fills, 0 rejected\n", false),
            ("taker: no orders\n", false),
            ("market maker: 12 orders, 3 fills\n", false),
            ("", false),
        ] {
            let found = fault("taker", output, " fills,");
            assert_eq!(found.is_none(), is_good, "{output:?}: {found:?}");
        }
    }
}
