//! Which reject comes first: commands with every fault at once, healed of one after the other.

use types::command::{
    Cancel, CancelScope, Crossing, MarketStatus, OrderKind, OrderTarget, Replace, Resting,
    SelfTrade, StopLeg, Transfer,
};
use types::genesis::{MarketLimits, PriceBand};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, Ticks,
};

use super::{CHIEF, FIRST, MAKER, Story, TAKER, Wish, ask, bid, named, protect, quotes, replace};

/// Notional of at least 500, at most 2 open orders, within 5 % of 100.
const LIMITS: MarketLimits = MarketLimits {
    notional_min: Atoms::new(500),
    open_orders_max: 2,
    band: Some(PriceBand {
        width_ppm: 50_000,
        interval_ms: 1_000,
    }),
    status: MarketStatus::Open,
};

/// The maker has two orders open, r at 96 and w armed, both protected, and little money.
fn troubled(name: &str) -> Story {
    let mut story = Story::within(name, LIMITS);
    impoverish(&mut story);
    story.send(MAKER, protect(FIRST, 0, 1_000, (1, 0, 0)));
    story.send(MAKER, ask('L', 5, 100).protected());
    story.send(TAKER, bid('M', 5, 100));
    story.send(MAKER, protect(FIRST, 0, 1_000, (1, 0, 0)));
    story.send(MAKER, bid('w', 9, 96).protected().after(500));
    story.send(MAKER, bid('r', 9, 96).protected());
    story.send(TAKER, ask('x', 5, 104));
    story.tick(10, "");
    story
}

/// Leaves the maker a million atoms of quote.
fn impoverish(story: &mut Story) {
    let transfer = Transfer {
        to: AccountId::new(TAKER),
        asset: AssetId::new(2),
        amount: Atoms::new((1 << 60) - 1_000_000),
    };
    story.tell(MAKER, Command::Transfer(transfer), "transferred");
}

fn trip(story: &mut Story) {
    story.send(MAKER, bid('t', 9, 97).kind(OrderKind::IOC));
    story.send(MAKER, replace('r', 10, 98));
    story.tell(
        TAKER,
        ask('N', 6, 98),
        "N takes 6 of r at 98; r ends 4: protection",
    );
}

#[test]
fn of_a_place() {
    let mut story = troubled("place");
    trip(&mut story);
    story.send(MAKER, bid('r', 9, 96));
    story.send(
        MAKER,
        Command::Cancel(Cancel::Client {
            market: FIRST,
            client_order_id: named('c'),
            remember_until: LogTime::new(500),
        }),
    );
    story.send(CHIEF, MarketStatus::Halted);
    let resting = Resting {
        expires_at: LogTime::new(10),
        display: BaseLots::new(u64::MAX),
        stop: Some(StopLeg {
            trigger: Ticks::ZERO,
            limit: Ticks::new(1 << 31),
            self_trade: SelfTrade::Allow,
        }),
        protected: true,
    };
    let faulty = bid('c', u64::MAX, 0)
        .kind(OrderKind::PostOnly(Crossing::Reject, resting))
        .place(|place| place.market = MarketId::new(2));
    let mut wish = faulty;
    for (expected, heal) in HEALINGS {
        wish = heal(wish);
        if *expected == "PROTECTION_TRIPPED" {
            story.send(CHIEF, MarketStatus::Open);
        }
        story.tell(MAKER, wish, expected);
    }
    let wish = wish.place(|place| {
        place.client_order_id = ClientOrderId::NONE;
        place.quantity = BaseLots::new((1 << 48) - 1);
    });
    story.tell(MAKER, wish, "TOO_MANY_OPEN_ORDERS");
    story.send(MAKER, Command::CancelAll(CancelScope::EVERYTHING));
    story.tell(MAKER, wish, "INSUFFICIENT_FUNDS");
    let wish = wish.place(|place| place.quantity = BaseLots::new(9));
    story.tell(MAKER, wish, "INSUFFICIENT_FUNDS");
    let wish = wish.or(111, 200);
    story.tell(MAKER, wish, "WOULD_CROSS");
    let kill = |wish: Wish| wish.kind(OrderKind::FOK);
    story.tell(MAKER, kill(wish), "NOT_FILLABLE");
    story.tell(
        MAKER,
        wish.place(|place| place.price = Ticks::new(99)),
        "q0 rests 9 at 99",
    );
    story.check();
}

