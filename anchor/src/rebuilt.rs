//! The state of a ledger from the chain alone: what its checkpoints left there, put over each other.

use ledger::encoding::AccountRecord;
use ledger::tree::{Layers, leaf_hash};
use ledger::{Claim, Proof};
use types::AccountId;
use types::outcome::Digest;

use alloy::primitives::B256;

use crate::blobs::{BlobSources, unpack};
use crate::bridge::{BridgeReader, CheckpointData};
use crate::contract::Checkpoint;
use crate::data::StateData;
use crate::error::ChainError;
use crate::proof::ClaimProof;
use crate::published::PublishedError;

/// A state whose root is the one that the chain has.
#[derive(Debug)]
pub struct Rebuilt {
    /// By number.
    accounts: Vec<AccountRecord>,
    layers: Layers,
    /// How many checkpoints were read, the newest included.
    pub checkpoints: u64,
    /// And how many blobs.
    pub blobs: usize,
}

/// Why a state cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The blobs.
    #[error(transparent)]
    Blobs(#[from] PublishedError),
    /// They are there, and are not what they should be. This can only be the operator's doing.
    #[error(
        "the data of checkpoint {index}: {reason}\nhint: nobody can leave by this checkpoint without its published file; if it is not final yet, the world should know"
    )]
    Wrong {
        /// Of which checkpoint.
        index: u64,
        /// What is wrong.
        reason: String,
    },
}

impl Rebuilt {
    /// The state of the last of these checkpoints, which begin with the genesis. Reads as few of those
    /// before it as it takes.
    pub async fn load(
        bridge: &BridgeReader,
        sources: &BlobSources<'_>,
        checkpoints: &[Checkpoint],
    ) -> Result<Self, RebuildError> {
        let data = bridge.data(checkpoints).await?;
        let mut state = Partial::default();
        for (checkpoint, data) in checkpoints.iter().zip(&data).skip(1).rev() {
            let wrong = |reason: String| RebuildError::Wrong {
                index: checkpoint.index,
                reason,
            };
            let data = data.as_ref();
            let data = data.ok_or_else(|| wrong("no blobs are bound to it".to_owned()))?;
            let bytes = state.bytes(bridge, sources, data).await?;
            let data = StateData::decode(&bytes).map_err(|what| wrong(what.to_owned()))?;
            if data.sequence != checkpoint.sequence {
                return Err(wrong(format!("it is of sequence {}", data.sequence)));
            }
            if state.add(data) {
                break;
            }
        }
        let newest = checkpoints.last().map_or(0, |it| it.index);
        let root = checkpoints.last().map_or(B256::ZERO, |it| it.stateRoot);
        state.finish(root).map_err(|reason| RebuildError::Wrong {
            index: newest,
            reason,
        })
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> u32 {
        self.accounts.len() as u32
    }

    /// The proof of an account; `None` if there is no such account.
    pub fn prove(&self, account: u32) -> Option<ClaimProof> {
        let record = self.accounts.get(account as usize)?;
        ClaimProof::new(&Proof {
            claim: Claim::Has(record.clone()),
            siblings: self.layers.siblings(account),
        })
    }
}

/// What is known so far, from the newest checkpoint backwards.
#[derive(Default)]
struct Partial {
    /// By number; what a later checkpoint said of an account counts.
    accounts: Vec<Option<AccountRecord>>,
    missing: usize,
    /// Leaves that are no accounts of anybody.
    system: Vec<(u32, Digest)>,
    checkpoints: u64,
    blobs: usize,
}

impl Partial {
    async fn bytes(
        &mut self,
        bridge: &BridgeReader,
        sources: &BlobSources<'_>,
        data: &CheckpointData,
    ) -> Result<Vec<u8>, RebuildError> {
        let mut blobs = Vec::new();
        for it in &data.transactions {
            let block = bridge.block_at(it.block).await?;
            blobs.extend(sources.load(&it.blobs, block).await?);
        }
        self.blobs += blobs.len();
        Ok(unpack(blobs.iter().map(AsRef::as_ref)))
    }

