//! What the tests share: a seeded generator, and the books side by side.
#![allow(dead_code, reason = "every test binary uses its own part")]

use std::collections::BTreeMap;

use matching::{
    Book, Crossing, Guard, Indication, Level, Meeting, NaiveBook, RestingOrder, Taken, Taker,
};
use types::command::SelfTrade;
use types::{AccountId, BaseLots, ClientOrderId, GroupId, LogTime, OrderId, Side, Ticks};

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

    /// Whether something of this many percent happens.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Either side.
    pub(crate) fn side(&mut self) -> Side {
        self.of(&Side::BOTH)
    }

    /// One of these.
    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// One that has the index drawn, with these relative weights.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut draw = self.below(weights.iter().sum());
        let mut index = 0;
        while draw >= weights[index] {
            draw -= weights[index];
            index += 1;
        }
        index
    }
}

/// A plain order of account 0 that has not filled.
pub(crate) const fn plain(id: u64, side: Side, price: u64, quantity: u64) -> RestingOrder {
    RestingOrder {
        order_id: OrderId::new(id),
        account: AccountId::new(0),
        client_order_id: ClientOrderId::NONE,
        side,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        remaining: BaseLots::new(quantity),
        display: BaseLots::ZERO,
        shown: BaseLots::new(quantity),
        expires_at: LogTime::ZERO,
        stop: None,
        protected: false,
    }
}

/// A taker of account 0 that may meet anybody, at time zero.
pub(crate) const fn taker(side: Side, limit: Ticks, quantity: BaseLots) -> Taker {
    Taker {
        side,
        limit,
        quantity,
        fills_max: u32::MAX,
        account: AccountId::new(0),
        group: GroupId::new(0),
        self_trade: SelfTrade::Allow,
        now: LogTime::ZERO,
    }
}

/// For takers that allow everything: nobody may ask.
pub(crate) fn nobody_asks(account: AccountId) -> GroupId {
    panic!("the group of account {account} does not matter")
}

/// Lets each account in it fill so many lots as a protected maker, and then trips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fuses(pub(crate) BTreeMap<AccountId, u64>);

impl Guard for Fuses {
    fn is_on(&self) -> bool {
        !self.0.is_empty()
    }

    fn trips(&mut self, owner: AccountId, price: Ticks, quantity: BaseLots) -> bool {
        assert!(!price.is_zero() && !quantity.is_zero());
        let Some(left) = self.0.get_mut(&owner) else {
            return false;
        };
        *left = left.saturating_sub(quantity.get());
        let trips = *left == 0;
        if trips {
            self.0.remove(&owner);
        }
        trips
    }
}

/// Where a trio was.
pub(crate) struct Mark {
    book: usize,
    other_seed: usize,
    naive: NaiveBook,
    fuses: Fuses,
}

/// Two books with different hash seeds and the oracle. Every call goes to all three, and they must
/// agree on every answer.
pub(crate) struct Trio {
    pub(crate) book: Book,
    other_seed: Book,
    naive: NaiveBook,
    /// How many groups there are: accounts belong to them in turn.
    groups: u32,
    /// Who is protected.
    pub(crate) fuses: Fuses,
}

impl Trio {
    pub(crate) fn new(seed: u64, groups: u32) -> Self {
        Self {
            book: Book::new(seed),
            other_seed: Book::with_capacity(!seed, 50),
            naive: NaiveBook::new(),
            groups,
            fuses: Fuses::default(),
        }
    }

    /// From here on the books can go back.
    pub(crate) fn begin_undo(&mut self) {
        self.book.begin_undo();
        self.other_seed.begin_undo();
    }

    /// The books cannot go back any more.
    pub(crate) fn end_undo(&mut self) {
        self.book.end_undo();
        self.other_seed.end_undo();
    }

