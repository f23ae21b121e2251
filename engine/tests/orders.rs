//! `docs/ORDERS.md`, rule by rule: one line a step, the expected result beside it.

#![allow(clippy::unwrap_used)] // Test support: a panic is a failed test.

mod common;

use common::desk::{
    Desk, FOK, GTC, IOC, MARKET, armed, ask, bid, cancel, iceberg, id, place, replace, until,
};
use types::command::{
    Cancel, CancelScope, Crossing, Immediate, OrderKind, Place, PriceRange, QuoteLevel, QuoteSet,
    Resting, SelfTrade, TriggerCondition,
};
use types::outcome::DoneReason;
use types::{
    BaseLots, ClientOrderId, Command, LogTime, OrderId, RejectReason, SequenceNumber, Side, Ticks,
};

#[test]
fn market_orders_take_up_to_their_bound() {
    let market = |immediate| OrderKind::Market(immediate);
    let mut desk = Desk::new();
    desk.check(&[
        (1, ask(100, 10, GTC), Ok((0, 0))),
        (1, ask(110, 10, GTC), Ok((0, 0))),
        (
            2,
            bid(105, 15, market(Immediate::OrKill)),
            Err(RejectReason::NotFillable),
        ),
        (2, bid(105, 15, market(Immediate::OrCancel)), Ok((1, 10))),
    ]);
    assert_eq!(desk.ended(), [(id(4), DoneReason::Unfilled)]);
}

#[test]
fn a_sliding_post_only_order_gives_way() {
    let slide = OrderKind::PostOnly(Crossing::Slide, Resting::PLAIN);
    let mut desk = Desk::new();
    desk.check(&[
        (1, ask(100, 10, GTC), Ok((0, 0))),
        (2, bid(120, 5, slide), Ok((0, 0))),
        (2, ask(90, 5, slide), Ok((0, 0))),
        (2, bid(50, 5, slide), Ok((0, 0))),
    ]);
    assert_eq!(desk.resting(id(2)), Some((99, 5)));
    // The best bid is 99, so the ask slides to the tick above.
    assert_eq!(desk.resting(id(3)), Some((100, 5)));
    assert_eq!(desk.resting(id(4)), Some((50, 5)));
    desk.check(&[
        (1, Command::CancelAll(CancelScope::EVERYTHING), Ok((1, 0))),
        (2, Command::CancelAll(CancelScope::EVERYTHING), Ok((3, 0))),
        (1, ask(1, 1, GTC), Ok((0, 0))),
        (2, bid(1, 1, slide), Err(RejectReason::WouldCross)),
    ]);
}

#[test]
fn orders_good_till_a_time_end_then() {
    let mut desk = Desk::new();
    desk.tick(1_000);
    desk.check(&[
        (
            1,
            ask(100, 10, until(1_000)),
            Err(RejectReason::ExpiryInPast),
        ),
        (1, ask(100, 10, until(3_000)), Ok((0, 0))),
        (1, ask(100, 10, until(2_000)), Ok((0, 0))),
        (1, ask(100, 10, until(2_000)), Ok((0, 0))),
        (1, ask(100, 10, until(2_001)), Ok((0, 0))),
    ]);
    desk.tick(2_000);
    let expired = DoneReason::Expired;
    assert_eq!(desk.ended(), [(id(4), expired), (id(5), expired)]);
    desk.tick(9_000);
    assert_eq!(desk.ended(), [(id(6), expired), (id(3), expired)]);
    assert_eq!(desk.step(2, bid(100, 1, IOC)), Ok((0, 0)));
}

#[test]
fn an_iceberg_shows_a_part_and_loses_its_place_with_it() {
    let mut desk = Desk::new();
    desk.check(&[
        (
            1,
            ask(100, 10, iceberg(10)),
            Err(RejectReason::InvalidDisplay),
        ),
        (1, ask(100, 10, iceberg(4)), Ok((0, 0))),
        (2, ask(100, 5, GTC), Ok((0, 0))),
        (3, bid(100, 15, FOK), Ok((4, 15))),
    ]);
    // 4 shown, then the order behind it, then the rest in turns.
    assert_eq!(
        desk.fills(),
        [(id(2), 4), (id(3), 5), (id(2), 4), (id(2), 2)]
    );
}

