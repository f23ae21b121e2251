//! Commands survive the wire in any mix, take as many slots as they say, and have one encoding:
//! what no encoder writes is malformed.

mod samples;

use std::collections::BTreeSet;

use bytes::Bytes;
use samples::commands::PLACE;
use samples::{Seeded, commands, frame};
use types::command::{
    Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget, Place,
    PriceRange, ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade,
    SetMarketStatus, SetProtection, StopLeg, TimeInForce, Transfer, Trigger, TriggerCondition,
};
use types::limits::{QUOTE_LEVELS_MAX, SLOTS_PER_FRAME_MAX};
use types::wallet::WalletKey;
use types::wire::command::{SLOT_LENGTH, encode_command, slots_needed};
use types::wire::orders::{FRAME_LENGTH_MAX, HEAD_LENGTH, OrdersFrame, SIGNATURE_LENGTH};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId,
    RejectReason, Side, Ticks,
};

fn encoded(command: &Command<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_command(command, &mut out);
    out
}

#[test]
fn every_command_takes_the_slots_it_says() {
    let mut seen = BTreeSet::new();
    let wallet = WalletKey::development("dev-0");
    let (context, key) = (samples::wallet_context(7), samples::signing_key().public());
    let registration = wallet.register(&context, key, &samples::grant());
    let revocation = wallet.revoke(&context, key);
    let of_wallets = [
        Command::Register(&registration),
        Command::Revoke(&revocation),
    ];
    for command in commands().into_iter().chain(of_wallets) {
        let bytes = encoded(&command);
        assert_eq!(bytes.len(), slots_needed(&command) * SLOT_LENGTH);
        seen.insert(bytes[0]);
    }
    assert!(
        seen.into_iter().eq(1..=21),
        "there is a sample of each operation"
    );
}

/// What a wallet signs stands alone in a frame of the wallet, and nothing else is in one.
#[test]
fn wallets_and_keys_have_frames_of_their_own() {
    let [register, revoke] = [samples::register(), samples::revoke()];
    for frame in [&register, &revoke] {
        assert!(OrdersFrame::parse(frame.clone()).is_ok());
        // The same of an ordinary key.
        let mut bytes = frame.to_vec();
        bytes[12..16].copy_from_slice(&0u32.to_le_bytes());
        assert_eq!(
            OrdersFrame::parse(bytes.into()),
            Err(RejectReason::Malformed)
        );
        // Twice.
        let tail = frame.len() - SIGNATURE_LENGTH;
        let mut bytes = frame[..tail].to_vec();
        bytes.extend_from_slice(&frame[HEAD_LENGTH..]);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[6] = 2;
        assert_eq!(
            OrdersFrame::parse(bytes.into()),
            Err(RejectReason::Malformed)
        );
    }
    // An ordinary command under the wallet's number.
    let mut bytes = samples::orders(1, 0).to_vec();
    bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        OrdersFrame::parse(bytes.into()),
        Err(RejectReason::Malformed)
    );
    // Records that say nothing, or one thing in two ways: scope, v, reserved, the order of markets.
    let tail = HEAD_LENGTH + SLOT_LENGTH;
    for (at, value) in [(88, 0), (88, 3), (89, 26), (89, 29), (90, 1), (96, 2)] {
        let mut bytes = register.to_vec();
        bytes[tail + at] = value;
        let parsed = OrdersFrame::parse(bytes.into());
        assert_eq!(parsed, Err(RejectReason::Malformed), "{at}: {value}");
    }
    for (at, value) in [(96, 0), (97, 1)] {
        let mut bytes = revoke.to_vec();
        bytes[tail + at] = value;
        let parsed = OrdersFrame::parse(bytes.into());
        assert_eq!(parsed, Err(RejectReason::Malformed), "{at}: {value}");
    }
}

