//! What the book refuses to be told, and what it does at its limits.

mod common;

use common::{nobody_asks, plain, taker};
use matching::{Book, RestingOrder, Taker, Unguarded};
use types::limits::{
    EXPIRIES_PER_TICK_MAX, FILLS_PER_COMMAND_MAX, ORDERS_PER_BOOK_MAX, PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

const ORDER: RestingOrder = RestingOrder {
    account: AccountId::new(1),
    client_order_id: ClientOrderId::new(9),
    ..plain(5, Side::Bid, 100, 10)
};

#[test]
fn broken_preconditions_panic() {
    let id = |id| OrderId::new(id);
    let unlabelled = ClientOrderId::NONE;
    for (what, second, legal) in [
        (
            "nothing wrong",
            RestingOrder {
                order_id: id(6),
                client_order_id: unlabelled,
                ..ORDER
            },
            true,
        ),
        (
            "the same id",
            RestingOrder {
                client_order_id: unlabelled,
                ..ORDER
            },
            false,
        ),
        (
            "an older id",
            RestingOrder {
                order_id: id(4),
                client_order_id: unlabelled,
                ..ORDER
            },
            true,
        ),
        (
            "the same label",
            RestingOrder {
                order_id: id(6),
                ..ORDER
            },
            false,
        ),
        (
            "another's label",
            RestingOrder {
                order_id: id(6),
                account: AccountId::new(2),
                ..ORDER
            },
            true,
        ),
        ("locks", crossing(100), false),
        ("crosses", crossing(99), false),
        ("does not cross", crossing(101), true),
        ("price zero", priced(0), false),
        ("lowest price", priced(1), true),
        ("price too high", crossing(PRICE_TICKS_MAX + 1), false),
        ("price far too high", crossing((1 << 32) + 200), false),
        ("highest price", crossing(PRICE_TICKS_MAX), true),
        ("nothing", sized(0), false),
        ("largest", sized(QUANTITY_LOTS_MAX), true),
        ("too large", sized(QUANTITY_LOTS_MAX + 1), false),
        ("filled too much", filled(QUANTITY_LOTS_MAX), false),
        ("filled much", filled(QUANTITY_LOTS_MAX - 10), true),
        ("more open than there is", more_open_than_there_is(), false),
    ] {
        let mut book = Book::new(1);
        book.rest(&ORDER);
        let result = std::panic::catch_unwind(move || book.rest(&second));
        assert_eq!(result.is_ok(), legal, "{what}");
    }
}

#[test]
fn what_may_not_rest_may_not_queue_anew() {
    for (what, id, price, remaining, legal) in [
        ("nothing wrong", 5, 100, 10, true),
        ("larger", 5, 99, QUANTITY_LOTS_MAX - 3, true),
        ("too large", 5, 99, QUANTITY_LOTS_MAX - 2, false),
        ("nothing", 5, 100, 0, false),
        ("locks", 5, 200, 1, false),
        ("price zero", 5, 0, 1, false),
        ("nobody", 6, 100, 1, false),
    ] {
        let mut book = Book::new(1);
        book.rest(&RestingOrder {
            quantity: BaseLots::new(13),
            ..ORDER
        });
        book.rest(&plain(7, Side::Ask, 200, 1));
        let (price, remaining) = (Ticks::new(price), BaseLots::new(remaining));
        let requeue = move || book.requeue(OrderId::new(id), price, remaining);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(requeue));
        assert_eq!(result.is_ok(), legal, "{what}");
    }
}

fn crossing(price: u64) -> RestingOrder {
    RestingOrder {
        side: Side::Ask,
        ..priced(price)
    }
}

fn priced(price: u64) -> RestingOrder {
    RestingOrder {
        order_id: OrderId::new(6),
        client_order_id: ClientOrderId::NONE,
        price: Ticks::new(price),
        ..ORDER
    }
}

fn sized(quantity: u64) -> RestingOrder {
    RestingOrder {
        quantity: BaseLots::new(quantity),
        remaining: BaseLots::new(quantity),
        ..priced(100)
    }
}

fn filled(filled: u64) -> RestingOrder {
    RestingOrder {
        quantity: BaseLots::new(filled + 10),
        ..priced(100)
    }
}

fn more_open_than_there_is() -> RestingOrder {
    RestingOrder {
        remaining: BaseLots::new(11),
        ..priced(100)
    }
}

