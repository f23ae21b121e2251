//! What clients send: one command at a time, of prices and sizes that meet.

use store::disk::Random;
use types::command::{
    Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget, Place,
    ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, SetMarketStatus,
    SetProtection, StopLeg, TimeInForce, Transfer, Trigger, TriggerCondition,
};
use types::keys::SessionPolicy;
use types::limits::SILENCE_NS_MIN;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyId, LogTime, MarketId, OrderId,
    SequenceNumber, Side, Ticks,
};

use crate::clients::index;
use crate::plan::{Mix, Plan};

pub(crate) fn draw_levels(random: &mut Random, list: u64) -> Vec<QuoteLevel> {
    let first = if list.is_multiple_of(2) { 90 } else { 101 };
    let mut prices: Vec<u64> = (0..random.below(4))
        .map(|_| first + random.below(10))
        .collect();
    prices.sort_unstable();
    prices.dedup();
    if list.is_multiple_of(2) {
        prices.reverse();
    }
    let level = |price| QuoteLevel::new(Ticks::new(price), draw_quantity(random));
    prices.into_iter().map(level).collect()
}

/// What whoever draws knows of the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// Nanoseconds since the Unix epoch.
    pub(crate) now: u64,
    /// The sequence number that comes next.
    pub(crate) sequence: u64,
    /// How many keys there are.
    pub(crate) keys: u32,
}

pub(crate) fn draw_command<'a>(
    random: &mut Random,
    plan: &Plan,
    levels: &'a [Vec<QuoteLevel>],
    sight: Sight,
) -> Command<'a> {
    let Sight { now, sequence, .. } = sight;
    let market = MarketId::new(u16::from(random.coin()));
    match draw_kind(random, &plan.mix) {
        0 => Command::Place(draw_place(random, market, now)),
        1 => Command::Cancel(draw_cancel(random, market, now, sequence)),
        2 => Command::Replace(Replace {
            target: draw_target(random, market, sequence),
            price: draw_price(random),
            quantity: draw_quantity(random),
            may_take: random.coin(),
            self_trade: draw_self_trade(random),
        }),
        3 => Command::QuoteSet(QuoteSet {
            market,
            number: sequence,
            bids: &levels[2 * index(random, levels.len() / 2)],
            asks: &levels[2 * index(random, levels.len() / 2) + 1],
        }),
        4 => Command::CancelAll(CancelScope {
            market: random.coin().then_some(market),
            side: random.coin().then(|| random.choose(&Side::BOTH)),
            prices: None,
        }),
        5 => Command::Transfer(Transfer {
            to: AccountId::new(random.below(5) as u32),
            asset: AssetId::new(random.below(3) as u16),
            amount: Atoms::new(u128::from(random.below(50_000))),
        }),
        6 => Command::SetProtection(SetProtection {
            market,
            group: random.choose(&[0, 1]),
            limits: ProtectionLimits {
                window_ns: 1 + random.below(50_000_000),
                fills: 1 + random.below(3),
                lots: BaseLots::new(0),
                notional: Atoms::ZERO,
            },
        }),
        7 => Command::SetMarketStatus(SetMarketStatus {
            market,
            status: match random.below(5) {
                0..2 => MarketStatus::Open,
                2..4 => MarketStatus::Auction,
                _ => random.choose(&MarketStatus::ALL),
            },
        }),
        8 => Command::SetSessionPolicy(SessionPolicy {
            silence_ns: random.choose(&[0, SILENCE_NS_MIN, SILENCE_NS_MIN, SILENCE_NS_MIN, 1]),
            good_till_cancelled: random.coin(),
            whole_account: random.below(4) == 0,
        }),
        9 => Command::SetTimer(match random.below(4) {
            0 => 0,
            _ => random.below(10_000_000),
        }),
        // Some key must stay that can place an order: see `Clients::probe`.
        _ => Command::RevokeKey(KeyId::new(1 + random.below(sight.keys.into()) as u32)),
    }
}

/// The place of a kind in the list of weights.
fn draw_kind(random: &mut Random, mix: &Mix) -> usize {
    let weights = [
        mix.places,
        mix.cancels,
        mix.replaces,
        mix.quote_sets,
        mix.cancel_alls,
        mix.transfers,
        mix.protections,
        mix.statuses,
        mix.policies,
        mix.timers,
        mix.revocations,
    ];
    let mut left = random.below(weights.iter().sum());
    let falls_on = weights.iter().position(|weight| {
        let hit = left < *weight;
        left = left.saturating_sub(*weight);
        hit
    });
    falls_on.expect("below the sum")
}

fn draw_cancel(random: &mut Random, market: MarketId, now: u64, sequence: u64) -> Cancel {
    match draw_target(random, market, sequence) {
        OrderTarget::Order(order_id) => Cancel::Order(order_id),
        OrderTarget::Client {
            client_order_id, ..
        } => Cancel::Client {
            market,
            client_order_id,
            remember_until: LogTime::new(match random.below(4) {
                0 => now + random.below(20_000_000),
                _ => 0,
            }),
        },
    }
}

fn draw_place(random: &mut Random, market: MarketId, now: u64) -> Place {
    let resting = Resting {
        expires_at: LogTime::new(match random.below(5) {
            0 => now + random.below(15_000_000),
            _ => 0,
        }),
        display: BaseLots::new(match random.below(6) {
            0 => 1 + random.below(300),
            _ => 0,
        }),
        stop: (random.below(8) == 0).then(|| StopLeg {
            trigger: draw_price(random),
            limit: draw_price(random),
            self_trade: draw_self_trade(random),
        }),
        protected: random.below(4) == 0,
    };
    let limit = OrderKind::Limit(TimeInForce::Rest(resting));
    Place {
        market,
        side: random.choose(&Side::BOTH),
        kind: random.choose(&[
            limit,
            limit,
            limit,
            OrderKind::IOC,
            OrderKind::FOK,
            OrderKind::Market(Immediate::OrCancel),
            OrderKind::PostOnly(Crossing::Slide, resting),
        ]),
        price: draw_price(random),
        quantity: draw_quantity(random),
        client_order_id: ClientOrderId::new(random.below(12)),
        self_trade: draw_self_trade(random),
        trigger: (random.below(8) == 0).then(|| Trigger {
            condition: random.choose(&[TriggerCondition::Stop, TriggerCondition::TakeProfit]),
            price: draw_price(random),
        }),
    }
}

fn draw_target(random: &mut Random, market: MarketId, sequence: u64) -> OrderTarget {
    match random.below(3) {
        0 => {
            let back = random.below(40).min(sequence.saturating_sub(1));
            let sequence = SequenceNumber::new((sequence - back).max(1));
            OrderTarget::Order(OrderId::new_at(sequence, market, 0))
        }
        _ => OrderTarget::Client {
            market,
            client_order_id: ClientOrderId::new(random.below(12)),
        },
    }
}

fn draw_price(random: &mut Random) -> Ticks {
    Ticks::new(90 + random.below(21))
}

fn draw_quantity(random: &mut Random) -> BaseLots {
    BaseLots::new(1 + random.below(600))
}

fn draw_self_trade(random: &mut Random) -> SelfTrade {
    random.choose(&[
        SelfTrade::Allow,
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ])
}
