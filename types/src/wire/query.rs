//! `Query` and its replies: questions about released state, answered beside the engine.

mod market_state;

use zerocopy::little_endian::{I32, U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Kind, Prefix, read_fixed, read_list, side, trigger, write_list};
use crate::command::{MarketStatus, Resting, SelfTrade, StopLeg, Trigger};
use crate::genesis::{AssetSpec, DECIMALS_MAX, Genesis, MarketLimits, MarketSpec, PriceBand, Step};
use crate::limits::MESSAGE_LENGTH_MAX;
use crate::{
    AssetId, Atoms, BaseLots, ClientOrderId, FeeRate, LogTime, MarketId, Nonce, OrderId,
    RejectReason, SequenceNumber, Side, Symbol, Ticks,
};
pub use market_state::{IndicativePrice, MarketState, MarketStateRecord};

/// What a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The account's balances. Reply: `Balances`.
    Balances,
    /// The account's open orders. Reply: one or more `OpenOrders`.
    OpenOrders,
    /// Assets and markets. Reply: `Reference`.
    Reference,
    /// The answer to the frame of this nonce. Reply: an `Ack` marked as repeated, or `UnknownNonce`
    /// (a reply head without records).
    Nonce(Nonce),
    /// What all markets are like at present. Reply: `MarketStates`.
    Markets,
}

/// By offset: 0 prefix, 8 request id u64 (returned in the reply), 16 question u8 (1 balances, 2
/// open orders, 3 reference, 4 nonce, 5 markets), 17 reserved (7), 24 nonce u64.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Query {
    prefix: Prefix,
    request: U64,
    question: u8,
    reserved: [u8; 7],
    nonce: U64,
}

impl Query {
    /// The message.
    pub fn new(request: u64, question: Question) -> Self {
        let (code, nonce) = match question {
            Question::Balances => (1, 0),
            Question::OpenOrders => (2, 0),
            Question::Reference => (3, 0),
            Question::Nonce(nonce) => (4, nonce.get()),
            Question::Markets => (5, 0),
        };
        Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Query, 0),
            request: U64::new(request),
            question: code,
            reserved: [0; 7],
            nonce: U64::new(nonce),
        }
    }

    /// Reads one whole message: request id and question.
    pub fn parse(bytes: &[u8]) -> Result<(u64, Question), RejectReason> {
        let query: Self = read_fixed(bytes, Kind::Query)?;
        let question = match (query.question, query.nonce.get()) {
            (1, 0) => Question::Balances,
            (2, 0) => Question::OpenOrders,
            (3, 0) => Question::Reference,
            (4, nonce) => Question::Nonce(Nonce::new(nonce)),
            (5, 0) => Question::Markets,
            _ => return Err(RejectReason::Malformed),
        };
        if query.reserved != [0; 7] {
            return Err(RejectReason::Malformed);
        }
        Ok((query.request.get(), question))
    }
}

/// Head of the list replies. By offset: 0 prefix (count: records), 8 request id u64, 16 sequence
/// u64 (the last one that the answer includes), 24 more u8 (1: another message follows),
/// 25 reserved (7); then the records.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ReplyHead {
    prefix: Prefix,
    request: U64,
    sequence: U64,
    more: u8,
    reserved: [u8; 7],
}

impl ReplyHead {
    /// Which question this answers.
    pub const fn request(&self) -> u64 {
        self.request.get()
    }

    /// The last sequence number that the answer includes.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// Whether another message of this answer follows.
    pub const fn more(&self) -> bool {
        self.more != 0
    }
}

/// A balance, 40 bytes. By offset: 0 asset u16, 2 reserved (6), 8 free u128, 24 held u128.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct BalanceRecord {
    asset: U16,
    reserved: [u8; 6],
    free: U128,
    held: U128,
}

impl BalanceRecord {
    /// The record.
    pub const fn new(asset: AssetId, free: Atoms, held: Atoms) -> Self {
        Self {
            asset: U16::new(asset.get()),
            reserved: [0; 6],
            free: U128::new(free.get()),
            held: U128::new(held.get()),
        }
    }

    /// Of what.
    pub const fn asset(&self) -> AssetId {
        AssetId::new(self.asset.get())
    }

    /// Spendable.
    pub const fn free(&self) -> Atoms {
        Atoms::new(self.free.get())
    }

