//! `docs/PROTOCOL.md` says what the code does: every vector in it is what the code produces, its
//! hashing rules give the same values when followed by hand, and its table of reject reasons is
//! complete. If a check fails after a change that was meant, the test prints the new block.

mod samples;

use samples::{EXPORTER, frame_key, signing_key};
use types::auth::{SigningKey, development_seed};
use types::command::{
    ApproveAgent, CancelScope, MarketStatus, OrderKind, OrderTarget, Place, ProtectionLimits,
    QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, Send, SetMarketStatus, SetProtection,
    StopLeg, TimeInForce, Trigger, TriggerCondition, Withdraw,
};
use types::genesis;
use types::inbox::{InboxEntry, InboxKind};
use types::keys::SessionPolicy;
use types::limits::{
    self, COMMANDS_PER_FRAME_MAX, FRAMES_PER_RUN_MAX, MESSAGE_LENGTH_MAX, NONCE_MAX, NONCE_WINDOW,
    RUN_LENGTH_MAX,
};
use types::outcome::DoneReason;
use types::wallet::WalletKey;
use types::wire::Kind;
use types::wire::orders::{OrdersFrame, SIGNATURE_LENGTH};
use types::wire::query::{BalanceRecord, Question};
use types::wire::session::{ALPN, EXPORTER_LABEL};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyId, LogTime, MarketId, Nonce,
    OrderId, RejectReason, SequenceNumber, Side, Ticks,
};

const PROTOCOL: &str = include_str!("../../docs/PROTOCOL.md");

/// Bytes per line of the vector block.
const LINE: usize = 32;

const DEVELOPMENT_CONTEXT: &str = "keel 2026-11-23 development key";
const FRAME_CONTEXT: &str = "keel 2026-11-23 signed frame";
const SESSION_CONTEXT: &str = "keel 2026-11-23 session opening";
const ROLLING_CONTEXT: &str = "keel 2026-11-26 rolling signatures";
const RECEIPT_CONTEXT: &str = "keel 2026-11-26 receipts";
const GENESIS_CONTEXT: &str = "keel 2026-11-23 genesis";
const BOOK_CONTEXT: &str = "keel 2026-11-26 feed book";

/// 0.25 BTC at 100.50 USD, labelled 7.
const PLACE: Place = Place {
    market: MarketId::new(0),
    side: Side::Bid,
    kind: OrderKind::GTC,
    price: Ticks::new(10_050),
    quantity: BaseLots::new(250_000),
    client_order_id: ClientOrderId::new(7),
    self_trade: SelfTrade::Allow,
    trigger: None,
};

/// A plain order; then everything off every book.
fn two_commands() -> [Command<'static>; 2] {
    [
        Command::Place(PLACE),
        Command::CancelAll(CancelScope::EVERYTHING),
    ]
}

/// An armed iceberg, a replace, and a quote set with an odd number of levels.
fn longer_commands() -> [Command<'static>; 3] {
    const BIDS: [QuoteLevel; 2] = [
        QuoteLevel::new(Ticks::new(10_000), BaseLots::new(500)),
        QuoteLevel::new(Ticks::new(9_990), BaseLots::new(600)),
    ];
    const ASKS: [QuoteLevel; 1] = [QuoteLevel::new(Ticks::new(10_100), BaseLots::new(700))];
    let resting = Resting {
        expires_at: LogTime::new(1_700_000_000_000_000_000),
        display: BaseLots::new(1_000),
        ..Resting::PLAIN
    };
    [
        Command::Place(Place {
            kind: OrderKind::Limit(TimeInForce::Rest(resting)),
            self_trade: SelfTrade::CancelMaker,
            trigger: Some(Trigger {
                condition: TriggerCondition::Stop,
                price: Ticks::new(10_040),
            }),
            ..PLACE
        }),
        Command::Replace(Replace {
            target: OrderTarget::Client {
                market: MarketId::new(1),
                client_order_id: ClientOrderId::new(8),
            },
            price: Ticks::new(10_060),
            quantity: BaseLots::new(200_000),
            may_take: true,
            self_trade: SelfTrade::Decrement,
        }),
        Command::QuoteSet(QuoteSet {
            market: MarketId::new(1),
            number: 3,
            bids: &BIDS,
            asks: &ASKS,
        }),
    ]
}

