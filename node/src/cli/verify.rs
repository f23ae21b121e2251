//! `keel verify`: checks every byte at rest; never writes.

use std::path::PathBuf;

use store::Report;

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::describe_tail;

/// Options of `keel verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    if let Some(found) = store::identity(directory.path())?
        && found != directory.identity()
    {
        return Err(Failure::Corruption(format!(
            "{}/genesis.toml is not the genesis of the journal beside it",
            directory.path().display()
        )));
    }
    directory.verify_genesis_file()?;
    let report = store::verify(directory.path())?;
    let (verdict, good, damage) = match &report {
        Report::Clean(good) => ("clean", good, None),
        Report::TornTail { tail, good } => ("torn tail", good, Some(describe_tail(tail))),
        Report::Corruption {
            file,
            offset,
            what,
            good,
        } => (
            "corruption",
            good,
            Some(format!("{}:{offset}: {what}", file.display())),
        ),
    };
    if options.json {
        let object = serde_json::json!({
            "verdict": verdict,
            "records": good.records,
            "commands": good.commands,
            "bytes": good.bytes,
            "checkpoints": good.checkpoints,
            "height": good.last_height.get(),
            "sequence": good.last_sequence.get(),
            "damage": damage,
        });
        print_line(&object.to_string());
    } else {
        print_line(&format!(
            "{verdict}: {} good records, {} commands, {} bytes, up to height {} sequence {}, \
             {} checkpoints",
            good.records,
            good.commands,
            good.bytes,
            good.last_height,
            good.last_sequence,
            good.checkpoints
        ));
    }
    let damage = damage.unwrap_or_default();
    match report {
        Report::Clean(_) => Ok(()),
        // The last batch of a running node, half written.
        Report::TornTail { .. } if store::is_in_use(directory.path())? => Ok(()),
        Report::TornTail { .. } => Err(Failure::TornTail(damage)),
        Report::Corruption { .. } => Err(Failure::Corruption(damage)),
    }
}
