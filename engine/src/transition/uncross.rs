//! An auction ends: bids and asks that came to rest without meeting trade with each other at one
//! price. Both sides were held at prices of their own; what the auction's price does not need goes
//! back.

use ledger::Trade;
use matching::{Crossing, Maker};
use types::command::StopLeg;
use types::limits::FILLS_PER_COMMAND_MAX;
use types::outcome::{EventRecord, Fill, RestingTaker};
use types::{AccountId, Atoms, BaseLots, MarketId, Side, Ticks};

use super::protect::pull;
use super::tick::expire_resting;
use super::{Context, events, held, needed};
use crate::market::{MarketState, Reference};
use crate::view::{Funds, MarketView};

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uncrossed {
    /// How many orders met.
    pub(super) fills: u32,
    /// How much traded; at most `u64::MAX`.
    pub(super) lots: BaseLots,
    /// The price, if anything traded.
    pub(super) price: Option<Ticks>,
    /// How many meetings the command may still cause.
    pub(super) fills_left: u32,
    /// Whether bids reach asks no more.
    pub(super) is_done: bool,
}

impl Uncrossed {
    /// There was nothing to do.
    pub(super) const NOTHING: Self = Self {
        fills: 0,
        lots: BaseLots::ZERO,
        price: None,
        fills_left: FILLS_PER_COMMAND_MAX,
        is_done: true,
    };
}

/// Uncrosses a book that collects, as far as one command may.
pub(super) fn uncross<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    id: MarketId,
    events: &mut Vec<EventRecord>,
) -> Uncrossed {
    let mut uncrossed = Uncrossed::NOTHING;
    let moment = (context.sequence, context.now);
    uncrossed.fills_left -= expire_resting(market, id, moment, uncrossed.fills_left, events);
    let next_expiry = market.state.book.next_expiry();
    if next_expiry.is_some_and(|next| next <= context.now) {
        // Whose time is over does not trade, and there was no room to tell all of them.
        uncrossed.is_done = false;
        return uncrossed;
    }
    let indication = market.state.book.indication(market.state.last_trade);
    uncrossed.price = indication.map(|indication| indication.price);
    let tripped = cross(market, context, id, &mut uncrossed, events);
    for account in tripped {
        pull(market, id, account, context.sequence, events);
    }
    let state = &mut *market.state;
    if let Some(price) = uncrossed.price {
        state.last_trade = Some(price);
        state.indicative.is_stale = true;
        if market.spec.limits.band.is_some() {
            let since = context.now;
            state.reference = Some(Reference { price, since });
        }
    }
    uncrossed.is_done = !state.book.is_collecting();
    uncrossed
}

/// Lets orders meet. Returns whose protection this has tripped, in that order.
fn cross<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    id: MarketId,
    uncrossed: &mut Uncrossed,
    events: &mut Vec<EventRecord>,
) -> Vec<AccountId> {
    let MarketView {
        spec,
        state,
        protections,
        funds,
        ..
    } = market;
    let MarketState { book, triggers, .. } = &mut **state;
    let mut tripped = Vec::new();
    let mut lots = 0;
    let fills = book.uncross(uncrossed.fills_left, |crossing| {
        let price = uncrossed.price.expect("who meets has a price");
        lots += u128::from(crossing.quantity.get());
        let parties = Parties::of(crossing);
        let notional = spec.factors.notional(price, crossing.quantity);
        // The maker pays from held and the taker from free, as ever; what they hold beyond is free.
        let paid_from_held = needed(spec, parties.maker.0, price, crossing.quantity).1;
        for ((side, order), paid) in [
            (parties.maker, paid_from_held),
            (parties.taker, Atoms::ZERO),
        ] {
            let terms = (order.price, order.stop);
            let (asset, amount) = held(spec, side, terms, crossing.quantity);
            funds.release(order.account, asset, amount - paid);
            if order.remaining.is_zero() {
                funds.order_closed(order.account);
                detach(triggers, side, order);
            }
        }
        let trade = parties.trade(price, crossing.quantity);
        let fees = funds.settle(spec, &trade);
        events.push(EventRecord::from(&Fill {
            sequence: context.sequence,
            market: id,
            taker_side: trade.taker_side,
            price,
            quantity: crossing.quantity,
            maker: events::maker_party(&parties.maker.1),
            taker: events::maker_party(&parties.taker.1),
            maker_remaining: parties.maker.1.remaining,
            maker_refreshed: parties.refreshed[0],
            auction: Some(RestingTaker {
                remaining: parties.taker.1.remaining,
                refreshed: parties.refreshed[1],
            }),
            maker_fee: fees.maker_fee,
            taker_fee: fees.taker_fee,
        }));
        for (_, order) in [parties.maker, parties.taker] {
            let place = (order.account, id);
            let traded = (crossing.quantity, notional);
            if order.protected && protections.trips(place, context.now, traded) {
                tripped.push(order.account);
            }
        }
    });
    uncrossed.fills = fills;
    uncrossed.fills_left -= fills;
    uncrossed.lots = BaseLots::new(u64::try_from(lots).unwrap_or(u64::MAX));
    tripped
}

/// Who is who: the order with the lower id is the maker.
#[derive(Clone, Copy)]
struct Parties {
    maker: (Side, Maker),
    taker: (Side, Maker),
    /// Of maker and taker.
    refreshed: [bool; 2],
}

impl Parties {
    fn of(crossing: &Crossing) -> Self {
        let bid = (Side::Bid, crossing.bid);
        let ask = (Side::Ask, crossing.ask);
        let [bid_refreshed, ask_refreshed] = crossing.refreshed;
        if crossing.bid.order_id < crossing.ask.order_id {
            Self {
                maker: bid,
                taker: ask,
                refreshed: [bid_refreshed, ask_refreshed],
            }
        } else {
            Self {
                maker: ask,
                taker: bid,
                refreshed: [ask_refreshed, bid_refreshed],
            }
        }
    }

    const fn trade(&self, price: Ticks, quantity: BaseLots) -> Trade {
        Trade {
            taker_side: self.taker.0,
            price,
            quantity,
            maker: self.maker.1.account,
            taker: self.taker.1.account,
        }
    }
}

/// An order has filled: its stop waits no more.
pub(super) fn detach(triggers: &mut matching::Triggers, side: Side, order: Maker) {
    if let Some(StopLeg { trigger, .. }) = order.stop {
        triggers.detach(order.order_id, side, trigger);
    }
}
