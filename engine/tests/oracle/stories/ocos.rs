//! One cancels the other, sentence by sentence.

use types::command::{MarketStatus, OrderKind, Replace, SelfTrade, TriggerCondition};

use super::{CHIEF, FIRST, MAKER, PARTNER, Story, TAKER, ask, balances, bid, protect, replace};

/// What the accounts of a story have of every asset.
const MONEY: u128 = 1 << 60;

#[test]
fn a_stop_lies_beyond_its_order_and_waits_for_a_trade_to_come() {
    let mut story = Story::new("legal stops");
    let invalid = "INVALID_TRIGGER";
    for (trigger, limit, expected) in [
        (100, 110, invalid),
        (99, 110, invalid),
        (0, 110, invalid),
        (101, 0, invalid),
        (101, u64::from(u32::MAX), invalid),
        (u64::from(u32::MAX), 110, invalid),
        (101, 1, "a rests 5 at 100"),
    ] {
        story.tell(MAKER, bid('a', 5, 100).or(trigger, limit), expected);
    }
    story.send(MAKER, super::replace('a', 5, 1));
    for (trigger, limit, expected) in [
        (100, 90, invalid),
        (101, 90, invalid),
        (0, 90, invalid),
        (99, 0, invalid),
        (99, u64::from(u32::MAX) - 1, "b rests 5 at 100"),
    ] {
        story.tell(MAKER, ask('b', 5, 100).or(trigger, limit), expected);
    }
    // A trade that came before satisfies it already.
    story.tell(TAKER, bid('z', 1, 100), "z takes 1 of b at 100");
    story.tell(TAKER, bid('c', 1, 90).or(100, 95), invalid);
    story.tell(TAKER, bid('c', 1, 90).or(101, 95), "c rests 1 at 90");
    story.tell(TAKER, ask('d', 1, 110).or(100, 95), invalid);
    story.tell(TAKER, ask('d', 1, 110).or(99, 95), "d rests 1 at 110");
    story.tell(TAKER, bid('e', 1, 90).or(100, 95).after(120), invalid);
    story.check();
}

#[test]
fn what_one_way_has_filled_the_other_has_not() {
    let mut story = Story::new("both ways");
    story.send(MAKER, bid('a', 10, 100).or(105, 107));
    story.tell(TAKER, ask('s', 4, 100), "s takes 4 of a at 100");
    story.send(PARTNER, ask('x', 1, 105));
    story.send(PARTNER, ask('y', 2, 106));
    story.send(PARTNER, ask('w', 9, 108));
    story.tell(
        TAKER,
        bid('z', 1, 105),
        "z takes 1 of x at 105; a is set off 6 at 107; a takes 2 of y at 106; a rests 4 at 107",
    );
    // It has no stop any more, and cannot be replaced to less than has filled.
    story.tell(TAKER, bid('t', 1, 108), "t takes 1 of w at 108");
    story.tell(MAKER, replace('a', 6, 107), "ALREADY_FILLED");
    story.tell(MAKER, replace('a', 7, 107), "a shrinks to 1");
    story.tell(TAKER, ask('u', 1, 107), "u takes 1 of a at 107");
    story.check();
}

#[test]
fn a_stop_of_an_ask_waits_for_a_fall() {
    let mut story = Story::new("ask");
    story.send(MAKER, ask('a', 10, 110).or(100, 98));
    story.send(PARTNER, bid('x', 2, 100));
    story.send(PARTNER, bid('y', 2, 98));
    story.send(PARTNER, bid('w', 2, 97));
    story.tell(
        TAKER,
        ask('z', 1, 100),
        "z takes 1 of x at 100; a is set off 10 at 98; a takes 1 of x at 100; \
         a takes 2 of y at 98; a rests 7 at 98",
    );
    story.check();
}

