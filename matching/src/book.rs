//! The book of one market: what an incoming order meets, who waits, and in which turn.
//!
//! The engine drives it in three acts. It asks ([`Book::crosses`], [`Book::fillable`],
//! [`Book::labelled`]) whether the order may enter, it lets the order meet the other side
//! ([`Book::take`]), and it lets what is left wait ([`Book::rest`]). Nothing else makes a trade.
//! Meeting, foreseeing a meeting, and auctions have files of their own (`take`, `fillable`,
//! `auction`).
//!
//! | operation | costs |
//! |---|---|
//! | `best`, `crosses`, `open_orders`, `order`, `labelled` | constant |
//! | `rest`, `requeue`, `cancel`, `discard` | constant |
//! | `reduce` | constant |
//! | `take` | the orders that it meets |
//! | `fillable` | the levels that would fill, at most `fills_max`; orders one by one, at most `fills_max`, where the cap may bite, icebergs wait, some order's time is over, or the taker's own group matters |
//! | `cancel_all`, `pull` | the account's resting orders |
//! | `expire` | what expires |
//!
//! An order that expires adds a step per doubling of their number, when it comes and when it goes.
//! Growth is the one other exception: a slab or index that is full doubles. [`Book::with_capacity`]
//! moves that to the start, but for prices that are spread thinly.
//!
//! Every list is in order of arrival. An id may come back once its order has left: an order that was
//! replaced and met somebody keeps it and still goes to the back. One that met nobody never leaves:
//! it goes to the back of its level only.

use std::fmt;

