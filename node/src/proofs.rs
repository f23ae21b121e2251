//! Proofs from checkpoints: for `keel prove`, and for whoever asks the trader API.
//!
//! A proof comes straight from a checkpoint's file, mapped into memory, beside everything else that the
//! node does. For the API one thread reads it: it keeps the newest checkpoint open and looks for a
//! newer one with each question, so a file is checked once for all questions about it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use engine::snapshot;
use gateway::api::ports::ProofRequest;
use ledger::{Edge, Proof};
use store::{Checkpoint, Checkpoints, Identity};
use types::decimal::to_hex;
use types::outcome::Digest;
use types::{AccountId, Height, SequenceNumber};

use crate::checkpoint_parts::{Parts, Tag};

/// Questions that may wait.
const QUESTIONS: usize = 64;

/// A point of the total order whose root proves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) height: Height,
    pub(crate) sequence: SequenceNumber,
    pub(crate) state_root: Digest,
}

impl Anchor {
    /// What a checkpoint says of itself.
    pub(crate) const fn of(checkpoint: &Checkpoint) -> Self {
        let meta = checkpoint.meta();
        Self {
            height: meta.height,
            sequence: meta.sequence,
            state_root: meta.state_root,
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "height": self.height.get(),
            "sequence": self.sequence.get(),
            "state_root": self.state_root.to_string(),
        })
    }
}

/// Proves what a checkpoint says about an account.
pub(crate) fn prove(checkpoint: &Checkpoint, account: AccountId) -> Result<Proof, String> {
    let archived = snapshot::access(checkpoint.section(0)).map_err(|what| what.to_string())?;
    let edge = edge(checkpoint)?;
    let proof = archived.ledger.prove(&edge, account);
    let anchor = Anchor::of(checkpoint);
    if proof.verify(&anchor.state_root) {
        Ok(proof)
    } else {
        Err(format!(
            "it does not lead to its root {}",
            anchor.state_root
        ))
    }
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

/// As `keel check-proof` reads it: `docs/STATE_TREE.md`.
pub(crate) fn json(anchor: &Anchor, proof: &Proof) -> serde_json::Value {
    let record = proof.claim.record().map(|bytes| to_hex(&bytes));
    let siblings = proof.siblings.iter().map(Digest::to_string);
    let mut json = anchor.json();
    json["account"] = proof.claim.account().get().into();
    json["record"] = record.into();
    json["siblings"] = siblings.collect();
    json
}

/// The queue to a prover, and its end.
pub(crate) fn queue() -> (SyncSender<ProofRequest>, Receiver<ProofRequest>) {
    sync_channel(QUESTIONS)
}

/// Answers questions about the newest checkpoint of a data directory.
pub(crate) struct Prover {
    pub(crate) checkpoints: Checkpoints,
    pub(crate) identity: Identity,
    pub(crate) questions: Receiver<ProofRequest>,
}

impl Prover {
    /// Runs on a thread of its own until nobody can ask any more.
    pub(crate) fn start(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("keel-prover".to_owned())
            .spawn(move || self.run())
    }

    fn run(self) {
        let mut open = None;
        while let Ok(request) = self.questions.recv() {
            // Whoever has gone does not wait for it.
            let _ = request.reply.send(self.answer(&mut open, request.account));
        }
    }

    fn answer(
        &self,
        open: &mut Option<Checkpoint>,
        account: Option<AccountId>,
    ) -> Result<Option<String>, String> {
        self.reopen(open)?;
        let Some(checkpoint) = open else {
            return Ok(None);
        };
        let anchor = Anchor::of(checkpoint);
        let Some(account) = account else {
            return Ok(Some(anchor.json().to_string()));
        };
        let proof = prove(checkpoint, account).map_err(|what| {
            tracing::error!("the checkpoint of height {}: {what}", anchor.height);
            "The newest checkpoint is damaged.".to_owned()
        })?;
        Ok(Some(json(&anchor, &proof).to_string()))
    }

    /// Opens the newest checkpoint, unless that is open already.
    fn reopen(&self, open: &mut Option<Checkpoint>) -> Result<(), String> {
        let unread = |error: store::StoreError| {
            tracing::warn!("no proof: {error}");
            "The newest checkpoint cannot be read.".to_owned()
        };
        let newest = self
            .checkpoints
            .heights()
            .map_err(unread)?
            .into_iter()
            .next();
        let known = open.as_ref().map(|it| it.meta().height);
        if newest != known {
            let newest = self.checkpoints.newest(&self.identity).map_err(unread)?;
            *open = newest.checkpoint;
        }
        Ok(())
    }
}
