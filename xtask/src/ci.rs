//! The steps of CI, cheapest first. The first one that fails ends the run.
//!
//! Every step that builds names the whole workspace and then what it wants of it, never a package:
//! which features the crates of others have is decided over the packages that are named, and with other
//! features of `zerocopy` alone everything from `types` on is built again.

use std::time::Instant;

use crate::project::{Failure, Project};
use crate::{
    conformance, edges, evm, examples, instructions, notebook, page, python_client, recovery,
    report, tidy, versions,
};

/// One thing that must hold.
struct Step {
    name: &'static str,
    work: Work,
}

enum Work {
    /// A check of ours.
    Check(fn(&Project) -> Result<(), Failure>),
    /// A cargo command, and what to set in its environment.
    Cargo(
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
    ),
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        work: Work::Cargo(&["fmt", "--all", "--", "--check"], &[]),
    },
    Step {
        name: "tidy",
        work: Work::Check(tidy::run),
    },
    Step {
        name: "edges",
        work: Work::Check(edges::run),
    },
    Step {
        name: "versions",
        work: Work::Check(versions::run),
    },
    Step {
        name: "clippy",
        work: Work::Cargo(
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        ),
    },
    // `--all-targets` passes over what a plain `cargo test` does.
    Step {
        name: "clippy of strace tests",
        work: Work::Cargo(
            &[
                "clippy",
                "--workspace",
                "--test",
                "strace",
                "--test",
                "limits",
                "--test",
                "anvil",
                "--locked",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        ),
    },
    // Nor does it see what only model checkers build.
    Step {
        name: "clippy of model checkers",
        work: Work::Cargo(
            &[
                "clippy",
                "--workspace",
                "--features",
                "engine/shuttle,engine/loom",
                "--test",
                "shuttle",
                "--test",
                "loom",
                "--locked",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        ),
    },
    Step {
        name: "docs",
        work: Work::Cargo(
            &["doc", "--workspace", "--no-deps", "--locked"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ),
    },
    Step {
        name: "tests",
        work: Work::Cargo(&["test", "--workspace", "--locked"], &[]),
    },
    // What a plain test run cannot do for want of tools or time. One after the other: they measure
    // delays and load the disk.
    Step {
        name: "faults",
        work: Work::Cargo(
            &[
                "test",
                "--workspace",
                "--test",
                "strace",
                "--locked",
                "--",
                "--test-threads",
                "1",
            ],
            &[],
        ),
    },
    // Crowds, slow and greedy clients and overload, short: who is answered what.
    Step {
        name: "limits",
        work: Work::Cargo(
            &[
                "test",
                "--workspace",
                "--test",
                "limits",
                "--locked",
                "--",
                "--test-threads",
                "1",
            ],
            &[],
        ),
    },
    Step {
        name: "kills",
        work: Work::Cargo(
            &["test", "--workspace", "--test", "kill_loop", "--locked"],
            &[("KEEL_KILL_CYCLES", "200")],
        ),
    },
    // Each mistake that is planted on purpose must be caught, by the simulation of a node or by the
    // comparison of the executors. A build of its own: no other has them.
    Step {
        name: "planted bugs",
        work: Work::Cargo(
            &[
                "test",
                "--workspace",
                "--features",
                "sim/planted-bugs,engine/planted-bugs",
                "--test",
                "planted",
                "--test",
                "parallel",
                "--locked",
                "planted",
            ],
            &[],
        ),
    },
    // The parallel executor under every schedule that shuttle comes upon, and its list without a lock
    // under everything that the memory model allows. A build of its own: its locks are not real.
    Step {
        name: "model checkers",
        work: Work::Cargo(
            &[
                "test",
                "--workspace",
                "--features",
                "engine/shuttle,engine/loom",
                "--test",
                "shuttle",
                "--test",
                "loom",
                "--locked",
            ],
            &[],
        ),
    },
    // Benches run a small size once, so that they never rot; what the tests have built will do.
    Step {
        name: "benches",
        work: Work::Cargo(
            &[
                "bench",
                "--workspace",
                "--bench",
                "*",
                "--profile",
                "dev",
                "--locked",
                "--",
                "--test",
            ],
            &[],
        ),
    },
    // The whole node at full speed for three seconds: its verdict is the exit code.
    Step {
        name: "demo",
        work: Work::Cargo(
            &[
                "run",
                "--release",
                "--locked",
                "--",
                "demo",
                "--seconds",
                "3",
            ],
            &[],
        ),
    },
    // Because by now both are built.
    Step {
        name: "profiles",
        work: Work::Check(recovery::profiles),
    },
    // Counts of a release build, which is there by now.
    Step {
        name: "instructions",
        work: Work::Check(instructions::run),
    },
    Step {
        name: "examples",
        work: Work::Check(examples::run),
    },
    Step {
        name: "report",
        work: Work::Check(report::run),
    },
    Step {
        name: "python client",
        work: Work::Check(python_client::run),
    },
    Step {
        name: "conformance",
        work: Work::Check(conformance::run),
    },
    Step {
        name: "notebook",
        work: Work::Check(notebook::run),
    },
    // The contracts, and the way in and out on a real chain.
    Step {
        name: "evm",
        work: Work::Check(evm::test),
    },
    Step {
        name: "page",
        work: Work::Check(page::run),
    },
];

/// Runs all steps.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let start = Instant::now();
    for (done, step) in STEPS.iter().enumerate() {
        println!("\n== {} ({} of {})", step.name, done + 1, STEPS.len());
        let step_start = Instant::now();
        let result = step.run(project);
        let seconds = step_start.elapsed().as_secs_f64();
        match result {
            Ok(()) => println!("== {}: passed in {seconds:.1} s", step.name),
            Err(failure) => {
                return Err(Failure::new(format!(
                    "{failure}\n== ci: {} failed after {seconds:.1} s; {done} of {} steps passed",
                    step.name,
                    STEPS.len()
                )));
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "\n== ci: all {} steps passed in {seconds:.1} s",
        STEPS.len()
    );
    Ok(())
}

impl Step {
    fn run(&self, project: &Project) -> Result<(), Failure> {
        match self.work {
            Work::Check(check) => check(project),
            Work::Cargo(arguments, environment) => {
                let mut cargo = project.command("cargo");
                cargo.args(arguments).envs(environment.iter().copied());
                project.execute(cargo)
            }
        }
    }
}
