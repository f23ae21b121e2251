//! `docs/ORDERS.md`, what a venue adds to orders: stops beside them, protection, limits, bands, status
//! and auctions. One line a step, the expected result beside it. The last account is the operator.

#![allow(clippy::unwrap_used)] // Test support: a panic is a failed test.

mod common;

use common::desk::{Desk, GTC, IOC, MARKET, armed, ask, bid, cancel, iceberg, id, place, replace};
use common::{ACCOUNTS, poor_genesis, poor_genesis_with};
use types::command::{
    MarketStatus, OrderKind, Place, ProtectionLimits, QuoteLevel, QuoteSet, Resting, SelfTrade,
    SetMarketStatus, SetProtection, StopLeg, TimeInForce, TriggerCondition,
};
use types::genesis::{MarketLimits, PriceBand};
use types::limits::{FILLS_PER_COMMAND_MAX, INDICATIVE_INTERVAL_NS};
use types::outcome::{DoneReason, Event};
use types::{
    AccountId, AssetId, Atoms, BaseLots, Command, MarketId, OrderId, RejectReason, SequenceNumber,
    Side, Ticks,
};

const OPERATOR: u32 = ACCOUNTS - 1;
const OTHER_MARKET: MarketId = MarketId::new(1);

const fn resting(resting: Resting) -> OrderKind {
    OrderKind::Limit(TimeInForce::Rest(resting))
}

const fn with_stop(trigger: u64, limit: u64) -> OrderKind {
    resting(Resting {
        stop: Some(StopLeg {
            trigger: Ticks::new(trigger),
            limit: Ticks::new(limit),
            self_trade: SelfTrade::Allow,
        }),
        ..Resting::PLAIN
    })
}

const PROTECTED: OrderKind = resting(Resting {
    protected: true,
    ..Resting::PLAIN
});

const fn status(status: MarketStatus) -> Command<'static> {
    Command::SetMarketStatus(SetMarketStatus {
        market: MARKET,
        status,
    })
}

const fn protect(market: MarketId, group: u8, limits: ProtectionLimits) -> Command<'static> {
    Command::SetProtection(SetProtection {
        market,
        group,
        limits,
    })
}

/// At most so many fills within 1,000 ns.
const fn fills(fills: u64) -> ProtectionLimits {
    ProtectionLimits {
        window_ns: 1_000,
        fills,
        ..ProtectionLimits::NONE
    }
}

const fn quotes<'a>(
    market: MarketId,
    number: u64,
    bids: &'a [QuoteLevel],
    asks: &'a [QuoteLevel],
) -> Command<'a> {
    Command::QuoteSet(QuoteSet {
        market,
        number,
        bids,
        asks,
    })
}

const fn level(price: u64, quantity: u64) -> QuoteLevel {
    QuoteLevel::new(Ticks::new(price), BaseLots::new(quantity))
}

/// An ask that the quote set at `sequence` placed.
const fn quoted_ask(sequence: u64, index: u64) -> OrderId {
    OrderId::new_at(SequenceNumber::new(sequence), MARKET, 32 + index)
}

/// What an account holds of an asset.
fn held(desk: &Desk, account: u32, asset: u16) -> u128 {
    let (account, asset) = (AccountId::new(account), AssetId::new(asset));
    desk.state.ledger().balance(account, asset).held.get()
}

/// Of the quote asset, for so much at such a price.
fn notional(price: u64, quantity: u64) -> u128 {
    let genesis = poor_genesis();
    let factors = genesis.markets()[MARKET.index()].factors;
    factors
        .notional(Ticks::new(price), BaseLots::new(quantity))
        .get()
}

#[test]
fn one_cancels_the_other_is_one_order() {
    let mut desk = Desk::new();
    desk.check(&[
        // 1: sells 10 at 110, or from 90 on at 85 or better.
        (1, ask(110, 10, with_stop(90, 85)), Ok((0, 0))),
        (2, bid(110, 4, IOC), Ok((1, 4))),
    ]);
    assert_eq!(desk.resting(id(1)), Some((110, 6)));
    desk.check(&[
        (2, bid(88, 20, GTC), Ok((0, 0))),
        (0, ask(88, 1, IOC), Ok((1, 1))),
    ]);
    // Set off by the trade at 88, it sells the six that the bid at 110 has left, and no more.
    assert_eq!(desk.fills(), [(id(3), 1), (id(3), 6)]);
    assert_eq!(desk.resting(id(1)), None);
    assert_eq!(desk.market().triggers.stop_count(), 0);
}

