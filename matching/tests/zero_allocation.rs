//! A book that has seen its peak, or was given room for it, allocates nothing.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use common::{Random, plain, taker};
use matching::{Book, RestingOrder, Taker, Unguarded};
use types::command::{SelfTrade, StopLeg};
use types::{AccountId, BaseLots, ClientOrderId, GroupId, LogTime, OrderId, Side, Ticks};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // Gone while a thread ends; nobody looks then.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches only a
// thread-local number that needs no allocation and no destructor.
#[allow(unsafe_code, reason = "an allocator can be declared in no other way")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promises are passed on; `alloc` and `realloc` are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocated or freed.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 2);
}

#[test]
fn a_warm_book_allocates_nothing() {
    for seed in 0..4 {
        let mut book = Book::new(seed);
        let cold = allocations(|| stream(&mut book, seed, 0));
        let warm = allocations(|| stream(&mut book, seed, 1 << 32));
        assert!(cold > 0, "seed {seed}");
        assert_eq!(warm, 0, "seed {seed}");
    }
}

#[test]
fn a_warm_book_that_goes_back_allocates_nothing() {
    for seed in 0..4 {
        let mut book = Book::new(seed);
        let mut there_and_back = || {
            allocations(|| {
                book.begin_undo();
                let mark = book.undo_mark();
                stream(&mut book, seed, 0);
                book.undo_to(mark);
                assert!(book.is_empty());
                book.end_undo();
            })
        };
        assert!(there_and_back() > 0, "seed {seed}");
        assert_eq!(there_and_back(), 0, "seed {seed}");
    }
}

#[test]
fn a_book_with_room_allocates_nothing_from_the_start() {
    const ORDERS: u64 = 10_000;
    let mut book = Book::with_capacity(3, ORDERS as usize);
    let filling = allocations(|| {
        for id in 1..=ORDERS {
            let mid_distance = 1 + id % (ORDERS / 4);
            let (side, price) = match id % 2 {
                0 => (Side::Bid, 1_000_000 - mid_distance),
                _ => (Side::Ask, 1_000_000 + mid_distance),
            };
            // One in sixteen is an iceberg, and one in sixteen expires.
            book.rest(&RestingOrder {
                account: AccountId::new((id % (ORDERS / 8)) as u32),
                client_order_id: ClientOrderId::new(id),
                display: BaseLots::new(if id % 16 == 5 { 1 } else { 0 }),
                expires_at: LogTime::new(if id % 16 == 8 { id } else { 0 }),
                ..plain(id, side, price, id)
            });
        }
    });
    assert_eq!(filling, 0);
    assert_eq!(u64::from(book.len()), ORDERS);
}

const STOP: StopLeg = StopLeg {
    trigger: Ticks::new(7),
    limit: Ticks::new(8),
    self_trade: SelfTrade::Allow,
};

/// The same operations every time but for the ids, which rise from `first_id`. Leaves the book
/// empty, so that a second run meets the same peak.
fn stream(book: &mut Book, seed: u64, first_id: u64) {
    let mut random = Random::new(seed);
    for step in 1..20_000 {
        let side = random.side();
        // Mostly near, sometimes anywhere.
        let spread = if random.below(50) == 0 { 1 << 31 } else { 200 };
        let distance = random.below(spread);
        let price = Ticks::new(match side {
            Side::Bid => (1 << 31) + 20 - distance,
            Side::Ask => (1 << 31) - 20 + distance,
        });
        let quantity = 1 + random.below(100);
        let account = AccountId::new(random.below(50) as u32);
        let now = LogTime::new(step);
        match random.below(8) {
            0..4 if !book.crosses(side, price) => book.rest(&RestingOrder {
                account,
                client_order_id: ClientOrderId::new(step),
                display: BaseLots::new(random.below(2) * (1 + random.below(quantity))),
                expires_at: LogTime::new(random.below(2) * (step + random.below(2_000))),
                stop: (random.below(8) == 0).then_some(STOP),
                ..plain(first_id + step, side, price.get(), quantity)
            }),
            0..5 => {
                let taker = Taker {
                    fills_max: 20,
                    self_trade: random.of(&[
                        SelfTrade::Allow,
                        SelfTrade::CancelMaker,
                        SelfTrade::Decrement,
                    ]),
                    now,
                    ..taker(side, price, BaseLots::new(quantity))
                };
                let group_of = |account: AccountId| GroupId::new(account.get() % 4);
                black_box(book.fillable(&taker, group_of, &mut Unguarded));
                book.take(&taker, group_of, &mut Unguarded, |meeting| {
                    black_box(meeting);
                });
            }
            5..7 => {
                let order_id = OrderId::new(first_id + random.below(step));
                black_box(book.cancel(order_id));
            }
            _ => {
                book.expire(now, 10, |order| {
                    black_box(order);
                });
                look(book, account, &mut random);
            }
        }
    }
    for account in 0..50 {
        book.cancel_all(AccountId::new(account), None, None, |_| ());
    }
    assert!(book.is_empty());
}

fn look(book: &mut Book, account: AccountId, random: &mut Random) {
    if random.below(50) == 0 {
        book.cancel_all(account, Some(random.side()), None, |order| {
            black_box(order);
        });
    }
    let some = book.orders_of(account).next();
    if let Some(order) = some {
        let by = BaseLots::new(random.below(order.remaining.get()));
        black_box(book.reduce(order.order_id, by));
    }
    black_box(book.open_orders(account));
    black_box(book.labelled(account, ClientOrderId::new(random.below(20_000))));
    black_box(book.levels(Side::Bid).take(5).count());
    black_box(book.orders(Side::Ask).take(5).count());
}
