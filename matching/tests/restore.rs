//! What is no book is not restored, whatever wrote it down.

mod common;

use common::plain;
use matching::{Book, NotABook, RestingOrder};
use types::command::{SelfTrade, StopLeg};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

/// A bid and an ask that leave room between them.
fn orders() -> Vec<RestingOrder> {
    vec![plain(1, Side::Bid, 10, 5), plain(2, Side::Ask, 20, 5)]
}

fn restore(orders: &[RestingOrder], turns: &[u64], collects: bool) -> Result<Book, NotABook> {
    let turns = turns.iter().copied().map(OrderId::new);
    Book::restore(1, collects, orders.iter().copied(), turns)
}

/// A change to the first order, and what is said about it.
type Change = (fn(&mut RestingOrder), &'static str);

const CHANGES: &[Change] = &[
    (|it| it.price = Ticks::ZERO, "prices are legal"),
    (
        |it| it.price = Ticks::new(PRICE_TICKS_MAX + 1),
        "prices are legal",
    ),
    (|it| it.stop = Some(stop(0, 1)), "prices are legal"),
    (|it| it.stop = Some(stop(1, u64::MAX)), "prices are legal"),
    (
        |it| it.account = AccountId::new(u32::MAX),
        "who owns it is an account",
    ),
    (|it| it.remaining = BaseLots::ZERO, "sizes are legal"),
    (|it| it.quantity = BaseLots::new(4), "sizes are legal"),
    (
        |it| it.quantity = BaseLots::new(QUANTITY_LOTS_MAX + 1),
        "sizes are legal",
    ),
    (|it| it.shown = BaseLots::ZERO, "it shows a part"),
    (|it| it.shown = BaseLots::new(6), "it shows a part"),
    (|it| it.shown = BaseLots::new(4), "it shows a part"),
    (
        |it| (it.protected, it.display) = (true, BaseLots::new(5)),
        "who is protected hides nothing",
    ),
    (|it| it.order_id = OrderId::new(2), "ids are unique"),
    (
        |it| it.client_order_id = ClientOrderId::new(7),
        "labels are unique",
    ),
    (|it| it.price = Ticks::new(20), "what crosses does not rest"),
];

const fn stop(trigger: u64, limit: u64) -> StopLeg {
    StopLeg {
        trigger: Ticks::new(trigger),
        limit: Ticks::new(limit),
        self_trade: SelfTrade::Allow,
    }
}

#[test]
fn what_is_no_book_is_not_restored() {
    for (change, what) in CHANGES {
        let mut orders = orders();
        orders[1].client_order_id = ClientOrderId::new(7);
        change(&mut orders[0]);
        // The later of the two is the one that contradicts.
        orders.reverse();
        let restored = restore(&orders, &[1, 2], false);
        assert_eq!(restored.err(), Some(NotABook(what)), "{:?}", orders[1]);
    }
}

#[test]
fn every_order_has_one_turn() {
    for turns in [&[][..], &[1], &[1, 1], &[1, 2, 2], &[2, 1, 2]] {
        let restored = restore(&orders(), turns, false);
        let error = NotABook("one turn for each order");
        assert_eq!(restored.err(), Some(error), "{turns:?}");
    }
    let stranger = restore(&orders(), &[1, 3], false);
    assert_eq!(stranger.err(), Some(NotABook("who has a turn rests")));
    restore(&orders(), &[2, 1], false)
        .unwrap()
        .assert_invariants();
}

#[test]
fn what_collects_may_cross() {
    let mut orders = orders();
    orders[0].price = Ticks::new(25);
    let book = restore(&orders, &[1, 2], true).unwrap();
    book.assert_invariants();
    assert!(book.is_collecting());
}
