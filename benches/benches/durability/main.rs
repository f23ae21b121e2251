//! What durability costs: group commit by both ways to the disk, snapshots, the state tree and its
//! proofs, and executing a journal again.
//!
//! ```text
//! cargo bench -p benches --bench durability -- [--quick] [--only NAME] [--dir D]
//! ```
//!
//! Each section is a file with a table of its own. The ways take turns within a section, so that a
//! busy minute hits them alike; compare figures of one run only. A virtual disk may answer a sync
//! from its host's cache: what is shown is the cost on this machine, not that power loss is survived.
#![allow(missing_docs, unreachable_pub)] // A binary.
#![allow(clippy::print_stdout)] // Its output is what it is for.

mod commit_latency;
mod group_commit;
mod large_state;
mod replay;
mod scratch;

use std::path::PathBuf;
use std::process::ExitCode;

use benches::Size;
use clap::Parser;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Durability: what a commit costs.
#[derive(Debug, Parser)]
struct Options {
    /// An eighth of the work.
    #[arg(long)]
    quick: bool,
    /// Only see that it runs. Also what happens without `--bench`, which `cargo bench` passes.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true)]
    bench: bool,
    /// Only sections whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Where the journals go, to be removed afterwards; their disk is what is measured.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("durability: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let size = Size::asked(options.test, options.bench, options.quick);
    println!("durability, {}", size.name());
    if let Err(reason) = store::uring_available() {
        println!("io_uring is not available: {reason}");
    }
    let asked = |name: &str| options.only.as_ref().is_none_or(|part| name.contains(part));
    if asked("group_commit") {
        group_commit::run(size, &options.dir)?;
    }
    if asked("commit_latency") {
        commit_latency::run(size, &options.dir)?;
    }
    if asked("large_state") {
        large_state::run(size)?;
    }
    if asked("replay") {
        replay::run(size)?;
    }
    Ok(())
}
