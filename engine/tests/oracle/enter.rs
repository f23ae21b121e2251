//! Placing an order: its checks, its way through the book, and whatever it sets off.

use std::collections::VecDeque;

use types::command::{
    Crossing, Immediate, OrderKind, Place, Resting, SelfTrade, TimeInForce, Trigger,
    TriggerCondition,
};
use types::limits::{OPEN_ORDERS_PER_ACCOUNT_MAX, ORDERS_PER_BOOK_MAX, PRICE_TICKS_MAX};
use types::outcome::{
    Armed as ArmedEvent, DoneReason, Event, Fill, Party, Reduced, Rested, Triggered,
};
use types::{AccountId, Atoms, BaseLots, ClientOrderId, OrderId, RejectReason, Side, Ticks};

use crate::book::{Order, Step, Taker, is_over};
use crate::exchange::{Answer, Armed, Exchange, Market, check_price, check_quantity};
use crate::funds::{Swap, needed};

/// An order about to enter its book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant {
    pub(crate) id: OrderId,
    pub(crate) account: AccountId,
    pub(crate) label: ClientOrderId,
    pub(crate) side: Side,
    pub(crate) kind: OrderKind,
    pub(crate) price: u64,
    /// What filled of it before it entered again.
    pub(crate) filled: u64,
    pub(crate) remaining: u64,
    pub(crate) self_trade: SelfTrade,
}

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

    fn check_place(&self, market: usize, place: &Place) -> Result<(), RejectReason> {
        check_price(place.price)?;
        check_quantity(place.quantity)?;
        let resting = place.kind.resting();
        if resting.is_some_and(|resting| resting.display >= place.quantity) {
            return Err(RejectReason::InvalidDisplay);
        }
        let legal = |trigger: Trigger| check_price(trigger.price).is_ok();
        if !place.trigger.is_none_or(legal) {
            return Err(RejectReason::InvalidTrigger);
        }
        if resting.is_some_and(|resting| is_over(resting, self.now)) {
            return Err(RejectReason::ExpiryInPast);
        }
        let account = self.work.account;
        let label = (account, place.client_order_id);
        let Market { remembered, .. } = &self.markets[market];
        if remembered
            .get(&label)
            .is_some_and(|until| self.now <= *until)
        {
            return Err(RejectReason::CancelledBefore);
        }
        if self.labelled(market, place.client_order_id).is_some() {
            return Err(RejectReason::DuplicateClientOrderId);
        }
        let opens = resting.is_some() || place.trigger.is_some();
        if opens && self.open_orders[account.index()] >= OPEN_ORDERS_PER_ACCOUNT_MAX {
            return Err(RejectReason::TooManyOpenOrders);
        }
        let Market { spec, book, .. } = &self.markets[market];
        if opens && book.len() >= ORDERS_PER_BOOK_MAX as usize {
            return Err(RejectReason::BookFull);
        }
        let slides = matches!(place.kind, OrderKind::PostOnly(Crossing::Slide, _));
        let price = if slides && self.waits(market, place).is_none() {
            let price = self.slid_price(market, place.side, place.price.get());
            price.ok_or(RejectReason::WouldCross)?
        } else {
            place.price.get()
        };
        let needed = needed(spec, place.side, price, place.quantity.get());
        if !self.funds.covers(account, needed) {
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
        let held = needed(spec, order.side, order.price, order.quantity);
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
            owner: Party {
                account: order.account,
                order_id: order.id,
                client_order_id: order.label,
            },
        }));
    }

    /// The price at which an order may enter, or why it may not.
    fn entry_price(&self, market: usize, entrant: &Entrant) -> Result<u64, RejectReason> {
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
    fn slid_price(&self, market: usize, side: Side, price: u64) -> Option<u64> {
        let book = &self.markets[market].book;
        let slid = match (book.best(side.opposite()), side) {
            (Some(best), Side::Bid) if best <= price => best - 1,
            (Some(best), Side::Ask) if best >= price => best + 1,
            _ => price,
        };
        (1..=PRICE_TICKS_MAX).contains(&slid).then_some(slid)
    }

    /// Tries an order out on a clone of the book.
    fn fills_completely(&self, market: usize, entrant: &Entrant) -> bool {
        let mut book = self.markets[market].book.clone();
        let mut fills_left = self.work.fills_left;
        let steps = book.meet(
            &mut entrant.taker(),
            &self.groups,
            self.now,
            &mut fills_left,
        );
        let filled = steps.iter().map(|step| match step {
            Step::Fill { quantity, .. } => *quantity,
            _ => 0,
        });
        filled.sum::<u64>() == entrant.remaining
    }

    /// Leads an order through the book and lets what is left rest or end.
    pub(crate) fn enter(&mut self, market: usize, entrant: &Entrant) -> Entered {
        let mut taker = entrant.taker();
        let Market { book, .. } = &mut self.markets[market];
        let fills_left = &mut self.work.fills_left;
        let steps = match entrant.kind {
            OrderKind::PostOnly(..) => Vec::new(),
            _ => book.meet(&mut taker, &self.groups, self.now, fills_left),
        };
        let mut entered = Entered::default();
        for step in &steps {
            if let Step::Fill {
                maker, quantity, ..
            } = step
            {
                entered.fills += 1;
                entered.lots += quantity;
                entered.prices.push(maker.price);
            }
            self.apply(market, entrant, step, entrant.remaining - entered.lots);
        }
        let owner = (entrant.id, entrant.account, entrant.label);
        let left = (
            entrant.side,
            entrant.price,
            entrant.remaining - entered.lots,
        );
        let has_ended = matches!(steps.last(), Some(Step::TakerDone { .. }));
        if taker.remaining == 0 && left.2 > 0 && !has_ended {
            self.push_done(market, owner, left, (DoneReason::SelfTrade, false));
        }
        if taker.remaining > 0 {
            match entrant.kind.resting() {
                Some(resting) => {
                    let filled = entrant.filled + entered.lots;
                    self.rest(market, entrant, (filled, taker.remaining), resting);
                }
                None => self.push_done(market, owner, left, (DoneReason::Unfilled, false)),
            }
        }
        entered
    }

    /// Books a step; `unfilled` is what of the taker has not filled by now.
    fn apply(&mut self, market: usize, entrant: &Entrant, step: &Step, unfilled: u64) {
        match step {
            Step::Fill {
                maker,
                quantity,
                refreshed,
            } => self.fill(market, entrant, maker, (*quantity, *refreshed)),
            Step::MakerDone { maker, reason } => self.maker_done(market, maker, *reason),
            Step::MakerReduced { maker, by } => {
                self.push_reduced(market, maker, *by, DoneReason::SelfTrade);
            }
            Step::TakerDone { reason } => {
                let owner = (entrant.id, entrant.account, entrant.label);
                let left = (entrant.side, entrant.price, unfilled);
                self.push_done(market, owner, left, (*reason, false));
            }
        }
    }

    fn fill(
        &mut self,
        market: usize,
        entrant: &Entrant,
        maker: &Order,
        (quantity, refreshed): (u64, bool),
    ) {
        let Market {
            id,
            spec,
            last_trade,
            ..
        } = &mut self.markets[market];
        *last_trade = Some(maker.price);
        let swap = Swap {
            taker_side: entrant.side,
            price: maker.price,
            quantity,
            maker: maker.account,
            taker: entrant.account,
        };
        let (maker_fee, taker_fee) = self.funds.settle(spec, &swap);
        if quantity == maker.remaining {
            self.open_orders[maker.account.index()] -= 1;
        }
        self.events.push(Event::Fill(Fill {
            sequence: self.work.sequence,
            market: *id,
            taker_side: entrant.side,
            price: Ticks::new(maker.price),
            quantity: BaseLots::new(quantity),
            maker: maker.party(),
            taker: entrant.party(),
            maker_remaining: BaseLots::new(maker.remaining - quantity),
            maker_refreshed: refreshed,
            maker_fee,
            taker_fee: Atoms::new(u128::try_from(taker_fee).unwrap()),
        }));
    }

    /// What follows when a resting order became smaller in its place.
    pub(crate) fn push_reduced(
        &mut self,
        market: usize,
        before: &Order,
        by: u64,
        reason: DoneReason,
    ) {
        let Market { id, spec, .. } = &self.markets[market];
        let released = needed(spec, before.side, before.price, by);
        self.funds.release(before.account, released);
        self.events.push(Event::Reduced(Reduced {
            sequence: self.work.sequence,
            market: *id,
            side: before.side,
            reason,
            price: Ticks::new(before.price),
            by: BaseLots::new(by),
            remaining: BaseLots::new(before.remaining - by),
            owner: before.party(),
        }));
    }

    pub(crate) fn rest(
        &mut self,
        market: usize,
        entrant: &Entrant,
        (filled, remaining): (u64, u64),
        resting: Resting,
    ) {
        let Market { id, spec, book, .. } = &mut self.markets[market];
        let held = needed(spec, entrant.side, entrant.price, remaining);
        self.funds.hold(entrant.account, held);
        self.open_orders[entrant.account.index()] += 1;
        book.rest(Order {
            id: entrant.id,
            account: entrant.account,
            label: entrant.label,
            side: entrant.side,
            price: entrant.price,
            filled,
            remaining,
            shown: 0,
            resting,
            arrival: 0,
        });
        self.events.push(Event::Rested(Rested {
            sequence: self.work.sequence,
            market: *id,
            side: entrant.side,
            price: Ticks::new(entrant.price),
            quantity: BaseLots::new(remaining),
            resting,
            owner: entrant.party(),
        }));
    }

    /// Sets off what trades at these prices set off, and whatever that sets off.
    pub(crate) fn cascade(&mut self, market: usize, prices: Vec<u64>) {
        let mut queue = VecDeque::new();
        self.set_off(market, &prices, &mut queue);
        while let Some(order) = queue.pop_front() {
            let prices = self.trigger(market, &order);
            self.set_off(market, &prices, &mut queue);
        }
    }

    fn set_off(&mut self, market: usize, prices: &[u64], queue: &mut VecDeque<Armed>) {
        let armed = &mut self.markets[market].armed;
        let met = |order: &&Armed| {
            let mut prices = prices.iter();
            prices.any(|price| is_met(&order.trigger, order.side, *price))
        };
        let due: Vec<Armed> = armed.values().filter(met).copied().collect();
        for order in due {
            if self.work.triggers_left > 0 {
                self.work.triggers_left -= 1;
                armed.remove(&order.id);
                queue.push_back(order);
            }
        }
    }

    /// An order that was set off enters; the prices that it traded at.
    fn trigger(&mut self, market: usize, order: &Armed) -> Vec<u64> {
        let entrant = order.entrant();
        self.close(
            market,
            order.account,
            order.side,
            order.price,
            order.quantity,
        );
        if is_over(order.resting(), self.now) {
            let owner = (order.id, order.account, order.label);
            let left = (order.side, order.price, order.quantity);
            self.push_done(market, owner, left, (DoneReason::Expired, true));
            return Vec::new();
        }
        self.events.push(Event::Triggered(Triggered {
            sequence: self.work.sequence,
            market: self.markets[market].id,
            side: order.side,
            price: Ticks::new(order.price),
            quantity: BaseLots::new(order.quantity),
            owner: entrant.party(),
        }));
        let is_full = self.markets[market].book.len() >= ORDERS_PER_BOOK_MAX as usize;
        let price = match entrant.kind.resting() {
            Some(_) if is_full => Err(RejectReason::BookFull),
            _ => self.entry_price(market, &entrant),
        };
        match price {
            Ok(price) => self.enter(market, &Entrant { price, ..entrant }).prices,
            Err(_) => {
                let owner = (order.id, order.account, order.label);
                let left = (order.side, order.price, order.quantity);
                self.push_done(market, owner, left, (DoneReason::Unfilled, false));
                Vec::new()
            }
        }
    }
}

