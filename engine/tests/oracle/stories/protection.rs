//! Market-maker protection, sentence by sentence.

use types::command::{OrderKind, ProtectionLimits, SelfTrade, SetProtection};
use types::{Atoms, BaseLots, Command};

use super::{FIRST, MAKER, PARTNER, SECOND, Story, TAKER, ask, bid, protect, quotes, replace};
use types::command::MarketStatus;

/// Long enough for every story but those about windows.
const LONG: u64 = 1_000;

#[test]
fn a_limit_of_n_fills_lets_n_through_and_not_one_more() {
    for (limit, expected) in [
        (
            1,
            "z takes 5 of a at 100; b ends 5: protection; c ends 5: protection; \
             d ends 5: protection; z takes 5 of x at 101; z rests 40 at 110",
        ),
        (
            2,
            "z takes 5 of a at 100; z takes 5 of b at 100; c ends 5: protection; \
             d ends 5: protection; z takes 5 of x at 101; z rests 35 at 110",
        ),
        (
            3,
            "z takes 5 of a at 100; z takes 5 of b at 100; z takes 5 of c at 101; \
             d ends 5: protection; z takes 5 of x at 101; z rests 30 at 110",
        ),
        (
            4,
            "z takes 5 of a at 100; z takes 5 of b at 100; z takes 5 of c at 101; \
             z takes 5 of x at 101; z takes 5 of d at 102; z rests 25 at 110",
        ),
    ] {
        let mut story = Story::new(&format!("{limit} fills"));
        story.tell(MAKER, protect(FIRST, 0, LONG, (limit, 0, 0)), "");
        for (label, price) in [('a', 100), ('b', 100), ('c', 101), ('d', 102)] {
            story.send(MAKER, ask(label, 5, price).protected());
            if label == 'c' {
                story.send(PARTNER, ask('x', 5, 101));
            }
        }
        story.tell(TAKER, bid('z', 50, 110), expected);
        story.check();
    }
}

#[test]
fn lots_and_notional_are_limits_too() {
    for (name, limits) in [
        ("lots, reached exactly", (0, 8, 0)),
        ("lots, passed", (0, 6, 0)),
        ("notional, reached exactly", (0, 0, 803)),
        ("notional, passed", (0, 0, 504)),
        ("whichever comes first", (9, 8, 900)),
    ] {
        let mut story = Story::new(name);
        story.tell(MAKER, protect(FIRST, 0, LONG, limits), "");
        story.send(MAKER, ask('a', 5, 100).protected());
        story.send(MAKER, ask('b', 9, 101).protected());
        story.tell(TAKER, bid('y', 5, 100), "y takes 5 of a at 100");
        story.tell(
            TAKER,
            bid('z', 3, 101),
            "z takes 3 of b at 101; b ends 6: protection",
        );
        story.check();
    }
}

#[test]
fn the_window_begins_with_the_first_fill_and_counts_begin_with_it() {
    let mut story = Story::new("window");
    story.send(MAKER, protect(FIRST, 0, 100, (2, 0, 0)));
    story.send(MAKER, ask('a', 20, 100).protected());
    story.tick(50, "");
    story.tell(TAKER, bid('s', 1, 100), "s takes 1 of a at 100");
    // The window that began at 50 has ended.
    story.tick(150, "");
    story.tell(TAKER, bid('t', 1, 100), "t takes 1 of a at 100");
    story.tick(249, "");
    story.tell(
        TAKER,
        bid('u', 1, 100),
        "u takes 1 of a at 100; a ends 17: protection",
    );
    story.check();
}

#[test]
fn a_group_of_markets_has_one_count_and_the_limits_of_the_last_command() {
    let mut story = Story::new("group");
    story.send(MAKER, protect(FIRST, 7, LONG, (9, 0, 0)));
    story.send(MAKER, protect(SECOND, 7, LONG, (2, 0, 0)));
    story.send(MAKER, quotes(FIRST, 1, &[(5, 90)], &[(5, 100)]));
    story.send(MAKER, quotes(SECOND, 1, &[(5, 90)], &[(5, 100)]));
    story.send(MAKER, ask('m', 3, 105).in_second());
    story.send(PARTNER, bid('p', 1, 99).after(100));
    story.tell(
        TAKER,
        bid('y', 1, 100).in_second(),
        "1: y takes 1 of q32 at 100",
    );
    // What the trade sets off comes before the other market, which is the end of the command.
    story.tell(
        TAKER,
        bid('z', 1, 100),
        "z takes 1 of q32 at 100; q0 ends 5: protection; q32 ends 4: protection; \
         p is set off 1 at 99; p rests 1 at 99; \
         1: q0 ends 5: protection; 1: q32 ends 4: protection",
    );
    story.check();
}

