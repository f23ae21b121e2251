//! The oracle of the trigger book: a list of orders in the order in which they were armed, searched
//! from end to end. It shares no code with [`crate::Triggers`]. For tests only.

use types::command::{Trigger, TriggerCondition};
use types::{AccountId, ClientOrderId, LogTime, OrderId, Side, Ticks};

use crate::triggers::ArmedOrder;

/// One market's armed orders. Every method means what it means in [`crate::Triggers`].
#[derive(Clone, Debug, Default)]
pub struct NaiveTriggers {
    armed: Vec<ArmedOrder>,
    stops: Vec<(OrderId, Side, Ticks)>,
}

impl NaiveTriggers {
    /// No armed orders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a trade at `last` satisfies the condition of an order of this side.
    pub fn is_satisfied(trigger: &Trigger, side: Side, last: Ticks) -> bool {
        match (trigger.condition, side) {
            (TriggerCondition::Stop, Side::Bid) => last >= trigger.price,
            (TriggerCondition::Stop, Side::Ask) => last <= trigger.price,
            (TriggerCondition::TakeProfit, Side::Bid) => last <= trigger.price,
            (TriggerCondition::TakeProfit, Side::Ask) => last >= trigger.price,
        }
    }

    /// Lets an order wait.
    pub fn arm(&mut self, order: &ArmedOrder) {
        assert_eq!(self.order(order.order_id), None);
        assert_eq!(self.labelled(order.account, order.client_order_id), None);
        self.armed.push(*order);
    }

    /// From here on a trade may set off the stop beside this resting order.
    pub fn attach(&mut self, order_id: OrderId, side: Side, trigger: Ticks) {
        assert!(!self.stops.contains(&(order_id, side, trigger)));
        self.stops.push((order_id, side, trigger));
    }

    /// No trade sets it off any more.
    pub fn detach(&mut self, order_id: OrderId, side: Side, trigger: Ticks) -> bool {
        let before = self.stops.len();
        self.stops.retain(|stop| *stop != (order_id, side, trigger));
        self.stops.len() < before
    }

    /// How many stops are beside resting orders.
    pub fn stop_count(&self) -> usize {
        self.stops.len()
    }

    /// Appends every order that a trade at `lowest` or one at `highest` sets off, by id.
    pub fn set_off(&self, lowest: Ticks, highest: Ticks, out: &mut Vec<OrderId>) {
        let met = |order: &ArmedOrder| {
            let mut prices = [lowest, highest].into_iter();
            prices.any(|price| Self::is_satisfied(&order.trigger, order.side, price))
        };
        let start = out.len();
        out.extend(self.orders().filter(met).map(|order| order.order_id));
        for (order_id, side, trigger) in &self.stops {
            let is_met = match side {
                Side::Bid => highest >= *trigger,
                Side::Ask => lowest <= *trigger,
            };
            if is_met {
                out.push(*order_id);
            }
        }
        out[start..].sort();
    }

    /// Takes one order away and returns it.
    pub fn cancel(&mut self, order_id: OrderId) -> Option<ArmedOrder> {
        let order = self.order(order_id)?;
        self.armed.retain(|other| other.order_id != order_id);
        Some(order)
    }

    /// Takes the account's orders in scope away, by id.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
        mut on_cancel: impl FnMut(&ArmedOrder),
    ) -> u32 {
        let is_in_scope = |order: &ArmedOrder| {
            order.account == account
                && side.is_none_or(|side| order.side == side)
                && prices.is_none_or(|(low, high)| low <= order.price && order.price <= high)
        };
        let in_scope: Vec<ArmedOrder> = self.orders().filter(is_in_scope).collect();
        self.armed.retain(|order| !is_in_scope(order));
        in_scope.iter().for_each(&mut on_cancel);
        in_scope.len() as u32
    }

    /// Takes at most `max` orders whose time is over away, by their time, then by id.
    pub fn expire(
        &mut self,
        now: LogTime,
        max: u32,
        mut on_expire: impl FnMut(&ArmedOrder),
    ) -> u32 {
        let is_over =
            |order: &ArmedOrder| order.expires_at() != LogTime::ZERO && order.expires_at() <= now;
        let mut over: Vec<ArmedOrder> = self.orders().filter(is_over).collect();
        over.sort_by_key(|order| order.expires_at());
        over.truncate(max as usize);
        for order in &over {
            self.cancel(order.order_id);
            on_expire(order);
        }
        over.len() as u32
    }

    /// The armed order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<ArmedOrder> {
        self.orders().find(|order| order.order_id == order_id)
    }

    /// The account's armed order with this label.
    pub fn labelled(&self, account: AccountId, client_order_id: ClientOrderId) -> Option<OrderId> {
        self.orders()
            .filter(|_| !client_order_id.is_none())
            .find(|order| order.account == account && order.client_order_id == client_order_id)
            .map(|order| order.order_id)
    }

    /// How many orders of the account are armed.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        let mine = self.armed.iter().filter(|order| order.account == account);
        mine.count() as u32
    }

    /// How many orders are armed.
    pub fn len(&self) -> u32 {
        self.armed.len() as u32
    }

    /// Whether no order is armed.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// The armed orders, by id.
    pub fn orders(&self) -> impl Iterator<Item = ArmedOrder> + '_ {
        let mut orders = self.armed.clone();
        orders.sort_by_key(|order| order.order_id);
        orders.into_iter()
    }
}