    /// Locked behind orders.
    pub const fn held(&self) -> Atoms {
        Atoms::new(self.held.get())
    }
}

/// An open order, 72 bytes. By offset: 0 order id u64, 8 client order id u64, 16 price u64,
/// 24 remaining u64, 32 display u64 (how much is shown at a time; 0: all of it), 40 expires at u64
/// (0: good till cancelled), 48 trigger price u32, 52 trigger price of the stop beside it u32,
/// 56 limit of that stop u32, 60 market u16, 62 side u8, 63 trigger condition u8 (0: on the book;
/// 1: armed, a stop; 2: armed, take profit), 64 flags u8 (bit 0: there is a stop beside it, bit 1:
/// protected), 65 self-trade of that stop u8, 66 reserved (6).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct OpenOrderRecord {
    order_id: U64,
    client_order_id: U64,
    price: U64,
    remaining: U64,
    display: U64,
    expires_at: U64,
    trigger_price: U32,
    stop_trigger: U32,
    stop_limit: U32,
    market: U16,
    side: u8,
    trigger_condition: u8,
    flags: u8,
    stop_self_trade: u8,
    reserved: [u8; 6],
}

const HAS_STOP: u8 = 1;
const PROTECTED: u8 = 1 << 1;

/// An open order: one that rests, or one that is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its id.
    pub order_id: OrderId,
    /// Its owner's label.
    pub client_order_id: ClientOrderId,
    /// Where it is open.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// Its price.
    pub price: Ticks,
    /// What of it is still open.
    pub remaining: BaseLots,
    /// How it rests, or would.
    pub resting: Resting,
    /// What it waits for; `None`: it is on the book.
    pub trigger: Option<Trigger>,
}

impl From<&OpenOrder> for OpenOrderRecord {
    fn from(order: &OpenOrder) -> Self {
        let (condition, trigger_price) = match order.trigger {
            Some(trigger) => (trigger.condition as u8, trigger.price),
            None => (0, Ticks::ZERO),
        };
        let price = |ticks: Ticks| {
            U32::new(u32::try_from(ticks.get()).expect("open orders have legal prices"))
        };
        let stop = order.resting.stop;
        let mut flags = if order.resting.protected {
            PROTECTED
        } else {
            0
        };
        if stop.is_some() {
            flags |= HAS_STOP;
        }
        Self {
            order_id: U64::new(order.order_id.get()),
            client_order_id: U64::new(order.client_order_id.get()),
            price: U64::new(order.price.get()),
            remaining: U64::new(order.remaining.get()),
            display: U64::new(order.resting.display.get()),
            expires_at: U64::new(order.resting.expires_at.get()),
            trigger_price: price(trigger_price),
            stop_trigger: price(stop.map_or(Ticks::ZERO, |stop| stop.trigger)),
            stop_limit: price(stop.map_or(Ticks::ZERO, |stop| stop.limit)),
            market: U16::new(order.market.get()),
            side: order.side as u8,
            trigger_condition: condition,
            flags,
            stop_self_trade: stop.map_or(0, |stop| stop.self_trade as u8),
            reserved: [0; 6],
        }
    }
}

impl OpenOrderRecord {
    /// The typed view; `None` if no order encodes to this record.
    pub fn order(&self) -> Option<OpenOrder> {
        let price = |ticks: U32| Ticks::new(ticks.get().into());
        let stop = StopLeg {
            trigger: price(self.stop_trigger),
            limit: price(self.stop_limit),
            self_trade: SelfTrade::from_code(self.stop_self_trade)?,
        };
        let order = OpenOrder {
            order_id: OrderId::new(self.order_id.get()),
            client_order_id: ClientOrderId::new(self.client_order_id.get()),
            market: MarketId::new(self.market.get()),
            side: side(self.side)?,
            price: Ticks::new(self.price.get()),
            remaining: BaseLots::new(self.remaining.get()),
            resting: Resting {
                expires_at: LogTime::new(self.expires_at.get()),
                display: BaseLots::new(self.display.get()),
                stop: (self.flags & HAS_STOP != 0).then_some(stop),
                protected: self.flags & PROTECTED != 0,
            },
            trigger: trigger(self.trigger_condition, price(self.trigger_price))?,
        };
        (Self::from(&order) == *self).then_some(order)
    }
}