/// A protected order beside its stop, a protection, and the start of an auction.
fn setting_commands() -> [Command<'static>; 3] {
    let resting = Resting {
        stop: Some(StopLeg {
            trigger: Ticks::new(10_100),
            limit: Ticks::new(10_150),
            self_trade: SelfTrade::CancelMaker,
        }),
        protected: true,
        ..Resting::PLAIN
    };
    [
        Command::Place(Place {
            kind: OrderKind::Limit(TimeInForce::Rest(resting)),
            ..PLACE
        }),
        Command::SetProtection(SetProtection {
            market: MarketId::new(1),
            group: 2,
            limits: ProtectionLimits {
                window_ns: 1_000_000_000,
                fills: 3,
                lots: BaseLots::new(500_000),
                notional: Atoms::new(1 << 64),
            },
        }),
        Command::SetMarketStatus(SetMarketStatus {
            market: MarketId::new(1),
            status: MarketStatus::Auction,
        }),
    ]
}

/// A policy, a timer and the end of a key.
fn session_commands() -> [Command<'static>; 3] {
    [
        Command::SetSessionPolicy(SessionPolicy {
            silence_ns: 500_000_000,
            good_till_cancelled: true,
            whole_account: false,
        }),
        Command::SetTimer(1_500_000_000),
        Command::RevokeKey(KeyId::new(65)),
    ]
}

/// What moves funds and opens accounts.
fn moving_commands() -> [Command<'static>; 6] {
    let (asset, amount) = (AssetId::new(2), Atoms::new(5_000_000));
    [
        Command::SetTimerAt(LogTime::new(1_764_000_000_000_000_000)),
        Command::Send(Send {
            to: [0x44; 20],
            asset,
            amount,
        }),
        Command::Withdraw(Withdraw { asset, amount }),
        Command::OpenSubAccount,
        Command::ApproveAgent(ApproveAgent {
            agent: [0x55; 20],
            name: *b"phone\0\0\0\0\0\0\0\0\0\0\0",
            expires_at: LogTime::ZERO,
        }),
        Command::Inbox(InboxEntry {
            index: 3,
            kind: InboxKind::Deposit,
            owner: [0x66; 20],
            account: AccountId::NOBODY,
            asset,
            amount,
        }),
    ]
}

/// What the code produces, in the order of the document.
#[expect(
    clippy::too_many_lines,
    reason = "a list, in the order of the document"
)]
fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let public = |name: &str| SigningKey::development(name).public().as_bytes().to_vec();
    let frame = OrdersFrame::parse(samples::frame(&two_commands())).expect("a valid sample");
    let frame_digest = frame_key().digest(frame.signed_bytes());
    let genesis_hash = genesis::development().hash();
    let sequence = SequenceNumber::new(123_456);
    let order_id = OrderId::new_at(sequence, MarketId::new(517), 42);
    let nonce = Question::Nonce(Nonce::new(7));
    let unsigned = [
        samples::unsigned_frame(&two_commands()),
        samples::unsigned_frame(&longer_commands()),
    ];
    let mut rolling_signature = Vec::new();
    samples::run(&unsigned[0], &unsigned[1]).encode(&mut rolling_signature);
    let unknown = samples::reply::<BalanceRecord>(Kind::UnknownNonce, &[]);
    let mut vectors = vec![
        ("dev-0 seed", development_seed("dev-0").to_vec()),
        ("dev-0 public key", public("dev-0")),
        ("tls public key", public("tls")),
        ("development genesis hash", genesis_hash.as_bytes().to_vec()),
        ("frame key", hand_made_frame_key().to_vec()),
        ("order id", order_id.get().to_le_bytes().to_vec()),
        ("hello", samples::hello().to_vec()),
        ("welcome", samples::welcome().to_vec()),
        ("orders", frame.bytes().to_vec()),
        ("orders digest", frame_digest.as_bytes().to_vec()),
        ("longer orders", samples::frame(&longer_commands()).to_vec()),
        (
            "setting orders",
            samples::frame(&setting_commands()).to_vec(),
        ),
        (
            "wallet address",
            WalletKey::development("dev-0").address().to_vec(),
        ),
        (
            "session orders",
            samples::frame(&session_commands()).to_vec(),
        ),
        ("moving orders", samples::frame(&moving_commands()).to_vec()),
        ("action", samples::action_payload(&two_commands()).to_vec()),
        ("register", samples::register().to_vec()),
        ("revoke", samples::revoke().to_vec()),
        ("rolling hello", samples::rolling_hello().to_vec()),
        ("rolling welcome", samples::rolling_welcome().to_vec()),
        (
            "rolling chain",
            samples::rolling_chain().head().as_bytes().to_vec(),
        ),
        ("unsigned orders", unsigned[0].to_vec()),
        ("unsigned longer orders", unsigned[1].to_vec()),
        ("rolling signature", rolling_signature),
        ("receipts", samples::receipts().to_vec()),
        ("ack", samples::ack(false).to_vec()),
        ("refusing ack", samples::refusing_ack().to_vec()),
        ("fills", samples::fills().to_vec()),
        ("ended", samples::ended().to_vec()),
        ("refused", samples::refused().to_vec()),
        (
            "query balances",
            samples::query(Question::Balances).to_vec(),
        ),
        ("query nonce", samples::query(nonce).to_vec()),
        ("query markets", samples::query(Question::Markets).to_vec()),
        ("balances", samples::balances().to_vec()),
        ("open orders", samples::open_orders().to_vec()),
        ("reference", samples::reference().to_vec()),
        ("market states", samples::market_states().to_vec()),
        ("unknown nonce", unknown.to_vec()),
    ];
    let feeds = samples::feeds::messages().into_iter();
    vectors.extend(feeds.map(|(name, message)| (name, message.to_vec())));
    vectors
}

