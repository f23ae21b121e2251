//! What happens between an incoming order and the resting ones, in plain values.

use types::command::{SelfTrade, StopLeg};
use types::{AccountId, BaseLots, ClientOrderId, GroupId, LogTime, OrderId, Side, Ticks};

use crate::view::RestingOrder;

/// An incoming order, as far as the other side of the book is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Buys or sells.
    pub side: Side,
    /// The worst price that it accepts.
    pub limit: Ticks,
    /// How much it wants.
    pub quantity: BaseLots,
    /// How many resting orders it may meet.
    pub fills_max: u32,
    /// Who owns it.
    pub account: AccountId,
    /// The owner's group.
    pub group: GroupId,
    /// What to do on meeting an order of that group.
    pub self_trade: SelfTrade,
    /// Logged time: resting orders whose expiry has come do not trade.
    pub now: LogTime,
}

/// The resting side of a fill. Smaller than a [`RestingOrder`]: it costs no look beyond what
/// matching touches anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Its id.
    pub order_id: OrderId,
    /// Who owns it.
    pub account: AccountId,
    /// The owner's label.
    pub client_order_id: ClientOrderId,
    /// The price that it rests at, and that of the trade.
    pub price: Ticks,
    /// What is still open after this fill, hidden or not: zero if it left the book by it.
    pub remaining: BaseLots,
    /// The stop beside it.
    pub stop: Option<StopLeg>,
    /// Whether its owner's protection counts the fill.
    pub protected: bool,
}

/// An incoming order met a resting one. Each counts toward [`Taker::fills_max`], but for
/// [`Meeting::Pulled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// They traded.
    Fill {
        /// The resting order after the fill.
        maker: Maker,
        /// How much traded, at the maker's price.
        quantity: BaseLots,
        /// Whether this used up the shown part of an iceberg: what it shows next stands at the end
        /// of its level.
        refreshed: bool,
    },
    /// The resting order's time was over; it left the book as given.
    Expired(RestingOrder),
    /// The resting order is of the taker's group; it left the book as given.
    SelfTradeCancelled(RestingOrder),
    /// The resting order is of the taker's group; both shrank without a trade.
    SelfTradeReduced {
        /// The resting order after it: `remaining` is zero if it left the book by it.
        maker: RestingOrder,
        /// By how much both shrank.
        by: BaseLots,
    },
    /// The fill before tripped the protection of the resting order's owner; it left the book as
    /// given, wherever it stood.
    Pulled(RestingOrder),
}

/// Knows who is protected against filling too much, and counts.
pub trait Guard {
    /// Whether anybody is protected at all; if not, nothing is asked.
    fn is_on(&self) -> bool;

    /// A protected order of this account filled as a maker: whether that trips its protection, so
    /// that its protected orders are pulled.
    fn trips(&mut self, owner: AccountId, price: Ticks, quantity: BaseLots) -> bool;
}

/// Protects nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unguarded;

impl Guard for Unguarded {
    fn is_on(&self) -> bool {
        false
    }

    fn trips(&mut self, _: AccountId, _: Ticks, _: BaseLots) -> bool {
        false
    }
}

/// What an incoming order met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How much of it traded.
    pub filled: BaseLots,
    /// How many resting orders it met, fills or not.
    pub fills: u32,
    /// What is left of it: what neither traded nor was decremented.
    pub remaining: BaseLots,
    /// Why it may neither go on nor rest.
    pub stopped: Option<Stopped>,
}

/// Why an incoming order was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It met as many orders as it may, and would meet more.
    FillLimit,
    /// It met an order of its own group, and its setting ends it there; or it was decremented to
    /// nothing.
    SelfTrade,
}
