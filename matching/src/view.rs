//! What a book hands out: plain values, so that nobody holds a reference into it.

use types::command::{Resting, StopLeg};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

/// An order that waits on the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// Ours, unique forever.
    pub order_id: OrderId,
    /// Who owns it.
    pub account: AccountId,
    /// The owner's label, or [`ClientOrderId::NONE`].
    pub client_order_id: ClientOrderId,
    /// Which half of the book it rests in.
    pub side: Side,
    /// The price that it rests at.
    pub price: Ticks,
    /// Its whole size, what has filled included.
    pub quantity: BaseLots,
    /// What is still open of it, hidden or not; never zero while it rests.
    pub remaining: BaseLots,
    /// How much it shows at a time; zero: all of itself.
    pub display: BaseLots,
    /// What it shows of `remaining` now: all, unless it is an iceberg.
    pub shown: BaseLots,
    /// Till which logged time it may trade; zero: for ever.
    pub expires_at: LogTime,
    /// The stop beside it, if one cancels the other. The book only remembers it.
    pub stop: Option<StopLeg>,
    /// Whether its owner's protection may pull it.
    pub protected: bool,
}

impl RestingOrder {
    /// What has filled of it.
    pub const fn filled(&self) -> BaseLots {
        BaseLots::new(self.quantity.get() - self.remaining.get())
    }

    /// How it rests.
    pub const fn resting(&self) -> Resting {
        Resting {
            expires_at: self.expires_at,
            display: self.display,
            stop: self.stop,
            protected: self.protected,
        }
    }
}

/// All resting orders at one price, added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Ticks,
    /// The sum of what is shown. It stays at `u64::MAX` beyond that, which takes more than 65,536
    /// orders of the largest legal size at one price; matching itself counts on.
    pub quantity: BaseLots,
    /// The sum of what icebergs hide, with the same bound. No feed may tell it.
    pub hidden: BaseLots,
    /// How many orders wait here.
    pub orders: u32,
}