/// An asset or a market, 96 bytes: one list holds the assets first, then the markets. By offset:
/// 0 symbol (16), 16 kind u8 (0 asset, 1 market), 17 decimals u8 (asset), 18 tick decimals u8,
/// 19 lot decimals u8, 20 base u16, 22 quote u16, 24 tick units u64, 32 lot units u64,
/// 40 maker fee i32 (parts per million), 44 taker fee i32, 48 least notional u128 (quote atoms),
/// 64 open orders of one account, at most, u32, 68 width of the price band u32 (parts per million;
/// 0: none), 72 interval of the band u64 (ms), 80 first status u8, 81 reserved (15).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ReferenceRecord {
    symbol: [u8; 16],
    kind: u8,
    decimals: u8,
    tick_decimals: u8,
    lot_decimals: u8,
    base: U16,
    quote: U16,
    tick_units: U64,
    lot_units: U64,
    maker_fee: I32,
    taker_fee: I32,
    notional_min: U128,
    open_orders_max: U32,
    band_width_ppm: U32,
    band_interval_ms: U64,
    status: u8,
    reserved: [u8; 15],
}

const KIND_ASSET: u8 = 0;
const KIND_MARKET: u8 = 1;

const _: () = assert!(size_of::<Query>() == 32);
const _: () = assert!(size_of::<ReplyHead>() == 32);
const _: () = assert!(size_of::<BalanceRecord>() == 40);
const _: () = assert!(size_of::<OpenOrderRecord>() == 72);
const _: () = assert!(size_of::<ReferenceRecord>() == 96);

impl From<&AssetSpec> for ReferenceRecord {
    fn from(asset: &AssetSpec) -> Self {
        Self {
            symbol: asset.symbol.padded(),
            kind: KIND_ASSET,
            decimals: asset.decimals,
            tick_decimals: 0,
            lot_decimals: 0,
            base: U16::ZERO,
            quote: U16::ZERO,
            tick_units: U64::ZERO,
            lot_units: U64::ZERO,
            maker_fee: I32::ZERO,
            taker_fee: I32::ZERO,
            notional_min: U128::ZERO,
            open_orders_max: U32::ZERO,
            band_width_ppm: U32::ZERO,
            band_interval_ms: U64::ZERO,
            status: 0,
            reserved: [0; 15],
        }
    }
}

impl From<&MarketSpec> for ReferenceRecord {
    fn from(market: &MarketSpec) -> Self {
        let limits = &market.limits;
        let (band_width_ppm, band_interval_ms) = match limits.band {
            Some(band) => (band.width_ppm, band.interval_ms),
            None => (0, 0),
        };
        Self {
            symbol: market.symbol.padded(),
            kind: KIND_MARKET,
            decimals: 0,
            tick_decimals: market.tick.decimals,
            lot_decimals: market.lot.decimals,
            base: U16::new(market.base.get()),
            quote: U16::new(market.quote.get()),
            tick_units: U64::new(market.tick.units),
            lot_units: U64::new(market.lot.units),
            maker_fee: I32::new(market.maker_fee.get()),
            taker_fee: I32::new(market.taker_fee.get()),
            notional_min: U128::new(limits.notional_min.get()),
            open_orders_max: U32::new(limits.open_orders_max),
            band_width_ppm: U32::new(band_width_ppm),
            band_interval_ms: U64::new(band_interval_ms),
            status: limits.status as u8,
            reserved: [0; 15],
        }
    }
}

/// Assets and markets of a network, as a client knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// By id.
    pub assets: Vec<AssetSpec>,
    /// By id.
    pub markets: Vec<MarketSpec>,
}

impl Reference {
    /// What a genesis lists.
    pub fn of(genesis: &Genesis) -> Self {
        Self {
            assets: genesis.assets().to_vec(),
            markets: genesis.markets().to_vec(),
        }
    }

    /// The records of the reply.
    pub fn records(&self) -> Vec<ReferenceRecord> {
        let assets = self.assets.iter().map(ReferenceRecord::from);
        assets
            .chain(self.markets.iter().map(ReferenceRecord::from))
            .collect()
    }

