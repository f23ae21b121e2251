//! Market limits, sentence by sentence.

use types::Atoms;
use types::command::OrderKind;
use types::genesis::{MarketLimits, PriceBand};

use super::{FIRST, MAKER, PARTNER, SECOND, Story, TAKER, ask, bid, quotes, replace};

pub(super) const fn band(width_ppm: u32, interval_ms: u64) -> MarketLimits {
    MarketLimits {
        band: Some(PriceBand {
            width_ppm,
            interval_ms,
        }),
        ..MarketLimits::NONE
    }
}

#[test]
fn price_times_size_is_at_least_the_minimum() {
    let limits = MarketLimits {
        notional_min: Atoms::new(500),
        ..MarketLimits::NONE
    };
    let mut story = Story::within("notional", limits);
    let small = "NOTIONAL_TOO_SMALL";
    story.tell(MAKER, bid('a', 5, 99), small);
    story.tell(MAKER, bid('a', 4, 100), small);
    story.tell(MAKER, bid('a', 4, 100).in_second(), "1: a rests 4 at 100");
    story.tell(MAKER, bid('b', 4, 100).after(200), small);
    story.tell(MAKER, bid('b', 4, 100).kind(OrderKind::IOC), small);
    story.tell(MAKER, bid('b', 5, 100), "b rests 5 at 100");
    // Filled or not: what counts of a replace is its new size.
    story.tell(TAKER, ask('z', 5, 101), "z rests 5 at 101");
    story.tell(
        TAKER,
        replace('z', 5, 100),
        "z ends 5: replaced; z takes 5 of b at 100",
    );
    story.send(MAKER, bid('c', 10, 100));
    story.send(TAKER, ask('y', 6, 100));
    story.tell(MAKER, replace('c', 4, 100), small);
    story.tell(MAKER, replace('c', 7, 71), small);
    story.tell(
        MAKER,
        replace('c', 7, 72),
        "c ends 4: replaced; c rests 1 at 72",
    );
    story.send(MAKER, bid('d', 5, 100).after(200));
    story.tell(MAKER, replace('d', 4, 100), small);
    story.tell(MAKER, quotes(FIRST, 1, &[(9, 60), (9, 50)], &[]), small);
    story.tell(
        MAKER,
        quotes(FIRST, 1, &[(9, 60), (10, 50)], &[]),
        "q0 rests 9 at 60; q1 rests 10 at 50",
    );
    story.check();
}

#[test]
fn open_orders_of_one_account_in_the_market_have_a_limit() {
    let limits = MarketLimits {
        open_orders_max: 3,
        ..MarketLimits::NONE
    };
    let mut story = Story::within("open orders", limits);
    let many = "TOO_MANY_OPEN_ORDERS";
    story.send(MAKER, bid('a', 1, 90));
    story.send(MAKER, bid('b', 1, 90).after(200));
    story.send(TAKER, ask('x', 1, 95));
    for label in ['m', 'n', 'o', 'p'] {
        let words = format!("1: {label} rests 1 at 90");
        story.tell(MAKER, bid(label, 1, 90).in_second(), &words);
    }
    story.tell(MAKER, quotes(FIRST, 1, &[(1, 80), (1, 79)], &[]), many);
    story.tell(MAKER, quotes(FIRST, 1, &[(1, 80)], &[]), "q0 rests 1 at 80");
    // Even if it would fill at once.
    story.tell(MAKER, bid('c', 1, 95), many);
    story.tell(MAKER, bid('c', 1, 95).kind(OrderKind::IOC).after(99), many);
    story.tell(
        MAKER,
        bid('c', 1, 95).kind(OrderKind::IOC),
        "c takes 1 of x at 95",
    );
    story.tell(
        MAKER,
        quotes(FIRST, 2, &[(1, 79)], &[]),
        "q0 ends 1: cancelled; q0 rests 1 at 79",
    );
    story.tell(
        MAKER,
        replace('a', 2, 91),
        "a ends 1: replaced; a rests 2 at 91",
    );
    story.tell(PARTNER, bid('a', 1, 90), "a rests 1 at 90");
    story.check();
}