#[test]
fn what_would_leave_nothing_is_no_reduction() {
    for (by, legal) in [(0, true), (9, true), (10, false), (11, false)] {
        for display in [0, 3] {
            let mut book = Book::new(1);
            book.rest(&RestingOrder {
                display: BaseLots::new(display),
                ..ORDER
            });
            let reduce = move || book.reduce(ORDER.order_id, BaseLots::new(by));
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(reduce));
            assert_eq!(result.is_ok(), legal, "by {by}, display {display}");
        }
    }
}

#[test]
fn a_level_may_hold_more_than_64_bits_of_lots() {
    for display in [0, QUANTITY_LOTS_MAX / 2 + 1] {
        let mut book = Book::new(1);
        for id in 1..=140_000 {
            book.rest(&RestingOrder {
                display: BaseLots::new(display),
                ..plain(id, Side::Bid, 100, QUANTITY_LOTS_MAX)
            });
        }
        let level = book.levels(Side::Bid).next().unwrap();
        assert_eq!(level.quantity, BaseLots::new(u64::MAX));
        let hidden = if display == 0 { 0 } else { u64::MAX };
        assert_eq!(level.hidden, BaseLots::new(hidden));
        let mut all = taker(Side::Ask, ORDER.price, BaseLots::new(u64::MAX));
        let fills = if display == 0 { 65_537 } else { 131_072 };
        for (fills_max, is_fillable) in [(u32::MAX, true), (fills, true), (fills - 1, false)] {
            all.fills_max = fills_max;
            assert_eq!(
                book.fillable(&all, nobody_asks, &mut Unguarded),
                is_fillable
            );
        }
        all.fills_max = fills;
        let taken = book.take(&all, nobody_asks, &mut Unguarded, |_| ());
        assert_eq!((taken.filled, taken.fills), (all.quantity, fills));
        book.assert_invariants();
    }
}

/// Icebergs that show one lot at a time, among many orders that show all: a search round by round
/// would look at every order in every round.
#[test]
fn a_search_through_hidden_size_is_short() {
    const PLAIN: u32 = FILLS_PER_COMMAND_MAX / 2;
    let mut book = Book::new(1);
    for id in 1..=u64::from(PLAIN) {
        let display = BaseLots::new(u64::from(id == 1));
        book.rest(&RestingOrder {
            display,
            ..plain(id, Side::Ask, 100, if id == 1 { 1 << 40 } else { 1 })
        });
    }
    let lots = BaseLots::new(u64::from(FILLS_PER_COMMAND_MAX));
    let fits = Taker {
        fills_max: FILLS_PER_COMMAND_MAX,
        ..taker(Side::Bid, Ticks::new(100), lots)
    };
    let too_large = Taker {
        quantity: lots + BaseLots::new(1),
        ..fits
    };
    for _ in 0..100 {
        assert!(book.fillable(&fits, nobody_asks, &mut Unguarded));
        assert!(!book.fillable(&too_large, nobody_asks, &mut Unguarded));
    }
    let taken = book.take(&too_large, nobody_asks, &mut Unguarded, |_| ());
    assert_eq!(taken.filled, lots);
}

#[test]
fn a_full_tick_of_expiries_leaves_the_rest_for_the_next() {
    let mut book = Book::new(1);
    let orders = EXPIRIES_PER_TICK_MAX + 5;
    for id in 1..=u64::from(orders) {
        // Back and forth, so that the heap has something to do.
        let expires_at = LogTime::new(1 + id * 7_919 % 10_007);
        book.rest(&RestingOrder {
            expires_at,
            ..plain(id, Side::Ask, 100 + id % 64, 1)
        });
    }
    book.assert_invariants();
    let mut last = LogTime::ZERO;
    for expected in [EXPIRIES_PER_TICK_MAX, 5, 0] {
        let expired = book.expire(LogTime::new(20_000), EXPIRIES_PER_TICK_MAX, |order| {
            assert!(last <= order.expires_at);
            last = order.expires_at;
        });
        assert_eq!(expired, expected);
        book.assert_invariants();
    }
    assert!(book.is_empty());
}

#[test]
fn a_full_book_says_so_and_empties_again() {
    let mut book = Book::with_capacity(1, ORDERS_PER_BOOK_MAX as usize);
    for id in 1..=u64::from(ORDERS_PER_BOOK_MAX) {
        assert!(!book.is_full());
        book.rest(&plain(id, Side::Bid, 1 + id % 1_000, 10));
    }
    assert!(book.is_full());
    let mut cancelled = 0;
    book.cancel_all(AccountId::new(0), None, None, |_| cancelled += 1);
    assert_eq!(cancelled, ORDERS_PER_BOOK_MAX);
    assert!(book.is_empty());
    book.assert_invariants();
}