/// The frame key of the development network as the document says to make it, without our code.
fn hand_made_frame_key() -> [u8; 32] {
    let genesis_hash = genesis::development().hash();
    let mut material = vec![1];
    material.extend_from_slice(&1u32.to_le_bytes());
    material.extend_from_slice(genesis_hash.as_bytes());
    blake3::derive_key(FRAME_CONTEXT, &material)
}

/// As the block in the document is laid out: `name = ` and up to 32 bytes, then indented lines.
fn render(vectors: &[(&str, Vec<u8>)]) -> String {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let entry = |(name, bytes): &(&str, Vec<u8>)| {
        let lines: Vec<String> = bytes.chunks(LINE).map(hex).collect();
        format!("{name} =\n  {}\n", lines.join("\n  "))
    };
    vectors.iter().map(entry).collect()
}

#[test]
fn every_vector_is_what_the_code_produces() {
    let block = PROTOCOL
        .split("```vectors\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the document has a block of vectors");
    let expected = render(&vectors());
    assert!(block == expected, "the block should be:\n{expected}");
}

#[test]
fn the_hashing_rules_can_be_followed_by_hand() {
    for text in [
        DEVELOPMENT_CONTEXT,
        FRAME_CONTEXT,
        SESSION_CONTEXT,
        ROLLING_CONTEXT,
        RECEIPT_CONTEXT,
        GENESIS_CONTEXT,
        str::from_utf8(ALPN).unwrap(),
        str::from_utf8(EXPORTER_LABEL).unwrap(),
    ] {
        assert!(PROTOCOL.contains(text), "{text}");
    }
    let seed = blake3::derive_key(DEVELOPMENT_CONTEXT, b"dev-0");
    assert_eq!(seed, development_seed("dev-0"));

    let frame = OrdersFrame::parse(samples::frame(&two_commands())).unwrap();
    let signed = &frame.bytes()[..frame.bytes().len() - SIGNATURE_LENGTH];
    let digest = blake3::keyed_hash(&hand_made_frame_key(), signed);
    assert_eq!(digest.as_bytes(), frame_key().digest(signed).as_bytes());
    let digest = types::outcome::Digest::new(*digest.as_bytes());
    assert!(signing_key().public().verifies(&digest, &frame.signature()));

    let hello = samples::hello();
    let (signed, signature) = hello.split_at(hello.len() - SIGNATURE_LENGTH);
    let material = [&EXPORTER[..], signed].concat();
    let digest = types::outcome::Digest::new(blake3::derive_key(SESSION_CONTEXT, &material));
    let signature = types::auth::Signature::new(signature.try_into().unwrap());
    assert!(signing_key().public().verifies(&digest, &signature));
}

#[test]
fn the_running_hash_can_be_followed_by_hand() {
    let frame_key = hand_made_frame_key();
    let opening = [
        &EXPORTER[..],
        &samples::rolling_hello(),
        &samples::rolling_welcome(),
    ];
    let mut chain = blake3::derive_key(ROLLING_CONTEXT, &opening.concat());
    let before = types::outcome::Digest::new(chain);
    let frames = [
        samples::unsigned_frame(&two_commands()),
        samples::unsigned_frame(&longer_commands()),
    ];
    for frame in &frames {
        let (signed, zeros) = frame.split_at(frame.len() - SIGNATURE_LENGTH);
        assert_eq!(zeros, [0; SIGNATURE_LENGTH]);
        let digest = blake3::keyed_hash(&frame_key, signed);
        let link = [&chain[..], digest.as_bytes()].concat();
        chain = *blake3::keyed_hash(&frame_key, &link).as_bytes();
    }
    let signature = samples::run(&frames[0], &frames[1]);
    assert_eq!((signature.frames, signature.chain_before), (2, before));
    let after = types::outcome::Digest::new(chain);
    let public = signing_key().public();
    assert!(public.verifies(&after, &signature.signature));
}

