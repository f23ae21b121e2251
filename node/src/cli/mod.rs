//! The command line: parsing, exit codes, and one file per command.
//!
//! Exit codes: 0 fine, 1 failed, 2 usage, 3 corruption, 4 torn tail. Errors go to stderr with a
//! reason and, where there is one, a hint.

mod anchor;
mod audit;
mod check_proof;
mod client;
mod connect;
mod demo;
mod doctor;
mod dump;
mod history;
mod key;
mod keygen;
mod prove;
mod reconcile;
mod replay;
mod serve;
mod subscribe;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use store::StoreError;

/// An order-book exchange: run it, drive it, check it.
#[derive(Debug, Parser)]
#[command(name = "keel", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the main job on this machine and print a verdict.
    Demo(demo::Options),
    /// Run a node.
    Serve(serve::Options),
    /// Check every byte of a data directory; never writes.
    Verify(verify::Options),
    /// Re-execute a journal and check every recorded hash.
    Replay(replay::Options),
    /// Print the state at the end of a journal as text.
    Dump(dump::Options),
    /// Write trades, fills, orders and candles as Parquet files.
    History(history::Options),
    /// Prove what the newest checkpoint says about an account.
    Prove(prove::Options),
    /// Check a proof against a root.
    CheckProof(check_proof::Options),
    /// Compare when frames arrived, by signed receipts, with when they were executed.
    Audit(audit::Options),
    /// Compare what the clients of `loadgen run --record` saw with journal and ledger.
    Reconcile(reconcile::Options),
    /// Send JSON commands, one a line, to a node.
    Client(client::Options),
    /// Print what a feed tells, a line an event.
    Subscribe(subscribe::Options),
    /// Check what this machine and a directory's disk offer to a node.
    Doctor(doctor::Options),
    /// Make a key.
    Keygen(keygen::Options),
    /// Register or revoke a session key, by an account's wallet.
    Key(key::Options),
    /// Publish checkpoints to an EVM chain, bring deposits in, and take money out (`keel-anchor`).
    Anchor(anchor::Options),
}

/// Why a command ended without doing its job.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did not work; the text says what and why.
    #[error("{0}")]
    Failed(String),
    /// The request itself is wrong.
    #[error("{0}")]
    Usage(String),
    /// Damaged data; the text says which file and where.
    #[error("{0}")]
    Corruption(String),
    /// The journal ends in the middle of a record.
    #[error("{0}")]
    TornTail(String),
}

impl Failure {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Corruption(_) => 3,
            Self::TornTail(_) => 4,
        }
    }

    /// Puts what was being done before the reason.
    pub(crate) fn failed(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corruption { .. } | StoreError::RolledBack { .. } => {
                Self::Corruption(error.to_string())
            }
            StoreError::NoRing { .. } => Self::Failed(format!(
                "{error}\nhint: `--journal-io sync` needs none; `keel doctor` says what this \
                 machine has"
            )),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .init();
    let result = match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Dump(options) => dump::run(&options),
        Command::History(options) => history::run(&options),
        Command::Prove(options) => prove::run(&options),
        Command::CheckProof(options) => check_proof::run(&options),
        Command::Audit(options) => audit::run(&options),
        Command::Reconcile(options) => reconcile::run(&options),
        Command::Client(options) => client::run(&options),
        Command::Subscribe(options) => subscribe::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Keygen(options) => keygen::run(&options),
        Command::Key(options) => key::run(&options),
        Command::Anchor(options) => Err(anchor::run(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("keel: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Prints one line to stdout. A reader that went away ends the program without noise.
pub(crate) fn print_line(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let written = out.write_all(line.as_bytes()).and_then(|()| {
        out.write_all(b"\n")?;
        out.flush()
    });
    if written.is_err() {
        std::process::exit(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_ring_comes_with_a_hint() {
        let reason = "none here".to_owned();
        let failure = Failure::from(StoreError::NoRing { reason });
        assert_eq!(failure.exit_code(), 1);
        let text = failure.to_string();
        assert!(text.starts_with("io_uring is not available: none here\nhint: "));
    }
}
