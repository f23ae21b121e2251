//! Events of a book, and what it shows, as the bytes of the wire.

use matching::{Best, BookEvent, Depth, Indication, ShownLevel, ShownOrder, Traded};
use types::wire::feed::{
    BestRecord, Channel, L1Event, L2Event, L3Action, L3Event, LevelRecord, OrderRecord, TradeEvent,
    TradeNews,
};
use types::{SequenceNumber, Side};
use zerocopy::IntoBytes;

/// One event, of any channel of a market.
pub(super) enum Record {
    Trades(TradeEvent),
    L1(L1Event),
    L2(L2Event),
    L3(L3Event),
}

impl Record {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Trades(event) => event.as_bytes(),
            Self::L1(event) => event.as_bytes(),
            Self::L2(event) => event.as_bytes(),
            Self::L3(event) => event.as_bytes(),
        }
    }
}

/// Which channel tells this, and how.
pub(super) fn of_event(sequence: SequenceNumber, event: &BookEvent) -> (Channel, Record) {
    let record = match event {
        BookEvent::Traded(traded) => Record::Trades(TradeEvent::new(sequence, &trade(traded))),
        BookEvent::StatusChanged(status) => {
            Record::Trades(TradeEvent::new(sequence, &TradeNews::Status(*status)))
        }
        BookEvent::Indicated(indication) => {
            let price = |it: Indication| (it.price, it.volume, it.surplus);
            let news = TradeNews::Indicative(indication.map(price));
            Record::Trades(TradeEvent::new(sequence, &news))
        }
        BookEvent::Added(order) => l3(sequence, L3Action::Added, order),
        BookEvent::Shrunk(order) => l3(sequence, L3Action::Shrunk, order),
        BookEvent::Removed(order) => l3(sequence, L3Action::Removed, order),
        BookEvent::LevelChanged { side, level } => {
            Record::L2(L2Event::new(sequence, level_record(*side, level)))
        }
        BookEvent::BestChanged { side, best } => Record::L1(best_event(sequence, *side, *best)),
    };
    (super::channel_of(event), record)
}

/// The best of a side as an event.
pub fn best_event(sequence: SequenceNumber, side: Side, best: Option<Best>) -> L1Event {
    L1Event::new(sequence, best_record(side, best))
}

/// Appends what a book shows, as the lines that a snapshot has and that a book hash is over: bids
/// before asks, best first, orders of one price in their turn.
pub fn book_lines(channel: Channel, depth: &Depth, lines: &mut Vec<u8>) {
    for side in Side::BOTH {
        match channel {
            Channel::L1 => {
                lines.extend_from_slice(best_record(side, depth.best(side)).as_bytes());
            }
            Channel::L2 => {
                for level in depth.levels(side) {
                    lines.extend_from_slice(level_record(side, &level).as_bytes());
                }
            }
            Channel::L3 => {
                for order in depth.orders(side) {
                    lines.extend_from_slice(order_record(&order).as_bytes());
                }
            }
            Channel::Trades | Channel::Account => {}
        }
    }
}

pub(super) const fn level_record(side: Side, level: &ShownLevel) -> LevelRecord {
    LevelRecord::new(side, level.price, level.quantity, level.orders)
}

fn best_record(side: Side, best: Option<Best>) -> BestRecord {
    BestRecord::new(side, best.map(|best| (best.price, best.quantity)))
}

const fn order_record(order: &ShownOrder) -> OrderRecord {
    OrderRecord::new(order.order_id, order.side, order.price, order.shown)
}

const fn l3(sequence: SequenceNumber, action: L3Action, order: &ShownOrder) -> Record {
    Record::L3(L3Event::new(sequence, action, order_record(order)))
}

const fn trade(traded: &Traded) -> TradeNews {
    TradeNews::Trade {
        maker: traded.maker,
        taker_side: traded.taker_side,
        price: traded.price,
        quantity: traded.quantity,
        in_auction: traded.in_auction,
    }
}