#[test]
fn any_mix_of_commands_survives_its_frame() {
    for seed in 0..2_000 {
        let mut random = Seeded::new(seed);
        let levels: Vec<QuoteLevel> = (0..200).map(|_| random_level(&mut random)).collect();
        let mut room = 1 + random.below(SLOTS_PER_FRAME_MAX);
        let mut sent = Vec::new();
        loop {
            let command = random_command(&mut random, &levels);
            match room.checked_sub(slots_needed(&command)) {
                Some(rest) => room = rest,
                None if sent.is_empty() => continue,
                None => break,
            }
            sent.push(command);
        }
        let frame = OrdersFrame::parse(frame(&sent)).expect("what was encoded parses");
        assert_eq!(usize::from(frame.count()), sent.len());
        assert!(frame.commands().eq(sent.iter().copied()), "{sent:?}");
    }
}

fn random_command<'a>(random: &mut Seeded, levels: &'a [QuoteLevel]) -> Command<'a> {
    let market = MarketId::new(random.below(65_535) as u16);
    match random.below(14) {
        0..4 => Command::Place(random_place(random, market)),
        4..6 => Command::Replace(Replace {
            target: random_target(random, market),
            price: Ticks::new(value(random)),
            quantity: BaseLots::new(value(random)),
            may_take: random.below(2) == 0,
            self_trade: random_self_trade(random),
        }),
        6..8 => Command::QuoteSet(QuoteSet {
            market,
            number: value(random),
            bids: random_levels(random, levels),
            asks: random_levels(random, levels),
        }),
        8..10 => Command::Cancel(match random_target(random, market) {
            OrderTarget::Order(order_id) => Cancel::Order(order_id),
            OrderTarget::Client {
                market,
                client_order_id,
            } => Cancel::Client {
                market,
                client_order_id,
                remember_until: LogTime::new(value(random)),
            },
        }),
        10 => Command::CancelAll(CancelScope {
            market: (random.below(2) == 0).then_some(market),
            side: [None, Some(Side::Bid), Some(Side::Ask)][random.below(3)],
            prices: PriceRange::new(Ticks::new(value(random)), Ticks::new(value(random))),
        }),
        11 => Command::Transfer(Transfer {
            to: AccountId::new(value(random) as u32),
            asset: AssetId::new(value(random) as u16),
            amount: amount(random),
        }),
        12 => Command::SetProtection(SetProtection {
            market,
            group: value(random) as u8,
            limits: ProtectionLimits {
                window_ns: value(random),
                fills: value(random),
                lots: BaseLots::new(value(random)),
                notional: amount(random),
            },
        }),
        _ => Command::SetMarketStatus(SetMarketStatus {
            market,
            status: MarketStatus::ALL[random.below(MarketStatus::ALL.len())],
        }),
    }
}

fn random_place(random: &mut Seeded, market: MarketId) -> Place {
    let resting = match random.below(2) {
        0 => Resting::PLAIN,
        _ => Resting {
            expires_at: LogTime::new(value(random)),
            display: BaseLots::new(value(random)),
            stop: (random.below(2) == 0).then(|| StopLeg {
                trigger: trigger_price(random),
                limit: trigger_price(random),
                self_trade: random_self_trade(random),
            }),
            protected: random.below(2) == 0,
        },
    };
    let conditions = [TriggerCondition::Stop, TriggerCondition::TakeProfit];
    Place {
        market,
        side: Side::BOTH[random.below(2)],
        kind: match random.below(7) {
            0 => OrderKind::Limit(TimeInForce::Rest(resting)),
            1 => OrderKind::PostOnly(Crossing::Reject, resting),
            2 => OrderKind::PostOnly(Crossing::Slide, resting),
            3 => OrderKind::IOC,
            4 => OrderKind::FOK,
            5 => OrderKind::Market(Immediate::OrCancel),
            _ => OrderKind::Market(Immediate::OrKill),
        },
        price: Ticks::new(value(random)),
        quantity: BaseLots::new(value(random)),
        client_order_id: ClientOrderId::new(value(random)),
        self_trade: random_self_trade(random),
        trigger: (random.below(3) == 0).then(|| Trigger {
            condition: conditions[random.below(2)],
            price: trigger_price(random),
        }),
    }
}

