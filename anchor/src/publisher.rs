//! From a data directory to the chain, one checkpoint after the other.
//!
//! It keeps nothing of its own: what is published is what the chain says, and what could be is what
//! the data directory has. The file that it leaves there ([`store::Anchored`]) is for the node. So a
//! crash at any point is followed by the same step again; the contract takes each sequence once, and a checkpoint that a reorganisation took back is published again.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::{B256, Bytes, TxKind, U256};
use alloy::sol_types::SolCall as _;
use store::{Anchored, StoreError};
use types::SequenceNumber;

use crate::blobs::{self, BLOBS_PER_TRANSACTION, NamedBlob};
use crate::bridge::{BridgeReader, Head};
use crate::contract::{Bridge, posted_hash};
use crate::data::{StateData, Turn};
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
    /// Of data on chain.
    pub rollup: Rollup,
}

/// How a checkpoint's data is brought to the chain, where it has to be.
#[derive(Clone, Copy, Debug)]
pub struct Rollup {
    /// No more blobs than that in an hour; a checkpoint that needs more waits for an hour without any.
    pub blobs_per_hour: usize,
    /// No more blobs than that in a transaction; not zero.
    pub blobs_per_transaction: usize,
    /// After so many checkpoints the record of every account has been written again; not zero.
    pub refresh: u64,
}

