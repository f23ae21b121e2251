//! `keel anchor publish`: a node's checkpoints, one after the other.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::options::{Bridge, Signing};
use super::{Failure, Outcome, print};
use crate::blobs::BLOBS_PER_TRANSACTION;
use crate::publisher::{PublishError, Publisher, Rollup, Step};

/// Options of `keel anchor publish`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    bridge: Bridge,
    #[command(flatten)]
    signing: Signing,
    /// The data directory of the node.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// A directory for the files that everybody must be able to get; serve it as it is.
    #[arg(long, value_name = "D")]
    published: PathBuf,
    /// Publish the newest checkpoint and end; else go on for ever.
    #[arg(long)]
    once: bool,
    /// Seconds between two checkpoints.
    #[arg(long, value_name = "S", default_value_t = 600)]
    interval: u64,
    /// With data on chain: post no more blobs in an hour. A checkpoint that needs more waits for an hour
    /// without any.
    #[arg(long, value_name = "N", default_value_t = Rollup::default().blobs_per_hour)]
    blobs_per_hour: usize,
    /// With data on chain: no more blobs in a transaction. No chain takes more than 6.
    #[arg(long, value_name = "N", default_value_t = BLOBS_PER_TRANSACTION as u64,
        value_parser = clap::value_parser!(u64).range(1..=BLOBS_PER_TRANSACTION as u64))]
    blobs_per_transaction: u64,
    /// With data on chain: after so many checkpoints the record of every account has been written again.
    /// Together with --interval it should be days less than what blobs are kept for.
    #[arg(long, value_name = "N", default_value_t = Rollup::default().refresh,
        value_parser = clap::value_parser!(u64).range(1..))]
    refresh: u64,
}

pub(super) async fn run(options: &Options, json: bool) -> Outcome {
    let publisher = Publisher {
        bridge: options.bridge.open()?,
        sender: options.signing.sender()?,
        data: options.dir.clone(),
        published: options.published.clone(),
        rollup: Rollup {
            blobs_per_hour: options.blobs_per_hour,
            blobs_per_transaction: options.blobs_per_transaction as usize,
            refresh: options.refresh,
        },
    };
    loop {
        match publisher.step().await {
            Ok(step) if options.once => return Ok(told(&step)),
            Ok(Step::UpToDate { .. } | Step::Nothing) => {}
            Ok(step) => print(&told(&step), json),
            // The chain or its nodes may be there again; what else is wrong stays wrong.
            Err(PublishError::Chain(error)) if !options.once => {
                eprintln!("keel-anchor: {error}; trying again");
            }
            Err(error) => return Err(Failure::failed(error)),
        }
        sleep(Duration::from_secs(options.interval)).await;
    }
}

fn told(step: &Step) -> Value {
    match step {
        Step::Published {
            sequence,
            state_root,
            data_commitment,
            consumed,
            blobs,
            gas,
        } => json!({
            "step": "published",
            "sequence": sequence,
            "state_root": state_root,
            "data_commitment": data_commitment,
            "consumed": consumed,
            "blobs": blobs,
            "gas": gas,
        }),
        Step::Waiting {
            sequence,
            blobs,
            posted,
        } => json!({
            "step": "waiting: too many blobs within an hour",
            "sequence": sequence,
            "blobs": blobs,
            "posted_within_an_hour": posted,
        }),
        Step::UpToDate { sequence } => json!({"step": "up to date", "sequence": sequence}),
        Step::Nothing => json!({"step": "nothing to publish"}),
    }
}
