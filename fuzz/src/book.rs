//! Operations on a book and on its oracle. Every answer and every meeting must be the same, and
//! after each operation so must be all that can be asked; and the book must be sound.

use arbitrary::{Arbitrary, Unstructured};

use crate::{Reached, agreed, draw};
use matching::{Book, Level, Meeting, NaiveBook, RestingOrder, Stopped, Taken, Taker};
use types::command::SelfTrade;
use types::limits::QUANTITY_LOTS_MAX;
use types::{AccountId, BaseLots, ClientOrderId, GroupId, LogTime, OrderId, Side, Ticks};

/// What the corpus must reach.
pub const REACHES: &[&str] = &[
    "fill",
    "refresh",
    "expired in the way",
    "maker cancelled",
    "maker reduced",
    "fill limit",
    "self trade",
    "fillable",
    "not fillable",
    "rested",
    "cancelled",
    "reduced",
    "all cancelled",
    "expired",
];

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Operation {
    /// Comes to rest if it may.
    Rest(Order),
    /// Meets the other side; what is left comes to rest if it may.
    Place(Order, Terms),
    /// Meets the other side.
    Take(Order, Terms),
    /// Asks whether it would fill.
    Ask(Order, Terms),
    /// An order is cancelled.
    Cancel(#[arbitrary(with = draw::order_id)] OrderId),
    /// An order shrinks, if something of it remains then.
    Reduce {
        #[arbitrary(with = draw::order_id)]
        order_id: OrderId,
        #[arbitrary(with = draw::lots)]
        by: BaseLots,
    },
    /// An account's orders in a scope are cancelled.
    CancelAll {
        #[arbitrary(with = draw::account)]
        account: AccountId,
        #[arbitrary(with = draw::sides)]
        side: Option<Side>,
        #[arbitrary(with = draw::prices)]
        prices: Option<(Ticks, Ticks)>,
    },
    /// Time goes on.
    Expire {
        #[arbitrary(with = draw::time)]
        now: LogTime,
        #[arbitrary(with = draw::count)]
        max: u32,
    },
}

/// An order before it is known what the book makes of it.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Order {
    #[arbitrary(with = draw::order_id)]
    order_id: OrderId,
    #[arbitrary(with = draw::account)]
    account: AccountId,
    #[arbitrary(with = draw::label)]
    label: ClientOrderId,
    #[arbitrary(with = draw::side)]
    side: Side,
    #[arbitrary(with = draw::price)]
    price: Ticks,
    #[arbitrary(with = draw::lots)]
    remaining: BaseLots,
    #[arbitrary(with = draw::lots_or_none)]
    filled: BaseLots,
    #[arbitrary(with = draw::lots_or_none)]
    display: BaseLots,
    #[arbitrary(with = draw::time_or_never)]
    expires_at: LogTime,
}

/// How an order takes.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Terms {
    #[arbitrary(with = draw::count)]
    fills_max: u32,
    #[arbitrary(with = draw::self_trade)]
    self_trade: SelfTrade,
    #[arbitrary(with = draw::time)]
    now: LogTime,
}

/// Runs one input.
pub fn run(input: &[u8]) -> Reached {
    let mut source = Unstructured::new(input);
    let mut pair = Pair::new(source.arbitrary().unwrap_or_default());
    while !source.is_empty()
        && let Ok(operation) = source.arbitrary()
    {
        pair.apply(operation);
        pair.assert_same();
        pair.book.assert_invariants();
    }
    pair.reached
}

/// The book and its oracle.
struct Pair {
    book: Book,
    naive: NaiveBook,
    reached: Reached,
}

impl Pair {
    fn new(hash_seed: u64) -> Self {
        Self {
            book: Book::new(hash_seed),
            naive: NaiveBook::new(),
            reached: Reached::new(),
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Rest(order) => self.rest(order),
            Operation::Place(order, terms) => self.place(order, terms),
            Operation::Take(order, terms) => drop(self.take(&taker(&order, terms))),
            Operation::Ask(order, terms) => self.ask(&taker(&order, terms)),
            Operation::Cancel(order_id) => {
                let cancelled = agreed(self.book.cancel(order_id), self.naive.cancel(order_id));
                self.reach(cancelled.is_some(), "cancelled");
            }
            Operation::Reduce { order_id, by } => self.reduce(order_id, by),
            Operation::CancelAll {
                account,
                side,
                prices,
            } => {
                let [mut fast, mut naive] = [Vec::new(), Vec::new()];
                agreed(
                    (self.book).cancel_all(account, side, prices, |order| fast.push(*order)),
                    (self.naive).cancel_all(account, side, prices, |order| naive.push(*order)),
                );
                let cancelled = agreed(fast, naive);
                self.reach(!cancelled.is_empty(), "all cancelled");
            }
            Operation::Expire { now, max } => {
                let [mut fast, mut naive] = [Vec::new(), Vec::new()];
                agreed(
                    (self.book).expire(now, max, |order| fast.push(*order)),
                    (self.naive).expire(now, max, |order| naive.push(*order)),
                );
                let expired = agreed(fast, naive);
                self.reach(!expired.is_empty(), "expired");
            }
        }
    }

