//! Operations on a trigger book and on its oracle: every answer must be the same.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};

use crate::{Reached, agreed, draw};
use matching::{ArmedOrder, NaiveTriggers, Triggers};
use types::command::{OrderKind, SelfTrade, Trigger};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

/// What the corpus must reach.
pub const REACHES: &[&str] = &[
    "armed",
    "set off",
    "cancelled",
    "all cancelled",
    "expired",
    "two set off",
    "stop attached",
    "stop detached",
    "stop set off",
];

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Operation {
    /// An order is armed if it may be.
    Arm(Order),
    /// Trades between two prices; who is set off is taken out, or stays.
    Trade {
        #[arbitrary(with = draw::price)]
        one: Ticks,
        #[arbitrary(with = draw::price)]
        other: Ticks,
        is_taken_out: bool,
    },
    /// An order is cancelled.
    Cancel(#[arbitrary(with = draw::order_id)] OrderId),
    /// An account's orders in a scope are cancelled.
    CancelAll {
        #[arbitrary(with = draw::account)]
        account: AccountId,
        #[arbitrary(with = draw::sides)]
        side: Option<Side>,
        #[arbitrary(with = draw::prices)]
        prices: Option<(Ticks, Ticks)>,
    },
    /// Time goes on.
    Expire {
        #[arbitrary(with = draw::time)]
        now: LogTime,
        #[arbitrary(with = draw::count)]
        max: u32,
    },
    /// A resting order comes with a stop beside it.
    Attach {
        #[arbitrary(with = draw::order_id)]
        order_id: OrderId,
        #[arbitrary(with = draw::side)]
        side: Side,
        #[arbitrary(with = draw::price)]
        trigger: Ticks,
    },
    /// It leaves, with the stop beside it if it has one.
    Detach(#[arbitrary(with = draw::order_id)] OrderId),
}

/// An order to arm.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Order {
    #[arbitrary(with = draw::order_id)]
    order_id: OrderId,
    #[arbitrary(with = draw::account)]
    account: AccountId,
    #[arbitrary(with = draw::label)]
    label: ClientOrderId,
    #[arbitrary(with = draw::side)]
    side: Side,
    #[arbitrary(with = draw::kind)]
    kind: OrderKind,
    #[arbitrary(with = draw::any_price)]
    price: Ticks,
    #[arbitrary(with = draw::any_lots)]
    quantity: BaseLots,
    #[arbitrary(with = draw::self_trade)]
    self_trade: SelfTrade,
    #[arbitrary(with = draw::trigger)]
    trigger: Trigger,
}

/// Runs one input.
pub fn run(input: &[u8]) -> Reached {
    let mut source = Unstructured::new(input);
    let mut pair = Pair::default();
    while !source.is_empty()
        && let Ok(operation) = source.arbitrary()
    {
        pair.apply(operation);
        pair.assert_same();
        pair.triggers.assert_invariants();
    }
    pair.reached
}

/// The trigger book and its oracle.
#[derive(Default)]
struct Pair {
    triggers: Triggers,
    naive: NaiveTriggers,
    /// The stops beside resting orders.
    stops: BTreeMap<OrderId, (Side, Ticks)>,
    reached: Reached,
}

impl Pair {
    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Arm(order) => self.arm(&ArmedOrder {
                order_id: order.order_id,
                account: order.account,
                client_order_id: order.label,
                side: order.side,
                kind: order.kind,
                price: order.price,
                quantity: order.quantity,
                self_trade: order.self_trade,
                trigger: order.trigger,
            }),
            Operation::Trade {
                one,
                other,
                is_taken_out,
            } => self.trade((one.min(other), one.max(other)), is_taken_out),
            Operation::Cancel(order_id) => {
                let cancelled = self.cancel(order_id);
                self.reach(cancelled.is_some(), "cancelled");
            }
            Operation::CancelAll {
                account,
                side,
                prices,
            } => self.cancel_all(account, side, prices),
            Operation::Expire { now, max } => self.expire(now, max),
            Operation::Attach {
                order_id,
                side,
                trigger,
            } => self.attach(order_id, side, trigger),
            Operation::Detach(order_id) => self.detach(order_id),
        }
    }

    /// No order is armed and rests.
    fn is_new(&self, order_id: OrderId) -> bool {
        self.naive.order(order_id).is_none() && !self.stops.contains_key(&order_id)
    }

    fn arm(&mut self, order: &ArmedOrder) {
        let labelled = self.naive.labelled(order.account, order.client_order_id);
        if self.is_new(order.order_id) && labelled.is_none() {
            self.triggers.arm(order);
            self.naive.arm(order);
            self.reach(true, "armed");
        }
    }

    fn trade(&mut self, (lowest, highest): (Ticks, Ticks), is_taken_out: bool) {
        for order in self.naive.orders() {
            agreed(
                Triggers::is_satisfied(&order.trigger, order.side, lowest),
                NaiveTriggers::is_satisfied(&order.trigger, order.side, lowest),
            );
        }
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        self.triggers.set_off(lowest, highest, &mut fast);
        self.naive.set_off(lowest, highest, &mut naive);
        let due = agreed(fast, naive);
        self.reach(!due.is_empty(), "set off");
        self.reach(due.len() > 1, "two set off");
        for order_id in due {
            let is_stop = self.stops.contains_key(&order_id);
            self.reach(is_stop, "stop set off");
            match is_taken_out {
                true if is_stop => self.detach(order_id),
                true => assert!(self.cancel(order_id).is_some(), "who is due is armed"),
                false => {}
            }
        }
    }

    fn attach(&mut self, order_id: OrderId, side: Side, trigger: Ticks) {
        if self.is_new(order_id) {
            self.triggers.attach(order_id, side, trigger);
            self.naive.attach(order_id, side, trigger);
            self.stops.insert(order_id, (side, trigger));
            self.reach(true, "stop attached");
        }
    }

    /// Whoever has no stop is asked for as well.
    fn detach(&mut self, order_id: OrderId) {
        let stop = self.stops.remove(&order_id);
        let (side, trigger) = stop.unwrap_or((Side::Bid, Ticks::new(100)));
        let was_attached = agreed(
            self.triggers.detach(order_id, side, trigger),
            self.naive.detach(order_id, side, trigger),
        );
        assert_eq!(was_attached, stop.is_some());
        self.reach(was_attached, "stop detached");
    }

    fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
    ) {
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        agreed(
            (self.triggers).cancel_all(account, side, prices, |order| fast.push(*order)),
            (self.naive).cancel_all(account, side, prices, |order| naive.push(*order)),
        );
        let cancelled = agreed(fast, naive);
        self.reach(!cancelled.is_empty(), "all cancelled");
    }

    fn expire(&mut self, now: LogTime, max: u32) {
        let [mut fast, mut naive] = [Vec::new(), Vec::new()];
        agreed(
            (self.triggers).expire(now, max, |order| fast.push(*order)),
            (self.naive).expire(now, max, |order| naive.push(*order)),
        );
        let expired = agreed(fast, naive);
        self.reach(!expired.is_empty(), "expired");
    }

    fn cancel(&mut self, order_id: OrderId) -> Option<ArmedOrder> {
        agreed(self.triggers.cancel(order_id), self.naive.cancel(order_id))
    }

    fn reach(&mut self, happened: bool, what: &'static str) {
        if happened {
            self.reached.insert(what);
        }
    }

    fn assert_same(&self) {
        let (triggers, naive) = (&self.triggers, &self.naive);
        agreed(triggers.len(), naive.len());
        agreed(triggers.is_empty(), naive.is_empty());
        let stop_count = agreed(triggers.stop_count(), naive.stop_count());
        assert_eq!(stop_count, self.stops.len());
        let orders: Vec<ArmedOrder> = naive.orders().collect();
        agreed(triggers.orders().collect(), orders.clone());
        let expiries = orders.iter().map(ArmedOrder::expires_at);
        let next_expiry = expiries.filter(|time| *time != LogTime::ZERO).min();
        agreed(triggers.next_expiry(), next_expiry);
        for order in orders {
            let (account, label) = (order.account, order.client_order_id);
            agreed(triggers.order(order.order_id), Some(order));
            agreed(
                triggers.labelled(account, label),
                naive.labelled(account, label),
            );
        }
        for account in (0..draw::ACCOUNTS).map(AccountId::new) {
            agreed(triggers.open_orders(account), naive.open_orders(account));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trigger book that has lost an order is found out.
    #[test]
    fn a_planted_difference_is_found() {
        let mut pair = Pair::default();
        pair.arm(&ArmedOrder {
            order_id: OrderId::new(1),
            account: AccountId::new(0),
            client_order_id: ClientOrderId::NONE,
            side: Side::Bid,
            kind: OrderKind::GTC,
            price: Ticks::new(5),
            quantity: BaseLots::new(5),
            self_trade: SelfTrade::Allow,
            trigger: Trigger {
                condition: types::command::TriggerCondition::Stop,
                price: Ticks::new(5),
            },
        });
        pair.assert_same();
        pair.triggers.cancel(OrderId::new(1));
        let compared = std::panic::AssertUnwindSafe(|| pair.assert_same());
        assert!(std::panic::catch_unwind(compared).is_err());
    }
}
