//! Logged time moves: orders expire, bands follow the market, auctions publish their price. Markets by
//! id; within a market resting orders expire before armed ones, each by expiry and then by order id.

use types::command::MarketStatus;
use types::genesis::MarketSpec;
use types::limits::{EXPIRIES_PER_TICK_MAX, INDICATIVE_INTERVAL_NS};
use types::outcome::{DoneReason, EventRecord};
use types::{LogTime, MarketId, SequenceNumber};

use super::cancel::End;
use super::events;
use crate::market::{MarketState, Reference};
use crate::view::{Funds, MarketView, StateView};

/// What a tick means. Orders beyond the limit of a tick go with the next one; none of them trades
/// meanwhile.
pub(crate) fn tick<V: StateView>(
    view: &mut V,
    sequence: SequenceNumber,
    now: LogTime,
    events: &mut Vec<EventRecord>,
) {
    let told = events.len();
    let watched = view.watches();
    let mut room = EXPIRIES_PER_TICK_MAX;
    for id in (0..view.market_count()).map(MarketId::new) {
        let mut market = view.market(id).expect("compared with the count");
        room -= expire(&mut market, id, (sequence, now), room, events);
        follow(market.spec, market.state, now);
        publish(&mut market, id, (sequence, now), events);
    }
    super::absence::run_timers(view, (sequence, now), events);
    if watched {
        super::permit::follow(view, super::nobody(sequence, now), told, events);
    }
}

fn expire<F: Funds>(
    market: &mut MarketView<'_, F>,
    id: MarketId,
    (sequence, now): (SequenceNumber, LogTime),
    room: u32,
    events: &mut Vec<EventRecord>,
) -> u32 {
    let resting = expire_resting(market, id, (sequence, now), room, events);
    let MarketView {
        spec, state, funds, ..
    } = market;
    let end = expiry(id, sequence);
    let armed = state.triggers.expire(now, room - resting, |order| {
        events.push(end.armed(spec, *funds, order));
    });
    resting + armed
}

/// Takes resting orders whose time is over off the book, at most `room`. Returns how many.
pub(super) fn expire_resting<F: Funds>(
    market: &mut MarketView<'_, F>,
    id: MarketId,
    (sequence, now): (SequenceNumber, LogTime),
    room: u32,
    events: &mut Vec<EventRecord>,
) -> u32 {
    let MarketView {
        spec, state, funds, ..
    } = market;
    let MarketState { book, triggers, .. } = &mut **state;
    let end = expiry(id, sequence);
    let expired = book.expire(now, room, |order| {
        events.push(end.resting(spec, triggers, *funds, order));
    });
    state.indicative.is_stale |= expired > 0;
    expired
}

const fn expiry(market: MarketId, sequence: SequenceNumber) -> End {
    End {
        market,
        sequence,
        reason: DoneReason::Expired,
    }
}

/// The reference of a band is taken anew once its interval is over.
fn follow(spec: &MarketSpec, state: &mut MarketState, now: LogTime) {
    let (Some(band), Some(price)) = (spec.limits.band, state.last_trade) else {
        return;
    };
    let is_fresh = state.reference.is_some_and(|reference| {
        let held_for = now.get() - reference.since.get();
        held_for < band.interval_ms * NANOS_PER_MS
    });
    if !is_fresh {
        let since = now;
        state.reference = Some(Reference { price, since });
    }
}

const NANOS_PER_MS: u64 = 1_000_000;

/// Tells what an auction would come to, if that may have changed.
fn publish<F>(
    market: &mut MarketView<'_, F>,
    id: MarketId,
    (sequence, now): (SequenceNumber, LogTime),
    events: &mut Vec<EventRecord>,
) {
    let is_auction = market.status() == MarketStatus::Auction;
    let state = &mut *market.state;
    let indicative = &mut state.indicative;
    let is_due = indicative.published_at == LogTime::ZERO
        || now.get() - indicative.published_at.get() >= INDICATIVE_INTERVAL_NS;
    if is_auction && indicative.is_stale && is_due {
        indicative.is_stale = false;
        indicative.published_at = now;
        let indication = state.book.indication(state.last_trade);
        indicative.published = indication;
        events.push(events::indicative(sequence, id, indication));
    }
}
