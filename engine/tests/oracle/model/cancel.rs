//! Cancels: of one order, of a label yet to come, of all in a scope.

use types::command::{Cancel, CancelScope, OrderTarget};
use types::limits::REMEMBERED_CANCELS_MAX;
use types::outcome::DoneReason;
use types::{ClientOrderId, OrderId, RejectReason, Side};

use super::exchange::{Answer, Exchange, Market};

impl Exchange {
    pub(crate) fn cancel(&mut self, cancel: &Cancel) -> Answer {
        let market = self.known(cancel.target().market())?;
        let (open, label) = match cancel.target() {
            OrderTarget::Order(id) => {
                let open = Some(id).filter(|id| self.is_mine(market, *id));
                (open, ClientOrderId::NONE)
            }
            OrderTarget::Client {
                client_order_id, ..
            } => (self.labelled(market, client_order_id), client_order_id),
        };
        if let Some(id) = open {
            let lots = self.end_open(market, id, DoneReason::Cancelled);
            return Ok((1, lots));
        }
        match cancel.remember_until().get() {
            0 => Err(RejectReason::OrderNotFound),
            _ if label.is_none() => Err(RejectReason::OrderNotFound),
            until => self.remember(market, label, until),
        }
    }

    fn remember(&mut self, market: usize, label: ClientOrderId, until: u64) -> Answer {
        if until <= self.now {
            return Err(RejectReason::ExpiryInPast);
        }
        let now = self.now;
        let mine = self.work.account;
        let remembered = &mut self.markets[market].remembered;
        let others = remembered.iter().filter(|((account, other), until)| {
            *account == mine && *other != label && now <= **until
        });
        if others.count() >= REMEMBERED_CANCELS_MAX {
            return Err(RejectReason::TooManyRemembered);
        }
        remembered.insert((mine, label), until);
        Ok((0, 0))
    }

    pub(crate) fn cancel_all(&mut self, scope: &CancelScope) -> Answer {
        let markets = match scope.market {
            Some(market) => {
                let market = self.known(market)?;
                market..market + 1
            }
            None => 0..self.markets.len(),
        };
        if scope
            .prices
            .is_some_and(|prices| scope.market.is_none() || prices.is_empty())
        {
            return Err(RejectReason::InvalidPriceRange);
        }
        let mut cancelled = 0;
        for market in markets {
            for id in self.in_scope(market, scope) {
                self.end_open(market, id, DoneReason::Cancelled);
                cancelled += 1;
            }
        }
        Ok((cancelled, 0))
    }

    /// The account's orders in a scope: those that rest by arrival, then those that are armed by id.
    fn in_scope(&self, market: usize, scope: &CancelScope) -> Vec<OrderId> {
        let includes = |side: Side, price: u64| {
            scope.side.is_none_or(|wanted| wanted == side)
                && scope.prices.is_none_or(|prices| {
                    (prices.low().get()..=prices.high().get()).contains(&price)
                })
        };
        let mine = self.work.account;
        let Market { book, armed, .. } = &self.markets[market];
        let mut resting: Vec<_> = book
            .all()
            .filter(|order| order.account == mine && includes(order.side, order.price))
            .map(|order| (order.arrival, order.id))
            .collect();
        resting.sort_unstable();
        let armed = armed
            .values()
            .filter(|order| order.account == mine && includes(order.side, order.price))
            .map(|order| order.id);
        resting.into_iter().map(|(_, id)| id).chain(armed).collect()
    }
}
