//! From a data directory to the chain, one checkpoint after the other.
//!
//! It keeps nothing of its own: what is published is what the chain says, and what could be is what
//! the data directory has. The file that it leaves there ([`store::Anchored`]) is for the node. So a crash at any point is followed by the same step again; the contract
//! takes each sequence once, and a checkpoint that a reorganisation took back is published again.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::{B256, Bytes, TxKind, U256};
use alloy::sol_types::SolCall as _;
use store::{Anchored, StoreError};
use types::SequenceNumber;

use crate::bridge::BridgeReader;
use crate::contract::Bridge;
use crate::error::ChainError;
use crate::published::{self, PublishedError};
use crate::sender::Sender;
use crate::snapshot::{Snapshot, newest_checkpoint};

/// What publishes.
#[derive(Debug)]
pub struct Publisher {
    /// Where to.
    pub bridge: BridgeReader,
    /// By whom.
    pub sender: Sender,
    /// Of which node.
    pub data: PathBuf,
    /// Where the files go that everybody can get.
    pub published: PathBuf,
}

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A checkpoint is on the chain now.
    Published {
        /// Of the ledger.
        sequence: u64,
        /// Its state root.
        state_root: B256,
        /// Names the published file.
        data_commitment: B256,
        /// Entries of the inbox that it has consumed.
        consumed: u64,
        /// What it cost.
        gas: u64,
    },
    /// The chain has the newest one.
    UpToDate {
        /// Of the ledger.
        sequence: u64,
    },
    /// The node has made none yet.
    Nothing,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The node's files.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The published files.
    #[error(transparent)]
    Published(#[from] PublishedError),
    /// The checkpoint.
    #[error("{0}")]
    Checkpoint(String),
    /// The ledger consumed an entry that the chain does not have.
    #[error(
        "the ledger has consumed {count} entries that hash to {ledger}, and those of the chain to {chain}\nhint: the chain was reorganised deeper than the watcher's confirmations, or the bridge is another ledger's"
    )]
    Diverged {
        /// How many.
        count: u64,
        /// As the ledger says.
        ledger: B256,
        /// As the chain says.
        chain: B256,
    },
    /// Only exits are left.
    #[error(
        "the bridge is frozen: nothing is published any more\nhint: `keel anchor exit` takes an account's money out"
    )]
    Frozen,
}

impl Publisher {
    /// Publishes the node's newest checkpoint, if the chain does not have it, and tells the node how far
    /// the chain is.
    pub async fn step(&self) -> Result<Step, PublishError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let step = self.publish_newest().await?;
        if let Step::Published { sequence, .. } | Step::UpToDate { sequence } = step {
            let anchored = Anchored {
                sequence: SequenceNumber::new(sequence),
                // Of the beginning: what is on the chain was the newest checkpoint then.
                seen_at: now.unwrap_or_default().as_secs(),
            };
            anchored.write(&self.data)?;
        }
        Ok(step)
    }

    async fn publish_newest(&self) -> Result<Step, PublishError> {
        let Some(checkpoint) = newest_checkpoint(&self.data)? else {
            return Ok(Step::Nothing);
        };
        let sequence = checkpoint.meta().sequence.get();
        let head = self.bridge.head().await?;
        if head.is_frozen {
            return Err(PublishError::Frozen);
        }
        if sequence <= head.sequence {
            return Ok(Step::UpToDate {
                sequence: head.sequence,
            });
        }
        let snapshot = Snapshot::open(&checkpoint).map_err(PublishError::Checkpoint)?;
        let consumed = *snapshot.consumed();
        let count = consumed.count;
        let inbox_hash = B256::new(consumed.hash);
        let chain = self
            .bridge
            .read(&Bridge::chainHashCall { count }, None)
            .await?;
        if chain != inbox_hash {
            return Err(PublishError::Diverged {
                count,
                ledger: inbox_hash,
                chain,
            });
        }
        // First the file: a root whose data nobody can get would be worth nothing.
        let data_commitment = published::place(&checkpoint, &self.published)?;
        let call = Bridge::publishCall {
            sequence,
            consumed: count,
            inboxHash: inbox_hash,
            stateRoot: snapshot.state_root,
            dataCommitment: data_commitment,
        };
        let to = TxKind::Call(self.bridge.deployment.bridge);
        let data = Bytes::from(call.abi_encode());
        let endpoints = &self.bridge.endpoints;
        let sent = self.sender.transact(endpoints, to, U256::ZERO, data).await;
        match sent {
            Ok(receipt) => Ok(Step::Published {
                sequence,
                state_root: snapshot.state_root,
                data_commitment,
                consumed: count,
                gas: receipt.gas_used,
            }),
            // What a predecessor had pending was mined meanwhile: then this one is there already.
            Err(error) => {
                let head = self.bridge.head().await?;
                if sequence <= head.sequence {
                    let sequence = head.sequence;
                    return Ok(Step::UpToDate { sequence });
                }
                Err(error.into())
            }
        }
    }
}
