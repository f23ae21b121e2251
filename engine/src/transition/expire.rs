//! Logged time takes orders off: markets by id, within a market resting orders before armed ones,
//! each by expiry and then by order id.

use types::limits::EXPIRIES_PER_TICK_MAX;
use types::outcome::{DoneReason, EventRecord};
use types::{LogTime, MarketId, SequenceNumber};

use super::cancel::{let_go, let_go_armed};
use super::events::{self, Subject};
use crate::view::{MarketView, StateView};

/// What a tick means. Orders beyond the limit of a tick go with the next one; none of them trades
/// meanwhile.
pub(crate) fn expire<V: StateView>(
    view: &mut V,
    sequence: SequenceNumber,
    now: LogTime,
    events: &mut Vec<EventRecord>,
) {
    let mut room = EXPIRIES_PER_TICK_MAX;
    let reason = DoneReason::Expired;
    for id in (0..view.market_count()).map(MarketId::new) {
        let MarketView {
            spec, state, funds, ..
        } = view.market(id).expect("compared with the count");
        room -= state.book.expire(now, room, |order| {
            let_go(spec, funds, order);
            let subject = Subject::resting(id, order);
            let done = events::done_held(sequence, &subject, reason, order.remaining);
            events.push(done);
        });
        room -= state.triggers.expire(now, room, |order| {
            let_go_armed(spec, funds, order);
            let subject = Subject::armed(id, order);
            let done = events::done_held(sequence, &subject, reason, order.quantity);
            events.push(done);
        });
    }
}
