//! Markets open and close: one by its operator, all by the exchange's phase. Leaving an auction for a
//! status in which orders meet uncrosses the book.
//!
//! What may happen is the stricter of both. A market's own status stays what its operator has set, so
//! that the end of a phase needs to know nothing of what was before it.

use types::command::{MarketStatus, SetMarketStatus};
use types::outcome::EventRecord;
use types::phase::Phase;
use types::{MarketId, RejectReason, SequenceNumber};

use super::uncross::{Uncrossed, uncross};
use super::{Accepted, Context, enter, events};
use crate::market::Indicative;
use crate::view::{Funds, MarketView, StateView};

pub(super) fn set_status<V: StateView>(
    view: &mut V,
    context: Context,
    set: &SetMarketStatus,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    if !view.is_operator(context.account) {
        return Err(RejectReason::NotOperator);
    }
    let mut market = view.market(set.market).ok_or(RejectReason::UnknownMarket)?;
    if market.state.status == set.status {
        return Ok(Accepted::default());
    }
    let orders_meet = matches!(set.status, MarketStatus::Open | MarketStatus::PostOnly);
    let ends_auction = orders_meet && market.state.book.is_collecting();
    if ends_auction && market.phase != Phase::Open {
        // Nothing trades now, and a phase that ends has no room for the trades of all markets.
        return Err(RejectReason::MarketStatus);
    }
    let before = market.status();
    let uncrossed = if ends_auction {
        uncross(&mut market, context, set.market, events)
    } else {
        Uncrossed::NOTHING
    };
    let accepted = Accepted {
        affected: uncrossed.fills,
        lots: uncrossed.lots,
    };
    if !uncrossed.is_done {
        return Ok(accepted);
    }
    market.state.status = set.status;
    if set.status == MarketStatus::Auction {
        market.state.book.collect();
    }
    follow(&mut market, before, (context.sequence, set.market), events);
    if market.status() == MarketStatus::Open {
        enter::set_off_after(&mut market, context, set.market, &uncrossed, events);
    }
    Ok(accepted)
}

/// The exchange opens, or is cancel-only from here on: to each market as if its operator had changed
/// its status, by id. Nothing meets: a book that was to be uncrossed before is still closed.
pub(crate) fn phase<V: StateView>(
    view: &mut V,
    phase: Phase,
    sequence: SequenceNumber,
    events: &mut Vec<EventRecord>,
) {
    let earlier = view.phase();
    view.set_phase(phase);
    for id in (0..view.market_count()).map(MarketId::new) {
        let mut market = view.market(id).expect("compared with the count");
        let before = earlier.effective(market.state.status);
        follow(&mut market, before, (sequence, id), events);
    }
}

/// What comes of another status, be it the market's own or the phase that has changed.
fn follow<F: Funds>(
    market: &mut MarketView<'_, F>,
    before: MarketStatus,
    (sequence, id): (SequenceNumber, MarketId),
    events: &mut Vec<EventRecord>,
) {
    let status = market.status();
    if status == before {
        return;
    }
    market.state.indicative.published = None;
    events.push(events::status_changed(sequence, id, status));
    if status == MarketStatus::Auction {
        market.state.indicative = Indicative {
            is_stale: true,
            ..Indicative::default()
        };
    }
}
