//! What the book remembers of one resting order: 32 bytes, two to a cache line.
//!
//! The price is kept once per level, which is read whenever an order is.
//! The links of the two lists that it hangs in are kept apart (see `queue`), so that its neighbors
//! in those lists need not be fetched when it leaves. What only some orders have is kept apart too
//! (see `special`): for most orders nothing of it is ever touched.

use crate::arena::{Entry, Slot};
use crate::ladder::LevelNode;
use crate::queue::LINK_BYTES;
use crate::special::ASIDE_BYTES;
use types::limits::QUANTITY_LOTS_MAX;
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side};

/// A resting order.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(crate) struct OrderNode {
    /// Its id.
    pub(crate) order_id: OrderId,
    /// Its label.
    pub(crate) client_order_id: ClientOrderId,
    /// What it shows, above bits for its side and for what else there is to know: bits are free,
    /// bytes would cost eight.
    shown_and_flags: u64,
    /// Its level in the ladder of its side; in a vacant node the next vacant one.
    pub(crate) level: Slot<LevelNode>,
    /// Who owns it.
    pub(crate) account: AccountId,
}

const _: () = assert!(size_of::<OrderNode>() == 32);
/// It is an ask.
const ASK: u64 = 1;
/// There is an entry for it among the special orders: it is an iceberg, expires, or has a stop.
const SPECIAL: u64 = 1 << 1;
/// Some of it has filled; if it is not special, how much is kept aside.
const PARTLY_FILLED: u64 = 1 << 2;
/// Its owner's protection counts its fills and may pull it.
const PROTECTED: u64 = 1 << 3;
/// Lots stand above the flags.
const LOTS_SHIFT: u32 = 4;

const _: () = assert!(size_of::<OrderNode>() + LINK_BYTES + ASIDE_BYTES == 56);
const _: () = assert!(QUANTITY_LOTS_MAX <= u64::MAX >> LOTS_SHIFT);
const _: () = assert!(Side::Bid as u64 == 0 && Side::Ask as u64 == ASK);

impl OrderNode {
    /// A node that hangs in its level and with its owner.
    pub(crate) const fn new(
        order_id: OrderId,
        client_order_id: ClientOrderId,
        side: Side,
        shown: BaseLots,
        level: Slot<LevelNode>,
        account: AccountId,
    ) -> Self {
        Self {
            order_id,
            client_order_id,
            shown_and_flags: shown.get() << LOTS_SHIFT | side as u64,
            level,
            account,
        }
    }

    /// What is open and shown. Unless it is special, that is all that is open.
    pub(crate) const fn shown(&self) -> BaseLots {
        BaseLots::new(self.shown_and_flags >> LOTS_SHIFT)
    }

    /// Which half of the book it rests in.
    pub(crate) const fn side(&self) -> Side {
        if self.shown_and_flags & ASK == 0 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Whether there is more to know of it than stands here.
    pub(crate) const fn is_more(&self) -> bool {
        self.shown_and_flags & (SPECIAL | PARTLY_FILLED) != 0
    }

    /// Whether it is an iceberg, expires, or has a stop beside it.
    pub(crate) const fn is_special(&self) -> bool {
        self.shown_and_flags & SPECIAL != 0
    }

    /// Whether some of it has filled; of a special order its entry knows.
    pub(crate) const fn is_partly_filled(&self) -> bool {
        self.shown_and_flags & PARTLY_FILLED != 0
    }

    /// It has an entry among the special orders.
    pub(crate) const fn mark_special(&mut self) {
        self.shown_and_flags |= SPECIAL;
    }

    /// How much has filled is kept aside.
    pub(crate) const fn mark_partly_filled(&mut self) {
        self.shown_and_flags |= PARTLY_FILLED;
    }

    /// Nothing has filled of it after all.
    pub(crate) const fn unmark_partly_filled(&mut self) {
        self.shown_and_flags &= !PARTLY_FILLED;
    }

    /// Whether its owner's protection counts its fills.
    pub(crate) const fn is_protected(&self) -> bool {
        self.shown_and_flags & PROTECTED != 0
    }

    /// Its owner's protection counts its fills.
    pub(crate) const fn mark_protected(&mut self) {
        self.shown_and_flags |= PROTECTED;
    }

    /// It shows less, but something.
    pub(crate) const fn reduce(&mut self, quantity: BaseLots) {
        assert!(quantity.get() < self.shown().get());
        self.shown_and_flags -= quantity.get() << LOTS_SHIFT;
    }

    /// It shows another part of itself.
    pub(crate) const fn show(&mut self, part: BaseLots) {
        let flags = self.shown_and_flags & ((1 << LOTS_SHIFT) - 1);
        self.shown_and_flags = part.get() << LOTS_SHIFT | flags;
    }
}

impl Entry for OrderNode {
    const UNUSED: Self = Self::new(
        OrderId::new(0),
        ClientOrderId::NONE,
        Side::Bid,
        BaseLots::ZERO,
        Slot::NONE,
        AccountId::new(0),
    );

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        self.level = Slot::new(next_vacant.get());
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.level.get())
    }
}
