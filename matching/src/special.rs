//! What only some orders have: a hidden part, a deadline, a stop beside them, a history.
//!
//! Whether there is anything to find here stands in the order's node, so that a plain order that
//! rests, fills at once or is cancelled touches nothing of this. Per order there is one word aside:
//! how much of a plain order has filled, or where the entry of a special one is. Icebergs, orders
//! that expire and orders with a stop have an entry of 48 bytes; those that expire stand in a heap
//! besides.

use crate::arena::{Arena, Entry, Slot};
use crate::expiry::{Deadline, Expiries};
use crate::node::OrderNode;
use crate::view::RestingOrder;
use types::command::{SelfTrade, StopLeg};
use types::limits::PRICE_TICKS_MAX;
use types::{BaseLots, LogTime, Ticks};

/// What the word aside costs per order.
pub(crate) const ASIDE_BYTES: usize = size_of::<u64>();

/// Stands for the place of an order in the heap that never expires.
const NEVER: u32 = u32::MAX;

/// An order that is an iceberg, expires, or has a stop beside it.
#[derive(Clone, Copy)]
pub(crate) struct Special {
    /// How much has filled.
    filled: BaseLots,
    /// How much it shows at a time; zero: all of itself.
    display: BaseLots,
    /// What is open beyond what it shows.
    hidden: BaseLots,
    /// The order; in a vacant entry the number of the next vacant one.
    order: Slot<OrderNode>,
    /// Its place in the heap of those that expire, or [`NEVER`].
    pub(crate) expiry: u32,
    stop: PackedStop,
}

const _: () = assert!(size_of::<Special>() == 48);

/// A [`StopLeg`] in 12 bytes; a trigger of zero is none.
#[derive(Clone, Copy)]
struct PackedStop {
    trigger: u32,
    limit: u32,
    self_trade: SelfTrade,
}

impl PackedStop {
    const NONE: Self = Self {
        trigger: 0,
        limit: 0,
        self_trade: SelfTrade::Allow,
    };

    fn new(stop: Option<StopLeg>) -> Self {
        let Some(stop) = stop else { return Self::NONE };
        let legal = |price: Ticks| {
            let ticks = price.get();
            assert!(
                0 < ticks && ticks <= PRICE_TICKS_MAX,
                "the price {ticks} is not legal"
            );
            ticks as u32
        };
        Self {
            trigger: legal(stop.trigger),
            limit: legal(stop.limit),
            self_trade: stop.self_trade,
        }
    }

    fn unpack(self) -> Option<StopLeg> {
        (self.trigger > 0).then(|| StopLeg {
            trigger: Ticks::new(self.trigger.into()),
            limit: Ticks::new(self.limit.into()),
            self_trade: self.self_trade,
        })
    }
}

impl Entry for Special {
    const UNUSED: Self = Self {
        filled: BaseLots::ZERO,
        display: BaseLots::ZERO,
        hidden: BaseLots::ZERO,
        order: Slot::NONE,
        expiry: NEVER,
        stop: PackedStop::NONE,
    };

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        self.order = Slot::new(next_vacant.get());
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.order.get())
    }
}

/// The hidden part of an iceberg.
#[derive(Clone, Copy)]
pub(crate) struct Hidden {
    /// How much it is.
    pub(crate) quantity: BaseLots,
    /// How much of it is shown at a time.
    pub(crate) display: BaseLots,
}

impl Hidden {
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        quantity: BaseLots::ZERO,
        display: BaseLots::ZERO,
    };
}

/// The entry of a special order that left.
#[derive(Clone, Copy)]
pub(crate) struct Departed {
    special: Special,
    /// When it would have expired; zero: never.
    expires_at: LogTime,
}

const _: () = assert!(size_of::<Departed>() == 56);

impl Departed {
    /// What the order hid.
    pub(crate) const fn hidden(&self) -> BaseLots {
        self.special.hidden
    }
}

/// All that nodes do not hold.
pub(crate) struct Specials {
    /// By slot of the order. Meaningless unless its node says that there is more to know.
    asides: Vec<u64>,
    specials: Arena<Special>,
    expiries: Expiries,
}

