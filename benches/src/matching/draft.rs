//! A stream on its way. Runs every operation on reference books as it is added, so that whoever
//! draws the next one knows what rests, and the finished stream knows its trades.

use super::engine::{Room, Tally};
use super::op::{Action, Op};
use super::reference::{Fill, Reference};
use super::stream::Stream;
use types::Side;

/// How many of the orders that came to rest last are remembered.
const NEWEST: usize = 256;
/// In `Order::place`: does not rest.
const GONE: u32 = u32::MAX;

/// Operations so far, and the books after them.
#[derive(Debug)]
pub(super) struct Draft {
    book: Reference,
    ticks: u32,
    ops: Vec<Op>,
    /// By id.
    orders: Vec<Order>,
    symbols: Vec<Symbol>,
    tally: Tally,
    /// Of the operation at hand.
    fills: Vec<Fill>,
    /// Where the measured part starts, with the orders and the levels at that point.
    start: Option<(usize, (u32, u32))>,
}

/// An order as it last was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) symbol: u16,
    pub(super) side: Side,
    pub(super) price: u32,
    remaining: u32,
    /// Where in its symbol's list of those that rest.
    place: u32,
}

#[derive(Clone, Debug)]
struct Symbol {
    resting: Vec<u32>,
    resting_max: usize,
    /// A ring; the oldest are overwritten.
    newest: Vec<u32>,
    rested: usize,
    last_trade: u32,
}

/// A new order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) symbol: u16,
    pub(super) side: Side,
    pub(super) price: u32,
    pub(super) quantity: u32,
}

impl Draft {
    /// No operations yet. At most `room` may come to rest; `center` counts as the last trade.
    pub(super) fn new(room: &Room, center: u32) -> Self {
        let symbol = Symbol {
            resting: Vec::new(),
            resting_max: 0,
            newest: Vec::with_capacity(NEWEST),
            rested: 0,
            last_trade: center,
        };
        Self {
            book: Reference::new(room),
            ticks: room.ticks,
            ops: Vec::new(),
            orders: Vec::new(),
            symbols: vec![symbol; room.orders.len()],
            tally: Tally::default(),
            fills: Vec::new(),
            start: None,
        }
    }

    /// How many operations there are.
    pub(super) const fn len(&self) -> usize {
        self.ops.len()
    }

    /// Ids of what rests in a symbol, in no order that means anything.
    pub(super) fn resting(&self, symbol: u16) -> &[u32] {
        &self.symbols[usize::from(symbol)].resting
    }

    /// Ids of those that came to rest last in a symbol; some may be gone.
    pub(super) fn newest(&self, symbol: u16) -> &[u32] {
        &self.symbols[usize::from(symbol)].newest
    }

    /// Whether an order rests.
    pub(super) fn rests(&self, id: u32) -> bool {
        self.orders[id as usize].place != GONE
    }

    /// An order as it last was.
    pub(super) fn order(&self, id: u32) -> Order {
        self.orders[id as usize]
    }

    /// The best price of a side.
    pub(super) fn best(&self, symbol: u16, side: Side) -> Option<u32> {
        self.book.best(symbol, side)
    }

    /// The price of a symbol's last trade.
    pub(super) fn last_trade(&self, symbol: u16) -> u32 {
        self.symbols[usize::from(symbol)].last_trade
    }

    /// An order that rests with what does not trade; returns its id.
    pub(super) fn place(&mut self, entry: Entry) -> u32 {
        let id = self.enter(Action::Place, entry);
        if self.orders[id as usize].remaining > 0 {
            self.rest(id);
        }
        id
    }

    /// An order that goes with what does not trade.
    pub(super) fn immediate(&mut self, entry: Entry) {
        self.enter(Action::Immediate, entry);
    }

    /// Whether it rests or not.
    pub(super) fn cancel(&mut self, id: u32) {
        let Order { symbol, side, .. } = self.orders[id as usize];
        self.run(Op {
            id,
            price: 0,
            quantity: 0,
            symbol,
            action: Action::Cancel,
            side,
        });
        if self.rests(id) {
            self.leave(id);
        }
    }

    /// Gives an order that rests another price.
    pub(super) fn shift(&mut self, id: u32, price: u32) {
        assert!(self.rests(id));
        let order = &mut self.orders[id as usize];
        order.price = price;
        let op = Op {
            id,
            price,
            quantity: order.remaining,
            symbol: order.symbol,
            action: Action::Move,
            side: order.side,
        };
        let filled = self.run(op);
        let order = &mut self.orders[id as usize];
        order.remaining -= filled;
        if order.remaining == 0 {
            self.leave(id);
        }
    }

    /// The books are full; from here on it counts.
    pub(super) fn start(&mut self) {
        let resting = self
            .symbols
            .iter()
            .map(|symbol| symbol.resting.len() as u32);
        self.start = Some((self.ops.len(), (resting.sum(), self.book.levels())));
        self.tally = Tally::default();
    }

    /// The stream.
    pub(super) fn finish(self, name: &'static str) -> Stream {
        let symbols = self.symbols.iter();
        let room = Room {
            ticks: self.ticks,
            orders: symbols.map(|symbol| symbol.resting_max as u32).collect(),
        };
        let (prefill, full) = self.start.expect("the measured part was started");
        Stream::new(name, room, prefill, full, self.tally, self.ops)
    }

    fn enter(&mut self, action: Action, entry: Entry) -> u32 {
        let Entry {
            symbol,
            side,
            price,
            quantity,
        } = entry;
        let id = self.orders.len() as u32;
        let filled = self.run(Op {
            id,
            price,
            quantity,
            symbol,
            action,
            side,
        });
        self.orders.push(Order {
            symbol,
            side,
            price,
            remaining: quantity - filled,
            place: GONE,
        });
        id
    }

    /// Returns how much traded.
    fn run(&mut self, op: Op) -> u32 {
        assert!(op.price < self.ticks);
        self.ops.push(op);
        let mut fills = std::mem::take(&mut self.fills);
        self.book.execute(op, |fill| fills.push(fill));
        let mut filled = 0;
        for fill in fills.drain(..) {
            let Fill {
                maker,
                price,
                quantity,
            } = fill;
            filled += quantity;
            self.tally.add(price.into(), quantity.into());
            self.symbols[usize::from(op.symbol)].last_trade = price;
            let maker_order = &mut self.orders[maker as usize];
            maker_order.remaining -= quantity;
            if maker_order.remaining == 0 {
                self.leave(maker);
            }
        }
        self.fills = fills;
        filled
    }

    fn rest(&mut self, id: u32) {
        let order = &mut self.orders[id as usize];
        let symbol = &mut self.symbols[usize::from(order.symbol)];
        order.place = symbol.resting.len() as u32;
        symbol.resting.push(id);
        symbol.resting_max = symbol.resting_max.max(symbol.resting.len());
        if symbol.newest.len() < NEWEST {
            symbol.newest.push(id);
        } else {
            symbol.newest[symbol.rested % NEWEST] = id;
        }
        symbol.rested += 1;
    }

    fn leave(&mut self, id: u32) {
        let order = &mut self.orders[id as usize];
        let place = std::mem::replace(&mut order.place, GONE);
        let resting = &mut self.symbols[usize::from(order.symbol)].resting;
        resting.swap_remove(place as usize);
        if let Some(&moved) = resting.get(place as usize) {
            self.orders[moved as usize].place = place;
        }
    }
}
