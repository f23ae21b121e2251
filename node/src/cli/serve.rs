//! `keel serve`: runs a node until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::path::PathBuf;

use gateway::GatewayConfig;
use store::SegmentLength;
use tokio::signal::unix::{SignalKind, signal};
use types::NetworkId;

use super::replay::Executor;
use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::describe;
use crate::running::{NodeOptions, Running};

/// Options of `keel serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory; made if there is none.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Genesis of a new directory; without it the development genesis.
    #[arg(long, value_name = "G.toml")]
    genesis: Option<PathBuf>,
    /// Where native clients connect (QUIC).
    #[arg(long, default_value = "127.0.0.1:7001")]
    listen: SocketAddr,
    /// Which executor executes.
    #[arg(long, value_enum, default_value_t)]
    executor: Executor,
    /// How the journal reaches the disk.
    #[arg(long, value_enum, default_value_t)]
    journal_io: JournalIo,
    /// Print one machine-readable object when ready.
    #[arg(long)]
    json: bool,
    /// Length of journal segments to come, in bytes. For tests, which cannot wait for 64 MiB to be
    /// full: a block that does not fit a segment stops the node, and the default holds any block.
    #[arg(long, hide = true, value_name = "BYTES", value_parser = parse_segment_length)]
    segment_length: Option<SegmentLength>,
}

/// Ways to the disk that this version has.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum JournalIo {
    /// The best on this machine.
    #[default]
    Auto,
    /// Direct writes, each batch followed by fdatasync.
    Sync,
}

fn parse_segment_length(text: &str) -> Result<SegmentLength, String> {
    let bytes = text.parse().ok().and_then(SegmentLength::new);
    bytes.ok_or_else(|| "not whole pages, at least two".to_owned())
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // Each pair means the same until there is a second executor and a second way to the disk.
    let (Executor::Auto | Executor::Sequential) = options.executor;
    let (JournalIo::Auto | JournalIo::Sync) = options.journal_io;
    let directory = DataDir::open_or_create(&options.dir, options.genesis.as_deref())?;
    let node_options = NodeOptions {
        listen: options.listen,
        gateway: GatewayConfig::default(),
        segment_length: options.segment_length.unwrap_or_default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start", error))?;
    runtime.block_on(async {
        // Before `ready`, so that a stop right after it is clean.
        let handler = |kind| signal(kind).map_err(|error| Failure::failed("signals", error));
        let (mut terminate, mut interrupt) = (
            handler(SignalKind::terminate())?,
            handler(SignalKind::interrupt())?,
        );
        let (mut running, recovery) = Running::start(directory, &node_options)?;
        if let Some(torn) = &recovery.torn {
            eprintln!("keel: {torn}");
        }
        print_ready(&running, recovery.sequence, options.json);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // The first failed write or sync: no answer that waits for it may ever leave.
            reason = running.fatal() => return Err(Failure::Failed(reason)),
        }
        let (state, _) = running.stop();
        let position = state.position();
        eprintln!("keel: stopped at sequence {}", position.sequence);
        Ok(())
    })
}

fn print_ready(running: &Running, sequence: u64, json: bool) {
    let genesis = running.directory().genesis();
    let (listen, pin) = (running.local_address(), running.public_key());
    if json {
        let object = serde_json::json!({
            "ready": true,
            "listen": listen.to_string(),
            "pin": pin.to_string(),
            "network": genesis.network().get(),
            "genesis": genesis.hash().to_string(),
            "sequence": sequence,
        });
        print_line(&object.to_string());
        return;
    }
    let pin = if genesis.network() == NetworkId::DEVELOPMENT {
        "development keys: for this machine only".to_owned()
    } else {
        format!("clients pin {pin}")
    };
    print_line(&format!(
        "ready listen={listen} sequence={sequence} {} ({pin})",
        describe(genesis)
    ));
}
