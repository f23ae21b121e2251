//! Random streams that stress one thing each: a table.

use types::Atoms;
use types::command::{MarketStatus, SelfTrade, TriggerCondition};
use types::genesis::{MarketLimits, PriceBand};
use types::limits::PRICE_TICKS_MAX;

use crate::mix::{Kind, Mix, Money};

const ALL_KINDS: &[Kind] = &[
    Kind::Limit,
    Kind::Limit,
    Kind::Limit,
    Kind::Ioc,
    Kind::Fok,
    Kind::Market,
    Kind::PostOnly,
    Kind::Slide,
];
const ALL_SELF_TRADES: &[SelfTrade] = &[
    SelfTrade::Allow,
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::Decrement,
];
const BOTH_CONDITIONS: &[TriggerCondition] =
    &[TriggerCondition::Stop, TriggerCondition::TakeProfit];

const BASIC: Mix = Mix {
    name: "basic",
    money: Money::Rich,
    places: 70,
    cancels: 12,
    replaces: 10,
    quote_sets: 3,
    cancel_alls: 1,
    transfers: 1,
    protections: 0,
    statuses: 0,
    status_list: &[MarketStatus::Open],
    limits: MarketLimits::NONE,
    low: 90,
    span: 21,
    size: 1_000,
    kinds: ALL_KINDS,
    self_trades: ALL_SELF_TRADES,
    icebergs: 10,
    expiring: 10,
    ocos: 0,
    protected: 0,
    triggers: 5,
    conditions: BOTH_CONDITIONS,
    remembering: 5,
    pace: 1,
    horizon: 400,
    hostile: 1,
    labels: 40,
};

/// All mixes; most differ from the basic one in what their name says.
pub(crate) const MIXES: &[Mix] = &[
    BASIC,
    Mix {
        name: "poor",
        money: Money::Poor,
        size: 4_000,
        ..BASIC
    },
    Mix {
        name: "one price",
        span: 1,
        size: 50,
        ..BASIC
    },
    Mix {
        name: "all crossing",
        span: 2,
        kinds: &[Kind::Limit, Kind::Market],
        ..BASIC
    },
    Mix {
        name: "replace heavy",
        places: 30,
        replaces: 80,
        labels: 12,
        size: 30,
        ..BASIC
    },
    Mix {
        name: "poor replaces",
        money: Money::Poor,
        replaces: 60,
        labels: 12,
        ..BASIC
    },
    Mix {
        name: "allow",
        self_trades: &[SelfTrade::Allow],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "cancel taker",
        self_trades: &[SelfTrade::CancelTaker],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "cancel maker",
        self_trades: &[SelfTrade::CancelMaker],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "cancel both",
        self_trades: &[SelfTrade::CancelBoth],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "decrement",
        self_trades: &[SelfTrade::Decrement],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "icebergs",
        icebergs: 90,
        span: 4,
        cancels: 4,
        ..BASIC
    },
    Mix {
        name: "decremented icebergs",
        icebergs: 90,
        span: 2,
        size: 40,
        self_trades: &[SelfTrade::Decrement],
        ..BASIC
    },
    Mix {
        name: "replaced icebergs",
        icebergs: 90,
        replaces: 60,
        span: 3,
        size: 20,
        ..BASIC
    },
    Mix {
        name: "stops",
        triggers: 60,
        conditions: &[TriggerCondition::Stop],
        size: 20,
        labels: 200,
        cancels: 3,
        ..BASIC
    },
    Mix {
        name: "take profits",
        triggers: 60,
        conditions: &[TriggerCondition::TakeProfit],
        size: 20,
        labels: 200,
        cancels: 3,
        ..BASIC
    },
    Mix {
        name: "triggers",
        triggers: 70,
        replaces: 30,
        labels: 60,
        size: 100,
        ..BASIC
    },
    Mix {
        name: "quotes",
        quote_sets: 60,
        size: 4,
        span: 8,
        ..BASIC
    },
    Mix {
        name: "replaced quotes",
        quote_sets: 50,
        replaces: 60,
        size: 4,
        span: 8,
        ..BASIC
    },
    Mix {
        name: "poor quotes",
        money: Money::Poor,
        quote_sets: 60,
        size: 9_000,
        ..BASIC
    },
    Mix {
        name: "expiries",
        expiring: 90,
        cancels: 3,
        triggers: 20,
        ..BASIC
    },
    Mix {
        name: "pre-cancels",
        cancels: 120,
        remembering: 90,
        horizon: 4_000,
        labels: 1_000,
        ..BASIC
    },
    Mix {
        name: "ranges",
        cancel_alls: 30,
        cancels: 2,
        ..BASIC
    },
    Mix {
        name: "fill or kill",
        kinds: &[Kind::Limit, Kind::Fok],
        span: 4,
        size: 50,
        ..BASIC
    },
    Mix {
        name: "lowest prices",
        low: 1,
        span: 3,
        ..BASIC
    },
    Mix {
        name: "highest prices",
        low: PRICE_TICKS_MAX - 2,
        span: 3,
        size: 9,
        ..BASIC
    },
    Mix {
        name: "fees",
        money: Money::Taxed,
        low: 1,
        span: 7,
        size: 3,
        ..BASIC
    },
    Mix {
        name: "hostile",
        hostile: 20,
        ..BASIC
    },
    Mix {
        name: "one cancels the other",
        ocos: 70,
        size: 60,
        labels: 120,
        cancels: 4,
        ..BASIC
    },
    Mix {
        name: "poor ones cancel the other",
        money: Money::Poor,
        ocos: 70,
        triggers: 20,
        replaces: 30,
        size: 2_000,
        ..BASIC
    },
    Mix {
        name: "chains of stops",
        ocos: 90,
        icebergs: 30,
        span: 12,
        size: 9,
        labels: 300,
        cancels: 2,
        ..BASIC
    },
    Mix {
        name: "protection",
        protections: 12,
        protected: 70,
        quote_sets: 15,
        icebergs: 2,
        span: 8,
        size: 40,
        horizon: 100,
        ..BASIC
    },
    Mix {
        name: "protected fill or kill",
        kinds: &[Kind::Limit, Kind::PostOnly, Kind::Fok],
        protections: 12,
        protected: 80,
        icebergs: 2,
        triggers: 15,
        span: 4,
        size: 30,
        horizon: 100,
        ..BASIC
    },
    Mix {
        name: "protected from themselves",
        self_trades: &[SelfTrade::Allow, SelfTrade::Decrement],
        kinds: &[Kind::Limit],
        protections: 10,
        protected: 90,
        ocos: 20,
        replaces: 30,
        icebergs: 0,
        span: 4,
        labels: 20,
        ..BASIC
    },
    AUCTIONS,
    Mix {
        name: "auctions of icebergs",
        icebergs: 90,
        ocos: 30,
        triggers: 20,
        span: 6,
        size: 40,
        ..AUCTIONS
    },
    Mix {
        name: "protected auctions",
        protections: 10,
        protected: 80,
        icebergs: 5,
        quote_sets: 10,
        span: 8,
        size: 40,
        ..AUCTIONS
    },
    Mix {
        name: "hostile auctions",
        hostile: 10,
        money: Money::Poor,
        ..AUCTIONS
    },
    BANDS,
    Mix {
        name: "moving bands",
        low: 20_000,
        span: 200,
        triggers: 40,
        ocos: 30,
        size: 20,
        limits: MarketLimits {
            band: Some(PriceBand {
                width_ppm: 1_500,
                interval_ms: 0,
            }),
            ..MarketLimits::NONE
        },
        ..BANDS
    },
    Mix {
        name: "limits",
        quote_sets: 20,
        limits: MarketLimits {
            notional_min: Atoms::new(20_000),
            open_orders_max: 12,
            ..MarketLimits::NONE
        },
        ..BASIC
    },
    Mix {
        name: "status",
        statuses: 12,
        status_list: &MarketStatus::ALL,
        protections: 2,
        protected: 10,
        quote_sets: 20,
        replaces: 30,
        labels: 20,
        triggers: 20,
        ..AUCTIONS
    },
    EVERYTHING,
    Mix {
        name: "everything, poor and hostile",
        money: Money::Poor,
        hostile: 5,
        ..EVERYTHING
    },
];

