//! The trigger book of one market: orders that wait for a price before they enter, and stops beside
//! orders that rest.
//!
//! Armed orders meet nobody and nobody meets them. Of a resting order only the id stands here, by
//! the price that its stop waits for. The engine asks after trades whom they set off
//! ([`Triggers::set_off`]), takes those out ([`Triggers::cancel`]) and lets them enter. Every
//! condition looks one way, at a price or above it or at a price or below it, so there is one
//! sorted list for each way, and whoever is not due is not looked at.
//!
//! [`NaiveTriggers`](crate::NaiveTriggers) is the oracle.

use std::collections::{BTreeMap, BTreeSet};

use crate::undo_log::UndoLog;
use types::command::{OrderKind, SelfTrade, Trigger, TriggerCondition};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

/// An order that waits for its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmedOrder {
    /// Ours, unique forever.
    pub order_id: OrderId,
    /// Who owns it.
    pub account: AccountId,
    /// The owner's label, or [`ClientOrderId::NONE`].
    pub client_order_id: ClientOrderId,
    /// Buys or sells.
    pub side: Side,
    /// How it may meet the book once it enters; if it may rest, this knows when it expires.
    pub kind: OrderKind,
    /// Its limit once it enters.
    pub price: Ticks,
    /// Its size.
    pub quantity: BaseLots,
    /// What to do on meeting an order of its own group.
    pub self_trade: SelfTrade,
    /// What it waits for.
    pub trigger: Trigger,
}

impl ArmedOrder {
    /// Till which logged time it may wait; zero: for ever.
    pub fn expires_at(&self) -> LogTime {
        self.kind
            .resting()
            .map_or(LogTime::ZERO, |resting| resting.expires_at)
    }
}

/// The armed orders of one market.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    orders: BTreeMap<OrderId, ArmedOrder>,
    /// Those that wait for a price at or above theirs, by that price.
    rising: BTreeSet<(Ticks, OrderId)>,
    /// Those that wait for a price at or below theirs, by that price.
    falling: BTreeSet<(Ticks, OrderId)>,
    /// Those that expire, by when.
    expiring: BTreeSet<(LogTime, OrderId)>,
    by_label: BTreeMap<(AccountId, ClientOrderId), OrderId>,
    /// No account without orders stands here.
    by_account: BTreeMap<AccountId, BTreeSet<OrderId>>,
    /// By side, the stops beside resting orders, by the price that they wait for.
    stops: [BTreeSet<(Ticks, OrderId)>; 2],
    /// What it takes to go back, if that was asked for.
    undo: UndoLog<Change>,
}

/// What it takes to take back one change.
#[derive(Clone, Debug)]
enum Change {
    Armed(OrderId),
    /// Boxed, for the other changes are small.
    Disarmed(Box<ArmedOrder>),
    Attached(Stop),
    Detached(Stop),
}

/// The stop beside a resting order.
#[derive(Clone, Copy, Debug)]
struct Stop {
    order_id: OrderId,
    side: Side,
    trigger: Ticks,
}

impl Triggers {
    /// No armed orders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a trade at `last` satisfies the condition of an order of this side.
    pub fn is_satisfied(trigger: &Trigger, side: Side, last: Ticks) -> bool {
        if rises(trigger, side) {
            trigger.price <= last
        } else {
            last <= trigger.price
        }
    }

    /// Lets an order wait. Panics if its id or its label is armed already.
    pub fn arm(&mut self, order: &ArmedOrder) {
        let (order_id, account) = (order.order_id, order.account);
        let earlier = self.orders.insert(order_id, *order);
        assert_eq!(earlier, None, "ids are unique");
        self.waiting(order).insert((order.trigger.price, order_id));
        self.by_account.entry(account).or_default().insert(order_id);
        if !order.client_order_id.is_none() {
            let label = (account, order.client_order_id);
            let earlier = self.by_label.insert(label, order_id);
            assert_eq!(earlier, None, "labels are unique among an account's orders");
        }
        if order.expires_at() != LogTime::ZERO {
            self.expiring.insert((order.expires_at(), order_id));
        }
        if self.undo.is_on() {
            self.undo.push(Change::Armed(order_id));
        }
    }