    /// Where they are now.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            book: self.book.undo_mark(),
            other_seed: self.other_seed.undo_mark(),
            naive: self.naive.clone(),
            fuses: self.fuses.clone(),
        }
    }

    /// Goes back there. The oracle is the copy that was made then.
    pub(crate) fn undo_to(&mut self, mark: &Mark) {
        self.book.undo_to(mark.book);
        self.other_seed.undo_to(mark.other_seed);
        self.naive = mark.naive.clone();
        self.fuses = mark.fuses.clone();
    }

    /// Writes the book down, and goes on with what is restored from that.
    pub(crate) fn restart(&mut self) {
        let orders: Vec<RestingOrder> = Side::BOTH
            .into_iter()
            .flat_map(|side| self.book.orders(side))
            .collect();
        let turns: Vec<OrderId> = self.book.turns().collect();
        let is_collecting = self.book.is_collecting();
        let restored = Book::restore(
            3,
            is_collecting,
            orders.iter().copied(),
            turns.iter().copied(),
        );
        self.book = restored.expect("what a book says of itself is a book");
        self.book.assert_invariants();
        for (order, lists_it) in self.book.turns().zip(turns) {
            assert_eq!(order, lists_it);
        }
    }

    /// Which group an account belongs to.
    pub(crate) fn group_of(&self, account: AccountId) -> GroupId {
        group_of(self.groups, account)
    }

    pub(crate) fn rest(&mut self, order: &RestingOrder) {
        self.book.rest(order);
        self.other_seed.rest(order);
        self.naive.rest(order);
    }

    pub(crate) fn requeue(&mut self, order_id: OrderId, price: Ticks, remaining: BaseLots) {
        self.book.requeue(order_id, price, remaining);
        self.other_seed.requeue(order_id, price, remaining);
        self.naive.requeue(order_id, price, remaining);
    }

    pub(crate) fn take(&mut self, taker: &Taker) -> (Taken, Vec<Meeting>) {
        let mut meetings = [const { Vec::new() }; 3];
        let [first, second, third] = &mut meetings;
        let groups = self.groups;
        let group = |account| group_of(groups, account);
        let mut fuses = [(); 3].map(|()| self.fuses.clone());
        let [one, two, three] = &mut fuses;
        let taken = [
            (self.book).take(taker, group, one, |meeting| first.push(*meeting)),
            (self.other_seed).take(taker, group, two, |meeting| second.push(*meeting)),
            (self.naive).take(taker, group, three, |meeting| third.push(*meeting)),
        ];
        self.fuses = agreed(fuses);
        let (taken, meetings) = (agreed(taken), agreed(meetings));
        let pulled = |meeting: &&Meeting| matches!(meeting, Meeting::Pulled(_));
        let pulled = meetings.iter().filter(pulled).count();
        assert_eq!(taken.fills as usize, meetings.len() - pulled);
        assert!(taken.fills <= taker.fills_max);
        assert!(taken.filled + taken.remaining <= taker.quantity);
        (taken, meetings)
    }

    pub(crate) fn fillable(&self, taker: &Taker) -> bool {
        let group = |account| group_of(self.groups, account);
        let fuses = || self.fuses.clone();
        agreed([
            self.book.fillable(taker, group, &mut fuses()),
            self.other_seed.fillable(taker, group, &mut fuses()),
            self.naive.fillable(taker, group, &mut fuses()),
        ])
    }

    pub(crate) fn cancel(&mut self, order_id: OrderId) -> Option<RestingOrder> {
        agreed([
            self.book.cancel(order_id),
            self.other_seed.cancel(order_id),
            self.naive.cancel(order_id),
        ])
    }

    pub(crate) fn discard(&mut self, order_id: OrderId) -> bool {
        agreed([
            self.book.discard(order_id),
            self.other_seed.discard(order_id),
            self.naive.discard(order_id),
        ])
    }

    pub(crate) fn reduce(&mut self, order_id: OrderId, by: BaseLots) -> Option<RestingOrder> {
        agreed([
            self.book.reduce(order_id, by),
            self.other_seed.reduce(order_id, by),
            self.naive.reduce(order_id, by),
        ])
    }

    pub(crate) fn expire(&mut self, now: LogTime, max: u32) -> Vec<RestingOrder> {
        let mut orders = [const { Vec::new() }; 3];
        let [first, second, third] = &mut orders;
        let counts = [
            (self.book).expire(now, max, |order| first.push(*order)),
            (self.other_seed).expire(now, max, |order| second.push(*order)),
            (self.naive).expire(now, max, |order| third.push(*order)),
        ];
        let orders = agreed(orders);
        assert_eq!(agreed(counts) as usize, orders.len());
        orders
    }

    pub(crate) fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
    ) -> Vec<RestingOrder> {
        let mut orders = [const { Vec::new() }; 3];
        let [first, second, third] = &mut orders;
        let counts = [
            (self.book).cancel_all(account, side, prices, |order| first.push(*order)),
            (self.other_seed).cancel_all(account, side, prices, |order| second.push(*order)),
            (self.naive).cancel_all(account, side, prices, |order| third.push(*order)),
        ];
        let orders = agreed(orders);
        assert_eq!(agreed(counts) as usize, orders.len());
        orders
    }

    pub(crate) fn pull(&mut self, account: AccountId) -> Vec<RestingOrder> {
        let mut orders = [const { Vec::new() }; 3];
        let [first, second, third] = &mut orders;
        let counts = [
            (self.book).pull(account, |order| first.push(*order)),
            (self.other_seed).pull(account, |order| second.push(*order)),
            (self.naive).pull(account, |order| third.push(*order)),
        ];
        let orders = agreed(orders);
        assert_eq!(agreed(counts) as usize, orders.len());
        orders
    }

    pub(crate) fn collect(&mut self) {
        self.book.collect();
        self.other_seed.collect();
        self.naive.collect();
    }

    pub(crate) fn is_collecting(&self) -> bool {
        agreed([
            self.book.is_collecting(),
            self.other_seed.is_collecting(),
            self.naive.is_collecting(),
        ])
    }

    pub(crate) fn indication(&self, last: Option<Ticks>) -> Option<Indication> {
        agreed([
            self.book.is_crossed(),
            self.other_seed.is_crossed(),
            self.naive.is_crossed(),
        ]);
        agreed([
            self.book.indication(last),
            self.other_seed.indication(last),
            self.naive.indication(last),
        ])
    }

    pub(crate) fn uncross(&mut self, crossings_max: u32) -> Vec<Crossing> {
        let mut crossings = [const { Vec::new() }; 3];
        let [first, second, third] = &mut crossings;
        let counts = [
            (self.book).uncross(crossings_max, |crossing| first.push(*crossing)),
            (self.other_seed).uncross(crossings_max, |crossing| second.push(*crossing)),
            (self.naive).uncross(crossings_max, |crossing| third.push(*crossing)),
        ];
        let crossings = agreed(crossings);
        assert_eq!(agreed(counts) as usize, crossings.len());
        crossings
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

    pub(crate) fn orders_of(&self, account: AccountId) -> Vec<RestingOrder> {
        agreed([
            self.book.orders_of(account).collect(),
            self.other_seed.orders_of(account).collect(),
            self.naive.orders_of(account).collect(),
        ])
    }

    pub(crate) fn orders(&self, side: Side) -> Vec<RestingOrder> {
        agreed([
            self.book.orders(side).collect(),
            self.other_seed.orders(side).collect(),
            self.naive.orders(side).collect(),
        ])
    }

    pub(crate) fn levels(&self, side: Side) -> Vec<Level> {
        agreed([
            self.book.levels(side).collect(),
            self.other_seed.levels(side).collect(),
            self.naive.levels(side).collect(),
        ])
    }

    pub(crate) fn len(&self) -> u32 {
        agreed([self.book.len(), self.other_seed.len(), self.naive.len()])
    }

    /// Compares all that can be asked, and checks the invariants.
    pub(crate) fn assert_same(&self) {
        for side in Side::BOTH {
            self.orders(side);
            self.levels(side);
        }
        agreed([
            (self.book.is_empty(), self.book.is_full()),
            (self.other_seed.is_empty(), self.other_seed.is_full()),
            (self.naive.is_empty(), self.naive.is_full()),
        ]);
        self.assert_next_expiry();
        self.book.assert_invariants();
        self.other_seed.assert_invariants();
    }

    fn assert_next_expiry(&self) {
        let orders = Side::BOTH.into_iter().flat_map(|side| self.orders(side));
        let expiries = orders.map(|order| order.expires_at);
        let next = expiries.filter(|time| *time != LogTime::ZERO).min();
        assert_eq!(self.book.next_expiry(), next);
        assert_eq!(self.other_seed.next_expiry(), next);
    }
}

fn group_of(groups: u32, account: AccountId) -> GroupId {
    GroupId::new(account.get() % groups)
}

fn agreed<T: PartialEq + std::fmt::Debug>([book, other_seed, naive]: [T; 3]) -> T {
    assert_eq!(book, naive, "book and oracle");
    assert_eq!(other_seed, naive, "book with another hash seed and oracle");
    book
}