#[test]
fn orders_of_one_group_meet_as_the_taker_says() {
    // Accounts 0 and 1 belong together, 2 does not.
    let taker = |self_trade| {
        Command::Place(Place {
            self_trade,
            ..place(Side::Bid, 100, 12, GTC)
        })
    };
    let makers = [
        (2, ask(100, 4, GTC), Ok((0, 0))),
        (1, ask(100, 5, GTC), Ok((0, 0))),
        (2, ask(100, 6, GTC), Ok((0, 0))),
    ];
    let ended = DoneReason::SelfTrade;
    for (self_trade, expected, fills, done, own_rest) in [
        (
            SelfTrade::Allow,
            Ok((3, 12)),
            vec![(id(1), 4), (id(2), 5), (id(3), 3)],
            vec![],
            None,
        ),
        (
            SelfTrade::CancelTaker,
            Ok((1, 4)),
            vec![(id(1), 4)],
            vec![(id(4), ended)],
            Some((100, 5)),
        ),
        (
            SelfTrade::CancelMaker,
            Ok((2, 10)),
            vec![(id(1), 4), (id(3), 6)],
            vec![(id(2), ended)],
            None,
        ),
        (
            SelfTrade::CancelBoth,
            Ok((1, 4)),
            vec![(id(1), 4)],
            vec![(id(2), ended), (id(4), ended)],
            None,
        ),
        (
            SelfTrade::Decrement,
            Ok((2, 7)),
            vec![(id(1), 4), (id(3), 3)],
            vec![(id(2), ended), (id(4), ended)],
            None,
        ),
    ] {
        let mut desk = Desk::new();
        desk.check(&makers);
        assert_eq!(desk.step(0, taker(self_trade)), expected, "{self_trade:?}");
        assert_eq!(desk.fills(), fills, "{self_trade:?}");
        assert_eq!(desk.ended(), done, "{self_trade:?}");
        assert_eq!(desk.resting(id(2)), own_rest, "{self_trade:?}");
    }
}

#[test]
fn stops_wait_for_a_trade_at_their_price() {
    let stop = |order, price| armed(order, TriggerCondition::Stop, price);
    let mut desk = Desk::new();
    desk.check(&[
        (1, ask(100, 5, GTC), Ok((0, 0))),
        (1, ask(105, 5, GTC), Ok((0, 0))),
        (1, ask(110, 5, GTC), Ok((0, 0))),
        // Nothing has traded yet: both wait. The second is set off by the first one's trade.
        (2, stop(place(Side::Bid, 110, 5, IOC), 105), Ok((0, 0))),
        (2, stop(place(Side::Bid, 105, 5, IOC), 100), Ok((0, 0))),
        (3, bid(100, 5, IOC), Ok((1, 5))),
    ]);
    assert_eq!(desk.fills(), [(id(1), 5), (id(2), 5), (id(3), 5)]);
    // The last trade was at 110: a stop at 108 would enter at once.
    desk.check(&[
        (1, ask(112, 5, GTC), Ok((0, 0))),
        (2, stop(place(Side::Bid, 112, 5, IOC), 108), Ok((1, 5))),
    ]);
}

#[test]
fn take_profits_wait_for_the_other_direction_and_can_be_cancelled() {
    let profit = |order, price| armed(order, TriggerCondition::TakeProfit, price);
    let mut desk = Desk::new();
    desk.check(&[
        (2, profit(place(Side::Ask, 90, 5, IOC), 120), Ok((0, 0))),
        (2, profit(place(Side::Ask, 90, 7, IOC), 130), Ok((0, 0))),
        (
            2,
            profit(place(Side::Ask, 90, 7, IOC), 0),
            Err(RejectReason::InvalidTrigger),
        ),
        (2, cancel(2), Ok((1, 7))),
        (2, cancel(2), Err(RejectReason::OrderNotFound)),
        (1, ask(120, 5, GTC), Ok((0, 0))),
        (3, bid(90, 5, GTC), Ok((0, 0))),
        (3, bid(120, 5, IOC), Ok((1, 5))),
    ]);
    assert_eq!(desk.fills(), [(id(6), 5), (id(7), 5)]);
}

