//! What one market's book shows, kept up to date change by change.
//!
//! This is no second [`Book`](crate::Book): it matches nothing, and it is not fed from the book's
//! memory but told what happened to which order, by whoever follows released events. So market data
//! costs matching nothing, and nobody can be shown what is not durable. What an order shows of
//! itself is the caller's to say; what it hides never comes here.
//!
//! Every verb tells the caller's sink what the public learns from it, in the order that
//! [`book_event`](crate::book_event) gives. A verb and a question about one order or one best cost
//! the logarithm of the book; only [`Depth::snapshot`] and the lists read more.

use std::collections::BTreeMap;

use crate::book_event::{Best, BookEvent, BookSnapshot, ShownLevel, ShownOrder, Traded};
use types::limits::ORDERS_PER_BOOK_MAX;
use types::{BaseLots, OrderId, Side, Ticks};

/// The public view of one market: orders in their turn, totals per price, best of both sides.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    orders: BTreeMap<OrderId, Standing>,
    halves: [Half; 2],
    /// The turn of whoever came last.
    last_turn: Turn,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug)]
struct Standing {
    order: ShownOrder,
    turn: Turn,
}

/// One side.
#[derive(Clone, Debug, Default)]
struct Half {
    levels: BTreeMap<Rank, Total>,
    /// In the order in which a taker would meet them.
    queue: BTreeMap<(Rank, Turn), OrderId>,
}

/// What is shown at one price.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    /// Wide enough for as many of the largest orders as a book can hold.
    quantity: u128,
    orders: u32,
}

/// Who came later has a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Turn(u64);

/// A price as a sort key. The better the price, the smaller the key: both sides are read forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u64);

/// What readers of totals have seen of the price where something changes.
#[derive(Clone, Copy, Debug)]
struct Seen {
    level: ShownLevel,
    best: Option<Best>,
}

impl Depth {
    /// The view of an empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// A trade. It changes nothing by itself: what is left of the resting order is told by
    /// [`Depth::shrink`], [`Depth::refresh`] or [`Depth::remove`] after it.
    ///
    /// Panics unless the resting order shows that much, at that price or, in an auction, one as good.
    pub fn trade(&self, traded: &Traded, mut sink: impl FnMut(&BookEvent)) {
        let maker = self.expect(traded.maker).order;
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
    /// Panics unless it shows something, its id is not there, and the book has room.
    pub fn add(&mut self, order: &ShownOrder, mut sink: impl FnMut(&BookEvent)) {
        assert!(self.len() < ORDERS_PER_BOOK_MAX, "the book is full");
        let seen = self.seen(order);
        self.join(order);
        sink(&BookEvent::Added(*order));
        self.tell_totals(order.side, &seen, sink);
    }

    /// An order shows less, and keeps its place. Where it shows as much as before, because only
    /// hidden size went, the public learns nothing.
    ///
    /// Panics unless it rests and shows at least `shown`, which is not nothing.
    pub fn shrink(&mut self, order_id: OrderId, shown: BaseLots, mut sink: impl FnMut(&BookEvent)) {
        let mut standing = self.expect(order_id);
        let by = standing.order.shown - shown;
        assert!(!shown.is_zero(), "what shows nothing is removed");
        if by.is_zero() {
            return;
        }
        let seen = self.seen(&standing.order);
        standing.order.shown = shown;
        let ShownOrder { side, price, .. } = standing.order;
        self.orders.insert(order_id, standing);
        let levels = &mut self.halves[side as usize].levels;
        let total = levels.get_mut(&Rank::new(side, price));
        let total = total.expect("where an order rests there is a level");
        total.quantity -= u128::from(by.get());
        sink(&BookEvent::Shrunk(standing.order));
        self.tell_totals(side, &seen, sink);
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
        let order = self.expect(order_id).order;
        let seen = self.seen(&order);
        self.leave(order_id);
        sink(&BookEvent::Removed(order));
        let next = ShownOrder { shown, ..order };
        self.join(&next);
        sink(&BookEvent::Added(next));
        self.tell_totals(order.side, &seen, sink);
    }

    /// An order leaves. Returns it as it last was; `None`: no such order rests, and nothing changes.
    pub fn remove(
        &mut self,
        order_id: OrderId,
        mut sink: impl FnMut(&BookEvent),
    ) -> Option<ShownOrder> {
        let order = self.order(order_id)?;
        let seen = self.seen(&order);
        self.leave(order_id);
        sink(&BookEvent::Removed(order));
        self.tell_totals(order.side, &seen, sink);
        Some(order)
    }

    /// How many orders rest.
    pub fn len(&self) -> u32 {
        self.orders.len() as u32
    }

    /// Whether no order rests.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The resting order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<ShownOrder> {
        let standing = self.orders.get(&order_id)?;
        Some(standing.order)
    }

