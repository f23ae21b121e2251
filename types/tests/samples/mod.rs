//! Valid messages of every kind, their parsers, and seeded bytes: what the wire tests share.
//!
//! A message kind that is missing from [`messages`] is not tested, so add new kinds here first.

#![allow(dead_code)] // Each test binary uses its own part.

pub(crate) mod commands;
pub(crate) mod feeds;

use std::convert::Infallible;
use std::sync::OnceLock;

use bytes::Bytes;
use types::auth::{AuthenticFrame, FrameKey, RollingChain, SigningKey};
use types::block::{Entry, SequencedFrame};
use types::command::{MarketStatus, Resting, SelfTrade, StopLeg, Trigger, TriggerCondition};
use types::genesis::{self, MarketLimits, PriceBand};
use types::keys::{GrantedMarkets, KeyGrant, KeyScope, WalletSignature};
use types::limits::SLOTS_PER_FRAME_MAX;
use types::outcome::{Done, DoneReason, Fill, Party, Receipt, Reduced, RestingTaker, Triggered};
use types::phase::Phase;
use types::wallet::{WalletContext, WalletKey};
use types::wire::ack::{Ack, CommandOutcome, FillReport, Role, StageTimes};
use types::wire::action::SignedAction;
use types::wire::command::slots_needed;
use types::wire::ended::EndedReport;
use types::wire::orders::{FrameHeader, OrdersFrame, SIGNATURE_LENGTH};
use types::wire::payload::{decode_entries, encode_entry};
use types::wire::query::{
    BalanceRecord, IndicativePrice, MarketState, MarketStateRecord, OpenOrder, OpenOrderRecord,
    Query, Question, Reference, ReferenceRecord, encode_reply, parse_reply,
};
use types::wire::receipts::{ReceiptKey, Receipts};
use types::wire::rolling::RollingSignature;
use types::wire::session::{Hello, Refused, SessionTerms, SessionWishes, SignatureMode, Welcome};
use types::wire::{Kind, split_message};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyEpoch, KeyId, LogTime,
    MarketId, NetworkId, Nonce, OrderId, RejectReason, SequenceNumber, Side, Ticks,
};
use zerocopy::IntoBytes;

pub(crate) use commands::commands;

/// The TLS exporter value of all sample sessions.
pub(crate) const EXPORTER: [u8; 32] = [0; 32];

/// The key that signs all samples.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::development("dev-0")
}

/// The frame key of the development network.
pub(crate) fn frame_key() -> FrameKey {
    static KEY: OnceLock<FrameKey> = OnceLock::new();
    *KEY.get_or_init(|| FrameKey::new(NetworkId::DEVELOPMENT, genesis::development().hash()))
}

/// A signed frame of `count` commands that starts in the list of [`commands`] at `first`.
pub(crate) fn orders(count: usize, first: usize) -> Bytes {
    let commands = commands().into_iter().cycle().skip(first).take(count);
    frame(&commands.collect::<Vec<_>>())
}