    /// Adds the next record of the reply; refuses what no genesis could list, and assets after
    /// markets.
    pub fn add(&mut self, record: &ReferenceRecord) -> Result<(), RejectReason> {
        let symbol = Symbol::from_padded(record.symbol).ok_or(RejectReason::Malformed)?;
        match record.kind {
            KIND_ASSET if self.markets.is_empty() => {
                let asset = AssetSpec {
                    symbol,
                    decimals: record.decimals,
                };
                // One encoding per asset: whatever an asset does not use must be zero.
                if asset.decimals > DECIMALS_MAX || ReferenceRecord::from(&asset) != *record {
                    return Err(RejectReason::Malformed);
                }
                self.assets.push(asset);
            }
            KIND_MARKET => {
                let market = self.market(symbol, record)?;
                if ReferenceRecord::from(&market) != *record {
                    return Err(RejectReason::Malformed);
                }
                self.markets.push(market);
            }
            _ => return Err(RejectReason::Malformed),
        }
        Ok(())
    }

    fn market(&self, symbol: Symbol, record: &ReferenceRecord) -> Result<MarketSpec, RejectReason> {
        let asset = |id: U16| {
            let id = AssetId::new(id.get());
            let spec = self.assets.get(id.index());
            spec.map(|spec| (id, spec)).ok_or(RejectReason::Malformed)
        };
        let step = |units: U64, decimals| Step {
            units: units.get(),
            decimals,
        };
        let rate = |rate: I32| FeeRate::new(rate.get()).ok_or(RejectReason::Malformed);
        MarketSpec::new(
            symbol,
            asset(record.base)?,
            asset(record.quote)?,
            (
                step(record.tick_units, record.tick_decimals),
                step(record.lot_units, record.lot_decimals),
            ),
            (rate(record.maker_fee)?, rate(record.taker_fee)?),
            limits(record)?,
        )
        .map_err(|_| RejectReason::Malformed)
    }
}

fn limits(record: &ReferenceRecord) -> Result<MarketLimits, RejectReason> {
    let band = PriceBand {
        width_ppm: record.band_width_ppm.get(),
        interval_ms: record.band_interval_ms.get(),
    };
    Ok(MarketLimits {
        notional_min: Atoms::new(record.notional_min.get()),
        open_orders_max: record.open_orders_max.get(),
        band: (band.width_ppm > 0).then_some(band),
        status: MarketStatus::from_code(record.status).ok_or(RejectReason::Malformed)?,
    })
}

/// A record of a list reply.
pub trait ReplyRecord: FromBytes + KnownLayout + Immutable + Unaligned {
    /// Whether an encoder could have made it. A reference record depends on those before it: see
    /// [`Reference::add`].
    fn is_well_formed(&self) -> bool;
}

impl ReplyRecord for BalanceRecord {
    fn is_well_formed(&self) -> bool {
        self.reserved == [0; 6]
    }
}

impl ReplyRecord for OpenOrderRecord {
    fn is_well_formed(&self) -> bool {
        self.order().is_some()
    }
}

impl ReplyRecord for ReferenceRecord {
    fn is_well_formed(&self) -> bool {
        self.kind <= KIND_MARKET && self.reserved == [0; 15]
    }
}

/// Appends a list reply to `out`, in as many messages as it needs and at least one.
pub fn encode_reply<Record: IntoBytes + Immutable>(
    kind: Kind,
    request: u64,
    sequence: SequenceNumber,
    records: &[Record],
    out: &mut Vec<u8>,
) {
    let per_message = (MESSAGE_LENGTH_MAX - size_of::<ReplyHead>()) / size_of::<Record>();
    let messages = records.len().div_ceil(per_message).max(1);
    for message in 0..messages {
        let start = message * per_message;
        let end = records.len().min(start + per_message);
        write_list(out, kind, &records[start..end], |prefix| ReplyHead {
            prefix,
            request: U64::new(request),
            sequence: U64::new(sequence.get()),
            more: u8::from(message + 1 < messages),
            reserved: [0; 7],
        });
    }
}

/// Reads one message of a list reply.
pub fn parse_reply<Record: ReplyRecord>(
    bytes: &[u8],
    kind: Kind,
) -> Result<(ReplyHead, &[Record]), RejectReason> {
    let (head, records): (ReplyHead, &[Record]) = read_list(bytes, kind)?;
    let well_formed = head.more <= 1
        && head.reserved == [0; 7]
        && (kind != Kind::UnknownNonce || records.is_empty())
        && records.iter().all(Record::is_well_formed);
    if well_formed {
        Ok((head, records))
    } else {
        Err(RejectReason::Malformed)
    }
}
