//! What the tests share: a seeded generator, and the books side by side.
#![allow(dead_code, reason = "every test binary uses its own part")]

use matching::{Book, MakerFill, NaiveBook, RestingOrder, Taken};
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

/// A small generator whose whole state is its seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// Either side.
    pub(crate) fn side(&mut self) -> Side {
        Side::BOTH[self.below(2) as usize]
    }
}

/// Two books with different hash seeds and the oracle. Every call goes to all three, and they must
/// agree on every answer.
pub(crate) struct Trio {
    pub(crate) book: Book,
    other_seed: Book,
    naive: NaiveBook,
}

impl Trio {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            book: Book::new(seed),
            other_seed: Book::with_capacity(!seed, 50),
            naive: NaiveBook::new(),
        }
    }

    pub(crate) fn rest(&mut self, order: &RestingOrder) {
        self.book.rest(order);
        self.other_seed.rest(order);
        self.naive.rest(order);
    }

    pub(crate) fn take(
        &mut self,
        side: Side,
        limit: Ticks,
        quantity: BaseLots,
        fills_max: u32,
    ) -> (Taken, Vec<MakerFill>) {
        let mut fills = [const { Vec::new() }; 3];
        let [first, second, third] = &mut fills;
        let taken = [
            (self.book).take(side, limit, quantity, fills_max, |fill| first.push(*fill)),
            (self.other_seed).take(side, limit, quantity, fills_max, |fill| second.push(*fill)),
            (self.naive).take(side, limit, quantity, fills_max, |fill| third.push(*fill)),
        ];
        (agreed(taken), agreed(fills))
    }

    pub(crate) fn fillable(
        &self,
        side: Side,
        limit: Ticks,
        quantity: BaseLots,
        fills_max: u32,
    ) -> bool {
        agreed([
            self.book.fillable(side, limit, quantity, fills_max),
            self.other_seed.fillable(side, limit, quantity, fills_max),
            self.naive.fillable(side, limit, quantity, fills_max),
        ])
    }

    pub(crate) fn cancel(&mut self, order_id: OrderId) -> Option<RestingOrder> {
        agreed([
            self.book.cancel(order_id),
            self.other_seed.cancel(order_id),
            self.naive.cancel(order_id),
        ])
    }

    pub(crate) fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
    ) -> Vec<RestingOrder> {
        let mut orders = [const { Vec::new() }; 3];
        let [first, second, third] = &mut orders;
        let counts = [
            (self.book).cancel_all(account, side, |order| first.push(*order)),
            (self.other_seed).cancel_all(account, side, |order| second.push(*order)),
            (self.naive).cancel_all(account, side, |order| third.push(*order)),
        ];
        let orders = agreed(orders);
        assert_eq!(agreed(counts) as usize, orders.len());
        orders
    }

    pub(crate) fn crosses(&self, side: Side, price: Ticks) -> bool {
        agreed([
            self.book.crosses(side, price),
            self.other_seed.crosses(side, price),
            self.naive.crosses(side, price),
        ])
    }

    pub(crate) fn best(&self, side: Side) -> Option<Ticks> {
        agreed([
            self.book.best(side),
            self.other_seed.best(side),
            self.naive.best(side),
        ])
    }

    pub(crate) fn order(&self, order_id: OrderId) -> Option<RestingOrder> {
        agreed([
            self.book.order(order_id),
            self.other_seed.order(order_id),
            self.naive.order(order_id),
        ])
    }

    pub(crate) fn labelled(&self, account: AccountId, label: ClientOrderId) -> Option<OrderId> {
        agreed([
            self.book.labelled(account, label),
            self.other_seed.labelled(account, label),
            self.naive.labelled(account, label),
        ])
    }

    pub(crate) fn open_orders(&self, account: AccountId) -> u32 {
        agreed([
            self.book.open_orders(account),
            self.other_seed.open_orders(account),
            self.naive.open_orders(account),
        ])
    }

    pub(crate) fn len(&self) -> u32 {
        agreed([self.book.len(), self.other_seed.len(), self.naive.len()])
    }

    /// Compares all that can be asked, and checks the invariants.
    pub(crate) fn assert_same(&self) {
        for side in Side::BOTH {
            agreed([
                self.book.orders(side).collect::<Vec<_>>(),
                self.other_seed.orders(side).collect(),
                self.naive.orders(side).collect(),
            ]);
            agreed([
                self.book.levels(side).collect::<Vec<_>>(),
                self.other_seed.levels(side).collect(),
                self.naive.levels(side).collect(),
            ]);
        }
        agreed([
            (self.book.is_empty(), self.book.is_full()),
            (self.other_seed.is_empty(), self.other_seed.is_full()),
            (self.naive.is_empty(), self.naive.is_full()),
        ]);
        self.book.assert_invariants();
        self.other_seed.assert_invariants();
    }
}

fn agreed<T: PartialEq + std::fmt::Debug>([book, other_seed, naive]: [T; 3]) -> T {
    assert_eq!(book, naive, "book and oracle");
    assert_eq!(other_seed, naive, "book with another hash seed and oracle");
    book
}
