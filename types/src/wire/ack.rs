//! `Ack` answers a frame once it is durable; `Fills` reports executions of the account's orders,
//! as taker and as maker, in sequence order. A taker's fills come before the ack of its command.

use zerocopy::little_endian::{I128, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Kind, Prefix, read_list, write_list};
use crate::limits::MESSAGE_LENGTH_MAX;
use crate::outcome::{Fill, Receipt};
use crate::{
    BaseLots, ClientOrderId, MarketId, Nonce, OrderId, RejectReason, SequenceNumber, Side, Ticks,
};

/// When a frame passed each stage: the first in nanoseconds since the Unix epoch, the others in
/// nanoseconds after it (at most `u32::MAX`, 4.29 s).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// The frame was complete at the gateway.
    pub received_at: u64,
    /// It got its sequence numbers.
    pub sequenced: u32,
    /// It was executed.
    pub executed: u32,
    /// Its journal record was synced.
    pub durable: u32,
    /// This answer was handed to the connection.
    pub sent: u32,
}

/// By offset: 0 prefix (count: outcomes), 8 nonce u64, 16 first sequence u64, 24 received at u64,
/// 32 sequenced u32, 36 executed u32, 40 durable u32, 44 sent u32, 48 flags u8 (bit 0: this
/// repeats the answer to a frame executed before), 49 reserved u8, 50 reason u16 (not 0: the whole
/// frame was refused, there are no outcomes), 52 reserved u32; then the outcomes, 16 bytes each.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    prefix: Prefix,
    nonce: U64,
    first_sequence: U64,
    received_at: U64,
    sequenced: U32,
    executed: U32,
    durable: U32,
    sent: U32,
    flags: u8,
    reserved: u8,
    reason: U16,
    reserved_2: U32,
}

const FLAG_REPEATED: u8 = 1;

/// One command's outcome. By offset: 0 reason u16 (0: accepted), 2 reserved u16, 4 affected u32,
/// 8 lots u64; see [`Receipt`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct CommandOutcome {
    reason: U16,
    reserved: U16,
    affected: U32,
    lots: U64,
}

const _: () = assert!(size_of::<Head>() == 56);
const _: () = assert!(size_of::<CommandOutcome>() == 16);

impl CommandOutcome {
    /// Why the command was rejected, or `None` if it was accepted.
    pub const fn reject_reason(&self) -> Option<RejectReason> {
        RejectReason::from_code(self.reason.get())
    }

    /// Fills of the order of a place or replace, orders cancelled, or levels of a quote set.
    pub const fn affected(&self) -> u32 {
        self.affected.get()
    }

    /// Lots filled at once, or cancelled.
    pub const fn lots(&self) -> BaseLots {
        BaseLots::new(self.lots.get())
    }
}

impl From<&Receipt> for CommandOutcome {
    fn from(receipt: &Receipt) -> Self {
        Self {
            reason: U16::new(receipt.reject_reason().map_or(0, RejectReason::code)),
            reserved: U16::ZERO,
            affected: U32::new(receipt.affected()),
            lots: U64::new(receipt.lots().get()),
        }
    }
}

/// An answer to one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The frame's nonce.
    pub nonce: Nonce,
    /// The sequence number of its first command; of the first execution if this is a repeat.
    pub first_sequence: SequenceNumber,
    /// When it passed each stage.
    pub times: StageTimes,
    /// Whether this repeats the answer to a frame executed before.
    pub repeated: bool,
    /// Why the frame was refused as a whole.
    pub refused: Option<RejectReason>,
    /// One per command; none if refused.
    pub outcomes: &'a [CommandOutcome],
}

impl<'a> Ack<'a> {
    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_list(out, Kind::Ack, self.outcomes, |prefix| Head {
            prefix,
            nonce: U64::new(self.nonce.get()),
            first_sequence: U64::new(self.first_sequence.get()),
            received_at: U64::new(self.times.received_at),
            sequenced: U32::new(self.times.sequenced),
            executed: U32::new(self.times.executed),
            durable: U32::new(self.times.durable),
            sent: U32::new(self.times.sent),
            flags: if self.repeated { FLAG_REPEATED } else { 0 },
            reserved: 0,
            reason: U16::new(self.refused.map_or(0, RejectReason::code)),
            reserved_2: U32::ZERO,
        });
    }

    /// Reads one whole message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RejectReason> {
        let (head, outcomes): (Head, &[CommandOutcome]) = read_list(bytes, Kind::Ack)?;
        let refused = match head.reason.get() {
            0 => None,
            code => Some(RejectReason::from_code(code).ok_or(RejectReason::Malformed)?),
        };
        let legal = |outcome: &CommandOutcome| {
            outcome.reserved.get() == 0
                && (outcome.reason.get() == 0 || outcome.reject_reason().is_some())
        };
        let well_formed = head.flags & !FLAG_REPEATED == 0
            && head.reserved == 0
            && head.reserved_2.get() == 0
            && (refused.is_none() || outcomes.is_empty())
            && outcomes.iter().all(legal);
        if !well_formed {
            return Err(RejectReason::Malformed);
        }
        Ok(Self {
            nonce: Nonce::new(head.nonce.get()),
            first_sequence: SequenceNumber::new(head.first_sequence.get()),
            times: StageTimes {
                received_at: head.received_at.get(),
                sequenced: head.sequenced.get(),
                executed: head.executed.get(),
                durable: head.durable.get(),
                sent: head.sent.get(),
            },
            repeated: head.flags & FLAG_REPEATED != 0,
            refused,
            outcomes,
        })
    }
}

