//! What has crossed the edge of the ledger, agents and the nonces of what they sign, and timers of
//! accounts: a part of a checkpoint of its own, since version 4 of the format. A checkpoint without it
//! has none of that.

use ledger::Edge;
use rkyv::rancor::{Failure, Panic};
use rkyv::util::AlignedVec;
use rkyv::{Archive, Serialize};
use types::inbox::InboxPosition;
use types::{AccountId, AssetId, Atoms, KeyId, LogTime};

use super::Contradiction;
use crate::state::State;

/// All of that.
#[derive(Archive, Serialize, Debug)]
#[rkyv(derive(Debug))]
pub struct EdgeSnapshot {
    /// What accounts have withdrawn in all, by account and asset.
    pub withdrawn: Vec<WithdrawnRow>,
    /// Entries of the inbox that were consumed.
    pub inbox_count: u64,
    /// The running hash after the last of them.
    pub inbox_hash: [u8; 32],
    /// Agents, by account and name.
    pub agents: Vec<AgentRow>,
    /// Nonces of actions, by signer.
    pub signers: Vec<SignerRow>,
    /// Timers of accounts, by account.
    pub timers: Vec<TimerRow>,
}

/// What an account has withdrawn of an asset.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct WithdrawnRow {
    /// Who.
    pub account: u32,
    /// What.
    pub asset: u16,
    /// How much, in atoms.
    pub amount: u128,
}

/// An owner's name for an agent.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct AgentRow {
    /// Whose agent.
    pub account: u32,
    /// The name.
    pub name: [u8; 16],
    /// The agent's key.
    pub key: u32,
}

/// The nonces of one signer that are remembered.
#[derive(Archive, Serialize, Clone, Debug)]
#[rkyv(derive(Debug))]
pub struct SignerRow {
    /// Its address.
    pub signer: [u8; 20],
    /// Ascending.
    pub nonces: Vec<u64>,
}

/// When all orders of an account are taken off.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct TimerRow {
    /// Whose.
    pub account: u32,
    /// By logged time.
    pub timer_at: u64,
}

impl State {
    /// What has crossed the edge, and what stands beside it.
    pub fn edge_snapshot(&self) -> EdgeSnapshot {
        let ledger = self.ledger();
        let withdrawn = ledger.edge().withdrawals();
        let signers = ledger.action_nonces();
        EdgeSnapshot {
            withdrawn: withdrawn.map(withdrawn_row).collect(),
            inbox_count: ledger.edge().inbox().count,
            inbox_hash: ledger.edge().inbox().hash,
            agents: ledger
                .agents()
                .map(|(account, name, key)| AgentRow {
                    account: account.get(),
                    name: *name,
                    key: key.get(),
                })
                .collect(),
            signers: signers
                .map(|(signer, nonces)| SignerRow {
                    signer: *signer,
                    nonces: nonces.iter().collect(),
                })
                .collect(),
            timers: self
                .sessions()
                .account_timers()
                .map(|(account, timer_at)| TimerRow {
                    account: account.get(),
                    timer_at: timer_at.get(),
                })
                .collect(),
        }
    }

    /// Puts all of that back into a state that was restored without, its keys included.
    pub(super) fn restore_edge(&mut self, bytes: &[u8]) -> Result<(), Contradiction> {
        let aligned = align(bytes);
        let snapshot = access(&aligned)?;
        let edge = edge_of(snapshot)?;
        let agents = snapshot.agents.iter().map(|row| {
            let (account, key) = (row.account.to_native(), row.key.to_native());
            (AccountId::new(account), row.name, KeyId::new(key))
        });
        let signers = snapshot.signers.iter().map(|row| {
            let nonces = row.nonces.iter().map(|nonce| nonce.to_native());
            (row.signer, nonces.collect())
        });
        let ledger = self.ledger_mut();
        ledger.restore_edge(edge)?;
        ledger.restore_agents(agents)?;
        ledger.restore_action_nonces(signers)?;
        for row in snapshot.timers.iter() {
            let account = AccountId::new(row.account.to_native());
            let timer_at = LogTime::new(row.timer_at.to_native());
            let is_sound = self.ledger().contains(account) && timer_at != LogTime::ZERO;
            Contradiction::unless(is_sound, "a timer of no account")?;
            self.put_account_timer(account, timer_at);
        }
        Ok(())
    }
}

/// Writes it down.
pub(super) fn encode_edge(snapshot: &EdgeSnapshot) -> AlignedVec {
    // Only a writer can fail, and this one cannot.
    let Ok(bytes) = rkyv::to_bytes::<Panic>(snapshot);
    bytes
}

/// What has crossed the edge, of a checkpoint's part: what proofs straight from its file need.
pub fn decode_edge(bytes: &[u8]) -> Result<Edge, Contradiction> {
    edge_of(access(&align(bytes))?)
}

/// An archive is read where it is aligned, and these are few bytes.
fn align(bytes: &[u8]) -> AlignedVec<16> {
    let mut aligned = AlignedVec::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    aligned
}

fn access(aligned: &AlignedVec<16>) -> Result<&ArchivedEdgeSnapshot, Contradiction> {
    let snapshot = rkyv::access::<ArchivedEdgeSnapshot, Failure>(aligned);
    snapshot.map_err(|Failure| Contradiction("no archive of the edge"))
}

fn edge_of(snapshot: &ArchivedEdgeSnapshot) -> Result<Edge, Contradiction> {
    let inbox = InboxPosition {
        count: snapshot.inbox_count.to_native(),
        hash: snapshot.inbox_hash,
    };
    let is_sound = inbox.count > 0 || inbox == InboxPosition::default();
    Contradiction::unless(is_sound, "what was not consumed has no hash")?;
    let withdrawn = snapshot.withdrawn.iter().map(|row| {
        (
            AccountId::new(row.account.to_native()),
            AssetId::new(row.asset.to_native()),
            Atoms::new(row.amount.to_native()),
        )
    });
    Edge::new(withdrawn, inbox).ok_or(Contradiction("a withdrawal is listed once"))
}

fn withdrawn_row((account, asset, amount): (AccountId, AssetId, Atoms)) -> WithdrawnRow {
    WithdrawnRow {
        account: account.get(),
        asset: asset.get(),
        amount: amount.get(),
    }
}