    /// From here on a trade may set off the stop beside this resting order of a side. Panics if it
    /// has one.
    pub fn attach(&mut self, order_id: OrderId, side: Side, trigger: Ticks) {
        let is_new = self.stops[side as usize].insert((trigger, order_id));
        assert!(is_new, "an order has one stop");
        if self.undo.is_on() {
            self.undo.push(Change::Attached(Stop {
                order_id,
                side,
                trigger,
            }));
        }
    }

    /// No trade sets off the stop beside this resting order any more. Returns whether one would
    /// have.
    pub fn detach(&mut self, order_id: OrderId, side: Side, trigger: Ticks) -> bool {
        let was_there = self.stops[side as usize].remove(&(trigger, order_id));
        if was_there && self.undo.is_on() {
            self.undo.push(Change::Detached(Stop {
                order_id,
                side,
                trigger,
            }));
        }
        was_there
    }

    /// How many stops are beside resting orders.
    pub fn stop_count(&self) -> usize {
        self.stops.iter().map(BTreeSet::len).sum()
    }

    /// Appends to `out` every order, armed or resting with a stop beside it, whose condition is met
    /// by some trade, where `lowest` and `highest` are the lowest and the highest price of them; in
    /// the order of their ids. They wait on.
    pub fn set_off(&self, lowest: Ticks, highest: Ticks, out: &mut Vec<OrderId>) {
        assert!(lowest <= highest);
        let start = out.len();
        let risen = self.rising.range(..=(highest, LAST_ID));
        let fallen = self.falling.range((lowest, FIRST_ID)..);
        let [bids, asks] = &self.stops;
        let stops_risen = bids.range(..=(highest, LAST_ID));
        let stops_fallen = asks.range((lowest, FIRST_ID)..);
        let due = risen.chain(fallen).chain(stops_risen).chain(stops_fallen);
        out.extend(due.map(|(_, order_id)| order_id));
        out[start..].sort_unstable();
    }

    /// Takes one order away and returns it.
    pub fn cancel(&mut self, order_id: OrderId) -> Option<ArmedOrder> {
        let order = self.orders.remove(&order_id)?;
        self.waiting(&order)
            .remove(&(order.trigger.price, order_id));
        if let Some(mine) = self.by_account.get_mut(&order.account) {
            mine.remove(&order_id);
            if mine.is_empty() {
                self.by_account.remove(&order.account);
            }
        }
        self.by_label
            .remove(&(order.account, order.client_order_id));
        self.expiring.remove(&(order.expires_at(), order_id));
        if self.undo.is_on() {
            self.undo.push(Change::Disarmed(Box::new(order)));
        }
        Some(order)
    }

