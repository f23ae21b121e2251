//! What random streams are made of: a table.

use types::command::{SelfTrade, StopLeg};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{Side, Ticks};

use crate::common::Random;

/// What a stream is made of. Weights are relative, chances in percent.
pub(crate) struct Mix {
    pub(crate) name: &'static str,
    pub(crate) price: fn(&mut Random, Side) -> u64,
    pub(crate) quantity: fn(&mut Random) -> u64,
    pub(crate) accounts: u64,
    /// Accounts belong to so many groups in turn.
    pub(crate) groups: u32,
    pub(crate) self_trade: &'static [SelfTrade],
    /// Labels to choose from; the first is no label.
    pub(crate) labels: u64,
    pub(crate) fills_max: fn(&mut Random) -> u32,
    /// Chance that an order shows only part of itself.
    pub(crate) iceberg: u64,
    /// How much of this size it shows at a time.
    pub(crate) display: fn(&mut Random, u64) -> u64,
    /// Chance that an order expires.
    pub(crate) expiring: u64,
    pub(crate) place: u64,
    pub(crate) post_only: u64,
    pub(crate) immediate: u64,
    pub(crate) fill_or_kill: u64,
    pub(crate) cancel: u64,
    pub(crate) cancel_all: u64,
    pub(crate) reduce: u64,
    pub(crate) enter_again: u64,
    pub(crate) requeue: u64,
    pub(crate) expire: u64,
    /// Chance that an order is protected, if it hides nothing.
    pub(crate) protected: u64,
    /// Chance that an order has a stop beside it.
    pub(crate) stop: u64,
    /// How often an account is protected from here on, or its protected orders are pulled.
    pub(crate) protect: u64,
    pub(crate) pull: u64,
    /// How often an auction begins; while it lasts, orders only come to rest.
    pub(crate) auction: u64,
    /// How often one of the books is written down and restored.
    pub(crate) restart: u64,
}

const USUAL: Mix = Mix {
    name: "usual",
    price: |random, side| match side {
        Side::Bid => 1_010 - random.below(60),
        Side::Ask => 990 + random.below(60),
    },
    quantity: |random| 1 + random.below(50),
    accounts: 20,
    groups: 1,
    self_trade: &[SelfTrade::Allow],
    labels: 100,
    fills_max: |_| 10_000,
    iceberg: 0,
    display: |random, quantity| 1 + random.below(quantity),
    expiring: 0,
    place: 40,
    post_only: 10,
    immediate: 6,
    fill_or_kill: 4,
    cancel: 30,
    cancel_all: 1,
    reduce: 0,
    enter_again: 0,
    requeue: 0,
    expire: 0,
    protected: 0,
    stop: 0,
    protect: 0,
    pull: 0,
    auction: 0,
    restart: 1,
};

/// Everything at once.
const RICH: Mix = Mix {
    name: "rich",
    groups: 4,
    self_trade: &ALL_MODES,
    iceberg: 30,
    expiring: 30,
    fill_or_kill: 10,
    reduce: 10,
    enter_again: 10,
    requeue: 15,
    expire: 4,
    protected: 40,
    stop: 20,
    protect: 4,
    pull: 1,
    auction: 1,
    ..USUAL
};

const ALL_MODES: [SelfTrade; 5] = [
    SelfTrade::Allow,
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::Decrement,
];

/// Plain orders only.
pub(crate) const PLAIN_MIXES: [Mix; 12] = [
    USUAL,
    Mix {
        name: "one price",
        price: |_, _| 7,
        ..USUAL
    },
    Mix {
        name: "all crossing",
        price: overlapping,
        cancel: 5,
        ..USUAL
    },
    Mix {
        name: "cancel heavy",
        place: 10,
        post_only: 40,
        cancel: 60,
        cancel_all: 4,
        ..USUAL
    },
    Mix {
        name: "sparse prices",
        price: |random, _| 1 + random.below(PRICE_TICKS_MAX),
        quantity: |random| 1 + random.below(QUANTITY_LOTS_MAX),
        place: 10,
        post_only: 90,
        ..USUAL
    },
    Mix {
        name: "prices around every power of two",
        price: |random, _| {
            let center = 1_u64 << random.below(32);
            (center + random.below(5)).clamp(3, PRICE_TICKS_MAX + 2) - 2
        },
        place: 10,
        post_only: 90,
        ..USUAL
    },
    Mix {
        name: "one owner",
        accounts: 1,
        cancel_all: 4,
        ..USUAL
    },
    Mix {
        name: "many owners",
        accounts: 100_000,
        cancel_all: 10,
        ..USUAL
    },
    Mix {
        name: "labels reused",
        accounts: 3,
        labels: 6,
        cancel: 40,
        ..USUAL
    },
    Mix {
        name: "takers",
        place: 5,
        post_only: 60,
        immediate: 20,
        fill_or_kill: 40,
        cancel: 5,
        ..USUAL
    },
    Mix {
        name: "few fills",
        quantity: any_magnitude,
        fills_max: few,
        fill_or_kill: 30,
        cancel: 10,
        ..USUAL
    },
    Mix {
        name: "reduce, enter and queue again",
        accounts: 4,
        cancel: 5,
        reduce: 40,
        enter_again: 40,
        requeue: 60,
        cancel_all: 3,
        ..USUAL
    },
];

