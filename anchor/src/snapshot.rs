//! What a checkpoint file says: proofs of accounts, and how far the ledger has read the inbox.

use alloy::primitives::B256;
use engine::snapshot::{self, ArchivedStateSnapshot};
use store::Checkpoint;
use types::AccountId;

use crate::proof::ClaimProof;

/// A checkpoint, opened.
#[allow(missing_debug_implementations)] // An archive has none.
pub struct Snapshot<'a> {
    archived: &'a ArchivedStateSnapshot<'a>,
    /// Its root, as the file says.
    pub state_root: B256,
    /// Of the ledger's total order.
    pub sequence: u64,
}

/// How far the ledger has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Entries.
    pub count: u64,
    /// The chain hash after them.
    pub hash: B256,
}

impl<'a> Snapshot<'a> {
    /// Reads a checkpoint where it lies.
    pub fn open(checkpoint: &'a Checkpoint) -> Result<Self, String> {
        let archived = snapshot::access(checkpoint.section(0));
        let archived = archived.map_err(|what| format!("the checkpoint: {what}"))?;
        let meta = checkpoint.meta();
        Ok(Self {
            archived,
            state_root: B256::new(*meta.state_root.as_bytes()),
            sequence: meta.sequence.get(),
        })
    }

    /// How far the ledger had read the inbox.
    pub fn consumed(&self) -> Consumed {
        // Of this version's ledgers, none reads an inbox.
        Consumed::default()
    }

    /// Ordinary accounts, which are numbered from zero.
    pub fn accounts(&self) -> u32 {
        self.archived.ledger.accounts.len() as u32
    }

    /// The proof of an account, which leads to the root; `None` if there is no such account.
    pub fn prove(&self, account: u32) -> Option<ClaimProof> {
        let proof = self.archived.ledger.prove(AccountId::new(account));
        let root = B256::new(*proof.root().as_bytes());
        assert_eq!(
            root, self.state_root,
            "a checked checkpoint leads to its root"
        );
        ClaimProof::new(&proof)
    }
}
