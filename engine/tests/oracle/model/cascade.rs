//! What a trade sets off: armed orders, stops beside resting ones, and whatever those set off.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use types::command::{OrderKind, Resting, StopLeg, TimeInForce, Trigger, TriggerCondition};
use types::limits::ORDERS_PER_BOOK_MAX;
use types::outcome::{DoneReason, Event, Triggered};
use types::{BaseLots, OrderId, RejectReason, Side, Ticks};

use super::book::Order;
use super::enter::Entrant;
use super::exchange::{Armed, Exchange, Market};

/// What has been set off and waits for its turn.
#[derive(Clone, Copy, Debug)]
enum Due {
    Armed(Armed),
    /// The stop beside this order.
    Stop(OrderId),
}

/// The queue of one command.
#[derive(Debug, Default)]
struct Cascade {
    queue: VecDeque<Due>,
    /// Orders whose stop was set off; it is set off once.
    stops: BTreeSet<OrderId>,
}

impl Exchange {
    /// Sets off what trades at these prices set off, and whatever that sets off.
    pub(crate) fn cascade(&mut self, market: usize, prices: Vec<u64>) {
        let mut cascade = Cascade::default();
        self.set_off(market, &prices, &mut cascade);
        while let Some(due) = cascade.queue.pop_front() {
            let prices = match due {
                Due::Armed(order) => self.trigger_armed(market, &order),
                Due::Stop(id) => match self.markets[market].book.order(id) {
                    Some(order) => self.trigger_stop(market, &order),
                    None => Vec::new(),
                },
            };
            self.set_off(market, &prices, &mut cascade);
        }
    }

    /// Armed orders and stops together, in order of ids.
    fn set_off(&mut self, market: usize, prices: &[u64], cascade: &mut Cascade) {
        if prices.is_empty() {
            return;
        }
        let Market { book, armed, .. } = &mut self.markets[market];
        let met = |trigger: &Trigger, side: Side| {
            let mut prices = prices.iter();
            prices.any(|price| is_met(trigger, side, *price))
        };
        let mut due = BTreeMap::new();
        for order in armed
            .values()
            .filter(|order| met(&order.trigger, order.side))
        {
            due.insert(order.id, Due::Armed(*order));
        }
        for order in book
            .all()
            .filter(|order| !cascade.stops.contains(&order.id))
        {
            if let Some(stop) = order.resting.stop
                && met(&stop_trigger(&stop), order.side)
            {
                due.insert(order.id, Due::Stop(order.id));
            }
        }
        for (id, due) in due.into_iter().take(self.work.triggers_left as usize) {
            self.work.triggers_left -= 1;
            armed.remove(&id);
            if matches!(due, Due::Stop(_)) {
                cascade.stops.insert(id);
            }
            cascade.queue.push_back(due);
        }
    }

    /// An armed order that was set off enters; the prices that it traded at.
    fn trigger_armed(&mut self, market: usize, order: &Armed) -> Vec<u64> {
        let (side, quantity) = (order.side, order.quantity);
        self.close(market, order.account, side, order.hold_price(), quantity);
        let entrant = order.entrant();
        match self.why_not(market, order.resting(), &entrant) {
            Some(reason) => {
                self.end_entrant(market, &entrant, (reason, true));
                Vec::new()
            }
            None => self.enter_triggered(market, &entrant),
        }
    }

    /// The stop beside a resting order was set off: the order leaves the book and enters again.
    fn trigger_stop(&mut self, market: usize, order: &Order) -> Vec<u64> {
        let stop = order.resting.stop.unwrap();
        let resting = Resting {
            stop: None,
            ..order.resting
        };
        let entrant = Entrant {
            id: order.id,
            account: order.account,
            label: order.label,
            side: order.side,
            kind: OrderKind::Limit(TimeInForce::Rest(resting)),
            price: stop.limit.get(),
            filled: order.filled,
            remaining: order.remaining,
            self_trade: stop.self_trade,
        };
        if let Some(reason) = self.why_not(market, resting, &entrant) {
            self.end_open(market, order.id, reason);
            return Vec::new();
        }
        self.markets[market].book.remove(order.id);
        let (side, remaining) = (order.side, order.remaining);
        self.close(market, order.account, side, order.hold_price(), remaining);
        self.enter_triggered(market, &entrant)
    }

    /// Why an order that was set off does not even try.
    fn why_not(&self, market: usize, resting: Resting, entrant: &Entrant) -> Option<DoneReason> {
        if super::book::is_over(resting, self.now) {
            Some(DoneReason::Expired)
        } else if resting.protected && self.is_tripped(market, entrant.account) {
            Some(DoneReason::Protection)
        } else {
            None
        }
    }

    fn enter_triggered(&mut self, market: usize, entrant: &Entrant) -> Vec<u64> {
        self.events.push(Event::Triggered(Triggered {
            sequence: self.work.sequence,
            market: self.markets[market].id,
            side: entrant.side,
            price: Ticks::new(entrant.price),
            quantity: BaseLots::new(entrant.remaining),
            owner: entrant.party(),
        }));
        let price = self.markets[market].edge(entrant.side, entrant.price);
        let entrant = Entrant { price, ..*entrant };
        let is_full = self.markets[market].book.len() >= ORDERS_PER_BOOK_MAX as usize;
        let price = match entrant.kind.resting() {
            Some(_) if is_full => Err(RejectReason::BookFull),
            _ => self.entry_price(market, &entrant),
        };
        match price {
            Ok(price) => self.enter(market, &Entrant { price, ..entrant }).prices,
            Err(_) => {
                self.end_entrant(market, &entrant, (DoneReason::Unfilled, false));
                Vec::new()
            }
        }
    }

    fn end_entrant(&mut self, market: usize, entrant: &Entrant, why: (DoneReason, bool)) {
        let owner = (entrant.id, entrant.account, entrant.label);
        let left = (entrant.side, entrant.price, entrant.remaining);
        self.push_done(market, owner, left, why);
    }
}

/// Whether a trade at `price` is what the trigger waits for.
pub(crate) fn is_met(trigger: &Trigger, side: Side, price: u64) -> bool {
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

/// What a stop beside an order waits for.
pub(crate) const fn stop_trigger(stop: &StopLeg) -> Trigger {
    Trigger {
        condition: TriggerCondition::Stop,
        price: stop.trigger,
    }
}

/// Whether a stop lies beyond its order's own price.
pub(crate) fn is_beyond(stop: &StopLeg, side: Side, price: u64) -> bool {
    match side {
        Side::Bid => stop.trigger.get() > price,
        Side::Ask => stop.trigger.get() < price,
    }
}