    /// What the book would refuse with a panic is the engine's to keep away, and left out here.
    fn rest(&mut self, order: Order) {
        let resting = RestingOrder {
            order_id: order.order_id,
            account: order.account,
            client_order_id: order.label,
            side: order.side,
            price: order.price,
            quantity: order.remaining + order.filled,
            remaining: order.remaining,
            display: order.display,
            shown: BaseLots::ZERO,
            expires_at: order.expires_at,
        };
        let labelled = self.naive.labelled(order.account, order.label);
        let is_legal = resting.quantity.get() <= QUANTITY_LOTS_MAX
            && !self.naive.crosses(order.side, order.price)
            && self.naive.order(order.order_id).is_none()
            && labelled.is_none();
        if is_legal {
            self.book.rest(&resting);
            self.naive.rest(&resting);
            self.reach(true, "rested");
        }
    }

    fn place(&mut self, order: Order, terms: Terms) {
        let taken = self.take(&taker(&order, terms));
        if taken.stopped.is_none() && !taken.remaining.is_zero() {
            self.rest(Order {
                remaining: taken.remaining,
                filled: order.filled + taken.filled,
                ..order
            });
        }
    }

    fn take(&mut self, taker: &Taker) -> Taken {
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        let taken = agreed(
            (self.book).take(taker, group_of, |meeting| fast.push(*meeting)),
            (self.naive).take(taker, group_of, |meeting| naive.push(*meeting)),
        );
        let meetings = agreed(fast, naive);
        assert_eq!(taken.fills as usize, meetings.len());
        assert!(taken.fills <= taker.fills_max);
        for meeting in meetings {
            self.reached.insert(match meeting {
                Meeting::Fill {
                    refreshed: true, ..
                } => "refresh",
                Meeting::Fill { .. } => "fill",
                Meeting::Expired(_) => "expired in the way",
                Meeting::SelfTradeCancelled(_) => "maker cancelled",
                Meeting::SelfTradeReduced { .. } => "maker reduced",
            });
        }
        self.reach(taken.stopped == Some(Stopped::FillLimit), "fill limit");
        self.reach(taken.stopped == Some(Stopped::SelfTrade), "self trade");
        taken
    }

    fn ask(&mut self, taker: &Taker) {
        let fillable = agreed(
            self.book.fillable(taker, group_of),
            self.naive.fillable(taker, group_of),
        );
        self.reach(fillable, "fillable");
        self.reach(!fillable, "not fillable");
    }

    fn reduce(&mut self, order_id: OrderId, by: BaseLots) {
        let order = self.naive.order(order_id);
        if order.is_some_and(|order| by < order.remaining) {
            agreed(
                self.book.reduce(order_id, by),
                self.naive.reduce(order_id, by),
            );
            self.reach(true, "reduced");
        }
    }

    fn reach(&mut self, happened: bool, what: &'static str) {
        if happened {
            self.reached.insert(what);
        }
    }

    fn assert_same(&self) {
        let (book, naive) = (&self.book, &self.naive);
        agreed(
            (book.len(), book.is_empty(), book.is_full()),
            (naive.len(), naive.is_empty(), naive.is_full()),
        );
        let mut next_expiry = None;
        for side in Side::BOTH {
            agreed(book.best(side), naive.best(side));
            let levels: Vec<Level> = naive.levels(side).collect();
            agreed(book.levels(side).collect(), levels);
            let orders: Vec<RestingOrder> = naive.orders(side).collect();
            agreed(book.orders(side).collect(), orders.clone());
            for order in orders {
                let (account, label) = (order.account, order.client_order_id);
                agreed(book.order(order.order_id), Some(order));
                agreed(
                    book.labelled(account, label),
                    naive.labelled(account, label),
                );
                agreed(
                    book.crosses(side.opposite(), order.price),
                    naive.crosses(side.opposite(), order.price),
                );
                if order.expires_at != LogTime::ZERO {
                    let earliest = next_expiry.unwrap_or(order.expires_at);
                    next_expiry = Some(earliest.min(order.expires_at));
                }
            }
        }
        agreed(book.next_expiry(), next_expiry);
        for account in (0..draw::ACCOUNTS).map(AccountId::new) {
            agreed(book.open_orders(account), naive.open_orders(account));
            let orders: Vec<RestingOrder> = naive.orders_of(account).collect();
            agreed(book.orders_of(account).collect(), orders);
        }
    }
}

/// Accounts 0 and 3 belong together.
fn group_of(account: AccountId) -> GroupId {
    GroupId::new(account.get() % 3)
}

fn taker(order: &Order, terms: Terms) -> Taker {
    Taker {
        side: order.side,
        limit: order.price,
        quantity: order.remaining,
        fills_max: terms.fills_max,
        account: order.account,
        group: group_of(order.account),
        self_trade: terms.self_trade,
        now: terms.now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A book that has lost an order is found out.
    #[test]
    fn a_planted_difference_is_found() {
        let mut pair = Pair::new(0);
        pair.rest(Order {
            order_id: OrderId::new(1),
            account: AccountId::new(0),
            label: ClientOrderId::NONE,
            side: Side::Bid,
            price: Ticks::new(5),
            remaining: BaseLots::new(5),
            filled: BaseLots::ZERO,
            display: BaseLots::ZERO,
            expires_at: LogTime::ZERO,
        });
        pair.assert_same();
        pair.book.cancel(OrderId::new(1));
        let compared = std::panic::AssertUnwindSafe(|| pair.assert_same());
        assert!(std::panic::catch_unwind(compared).is_err());
    }
}
