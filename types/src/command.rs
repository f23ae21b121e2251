//! Every request that may change state, once decoded and authenticated.
//!
//! Variants carry only the fields that make sense for them, so that for instance a post-only order
//! that must fill at once cannot be said. Only `engine::transition` may match on [`Command`] to
//! change state. Value checks (zero price, unknown market) are the transition's, not the decoder's:
//! they depend on state and their outcome is part of the total order.

use crate::{AccountId, AssetId, Atoms, BaseLots, ClientOrderId, MarketId, OrderId, Side, Ticks};

/// One request of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Enter an order.
    Place(Place),
    /// Take one order off the book.
    Cancel(CancelTarget),
    /// Take all orders of the account in scope off the book.
    CancelAll(CancelScope),
    /// Move free funds to another account.
    Transfer(Transfer),
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where to trade.
    pub market: MarketId,
    /// Buy or sell base.
    pub side: Side,
    /// How the order may meet the book.
    pub kind: OrderKind,
    /// The worst price the owner accepts.
    pub price: Ticks,
    /// How much base.
    pub quantity: BaseLots,
    /// The owner's label, unique among the account's open orders in the market.
    pub client_order_id: ClientOrderId,
}

/// How an order may meet the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Crosses what it can at its price or better; the time in force says what becomes of the rest.
    Limit(TimeInForce),
    /// Rests in full or is rejected; never takes.
    PostOnly,
}

/// What becomes of the part of a limit order that does not fill at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TimeInForce {
    /// Good till cancelled: rests.
    Gtc = 0,
    /// Immediate or cancel: is cancelled.
    Ioc = 1,
    /// Fill or kill: unless all of it fills at once, nothing does.
    Fok = 2,
}

impl OrderKind {
    /// Whether a remainder rests on the book.
    pub const fn rests(self) -> bool {
        matches!(self, Self::PostOnly | Self::Limit(TimeInForce::Gtc))
    }
}

/// Which order to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelTarget {
    /// By our id, which names the market too.
    Order(OrderId),
    /// By the owner's label, within its market.
    Client {
        /// The market that the order rests in.
        market: MarketId,
        /// The label.
        client_order_id: ClientOrderId,
    },
}

/// Which of the account's orders a [`Command::CancelAll`] touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelScope {
    /// One market, or all.
    pub market: Option<MarketId>,
    /// One side, or both.
    pub side: Option<Side>,
}

/// A movement of free funds between accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who receives.
    pub to: AccountId,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
}
