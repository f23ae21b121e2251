//! Commands of every operation: what the frames of the samples hold.
//!
//! An operation, kind or setting that is missing from [`commands`] is not tested, so add new ones
//! here first.

use types::command::{
    ApproveAgent, Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget,
    Place, PriceRange, ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, Send,
    SetMarketStatus, SetProtection, StopLeg, TimeInForce, Transfer, Trigger, TriggerCondition,
    Withdraw,
};
use types::inbox::{InboxEntry, InboxKind};
use types::keys::SessionPolicy;
use types::limits::QUOTE_LEVELS_MAX;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyId, LogTime, MarketId, OrderId,
    Side, Ticks,
};

/// A plain order; the ends of the value ranges.
pub(crate) const PLACE: Place = Place {
    market: MarketId::new(1),
    side: Side::Bid,
    kind: OrderKind::GTC,
    price: Ticks::new(u64::MAX),
    quantity: BaseLots::new(2),
    client_order_id: ClientOrderId::new(3),
    self_trade: SelfTrade::Allow,
    trigger: None,
};

/// Two quotes, and as many as may be.
const LEVELS: [QuoteLevel; 2] = [
    QuoteLevel::new(Ticks::new(10_050), BaseLots::new(u64::MAX)),
    QuoteLevel::new(Ticks::new(u64::MAX), BaseLots::new(0)),
];
const MANY_LEVELS: [QuoteLevel; QUOTE_LEVELS_MAX] = [LEVELS[0]; QUOTE_LEVELS_MAX];

/// Every operation, every kind of order, every extension, and the ends of the value ranges.
pub(crate) fn commands() -> Vec<Command<'static>> {
    let mut commands = places();
    commands.extend(changes());
    commands.extend(cancels());
    commands.extend(settings());
    commands.extend(movements());
    commands
}

fn movements() -> Vec<Command<'static>> {
    let (asset, amount) = (AssetId::new(2), Atoms::new(u128::MAX - 1));
    let address = std::array::from_fn(|index| 0x80 + index as u8);
    let kinds = [
        InboxKind::Deposit,
        InboxKind::Withdraw,
        InboxKind::CancelAll,
    ];
    let entries = kinds.map(|kind| {
        Command::Inbox(InboxEntry {
            index: u64::MAX,
            kind,
            owner: address,
            account: AccountId::new(u32::MAX - 1),
            asset,
            amount,
        })
    });
    let mut commands = vec![
        Command::Transfer(Transfer {
            to: AccountId::new(u32::MAX),
            asset,
            amount,
        }),
        Command::Send(Send {
            to: address,
            asset,
            amount,
        }),
        Command::Withdraw(Withdraw { asset, amount }),
        Command::OpenSubAccount,
        Command::ApproveAgent(ApproveAgent {
            agent: address,
            name: *b"sixteen letters!",
            expires_at: LogTime::new(u64::MAX),
        }),
    ];
    commands.extend(entries);
    commands
}

fn places() -> Vec<Command<'static>> {
    let resting = |expires_at, display| Resting {
        expires_at: LogTime::new(expires_at),
        display: BaseLots::new(display),
        ..Resting::PLAIN
    };
    let stop = |trigger: u32, limit: u32, self_trade| Resting {
        stop: Some(StopLeg {
            trigger: Ticks::new(trigger.into()),
            limit: Ticks::new(limit.into()),
            self_trade,
        }),
        ..Resting::PLAIN
    };
    let protected = |resting| Resting {
        protected: true,
        ..resting
    };
    let kinds = [
        OrderKind::GTC,
        OrderKind::IOC,
        OrderKind::FOK,
        OrderKind::POST_ONLY,
        OrderKind::PostOnly(Crossing::Slide, Resting::PLAIN),
        OrderKind::Market(Immediate::OrCancel),
        OrderKind::Market(Immediate::OrKill),
        OrderKind::Limit(TimeInForce::Rest(resting(u64::MAX, 0))),
        OrderKind::PostOnly(Crossing::Reject, resting(0, 1)),
        OrderKind::PostOnly(Crossing::Slide, resting(1, u64::MAX)),
        OrderKind::Limit(TimeInForce::Rest(stop(u32::MAX, 0, SelfTrade::Allow))),
        OrderKind::PostOnly(Crossing::Reject, stop(0, u32::MAX, SelfTrade::Decrement)),
        OrderKind::PostOnly(Crossing::Slide, protected(Resting::PLAIN)),
        OrderKind::Limit(TimeInForce::Rest(protected(stop(
            1,
            2,
            SelfTrade::CancelTaker,
        )))),
    ];
    let kinds = kinds.into_iter().map(|kind| Place { kind, ..PLACE });
    kinds
        .chain(settings_of_places())
        .map(Command::Place)
        .collect()
}

