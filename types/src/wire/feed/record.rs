//! What feeds are made of, as fixed bytes: events, and the lines of a snapshot.

use zerocopy::little_endian::{I128, U32, U64, U128};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::MarketStatus;
use crate::wire::ack::FillReport;
use crate::wire::ended::EndedReport;
use crate::wire::side;
use crate::{BaseLots, OrderId, SequenceNumber, Side, Ticks};

/// The best of a side, 24 bytes. By offset: 0 price u64, 8 lots shown u64 (0: nobody waits, and the
/// price is 0), 16 side u8, 17 reserved (7).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct BestRecord {
    price: U64,
    quantity: U64,
    side: u8,
    reserved: [u8; 7],
}

/// All that is shown at one price, 24 bytes. By offset: 0 price u64, 8 lots u64 (at most 2^64 - 1),
/// 16 orders u32 (0: the level is gone, and lots are 0), 20 side u8, 21 reserved (3).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct LevelRecord {
    price: U64,
    quantity: U64,
    orders: U32,
    side: u8,
    reserved: [u8; 3],
}

/// An order as it shows itself, 32 bytes. By offset: 0 order id u64, 8 price u64, 16 lots shown u64,
/// 24 side u8, 25 reserved (7).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct OrderRecord {
    order_id: U64,
    price: U64,
    shown: U64,
    side: u8,
    reserved: [u8; 7],
}

/// A change of the best of a side, 32 bytes: sequence number u64, then the best as it is now.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct L1Event {
    sequence: U64,
    best: BestRecord,
}

/// A change of a level, 32 bytes: sequence number u64, then the level as it is now.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct L2Event {
    sequence: U64,
    level: LevelRecord,
}

/// A change of an order, 48 bytes. By offset: 0 sequence number u64, 8 action u8 (see [`L3Action`]),
/// 9 reserved (7), 16 the order: as it is now, or as it last was.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct L3Event {
    sequence: U64,
    action: u8,
    reserved: [u8; 7],
    order: OrderRecord,
}

/// A trade, or what a market may do or would come to, 64 bytes. By offset: 0 sequence number u64,
/// 8 news u8 (1 trade, 2 status, 3 indicative price), 9 taker's side u8, 10 flags u8 (bit 0: in an
/// auction), 11 status u8, 12 reserved u32, 16 price u64, 24 order id of the maker u64, 32 lots u128,
/// 48 surplus i128. What a kind of news does not use is zero; an indicative price of 0: nothing would
/// trade.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct TradeEvent {
    sequence: U64,
    news: u8,
    side: u8,
    flags: u8,
    status: u8,
    reserved: U32,
    price: U64,
    maker: U64,
    quantity: U128,
    surplus: I128,
}

/// A report to an account, 80 bytes. By offset: 0 kind u8 (5 execution, 12 other, as the messages
/// `Fills` and `Ended`), 1 reserved (7), 8 the report as it is there, zeros behind it (72).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct AccountEvent {
    kind: u8,
    reserved: [u8; 7],
    report: [u8; 72],
}

const _: () = assert!(size_of::<BestRecord>() == 24 && size_of::<L1Event>() == 32);
const _: () = assert!(size_of::<LevelRecord>() == 24 && size_of::<L2Event>() == 32);
const _: () = assert!(size_of::<OrderRecord>() == 32 && size_of::<L3Event>() == 48);
const _: () = assert!(size_of::<TradeEvent>() == 64 && size_of::<AccountEvent>() == 80);

impl BestRecord {
    /// The best of a side; `None`: nobody waits there.
    pub fn new(side: Side, best: Option<(Ticks, BaseLots)>) -> Self {
        let (price, quantity) = best.unwrap_or((Ticks::ZERO, BaseLots::ZERO));
        Self {
            price: U64::new(price.get()),
            quantity: U64::new(quantity.get()),
            side: side as u8,
            reserved: [0; 7],
        }
    }

    /// Which side.
    pub const fn side(&self) -> Side {
        decoded(self.side)
    }

    /// Price and what is shown at it; `None`: nobody waits.
    pub const fn best(&self) -> Option<(Ticks, BaseLots)> {
        match self.quantity.get() {
            0 => None,
            quantity => Some((Ticks::new(self.price.get()), BaseLots::new(quantity))),
        }
    }

    pub(super) fn is_well_formed(&self) -> bool {
        let is_one = (self.quantity == 0) == (self.price == 0);
        is_one && side(self.side).is_some() && self.reserved == [0; 7]
    }
}

