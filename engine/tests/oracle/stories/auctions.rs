//! Call auctions, sentence by sentence.

use types::command::{MarketStatus, OrderKind, Replace, SelfTrade};
use types::limits::INDICATIVE_INTERVAL_NS;

use super::{CHIEF, MAKER, PARTNER, Story, TAKER, ask, balances, bid, replace};

/// What the accounts of a story have of every asset.
const MONEY: u128 = 1 << 60;

/// A story whose first market is in an auction, and has last traded at this price.
fn auction(name: &str, last_trade: Option<u64>) -> Story {
    let mut story = Story::new(name);
    if let Some(price) = last_trade {
        story.send(MAKER, ask('L', 1, price));
        story.send(TAKER, bid('M', 1, price));
    }
    story.set(MarketStatus::Auction, "auction");
    story
}

#[test]
fn the_price_follows_the_rules_one_after_the_other() {
    for (name, bids, asks, last_trade, expected) in PRICES {
        let mut story = auction(name, *last_trade);
        for (label, (quantity, price)) in ('a'..).zip(*bids) {
            story.send(MAKER, bid(label, *quantity, *price));
        }
        for (label, (quantity, price)) in ('n'..).zip(*asks) {
            story.send(PARTNER, ask(label, *quantity, *price));
        }
        story.tick(1, &format!("indicative {expected}"));
        story.send(CHIEF, MarketStatus::Open);
        let last = story.check().markets[0].last_trade;
        let price = expected.split(" at ").nth(1);
        let price = price.map(|rest| rest.split(',').next().unwrap().parse().unwrap());
        assert_eq!(last, price.or(*last_trade), "{name}");
    }
}

/// (quantity, price) each.
type Orders = &'static [(u64, u64)];

/// Bids and asks, the last trade, and what the auction comes to.
const PRICES: &[(&str, Orders, Orders, Option<u64>, &str)] = &[
    (
        "1: most lots",
        &[(5, 103), (5, 101)],
        &[(5, 100), (8, 101)],
        None,
        "10 at 101, -3",
    ),
    (
        "1: the only price",
        &[(5, 102)],
        &[(3, 102)],
        None,
        "3 at 102, +2",
    ),
    (
        "1: more beats nearer",
        &[(5, 105), (5, 104)],
        &[(9, 104), (1, 90)],
        Some(90),
        "10 at 104, +0",
    ),
    (
        "2: least over",
        &[(5, 105), (3, 103)],
        &[(5, 100)],
        None,
        "5 at 104, +0",
    ),
    (
        "2: least over, of asks",
        &[(5, 105)],
        &[(5, 100), (3, 103)],
        None,
        "5 at 101, +0",
    ),
    (
        "3: bids are over",
        &[(9, 105)],
        &[(5, 100)],
        None,
        "5 at 105, +4",
    ),
    (
        "3: asks are over",
        &[(5, 105)],
        &[(9, 100)],
        None,
        "5 at 100, -4",
    ),
    (
        "3: whatever traded last",
        &[(9, 105)],
        &[(5, 100)],
        Some(100),
        "5 at 105, +4",
    ),
    (
        "4: nearest, between",
        &[(5, 105)],
        &[(5, 100)],
        Some(103),
        "5 at 103, +0",
    ),
    (
        "4: nearest, above",
        &[(5, 105)],
        &[(5, 100)],
        Some(200),
        "5 at 105, +0",
    ),
    (
        "4: nearest, below",
        &[(5, 105)],
        &[(5, 100)],
        Some(9),
        "5 at 100, +0",
    ),
    ("4: middle", &[(5, 106)], &[(5, 100)], None, "5 at 103, +0"),
    (
        "4: middle, rounded down",
        &[(5, 105)],
        &[(5, 100)],
        None,
        "5 at 102, +0",
    ),
    (
        "4: bids are over here and asks there",
        &[(5, 105), (2, 102)],
        &[(5, 100), (2, 103)],
        Some(105),
        "5 at 105, -2",
    ),
    ("nothing reaches", &[(5, 99)], &[(5, 100)], Some(99), "none"),
    ("one side", &[(5, 99)], &[], None, "none"),
];

#[test]
fn orders_rest_without_meeting_anybody() {
    let mut story = auction("no takers", Some(100));
    story.tell(MAKER, bid('a', 5, 105), "a rests 5 at 105");
    story.tell(TAKER, ask('b', 5, 95), "b rests 5 at 95");
    let stays = Replace {
        may_take: false,
        ..replace('b', 6, 90)
    };
    story.tell(TAKER, stays, "b ends 5: replaced; b rests 6 at 90");
    story.check();
}

#[test]
fn better_price_first_then_place_and_the_lower_id_is_the_maker() {
    let mut story = auction("priority", None);
    story.send(MAKER, bid('a', 3, 101));
    story.send(MAKER, bid('b', 3, 102));
    story.send(PARTNER, ask('x', 4, 99));
    story.send(MAKER, bid('c', 3, 101));
    story.send(PARTNER, ask('y', 4, 98));
    story.set(
        MarketStatus::Open,
        "y meets 3 of b at 101; y meets 1 of a at 101; x meets 2 of a at 101; \
         c meets 2 of x at 101; open",
    );
    story.check();
}

#[test]
fn icebergs_show_their_next_part_at_the_end_of_their_level() {
    let mut story = auction("icebergs", None);
    story.send(MAKER, bid('a', 6, 100).showing(2));
    story.send(MAKER, bid('b', 3, 100));
    story.send(PARTNER, ask('x', 5, 100).showing(3));
    story.send(PARTNER, ask('y', 2, 100));
    story.tick(1, "indicative 7 at 100, +2");
    story.set(
        MarketStatus::Open,
        "x meets 2 of a at 100*; x meets 1 of b at 100*; y meets 2 of b at 100; \
         x meets 2 of a at 100*; open",
    );
    story.check();
}

