//! Which command is possible in which status: the table of the page.

use types::Command;
use types::command::{
    Cancel, CancelScope, Immediate, MarketStatus, OrderKind, Replace, SetMarketStatus,
};

use super::{
    CHIEF, FIRST, MAKER, PARTNER, SECOND, Story, TAKER, Wish, ask, bid, named, protect, quotes,
    replace,
};

/// A command, what comes of it, and in which statuses it may: open, post-only, auction, cancel-only,
/// halted.
type Row = (Wish, &'static str, &'static str);

#[test]
fn what_may_happen_in_which_status() {
    for (command, expected, allowed) in [places(), replaces(), others()].concat() {
        for (status, letter) in MarketStatus::ALL.into_iter().zip("opach".chars()) {
            let mut story = Story::new(&format!("{command:?}, {status:?}"));
            story.send(MAKER, ask('x', 9, 90));
            story.send(PARTNER, bid('r', 5, 60));
            story.send(PARTNER, bid('w', 5, 60).after(95));
            story.send(CHIEF, status);
            let is_allowed = allowed.contains(letter);
            let expected = if is_allowed {
                expected
            } else {
                "MARKET_STATUS"
            };
            story.tell(PARTNER, command, expected);
            story.check();
        }
    }
}

fn places() -> Vec<Row> {
    let kind = |kind| bid('a', 1, 90).kind(kind);
    let (rests, takes, waits) = ("a rests 1 at 50", "a takes 1 of x at 90", "a waits 1 at 50");
    let market = OrderKind::Market(Immediate::OrCancel);
    vec![
        (bid('a', 1, 50).post(), rests, "op"),
        (bid('a', 1, 50).slide(), rests, "op"),
        (quotes(FIRST, 1, &[(1, 50)], &[]), "q0 rests 1 at 50", "op"),
        (bid('a', 1, 50), rests, "oa"),
        (bid('a', 1, 50).till(1_000), rests, "oa"),
        (bid('a', 1, 50).or(99, 99), rests, "oa"),
        (bid('a', 1, 50).post().or(99, 99), rests, "op"),
        (kind(OrderKind::IOC), takes, "o"),
        (kind(OrderKind::FOK), takes, "o"),
        (kind(market), takes, "o"),
        (bid('a', 1, 50).after(99), waits, "o"),
        (bid('a', 1, 50).post().after(99), waits, "op"),
    ]
}

fn replaces() -> Vec<Row> {
    let calm = |label, quantity, price| {
        Wish::from(Replace {
            may_take: false,
            ..replace(label, quantity, price)
        })
    };
    let moved = "r ends 5: replaced; r rests 5 at 61";
    let larger = "r ends 5: replaced; r rests 6 at 60";
    let armed = "w ends 5: replaced; w waits 3 at 60";
    vec![
        (replace('r', 3, 60).into(), "r shrinks to 3", "opac"),
        (replace('r', 5, 60).into(), "", "opac"),
        (replace('r', 5, 61).into(), moved, "oa"),
        (calm('r', 5, 61), moved, "opa"),
        (replace('r', 6, 60).into(), larger, "oa"),
        (calm('r', 6, 60), larger, "opa"),
        (replace('w', 3, 60).into(), armed, "opa"),
        (calm('w', 3, 60), armed, "opa"),
    ]
}

fn others() -> Vec<Row> {
    let cancel = Command::Cancel(Cancel::Client {
        market: FIRST,
        client_order_id: named('r'),
        remember_until: types::LogTime::ZERO,
    });
    vec![
        (cancel.into(), "r ends 5: cancelled", "opach"),
        (quotes(FIRST, 1, &[], &[]), "", "opach"),
        (protect(FIRST, 0, 1, (1, 1, 1)), "", "opach"),
    ]
}

#[test]
fn in_post_only_what_may_not_take_is_still_refused_if_it_would() {
    let mut story = Story::new("would cross");
    story.send(MAKER, ask('x', 9, 90));
    story.send(PARTNER, bid('r', 5, 60));
    story.set(MarketStatus::PostOnly, "post_only");
    story.tell(PARTNER, bid('a', 1, 90).post(), "WOULD_CROSS");
    story.tell(PARTNER, bid('a', 1, 95).slide(), "a rests 1 at 89");
    let calm = Replace {
        may_take: false,
        ..replace('r', 5, 90)
    };
    story.tell(PARTNER, calm, "WOULD_CROSS");
    story.check();
}

#[test]
fn only_an_operator_sets_a_status_and_setting_the_same_does_nothing() {
    let mut story = Story::new("operators");
    let set = |market, status| Command::SetMarketStatus(SetMarketStatus { market, status });
    let nowhere = types::MarketId::new(2);
    for account in [PARTNER, TAKER, MAKER] {
        story.tell(account, set(FIRST, MarketStatus::Halted), "NOT_OPERATOR");
        story.tell(account, set(nowhere, MarketStatus::Open), "NOT_OPERATOR");
    }
    story.tell(CHIEF, set(nowhere, MarketStatus::Open), "UNKNOWN_MARKET");
    for status in MarketStatus::ALL.into_iter().rev() {
        story.tell(CHIEF, set(FIRST, status), status.name());
        story.tell(CHIEF, set(FIRST, status), "");
    }
    story.tell(CHIEF, set(SECOND, MarketStatus::Halted), "1: halted");
    story.tell(MAKER, bid('a', 1, 1), "a rests 1 at 1");
    story.check();
}

#[test]
fn time_goes_on_and_everything_can_be_cancelled_in_every_status() {
    for status in MarketStatus::ALL {
        let mut story = Story::new(status.name());
        story.send(MAKER, bid('a', 5, 60).till(50));
        story.send(MAKER, bid('b', 5, 60).after(95).till(50));
        story.send(MAKER, quotes(FIRST, 1, &[(4, 50)], &[(4, 70)]));
        story.send(MAKER, bid('c', 5, 60));
        story.set(
            status,
            if status == MarketStatus::Open {
                ""
            } else {
                status.name()
            },
        );
        // The first price of an auction is published by the same tick.
        let published = match status {
            MarketStatus::Auction => "; indicative none",
            _ => "",
        };
        story.tick(
            50,
            &format!("a ends 5: expired; b ends 5: expired{published}"),
        );
        story.tell(
            MAKER,
            quotes(FIRST, 2, &[], &[]),
            "q0 ends 4: cancelled; q32 ends 4: cancelled",
        );
        story.tell(
            MAKER,
            Command::CancelAll(CancelScope::EVERYTHING),
            "c ends 5: cancelled",
        );
        story.check();
    }
}
