//! What a book hands out: plain values, so that nobody holds a reference into it.

use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

/// An order that waits on the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// Ours, unique forever. Later arrivals have higher ids.
    pub order_id: OrderId,
    /// Who owns it.
    pub account: AccountId,
    /// The owner's label, or [`ClientOrderId::NONE`].
    pub client_order_id: ClientOrderId,
    /// Which half of the book it rests in.
    pub side: Side,
    /// The price that it rests at.
    pub price: Ticks,
    /// What has neither filled nor been cancelled; never zero while it rests.
    pub remaining: BaseLots,
}

/// A resting order met an incoming one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakerFill {
    /// The resting order after this fill: `remaining` is zero if it left the book by it.
    pub maker: RestingOrder,
    /// How much traded, at the maker's price.
    pub quantity: BaseLots,
}

/// What an incoming order met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How much of it traded.
    pub filled: BaseLots,
    /// In how many fills.
    pub fills: u32,
    /// Whether it stopped at the cap on fills although more would cross.
    pub capped: bool,
}

/// All resting orders at one price, added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Ticks,
    /// The sum of what remains. It stays at `u64::MAX` beyond that, which takes more than 65,536
    /// orders of the largest legal size at one price; matching itself counts on.
    pub quantity: BaseLots,
    /// How many orders wait here.
    pub orders: u32,
}
