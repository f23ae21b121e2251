//! What is told of a transition: one function per event, so that the verbs stay short.

use matching::{ArmedOrder, Indication, Maker, RestingOrder};
use types::command::MarketStatus;
use types::outcome::{
    Armed, Done, DoneReason, EventRecord, Indicative, Party, Reduced, Rested, StatusChanged,
    Triggered,
};
use types::{BaseLots, MarketId, SequenceNumber, Side, Ticks};

/// An order, as far as its events tell of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) market: MarketId,
    pub(super) side: Side,
    pub(super) price: Ticks,
    pub(super) owner: Party,
}

impl Subject {
    pub(super) const fn resting(market: MarketId, order: &RestingOrder) -> Self {
        Self {
            market,
            side: order.side,
            price: order.price,
            owner: Party {
                account: order.account,
                order_id: order.order_id,
                client_order_id: order.client_order_id,
            },
        }
    }

    pub(super) const fn armed(market: MarketId, order: &ArmedOrder) -> Self {
        Self {
            market,
            side: order.side,
            price: order.price,
            owner: Party {
                account: order.account,
                order_id: order.order_id,
                client_order_id: order.client_order_id,
            },
        }
    }
}

pub(super) const fn maker_party(maker: &Maker) -> Party {
    Party {
        account: maker.account,
        order_id: maker.order_id,
        client_order_id: maker.client_order_id,
    }
}

pub(super) fn rested(
    sequence: SequenceNumber,
    market: MarketId,
    order: &RestingOrder,
) -> EventRecord {
    let Subject {
        side, price, owner, ..
    } = Subject::resting(market, order);
    EventRecord::from(&Rested {
        sequence,
        market,
        side,
        price,
        quantity: order.remaining,
        resting: order.resting(),
        owner,
    })
}

pub(super) fn armed(sequence: SequenceNumber, market: MarketId, order: &ArmedOrder) -> EventRecord {
    let Subject {
        side, price, owner, ..
    } = Subject::armed(market, order);
    EventRecord::from(&Armed {
        sequence,
        market,
        side,
        trigger: order.trigger,
        resting: order.kind.resting().unwrap_or_default(),
        price,
        quantity: order.quantity,
        owner,
    })
}

/// An order enters as a taker, with what it has left to fill.
pub(super) fn triggered(
    sequence: SequenceNumber,
    subject: &Subject,
    quantity: BaseLots,
) -> EventRecord {
    EventRecord::from(&Triggered {
        sequence,
        market: subject.market,
        side: subject.side,
        price: subject.price,
        quantity,
        owner: subject.owner,
    })
}

pub(super) fn status_changed(
    sequence: SequenceNumber,
    market: MarketId,
    status: MarketStatus,
) -> EventRecord {
    EventRecord::from(&StatusChanged {
        sequence,
        market,
        status,
    })
}

pub(super) fn indicative(
    sequence: SequenceNumber,
    market: MarketId,
    indication: Option<Indication>,
) -> EventRecord {
    EventRecord::from(&Indicative {
        sequence,
        market,
        price: indication.map(|it| it.price),
        volume: indication.map_or(0, |it| it.volume),
        surplus: indication.map_or(0, |it| it.surplus),
    })
}

pub(super) fn reduced(
    sequence: SequenceNumber,
    subject: &Subject,
    reason: DoneReason,
    (by, remaining): (BaseLots, BaseLots),
) -> EventRecord {
    EventRecord::from(&Reduced {
        sequence,
        market: subject.market,
        side: subject.side,
        reason,
        price: subject.price,
        by,
        remaining,
        owner: subject.owner,
    })
}

/// The end of an order whose funds were held.
pub(super) fn done_held(
    sequence: SequenceNumber,
    subject: &Subject,
    reason: DoneReason,
    remaining: BaseLots,
) -> EventRecord {
    done(sequence, subject, reason, remaining, true)
}

/// The end of an order that never came to rest.
pub(super) fn done_unheld(
    sequence: SequenceNumber,
    subject: &Subject,
    reason: DoneReason,
    remaining: BaseLots,
) -> EventRecord {
    done(sequence, subject, reason, remaining, false)
}

fn done(
    sequence: SequenceNumber,
    subject: &Subject,
    reason: DoneReason,
    remaining: BaseLots,
    held: bool,
) -> EventRecord {
    EventRecord::from(&Done {
        sequence,
        market: subject.market,
        side: subject.side,
        reason,
        price: subject.price,
        remaining,
        owner: subject.owner,
        held,
    })
}