#[test]
fn funds_are_held_at_the_worse_price_as_long_as_the_stop_is_there() {
    // One tick-lot is one atom of quote.
    let mut story = Story::new("holds");
    story.send(MAKER, bid('a', 10, 100).or(105, 120));
    let held = balances(&story.check(), MAKER);
    assert_eq!(held[1], (MONEY - 1_200, 1_200));

    // A fill at the better price frees what was held beyond it.
    story.tell(TAKER, ask('s', 4, 100), "s takes 4 of a at 100");
    let held = balances(&story.check(), MAKER);
    assert_eq!(held[1], (MONEY - 400 - 720, 720));

    // Set off, it pays at most its limit; what rests is held at that, and an order beside a stop
    // that is better than itself is held at its own price.
    story.send(PARTNER, ask('x', 2, 105));
    story.send(TAKER, bid('z', 1, 105));
    let held = balances(&story.check(), MAKER);
    assert_eq!(held[1], (MONEY - 400 - 105 - 600, 600));
    story.send(MAKER, replace('a', 0, 0));
    story.send(MAKER, bid('b', 10, 50).or(200, 40));
    let held = balances(&story.check(), MAKER);
    assert_eq!(held[1].1, 600 + 500);

    // An armed order holds for its stop, too.
    story.send(MAKER, bid('c', 10, 50).after(300).or(200, 60));
    let held = balances(&story.check(), MAKER);
    assert_eq!(held[1].1, 600 + 500 + 600);
    story.send(MAKER, bid('d', 10, 50).or(200, 90));
    story.send(MAKER, replace('d', 10, 95));
    let held = balances(&story.check(), MAKER);
    assert_eq!(held[1].1, 600 + 500 + 600 + 950);
}

#[test]
fn set_off_it_has_a_setting_of_its_own() {
    for (setting, expected) in [
        (SelfTrade::Allow, "a takes 2 of y at 106; a rests 3 at 106"),
        (SelfTrade::CancelTaker, "a ends 5: self_trade"),
        (
            SelfTrade::CancelMaker,
            "y ends 2: self_trade; a rests 5 at 106",
        ),
        (
            SelfTrade::CancelBoth,
            "y ends 2: self_trade; a ends 5: self_trade",
        ),
        (
            SelfTrade::Decrement,
            "y ends 2: self_trade; a rests 3 at 106",
        ),
    ] {
        let mut story = Story::new(&format!("{setting:?}"));
        let taker = bid('a', 5, 90).self_trade(SelfTrade::CancelTaker);
        story.send(PARTNER, taker.or_with(105, 106, setting));
        story.send(MAKER, ask('x', 1, 105));
        story.send(TAKER, ask('y', 2, 106));
        let words = format!("z takes 1 of x at 105; a is set off 5 at 106; {expected}");
        story.tell(MAKER, bid('z', 1, 105), &words);
        story.check();
    }
}

#[test]
fn what_rests_then_keeps_expiry_display_and_protection() {
    let mut story = Story::new("kept");
    story.send(MAKER, bid('a', 9, 100).or(105, 106).till(70).showing(2));
    story.send(MAKER, bid('b', 9, 100).or(105, 106).protected());
    story.send(PARTNER, ask('x', 1, 105));
    story.tell(
        TAKER,
        bid('z', 1, 105),
        "z takes 1 of x at 105; a is set off 9 at 106; a rests 9 at 106; \
         b is set off 9 at 106; b rests 9 at 106",
    );
    story.send(MAKER, protect(FIRST, 0, 1_000, (1, 0, 0)));
    story.tell(
        TAKER,
        ask('y', 5, 106).kind(OrderKind::IOC),
        "y takes 2 of a at 106*; y takes 3 of b at 106; b ends 6: protection",
    );
    story.tick(70, "a ends 7: expired");
    story.check();
}

#[test]
fn the_stop_of_an_armed_order_comes_into_force_when_it_rests() {
    let mut story = Story::new("armed with a stop");
    story.send(MAKER, bid('a', 5, 100).after(104).or(105, 106));
    story.send(PARTNER, ask('x', 1, 106));
    story.send(PARTNER, ask('y', 9, 107));
    // The trade that arms it is beyond its stop, but came before that was in force.
    story.tell(
        TAKER,
        bid('s', 1, 106),
        "s takes 1 of x at 106; a is set off 5 at 100; a rests 5 at 100",
    );
    story.tell(
        TAKER,
        bid('t', 1, 107),
        "t takes 1 of y at 107; a is set off 5 at 106; a rests 5 at 106",
    );
    story.check();
}

#[test]
fn armed_orders_and_stops_are_set_off_together_by_id() {
    let mut story = Story::new("by id");
    story.send(MAKER, bid('a', 1, 90).or(105, 95));
    story.send(MAKER, bid('b', 1, 91).after(105));
    story.send(MAKER, bid('c', 1, 92).or(104, 96));
    story.send(PARTNER, ask('x', 1, 105));
    story.tell(
        TAKER,
        bid('z', 1, 105),
        "z takes 1 of x at 105; a is set off 1 at 95; a rests 1 at 95; \
         b is set off 1 at 91; b rests 1 at 91; c is set off 1 at 96; c rests 1 at 96",
    );
    story.check();
}

