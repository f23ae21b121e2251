//! `keel anchor watch`: deposits and forced requests, brought to the ledger one after the other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use client::{ConnectOptions, ServerPin, Session, SignatureMode};
use serde_json::{Value, json};
use tokio::time::sleep;
use types::auth::{PublicKey, SigningKey};
use types::decimal::bytes_from_hex;
use types::genesis;

use super::options::Bridge;
use super::{Failure, Outcome, print};
use crate::watcher::{WatchError, Watched, Watcher};

/// Options of `keel anchor watch`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    bridge: Bridge,
    /// The node's address.
    #[arg(long, value_name = "A")]
    connect: SocketAddr,
    /// The node's public key; without it, a development network's.
    #[arg(long, value_name = "HEX", value_parser = parse_pin)]
    pin: Option<PublicKey>,
    /// A session key of an operator's account: a file of `keel keygen`, or `dev-operator`. No other
    /// program may use it at the same time.
    #[arg(long, value_name = "K", value_parser = parse_key)]
    session_key: SigningKey,
    /// The data directory of the node.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// How many blocks must be on top of an entry's block before it counts.
    #[arg(long, value_name = "K", default_value_t = 64)]
    confirmations: u64,
    /// Bring what has enough confirmations and end; else go on for ever.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks at the chain.
    #[arg(long, value_name = "S", default_value_t = 6)]
    interval: u64,
}

pub(super) async fn run(options: &Options, json: bool) -> Outcome {
    let session = Session::open(ConnectOptions {
        server: options.connect,
        pin: options
            .pin
            .map_or(ServerPin::Development, ServerPin::PublicKey),
        network: None,
        key: options.session_key.clone(),
        signatures: SignatureMode::Frame,
        keep_alive: client::KEEP_ALIVE,
        receipts: false,
    });
    let session = session.await.map_err(Failure::failed)?;
    let bridge = options.bridge.open()?;
    let data = options.dir.clone();
    let mut watcher = Watcher::new(bridge, session, data, options.confirmations);
    loop {
        match watcher.step().await {
            Ok(watched) if options.once => {
                watcher.session.close().await;
                return Ok(told(&watched));
            }
            Ok(watched) if watched.consumed == 0 => {}
            Ok(watched) => print(&told(&watched), json),
            // The chain or its nodes may be there again; what else is wrong stays wrong.
            Err(WatchError::Chain(error)) if !options.once => {
                eprintln!("keel-anchor: {error}; trying again");
            }
            Err(error) => return Err(Failure::failed(error)),
        }
        sleep(Duration::from_secs(options.interval)).await;
    }
}

fn told(watched: &Watched) -> Value {
    json!({
        "consumed_now": watched.consumed,
        "consumed": watched.count,
        "unconfirmed": watched.unconfirmed,
    })
}

fn parse_pin(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_hex(text).ok_or_else(|| "not 64 hexadecimal digits".to_owned())
}

fn parse_key(name: &str) -> Result<SigningKey, String> {
    if genesis::development_names().any(|known| known == name) {
        return Ok(SigningKey::development(name));
    }
    let text = std::fs::read_to_string(name).map_err(|error| error.to_string())?;
    let seed = bytes_from_hex(text.trim()).map(SigningKey::from_seed);
    seed.ok_or_else(|| "not 64 hexadecimal digits".to_owned())
}
