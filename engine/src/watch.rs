//! Which key placed which order, for the keys that somebody wants to know that of, and what these
//! keys have open, have traded and have lost.
//!
//! A key is watched while a wallet has limited it or while it has a session policy or a timer; an
//! order belongs to the watched key that placed it or moved it last. Nothing here decides anything:
//! `transition` asks it before a command, and tells it afterwards every event of the market, so the
//! verbs themselves know nothing of keys. Where nobody is watched it costs a comparison a command.

use std::collections::{BTreeMap, BTreeSet};

use matching::UndoLog;
use types::command::StopLeg;
use types::genesis::MarketSpec;
use types::limits::PRICE_TICKS_MAX;
use types::outcome::{DoneReason, Event, Fill};
use types::{Atoms, BaseLots, KeyId, LogTime, OrderId, SequenceNumber, Side, Ticks};

/// The watched orders of one market, and what their keys have done there.
#[derive(Debug, Default)]
pub struct Watch {
    orders: BTreeMap<OrderId, WatchedOrder>,
    /// The same, by key.
    by_key: BTreeSet<(KeyId, OrderId)>,
    /// Of keys with a budget, from their first order here on.
    usage: BTreeMap<KeyId, Usage>,
    /// Orders that have left their place within the command at work. Empty between commands.
    entering: Vec<OrderId>,
    undo: UndoLog<Change>,
}

/// An open order of a watched key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedOrder {
    /// Whose it is.
    pub key: KeyId,
    /// The price that it counts with: the worse of its own and its stop's limit, as they were when it
    /// was placed or moved.
    pub price: Ticks,
    /// What of it is open.
    pub lots: BaseLots,
}

/// What a key with a budget has done in one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Price times size of its open orders, in quote atoms.
    pub open: Atoms,
    /// The day of logged time that the sums below are of: days since the Unix epoch.
    pub day: u64,
    /// Lots bought less lots sold.
    pub lots: i128,
    /// Quote atoms received less quote atoms paid, less what fees come to at most.
    pub quote: i128,
}

/// Who is at work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author {
    pub(crate) key: KeyId,
    pub(crate) sequence: SequenceNumber,
    pub(crate) now: LogTime,
    /// Whether the orders that it places are watched.
    pub(crate) is_watched: bool,
    /// Whether what they come to is kept.
    pub(crate) is_budgeted: bool,
}

/// What stood somewhere before it changed, if anything did.
#[derive(Debug)]
enum Change {
    Order(OrderId, Option<WatchedOrder>),
    Usage(KeyId, Option<Usage>),
}

/// Stands for the price of an order that is being moved: where to, is told next.
const MOVED: Ticks = Ticks::ZERO;
const NANOS_PER_DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

impl Watch {
    /// Takes note of one event of this market.
    pub(crate) fn follow(&mut self, spec: &MarketSpec, author: &Author, event: &Event) {
        match event {
            Event::Rested(rested) => {
                let price = counted_price(rested.price, rested.resting.stop);
                self.stand(
                    spec,
                    author,
                    rested.owner.order_id,
                    (price, rested.quantity),
                );
            }
            Event::Armed(armed) => {
                let price = counted_price(armed.price, armed.resting.stop);
                self.stand(spec, author, armed.owner.order_id, (price, armed.quantity));
            }
            Event::Fill(fill) => self.fill(spec, author, fill),
            Event::Reduced(reduced) => {
                self.resize(spec, reduced.owner.order_id, reduced.remaining);
            }
            Event::Triggered(triggered) => self.leave(spec, triggered.owner.order_id),
            Event::Done(done) if done.reason == DoneReason::Replaced && author.is_watched => {
                // Who moves an order has it from then on.
                let order = WatchedOrder {
                    key: author.key,
                    price: MOVED,
                    lots: BaseLots::ZERO,
                };
                self.change_order(spec, done.owner.order_id, Some(order));
                self.entering.push(done.owner.order_id);
            }
            Event::Done(done) => self.change_order(spec, done.owner.order_id, None),
            Event::Transferred(_)
            | Event::StatusChanged(_)
            | Event::Indicative(_)
            | Event::KeyChanged(_)
            | Event::PolicySet(_)
            | Event::AccountOpened(_)
            | Event::Deposited(_)
            | Event::Withdrawn(_) => {}
        }
    }

