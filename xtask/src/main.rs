//! Project commands: `cargo xtask COMMAND`. CI runs `cargo xtask ci` and nothing else, so whatever
//! it checks can be checked the same way before a commit.
//!
//! To add a command, write a module with a `run` and a line in [`COMMANDS`]; to make CI run it, add
//! a line to `ci::STEPS`. Checks are pure functions over text, each with a test in which it fails
//! on a planted example; reading files and running programs is kept to [`project`].
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // A command-line tool reports on standard output.

mod ci;
mod conformance;
mod curve;
mod document;
mod edges;
mod evm;
mod examples;
mod faults;
mod fetch_data;
mod flows;
mod fuzz;
mod instructions;
mod limits;
mod node;
mod notebook;
mod oracle;
mod packages;
mod page;
mod project;
mod python_client;
mod recovery;
mod report;
mod shuttle;
mod sim;
mod tidy;
mod versions;

use std::process::ExitCode;

use project::{Failure, Project};

/// One project command.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&Project) -> Result<(), Failure>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "ci",
        about: "everything that CI checks, in its order",
        run: ci::run,
    },
    Command {
        name: "tidy",
        about: "house rules over all tracked and new files",
        run: tidy::run,
    },
    Command {
        name: "edges",
        about: "which crate may use which, and what the pure crates must not use",
        run: edges::run,
    },
    Command {
        name: "versions",
        about: "minimum and banned versions over Cargo.lock",
        run: versions::run,
    },
    Command {
        name: "fetch-data",
        about: "get the recorded order stream into data/, which git ignores",
        run: fetch_data::run,
    },
    Command {
        name: "kill-loop",
        about: "the long form of the kill test: 2,000 times `kill -9` under load",
        run: faults::kill_loop,
    },
    Command {
        name: "silence",
        about: "a thousand clients with a session policy are killed under load",
        run: faults::silence,
    },
    Command {
        name: "storm",
        about: "a million commands of sixteen processes on one key, sent again at random",
        run: faults::storm,
    },
    Command {
        name: "faults",
        about: "the long form of failing calls: the first to the fiftieth of each (strace, root)",
        run: faults::faults,
    },
    Command {
        name: "recovery",
        about: "how long a start takes after a million commands and `kill -9`",
        run: recovery::recovery,
    },
    Command {
        name: "profiles",
        about: "one journal replayed by the debug and the release build: equal hashes and root",
        run: recovery::profiles,
    },
    Command {
        name: "examples",
        about: "the market maker and the taker of client/examples against a real node",
        run: examples::run,
    },
    Command {
        name: "report",
        about: "the page of `loadgen run`, opened in Chromium: its figures are those of the JSON",
        run: report::run,
    },
    Command {
        name: "instructions",
        about: "instructions of the hot functions, against benches/instructions.toml (valgrind)",
        run: instructions::run,
    },
    Command {
        name: "ratchet",
        about: "writes benches/instructions.toml anew",
        run: instructions::ratchet,
    },
    Command {
        name: "curve",
        about: "rate and latency from one market to many, both executors: a table and a plot",
        run: curve::run,
    },
    Command {
        name: "python-client",
        about: "the client in Python, made from docs/PROTOCOL.md alone, against a real node",
        run: python_client::run,
    },
    Command {
        name: "conformance",
        about: "traders' clients that nobody here wrote, unmodified, against a real node",
        run: conformance::run,
    },
    Command {
        name: "notebook",
        about: "the market maker in Python and the notebook of examples/ against a real node",
        run: notebook::run,
    },
    Command {
        name: "evm install",
        about: "compiler, forge and anvil for the contracts, below target",
        run: evm::install,
    },
    Command {
        name: "evm build",
        about: "compile the contracts into the committed artifacts",
        run: evm::build,
    },
    Command {
        name: "evm check",
        about: "compiling the contracts gives the committed artifacts",
        run: evm::check,
    },
    Command {
        name: "evm test",
        about: "the contracts: compared, fuzzed by forge, and end to end on anvil",
        run: evm::test,
    },
    Command {
        name: "page",
        about: "the web page against a real node, in Chromium",
        run: page::run,
    },
    Command {
        name: "limits",
        about: "the long form of the attacks on a node, and their report",
        run: limits::run,
    },
    Command {
        name: "fuzz",
        about: "the long form of fuzzing: each target for ten minutes",
        run: fuzz::run,
    },
    Command {
        name: "oracle",
        about: "the long form of the comparison with the oracle: many seeds, ten million cancels",
        run: oracle::run,
    },
    Command {
        name: "flows",
        about: "the long form of the comparison of the executors: 200,000 blocks",
        run: flows::run,
    },
    Command {
        name: "shuttle",
        about: "the long form of the schedules: four million of them, in which the executor must agree",
        run: shuttle::run,
    },
    Command {
        name: "sim",
        about: "the long form of the simulation: 200,000 crash points",
        run: sim::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.join(" ");
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("usage: cargo xtask COMMAND\n");
        for command in COMMANDS {
            eprintln!("  {:<13} {}", command.name, command.about);
        }
        return ExitCode::from(2);
    };
    match (command.run)(&Project::here()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