#[test]
fn the_hashes_of_feeds_can_be_computed_by_hand() {
    assert!(PROTOCOL.contains(BOOK_CONTEXT));
    for (name, message) in samples::feeds::messages() {
        if name.ends_with("events") && name != "conflated events" {
            let material = [&message[8..24], &message[56..]].concat();
            let hash = blake3::keyed_hash(&[7; 32], &material);
            assert_eq!(hash.as_bytes(), &message[24..56], "{name}");
        }
        if ["l1 snapshot", "l2 snapshot", "l3 snapshot"].contains(&name) {
            let material = [&message[20..21], &message[96..]].concat();
            let hash = blake3::derive_key(BOOK_CONTEXT, &material);
            assert_eq!(hash, message[56..88], "{name}");
        }
    }
}

#[test]
fn receipts_can_be_verified_by_hand() {
    let receipts = samples::receipts();
    let genesis_hash = genesis::development().hash();
    let material = [&1u32.to_le_bytes()[..], genesis_hash.as_bytes()].concat();
    let key = blake3::derive_key(RECEIPT_CONTEXT, &material);
    let signed = [&receipts[..24], &receipts[88..]].concat();
    let digest = types::outcome::Digest::new(*blake3::keyed_hash(&key, &signed).as_bytes());
    let signature = types::auth::Signature::new(receipts[24..88].try_into().unwrap());
    let server = SigningKey::development("tls").public();
    assert!(server.verifies(&digest, &signature) && samples::are_genuine_receipts(&receipts));
}

#[test]
fn the_genesis_hash_can_be_computed_by_hand() {
    let symbol = |text: &str| {
        let mut padded = [0; 16];
        padded[..text.len()].copy_from_slice(text.as_bytes());
        padded
    };
    let mut bytes = Vec::new();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(3u64.to_le_bytes());
    for asset in ["BTC", "ETH", "USD"] {
        bytes.extend(symbol(asset));
        bytes.push(8);
    }
    bytes.extend(2u64.to_le_bytes());
    for (name, base, lot_decimals) in [("BTC-USD", 0u16, 6), ("ETH-USD", 1, 5)] {
        bytes.extend(symbol(name));
        bytes.extend(base.to_le_bytes());
        bytes.extend(2u16.to_le_bytes());
        for decimals in [2, lot_decimals] {
            bytes.extend(1u64.to_le_bytes());
            bytes.push(decimals);
        }
        bytes.extend(100i32.to_le_bytes());
        bytes.extend(300i32.to_le_bytes());
        bytes.extend(0u128.to_le_bytes());
        bytes.extend(131_072u32.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.push(0);
    }
    bytes.extend(65u64.to_le_bytes());
    for account in 0..65u32 {
        let operator = account == 64;
        let name = if operator {
            "dev-operator".to_owned()
        } else {
            format!("dev-{account}")
        };
        let key = SigningKey::development(&name).public();
        bytes.extend(WalletKey::development(&name).address());
        bytes.extend(u32::to_le_bytes(account));
        bytes.push(u8::from(operator));
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(key.as_bytes());
        if operator {
            bytes.extend(0u64.to_le_bytes());
            continue;
        }
        bytes.extend(3u64.to_le_bytes());
        for (asset, units) in [
            (0u16, 10_000_000u128),
            (1, 100_000_000),
            (2, 1_000_000_000_000),
        ] {
            bytes.extend(asset.to_le_bytes());
            bytes.extend((units * 100_000_000).to_le_bytes());
        }
    }
    let hash = blake3::derive_key(GENESIS_CONTEXT, &bytes);
    assert_eq!(&hash, genesis::development().hash().as_bytes());
}

#[test]
fn the_table_of_reject_reasons_is_complete() {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_matches('|').split('|').map(str::trim).collect()
    };
    let listed: Vec<(u16, &str, bool)> = PROTOCOL
        .split("## Reject reasons")
        .nth(1)
        .expect("the document has a table of reject reasons")
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
        .map(cells)
        .filter_map(|cells| {
            let code = cells[0].parse().ok()?;
            assert!(cells[3].ends_with('.'), "{} has no meaning", cells[1]);
            Some((code, cells[1].trim_matches('`'), cells[2] == "yes"))
        })
        .collect();
    let expected: Vec<(u16, &str, bool)> = RejectReason::ALL
        .iter()
        .map(|reason| (reason.code(), reason.name(), reason.is_transient()))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn the_table_of_reasons_in_ended_is_complete() {
    let listed: Vec<(u8, &str)> = PROTOCOL
        .split("| reason | name |")
        .nth(1)
        .expect("the document has a table of reasons of ended orders")
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (
                cells[1].parse().expect("a number"),
                cells[2].trim_matches('`'),
            )
        })
        .collect();
    let known = (1..=u8::MAX).filter_map(|code| Some((code, DoneReason::from_code(code)?.name())));
    let expected: Vec<(u8, &str)> = [(0, "triggered")].into_iter().chain(known).collect();
    assert_eq!(listed, expected);
}