#[test]
fn a_stop_leg_rests_where_it_does_not_fill_and_its_order_has_no_other() {
    let mut desk = Desk::new();
    desk.check(&[
        (1, ask(110, 10, with_stop(90, 89)), Ok((0, 0))),
        (2, bid(90, 3, GTC), Ok((0, 0))),
        (0, ask(90, 1, IOC), Ok((1, 1))),
    ]);
    assert_eq!(desk.fills(), [(id(2), 1), (id(2), 2)]);
    assert_eq!(desk.resting(id(1)), Some((89, 8)));
    let order = desk.market().book.order(id(1)).unwrap();
    assert_eq!((order.stop, order.quantity.get()), (None, 10));
    desk.check(&[(1, cancel(1), Ok((1, 8)))]);
}

#[test]
fn a_bid_with_a_stop_holds_the_worse_price_until_it_fills() {
    let mut desk = Desk::new();
    desk.check(&[(1, bid(90, 10, with_stop(110, 115)), Ok((0, 0)))]);
    assert_eq!(held(&desk, 1, 2), notional(115, 10));
    desk.check(&[(2, ask(90, 4, IOC), Ok((1, 4)))]);
    assert_eq!(held(&desk, 1, 2), notional(115, 6));
    desk.check(&[(1, replace(1, 80, 10, false), Ok((0, 0)))]);
    assert_eq!(held(&desk, 1, 2), notional(115, 6));
    desk.check(&[
        (
            1,
            replace(1, 110, 10, false),
            Err(RejectReason::InvalidTrigger),
        ),
        (1, replace(1, 109, 10, false), Ok((0, 0))),
        (1, replace(1, 109, 6, false), Ok((0, 0))),
    ]);
    assert_eq!(held(&desk, 1, 2), notional(115, 2));
    desk.check(&[(1, cancel(1), Ok((1, 2)))]);
    assert_eq!(held(&desk, 1, 2), 0);
    assert_eq!(desk.market().triggers.stop_count(), 0);
}

#[test]
fn a_stop_lies_beyond_its_order_and_has_not_been_reached() {
    let mut desk = Desk::new();
    let wrong = Err(RejectReason::InvalidTrigger);
    desk.check(&[
        (1, ask(100, 1, with_stop(100, 90)), wrong),
        (1, ask(100, 1, with_stop(0, 90)), wrong),
        (1, ask(100, 1, with_stop(99, 0)), wrong),
        (
            1,
            ask(100, 1, with_stop(99, 1 + u64::from(u32::MAX - 1))),
            wrong,
        ),
        (1, bid(100, 1, with_stop(100, 110)), wrong),
        (1, bid(90, 1, GTC), Ok((0, 0))),
        (2, ask(90, 1, GTC), Ok((1, 1))),
        (1, ask(100, 1, with_stop(90, 80)), wrong),
        (1, ask(100, 1, with_stop(89, 80)), Ok((0, 0))),
        (1, bid(80, 1, with_stop(90, 100)), wrong),
        (1, bid(80, 1, with_stop(91, 100)), Ok((0, 0))),
    ]);
}

#[test]
fn protection_lets_as_many_fills_through_as_it_says() {
    let asks = [100, 101, 102, 103, 104].map(|price| level(price, 2));
    let mut desk = Desk::new();
    desk.check(&[
        (1, protect(MARKET, 0, fills(3)), Ok((0, 0))),
        (1, quotes(MARKET, 1, &[level(90, 5)], &asks), Ok((6, 0))),
        (1, ask(104, 7, GTC), Ok((0, 0))),
        (2, bid(200, 100, GTC), Ok((4, 13))),
    ]);
    let filled = [0, 1, 2].map(|index| (quoted_ask(2, index), 2));
    assert_eq!(desk.fills()[..3], filled);
    assert_eq!(desk.fills()[3..], [(id(3), 7)]);
    let bid_quote = OrderId::new_at(SequenceNumber::new(2), MARKET, 0);
    let pulled = [bid_quote, quoted_ask(2, 3), quoted_ask(2, 4)];
    assert_eq!(desk.ended(), pulled.map(|it| (it, DoneReason::Protection)));
    let out = Err(RejectReason::ProtectionTripped);
    desk.check(&[
        (1, quotes(MARKET, 2, &[], &[level(300, 1)]), out),
        (1, ask(300, 1, PROTECTED), out),
        (1, quotes(MARKET, 3, &[], &[]), Ok((0, 0))),
        (1, ask(300, 1, GTC), Ok((0, 0))),
        (
            1,
            quotes(OTHER_MARKET, 1, &[], &[level(300, 1)]),
            Ok((1, 0)),
        ),
        (1, protect(MARKET, 0, fills(3)), Ok((0, 0))),
        (1, quotes(MARKET, 4, &[], &[level(300, 1)]), Ok((1, 0))),
    ]);
}

