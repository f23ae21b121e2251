//! What the book remembers of one resting order: 32 bytes, two to a cache line.
//!
//! Price and account are kept once per level and per owner, which are read whenever an order is.
//! The links of the two lists that it hangs in are kept apart (see `queue`), so that its neighbors
//! in those lists need not be fetched when it leaves.

use crate::arena::{Entry, Slot};
use crate::ladder::LevelNode;
use crate::owners::Owner;
use crate::queue::LINK_BYTES;
use types::limits::QUANTITY_LOTS_MAX;
use types::{BaseLots, ClientOrderId, OrderId, Side};

/// A resting order.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(crate) struct OrderNode {
    /// Its id.
    pub(crate) order_id: OrderId,
    /// Its label.
    pub(crate) client_order_id: ClientOrderId,
    /// What remains, and in the lowest bit the side: a bit is free, a byte would cost eight.
    remaining_and_side: u64,
    /// Its level in the ladder of its side; in a vacant node the next vacant one.
    pub(crate) level: Slot<LevelNode>,
    /// Its owner.
    pub(crate) owner: Slot<Owner>,
}

const _: () = assert!(size_of::<OrderNode>() == 32);
const _: () = assert!(size_of::<OrderNode>() + 2 * LINK_BYTES == 48);
const _: () = assert!(QUANTITY_LOTS_MAX <= u64::MAX >> 1);
const _: () = assert!(Side::Bid as u64 == 0 && Side::Ask as u64 == 1);

impl OrderNode {
    /// A node that hangs in its level and with its owner.
    pub(crate) const fn new(
        order_id: OrderId,
        client_order_id: ClientOrderId,
        side: Side,
        remaining: BaseLots,
        level: Slot<LevelNode>,
        owner: Slot<Owner>,
    ) -> Self {
        Self {
            order_id,
            client_order_id,
            remaining_and_side: remaining.get() << 1 | side as u64,
            level,
            owner,
        }
    }

    /// What has neither filled nor been cancelled.
    pub(crate) const fn remaining(&self) -> BaseLots {
        BaseLots::new(self.remaining_and_side >> 1)
    }

    /// Which half of the book it rests in.
    pub(crate) const fn side(&self) -> Side {
        if self.remaining_and_side & 1 == 0 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Some of it traded.
    pub(crate) const fn reduce(&mut self, quantity: BaseLots) {
        assert!(quantity.get() < self.remaining().get());
        self.remaining_and_side -= quantity.get() << 1;
    }
}

impl Entry for OrderNode {
    const UNUSED: Self = Self::new(
        OrderId::new(0),
        ClientOrderId::NONE,
        Side::Bid,
        BaseLots::ZERO,
        Slot::NONE,
        Slot::NONE,
    );

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        self.level = Slot::new(next_vacant.get());
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.level.get())
    }
}
