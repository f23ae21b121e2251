//! `keel anchor status`: where bridge and node stand, and how far apart.

use std::path::PathBuf;

use serde_json::json;

use super::options::Bridge;
use super::{Failure, Outcome};
use crate::contract::Bridge as Contract;
use crate::publisher::HOUR;
use crate::snapshot::newest_checkpoint;

/// Options of `keel anchor status`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    bridge: Bridge,
    /// The data directory of a node, to tell how far the chain is behind it.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(options: &Options) -> Outcome {
    let bridge = options.bridge.open()?;
    let head = bridge.head().await.map_err(Failure::failed)?;
    let newest = bridge.newest_block().await.map_err(Failure::failed)?;
    let entries = bridge.read(&Contract::entryCountCall {}, None).await;
    let entries = entries.map_err(Failure::failed)?;
    let overdue = bridge.read(&Contract::isOverdueCall {}, None).await;
    let checkpoints = bridge.checkpoints().await.map_err(Failure::failed)?;
    let last_final = bridge
        .last_final(&checkpoints)
        .await
        .map_err(Failure::failed)?;
    let node = options.dir.as_deref().map(newest_sequence).transpose()?;
    let lag = node.map(|sequence| sequence.saturating_sub(head.sequence));
    let is_rollup = bridge.deployment.terms.dataOnChain;
    let blobs = match is_rollup {
        true => Some(bridge.blobs_within(HOUR).await.map_err(Failure::failed)?),
        false => None,
    };
    Ok(json!({
        "bridge": bridge.deployment.bridge,
        "data": if is_rollup { "rollup" } else { "anchored" },
        "block": newest.number,
        "frozen": head.is_frozen,
        "overdue": overdue.map_err(Failure::failed)?,
        "checkpoint": head.index,
        "sequence": head.sequence,
        "age_seconds": newest.timestamp.saturating_sub(head.time),
        "final_checkpoint": last_final.as_ref().map(|it| it.index),
        "final_sequence": last_final.as_ref().map(|it| it.sequence),
        "inbox_entries": entries,
        "inbox_consumed": head.consumed,
        "node_sequence": node,
        "lag_commands": lag,
        "blobs_within_an_hour": blobs,
    }))
}

/// Of the newest checkpoint of a data directory; zero if there is none.
fn newest_sequence(dir: &std::path::Path) -> Result<u64, Failure> {
    let checkpoint = newest_checkpoint(dir).map_err(Failure::failed)?;
    Ok(checkpoint.map_or(0, |it| it.meta().sequence.get()))
}