type Healing = fn(Wish) -> Wish;

/// Each healing, in turn, and the reject that is next.
const HEALINGS: &[(&str, Healing)] = &[
    ("UNKNOWN_MARKET", |wish| wish),
    ("ZERO_PRICE", |wish| {
        wish.place(|place| place.market = FIRST)
    }),
    ("PRICE_TOO_HIGH", |wish| {
        wish.place(|place| place.price = Ticks::new(u64::MAX))
    }),
    ("QUANTITY_TOO_LARGE", |wish| {
        wish.place(|place| place.price = Ticks::new(110))
    }),
    ("ZERO_QUANTITY", |wish| {
        wish.place(|place| place.quantity = BaseLots::ZERO)
    }),
    ("NOTIONAL_TOO_SMALL", |wish| {
        wish.place(|place| place.quantity = BaseLots::new(4))
    }),
    ("INVALID_DISPLAY", |wish| {
        wish.place(|place| place.quantity = BaseLots::new(9))
    }),
    ("INVALID_DISPLAY", |wish| wish.showing(1)),
    ("INVALID_TRIGGER", |wish| wish.showing(0)),
    ("EXPIRY_IN_PAST", |wish| wish.or(110 + 1, 1 << 31)),
    ("MARKET_STATUS", |wish| wish.till(11)),
    ("PROTECTION_TRIPPED", |wish| wish),
    ("PRICE_OUT_OF_BAND", |wish| {
        wish.resting(|resting| resting.protected = false)
    }),
    ("CANCELLED_BEFORE", |wish| {
        wish.place(|place| place.price = Ticks::new(105))
    }),
    ("DUPLICATE_CLIENT_ORDER_ID", |wish| {
        wish.place(|place| place.client_order_id = named('r'))
    }),
];

#[test]
fn of_a_replace() {
    let mut story = troubled("replace");
    story.send(MAKER, replace('r', 10, 98));
    story.send(TAKER, ask('N', 4, 98).kind(OrderKind::IOC));
    story.send(MAKER, protect(FIRST, 0, 1_000, (9, 0, 0)));
    let faulty = Replace {
        target: OrderTarget::Client {
            market: MarketId::new(2),
            client_order_id: named('?'),
        },
        may_take: false,
        ..replace('?', u64::MAX, 0)
    };
    story.tell(MAKER, faulty, "UNKNOWN_MARKET");
    let target = replace('?', 1, 1).target;
    story.tell(MAKER, Replace { target, ..faulty }, "ORDER_NOT_FOUND");
    story.check();
}

