//! A new order: every reason to refuse it, then it waits for its trigger or meets the book.

use matching::ArmedOrder;
use types::command::{Crossing, OrderKind, Place, StopLeg, Trigger, TriggerCondition};
use types::limits::{
    FILLS_PER_COMMAND_MAX, OPEN_ORDERS_PER_ACCOUNT_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX,
};
use types::outcome::EventRecord;
use types::planted::{Bug, is_planted};
use types::{AccountId, BaseLots, OrderId, RejectReason, Side, Ticks};

use super::enter::{Entry, enter, may_fill};
use super::limits::{check_band, check_notional, check_place, check_stop};
use super::protect::check_armed;
use super::{Accepted, Context, events, held};
use crate::market::MarketState;
use crate::view::{Funds, MarketView, StateView};

pub(super) fn place<V: StateView>(
    view: &mut V,
    context: Context,
    order: &Place,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let mut market = view
        .market(order.market)
        .ok_or(RejectReason::UnknownMarket)?;
    check_fields(&market, context, order)?;
    check_market(&market, context, order)?;
    check_room(&mut market, context, order)?;
    let trigger = order
        .trigger
        .filter(|trigger| !is_satisfied(&market, order.side, *trigger));
    let price = match trigger {
        Some(_) => order.price,
        None => entry_price(&market, order)?,
    };
    let stop = order.kind.resting().unwrap_or_default().stop;
    let (asset, amount) = held(market.spec, order.side, (price, stop), order.quantity);
    if !market.funds.covers(context.account, asset, amount) {
        return Err(RejectReason::InsufficientFunds);
    }
    let order_id = OrderId::new_at(context.sequence, order.market, 0);
    if let Some(trigger) = trigger {
        arm(&mut market, context, order, (order_id, trigger), events);
        return Ok(Accepted::default());
    }
    let entry = Entry {
        market: order.market,
        order_id,
        account: context.account,
        client_order_id: order.client_order_id,
        side: order.side,
        kind: order.kind,
        price,
        filled: BaseLots::ZERO,
        quantity: order.quantity,
        self_trade: order.self_trade,
    };
    check_crossing(&market, context, &entry)?;
    Ok(enter(&mut market, context, entry, events))
}

/// What is wrong with the fields alone, as far as they do not depend on who asks.
fn check_fields<F>(
    market: &MarketView<'_, F>,
    context: Context,
    order: &Place,
) -> Result<(), RejectReason> {
    check_price(order.price)?;
    check_quantity(order.quantity)?;
    check_notional(market.spec, order.price, order.quantity)?;
    let resting = order.kind.resting().unwrap_or_default();
    let hides = !resting.display.is_zero();
    if hides && (resting.display >= order.quantity || resting.protected) {
        return Err(RejectReason::InvalidDisplay);
    }
    if let Some(trigger) = order.trigger
        && check_price(trigger.price).is_err()
    {
        return Err(RejectReason::InvalidTrigger);
    }
    check_stop(order.side, order.price, resting)?;
    if let Some(stop) = resting.stop
        && is_satisfied(market, order.side, stop_trigger(stop))
    {
        return Err(RejectReason::InvalidTrigger);
    }
    if context.is_over(resting.expires_at) {
        return Err(RejectReason::ExpiryInPast);
    }
    Ok(())
}

/// What a stop beside an order waits for.
const fn stop_trigger(stop: StopLeg) -> Trigger {
    Trigger {
        condition: TriggerCondition::Stop,
        price: stop.trigger,
    }
}

/// Whether status, protection and band let the order in.
fn check_market<F>(
    market: &MarketView<'_, F>,
    context: Context,
    order: &Place,
) -> Result<(), RejectReason> {
    let status = match is_planted(Bug::PhaseIgnored) {
        true => market.state.status,
        false => market.status(),
    };
    check_place(status, order)?;
    if order.kind.resting().unwrap_or_default().protected {
        check_armed(market, context.account, order.market)?;
    }
    // A price that waits is moved to the edge when its time comes.
    let waits = order
        .trigger
        .is_some_and(|trigger| !is_satisfied(market, order.side, trigger));
    if !waits {
        check_band(market.spec, market.state, order.side, order.price)?;
    }
    Ok(())
}

pub(super) fn check_price(price: Ticks) -> Result<(), RejectReason> {
    if price.is_zero() {
        Err(RejectReason::ZeroPrice)
    } else if price > Ticks::new(PRICE_TICKS_MAX) {
        Err(RejectReason::PriceTooHigh)
    } else {
        Ok(())
    }
}

