//! Our book as the bench drives it. Whatever the book's interface becomes, only this file follows.
//!
//! Everything is compiled in and nothing is switched off. What the streams do not say is filled in:
//! orders belong to a thousand accounts, of which few have most, and carry no label, so the owners'
//! lists are kept and the index of labels is not touched. An order that moves keeps its id and goes
//! the way of a replace in the engine.

use super::engine::{Engine, Naming, Room, Tally};
use super::op::{Action, Op};
use matching::{Book, Meeting, RestingOrder, Taker, Unguarded};
use types::command::SelfTrade;
use types::limits::FILLS_PER_COMMAND_MAX;
use types::{AccountId, BaseLots, ClientOrderId, GroupId, LogTime, OrderId, Side, Ticks};

/// Who places the streams' orders.
const ACCOUNTS: u64 = 1_000;
/// Of the hash tables; no answer depends on it.
const HASH_SEED: u64 = 0x6b65_656c;

/// Our books, one per symbol.
#[derive(Debug)]
pub struct Keel {
    books: Vec<KeelBook>,
}

impl Engine for Keel {
    const NAME: &'static str = "keel";
    const NAMING: Naming = Naming::Kept;

    fn with_room(room: &Room) -> Self {
        let books = room.orders.iter();
        Self {
            books: books.map(|&orders| KeelBook::with_room(orders)).collect(),
        }
    }

    #[inline]
    fn apply(&mut self, op: Op, tally: &mut Tally) {
        let book = &mut self.books[usize::from(op.symbol)];
        match op.action {
            Action::Place => book.place(owner(op.id), op, tally),
            Action::Immediate => {
                book.take(op.side, op.price, op.quantity.into(), tally);
            }
            Action::Cancel => {
                book.cancel(op.id);
            }
            Action::Move => book.shift(op, tally),
        }
    }
}

/// One of our books, with plain numbers at its door.
#[derive(Debug)]
pub struct KeelBook {
    book: Book,
    /// How many orders were rested one by one: the next one's number.
    rested: u32,
}

impl KeelBook {
    /// An empty book with memory for this many orders.
    pub fn with_room(orders: u32) -> Self {
        Self {
            book: Book::with_capacity(HASH_SEED, orders as usize),
            rested: 0,
        }
    }

    /// Rests an order that crosses nothing and returns its number.
    #[inline]
    pub fn rest(&mut self, account: u32, side: Side, price: u32, quantity: u64) -> u32 {
        let number = self.rested;
        self.rested += 1;
        let owner = (id(number), AccountId::new(account));
        let order = plain_order(owner, side, price.into(), quantity);
        self.book.rest(&order);
        number
    }

    /// Fills what crosses; returns what is left.
    #[inline]
    pub fn take(&mut self, side: Side, limit: u32, quantity: u64, tally: &mut Tally) -> u64 {
        let taker = plain_taker(side, limit.into(), quantity);
        let taken = self.book.take(
            &taker,
            |account| GroupId::new(account.get()),
            &mut Unguarded,
            |meeting| {
                if let Meeting::Fill {
                    maker, quantity, ..
                } = meeting
                {
                    tally.add(maker.price.get(), quantity.get());
                }
            },
        );
        taken.remaining.get()
    }

    /// Cancels an order by its number.
    #[inline]
    pub fn cancel(&mut self, number: u32) -> bool {
        self.book.discard(id(number))
    }

    /// Cancels all orders of an account; returns how many.
    pub fn cancel_all(&mut self, account: u32) -> u32 {
        self.book
            .cancel_all(AccountId::new(account), None, None, |_| ())
    }

    #[inline]
    fn place(&mut self, account: AccountId, op: Op, tally: &mut Tally) {
        let left = self.take(op.side, op.price, op.quantity.into(), tally);
        if left > 0 {
            let order = plain_order((id(op.id), account), op.side, op.price.into(), left);
            self.book.rest(&order);
        }
    }

    /// What meets nobody at its new price queues there; what does leaves, takes, and comes back.
    #[inline]
    fn shift(&mut self, op: Op, tally: &mut Tally) {
        let price = Ticks::new(op.price.into());
        if !self.book.crosses(op.side, price) {
            let remaining = BaseLots::new(op.quantity.into());
            self.book.requeue(id(op.id), price, remaining);
            return;
        }
        let order = self.book.cancel(id(op.id));
        let mut order = order.expect("streams move only what rests");
        let left = self.take(order.side, op.price, order.remaining.get(), tally);
        if left > 0 {
            order.remaining = BaseLots::new(left);
            order.price = price;
            self.book.rest(&order);
        }
    }
}

/// An incoming order without any of the features that streams do not have.
pub const fn plain_taker(side: Side, limit: u64, quantity: u64) -> Taker {
    Taker {
        side,
        limit: Ticks::new(limit),
        quantity: BaseLots::new(quantity),
        fills_max: FILLS_PER_COMMAND_MAX,
        account: AccountId::new(0),
        group: GroupId::new(0),
        self_trade: SelfTrade::Allow,
        now: LogTime::ZERO,
    }
}

/// Such an order at rest.
pub const fn plain_order(
    (order_id, account): (OrderId, AccountId),
    side: Side,
    price: u64,
    quantity: u64,
) -> RestingOrder {
    RestingOrder {
        order_id,
        account,
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

/// The cube of a uniform draw: a tenth of all orders are one account's, half are those of 125.
const fn owner(number: u32) -> AccountId {
    let draw = number.wrapping_mul(0x9e37_79b1) as u64;
    let square = (draw * draw) >> 32;
    let cube = (square * draw) >> 32;
    AccountId::new(((cube * ACCOUNTS) >> 32) as u32)
}

/// Ids count from one, numbers from zero.
const fn id(number: u32) -> OrderId {
    OrderId::new(number as u64 + 1)
}