#[test]
fn of_a_replace_of_an_order() {
    // The order r has filled 4 of 12, expires, has a stop and is protected.
    let mut story = Story::within("replace of an order", LIMITS);
    impoverish(&mut story);
    story.send(MAKER, ask('L', 5, 100));
    story.send(TAKER, bid('M', 5, 100));
    story.tick(10, "");
    story.send(MAKER, bid('r', 12, 98).protected().or(102, 104));
    story.send(TAKER, ask('N', 4, 98));
    story.send(TAKER, ask('x', 9, 101));
    story.send(MAKER, protect(FIRST, 0, 1_000, (1, 0, 0)));
    story.send(CHIEF, MarketStatus::Halted);
    let steps = [
        ((u64::MAX, 0), "ZERO_PRICE"),
        ((u64::MAX, u64::MAX), "PRICE_TOO_HIGH"),
        ((0, 1), "ZERO_QUANTITY"),
        ((u64::MAX, 1), "QUANTITY_TOO_LARGE"),
        ((4, 110), "NOTIONAL_TOO_SMALL"),
        ((4, 125), "INVALID_TRIGGER"),
        ((5, 101), "MARKET_STATUS"),
    ];
    for ((quantity, price), expected) in steps {
        let calm = Replace {
            may_take: false,
            ..replace('r', quantity, price)
        };
        story.tell(MAKER, calm, expected);
    }
    story.send(CHIEF, MarketStatus::Open);
    let calm = Replace {
        may_take: false,
        ..replace('r', (1 << 48) - 1, 101)
    };
    story.tell(MAKER, calm, "INSUFFICIENT_FUNDS");
    story.tell(
        MAKER,
        Replace {
            quantity: BaseLots::new(13),
            ..calm
        },
        "WOULD_CROSS",
    );
    story.check();
}

#[test]
fn of_a_quote_set() {
    let mut story = troubled("quotes");
    trip(&mut story);
    story.send(MAKER, quotes(FIRST, 5, &[], &[]));
    story.send(CHIEF, MarketStatus::Halted);
    let nowhere = MarketId::new(2);
    let unsorted: &[(u64, u64)] = &[(0, 0), (9, 110)];
    story.tell(MAKER, quotes(nowhere, 5, unsorted, &[]), "UNKNOWN_MARKET");
    story.tell(MAKER, quotes(FIRST, 5, unsorted, &[]), "STALE_QUOTE_SET");
    story.tell(MAKER, quotes(FIRST, 6, unsorted, &[]), "UNSORTED_QUOTES");
    for (bids, expected) in [
        ([(u64::MAX, 110), (0, 0)], "ZERO_PRICE"),
        ([(0, u64::MAX), (u64::MAX, 1)], "PRICE_TOO_HIGH"),
        ([(u64::MAX, 110), (0, 5)], "ZERO_QUANTITY"),
        ([(4, 110), (u64::MAX, 5)], "QUANTITY_TOO_LARGE"),
        ([(9, 110), (4, 105)], "NOTIONAL_TOO_SMALL"),
        ([(9, 110), (9, 105)], "MARKET_STATUS"),
    ] {
        story.tell(MAKER, quotes(FIRST, 6, &bids, &[]), expected);
    }
    story.send(CHIEF, MarketStatus::Open);
    let three = |first| [(9, first), (9, 104), (9, 103)];
    story.tell(
        MAKER,
        quotes(FIRST, 6, &three(110), &[]),
        "PROTECTION_TRIPPED",
    );
    story.send(MAKER, protect(FIRST, 0, 1_000, (1, 0, 0)));
    story.tell(
        MAKER,
        quotes(FIRST, 6, &three(110), &[]),
        "PRICE_OUT_OF_BAND",
    );
    story.tell(
        MAKER,
        quotes(FIRST, 6, &three(105), &[]),
        "TOO_MANY_OPEN_ORDERS",
    );
    let large = [((1 << 48) - 1, 105)];
    story.tell(MAKER, quotes(FIRST, 6, &large, &[]), "INSUFFICIENT_FUNDS");
    story.tell(MAKER, quotes(FIRST, 6, &[(9, 105)], &[]), "WOULD_CROSS");
    story.tell(MAKER, quotes(FIRST, 6, &[(9, 99)], &[]), "q0 rests 9 at 99");
    story.check();
}

#[test]
fn a_protection_needs_its_market_first() {
    let mut story = Story::new("protection");
    story.tell(
        MAKER,
        protect(MarketId::new(2), 0, 1, (0, 0, 0)),
        "UNKNOWN_MARKET",
    );
    story.tell(MAKER, protect(FIRST, 0, 1, (0, 0, 0)), "INVALID_PROTECTION");
    story.check();
}
