//! The bridge, read: its state at a block, its checkpoints and the entries of its inbox.

use std::collections::HashMap;

use alloy::primitives::{B256, Bytes, U64, U256};
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::{SolCall, SolEvent};
use serde_json::{Value, json};
use types::inbox::{InboxEntry, InboxKind};
use types::{AccountId, AssetId, Atoms};

use crate::contract::{Bridge, Checkpoint, bound_commitment};
use crate::deployment::Deployment;
use crate::endpoints::Endpoints;
use crate::error::ChainError;

/// The bridge as its chain's nodes show it.
#[derive(Debug)]
pub struct BridgeReader {
    /// Where to ask.
    pub endpoints: Endpoints,
    /// About what.
    pub deployment: Deployment,
}

/// A block of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTime {
    /// Its height.
    pub number: u64,
    /// In seconds.
    pub timestamp: u64,
}

/// The blobs of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Their versioned hashes, in order.
    pub blobs: Vec<B256>,
    /// The block that has the transaction.
    pub block: u64,
}

/// What a checkpoint left on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointData {
    /// What names its file.
    pub commitment: B256,
    /// Its blobs, by transaction, in order.
    pub transactions: Vec<Posted>,
}

/// Where the ledger of the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the last checkpoint.
    pub index: u64,
    /// Up to which the ledger is published.
    pub sequence: u64,
    /// Entries that it has consumed.
    pub consumed: u64,
    /// When it was published.
    pub time: u64,
    /// Whether only exits are left.
    pub is_frozen: bool,
}

impl BridgeReader {
    /// What the bridge answers at a block, or now.
    pub async fn read<C: SolCall>(
        &self,
        call: &C,
        block: Option<u64>,
    ) -> Result<C::Return, ChainError> {
        let params = self.call_params(call, block);
        let answer: Bytes = self.endpoints.ask("eth_call", params).await?;
        decode::<C>(&answer)
    }

    /// The same, where all endpoints must agree.
    pub async fn read_agreed<C: SolCall>(
        &self,
        call: &C,
        block: u64,
    ) -> Result<C::Return, ChainError> {
        let params = self.call_params(call, Some(block));
        let answer: Bytes = self.endpoints.ask_all("eth_call", params).await?;
        decode::<C>(&answer)
    }

    fn call_params<C: SolCall>(&self, call: &C, block: Option<u64>) -> Value {
        let data = Bytes::from(call.abi_encode());
        let block = block.map_or(json!("latest"), |number| json!(U64::from(number)));
        json!([{"to": self.deployment.bridge, "data": data}, block])
    }

    /// The newest block.
    pub async fn newest_block(&self) -> Result<BlockTime, ChainError> {
        self.block(json!("latest")).await
    }

    /// The block of this number.
    pub async fn block_at(&self, number: u64) -> Result<BlockTime, ChainError> {
        self.block(json!(U64::from(number))).await
    }

    async fn block(&self, which: Value) -> Result<BlockTime, ChainError> {
        let block: Value = self
            .endpoints
            .ask("eth_getBlockByNumber", json!([which, false]))
            .await?;
        let number = |key: &str| {
            let parsed = serde_json::from_value::<U64>(block[key].clone());
            parsed.map_err(|error| ChainError::Nonsense {
                what: "eth_getBlockByNumber",
                reason: format!("{key}: {error}"),
            })
        };
        Ok(BlockTime {
            number: number("number")?.to(),
            timestamp: number("timestamp")?.to(),
        })
    }

    /// The last checkpoint, now.
    pub async fn head(&self) -> Result<Head, ChainError> {
        let head = self.read(&Bridge::headCall {}, None).await?;
        Ok(Head {
            index: head.index,
            sequence: head.sequence,
            consumed: head.consumed,
            time: head.time.to::<u64>(),
            is_frozen: head.frozen,
        })
    }