use crate::arena::{Arena, Slot};
use crate::index::{Hashing, KeyHash, SlotIndex};
use crate::ladder::Ladder;
use crate::node::OrderNode;
use crate::owners::Owners;
use crate::queue::{Links, OWNER};
use crate::special::{Specials, part_shown};
use crate::undo::{Change, Undo};
use crate::view::{Level, RestingOrder};
use types::limits::{ORDERS_PER_BOOK_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

/// One market's resting orders, in price-time priority.
pub struct Book {
    pub(crate) hashing: Hashing,
    pub(crate) nodes: Arena<OrderNode>,
    /// Of the queues of the levels of both sides, and of the owners' lists.
    pub(crate) links: Links,
    pub(crate) ladders: [Ladder; 2],
    pub(crate) by_id: SlotIndex<OrderNode>,
    pub(crate) by_label: SlotIndex<OrderNode>,
    pub(crate) owners: Owners,
    pub(crate) specials: Specials,
    /// The highest id that ever came to rest: a higher one needs no search to be new.
    pub(crate) newest: OrderId,
    /// Whether bids may reach asks: see `auction`.
    pub(crate) is_collecting: bool,
    /// What it takes to go back, if that was asked for: see `undo`.
    pub(crate) undo: Undo,
}

impl Book {
    /// An empty book. The seed keeps others from choosing labels that collide; no answer depends
    /// on it.
    pub fn new(hash_seed: u64) -> Self {
        Self::with_capacity(hash_seed, 0)
    }

    /// An empty book with memory for this many orders, written once so that no page fault is left
    /// for later. Levels have room for half as many a side, and owners, icebergs and
    /// orders that expire for an eighth.
    pub fn with_capacity(hash_seed: u64, orders: usize) -> Self {
        Self {
            hashing: Hashing::new(hash_seed),
            nodes: Arena::with_capacity(orders),
            links: Links::with_capacity(orders),
            ladders: Side::BOTH.map(|side| Ladder::with_capacity(side, orders / 2)),
            by_id: SlotIndex::with_capacity(orders),
            by_label: SlotIndex::with_capacity(orders),
            owners: Owners::with_capacity(orders),
            specials: Specials::with_capacity(orders),
            newest: OrderId::new(0),
            is_collecting: false,
            undo: Undo::default(),
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

    /// When the next order expires; `None` if none does.
    pub fn next_expiry(&self) -> Option<LogTime> {
        self.specials.next_expiry()
    }

    /// The best price of a side.
    pub fn best(&self, side: Side) -> Option<Ticks> {
        self.ladder(side).best()
    }

    /// Whether an incoming order of `side` at `price` would meet the best of the other side.
    #[inline]
    pub fn crosses(&self, side: Side, price: Ticks) -> bool {
        let makers = self.ladder(side.opposite());
        makers.reaches(makers.key(price))
    }

    /// Lets an order wait behind all others at its price. What it shows is computed: `shown` is not
    /// read.
    ///
    /// Panics unless its price and sizes are legal, it does not cross (or the book collects), its id
    /// and its label are not on the book, and the book has room: these are the caller's to refuse.
    pub fn rest(&mut self, order: &RestingOrder) {
        let RestingOrder {
            order_id,
            account,
            side,
            price,
            quantity,
            remaining,
            display,
            protected,
            ..
        } = *order;
        assert!(!remaining.is_zero() && remaining <= quantity);
        assert!(quantity.get() <= QUANTITY_LOTS_MAX);
        assert!(
            !protected || display.is_zero(),
            "who is protected hides nothing"
        );
        assert!(!self.is_full(), "the book is full");
        assert!(
            self.is_collecting || !self.crosses(side, price),
            "what crosses does not rest"
        );
        self.assert_absent(order_id);

        let shown = part_shown(display, remaining);
        let slot = self.put_on_level(order, shown);
        self.owners.join(&mut self.links, account, slot);
        self.undo.note(Change::Joined(slot));
    }

    /// Lets an order wait behind all others at its price, showing so much; not in its owner's list.
    #[inline]
    pub(crate) fn put_on_level(
        &mut self,
        order: &RestingOrder,
        shown: BaseLots,
    ) -> Slot<OrderNode> {
        let RestingOrder {
            order_id,
            account,
            client_order_id,
            side,
            price,
            remaining,
            ..
        } = *order;
        let slot = self.nodes.claim();
        self.links.cover(slot);
        let ladder = &mut self.ladders[side as usize];
        let level = ladder.join(&mut self.links, ladder.key(price), slot, shown);
        if shown < remaining {
            ladder.hide(level, remaining - shown);
        }
        let mut node = OrderNode::new(order_id, client_order_id, side, shown, level, account);
        self.specials.join(&mut node, slot, order);
        if order.protected {
            node.mark_protected();
        }
        self.nodes[slot] = node;
        self.index_order(order_id, slot);
        if !client_order_id.is_none() {
            self.index_label(account, client_order_id, slot);
        }
        slot
    }

    /// Lets a resting order wait anew at this price, behind all others there, with so much open.
    /// Among the orders of its account it keeps its turn. What it is found by stays as it is, so the
    /// indexes are only read: this is less than half the work of leaving and coming back.
    ///
    /// Panics where [`Book::rest`] would, and unless the order rests.
    pub fn requeue(&mut self, order_id: OrderId, price: Ticks, remaining: BaseLots) {
        assert!(!remaining.is_zero());
        let slot = self.slot(order_id).expect("who queues anew rests");
        if self.undo.is_on() {
            self.note_queueing(slot);
        }
        let node = &mut self.nodes[slot];
        let side = node.side();
        let makers = &self.ladders[side.opposite() as usize];
        assert!(
            self.is_collecting || !makers.reaches(makers.key(price)),
            "what crosses does not rest"
        );
        let filled = self.specials.filled(node, slot);
        assert!((filled + remaining).get() <= QUANTITY_LOTS_MAX);

        let ladder = &mut self.ladders[side as usize];
        let (mut shown, was_shown) = (remaining, node.shown());
        if node.is_special() {
            let hidden = self.specials.hidden(node, slot).quantity;
            shown = self.specials.part_shown(slot, remaining);
            self.specials.set_hidden(slot, remaining - shown);
            if !hidden.is_zero() {
                ladder.unhide(node.level, hidden);
            }
        }
        ladder.leave(&mut self.links, node.level, slot, was_shown);
        node.level = ladder.join(&mut self.links, ladder.key(price), slot, shown);
        node.show(shown);
        if shown < remaining {
            ladder.hide(node.level, remaining - shown);
        }
    }

    /// The resting order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<RestingOrder> {
        let slot = self.slot(order_id)?;
        Some(self.view(slot))
    }

    /// The account's resting order with this label. No label finds nothing.
    pub fn labelled(&self, account: AccountId, client_order_id: ClientOrderId) -> Option<OrderId> {
        let slot = self.labelled_slot(account, client_order_id)?;
        Some(self.nodes[slot].order_id)
    }

    /// The same, and all that there is to know of it.
    pub fn labelled_order(
        &self,
        account: AccountId,
        client_order_id: ClientOrderId,
    ) -> Option<RestingOrder> {
        let slot = self.labelled_slot(account, client_order_id)?;
        Some(self.view(slot))
    }

    #[inline]
    pub(crate) fn labelled_slot(
        &self,
        account: AccountId,
        client_order_id: ClientOrderId,
    ) -> Option<Slot<OrderNode>> {
        if client_order_id.is_none() {
            return None;
        }
        let hash = self.hashing.label(account, client_order_id);
        self.find_label(hash, account, client_order_id)
    }

    /// Takes one order off the book and returns it as it last was.
    pub fn cancel(&mut self, order_id: OrderId) -> Option<RestingOrder> {
        let hash = self.hashing.order(order_id);
        let nodes = &self.nodes;
        let slot = self
            .by_id
            .remove(hash, |slot| nodes[slot].order_id == order_id)?;
        let order = self.view(slot);
        self.take_out(slot);
        Some(order)
    }

    /// The same without a last look at it, for who has looked. Returns whether it rested.
    pub fn discard(&mut self, order_id: OrderId) -> bool {
        let hash = self.hashing.order(order_id);
        let nodes = &self.nodes;
        let slot = self
            .by_id
            .remove(hash, |slot| nodes[slot].order_id == order_id);
        slot.is_some_and(|slot| {
            self.take_out(slot);
            true
        })
    }

    /// Makes an order smaller, without a trade, where it stands. What it hides shrinks first.
    /// Returns it as it is now.
    ///
    /// Panics unless something of it remains: what would not is the caller's to cancel.
    pub fn reduce(&mut self, order_id: OrderId, by: BaseLots) -> Option<RestingOrder> {
        let slot = self.slot(order_id)?;
        self.shrink(slot, by);
        Some(self.view(slot))
    }

    /// Takes orders whose time is over off the book, at most `max`: by their time, then by id.
    /// `on_expire` is told each as it last was. Returns how many.
    pub fn expire(
        &mut self,
        now: LogTime,
        max: u32,
        mut on_expire: impl FnMut(&RestingOrder),
    ) -> u32 {
        let mut expired = 0;
        while expired < max
            && let Some(slot) = self.specials.first_due(now)
        {
            on_expire(&self.remove(slot));
            expired += 1;
        }
        expired
    }

    /// Takes orders of the account off the book: all, or those of one side, or those at prices from
    /// the first to the second, both included. Those that came to rest first go first. `on_cancel`
    /// is told each as it last was. Returns how many.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
        mut on_cancel: impl FnMut(&RestingOrder),
    ) -> u32 {
        let is_in_scope =
            |book: &Self, slot| book.is_on(slot, side) && book.is_within(slot, prices);
        self.remove_where(account, is_in_scope, &mut on_cancel)
    }

    /// Takes all protected orders of the account off the book. Those that came to rest first go
    /// first. `on_pull` is told each as it last was. Returns how many.
    pub fn pull(&mut self, account: AccountId, mut on_pull: impl FnMut(&RestingOrder)) -> u32 {
        let is_protected = |book: &Self, slot| book.nodes[slot].is_protected();
        self.remove_where(account, is_protected, &mut on_pull)
    }

    /// How many orders of the account rest.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        self.owners.find(account).map_or(0, |owner| owner.orders)
    }

    /// The account's resting orders, those that came to rest first first.
    pub fn orders_of(&self, account: AccountId) -> impl Iterator<Item = RestingOrder> + '_ {
        self.owners
            .find(account)
            .into_iter()
            .flat_map(|owner| owner.queue.iter(&self.links))
            .map(|slot| self.view(slot))
    }

    /// The resting orders of a side in the order in which a taker would meet them first.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        let ladder = self.ladder(side);
        ladder
            .levels()
            .flat_map(|level| ladder.level(level).queue.iter(&self.links))
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
    #[inline]
    pub(crate) fn view(&self, slot: Slot<OrderNode>) -> RestingOrder {
        let node = &self.nodes[slot];
        let side = node.side();
        let shown = node.shown();
        let mut order = RestingOrder {
            order_id: node.order_id,
            account: node.account,
            client_order_id: node.client_order_id,
            side,
            price: self.ladder(side).price(node.level),
            quantity: shown,
            remaining: shown,
            display: BaseLots::ZERO,
            shown,
            expires_at: LogTime::ZERO,
            stop: None,
            protected: node.is_protected(),
        };
        if node.is_more() {
            self.specials.complete(node, slot, &mut order);
        }
        order
    }

    /// Takes an order off the book and returns it as it last was.
    pub(crate) fn remove(&mut self, slot: Slot<OrderNode>) -> RestingOrder {
        let order = self.view(slot);
        self.forget(slot);
        order
    }

    /// Takes an order off the book.
    pub(crate) fn forget(&mut self, slot: Slot<OrderNode>) {
        let hash = self.hashing.order(self.nodes[slot].order_id);
        let removed = self.by_id.remove(hash, |other| other == slot);
        assert_eq!(removed, Some(slot), "what rests is indexed");
        self.take_out(slot);
    }

    /// Makes an order smaller where it stands, what it hides first.
    pub(crate) fn shrink(&mut self, slot: Slot<OrderNode>, by: BaseLots) {
        let node = &mut self.nodes[slot];
        let ladder = &mut self.ladders[node.side() as usize];
        let from_hidden = self.specials.shrink(node, slot, by);
        if !from_hidden.is_zero() {
            ladder.unhide(node.level, from_hidden);
        }
        let from_shown = by - from_hidden;
        node.reduce(from_shown);
        ladder.reduce(node.level, from_shown);
        self.undo.note(Change::Shrunk {
            slot,
            shown: from_shown,
            hidden: from_hidden,
        });
    }

    /// Ids mostly rise, and then this is one comparison.
    fn assert_absent(&mut self, order_id: OrderId) {
        if self.newest < order_id {
            self.newest = order_id;
        } else {
            assert!(self.slot(order_id).is_none(), "ids are unique");
        }
    }

    /// Takes those of the account's orders off the book of which this is true, oldest first.
    fn remove_where(
        &mut self,
        account: AccountId,
        is_removed: impl Fn(&Self, Slot<OrderNode>) -> bool,
        on_remove: &mut dyn FnMut(&RestingOrder),
    ) -> u32 {
        let Some(owner) = self.owners.find(account) else {
            return 0;
        };
        let mut slot = owner.queue.head();
        let mut removed = 0;
        while !slot.is_none() {
            let next = self.links.next::<OWNER>(slot);
            if is_removed(self, slot) {
                on_remove(&self.remove(slot));
                removed += 1;
            }
            slot = next;
        }
        removed
    }

    fn is_on(&self, slot: Slot<OrderNode>, side: Option<Side>) -> bool {
        side.is_none_or(|side| self.nodes[slot].side() == side)
    }

    fn is_within(&self, slot: Slot<OrderNode>, prices: Option<(Ticks, Ticks)>) -> bool {
        prices.is_none_or(|(lowest, highest)| {
            let node = &self.nodes[slot];
            let price = self.ladder(node.side()).price(node.level);
            (lowest..=highest).contains(&price)
        })
    }

    fn find_label(
        &self,
        hash: KeyHash,
        account: AccountId,
        client_order_id: ClientOrderId,
    ) -> Option<Slot<OrderNode>> {
        self.by_label.find(hash, |slot| {
            let node = &self.nodes[slot];
            node.client_order_id == client_order_id && node.account == account
        })
    }

    #[inline]
    pub(crate) fn index_order(&mut self, order_id: OrderId, slot: Slot<OrderNode>) {
        let (nodes, hashing) = (&self.nodes, &self.hashing);
        self.by_id.insert(hashing.order(order_id), slot, |slot| {
            hashing.order(nodes[slot].order_id)
        });
    }

    #[inline(never)]
    pub(crate) fn index_label(
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
        let (nodes, hashing) = (&self.nodes, &self.hashing);
        self.by_label.insert(hash, slot, |slot| {
            let node = &nodes[slot];
            hashing.label(node.account, node.client_order_id)
        });
    }

    #[inline(never)]
    fn unindex_label(&mut self, node: &OrderNode, slot: Slot<OrderNode>) {
        let account = node.account;
        let hash = self.hashing.label(account, node.client_order_id);
        let removed = self.by_label.remove(hash, |other| other == slot);
        assert_eq!(removed, Some(slot), "what is labelled is indexed");
    }

    /// The rest of taking an order off the book, once no id leads to it any more.
    fn take_out(&mut self, slot: Slot<OrderNode>) {
        if self.undo.is_on() {
            self.note_leaving(slot);
        }
        let node = self.nodes[slot];
        if !node.client_order_id.is_none() {
            self.unindex_label(&node, slot);
        }
        let ladder = &mut self.ladders[node.side() as usize];
        if node.is_special() {
            let hidden = self.specials.hidden(&node, slot).quantity;
            if !hidden.is_zero() {
                ladder.unhide(node.level, hidden);
            }
            self.specials.leave(&node, slot);
        }
        ladder.leave(&mut self.links, node.level, slot, node.shown());
        self.owners.leave(&mut self.links, node.account, slot);
        self.nodes.release(slot);
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
