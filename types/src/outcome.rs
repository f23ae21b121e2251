//! What executing a block yields: a verdict per frame, a receipt per command, and events.
//!
//! Receipts and events are fixed little-endian records, so that their canonical encoding is their
//! memory and the outcome hash costs one pass over a few slices. [`Event`] is the typed view.
//! Events alone explain every change of a balance or a book: a follower that applies them to its
//! own copy arrives at the same state (tested in `engine`).

use zerocopy::little_endian::{I128, U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Height, KeyId, MarketId, Nonce, OrderId,
    RejectReason, SequenceNumber, Side, Ticks,
};

/// A 32-byte BLAKE3 hash.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What precedes the first link of every hash chain.
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps the bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        crate::decimal::bytes_from_hex(text).map(Self)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// What the engine decided about one signed frame as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameVerdict {
    /// Its commands were executed; each has a receipt of its own.
    Executed,
    /// The same bytes were executed before; nothing happened, the first answer holds.
    Repeated {
        /// The sequence number that the frame's first command had then.
        first_sequence: SequenceNumber,
    },
    /// Refused as a whole; nothing happened.
    Refused(RejectReason),
}

/// One signed frame's place in the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameReceipt {
    /// The account that signed.
    pub account: AccountId,
    /// The key that signed.
    pub key: KeyId,
    /// The frame's nonce.
    pub nonce: Nonce,
    /// Position of the frame's first command; the others follow it.
    pub first_sequence: SequenceNumber,
    /// Number of commands.
    pub count: u16,
    /// What was decided.
    pub verdict: FrameVerdict,
}

impl FrameReceipt {
    /// Canonical bytes, for hashing: fields in order, little-endian; verdict as
    /// (kind, reason, first sequence).
    pub fn canonical(&self) -> [u8; 40] {
        let (kind, reason, first) = match self.verdict {
            FrameVerdict::Executed => (0u8, 0, 0),
            FrameVerdict::Repeated { first_sequence } => (1, 0, first_sequence.get()),
            FrameVerdict::Refused(reason) => (2, reason.code(), 0),
        };
        let mut bytes = [0; 40];
        bytes[0..4].copy_from_slice(&self.account.get().to_le_bytes());
        bytes[4..8].copy_from_slice(&self.key.get().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.nonce.get().to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.get().to_le_bytes());
        bytes[24..26].copy_from_slice(&self.count.to_le_bytes());
        bytes[26] = kind;
        bytes[28..30].copy_from_slice(&reason.to_le_bytes());
        bytes[32..40].copy_from_slice(&first.to_le_bytes());
        bytes
    }
}

/// The result of one executed command, 24 bytes: sequence u64, reason u16 (0: accepted), two zero
/// bytes, affected u32, lots u64.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Receipt {
    sequence: U64,
    reason: U16,
    reserved: U16,
    affected: U32,
    lots: U64,
}

impl Receipt {
    /// An accepted command. `affected`: fills of a placed order, or orders cancelled; `lots`: what
    /// of the placed order filled at once, or what was cancelled (0 for more than one order).
    pub const fn accepted(sequence: SequenceNumber, affected: u32, lots: BaseLots) -> Self {
        Self {
            sequence: U64::new(sequence.get()),
            reason: U16::ZERO,
            reserved: U16::ZERO,
            affected: U32::new(affected),
            lots: U64::new(lots.get()),
        }
    }

    /// A rejected command.
    pub const fn rejected(sequence: SequenceNumber, reason: RejectReason) -> Self {
        Self {
            sequence: U64::new(sequence.get()),
            reason: U16::new(reason.code()),
            reserved: U16::ZERO,
            affected: U32::ZERO,
            lots: U64::ZERO,
        }
    }

    /// The command's position.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// Why it was rejected, or `None` if it was accepted.
    pub const fn reject_reason(&self) -> Option<RejectReason> {
        RejectReason::from_code(self.reason.get())
    }

    /// Fills of a placed order, or orders cancelled.
    pub const fn affected(&self) -> u32 {
        self.affected.get()
    }

    /// Lots filled at once, or cancelled.
    pub const fn lots(&self) -> BaseLots {
        BaseLots::new(self.lots.get())
    }
}

