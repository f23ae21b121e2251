//! What the public learns: released events of the engine, turned into what each book shows.
//!
//! Like the [`follower`](crate::follower) it has events and nothing else, so the engine pays nothing
//! for it, and nothing is shown that could be lost. It never sees a book: tests hold it against one.
//!
//! | event of the engine | verb of [`Depth`] |
//! |---|---|
//! | `Rested` | add: an iceberg shows its first part |
//! | `Fill` | trade; then remove the maker, refresh it, or shrink it by what filled |
//! | `Reduced` | shrink: hidden size goes first, so it shows the smaller of what it showed and what remains |
//! | `Fill` in an auction | trade; then the same with the maker and with the taker, who rests too |
//! | `Done` that was held, `Triggered` | remove, if it rested: an armed order is held too, and nobody was shown it |
//! | `Armed`, `Transferred`, other `Done` | none: this is not on the book |
//!
//! What the market may do (`StatusChanged`, `Indicative`) is passed on.
//!
//! An order that is replaced leaves and rests again under its id; that needs no case of its own.

use std::collections::BTreeMap;

use crate::state::State;
use matching::{Book, BookEvent, Depth, Indication, ShownOrder, Traded};
use types::outcome::{BlockOutcome, Event, Fill, Indicative, Reduced, Rested};
use types::{BaseLots, MarketId, OrderId, SequenceNumber, Side};

/// The public view of all markets as of the last followed block.
#[derive(Debug)]
pub struct MarketData {
    markets: Vec<Market>,
    sequence: SequenceNumber,
}

#[derive(Debug)]
struct Market {
    depth: Depth,
    /// How much each resting iceberg shows at a time. What it hides need not be known: events name
    /// what remains, and the rest follows.
    displays: BTreeMap<OrderId, BaseLots>,
}

impl MarketData {
    /// Before the first block, with so many markets. The seed keeps strangers from aiming at hash
    /// tables; no answer depends on it.
    pub fn new(market_count: u16, hash_seed: u64) -> Self {
        Self {
            markets: (0..market_count).map(|_| Market::new(hash_seed)).collect(),
            sequence: SequenceNumber::ZERO,
        }
    }

    /// What the markets of this state show: as if everything before it had been followed.
    pub fn of(state: &State, hash_seed: u64) -> Self {
        let markets = state.market_states();
        let markets = markets.map(|(_, _, market)| Market::of(&market.book, hash_seed));
        Self {
            markets: markets.collect(),
            sequence: state.position().sequence,
        }
    }

    /// Applies the next outcome. `sink` is told what the public learns from it: in which market, by
    /// which command or tick, and what.
    pub fn follow(
        &mut self,
        outcome: &BlockOutcome,
        mut sink: impl FnMut(MarketId, SequenceNumber, &BookEvent),
    ) {
        for record in &outcome.events {
            self.apply(&record.event(), &mut sink);
        }
        self.finish(outcome.last_sequence);
    }

    /// Applies the next event of a block: a part of [`MarketData::follow`], for who has decoded it.
    pub(crate) fn apply(
        &mut self,
        event: &Event,
        mut sink: impl FnMut(MarketId, SequenceNumber, &BookEvent),
    ) {
        match event {
            Event::Fill(fill) => {
                let tell = |event: &BookEvent| sink(fill.market, fill.sequence, event);
                self.market(fill.market).fill(fill, tell);
            }
            Event::Rested(rested) => {
                let tell = |event: &BookEvent| sink(rested.market, rested.sequence, event);
                self.market(rested.market).rest(rested, tell);
            }
            Event::Reduced(reduced) => {
                let tell = |event: &BookEvent| sink(reduced.market, reduced.sequence, event);
                self.market(reduced.market).reduce(reduced, tell);
            }
            Event::Done(done) if done.held => {
                let tell = |event: &BookEvent| sink(done.market, done.sequence, event);
                self.market(done.market).remove(done.owner.order_id, tell);
            }
            // One with a stop beside it has rested until now.
            Event::Triggered(triggered) => {
                let tell = |event: &BookEvent| sink(triggered.market, triggered.sequence, event);
                self.market(triggered.market)
                    .remove(triggered.owner.order_id, tell);
            }
            Event::StatusChanged(changed) => {
                let event = BookEvent::StatusChanged(changed.status);
                sink(changed.market, changed.sequence, &event);
            }
            Event::Indicative(indicative) => {
                let event = BookEvent::Indicated(indication(indicative));
                sink(indicative.market, indicative.sequence, &event);
            }
            Event::Done(_)
            | Event::Armed(_)
            | Event::Transferred(_)
            | Event::KeyChanged(_)
            | Event::PolicySet(_)
            | Event::AccountOpened(_)
            | Event::Deposited(_)
            | Event::Withdrawn(_) => {}
        }
    }

