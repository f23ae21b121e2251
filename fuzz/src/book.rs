//! Operations on a book and on its oracle. Every answer and every meeting must be the same, and
//! after each operation so must be all that can be asked; and the book must be sound.

use arbitrary::{Arbitrary, Unstructured};

use crate::fuses::Fuses;
use crate::{Reached, agreed, draw};
use matching::{Book, Indication, Level, Meeting, NaiveBook, RestingOrder, Stopped, Taken, Taker};
use types::command::{SelfTrade, StopLeg};
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
    "pulled",
    "pulled at once",
    "stop attached",
    "protected",
    "requeued",
    "collecting",
    "crossed",
    "crossing",
    "crossing refreshed",
    "uncrossed",
    "uncrossed in part",
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
    /// A resting order goes to the back of the queue, with so much open.
    Requeue {
        #[arbitrary(with = draw::order_id)]
        order_id: OrderId,
        #[arbitrary(with = draw::price)]
        price: Ticks,
        #[arbitrary(with = draw::lots)]
        remaining: BaseLots,
    },
    /// An account may fill so many lots before its protected orders go.
    Protect {
        #[arbitrary(with = draw::account)]
        account: AccountId,
        #[arbitrary(with = draw::lots)]
        lots: BaseLots,
    },
    /// An account's protected orders go.
    Pull(#[arbitrary(with = draw::account)] AccountId),
    /// An auction begins.
    Collect,
    /// Asks what an auction would come to.
    Indicate(#[arbitrary(with = draw::price_or_none)] Option<Ticks>),
    /// An auction goes on to its end, or by so many steps.
    Uncross(#[arbitrary(with = draw::count)] u32),
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
    #[arbitrary(with = draw::legal_stop)]
    stop: Option<StopLeg>,
    /// If it hides nothing.
    protected: bool,
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
    fuses: Fuses,
    reached: Reached,
}

impl Pair {
    fn new(hash_seed: u64) -> Self {
        Self {
            book: Book::new(hash_seed),
            naive: NaiveBook::new(),
            fuses: Fuses::default(),
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
            } => self.cancel_all(account, side, prices),
            Operation::Expire { now, max } => self.expire(now, max),
            Operation::Requeue {
                order_id,
                price,
                remaining,
            } => self.requeue(order_id, price, remaining),
            Operation::Protect { account, lots } => {
                self.fuses.insert(account, lots);
                self.reach(true, "protected");
            }
            Operation::Pull(account) => self.pull(account),
            Operation::Collect => {
                self.book.collect();
                self.naive.collect();
                self.reach(true, "collecting");
            }
            Operation::Indicate(last) => drop(self.indicate(last)),
            Operation::Uncross(crossings_max) => self.uncross(crossings_max),
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
            stop: order.stop,
            protected: order.protected && order.display.is_zero(),
        };
        let labelled = self.naive.labelled(order.account, order.label);
        let is_legal = resting.quantity.get() <= QUANTITY_LOTS_MAX
            && (self.naive.is_collecting() || !self.naive.crosses(order.side, order.price))
            && self.naive.order(order.order_id).is_none()
            && labelled.is_none();
        if is_legal {
            self.book.rest(&resting);
            self.naive.rest(&resting);
            self.reach(true, "rested");
            self.reach(resting.stop.is_some(), "stop attached");
        }
    }

    fn place(&mut self, order: Order, terms: Terms) {
        let Some(taken) = self.take(&taker(&order, terms)) else {
            return;
        };
        if taken.stopped.is_none() && !taken.remaining.is_zero() {
            self.rest(Order {
                remaining: taken.remaining,
                filled: order.filled + taken.filled,
                ..order
            });
        }
    }

    /// `None`: in an auction nobody takes.
    fn take(&mut self, taker: &Taker) -> Option<Taken> {
        if self.naive.is_collecting() {
            return None;
        }
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        let mut fuses = [(); 2].map(|()| self.fuses.clone());
        let [one, two] = &mut fuses;
        let taken = agreed(
            (self.book).take(taker, group_of, one, |meeting| fast.push(*meeting)),
            (self.naive).take(taker, group_of, two, |meeting| naive.push(*meeting)),
        );
        let [one, two] = fuses;
        self.fuses = agreed(one, two);
        let meetings = agreed(fast, naive);
        let pulled = |meeting: &&Meeting| matches!(meeting, Meeting::Pulled(_));
        let pulled = meetings.iter().filter(pulled).count();
        assert_eq!(taken.fills as usize, meetings.len() - pulled);
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
                Meeting::Pulled(_) => "pulled",
            });
        }
        self.reach(taken.stopped == Some(Stopped::FillLimit), "fill limit");
        self.reach(taken.stopped == Some(Stopped::SelfTrade), "self trade");
        Some(taken)
    }

    fn ask(&mut self, taker: &Taker) {
        if self.naive.is_collecting() {
            return;
        }
        let fillable = agreed(
            (self.book).fillable(taker, group_of, &mut self.fuses.clone()),
            (self.naive).fillable(taker, group_of, &mut self.fuses.clone()),
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

    fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
    ) {
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        agreed(
            (self.book).cancel_all(account, side, prices, |order| fast.push(*order)),
            (self.naive).cancel_all(account, side, prices, |order| naive.push(*order)),
        );
        let cancelled = agreed(fast, naive);
        self.reach(!cancelled.is_empty(), "all cancelled");
    }

    fn expire(&mut self, now: LogTime, max: u32) {
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        agreed(
            (self.book).expire(now, max, |order| fast.push(*order)),
            (self.naive).expire(now, max, |order| naive.push(*order)),
        );
        let expired = agreed(fast, naive);
        self.reach(!expired.is_empty(), "expired");
    }

    /// At another price only if that crosses nothing.
    fn requeue(&mut self, order_id: OrderId, price: Ticks, remaining: BaseLots) {
        let Some(order) = self.naive.order(order_id) else {
            return;
        };
        let crosses = !self.naive.is_collecting() && self.naive.crosses(order.side, price);
        let price = if crosses { order.price } else { price };
        if (order.filled() + remaining).get() <= QUANTITY_LOTS_MAX {
            self.book.requeue(order_id, price, remaining);
            self.naive.requeue(order_id, price, remaining);
            self.reach(true, "requeued");
        }
    }

    fn pull(&mut self, account: AccountId) {
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        agreed(
            (self.book).pull(account, |order| fast.push(*order)),
            (self.naive).pull(account, |order| naive.push(*order)),
        );
        let pulled = agreed(fast, naive);
        self.reach(!pulled.is_empty(), "pulled at once");
    }

    fn indicate(&mut self, last: Option<Ticks>) -> Option<Indication> {
        let indication = agreed(self.book.indication(last), self.naive.indication(last));
        self.reach(indication.is_some(), "crossed");
        indication
    }

    /// Whoever continues finds the same price, and what is left of the volume.
    fn uncross(&mut self, crossings_max: u32) {
        let whole = self.indicate(None);
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        agreed(
            (self.book).uncross(crossings_max, |crossing| fast.push(*crossing)),
            (self.naive).uncross(crossings_max, |crossing| naive.push(*crossing)),
        );
        let crossings = agreed(fast, naive);
        let Some(whole) = whole else {
            assert!(crossings.is_empty() && !self.naive.is_collecting());
            return;
        };
        let mut volume = 0;
        for crossing in &crossings {
            assert!(crossing.ask.price <= whole.price && whole.price <= crossing.bid.price);
            volume += u128::from(crossing.quantity.get());
            self.reach(true, "crossing");
            self.reach(crossing.refreshed.contains(&true), "crossing refreshed");
        }
        let rest = self.indicate(Some(whole.price));
        self.reach(rest.is_none(), "uncrossed");
        self.reach(rest.is_some() && volume > 0, "uncrossed in part");
        agreed(self.naive.is_collecting(), rest.is_some());
        let rest = rest.unwrap_or(Indication { volume: 0, ..whole });
        let expected = Indication {
            volume: whole.volume - volume,
            ..whole
        };
        assert_eq!(rest, expected, "what is left of the auction");
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
        agreed(
            (book.is_collecting(), book.is_crossed()),
            (naive.is_collecting(), naive.is_crossed()),
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
            stop: None,
            protected: false,
        });
        pair.assert_same();
        pair.book.cancel(OrderId::new(1));
        let compared = std::panic::AssertUnwindSafe(|| pair.assert_same());
        assert!(std::panic::catch_unwind(compared).is_err());
    }
}
