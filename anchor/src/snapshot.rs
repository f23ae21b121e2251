//! What a checkpoint file says: proofs of accounts, and how far the ledger has read the inbox.

use std::path::Path;

use alloy::primitives::B256;
use engine::snapshot::{self, ArchivedStateSnapshot};
use ledger::Edge;
use ledger::encoding::AccountRecord;
use store::{Checkpoint, Checkpoints, Parts, StoreError, Tag};
use types::AccountId;
use types::inbox::InboxPosition;

use crate::proof::ClaimProof;

/// A checkpoint, opened.
#[allow(missing_debug_implementations)] // An archive has none.
pub struct Snapshot<'a> {
    archived: &'a ArchivedStateSnapshot<'a>,
    edge: Edge,
    /// Its root, as the file says.
    pub state_root: B256,
    /// Of the ledger's total order.
    pub sequence: u64,
}

impl<'a> Snapshot<'a> {
    /// Reads a checkpoint where it lies. Its upper nodes must lead to the root that it names.
    pub fn open(checkpoint: &'a Checkpoint) -> Result<Self, String> {
        let failed = |what: String| format!("the checkpoint: {what}");
        let archived = snapshot::access(checkpoint.section(0));
        let archived = archived.map_err(|what| failed(what.to_string()))?;
        let parts = Parts::read(checkpoint.version(), checkpoint.section(1));
        let parts = parts.map_err(|what| failed(what.to_string()))?;
        // In a checkpoint of an older version nothing has crossed it.
        let edge = parts.part(Tag::Edge).map(snapshot::decode_edge).transpose();
        let edge = edge
            .map_err(|what| failed(what.to_string()))?
            .unwrap_or_default();
        let meta = checkpoint.meta();
        if archived.ledger.state_root(&edge) != meta.state_root {
            let root = meta.state_root;
            return Err(failed(format!("it does not lead to its root {root}")));
        }
        Ok(Self {
            archived,
            edge,
            state_root: B256::new(*meta.state_root.as_bytes()),
            sequence: meta.sequence.get(),
        })
    }

    /// How far the ledger had read the inbox.
    pub const fn consumed(&self) -> &InboxPosition {
        self.edge.inbox()
    }

    /// Ordinary accounts, which are numbered from zero.
    pub fn accounts(&self) -> u32 {
        self.archived.ledger.accounts.len() as u32
    }

    /// What an account has; `None` if there is no such account.
    pub fn record(&self, account: AccountId) -> Option<AccountRecord> {
        self.archived.ledger.record(&self.edge, account)
    }

    /// The proof of an account; `None` if there is no such account, or if the file does not lead to its
    /// root from there.
    pub fn prove(&self, account: u32) -> Option<ClaimProof> {
        let proof = self
            .archived
            .ledger
            .prove(&self.edge, AccountId::new(account));
        let is_sound = proof.root().as_bytes() == &self.state_root.0;
        is_sound.then(|| ClaimProof::new(&proof)).flatten()
    }
}

/// The newest checkpoint of a node; `None` if it has made none yet. It may run meanwhile.
pub fn newest_checkpoint(data: &Path) -> Result<Option<Checkpoint>, StoreError> {
    let Some(identity) = store::identity(data)? else {
        return Ok(None);
    };
    let newest = Checkpoints::open(data).newest(&identity)?;
    Ok(newest.checkpoint)
}