/// Why an order ended before all of it filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DoneReason {
    /// Its owner cancelled it.
    Cancelled = 1,
    /// Immediate-or-cancel: this much did not fill at once.
    Unfilled = 2,
    /// The command had caused as many fills as one may.
    FillLimit = 3,
}

impl DoneReason {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Cancelled),
            2 => Some(Self::Unfilled),
            3 => Some(Self::FillLimit),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Unfilled => "unfilled",
            Self::FillLimit => "fill_limit",
        }
    }
}

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A trade: a taker met a resting order.
    Fill(Fill),
    /// An order came to rest.
    Rested(Rested),
    /// An order ended before all of it filled. (An order that fills completely needs no event of
    /// its own: its last fill says so.)
    Done(Done),
    /// Funds moved between accounts.
    Transferred(Transferred),
}

/// One side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Who.
    pub account: AccountId,
    /// With which order.
    pub order_id: OrderId,
    /// The owner's label of that order.
    pub client_order_id: ClientOrderId,
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The taker's command.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// Which side the taker was on.
    pub taker_side: Side,
    /// The maker's price.
    pub price: Ticks,
    /// How much.
    pub quantity: BaseLots,
    /// The resting side.
    pub maker: Party,
    /// The incoming side.
    pub taker: Party,
    /// What of the maker's order still rests.
    pub maker_remaining: BaseLots,
    /// Charged to the maker in the asset that the maker receives (0 or more), or, negative, a
    /// rebate in the asset that the taker receives.
    pub maker_fee: i128,
    /// Charged to the taker in the asset that the taker receives.
    pub taker_fee: Atoms,
}

/// An order that came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rested {
    /// The command that placed it.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// At which price.
    pub price: Ticks,
    /// How much rests.
    pub quantity: BaseLots,
    /// Whose.
    pub owner: Party,
}

/// An order that ended before all of it filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The command that ended it.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// Why.
    pub reason: DoneReason,
    /// Its price.
    pub price: Ticks,
    /// What of it did not fill.
    pub remaining: BaseLots,
    /// Whose.
    pub owner: Party,
    /// Whether it had come to rest, so that this ends a hold and leaves the book.
    pub rested: bool,
}

/// Funds moved between accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// The command.
    pub sequence: SequenceNumber,
    /// Who paid.
    pub from: AccountId,
    /// Who received.
    pub to: AccountId,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
}

/// The canonical 112 bytes of one [`Event`], little-endian. Fields that a kind does not have are
/// zero.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct EventRecord {
    kind: u8,
    side: u8,
    reason: u8,
    rested: u8,
    market: U16,
    asset: U16,
    sequence: U64,
    price: U64,
    quantity: U64,
    order_id: U64,
    taker_order_id: U64,
    account: U32,
    taker_account: U32,
    client_order_id: U64,
    taker_client_order_id: U64,
    remaining: U64,
    maker_fee: I128,
    amount: U128,
}

const _: () = assert!(size_of::<EventRecord>() == 112);
const _: () = assert!(size_of::<Receipt>() == 24);

const KIND_FILL: u8 = 1;
const KIND_RESTED: u8 = 2;
const KIND_DONE: u8 = 3;
const KIND_TRANSFERRED: u8 = 4;

impl EventRecord {
    const EMPTY: Self = Self {
        kind: 0,
        side: 0,
        reason: 0,
        rested: 0,
        market: U16::ZERO,
        asset: U16::ZERO,
        sequence: U64::ZERO,
        price: U64::ZERO,
        quantity: U64::ZERO,
        order_id: U64::ZERO,
        taker_order_id: U64::ZERO,
        account: U32::ZERO,
        taker_account: U32::ZERO,
        client_order_id: U64::ZERO,
        taker_client_order_id: U64::ZERO,
        remaining: U64::ZERO,
        maker_fee: I128::ZERO,
        amount: U128::ZERO,
    };