    /// All checkpoints up to the last one, by index.
    pub async fn checkpoints(&self) -> Result<Vec<Checkpoint>, ChainError> {
        let head = self.head().await?;
        let newest = self.newest_block().await?;
        let mut checkpoints: Vec<Checkpoint> = Vec::new();
        let topic = Bridge::Published::SIGNATURE_HASH;
        for log in self
            .logs(topic, self.deployment.block, newest.number)
            .await?
        {
            let event: Bridge::Published = decode_log(&log)?;
            let index = event.checkpoint.index as usize;
            // One that a judge removed gives way to what came in its place.
            checkpoints.truncate(index);
            if checkpoints.len() == index {
                checkpoints.push(event.checkpoint);
            }
        }
        checkpoints.truncate(head.index as usize + 1);
        if checkpoints.len() as u64 != head.index + 1 {
            return Err(ChainError::Nonsense {
                what: "eth_getLogs",
                reason: format!(
                    "{} checkpoints, and the bridge has {}",
                    checkpoints.len(),
                    head.index + 1
                ),
            });
        }
        Ok(checkpoints)
    }

    /// What each of these checkpoints left on the chain, by index; `None` for the genesis.
    pub async fn data(
        &self,
        checkpoints: &[Checkpoint],
    ) -> Result<Vec<Option<CheckpointData>>, ChainError> {
        let newest = self.newest_block().await?.number;
        let (from, mut posted) = (self.deployment.block, HashMap::new());
        for log in self
            .logs(Bridge::Posted::SIGNATURE_HASH, from, newest)
            .await?
        {
            let event: Bridge::Posted = decode_log(&log)?;
            let block = log.block_number.unwrap_or_default();
            let blobs = event.blobs;
            posted.insert(event.data, (event.onto, Posted { blobs, block }));
        }
        let mut data = vec![None; checkpoints.len()];
        for log in self
            .logs(Bridge::Bound::SIGNATURE_HASH, from, newest)
            .await?
        {
            let event: Bridge::Bound = decode_log(&log)?;
            let bound = bound_commitment(event.commitment, event.data);
            let known = checkpoints.get(event.index as usize);
            // Of one that a judge removed nothing is wanted.
            if known.is_none_or(|it| it.dataCommitment != bound) {
                continue;
            }
            let (mut transactions, mut next) = (Vec::new(), event.data);
            while next != B256::ZERO {
                let (onto, it) = posted.get(&next).ok_or_else(|| ChainError::Nonsense {
                    what: "eth_getLogs",
                    reason: format!("no event tells of blobs {next}"),
                })?;
                transactions.push(it.clone());
                next = *onto;
            }
            transactions.reverse();
            data[event.index as usize] = Some(CheckpointData {
                commitment: event.commitment,
                transactions,
            });
        }
        Ok(data)
    }

    /// What names the file of the last checkpoint, if it has data on the chain.
    pub async fn last_commitment(&self, head: &Head) -> Result<Option<B256>, ChainError> {
        let logs = self.logs_since(Bridge::Bound::SIGNATURE_HASH, head.time);
        for log in logs.await?.iter().rev() {
            let event: Bridge::Bound = decode_log(log)?;
            if event.index == head.index {
                return Ok(Some(event.commitment));
            }
        }
        Ok(None)
    }

    /// How many blobs were posted in the last so many seconds.
    pub async fn blobs_within(&self, seconds: u64) -> Result<usize, ChainError> {
        let since = self.newest_block().await?.timestamp.saturating_sub(seconds);
        let logs = self.logs_since(Bridge::Posted::SIGNATURE_HASH, since);
        let mut count = 0;
        for log in logs.await? {
            let event: Bridge::Posted = decode_log(&log)?;
            let time = match log.block_timestamp {
                Some(time) => time,
                None => {
                    let number = log.block_number.unwrap_or_default();
                    self.block_at(number).await?.timestamp
                }
            };
            if since < time {
                count += event.blobs.len();
            }
        }
        Ok(count)
    }

    /// Logs of an event in blocks since this time, and perhaps some before it.
    async fn logs_since(&self, topic: B256, since: u64) -> Result<Vec<Log>, ChainError> {
        let mut end = self.newest_block().await?.number;
        let mut logs = Vec::new();
        loop {
            let start = end.saturating_sub(BLOCKS_AT_ONCE - 1);
            let start = start.max(self.deployment.block);
            let mut piece = self.logs(topic, start, end).await?;
            piece.append(&mut logs);
            logs = piece;
            if start == self.deployment.block || self.block_at(start).await?.timestamp < since {
                return Ok(logs);
            }
            end = start - 1;
        }
    }

