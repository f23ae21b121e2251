//! Random operation streams, compared with the oracle event for event.

mod common;

use std::collections::BTreeMap;

use common::{Random, Trio};
use matching::{Meeting, RestingOrder, Stopped, Taken, Taker};
use types::command::{SelfTrade, StopLeg};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

const SEEDS: u64 = 8;
const STEPS: u32 = 2_500;

/// What a stream is made of. Weights are relative, chances in percent.
struct Mix {
    name: &'static str,
    price: fn(&mut Random, Side) -> u64,
    quantity: fn(&mut Random) -> u64,
    accounts: u64,
    /// Accounts belong to so many groups in turn.
    groups: u32,
    self_trade: &'static [SelfTrade],
    /// Labels to choose from; the first is no label.
    labels: u64,
    fills_max: fn(&mut Random) -> u32,
    /// Chance that an order shows only part of itself.
    iceberg: u64,
    /// How much of this size it shows at a time.
    display: fn(&mut Random, u64) -> u64,
    /// Chance that an order expires.
    expiring: u64,
    place: u64,
    post_only: u64,
    immediate: u64,
    fill_or_kill: u64,
    cancel: u64,
    cancel_all: u64,
    reduce: u64,
    enter_again: u64,
    requeue: u64,
    expire: u64,
    /// Chance that an order is protected, if it hides nothing.
    protected: u64,
    /// Chance that an order has a stop beside it.
    stop: u64,
    /// How often an account is protected from here on, or its protected orders are pulled.
    protect: u64,
    pull: u64,
    /// How often an auction begins; while it lasts, orders only come to rest.
    auction: u64,
    /// How often one of the books is written down and restored.
    restart: u64,
}

const USUAL: Mix = Mix {
    name: "usual",
    price: |random, side| match side {
        Side::Bid => 1_010 - random.below(60),
        Side::Ask => 990 + random.below(60),
    },
    quantity: |random| 1 + random.below(50),
    accounts: 20,
    groups: 1,
    self_trade: &[SelfTrade::Allow],
    labels: 100,
    fills_max: |_| 10_000,
    iceberg: 0,
    display: |random, quantity| 1 + random.below(quantity),
    expiring: 0,
    place: 40,
    post_only: 10,
    immediate: 6,
    fill_or_kill: 4,
    cancel: 30,
    cancel_all: 1,
    reduce: 0,
    enter_again: 0,
    requeue: 0,
    expire: 0,
    protected: 0,
    stop: 0,
    protect: 0,
    pull: 0,
    auction: 0,
    restart: 1,
};

/// Everything at once.
const RICH: Mix = Mix {
    name: "rich",
    groups: 4,
    self_trade: &ALL_MODES,
    iceberg: 30,
    expiring: 30,
    fill_or_kill: 10,
    reduce: 10,
    enter_again: 10,
    requeue: 15,
    expire: 4,
    protected: 40,
    stop: 20,
    protect: 4,
    pull: 1,
    auction: 1,
    ..USUAL
};

const ALL_MODES: [SelfTrade; 5] = [
    SelfTrade::Allow,
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::Decrement,
];

const PLAIN_MIXES: [Mix; 12] = [
    USUAL,
    Mix {
        name: "one price",
        price: |_, _| 7,
        ..USUAL
    },
    Mix {
        name: "all crossing",
        price: overlapping,
        cancel: 5,
        ..USUAL
    },
    Mix {
        name: "cancel heavy",
        place: 10,
        post_only: 40,
        cancel: 60,
        cancel_all: 4,
        ..USUAL
    },
    Mix {
        name: "sparse prices",
        price: |random, _| 1 + random.below(PRICE_TICKS_MAX),
        quantity: |random| 1 + random.below(QUANTITY_LOTS_MAX),
        place: 10,
        post_only: 90,
        ..USUAL
    },
    Mix {
        name: "prices around every power of two",
        price: |random, _| {
            let center = 1_u64 << random.below(32);
            (center + random.below(5)).clamp(3, PRICE_TICKS_MAX + 2) - 2
        },
        place: 10,
        post_only: 90,
        ..USUAL
    },
    Mix {
        name: "one owner",
        accounts: 1,
        cancel_all: 4,
        ..USUAL
    },
    Mix {
        name: "many owners",
        accounts: 100_000,
        cancel_all: 10,
        ..USUAL
    },
    Mix {
        name: "labels reused",
        accounts: 3,
        labels: 6,
        cancel: 40,
        ..USUAL
    },
    Mix {
        name: "takers",
        place: 5,
        post_only: 60,
        immediate: 20,
        fill_or_kill: 40,
        cancel: 5,
        ..USUAL
    },
    Mix {
        name: "few fills",
        quantity: any_magnitude,
        fills_max: few,
        fill_or_kill: 30,
        cancel: 10,
        ..USUAL
    },
    Mix {
        name: "reduce, enter and queue again",
        accounts: 4,
        cancel: 5,
        reduce: 40,
        enter_again: 40,
        requeue: 60,
        cancel_all: 3,
        ..USUAL
    },
];