    /// The typed view. Panics on bytes that no [`Event`] encodes to: records are made from events
    /// only, and never read from strangers.
    pub fn event(&self) -> Event {
        match self.kind {
            KIND_FILL => Event::Fill(Fill {
                sequence: SequenceNumber::new(self.sequence.get()),
                market: MarketId::new(self.market.get()),
                taker_side: self.side(),
                price: Ticks::new(self.price.get()),
                quantity: BaseLots::new(self.quantity.get()),
                maker: self.owner(),
                taker: Party {
                    account: AccountId::new(self.taker_account.get()),
                    order_id: OrderId::new(self.taker_order_id.get()),
                    client_order_id: ClientOrderId::new(self.taker_client_order_id.get()),
                },
                maker_remaining: BaseLots::new(self.remaining.get()),
                maker_fee: self.maker_fee.get(),
                taker_fee: Atoms::new(self.amount.get()),
            }),
            KIND_RESTED => Event::Rested(Rested {
                sequence: SequenceNumber::new(self.sequence.get()),
                market: MarketId::new(self.market.get()),
                side: self.side(),
                price: Ticks::new(self.price.get()),
                quantity: BaseLots::new(self.quantity.get()),
                owner: self.owner(),
            }),
            KIND_DONE => Event::Done(Done {
                sequence: SequenceNumber::new(self.sequence.get()),
                market: MarketId::new(self.market.get()),
                side: self.side(),
                reason: DoneReason::from_code(self.reason).expect("records are made from events"),
                price: Ticks::new(self.price.get()),
                remaining: BaseLots::new(self.remaining.get()),
                owner: self.owner(),
                rested: self.rested != 0,
            }),
            KIND_TRANSFERRED => Event::Transferred(Transferred {
                sequence: SequenceNumber::new(self.sequence.get()),
                from: AccountId::new(self.account.get()),
                to: AccountId::new(self.taker_account.get()),
                asset: AssetId::new(self.asset.get()),
                amount: Atoms::new(self.amount.get()),
            }),
            kind => unreachable!("event record of kind {kind}: records are made from events"),
        }
    }

    fn side(&self) -> Side {
        if self.side == Side::Bid as u8 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    fn owner(&self) -> Party {
        Party {
            account: AccountId::new(self.account.get()),
            order_id: OrderId::new(self.order_id.get()),
            client_order_id: ClientOrderId::new(self.client_order_id.get()),
        }
    }

    fn with_owner(self, owner: &Party) -> Self {
        Self {
            order_id: U64::new(owner.order_id.get()),
            account: U32::new(owner.account.get()),
            client_order_id: U64::new(owner.client_order_id.get()),
            ..self
        }
    }
}

impl From<&Fill> for EventRecord {
    fn from(fill: &Fill) -> Self {
        Self {
            kind: KIND_FILL,
            side: fill.taker_side as u8,
            market: U16::new(fill.market.get()),
            sequence: U64::new(fill.sequence.get()),
            price: U64::new(fill.price.get()),
            quantity: U64::new(fill.quantity.get()),
            taker_order_id: U64::new(fill.taker.order_id.get()),
            taker_account: U32::new(fill.taker.account.get()),
            taker_client_order_id: U64::new(fill.taker.client_order_id.get()),
            remaining: U64::new(fill.maker_remaining.get()),
            maker_fee: I128::new(fill.maker_fee),
            amount: U128::new(fill.taker_fee.get()),
            ..Self::EMPTY
        }
        .with_owner(&fill.maker)
    }
}

impl From<&Rested> for EventRecord {
    fn from(rested: &Rested) -> Self {
        Self {
            kind: KIND_RESTED,
            side: rested.side as u8,
            market: U16::new(rested.market.get()),
            sequence: U64::new(rested.sequence.get()),
            price: U64::new(rested.price.get()),
            quantity: U64::new(rested.quantity.get()),
            ..Self::EMPTY
        }
        .with_owner(&rested.owner)
    }
}

impl From<&Done> for EventRecord {
    fn from(done: &Done) -> Self {
        Self {
            kind: KIND_DONE,
            side: done.side as u8,
            reason: done.reason as u8,
            rested: u8::from(done.rested),
            market: U16::new(done.market.get()),
            sequence: U64::new(done.sequence.get()),
            price: U64::new(done.price.get()),
            remaining: U64::new(done.remaining.get()),
            ..Self::EMPTY
        }
        .with_owner(&done.owner)
    }
}

impl From<&Transferred> for EventRecord {
    fn from(transferred: &Transferred) -> Self {
        Self {
            kind: KIND_TRANSFERRED,
            asset: U16::new(transferred.asset.get()),
            sequence: U64::new(transferred.sequence.get()),
            account: U32::new(transferred.from.get()),
            taker_account: U32::new(transferred.to.get()),
            amount: U128::new(transferred.amount.get()),
            ..Self::EMPTY
        }
    }
}

/// Everything that executing one block yielded. Buffers are reused: see [`BlockOutcome::clear`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockOutcome {
    /// Which block.
    pub height: Height,
    /// The last sequence number of the block.
    pub last_sequence: SequenceNumber,
    /// One per signed frame, in order.
    pub frames: Vec<FrameReceipt>,
    /// One per executed command, in order; none for refused or repeated frames.
    pub receipts: Vec<Receipt>,
    /// What happened, in order.
    pub events: Vec<EventRecord>,
    /// BLAKE3 over the previous outcome hash and everything above.
    pub hash: Digest,
}