/// Orders of all kinds.
pub(crate) const RICH_MIXES: [Mix; 16] = [
    RICH,
    Mix {
        name: "icebergs",
        iceberg: 60,
        reduce: 10,
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "icebergs at one price",
        price: |_, _| 7,
        iceberg: 80,
        post_only: 60,
        fill_or_kill: 30,
        cancel: 10,
        ..USUAL
    },
    Mix {
        name: "icebergs and few fills",
        price: overlapping,
        quantity: any_magnitude,
        iceberg: 70,
        display: |random, quantity| {
            let end = 1 << random.below(5);
            1 + random.below(end).min(quantity)
        },
        fills_max: |random| {
            let end = 1 << random.below(8);
            random.below(end) as u32
        },
        post_only: 50,
        fill_or_kill: 40,
        cancel: 10,
        ..USUAL
    },
    Mix {
        name: "large icebergs",
        quantity: |random| QUANTITY_LOTS_MAX - random.below(5),
        iceberg: 80,
        display: |random, quantity| quantity / (1 + random.below(20)),
        fills_max: few,
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "expiring",
        expiring: 70,
        expire: 10,
        reduce: 5,
        enter_again: 5,
        ..USUAL
    },
    Mix {
        name: "expired and in the way",
        price: overlapping,
        iceberg: 20,
        expiring: 80,
        post_only: 40,
        fill_or_kill: 20,
        cancel: 5,
        ..USUAL
    },
    Mix {
        name: "cancel taker",
        groups: 4,
        self_trade: &[SelfTrade::CancelTaker],
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "cancel maker",
        groups: 3,
        self_trade: &[SelfTrade::CancelMaker],
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "cancel both",
        groups: 4,
        self_trade: &[SelfTrade::CancelBoth],
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "decrement",
        groups: 2,
        self_trade: &[SelfTrade::Decrement],
        iceberg: 20,
        fill_or_kill: 20,
        ..USUAL
    },
    Mix {
        name: "every mode among icebergs and few fills",
        price: overlapping,
        quantity: any_magnitude,
        fills_max: few,
        groups: 3,
        post_only: 50,
        fill_or_kill: 40,
        cancel: 5,
        ..RICH
    },
    Mix {
        name: "one group",
        groups: 1,
        price: overlapping,
        post_only: 50,
        ..RICH
    },
    Mix {
        name: "rich, at one price",
        price: |_, _| 7,
        post_only: 50,
        ..RICH
    },
    Mix {
        name: "rich, sparse",
        price: |random, _| 1 + random.below(PRICE_TICKS_MAX),
        quantity: |random| 1 + random.below(QUANTITY_LOTS_MAX),
        place: 10,
        post_only: 90,
        ..RICH
    },
    Mix {
        name: "rich, few owners with many orders",
        accounts: 3,
        groups: 2,
        cancel: 5,
        cancel_all: 4,
        enter_again: 30,
        ..RICH
    },
];

fn overlapping(random: &mut Random, side: Side) -> u64 {
    match side {
        Side::Bid => 1_000 + random.below(10),
        Side::Ask => 1_000 - random.below(10),
    }
}

fn any_magnitude(random: &mut Random) -> u64 {
    let end = 1 << random.below(9);
    1 + random.below(end)
}

fn few(random: &mut Random) -> u32 {
    random.below(6) as u32
}

/// Any stop.
pub(crate) fn random_stop(random: &mut Random) -> StopLeg {
    StopLeg {
        trigger: Ticks::new(1 + random.below(2_000)),
        limit: Ticks::new(1 + random.below(PRICE_TICKS_MAX)),
        self_trade: random.of(&ALL_MODES),
    }
}