/// What came of an entry.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    pub(crate) fills: u32,
    pub(crate) lots: u64,
    pub(crate) prices: Vec<u64>,
}

/// Whether a trade at `price` is what the trigger waits for.
fn is_met(trigger: &Trigger, side: Side, price: u64) -> bool {
    let rises = match trigger.condition {
        TriggerCondition::Stop => side == Side::Bid,
        TriggerCondition::TakeProfit => side == Side::Ask,
    };
    if rises {
        price >= trigger.price.get()
    } else {
        price <= trigger.price.get()
    }
}

impl Entrant {
    fn taker(&self) -> Taker {
        Taker {
            account: self.account,
            side: self.side,
            price: self.price,
            remaining: self.remaining,
            self_trade: self.self_trade,
        }
    }

    fn party(&self) -> Party {
        Party {
            account: self.account,
            order_id: self.id,
            client_order_id: self.label,
        }
    }
}

impl Order {
    pub(crate) fn party(&self) -> Party {
        Party {
            account: self.account,
            order_id: self.id,
            client_order_id: self.label,
        }
    }
}

impl Armed {
    fn new(entrant: &Entrant, trigger: Trigger) -> Self {
        Self {
            id: entrant.id,
            account: entrant.account,
            label: entrant.label,
            side: entrant.side,
            kind: entrant.kind,
            price: entrant.price,
            quantity: entrant.remaining,
            self_trade: entrant.self_trade,
            trigger,
        }
    }

    fn entrant(&self) -> Entrant {
        Entrant {
            id: self.id,
            account: self.account,
            label: self.label,
            side: self.side,
            kind: self.kind,
            price: self.price,
            filled: 0,
            remaining: self.quantity,
            self_trade: self.self_trade,
        }
    }
}
