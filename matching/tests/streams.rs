//! Random operation streams, compared with the oracle event for event.

mod common;

use common::{Random, Trio};
use matching::RestingOrder;
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

const SEEDS: u64 = 12;
const STEPS: u32 = 3_000;

/// What a stream is made of. Weights are relative.
struct Mix {
    name: &'static str,
    price: fn(&mut Random, Side) -> u64,
    quantity: fn(&mut Random) -> u64,
    accounts: u64,
    /// Labels to choose from; the first is no label.
    labels: u64,
    fills_max: fn(&mut Random) -> u32,
    place: u64,
    post_only: u64,
    immediate: u64,
    fill_or_kill: u64,
    cancel: u64,
    cancel_all: u64,
}

const USUAL: Mix = Mix {
    name: "usual",
    price: |random, side| match side {
        Side::Bid => 1_010 - random.below(60),
        Side::Ask => 990 + random.below(60),
    },
    quantity: |random| 1 + random.below(50),
    accounts: 20,
    labels: 100,
    fills_max: |_| 10_000,
    place: 40,
    post_only: 10,
    immediate: 6,
    fill_or_kill: 4,
    cancel: 30,
    cancel_all: 1,
};

const MIXES: [Mix; 11] = [
    USUAL,
    Mix {
        name: "one price",
        price: |_, _| 7,
        ..USUAL
    },
    Mix {
        name: "all crossing",
        price: |random, side| match side {
            Side::Bid => 1_000 + random.below(10),
            Side::Ask => 1_000 - random.below(10),
        },
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
        quantity: |random| {
            let end = 1 << random.below(9);
            1 + random.below(end)
        },
        fills_max: |random| random.below(6) as u32,
        fill_or_kill: 30,
        cancel: 10,
        ..USUAL
    },
];

#[test]
fn the_book_says_what_the_oracle_says() {
    for mix in &MIXES {
        for seed in 0..SEEDS {
            Stream::new(mix, seed).run();
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
    newest: u64,
}

impl<'a> Stream<'a> {
    fn new(mix: &'a Mix, seed: u64) -> Self {
        Self {
            mix,
            seed,
            step: 0,
            random: Random::new(seed),
            books: Trio::new(seed),
            newest: 0,
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
            self.step += 1;
        }
        for account in 0..self.mix.accounts.min(1_000) {
            self.books.cancel_all(AccountId::new(account as u32), None);
        }
        self.books.assert_same();
    }

    fn act(&mut self) {
        let mix = self.mix;
        let weights = [
            mix.place,
            mix.post_only,
            mix.immediate,
            mix.fill_or_kill,
            mix.cancel,
            mix.cancel_all,
        ];
        let mut draw = self.random.below(weights.iter().sum());
        let mut act = 0;
        while draw >= weights[act] {
            draw -= weights[act];
            act += 1;
        }
        let order = self.order();
        match act {
            0 => self.place(order),
            1 => self.post(order),
            2 => drop(self.take(&order)),
            3 => self.fill_or_kill(order),
            4 => self.cancel(),
            _ => self.cancel_all(),
        }
    }

    fn order(&mut self) -> RestingOrder {
        let random = &mut self.random;
        let side = random.side();
        self.newest += 1 + random.below(1_000);
        RestingOrder {
            order_id: OrderId::new(self.newest),
            account: AccountId::new(random.below(self.mix.accounts) as u32),
            client_order_id: ClientOrderId::new(random.below(self.mix.labels)),
            side,
            price: Ticks::new((self.mix.price)(random, side)),
            remaining: BaseLots::new((self.mix.quantity)(random)),
        }
    }

    fn place(&mut self, mut order: RestingOrder) {
        order.remaining = self.take(&order);
        if !order.remaining.is_zero() {
            self.post(order);
        }
    }

    fn post(&mut self, order: RestingOrder) {
        let label_is_taken = self
            .books
            .labelled(order.account, order.client_order_id)
            .is_some();
        if !label_is_taken && !self.books.crosses(order.side, order.price) {
            self.books.rest(&order);
        }
    }

    /// Returns what did not fill.
    fn take(&mut self, order: &RestingOrder) -> BaseLots {
        let fills_max = (self.mix.fills_max)(&mut self.random);
        let wanted = order.remaining;
        let (taken, fills) = self.books.take(order.side, order.price, wanted, fills_max);
        assert_eq!(taken.fills as usize, fills.len());
        assert!(taken.fills <= fills_max && taken.filled <= wanted);
        wanted - taken.filled
    }

    fn fill_or_kill(&mut self, order: RestingOrder) {
        let fills_max = (self.mix.fills_max)(&mut self.random);
        let (side, limit, wanted) = (order.side, order.price, order.remaining);
        if self.books.fillable(side, limit, wanted, fills_max) {
            let (taken, _) = self.books.take(side, limit, wanted, fills_max);
            assert_eq!(taken.filled, wanted);
        }
    }

    fn cancel(&mut self) {
        let side = self.random.side();
        let count = self.books.book.orders(side).count() as u64;
        if count == 0 || self.random.below(10) == 0 {
            let unknown = OrderId::new(self.random.below(self.newest + 2));
            self.books.order(unknown);
            self.books.cancel(unknown);
            return;
        }
        let rank = self.random.below(count) as usize;
        let order = self.books.book.orders(side).nth(rank);
        let order_id = order
            .map(|order| order.order_id)
            .expect("rank is below count");
        assert_eq!(self.books.order(order_id), order);
        assert_eq!(self.books.cancel(order_id), order);
        assert_eq!(self.books.cancel(order_id), None);
    }

    fn cancel_all(&mut self) {
        let account = AccountId::new(self.random.below(self.mix.accounts) as u32);
        let side = [None, Some(Side::Bid), Some(Side::Ask)][self.random.below(3) as usize];
        let open = self.books.open_orders(account);
        let cancelled = self.books.cancel_all(account, side);
        assert!(cancelled.is_sorted_by(|a, b| a.order_id < b.order_id));
        assert_eq!(
            self.books.open_orders(account),
            open - cancelled.len() as u32
        );
    }

    /// Questions about things that may or may not exist.
    fn ask(&mut self) {
        let order = self.order();
        self.books.len();
        self.books.order(order.order_id);
        self.books.labelled(order.account, order.client_order_id);
        self.books.open_orders(order.account);
        for fills_max in [0, 1, 2, 5, u32::MAX] {
            for quantity in [0, 1, order.remaining.get(), 1_000, u64::MAX] {
                let quantity = BaseLots::new(quantity);
                (self.books).fillable(order.side, order.price, quantity, fills_max);
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
