//! What a book shows, and its trades, as the wire has them.

use matching::{Best, Depth, ShownLevel, ShownOrder, Traded};
use types::wire::feed::{BestRecord, Channel, L1Event, LevelRecord, OrderRecord, TradeNews};
use types::{SequenceNumber, Side};
use zerocopy::IntoBytes;

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

pub(super) const fn order_record(order: &ShownOrder) -> OrderRecord {
    OrderRecord::new(order.order_id, order.side, order.price, order.shown)
}

pub(super) const fn trade(traded: &Traded) -> TradeNews {
    TradeNews::Trade {
        maker: traded.maker,
        taker_side: traded.taker_side,
        price: traded.price,
        quantity: traded.quantity,
        in_auction: traded.in_auction,
    }
}
