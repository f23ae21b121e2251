//! `keel replay`: re-executes a journal and checks every recorded hash.

use std::fmt::Write as _;
use std::path::PathBuf;

use types::block::Entry;
use types::{Height, RejectReason};

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery;

/// Options of `keel replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Which executor re-executes.
    #[arg(long, value_enum, default_value_t)]
    executor: Executor,
    /// Print `sequence,root` for the final state too.
    #[arg(long)]
    roots: bool,
    /// Verify the signature of every frame again, trusting neither gateway nor journal.
    #[arg(long)]
    signatures: bool,
    /// Print one machine-readable object instead of lines.
    #[arg(long)]
    json: bool,
}

/// Executors that this version has.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(super) enum Executor {
    /// The best for this journal.
    #[default]
    Auto,
    /// One command after the other.
    Sequential,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // Both names mean the sequential executor until there is another one.
    let (Executor::Auto | Executor::Sequential) = options.executor;
    let directory = DataDir::open(&options.dir)?;
    let mut lines = String::new();
    let (state, torn) = recovery::replay_directory(&directory, |state, block, outcome| {
        if options.signatures {
            verify_signatures(state, block)?;
        }
        if !options.json {
            let height = outcome.height;
            let _ = writeln!(lines, "{height},{},{}", outcome.last_sequence, outcome.hash);
            if lines.len() > 1 << 16 {
                print_line(lines.trim_end());
                lines.clear();
            }
        }
        Ok(())
    })?;
    let position = state.position();
    let root = state.ledger().state_root();
    if options.json {
        let object = serde_json::json!({
            "height": position.height.get(),
            "sequence": position.sequence.get(),
            "outcome_hash": position.outcome_hash.to_string(),
            "state_root": root.to_string(),
            "conserved": state.ledger().check_conservation().is_ok(),
        });
        print_line(&object.to_string());
    } else {
        if options.roots {
            let _ = writeln!(lines, "{},{root}", position.sequence);
        }
        if !lines.is_empty() {
            print_line(lines.trim_end());
        }
    }
    if let Err(error) = state.ledger().check_conservation() {
        return Err(Failure::Corruption(error.to_string()));
    }
    recovery::torn_tail(torn)
}

/// Verifies every frame of a block against the key that it names.
fn verify_signatures(state: &engine::State, block: &types::block::Block) -> Result<(), Failure> {
    for entry in &block.entries {
        let Entry::Frame(sequenced) = entry else {
            continue;
        };
        let frame = sequenced.frame.frame();
        let header = frame.header();
        let verified = state.ledger().key(header.key).is_some_and(|key| {
            let digest = sequenced.frame.digest();
            key.public.verifies(digest, &frame.signature())
        });
        if !verified {
            return Err(bad_signature(block.height, header.key, header.nonce));
        }
    }
    Ok(())
}

fn bad_signature(height: Height, key: types::KeyId, nonce: types::Nonce) -> Failure {
    let reason = RejectReason::BadSignature;
    Failure::Corruption(format!(
        "block {height}: {reason}: key {key}, nonce {nonce}"
    ))
}
