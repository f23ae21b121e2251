//! `keel serve`: runs a node until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gateway::Pace;
use gateway::api::ApiTls;
use store::SegmentLength;
use tokio::signal::unix::{SignalKind, signal};
use types::NetworkId;
use types::limits::MESSAGE_LENGTH_MAX;

use super::replay::Executor;
use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::journal_io::JournalIoRequest;
use crate::limits_file::Limits;
use crate::recovery::{Workers, describe};
use crate::running::{CheckpointOptions, JournalOptions, NodeOptions, Recovery, Running};

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
    /// Where traders' clients connect (HTTP and WebSocket, the Hyperliquid dialect); nowhere without it.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:3001")]
    api: Option<SocketAddr>,
    /// The certificate of that port, and those that lead to it, in PEM: then it speaks HTTPS, and nothing
    /// else.
    #[arg(long, value_name = "FILE", requires_all = ["api", "api_key"])]
    api_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "api_cert")]
    api_key: Option<PathBuf>,
    /// What `keel history` has written of this exchange: candles, trades and fills that the API begins
    /// with. Without it it knows of none from before the start.
    #[arg(long, value_name = "H", requires = "api")]
    history: Option<PathBuf>,
    /// Where metrics and health are served (HTTP); nowhere without it.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Commands that an account may send a second, times its weight; without it as many as it likes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Commands that it may send at once after a silence; without it those of a second.
    #[arg(long, value_name = "M", requires = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    burst: Option<u32>,
    /// Limits of connections and commands, and weights of accounts, in TOML.
    #[arg(long, value_name = "L.toml")]
    limits: Option<PathBuf>,
    /// Which executor executes.
    #[arg(long, value_enum, default_value_t)]
    executor: Executor,
    /// Workers of the executor. More than one pay off only on a machine with more cores than the
    /// node's other threads use.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// How the journal reaches the disk.
    #[arg(long, value_enum, default_value_t)]
    journal_io: JournalIoRequest,
    /// Length of journal segments to come, in bytes: whole pages, at least 512 KiB.
    #[arg(long, value_name = "BYTES", default_value = "67108864", value_parser = parse_segment_length)]
    segment_length: SegmentLength,
    /// Journal segments that are kept, as far as checkpoints cover what goes. Without it all are
    /// kept, and anyone can replay from the genesis.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    keep_segments: Option<u64>,
    /// The least time between two checkpoints, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..))]
    checkpoint_interval: u64,
    /// Checkpoints that are kept.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    keep_checkpoints: u8,
    /// How long only cancels are taken after a restart, in milliseconds of logged time: so that market
    /// makers can come back first. 0: not at all. Without it 3,000, and 0 on a development network.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=CANCEL_ONLY_MS_MAX))]
    cancel_only: Option<u64>,
    /// Refuse withdrawals when `keel anchor publish` has not seen the newest checkpoint on the chain
    /// for so many seconds, which must be more than its --interval; without it, never.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    anchor_lag_limit: Option<u64>,
    /// Print one machine-readable object when ready.
    #[arg(long)]
    json: bool,
}

/// A day: nobody waits longer for a client.
const CANCEL_ONLY_MS_MAX: u64 = 86_400_000;

/// Market makers of a real network find their node again within this.
const CANCEL_ONLY_DEFAULT: Duration = Duration::from_secs(3);

impl Options {
    /// Whoever develops restarts often, and nobody else has orders there.
    fn cancel_only(&self, network: NetworkId) -> Duration {
        match self.cancel_only {
            Some(millis) => Duration::from_millis(millis),
            None if network == NetworkId::DEVELOPMENT => Duration::ZERO,
            None => CANCEL_ONLY_DEFAULT,
        }
    }

