//! A new price and a new size for an open order.

use types::command::{MarketStatus, OrderKind, OrderTarget, Replace, Resting, TimeInForce};
use types::outcome::DoneReason;
use types::{OrderId, RejectReason, Side};

use super::book::{Order, hold_price, is_over};
use super::cascade::is_beyond;
use super::enter::Entrant;
use super::exchange::{Answer, Armed, Exchange, Market, check_price, check_quantity};
use super::funds::needed;
use super::status::Change;

impl Exchange {
    pub(crate) fn replace(&mut self, replace: &Replace) -> Answer {
        let market = self.known(replace.target.market())?;
        let id = self.targeted(market, replace.target);
        let id = id.ok_or(RejectReason::OrderNotFound)?;
        check_price(replace.price)?;
        check_quantity(replace.quantity)?;
        if let Some(armed) = self.markets[market].armed.get(&id).copied() {
            return self.replace_armed(market, &armed, replace);
        }
        let order = self.markets[market].book.order(id).unwrap();
        self.replace_resting(market, &order, replace)
    }

    /// The account's open order that a command means.
    pub(crate) fn targeted(&self, market: usize, target: OrderTarget) -> Option<OrderId> {
        match target {
            OrderTarget::Order(id) => Some(id).filter(|id| self.is_mine(market, *id)),
            OrderTarget::Client {
                client_order_id, ..
            } => self.labelled(market, client_order_id),
        }
    }

    fn replace_armed(&mut self, market: usize, armed: &Armed, replace: &Replace) -> Answer {
        let (price, quantity) = (replace.price.get(), replace.quantity.get());
        let resting = armed.resting();
        self.markets[market].check_notional(price, quantity)?;
        check_stop(armed.side, price, resting)?;
        if is_over(resting, self.now) {
            return Err(RejectReason::ExpiryInPast);
        }
        self.check_replace_status(market, replace, Change::Armed)?;
        self.check_untripped(market, resting)?;
        let order = Armed {
            price,
            quantity,
            self_trade: replace.self_trade,
            ..*armed
        };
        let held = (armed.hold_price(), armed.quantity);
        let wanted = (order.hold_price(), quantity);
        self.check_difference(market, armed.side, held, wanted)?;
        self.end_open(market, armed.id, DoneReason::Replaced);
        self.arm(market, &order);
        Ok((0, 0))
    }

    fn replace_resting(&mut self, market: usize, order: &Order, replace: &Replace) -> Answer {
        let (price, quantity) = (replace.price.get(), replace.quantity.get());
        self.markets[market].check_notional(price, quantity)?;
        check_stop(order.side, price, order.resting)?;
        if order.is_over(self.now) {
            return Err(RejectReason::ExpiryInPast);
        }
        if quantity <= order.filled {
            return Err(RejectReason::AlreadyFilled);
        }
        let remaining = quantity - order.filled;
        let change = if price == order.price && remaining <= order.remaining {
            Change::InPlace
        } else {
            Change::Again
        };
        self.check_replace_status(market, replace, change)?;
        self.check_untripped(market, order.resting)?;
        if change == Change::Again {
            self.markets[market].check_band(order.side, price)?;
        }
        let held = (order.hold_price(), order.remaining);
        let wanted = hold_price(order.side, price, order.resting.stop);
        self.check_difference(market, order.side, held, (wanted, remaining))?;
        if change == Change::InPlace {
            let by = order.remaining - remaining;
            if by > 0 {
                self.markets[market].book.reduce(order.id, by);
                self.push_reduced(market, order, by, DoneReason::Replaced);
            }
            return Ok((0, 0));
        }
        let Market { book, .. } = &self.markets[market];
        let is_auction = self.status(market) == MarketStatus::Auction;
        let would_take = !is_auction && book.would_take(order.side, price);
        if !replace.may_take && would_take {
            return Err(RejectReason::WouldCross);
        }
        let done = self.enter_again(market, order, replace, remaining);
        if !would_take {
            // It met nobody, so among the orders of its account it keeps its turn.
            let book = &mut self.markets[market].book;
            book.restore_arrival(order.id, order.arrival);
        }
        Ok(done)
    }

    fn enter_again(
        &mut self,
        market: usize,
        order: &Order,
        replace: &Replace,
        remaining: u64,
    ) -> (u32, u64) {
        self.end_open(market, order.id, DoneReason::Replaced);
        let entrant = Entrant {
            id: order.id,
            account: order.account,
            label: order.label,
            side: order.side,
            kind: OrderKind::Limit(TimeInForce::Rest(order.resting)),
            price: replace.price.get(),
            filled: order.filled,
            remaining,
            self_trade: replace.self_trade,
        };
        let done = self.enter(market, &entrant);
        self.cascade(market, done.prices);
        (done.fills, done.lots)
    }

    fn check_untripped(&self, market: usize, resting: Resting) -> Result<(), RejectReason> {
        if resting.protected && self.is_tripped(market, self.work.account) {
            return Err(RejectReason::ProtectionTripped);
        }
        Ok(())
    }

    /// Whether free funds cover what the order needs beyond what it holds; prices are those of the
    /// holds.
    fn check_difference(
        &self,
        market: usize,
        side: Side,
        held: (u64, u64),
        wanted: (u64, u64),
    ) -> Result<(), RejectReason> {
        let spec = &self.markets[market].spec;
        let (asset, wanted) = needed(spec, side, wanted.0, wanted.1);
        let (_, held) = needed(spec, side, held.0, held.1);
        if self.funds.covers(self.work.account, (asset, wanted - held)) {
            Ok(())
        } else {
            Err(RejectReason::InsufficientFunds)
        }
    }
}

/// The stop beside an order must be legal beside its new price, too.
fn check_stop(side: Side, price: u64, resting: Resting) -> Result<(), RejectReason> {
    match resting.stop {
        Some(stop) if !is_beyond(&stop, side, price) => Err(RejectReason::InvalidTrigger),
        _ => Ok(()),
    }
}
