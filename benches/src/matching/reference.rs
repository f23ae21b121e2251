//! The yardstick: the fastest plain book that safe code allows, with nothing that could be left
//! out. No owners, no level totals, no limits on fills, no checks of the input, no way to list
//! what rests. What it costs is what the machine asks for price-time priority with cancel by id.
//!
//! A slab of 24-byte orders, each level a queue of them through links inside, levels in a flat array
//! by price, a bitmap of three tiers per side to find the next one, and an open table from id to
//! slot. The books of all symbols share the slab and the table.
//!
//! The generator draws from it, too: it knows what rests.

mod id_table;
mod tick_map;

use super::engine::{Engine, Naming, Room, Tally};
use super::op::{Action, Op};
use id_table::IdTable;
use tick_map::TickMap;
use types::Side;

/// No slot.
const NONE: u32 = u32::MAX;

/// Reference books, one per symbol.
#[derive(Debug)]
pub struct Reference {
    ticks: u32,
    orders: Vec<Order>,
    /// The first of the free slots, which hang together through `next`.
    vacant: u32,
    /// By symbol and price. Bids and asks never share a price.
    levels: Vec<Level>,
    /// By symbol and side: the prices in use.
    occupied: Vec<[TickMap; 2]>,
    by_id: IdTable,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    id: u32,
    price: u32,
    remaining: u32,
    previous: u32,
    next: u32,
    symbol: u16,
    side: Side,
}

const _: () = assert!(size_of::<Order>() == 24);

#[derive(Clone, Copy, Debug)]
struct Level {
    head: u32,
    tail: u32,
}

/// A resting order traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Its id.
    pub maker: u32,
    /// Its price.
    pub price: u32,
    /// How much.
    pub quantity: u32,
}

impl Engine for Reference {
    const NAME: &'static str = "reference";
    const NAMING: Naming = Naming::Kept;

    fn with_room(room: &Room) -> Self {
        Self::new(room)
    }

    #[inline]
    fn apply(&mut self, op: Op, tally: &mut Tally) {
        self.execute(op, |fill| {
            tally.add(u64::from(fill.price), u64::from(fill.quantity));
        });
    }
}

impl Reference {
    /// Empty books.
    pub fn new(room: &Room) -> Self {
        let symbols = room.orders.len();
        let orders: u32 = room.orders.iter().sum();
        let none = Level {
            head: NONE,
            tail: NONE,
        };
        let maps = || [TickMap::new(room.ticks), TickMap::new(room.ticks)];
        Self {
            ticks: room.ticks,
            orders: Vec::with_capacity(orders as usize),
            vacant: NONE,
            levels: vec![none; symbols * room.ticks as usize],
            occupied: (0..symbols).map(|_| maps()).collect(),
            by_id: IdTable::with_capacity(orders),
        }
    }

    /// Does one operation and tells each fill. What is not there is not cancelled.
    #[inline]
    pub fn execute(&mut self, op: Op, mut on_fill: impl FnMut(Fill)) {
        match op.action {
            Action::Place => {
                let remaining = self.take(op.symbol, op.side, op.price, op.quantity, &mut on_fill);
                if remaining > 0 {
                    let slot = self.claim(&op, remaining);
                    self.by_id.insert(op.id, slot);
                    self.join(slot);
                }
            }
            Action::Immediate => {
                self.take(op.symbol, op.side, op.price, op.quantity, &mut on_fill);
            }
            Action::Cancel => {
                if let Some(slot) = self.by_id.remove(op.id) {
                    self.leave(slot);
                    self.release(slot);
                }
            }
            Action::Move => self.shift(&op, &mut on_fill),
        }
    }

    /// The best price of a side.
    pub fn best(&self, symbol: u16, side: Side) -> Option<u32> {
        let occupied = &self.occupied[usize::from(symbol)][side as usize];
        match side {
            Side::Bid => occupied.highest(),
            Side::Ask => occupied.lowest(),
        }
    }

    /// How many prices are in use.
    pub fn levels(&self) -> u32 {
        self.occupied.iter().flatten().map(TickMap::count).sum()
    }

