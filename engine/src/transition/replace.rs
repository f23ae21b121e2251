//! An open order gets a new price and a new size, and keeps its id and label.

use matching::{ArmedOrder, RestingOrder};
use types::command::{OrderKind, Replace, Resting, TimeInForce};
use types::outcome::{DoneReason, EventRecord};
use types::{Atoms, BaseLots, RejectReason, Ticks};

use super::cancel::{Open, disarm, find, take_off};
use super::enter::{Entry, enter, shown};
use super::events::{self, Subject};
use super::place::{check_price, check_quantity, hold_armed};
use super::{Accepted, Context, needed};
use crate::view::{Funds, MarketView, StateView};

pub(super) fn replace<V: StateView>(
    view: &mut V,
    context: Context,
    replace: &Replace,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let mut market = view
        .market(replace.target.market())
        .ok_or(RejectReason::UnknownMarket)?;
    let open = find(market.state, context, replace.target).ok_or(RejectReason::OrderNotFound)?;
    check_price(replace.price)?;
    check_quantity(replace.quantity)?;
    match open {
        Open::Resting(order) => replace_resting(&mut market, context, &order, replace, events),
        Open::Armed(order) => replace_armed(&mut market, context, &order, replace, events),
    }
}

fn replace_resting<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &RestingOrder,
    replace: &Replace,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    if context.is_over(order.expires_at) {
        return Err(RejectReason::ExpiryInPast);
    }
    let remaining = replace
        .quantity
        .checked_sub(order.filled())
        .filter(|remaining| !remaining.is_zero())
        .ok_or(RejectReason::AlreadyFilled)?;
    if replace.price == order.price && remaining <= order.remaining {
        shrink(market, context, order, order.remaining - remaining, events);
        return Ok(Accepted::default());
    }
    let held = needed(market.spec, order.side, order.price, order.remaining).1;
    let (asset, amount) = needed(market.spec, order.side, replace.price, remaining);
    let missing = amount.checked_sub(held).unwrap_or(Atoms::ZERO);
    if !market.funds.covers(context.account, asset, missing) {
        return Err(RejectReason::InsufficientFunds);
    }
    if !market.state.book.crosses(order.side, replace.price) {
        requeue(market, context, order, (replace.price, remaining), events);
        return Ok(Accepted::default());
    }
    if !replace.may_take {
        return Err(RejectReason::WouldCross);
    }
    take_off(market, context, order, DoneReason::Replaced, events);
    let entry = Entry {
        market: replace.target.market(),
        order_id: order.order_id,
        account: order.account,
        client_order_id: order.client_order_id,
        side: order.side,
        kind: OrderKind::Limit(TimeInForce::Rest(Resting {
            expires_at: order.expires_at,
            display: order.display,
        })),
        price: replace.price,
        filled: order.filled(),
        quantity: remaining,
        self_trade: replace.self_trade,
    };
    Ok(enter(market, context, entry, events))
}

/// What would meet nobody need not leave the book to come back: most replaces go this way. To the
/// outside it did, so it is told and paid for like that.
fn requeue<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &RestingOrder,
    (price, remaining): (Ticks, BaseLots),
    events: &mut Vec<EventRecord>,
) {
    let (sequence, market_id) = (context.sequence, order.order_id.market());
    let moved = RestingOrder {
        price,
        quantity: order.filled() + remaining,
        remaining,
        shown: shown(order.display, remaining),
        ..*order
    };
    (market.state.book).requeue(order.order_id, price, remaining);
    let (asset, amount) = needed(market.spec, order.side, order.price, order.remaining);
    market.funds.release(order.account, asset, amount);
    let (asset, amount) = needed(market.spec, order.side, price, remaining);
    market.funds.hold(order.account, asset, amount);
    let subject = Subject::resting(market_id, order);
    let reason = DoneReason::Replaced;
    events.push(events::done_held(
        sequence,
        &subject,
        reason,
        order.remaining,
    ));
    events.push(events::rested(sequence, market_id, &moved));
}

/// The order keeps its place.
pub(super) fn shrink<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &RestingOrder,
    by: BaseLots,
    events: &mut Vec<EventRecord>,
) {
    if by.is_zero() {
        return;
    }
    let reduced = market.state.book.reduce(order.order_id, by);
    let reduced = reduced.expect("the order was found a moment ago");
    let (asset, amount) = needed(market.spec, order.side, order.price, by);
    market.funds.release(order.account, asset, amount);
    let subject = Subject::resting(order.order_id.market(), order);
    let sizes = (by, reduced.remaining);
    let event = events::reduced(context.sequence, &subject, DoneReason::Replaced, sizes);
    events.push(event);
}

/// An armed order has filled nothing; it is armed again under its id, with its trigger.
fn replace_armed<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &ArmedOrder,
    replace: &Replace,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let display = order.kind.resting().unwrap_or_default().display;
    if !display.is_zero() && display >= replace.quantity {
        return Err(RejectReason::InvalidDisplay);
    }
    if context.is_over(order.expires_at()) {
        return Err(RejectReason::ExpiryInPast);
    }
    let held = needed(market.spec, order.side, order.price, order.quantity).1;
    let (asset, amount) = needed(market.spec, order.side, replace.price, replace.quantity);
    let missing = amount.checked_sub(held).unwrap_or(Atoms::ZERO);
    if !market.funds.covers(context.account, asset, missing) {
        return Err(RejectReason::InsufficientFunds);
    }
    disarm(market, context, order, DoneReason::Replaced, events);
    let armed = ArmedOrder {
        price: replace.price,
        quantity: replace.quantity,
        ..*order
    };
    hold_armed(market, &armed);
    let market_id = order.order_id.market();
    events.push(events::armed(context.sequence, market_id, &armed));
    Ok(Accepted::default())
}
