//! `keel dump`: the state at the end of a journal, as canonical text.

use std::path::PathBuf;

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::{self, ReplayFrom, Workers};
use crate::text;

/// Options of `keel dump`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    #[command(flatten)]
    what: What,
}

/// What to print.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// `account asset free held`, for every balance that is not zero.
    #[arg(long)]
    balances: bool,
    /// `order_id account market side price remaining client_order_id`, for every open order.
    #[arg(long)]
    orders: bool,
    /// `account key base window`, for every key that has used a nonce.
    #[arg(long)]
    nonces: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    let replayed =
        recovery::replay_directory(&directory, ReplayFrom::Newest, Workers::ONE, |_| Ok(()))?;
    let state = &replayed.end.state;
    let lines = if options.what.balances {
        text::balances(state, directory.genesis())
    } else if options.what.orders {
        text::orders(state)
    } else {
        text::nonces(state)
    };
    if !lines.is_empty() {
        print_line(&lines.join("\n"));
    }
    recovery::torn_tail(&directory, replayed.torn)
}
