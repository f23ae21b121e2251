//! `keel serve`: runs a node until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::path::PathBuf;

use gateway::GatewayConfig;
use tokio::signal::unix::{SignalKind, signal};
use types::NetworkId;

use super::replay::Executor;
use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::journal_io::JournalIoRequest;
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
    journal_io: JournalIoRequest,
    /// Print one machine-readable object when ready.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // Both names mean the sequential executor until there is another one.
    let (Executor::Auto | Executor::Sequential) = options.executor;
    let directory = DataDir::open_or_create(&options.dir, options.genesis.as_deref())?;
    let node_options = NodeOptions {
        listen: options.listen,
        gateway: GatewayConfig::default(),
        journal_io: options.journal_io,
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
            "journal_io": running.journal_io().name(),
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
        "ready listen={listen} sequence={sequence} {} journal_io={} ({pin})",
        describe(genesis),
        running.journal_io().name()
    ));
}
