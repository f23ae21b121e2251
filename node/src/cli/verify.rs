//! `keel verify`: checks every byte at rest, and every signature if asked; never writes.

use std::path::PathBuf;
use std::sync::Arc;

use store::Report;

use super::replay::Signatures;
use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::{ReplayFrom, Workers, describe_tail, replay_directory};

/// Options of `keel verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Verify the signature of every frame again, too: replays the journal, for keys are state.
    #[arg(long)]
    signatures: bool,
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
    let signed = match report {
        Report::Clean(_) | Report::TornTail { .. } if options.signatures => {
            Some(verify_signatures(&directory)?)
        }
        _ => None,
    };
    if options.json {
        let object = serde_json::json!({
            "verdict": verdict,
            "frames": signed.map(|(frames, _)| frames),
            "signatures": signed.map(|(_, signatures)| signatures),
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
        if let Some((frames, signatures)) = signed {
            print_line(&format!(
                "authentic: {frames} frames under {signatures} signatures"
            ));
        }
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

/// How many frames of the journal are authentic, under how many signatures.
fn verify_signatures(directory: &DataDir) -> Result<(u64, u64), Failure> {
    let mut signatures = Signatures::new(Arc::clone(directory.genesis()));
    replay_directory(directory, ReplayFrom::Start, Workers::ONE, |it| {
        signatures.check(it.state, it.block, it.outcome)
    })?;
    Ok(signatures.counts())
}
