//! Every field of every command at its ends: a documented reject or a correct result, and no panic.

use std::collections::BTreeSet;

use types::command::{
    Cancel, CancelScope, Immediate, MarketStatus, OrderKind, OrderTarget, PriceRange,
    ProtectionLimits, QuoteLevel, QuoteSet, Replace, SelfTrade, SetMarketStatus, SetProtection,
    Transfer, Trigger, TriggerCondition,
};
use types::genesis::{MarketLimits, PriceBand};
use types::limits::{ATOMS_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId,
    SequenceNumber, Side, Ticks,
};

use super::{CHIEF, FIRST, MAKER, PARTNER, Story, TAKER, Wish, ask, bid, named, order, replace};
use crate::compare::check;

const PRICES: [u64; 6] = [
    0,
    1,
    PRICE_TICKS_MAX - 1,
    PRICE_TICKS_MAX,
    PRICE_TICKS_MAX + 1,
    u64::MAX,
];
const QUANTITIES: [u64; 6] = [
    0,
    1,
    QUANTITY_LOTS_MAX - 1,
    QUANTITY_LOTS_MAX,
    QUANTITY_LOTS_MAX + 1,
    u64::MAX,
];
const NUMBERS: [u64; 4] = [0, 1, u64::MAX - 1, u64::MAX];
const MARKETS: [u16; 5] = [0, 1, 2, 1_023, u16::MAX - 1];
const SETTINGS: [SelfTrade; 5] = [
    SelfTrade::Allow,
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::Decrement,
];

/// The venues in which everything is tried: one without limits, and one with the tightest.
fn venues() -> [MarketLimits; 2] {
    let band = PriceBand {
        width_ppm: 1_000_000,
        interval_ms: 0,
    };
    let tight = MarketLimits {
        notional_min: Atoms::new(u128::MAX),
        open_orders_max: 1,
        band: Some(band),
        status: MarketStatus::Open,
    };
    [MarketLimits::NONE, tight]
}

#[test]
fn every_field_at_its_ends() {
    for limits in venues() {
        for status in MarketStatus::ALL {
            let mut story = Story::within(&format!("{limits:?}, {status:?}"), limits);
            // Somebody to meet, in reach and out of it.
            for (at, price) in ('A'..).zip([1, 50, PRICE_TICKS_MAX - 1]) {
                story.send(MAKER, bid(at, 3, price));
            }
            story.send(TAKER, ask('S', 1, 1));
            story.send(PARTNER, ask('T', 4, PRICE_TICKS_MAX));
            story.send(CHIEF, status);
            story.now = 10;
            for command in all() {
                story.send(TAKER, command);
                story.send(CHIEF, command);
            }
            story.now = u64::MAX;
            for command in all() {
                story.send(PARTNER, command);
            }
            let reached = &mut BTreeSet::new();
            check(&story.genesis, &story.name, &story.frames, reached);
        }
    }
}

/// All commands of this test, one after the other.
fn all() -> Vec<Command<'static>> {
    let lists = [
        prices_and_sizes(),
        stops_and_triggers(),
        lives(),
        replaces(),
        quotes(),
        cancels(),
        transfers(),
        protections(),
    ];
    lists.concat()
}

fn prices_and_sizes() -> Vec<Command<'static>> {
    let kinds = [
        OrderKind::GTC,
        OrderKind::IOC,
        OrderKind::FOK,
        OrderKind::Market(Immediate::OrKill),
        OrderKind::POST_ONLY,
    ];
    let mut commands = Vec::new();
    for side in Side::BOTH {
        for price in PRICES {
            for quantity in QUANTITIES {
                for kind in kinds {
                    commands.push(order('a', side, quantity, price).kind(kind).0);
                }
                commands.push(order('b', side, quantity, price).slide().0);
            }
        }
    }
    for market in MARKETS.map(MarketId::new) {
        commands.push(bid('c', 1, 1).place(|place| place.market = market).0);
    }
    for label in NUMBERS.map(ClientOrderId::new) {
        commands.push(
            bid('d', 1, 1)
                .place(|place| place.client_order_id = label)
                .0,
        );
    }
    commands
}

