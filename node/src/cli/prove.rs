//! `keel prove`: what the newest checkpoint says about one account, provable to anyone.
//!
//! The proof comes straight from the checkpoint's file, mapped into memory, beside a running node or
//! without one.

use std::path::PathBuf;
use std::time::Instant;

use engine::snapshot;
use ledger::{Edge, Proof};
use store::{Checkpoint, Folders, Parts, Tag};
use types::decimal::to_hex;
use types::outcome::Digest;
use types::{AccountId, Height, SequenceNumber};

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::{self, ReplayFrom, Workers};

/// Options of `keel prove`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// The account: its number, `fees` or `dust`; or `inbox`: what was consumed of a chain's inbox.
    #[arg(long, value_name = "A", value_parser = parse_account)]
    account: AccountId,
    /// The height of the checkpoint; without it the newest one.
    #[arg(long, value_name = "H")]
    height: Option<u64>,
    /// Tell on standard error how long the proof took, the file being open.
    #[arg(long)]
    timing: bool,
}

/// A number, or one of the system's accounts.
fn parse_account(text: &str) -> Result<AccountId, String> {
    match text {
        "fees" => Ok(AccountId::FEES),
        "dust" => Ok(AccountId::DUST),
        "inbox" => Ok(AccountId::INBOX),
        number => number
            .parse()
            .map(AccountId::new)
            .map_err(|_| "neither an account's number nor `fees`, `dust` or `inbox`".to_owned()),
    }
}

/// A point of the total order whose root proves something.
struct Anchor {
    height: Height,
    sequence: SequenceNumber,
    state_root: Digest,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    let (anchor, proof) = match find(&directory, options.height.map(Height::new))? {
        Some(checkpoint) => from_checkpoint(&checkpoint, options)?,
        // Nothing has been written down yet: the journal is short.
        None => from_journal(&directory, options.account)?,
    };
    if !proof.verify(&anchor.state_root) {
        return Err(Failure::Corruption(format!(
            "the checkpoint of height {} does not lead to its root {}",
            anchor.height, anchor.state_root
        )));
    }
    print_line(&json(&anchor, &proof).to_string());
    Ok(())
}

/// The checkpoint to prove from, if there is any.
fn find(directory: &DataDir, height: Option<Height>) -> Result<Option<Checkpoint>, Failure> {
    let checkpoints = Folders::open(directory.path()).checkpoints();
    let identity = directory.identity();
    if let Some(height) = height {
        return Ok(Some(checkpoints.load(height, &identity)?));
    }
    let newest = checkpoints.newest(&identity)?;
    for damaged in newest.damaged {
        eprintln!("keel: {damaged}; an older checkpoint is used");
    }
    Ok(newest.checkpoint)
}

fn from_checkpoint(checkpoint: &Checkpoint, options: &Options) -> Result<(Anchor, Proof), Failure> {
    let meta = checkpoint.meta();
    let archived = snapshot::access(checkpoint.section(0)).map_err(|what| {
        Failure::Corruption(format!("the checkpoint of height {}: {what}", meta.height))
    })?;
    let edge = edge(checkpoint).map_err(|what| {
        Failure::Corruption(format!("the checkpoint of height {}: {what}", meta.height))
    })?;
    let started = Instant::now();
    let proof = archived.ledger.prove(&edge, options.account);
    if options.timing {
        eprintln!("keel: proved in {} us", started.elapsed().as_micros());
    }
    let anchor = Anchor {
        height: meta.height,
        sequence: meta.sequence,
        state_root: meta.state_root,
    };
    Ok((anchor, proof))
}

/// What has crossed the edge of the ledger: nothing, in a checkpoint of an older version.
fn edge(checkpoint: &Checkpoint) -> Result<Edge, String> {
    let parts = Parts::read(checkpoint.version(), checkpoint.section(1));
    let parts = parts.map_err(|error| error.to_string())?;
    match parts.part(Tag::Edge) {
        Some(part) => snapshot::decode_edge(part).map_err(|what| what.to_string()),
        None => Ok(Edge::default()),
    }
}

fn from_journal(directory: &DataDir, account: AccountId) -> Result<(Anchor, Proof), Failure> {
    let replayed =
        recovery::replay_directory(directory, ReplayFrom::Start, Workers::ONE, |_, _, _| Ok(()))?;
    let end = &replayed.end;
    let position = end.state.position();
    let anchor = Anchor {
        height: position.height,
        sequence: position.sequence,
        state_root: end.tree.root(),
    };
    Ok((anchor, end.state.ledger().prove(&end.tree, account)))
}

/// As `keel check-proof` reads it: `docs/STATE_TREE.md`.
fn json(anchor: &Anchor, proof: &Proof) -> serde_json::Value {
    let record = proof.claim.record().map(|bytes| to_hex(&bytes));
    let siblings = proof.siblings.iter().map(Digest::to_string);
    serde_json::json!({
        "account": proof.claim.account().get(),
        "height": anchor.height.get(),
        "sequence": anchor.sequence.get(),
        "state_root": anchor.state_root.to_string(),
        "record": record,
        "siblings": siblings.collect::<Vec<_>>(),
    })
}
