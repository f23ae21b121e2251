//! What an adversary would do to our book: times per order that an operation touches, so that each
//! case shows whether its cost is linear in them.

use std::time::Duration;

use benches::Size;
use benches::matching::Tally;
use benches::matching::keel::KeelBook;
use types::Side;

use crate::contest::thread_cpu;

/// One case's best time.
#[derive(Clone, Debug)]
pub struct WorstCase {
    pub name: String,
    /// Orders that were touched.
    pub orders: u32,
    /// Nanoseconds of CPU time for each.
    pub nanoseconds: f64,
}

const PASSES: usize = 5;
const LOTS: u64 = 10;
/// Ascending from here, one of the two sides.
const FIRST_PRICE: u32 = 1_000_000;
/// Multiplied with an index below a million, modulo a prime: every one once, in no order.
const STEP: u64 = 611_953;

/// All cases.
pub fn all(size: Size) -> Vec<WorstCase> {
    let (many, some) = match size {
        Size::Full => (1_000_000, 10_000),
        Size::Quick => (100_000, 10_000),
        Size::Smoke => (2_000, 200),
    };
    let mut cases = Vec::new();
    for (shape, price) in [
        ("one level", (|_| FIRST_PRICE) as Shape),
        ("every tick a level", |index| FIRST_PRICE + index),
        ("levels 4,096 ticks apart", |index| index * 4_096 + 1),
    ] {
        cases.extend(fill_and_cancel(shape, price, many));
        cases.push(sweep(shape, price, many, some));
    }
    cases.push(cancel_all(some, some));
    cases.push(cancel_all(many, some));
    cases
}

/// From an order's index to its price.
type Shape = fn(u32) -> u32;

/// `many` orders come in no order of price, and go in no order of anything.
fn fill_and_cancel(shape: &str, price: Shape, many: u32) -> [WorstCase; 2] {
    let mut best = [Duration::MAX; 2];
    for _ in 0..PASSES {
        let mut book = KeelBook::with_room(many);
        let start = thread_cpu();
        for index in 0..many {
            book.rest(index % 1_000, Side::Ask, price(shuffled(index, many)), LOTS);
        }
        let filled = thread_cpu();
        for index in 0..many {
            assert!(book.cancel(shuffled(index, many)));
        }
        best[0] = best[0].min(filled - start);
        best[1] = best[1].min(thread_cpu() - filled);
    }
    [
        case(format!("rest, {shape}, {many} orders"), many, best[0]),
        case(format!("cancel, {shape}, {many} orders"), many, best[1]),
    ]
}

/// One taker fills `some` of `many`.
fn sweep(shape: &str, price: Shape, many: u32, some: u32) -> WorstCase {
    let mut best = Duration::MAX;
    for _ in 0..PASSES {
        let mut book = KeelBook::with_room(many);
        for index in 0..many {
            book.rest(index % 1_000, Side::Ask, price(shuffled(index, many)), LOTS);
        }
        let mut tally = Tally::default();
        let start = thread_cpu();
        let left = book.take(Side::Bid, u32::MAX - 1, u64::from(some) * LOTS, &mut tally);
        best = best.min(thread_cpu() - start);
        assert_eq!((left, tally.trades), (0, some.into()));
    }
    case(format!("one taker, {shape}, {many} orders"), some, best)
}

/// An account cancels its `some` of `many`, spread over all levels and the whole memory.
fn cancel_all(many: u32, some: u32) -> WorstCase {
    let mut best = Duration::MAX;
    for _ in 0..PASSES {
        let mut book = KeelBook::with_room(many);
        for index in 0..many {
            let account = index % (many / some);
            book.rest(
                account,
                Side::Ask,
                FIRST_PRICE + shuffled(index, many) % 50_000,
                LOTS,
            );
        }
        let start = thread_cpu();
        let cancelled = book.cancel_all(0);
        best = best.min(thread_cpu() - start);
        assert_eq!(cancelled, some);
    }
    case(format!("cancel all of {some} among {many}"), some, best)
}

/// Every index below `many` once, in no order: the step is a prime above every factor of it.
fn shuffled(index: u32, many: u32) -> u32 {
    (u64::from(index) * STEP % u64::from(many)) as u32
}

fn case(name: String, orders: u32, time: Duration) -> WorstCase {
    WorstCase {
        name,
        orders,
        nanoseconds: time.as_nanos() as f64 / f64::from(orders),
    }
}
