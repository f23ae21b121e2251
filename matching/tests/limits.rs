//! What the book refuses to be told, and what it does at its limits.

use matching::{Book, RestingOrder};
use types::limits::{ORDERS_PER_BOOK_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

const ORDER: RestingOrder = RestingOrder {
    order_id: OrderId::new(5),
    account: AccountId::new(1),
    client_order_id: ClientOrderId::new(9),
    side: Side::Bid,
    price: Ticks::new(100),
    remaining: BaseLots::new(10),
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
            false,
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
    ] {
        let mut book = Book::new(1);
        book.rest(&ORDER);
        let result = std::panic::catch_unwind(move || book.rest(&second));
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
        remaining: BaseLots::new(quantity),
        ..priced(100)
    }
}

#[test]
fn a_level_may_hold_more_than_64_bits_of_lots() {
    let mut book = Book::new(1);
    for id in 1..=70_000 {
        book.rest(&RestingOrder {
            order_id: OrderId::new(id),
            client_order_id: ClientOrderId::NONE,
            remaining: BaseLots::new(QUANTITY_LOTS_MAX),
            ..ORDER
        });
    }
    let level = book.levels(Side::Bid).next().unwrap();
    assert_eq!(level.quantity, BaseLots::new(u64::MAX));
    let all = BaseLots::new(u64::MAX);
    assert!(book.fillable(Side::Ask, ORDER.price, all, u32::MAX));
    assert!(!book.fillable(Side::Ask, ORDER.price, all, 65_000));
    let taken = book.take(Side::Ask, ORDER.price, all, u32::MAX, |_| ());
    assert_eq!((taken.filled, taken.fills), (all, 65_537));
    book.assert_invariants();
}

#[test]
fn a_full_book_says_so_and_empties_again() {
    let mut book = Book::with_capacity(1, ORDERS_PER_BOOK_MAX as usize);
    for id in 1..=u64::from(ORDERS_PER_BOOK_MAX) {
        assert!(!book.is_full());
        book.rest(&RestingOrder {
            order_id: OrderId::new(id),
            client_order_id: ClientOrderId::NONE,
            price: Ticks::new(1 + id % 1_000),
            ..ORDER
        });
    }
    assert!(book.is_full());
    let mut cancelled = 0;
    book.cancel_all(ORDER.account, None, |_| cancelled += 1);
    assert_eq!(cancelled, ORDERS_PER_BOOK_MAX);
    assert!(book.is_empty());
    book.assert_invariants();
}