/// The resting or the incoming side of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// The order was resting.
    Maker = 0,
    /// The order came in.
    Taker = 1,
}

impl Role {
    /// `maker` or `taker`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }
}

/// One execution of one of the account's orders, 72 bytes. By offset: 0 role u8 (0 maker, 1
/// taker), 1 side u8 (of this order), 2 market u16, 4 flags u8 (bit 0: in an auction), 5 reserved
/// (3), 8 sequence u64 (of the taker's command, or the one that ended the auction), 16 order id u64,
/// 24 client order id u64, 32 price u64, 40 quantity u64, 48 remaining u64 (of a maker's order and,
/// in an auction, of a taker's; else 0), 56 fee i128 (atoms of the asset received; negative: a
/// rebate in the asset that the taker received).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct FillReport {
    role: u8,
    side: u8,
    market: U16,
    flags: u8,
    reserved: [u8; 3],
    sequence: U64,
    order_id: U64,
    client_order_id: U64,
    price: U64,
    quantity: U64,
    remaining: U64,
    fee: I128,
}

const _: () = assert!(size_of::<FillReport>() == 72);

/// What of a taker's order rests is known in an auction only: elsewhere it may yet come to rest.
const FLAG_AUCTION: u8 = 1;

impl FillReport {
    /// How many fit one message.
    pub const PER_MESSAGE_MAX: usize =
        (MESSAGE_LENGTH_MAX - size_of::<Prefix>()) / size_of::<Self>();

    /// A trade as one of its parties sees it.
    pub fn new(fill: &Fill, role: Role) -> Self {
        let (party, side, remaining, fee) = match role {
            Role::Maker => (
                &fill.maker,
                fill.taker_side.opposite(),
                fill.maker_remaining.get(),
                fill.maker_fee,
            ),
            Role::Taker => {
                let fee = i128::try_from(fill.taker_fee.get());
                let fee = fee.expect("amounts stay below 2^95");
                let remaining = fill.auction.map_or(0, |taker| taker.remaining.get());
                (&fill.taker, fill.taker_side, remaining, fee)
            }
        };
        Self {
            role: role as u8,
            side: side as u8,
            market: U16::new(fill.market.get()),
            flags: if fill.auction.is_some() {
                FLAG_AUCTION
            } else {
                0
            },
            reserved: [0; 3],
            sequence: U64::new(fill.sequence.get()),
            order_id: U64::new(party.order_id.get()),
            client_order_id: U64::new(party.client_order_id.get()),
            price: U64::new(fill.price.get()),
            quantity: U64::new(fill.quantity.get()),
            remaining: U64::new(remaining),
            fee: I128::new(fee),
        }
    }

    /// Appends one or more messages with these reports to `out`; none for no reports.
    pub fn encode(reports: &[Self], out: &mut Vec<u8>) {
        for chunk in reports.chunks(Self::PER_MESSAGE_MAX) {
            write_list(out, Kind::Fills, chunk, |prefix| prefix);
        }
    }

    /// Reads one whole message. There is none without reports.
    pub fn parse_all(bytes: &[u8]) -> Result<&[Self], RejectReason> {
        let (_, reports): (Prefix, &[Self]) = read_list(bytes, Kind::Fills)?;
        if !reports.is_empty() && reports.iter().all(Self::is_well_formed) {
            Ok(reports)
        } else {
            Err(RejectReason::Malformed)
        }
    }

    /// Maker or taker.
    pub const fn role(&self) -> Role {
        if self.role == Role::Maker as u8 {
            Role::Maker
        } else {
            Role::Taker
        }
    }

    /// The side of this order.
    pub const fn side(&self) -> Side {
        if self.side == Side::Bid as u8 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Where.
    pub const fn market(&self) -> MarketId {
        MarketId::new(self.market.get())
    }

    /// Whether both orders rested, and met when an auction ended.
    pub const fn in_auction(&self) -> bool {
        self.flags & FLAG_AUCTION != 0
    }

    /// The taker's command, or the one that ended the auction.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// This order.
    pub const fn order_id(&self) -> OrderId {
        OrderId::new(self.order_id.get())
    }

    /// This order's label.
    pub const fn client_order_id(&self) -> ClientOrderId {
        ClientOrderId::new(self.client_order_id.get())
    }

    /// The maker's price, or the auction's.
    pub const fn price(&self) -> Ticks {
        Ticks::new(self.price.get())
    }

    /// How much.
    pub const fn quantity(&self) -> BaseLots {
        BaseLots::new(self.quantity.get())
    }

    /// What of the order still rests, if it is a maker's or this happened in an auction; else zero.
    pub const fn remaining(&self) -> BaseLots {
        BaseLots::new(self.remaining.get())
    }

    /// Fee in atoms of the asset received; negative: a rebate.
    pub const fn fee(&self) -> i128 {
        self.fee.get()
    }

    pub(crate) fn is_well_formed(&self) -> bool {
        let knows_remaining = self.role() == Role::Maker || self.in_auction();
        self.role <= 1
            && self.side <= 1
            && self.flags <= FLAG_AUCTION
            && self.reserved == [0; 3]
            && (knows_remaining || self.remaining == 0)
    }
}