    /// The command is over: what has left its place and did not come to rest again is gone.
    pub(crate) fn settle(&mut self, spec: &MarketSpec) {
        while let Some(order_id) = self.entering.pop() {
            let order = self.orders.get(&order_id);
            if order.is_some_and(|order| order.lots.is_zero()) {
                self.change_order(spec, order_id, None);
            }
        }
    }

    /// From here on what the author has open and loses is kept, if he has a budget.
    pub(crate) fn budget(&mut self, spec: &MarketSpec, author: &Author) {
        if author.is_budgeted && !self.usage.contains_key(&author.key) {
            let usage = Usage {
                open: self.open_notional(spec, author.key),
                ..Usage::default()
            };
            self.change_usage(author.key, Some(usage));
        }
    }

    /// Forgets a key: nothing of it is watched any more.
    pub(crate) fn forget(&mut self, spec: &MarketSpec, key: KeyId) {
        for order_id in self.orders_of(key) {
            self.change_order(spec, order_id, None);
        }
        if self.usage.contains_key(&key) {
            self.change_usage(key, None);
        }
    }

    /// The open orders of a key, by id.
    pub(crate) fn orders_of(&self, key: KeyId) -> Vec<OrderId> {
        let lowest = (key, OrderId::new(0));
        let highest = (key, OrderId::new(u64::MAX));
        let orders = self.by_key.range(lowest..=highest);
        orders.map(|(_, order_id)| *order_id).collect()
    }

    /// An open order, if it is watched.
    pub(crate) fn order(&self, order_id: OrderId) -> Option<&WatchedOrder> {
        self.orders.get(&order_id)
    }

