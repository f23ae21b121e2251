//! A new price and a new size for an open order.

use types::RejectReason;
use types::command::{OrderKind, OrderTarget, Replace, TimeInForce};
use types::outcome::DoneReason;

use crate::book::{Order, is_over};
use crate::enter::Entrant;
use crate::exchange::{Answer, Armed, Exchange, check_price, check_quantity};
use crate::funds::needed;

impl Exchange {
    pub(crate) fn replace(&mut self, replace: &Replace) -> Answer {
        let market = self.known(replace.target.market())?;
        let id = match replace.target {
            OrderTarget::Order(id) => Some(id).filter(|id| self.is_mine(market, *id)),
            OrderTarget::Client {
                client_order_id, ..
            } => self.labelled(market, client_order_id),
        };
        let id = id.ok_or(RejectReason::OrderNotFound)?;
        check_price(replace.price)?;
        check_quantity(replace.quantity)?;
        if let Some(armed) = self.markets[market].armed.get(&id).copied() {
            return self.replace_armed(market, &armed, replace);
        }
        let mut orders = self.markets[market].book.all();
        let order = *orders.find(|order| order.id == id).unwrap();
        drop(orders);
        self.replace_resting(market, &order, replace)
    }

    fn replace_armed(&mut self, market: usize, armed: &Armed, replace: &Replace) -> Answer {
        if armed.resting().display >= replace.quantity {
            return Err(RejectReason::InvalidDisplay);
        }
        if is_over(armed.resting(), self.now) {
            return Err(RejectReason::ExpiryInPast);
        }
        let held = (armed.price, armed.quantity);
        let wanted = (replace.price.get(), replace.quantity.get());
        self.check_difference(market, armed.side, held, wanted)?;
        self.end_open(market, armed.id, DoneReason::Replaced);
        let order = Armed {
            price: wanted.0,
            quantity: wanted.1,
            ..*armed
        };
        self.arm(market, &order);
        Ok((0, 0))
    }

    fn replace_resting(&mut self, market: usize, order: &Order, replace: &Replace) -> Answer {
        let (price, quantity) = (replace.price.get(), replace.quantity.get());
        if order.is_over(self.now) {
            return Err(RejectReason::ExpiryInPast);
        }
        if quantity <= order.filled {
            return Err(RejectReason::AlreadyFilled);
        }
        let remaining = quantity - order.filled;
        let held = (order.price, order.remaining);
        self.check_difference(market, order.side, held, (price, remaining))?;
        if price == order.price && remaining <= order.remaining {
            let by = order.remaining - remaining;
            if by > 0 {
                self.markets[market].book.reduce(order.id, by);
                self.push_reduced(market, order, by, DoneReason::Replaced);
            }
            return Ok((0, 0));
        }
        let book = &self.markets[market].book;
        if !replace.may_take && book.would_take(order.side, price) {
            return Err(RejectReason::WouldCross);
        }
        self.end_open(market, order.id, DoneReason::Replaced);
        let entrant = Entrant {
            id: order.id,
            account: order.account,
            label: order.label,
            side: order.side,
            kind: OrderKind::Limit(TimeInForce::Rest(order.resting)),
            price,
            filled: order.filled,
            remaining,
            self_trade: replace.self_trade,
        };
        let done = self.enter(market, &entrant);
        self.cascade(market, done.prices);
        Ok((done.fills, done.lots))
    }

    /// Whether free funds cover what the order needs beyond what it holds.
    fn check_difference(
        &self,
        market: usize,
        side: types::Side,
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