fn stops_and_triggers() -> Vec<Command<'static>> {
    let wire = PRICES.map(|price| price.min(u64::from(u32::MAX)));
    let mut commands = Vec::new();
    for side in Side::BOTH {
        for price in [1, 50, PRICE_TICKS_MAX - 1, PRICE_TICKS_MAX] {
            for trigger in wire {
                for condition in [TriggerCondition::Stop, TriggerCondition::TakeProfit] {
                    let trigger = Trigger {
                        condition,
                        price: Ticks::new(trigger),
                    };
                    let order = order('e', side, 1, price);
                    commands.push(order.place(|place| place.trigger = Some(trigger)).0);
                }
                for (limit, self_trade) in wire.into_iter().zip(SETTINGS.into_iter().cycle()) {
                    let order = order('f', side, 1, price).or_with(trigger, limit, self_trade);
                    commands.push(order.0);
                    commands.push(order.after(trigger).showing(limit).0);
                }
            }
        }
    }
    commands
}

fn lives() -> Vec<Command<'static>> {
    let mut commands = Vec::new();
    for number in NUMBERS.into_iter().chain([9, 10, 11]) {
        let base: fn(char) -> Wish = |label| ask(label, 10, 70);
        commands.push(base('g').till(number).0);
        commands.push(base('h').till(number).after(60).0);
        commands.push(base('i').showing(number).0);
        commands.push(base('j').showing(number).protected().0);
        commands.push(base('k').showing(number).after(60).0);
    }
    commands
}

fn replaces() -> Vec<Command<'static>> {
    let mut commands = Vec::new();
    for label in ['a', 'e', 'f', 'g', 'k', '?'] {
        for price in PRICES {
            for (quantity, self_trade) in QUANTITIES.into_iter().zip(SETTINGS.into_iter().cycle()) {
                for may_take in [false, true] {
                    commands.push(Command::Replace(Replace {
                        may_take,
                        self_trade,
                        ..replace(label, quantity, price)
                    }));
                }
            }
        }
    }
    for target in targets() {
        let changed = replace('a', 5, 50);
        commands.push(Command::Replace(Replace { target, ..changed }));
    }
    commands
}

/// Orders that there may be, and orders that there cannot be.
fn targets() -> Vec<OrderTarget> {
    let ids = NUMBERS.map(OrderId::new);
    let highest = SequenceNumber::new((1 << 48) - 1);
    let known = OrderId::new_at(SequenceNumber::new(1), FIRST, 0);
    let built = [known, OrderId::new_at(highest, MarketId::new(1_023), 63)];
    let mut targets: Vec<_> = ids
        .into_iter()
        .chain(built)
        .map(OrderTarget::Order)
        .collect();
    for market in MARKETS.map(MarketId::new) {
        for client_order_id in NUMBERS.map(ClientOrderId::new) {
            targets.push(OrderTarget::Client {
                market,
                client_order_id,
            });
        }
    }
    targets
}

fn quotes() -> Vec<Command<'static>> {
    let set = |market: u16, number, bids, asks| {
        Command::QuoteSet(QuoteSet {
            market: MarketId::new(market),
            number,
            bids,
            asks,
        })
    };
    let levels = |levels: Vec<(u64, u64)>| -> &'static [QuoteLevel] {
        let level = |(price, quantity)| QuoteLevel::new(Ticks::new(price), BaseLots::new(quantity));
        levels.into_iter().map(level).collect::<Vec<_>>().leak()
    };
    let mut commands = vec![set(0, 0, &[], &[]), set(0, 1, &[], &[])];
    let mut number = 1;
    for price in PRICES {
        for quantity in QUANTITIES {
            number += 2;
            let one = levels(vec![(price, quantity)]);
            commands.push(set(0, number, one, &[]));
            commands.push(set(0, number + 1, &[], one));
        }
    }
    let most = |prices: [u64; 32]| levels(prices.map(|price| (price, 1)).to_vec());
    let bids = most(std::array::from_fn(|at| 40 - at as u64));
    let asks = most(std::array::from_fn(|at| PRICE_TICKS_MAX - 31 + at as u64));
    commands.push(set(0, number + 2, bids, asks));
    for market in MARKETS {
        commands.push(set(market, number + 3, bids, &[]));
    }
    commands.push(set(0, u64::MAX - 1, &[], asks));
    commands.push(set(0, u64::MAX, bids, &[]));
    commands.push(set(0, u64::MAX, &[], asks));
    commands
}

