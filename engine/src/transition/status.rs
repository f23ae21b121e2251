//! Markets open and close. Leaving an auction for a status in which orders meet uncrosses the book.

use types::RejectReason;
use types::command::{MarketStatus, SetMarketStatus};
use types::outcome::EventRecord;

use super::uncross::{Uncrossed, uncross};
use super::{Accepted, Context, enter, events};
use crate::market::Indicative;
use crate::view::StateView;

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
    let uncrossed = if orders_meet && market.state.book.is_collecting() {
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
    market.state.indicative.published = None;
    events.push(events::status_changed(context.sequence, set));
    match set.status {
        MarketStatus::Auction => {
            market.state.book.collect();
            market.state.indicative = Indicative {
                is_stale: true,
                ..Indicative::default()
            };
        }
        MarketStatus::Open => {
            enter::set_off_after(&mut market, context, set.market, &uncrossed, events);
        }
        MarketStatus::PostOnly | MarketStatus::CancelOnly | MarketStatus::Halted => {}
    }
    Ok(accepted)
}