    /// Whether nothing is watched here.
    pub(crate) fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.usage.is_empty()
    }

    /// What a key with a budget has open, and what it has lost today, marked at a price: by logged
    /// time `now`, in quote atoms.
    pub(crate) fn spent(
        &self,
        spec: &MarketSpec,
        key: KeyId,
        (now, mark): (LogTime, Option<Ticks>),
    ) -> (Atoms, Atoms) {
        let Some(usage) = self.usage.get(&key) else {
            return (self.open_notional(spec, key), Atoms::ZERO);
        };
        let loss = match mark {
            Some(mark) if usage.day == day(now) => usage.loss(spec, mark),
            _ => Atoms::ZERO,
        };
        (usage.open, loss)
    }

    /// The keys with a budget, by id.
    pub(crate) fn budgeted(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.usage.keys().copied()
    }

    /// All watched orders, by id.
    pub fn orders(&self) -> impl Iterator<Item = (OrderId, &WatchedOrder)> {
        self.orders.iter().map(|(id, order)| (*id, order))
    }

    /// What keys have done, by key.
    pub fn usages(&self) -> impl Iterator<Item = (KeyId, &Usage)> {
        self.usage.iter().map(|(key, usage)| (*key, usage))
    }

    /// As it was. Whether it is sound is [`Watch::check`]'s to say.
    pub(crate) fn restore(
        orders: impl IntoIterator<Item = (OrderId, WatchedOrder)>,
        usage: impl IntoIterator<Item = (KeyId, Usage)>,
    ) -> Self {
        let orders: BTreeMap<_, _> = orders.into_iter().collect();
        let by_key = orders.iter().map(|(id, order)| (order.key, *id)).collect();
        Self {
            orders,
            by_key,
            usage: usage.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether exactly open orders are watched, with what is open of them, and added up.
    pub(crate) fn check(
        &self,
        spec: &MarketSpec,
        open: impl Fn(OrderId) -> Option<BaseLots>,
    ) -> bool {
        self.entering.is_empty()
            && self.orders.len() == self.by_key.len()
            && self
                .orders
                .iter()
                .all(|(id, order)| open(*id) == Some(order.lots))
            && self
                .usage
                .iter()
                .all(|(key, usage)| usage.open == self.open_notional(spec, *key))
    }

    pub(crate) fn begin_undo(&mut self) {
        self.undo.begin();
    }

    pub(crate) fn undo_mark(&self) -> usize {
        self.undo.mark()
    }

    pub(crate) fn undo_to(&mut self, mark: usize) {
        while let Some(change) = self.undo.pop_after(mark) {
            match change {
                Change::Order(order_id, order) => _ = self.put(order_id, order),
                Change::Usage(key, Some(usage)) => _ = self.usage.insert(key, usage),
                Change::Usage(key, None) => _ = self.usage.remove(&key),
            }
        }
    }

    pub(crate) fn end_undo(&mut self) {
        self.undo.end();
    }

    /// An order has come to rest, or waits for its trigger.
    fn stand(
        &mut self,
        spec: &MarketSpec,
        author: &Author,
        order_id: OrderId,
        (price, lots): (Ticks, BaseLots),
    ) {
        if let Some(key) = self.key_of(author, order_id) {
            // One that was triggered counts as it did while it waited.
            let earlier = self.orders.get(&order_id).map(|order| order.price);
            let price = earlier.filter(|price| *price != MOVED).unwrap_or(price);
            let order = WatchedOrder { key, price, lots };
            self.change_order(spec, order_id, Some(order));
        }
    }

    fn fill(&mut self, spec: &MarketSpec, author: &Author, fill: &Fill) {
        let (maker, taker) = (fill.maker.order_id, fill.taker.order_id);
        let sides = [
            (maker, fill.taker_side.opposite(), spec.maker_fee),
            (taker, fill.taker_side, spec.taker_fee),
        ];
        for (order_id, side, fee) in sides {
            if let Some(key) = self.key_of(author, order_id)
                && let Some(usage) = self.usage.get(&key)
            {
                let fee_ppm = fee.get().max(0).unsigned_abs().into();
                let mut usage = *usage;
                usage.trade(spec, author.now, (side, fill.price, fill.quantity), fee_ppm);
                self.change_usage(key, Some(usage));
            }
        }
        self.resize(spec, maker, fill.maker_remaining);
        if let Some(rests) = fill.auction {
            self.resize(spec, taker, rests.remaining);
        }
    }

    /// Whose an order is: one that has been seen, or one that the author has just placed.
    fn key_of(&self, author: &Author, order_id: OrderId) -> Option<KeyId> {
        match self.orders.get(&order_id) {
            Some(order) => Some(order.key),
            None => {
                let is_own = author.is_watched && order_id.sequence() == author.sequence;
                is_own.then_some(author.key)
            }
        }
    }

    fn resize(&mut self, spec: &MarketSpec, order_id: OrderId, lots: BaseLots) {
        if let Some(order) = self.orders.get(&order_id) {
            let order = WatchedOrder { lots, ..*order };
            self.change_order(spec, order_id, (!lots.is_zero()).then_some(order));
        }
    }

    /// An order enters again: it is open no more, but whose it is must be known.
    fn leave(&mut self, spec: &MarketSpec, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id) {
            let order = WatchedOrder {
                lots: BaseLots::ZERO,
                ..*order
            };
            self.change_order(spec, order_id, Some(order));
            self.entering.push(order_id);
        }
    }

    fn open_notional(&self, spec: &MarketSpec, key: KeyId) -> Atoms {
        let orders = self.orders_of(key).into_iter();
        orders.fold(Atoms::ZERO, |sum, id| sum + self.orders[&id].notional(spec))
    }

    fn change_order(&mut self, spec: &MarketSpec, order_id: OrderId, order: Option<WatchedOrder>) {
        let earlier = self.put(order_id, order);
        if earlier == order {
            return;
        }
        if self.undo.is_on() {
            self.undo.push(Change::Order(order_id, earlier));
        }
        for (order, is_new) in [(earlier, false), (order, true)] {
            if let Some(order) = order
                && let Some(usage) = self.usage.get(&order.key)
            {
                let mut usage = *usage;
                match is_new {
                    true => usage.open += order.notional(spec),
                    false => usage.open -= order.notional(spec),
                }
                self.change_usage(order.key, Some(usage));
            }
        }
    }

    fn change_usage(&mut self, key: KeyId, usage: Option<Usage>) {
        let earlier = match usage {
            Some(usage) => self.usage.insert(key, usage),
            None => self.usage.remove(&key),
        };
        if self.undo.is_on() {
            self.undo.push(Change::Usage(key, earlier));
        }
    }

    /// Returns what was there.
    fn put(&mut self, order_id: OrderId, order: Option<WatchedOrder>) -> Option<WatchedOrder> {
        let earlier = match order {
            Some(order) => self.orders.insert(order_id, order),
            None => self.orders.remove(&order_id),
        };
        if let Some(earlier) = earlier {
            self.by_key.remove(&(earlier.key, order_id));
        }
        if let Some(order) = order {
            self.by_key.insert((order.key, order_id));
        }
        earlier
    }
}