const AUCTIONS: Mix = Mix {
    name: "auctions",
    statuses: 8,
    status_list: &[
        MarketStatus::Auction,
        MarketStatus::Auction,
        MarketStatus::Open,
        MarketStatus::PostOnly,
    ],
    kinds: &[
        Kind::Limit,
        Kind::Limit,
        Kind::Limit,
        Kind::Fok,
        Kind::Slide,
    ],
    expiring: 20,
    pace: 3_000_000,
    ..BASIC
};

const BANDS: Mix = Mix {
    name: "bands",
    low: 80,
    span: 41,
    kinds: ALL_KINDS,
    triggers: 20,
    quote_sets: 10,
    pace: 10_000_000,
    limits: MarketLimits {
        band: Some(PriceBand {
            width_ppm: 70_000,
            interval_ms: 100,
        }),
        ..MarketLimits::NONE
    },
    ..BASIC
};

const EVERYTHING: Mix = Mix {
    name: "everything",
    protections: 4,
    statuses: 6,
    status_list: &[
        MarketStatus::Open,
        MarketStatus::Open,
        MarketStatus::Open,
        MarketStatus::PostOnly,
        MarketStatus::Auction,
        MarketStatus::CancelOnly,
        MarketStatus::Halted,
    ],
    quote_sets: 10,
    ocos: 20,
    protected: 20,
    triggers: 10,
    limits: MarketLimits {
        notional_min: Atoms::new(3_000),
        open_orders_max: 60,
        band: Some(PriceBand {
            width_ppm: 60_000,
            interval_ms: 200,
        }),
        status: MarketStatus::Auction,
    },
    pace: 3_000_000,
    ..BASIC
};