/// The value of a limit in the document.
fn limit(name: &str) -> u64 {
    let row = PROTOCOL
        .lines()
        .find(|line| line.starts_with(&format!("| {name} |")))
        .expect("the limit is listed");
    let value = row.split('|').nth(2).expect("a limit has a value");
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a limit is a number")
}

#[test]
fn the_table_of_limits_is_right() {
    let rows = [MESSAGE_LIMITS, ORDER_LIMITS, KEY_LIMITS, MARKET_LIMITS];
    for (name, value) in rows.into_iter().flatten() {
        assert_eq!(limit(name), *value, "{name}");
    }
}

const MESSAGE_LIMITS: &[(&str, u64)] = &[
    ("commands in a frame", COMMANDS_PER_FRAME_MAX as u64),
    (
        "slots of 32 bytes in a frame",
        limits::SLOTS_PER_FRAME_MAX as u64,
    ),
    (
        "levels a side in a quote set",
        limits::QUOTE_LEVELS_MAX as u64,
    ),
    (
        "frames under one rolling signature",
        FRAMES_PER_RUN_MAX as u64,
    ),
    (
        "bytes of the frames under one rolling signature",
        RUN_LENGTH_MAX as u64,
    ),
    (
        "bytes in a message, prefix included",
        MESSAGE_LENGTH_MAX as u64,
    ),
    ("nonces that a key's window holds", NONCE_WINDOW),
    ("highest nonce", NONCE_MAX),
];

const ORDER_LIMITS: &[(&str, u64)] = &[
    (
        "bytes of a trader's action",
        limits::ACTION_LENGTH_MAX as u64,
    ),
    (
        "nonces of a signer of actions that are remembered",
        limits::ACTION_NONCES_MAX as u64,
    ),
    ("highest price in ticks", limits::PRICE_TICKS_MAX),
    ("highest quantity in lots", limits::QUANTITY_LOTS_MAX),
    ("fills of one command", limits::FILLS_PER_COMMAND_MAX as u64),
    (
        "orders that one command triggers",
        limits::TRIGGERS_PER_COMMAND_MAX as u64,
    ),
    (
        "orders that expire in one tick",
        limits::EXPIRIES_PER_TICK_MAX as u64,
    ),
    (
        "labels of an account remembered in a market",
        limits::REMEMBERED_CANCELS_MAX as u64,
    ),
];

const KEY_LIMITS: &[(&str, u64)] = &[
    (
        "keys that an account may register",
        limits::KEYS_PER_ACCOUNT_MAX as u64,
    ),
    (
        "markets that a key may be granted by name",
        limits::GRANT_MARKETS_MAX as u64,
    ),
    (
        "shortest silence of a session policy, in nanoseconds",
        limits::SILENCE_NS_MIN,
    ),
    (
        "longest silence of a session policy, in nanoseconds",
        limits::SILENCE_NS_MAX,
    ),
    ("longest timer, in nanoseconds", limits::TIMER_NS_MAX),
];

const MARKET_LIMITS: &[(&str, u64)] = &[
    (
        "open orders of an account",
        limits::OPEN_ORDERS_PER_ACCOUNT_MAX as u64,
    ),
    (
        "resting orders in a book",
        limits::ORDERS_PER_BOOK_MAX as u64,
    ),
    (
        "widest price band, in parts per million",
        limits::BAND_PPM_MAX as u64,
    ),
    (
        "longest interval of a price band, in milliseconds",
        limits::BAND_INTERVAL_MS_MAX,
    ),
    (
        "least time between indicative prices of a market, in nanoseconds",
        limits::INDICATIVE_INTERVAL_NS,
    ),
    ("markets", limits::MARKETS_MAX as u64),
    ("assets", limits::ASSETS_MAX as u64),
];