#[test]
fn an_order_that_has_left_by_its_turn_is_left_alone() {
    let mut story = Story::new("left");
    let seller = ask('a', 9, 90).kind(OrderKind::IOC);
    story.send(PARTNER, seller.when(TriggerCondition::TakeProfit, 105));
    story.send(MAKER, bid('b', 9, 90).or(105, 95));
    story.send(MAKER, bid('c', 9, 90).or(105, 95));
    story.send(PARTNER, ask('x', 1, 105));
    story.tell(
        TAKER,
        bid('z', 1, 105),
        "z takes 1 of x at 105; a is set off 9 at 90; a takes 9 of b at 90; \
         c is set off 9 at 95; c rests 9 at 95",
    );
    story.check();
}

#[test]
fn with_the_order_goes_its_stop() {
    let mut story = Story::new("expired");
    story.send(MAKER, bid('a', 9, 90).or(105, 95).till(50));
    story.send(MAKER, bid('b', 9, 90).or(105, 95));
    story.tick(50, "a ends 9: expired");
    story.tell(TAKER, ask('y', 9, 90), "y takes 9 of b at 90");
    story.send(PARTNER, ask('x', 1, 105));
    story.tell(TAKER, bid('z', 1, 105), "z takes 1 of x at 105");
    let exchange = story.check();
    assert_eq!(balances(&exchange, MAKER)[1].1, 0);
}

#[test]
fn a_replace_keeps_the_stop_if_it_is_legal_beside_the_new_price() {
    let mut story = Story::new("replaced");
    story.send(MAKER, bid('a', 9, 90).or(105, 95));
    story.tell(MAKER, replace('a', 9, 105), "INVALID_TRIGGER");
    story.tell(
        MAKER,
        replace('a', 8, 104),
        "a ends 9: replaced; a rests 8 at 104",
    );
    story.send(PARTNER, ask('x', 1, 105));
    story.tell(
        TAKER,
        bid('z', 1, 105),
        "z takes 1 of x at 105; a is set off 8 at 95; a rests 8 at 95",
    );
    story.check();
}

#[test]
fn an_armed_order_takes_on_the_setting_of_its_replace() {
    let mut story = Story::new("armed and replaced");
    story.send(PARTNER, bid('a', 9, 90).showing(5).after(105));
    let settings = Replace {
        self_trade: SelfTrade::CancelTaker,
        may_take: false,
        ..replace('a', 4, 106)
    };
    // The display is no longer smaller than the order.
    story.tell(PARTNER, settings, "a ends 9: replaced; a waits 4 at 106");
    story.send(MAKER, ask('x', 1, 105));
    story.send(TAKER, ask('y', 1, 106));
    story.tell(
        MAKER,
        bid('z', 1, 105),
        "z takes 1 of x at 105; a is set off 4 at 106; a ends 4: self_trade",
    );
    story.check();
}

#[test]
fn a_display_that_is_no_longer_smaller_shows_all_of_it() {
    let mut story = Story::new("shown");
    story.send(MAKER, ask('a', 9, 100).showing(5));
    story.tell(
        MAKER,
        replace('a', 4, 101),
        "a ends 9: replaced; a rests 4 at 101",
    );
    story.send(PARTNER, ask('x', 4, 101));
    story.tell(
        TAKER,
        bid('z', 5, 101),
        "z takes 4 of a at 101; z takes 1 of x at 101",
    );
    story.check();
}

#[test]
fn in_an_auction_a_stop_waits_for_the_opening() {
    for (status, expected) in [
        (
            MarketStatus::Open,
            "x meets 5 of z at 106; open; a is set off 5 at 107; a rests 5 at 107",
        ),
        (MarketStatus::PostOnly, "x meets 5 of z at 106; post_only"),
    ] {
        let mut story = Story::new(status.name());
        story.set(MarketStatus::Auction, "auction");
        story.send(MAKER, bid('a', 5, 100).or(106, 107));
        story.send(TAKER, bid('z', 5, 106));
        story.send(CHIEF, ask('x', 5, 106));
        story.set(status, expected);
        story.check();
    }
}
