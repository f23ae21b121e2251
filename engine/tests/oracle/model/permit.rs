//! What a granted key may do, which orders are whose, and what a key has lost.

use std::collections::BTreeMap;

use types::command::{Crossing, OrderKind, Place, QuoteSet, Replace, StopLeg};
use types::keys::{GrantedMarkets, KeyGrant};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::{DoneReason, Event, Fill};
use types::{Atoms, Command, KeyId, MarketId, OrderId, RejectReason, Side};

use super::exchange::{Exchange, Market};
use super::funds::notional;
use super::keys::is_in_scope;

/// Which key an order belongs to, and the price that it counts with; `None`: it is being moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) key: KeyId,
    price: Option<u64>,
}

/// What a key has traded in a market within a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    day: u64,
    lots: i128,
    quote: i128,
}

/// What is known of keys' orders and trades.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) placed: BTreeMap<OrderId, Placed>,
    /// By market and key: from the first thing on that a key with a budget does there.
    usage: BTreeMap<(usize, KeyId), Usage>,
}

/// Orders that a command asks for.
struct Asked {
    orders: Vec<(Side, u64, u64)>,
    /// What of the key's own goes for them.
    gone: i128,
    rests: bool,
}

const NANOS_PER_DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

impl Exchange {
    /// Whether the key at work may do this.
    pub(crate) fn permit(&self, command: &Command<'_>) -> Result<(), RejectReason> {
        let own = self.work.key;
        let Some(key) = self.keys.get(own) else {
            return Ok(());
        };
        if key.is_revoked {
            return Err(RejectReason::KeyScope);
        }
        let Some(grant) = key.grant else {
            return Ok(());
        };
        if !is_in_scope(grant.scope, own, command) {
            return Err(RejectReason::KeyScope);
        }
        let is_limited = grant.markets != GrantedMarkets::ALL;
        match command.market() {
            Some(market) if !grant.markets.allow(market) => Err(RejectReason::KeyMarket),
            Some(market) if market.index() < self.markets.len() => {
                self.check_budget(market.index(), &grant, command)
            }
            None if is_limited && matches!(command, Command::CancelAll(_)) => {
                Err(RejectReason::KeyMarket)
            }
            _ => Ok(()),
        }
    }

    fn check_budget(
        &self,
        market: usize,
        grant: &KeyGrant,
        command: &Command<'_>,
    ) -> Result<(), RejectReason> {
        let asked = match command {
            Command::Place(place) => Some(self.ask_place(market, place)),
            Command::Replace(replace) => self.ask_replace(market, replace),
            Command::QuoteSet(set) => Some(self.ask_quotes(market, set)),
            _ => None,
        };
        let Some(mut asked) = asked else {
            return Ok(());
        };
        let is_legal = |price, quantity| price <= PRICE_TICKS_MAX && quantity <= QUANTITY_LOTS_MAX;
        asked
            .orders
            .retain(|(_, price, quantity)| is_legal(*price, *quantity));
        let spec = &self.markets[market].spec;
        let worth = |(_, price, quantity): &(Side, u64, u64)| notional(spec, *price, *quantity);
        if let Some(most) = limit(grant.order_notional_max)
            && asked.orders.iter().any(|order| most < worth(order))
        {
            return Err(RejectReason::KeyOrderNotional);
        }
        if let Some(most) = limit(grant.open_notional_max)
            && asked.rests
        {
            let open = self.open_notional(market) - asked.gone;
            if most < open + asked.orders.iter().map(worth).sum::<i128>() {
                return Err(RejectReason::KeyOpenNotional);
            }
        }
        if let Some(most) = limit(grant.daily_loss_max) {
            let lost = self.loss(market, self.work.key);
            let conceded = asked
                .orders
                .iter()
                .map(|order| self.conceded(market, *order));
            if most <= lost || most < lost + conceded.sum::<i128>() {
                return Err(RejectReason::KeyDailyLoss);
            }
        }
        Ok(())
    }

    fn ask_place(&self, market: usize, place: &Place) -> Asked {
        let resting = place.kind.resting();
        let slides = matches!(place.kind, OrderKind::PostOnly(Crossing::Slide, _));
        let asked = place.price.get();
        // Where a sliding order comes to rest; if there is nowhere, it is refused later.
        let price =
            match slides && place.trigger.is_none() && (1..=PRICE_TICKS_MAX).contains(&asked) {
                true => self.slid_price(market, place.side, asked).unwrap_or(asked),
                false => asked,
            };
        let price = counted(price, resting.unwrap_or_default().stop);
        Asked {
            orders: vec![(place.side, price, place.quantity.get())],
            gone: 0,
            rests: resting.is_some() || place.trigger.is_some(),
        }
    }

