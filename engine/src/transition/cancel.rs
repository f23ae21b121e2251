//! Orders are taken off by their owner: one, or all in a scope; the resting ones before the armed.

use matching::{ArmedOrder, RestingOrder, Triggers};
use types::command::{Cancel, CancelScope, OrderTarget};
use types::genesis::MarketSpec;
use types::outcome::{DoneReason, EventRecord};
use types::planted::{Bug, is_planted, toss};
use types::{BaseLots, LogTime, MarketId, RejectReason, SequenceNumber};

use super::events::{self, Subject};
use super::{Accepted, Context, held};
use crate::market::MarketState;
use crate::view::{Funds, MarketView, StateView};

pub(super) fn cancel<V: StateView>(
    view: &mut V,
    context: Context,
    cancel: Cancel,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let target = cancel.target();
    let mut market = view
        .market(target.market())
        .ok_or(RejectReason::UnknownMarket)?;
    match find(market.state, context, target) {
        Some(Open::Resting(order)) => Ok(cancel_resting(&mut market, context, &order, events)),
        Some(Open::Armed(order)) => Ok(cancel_armed(&mut market, context, &order, events)),
        None => remember(market.state, context, cancel),
    }
}

/// An open order of the account that asks.
pub(super) enum Open {
    Resting(RestingOrder),
    Armed(ArmedOrder),
}

/// Looks an order up; only its owner finds it.
pub(super) fn find(state: &MarketState, context: Context, target: OrderTarget) -> Option<Open> {
    let account = context.account;
    let MarketState { book, triggers, .. } = state;
    let (resting, armed) = match target {
        OrderTarget::Order(order_id) => (book.order(order_id), triggers.order(order_id)),
        OrderTarget::Client {
            client_order_id, ..
        } => (
            book.labelled_order(account, client_order_id),
            triggers.labelled_order(account, client_order_id),
        ),
    };
    let resting = resting.filter(|order| order.account == account);
    let armed = armed.filter(|order| order.account == account);
    resting
        .map(Open::Resting)
        .or_else(|| armed.map(Open::Armed))
}

fn cancel_resting<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &RestingOrder,
    events: &mut Vec<EventRecord>,
) -> Accepted {
    take_off(market, context, order, DoneReason::Cancelled, events);
    Accepted {
        affected: 1,
        lots: order.remaining,
    }
}

/// Takes an order off the book, whatever the reason, and ends its hold.
pub(super) fn take_off<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &RestingOrder,
    reason: DoneReason,
    events: &mut Vec<EventRecord>,
) {
    take_off_silently(market, order);
    let subject = Subject::resting(order.order_id.market(), order);
    let done = events::done_held(context.sequence, &subject, reason, order.remaining);
    events.push(done);
}

/// Takes an order off the book and ends its hold. What is told of it is the caller's.
pub(super) fn take_off_silently<F: Funds>(market: &mut MarketView<'_, F>, order: &RestingOrder) {
    let rested = market.state.book.discard(order.order_id);
    assert!(rested, "the order was found a moment ago");
    market.state.indicative.is_stale = true;
    let triggers = &mut market.state.triggers;
    let_go(market.spec, triggers, market.funds, order);
}

fn cancel_armed<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &ArmedOrder,
    events: &mut Vec<EventRecord>,
) -> Accepted {
    disarm(market, context, order, DoneReason::Cancelled, events);
    Accepted {
        affected: 1,
        lots: order.quantity,
    }
}

/// Disarms an order, whatever the reason, and ends its hold.
pub(super) fn disarm<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &ArmedOrder,
    reason: DoneReason,
    events: &mut Vec<EventRecord>,
) {
    let removed = market.state.triggers.cancel(order.order_id);
    assert!(removed.is_some(), "the order was found a moment ago");
    let_go_armed(market.spec, market.funds, order);
    let subject = Subject::armed(order.order_id.market(), order);
    let done = events::done_held(context.sequence, &subject, reason, order.quantity);
    events.push(done);
}

/// An order that is not open: refused, unless its label is to be remembered.
fn remember(
    state: &mut MarketState,
    context: Context,
    cancel: Cancel,
) -> Result<Accepted, RejectReason> {
    let Cancel::Client {
        client_order_id,
        remember_until,
        ..
    } = cancel
    else {
        return Err(RejectReason::OrderNotFound);
    };
    // No label is no order's: remembering it would refuse every unlabelled order.
    if remember_until == LogTime::ZERO || client_order_id.is_none() {
        return Err(RejectReason::OrderNotFound);
    }
    if remember_until <= context.now {
        return Err(RejectReason::ExpiryInPast);
    }
    let (account, remembered) = (context.account, &mut state.remembered);
    if !remembered.has_room(account, client_order_id, context.now) {
        return Err(RejectReason::TooManyRemembered);
    }
    remembered.remember(account, client_order_id, remember_until);
    Ok(Accepted::default())
}

