//! `keel reconcile`: what the clients of a recorded run saw, against the journal and the ledger.
//! `loadgen check` is this by another name.

use std::path::PathBuf;

use loadgen::check::Check;
use loadgen::report::Verdict;

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::{self, ReplayFrom, Workers};

/// Options of `keel reconcile`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// What `loadgen run --record` has left.
    #[arg(long, value_name = "FOLDER")]
    record: PathBuf,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    let unreadable = |error: loadgen::check::RecordError| Failure::Failed(error.to_string());
    let mut check = Check::open(&options.record, directory.genesis()).map_err(unreadable)?;
    let replayed =
        recovery::replay_directory(&directory, ReplayFrom::Start, Workers::ONE, |executed| {
            let balance = |account, asset| {
                let balance = executed.state.ledger().balance(account, asset);
                [balance.free.get(), balance.held.get()]
            };
            check
                .block(executed.block.first_sequence, executed.outcome, balance)
                .map_err(unreadable)
        })?;
    let report = check.finish().map_err(unreadable)?;
    let text = match options.json {
        true => {
            serde_json::to_string(&report).map_err(|error| Failure::failed("the report", error))?
        }
        false => report.text().trim_end().to_owned(),
    };
    print_line(&text);
    if report.verdict == Verdict::Fail {
        let count = report.discrepancies;
        return Err(Failure::Failed(format!("discrepancies: {count}")));
    }
    recovery::torn_tail(&directory, replayed.torn)
}
