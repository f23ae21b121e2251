//! `lobster`: no moves and nothing immediate, so a move is a cancel and a new order under the same
//! id, and an immediate order is cancelled if something of it is left.

use benches::matching::{Action, Engine, Naming, Op, Room, Tally};
use lobster::{OrderBook, OrderEvent, OrderType, Side};

/// What its own `Default` takes for the orders of one price.
const QUEUE_CAPACITY: usize = 10;

pub struct Lobster {
    books: Vec<OrderBook>,
}

impl Engine for Lobster {
    const NAME: &'static str = "lobster";
    const NAMING: Naming = Naming::Kept;

    fn with_room(room: &Room) -> Self {
        let book = |&orders: &u32| OrderBook::new(orders as usize, QUEUE_CAPACITY, false);
        Self {
            books: room.orders.iter().map(book).collect(),
        }
    }

    fn apply(&mut self, op: Op, tally: &mut Tally) {
        let book = &mut self.books[usize::from(op.symbol)];
        let cancel = OrderType::Cancel { id: op.id.into() };
        match op.action {
            Action::Place => {
                limit(book, op, tally);
            }
            Action::Immediate => {
                if !limit(book, op, tally) {
                    book.execute(cancel);
                }
            }
            Action::Cancel => {
                book.execute(cancel);
            }
            Action::Move => {
                book.execute(cancel);
                limit(book, op, tally);
            }
        }
    }
}

/// Returns whether all of it traded.
fn limit(book: &mut OrderBook, op: Op, tally: &mut Tally) -> bool {
    let event = book.execute(OrderType::Limit {
        id: op.id.into(),
        side: match op.side {
            types::Side::Bid => Side::Bid,
            types::Side::Ask => Side::Ask,
        },
        qty: op.quantity.into(),
        price: op.price.into(),
    });
    let (is_filled, fills) = match &event {
        OrderEvent::Filled { fills, .. } => (true, fills.as_slice()),
        OrderEvent::PartiallyFilled { fills, .. } => (false, fills.as_slice()),
        _ => (false, [].as_slice()),
    };
    for fill in fills {
        tally.add(fill.price, fill.qty);
    }
    is_filled
}
