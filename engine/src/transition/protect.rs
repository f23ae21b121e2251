//! Accounts limit what their quotes may trade, and quotes that have traded enough are pulled.

use types::command::SetProtection;
use types::outcome::{DoneReason, EventRecord};
use types::{AccountId, MarketId, RejectReason, SequenceNumber};

use super::cancel::End;
use super::{Accepted, Context};
use crate::market::MarketState;
use crate::view::{Funds, MarketView, StateView};

pub(super) fn set_protection<V: StateView>(
    view: &mut V,
    context: Context,
    set: &SetProtection,
) -> Result<Accepted, RejectReason> {
    if set.market.get() >= view.market_count() {
        return Err(RejectReason::UnknownMarket);
    }
    let limits = &set.limits;
    if limits.is_limit() != (limits.window_ns > 0) {
        return Err(RejectReason::InvalidProtection);
    }
    view.protect(context.account, set);
    Ok(Accepted::default())
}

/// Whether protected orders of the account may enter the market.
pub(super) fn check_armed<F>(
    market: &MarketView<'_, F>,
    account: AccountId,
    id: MarketId,
) -> Result<(), RejectReason> {
    if market.protections.is_tripped(account, id) {
        return Err(RejectReason::ProtectionTripped);
    }
    Ok(())
}

/// The command has tripped protections in a market: their quotes go in the other markets of the group too, and
/// what has come to rest since in the same one.
#[cold]
pub(super) fn pull_groups<V: StateView>(
    view: &mut V,
    market: MarketId,
    sequence: SequenceNumber,
    events: &mut Vec<EventRecord>,
) {
    let tripped = view.protections(market).take_tripped();
    for (account, scope) in tripped {
        let protections = view.protections(market);
        let markets: Vec<MarketId> = protections.markets(account, scope).collect();
        for id in markets {
            let mut market = view.market(id).expect("protected markets exist");
            pull(&mut market, id, account, sequence, events);
        }
    }
}

/// Takes the account's protected orders off the book of a market.
pub(super) fn pull<F: Funds>(
    market: &mut MarketView<'_, F>,
    id: MarketId,
    account: AccountId,
    sequence: SequenceNumber,
    events: &mut Vec<EventRecord>,
) {
    let MarketView {
        spec, state, funds, ..
    } = market;
    let MarketState { book, triggers, .. } = &mut **state;
    let end = End {
        market: id,
        sequence,
        reason: DoneReason::Protection,
    };
    let pulled = book.pull(account, |order| {
        events.push(end.resting(spec, triggers, *funds, order));
    });
    state.indicative.is_stale |= pulled > 0;
}