    /// All events of a block up to this command have been applied.
    pub(crate) const fn finish(&mut self, last: SequenceNumber) {
        self.sequence = last;
    }

    /// What a market shows; `None` if there is no such market. Who starts from its snapshot goes on
    /// with the events after [`MarketData::sequence`].
    pub fn depth(&self, market: MarketId) -> Option<&Depth> {
        let market = self.markets.get(market.index())?;
        Some(&market.depth)
    }

    /// How many markets there are.
    pub const fn market_count(&self) -> usize {
        self.markets.len()
    }

    /// The last sequence number that the answers include.
    pub const fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    fn market(&mut self, market: MarketId) -> &mut Market {
        &mut self.markets[market.index()]
    }
}

impl Market {
    fn new(hash_seed: u64) -> Self {
        Self {
            depth: Depth::new(hash_seed),
            displays: BTreeMap::new(),
        }
    }

    fn of(book: &Book, hash_seed: u64) -> Self {
        let mut market = Self::new(hash_seed);
        for order in Side::BOTH.into_iter().flat_map(|side| book.orders(side)) {
            if !order.display.is_zero() {
                market.displays.insert(order.order_id, order.display);
            }
            let shown = ShownOrder {
                order_id: order.order_id,
                side: order.side,
                price: order.price,
                shown: order.shown,
            };
            market.depth.add(&shown, |_| ());
        }
        market
    }

    fn rest(&mut self, rested: &Rested, sink: impl FnMut(&BookEvent)) {
        let order_id = rested.owner.order_id;
        let shown = match rested.resting.display {
            BaseLots::ZERO => rested.quantity,
            display => {
                self.displays.insert(order_id, display);
                display.min(rested.quantity)
            }
        };
        let order = ShownOrder {
            order_id,
            side: rested.side,
            price: rested.price,
            shown,
        };
        self.depth.add(&order, sink);
    }

    fn fill(&mut self, fill: &Fill, mut sink: impl FnMut(&BookEvent)) {
        let maker = fill.maker.order_id;
        let traded = Traded {
            maker,
            taker_side: fill.taker_side,
            price: fill.price,
            quantity: fill.quantity,
            in_auction: fill.auction.is_some(),
        };
        self.depth.trade(&traded, &mut sink);
        let rests = (fill.maker_remaining, fill.maker_refreshed);
        self.shrink(maker, fill.quantity, rests, &mut sink);
        if let Some(taker) = fill.auction {
            let rests = (taker.remaining, taker.refreshed);
            self.shrink(fill.taker.order_id, fill.quantity, rests, &mut sink);
        }
    }

    /// A resting order has filled by so much.
    fn shrink(
        &mut self,
        order_id: OrderId,
        by: BaseLots,
        (remaining, refreshed): (BaseLots, bool),
        sink: impl FnMut(&BookEvent),
    ) {
        if remaining.is_zero() {
            self.remove(order_id, sink);
        } else if refreshed {
            let display = self.displays[&order_id];
            let shown = display.min(remaining);
            self.depth.refresh(order_id, shown, sink);
        } else {
            let shown = self.shown(order_id) - by;
            self.depth.shrink(order_id, shown, sink);
        }
    }

    fn reduce(&mut self, reduced: &Reduced, sink: impl FnMut(&BookEvent)) {
        let order_id = reduced.owner.order_id;
        let shown = self.shown(order_id).min(reduced.remaining);
        self.depth.shrink(order_id, shown, sink);
    }

    fn remove(&mut self, order_id: OrderId, sink: impl FnMut(&BookEvent)) {
        if self.depth.remove(order_id, sink).is_some() {
            self.displays.remove(&order_id);
        }
    }

    fn shown(&self, order_id: OrderId) -> BaseLots {
        let order = self.depth.order(order_id);
        order.expect("only resting orders fill and shrink").shown
    }
}

fn indication(indicative: &Indicative) -> Option<Indication> {
    Some(Indication {
        price: indicative.price?,
        volume: indicative.volume,
        surplus: indicative.surplus,
    })
}
