//! `orderbook-rs`: made for many threads at once, so every book is shared and trades come through a
//! listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use benches::matching::{Action, Engine, Naming, Op, Room, Tally};
use orderbook_rs::{Id, OrderBook, Side, TimeInForce};
use pricelevel::{OrderUpdate, Price};

pub struct OrderBookRs {
    books: Vec<OrderBook<()>>,
    heard: Arc<Heard>,
}

/// Trades of the operation at hand. Relaxed: one thread writes and reads; the listener must be
/// shareable.
#[derive(Default)]
struct Heard {
    trades: AtomicU64,
    volume: AtomicU64,
    notional: AtomicU64,
}

impl Engine for OrderBookRs {
    const NAME: &'static str = "orderbook-rs";
    const NAMING: Naming = Naming::Kept;

    fn with_room(room: &Room) -> Self {
        let heard = Arc::<Heard>::default();
        let book = |_: &u32| {
            let heard = Arc::clone(&heard);
            let mut book = OrderBook::new("BTCUSD");
            book.set_trade_listener(Arc::new(move |result| {
                for trade in result.match_result.trades().as_vec() {
                    heard.add(trade.price().as_u128() as u64, trade.quantity().as_u64());
                }
            }));
            book
        };
        Self {
            books: room.orders.iter().map(book).collect(),
            heard,
        }
    }

    fn apply(&mut self, op: Op, tally: &mut Tally) {
        let book = &self.books[usize::from(op.symbol)];
        let id = Id::sequential(op.id.into());
        let limit = |time_in_force| {
            let (price, quantity) = (op.price.into(), op.quantity.into());
            book.add_limit_order(id, price, quantity, side(op.side), time_in_force, None)
        };
        // An immediate order of which something is left is an error, after its trades; so the trades
        // are what is checked.
        let _ = match op.action {
            Action::Place => limit(TimeInForce::Gtc).map(Some),
            Action::Immediate => limit(TimeInForce::Ioc).map(Some),
            Action::Cancel => book.cancel_order(id),
            Action::Move => book.update_order(OrderUpdate::UpdatePrice {
                order_id: id,
                new_price: Price::new(op.price.into()),
            }),
        };
        self.heard.hand_over(tally);
    }
}

impl Heard {
    fn add(&self, price: u64, quantity: u64) {
        self.trades.fetch_add(1, Ordering::Relaxed);
        self.volume.fetch_add(quantity, Ordering::Relaxed);
        self.notional.fetch_add(price * quantity, Ordering::Relaxed);
    }

    fn hand_over(&self, tally: &mut Tally) {
        if self.trades.load(Ordering::Relaxed) > 0 {
            tally.trades += self.trades.swap(0, Ordering::Relaxed);
            tally.volume += self.volume.swap(0, Ordering::Relaxed);
            tally.notional += self.notional.swap(0, Ordering::Relaxed);
        }
    }
}

const fn side(side: types::Side) -> Side {
    match side {
        types::Side::Bid => Side::Buy,
        types::Side::Ask => Side::Sell,
    }
}