/// A signed frame of these commands.
pub(crate) fn frame(commands: &[Command<'_>]) -> Bytes {
    let header = FrameHeader {
        account: AccountId::new(0),
        key: KeyId::new(0),
        epoch: KeyEpoch::new(0),
        nonce: Nonce::new(7),
        expires_at: LogTime::new(0),
    };
    let mut out = Vec::new();
    OrdersFrame::encode(&header, commands, &frame_key(), &signing_key(), &mut out);
    Bytes::from(out)
}

/// A signed frame that uses all slots, with every operation in it.
pub(crate) fn full_frame() -> Bytes {
    let mut room = SLOTS_PER_FRAME_MAX;
    let mut fitting = Vec::new();
    while room > 0 {
        for command in commands() {
            if let Some(rest) = room.checked_sub(slots_needed(&command)) {
                room = rest;
                fitting.push(command);
            }
        }
    }
    frame(&fitting)
}

/// Signed frames with 1, 3 and as many commands as fit, so that together every operation is there
/// in each.
pub(crate) fn signed_frames() -> Vec<Bytes> {
    let kinds = commands().len();
    let single = (0..kinds).map(|first| orders(1, first));
    let triple = (0..kinds).step_by(3).map(|first| orders(3, first));
    single.chain(triple).chain([full_frame()]).collect()
}

/// What the wallet of `dev-0` lets the key of `dev-1` do.
pub(crate) fn grant() -> KeyGrant {
    KeyGrant {
        scope: KeyScope::Trade,
        markets: GrantedMarkets::new(&[MarketId::new(0), MarketId::new(1)]).expect("they ascend"),
        order_notional_max: Atoms::new(1_000_000_000_000),
        open_notional_max: Atoms::new(5_000_000_000_000),
        daily_loss_max: Atoms::new(100_000_000_000),
        expires_at: LogTime::new(1_800_000_000_000_000_000),
    }
}

/// A wallet registers a key, which signs the frame.
pub(crate) fn register() -> Bytes {
    let key = SigningKey::development("dev-1").public();
    let wallet = WalletKey::development("dev-0");
    let registration = wallet.register(&wallet_context(7), key, &grant());
    wallet_frame(7, &Command::Register(&registration))
}

/// A wallet revokes a key.
pub(crate) fn revoke() -> Bytes {
    let key = SigningKey::development("dev-1").public();
    let wallet = WalletKey::development("dev-0");
    let revocation = wallet.revoke(&wallet_context(8), key);
    wallet_frame(8, &Command::Revoke(&revocation))
}

pub(crate) fn wallet_context(nonce: u64) -> WalletContext {
    WalletContext {
        genesis_hash: genesis::development().hash(),
        account: AccountId::new(0),
        nonce: Nonce::new(nonce),
    }
}

fn wallet_frame(nonce: u64, command: &Command<'_>) -> Bytes {
    let header = FrameHeader {
        account: AccountId::new(0),
        key: KeyId::WALLET,
        epoch: KeyEpoch::new(0),
        nonce: Nonce::new(nonce),
        expires_at: LogTime::new(0),
    };
    let mut out = Vec::new();
    let signer = SigningKey::development("dev-1");
    OrdersFrame::encode(&header, &[*command], &frame_key(), &signer, &mut out);
    Bytes::from(out)
}

/// The opening of a session.
pub(crate) fn hello() -> Bytes {
    let hello = Hello::new(Some(NetworkId::DEVELOPMENT), &signing_key(), &EXPORTER);
    Bytes::copy_from_slice(hello.as_bytes())
}

/// The opening of a session with rolling signatures.
pub(crate) fn rolling_hello() -> Bytes {
    let network = Some(NetworkId::DEVELOPMENT);
    let wishes = SessionWishes {
        signatures: SignatureMode::Rolling,
        receipts: false,
        guest: false,
    };
    let hello = Hello::with_wishes(network, wishes, &signing_key(), &EXPORTER);
    Bytes::copy_from_slice(hello.as_bytes())
}

/// The answer to it.
pub(crate) fn rolling_welcome() -> Bytes {
    welcome_of(64)
}

/// The running hash of that session before its first frame.
pub(crate) fn rolling_chain() -> RollingChain {
    RollingChain::new(frame_key(), &EXPORTER, &rolling_hello(), &rolling_welcome())
}

/// The frame of [`frame`] as that session sends it.
pub(crate) fn unsigned_frame(commands: &[Command<'_>]) -> Bytes {
    let mut bytes = frame(commands).to_vec();
    let signed = bytes.len() - SIGNATURE_LENGTH;
    bytes[signed..].fill(0);
    Bytes::from(bytes)
}

/// The first two frames of that session and the signature over them.
pub(crate) fn run(first: &Bytes, second: &Bytes) -> RollingSignature {
    let mut chain = rolling_chain();
    for frame in [first, second] {
        chain.absorb(&frame[..frame.len() - SIGNATURE_LENGTH]);
    }
    chain.sign(&signing_key())
}

/// Two receipts, signed by the development server.
pub(crate) fn receipts() -> Bytes {
    let receipt = |nonce, arrival, sequence| {
        let first_sequence = SequenceNumber::new(sequence);
        types::wire::receipts::Receipt::new(Nonce::new(nonce), arrival, first_sequence)
    };
    let mut out = Vec::new();
    Receipts::encode(
        1_700_000_000_000_000_000,
        KeyId::new(0),
        &[receipt(7, 3, 41), receipt(8, 5, 44)],
        &receipt_key(),
        &SigningKey::development("tls"),
        &mut out,
    );
    Bytes::from(out)
}

/// The receipt key of the development network.
pub(crate) fn receipt_key() -> ReceiptKey {
    ReceiptKey::new(NetworkId::DEVELOPMENT, genesis::development().hash())
}

/// Whether a message is receipts that the development server signed.
pub(crate) fn are_genuine_receipts(bytes: &[u8]) -> bool {
    let server = SigningKey::development("tls").public();
    Receipts::parse(bytes).is_ok_and(|it| it.are_signed_by(&server, &receipt_key()))
}

/// The message of a signature over two frames.
pub(crate) fn rolling_signature() -> Bytes {
    let mut out = Vec::new();
    let commands = commands();
    let frames = [&commands[..1], &commands[1..2]].map(unsigned_frame);
    run(&frames[0], &frames[1]).encode(&mut out);
    Bytes::from(out)
}

/// The answer to it.
pub(crate) fn welcome() -> Bytes {
    welcome_of(0)
}

fn welcome_of(unsigned_frames: u32) -> Bytes {
    let welcome = Welcome::new(&SessionTerms {
        network: NetworkId::DEVELOPMENT,
        genesis_hash: genesis::development().hash(),
        account: AccountId::new(0),
        key: KeyId::new(0),
        epoch: KeyEpoch::new(0),
        next_nonce: Nonce::new(8),
        frames_in_flight: 256,
        unsigned_frames,
    });
    Bytes::copy_from_slice(welcome.as_bytes())
}

/// An answer with an accepted and a rejected command.
pub(crate) fn ack(repeated: bool) -> Bytes {
    let sequence = SequenceNumber::new(41);
    let outcomes = [
        Receipt::accepted(sequence, 2, BaseLots::new(5)),
        Receipt::rejected(sequence.next(), RejectReason::InsufficientFunds),
    ];
    let outcomes: Vec<_> = outcomes.iter().map(CommandOutcome::from).collect();
    encode_ack(&Ack {
        nonce: Nonce::new(7),
        first_sequence: sequence,
        times: StageTimes {
            received_at: 1_700_000_000_000_000_000,
            sequenced: 1_000,
            executed: 2_000,
            durable: 3_000,
            sent: 4_000,
        },
        repeated,
        refused: None,
        outcomes: &outcomes,
    })
}

/// A frame refused as a whole.
pub(crate) fn refusing_ack() -> Bytes {
    encode_ack(&Ack {
        nonce: Nonce::new(7),
        first_sequence: SequenceNumber::new(41),
        times: StageTimes::default(),
        repeated: false,
        refused: Some(RejectReason::NonceReused),
        outcomes: &[],
    })
}

fn encode_ack(ack: &Ack<'_>) -> Bytes {
    let mut out = Vec::new();
    ack.encode(&mut out);
    Bytes::from(out)
}

/// Both reports of a trade, and both of the same in an auction.
pub(crate) fn fills() -> Bytes {
    let party = |account, order_id| Party {
        account: AccountId::new(account),
        order_id: OrderId::new(order_id),
        client_order_id: ClientOrderId::new(order_id + 1),
    };
    let fill = Fill {
        sequence: SequenceNumber::new(41),
        market: MarketId::new(0),
        taker_side: Side::Ask,
        price: Ticks::new(6_500_000),
        quantity: BaseLots::new(250_000),
        maker: party(0, 1 << 16),
        taker: party(1, 41 << 16),
        maker_remaining: BaseLots::new(1),
        maker_refreshed: false,
        auction: None,
        maker_fee: -14,
        taker_fee: Atoms::new(15),
    };
    let auction = Fill {
        auction: Some(RestingTaker {
            remaining: BaseLots::new(2),
            refreshed: true,
        }),
        ..fill
    };
    let reports = [
        FillReport::new(&fill, Role::Maker),
        FillReport::new(&fill, Role::Taker),
        FillReport::new(&auction, Role::Maker),
        FillReport::new(&auction, Role::Taker),
    ];
    let mut out = Vec::new();
    FillReport::encode(&reports, &mut out);
    Bytes::from(out)
}

/// An order that expired, one that shrank on meeting an order of its own group, one that was
/// triggered, and one that its owner's protection pulled.
pub(crate) fn ended() -> Bytes {
    let sequence = SequenceNumber::new(41);
    let market = MarketId::new(0);
    let price = Ticks::new(6_500_000);
    let quantity = BaseLots::new(250_000);
    let owner = |placed_at| Party {
        account: AccountId::new(0),
        order_id: OrderId::new_at(SequenceNumber::new(placed_at), market, 0),
        client_order_id: ClientOrderId::new(placed_at + 1),
    };
    let done = Done {
        sequence,
        market,
        side: Side::Bid,
        reason: DoneReason::Expired,
        price,
        remaining: quantity,
        owner: owner(1),
        held: true,
    };
    let reduced = Reduced {
        sequence,
        market,
        side: Side::Ask,
        reason: DoneReason::SelfTrade,
        price,
        by: BaseLots::new(100_000),
        remaining: BaseLots::new(150_000),
        owner: owner(2),
    };
    let triggered = Triggered {
        sequence,
        market,
        side: Side::Ask,
        price,
        quantity,
        owner: owner(3),
    };
    let pulled = Done {
        reason: DoneReason::Protection,
        owner: owner(4),
        ..done
    };
    let reports = [
        EndedReport::from(&done),
        EndedReport::from(&reduced),
        EndedReport::from(&triggered),
        EndedReport::from(&pulled),
    ];
    let mut out = Vec::new();
    EndedReport::encode(&reports, &mut out);
    Bytes::from(out)
}

/// A refusal without effect.
pub(crate) fn refused() -> Bytes {
    let refused = Refused::new(Nonce::new(7), RejectReason::Busy);
    Bytes::copy_from_slice(refused.as_bytes())
}

/// A question.
pub(crate) fn query(question: Question) -> Bytes {
    Bytes::copy_from_slice(Query::new(9, question).as_bytes())
}

/// A list reply of one message.
pub(crate) fn reply<Record: IntoBytes + zerocopy::Immutable>(
    kind: Kind,
    records: &[Record],
) -> Bytes {
    let mut out = Vec::new();
    encode_reply(kind, 9, SequenceNumber::new(41), records, &mut out);
    Bytes::from(out)
}

/// Balances of two assets.
pub(crate) fn balances() -> Bytes {
    let record = |asset, free, held| {
        BalanceRecord::new(AssetId::new(asset), Atoms::new(free), Atoms::new(held))
    };
    reply(
        Kind::Balances,
        &[record(0, 1, u128::MAX), record(2, 1 << 94, 0)],
    )
}

/// Open orders: one that rests, one that is armed, and one that rests beside its stop.
pub(crate) fn open_orders() -> Bytes {
    let resting = OpenOrder {
        order_id: OrderId::new_at(SequenceNumber::new(41), MarketId::new(1), 0),
        client_order_id: ClientOrderId::new(3),
        market: MarketId::new(1),
        side: Side::Bid,
        price: Ticks::new(6_500_000),
        remaining: BaseLots::new(250_000),
        resting: Resting {
            expires_at: LogTime::new(1_700_000_000_000_000_000),
            display: BaseLots::new(1_000),
            ..Resting::PLAIN
        },
        trigger: None,
    };
    let armed = OpenOrder {
        order_id: OrderId::new_at(SequenceNumber::new(42), MarketId::new(1), 0),
        client_order_id: ClientOrderId::new(4),
        side: Side::Ask,
        resting: Resting::PLAIN,
        trigger: Some(Trigger {
            condition: TriggerCondition::Stop,
            price: Ticks::new(6_600_000),
        }),
        ..resting
    };
    let beside_a_stop = OpenOrder {
        order_id: OrderId::new_at(SequenceNumber::new(43), MarketId::new(1), 0),
        client_order_id: ClientOrderId::new(5),
        resting: Resting {
            stop: Some(StopLeg {
                trigger: Ticks::new(6_700_000),
                limit: Ticks::new(6_800_000),
                self_trade: SelfTrade::CancelTaker,
            }),
            protected: true,
            ..Resting::PLAIN
        },
        ..resting
    };
    let orders = [resting, armed, beside_a_stop];
    let records = orders.map(|order| OpenOrderRecord::from(&order));
    reply(Kind::OpenOrders, &records)
}

/// The development assets and markets, the second of which has limits of its own.
pub(crate) fn reference() -> Bytes {
    let mut reference = Reference::of(&genesis::development());
    reference.markets[1].limits = MarketLimits {
        notional_min: Atoms::new(500_000_000),
        open_orders_max: 1_000,
        band: Some(PriceBand {
            width_ppm: 50_000,
            interval_ms: 60_000,
        }),
        status: MarketStatus::Auction,
    };
    reply(Kind::Reference, &reference.records())
}

/// A market in auction, and an open one that has never traded.
pub(crate) fn market_states() -> Bytes {
    let auction = MarketState {
        market: MarketId::new(0),
        status: MarketStatus::Auction,
        last: Some(Ticks::new(6_500_000)),
        indicative: Some(IndicativePrice {
            price: Ticks::new(6_510_000),
            volume: 250_000,
            surplus: -1_000,
        }),
    };
    let open = MarketState {
        market: MarketId::new(1),
        status: MarketStatus::Open,
        last: None,
        indicative: None,
    };
    let records = [auction, open].map(|state| MarketStateRecord::from(&state));
    reply(Kind::MarketStates, &records)
}

/// A journal payload: tick, frame, frame, tick.
pub(crate) fn payload() -> Bytes {
    let tick = |time| Entry::Tick(LogTime::new(time));
    let frame = |count, first| {
        let frame = OrdersFrame::parse(orders(count, first)).expect("samples are valid");
        Entry::Frame(SequencedFrame {
            frame: AuthenticFrame::from_journal(frame, &frame_key()),
            origin: None,
        })
    };
    encode_payload(&[
        tick(1),
        frame(1, 4),
        frame(3, 5),
        tick(1_700_000_000_000_000_000),
    ])
}

/// A payload of two frames and the signature over them.
pub(crate) fn rolling_payload() -> Bytes {
    let commands = commands();
    let frames = [&commands[..1], &commands[1..2]].map(unsigned_frame);
    Bytes::from([&frames[0][..], &frames[1], &rolling_signature()].concat())
}

/// A payload of one signed action that came to these commands.
pub(crate) fn action_payload(commands: &[Command<'_>]) -> Bytes {
    let frame = unsigned_frame(commands);
    let frame = OrdersFrame::parse_of_action(frame).expect("a valid frame");
    let action = SignedAction {
        action: Bytes::from_static(b"\x81\xa4type\xa4noop"),
        nonce: 1_764_000_000_000,
        vault: Some([0x77; 20]),
        expires_after: Some(1_764_000_060_000),
        signature: WalletSignature {
            compact: [0x88; 64],
            v: 28,
        },
        signer: [0x99; 20],
    };
    let frame = AuthenticFrame::of_action(frame, action, &frame_key());
    encode_payload(&[Entry::Frame(SequencedFrame {
        frame,
        origin: None,
    })])
}

/// A payload of these entries.
pub(crate) fn encode_payload(entries: &[Entry]) -> Bytes {
    let mut out = Vec::new();
    for entry in entries {
        encode_entry(entry, &mut out);
    }
    Bytes::from(out)
}

/// One valid message (or payload) of every kind that carries no signature.
pub(crate) fn unsigned_messages() -> Vec<(&'static str, Bytes)> {
    let mut messages = vec![
        ("welcome", welcome()),
        ("rolling welcome", rolling_welcome()),
        ("rolling signature", rolling_signature()),
        ("ack", ack(false)),
        ("repeated ack", ack(true)),
        ("refusing ack", refusing_ack()),
        ("fills", fills()),
        ("ended", ended()),
        ("refused", refused()),
        ("query balances", query(Question::Balances)),
        ("query open orders", query(Question::OpenOrders)),
        ("query reference", query(Question::Reference)),
        ("query nonce", query(Question::Nonce(Nonce::new(7)))),
        ("query markets", query(Question::Markets)),
        ("balances", balances()),
        ("open orders", open_orders()),
        ("reference", reference()),
        ("market states", market_states()),
        (
            "unknown nonce",
            reply::<BalanceRecord>(Kind::UnknownNonce, &[]),
        ),
        (
            "phase payload",
            encode_payload(&[Entry::Phase(Phase::CancelOnly)]),
        ),
        (
            "tick payload",
            encode_payload(&[Entry::Tick(LogTime::new(1))]),
        ),
        ("payload", payload()),
        ("payload", rolling_payload()),
        ("action payload", action_payload(&commands()[..2])),
    ];
    messages.extend(feeds::messages());
    messages
}

/// One valid message of every kind.
pub(crate) fn messages() -> Vec<(&'static str, Bytes)> {
    let mut messages = unsigned_messages();
    messages.push(("hello", hello()));
    messages.push(("orders", register()));
    messages.push(("orders", revoke()));
    messages.push(("rolling hello", rolling_hello()));
    messages.extend(signed_frames().into_iter().map(|bytes| ("orders", bytes)));
    messages
}

/// Runs every parser on these bytes and, where one accepts them, encodes what it understood again.
/// Returns one re-encoding per parser that accepted. The signature of an `Orders` frame is copied,
/// not made anew: whether it holds is another question.
pub(crate) fn reencodings(bytes: &Bytes) -> Vec<Vec<u8>> {
    let accepted = [
        Hello::parse(bytes, &EXPORTER)
            .ok()
            .map(|hello| hello.as_bytes().to_vec()),
        Welcome::parse(bytes)
            .ok()
            .map(|terms| Welcome::new(&terms).as_bytes().to_vec()),
        OrdersFrame::parse(bytes.clone())
            .ok()
            .map(|frame| reencode_orders(&frame)),
        Ack::parse(bytes).ok().map(|ack| encode_ack(&ack).to_vec()),
        FillReport::parse_all(bytes).ok().map(reencode_fills),
        EndedReport::parse_all(bytes).ok().map(|reports| {
            let mut out = Vec::new();
            EndedReport::encode(reports, &mut out);
            out
        }),
        Refused::parse(bytes)
            .ok()
            .map(|(nonce, reason)| Refused::new(nonce, reason).as_bytes().to_vec()),
        RollingSignature::parse(bytes).ok().map(|signature| {
            let mut out = Vec::new();
            signature.encode(&mut out);
            out
        }),
        Query::parse(bytes)
            .ok()
            .map(|(request, question)| Query::new(request, question).as_bytes().to_vec()),
        reencode_reply(bytes, Kind::Balances, |record: &BalanceRecord| {
            Some(BalanceRecord::new(
                record.asset(),
                record.free(),
                record.held(),
            ))
        }),
        reencode_reply(bytes, Kind::OpenOrders, |record: &OpenOrderRecord| {
            record.order().map(|order| OpenOrderRecord::from(&order))
        }),
        reencode_reply(bytes, Kind::MarketStates, |record: &MarketStateRecord| {
            record.state().map(|state| MarketStateRecord::from(&state))
        }),
        reencode_reply(bytes, Kind::UnknownNonce, |_: &BalanceRecord| None),
        reencode_reference(bytes),
        reencode_payload(bytes),
    ];
    let mut buffer = bytes.as_ref().into();
    let whole = split_message(&mut buffer).ok().flatten();
    let whole = whole.map(|(_, message)| [&message[..], &buffer[..]].concat());
    let accepted = accepted.into_iter().flatten().chain(whole);
    accepted.chain(feeds::reencodings(bytes)).collect()
}

fn reencode_orders(frame: &OrdersFrame) -> Vec<u8> {
    let commands: Vec<_> = frame.commands().collect();
    let mut out = Vec::new();
    OrdersFrame::encode(
        &frame.header(),
        &commands,
        &frame_key(),
        &signing_key(),
        &mut out,
    );
    let signed = frame.signed_bytes().len();
    out[signed..].copy_from_slice(frame.signature().as_bytes());
    out
}

fn reencode_fills(reports: &[FillReport]) -> Vec<u8> {
    let mut out = Vec::new();
    FillReport::encode(reports, &mut out);
    out
}

fn reencode_reply<Record>(
    bytes: &Bytes,
    kind: Kind,
    through_view: impl Fn(&Record) -> Option<Record>,
) -> Option<Vec<u8>>
where
    Record: types::wire::query::ReplyRecord + IntoBytes,
{
    let (head, records) = parse_reply::<Record>(bytes, kind).ok()?;
    let records: Vec<_> = records
        .iter()
        .map(|record| through_view(record).expect("parse accepts well-formed records only"))
        .collect();
    let mut out = Vec::new();
    encode_reply(kind, head.request(), head.sequence(), &records, &mut out);
    // The encoder sets this by itself when there are too many records for one message.
    out[24] = u8::from(head.more());
    Some(out)
}

fn reencode_reference(bytes: &Bytes) -> Option<Vec<u8>> {
    let (head, records) = parse_reply::<ReferenceRecord>(bytes, Kind::Reference).ok()?;
    let mut reference = Reference::default();
    for record in records {
        reference.add(record).ok()?;
    }
    let mut out = Vec::new();
    let records = reference.records();
    encode_reply(
        Kind::Reference,
        head.request(),
        head.sequence(),
        &records,
        &mut out,
    );
    out[24] = u8::from(head.more());
    Some(out)
}

fn reencode_payload(bytes: &Bytes) -> Option<Vec<u8>> {
    let mut entries = Vec::new();
    decode_entries(bytes.clone(), &frame_key(), &mut entries).ok()?;
    Some(encode_payload(&entries).to_vec())
}

/// Reproducible bits, and the seed on standard error if the test fails while this lives.
#[derive(Debug)]
pub(crate) struct Seeded {
    seed: u64,
    state: u64,
}

impl Seeded {
    /// Bits of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The next 64 bits (SplitMix64).
    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`.
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// This many bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.seed);
        }
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        destination.fill_with(|| self.next() as u8);
        Ok(())
    }
}

// Batch verification wants bits that signers cannot predict; the signers of these tests do not try.
impl rand_core::TryCryptoRng for Seeded {}