impl BlockOutcome {
    /// Empties it for the block at `height`, keeping its buffers.
    pub fn clear(&mut self, height: Height) {
        self.height = height;
        self.last_sequence = SequenceNumber::ZERO;
        self.frames.clear();
        self.receipts.clear();
        self.events.clear();
        self.hash = Digest::ZERO;
    }

    /// The hash that seals this outcome after `previous`: BLAKE3 over previous hash, height and
    /// last sequence (u64 each), then per list its length (u64) and its canonical records.
    pub fn seal(&self, previous: Digest) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(previous.as_bytes());
        hasher.update(&self.height.get().to_le_bytes());
        hasher.update(&self.last_sequence.get().to_le_bytes());
        hasher.update(&(self.frames.len() as u64).to_le_bytes());
        for frame in &self.frames {
            hasher.update(&frame.canonical());
        }
        hasher.update(&(self.receipts.len() as u64).to_le_bytes());
        hasher.update(self.receipts.as_bytes());
        hasher.update(&(self.events.len() as u64).to_le_bytes());
        hasher.update(self.events.as_bytes());
        Digest::new(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(number: u32) -> Party {
        Party {
            account: AccountId::new(number),
            order_id: OrderId::new(u64::from(number) << 33),
            client_order_id: ClientOrderId::new(u64::MAX - u64::from(number)),
        }
    }

    #[test]
    fn every_event_survives_its_record() {
        let sequence = SequenceNumber::new(7);
        let market = MarketId::new(3);
        for side in Side::BOTH {
            let fill = Fill {
                sequence,
                market,
                taker_side: side,
                price: Ticks::new(11),
                quantity: BaseLots::new(12),
                maker: party(1),
                taker: party(2),
                maker_remaining: BaseLots::new(13),
                maker_fee: -14,
                taker_fee: Atoms::new(u128::MAX),
            };
            assert_eq!(EventRecord::from(&fill).event(), Event::Fill(fill));
            let rested = Rested {
                sequence,
                market,
                side,
                price: Ticks::new(15),
                quantity: BaseLots::new(16),
                owner: party(3),
            };
            assert_eq!(EventRecord::from(&rested).event(), Event::Rested(rested));
            for code in 1..4 {
                let done = Done {
                    sequence,
                    market,
                    side,
                    reason: DoneReason::from_code(code).unwrap(),
                    price: Ticks::new(17),
                    remaining: BaseLots::new(18),
                    owner: party(4),
                    rested: code % 2 == 0,
                };
                assert_eq!(EventRecord::from(&done).event(), Event::Done(done));
            }
        }
        let transferred = Transferred {
            sequence,
            from: AccountId::new(5),
            to: AccountId::new(6),
            asset: AssetId::new(7),
            amount: Atoms::new(8),
        };
        assert_eq!(
            EventRecord::from(&transferred).event(),
            Event::Transferred(transferred)
        );
    }

    #[test]
    fn the_seal_covers_every_list() {
        let mut outcome = BlockOutcome::default();
        let empty = outcome.seal(Digest::ZERO);
        outcome.receipts.push(Receipt::rejected(
            SequenceNumber::new(1),
            RejectReason::Busy,
        ));
        let with_receipt = outcome.seal(Digest::ZERO);
        outcome.height = Height::new(1);
        let with_height = outcome.seal(Digest::ZERO);
        let chained = outcome.seal(with_receipt);
        let all = [empty, with_receipt, with_height, chained];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }
}
