//! All quotes of an account in one market change at once, or none of them.

use matching::RestingOrder;
use types::command::{QuoteLevel, QuoteSet};
use types::limits::{ORDERS_PER_BOOK_MAX, QUOTE_LEVELS_MAX};
use types::outcome::{DoneReason, EventRecord};
use types::{Atoms, BaseLots, ClientOrderId, LogTime, OrderId, RejectReason, Side, Ticks};

use super::cancel::take_off;
use super::enter::hold_resting;
use super::limits::{check_band, check_notional, check_quotes};
use super::place::{check_price, check_quantity, has_room};
use super::protect::check_armed;
use super::replace::shrink;
use super::{Accepted, Context, events, held, needed};
use crate::market::QuotedSet;
use crate::view::{Funds, MarketView, StateView};

pub(super) fn quote_set<V: StateView>(
    view: &mut V,
    context: Context,
    set: &QuoteSet<'_>,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let mut market = view.market(set.market).ok_or(RejectReason::UnknownMarket)?;
    let last = market.state.quotes.last(context.account);
    if last.is_some_and(|last| set.number <= last.number) {
        return Err(RejectReason::StaleQuoteSet);
    }
    check_levels(&market, set)?;
    check_market(&market, context, set)?;
    let quoted = Side::BOTH.map(|side| open_quotes(&market, context, side));
    check_room(&mut market, context, set, &quoted)?;
    check_funds(&mut market, context, set, &quoted)?;
    check_crossing(&market, set, &quoted)?;

    let kept = make_room(&mut market, context, set, &quoted, events);
    let mut orders = [Vec::new(), Vec::new()];
    for side in Side::BOTH {
        for (index, level) in (0..).zip(levels(set, side)) {
            let mut kept = kept.iter().filter(|quote| quote.side == side);
            let order_id = match kept.find(|quote| quote.price == level.price()) {
                Some(quote) => quote.order_id,
                None => {
                    let order_id = new_order_id(context, set, side, index);
                    quote(&mut market, context, (side, level), order_id, events);
                    order_id
                }
            };
            orders[side as usize].push(order_id);
        }
    }
    let quoted = QuotedSet {
        number: set.number,
        orders,
    };
    market.state.quotes.replace(context.account, quoted);
    Ok(Accepted {
        affected: u32::try_from(set.bids.len() + set.asks.len()).expect("at most 64 levels"),
        lots: BaseLots::ZERO,
    })
}

/// Everything that frees funds, before anything needs them: quotes that the set does not have go,
/// those that it has smaller shrink, those that it has larger leave. Returns those that stay.
fn make_room<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    set: &QuoteSet<'_>,
    quoted: &[Vec<RestingOrder>; 2],
    events: &mut Vec<EventRecord>,
) -> Vec<RestingOrder> {
    let mut kept: Vec<RestingOrder> = Vec::new();
    for quote in quoted.iter().flatten() {
        let mut levels = levels(set, quote.side).iter();
        let level = levels.find(|level| level.price() == quote.price);
        // A replace may have brought two quotes to one price: only the first can stay.
        let is_first = kept
            .iter()
            .all(|other| (other.side, other.price) != (quote.side, quote.price));
        match level.map(QuoteLevel::quantity) {
            Some(quantity) if is_first && quantity <= quote.remaining => {
                shrink(market, context, quote, quote.remaining - quantity, events);
                kept.push(*quote);
            }
            Some(_) => take_off(market, context, quote, DoneReason::Replaced, events),
            None => take_off(market, context, quote, DoneReason::Cancelled, events),
        }
    }
    kept
}

const fn levels<'a>(set: &QuoteSet<'a>, side: Side) -> &'a [QuoteLevel] {
    match side {
        Side::Bid => set.bids,
        Side::Ask => set.asks,
    }
}

fn new_order_id(context: Context, set: &QuoteSet<'_>, side: Side, index: u64) -> OrderId {
    let first = match side {
        Side::Bid => 0,
        Side::Ask => QUOTE_LEVELS_MAX as u64,
    };
    OrderId::new_at(context.sequence, set.market, first + index)
}

/// What is wrong with the levels alone; the lowest reject number of all of them.
fn check_levels<F>(market: &MarketView<'_, F>, set: &QuoteSet<'_>) -> Result<(), RejectReason> {
    let falling = |levels: &[QuoteLevel]| levels.is_sorted_by(|a, b| a.price() > b.price());
    let rising = |levels: &[QuoteLevel]| levels.is_sorted_by(|a, b| a.price() < b.price());
    let apart = match (set.bids.first(), set.asks.first()) {
        (Some(bid), Some(ask)) => bid.price() < ask.price(),
        _ => true,
    };
    if !falling(set.bids) || !rising(set.asks) || !apart {
        return Err(RejectReason::UnsortedQuotes);
    }
    let wrong = set.bids.iter().chain(set.asks).filter_map(|level| {
        check_price(level.price())
            .and_then(|()| check_quantity(level.quantity()))
            .and_then(|()| check_notional(market.spec, level.price(), level.quantity()))
            .err()
    });
    wrong.min().map_or(Ok(()), Err)
}

