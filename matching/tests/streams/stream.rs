//! A random stream on its way through both books and the oracle.

use matching::{Meeting, RestingOrder, Taker};
use types::limits::QUANTITY_LOTS_MAX;
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

use crate::Seen;
use crate::common::{Random, Trio};
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
        }
    }

    pub(crate) fn run(mut self) {
        while self.step < STEPS {
            self.act();
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
            11 => drop(self.books.pull(order.account)),
            12 => self.auction(),
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
            self.books.rest(&order);
        }
    }

    /// Returns what may rest.
    fn take(&mut self, order: &RestingOrder) -> Option<RestingOrder> {
        let taker = self.taker(order);
        let (taken, meetings) = self.books.take(&taker);
        self.seen.count_take(&taken, &meetings);
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

    fn fill_or_kill(&mut self, order: RestingOrder) {
        let taker = self.taker(&order);
        if self.books.fillable(&taker) {
            self.seen.count("fillable");
            let (taken, meetings) = self.books.take(&taker);
            self.seen.count_take(&taken, &meetings);
            assert_eq!(taken.filled, taker.quantity);
        } else {
            self.seen.count("not fillable");
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
    }

    /// A resting order leaves and comes back under its id, with other terms.
    fn enter_again(&mut self, terms: RestingOrder) {
        let Some(order) = self.resting() else {
            return;
        };
        self.books.cancel(order.order_id);
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
        self.seen.count("requeued");
        self.books.requeue(order.order_id, price, remaining);
    }

    fn expire(&mut self) {
        let now = LogTime::new(self.now);
        let max = self.random.of(&[0, 1, 3, 10_000]);
        let expired = self.books.expire(now, max);
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
        for _ in 0..self.random.below(40) {
            match self.random.below(5) {
                0 => self.cancel(),
                1 => self.reduce(),
                _ => {
                    let order = self.order();
                    if self.is_label_free(&order) {
                        self.books.rest(&order);
                    }
                }
            }
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
                self.seen.count("crossing");
                volume += u128::from(crossing.quantity.get());
                let price = indication.expect("something trades").price;
                assert!(crossing.ask.price <= price && price <= crossing.bid.price);
            }
            // Who continues finds the same price.
            if let Some(rest) = self.books.indication(indication.map(|it| it.price)) {
                assert_eq!(Some(rest.price), indication.map(|it| it.price));
                assert_eq!(Some(rest.surplus), indication.map(|it| it.surplus));
            }
        }
        assert_eq!(volume, indication.map_or(0, |it| it.volume));
        self.books.assert_same();
    }

    fn is_label_free(&self, order: &RestingOrder) -> bool {
        let labelled = self.books.labelled(order.account, order.client_order_id);
        labelled.is_none()
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