#[test]
fn a_band_rounds_toward_its_reference() {
    for (reference, width_ppm, lowest, highest) in [
        (100, 50_000, 95, 105),
        (101, 50_000, 96, 106),
        (119, 50_000, 114, 124),
        (99, 1, 99, 99),
        (1, 1_000_000, 1, 2),
        (1_000_001, 1, 1_000_000, 1_000_002),
    ] {
        let name = format!("{reference}, {width_ppm} ppm");
        let mut story = Story::within(&name, band(width_ppm, 1_000));
        story.send(MAKER, ask('L', 1, reference));
        story.send(TAKER, bid('M', 1, reference));
        // Before the first tick after a trade there is no band.
        story.tell(
            MAKER,
            bid('a', 1, highest + 1),
            &format!("a rests 1 at {}", highest + 1),
        );
        story.tell(MAKER, replace('a', 1, 0), "ZERO_PRICE");
        story.tick(1, "");
        story.tell(MAKER, bid('b', 1, highest + 1), "PRICE_OUT_OF_BAND");
        story.tell(
            MAKER,
            bid('b', 1, highest),
            &format!("b rests 1 at {highest}"),
        );
        if lowest > 1 {
            story.tell(PARTNER, ask('c', 1, lowest - 1), "PRICE_OUT_OF_BAND");
        }
        story.tell(
            PARTNER,
            ask('c', 2, lowest).kind(OrderKind::FOK),
            &format!(
                "c takes 1 of a at {}; c takes 1 of b at {highest}",
                highest + 1
            ),
        );
        story.check();
    }
}

#[test]
fn the_other_way_an_order_may_be_as_far_away_as_it_likes() {
    let mut story = Story::within("far away", band(50_000, 1_000));
    story.send(MAKER, ask('L', 1, 100));
    story.send(TAKER, bid('M', 1, 100));
    story.tick(1, "");
    story.tell(MAKER, bid('a', 1, 1), "a rests 1 at 1");
    story.tell(MAKER, ask('b', 1, 1_000), "b rests 1 at 1000");
    story.tell(
        TAKER,
        bid('z', 1, 1_000).kind(OrderKind::IOC),
        "PRICE_OUT_OF_BAND",
    );
    story.tell(MAKER, replace('a', 1, 106), "PRICE_OUT_OF_BAND");
    story.tell(MAKER, replace('b', 1, 94), "PRICE_OUT_OF_BAND");
    story.tell(
        MAKER,
        quotes(FIRST, 1, &[(1, 106)], &[]),
        "PRICE_OUT_OF_BAND",
    );
    story.tell(
        MAKER,
        quotes(FIRST, 1, &[], &[(1, 94)]),
        "PRICE_OUT_OF_BAND",
    );
    story.tell(
        MAKER,
        quotes(FIRST, 1, &[(1, 2)], &[(1, 500)]),
        "q0 rests 1 at 2; q32 rests 1 at 500",
    );
    story.tell(
        MAKER,
        quotes(SECOND, 1, &[(1, 900)], &[]),
        "1: q0 rests 1 at 900",
    );
    story.check();
}

#[test]
fn a_tick_takes_the_reference_anew_when_the_interval_has_passed() {
    let mut story = Story::within("interval", band(50_000, 1));
    let trade = |story: &mut Story, price| {
        story.send(MAKER, ask('L', 1, price));
        story.send(TAKER, bid('M', 1, price));
    };
    story.tick(7, "");
    trade(&mut story, 100);
    story.tick(10, "");
    trade(&mut story, 105);
    story.tick(1_000_009, "");
    story.tell(MAKER, bid('a', 1, 106), "PRICE_OUT_OF_BAND");
    story.tick(1_000_010, "");
    story.tell(MAKER, bid('a', 1, 110), "a rests 1 at 110");
    story.tell(MAKER, bid('b', 1, 111), "PRICE_OUT_OF_BAND");
    story.check();
}

#[test]
fn what_is_set_off_is_moved_to_the_edge() {
    let mut story = Story::within("edge", band(50_000, 1_000));
    story.send(MAKER, ask('L', 1, 100));
    story.send(TAKER, bid('M', 1, 100));
    story.tick(1, "");
    // Neither armed orders nor stops are checked when they arrive.
    story.tell(PARTNER, bid('a', 5, 200).after(104), "a waits 5 at 200");
    story.tell(PARTNER, bid('b', 5, 99).or(104, 300), "b rests 5 at 99");
    story.tell(
        PARTNER,
        replace('a', 5, 201),
        "a ends 5: replaced; a waits 5 at 201",
    );
    story.send(MAKER, ask('x', 1, 104));
    story.send(MAKER, ask('y', 1, 106));
    story.tell(
        TAKER,
        bid('z', 1, 104),
        "z takes 1 of x at 104; a is set off 5 at 201; a rests 5 at 105; \
         b is set off 5 at 300; b rests 5 at 105",
    );
    // An order whose condition is met when it arrives is not armed.
    story.tell(PARTNER, bid('c', 5, 200).after(104), "PRICE_OUT_OF_BAND");
    story.check();
}