fn random_target(random: &mut Seeded, market: MarketId) -> OrderTarget {
    match random.below(2) {
        0 => OrderTarget::Order(OrderId::new(value(random))),
        _ => OrderTarget::Client {
            market,
            client_order_id: ClientOrderId::new(value(random)),
        },
    }
}

fn random_self_trade(random: &mut Seeded) -> SelfTrade {
    match random.below(8) {
        0 => SelfTrade::CancelTaker,
        1 => SelfTrade::CancelMaker,
        2 => SelfTrade::CancelBoth,
        3 => SelfTrade::Decrement,
        _ => SelfTrade::Allow,
    }
}

fn random_level(random: &mut Seeded) -> QuoteLevel {
    QuoteLevel::new(Ticks::new(value(random)), BaseLots::new(value(random)))
}

/// A run of at most as many levels as a side may have.
fn random_levels<'a>(random: &mut Seeded, levels: &'a [QuoteLevel]) -> &'a [QuoteLevel] {
    let count = match random.below(8) {
        0 => 0,
        1 => QUOTE_LEVELS_MAX,
        _ => random.below(QUOTE_LEVELS_MAX),
    };
    let first = random.below(levels.len() - count);
    &levels[first..first + count]
}

/// Any number, and often one at an end of the range.
fn value(random: &mut Seeded) -> u64 {
    match random.below(8) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => random.next() & 0xffff,
        _ => random.next(),
    }
}

/// Prices that an order waits for, and those that it has then, have 32 bits.
fn trigger_price(random: &mut Seeded) -> Ticks {
    Ticks::new(u64::from(value(random) as u32))
}

fn amount(random: &mut Seeded) -> Atoms {
    Atoms::new(u128::from(value(random)) << 64 | u128::from(value(random)))
}

#[test]
fn quotes_are_borrowed_from_the_frame() {
    for command in commands() {
        let Command::QuoteSet(sent) = command else {
            continue;
        };
        let frame = OrdersFrame::parse(frame(&[command])).unwrap();
        let Some(Command::QuoteSet(set)) = frame.commands().next() else {
            panic!("a quote set was sent");
        };
        assert_eq!(set, sent);
        let bytes = frame.bytes().as_ptr_range();
        for levels in [set.bids, set.asks] {
            let levels = levels.as_ptr_range();
            assert!(bytes.contains(&levels.start.cast()) && bytes.contains(&levels.end.cast()));
        }
    }
}

#[test]
fn a_frame_is_full_at_256_slots() {
    let level = [QuoteLevel::new(Ticks::new(1), BaseLots::new(1)); QUOTE_LEVELS_MAX];
    let set = Command::QuoteSet(QuoteSet {
        market: MarketId::new(0),
        number: 1,
        bids: &level,
        asks: &level,
    });
    let plain = Command::Place(PLACE);
    let mut commands = vec![set; 7];
    commands.resize(7 + SLOTS_PER_FRAME_MAX - 7 * 33, plain);
    for full in [&commands[..], &[plain; SLOTS_PER_FRAME_MAX]] {
        let bytes = frame(full);
        assert_eq!(bytes.len(), FRAME_LENGTH_MAX);
        assert!(OrdersFrame::parse(bytes).is_ok());
        let beyond = [full, &[plain]].concat();
        assert!(std::panic::catch_unwind(|| frame(&beyond)).is_err());
    }
}

/// An unsigned frame that claims this many commands in these slots.
fn raw_frame(count: u16, slots: &[u8]) -> Result<OrdersFrame, RejectReason> {
    let mut bytes = frame(&[Command::Place(PLACE)])[..HEAD_LENGTH].to_vec();
    let length = HEAD_LENGTH + slots.len() + SIGNATURE_LENGTH;
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[6..8].copy_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(slots);
    bytes.resize(length, 0);
    OrdersFrame::parse(Bytes::from(bytes))
}

