//! `rust-order-book`: numbers orders itself, from zero, and renumbers what moves. Its reports of
//! limit orders say how much traded but carry an empty list of fills.

use benches::matching::{Action, Engine, Naming, Op, Room, Tally};
use rust_order_book::{ExecutionReport, OrderBook, OrderBookBuilder, Side, TimeInForce};

pub struct RustOrderBook {
    books: Vec<OrderBook>,
}

impl Engine for RustOrderBook {
    const NAME: &'static str = "rust-order-book";
    const NAMING: Naming = Naming::Renewed;

    /// It makes room for 100,000 orders a book and cannot be told otherwise.
    fn with_room(room: &Room) -> Self {
        let books = room.orders.iter();
        Self {
            books: books
                .map(|_| OrderBookBuilder::new("BTCUSD").build())
                .collect(),
        }
    }

    fn apply(&mut self, op: Op, tally: &mut Tally) {
        let book = &mut self.books[usize::from(op.symbol)];
        let (price, quantity) = (op.price.into(), op.quantity.into());
        let limit = |book: &mut OrderBook, time_in_force| {
            book.limit_raw(side(op.side), quantity, price, Some(time_in_force), None)
        };
        let report = match op.action {
            Action::Place => limit(book, TimeInForce::GTC),
            Action::Immediate => limit(book, TimeInForce::IOC),
            Action::Move => book.modify_raw(op.id.into(), Some(price), None),
            Action::Cancel => {
                // What is no longer there is an error, which the recorded stream has.
                let _ = book.cancel_raw(op.id.into());
                return;
            }
        };
        let report: ExecutionReport = report.expect("streams have no illegal orders");
        tally.volume += report.executed_qty.value();
    }
}

const fn side(side: types::Side) -> Side {
    match side {
        types::Side::Bid => Side::Buy,
        types::Side::Ask => Side::Sell,
    }
}