    /// All of the new size counts, filled or not.
    fn ask_replace(&self, market: usize, replace: &Replace) -> Option<Asked> {
        let id = self.targeted(market, replace.target)?;
        let Market { book, armed, .. } = &self.markets[market];
        let (side, stop) = match armed.get(&id) {
            Some(order) => (order.side, order.resting().stop),
            None => {
                let order = book.order(id).unwrap();
                (order.side, order.resting.stop)
            }
        };
        let price = counted(replace.price.get(), stop);
        Some(Asked {
            orders: vec![(side, price, replace.quantity.get())],
            gone: self.own_notional(market, id),
            rests: true,
        })
    }

    fn ask_quotes(&self, market: usize, set: &QuoteSet<'_>) -> Asked {
        let sides = [(Side::Bid, set.bids), (Side::Ask, set.asks)];
        let levels = sides.into_iter().flat_map(|(side, levels)| {
            let order = move |(price, quantity)| (side, price, quantity);
            let levels = levels.iter();
            levels.map(move |it| order((it.price().get(), it.quantity().get())))
        });
        let quoted = self.markets[market].quote_sets.get(&self.work.account);
        let quoted = quoted.into_iter().flat_map(|(_, orders)| orders);
        Asked {
            orders: levels.collect(),
            gone: quoted.map(|id| self.own_notional(market, *id)).sum(),
            rests: true,
        }
    }

    /// What the key at work has open in a market.
    fn open_notional(&self, market: usize) -> i128 {
        let all = self.known.placed.keys();
        all.map(|id| self.own_notional(market, *id)).sum()
    }

    /// What an order in a market counts among the key's own; nothing if it is not, or not open.
    fn own_notional(&self, market: usize, id: OrderId) -> i128 {
        let Market {
            spec, book, armed, ..
        } = &self.markets[market];
        let resting = book.order(id).map(|order| order.remaining);
        let open = resting.or_else(|| armed.get(&id).map(|order| order.quantity));
        match (self.known.placed.get(&id), open) {
            (Some(placed), Some(open)) if placed.key == self.work.key => {
                notional(spec, placed.price.unwrap(), open)
            }
            _ => 0,
        }
    }

    fn loss(&self, market: usize, key: KeyId) -> i128 {
        let Market {
            spec, last_trade, ..
        } = &self.markets[market];
        let usage = self.known.usage.get(&(market, key));
        let (Some(usage), Some(last)) = (usage, *last_trade) else {
            return 0;
        };
        if usage.day != self.now / NANOS_PER_DAY {
            return 0;
        }
        -(usage.quote + usage.lots * notional(spec, last, 1)).min(0)
    }

    /// What an order loses at once if all of it trades at its own price, with the higher fee.
    fn conceded(&self, market: usize, (side, price, quantity): (Side, u64, u64)) -> i128 {
        let Market {
            spec, last_trade, ..
        } = &self.markets[market];
        let rate = spec.taker_fee.get().max(spec.maker_fee.get());
        let worse = match (side, *last_trade) {
            (_, None) => 0,
            (Side::Bid, Some(last)) => price.saturating_sub(last),
            (Side::Ask, Some(last)) => last.saturating_sub(price),
        };
        notional(spec, worse, quantity) + fee(notional(spec, price, quantity), rate)
    }

    /// The command at work is over: whose are the orders that it has touched, and who has lost too
    /// much?
    pub(crate) fn follow(&mut self, mut from: usize) {
        let is_watched = self.keys.is_watched(self.work.key);
        while from < self.events.len() {
            let to = self.events.len();
            let mut traded = Vec::new();
            for at in from..to {
                let event = self.events[at];
                self.note(is_watched, &event);
                if let Event::Fill(fill) = event
                    && !traded.contains(&fill.market.index())
                {
                    traded.push(fill.market.index());
                }
            }
            self.forget_closed();
            for market in traded {
                self.end_losers(market);
            }
            from = to;
        }
    }

