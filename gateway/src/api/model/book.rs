//! What one market's book shows, price by price, from the engine's events.
//!
//! The rules are those of `docs/ORDERS.md`: an iceberg shows a part at a time, what shrinks loses what
//! it hides first.

use std::collections::{BTreeMap, HashMap};

use types::outcome::{Fill, Reduced, Rested};
use types::{BaseLots, OrderId, Side, Ticks};

use super::super::ports::OrderRow;

/// The shown orders of one market.
#[derive(Debug, Default)]
pub(crate) struct ShownBook {
    orders: HashMap<OrderId, Shown>,
    /// By side; from the lowest price up.
    levels: [BTreeMap<Ticks, Level>; 2],
    /// Goes up with every change.
    version: u64,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    side: Side,
    price: Ticks,
    shown: BaseLots,
    /// Zero: all of it.
    display: BaseLots,
}

/// What is shown at one price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) lots: u128,
    pub(crate) orders: u32,
}

impl ShownBook {
    /// An empty one, in place of one of this version.
    pub(super) fn after(version: u64) -> Self {
        Self {
            version: version + 1,
            ..Self::default()
        }
    }

    pub(super) fn restore(&mut self, row: &OrderRow) {
        if row.order.trigger.is_none() {
            let shown = Shown {
                side: row.order.side,
                price: row.order.price,
                shown: row.shown,
                display: row.order.resting.display,
            };
            self.add(row.order.order_id, shown);
        }
    }

    pub(super) fn rest(&mut self, rested: &Rested) {
        let display = rested.resting.display;
        let shown = Shown {
            side: rested.side,
            price: rested.price,
            shown: part(display, rested.quantity),
            display,
        };
        self.add(rested.owner.order_id, shown);
    }

    pub(super) fn fill(&mut self, fill: &Fill) {
        let maker = (fill.maker_remaining, fill.maker_refreshed);
        self.filled(fill.maker.order_id, fill.quantity, maker);
        if let Some(taker) = fill.auction {
            let taker = (taker.remaining, taker.refreshed);
            self.filled(fill.taker.order_id, fill.quantity, taker);
        }
    }

    pub(super) fn reduce(&mut self, reduced: &Reduced) {
        let id = reduced.owner.order_id;
        self.change(id, |shown| shown.shown.min(reduced.remaining));
    }

    /// An order leaves; one that was never shown is not there.
    pub(super) fn remove(&mut self, id: OrderId) {
        self.change(id, |_| BaseLots::ZERO);
    }

    /// Best first.
    pub(crate) fn levels(&self, side: Side) -> Box<dyn Iterator<Item = (Ticks, Level)> + '_> {
        let levels = self.levels[side as usize].iter();
        let levels = levels.map(|(price, level)| (*price, *level));
        match side {
            Side::Bid => Box::new(levels.rev()),
            Side::Ask => Box::new(levels),
        }
    }

    pub(crate) fn best(&self, side: Side) -> Option<(Ticks, Level)> {
        self.levels(side).next()
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    fn filled(&mut self, id: OrderId, by: BaseLots, (remaining, refreshed): (BaseLots, bool)) {
        self.change(id, |shown| {
            if remaining.is_zero() {
                BaseLots::ZERO
            } else if refreshed {
                part(shown.display, remaining)
            } else {
                BaseLots::new(shown.shown.get().saturating_sub(by.get()))
            }
        });
    }

    fn add(&mut self, id: OrderId, shown: Shown) {
        // An order that rests again has left before; an id is never there twice.
        self.remove(id);
        let level = self.levels[shown.side as usize].entry(shown.price);
        let level = level.or_default();
        level.lots += u128::from(shown.shown.get());
        level.orders += 1;
        self.orders.insert(id, shown);
        self.version += 1;
    }

    /// Shows another size of an order; nothing: the order leaves.
    fn change(&mut self, id: OrderId, size: impl FnOnce(&Shown) -> BaseLots) {
        let Some(shown) = self.orders.get_mut(&id) else {
            return;
        };
        let size = size(shown);
        let levels = &mut self.levels[shown.side as usize];
        let level = levels.get_mut(&shown.price);
        let level = level.expect("every shown order is on a level");
        level.lots -= u128::from(shown.shown.get());
        level.lots += u128::from(size.get());
        shown.shown = size;
        if size.is_zero() {
            level.orders -= 1;
            if level.orders == 0 {
                levels.remove(&shown.price);
            }
            self.orders.remove(&id);
        }
        self.version += 1;
    }
}

fn part(display: BaseLots, of: BaseLots) -> BaseLots {
    if display.is_zero() {
        of
    } else {
        display.min(of)
    }
}
