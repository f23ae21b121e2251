//! What executing a block yields: a verdict per frame, a receipt per command, and events.
//!
//! Receipts and events are fixed little-endian records, so that their canonical encoding is their
//! memory and the outcome hash costs one pass over a few slices. [`Event`] is the typed view.
//! Events alone explain every change of a balance or a book: a follower that applies them to its
//! own copy arrives at the same state (tested in `engine`).

mod record;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::auth::PublicKey;
use crate::command::{MarketStatus, Resting, Trigger};
use crate::genesis::OwnerAddress;
use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, GroupId, Height, KeyEpoch, KeyId, MarketId,
    Nonce, OrderId, RejectReason, SequenceNumber, Side, Ticks,
};
pub use record::EventRecord;

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

const _: () = assert!(size_of::<Receipt>() == 24);

impl Receipt {
    /// An accepted command. `affected`: fills of the order of a place or replace, orders cancelled,
    /// levels of a quote set, or fills of an auction that a status ended; `lots`: what of the order
    /// filled at once, what was cancelled (0 where there is more than one order), or what traded in
    /// the auction.
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

    /// Fills of the order of a place or replace, orders cancelled, levels of a quote set, or fills of
    /// an auction.
    pub const fn affected(&self) -> u32 {
        self.affected.get()
    }

    /// Lots filled at once, or cancelled.
    pub const fn lots(&self) -> BaseLots {
        BaseLots::new(self.lots.get())
    }
}

/// Why an order ended, or shrank, before all of it filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DoneReason {
    /// Its owner cancelled it.
    Cancelled = 1,
    /// Immediate-or-cancel: this much did not fill at once.
    Unfilled = 2,
    /// The command had caused as many fills as one may.
    FillLimit = 3,
    /// Logged time reached its expiry.
    Expired = 4,
    /// It met an order of its own group.
    SelfTrade = 5,
    /// Its owner replaced it: it enters again, under its id, in the same command.
    Replaced = 6,
    /// The owner's market-maker protection tripped.
    Protection = 7,
    /// Nobody was there any more who was to be: no packet came for too long.
    Disconnected = 8,
    /// The timer of the key that placed it ran out, or that of its account.
    Timer = 9,
    /// The key that placed it has lost as much as it may.
    DailyLoss = 10,
    /// The key that placed it was revoked.
    KeyRevoked = 11,
    /// Its owner forced it from the chain.
    Forced = 12,
}

impl DoneReason {
    /// The reason with this number, if there is one. Zero is never a reason.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Cancelled),
            2 => Some(Self::Unfilled),
            3 => Some(Self::FillLimit),
            4 => Some(Self::Expired),
            5 => Some(Self::SelfTrade),
            6 => Some(Self::Replaced),
            7 => Some(Self::Protection),
            8 => Some(Self::Disconnected),
            9 => Some(Self::Timer),
            10 => Some(Self::DailyLoss),
            11 => Some(Self::KeyRevoked),
            12 => Some(Self::Forced),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Unfilled => "unfilled",
            Self::FillLimit => "fill_limit",
            Self::Expired => "expired",
            Self::SelfTrade => "self_trade",
            Self::Replaced => "replaced",
            Self::Protection => "protection",
            Self::Disconnected => "disconnected",
            Self::Timer => "timer",
            Self::DailyLoss => "daily_loss",
            Self::KeyRevoked => "key_revoked",
            Self::Forced => "forced",
        }
    }
}

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A trade: a taker met a resting order.
    Fill(Fill),
    /// An order came to rest: it is on the book, and its funds are held.
    Rested(Rested),
    /// An order waits for its trigger: it is not on the book, but its funds are held.
    Armed(Armed),
    /// The trigger of an armed order was reached: the hold ends and the order enters as a taker.
    Triggered(Triggered),
    /// An open order became smaller without a trade and kept its place.
    Reduced(Reduced),
    /// An order ended before all of it filled. (An order that fills completely needs no event of
    /// its own: its last fill says so.)
    Done(Done),
    /// Funds moved between accounts.
    Transferred(Transferred),
    /// A market has another status.
    StatusChanged(StatusChanged),
    /// What an auction would come to, as of now.
    Indicative(Indicative),
    /// A key may sign from here on, or no more.
    KeyChanged(KeyChanged),
    /// When the orders of a key are taken off because nobody is there.
    PolicySet(PolicySet),
    /// An account was opened.
    AccountOpened(AccountOpened),
    /// Funds came into the ledger.
    Deposited(Deposited),
    /// Funds left the ledger: the owner may claim them on the chain.
    Withdrawn(Withdrawn),
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

