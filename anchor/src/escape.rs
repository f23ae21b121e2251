//! Leaving without us: from the chain and the published files alone, and with data on chain from the
//! chain alone.
//!
//! Whoever runs this needs no key of any account: the bridge pays owners, whoever brings the proof.

use std::path::Path;

use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::SolCall;
use serde_json::{Value, json};
use types::inbox::InboxKind;

use crate::blobs::BlobSources;
use crate::bridge::{BridgeReader, units};
use crate::contract::{Bridge, Checkpoint};
use crate::error::ChainError;
use crate::proof::ClaimProof;
use crate::published::PublishedError;
use crate::rebuilt::{RebuildError, Rebuilt};
use crate::sender::Sender;
use crate::snapshot::Snapshot;

/// What takes money out.
#[derive(Debug)]
pub struct Exits<'a> {
    /// Of which bridge.
    pub bridge: &'a BridgeReader,
    /// Who pays the gas.
    pub sender: &'a Sender,
    /// Where the state is: published files, or with data on chain blobs.
    pub sources: BlobSources<'a>,
    /// Where files from the web go.
    pub cache: &'a Path,
}

/// Why an exit failed.
#[derive(Debug, thiserror::Error)]
pub enum ExitError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The published files.
    #[error(transparent)]
    Published(#[from] PublishedError),
    /// What the chain has of the state.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The checkpoint contradicts the chain, or itself.
    #[error("{0}")]
    Checkpoint(String),
    /// Nowhere was named where the state could be read.
    #[error(
        "the bridge is `anchored`: the chain has the hash of the state, and not the state\nhint: --published names the operator's published files, or a copy of them"
    )]
    NoFiles,
    /// No checkpoint is final.
    #[error(
        "no checkpoint is final yet\nhint: the challenge window must pass after `keel anchor publish`"
    )]
    NothingFinal,
    /// The account has nothing to claim.
    #[error("{0}")]
    NothingDue(String),
    /// The bridge is not frozen, and cannot be now.
    #[error(
        "the bridge is alive: no entry is overdue and the last checkpoint is not too old\nhint: `keel anchor withdraw` claims what was withdrawn on the ledger, and `keel anchor force` demands it"
    )]
    Alive,
}

/// What was paid of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Which.
    pub asset: u16,
    /// In atoms.
    pub atoms: u128,
}