/// Markets in the order of their ids; within a market resting orders oldest first, then armed ones.
pub(super) fn cancel_all<V: StateView>(
    view: &mut V,
    context: Context,
    scope: CancelScope,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    cancel_all_for(view, context, scope, DoneReason::Cancelled, events)
}

/// The same, whatever the reason.
pub(super) fn cancel_all_for<V: StateView>(
    view: &mut V,
    context: Context,
    scope: CancelScope,
    reason: DoneReason,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let markets = match scope.market {
        Some(market) if market.get() >= view.market_count() => {
            return Err(RejectReason::UnknownMarket);
        }
        Some(market) => market.get()..market.get() + 1,
        None => 0..view.market_count(),
    };
    if let Some(prices) = scope.prices
        && (prices.high() < prices.low() || scope.market.is_none())
    {
        return Err(RejectReason::InvalidPriceRange);
    }
    let mut affected = 0;
    for id in markets.map(MarketId::new) {
        let mut market = view.market(id).expect("compared with the count");
        let end = End {
            market: id,
            sequence: context.sequence,
            reason,
        };
        affected += cancel_in_market(&mut market, context, end, scope, events);
    }
    Ok(Accepted {
        affected,
        lots: BaseLots::ZERO,
    })
}

fn cancel_in_market<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    end: End,
    scope: CancelScope,
    events: &mut Vec<EventRecord>,
) -> u32 {
    let MarketView {
        spec, state, funds, ..
    } = market;
    let (account, side) = (context.account, scope.side);
    let prices = scope.prices.map(|prices| (prices.low(), prices.high()));
    let MarketState { book, triggers, .. } = &mut **state;
    let told = events.len();
    let resting = book.cancel_all(account, side, prices, |order| {
        events.push(end.resting(spec, triggers, *funds, order));
    });
    if is_planted(Bug::ArbitraryOrder) && toss() {
        events[told..].reverse();
    }
    let armed = state.triggers.cancel_all(account, side, prices, |order| {
        events.push(end.armed(spec, *funds, order));
    });
    state.indicative.is_stale |= resting > 0;
    resting + armed
}

/// How and where open orders end that have just left the book or the triggers without filling.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) market: MarketId,
    pub(super) sequence: SequenceNumber,
    pub(super) reason: DoneReason,
}

impl End {
    /// Ends the hold of an order that rested; returns what is told of it.
    pub(super) fn resting<F: Funds>(
        self,
        spec: &MarketSpec,
        triggers: &mut Triggers,
        funds: &mut F,
        order: &RestingOrder,
    ) -> EventRecord {
        let_go(spec, triggers, funds, order);
        let subject = Subject::resting(self.market, order);
        events::done_held(self.sequence, &subject, self.reason, order.remaining)
    }

    /// Ends the hold of an order that was armed; returns what is told of it.
    pub(super) fn armed<F: Funds>(
        self,
        spec: &MarketSpec,
        funds: &mut F,
        order: &ArmedOrder,
    ) -> EventRecord {
        let_go_armed(spec, funds, order);
        let subject = Subject::armed(self.market, order);
        events::done_held(self.sequence, &subject, self.reason, order.quantity)
    }
}

/// Ends the hold of an order that leaves its book without filling, and its stop with it.
pub(super) fn let_go<F: Funds>(
    spec: &MarketSpec,
    triggers: &mut Triggers,
    funds: &mut F,
    order: &RestingOrder,
) {
    let terms = (order.price, order.stop);
    let (asset, amount) = held(spec, order.side, terms, order.remaining);
    funds.release(order.account, asset, amount);
    if is_planted(Bug::HoldReleasedTwice) {
        funds.release(order.account, asset, amount);
    }
    funds.order_closed(order.account);
    if let Some(stop) = order.stop {
        triggers.detach(order.order_id, order.side, stop.trigger);
    }
}

/// Ends the hold of an armed order.
pub(super) fn let_go_armed<F: Funds>(spec: &MarketSpec, funds: &mut F, order: &ArmedOrder) {
    let stop = order.kind.resting().unwrap_or_default().stop;
    let (asset, amount) = held(spec, order.side, (order.price, stop), order.quantity);
    funds.release(order.account, asset, amount);
    funds.order_closed(order.account);
}
