//! `keel prove`: what the newest checkpoint says about one account, provable to anyone.
//!
//! The proof comes straight from the checkpoint's file, mapped into memory, beside a running node or
//! without one.

use std::path::PathBuf;
use std::time::Instant;

use ledger::Proof;
use store::{Checkpoint, Folders};
use types::{AccountId, Height};

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::proofs::{self, Anchor};
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

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    let (anchor, proof) = match find(&directory, options.height.map(Height::new))? {
        Some(checkpoint) => from_checkpoint(&checkpoint, options)?,
        // Nothing has been written down yet: the journal is short.
        None => from_journal(&directory, options.account)?,
    };
    print_line(&proofs::json(&anchor, &proof).to_string());
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
    let anchor = Anchor::of(checkpoint);
    let started = Instant::now();
    let proof = proofs::prove(checkpoint, options.account).map_err(|what| {
        Failure::Corruption(format!(
            "the checkpoint of height {}: {what}",
            anchor.height
        ))
    })?;
    if options.timing {
        eprintln!("keel: proved in {} us", started.elapsed().as_micros());
    }
    Ok((anchor, proof))
}

fn from_journal(directory: &DataDir, account: AccountId) -> Result<(Anchor, Proof), Failure> {
    let replayed =
        recovery::replay_directory(directory, ReplayFrom::Start, Workers::ONE, |_| Ok(()))?;
    let end = &replayed.end;
    let position = end.state.position();
    let anchor = Anchor {
        height: position.height,
        sequence: position.sequence,
        state_root: end.tree.root(),
    };
    Ok((anchor, end.state.ledger().prove(&end.tree, account)))
}