fn cancels() -> Vec<Command<'static>> {
    let mut commands = Vec::new();
    for target in targets() {
        match target {
            OrderTarget::Order(id) => commands.push(Command::Cancel(Cancel::Order(id))),
            OrderTarget::Client {
                market,
                client_order_id,
            } => {
                for remember_until in NUMBERS.map(LogTime::new) {
                    commands.push(Command::Cancel(Cancel::Client {
                        market,
                        client_order_id,
                        remember_until,
                    }));
                }
            }
        }
    }
    for low in PRICES.map(Ticks::new) {
        for high in PRICES.map(Ticks::new) {
            for market in [None, Some(0), Some(2)] {
                commands.push(Command::CancelAll(CancelScope {
                    market: market.map(MarketId::new),
                    side: Some(Side::Ask),
                    prices: PriceRange::new(low, high),
                }));
            }
        }
    }
    commands
}

fn transfers() -> Vec<Command<'static>> {
    let amounts = [0, 1, ATOMS_MAX - 1, ATOMS_MAX, ATOMS_MAX + 1, u128::MAX];
    let mut commands = Vec::new();
    for to in [0, 3, 4, u32::MAX - 2, u32::MAX - 1, u32::MAX] {
        for asset in [0, 2, 3, u16::MAX] {
            for amount in amounts {
                commands.push(Command::Transfer(Transfer {
                    to: AccountId::new(to),
                    asset: AssetId::new(asset),
                    amount: Atoms::new(amount),
                }));
            }
        }
    }
    commands
}

fn protections() -> Vec<Command<'static>> {
    let mut commands = Vec::new();
    for window_ns in NUMBERS {
        for fills in NUMBERS {
            for lots in NUMBERS.map(BaseLots::new) {
                for notional in [0, 1, u128::MAX].map(Atoms::new) {
                    commands.push(Command::SetProtection(SetProtection {
                        market: MarketId::new((fills % 2) as u16),
                        group: (window_ns % 256) as u8,
                        limits: ProtectionLimits {
                            window_ns,
                            fills,
                            lots,
                            notional,
                        },
                    }));
                    commands.push(ask('p', 2, 60).protected().0);
                    commands.push(bid('q', 1, 60).0);
                }
            }
        }
    }
    for market in MARKETS.map(MarketId::new) {
        let status = MarketStatus::Open;
        commands.push(Command::SetMarketStatus(SetMarketStatus { market, status }));
    }
    commands
}

/// Nobody holds the highest stop with less than it takes.
#[test]
fn the_largest_order_has_the_largest_hold() {
    let mut story = Story::new("largest");
    let largest = bid('a', QUANTITY_LOTS_MAX, 1).or(2, PRICE_TICKS_MAX);
    story.tell(MAKER, largest, "INSUFFICIENT_FUNDS");
    let (lots, words) = (1 << 28, "a rests 268435456 at 1");
    story.tell(MAKER, bid('a', lots, 1).or(2, PRICE_TICKS_MAX), words);
    story.tell(
        MAKER,
        bid('b', 1 << 20, PRICE_TICKS_MAX),
        "INSUFFICIENT_FUNDS",
    );
    let _ = named('a');
    story.check();
}