/// Whether status, protection and band let the levels in. Taking quotes away is a cancel, which is
/// always possible.
fn check_market<F>(
    market: &MarketView<'_, F>,
    context: Context,
    set: &QuoteSet<'_>,
) -> Result<(), RejectReason> {
    if set.bids.is_empty() && set.asks.is_empty() {
        return Ok(());
    }
    check_quotes(market.status())?;
    check_armed(market, context.account, set.market)?;
    for side in Side::BOTH {
        for level in levels(set, side) {
            check_band(market.spec, market.state, side, level.price())?;
        }
    }
    Ok(())
}

/// The quotes of the last set that still rest.
fn open_quotes<F>(market: &MarketView<'_, F>, context: Context, side: Side) -> Vec<RestingOrder> {
    let last = market.state.quotes.last(context.account);
    let order_ids = last.map_or(&[][..], |last| &last.orders[side as usize]);
    let resting = |order_id: &OrderId| market.state.book.order(*order_id);
    order_ids.iter().filter_map(resting).collect()
}

fn check_room<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    set: &QuoteSet<'_>,
    quoted: &[Vec<RestingOrder>; 2],
) -> Result<(), RejectReason> {
    let gone = quoted.iter().map(Vec::len).sum::<usize>() as u32;
    let come = (set.bids.len() + set.asks.len()) as u32;
    if !has_room(market, context.account, gone, come) {
        return Err(RejectReason::TooManyOpenOrders);
    }
    if market.state.book.len() - gone + come > ORDERS_PER_BOOK_MAX {
        return Err(RejectReason::BookFull);
    }
    Ok(())
}

/// What the new quotes need beyond what the old ones hold must be free.
fn check_funds<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    set: &QuoteSet<'_>,
    quoted: &[Vec<RestingOrder>; 2],
) -> Result<(), RejectReason> {
    for side in Side::BOTH {
        let spec = market.spec;
        let amount = |price, quantity| needed(spec, side, price, quantity).1;
        let held = quoted[side as usize]
            .iter()
            .map(|quote| {
                held(
                    market.spec,
                    side,
                    (quote.price, quote.stop),
                    quote.remaining,
                )
                .1
            })
            .fold(Atoms::ZERO, |sum, atoms| sum + atoms);
        let needs = levels(set, side)
            .iter()
            .map(|level| amount(level.price(), level.quantity()))
            .fold(Atoms::ZERO, |sum, atoms| sum + atoms);
        let missing = needs.checked_sub(held).unwrap_or(Atoms::ZERO);
        let asset = needed(market.spec, side, Ticks::ZERO, BaseLots::ZERO).0;
        if !market.funds.covers(context.account, asset, missing) {
            return Err(RejectReason::InsufficientFunds);
        }
    }
    Ok(())
}

/// No level may take from an order that stays: the set's own old quotes do not count.
fn check_crossing<F>(
    market: &MarketView<'_, F>,
    set: &QuoteSet<'_>,
    quoted: &[Vec<RestingOrder>; 2],
) -> Result<(), RejectReason> {
    for side in Side::BOTH {
        let Some(best) = levels(set, side).first() else {
            continue;
        };
        let own = &quoted[side.opposite() as usize];
        let mut others = market.state.book.orders(side.opposite());
        let other = others.find(|order| own.iter().all(|quote| quote.order_id != order.order_id));
        let crosses = other.is_some_and(|other| match side {
            Side::Bid => best.price() >= other.price,
            Side::Ask => best.price() <= other.price,
        });
        if crosses {
            return Err(RejectReason::WouldCross);
        }
    }
    Ok(())
}

/// A new quote enters.
fn quote<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    (side, level): (Side, &QuoteLevel),
    order_id: OrderId,
    events: &mut Vec<EventRecord>,
) {
    let order = RestingOrder {
        order_id,
        account: context.account,
        client_order_id: ClientOrderId::NONE,
        side,
        price: level.price(),
        quantity: level.quantity(),
        remaining: level.quantity(),
        display: BaseLots::ZERO,
        shown: level.quantity(),
        expires_at: LogTime::ZERO,
        stop: None,
        protected: true,
    };
    hold_resting(market, &order);
    events.push(events::rested(context.sequence, order_id.market(), &order));
}