#[test]
fn a_group_trips_in_all_its_markets() {
    let mut desk = Desk::new();
    desk.check(&[
        (1, protect(MARKET, 7, fills(9)), Ok((0, 0))),
        (1, protect(OTHER_MARKET, 7, fills(2)), Ok((0, 0))),
        (1, quotes(OTHER_MARKET, 1, &[level(50, 1)], &[]), Ok((1, 0))),
        (1, ask(100, 1, PROTECTED), Ok((0, 0))),
        (1, ask(101, 1, PROTECTED), Ok((0, 0))),
        (1, ask(102, 1, PROTECTED), Ok((0, 0))),
        (2, bid(102, 3, GTC), Ok((2, 2))),
    ]);
    let elsewhere = OrderId::new_at(SequenceNumber::new(3), OTHER_MARKET, 0);
    let reason = DoneReason::Protection;
    assert_eq!(desk.ended(), [(id(6), reason), (elsewhere, reason)]);
    // What did not fill rests before the other market is looked at.
    let rested = desk
        .events()
        .position(|event| matches!(event, Event::Rested(_)));
    assert_eq!(rested, Some(3));
    desk.check(&[
        (
            1,
            bid(50, 1, PROTECTED),
            Err(RejectReason::ProtectionTripped),
        ),
        (1, protect(OTHER_MARKET, 7, fills(2)), Ok((0, 0))),
        (1, bid(50, 1, PROTECTED), Ok((0, 0))),
    ]);
}

#[test]
fn a_window_begins_with_a_fill_and_ends_by_logged_time() {
    let mut desk = Desk::new();
    desk.tick(5_000);
    desk.check(&[
        (1, protect(MARKET, 0, fills(2)), Ok((0, 0))),
        (1, ask(100, 9, PROTECTED), Ok((0, 0))),
        (2, bid(100, 1, IOC), Ok((1, 1))),
    ]);
    desk.tick(5_999);
    desk.check(&[(1, ask(101, 9, PROTECTED), Ok((0, 0)))]);
    desk.tick(6_000);
    desk.check(&[(2, bid(100, 1, IOC), Ok((1, 1)))]);
    assert!(desk.ended().is_empty(), "a new window has begun");
    desk.tick(6_999);
    desk.check(&[(2, bid(100, 1, IOC), Ok((1, 1)))]);
    let reason = DoneReason::Protection;
    assert_eq!(desk.ended(), [(id(3), reason), (id(6), reason)]);
}

#[test]
fn lots_and_notional_trip_with_the_fill_that_reaches_them() {
    let lots = ProtectionLimits {
        window_ns: 1,
        lots: BaseLots::new(5),
        ..ProtectionLimits::NONE
    };
    let worth = ProtectionLimits {
        window_ns: 1,
        notional: Atoms::new(notional(100, 5)),
        ..ProtectionLimits::NONE
    };
    for limits in [lots, worth] {
        let mut desk = Desk::new();
        desk.check(&[
            (1, protect(MARKET, 0, limits), Ok((0, 0))),
            (1, ask(100, 4, PROTECTED), Ok((0, 0))),
            (1, ask(100, 4, PROTECTED), Ok((0, 0))),
            (1, ask(100, 4, PROTECTED), Ok((0, 0))),
            (2, bid(100, 12, IOC), Ok((2, 8))),
        ]);
        assert_eq!(desk.ended()[0], (id(4), DoneReason::Protection));
    }
}