    /// The checkpoint that may be claimed from: where the bridge froze, or the last one that is final.
    pub async fn last_final(
        &self,
        checkpoints: &[Checkpoint],
    ) -> Result<Option<Checkpoint>, ChainError> {
        if self.head().await?.is_frozen {
            let frozen = self.read(&Bridge::frozenAtCall {}, None).await?;
            return Ok(checkpoints.get(frozen.index as usize).cloned());
        }
        let now = self.newest_block().await?.timestamp;
        let window = u64::from(self.deployment.terms.challengeWindow);
        let is_final = |it: &&Checkpoint| it.time + window < now;
        Ok(checkpoints.iter().rfind(is_final).cloned())
    }

    /// Entries from `from` on in blocks up to `block`, whose chain of hashes is that of the contract
    /// at this block, on all endpoints.
    pub async fn entries(&self, from: u64, block: u64) -> Result<Vec<InboxEntry>, ChainError> {
        let count = self.read_agreed(&Bridge::entryCountCall {}, block).await?;
        if count <= from {
            return Ok(Vec::new());
        }
        let hash_at = |count| Bridge::chainHashCall { count };
        let mut hash = self.read_agreed(&hash_at(from), block).await?;
        let last = self.read_agreed(&hash_at(count), block).await?;
        let topic = Bridge::Entry::SIGNATURE_HASH;
        let mut entries = Vec::new();
        for log in self.logs(topic, self.deployment.block, block).await? {
            let entry = entry(&decode_log(&log)?)?;
            // An endpoint may repeat itself.
            if entry.index == from + entries.len() as u64 {
                hash = B256::new(entry.chain(&hash));
                entries.push(entry);
            }
        }
        if hash != last || from + entries.len() as u64 != count {
            return Err(ChainError::Nonsense {
                what: "eth_getLogs",
                reason: format!(
                    "{} entries from {from} on do not chain to the hash of {count}",
                    entries.len()
                ),
            });
        }
        Ok(entries)
    }

    /// Atoms paid to an account so far.
    pub async fn paid(&self, account: u32, asset: u16) -> Result<u128, ChainError> {
        self.read(&Bridge::paidCall { account, asset }, None).await
    }

    /// All logs of an event, in order, asked for in pieces that nodes allow.
    async fn logs(&self, topic: B256, from: u64, to: u64) -> Result<Vec<Log>, ChainError> {
        let mut logs = Vec::new();
        let mut start = from;
        while start <= to {
            let end = to.min(start + BLOCKS_AT_ONCE - 1);
            let filter = Filter::new()
                .address(self.deployment.bridge)
                .event_signature(topic)
                .from_block(start)
                .to_block(end);
            let piece: Vec<Log> = self.endpoints.ask("eth_getLogs", json!([filter])).await?;
            logs.extend(piece);
            start = end + 1;
        }
        logs.retain(|log| !log.removed && log.address() == self.deployment.bridge);
        Ok(logs)
    }
}

fn entry(event: &Bridge::Entry) -> Result<InboxEntry, ChainError> {
    let kind = InboxKind::from_code(event.kind).ok_or_else(|| ChainError::Nonsense {
        what: "an entry of the inbox",
        reason: format!("kind {}", event.kind),
    })?;
    Ok(InboxEntry {
        index: event.index,
        kind,
        owner: event.owner.into_array(),
        account: AccountId::new(event.account),
        asset: AssetId::new(event.asset),
        amount: Atoms::new(event.amount),
    })
}

/// Nodes bound what one question about logs may span.
const BLOCKS_AT_ONCE: u64 = 5_000;

fn decode<C: SolCall>(answer: &Bytes) -> Result<C::Return, ChainError> {
    C::abi_decode_returns(answer).map_err(|error| ChainError::Nonsense {
        what: C::SIGNATURE,
        reason: error.to_string(),
    })
}

fn decode_log<E: SolEvent>(log: &Log) -> Result<E, ChainError> {
    E::decode_log(&log.inner)
        .map(|decoded| decoded.data)
        .map_err(|error| ChainError::Nonsense {
            what: E::SIGNATURE,
            reason: error.to_string(),
        })
}

/// In whole units of the token, what so many atoms of an asset are.
pub fn units(deployment: &Deployment, asset: u16, atoms: u128) -> U256 {
    U256::from(atoms) * U256::from(deployment.assets[usize::from(asset)].scale)
}
