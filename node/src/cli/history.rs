//! `keel history`: trades, fills, orders and candles of a journal, as Parquet files.

use std::path::PathBuf;
use std::time::Duration;

use types::Height;

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::history::{Folder, Historian, HistoryError, Position};
use crate::recovery::{self, ReplayFrom, Workers};

/// Options of `keel history`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory; a node may be running on it.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Where the history goes: an empty folder, or one with the history of the same exchange.
    #[arg(long, value_name = "H")]
    out: PathBuf,
    /// Go on with what is new, so often, until it is ended.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,
    /// Delete chunks that ended so many days of logged time ago.
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
    /// Print one machine-readable object each time.
    #[arg(long)]
    json: bool,
}

const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    loop {
        let (position, forgotten) = write(options, &directory)?;
        report(options, &position, forgotten);
        match options.every {
            Some(seconds) => std::thread::sleep(Duration::from_secs(seconds.into())),
            None => return Ok(()),
        }
    }
}

/// Writes what the journal has beyond the history.
fn write(options: &Options, directory: &DataDir) -> Result<(Position, usize), Failure> {
    let genesis = directory.genesis();
    let (folder, position) = Folder::open(&options.out, genesis.hash()).map_err(failed)?;
    let from = beginning(directory, &position)?;
    let mut historian = Historian::new(&folder, genesis, position);
    // Beside a running node the batch that is being written looks like a torn tail: it is read the
    // next time.
    recovery::replay_directory(directory, from, Workers::ONE, |executed| {
        historian.follow(executed).map_err(failed)
    })?;
    let mut position = historian.finish().map_err(failed)?;
    let forgotten = match options.keep_days {
        Some(days) => {
            let kept_ns = u64::from(days).saturating_mul(DAY_NS);
            let before = position.time_ns.saturating_sub(kept_ns);
            folder.forget(&mut position, before).map_err(failed)?
        }
        None => 0,
    };
    Ok((position, forgotten))
}

/// The newest checkpoint that the history includes, so that little is executed again.
fn beginning(directory: &DataDir, position: &Position) -> Result<ReplayFrom, Failure> {
    let folders = store::Folders::open(directory.path());
    let mut heights = folders.checkpoints().heights()?.into_iter();
    let newest = heights.find(|height| height.get() <= position.height);
    if newest.is_none() && position.height == 0 && !folders.reaches_back()? {
        return Err(Failure::Failed(
            "the journal does not go back to its first block any more, so its history cannot be made"
                .to_owned(),
        ));
    }
    Ok(ReplayFrom::Height(newest.unwrap_or(Height::ZERO)))
}

fn report(options: &Options, position: &Position, forgotten: usize) {
    let Position {
        height, sequence, ..
    } = position;
    let chunks = position.chunks.len();
    if options.json {
        let object = serde_json::json!({
            "height": height,
            "sequence": sequence,
            "chunks": chunks,
            "chunks_deleted": forgotten,
        });
        print_line(&object.to_string());
    } else {
        print_line(&format!(
            "history up to block {height}, sequence {sequence}: {chunks} chunks, {forgotten} deleted"
        ));
    }
}

fn failed(error: HistoryError) -> Failure {
    Failure::failed("cannot write the history", error)
}
