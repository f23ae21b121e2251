//! What one market's book shows, kept up to date change by change.
//!
//! This is no second [`Book`](crate::Book): it matches nothing, and it is not fed from the book's
//! memory but told what happened to which order, by whoever follows released events. So market data
//! costs matching nothing, and nobody can be shown what is not durable. What an order shows of
//! itself is the caller's to say; what it hides never comes here.
//!
//! Every verb tells the caller's sink what the public learns from it, in the order that
//! [`book_event`](crate::book_event) gives. A verb and a question about one order, one level or one
//! best take constant time, as in the book and by the same means (`ladder`, `index`, `queue`): this
//! follows every command, also while nobody reads. Only [`Depth::snapshot`] and the lists read more.

use std::fmt;

use crate::arena::{Arena, Slot};
use crate::book_event::{Best, BookEvent, BookSnapshot, ShownLevel, ShownOrder, Traded};
use crate::index::{Hashing, SlotIndex};
use crate::ladder::{Ladder, LevelNode};
use crate::node::OrderNode;
use crate::queue::Links;
use types::limits::ORDERS_PER_BOOK_MAX;
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

/// The public view of one market: orders in their turn, totals per price, best of both sides.
#[derive(Clone)]
pub struct Depth {
    hashing: Hashing,
    /// Of the orders, without owners and labels: the public is told neither.
    nodes: Arena<OrderNode>,
    links: Links,
    ladders: [Ladder; 2],
    by_id: SlotIndex<OrderNode>,
    /// The highest id that ever came to rest: a higher one needs no search to be new.
    newest: OrderId,
}

impl Depth {
    /// The view of an empty book. The seed keeps others from choosing orders whose ids collide; no
    /// answer depends on it.
    pub fn new(hash_seed: u64) -> Self {
        Self {
            hashing: Hashing::new(hash_seed),
            nodes: Arena::with_capacity(0),
            links: Links::with_capacity(0),
            ladders: Side::BOTH.map(|side| Ladder::with_capacity(side, 0)),
            by_id: SlotIndex::with_capacity(0),
            newest: OrderId::new(0),
        }
    }

    /// A trade. It changes nothing by itself: what is left of the resting order is told by
    /// [`Depth::shrink`], [`Depth::refresh`] or [`Depth::remove`] after it.
    ///
    /// Panics unless the resting order shows that much, at that price or, in an auction, one as good.
    pub fn trade(&self, traded: &Traded, mut sink: impl FnMut(&BookEvent)) {
        let maker = self.shown(self.expect(traded.maker));
        let is_paid = match maker.side {
            _ if !traded.in_auction => maker.price == traded.price,
            Side::Bid => traded.price <= maker.price,
            Side::Ask => maker.price <= traded.price,
        };
        assert!(is_paid, "no trade is worse than the maker's price");
        assert!(
            traded.quantity <= maker.shown,
            "what is hidden never trades"
        );
        sink(&BookEvent::Traded(*traded));
    }

    /// An order comes to rest behind all others at its price.
    ///
    /// Panics unless it shows something at a legal price, its id is not there, and the book has room.
    pub fn add(&mut self, order: &ShownOrder, mut sink: impl FnMut(&BookEvent)) {
        assert!(self.len() < ORDERS_PER_BOOK_MAX, "the book is full");
        assert!(!order.shown.is_zero(), "who rests shows something");
        let is_new = self.newest < order.order_id || self.slot(order.order_id).is_none();
        assert!(is_new, "ids are unique");
        self.newest = self.newest.max(order.order_id);
        let ShownOrder { side, shown, .. } = *order;
        let best = self.best(side);
        let slot = self.nodes.claim();
        self.links.cover(slot);
        let ladder = &mut self.ladders[side as usize];
        let key = ladder.key(order.price);
        let level = ladder.join(&mut self.links, key, slot, shown);
        let (label, account) = (ClientOrderId::NONE, AccountId::new(0));
        self.nodes[slot] = OrderNode::new(order.order_id, label, side, shown, level, account);
        self.index(order.order_id, slot);
        sink(&BookEvent::Added(*order));
        let level = shown_level(&self.ladders[side as usize], level);
        sink(&BookEvent::LevelChanged { side, level });
        self.tell_best(side, best, sink);
    }

    /// An order shows less, and keeps its place. Where it shows as much as before, because only
    /// hidden size went, the public learns nothing.
    ///
    /// Panics unless it rests and shows at least `shown`, which is not nothing.
    pub fn shrink(&mut self, order_id: OrderId, shown: BaseLots, mut sink: impl FnMut(&BookEvent)) {
        let slot = self.expect(order_id);
        let order = self.shown(slot);
        let by = order.shown - shown;
        assert!(!shown.is_zero(), "what shows nothing is removed");
        if by.is_zero() {
            return;
        }
        let (side, level) = (order.side, self.nodes[slot].level);
        let best = self.best(side);
        let seen = shown_level(&self.ladders[side as usize], level);
        self.nodes[slot].reduce(by);
        self.ladders[side as usize].reduce(level, by);
        sink(&BookEvent::Shrunk(ShownOrder { shown, ..order }));
        self.tell_total(side, level, seen, &mut sink);
        self.tell_best(side, best, sink);
    }