impl LevelRecord {
    /// A level; no orders: it is gone.
    pub const fn new(side: Side, price: Ticks, quantity: BaseLots, orders: u32) -> Self {
        Self {
            price: U64::new(price.get()),
            quantity: U64::new(quantity.get()),
            orders: U32::new(orders),
            side: side as u8,
            reserved: [0; 3],
        }
    }

    /// Which side.
    pub const fn side(&self) -> Side {
        decoded(self.side)
    }

    /// At which price.
    pub const fn price(&self) -> Ticks {
        Ticks::new(self.price.get())
    }

    /// What is shown there.
    pub const fn quantity(&self) -> BaseLots {
        BaseLots::new(self.quantity.get())
    }

    /// By so many orders; none: the level is gone.
    pub const fn orders(&self) -> u32 {
        self.orders.get()
    }

    pub(super) fn is_well_formed(&self) -> bool {
        let is_one = (self.quantity == 0) == (self.orders == 0);
        is_one && self.price != 0 && side(self.side).is_some() && self.reserved == [0; 3]
    }
}

impl OrderRecord {
    /// An order as it shows itself.
    pub const fn new(order_id: OrderId, side: Side, price: Ticks, shown: BaseLots) -> Self {
        Self {
            order_id: U64::new(order_id.get()),
            price: U64::new(price.get()),
            shown: U64::new(shown.get()),
            side: side as u8,
            reserved: [0; 7],
        }
    }

    /// Which order.
    pub const fn order_id(&self) -> OrderId {
        OrderId::new(self.order_id.get())
    }

    /// Which side.
    pub const fn side(&self) -> Side {
        decoded(self.side)
    }

    /// At which price.
    pub const fn price(&self) -> Ticks {
        Ticks::new(self.price.get())
    }

    /// What it shows.
    pub const fn shown(&self) -> BaseLots {
        BaseLots::new(self.shown.get())
    }

    pub(super) fn is_well_formed(&self) -> bool {
        let shows = self.shown != 0 && self.price != 0;
        shows && side(self.side).is_some() && self.reserved == [0; 7]
    }
}

impl L1Event {
    /// The best of a side is this now.
    pub const fn new(sequence: SequenceNumber, best: BestRecord) -> Self {
        Self {
            sequence: U64::new(sequence.get()),
            best,
        }
    }

    /// The command or tick that did it.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// The best as it is now.
    pub const fn best(&self) -> &BestRecord {
        &self.best
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.best.is_well_formed()
    }
}

impl L2Event {
    /// A level is this now.
    pub const fn new(sequence: SequenceNumber, level: LevelRecord) -> Self {
        Self {
            sequence: U64::new(sequence.get()),
            level,
        }
    }

    /// The command or tick that did it.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// The level as it is now.
    pub const fn level(&self) -> &LevelRecord {
        &self.level
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.level.is_well_formed()
    }
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum L3Action {
    /// It shows itself, behind all others at its price.
    Added = 1,
    /// It shows less, as given, and keeps its place.
    Shrunk = 2,
    /// It is gone; it is given as it last was.
    Removed = 3,
}

impl L3Action {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Added),
            2 => Some(Self::Shrunk),
            3 => Some(Self::Removed),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Shrunk => "shrunk",
            Self::Removed => "removed",
        }
    }
}

impl L3Event {
    /// This happened to an order.
    pub const fn new(sequence: SequenceNumber, action: L3Action, order: OrderRecord) -> Self {
        Self {
            sequence: U64::new(sequence.get()),
            action: action as u8,
            reserved: [0; 7],
            order,
        }
    }

    /// The command or tick that did it.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// What happened.
    pub fn action(&self) -> L3Action {
        L3Action::from_code(self.action).expect("checked when it was read")
    }

    /// To which order.
    pub const fn order(&self) -> &OrderRecord {
        &self.order
    }

    pub(super) fn is_well_formed(&self) -> bool {
        let action = L3Action::from_code(self.action).is_some();
        action && self.reserved == [0; 7] && self.order.is_well_formed()
    }
}

/// What the channel `trades` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeNews {
    /// A trade.
    Trade {
        /// The resting order; in an auction the one with the lower id.
        maker: OrderId,
        /// Which side the other one was on.
        taker_side: Side,
        /// The price.
        price: Ticks,
        /// How much.
        quantity: BaseLots,
        /// Whether it happened in an auction.
        in_auction: bool,
    },
    /// The market has another status, by its operator or, after a restart, with the whole exchange:
    /// what may happen from here on.
    Status(MarketStatus),
    /// What an auction would come to: price, lots that would trade, and lots left over (of bids, or,
    /// negative, of asks); `None`: nothing would trade.
    Indicative(Option<(Ticks, u128, i128)>),
}