#[test]
fn a_replace_keeps_its_place_only_when_it_shrinks() {
    let mut desk = Desk::new();
    desk.check(&[
        (1, ask(100, 10, GTC), Ok((0, 0))),
        (2, ask(100, 10, GTC), Ok((0, 0))),
        (3, bid(100, 4, IOC), Ok((1, 4))),
        (
            1,
            replace(1, 100, 4, true),
            Err(RejectReason::AlreadyFilled),
        ),
        (1, replace(1, 100, 7, true), Ok((0, 0))),
        (3, bid(100, 3, IOC), Ok((1, 3))),
        // It grew from nothing but its own size: the other one is first now.
        (
            1,
            replace(1, 100, 7, true),
            Err(RejectReason::OrderNotFound),
        ),
        (2, replace(2, 100, 11, true), Ok((0, 0))),
        (1, ask(100, 2, GTC), Ok((0, 0))),
        (2, replace(2, 100, 12, true), Ok((0, 0))),
        (3, bid(100, 3, IOC), Ok((2, 3))),
    ]);
    assert_eq!(desk.fills(), [(id(9), 2), (id(2), 1)]);
    assert_eq!(desk.resting(id(2)), Some((100, 11)));
    desk.check(&[
        (3, bid(90, 5, GTC), Ok((0, 0))),
        (3, replace(12, 100, 5, false), Err(RejectReason::WouldCross)),
        (
            1,
            replace(12, 100, 5, true),
            Err(RejectReason::OrderNotFound),
        ),
        (
            3,
            replace(12, 100, 40_000, true),
            Err(RejectReason::InsufficientFunds),
        ),
        (3, replace(12, 100, 15, true), Ok((1, 11))),
    ]);
    assert_eq!(desk.resting(id(12)), Some((100, 4)));
}

#[test]
fn an_armed_order_is_replaced_with_its_trigger() {
    let stop = armed(place(Side::Bid, 110, 5, IOC), TriggerCondition::Stop, 105);
    let mut desk = Desk::new();
    desk.check(&[
        (2, stop, Ok((0, 0))),
        (2, replace(1, 120, 6, true), Ok((0, 0))),
        (1, ask(105, 1, GTC), Ok((0, 0))),
        (1, ask(120, 9, GTC), Ok((0, 0))),
        (3, bid(105, 1, IOC), Ok((1, 1))),
    ]);
    assert_eq!(desk.fills(), [(id(3), 1), (id(4), 6)]);
}

#[test]
fn a_quote_set_replaces_all_quotes_or_none() {
    let level = |(price, quantity)| QuoteLevel::new(Ticks::new(price), BaseLots::new(quantity));
    let quote = |number, bids: &[(u64, u64)], asks: &[(u64, u64)]| {
        let levels = |side: &[(u64, u64)]| side.iter().copied().map(level).collect::<Vec<_>>();
        (number, levels(bids), levels(asks))
    };
    let index = |sequence, index| OrderId::new_at(SequenceNumber::new(sequence), MARKET, index);
    let steps = [
        (
            quote(5, &[(99, 5), (98, 5)], &[(101, 5), (102, 5)]),
            Ok((4, 0)),
        ),
        (quote(5, &[], &[]), Err(RejectReason::StaleQuoteSet)),
        (
            quote(6, &[(98, 5), (99, 5)], &[]),
            Err(RejectReason::UnsortedQuotes),
        ),
        (
            quote(6, &[(99, 5), (99, 5)], &[]),
            Err(RejectReason::UnsortedQuotes),
        ),
        (
            quote(6, &[(101, 5)], &[(101, 5)]),
            Err(RejectReason::UnsortedQuotes),
        ),
        (quote(6, &[(99, 0)], &[]), Err(RejectReason::ZeroQuantity)),
        (
            quote(6, &[(99, 40_000)], &[]),
            Err(RejectReason::InsufficientFunds),
        ),
        (quote(6, &[(105, 1)], &[]), Err(RejectReason::WouldCross)),
        // 99 shrinks in place, 98 goes, 100 is new; 101 grows and so enters anew, 102 stays.
        (
            quote(7, &[(100, 1), (99, 3)], &[(101, 6), (102, 5)]),
            Ok((4, 0)),
        ),
        // Its own asks at 101 and 102 go in the same command, so a bid there takes nothing.
        (quote(8, &[(103, 2)], &[]), Ok((1, 0))),
    ];
    let mut desk = Desk::new();
    assert_eq!(desk.step(1, ask(104, 1, GTC)), Ok((0, 0)));
    for (step, ((number, bids, asks), expected)) in steps.iter().enumerate() {
        let set = QuoteSet {
            market: MARKET,
            number: *number,
            bids,
            asks,
        };
        assert_eq!(
            desk.step(2, Command::QuoteSet(set)),
            *expected,
            "step {step}"
        );
        match number {
            5 if step == 0 => {
                assert_eq!(desk.resting(index(2, 0)), Some((99, 5)));
                assert_eq!(desk.resting(index(2, 33)), Some((102, 5)));
            }
            7 => {
                assert_eq!(desk.resting(index(2, 0)), Some((99, 3)));
                assert_eq!(desk.resting(index(2, 1)), None);
                assert_eq!(desk.resting(index(10, 0)), Some((100, 1)));
                assert_eq!(desk.resting(index(2, 32)), None);
                assert_eq!(desk.resting(index(10, 32)), Some((101, 6)));
                assert_eq!(desk.resting(index(2, 33)), Some((102, 5)));
            }
            8 => assert_eq!(desk.resting(index(11, 0)), Some((103, 2))),
            _ => {}
        }
    }
}

