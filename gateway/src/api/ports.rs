//! Where the trader API meets the rest of the node: two bounded rings in, two out, and a
//! bounded queue of questions about checkpoints.
//!
//! What follows the engine hands over every released block, and with it what the block changed of
//! accounts; so nothing here adds up a balance. It never waits: where there is no room it hands over
//! nothing until there is, and then an [`Image`] of everything. At start that comes first, too.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rtrb::{Consumer, Producer};
use tokio::sync::{Notify, oneshot};
use types::block::{ReleasedBlock, SequencedFrame};
use types::genesis::OwnerAddress;
use types::wire::query::{MarketState, OpenOrder};
use types::{AccountId, AssetId, Atoms, BaseLots, KeyEpoch, KeyId, LogTime, SequenceNumber};

use crate::ports::{RejectedFrame, Wake};

/// The API's ends of all rings.
#[derive(Debug)]
pub struct ApiPorts {
    /// What happened, in order.
    pub updates: Consumer<Update>,
    /// Wakes whoever pushes those: it may wait for an empty ring.
    pub wake_follower: Wake,
    /// Frames of signed actions, to the sequencer.
    pub to_sequencer: Producer<SequencedFrame>,
    /// Wakes the sequencer.
    pub wake_sequencer: Wake,
    /// Those of them that found no room on the disk.
    pub refused: Consumer<RejectedFrame>,
    /// Wakes the API: call `notify_one` after pushing to `updates` or `refused`.
    pub wake: Arc<Notify>,
    /// Questions about the newest checkpoint, to whoever reads its file.
    pub prover: SyncSender<ProofRequest>,
}

/// A question about the newest checkpoint.
#[derive(Debug)]
pub struct ProofRequest {
    /// The account to prove; `None`: only which checkpoint is the newest.
    pub account: Option<AccountId>,
    /// Takes the answer, one JSON object; nothing if there is no checkpoint yet, or, in words, why there
    /// is none.
    pub reply: oneshot::Sender<Result<Option<String>, String>>,
}

/// What the read models are told.
#[derive(Debug)]
pub enum Update {
    /// All that counts, as of now; whatever was known before is out of date.
    Image(Box<Image>),
    /// One block more.
    Block(Followed),
}

/// A block that is durable, and what accounts are like behind it.
#[derive(Debug)]
pub struct Followed {
    /// The block.
    pub released: Arc<ReleasedBlock>,
    /// Balances that it changed.
    pub balances: Vec<BalanceRow>,
    /// Agents that it changed.
    pub agents: Vec<AgentRow>,
}

/// The state of an exchange, as far as its traders see it.
#[derive(Debug, Default)]
pub struct Image {
    /// The last sequence number that it includes.
    pub sequence: SequenceNumber,
    /// Logged time.
    pub time: LogTime,
    /// All accounts, by number.
    pub accounts: Vec<AccountRow>,
    /// All balances that are not zero.
    pub balances: Vec<BalanceRow>,
    /// All agents that may trade.
    pub agents: Vec<AgentRow>,
    /// All open orders.
    pub orders: Vec<OrderRow>,
    /// What the markets are like, by number.
    pub markets: Vec<MarketState>,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its number.
    pub account: AccountId,
    /// Whose it is. The first account of an owner has the owner's address.
    pub owner: OwnerAddress,
}

/// A balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceRow {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// Spendable.
    pub free: Atoms,
    /// Behind open orders.
    pub held: Atoms,
}

/// An agent of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Whose.
    pub account: AccountId,
    /// Its address.
    pub agent: OwnerAddress,
    /// The key that stands for it, ...
    pub key: KeyId,
    /// ... and that key's epoch.
    pub epoch: KeyEpoch,
    /// The owner's name for it, zero padded.
    pub name: [u8; 16],
    /// Until when it may trade; zero: for ever.
    pub expires_at: LogTime,
    /// Whether it may trade no more.
    pub is_revoked: bool,
}

/// An open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Whose.
    pub account: AccountId,
    /// The order.
    pub order: OpenOrder,
    /// What of it the book shows; nothing of one that waits for its trigger.
    pub shown: BaseLots,
}