    /// Adds what an older checkpoint says; whether everything is known then.
    fn add(&mut self, data: StateData) -> bool {
        if self.checkpoints == 0 {
            self.missing = data.accounts as usize;
            self.accounts = vec![None; self.missing];
            let inbox = Claim::Inbox(data.inbox);
            if data.inbox.count != 0 {
                self.system.push((AccountId::INBOX.get(), inbox.leaf()));
            }
            let system = data
                .records
                .iter()
                .filter(|it| it.account.index() >= self.missing);
            self.system.extend(system.map(leaf));
        }
        self.checkpoints += 1;
        for record in data.records {
            let slot = self.accounts.get_mut(record.account.index());
            if let Some(slot @ None) = slot {
                *slot = Some(record);
                self.missing -= 1;
            }
        }
        self.missing == 0
    }

    fn finish(self, root: B256) -> Result<Rebuilt, String> {
        let accounts: Vec<AccountRecord> = self.accounts.into_iter().flatten().collect();
        if self.missing != 0 {
            return Err(format!("{} accounts were never written", self.missing));
        }
        let leaves = accounts.iter().map(leaf).chain(self.system);
        let layers = Layers::new(leaves.collect());
        let here = B256::new(*layers.root().as_bytes());
        if here != root {
            return Err(format!(
                "it leads to the root {here}, and the chain has {root}"
            ));
        }
        Ok(Rebuilt {
            accounts,
            layers,
            checkpoints: self.checkpoints,
            blobs: self.blobs,
        })
    }
}

/// Where a record stands in the tree, and its hash.
fn leaf(record: &AccountRecord) -> (u32, Digest) {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    (record.account.get(), leaf_hash(&bytes))
}

#[cfg(test)]
mod tests {
    use ledger::encoding::Holding;
    use ledger::tree;
    use types::inbox::InboxPosition;
    use types::{AssetId, Atoms};

    use super::*;

    fn record(account: AccountId, free: u128) -> AccountRecord {
        let holding = Holding {
            free: Atoms::new(free),
            ..Holding::default()
        };
        AccountRecord {
            account,
            owner: [1; 20],
            balances: vec![(AssetId::new(0), holding)],
        }
    }

    fn data(records: &[(u32, u128)]) -> StateData {
        let ordinary = records
            .iter()
            .map(|(account, free)| (AccountId::new(*account), *free));
        let system = [(AccountId::DUST, 5), (AccountId::FEES, 6)];
        StateData {
            sequence: 1,
            inbox: InboxPosition {
                count: 2,
                hash: [3; 32],
            },
            accounts: 3,
            records: ordinary
                .chain(system)
                .map(|(account, free)| record(account, free))
                .collect(),
        }
    }

    /// What the ledger says, where all of it is known.
    fn root(data: &StateData) -> B256 {
        let leaf = |it: &AccountRecord| (it.account.get(), Claim::Has(it.clone()).leaf());
        let mut leaves: Vec<_> = data.records.iter().map(leaf).collect();
        leaves.push((AccountId::INBOX.get(), Claim::Inbox(data.inbox).leaf()));
        leaves.sort_unstable_by_key(|(index, _)| *index);
        B256::new(*tree::root(leaves).as_bytes())
    }

    #[test]
    fn what_was_written_last_counts_and_no_more_is_read_than_it_takes() {
        let mut state = Partial::default();
        assert!(!state.add(data(&[(1, 20)])));
        assert!(!state.add(data(&[(0, 10), (1, 21)])));
        assert!(state.add(data(&[(0, 11), (1, 22), (2, 30)])));
        let rebuilt = state
            .finish(root(&data(&[(0, 10), (1, 20), (2, 30)])))
            .unwrap();
        assert_eq!((rebuilt.accounts(), rebuilt.checkpoints), (3, 3));
        for account in 0..3 {
            let proof = rebuilt.prove(account).unwrap();
            assert_eq!(proof.record.account, account);
        }
        assert!(rebuilt.prove(3).is_none());
    }

    #[test]
    fn what_is_missing_or_leads_elsewhere_is_told() {
        let right = root(&data(&[(0, 10), (1, 20), (2, 30)]));
        let mut state = Partial::default();
        assert!(!state.add(data(&[(0, 10), (2, 30)])));
        let missing = state.finish(right).unwrap_err();
        assert_eq!(missing, "1 accounts were never written");
        let mut state = Partial::default();
        assert!(state.add(data(&[(0, 10), (1, 20), (2, 31)])));
        let wrong = state.finish(right).unwrap_err();
        assert!(wrong.starts_with("it leads to the root 0x"), "{wrong}");
    }
}
