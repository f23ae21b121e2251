//! `keel replay`: re-executes a journal and checks every recorded hash and root.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use engine::State;
use engine::executor::ExecutorKind;
use types::auth::{PublicKey, SignatureAudit};
use types::block::Block;
use types::genesis::Genesis;
use types::outcome::{BlockOutcome, Event, FrameVerdict};
use types::{Height, KeyId, RejectReason};

use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::{self, ReplayFrom, Restored, Workers};

/// Options of `keel replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Which executor re-executes.
    #[arg(long, value_enum, default_value_t)]
    executor: Executor,
    /// Threads: workers of the executor, and as many but one that read, check and decode ahead of
    /// it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// Where to begin: `start`, `newest` (checkpoint), or the height of a checkpoint. Without it, as
    /// far back as the journal goes.
    #[arg(long, value_name = "WHERE", default_value = "start", value_parser = parse_from)]
    from: ReplayFrom,
    /// Print `sequence,root` for every checkpoint on the way and for the end.
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
    /// Per block, whichever has been faster lately.
    #[default]
    Auto,
    /// One command after the other.
    Sequential,
    /// Lanes of markets beside each other (Block-STM).
    Parallel,
}

impl Executor {
    pub(super) const fn kind(self) -> ExecutorKind {
        match self {
            Self::Auto => ExecutorKind::Auto,
            Self::Sequential => ExecutorKind::Sequential,
            Self::Parallel => ExecutorKind::Parallel,
        }
    }
}

fn parse_from(text: &str) -> Result<ReplayFrom, String> {
    match text {
        "start" => Ok(ReplayFrom::Start),
        "newest" => Ok(ReplayFrom::Newest),
        height => height
            .parse()
            .map(|height| ReplayFrom::Height(Height::new(height)))
            .map_err(|_| "neither `start` nor `newest` nor a height".to_owned()),
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    let mut lines = Lines::default();
    let mut signatures = Signatures::new(Arc::clone(directory.genesis()));
    let replayed = recovery::replay_directory(
        &directory,
        options.from,
        Workers {
            kind: options.executor.kind(),
            count: usize::from(options.workers),
        },
        |executed| {
            let outcome = executed.outcome;
            if options.signatures {
                signatures.check(executed.state, executed.block, outcome)?;
            }
            if !options.json {
                let height = outcome.height;
                lines.push(format_args!(
                    "{height},{},{}",
                    outcome.last_sequence, outcome.hash
                ));
            }
            Ok(())
        },
    )?;
    let Restored { state, tree, .. } = &replayed.end;
    let (position, root) = (state.position(), tree.root());
    if options.json {
        let compared = replayed.roots.iter();
        let compared = compared.map(|(sequence, root)| {
            serde_json::json!({"sequence": sequence.get(), "state_root": root.to_string()})
        });
        let object = serde_json::json!({
            "from_height": replayed.from.get(),
            "height": position.height.get(),
            "sequence": position.sequence.get(),
            "outcome_hash": position.outcome_hash.to_string(),
            "state_root": root.to_string(),
            "state_digest": state.digest().to_string(),
            "checkpoints": compared.collect::<Vec<_>>(),
            "phase": state.phase().name(),
            "conserved": state.ledger().check_conservation().is_ok(),
        });
        print_line(&object.to_string());
    } else {
        if options.roots {
            for (sequence, root) in &replayed.roots {
                lines.push(format_args!("{sequence},{root}"));
            }
            if replayed.roots.last() != Some(&(position.sequence, root)) {
                lines.push(format_args!("{},{root}", position.sequence));
            }
        }
        lines.flush();
    }
    if let Err(error) = state.ledger().check_conservation() {
        return Err(Failure::Corruption(error.to_string()));
    }
    recovery::torn_tail(&directory, replayed.torn)
}

/// Lines on their way out, many at a time.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
        if self.0.len() > 1 << 16 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.0.is_empty() {
            print_line(self.0.trim_end());
            self.0.clear();
        }
    }
}

/// Verifies every signature of a journal again, block by block.
pub(super) struct Signatures {
    genesis: Arc<Genesis>,
    audit: Option<SignatureAudit>,
    /// By number, the keys as they were before the next block.
    keys: Vec<PublicKey>,
}

impl Signatures {
    /// Of no block yet.
    pub(super) const fn new(genesis: Arc<Genesis>) -> Self {
        Self {
            genesis,
            audit: None,
            keys: Vec::new(),
        }
    }

    /// Verifies every frame of a block, which the state is after, against the key that it names. A
    /// frame of an earlier epoch was signed by another key, and came to nothing.
    pub(super) fn check(
        &mut self,
        state: &State,
        block: &Block,
        outcome: &BlockOutcome,
    ) -> Result<(), Failure> {
        let frame_key = *state.frame_key();
        let audit = self
            .audit
            .get_or_insert_with(|| SignatureAudit::new(frame_key));
        if self.keys.is_empty() {
            let ids = (0..state.ledger().key_count()).map(KeyId::new);
            let keys = ids.filter_map(|id| state.ledger().key(id));
            self.keys.extend(keys.map(|key| key.public));
        }
        let frames = block.frames().map(|sequenced| &sequenced.frame);
        for (frame, receipt) in frames.zip(&outcome.frames) {
            if receipt.verdict == FrameVerdict::Refused(RejectReason::StaleEpoch) {
                continue;
            }
            let header = frame.frame().header();
            let checked = match frame.action() {
                Some(action) => {
                    let account_at = |address: &_| state.ledger().account_at(address);
                    audit.check_action((frame.frame(), action), &self.genesis, account_at)
                }
                None => audit.check(frame, self.keys.get(header.key.index())),
            };
            checked.map_err(|_| {
                let reason = RejectReason::BadSignature;
                Failure::Corruption(format!(
                    "block {}: {reason}: key {}, nonce {}",
                    block.height, header.key, header.nonce
                ))
            })?;
        }
        for record in outcome.events.iter().filter(|record| record.is_of_access()) {
            if let Event::KeyChanged(changed) = record.event() {
                let index = changed.key.index();
                self.keys
                    .resize(self.keys.len().max(index + 1), changed.public);
                self.keys[index] = changed.public;
            }
        }
        audit
            .end_record()
            .map_err(|reason| Failure::Corruption(format!("block {}: {reason}", block.height)))
    }

    /// How many frames and signatures were verified.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.audit.as_ref().map_or((0, 0), SignatureAudit::counts)
    }
}