    fn note(&mut self, is_watched: bool, event: &Event) {
        let author = self.work.key;
        let own = Placed {
            key: author,
            price: None,
        };
        match event {
            Event::Rested(rested) => {
                let price = counted(rested.price.get(), rested.resting.stop);
                self.stand(is_watched, rested.owner.order_id, price);
                self.begin_usage(rested.market);
            }
            Event::Armed(armed) => {
                let price = counted(armed.price.get(), armed.resting.stop);
                self.stand(is_watched, armed.owner.order_id, price);
                self.begin_usage(armed.market);
            }
            Event::Fill(fill) => {
                self.begin_usage(fill.market);
                self.note_fill(is_watched, fill);
            }
            Event::Triggered(triggered) => self.begin_usage(triggered.market),
            Event::Reduced(reduced) => self.begin_usage(reduced.market),
            Event::Done(done) => {
                self.begin_usage(done.market);
                let placed = &mut self.known.placed;
                // Who moves an order has it from then on.
                match done.reason == DoneReason::Replaced && is_watched {
                    true => placed.insert(done.owner.order_id, own),
                    false => placed.remove(&done.owner.order_id),
                };
            }
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

    fn begin_usage(&mut self, market: MarketId) {
        let key = self.work.key;
        let grant = self.keys.get(key).and_then(|key| key.grant);
        if grant.is_some_and(|grant| grant.is_budgeted()) {
            self.known.usage.entry((market.index(), key)).or_default();
        }
    }

    /// An order is open from here on. One that has been triggered counts as it did before.
    fn stand(&mut self, is_watched: bool, id: OrderId, price: u64) {
        if let Some(key) = self.key_of(is_watched, id) {
            let earlier = self.known.placed.get(&id).and_then(|placed| placed.price);
            let price = Some(earlier.unwrap_or(price));
            self.known.placed.insert(id, Placed { key, price });
        }
    }

    fn key_of(&self, is_watched: bool, id: OrderId) -> Option<KeyId> {
        let is_new = is_watched && id.sequence() == self.work.sequence;
        let placed = self.known.placed.get(&id).map(|placed| placed.key);
        placed.or(is_new.then_some(self.work.key))
    }

    fn note_fill(&mut self, is_watched: bool, fill: &Fill) {
        let market = fill.market.index();
        let spec = self.markets[market].spec;
        let day = self.now / NANOS_PER_DAY;
        let traded = notional(&spec, fill.price.get(), fill.quantity.get());
        let sides = [
            (fill.maker, fill.taker_side.opposite(), spec.maker_fee),
            (fill.taker, fill.taker_side, spec.taker_fee),
        ];
        for (party, side, rate) in sides {
            let key = self.key_of(is_watched, party.order_id);
            let usage = key.and_then(|key| self.known.usage.get_mut(&(market, key)));
            let Some(usage) = usage else {
                continue;
            };
            if usage.day != day {
                *usage = Usage {
                    day,
                    ..Usage::default()
                };
            }
            let sign = if side == Side::Bid { 1 } else { -1 };
            usage.lots += sign * i128::from(fill.quantity.get());
            usage.quote -= sign * traded + fee(traded, rate.get());
        }
    }

    fn forget_closed(&mut self) {
        let Self { known, markets, .. } = self;
        let is_open = |id: &OrderId| {
            let Market { book, armed, .. } = &markets[id.market().index()];
            armed.contains_key(id) || book.order(*id).is_some()
        };
        known.placed.retain(|id, _| is_open(id));
    }

    fn end_losers(&mut self, market: usize) {
        let keys = self.known.usage.keys();
        let keys: Vec<KeyId> = keys
            .filter(|(place, _)| *place == market)
            .map(|(_, key)| *key)
            .collect();
        for key in keys {
            let grant = self.keys.get(key).and_then(|key| key.grant);
            let most = grant.and_then(|grant| limit(grant.daily_loss_max));
            if most.is_some_and(|most| most <= self.loss(market, key)) {
                self.take_off_all(market, key, DoneReason::DailyLoss);
            }
        }
    }

    /// Nobody wants to know any more which orders are the key's.
    pub(crate) fn forget(&mut self, key: KeyId) {
        self.known.placed.retain(|_, placed| placed.key != key);
        self.known.usage.retain(|(_, whose), _| *whose != key);
    }
}

/// A limit, unless it is zero.
fn limit(most: Atoms) -> Option<i128> {
    let limit = i128::try_from(most.get()).unwrap_or(i128::MAX);
    (limit != 0).then_some(limit)
}

/// The price that an order counts with.
fn counted(price: u64, stop: Option<StopLeg>) -> u64 {
    stop.map_or(price, |stop| {
        price.max(stop.limit.get().min(PRICE_TICKS_MAX))
    })
}

/// At its highest, rounded up; a rebate is none.
fn fee(notional: i128, rate: i32) -> i128 {
    let parts = notional * i128::from(rate.max(0));
    (parts + 999_999) / 1_000_000
}
