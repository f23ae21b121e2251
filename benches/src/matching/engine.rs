//! What a book must do to be compared, and what its trades add up to.

use super::op::Op;

/// A set of books, one per symbol.
pub trait Engine {
    /// What it is called in tables.
    const NAME: &'static str;
    /// Which ids it can be asked for.
    const NAMING: Naming;

    /// Empty books. Whoever can allocate beforehand does it here.
    fn with_room(room: &Room) -> Self;

    /// Does one operation and adds its trades up.
    fn apply(&mut self, op: Op, tally: &mut Tally);
}

/// How orders are called in the operations that an engine gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// An order keeps its id for life; no two of all books share one.
    Kept,
    /// Whatever enters a book takes the book's next number, from zero, also an order that moves. For
    /// books that number orders themselves or must see ids rise.
    Renewed,
}

/// How much an engine will have to hold, for those that can allocate beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Prices are below this.
    pub ticks: u32,
    /// By symbol: how many orders rest at most.
    pub orders: Vec<u32>,
}

/// What trades add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub trades: u64,
    /// Lots.
    pub volume: u64,
    /// Ticks times lots.
    pub notional: u64,
}

impl Tally {
    /// One trade.
    #[inline]
    pub fn add(&mut self, price: u64, quantity: u64) {
        self.trades += 1;
        self.volume += quantity;
        self.notional += price * quantity;
    }
}