#[test]
fn each_pays_the_price_and_the_rest_of_its_hold_is_free() {
    let mut story = auction("holds", Some(100));
    story.send(MAKER, bid('a', 10, 110).or(200, 300));
    story.send(CHIEF, ask('x', 4, 90));
    let [_, (_, held)] = balances(&story.check(), MAKER);
    assert_eq!(held, 3_000);
    story.set(MarketStatus::PostOnly, "x meets 4 of a at 110; post_only");
    let [_, (free, held)] = balances(&story.check(), MAKER);
    // The ask at 100 that set the last trade brought in 99, after a fee of 1.
    assert_eq!((free, held), (MONEY + 99 - 440 - 1_800, 1_800));
}

#[test]
fn nobody_is_a_taker_so_orders_of_one_group_trade() {
    let mut story = auction("one group", None);
    let never = SelfTrade::CancelBoth;
    story.send(PARTNER, bid('a', 5, 100).self_trade(never));
    story.send(TAKER, ask('b', 5, 100).self_trade(never));
    story.set(MarketStatus::Open, "b meets 5 of a at 100; open");
    story.check();
}

#[test]
fn to_close_leaves_the_book_to_be_uncrossed_when_it_opens() {
    for closed in [MarketStatus::CancelOnly, MarketStatus::Halted] {
        for (open, then) in [
            (
                MarketStatus::Open,
                "b meets 5 of a at 100; open; w is set off 1 at 90; w rests 1 at 90",
            ),
            (MarketStatus::PostOnly, "b meets 5 of a at 100; post_only"),
        ] {
            let mut story = Story::new(&format!("{closed:?}, then {open:?}"));
            story.send(PARTNER, bid('w', 1, 90).after(100));
            story.set(MarketStatus::Auction, "auction");
            story.send(MAKER, bid('a', 5, 100));
            story.send(PARTNER, ask('b', 5, 100));
            story.set(closed, closed.name());
            story.tick(INDICATIVE_INTERVAL_NS, "");
            story.set(open, then);
            story.set(open, "");
            story.check();
        }
    }
}

#[test]
fn what_the_price_sets_off_enters_once_the_market_is_open() {
    let mut story = Story::new("set off");
    story.send(PARTNER, bid('w', 5, 120).after(100).kind(OrderKind::IOC));
    story.send(PARTNER, bid('v', 5, 120).after(101));
    story.set(MarketStatus::Auction, "auction");
    story.send(MAKER, bid('a', 5, 100));
    story.send(MAKER, ask('b', 7, 100));
    story.set(
        MarketStatus::Open,
        "b meets 5 of a at 100; open; w is set off 5 at 120; w takes 2 of b at 100; \
         w ends 3: unfilled",
    );
    story.check();
}

#[test]
fn no_band_holds_in_an_auction_and_its_price_becomes_the_reference() {
    let limits = super::limits::band(50_000, 1_000);
    let mut story = Story::within("band", limits);
    story.send(MAKER, ask('L', 1, 100));
    story.send(TAKER, bid('M', 1, 100));
    story.tick(1, "");
    story.tell(MAKER, bid('a', 1, 106), "PRICE_OUT_OF_BAND");
    story.set(MarketStatus::Auction, "auction");
    story.tell(MAKER, bid('a', 5, 200), "a rests 5 at 200");
    story.tell(PARTNER, ask('b', 5, 200), "b rests 5 at 200");
    story.set(MarketStatus::Open, "b meets 5 of a at 200; open");
    story.tell(MAKER, bid('c', 1, 211), "PRICE_OUT_OF_BAND");
    story.tell(MAKER, bid('c', 1, 210), "c rests 1 at 210");
    story.tell(MAKER, ask('d', 1, 189), "PRICE_OUT_OF_BAND");
    // The reference holds for an interval from the auction on.
    story.tell(MAKER, ask('d', 1, 210), "d takes 1 of c at 210");
    story.tick(999_999_999, "");
    story.tell(MAKER, bid('e', 1, 211), "PRICE_OUT_OF_BAND");
    story.tick(1_000_000_001, "");
    story.tell(MAKER, bid('e', 1, 220), "e rests 1 at 220");
    story.check();
}

#[test]
fn a_price_is_published_when_the_book_has_changed_and_not_too_often() {
    let interval = INDICATIVE_INTERVAL_NS;
    let mut story = Story::new("published");
    story.tick(5, "");
    story.set(MarketStatus::Auction, "auction");
    story.send(MAKER, bid('a', 5, 100).till(4 * interval));
    story.tick(10, "indicative none");
    story.send(PARTNER, ask('b', 3, 100));
    story.tick(9 + interval, "");
    story.tick(10 + interval, "indicative 3 at 100, +2");
    story.tick(10 + 3 * interval, "");
    story.tell(PARTNER, replace('b', 2, 100), "b shrinks to 2");
    story.tick(11 + 3 * interval, "indicative 2 at 100, +3");
    story.tick(4 * interval, "a ends 5: expired");
    story.tick(11 + 4 * interval, "indicative none");
    story.set(MarketStatus::Halted, "halted");
    story.send(
        PARTNER,
        types::Command::CancelAll(types::command::CancelScope::EVERYTHING),
    );
    story.tick(11 + 6 * interval, "");
    story.check();
}