#[test]
fn a_label_can_be_cancelled_before_its_order_comes() {
    let cancel_label = |label, remember_until| {
        Command::Cancel(Cancel::Client {
            market: MARKET,
            client_order_id: ClientOrderId::new(label),
            remember_until: LogTime::new(remember_until),
        })
    };
    let labelled = |label| {
        Command::Place(Place {
            client_order_id: ClientOrderId::new(label),
            ..place(Side::Bid, 100, 1, GTC)
        })
    };
    let mut desk = Desk::new();
    desk.tick(1_000);
    desk.check(&[
        (1, cancel_label(7, 0), Err(RejectReason::OrderNotFound)),
        (1, cancel_label(7, 1_000), Err(RejectReason::ExpiryInPast)),
        (1, cancel_label(7, 2_000), Ok((0, 0))),
        (1, labelled(7), Err(RejectReason::CancelledBefore)),
        (1, labelled(7), Err(RejectReason::CancelledBefore)),
        (2, labelled(7), Ok((0, 0))),
        (1, labelled(8), Ok((0, 0))),
        (1, cancel_label(8, 2_000), Ok((1, 1))),
        (1, labelled(8), Ok((0, 0))),
    ]);
    for label in 100..163 {
        assert_eq!(desk.step(1, cancel_label(label, 2_000)), Ok((0, 0)));
    }
    let full = Err(RejectReason::TooManyRemembered);
    assert_eq!(desk.step(1, cancel_label(200, 3_000)), full);
    desk.tick(2_001);
    desk.check(&[
        (1, labelled(7), Ok((0, 0))),
        (1, cancel_label(200, 3_000), Ok((0, 0))),
    ]);
}

#[test]
fn cancel_all_can_be_kept_to_a_range_of_prices() {
    let range = |market, low, high| {
        Command::CancelAll(CancelScope {
            market,
            side: None,
            prices: PriceRange::new(Ticks::new(low), Ticks::new(high)),
        })
    };
    let stop = armed(place(Side::Bid, 11, 5, IOC), TriggerCondition::Stop, 105);
    let mut desk = Desk::new();
    desk.check(&[
        (1, bid(10, 1, GTC), Ok((0, 0))),
        (1, bid(11, 1, GTC), Ok((0, 0))),
        (1, bid(12, 1, GTC), Ok((0, 0))),
        (1, stop, Ok((0, 0))),
        (1, range(None, 10, 11), Err(RejectReason::InvalidPriceRange)),
        (
            1,
            range(Some(MARKET), 11, 10),
            Err(RejectReason::InvalidPriceRange),
        ),
        (1, range(Some(MARKET), 10, 11), Ok((3, 0))),
        (1, cancel(3), Ok((1, 1))),
    ]);
}