#[test]
fn another_group_is_not_touched() {
    let mut story = Story::new("two groups");
    story.send(MAKER, protect(FIRST, 7, LONG, (1, 0, 0)));
    story.send(MAKER, protect(SECOND, 8, LONG, (1, 0, 0)));
    story.send(PARTNER, protect(FIRST, 7, LONG, (1, 0, 0)));
    story.send(MAKER, ask('a', 5, 100).protected());
    story.send(MAKER, ask('b', 5, 100).protected().in_second());
    story.send(PARTNER, ask('c', 5, 100).protected());
    story.tell(
        TAKER,
        bid('z', 6, 100),
        "z takes 5 of a at 100; z takes 1 of c at 100; c ends 4: protection",
    );
    story.check();
}

#[test]
fn until_it_is_armed_again_nothing_protected_enters() {
    let mut story = Story::new("tripped");
    story.send(MAKER, protect(FIRST, 1, LONG, (1, 0, 0)));
    story.send(MAKER, protect(SECOND, 1, LONG, (1, 0, 0)));
    story.send(MAKER, bid('w', 5, 95).protected().after(110));
    story.send(MAKER, ask('a', 1, 100).protected());
    story.tell(TAKER, bid('z', 1, 100), "z takes 1 of a at 100");
    let tripped = "PROTECTION_TRIPPED";
    story.tell(MAKER, ask('b', 1, 100).protected(), tripped);
    story.tell(MAKER, bid('b', 1, 100).protected().after(120), tripped);
    story.tell(MAKER, ask('b', 1, 100).protected().in_second(), tripped);
    story.tell(MAKER, quotes(FIRST, 1, &[(1, 90)], &[]), tripped);
    story.tell(MAKER, quotes(SECOND, 1, &[(1, 90)], &[]), tripped);
    story.tell(MAKER, quotes(FIRST, 1, &[], &[]), "");
    story.tell(MAKER, replace('w', 4, 95), tripped);
    story.tell(MAKER, ask('c', 1, 110), "c rests 1 at 110");
    // Set off while it is tripped, an armed order ends.
    story.tell(
        TAKER,
        bid('y', 1, 110),
        "y takes 1 of c at 110; w ends 5: protection",
    );
    story.tell(MAKER, protect(SECOND, 1, LONG, (1, 0, 0)), "");
    story.tell(MAKER, ask('b', 1, 100).protected(), "b rests 1 at 100");
    story.tell(
        MAKER,
        quotes(SECOND, 2, &[(1, 90)], &[]),
        "1: q0 rests 1 at 90",
    );
    story.check();
}

#[test]
fn to_send_it_again_begins_the_counts_at_zero() {
    let mut story = Story::new("again");
    story.send(MAKER, protect(FIRST, 0, LONG, (2, 0, 0)));
    story.send(MAKER, ask('a', 9, 100).protected());
    for label in ['s', 't', 'u'] {
        let words = format!("{label} takes 1 of a at 100");
        story.tell(TAKER, bid(label, 1, 100), &words);
        story.tell(MAKER, protect(FIRST, 0, LONG, (2, 0, 0)), "");
    }
    story.check();
}

#[test]
fn without_limits_it_is_taken_away() {
    let mut story = Story::new("taken away");
    story.send(MAKER, protect(FIRST, 0, LONG, (1, 0, 0)));
    story.tell(MAKER, protect(FIRST, 9, 0, (0, 0, 0)), "");
    story.send(MAKER, ask('a', 1, 100).protected());
    story.send(MAKER, ask('b', 1, 100).protected());
    story.tell(
        TAKER,
        bid('z', 2, 100),
        "z takes 1 of a at 100; z takes 1 of b at 100",
    );
    story.check();
}

#[test]
fn a_window_without_a_limit_or_a_limit_without_a_window_is_none() {
    let mut story = Story::new("invalid");
    for (window_ns, fills, lots, notional, expected) in [
        (1, 0, 0, 0, "INVALID_PROTECTION"),
        (0, 1, 0, 0, "INVALID_PROTECTION"),
        (0, 0, 1, 0, "INVALID_PROTECTION"),
        (0, 0, 0, 1, "INVALID_PROTECTION"),
        (1, 1, 0, 0, ""),
        (1, 0, 1, 0, ""),
        (1, 0, 0, 1, ""),
        (u64::MAX, u64::MAX, u64::MAX, u128::MAX, ""),
        (0, 0, 0, 0, ""),
    ] {
        let limits = ProtectionLimits {
            window_ns,
            fills,
            lots: BaseLots::new(lots),
            notional: Atoms::new(notional),
        };
        let set = SetProtection {
            market: FIRST,
            group: 3,
            limits,
        };
        story.tell(MAKER, Command::SetProtection(set), expected);
    }
    story.check();
}

