//! An open order gets a new price and a new size, and keeps its id and label.

use matching::{ArmedOrder, RestingOrder};
use types::command::{MarketStatus, OrderKind, Replace, TimeInForce};
use types::outcome::{DoneReason, EventRecord};
use types::planted::{Bug, is_planted};
use types::{Atoms, BaseLots, RejectReason, Ticks};

use super::cancel::{Open, disarm, find, take_off};
use super::enter::{Entry, enter, shown};
use super::events::{self, Subject};
use super::limits::{Change, check_band, check_change, check_notional, check_stop};
use super::place::{check_price, check_quantity, hold_armed};
use super::protect::check_armed;
use super::{Accepted, Context, held};
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
    check_notional(market.spec, replace.price, replace.quantity)?;
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
    let resting = order.resting();
    check_stop(order.side, replace.price, resting)?;
    if context.is_over(order.expires_at) {
        return Err(RejectReason::ExpiryInPast);
    }
    let remaining = replace
        .quantity
        .checked_sub(order.filled())
        .filter(|remaining| !remaining.is_zero())
        .ok_or(RejectReason::AlreadyFilled)?;
    let stays = replace.price == order.price && remaining <= order.remaining;
    let change = match (stays, replace.may_take) {
        (true, _) => Change::InPlace,
        (false, true) => Change::MayTake,
        (false, false) => Change::Rests,
    };
    check_change(market.status(), change)?;
    if stays {
        shrink(market, context, order, order.remaining - remaining, events);
        return Ok(Accepted::default());
    }
    check_band(market.spec, market.state, order.side, replace.price)?;
    let old = (order.price, order.stop);
    let new = (replace.price, order.stop);
    let already = held(market.spec, order.side, old, order.remaining).1;
    let (asset, amount) = held(market.spec, order.side, new, remaining);
    let missing = amount.checked_sub(already).unwrap_or(Atoms::ZERO);
    if !market.funds.covers(context.account, asset, missing) {
        return Err(RejectReason::InsufficientFunds);
    }
    let meets = market.status() != MarketStatus::Auction
        && market.state.book.crosses(order.side, replace.price);
    if !meets {
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
        kind: OrderKind::Limit(TimeInForce::Rest(resting)),
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
    market.state.indicative.is_stale = true;
    let old = (order.price, order.stop);
    let (asset, amount) = held(market.spec, order.side, old, order.remaining);
    market.funds.release(order.account, asset, amount);
    let is_old = is_planted(Bug::OldPriceHeld);
    let new = (if is_old { order.price } else { price }, order.stop);
    let (asset, amount) = held(market.spec, order.side, new, remaining);
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
    let terms = (order.price, order.stop);
    let (asset, amount) = held(market.spec, order.side, terms, by);
    market.funds.release(order.account, asset, amount);
    market.state.indicative.is_stale = true;
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
    let resting = order.kind.resting().unwrap_or_default();
    check_stop(order.side, replace.price, resting)?;
    if context.is_over(order.expires_at()) {
        return Err(RejectReason::ExpiryInPast);
    }
    check_change(market.status(), Change::Armed)?;
    if resting.protected {
        check_armed(market, context.account, order.order_id.market())?;
    }
    let old = (order.price, resting.stop);
    let new = (replace.price, resting.stop);
    let already = held(market.spec, order.side, old, order.quantity).1;
    let (asset, amount) = held(market.spec, order.side, new, replace.quantity);
    let missing = amount.checked_sub(already).unwrap_or(Atoms::ZERO);
    if !market.funds.covers(context.account, asset, missing) {
        return Err(RejectReason::InsufficientFunds);
    }
    disarm(market, context, order, DoneReason::Replaced, events);
    let armed = ArmedOrder {
        price: replace.price,
        quantity: replace.quantity,
        self_trade: replace.self_trade,
        ..*order
    };
    hold_armed(market, &armed);
    let market_id = order.order_id.market();
    events.push(events::armed(context.sequence, market_id, &armed));
    Ok(Accepted::default())
}
