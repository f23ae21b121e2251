//! What the public learns of a market, in plain values: its trades, and every change of what its
//! book shows.
//!
//! Nothing here names an account or a label, and nothing tells how much an iceberg hides. Three
//! kinds of readers are served by one list; each skips what it has no use for:
//!
//! | reader | keeps | reads |
//! |---|---|---|
//! | L1 | the best of each side | [`BookEvent::BestChanged`] |
//! | L2 | totals per price | [`BookEvent::LevelChanged`] |
//! | L3 | every order, in its turn | [`BookEvent::Added`], [`BookEvent::Shrunk`], [`BookEvent::Removed`] |
//!
//! The order of events: a trade comes before what it does to the book, and each change of the book
//! is told first by order, then by level, then by best, so that whoever reads all three finds the
//! cause before the sum. A level or a best that is the same after a change as before is not told.

use crate::auction::Indication;
use types::command::MarketStatus;
use types::{BaseLots, OrderId, Side, Ticks};

/// One thing that the public learns, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookEvent {
    /// A trade. What it does to the resting order follows.
    Traded(Traded),
    /// An order shows itself, behind all others at its price. An iceberg that shows its next part
    /// is removed and added again under its id: it waits anew.
    Added(ShownOrder),
    /// An order shows less, as given, and keeps its place.
    Shrunk(ShownOrder),
    /// An order is gone from where it stood; it is given as it last was.
    Removed(ShownOrder),
    /// A price has these totals now.
    LevelChanged {
        /// In which half of the book.
        side: Side,
        /// The totals; no orders: the level is gone.
        level: ShownLevel,
    },
    /// The best of a side is this now.
    BestChanged {
        /// Of which half of the book.
        side: Side,
        /// The best price and what it shows; `None`: nobody waits on this side.
        best: Option<Best>,
    },
    /// The market has another status.
    StatusChanged(MarketStatus),
    /// What an auction would come to as of now; `None`: nothing would trade.
    Indicated(Option<Indication>),
}

/// A trade, as the public sees it. In an auction both orders rest, and what the trade does to the
/// taker's order follows what it does to the maker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traded {
    /// The resting order.
    pub maker: OrderId,
    /// Which side the incoming order was on.
    pub taker_side: Side,
    /// The resting order's price, or that of the auction.
    pub price: Ticks,
    /// How much.
    pub quantity: BaseLots,
    /// Whether it happened in an auction.
    pub in_auction: bool,
}

/// A resting order, as the public sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownOrder {
    /// Its id.
    pub order_id: OrderId,
    /// Which half of the book it rests in.
    pub side: Side,
    /// The price that it rests at.
    pub price: Ticks,
    /// What it shows.
    pub shown: BaseLots,
}

/// All resting orders at one price, added up, as the public sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownLevel {
    /// The price.
    pub price: Ticks,
    /// The sum of what is shown, bounded as in [`crate::Level`].
    pub quantity: BaseLots,
    /// How many orders wait here.
    pub orders: u32,
}

impl ShownLevel {
    /// What a price shows where nobody waits.
    pub const fn empty(price: Ticks) -> Self {
        Self {
            price,
            quantity: BaseLots::ZERO,
            orders: 0,
        }
    }
}

/// The best price of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    /// The price.
    pub price: Ticks,
    /// The sum of what is shown at it.
    pub quantity: BaseLots,
}

/// All that a book shows at one moment. Whoever starts from it and applies every later event has
/// what it would have had by reading from the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookSnapshot {
    /// By side, best first.
    pub levels: [Vec<ShownLevel>; 2],
    /// By side, in the order in which a taker would meet them first.
    pub orders: [Vec<ShownOrder>; 2],
}
