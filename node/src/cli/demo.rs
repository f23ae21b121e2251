//! `keel demo`: the main job on an embedded default, checked at the end.
//!
//! Starts a node in a temporary directory, drives it over real QUIC with signed frames, stops it,
//! replays its journal, and compares. Both sides run in this one process, so that its CPU time is
//! the cost of both.
//!
//! `--anchor` is another story, with a chain, which `keel-anchor` tells.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::State;
use loadgen::report::Verdict;
use loadgen::{Rate, RunOptions, RunReport, Target};

use super::{Failure, anchor, print_line};
use crate::data_dir::DataDir;
use crate::journal_io::JournalIoRequest;
use crate::limits_file::Limits;
use crate::recovery::{self, ReplayFrom, Restored, Workers};
use crate::running::{CheckpointOptions, JournalOptions, NodeOptions, Running};

/// Options of `keel demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Show instead how money comes in from a chain, is traded and goes back: on anvil, which must be
    /// installed. Takes no load.
    #[arg(long, conflicts_with_all = ["seconds", "frame", "clients", "rate", "seed", "signatures", "skeleton_seconds"])]
    anchor: bool,
    /// The program; without it, the one in the search path or of `cargo xtask evm install`.
    #[arg(long, value_name = "FILE", requires = "anchor")]
    anvil: Option<PathBuf>,
    /// How long to measure.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Commands in a frame.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    frame: u16,
    /// Clients, each with an account and a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    clients: u32,
    /// Commands a second over all clients; without it, as fast as possible.
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU64>,
    /// The same seed makes the same commands.
    #[arg(long, value_name = "X", default_value_t = 1)]
    seed: u64,
    /// A signature a frame, or one over all frames of a write.
    #[arg(long, value_enum, default_value_t)]
    signatures: loadgen::workload::Signatures,
    /// How long to measure a bare skeleton (QUIC, signatures and answers alone) afterwards; 0: not.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    skeleton_seconds: u64,
    /// Where to put the node's directory, which is removed at the end.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if options.anchor {
        return Err(anchor::start(&anchor_arguments(options)));
    }
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let what = format!("cannot make a directory in {}", parent.display());
    let temporary = tempfile::Builder::new()
        .prefix("keel-demo-")
        .tempdir_in(&parent)
        .map_err(|error| Failure::failed(&what, error))?;
    let directory = DataDir::open_or_create(temporary.path(), None)?;
    let node_options = NodeOptions {
        metrics: None,
        api: None,
        api_tls: None,
        history: None,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        limits: Limits::default(),
        journal: JournalOptions::default(),
        checkpoints: CheckpointOptions::default(),
        journal_io: JournalIoRequest::Auto,
        workers: Workers::ONE,
        cancel_only: Duration::ZERO,
        anchor_lag_limit: None,
    };
    let (running, _) = Running::start(directory, &node_options)?;
    let load = load_options(options, running.local_address());
    let progress = loadgen::cli::ProgressLine::new();
    let report = loadgen::run(&load, |at| progress.show(&at));
    progress.finish();
    let (state, directory) = running.stop();
    let failed = |error: loadgen::LoadError| Failure::Failed(error.to_string());
    let mut report = report.map_err(failed)?;
    let duration = Duration::from_secs(options.skeleton_seconds);
    report.add_skeleton(load.skeleton(duration).map_err(failed)?);
    let (report, replayed) = check(report, &state, &directory)?;
    if options.json {
        let json = serde_json::to_string(&report)
            .map_err(|error| Failure::failed("cannot write the report", error))?;
        print_line(&json);
    } else {
        print_line(text(&report, &replayed, &parent).trim_end());
    }
    match report.verdict {
        Verdict::Pass => Ok(()),
        Verdict::Fail => Err(Failure::Failed(report.failures.join("; "))),
    }
}

/// Of `keel anchor`.
fn anchor_arguments(options: &Options) -> Vec<&OsStr> {
    let mut arguments = vec![OsStr::new("demo")];
    if options.json {
        arguments.push(OsStr::new("--json"));
    }
    for (name, path) in [("--dir", &options.dir), ("--anvil", &options.anvil)] {
        if let Some(path) = path {
            arguments.extend([OsStr::new(name), path.as_os_str()]);
        }
    }
    arguments
}

fn load_options(options: &Options, node: SocketAddr) -> RunOptions {
    let target = Target {
        signatures: options.signatures.into(),
        ..Target::development(node)
    };
    RunOptions {
        target,
        rate: options.rate.map_or(Rate::Max, Rate::PerSecond),
        frame: usize::from(options.frame),
        clients: options.clients,
        duration: Duration::from_secs(options.seconds),
        seed: options.seed,
        ..RunOptions::development(node)
    }
}

/// What came of replaying the journal.
struct Replayed {
    commands: u64,
    seconds: f64,
    outcome_hash: String,
    state_root: String,
}

/// Replays the journal and compares it with the state that the node had when it stopped.
fn check(
    mut report: RunReport,
    live: &State,
    directory: &DataDir,
) -> Result<(RunReport, Replayed), Failure> {
    let started = Instant::now();
    let replayed =
        recovery::replay_directory(directory, ReplayFrom::Start, Workers::ONE, |_| Ok(()))?;
    let seconds = started.elapsed().as_secs_f64();
    recovery::torn_tail(directory, replayed.torn)?;
    let Restored { state, tree, .. } = replayed.end;
    let root = tree.root();
    let equal = state.position() == live.position()
        && state.digest() == live.digest()
        && root == live.ledger().state_root();
    report.replay_equal = Some(equal);
    report.conserved = Some(state.ledger().check_conservation().is_ok());
    report.judge();
    let replayed = Replayed {
        commands: state.position().sequence.get(),
        seconds,
        outcome_hash: state.position().outcome_hash.to_string(),
        state_root: root.to_string(),
    };
    Ok((report, replayed))
}

fn text(report: &RunReport, replayed: &Replayed, parent: &std::path::Path) -> String {
    let mut text = report.text();
    let rate = replayed.commands as f64 / replayed.seconds / 1e6;
    let _ = write!(
        text,
        "\nreplay          {} commands in {:.2} s, {rate:.1} million a second on one core\n\
         outcome hash    {}\n\
         state root      {}\n\
         \n\
         Both sides ran in this process: real QUIC on loopback, a signature a frame, answers only\n\
         after fdatasync in {}. Try also --frame 8, --frame 128, --rate 100000.\n",
        replayed.commands,
        replayed.seconds,
        replayed.outcome_hash,
        replayed.state_root,
        parent.display(),
    );
    text
}