/// Every setting of an order that is not its kind.
fn settings_of_places() -> [Place; 6] {
    let trigger = |condition, price| {
        let price = Ticks::new(price);
        Some(Trigger { condition, price })
    };
    let extended = |side, self_trade, trigger| Place {
        side,
        self_trade,
        trigger,
        ..PLACE
    };
    [
        extended(Side::Ask, SelfTrade::CancelTaker, None),
        extended(Side::Bid, SelfTrade::CancelMaker, None),
        extended(Side::Ask, SelfTrade::CancelBoth, None),
        extended(
            Side::Bid,
            SelfTrade::Decrement,
            trigger(TriggerCondition::Stop, u32::MAX.into()),
        ),
        extended(
            Side::Ask,
            SelfTrade::Allow,
            trigger(TriggerCondition::TakeProfit, 0),
        ),
        Place {
            kind: OrderKind::Market(Immediate::OrKill),
            ..extended(
                Side::Ask,
                SelfTrade::CancelBoth,
                trigger(TriggerCondition::Stop, 1),
            )
        },
    ]
}

fn changes() -> Vec<Command<'static>> {
    let replace = |target, may_take, self_trade| {
        Command::Replace(Replace {
            target,
            price: Ticks::new(1 << 31),
            quantity: BaseLots::new(u64::MAX),
            may_take,
            self_trade,
        })
    };
    let quote_set = |bids, asks| {
        Command::QuoteSet(QuoteSet {
            market: MarketId::new(1_023),
            number: u64::MAX,
            bids,
            asks,
        })
    };
    let by_label = OrderTarget::Client {
        market: MarketId::new(7),
        client_order_id: ClientOrderId::new(0),
    };
    vec![
        replace(
            OrderTarget::Order(OrderId::new(u64::MAX)),
            false,
            SelfTrade::Allow,
        ),
        replace(by_label, true, SelfTrade::Decrement),
        quote_set(&[], &[]),
        quote_set(&LEVELS[..1], &[]),
        quote_set(&LEVELS[..1], &LEVELS),
        quote_set(&[], &LEVELS),
        quote_set(&MANY_LEVELS, &MANY_LEVELS[..31]),
    ]
}

fn cancels() -> Vec<Command<'static>> {
    let by_label = |label, remember_until| {
        Command::Cancel(Cancel::Client {
            market: MarketId::new(1_023),
            client_order_id: ClientOrderId::new(label),
            remember_until: LogTime::new(remember_until),
        })
    };
    let scope = |market, side, prices: Option<(u64, u64)>| {
        let prices =
            prices.and_then(|(low, high)| PriceRange::new(Ticks::new(low), Ticks::new(high)));
        Command::CancelAll(CancelScope {
            market,
            side,
            prices,
        })
    };
    vec![
        Command::Cancel(Cancel::Order(OrderId::new(1 << 16))),
        by_label(u64::MAX, 0),
        by_label(1, u64::MAX),
        Command::CancelAll(CancelScope::EVERYTHING),
        scope(None, Some(Side::Ask), None),
        scope(Some(MarketId::new(0)), Some(Side::Bid), Some((0, 1))),
        scope(Some(MarketId::new(0)), None, Some((u64::MAX, 0))),
    ]
}

fn settings() -> Vec<Command<'static>> {
    let protection = |group, limits| {
        Command::SetProtection(SetProtection {
            market: MarketId::new(1_023),
            group,
            limits,
        })
    };
    let full = ProtectionLimits {
        window_ns: u64::MAX,
        fills: 1,
        lots: BaseLots::new(u64::MAX),
        notional: Atoms::new(u128::MAX),
    };
    let status = |status| {
        Command::SetMarketStatus(SetMarketStatus {
            market: MarketId::new(1),
            status,
        })
    };
    let mut settings = vec![
        protection(0, ProtectionLimits::NONE),
        protection(u8::MAX, full),
    ];
    settings.extend(MarketStatus::ALL.map(status));
    for (silence_ns, good_till_cancelled, whole_account) in
        [(0, false, false), (u64::MAX, true, false), (1, false, true)]
    {
        settings.push(Command::SetSessionPolicy(SessionPolicy {
            silence_ns,
            good_till_cancelled,
            whole_account,
        }));
    }
    settings.extend([0, u64::MAX].map(Command::SetTimer));
    settings.extend([0, u64::MAX].map(|time| Command::SetTimerAt(LogTime::new(time))));
    settings.extend([0, u32::MAX].map(|key| Command::RevokeKey(KeyId::new(key))));
    settings
}