    /// The best of a side.
    pub fn best(&self, side: Side) -> Option<Best> {
        let level = self.levels(side).next()?;
        Some(Best {
            price: level.price,
            quantity: level.quantity,
        })
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = ShownLevel> + '_ {
        let levels = self.halves[side as usize].levels.iter();
        levels.map(move |(rank, total)| total.shown_at(rank.price(side)))
    }

    /// The orders of a side in the order in which a taker would meet them first.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = ShownOrder> + '_ {
        let queue = self.halves[side as usize].queue.values();
        queue.map(|order_id| self.orders[order_id].order)
    }

    /// All of it, for one who joins here and goes on with the events to come.
    pub fn snapshot(&self) -> BookSnapshot {
        BookSnapshot {
            levels: Side::BOTH.map(|side| self.levels(side).collect()),
            orders: Side::BOTH.map(|side| self.orders(side).collect()),
        }
    }

    fn expect(&self, order_id: OrderId) -> Standing {
        let standing = self.orders.get(&order_id);
        *standing.expect("events speak of resting orders")
    }

    fn seen(&self, order: &ShownOrder) -> Seen {
        Seen {
            level: self.level(order.side, order.price),
            best: self.best(order.side),
        }
    }

    /// The totals at a price, if only of nobody.
    pub fn level(&self, side: Side, price: Ticks) -> ShownLevel {
        let levels = &self.halves[side as usize].levels;
        let total = levels.get(&Rank::new(side, price));
        total.copied().unwrap_or_default().shown_at(price)
    }

    fn tell_totals(&self, side: Side, seen: &Seen, mut sink: impl FnMut(&BookEvent)) {
        let level = self.level(side, seen.level.price);
        if level != seen.level {
            sink(&BookEvent::LevelChanged { side, level });
        }
        let best = self.best(side);
        if best != seen.best {
            sink(&BookEvent::BestChanged { side, best });
        }
    }

    fn join(&mut self, order: &ShownOrder) {
        assert!(!order.shown.is_zero(), "who rests shows something");
        self.last_turn = Turn(self.last_turn.0 + 1);
        let standing = Standing {
            order: *order,
            turn: self.last_turn,
        };
        let earlier = self.orders.insert(order.order_id, standing);
        assert!(earlier.is_none(), "ids are unique");
        let rank = Rank::new(order.side, order.price);
        let half = &mut self.halves[order.side as usize];
        half.queue.insert((rank, standing.turn), order.order_id);
        let total = half.levels.entry(rank).or_default();
        total.quantity += u128::from(order.shown.get());
        total.orders += 1;
    }

    fn leave(&mut self, order_id: OrderId) {
        let standing = self.orders.remove(&order_id);
        let Standing { order, turn } = standing.expect("it was found a moment ago");
        let rank = Rank::new(order.side, order.price);
        let half = &mut self.halves[order.side as usize];
        let queued = half.queue.remove(&(rank, turn));
        assert_eq!(queued, Some(order_id), "who rests has a turn");
        let total = half.levels.get_mut(&rank);
        let total = total.expect("where an order rests there is a level");
        total.quantity -= u128::from(order.shown.get());
        total.orders -= 1;
        if total.orders == 0 {
            assert_eq!(total.quantity, 0, "a level's total is a sum");
            half.levels.remove(&rank);
        }
    }
}

impl Total {
    fn shown_at(self, price: Ticks) -> ShownLevel {
        ShownLevel {
            price,
            quantity: BaseLots::new(u64::try_from(self.quantity).unwrap_or(u64::MAX)),
            orders: self.orders,
        }
    }
}

impl Rank {
    const fn new(side: Side, price: Ticks) -> Self {
        match side {
            Side::Bid => Self(u64::MAX - price.get()),
            Side::Ask => Self(price.get()),
        }
    }

    const fn price(self, side: Side) -> Ticks {
        match side {
            Side::Bid => Ticks::new(u64::MAX - self.0),
            Side::Ask => Ticks::new(self.0),
        }
    }
}
