//! The book of one market: what an incoming order meets, who waits, and in which turn.
//!
//! The engine drives it in three acts. It asks ([`Book::crosses`], [`Book::fillable`],
//! [`Book::labelled`]) whether the order may enter, it lets the order meet the other side
//! ([`Book::take`]), and it lets what is left wait ([`Book::rest`]). Nothing else makes a trade.
//!
//! | operation | costs |
//! |---|---|
//! | `best`, `crosses`, `open_orders`, `order`, `labelled` | constant |
//! | `rest`, `cancel` | constant |
//! | `take` | the fills that it makes |
//! | `fillable` | the levels that would fill, at most `fills_max`, plus the orders of the last level if the cap may bite there, at most `fills_max` |
//! | `cancel_all` | the account's resting orders |
//!
//! Growth is the one exception: a slab or index that is full doubles. [`Book::with_capacity`]
//! moves that to the start, but for prices that are spread thinly.
//!
//! The order of ids is the order of arrival: an order that comes to rest has a higher id than any
//! that did before. So ids are unique without a search, every list is in order of age, and whoever
//! restores a book rests its orders in the order of their ids.

use std::fmt;

use crate::arena::{Arena, Slot};
use crate::index::{Hashing, KeyHash, SlotIndex};
use crate::ladder::{Ladder, LevelNode};
use crate::node::OrderNode;
use crate::owners::Owners;
use crate::queue::Links;
use crate::view::{Level, MakerFill, RestingOrder, Taken};
use types::limits::{ORDERS_PER_BOOK_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

/// One market's resting orders, in price-time priority.
pub struct Book {
    pub(crate) hashing: Hashing,
    pub(crate) nodes: Arena<OrderNode>,
    /// The queues of the levels of both sides.
    pub(crate) turns: Links,
    pub(crate) ladders: [Ladder; 2],
    pub(crate) by_id: SlotIndex<OrderNode>,
    pub(crate) by_label: SlotIndex<OrderNode>,
    pub(crate) owners: Owners,
    /// The id of the order that came to rest last.
    newest: OrderId,
}

impl Book {
    /// An empty book. The seed keeps others from choosing labels that collide; no answer depends
    /// on it.
    pub fn new(hash_seed: u64) -> Self {
        Self::with_capacity(hash_seed, 0)
    }

    /// An empty book with memory for this many orders, written once so that no page fault is left
    /// for later. Levels have room for half as many a side, and owners for an eighth.
    pub fn with_capacity(hash_seed: u64, orders: usize) -> Self {
        Self {
            hashing: Hashing::new(hash_seed),
            nodes: Arena::with_capacity(orders),
            turns: Links::with_capacity(orders),
            ladders: Side::BOTH.map(|side| Ladder::with_capacity(side, orders / 2)),
            by_id: SlotIndex::with_capacity(orders),
            by_label: SlotIndex::with_capacity(orders),
            owners: Owners::with_capacity(orders),
            newest: OrderId::new(0),
        }
    }

    /// How many orders rest.
    pub fn len(&self) -> u32 {
        self.nodes.len()
    }

    /// Whether no order rests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no further order may rest.
    pub fn is_full(&self) -> bool {
        self.len() >= ORDERS_PER_BOOK_MAX
    }

    /// The best price of a side.
    pub fn best(&self, side: Side) -> Option<Ticks> {
        self.ladder(side).best()
    }

    /// Whether an incoming order of `side` at `price` would meet the best of the other side.
    pub fn crosses(&self, side: Side, price: Ticks) -> bool {
        let makers = self.ladder(side.opposite());
        makers.reaches(makers.key(price))
    }

    /// Whether all of `quantity` can fill at once, in at most `fills_max` fills. Adds up levels;
    /// looks at orders only where the cap may bite.
    pub fn fillable(&self, side: Side, limit: Ticks, quantity: BaseLots, fills_max: u32) -> bool {
        let makers = self.ladder(side.opposite());
        let mut wanted = u128::from(quantity.get());
        let mut fills_left = fills_max;
        for level in makers.levels_within(makers.key(limit)) {
            if wanted <= level.quantity {
                return level.orders <= fills_left
                    || wanted <= self.oldest_quantity(level, fills_left);
            }
            if fills_left < level.orders {
                return false;
            }
            fills_left -= level.orders;
            wanted -= level.quantity;
        }
        wanted == 0
    }

    /// Lets an incoming order meet the other side: best price first, and within a price the oldest
    /// first. Makers that fill completely leave. `on_fill` is told each fill in order.
    pub fn take(
        &mut self,
        side: Side,
        limit: Ticks,
        quantity: BaseLots,
        fills_max: u32,
        mut on_fill: impl FnMut(&MakerFill),
    ) -> Taken {
        let makers = side.opposite();
        let limit = self.ladder(makers).key(limit);
        let mut wanted = quantity;
        let mut fills = 0;
        while !wanted.is_zero() && self.ladder(makers).reaches(limit) {
            if fills == fills_max {
                return Taken {
                    filled: quantity - wanted,
                    fills,
                    capped: true,
                };
            }
            let fill = self.fill_first(makers, wanted);
            wanted = wanted - fill.quantity;
            fills += 1;
            on_fill(&fill);
        }
        Taken {
            filled: quantity - wanted,
            fills,
            capped: false,
        }
    }

    /// Lets an order wait behind all others at its price.
    ///
    /// Panics unless its price and quantity are legal, it does not cross, its id is higher than
    /// any before, its label is new, and the book has room: these are the caller's to refuse.
    pub fn rest(&mut self, order: &RestingOrder) {
        let RestingOrder {
            order_id,
            account,
            client_order_id,
            side,
            price,
            remaining,
        } = *order;
        assert!(0 < remaining.get() && remaining.get() <= QUANTITY_LOTS_MAX);
        assert!(!self.is_full(), "the book is full");
        assert!(!self.crosses(side, price), "what crosses does not rest");
        assert!(self.newest < order_id, "ids rise in the order of arrival");
        self.newest = order_id;

        let slot = self.nodes.claim();
        let ladder = &mut self.ladders[side as usize];
        let level = ladder.join(&mut self.turns, ladder.key(price), slot, remaining);
        let owner = self.owners.join(&self.hashing, account, slot);
        self.nodes[slot] = OrderNode::new(order_id, client_order_id, side, remaining, level, owner);
        let (nodes, hashing) = (&self.nodes, &self.hashing);
        self.by_id.insert(hashing.order(order_id), slot, |slot| {
            hashing.order(nodes[slot].order_id)
        });
        if !client_order_id.is_none() {
            self.index_label(account, client_order_id, slot);
        }
    }

    /// The resting order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<RestingOrder> {
        let slot = self.slot(order_id)?;
        Some(self.view(slot))
    }

    /// The account's resting order with this label. No label finds nothing.
    pub fn labelled(&self, account: AccountId, client_order_id: ClientOrderId) -> Option<OrderId> {
        if client_order_id.is_none() {
            return None;
        }
        let hash = self.hashing.label(account, client_order_id);
        let slot = self.find_label(hash, account, client_order_id)?;
        Some(self.nodes[slot].order_id)
    }

    /// Takes one order off the book and returns it as it last was.
    pub fn cancel(&mut self, order_id: OrderId) -> Option<RestingOrder> {
        let hash = self.hashing.order(order_id);
        let nodes = &self.nodes;
        let slot = self
            .by_id
            .remove(hash, |slot| nodes[slot].order_id == order_id)?;
        Some(self.take_out(slot))
    }

    /// Takes all orders of the account off the book, or those of one side, oldest first.
    /// `on_cancel` is told each as it last was. Returns how many.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        mut on_cancel: impl FnMut(&RestingOrder),
    ) -> u32 {
        let Some(owner) = self.owners.find(&self.hashing, account) else {
            return 0;
        };
        let mut slot = owner.queue.head();
        let mut cancelled = 0;
        while !slot.is_none() {
            let next = self.owners.links().next(slot);
            if side.is_none_or(|side| self.nodes[slot].side() == side) {
                on_cancel(&self.remove(slot));
                cancelled += 1;
            }
            slot = next;
        }
        cancelled
    }

    /// How many orders of the account rest.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        self.owners
            .find(&self.hashing, account)
            .map_or(0, |owner| owner.orders)
    }

    /// The resting orders of a side in the order in which they would fill.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.ladder(side)
            .levels()
            .flat_map(|level| level.queue.iter(&self.turns))
            .map(|slot| self.view(slot))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let ladder = self.ladder(side);
        ladder.levels().map(|level| ladder.view(level))
    }

    pub(crate) const fn ladder(&self, side: Side) -> &Ladder {
        &self.ladders[side as usize]
    }

    pub(crate) fn slot(&self, order_id: OrderId) -> Option<Slot<OrderNode>> {
        self.by_id.find(self.hashing.order(order_id), |slot| {
            self.nodes[slot].order_id == order_id
        })
    }

    /// The order as the outside sees it.
    pub(crate) fn view(&self, slot: Slot<OrderNode>) -> RestingOrder {
        let node = &self.nodes[slot];
        let side = node.side();
        RestingOrder {
            order_id: node.order_id,
            account: self.owners.account(node.owner),
            client_order_id: node.client_order_id,
            side,
            price: self.ladder(side).price(node.level),
            remaining: node.remaining(),
        }
    }

    fn find_label(
        &self,
        hash: KeyHash,
        account: AccountId,
        client_order_id: ClientOrderId,
    ) -> Option<Slot<OrderNode>> {
        self.by_label.find(hash, |slot| {
            let node = &self.nodes[slot];
            node.client_order_id == client_order_id && self.owners.account(node.owner) == account
        })
    }

    fn index_label(
        &mut self,
        account: AccountId,
        client_order_id: ClientOrderId,
        slot: Slot<OrderNode>,
    ) {
        let hash = self.hashing.label(account, client_order_id);
        assert!(
            self.find_label(hash, account, client_order_id).is_none(),
            "labels are unique among an account's resting orders"
        );
        let (nodes, owners, hashing) = (&self.nodes, &self.owners, &self.hashing);
        self.by_label.insert(hash, slot, |slot| {
            let node = &nodes[slot];
            hashing.label(owners.account(node.owner), node.client_order_id)
        });
    }

    /// What the oldest `orders` in a level would fill.
    fn oldest_quantity(&self, level: &LevelNode, orders: u32) -> u128 {
        level
            .queue
            .iter(&self.turns)
            .take(orders as usize)
            .map(|slot| u128::from(self.nodes[slot].remaining().get()))
            .sum()
    }

    /// Fills the first order of a side that has one, by `wanted` or all that remains of it.
    fn fill_first(&mut self, makers: Side, wanted: BaseLots) -> MakerFill {
        let ladder = &mut self.ladders[makers as usize];
        let level = ladder.best_level();
        let slot = ladder.level(level).queue.head();
        let node = &mut self.nodes[slot];
        if wanted < node.remaining() {
            node.reduce(wanted);
            ladder.reduce(level, wanted);
            return MakerFill {
                maker: self.view(slot),
                quantity: wanted,
            };
        }
        let maker = self.remove(slot);
        MakerFill {
            maker: RestingOrder {
                remaining: BaseLots::ZERO,
                ..maker
            },
            quantity: maker.remaining,
        }
    }

    /// Takes an order off the book and returns it as it last was.
    fn remove(&mut self, slot: Slot<OrderNode>) -> RestingOrder {
        let hash = self.hashing.order(self.nodes[slot].order_id);
        let removed = self.by_id.remove(hash, |other| other == slot);
        assert_eq!(removed, Some(slot), "what rests is indexed");
        self.take_out(slot)
    }

    /// The rest of [`Book::remove`], once no id leads to the order any more.
    fn take_out(&mut self, slot: Slot<OrderNode>) -> RestingOrder {
        let order = self.view(slot);
        let OrderNode { level, owner, .. } = self.nodes[slot];
        if !order.client_order_id.is_none() {
            let hash = self.hashing.label(order.account, order.client_order_id);
            let removed = self.by_label.remove(hash, |other| other == slot);
            assert_eq!(removed, Some(slot), "what is labelled is indexed");
        }
        let ladder = &mut self.ladders[order.side as usize];
        ladder.leave(&mut self.turns, level, slot, order.remaining);
        self.owners.leave(&self.hashing, owner, slot);
        self.nodes.release(slot);
        order
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("orders", &self.len())
            .field("best_bid", &self.best(Side::Bid))
            .field("best_ask", &self.best(Side::Ask))
            .finish_non_exhaustive()
    }
}
