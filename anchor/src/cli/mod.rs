//! The command line of `keel-anchor`, which is that of `keel anchor`.
//!
//! Each command ends with one object: one line of JSON with `--json`, else a line for each key.
//! Errors go to standard error with a reason and, where there is one, a hint. Exit codes: 0 fine,
//! 1 failed, 2 usage.

pub mod demo;
mod deploy;
mod exit;
mod inbox;
mod options;
mod publish;
mod status;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

/// The way between a ledger and an EVM chain.
#[derive(Debug, Parser)]
#[command(name = "keel-anchor", version, about)]
struct Arguments {
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole way on a chain of its own (anvil), and check it.
    Demo(demo::Options),
    /// Make a bridge and write the file that all other commands read.
    Deploy(deploy::Options),
    /// Publish a node's checkpoints.
    Publish(publish::Options),
    /// Bring deposits and forced requests to a node.
    Watch(Box<watch::Options>),
    /// Tell where bridge and node stand, and how far apart.
    Status(status::Options),
    /// Pay into the ledger.
    Deposit(inbox::DepositOptions),
    /// Demand a withdrawal or the end of all orders, past the operator.
    Force(inbox::ForceOptions),
    /// Take out what an account has withdrawn on the ledger.
    Withdraw(exit::WithdrawOptions),
    /// End the ledger's say, if an entry is overdue or nothing was published for too long.
    Freeze(exit::FreezeOptions),
    /// Take out all that an account has, after a freeze.
    Exit(exit::WithdrawOptions),
    /// Take out everything of everybody, from the chain and what was published alone.
    Escape(exit::EscapeOptions),
    /// With data on chain: rebuild the newest checkpoint's state from its blobs and compare the root.
    CheckData(exit::CheckOptions),
}

/// Why a command ended without doing its job.
#[derive(Debug)]
enum Failure {
    Failed(String),
    Usage(String),
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

type Outcome = Result<Value, Failure>;

/// Runs the command line.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments.command, arguments.json)),
        Err(error) => Err(Failure::Failed(format!("no runtime: {error}"))),
    };
    match outcome {
        Ok(value) => {
            print(&value, arguments.json);
            ExitCode::SUCCESS
        }
        Err(Failure::Failed(reason)) => {
            eprintln!("keel-anchor: {reason}");
            ExitCode::FAILURE
        }
        Err(Failure::Usage(reason)) => {
            eprintln!("keel-anchor: {reason}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command, json: bool) -> Outcome {
    match command {
        Command::Demo(options) => demo::run(&options, json).await,
        Command::Deploy(options) => deploy::run(&options).await,
        Command::Publish(options) => publish::run(&options, json).await,
        Command::Watch(options) => watch::run(&options, json).await,
        Command::Status(options) => status::run(&options).await,
        Command::Deposit(options) => inbox::deposit(&options).await,
        Command::Force(options) => inbox::force(&options).await,
        Command::Withdraw(options) => exit::withdraw(&options).await,
        Command::Freeze(options) => exit::freeze(&options).await,
        Command::Exit(options) => exit::exit(&options).await,
        Command::Escape(options) => exit::escape(&options).await,
        Command::CheckData(options) => exit::check_data(&options).await,
    }
}

/// A reader that went away ends the program without noise.
fn print(value: &Value, json: bool) {
    let mut text = String::new();
    match value {
        Value::Object(object) if !json => {
            for (key, value) in object {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                text.push_str(&format!("{key} {value}\n"));
            }
        }
        value => text = format!("{value}\n"),
    }
    if print_text(&text).is_err() {
        std::process::exit(0);
    }
}

fn print_text(text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