const RICH_MIXES: [Mix; 16] = [
    RICH,
    Mix {
        name: "icebergs",
        iceberg: 60,
        reduce: 10,
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "icebergs at one price",
        price: |_, _| 7,
        iceberg: 80,
        post_only: 60,
        fill_or_kill: 30,
        cancel: 10,
        ..USUAL
    },
    Mix {
        name: "icebergs and few fills",
        price: overlapping,
        quantity: any_magnitude,
        iceberg: 70,
        display: |random, quantity| {
            let end = 1 << random.below(5);
            1 + random.below(end).min(quantity)
        },
        fills_max: |random| {
            let end = 1 << random.below(8);
            random.below(end) as u32
        },
        post_only: 50,
        fill_or_kill: 40,
        cancel: 10,
        ..USUAL
    },
    Mix {
        name: "large icebergs",
        quantity: |random| QUANTITY_LOTS_MAX - random.below(5),
        iceberg: 80,
        display: |random, quantity| quantity / (1 + random.below(20)),
        fills_max: few,
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "expiring",
        expiring: 70,
        expire: 10,
        reduce: 5,
        enter_again: 5,
        ..USUAL
    },
    Mix {
        name: "expired and in the way",
        price: overlapping,
        iceberg: 20,
        expiring: 80,
        post_only: 40,
        fill_or_kill: 20,
        cancel: 5,
        ..USUAL
    },
    Mix {
        name: "cancel taker",
        groups: 4,
        self_trade: &[SelfTrade::CancelTaker],
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "cancel maker",
        groups: 3,
        self_trade: &[SelfTrade::CancelMaker],
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "cancel both",
        groups: 4,
        self_trade: &[SelfTrade::CancelBoth],
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "decrement",
        groups: 2,
        self_trade: &[SelfTrade::Decrement],
        iceberg: 20,
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "every mode among icebergs and few fills",
        price: overlapping,
        quantity: any_magnitude,
        fills_max: few,
        groups: 3,
        post_only: 50,
        fill_or_kill: 40,
        cancel: 5,
        ..RICH
    },
    Mix {
        name: "one group",
        groups: 1,
        price: overlapping,
        post_only: 50,
        ..RICH
    },
    Mix {
        name: "rich, at one price",
        price: |_, _| 7,
        post_only: 50,
        ..RICH
    },
    Mix {
        name: "rich, sparse",
        price: |random, _| 1 + random.below(PRICE_TICKS_MAX),
        quantity: |random| 1 + random.below(QUANTITY_LOTS_MAX),
        place: 10,
        post_only: 90,
        ..RICH
    },
    Mix {
        name: "rich, few owners with many orders",
        accounts: 3,
        groups: 2,
        cancel: 5,
        cancel_all: 4,
        enter_again: 30,
        ..RICH
    },
];

fn overlapping(random: &mut Random, side: Side) -> u64 {
    match side {
        Side::Bid => 1_000 + random.below(10),
        Side::Ask => 1_000 - random.below(10),
    }
}

fn any_magnitude(random: &mut Random) -> u64 {
    let end = 1 << random.below(9);
    1 + random.below(end)
}

fn few(random: &mut Random) -> u32 {
    random.below(6) as u32
}

#[test]
fn a_book_of_plain_orders_says_what_the_oracle_says() {
    let seen = run(&PLAIN_MIXES);
    seen.assert_often(&["fill", "fill limit", "fillable", "not fillable", "requeued"]);
}

#[test]
fn a_book_of_all_orders_says_what_the_oracle_says() {
    let seen = run(&RICH_MIXES);
    seen.assert_often(&[
        "fill",
        "refresh",
        "expired",
        "cancelled",
        "reduced",
        "requeued",
        "pulled",
        "crossing",
        "fill limit",
        "self trade",
        "fillable",
        "not fillable",
    ]);
}

fn run(mixes: &[Mix]) -> Seen {
    let mut seen = Seen::default();
    for mix in mixes {
        for seed in 0..SEEDS {
            Stream::new(mix, seed, &mut seen).run();
        }
    }
    seen
}

/// How often things happened: streams that agree because nothing happens prove nothing.
#[derive(Debug, Default)]
struct Seen(BTreeMap<&'static str, u32>);

impl Seen {
    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn count_take(&mut self, taken: &Taken, meetings: &[Meeting]) {
        for meeting in meetings {
            self.count(match meeting {
                Meeting::Fill {
                    refreshed: true, ..
                } => "refresh",
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

    fn assert_often(&self, expected: &[&str]) {
        for what in expected {
            let count = self.0.get(what).copied().unwrap_or(0);
            assert!(count > 300, "{what} happened {count} times: {self:?}");
        }
    }
}

/// One stream on its way. Names itself if it is dropped in a panic.
struct Stream<'a> {
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
    fn new(mix: &'a Mix, seed: u64, seen: &'a mut Seen) -> Self {
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

    fn run(mut self) {
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

fn random_stop(random: &mut Random) -> StopLeg {
    StopLeg {
        trigger: Ticks::new(1 + random.below(2_000)),
        limit: Ticks::new(1 + random.below(PRICE_TICKS_MAX)),
        self_trade: random.of(&ALL_MODES),
    }
}
