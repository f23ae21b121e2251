//! Rare states that enough runs must have reached: a simulation that never gets there proves nothing
//! about them.

use node::recovery::Recovered;
use types::Side;
use types::command::MarketStatus;

use crate::run::World;
use crate::truth::Written;

/// What a batch of runs must have reached, each at least once.
pub const RARE: &[&str] = &[
    "power failed in a commit",
    "power failed while a segment was prepared",
    "power failed at a rename of a segment",
    "power failed while a checkpoint was written",
    "power failed at the rename of a checkpoint",
    "power failed while an old checkpoint was removed",
    "power failed in a recovery",
    "power failed in two recoveries in a row",
    "a torn tail was cut",
    "nothing beyond what was released survived",
    "one block beyond what was released survived",
    "two blocks beyond what was released survived",
    "a segment was recycled",
    "a start from a checkpoint",
    "a start from an older checkpoint",
    "a start without the newest checkpoint",
    "a start from the genesis after many blocks",
    "a journal without its first segment",
    "a checkpoint of a block with fills",
    "a clean stop",
    "a repeated frame was answered after a restart",
    "a nonce was used for another frame",
    "a frame came too late",
    "a wallet of somebody else was refused",
    "a revoked key was refused",
    "a key was refused after its time",
    "a key of an earlier epoch was refused",
    "a command out of a key's scope was rejected",
    "a command in another market was rejected",
    "an order was too large for its key",
    "a key had enough open",
    "a key could have lost too much",
    "a revocation took an order off",
    "a silence took an order off",
    "a timer took an order off",
    "a session policy was recovered",
    "a grant was recovered",
    "a full ring refused a frame",
    "a market in auction was recovered",
    "a tripped protection was recovered",
    "a stop beside a resting order was recovered",
    "an order that expires was recovered",
    "an order was cancelled while cancel-only",
    "the exchange opened after a restart",
    "an exchange that was left cancel-only opened at once",
    "a life ended while cancel-only",
    "the clock ran backwards",
    "the clock jumped a day",
    "a failed write or sync stopped the node",
    "a failed checkpoint stopped nothing",
    "a failed preparation stopped nothing",
    "a failed recovery was tried again",
    "a start on a full disk",
    "a start that a full disk prevented",
    "a full disk refused an order",
    "a full disk took a cancel",
    "a disk that was full took orders again",
    "rot was refused",
    "rot was passed by",
    "a lost write was refused",
    "a lost write was passed by",
    "a misdirected write was refused",
    "a misdirected write was passed by",
    "the last commit was lost, and nothing can prove it",
];

impl World {
    /// Where power failed.
    pub(crate) fn note_place(&self) {
        let (verb, name) = self.trace.last();
        let is_preparing = name.contains(".ahead");
        let is_checkpoint = name.contains(".tmp") && !is_preparing && !name.contains("journal");
        let state = match verb {
            "commit" => "power failed in a commit",
            "rename" if is_preparing => "power failed at a rename of a segment",
            "write" | "sync" | "create" if is_preparing => {
                "power failed while a segment was prepared"
            }
            "rename" if is_checkpoint => "power failed at the rename of a checkpoint",
            "write" | "sync" | "create" if is_checkpoint => {
                "power failed while a checkpoint was written"
            }
            "remove" => "power failed while an old checkpoint was removed",
            _ => return,
        };
        self.trace.reach(state);
    }

    pub(crate) fn note_tail(&self, recovered: &Recovered, records: &[Written]) {
        let height = recovered.state.position().height;
        let state = match height.get().saturating_sub(self.released().get()) {
            0 => "nothing beyond what was released survived",
            1 => "one block beyond what was released survived",
            _ => "two blocks beyond what was released survived",
        };
        self.trace.reach(state);
        if recovered.warnings.iter().any(|it| it.contains("torn tail")) {
            self.trace.reach("a torn tail was cut");
        }
        if records.first().is_some_and(|first| first.height.get() > 1) {
            self.trace.reach("a journal without its first segment");
        }
    }

    pub(crate) fn note_recovered(&self, recovered: &Recovered) {
        let state = &recovered.state;
        let checkpoints = self.disk.folders().checkpoints();
        match checkpoints.heights() {
            Ok(heights) if !heights.is_empty() => self.trace.reach("a start from a checkpoint"),
            _ if 10 < state.position().height.get() => {
                self.trace
                    .reach("a start from the genesis after many blocks");
            }
            _ => {}
        }
        if !state.sessions().is_empty() {
            self.trace.reach("a session policy was recovered");
        }
        if !state.ledger().has_only_owners() {
            self.trace.reach("a grant was recovered");
        }
        if state
            .protections()
            .iter()
            .any(|(.., count)| count.is_tripped)
        {
            self.trace.reach("a tripped protection was recovered");
        }
        for (_, _, market) in state.market_states() {
            if market.status == MarketStatus::Auction && !market.book.is_empty() {
                self.trace.reach("a market in auction was recovered");
            }
            let orders = Side::BOTH.into_iter();
            for order in orders.flat_map(|side| market.book.orders(side)) {
                if order.stop.is_some() {
                    self.trace
                        .reach("a stop beside a resting order was recovered");
                }
                if order.expires_at.get() != 0 {
                    self.trace.reach("an order that expires was recovered");
                }
            }
        }
    }
}
