//! Everything that must hold of a book between two operations. Costly: for tests, fuzzing and
//! simulation, and for a look at a restored book.

use crate::Book;
use crate::arena::Slot;
use crate::ladder::LevelNode;
use crate::queue::{Links, OWNER, Queue};
use crate::view::RestingOrder;
use types::limits::{ORDERS_PER_BOOK_MAX, QUANTITY_LOTS_MAX};
use types::{LogTime, Side};

impl Book {
    /// Panics unless every invariant holds: the book is neither crossed nor locked unless it
    /// collects, no level is
    /// empty, totals are sums, icebergs show what they must, and indexes, levels, owners and
    /// deadlines know exactly the orders that rest.
    pub fn assert_invariants(&self) {
        assert!(self.len() <= ORDERS_PER_BOOK_MAX);
        if !self.is_collecting
            && let (Some(bid), Some(ask)) = (self.best(Side::Bid), self.best(Side::Ask))
        {
            assert!(bid < ask, "bid {bid} meets ask {ask}");
        }
        let mut orders = 0;
        for side in Side::BOTH {
            self.ladder(side).assert_invariants();
            for level in self.ladder(side).levels() {
                self.assert_level(side, level);
                orders += self.ladder(side).level(level).orders;
            }
        }
        assert_eq!(orders, self.len(), "every order hangs in a level");
        self.assert_indexes();
        self.assert_owners();
        self.assert_specials();
    }

    fn assert_level(&self, side: Side, slot: Slot<LevelNode>) {
        let level = self.ladder(side).level(slot);
        assert!(level.orders > 0, "no level is empty");
        let price = self.ladder(side).price(slot);
        let (mut shown, mut hidden) = (0, 0);
        for slot in level.queue.iter(&self.links) {
            let order = self.view(slot);
            assert_eq!((order.side, order.price), (side, price));
            assert_sizes(&order);
            shown += u128::from(order.shown.get());
            hidden += u128::from(order.remaining.get() - order.shown.get());
        }
        assert_eq!(level.shown, shown, "a level's total is a sum");
        assert_eq!(self.ladder(side).hidden(slot), hidden, "so is what hides");
        assert_eq!(level.orders, assert_queue(&level.queue, &self.links));
    }

    fn assert_indexes(&self) {
        let mut labels = 0;
        for order in Side::BOTH.iter().flat_map(|side| self.orders(*side)) {
            assert_eq!(self.order(order.order_id), Some(order));
            if !order.client_order_id.is_none() {
                labels += 1;
                assert_eq!(
                    self.labelled(order.account, order.client_order_id),
                    Some(order.order_id)
                );
            }
        }
        assert_eq!(self.by_id.len(), self.len() as usize);
        assert_eq!(self.by_label.len(), labels);
    }

    /// Owners are reached through their first orders, not through the table.
    fn assert_owners(&self) {
        let links = &self.links;
        let mut owners = 0;
        let mut orders = 0;
        for order in Side::BOTH.iter().flat_map(|side| self.orders(*side)) {
            let slot = self.slot(order.order_id).expect("indexes were checked");
            let owner = self
                .owners
                .find(order.account)
                .expect("who has an order is an owner");
            if !links.previous::<OWNER>(slot).is_none() {
                continue;
            }
            assert_eq!(owner.queue.head(), slot);
            let all_are_theirs = owner
                .queue
                .iter(links)
                .all(|slot| self.view(slot).account == order.account);
            assert!(all_are_theirs);
            assert_eq!(owner.orders, assert_queue(&owner.queue, links));
            owners += 1;
            orders += owner.orders;
        }
        assert_eq!(self.owners.len(), owners, "no owner is empty");
        assert_eq!(orders, self.len(), "every order hangs in its owner's list");
    }

    fn assert_specials(&self) {
        self.specials.assert_invariants();
        let (mut specials, mut expiring) = (0, 0);
        for order in Side::BOTH.iter().flat_map(|side| self.orders(*side)) {
            let slot = self.slot(order.order_id).expect("indexes were checked");
            let expires = order.expires_at != LogTime::ZERO;
            let is_special = self.nodes[slot].is_special();
            assert_eq!(
                is_special,
                expires || !order.display.is_zero() || order.stop.is_some()
            );
            if is_special {
                specials += 1;
                expiring += usize::from(expires);
                assert_eq!(self.specials.assert_special(slot), expires);
            }
        }
        assert_eq!(self.specials.len(), specials, "no entry is lost");
        assert_eq!(self.specials.expiring(), expiring, "no deadline is lost");
    }
}

fn assert_sizes(order: &RestingOrder) {
    assert!(order.quantity.get() <= QUANTITY_LOTS_MAX);
    assert!(!order.shown.is_zero() && order.shown <= order.remaining);
    assert!(order.remaining <= order.quantity);
    if order.display.is_zero() {
        assert_eq!(order.shown, order.remaining, "only icebergs hide");
    } else {
        assert!(order.shown <= order.display);
    }
}

/// Both ways through a list agree. Returns how many orders hang in it.
fn assert_queue<const LIST: usize>(queue: &Queue<LIST>, links: &Links) -> u32 {
    let mut orders = 0;
    let mut previous = Slot::NONE;
    for slot in queue.iter(links) {
        assert_eq!(links.previous::<LIST>(slot), previous);
        previous = slot;
        orders += 1;
    }
    assert_eq!(queue.tail(), previous);
    orders
}