#[test]
fn fill_or_kill_foresees_protection() {
    let kill = Err(RejectReason::NotFillable);
    let mut desk = Desk::new();
    desk.check(&[
        (1, protect(MARKET, 0, fills(1)), Ok((0, 0))),
        (1, ask(100, 2, PROTECTED), Ok((0, 0))),
        (1, ask(100, 2, PROTECTED), Ok((0, 0))),
        (0, ask(101, 2, GTC), Ok((0, 0))),
        (2, bid(101, 5, OrderKind::FOK), kill),
        (2, bid(101, 4, OrderKind::FOK), Ok((2, 4))),
    ]);
    assert_eq!(desk.fills(), [(id(2), 2), (id(4), 2)]);
}

#[test]
fn protections_make_sense() {
    let wrong = Err(RejectReason::InvalidProtection);
    let no_window = ProtectionLimits {
        window_ns: 0,
        ..fills(1)
    };
    let hides = resting(Resting {
        display: BaseLots::new(1),
        protected: true,
        ..Resting::PLAIN
    });
    let mut desk = Desk::new();
    desk.check(&[
        (1, protect(MARKET, 0, fills(0)), wrong),
        (1, protect(MARKET, 255, no_window), wrong),
        (1, protect(MARKET, 255, ProtectionLimits::NONE), Ok((0, 0))),
        (
            1,
            protect(MarketId::new(2), 0, fills(1)),
            Err(RejectReason::UnknownMarket),
        ),
        (1, bid(100, 2, hides), Err(RejectReason::InvalidDisplay)),
    ]);
}

#[test]
fn a_market_may_ask_for_more() {
    let genesis = poor_genesis_with(MarketLimits {
        notional_min: Atoms::new(notional(100, 5)),
        open_orders_max: 2,
        ..MarketLimits::NONE
    });
    let small = Err(RejectReason::NotionalTooSmall);
    let many = Err(RejectReason::TooManyOpenOrders);
    let stop = |price, quantity| {
        let order = place(Side::Bid, price, quantity, GTC);
        armed(order, TriggerCondition::Stop, 200)
    };
    let mut desk = Desk::open(&genesis);
    desk.check(&[
        (1, bid(100, 4, GTC), small),
        (1, bid(99, 5, IOC), small),
        (1, bid(100, 5, GTC), Ok((0, 0))),
        (1, replace(3, 99, 5, false), small),
        (1, replace(3, 100, 4, false), small),
        (1, stop(100, 5), Ok((0, 0))),
        (1, bid(100, 5, GTC), many),
        (1, bid(100, 5, IOC), Ok((0, 0))),
        (1, stop(100, 5), many),
        (1, quotes(MARKET, 1, &[level(98, 9)], &[]), many),
        (1, quotes(MARKET, 1, &[level(98, 1)], &[]), small),
        (1, cancel(6), Ok((1, 5))),
        (1, quotes(MARKET, 1, &[level(98, 9)], &[]), Ok((1, 0))),
        (1, quotes(MARKET, 2, &[level(97, 9)], &[]), Ok((1, 0))),
        (
            1,
            quotes(MARKET, 3, &[level(97, 9), level(96, 9)], &[]),
            many,
        ),
    ]);
}

#[test]
fn prices_stay_within_the_band() {
    let genesis = poor_genesis_with(MarketLimits {
        // 105 x (1 + 10 %) = 115.5, 105 x (1 - 10 %) = 94.5.
        band: Some(PriceBand {
            width_ppm: 100_000,
            interval_ms: 1,
        }),
        ..MarketLimits::NONE
    });
    let out = Err(RejectReason::PriceOutOfBand);
    let mut desk = Desk::open(&genesis);
    desk.check(&[
        (1, bid(105, 1, GTC), Ok((0, 0))),
        (2, ask(105, 1, GTC), Ok((1, 1))),
        (1, bid(900, 1, GTC), Ok((0, 0))),
        (1, cancel(3), Ok((1, 1))),
    ]);
    desk.tick(10);
    let stop = |price, limit| {
        let order = place(Side::Bid, limit, 3, GTC);
        armed(order, TriggerCondition::Stop, price)
    };
    desk.check(&[
        (1, bid(116, 1, GTC), out),
        (1, bid(115, 1, GTC), Ok((0, 0))),
        (1, bid(1, 1, GTC), Ok((0, 0))),
        (2, ask(94, 1, IOC), out),
        (2, ask(900, 1, GTC), Ok((0, 0))),
        (1, replace(7, 116, 1, true), out),
        (1, quotes(MARKET, 1, &[level(116, 1)], &[]), out),
        // A stop enters at the edge.
        (0, stop(106, 300), Ok((0, 0))),
        (2, ask(95, 1, IOC), Ok((1, 1))),
    ]);
    assert_eq!(desk.resting(id(13)), Some((115, 3)));
    // The reference holds for a millisecond.
    desk.tick(1_000_009);
    desk.check(&[(1, bid(116, 1, GTC), out)]);
    desk.tick(1_000_010);
    desk.check(&[
        (1, bid(126, 1, GTC), Ok((0, 0))),
        (1, bid(127, 1, GTC), out),
    ]);
}