impl WatchedOrder {
    fn notional(&self, spec: &MarketSpec) -> Atoms {
        spec.factors.notional(self.price, self.lots)
    }
}

impl Usage {
    fn trade(
        &mut self,
        spec: &MarketSpec,
        now: LogTime,
        (side, price, quantity): (Side, Ticks, BaseLots),
        fee_ppm: u128,
    ) {
        if self.day != day(now) {
            (self.day, self.lots, self.quote) = (day(now), 0, 0);
        }
        let notional = spec.factors.notional(price, quantity);
        let lots = i128::from(quantity.get());
        let paid = i128::try_from(notional.get()).unwrap_or(i128::MAX);
        match side {
            Side::Bid => {
                self.lots = self.lots.saturating_add(lots);
                self.quote = self.quote.saturating_sub(paid);
            }
            Side::Ask => {
                self.lots = self.lots.saturating_sub(lots);
                self.quote = self.quote.saturating_add(paid);
            }
        }
        let fee = i128::try_from(fee_bound(notional, fee_ppm)).unwrap_or(i128::MAX);
        self.quote = self.quote.saturating_sub(fee);
    }

    /// What was lost, if what was bought or sold is worth this price; the highest number if that
    /// cannot be said.
    fn loss(&self, spec: &MarketSpec, mark: Ticks) -> Atoms {
        let per_lot = spec.factors.notional(mark, BaseLots::new(1)).get();
        let worth = i128::try_from(per_lot)
            .ok()
            .and_then(|per_lot| self.lots.checked_mul(per_lot))
            .and_then(|worth| worth.checked_add(self.quote));
        match worth {
            Some(worth) if worth >= 0 => Atoms::ZERO,
            Some(worth) => Atoms::new(worth.unsigned_abs()),
            None => Atoms::new(u128::MAX),
        }
    }
}

/// What a fee comes to at most, in quote atoms, whichever asset it is taken in.
pub(crate) fn fee_bound(notional: Atoms, fee_ppm: u128) -> u128 {
    let one = 1_000_000;
    match notional.get().checked_mul(fee_ppm) {
        Some(product) => product.div_ceil(one),
        None => notional.get().div_ceil(one).saturating_mul(fee_ppm),
    }
}

/// The worse of an order's price and that of the stop beside it.
pub(crate) fn counted_price(price: Ticks, stop: Option<StopLeg>) -> Ticks {
    let price = stop.map_or(price, |stop| price.max(stop.limit));
    // Prices of open orders are legal.
    price.min(Ticks::new(PRICE_TICKS_MAX))
}

fn day(now: LogTime) -> u64 {
    now.get() / NANOS_PER_DAY
}
