//! A random stream on its way through both books and the oracle.

use matching::{Meeting, RestingOrder, Stopped, Taken, Taker};
use types::limits::QUANTITY_LOTS_MAX;
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

use crate::Seen;
use crate::common::{Mark, Random, Trio};
use crate::mix::{Mix, random_stop};

const STEPS: u32 = 2_500;

/// One stream on its way. Names itself if it is dropped in a panic.
pub(crate) struct Stream<'a> {
    mix: &'a Mix,
    seed: u64,
    step: u32,
    random: Random,
    books: Trio,
    seen: &'a mut Seen,
    newest: u64,
    now: u64,
    /// Where it may go back to, oldest first; nothing if it never goes back.
    marks: Option<Vec<Here>>,
    /// What has happened since the oldest mark.
    happened: Vec<&'static str>,
}

/// Where a stream was.
struct Here {
    books: Mark,
    newest: u64,
    now: u64,
    happened: usize,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(mix: &'a Mix, seed: u64, seen: &'a mut Seen) -> Self {
        Self {
            mix,
            seed,
            step: 0,
            random: Random::new(seed),
            books: Trio::new(seed, mix.groups),
            seen,
            newest: 0,
            now: 1,
            marks: None,
            happened: Vec::new(),
        }
    }

    /// A stream that goes back now and then.
    pub(crate) fn with_undo(mut self) -> Self {
        self.books.begin_undo();
        self.marks = Some(Vec::new());
        self
    }

    pub(crate) fn run(mut self) {
        while self.step < STEPS {
            self.act();
            self.come_and_go();
            for side in Side::BOTH {
                self.books.best(side);
            }
            if self.step.is_multiple_of(32) {
                self.ask();
                self.books.assert_same();
            }
            self.now += self.random.below(3);
            self.step += 1;
        }
        for account in 0..self.mix.accounts.min(1_000) {
            let account = AccountId::new(account as u32);
            self.books.cancel_all(account, None, None);
        }
        self.books.assert_same();
    }

    fn act(&mut self) {
        let mix = self.mix;
        let act = self.random.weighted(&[
            mix.place,
            mix.post_only,
            mix.immediate,
            mix.fill_or_kill,
            mix.cancel,
            mix.cancel_all,
            mix.reduce,
            mix.enter_again,
            mix.requeue,
            mix.expire,
            mix.protect,
            mix.pull,
            mix.auction,
            mix.restart,
        ]);
        let order = self.order();
        match act {
            0 => self.place(order),
            1 => self.post(order),
            2 => drop(self.take(&order)),
            3 => self.fill_or_kill(order),
            4 => self.cancel(),
            5 => self.cancel_all(),
            6 => self.reduce(),
            7 => self.enter_again(order),
            8 => self.requeue(&order),
            9 => self.expire(),
            10 => self.protect(&order),
            11 => {
                let pulled = self.books.pull(order.account);
                pulled.iter().for_each(|_| self.count("pulled"));
            }
            12 => self.auction(),
            _ if self.marks.is_some() => {
                self.books.end_undo();
                self.books.begin_undo();
                self.marks = Some(Vec::new());
                self.happened.clear();
            }
            _ => self.books.restart(),
        }
    }

    fn order(&mut self) -> RestingOrder {
        let (random, mix) = (&mut self.random, self.mix);
        let side = random.side();
        self.newest += 1 + random.below(1_000);
        let quantity = (mix.quantity)(random);
        let mut display = 0;
        if random.percent(mix.iceberg) {
            display = (mix.display)(random, quantity);
        }
        let mut expires_at = 0;
        if random.percent(mix.expiring) {
            expires_at = self.now + 1 + random.below(100);
        }
        RestingOrder {
            order_id: OrderId::new(self.newest),
            account: AccountId::new(random.below(mix.accounts) as u32),
            client_order_id: ClientOrderId::new(random.below(mix.labels)),
            side,
            price: Ticks::new((mix.price)(random, side)),
            quantity: BaseLots::new(quantity),
            remaining: BaseLots::new(quantity),
            display: BaseLots::new(display),
            shown: BaseLots::ZERO,
            expires_at: LogTime::new(expires_at),
            stop: random.percent(mix.stop).then(|| random_stop(random)),
            protected: display == 0 && random.percent(mix.protected),
        }
    }