#[test]
fn only_operators_open_and_close_markets() {
    let mut desk = Desk::new();
    let refused = Err(RejectReason::NotOperator);
    let nowhere = Command::SetMarketStatus(SetMarketStatus {
        market: MarketId::new(9),
        status: MarketStatus::Open,
    });
    desk.check(&[
        (1, status(MarketStatus::Halted), refused),
        (1, nowhere, refused),
        (OPERATOR, nowhere, Err(RejectReason::UnknownMarket)),
        (OPERATOR, status(MarketStatus::Open), Ok((0, 0))),
        (OPERATOR, status(MarketStatus::Halted), Ok((0, 0))),
    ]);
    assert_eq!(desk.market().status, MarketStatus::Halted);
}

/// The table of the page, column by column.
#[test]
fn a_status_allows_what_the_page_says() {
    use MarketStatus::{Auction, CancelOnly, Open, PostOnly};
    let stop = |kind| armed(place(Side::Bid, 50, 1, kind), TriggerCondition::Stop, 200);
    let quote = [level(40, 1)];
    // The first order is armed, the second rests at 60 with a size of 5.
    let rows: [(Command<'_>, &[MarketStatus]); 11] = [
        (bid(50, 1, OrderKind::POST_ONLY), &[Open, PostOnly]),
        (quotes(MARKET, 1, &quote, &[]), &[Open, PostOnly]),
        (bid(50, 1, GTC), &[Open, Auction]),
        (bid(50, 1, IOC), &[Open]),
        (stop(GTC), &[Open]),
        (stop(OrderKind::POST_ONLY), &[Open, PostOnly]),
        (
            replace(2, 60, 4, true),
            &[Open, PostOnly, Auction, CancelOnly],
        ),
        (replace(2, 61, 4, false), &[Open, PostOnly, Auction]),
        (replace(2, 61, 4, true), &[Open, Auction]),
        (replace(1, 51, 1, true), &[Open, PostOnly, Auction]),
        (quotes(MARKET, 1, &[], &[]), &MarketStatus::ALL),
    ];
    for (command, allowed) in rows {
        for now in MarketStatus::ALL {
            let mut desk = Desk::new();
            desk.step(1, stop(GTC)).unwrap();
            desk.step(1, bid(60, 5, GTC)).unwrap();
            desk.step(OPERATOR, status(now)).unwrap();
            let result = desk.step(1, command);
            let expected = allowed.contains(&now);
            assert_eq!(result.is_ok(), expected, "{command:?} while {now:?}");
            if !expected {
                assert_eq!(result, Err(RejectReason::MarketStatus));
            }
            desk.step(1, cancel(1)).unwrap();
            desk.step(1, cancel(2)).unwrap();
        }
    }
}

#[test]
fn an_auction_trades_at_one_price_and_gives_back_the_rest() {
    let mut desk = Desk::new();
    desk.check(&[
        (OPERATOR, status(MarketStatus::Auction), Ok((0, 0))),
        (1, bid(110, 5, GTC), Ok((0, 0))),
        (2, ask(90, 3, GTC), Ok((0, 0))),
        (2, ask(95, 3, iceberg(1)), Ok((0, 0))),
        (0, bid(100, 2, GTC), Ok((0, 0))),
    ]);
    assert_eq!(held(&desk, 1, 2), notional(110, 5));
    // 6 of each side reach each other between 95 and 100, where 7 are wanted: bids pull it up.
    desk.check(&[(OPERATOR, status(MarketStatus::Open), Ok((4, 6)))]);
    let prices: Vec<u64> = desk
        .events()
        .filter_map(|event| match event {
            Event::Fill(fill) => Some(fill.price.get()),
            _ => None,
        })
        .collect();
    assert_eq!(prices, [100; 4]);
    // The order with the lower id is the maker: bid 2 against ask 3 and twice 4, then 4 against 5.
    let makers: Vec<OrderId> = desk.fills().iter().map(|(maker, _)| *maker).collect();
    assert_eq!(makers, [id(2), id(2), id(2), id(4)]);
    assert_eq!((held(&desk, 1, 2), held(&desk, 2, 0)), (0, 0));
    assert_eq!(desk.resting(id(5)), Some((100, 1)));
    assert_eq!(held(&desk, 0, 2), notional(100, 1));
    assert_eq!(desk.market().last_trade, Some(Ticks::new(100)));
}

#[test]
fn an_auction_that_was_closed_opens_uncrossed() {
    let mut desk = Desk::new();
    desk.check(&[
        (OPERATOR, status(MarketStatus::Auction), Ok((0, 0))),
        (1, bid(110, 5, GTC), Ok((0, 0))),
        (2, ask(90, 3, GTC), Ok((0, 0))),
        (OPERATOR, status(MarketStatus::Halted), Ok((0, 0))),
        (1, bid(110, 5, GTC), Err(RejectReason::MarketStatus)),
        (OPERATOR, status(MarketStatus::CancelOnly), Ok((0, 0))),
        (1, replace(2, 110, 4, true), Ok((0, 0))),
        (OPERATOR, status(MarketStatus::PostOnly), Ok((1, 3))),
    ]);
    assert_eq!(desk.resting(id(2)), Some((110, 1)));
}

#[test]
fn what_an_auction_sets_off_enters_after_it() {
    let stop = armed(place(Side::Bid, 120, 4, GTC), TriggerCondition::Stop, 100);
    let mut desk = Desk::new();
    desk.check(&[
        (0, stop, Ok((0, 0))),
        (OPERATOR, status(MarketStatus::Auction), Ok((0, 0))),
        (1, bid(100, 5, GTC), Ok((0, 0))),
        (2, ask(100, 8, GTC), Ok((0, 0))),
        (OPERATOR, status(MarketStatus::Open), Ok((1, 5))),
    ]);
    assert_eq!(desk.fills(), [(id(3), 5), (id(4), 3)]);
    assert_eq!(desk.resting(id(1)), Some((120, 1)));
    let events: Vec<Event> = desk.events().collect();
    assert!(matches!(events[1], Event::StatusChanged(_)));
    assert!(matches!(events[2], Event::Triggered(_)));
}

#[test]
fn in_an_auction_protection_waits_for_the_last_fill() {
    let mut desk = Desk::new();
    desk.check(&[
        (1, protect(MARKET, 0, fills(1)), Ok((0, 0))),
        (1, bid(90, 1, PROTECTED), Ok((0, 0))),
        (OPERATOR, status(MarketStatus::Auction), Ok((0, 0))),
        (1, bid(100, 1, PROTECTED), Ok((0, 0))),
        (1, bid(101, 1, PROTECTED), Ok((0, 0))),
        (2, ask(95, 2, GTC), Ok((0, 0))),
        (OPERATOR, status(MarketStatus::Open), Ok((2, 2))),
    ]);
    assert_eq!(desk.ended(), [(id(2), DoneReason::Protection)]);
}

#[test]
fn indicative_prices_are_published_at_their_interval() {
    let indicated = |desk: &Desk| {
        desk.events().find_map(|event| match event {
            Event::Indicative(it) => Some((it.price.map(Ticks::get), it.volume, it.surplus)),
            _ => None,
        })
    };
    const START: u64 = 7;
    let mut desk = Desk::new();
    desk.check(&[(OPERATOR, status(MarketStatus::Auction), Ok((0, 0)))]);
    desk.tick(START);
    assert_eq!(indicated(&desk), Some((None, 0, 0)));
    desk.check(&[
        (1, bid(100, 5, GTC), Ok((0, 0))),
        (2, ask(95, 2, GTC), Ok((0, 0))),
    ]);
    desk.tick(START + INDICATIVE_INTERVAL_NS - 1);
    assert_eq!(indicated(&desk), None);
    let due = desk.state.next_due().unwrap();
    assert_eq!(due.get(), START + INDICATIVE_INTERVAL_NS);
    desk.tick(due.get());
    assert_eq!(indicated(&desk), Some((Some(100), 2, 3)));
    assert_eq!(desk.state.next_due(), None);
    desk.tick(due.get() + INDICATIVE_INTERVAL_NS);
    assert_eq!(indicated(&desk), None, "nothing has changed");
}

/// An interval that would end after the end of time never does.
#[test]
fn time_may_end_in_an_auction() {
    let mut desk = Desk::open(&poor_genesis_with(MarketLimits {
        band: Some(PriceBand {
            width_ppm: 100_000,
            interval_ms: 1,
        }),
        ..MarketLimits::NONE
    }));
    desk.check(&[
        (0, ask(100, 1, GTC), Ok((0, 0))),
        (1, bid(100, 1, GTC), Ok((1, 1))),
        (OPERATOR, status(MarketStatus::Auction), Ok((0, 0))),
    ]);
    for (time, expected) in [(u64::MAX - 1, 1), (u64::MAX, 0), (u64::MAX, 0)] {
        desk.tick(time);
        let indicated = desk.events();
        let indicated = indicated.filter(|event| matches!(event, Event::Indicative(_)));
        assert_eq!(indicated.count(), expected, "at {time}");
        desk.check(&[(0, ask(101, 1, GTC), Ok((0, 0)))]);
        assert_eq!(desk.state.next_due(), None, "at {time}");
    }
}

#[test]
fn an_uncrossing_that_is_too_large_goes_on_with_the_same_command() {
    let open = status(MarketStatus::Open);
    let mut desk = Desk::new();
    desk.step(OPERATOR, status(MarketStatus::Auction)).unwrap();
    // An iceberg of so many parts, and another half an auction more.
    let parts = u64::from(FILLS_PER_COMMAND_MAX) * 3 / 2;
    desk.check(&[
        (1, bid(10, parts, iceberg(1)), Ok((0, 0))),
        (2, ask(10, parts, GTC), Ok((0, 0))),
        (OPERATOR, open, Ok((FILLS_PER_COMMAND_MAX, parts * 2 / 3))),
    ]);
    assert_eq!(desk.market().status, MarketStatus::Auction);
    desk.check(&[
        (OPERATOR, open, Ok((FILLS_PER_COMMAND_MAX / 2, parts / 3))),
        (OPERATOR, open, Ok((0, 0))),
    ]);
    assert_eq!(desk.market().status, MarketStatus::Open);
    assert!(desk.market().book.is_empty());
}

#[test]
fn a_place_with_everything_survives_its_journey() {
    // Armed, then resting with a stop, protected: each in its turn.
    let kind = resting(Resting {
        stop: Some(StopLeg {
            trigger: Ticks::new(95),
            limit: Ticks::new(94),
            self_trade: SelfTrade::CancelMaker,
        }),
        protected: true,
        ..Resting::PLAIN
    });
    let order = Place {
        self_trade: SelfTrade::CancelTaker,
        ..place(Side::Ask, 120, 6, kind)
    };
    let mut desk = Desk::new();
    desk.check(&[
        (
            1,
            armed(order, TriggerCondition::TakeProfit, 110),
            Ok((0, 0)),
        ),
        (2, ask(110, 1, GTC), Ok((0, 0))),
        (0, bid(110, 1, GTC), Ok((1, 1))),
    ]);
    assert_eq!(desk.resting(id(1)), Some((120, 6)));
    desk.check(&[
        (2, bid(95, 2, GTC), Ok((0, 0))),
        // Account 1 is of the group of account 0: the stop cancels what it finds there.
        (0, bid(94, 5, GTC), Ok((0, 0))),
        (2, ask(95, 1, IOC), Ok((1, 1))),
    ]);
    assert_eq!(desk.fills(), [(id(4), 1), (id(4), 1)]);
    assert_eq!(desk.ended(), [(id(5), DoneReason::SelfTrade)]);
    assert_eq!(desk.resting(id(1)), Some((94, 5)));
    assert!(desk.market().book.order(id(1)).unwrap().protected);
}
