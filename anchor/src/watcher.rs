//! From the chain's inbox to the ledger: every entry once, in order, and only after so many
//! confirmations that a reorganisation cannot take it back.
//!
//! It keeps nothing of its own. Where the ledger stands, its newest checkpoint says, or a later entry
//! that it accepted; what is sent from there on and was consumed already, it refuses. So a crash at
//! any point is followed by the same step again.

use std::path::PathBuf;

use alloy::primitives::B256;
use client::{ConnectError, Message, Session, SessionEvent};
use types::inbox::{InboxEntry, InboxPosition};
use types::{Command, Nonce, RejectReason};

use crate::bridge::BridgeReader;
use crate::contract::Bridge;
use crate::error::ChainError;
use crate::snapshot::{Snapshot, newest_checkpoint};

/// What watches.
#[derive(Debug)]
pub struct Watcher {
    /// Which bridge.
    pub bridge: BridgeReader,
    /// An operator's session with the node.
    pub session: Session,
    /// The data directory of the node.
    pub data: PathBuf,
    /// An entry counts once its block has so many blocks on top.
    pub confirmations: u64,
    /// What the ledger is known to have consumed.
    known: InboxPosition,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Entries that the ledger consumed in this step.
    pub consumed: u64,
    /// Entries that it has consumed in all.
    pub count: u64,
    /// Entries on the chain that have too few confirmations.
    pub unconfirmed: u64,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The node.
    #[error("{0}")]
    Node(#[from] ConnectError),
    /// The node's files.
    #[error("{0}")]
    Data(String),
    /// The ledger consumed entries that the chain does not have.
    #[error(
        "the ledger has consumed {count} entries that hash to {ledger}, and those of the chain to {chain}\nhint: the chain was reorganised deeper than --confirmations, or the bridge is another ledger's; nothing more is credited"
    )]
    Diverged {
        /// How many.
        count: u64,
        /// As the ledger says.
        ledger: B256,
        /// As the chain says.
        chain: B256,
    },
    /// The node does not take an entry.
    #[error(
        "the node refuses entry {index}: {reason:?}\nhint: the key must be an operator's, and the bridge's assets those of the genesis"
    )]
    Refused {
        /// Which.
        index: u64,
        /// Why.
        reason: RejectReason,
    },
}

impl Watcher {
    /// Nothing is known of the ledger yet.
    pub const fn new(
        bridge: BridgeReader,
        session: Session,
        data: PathBuf,
        confirmations: u64,
    ) -> Self {
        Self {
            bridge,
            session,
            data,
            confirmations,
            known: InboxPosition {
                count: 0,
                hash: [0; 32],
            },
        }
    }

    /// Brings what has enough confirmations to the ledger.
    pub async fn step(&mut self) -> Result<Watched, WatchError> {
        self.look_at_the_ledger()?;
        let newest = self.bridge.newest_block().await?.number;
        let entries = self.bridge.read(&Bridge::entryCountCall {}, None).await?;
        let before = self.known.count;
        let deployed = self.bridge.deployment.block;
        if let Some(block) = newest.checked_sub(self.confirmations)
            && deployed <= block
        {
            let call = Bridge::entryCountCall {};
            let confirmed = self.bridge.read_agreed(&call, block).await?;
            // A short reorganisation may put the confirmed block back for a moment.
            if before <= confirmed {
                self.assert_same_chain(block).await?;
                for entry in self.bridge.entries(before, block).await? {
                    self.bring(&entry).await?;
                }
            }
        }
        Ok(Watched {
            consumed: self.known.count - before,
            count: self.known.count,
            unconfirmed: entries.saturating_sub(self.known.count),
        })
    }

    /// A newer checkpoint may know more than this process does.
    fn look_at_the_ledger(&mut self) -> Result<(), WatchError> {
        let failed = |error: &dyn std::fmt::Display| WatchError::Data(error.to_string());
        let checkpoint = newest_checkpoint(&self.data).map_err(|error| failed(&error))?;
        if let Some(checkpoint) = checkpoint {
            let snapshot = Snapshot::open(&checkpoint).map_err(|error| failed(&error))?;
            let consumed = *snapshot.consumed();
            if self.known.count < consumed.count {
                self.known = consumed;
            }
        }
        Ok(())
    }

    /// What the ledger consumed must be what the chain has, on all endpoints.
    async fn assert_same_chain(&self, block: u64) -> Result<(), WatchError> {
        let InboxPosition { count, hash } = self.known;
        let call = Bridge::chainHashCall { count };
        let chain = self.bridge.read_agreed(&call, block).await?;
        if chain != B256::new(hash) {
            return Err(WatchError::Diverged {
                count,
                ledger: B256::new(hash),
                chain,
            });
        }
        Ok(())
    }

    /// Sends one entry and waits for the ledger's word on it.
    async fn bring(&mut self, entry: &InboxEntry) -> Result<(), WatchError> {
        let nonce = self.session.queue(&[Command::Inbox(*entry)]);
        match self.answer(nonce).await? {
            // An earlier process had brought it.
            None | Some(RejectReason::InboxOutOfOrder) => {
                let after = self.known.after(entry);
                self.known = after.expect("entries come in order, from where the ledger is");
                Ok(())
            }
            Some(reason) => Err(WatchError::Refused {
                index: entry.index,
                reason,
            }),
        }
    }

    /// Why a frame of one command was refused; `None` if it was accepted.
    async fn answer(&mut self, nonce: Nonce) -> Result<Option<RejectReason>, WatchError> {
        loop {
            let event = self.session.next().await?;
            if let SessionEvent::Message(Message::Ack(ack)) = event
                && ack.nonce() == nonce
            {
                let view = ack.view();
                let outcome = view.outcomes.first();
                let rejected = outcome.and_then(|outcome| outcome.reject_reason());
                return Ok(view.refused.or(rejected));
            }
        }
    }
}
