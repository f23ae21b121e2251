//! `keel client`: one JSON command a line on stdin, one JSON reply a line on stdout.
//!
//! A command is sent when the one before it is answered; input that is no command is answered
//! without being sent. `docs/CLIENT.md` has every request, reply and event, and a test reads each
//! request of it. Lines are read in `line` (as they are written) and `request` (against the
//! markets), and written in `reply`; `conversation` is what goes on between the two.

mod conversation;
mod line;
pub(super) mod reply;
mod request;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::ConnectOptions;

use super::connect::{connect_options, server_pin};
use super::{Failure, keygen};

/// Options of `keel client`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The node.
    #[arg(long, value_name = "A", default_value = "127.0.0.1:7001")]
    connect: SocketAddr,
    /// dev-0 .. dev-63, dev-operator, or a file made by `keel keygen`.
    #[arg(long, value_name = "K")]
    key: String,
    /// The node's public key as its `ready` line prints it; without it, the development key.
    #[arg(long, value_name = "HEX")]
    pin: Option<String>,
    /// How often the node hears of this client although there is nothing to say, in milliseconds. A
    /// session policy of so long a silence needs a third of it.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    keep_alive_ms: u64,
    /// Append the node's receipts to this file, for `keel audit`: a message a line, in hexadecimal.
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let pin = server_pin(options.pin.as_deref())?;
    let key = keygen::load(&options.key)?;
    let connect = ConnectOptions {
        keep_alive: Duration::from_millis(options.keep_alive_ms),
        receipts: options.receipts.is_some(),
        ..connect_options(options.connect, pin, key)
    };
    let receipts = options
        .receipts
        .as_deref()
        .map(open_to_append)
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start", error))?;
    let result = runtime.block_on(conversation::converse(&connect, receipts));
    // The thread that reads stdin may still wait for a line: nobody waits for it.
    runtime.shutdown_background();
    result
}

fn open_to_append(path: &Path) -> Result<File, Failure> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|error| Failure::failed(&path.display().to_string(), error))
}