#[test]
fn commands_use_up_the_slots_of_their_frame() {
    for command in commands() {
        let slots = encoded(&command);
        let two = [&slots[..], &slots].concat();
        let empty = [&slots[..], &[0; SLOT_LENGTH]].concat();
        let cut = &two[..two.len() - SLOT_LENGTH];
        for (count, slots, accepted) in [
            (1, &slots[..], true),
            (2, &two, true),
            (0, &slots, false),
            (0, &[], false),
            (1, &[], false),
            (2, &slots, false),
            (1, &two, false),
            (3, &two, false),
            (2, cut, false),
            (1, &empty, false),
            (2, &empty, false),
        ] {
            let answer = raw_frame(count, slots).map(|frame| frame.count());
            let expected = if accepted {
                Ok(count)
            } else {
                Err(RejectReason::Malformed)
            };
            assert_eq!(answer, expected, "{count} of {command:?}");
        }
    }
}

/// Overwrites bytes of a valid command and expects that nothing decodes to the result.
fn check_malformed(command: &Command<'_>, changes: &[(usize, u8)], what: &str) {
    let mut slots = encoded(command);
    assert!(raw_frame(1, &slots).is_ok(), "{what}: before");
    for (at, byte) in changes {
        slots[*at] = *byte;
    }
    let answer = raw_frame(1, &slots).map(|frame| format!("{frame:?}"));
    assert_eq!(answer, Err(RejectReason::Malformed), "{what}");
}

#[test]
fn what_no_encoder_writes_is_malformed() {
    const FIRST: usize = 0;
    const SECOND: usize = SLOT_LENGTH;
    let plain = Command::Place(PLACE);
    let extended = Command::Place(Place {
        self_trade: SelfTrade::CancelBoth,
        ..PLACE
    });
    let ioc = Command::Place(Place {
        kind: OrderKind::IOC,
        self_trade: SelfTrade::CancelBoth,
        ..PLACE
    });
    let stop = StopLeg {
        trigger: Ticks::new(0),
        limit: Ticks::new(0),
        self_trade: SelfTrade::Allow,
    };
    let one_cancels_other = Command::Place(Place {
        kind: OrderKind::Limit(TimeInForce::Rest(Resting {
            stop: Some(stop),
            ..Resting::PLAIN
        })),
        ..PLACE
    });
    for (command, changes, what) in [
        (plain, &[(FIRST, 0)][..], "no operation"),
        (plain, &[(FIRST, 11)], "an operation of the future"),
        (plain, &[(1, 2)], "no side"),
        (plain, &[(2, 4)], "no kind"),
        (plain, &[(3, 3)], "no time in force"),
        (plain, &[(2, 1), (3, 1)], "post-only, at once"),
        (plain, &[(2, 3)], "a market order that rests"),
        (plain, &[(6, 1)], "an order with an asset"),
        (plain, &[(FIRST, 6)], "extended, but one slot"),
        (extended, &[(FIRST, 1)], "plain, but two slots"),
        (extended, &[(SECOND + 29, 0)], "extended without need"),
        (extended, &[(SECOND + 29, 5)], "no self-trade rule"),
        (extended, &[(SECOND + 28, 3)], "no trigger condition"),
        (extended, &[(SECOND + 16, 1)], "a trigger price alone"),
        (extended, &[(SECOND + 20, 1)], "a stop price alone"),
        (extended, &[(SECOND + 24, 1)], "a limit of no stop"),
        (
            extended,
            &[(SECOND + 30, 1)],
            "a self-trade rule of no stop",
        ),
        (extended, &[(SECOND + 31, 4)], "a flag of the future"),
        (one_cancels_other, &[(SECOND + 30, 5)], "no self-trade rule"),
        (one_cancels_other, &[(SECOND + 31, 0)], "no stop after all"),
        (ioc, &[(SECOND, 1)], "never rests, but expires"),
        (ioc, &[(SECOND + 8, 1)], "never rests, but is an iceberg"),
        (ioc, &[(SECOND + 31, 1)], "never rests, but has a stop"),
        (ioc, &[(SECOND + 31, 2)], "never rests, but is protected"),
    ] {
        check_malformed(&command, changes, what);
    }
}