pub(super) fn check_quantity(quantity: BaseLots) -> Result<(), RejectReason> {
    if quantity.is_zero() {
        Err(RejectReason::ZeroQuantity)
    } else if quantity > BaseLots::new(QUANTITY_LOTS_MAX) {
        Err(RejectReason::QuantityTooLarge)
    } else {
        Ok(())
    }
}

/// Whether label, account and book take one more order.
fn check_room<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &Place,
) -> Result<(), RejectReason> {
    let (account, label) = (context.account, order.client_order_id);
    let state = &market.state;
    if state.remembered.contains(account, label, context.now) {
        return Err(RejectReason::CancelledBefore);
    }
    if state.is_labelled(account, label) {
        return Err(RejectReason::DuplicateClientOrderId);
    }
    let stays = order.kind.resting().is_some() || order.trigger.is_some();
    if stays && !has_room(market, account, 0, 1) {
        return Err(RejectReason::TooManyOpenOrders);
    }
    if stays && market.state.book.is_full() {
        return Err(RejectReason::BookFull);
    }
    Ok(())
}

/// Whether the account has room for orders that come once others are gone, in all and in this market.
pub(super) fn has_room<F: Funds>(
    market: &mut MarketView<'_, F>,
    account: AccountId,
    gone: u32,
    come: u32,
) -> bool {
    let limit = market.spec.limits.open_orders_max;
    let here = || {
        let MarketState { book, triggers, .. } = &*market.state;
        book.open_orders(account) + triggers.open_orders(account)
    };
    // Most markets have no limit of their own, and then nothing is counted.
    market.funds.has_order_room(account, gone, come)
        && (limit == OPEN_ORDERS_PER_ACCOUNT_MAX || here() - gone + come <= limit)
}

fn is_satisfied<F>(market: &MarketView<'_, F>, side: Side, trigger: Trigger) -> bool {
    let last = market.state.last_trade;
    last.is_some_and(|last| matching::Triggers::is_satisfied(&trigger, side, last))
}

/// The price at which an order enters: a sliding one gives way to the book.
pub(super) fn entry_price<F>(
    market: &MarketView<'_, F>,
    order: &Place,
) -> Result<Ticks, RejectReason> {
    let slides = matches!(order.kind, OrderKind::PostOnly(Crossing::Slide, _));
    if !slides {
        return Ok(order.price);
    }
    slide(market, order.side, order.price).ok_or(RejectReason::WouldCross)
}

/// The price itself if it does not take, else the best one that does not; `None` if there is none.
pub(super) fn slide<F>(market: &MarketView<'_, F>, side: Side, price: Ticks) -> Option<Ticks> {
    let book = &market.state.book;
    if !book.crosses(side, price) {
        return Some(price);
    }
    let best = book.best(side.opposite())?;
    let slid = match side {
        Side::Bid => Ticks::new(best.get() - 1),
        Side::Ask => Ticks::new(best.get() + 1),
    };
    check_price(slid).is_ok().then_some(slid)
}

/// Whether the book lets the order in as its kind demands.
fn check_crossing<F: Funds>(
    market: &MarketView<'_, F>,
    context: Context,
    entry: &Entry,
) -> Result<(), RejectReason> {
    let book = &market.state.book;
    if matches!(entry.kind, OrderKind::PostOnly(..)) && book.crosses(entry.side, entry.price) {
        return Err(RejectReason::WouldCross);
    }
    if entry.kind.all_or_nothing() && !may_fill(market, context, entry, FILLS_PER_COMMAND_MAX) {
        return Err(RejectReason::NotFillable);
    }
    Ok(())
}

fn arm<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    order: &Place,
    (order_id, trigger): (OrderId, Trigger),
    events: &mut Vec<EventRecord>,
) {
    let armed = ArmedOrder {
        order_id,
        account: context.account,
        client_order_id: order.client_order_id,
        side: order.side,
        kind: order.kind,
        price: order.price,
        quantity: order.quantity,
        self_trade: order.self_trade,
        trigger,
    };
    hold_armed(market, &armed);
    events.push(events::armed(context.sequence, order.market, &armed));
}

/// Holds the funds of an armed order and arms it.
pub(super) fn hold_armed<F: Funds>(market: &mut MarketView<'_, F>, armed: &ArmedOrder) {
    let stop = armed.kind.resting().unwrap_or_default().stop;
    let terms = (armed.price, stop);
    let (asset, amount) = held(market.spec, armed.side, terms, armed.quantity);
    market.funds.hold(armed.account, asset, amount);
    market.funds.order_opened(armed.account);
    market.state.triggers.arm(armed);
}