    /// The certificate that the two files hold.
    fn tls(&self) -> Result<Option<ApiTls>, Failure> {
        let (Some(chain), Some(key)) = (&self.api_cert, &self.api_key) else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            let wrong = |error| Failure::Usage(format!("{}: {error}", path.display()));
            std::fs::read(path).map_err(wrong)
        };
        let tls = ApiTls::from_pem(&read(chain)?, &read(key)?);
        let wrong = |error| {
            let (chain, key) = (chain.display(), key.display());
            Failure::Usage(format!("--api-cert {chain} --api-key {key}: {error}"))
        };
        tls.map(Some).map_err(wrong)
    }

    /// The file's, and what the command line says instead.
    fn limits(&self) -> Result<Limits, Failure> {
        let path = self.limits.as_deref();
        let mut limits = path.map(Limits::read).transpose()?.unwrap_or_default();
        if let Some(per_second) = self.rate {
            let burst = self.burst.unwrap_or(per_second);
            let pace = Some(Pace { per_second, burst });
            (limits.gateway.commands, limits.gateway.cancels) = (pace, pace);
        }
        Ok(limits)
    }
}

/// A frame of the largest size fits into a quarter.
const SEGMENT_LENGTH_MIN: u64 = 512 << 10;
const _: () = assert!(MESSAGE_LENGTH_MAX as u64 + 4_096 < SEGMENT_LENGTH_MIN / 4);

fn parse_segment_length(text: &str) -> Result<SegmentLength, String> {
    let bytes = text.parse().ok().filter(|it| SEGMENT_LENGTH_MIN <= *it);
    let length = bytes.and_then(SegmentLength::new);
    length.ok_or_else(|| "not whole pages of 4,096 bytes, at least 512 KiB".to_owned())
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open_or_create(&options.dir, options.genesis.as_deref())?;
    let node_options = NodeOptions {
        listen: options.listen,
        metrics: options.metrics,
        api: options.api,
        api_tls: options.tls()?,
        history: options.history.clone(),
        limits: options.limits()?,
        journal: JournalOptions {
            segment_length: options.segment_length,
            kept: options.keep_segments,
        },
        checkpoints: CheckpointOptions {
            interval: Duration::from_millis(options.checkpoint_interval),
            kept: usize::from(options.keep_checkpoints),
        },
        journal_io: options.journal_io,
        workers: Workers {
            kind: options.executor.kind(),
            count: usize::from(options.workers),
        },
        cancel_only: options.cancel_only(directory.genesis().network()),
        anchor_lag_limit: options.anchor_lag_limit.map(Duration::from_secs),
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
        for warning in &recovery.warnings {
            eprintln!("keel: {warning}");
        }
        print_ready(&running, &recovery, options.json);
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

fn print_ready(running: &Running, recovery: &Recovery, json: bool) {
    let sequence = recovery.sequence;
    let cancel_only_ms = recovery.grace.length_ns() / 1_000_000;
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
            "cancel_only_ms": cancel_only_ms,
            "journal_io": running.journal_io().name(),
            "metrics": running.metrics_address().map(|address| address.to_string()),
            "api": running.api_address().map(|address| address.to_string()),
        });
        print_line(&object.to_string());
        return;
    }
    let pin = if genesis.network() == NetworkId::DEVELOPMENT {
        "development keys: for this machine only".to_owned()
    } else {
        format!("clients pin {pin}")
    };
    let metrics = running.metrics_address();
    let metrics = metrics.map_or_else(String::new, |address| format!(" metrics={address}"));
    let api = running.api_address();
    let api = api.map_or_else(String::new, |address| format!(" api={address}"));
    let cancel_only = match cancel_only_ms {
        0 => String::new(),
        millis => format!(" cancel_only_ms={millis}"),
    };
    print_line(&format!(
        "ready listen={listen} sequence={sequence} {} journal_io={}{metrics}{api}{cancel_only} ({pin})",
        describe(genesis),
        running.journal_io().name()
    ));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn only_real_networks_are_cancel_only_unless_told_so() {
        let real = NetworkId::new(7);
        for (arguments, network, expected) in [
            (&[][..], NetworkId::DEVELOPMENT, 0),
            (&[], real, 3_000),
            (&["--cancel-only", "0"], real, 0),
            (&["--cancel-only", "70"], real, 70),
            (&["--cancel-only", "70"], NetworkId::DEVELOPMENT, 70),
        ] {
            let line = [&["serve", "--dir", "D"], arguments].concat();
            let Line { options } = Line::parse_from(line);
            let found = options.cancel_only(network);
            let expected = Duration::from_millis(expected);
            assert_eq!(found, expected, "{arguments:?} {network}");
        }
        let line = ["serve", "--dir", "D", "--cancel-only", "86400001"];
        assert!(Line::try_parse_from(line).is_err());
    }
}