impl Specials {
    /// Nothing, with room for so many orders, an eighth of them special.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        let mut asides = vec![0; orders];
        asides.clear();
        Self {
            asides,
            specials: Arena::with_capacity(orders / 8),
            expiries: Expiries::with_capacity(orders / 8),
        }
    }

    /// How many orders are special.
    pub(crate) const fn len(&self) -> u32 {
        self.specials.len()
    }

    /// Whether some order's time is over.
    pub(crate) fn is_due(&self, now: LogTime) -> bool {
        self.expiries
            .first()
            .is_some_and(|(deadline, _)| deadline.expires_at <= now)
    }

    /// When the next order expires; `None` if none does.
    pub(crate) fn next_expiry(&self) -> Option<LogTime> {
        self.expiries
            .first()
            .map(|(deadline, _)| deadline.expires_at)
    }

    /// The order that expires first, if its time is over.
    pub(crate) fn first_due(&self, now: LogTime) -> Option<Slot<OrderNode>> {
        let (deadline, special) = self.expiries.first()?;
        (deadline.expires_at <= now).then(|| self.specials[special].order)
    }

    /// An order comes to rest. Remembers what its node does not: mostly nothing.
    #[inline]
    pub(crate) fn join(
        &mut self,
        node: &mut OrderNode,
        slot: Slot<OrderNode>,
        order: &RestingOrder,
    ) {
        let is_special =
            order.expires_at != LogTime::ZERO || !order.display.is_zero() || order.stop.is_some();
        if is_special {
            self.join_special(node, slot, order);
        } else if order.remaining < order.quantity {
            node.mark_partly_filled();
            self.set_aside(slot, order.filled().get());
        }
    }

    #[inline(never)]
    fn join_special(&mut self, node: &mut OrderNode, slot: Slot<OrderNode>, order: &RestingOrder) {
        let special = Special {
            filled: order.filled(),
            display: order.display,
            hidden: order.remaining - node.shown(),
            order: slot,
            expiry: NEVER,
            stop: PackedStop::new(order.stop),
        };
        node.mark_special();
        let deadline = Deadline {
            expires_at: order.expires_at,
            order_id: order.order_id,
        };
        self.enter(slot, special, deadline);
    }

    /// Gives an order its entry, and its place in the heap if it expires.
    fn enter(&mut self, order: Slot<OrderNode>, entry: Special, deadline: Deadline) {
        let special = self.specials.claim();
        self.specials[special] = entry;
        self.set_aside(order, u64::from(special.get()));
        if deadline.expires_at != LogTime::ZERO {
            self.expiries.insert(&mut self.specials, deadline, special);
        }
    }

    /// The entry of a special order that is about to leave.
    pub(crate) fn departed(&self, slot: Slot<OrderNode>) -> Departed {
        let special = *self.special(slot);
        Departed {
            special,
            expires_at: self.deadline(&special),
        }
    }

    /// A special order that left is there again: the inverse of [`Specials::leave`].
    pub(crate) fn come_back(
        &mut self,
        node: &OrderNode,
        slot: Slot<OrderNode>,
        departed: Departed,
    ) {
        let special = Special {
            expiry: NEVER,
            ..departed.special
        };
        let deadline = Deadline {
            expires_at: departed.expires_at,
            order_id: node.order_id,
        };
        self.enter(slot, special, deadline);
    }

    /// An order leaves.
    pub(crate) fn leave(&mut self, node: &OrderNode, slot: Slot<OrderNode>) {
        if node.is_special() {
            let special = self.special_slot(slot);
            let expiry = self.specials[special].expiry;
            if expiry != NEVER {
                self.expiries.remove(&mut self.specials, expiry);
            }
            self.specials.release(special);
        }
    }

    /// Some of an order filled, and it stays.
    pub(crate) fn fill(&mut self, node: &mut OrderNode, slot: Slot<OrderNode>, quantity: BaseLots) {
        if node.is_special() {
            let special = self.special_mut(slot);
            special.filled = special.filled + quantity;
        } else if node.is_partly_filled() {
            self.asides[slot.index()] += quantity.get();
        } else {
            node.mark_partly_filled();
            self.set_aside(slot, quantity.get());
        }
    }

    /// A fill did not happen: the inverse of [`Specials::fill`].
    pub(crate) fn unfill(
        &mut self,
        node: &mut OrderNode,
        slot: Slot<OrderNode>,
        quantity: BaseLots,
    ) {
        if node.is_special() {
            let special = self.special_mut(slot);
            special.filled = special.filled - quantity;
        } else {
            let filled = &mut self.asides[slot.index()];
            *filled -= quantity.get();
            if *filled == 0 {
                node.unmark_partly_filled();
            }
        }
    }

    /// So much of a plain order, which knows that it is partly filled, has filled.
    pub(crate) fn set_filled(&mut self, slot: Slot<OrderNode>, filled: BaseLots) {
        self.set_aside(slot, filled.get());
    }

    /// Moves the next part of an iceberg out of hiding and returns it: nothing if nothing is hidden.
    pub(crate) fn uncover(&mut self, node: &OrderNode, slot: Slot<OrderNode>) -> BaseLots {
        if !node.is_special() {
            return BaseLots::ZERO;
        }
        let special = self.special_mut(slot);
        let part = special.display.min(special.hidden);
        special.hidden = special.hidden - part;
        part
    }

    /// Takes up to `by` from what an order hides and returns how much that was.
    pub(crate) fn shrink(
        &mut self,
        node: &OrderNode,
        slot: Slot<OrderNode>,
        by: BaseLots,
    ) -> BaseLots {
        if !node.is_special() {
            return BaseLots::ZERO;
        }
        let special = self.special_mut(slot);
        let cut = by.min(special.hidden);
        special.hidden = special.hidden - cut;
        cut
    }

    /// What an order hides.
    pub(crate) fn hidden(&self, node: &OrderNode, slot: Slot<OrderNode>) -> Hidden {
        if !node.is_special() {
            return Hidden::NONE;
        }
        let special = self.special(slot);
        Hidden {
            quantity: special.hidden,
            display: special.display,
        }
    }

    /// When an order expires; zero: never.
    pub(crate) fn expires_at(&self, node: &OrderNode, slot: Slot<OrderNode>) -> LogTime {
        if !node.is_special() {
            return LogTime::ZERO;
        }
        self.deadline(self.special(slot))
    }

    fn deadline(&self, special: &Special) -> LogTime {
        match special.expiry {
            NEVER => LogTime::ZERO,
            place => self.expiries.deadline(place).expires_at,
        }
    }

    /// The stop beside an order.
    #[inline]
    pub(crate) fn stop(&self, node: &OrderNode, slot: Slot<OrderNode>) -> Option<StopLeg> {
        if node.is_special() {
            self.special(slot).stop.unpack()
        } else {
            None
        }
    }

    /// How much of an order has filled.
    pub(crate) fn filled(&self, node: &OrderNode, slot: Slot<OrderNode>) -> BaseLots {
        if !node.is_more() {
            BaseLots::ZERO
        } else if node.is_special() {
            self.special(slot).filled
        } else {
            BaseLots::new(self.asides[slot.index()])
        }
    }

    /// What a special order shows if so much of it is open.
    pub(crate) fn part_shown(&self, slot: Slot<OrderNode>, remaining: BaseLots) -> BaseLots {
        part_shown(self.special(slot).display, remaining)
    }

    /// A special order hides so much from now on.
    pub(crate) fn set_hidden(&mut self, slot: Slot<OrderNode>, hidden: BaseLots) {
        self.special_mut(slot).hidden = hidden;
    }

    /// Adds to the view of an order what its node does not know.
    pub(crate) fn complete(
        &self,
        node: &OrderNode,
        slot: Slot<OrderNode>,
        order: &mut RestingOrder,
    ) {
        if node.is_special() {
            let special = self.special(slot);
            order.remaining = order.shown + special.hidden;
            order.quantity = order.remaining + special.filled;
            order.display = special.display;
            order.expires_at = self.expires_at(node, slot);
            order.stop = special.stop.unpack();
        } else if node.is_partly_filled() {
            order.quantity = order.remaining + BaseLots::new(self.asides[slot.index()]);
        }
    }

    /// Checks the heap. Entries are checked by the book, through its orders.
    pub(crate) fn assert_invariants(&self) {
        assert!(self.expiries.len() <= self.len() as usize);
        self.expiries.assert_invariants(&self.specials);
    }

    /// Checks that an order's entry is its own, and returns whether the order expires.
    pub(crate) fn assert_special(&self, slot: Slot<OrderNode>) -> bool {
        assert_eq!(self.special(slot).order, slot);
        self.special(slot).expiry != NEVER
    }

    /// How many orders expire.
    pub(crate) const fn expiring(&self) -> usize {
        self.expiries.len()
    }

    fn special_slot(&self, slot: Slot<OrderNode>) -> Slot<Special> {
        let number = u32::try_from(self.asides[slot.index()]);
        Slot::new(number.expect("a special order's aside names its entry"))
    }

    fn special(&self, slot: Slot<OrderNode>) -> &Special {
        &self.specials[self.special_slot(slot)]
    }

    fn special_mut(&mut self, slot: Slot<OrderNode>) -> &mut Special {
        let special = self.special_slot(slot);
        &mut self.specials[special]
    }

    fn set_aside(&mut self, slot: Slot<OrderNode>, word: u64) {
        if self.asides.len() <= slot.index() {
            self.asides.resize(slot.index() + 1, 0);
        }
        self.asides[slot.index()] = word;
    }
}

/// What an order shows that has so much open: with no display, all of it.
pub(crate) fn part_shown(display: BaseLots, remaining: BaseLots) -> BaseLots {
    match display {
        BaseLots::ZERO => remaining,
        display => display.min(remaining),
    }
}
