//! Which order expires next: a heap of those that expire at all.
//!
//! Each entry is told its place in the heap whenever it moves, so that an order that fills or is
//! cancelled leaves from the middle. A heap and not a tree: it allocates only to grow.

use crate::arena::{Arena, Slot};
use crate::special::Special;
use types::{LogTime, OrderId};

/// When an order expires. The field order is that of the heap: by time, then by order id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    /// The first logged time at which it may not trade any more.
    pub(crate) expires_at: LogTime,
    /// Whose.
    pub(crate) order_id: OrderId,
}

/// A deadline, and where the order remembers its place here.
#[derive(Clone, Copy)]
struct Expiry {
    deadline: Deadline,
    special: Slot<Special>,
}

/// All orders that expire; at every place the deadline is no later than at both places below it.
pub(crate) struct Expiries {
    heap: Vec<Expiry>,
}

impl Expiries {
    /// None, with room for some.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self {
            heap: Vec::with_capacity(orders),
        }
    }

    /// How many orders expire.
    pub(crate) const fn len(&self) -> usize {
        self.heap.len()
    }

    /// The order that expires first.
    pub(crate) fn first(&self) -> Option<(Deadline, Slot<Special>)> {
        let first = self.heap.first()?;
        Some((first.deadline, first.special))
    }

    /// The deadline at a place.
    pub(crate) fn deadline(&self, place: u32) -> Deadline {
        self.heap[place as usize].deadline
    }

    /// Adds an order.
    pub(crate) fn insert(
        &mut self,
        specials: &mut Arena<Special>,
        deadline: Deadline,
        special: Slot<Special>,
    ) {
        self.heap.push(Expiry { deadline, special });
        self.rise(specials, self.heap.len() - 1);
    }

    /// Removes the order at a place.
    pub(crate) fn remove(&mut self, specials: &mut Arena<Special>, place: u32) {
        let place = place as usize;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            // The last one came here from another branch: it may have to go either way.
            let place = self.rise(specials, place);
            self.sink(specials, place);
        }
    }

    /// Panics unless deadlines are in order and every order knows its place.
    pub(crate) fn assert_invariants(&self, specials: &Arena<Special>) {
        for (place, expiry) in self.heap.iter().enumerate() {
            assert_eq!(specials[expiry.special].expiry as usize, place);
            let above = &self.heap[place.saturating_sub(1) / 2];
            assert!(above.deadline <= expiry.deadline);
        }
    }

    /// Moves the order at `place` up to where it belongs, and tells it where that is.
    fn rise(&mut self, specials: &mut Arena<Special>, mut place: usize) -> usize {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.heap[above].deadline <= self.heap[place].deadline {
                break;
            }
            self.heap.swap(above, place);
            self.tell(specials, place);
            place = above;
        }
        self.tell(specials, place);
        place
    }

    /// Moves the order at `place` down to where it belongs. It knows its place already.
    fn sink(&mut self, specials: &mut Arena<Special>, mut place: usize) {
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.heap.len());
            let Some(first) = children.min_by_key(|child| self.heap[*child].deadline) else {
                return;
            };
            if self.heap[place].deadline <= self.heap[first].deadline {
                return;
            }
            self.heap.swap(place, first);
            self.tell(specials, place);
            self.tell(specials, first);
            place = first;
        }
    }

    fn tell(&self, specials: &mut Arena<Special>, place: usize) {
        let number = u32::try_from(place).expect("a book has fewer orders");
        specials[self.heap[place].special].expiry = number;
    }
}
