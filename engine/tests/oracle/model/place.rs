//! Placing an order: its checks, and whether it enters or waits.

use types::command::{Crossing, Immediate, OrderKind, Place, Resting, TimeInForce, Trigger};
use types::limits::{ORDERS_PER_BOOK_MAX, PRICE_TICKS_MAX};
use types::outcome::{Armed as ArmedEvent, Event};
use types::{BaseLots, OrderId, RejectReason, Side, Ticks};

use super::book::{hold_price, is_over};
use super::cascade::{is_beyond, is_met, stop_trigger};
use super::enter::Entrant;
use super::exchange::{Answer, Armed, Exchange, Market, check_price, check_quantity};
use super::funds::needed;

impl Exchange {
    pub(crate) fn place(&mut self, place: &Place) -> Answer {
        let market = self.known(place.market)?;
        self.check_place(market, place)?;
        let entrant = Entrant {
            id: OrderId::new_at(self.work.sequence, place.market, 0),
            account: self.work.account,
            label: place.client_order_id,
            side: place.side,
            kind: place.kind,
            price: place.price.get(),
            filled: 0,
            remaining: place.quantity.get(),
            self_trade: place.self_trade,
        };
        if let Some(trigger) = self.waits(market, place) {
            self.arm(market, &Armed::new(&entrant, trigger));
            return Ok((0, 0));
        }
        let price = self.entry_price(market, &entrant)?;
        let done = self.enter(market, &Entrant { price, ..entrant });
        self.cascade(market, done.prices);
        Ok((done.fills, done.lots))
    }

    /// In the order of the reject numbers.
    fn check_place(&self, market: usize, place: &Place) -> Result<(), RejectReason> {
        check_price(place.price)?;
        check_quantity(place.quantity)?;
        let (price, quantity) = (place.price.get(), place.quantity.get());
        self.markets[market].check_notional(price, quantity)?;
        let resting = place.kind.resting();
        self.check_resting(market, place, resting.unwrap_or_default())?;
        self.check_place_status(market, place)?;
        let account = self.work.account;
        let protected = resting.is_some_and(|resting| resting.protected);
        if protected && self.is_tripped(market, account) {
            return Err(RejectReason::ProtectionTripped);
        }
        if self.waits(market, place).is_none() {
            self.markets[market].check_band(place.side, price)?;
        }
        let label = (account, place.client_order_id);
        let Market {
            remembered, book, ..
        } = &self.markets[market];
        if remembered
            .get(&label)
            .is_some_and(|until| self.now <= *until)
        {
            return Err(RejectReason::CancelledBefore);
        }
        if self.labelled(market, place.client_order_id).is_some() {
            return Err(RejectReason::DuplicateClientOrderId);
        }
        if resting.is_some() || place.trigger.is_some() {
            self.check_open_orders(market, 1, 0)?;
            if book.len() >= ORDERS_PER_BOOK_MAX as usize {
                return Err(RejectReason::BookFull);
            }
        }
        self.check_funds(market, place)
    }

    /// How the order would rest, and what it waits for.
    fn check_resting(
        &self,
        market: usize,
        place: &Place,
        resting: Resting,
    ) -> Result<(), RejectReason> {
        let hides = !resting.display.is_zero();
        if resting.display >= place.quantity || hides && resting.protected {
            return Err(RejectReason::InvalidDisplay);
        }
        let legal = |trigger: Trigger| check_price(trigger.price).is_ok();
        if !place.trigger.is_none_or(legal) {
            return Err(RejectReason::InvalidTrigger);
        }
        if let Some(stop) = resting.stop {
            let last = self.markets[market].last_trade;
            let is_met = last.is_some_and(|last| is_met(&stop_trigger(&stop), place.side, last));
            let legal = check_price(stop.trigger).is_ok() && check_price(stop.limit).is_ok();
            if !legal || is_met || !is_beyond(&stop, place.side, place.price.get()) {
                return Err(RejectReason::InvalidTrigger);
            }
        }
        if is_over(resting, self.now) {
            return Err(RejectReason::ExpiryInPast);
        }
        Ok(())
    }

    fn check_funds(&self, market: usize, place: &Place) -> Result<(), RejectReason> {
        let slides = matches!(place.kind, OrderKind::PostOnly(Crossing::Slide, _));
        let price = if slides && self.waits(market, place).is_none() {
            let price = self.slid_price(market, place.side, place.price.get());
            price.ok_or(RejectReason::WouldCross)?
        } else {
            place.price.get()
        };
        let stop = place.kind.resting().and_then(|resting| resting.stop);
        let price = hold_price(place.side, price, stop);
        let spec = &self.markets[market].spec;
        let needed = needed(spec, place.side, price, place.quantity.get());
        if !self.funds.covers(self.work.account, needed) {
            return Err(RejectReason::InsufficientFunds);
        }
        Ok(())
    }

    /// The trigger, if the order has one whose time has not come.
    fn waits(&self, market: usize, place: &Place) -> Option<Trigger> {
        let last = self.markets[market].last_trade;
        let met = |trigger: &Trigger| last.is_some_and(|last| is_met(trigger, place.side, last));
        place.trigger.filter(|trigger| !met(trigger))
    }

    pub(crate) fn arm(&mut self, market: usize, order: &Armed) {
        let Market {
            id, spec, armed, ..
        } = &mut self.markets[market];
        let held = needed(spec, order.side, order.hold_price(), order.quantity);
        self.funds.hold(order.account, held);
        self.open_orders[order.account.index()] += 1;
        armed.insert(order.id, *order);
        self.events.push(Event::Armed(ArmedEvent {
            sequence: self.work.sequence,
            market: *id,
            side: order.side,
            trigger: order.trigger,
            resting: order.resting(),
            price: Ticks::new(order.price),
            quantity: BaseLots::new(order.quantity),
            owner: order.entrant().party(),
        }));
    }

    /// The price at which an order may enter, or why it may not.
    pub(crate) fn entry_price(
        &self,
        market: usize,
        entrant: &Entrant,
    ) -> Result<u64, RejectReason> {
        let book = &self.markets[market].book;
        let would_take = book.would_take(entrant.side, entrant.price);
        match entrant.kind {
            OrderKind::PostOnly(Crossing::Reject, _) if would_take => Err(RejectReason::WouldCross),
            OrderKind::PostOnly(Crossing::Slide, _) => {
                let price = self.slid_price(market, entrant.side, entrant.price);
                price.ok_or(RejectReason::WouldCross)
            }
            OrderKind::Limit(TimeInForce::Immediate(Immediate::OrKill))
            | OrderKind::Market(Immediate::OrKill)
                if !self.fills_completely(market, entrant) =>
            {
                Err(RejectReason::NotFillable)
            }
            _ => Ok(entrant.price),
        }
    }

    /// The best price up to `price` that does not take, if that is a legal one.
    pub(crate) fn slid_price(&self, market: usize, side: Side, price: u64) -> Option<u64> {
        let book = &self.markets[market].book;
        let slid = match (book.best(side.opposite()), side) {
            (Some(best), Side::Bid) if best <= price => best - 1,
            (Some(best), Side::Ask) if best >= price => best + 1,
            _ => price,
        };
        (1..=PRICE_TICKS_MAX).contains(&slid).then_some(slid)
    }

    /// Tries an order out on a clone of everything.
    fn fills_completely(&self, market: usize, entrant: &Entrant) -> bool {
        let mut trial = self.clone();
        trial.enter(market, entrant).lots == entrant.remaining
    }
}