const TRADE: u8 = 1;
const STATUS: u8 = 2;
const INDICATIVE: u8 = 3;
const FLAG_AUCTION: u8 = 1;

impl TradeEvent {
    /// News of this command or tick.
    pub fn new(sequence: SequenceNumber, news: &TradeNews) -> Self {
        let empty = Self {
            sequence: U64::new(sequence.get()),
            ..Self::new_zeroed()
        };
        match *news {
            TradeNews::Trade {
                maker,
                taker_side,
                price,
                quantity,
                in_auction,
            } => Self {
                news: TRADE,
                side: taker_side as u8,
                flags: if in_auction { FLAG_AUCTION } else { 0 },
                price: U64::new(price.get()),
                maker: U64::new(maker.get()),
                quantity: U128::new(u128::from(quantity.get())),
                ..empty
            },
            TradeNews::Status(status) => Self {
                news: STATUS,
                status: status as u8,
                ..empty
            },
            TradeNews::Indicative(price) => {
                let (price, quantity, surplus) = price.unwrap_or((Ticks::ZERO, 0, 0));
                Self {
                    news: INDICATIVE,
                    price: U64::new(price.get()),
                    quantity: U128::new(quantity),
                    surplus: I128::new(surplus),
                    ..empty
                }
            }
        }
    }

    /// The command or tick that did it.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// What happened.
    pub fn news(&self) -> TradeNews {
        self.decode().expect("checked when it was read")
    }

    fn decode(&self) -> Option<TradeNews> {
        match self.news {
            TRADE => Some(TradeNews::Trade {
                maker: OrderId::new(self.maker.get()),
                taker_side: side(self.side)?,
                price: Ticks::new(self.price.get()),
                quantity: BaseLots::new(u64::try_from(self.quantity.get()).ok()?),
                in_auction: self.flags == FLAG_AUCTION,
            }),
            STATUS => MarketStatus::from_code(self.status).map(TradeNews::Status),
            INDICATIVE => {
                let price = Ticks::new(self.price.get());
                let found = (price, self.quantity.get(), self.surplus.get());
                Some(TradeNews::Indicative(
                    (price != Ticks::ZERO).then_some(found),
                ))
            }
            _ => None,
        }
    }

    /// Every meaning has one encoding.
    pub(super) fn is_well_formed(&self) -> bool {
        let news = self.decode();
        news.is_some_and(|news| Self::new(self.sequence(), &news) == *self)
    }
}

/// What an account is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountReport {
    /// An execution of one of its orders.
    Fill(FillReport),
    /// What else happened to one of its open orders.
    Ended(EndedReport),
}

const FILL: u8 = 5;
const ENDED: u8 = 12;
const ENDED_LENGTH: usize = size_of::<EndedReport>();

impl From<&FillReport> for AccountEvent {
    fn from(report: &FillReport) -> Self {
        Self {
            kind: FILL,
            reserved: [0; 7],
            report: zerocopy::transmute!(*report),
        }
    }
}

impl From<&EndedReport> for AccountEvent {
    fn from(report: &EndedReport) -> Self {
        let mut bytes = [0; 72];
        bytes[..ENDED_LENGTH].copy_from_slice(report.as_bytes());
        Self {
            kind: ENDED,
            reserved: [0; 7],
            report: bytes,
        }
    }
}

impl AccountEvent {
    /// What it says.
    pub fn report(&self) -> AccountReport {
        self.decode().expect("checked when it was read")
    }

    /// The command or tick that did it.
    pub fn sequence(&self) -> SequenceNumber {
        match self.report() {
            AccountReport::Fill(report) => report.sequence(),
            AccountReport::Ended(report) => report.sequence(),
        }
    }

    fn decode(&self) -> Option<AccountReport> {
        let (ended, rest) = self.report.split_at(ENDED_LENGTH);
        match self.kind {
            FILL => {
                let report: FillReport = zerocopy::transmute!(self.report);
                report
                    .is_well_formed()
                    .then_some(AccountReport::Fill(report))
            }
            ENDED if rest.iter().all(|byte| *byte == 0) => {
                let report = EndedReport::read_from_bytes(ended).ok()?;
                let is_good = report.is_well_formed();
                is_good.then_some(AccountReport::Ended(report))
            }
            _ => None,
        }
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.reserved == [0; 7] && self.decode().is_some()
    }
}

/// Only for records that were checked.
const fn decoded(code: u8) -> Side {
    if code == Side::Bid as u8 {
        Side::Bid
    } else {
        Side::Ask
    }
}