    fn taker(&mut self, order: &RestingOrder) -> Taker {
        Taker {
            side: order.side,
            limit: order.price,
            quantity: order.remaining,
            fills_max: (self.mix.fills_max)(&mut self.random),
            account: order.account,
            group: self.books.group_of(order.account),
            self_trade: self.random.of(self.mix.self_trade),
            now: LogTime::new(self.now),
        }
    }

    fn place(&mut self, order: RestingOrder) {
        if let Some(order) = self.take(&order) {
            self.post(order);
        }
    }

    fn post(&mut self, order: RestingOrder) {
        if self.is_label_free(&order) && !self.books.crosses(order.side, order.price) {
            self.rest(&order);
        }
    }

    fn rest(&mut self, order: &RestingOrder) {
        self.books.rest(order);
        let is = [
            ("rested", true),
            ("rested: labelled", !order.client_order_id.is_none()),
            ("rested: partly filled", order.remaining < order.quantity),
            ("rested: iceberg", !order.display.is_zero()),
            ("rested: expiring", order.expires_at != LogTime::ZERO),
            ("rested: stop", order.stop.is_some()),
            ("rested: protected", order.protected),
        ];
        let is = is.into_iter().filter(|(_, is)| *is);
        is.for_each(|(what, _)| self.count(what));
    }

    /// Something happened, and may be undone.
    fn count(&mut self, what: &'static str) {
        self.seen.count(what);
        if self.marks.is_some() {
            self.happened.push(what);
        }
    }

    fn count_left(&mut self, order: &RestingOrder) {
        self.count(match order {
            _ if order.expires_at != LogTime::ZERO => "left: expiring",
            _ if order.shown < order.remaining => "left: hiding",
            _ if order.stop.is_some() => "left: stop",
            _ if order.remaining < order.quantity => "left: partly filled",
            _ => "left: plain",
        });
    }

    /// Remembers this place to come back to, or goes back to an earlier one.
    fn come_and_go(&mut self) {
        self.mark(12);
        let Some(marks) = &mut self.marks else {
            return;
        };
        if !self.random.percent(6) || marks.is_empty() {
            return;
        }
        // Mostly not far; at times as far as it goes.
        let is_far = self.random.percent(5);
        let furthest = if is_far {
            marks.len()
        } else {
            marks.len().min(4)
        };
        let back = self.random.below(furthest as u64) as usize;
        marks.truncate(marks.len() - back);
        let here = &marks[marks.len() - 1];
        self.books.undo_to(&here.books);
        // Whoever does something else now may use the same ids, and it may be later.
        if self.random.percent(50) {
            (self.newest, self.now) = (here.newest, here.now);
        }
        for what in self.happened.drain(here.happened..) {
            self.seen.count_undone(what);
        }
        self.books.assert_same();
        self.ask_everybody();
        if self.books.is_collecting() {
            self.auction();
        }
    }

    /// Remembers this place with this chance in percent, if it ever goes back.
    fn mark(&mut self, chance: u64) {
        if let Some(marks) = &mut self.marks
            && self.random.percent(chance)
        {
            marks.push(Here {
                books: self.books.mark(),
                newest: self.newest,
                now: self.now,
                happened: self.happened.len(),
            });
        }
    }

    /// Returns what may rest.
    fn take(&mut self, order: &RestingOrder) -> Option<RestingOrder> {
        let taker = self.taker(order);
        let (taken, meetings) = self.books.take(&taker);
        self.count_take(&taken, &meetings);
        let fills = meetings.iter().map(|meeting| match meeting {
            Meeting::Fill { quantity, .. } => quantity.get(),
            _ => 0,
        });
        assert_eq!(taken.filled.get(), fills.sum::<u64>());
        let rests = !taken.remaining.is_zero() && taken.stopped.is_none();
        rests.then(|| RestingOrder {
            quantity: order.filled() + taken.filled + taken.remaining,
            remaining: taken.remaining,
            ..*order
        })
    }

    fn count_take(&mut self, taken: &Taken, meetings: &[Meeting]) {
        for meeting in meetings {
            self.count(match meeting {
                Meeting::Fill {
                    refreshed: true, ..
                } => "refresh",
                Meeting::Fill { maker, .. } if !maker.remaining.is_zero() => match maker.stop {
                    Some(_) => "fill: partly, stop",
                    None => "fill: partly",
                },
                Meeting::Fill { .. } => "fill",
                Meeting::Expired(_) => "expired",
                Meeting::SelfTradeCancelled(_) => "cancelled",
                Meeting::SelfTradeReduced { .. } => "reduced",
                Meeting::Pulled(_) => "pulled",
            });
        }
        match taken.stopped {
            None => {}
            Some(Stopped::FillLimit) => self.count("fill limit"),
            Some(Stopped::SelfTrade) => self.count("self trade"),
        }
    }