    fn shift(&mut self, op: &Op, on_fill: &mut impl FnMut(Fill)) {
        let Some(slot) = self.by_id.find(op.id) else {
            return;
        };
        self.leave(slot);
        let Order {
            symbol,
            side,
            remaining,
            ..
        } = self.orders[slot as usize];
        let left = self.take(symbol, side, op.price, remaining, on_fill);
        if left == 0 {
            self.by_id.remove(op.id);
            self.release(slot);
            return;
        }
        let order = &mut self.orders[slot as usize];
        order.price = op.price;
        order.remaining = left;
        self.join(slot);
    }

    /// Meets the other side; returns what is left.
    #[inline]
    fn take(
        &mut self,
        symbol: u16,
        side: Side,
        limit: u32,
        quantity: u32,
        on_fill: &mut impl FnMut(Fill),
    ) -> u32 {
        let mut wanted = quantity;
        while wanted > 0 {
            let Some(price) = self.best(symbol, side.opposite()) else {
                break;
            };
            let crosses = match side {
                Side::Bid => price <= limit,
                Side::Ask => limit <= price,
            };
            if !crosses {
                break;
            }
            wanted = self.take_level(symbol, price, wanted, on_fill);
        }
        wanted
    }

    fn take_level(
        &mut self,
        symbol: u16,
        price: u32,
        quantity: u32,
        on_fill: &mut impl FnMut(Fill),
    ) -> u32 {
        let level = self.level(symbol, price);
        let mut wanted = quantity;
        let mut slot = self.levels[level].head;
        loop {
            let order = &mut self.orders[slot as usize];
            let maker = order.id;
            if wanted < order.remaining {
                order.remaining -= wanted;
                on_fill(Fill {
                    maker,
                    price,
                    quantity: wanted,
                });
                wanted = 0;
                break;
            }
            let (quantity, side, next) = (order.remaining, order.side, order.next);
            wanted -= quantity;
            on_fill(Fill {
                maker,
                price,
                quantity,
            });
            self.by_id.remove(maker);
            self.release(slot);
            slot = next;
            if slot == NONE {
                self.levels[level].tail = NONE;
                self.occupied[usize::from(symbol)][side as usize].clear(price);
                break;
            }
            self.orders[slot as usize].previous = NONE;
            if wanted == 0 {
                break;
            }
        }
        self.levels[level].head = slot;
        wanted
    }

    /// Hangs the order behind all others at its price.
    fn join(&mut self, slot: u32) {
        let Order {
            symbol,
            price,
            side,
            ..
        } = self.orders[slot as usize];
        let index = self.level(symbol, price);
        let level = &mut self.levels[index];
        let tail = level.tail;
        level.tail = slot;
        if tail == NONE {
            level.head = slot;
            self.occupied[usize::from(symbol)][side as usize].set(price);
        } else {
            self.orders[tail as usize].next = slot;
        }
        let order = &mut self.orders[slot as usize];
        order.previous = tail;
        order.next = NONE;
    }

    /// Takes the order out of its level.
    fn leave(&mut self, slot: u32) {
        let Order {
            symbol,
            price,
            side,
            previous,
            next,
            ..
        } = self.orders[slot as usize];
        let index = self.level(symbol, price);
        if previous == NONE {
            self.levels[index].head = next;
        } else {
            self.orders[previous as usize].next = next;
        }
        if next == NONE {
            self.levels[index].tail = previous;
            if previous == NONE {
                self.occupied[usize::from(symbol)][side as usize].clear(price);
            }
        } else {
            self.orders[next as usize].previous = previous;
        }
    }

    fn claim(&mut self, op: &Op, remaining: u32) -> u32 {
        let order = Order {
            id: op.id,
            price: op.price,
            remaining,
            previous: NONE,
            next: NONE,
            symbol: op.symbol,
            side: op.side,
        };
        let slot = self.vacant;
        if let Some(place) = self.orders.get_mut(slot as usize) {
            self.vacant = place.next;
            *place = order;
            return slot;
        }
        self.orders.push(order);
        self.orders.len() as u32 - 1
    }

    fn release(&mut self, slot: u32) {
        self.orders[slot as usize].next = self.vacant;
        self.vacant = slot;
    }

    fn level(&self, symbol: u16, price: u32) -> usize {
        usize::from(symbol) * self.ticks as usize + price as usize
    }
}