impl Default for Rollup {
    /// A blob every two minutes, and every account within a day of checkpoints of ten minutes.
    fn default() -> Self {
        Self {
            blobs_per_hour: 30,
            blobs_per_transaction: BLOBS_PER_TRANSACTION,
            refresh: 144,
        }
    }
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
        /// Blobs that carry its data.
        blobs: usize,
        /// What it cost, without blobs.
        gas: u64,
    },
    /// Its data must wait, for so many blobs were posted within the hour.
    Waiting {
        /// Of the ledger.
        sequence: u64,
        /// What it needs.
        blobs: usize,
        /// What was posted.
        posted: usize,
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
        let blobs = match self.bridge.deployment.terms.dataOnChain {
            false => Vec::new(),
            true => self.data(&head, &snapshot).await?,
        };
        if let Some(posted) = self.posted_too_much(blobs.len()).await? {
            return Ok(Step::Waiting {
                sequence,
                blobs: blobs.len(),
                posted,
            });
        }
        // First the files: a root whose data nobody can get would be worth nothing.
        let commitment = published::place(&checkpoint, &self.published)?;
        for blob in &blobs {
            blobs::place(blob, &self.published)?;
        }
        let it = Publication {
            sequence,
            consumed: count,
            inbox_hash,
            state_root: snapshot.state_root,
            commitment,
        };
        let sent = match blobs.is_empty() {
            true => self.publish(it).await,
            false => self.publish_with_blobs(it, head.index + 1, &blobs).await,
        };
        match sent {
            // What a predecessor had pending was mined meanwhile: then this one is there already.
            Err(PublishError::Chain(error)) => {
                let head = self.bridge.head().await?;
                if sequence <= head.sequence {
                    let sequence = head.sequence;
                    return Ok(Step::UpToDate { sequence });
                }
                Err(error.into())
            }
            sent => sent,
        }
    }

    async fn publish(&self, it: Publication) -> Result<Step, PublishError> {
        let call = Bridge::publishCall {
            sequence: it.sequence,
            consumed: it.consumed,
            inboxHash: it.inbox_hash,
            stateRoot: it.state_root,
            dataCommitment: it.commitment,
        };
        let to = TxKind::Call(self.bridge.deployment.bridge);
        let data = Bytes::from(call.abi_encode());
        let endpoints = &self.bridge.endpoints;
        let receipt = self
            .sender
            .transact(endpoints, to, U256::ZERO, data)
            .await?;
        Ok(it.published(0, receipt.gas_used))
    }

    /// What the next checkpoint has to leave on the chain.
    async fn data(
        &self,
        head: &Head,
        snapshot: &Snapshot<'_>,
    ) -> Result<Vec<NamedBlob>, PublishError> {
        let before = self.last_file(head).await?;
        let before = before.as_ref().map(Snapshot::open).transpose();
        let turn = Turn {
            checkpoint: head.index + 1,
            checkpoints: self.rollup.refresh,
        };
        // One that cannot be read is as good as none.
        let data = StateData::since(before.ok().flatten().as_ref(), snapshot, turn);
        Ok(blobs::pack(&data.encode()))
    }

    /// How many blobs were posted within the hour, if so many more must wait for that.
    async fn posted_too_much(&self, blobs: usize) -> Result<Option<usize>, ChainError> {
        if blobs == 0 {
            return Ok(None);
        }
        let posted = self.bridge.blobs_within(HOUR).await?;
        let is_too_much = posted != 0 && self.rollup.blobs_per_hour < posted + blobs;
        Ok(is_too_much.then_some(posted))
    }

    async fn publish_with_blobs(
        &self,
        it: Publication,
        index: u64,
        blobs: &[NamedBlob],
    ) -> Result<Step, PublishError> {
        let pieces: Vec<_> = blobs.chunks(self.rollup.blobs_per_transaction).collect();
        let (last, first) = pieces.split_last().expect("data is never empty");
        let (onto, mut gas) = self.post(first).await?;
        let call = Bridge::publishWithBlobsCall {
            index,
            sequence: it.sequence,
            consumed: it.consumed,
            inboxHash: it.inbox_hash,
            stateRoot: it.state_root,
            commitment: it.commitment,
            onto,
        };
        gas += self.send_blobs(call.abi_encode(), last).await?;
        Ok(it.published(blobs.len(), gas))
    }

    /// Posts what the last transaction does not carry, and goes on where a predecessor that posted the
    /// same was ended. Returns what the rest goes onto.
    async fn post(&self, pieces: &[&[NamedBlob]]) -> Result<(B256, u64), PublishError> {
        let waiting = self.bridge.read(&Bridge::postedCall {}, None).await?;
        let after = |onto: &mut B256, piece: &&[NamedBlob]| {
            let hashes: Vec<B256> = piece.iter().map(|it| it.hash).collect();
            *onto = posted_hash(*onto, &hashes);
            Some(*onto)
        };
        let hashes: Vec<B256> = pieces.iter().scan(B256::ZERO, after).collect();
        let is_there = hashes.iter().position(|hash| *hash == waiting);
        let done = is_there.map_or(0, |position| position + 1);
        let mut onto = done.checked_sub(1).map_or(B256::ZERO, |last| hashes[last]);
        let mut gas = 0;
        for (piece, hash) in pieces.iter().zip(hashes).skip(done) {
            let call = Bridge::postCall { onto };
            gas += self.send_blobs(call.abi_encode(), piece).await?;
            onto = hash;
        }
        Ok((onto, gas))
    }

    /// A call with blobs; returns what it cost without them.
    async fn send_blobs(&self, call: Vec<u8>, named: &[NamedBlob]) -> Result<u64, ChainError> {
        let blobs = named.iter().map(|it| *it.blob).collect();
        let to = self.bridge.deployment.bridge;
        let endpoints = &self.bridge.endpoints;
        let sent = self
            .sender
            .transact_with_blobs(endpoints, to, call.into(), blobs);
        Ok(sent.await?.gas_used)
    }

    /// The file of the last checkpoint on the chain, if it is where it was put.
    async fn last_file(&self, head: &Head) -> Result<Option<store::Checkpoint>, ChainError> {
        let Some(commitment) = self.bridge.last_commitment(head).await? else {
            return Ok(None);
        };
        Ok(published::read(&self.published, commitment).ok())
    }
}

/// What is said of a checkpoint in either mode.
struct Publication {
    sequence: u64,
    consumed: u64,
    inbox_hash: B256,
    state_root: B256,
    commitment: B256,
}

impl Publication {
    fn published(&self, blobs: usize, gas: u64) -> Step {
        Step::Published {
            sequence: self.sequence,
            state_root: self.state_root,
            data_commitment: self.commitment,
            consumed: self.consumed,
            blobs,
            gas,
        }
    }
}

/// In seconds: what the limit of blobs is about.
pub(crate) const HOUR: u64 = 60 * 60;