    fn fill_or_kill(&mut self, order: RestingOrder) {
        let taker = self.taker(&order);
        if self.books.fillable(&taker) {
            self.count("fillable");
            let (taken, meetings) = self.books.take(&taker);
            self.count_take(&taken, &meetings);
            assert_eq!(taken.filled, taker.quantity);
        } else {
            self.count("not fillable");
        }
    }

    /// Some resting order, if there is one on the side drawn.
    fn resting(&mut self) -> Option<RestingOrder> {
        let side = self.random.side();
        let orders = self.books.book.orders(side).count() as u64;
        if orders == 0 {
            return None;
        }
        let place = self.random.below(orders) as usize;
        self.books.book.orders(side).nth(place)
    }

    fn cancel(&mut self) {
        let order = self.resting();
        let Some(order) = order.filter(|_| !self.random.percent(10)) else {
            let unknown = OrderId::new(self.random.below(self.newest + 2));
            self.books.order(unknown);
            self.books.cancel(unknown);
            return;
        };
        assert_eq!(self.books.order(order.order_id), Some(order));
        if self.random.percent(50) {
            assert_eq!(self.books.cancel(order.order_id), Some(order));
        } else {
            assert!(self.books.discard(order.order_id));
        }
        self.count_left(&order);
        assert_eq!(self.books.cancel(order.order_id), None);
        assert!(!self.books.discard(order.order_id));
    }

    fn cancel_all(&mut self) {
        let account = AccountId::new(self.random.below(self.mix.accounts) as u32);
        let side = self.random.of(&[None, Some(Side::Bid), Some(Side::Ask)]);
        let prices = self.random.percent(50).then(|| {
            let ends = Side::BOTH.map(|side| (self.mix.price)(&mut self.random, side));
            let [low, high] = [ends[0].min(ends[1]), ends[0].max(ends[1])];
            (Ticks::new(low), Ticks::new(high))
        });
        let mut expected = self.books.orders_of(account);
        expected.retain(|order| {
            side.is_none_or(|side| order.side == side)
                && prices.is_none_or(|(low, high)| (low..=high).contains(&order.price))
        });
        assert_eq!(self.books.cancel_all(account, side, prices), expected);
        expected.iter().for_each(|order| self.count_left(order));
    }

    fn reduce(&mut self) {
        let Some(order) = self.resting() else {
            let unknown = OrderId::new(self.newest + 1);
            assert_eq!(self.books.reduce(unknown, BaseLots::new(1)), None);
            return;
        };
        let by = BaseLots::new(self.random.below(order.remaining.get()));
        let reduced = self.books.reduce(order.order_id, by);
        let reduced = reduced.expect("it rests");
        assert_eq!(reduced.filled(), order.filled());
        assert_eq!(reduced.remaining, order.remaining - by);
        if reduced.shown < order.shown {
            self.count("shrunk: shown");
        }
        if order.shown < order.remaining {
            self.count("shrunk: hidden");
        }
    }

    /// A resting order leaves and comes back under its id, with other terms.
    fn enter_again(&mut self, terms: RestingOrder) {
        let Some(order) = self.resting() else {
            return;
        };
        self.books.cancel(order.order_id);
        self.count_left(&order);
        let filled = BaseLots::new(order.filled().get().min(QUANTITY_LOTS_MAX / 2));
        let remaining = BaseLots::new(terms.remaining.get().min(QUANTITY_LOTS_MAX / 2));
        self.place(RestingOrder {
            price: terms.price,
            side: terms.side,
            quantity: filled + remaining,
            remaining,
            display: terms.display,
            expires_at: terms.expires_at,
            stop: terms.stop,
            protected: terms.protected,
            ..order
        });
    }