impl Exits<'_> {
    /// Freezes the bridge, unless it is frozen; fails while it is alive.
    pub async fn freeze(&self) -> Result<bool, ExitError> {
        if self.bridge.head().await?.is_frozen {
            return Ok(false);
        }
        if !self.bridge.read(&Bridge::isOverdueCall {}, None).await? {
            return Err(ExitError::Alive);
        }
        let checkpoints = self.bridge.checkpoints().await?;
        let last = self.bridge.last_final(&checkpoints).await?;
        let last = last.ok_or(ExitError::NothingFinal)?;
        let next = checkpoints.get(last.index as usize + 1);
        let next = next.cloned().unwrap_or_else(|| last.clone());
        self.send(&Bridge::freezeCall { last, next }).await?;
        Ok(true)
    }

    /// Claims what is due to one account, of one asset or of all.
    pub async fn claim(&self, account: u32, asset: Option<u16>) -> Result<Vec<Paid>, ExitError> {
        let (checkpoint, state) = self.final_state().await?;
        let proof = state
            .open(&checkpoint)?
            .prove(account)
            .ok_or_else(|| ExitError::NothingDue(format!("account {account} does not exist")))?;
        let is_frozen = self.bridge.head().await?.is_frozen;
        let claimed = self.claim_proof(&checkpoint, &proof, asset, is_frozen);
        let paid = claimed.await?;
        if paid.is_empty() {
            return Err(ExitError::NothingDue(format!(
                "nothing is due to account {account} as of sequence {}\nhint: what was withdrawn \
                 on the ledger can be claimed once a later checkpoint is final",
                checkpoint.sequence
            )));
        }
        Ok(paid)
    }

    /// Takes everything out: freezes if need be, claims for all accounts, gives deposits back that
    /// the ledger never consumed. It can be started again at any time.
    pub async fn escape(&self) -> Result<Value, ExitError> {
        let froze = self.freeze().await?;
        let frozen = self.bridge.read(&Bridge::frozenAtCall {}, None).await?;
        let mut totals = vec![0_u128; self.bridge.deployment.assets.len()];
        let (mut accounts, mut left) = (0, Vec::new());
        // The genesis has no file, and nobody has anything there.
        if frozen.index != 0 {
            let (checkpoint, state) = self.final_state().await?;
            let opened = state.open(&checkpoint)?;
            for account in 0..opened.accounts() {
                let Some(proof) = opened.prove(account) else {
                    continue;
                };
                match self.claim_proof(&checkpoint, &proof, None, true).await {
                    Ok(paid) => {
                        accounts += usize::from(!paid.is_empty());
                        for it in paid {
                            totals[usize::from(it.asset)] += it.atoms;
                        }
                    }
                    // An owner that refuses ether must not keep all others in.
                    Err(ExitError::Chain(error @ ChainError::Reverted { .. })) => {
                        left.push(json!({"account": account, "reason": error.to_string()}));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let reclaimed = self.reclaim(frozen.consumed, &mut totals).await?;
        Ok(json!({
            "froze": froze,
            "checkpoint": frozen.index,
            "accounts": accounts,
            "reclaimed": reclaimed,
            "paid_atoms": totals.iter().map(u128::to_string).collect::<Vec<_>>(),
            "not_paid": left,
        }))
    }

    /// Gives back all deposits from this entry on that were not given back.
    async fn reclaim(&self, consumed: u64, totals: &mut [u128]) -> Result<u64, ExitError> {
        let newest = self.bridge.newest_block().await?;
        let mut reclaimed = 0;
        for entry in self.bridge.entries(consumed, newest.number).await? {
            let index = entry.index;
            let time = self
                .bridge
                .read(&Bridge::entryTimeCall { index }, None)
                .await?;
            if entry.kind != InboxKind::Deposit || time == 0 {
                continue;
            }
            self.send(&Bridge::reclaimCall {
                index,
                owner: Address::new(entry.owner),
                asset: entry.asset.get(),
                amount: entry.amount.get(),
            })
            .await?;
            totals[usize::from(entry.asset.get())] += entry.amount.get();
            reclaimed += 1;
        }
        Ok(reclaimed)
    }

    /// The checkpoint to claim from, and its state: as the chain has it, or as a file does.
    async fn final_state(&self) -> Result<(Checkpoint, State), ExitError> {
        let mut checkpoints = self.bridge.checkpoints().await?;
        let last = self.bridge.last_final(&checkpoints).await?;
        let last = last
            .filter(|it| it.index != 0)
            .ok_or(ExitError::NothingFinal)?;
        if self.bridge.deployment.terms.dataOnChain {
            checkpoints.truncate(last.index as usize + 1);
            let rebuilt = Rebuilt::load(self.bridge, &self.sources, &checkpoints).await?;
            return Ok((last, State::Chain(Box::new(rebuilt))));
        }
        let published = self.sources.published.ok_or(ExitError::NoFiles)?;
        let file = published.load(last.dataCommitment, self.cache, self.sources.client);
        let file = file.await?;
        Ok((last, State::File(Box::new(file))))
    }

    /// Claims what is due by this proof; nothing is sent if nothing is.
    async fn claim_proof(
        &self,
        checkpoint: &Checkpoint,
        proof: &ClaimProof,
        only: Option<u16>,
        is_frozen: bool,
    ) -> Result<Vec<Paid>, ExitError> {
        let mut places = U256::ZERO;
        let mut due = Vec::new();
        for (place, (asset, funds)) in proof.places().enumerate() {
            if only.is_some_and(|only| only != asset) {
                continue;
            }
            let paid = self.bridge.paid(proof.record.account, asset).await?;
            let atoms = funds.total(is_frozen).saturating_sub(paid);
            if atoms != 0 {
                places |= U256::ONE << place;
                due.push(Paid { asset, atoms });
            }
        }
        if due.is_empty() {
            return Ok(due);
        }
        self.send(&Bridge::claimCall {
            checkpoint: checkpoint.clone(),
            record: proof.record.clone(),
            siblings: proof.siblings,
            places,
        })
        .await?;
        Ok(due)
    }

    async fn send<C: SolCall>(&self, call: &C) -> Result<TransactionReceipt, ChainError> {
        let to = TxKind::Call(self.bridge.deployment.bridge);
        let data = Bytes::from(call.abi_encode());
        let endpoints = &self.bridge.endpoints;
        self.sender.transact(endpoints, to, U256::ZERO, data).await
    }
}

/// For people and programs: what was paid, in atoms and in units of the token.
pub fn paid_json(bridge: &BridgeReader, paid: &[Paid]) -> Value {
    let one = |it: &Paid| {
        json!({
            "asset": it.asset,
            "atoms": it.atoms.to_string(),
            "units": units(&bridge.deployment, it.asset, it.atoms).to_string(),
        })
    };
    paid.iter().map(one).collect()
}

/// Where the state of a checkpoint was found.
enum State {
    File(Box<store::Checkpoint>),
    Chain(Box<Rebuilt>),
}

/// The same, ready to prove accounts by the root that the chain has.
enum Opened<'a> {
    File(Snapshot<'a>),
    Chain(&'a Rebuilt),
}

impl State {
    fn open(&self, checkpoint: &Checkpoint) -> Result<Opened<'_>, ExitError> {
        match self {
            Self::File(file) => Ok(Opened::File(open(checkpoint, file)?)),
            // It has been compared already.
            Self::Chain(rebuilt) => Ok(Opened::Chain(rebuilt)),
        }
    }
}

impl Opened<'_> {
    fn accounts(&self) -> u32 {
        match self {
            Self::File(snapshot) => snapshot.accounts(),
            Self::Chain(rebuilt) => rebuilt.accounts(),
        }
    }

    fn prove(&self, account: u32) -> Option<ClaimProof> {
        match self {
            Self::File(snapshot) => snapshot.prove(account),
            Self::Chain(rebuilt) => rebuilt.prove(account),
        }
    }
}

/// The file of a checkpoint must be the one whose root is on the chain.
fn open<'a>(
    checkpoint: &Checkpoint,
    file: &'a store::Checkpoint,
) -> Result<Snapshot<'a>, ExitError> {
    let snapshot = Snapshot::open(file).map_err(ExitError::Checkpoint)?;
    let root: B256 = checkpoint.stateRoot;
    if snapshot.state_root != root || snapshot.sequence != checkpoint.sequence {
        return Err(ExitError::Checkpoint(format!(
            "the published file is of sequence {} and root {}, and the chain says {} and {root}",
            snapshot.sequence, snapshot.state_root, checkpoint.sequence
        )));
    }
    Ok(snapshot)
}