    /// What an iceberg showed has filled: it shows its next part, behind all others at its price.
    ///
    /// Panics unless it rests and `shown` is not nothing.
    pub fn refresh(
        &mut self,
        order_id: OrderId,
        shown: BaseLots,
        mut sink: impl FnMut(&BookEvent),
    ) {
        assert!(!shown.is_zero(), "who rests shows something");
        let slot = self.expect(order_id);
        let order = self.shown(slot);
        let (side, level) = (order.side, self.nodes[slot].level);
        let best = self.best(side);
        let ladder = &mut self.ladders[side as usize];
        let seen = shown_level(ladder, level);
        ladder.show_next(&mut self.links, level, slot, order.shown, shown);
        self.nodes[slot].show(shown);
        sink(&BookEvent::Removed(order));
        sink(&BookEvent::Added(ShownOrder { shown, ..order }));
        self.tell_total(side, level, seen, &mut sink);
        self.tell_best(side, best, sink);
    }

    /// An order leaves. Returns it as it last was; `None`: no such order rests, and nothing changes.
    pub fn remove(
        &mut self,
        order_id: OrderId,
        mut sink: impl FnMut(&BookEvent),
    ) -> Option<ShownOrder> {
        let nodes = &self.nodes;
        let hash = self.hashing.order(order_id);
        let is_meant = |slot: Slot<OrderNode>| nodes[slot].order_id == order_id;
        let slot = self.by_id.remove(hash, is_meant)?;
        let order = self.shown(slot);
        let (side, level) = (order.side, self.nodes[slot].level);
        let best = self.best(side);
        let ladder = &mut self.ladders[side as usize];
        let is_last = ladder.level(level).orders == 1;
        ladder.leave(&mut self.links, level, slot, order.shown);
        let total = match is_last {
            true => ShownLevel::empty(order.price),
            false => shown_level(ladder, level),
        };
        self.nodes.release(slot);
        sink(&BookEvent::Removed(order));
        sink(&BookEvent::LevelChanged { side, level: total });
        self.tell_best(side, best, sink);
        Some(order)
    }

    /// How many orders rest.
    pub fn len(&self) -> u32 {
        self.nodes.len()
    }

    /// Whether no order rests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The resting order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<ShownOrder> {
        let slot = self.slot(order_id)?;
        Some(self.shown(slot))
    }

    /// The best of a side.
    pub fn best(&self, side: Side) -> Option<Best> {
        let ladder = &self.ladders[side as usize];
        let price = ladder.best()?;
        let quantity = ladder.level(ladder.best_level()).shown_bounded();
        Some(Best { price, quantity })
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = ShownLevel> + '_ {
        let ladder = &self.ladders[side as usize];
        ladder.levels().map(|level| shown_level(ladder, level))
    }

    /// The totals at a legal price, if only of nobody.
    pub fn level(&self, side: Side, price: Ticks) -> ShownLevel {
        let ladder = &self.ladders[side as usize];
        let level = ladder.find(ladder.key(price));
        level.map_or(ShownLevel::empty(price), |level| shown_level(ladder, level))
    }

    /// The orders of a side in the order in which a taker would meet them first.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = ShownOrder> + '_ {
        let ladder = &self.ladders[side as usize];
        let queues = ladder.levels().map(|level| ladder.level(level).queue);
        let slots = queues.flat_map(|queue| queue.iter(&self.links));
        slots.map(|slot| self.shown(slot))
    }

    /// All of it, for one who joins here and goes on with the events to come.
    pub fn snapshot(&self) -> BookSnapshot {
        BookSnapshot {
            levels: Side::BOTH.map(|side| self.levels(side).collect()),
            orders: Side::BOTH.map(|side| self.orders(side).collect()),
        }
    }

    fn index(&mut self, order_id: OrderId, slot: Slot<OrderNode>) {
        let (nodes, hashing) = (&self.nodes, &self.hashing);
        let hash_of = |slot: Slot<OrderNode>| hashing.order(nodes[slot].order_id);
        self.by_id.insert(hashing.order(order_id), slot, hash_of);
    }

    fn slot(&self, order_id: OrderId) -> Option<Slot<OrderNode>> {
        let is_meant = |slot: Slot<OrderNode>| self.nodes[slot].order_id == order_id;
        self.by_id.find(self.hashing.order(order_id), is_meant)
    }

    fn expect(&self, order_id: OrderId) -> Slot<OrderNode> {
        let slot = self.slot(order_id);
        slot.expect("events speak of resting orders")
    }

    fn shown(&self, slot: Slot<OrderNode>) -> ShownOrder {
        let node = &self.nodes[slot];
        let side = node.side();
        ShownOrder {
            order_id: node.order_id,
            side,
            price: self.ladders[side as usize].price(node.level),
            shown: node.shown(),
        }
    }

    /// Tells the totals of a level that orders neither joined nor left, if they look different.
    fn tell_total(
        &self,
        side: Side,
        level: Slot<LevelNode>,
        seen: ShownLevel,
        mut sink: impl FnMut(&BookEvent),
    ) {
        let level = shown_level(&self.ladders[side as usize], level);
        if level != seen {
            sink(&BookEvent::LevelChanged { side, level });
        }
    }

    fn tell_best(&self, side: Side, seen: Option<Best>, mut sink: impl FnMut(&BookEvent)) {
        let best = self.best(side);
        if best != seen {
            sink(&BookEvent::BestChanged { side, best });
        }
    }
}

impl fmt::Debug for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Depth")
            .field("orders", &self.len())
            .field("best_bid", &self.best(Side::Bid))
            .field("best_ask", &self.best(Side::Ask))
            .finish_non_exhaustive()
    }
}

fn shown_level(ladder: &Ladder, level: Slot<LevelNode>) -> ShownLevel {
    let node = ladder.level(level);
    ShownLevel {
        price: ladder.price(level),
        quantity: node.shown_bounded(),
        orders: node.orders,
    }
}
