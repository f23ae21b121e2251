//! The lists that orders hang in: the queue of a level, and the orders of an owner.
//!
//! Both are doubly linked, so an order leaves from the middle in constant time and joining costs
//! no allocation. The links are not in the nodes but in a table of their own: whoever leaves writes
//! to all neighbors, and in a table of 16 bytes per order these are far more often in the cache than
//! whole nodes would be. Those of both lists stand side by side, since an order joins and leaves
//! both at once.

use crate::arena::Slot;
use crate::node::OrderNode;

/// What both lists cost per order.
pub(crate) const LINK_BYTES: usize = size_of::<[Link; 2]>();

/// Lists of the orders at one price, in the order in which they are met.
pub(crate) const LEVEL: usize = 0;
/// Lists of the orders of one owner, by arrival.
pub(crate) const OWNER: usize = 1;

#[derive(Clone, Copy)]
struct Link {
    previous: Slot<OrderNode>,
    next: Slot<OrderNode>,
}

impl Link {
    const NONE: Self = Self {
        previous: Slot::NONE,
        next: Slot::NONE,
    };
}

/// The links of all orders, by slot and kind of list. An order hangs in one list of each kind.
#[derive(Clone)]
pub(crate) struct Links {
    links: Vec<[Link; 2]>,
}

impl Links {
    /// Links for this many orders, written once.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self {
            links: vec![[Link::NONE; 2]; orders],
        }
    }

    /// Makes room for a slot. Slabs hand them out one after the other, so a new one is the next.
    #[inline]
    pub(crate) fn cover(&mut self, slot: Slot<OrderNode>) {
        if self.links.len() == slot.index() {
            self.links.push([Link::NONE; 2]);
        }
    }

    /// The order behind this one.
    pub(crate) fn next<const LIST: usize>(&self, slot: Slot<OrderNode>) -> Slot<OrderNode> {
        self.links[slot.index()][LIST].next
    }

    /// The order before this one.
    pub(crate) fn previous<const LIST: usize>(&self, slot: Slot<OrderNode>) -> Slot<OrderNode> {
        self.links[slot.index()][LIST].previous
    }
}

/// The two ends of a list of orders, in the order in which they joined it.
#[derive(Clone, Copy)]
pub(crate) struct Queue<const LIST: usize> {
    head: Slot<OrderNode>,
    tail: Slot<OrderNode>,
}

impl<const LIST: usize> Queue<LIST> {
    /// No orders.
    pub(crate) const EMPTY: Self = Self {
        head: Slot::NONE,
        tail: Slot::NONE,
    };

    /// The order that joined first.
    pub(crate) const fn head(&self) -> Slot<OrderNode> {
        self.head
    }

    /// The order that joined last.
    pub(crate) const fn tail(&self) -> Slot<OrderNode> {
        self.tail
    }

    /// Hangs `slot` behind the last.
    #[inline]
    pub(crate) fn append(&mut self, links: &mut Links, slot: Slot<OrderNode>) {
        let previous = self.tail;
        let next = Slot::NONE;
        links.links[slot.index()][LIST] = Link { previous, next };
        if previous.is_none() {
            self.head = slot;
        } else {
            links.links[previous.index()][LIST].next = slot;
        }
        self.tail = slot;
    }

    /// Hangs `slot` behind `previous`, or before all others if that is none: the inverse of
    /// [`Queue::unlink`].
    pub(crate) fn insert_after(
        &mut self,
        links: &mut Links,
        previous: Slot<OrderNode>,
        slot: Slot<OrderNode>,
    ) {
        let next = if previous.is_none() {
            std::mem::replace(&mut self.head, slot)
        } else {
            std::mem::replace(&mut links.links[previous.index()][LIST].next, slot)
        };
        links.links[slot.index()][LIST] = Link { previous, next };
        if next.is_none() {
            self.tail = slot;
        } else {
            links.links[next.index()][LIST].previous = slot;
        }
    }

    /// Takes `slot` out, wherever it hangs.
    #[inline]
    pub(crate) fn unlink(&mut self, links: &mut Links, slot: Slot<OrderNode>) {
        let Link { previous, next } = links.links[slot.index()][LIST];
        if previous.is_none() {
            self.head = next;
        } else {
            links.links[previous.index()][LIST].next = next;
        }
        if next.is_none() {
            self.tail = previous;
        } else {
            links.links[next.index()][LIST].previous = previous;
        }
    }

    /// Hangs `slot`, wherever it hangs, behind the last.
    #[inline]
    pub(crate) fn requeue(&mut self, links: &mut Links, slot: Slot<OrderNode>) {
        if self.tail != slot {
            self.unlink(links, slot);
            self.append(links, slot);
        }
    }

    /// The orders, first to last.
    pub(crate) fn iter<'a>(
        &self,
        links: &'a Links,
    ) -> impl Iterator<Item = Slot<OrderNode>> + use<'a, LIST> {
        let mut next = self.head;
        std::iter::from_fn(move || {
            let slot = next;
            if slot.is_none() {
                return None;
            }
            next = links.next::<LIST>(slot);
            Some(slot)
        })
    }
}