#[test]
fn only_what_is_protected_counts_and_leaves() {
    let mut story = Story::new("unprotected");
    story.send(MAKER, protect(FIRST, 0, LONG, (1, 0, 0)));
    story.send(MAKER, ask('a', 1, 100));
    story.send(MAKER, ask('b', 1, 101).protected());
    story.send(MAKER, ask('c', 1, 101));
    story.send(MAKER, ask('d', 1, 102).protected());
    story.tell(
        TAKER,
        bid('z', 5, 102),
        "z takes 1 of a at 100; z takes 1 of b at 101; d ends 1: protection; \
         z takes 1 of c at 101; z rests 2 at 102",
    );
    // As a taker a protected order does not count.
    story.send(MAKER, protect(FIRST, 0, LONG, (1, 0, 0)));
    story.tell(MAKER, bid('e', 1, 90).protected(), "e rests 1 at 90");
    story.tell(MAKER, ask('f', 2, 102).protected(), "f takes 2 of z at 102");
    story.tell(MAKER, quotes(FIRST, 1, &[(2, 89)], &[]), "q0 rests 2 at 89");
    story.check();
}

#[test]
fn fill_or_kill_foresees_what_would_be_pulled() {
    let mut story = Story::new("fill or kill");
    story.send(MAKER, protect(FIRST, 0, LONG, (2, 0, 0)));
    for label in ['a', 'b', 'c'] {
        story.send(MAKER, ask(label, 5, 100).protected());
    }
    story.send(PARTNER, ask('x', 5, 101));
    let kill = |quantity| bid('z', quantity, 101).kind(OrderKind::FOK);
    story.tell(TAKER, kill(16), "NOT_FILLABLE");
    story.tell(
        TAKER,
        kill(15),
        "z takes 5 of a at 100; z takes 5 of b at 100; c ends 5: protection; \
         z takes 5 of x at 101",
    );
    story.check();
}

#[test]
fn to_be_decremented_or_cancelled_is_no_fill() {
    let mut story = Story::new("no fills");
    story.send(PARTNER, protect(FIRST, 0, LONG, (1, 0, 0)));
    for label in ['a', 'b', 'c'] {
        story.send(PARTNER, ask(label, 5, 100).protected());
    }
    let taker = |self_trade| bid('z', 6, 100).kind(OrderKind::IOC).self_trade(self_trade);
    story.tell(
        TAKER,
        taker(SelfTrade::Decrement),
        "a ends 5: self_trade; b shrinks to 4; z ends 6: self_trade",
    );
    story.tell(
        TAKER,
        taker(SelfTrade::CancelBoth),
        "b ends 4: self_trade; z ends 6: self_trade",
    );
    story.tell(
        TAKER,
        taker(SelfTrade::Allow),
        "z takes 5 of c at 100; z ends 1: unfilled",
    );
    story.check();
}

#[test]
fn what_is_protected_hides_nothing() {
    let mut story = Story::new("hidden");
    story.tell(
        MAKER,
        ask('a', 5, 100).showing(1).protected(),
        "INVALID_DISPLAY",
    );
    story.tell(MAKER, ask('a', 5, 100).showing(1), "a rests 5 at 100");
    story.check();
}

#[test]
fn in_an_auction_all_fills_count_and_the_rest_leaves_after_the_last() {
    let mut story = Story::new("auction");
    story.set(MarketStatus::Auction, "auction");
    story.send(MAKER, protect(FIRST, 4, LONG, (1, 0, 0)));
    story.send(MAKER, protect(SECOND, 4, LONG, (1, 0, 0)));
    story.send(MAKER, bid('e', 1, 90).in_second().protected());
    story.send(TAKER, bid('x', 9, 100));
    for label in ['a', 'b', 'c'] {
        story.send(MAKER, ask(label, 3, 100).protected());
    }
    story.send(MAKER, ask('d', 3, 101).protected());
    story.send(MAKER, ask('f', 3, 99));
    story.set(
        MarketStatus::Open,
        "f meets 3 of x at 100; a meets 3 of x at 100; b meets 3 of x at 100; \
         c ends 3: protection; d ends 3: protection; open; 1: e ends 1: protection",
    );
    story.check();
}

#[test]
fn what_of_its_own_taker_an_account_lets_rest_is_pulled_at_the_end_of_the_command() {
    for group in [0, 5] {
        let mut story = Story::new(&format!("own taker, group {group}"));
        story.send(MAKER, protect(FIRST, group, LONG, (1, 0, 0)));
        story.send(MAKER, ask('a', 1, 100).protected());
        story.send(PARTNER, ask('w', 1, 101).after(100));
        story.tell(
            MAKER,
            bid('z', 5, 100).protected(),
            "z takes 1 of a at 100; z rests 4 at 100; w is set off 1 at 101; w rests 1 at 101; \
             z ends 4: protection",
        );
        story.check();
    }
}
