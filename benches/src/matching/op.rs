//! One operation: 16 bytes, four to a cache line, so that reading the stream costs next to nothing.

use types::Side;

/// Something that a client asks of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// The order: a new number for a new order, else the one that is meant.
    pub id: u32,
    /// Ticks. Of a cancel: zero.
    pub price: u32,
    /// Lots. Of a move: what remains; of a cancel: zero.
    pub quantity: u32,
    /// Which book.
    pub symbol: u16,
    /// What to do.
    pub action: Action,
    /// The order's side.
    pub side: Side,
}

const _: () = assert!(size_of::<Op>() == 16);

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Meets the other side; what is left rests.
    Place = 0,
    /// Meets the other side; what is left goes.
    Immediate = 1,
    /// Leaves the book.
    Cancel = 2,
    /// Leaves its price, meets the other side at the new one, and queues there with what is left.
    Move = 3,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Place, Self::Immediate, Self::Cancel, Self::Move];

    /// Whether an order comes in, be it an old one.
    pub const fn enters(self) -> bool {
        !matches!(self, Self::Cancel)
    }
}

impl Op {
    /// The bytes that are hashed.
    pub const fn bytes(&self) -> [u8; 16] {
        let [a, b, c, d] = self.id.to_le_bytes();
        let [e, f, g, h] = self.price.to_le_bytes();
        let [i, j, k, l] = self.quantity.to_le_bytes();
        let [m, n] = self.symbol.to_le_bytes();
        let (o, p) = (self.action as u8, self.side as u8);
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }
}