/// A trade. In an auction both orders rest; the one with the lower id is the maker, and `price` is
/// the auction's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The taker's command, or the one that ended an auction.
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
    /// Whether the maker is an iceberg whose shown part was used up: what is shown next stands at
    /// the end of its level.
    pub maker_refreshed: bool,
    /// What of the taker's order still rests, if this happened in an auction.
    pub auction: Option<RestingTaker>,
    /// Charged to the maker in the asset that the maker receives (0 or more), or, negative, a
    /// rebate in the asset that the taker receives.
    pub maker_fee: i128,
    /// Charged to the taker in the asset that the taker receives.
    pub taker_fee: Atoms,
}

/// The taker's order of a fill in an auction: it rested, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingTaker {
    /// What of it still rests.
    pub remaining: BaseLots,
    /// As with a maker: whether its shown part was used up.
    pub refreshed: bool,
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
    /// How it rests.
    pub resting: Resting,
    /// Whose.
    pub owner: Party,
}

/// An order that waits for its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The command that placed or replaced it.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// What it waits for.
    pub trigger: Trigger,
    /// How it rests once it has entered.
    pub resting: Resting,
    /// Its price once it enters.
    pub price: Ticks,
    /// Its size.
    pub quantity: BaseLots,
    /// Whose.
    pub owner: Party,
}

/// An order whose trigger was reached, or that of the stop beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// The command whose trade set it off.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// Its price as a taker, before any band moves it.
    pub price: Ticks,
    /// What it has left to fill.
    pub quantity: BaseLots,
    /// Whose.
    pub owner: Party,
}

/// An open order that became smaller without a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// The command that did it.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// [`DoneReason::Replaced`] or [`DoneReason::SelfTrade`].
    pub reason: DoneReason,
    /// Its price.
    pub price: Ticks,
    /// By how much.
    pub by: BaseLots,
    /// What of it is still open.
    pub remaining: BaseLots,
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
    /// Whether its funds were held, because it rested or was armed: then this ends the hold.
    pub held: bool,
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

/// A market's new status: of what its operator has set and what the exchange's phase allows, the
/// stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusChanged {
    /// The command, or the phase.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// What may happen from here on.
    pub status: MarketStatus,
}

/// What an auction would come to if it ended now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indicative {
    /// The tick.
    pub sequence: SequenceNumber,
    /// Where.
    pub market: MarketId,
    /// The price; `None`: nothing would trade.
    pub price: Option<Ticks>,
    /// How many lots would trade. A full book of the largest orders passes 64 bits.
    pub volume: u128,
    /// How many lots would be left over at that price: of bids, or, negative, of asks.
    pub surplus: i128,
}

/// A session key was registered, with whatever it may do, or revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChanged {
    /// The command.
    pub sequence: SequenceNumber,
    /// Whose key it is.
    pub account: AccountId,
    /// Its number.
    pub key: KeyId,
    /// Its epoch from here on.
    pub epoch: KeyEpoch,
    /// Its bytes.
    pub public: PublicKey,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// A key's session policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicySet {
    /// The command.
    pub sequence: SequenceNumber,
    /// Whose key it is.
    pub account: AccountId,
    /// Its number.
    pub key: KeyId,
    /// How long a silence may be, in nanoseconds; zero: for ever.
    pub silence_ns: u64,
}

/// An account was opened, with the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountOpened {
    /// The command.
    pub sequence: SequenceNumber,
    /// Its number.
    pub account: AccountId,
    /// Which group it trades in.
    pub group: GroupId,
    /// Who may withdraw from it.
    pub owner: OwnerAddress,
}

/// Funds came into the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// The command.
    pub sequence: SequenceNumber,
    /// Who has them now, free.
    pub account: AccountId,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
}

/// Funds left the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The command.
    pub sequence: SequenceNumber,
    /// Who had them, free.
    pub account: AccountId,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Atoms,
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

    /// Each frame with the receipts of its commands, in order.
    pub fn frames_with_receipts(&self) -> impl Iterator<Item = (&FrameReceipt, &[Receipt])> {
        let mut rest = self.receipts.as_slice();
        self.frames.iter().map(move |frame| {
            let count = match frame.verdict {
                FrameVerdict::Executed => usize::from(frame.count),
                FrameVerdict::Repeated { .. } | FrameVerdict::Refused(_) => 0,
            };
            let (receipts, after) = rest.split_at(count);
            rest = after;
            (frame, receipts)
        })
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