    /// A resting order goes to the back of the queue, at another price if that crosses nothing, and
    /// with another size.
    fn requeue(&mut self, terms: &RestingOrder) {
        let Some(order) = self.resting() else {
            return;
        };
        let room = QUANTITY_LOTS_MAX - order.filled().get();
        let remaining = BaseLots::new(terms.remaining.get().min(room));
        let crosses = self.books.crosses(order.side, terms.price);
        let price = if crosses { order.price } else { terms.price };
        self.books.requeue(order.order_id, price, remaining);
        self.count("requeued");
        if !order.display.is_zero() {
            self.count("requeued: iceberg");
        }
        if price != order.price {
            self.count("requeued: elsewhere");
        }
    }

    fn expire(&mut self) {
        let now = LogTime::new(self.now);
        let max = self.random.of(&[0, 1, 3, 10_000]);
        let expired = self.books.expire(now, max);
        expired.iter().for_each(|_| self.count("expired"));
        assert!(expired.is_sorted_by_key(|order| (order.expires_at, order.order_id)));
        assert!(expired.iter().all(|order| order.expires_at <= now));
    }

    /// An account may fill so many lots before its protected orders go.
    fn protect(&mut self, order: &RestingOrder) {
        let lots = 1 + self.random.below(2 * order.quantity.get());
        self.books.fuses.0.insert(order.account, lots);
    }

    /// Orders come to rest wherever they like, some leave, and then the book is uncrossed, at times
    /// in several steps.
    fn auction(&mut self) {
        self.books.collect();
        self.count("collecting");
        for _ in 0..self.random.below(40) {
            match self.random.below(5) {
                0 => self.cancel(),
                1 => self.reduce(),
                _ => {
                    let order = self.order();
                    if self.is_label_free(&order) {
                        self.rest(&order);
                    }
                }
            }
            self.mark(10);
            let last = (self.mix.price)(&mut self.random, Side::Bid);
            self.books.indication(None);
            self.books.indication(Some(Ticks::new(last)));
        }
        self.books.assert_same();
        let last = self.random.percent(50).then(|| Ticks::new(1_000));
        let indication = self.books.indication(last);
        let mut volume = 0;
        while self.books.is_collecting() {
            let crossings_max = self.random.of(&[1, 2, 5, 10_000]);
            for crossing in self.books.uncross(crossings_max) {
                self.count("crossing");
                for refreshed in crossing.refreshed {
                    self.count(if refreshed {
                        "crossing: refresh"
                    } else {
                        "crossing: fill"
                    });
                }
                volume += u128::from(crossing.quantity.get());
                let price = indication.expect("something trades").price;
                assert!(crossing.ask.price <= price && price <= crossing.bid.price);
            }
            self.mark(10);
            // Who continues finds the same price.
            if let Some(rest) = self.books.indication(indication.map(|it| it.price)) {
                assert_eq!(Some(rest.price), indication.map(|it| it.price));
                assert_eq!(Some(rest.surplus), indication.map(|it| it.surplus));
            }
        }
        assert_eq!(volume, indication.map_or(0, |it| it.volume));
        self.count("uncrossed");
        self.books.assert_same();
    }

    fn is_label_free(&self, order: &RestingOrder) -> bool {
        let labelled = self.books.labelled(order.account, order.client_order_id);
        labelled.is_none()
    }

    /// What is asked of single accounts and orders, of many of those that rest; and what only a
    /// book answers that collects.
    fn ask_everybody(&mut self) {
        let orders = Side::BOTH.map(|side| self.books.orders(side));
        for order in orders.iter().flatten().take(40) {
            assert_eq!(self.books.order(order.order_id), Some(*order));
            self.books.labelled(order.account, order.client_order_id);
            self.books.open_orders(order.account);
            self.books.orders_of(order.account);
        }
        self.books.indication(None);
        self.books.indication(Some(Ticks::new(1_000)));
        if !self.books.is_collecting() {
            self.ask();
        }
    }

    /// Questions about things that may or may not exist.
    fn ask(&mut self) {
        let order = self.order();
        self.books.len();
        self.books.order(order.order_id);
        self.books.labelled(order.account, order.client_order_id);
        self.books.open_orders(order.account);
        self.books.orders_of(order.account);
        for fills_max in [0, 1, 2, 5, 40, u32::MAX] {
            for quantity in [0, 1, order.remaining.get(), 300, u64::MAX] {
                let taker = self.taker(&order);
                self.books.fillable(&Taker {
                    quantity: BaseLots::new(quantity),
                    fills_max,
                    ..taker
                });
            }
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "in mix {:?}, seed {}, step {}",
                self.mix.name, self.seed, self.step
            );
        }
    }
}