    /// Takes orders of the account away: all, or those of one side, or those whose limit is from
    /// the first price to the second, both included; by id. `on_cancel` is told each. Returns how
    /// many.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
        mut on_cancel: impl FnMut(&ArmedOrder),
    ) -> u32 {
        let mine = self.by_account.get(&account);
        let in_scope: Vec<OrderId> = mine
            .into_iter()
            .flatten()
            .map(|order_id| &self.orders[order_id])
            .filter(|order| side.is_none_or(|side| order.side == side))
            .filter(|order| {
                prices.is_none_or(|(lowest, highest)| (lowest..=highest).contains(&order.price))
            })
            .map(|order| order.order_id)
            .collect();
        for order_id in &in_scope {
            let order = self.cancel(*order_id);
            on_cancel(&order.expect("it was listed a moment ago"));
        }
        in_scope.len() as u32
    }

    /// When the next order expires; `None` if none does.
    pub fn next_expiry(&self) -> Option<LogTime> {
        self.expiring.first().map(|(expires_at, _)| *expires_at)
    }

    /// Takes orders whose time is over away, at most `max`: by their time, then by id. `on_expire`
    /// is told each. Returns how many.
    pub fn expire(
        &mut self,
        now: LogTime,
        max: u32,
        mut on_expire: impl FnMut(&ArmedOrder),
    ) -> u32 {
        let mut expired = 0;
        while expired < max
            && let Some((expires_at, order_id)) = self.expiring.first().copied()
            && expires_at <= now
        {
            let order = self.cancel(order_id);
            on_expire(&order.expect("who has a deadline is armed"));
            expired += 1;
        }
        expired
    }

    /// The armed order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<ArmedOrder> {
        self.orders.get(&order_id).copied()
    }

    /// The account's armed order with this label. No label finds nothing.
    pub fn labelled(&self, account: AccountId, client_order_id: ClientOrderId) -> Option<OrderId> {
        self.by_label.get(&(account, client_order_id)).copied()
    }

    /// The same, and all that there is to know of it.
    pub fn labelled_order(
        &self,
        account: AccountId,
        client_order_id: ClientOrderId,
    ) -> Option<ArmedOrder> {
        self.order(self.labelled(account, client_order_id)?)
    }

    /// The account's armed orders, by id.
    pub fn orders_of(&self, account: AccountId) -> impl Iterator<Item = ArmedOrder> + '_ {
        let mine = self.by_account.get(&account).into_iter().flatten();
        mine.map(|order_id| self.orders[order_id])
    }

    /// How many orders of the account are armed.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        let mine = self.by_account.get(&account);
        mine.map_or(0, |mine| mine.len() as u32)
    }

    /// How many orders are armed.
    pub fn len(&self) -> u32 {
        self.orders.len() as u32
    }

    /// Whether no order is armed.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The armed orders, by id.
    pub fn orders(&self) -> impl Iterator<Item = ArmedOrder> + '_ {
        self.orders.values().copied()
    }

    /// From here on every change is recorded, so that it can be undone. Panics if that is so already.
    pub fn begin_undo(&mut self) {
        self.undo.begin();
    }

    /// The position in the log, to come back to. Panics unless changes are recorded.
    pub fn undo_mark(&self) -> usize {
        self.undo.mark()
    }

    /// Undoes everything after the mark, newest first. Later marks are gone with it, this one stays.
    pub fn undo_to(&mut self, mark: usize) {
        // Without the log nothing of this is recorded.
        let mut undo = std::mem::take(&mut self.undo);
        while let Some(change) = undo.pop_after(mark) {
            let is_undone = match change {
                Change::Armed(order_id) => self.cancel(order_id).is_some(),
                Change::Disarmed(order) => {
                    self.arm(&order);
                    true
                }
                Change::Attached(stop) => self.detach(stop.order_id, stop.side, stop.trigger),
                Change::Detached(stop) => {
                    self.attach(stop.order_id, stop.side, stop.trigger);
                    true
                }
            };
            assert!(is_undone, "everything is as it was right after the change");
        }
        self.undo = undo;
    }

    /// Forgets all changes and records no more. The log's memory is kept for the next time.
    pub fn end_undo(&mut self) {
        self.undo.end();
    }

    /// Panics unless every list knows exactly the orders that it should.
    pub fn assert_invariants(&self) {
        let count = |is_counted: fn(&ArmedOrder) -> bool| {
            let counted = self.orders.values().filter(|order| is_counted(order));
            counted.count()
        };
        assert_eq!(self.rising.len() + self.falling.len(), self.orders.len());
        let owned = self.by_account.values().map(BTreeSet::len);
        assert_eq!(owned.sum::<usize>(), self.orders.len());
        assert!(self.by_account.values().all(|mine| !mine.is_empty()));
        assert_eq!(
            self.by_label.len(),
            count(|order| !order.client_order_id.is_none())
        );
        assert_eq!(
            self.expiring.len(),
            count(|order| order.expires_at() != LogTime::ZERO)
        );
        for (order_id, order) in &self.orders {
            assert_eq!(*order_id, order.order_id);
            let waiting = if rises(&order.trigger, order.side) {
                &self.rising
            } else {
                &self.falling
            };
            assert!(waiting.contains(&(order.trigger.price, *order_id)));
            assert!(self.by_account[&order.account].contains(order_id));
            if !order.client_order_id.is_none() {
                let label = self.labelled(order.account, order.client_order_id);
                assert_eq!(label, Some(*order_id));
            }
            if order.expires_at() != LogTime::ZERO {
                assert!(self.expiring.contains(&(order.expires_at(), *order_id)));
            }
        }
    }

    /// The list that the order waits in.
    fn waiting(&mut self, order: &ArmedOrder) -> &mut BTreeSet<(Ticks, OrderId)> {
        if rises(&order.trigger, order.side) {
            &mut self.rising
        } else {
            &mut self.falling
        }
    }
}

/// Whether the price has to come from below.
fn rises(trigger: &Trigger, side: Side) -> bool {
    match trigger.condition {
        TriggerCondition::Stop => side == Side::Bid,
        TriggerCondition::TakeProfit => side == Side::Ask,
    }
}

const FIRST_ID: OrderId = OrderId::new(0);
const LAST_ID: OrderId = OrderId::new(u64::MAX);
