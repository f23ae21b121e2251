//! A book as it was: from its orders in their two orders.
//!
//! Every order waits in two queues, at its price and among the orders of its account, and no single
//! list tells both: an order that is queued anew goes to the back of its level and keeps its turn
//! with its account. So a book is written down as its orders level by level and, once more, as their
//! ids account by account ([`Book::turns`]).

use crate::arena::Slot;
use crate::book::Book;
use crate::node::OrderNode;
use crate::queue::OWNER;
use crate::view::RestingOrder;
use types::limits::{ACCOUNTS_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{OrderId, Ticks};

/// Why some orders are no book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a book: {0}")]
pub struct NotABook(pub &'static str);

impl NotABook {
    const fn unless(holds: bool, what: &'static str) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self(what)),
        }
    }
}

impl Book {
    /// The ids of all resting orders: account by account, those that came to rest first first.
    pub fn turns(&self) -> impl Iterator<Item = OrderId> + '_ {
        let accounts = self.owners.accounts();
        accounts.flat_map(|account| self.orders_of(account).map(|order| order.order_id))
    }

    /// The book that [`Book::orders`] of both sides and [`Book::turns`] were taken from.
    pub fn restore(
        hash_seed: u64,
        is_collecting: bool,
        orders: impl Iterator<Item = RestingOrder>,
        turns: impl Iterator<Item = OrderId>,
    ) -> Result<Self, NotABook> {
        let mut book = Self::new(hash_seed);
        book.is_collecting = is_collecting;
        for order in orders {
            book.check(&order)?;
            book.put_on_level(&order, order.shown);
            book.newest = book.newest.max(order.order_id);
        }
        let mut joined = 0;
        for order_id in turns {
            let slot = book
                .slot(order_id)
                .ok_or(NotABook("who has a turn rests"))?;
            // A second turn would tie the account's list into a knot.
            NotABook::unless(!book.has_turn(slot), "one turn for each order")?;
            let account = book.nodes[slot].account;
            book.owners.join(&mut book.links, account, slot);
            joined += 1;
        }
        NotABook::unless(joined == book.len(), "one turn for each order")?;
        Ok(book)
    }

    /// Whether the order hangs in the list of its account.
    fn has_turn(&self, slot: Slot<OrderNode>) -> bool {
        let owner = self.owners.find(self.nodes[slot].account);
        let is_first = owner.is_some_and(|owner| owner.orders > 0 && owner.queue.head() == slot);
        is_first || !self.links.previous::<OWNER>(slot).is_none()
    }

    /// Everything that [`Book::rest`] asserts, and that the part shown is part of it.
    fn check(&self, order: &RestingOrder) -> Result<(), NotABook> {
        let stop = order.stop.map(|stop| [stop.trigger, stop.limit]);
        let prices = stop.into_iter().flatten().chain([order.price]);
        let mut ticks = prices.map(Ticks::get);
        let is_legal = ticks.all(|ticks| 0 < ticks && ticks <= PRICE_TICKS_MAX);
        NotABook::unless(is_legal, "prices are legal")?;
        let is_account = order.account.index() < ACCOUNTS_MAX;
        NotABook::unless(is_account, "who owns it is an account")?;
        let (quantity, remaining) = (order.quantity, order.remaining);
        let is_open = !remaining.is_zero() && remaining <= quantity;
        NotABook::unless(
            is_open && quantity.get() <= QUANTITY_LOTS_MAX,
            "sizes are legal",
        )?;
        let shows = !order.shown.is_zero() && order.shown <= remaining;
        let hides = order.shown < remaining;
        NotABook::unless(
            shows && !(hides && order.display.is_zero()),
            "it shows a part",
        )?;
        let hides_protected = order.protected && !order.display.is_zero();
        NotABook::unless(!hides_protected, "who is protected hides nothing")?;
        NotABook::unless(!self.is_full(), "a book has an end")?;
        let is_new = self.slot(order.order_id).is_none();
        NotABook::unless(is_new, "ids are unique")?;
        let label = self.labelled(order.account, order.client_order_id);
        NotABook::unless(label.is_none(), "labels are unique")?;
        let rests = self.is_collecting || !self.crosses(order.side, order.price);
        NotABook::unless(rests, "what crosses does not rest")
    }
}