#[test]
fn what_no_encoder_writes_of_changes_is_malformed() {
    let by_id = Command::Replace(Replace {
        target: OrderTarget::Order(OrderId::new(1)),
        price: Ticks::new(1),
        quantity: BaseLots::new(1),
        may_take: true,
        self_trade: SelfTrade::Allow,
    });
    let cancel = Command::Cancel(Cancel::Order(OrderId::new(1)));
    let cancel_all = Command::CancelAll(CancelScope::EVERYTHING);
    let level = [QuoteLevel::new(Ticks::new(1), BaseLots::new(1)); 3];
    let quote_set = |asks| {
        Command::QuoteSet(QuoteSet {
            market: MarketId::new(1),
            number: 1,
            bids: &level[..2],
            asks,
        })
    };
    let (odd, even) = (quote_set(&level[..1]), quote_set(&level[..2]));
    for (command, changes, what) in [
        (by_id, &[(1, 2)][..], "may take, perhaps"),
        (by_id, &[(2, 2)], "neither by id nor by label"),
        (by_id, &[(3, 5)], "no self-trade rule"),
        (by_id, &[(4, 1)], "by id, but in a market"),
        (cancel, &[(4, 1)], "by id, but in a market"),
        (cancel, &[(16, 1)], "an id to remember"),
        (cancel_all, &[(1, 254)], "no side"),
        (cancel_all, &[(24, 1)], "a third price"),
        (odd, &[(3 * SLOT_LENGTH - 1, 1)], "half a slot left over"),
        (odd, &[(2, 0)], "fewer levels than slots"),
        (odd, &[(2, 3)], "more levels than slots"),
        (even, &[(1, 33)], "too many bids"),
        (even, &[(2, 255)], "too many asks"),
        (even, &[(3, 1)], "a quote set with a time in force"),
        (even, &[(16, 1)], "a quote set with another number"),
        (even, &[(2, 1)], "a level that does not count"),
    ] {
        check_malformed(&command, changes, what);
    }
}

#[test]
fn what_no_encoder_writes_of_settings_is_malformed() {
    const SECOND: usize = SLOT_LENGTH;
    let protection = Command::SetProtection(SetProtection {
        market: MarketId::new(1),
        group: 0,
        limits: ProtectionLimits::NONE,
    });
    let status = Command::SetMarketStatus(SetMarketStatus {
        market: MarketId::new(1),
        status: MarketStatus::Halted,
    });
    for (command, changes, what) in [
        (protection, &[(0, 10)][..], "a status of two slots"),
        (protection, &[(1, 1)], "a protection of a side"),
        (protection, &[(3, 1)], "a protection with a time in force"),
        (protection, &[(6, 1)], "a protection of an asset"),
        (protection, &[(SECOND + 16, 1)], "a fourth limit"),
        (protection, &[(SECOND + 31, 1)], "reserved bytes"),
        (status, &[(0, 9)], "a protection of one slot"),
        (status, &[(2, 5)], "no status"),
        (status, &[(1, 1)], "the status of a side"),
        (status, &[(3, 1)], "a status with a time in force"),
        (status, &[(8, 1)], "a status with a price"),
        (status, &[(16, 1)], "a status with a size"),
        (status, &[(24, 1)], "a status with a label"),
    ] {
        check_malformed(&command, changes, what);
    }
}

/// 34 levels in slots enough: only how they are spread over the sides is right or wrong.
#[test]
fn a_side_has_at_most_32_levels() {
    let empty = encoded(&Command::QuoteSet(QuoteSet {
        market: MarketId::new(0),
        number: 1,
        bids: &[],
        asks: &[],
    }));
    for (bids, asks, accepted) in [
        (34, 0, false),
        (33, 1, false),
        (32, 2, true),
        (17, 17, true),
        (2, 32, true),
        (1, 33, false),
        (0, 34, false),
    ] {
        let mut slots = empty.clone();
        slots[1] = bids;
        slots[2] = asks;
        slots.resize(18 * SLOT_LENGTH, 1);
        assert_eq!(raw_frame(1, &slots).is_ok(), accepted, "{bids} and {asks}");
    }
}
