//! The native protocol, byte by byte. `docs/PROTOCOL.md` says the same to strangers, with vectors.
//!
//! Every message starts with the same 8-byte [`Prefix`]; all integers are little-endian, all
//! layouts fixed, all reserved bytes zero. Decoding is total: any bytes give a checked value or a
//! [`RejectReason`], never a panic, and after it nobody sees raw bytes.
//!
//! | module | messages |
//! |---|---|
//! | [`session`] | `Hello`, `Welcome`, `Refused`: opening a session, refusing a frame |
//! | [`orders`] | `Orders`: 1..=256 signed commands |
//! | [`rolling`] | `RollingSignature`: one signature over the frames since the last one |
//! | [`command`] | the 32-byte slots within it |
//! | [`ack`] | `Ack`, `Fills`: answers and executions |
//! | [`ended`] | `Ended`: what else happened to the account's open orders |
//! | [`feed`] | `Subscribe`, `FeedEvents` and all else about feeds |
//! | [`query`] | `Query` and its replies |
//! | [`receipts`] | `Receipts`: when frames arrived and where they were sequenced, signed |
//! | [`action`] | `Action`: what traders have signed elsewhere, with its frame; in the journal only |
//! | [`payload`] | how a block's entries lie in a journal record |

pub mod ack;
pub mod action;
pub mod command;
pub mod ended;
pub mod feed;
pub mod orders;
pub mod payload;
pub mod query;
pub mod receipts;
pub mod rolling;
pub mod session;

use bytes::{Bytes, BytesMut};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::command::{Trigger, TriggerCondition};
use crate::limits::{MESSAGE_LENGTH_MAX, PROTOCOL_VERSION};
use crate::{RejectReason, Side, Ticks};

/// What a message is. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Client opens a session.
    Hello = 1,
    /// Server accepts it.
    Welcome = 2,
    /// Client sends signed commands.
    Orders = 3,
    /// Server answers a frame of commands.
    Ack = 4,
    /// Server reports executions of the account's orders.
    Fills = 5,
    /// Server refuses a message; nothing happened.
    Refused = 6,
    /// Client asks about released state.
    Query = 7,
    /// Server answers with balances.
    Balances = 8,
    /// Server answers with open orders.
    OpenOrders = 9,
    /// Server answers with assets and markets.
    Reference = 10,
    /// Server knows no frame of this nonce.
    UnknownNonce = 11,
    /// Server reports what happened to the account's open orders without a trade.
    Ended = 12,
    /// Server answers with what the markets are like.
    MarketStates = 13,
    /// Client wants to be told what happens.
    Subscribe = 16,
    /// Client does not want to any more.
    Unsubscribe = 17,
    /// Server says whether it will.
    Subscribed = 18,
    /// Server tells the events of a feed.
    FeedEvents = 19,
    /// Server shows a book at one position of its feed.
    FeedSnapshot = 20,
    /// Server says where a feed stands and what its book shows.
    FeedCheckpoint = 21,
    /// Server says that events are missing.
    FeedGap = 22,
    /// Client signs the frames since its last signature.
    RollingSignature = 24,
    /// Server signs when frames arrived and where they were sequenced.
    Receipts = 25,
    /// In the journal only: logged time moves.
    Tick = 64,
    /// In the journal only: no session of a key is heard any more.
    Silence = 66,
    /// In the journal only: the exchange opens, or is cancel-only.
    Phase = 67,
    /// In the journal only: a trader's action and the frame that it came to.
    Action = 68,
}

impl Kind {
    /// The kind with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Hello),
            2 => Some(Self::Welcome),
            3 => Some(Self::Orders),
            4 => Some(Self::Ack),
            5 => Some(Self::Fills),
            6 => Some(Self::Refused),
            7 => Some(Self::Query),
            8 => Some(Self::Balances),
            9 => Some(Self::OpenOrders),
            10 => Some(Self::Reference),
            11 => Some(Self::UnknownNonce),
            12 => Some(Self::Ended),
            13 => Some(Self::MarketStates),
            16 => Some(Self::Subscribe),
            17 => Some(Self::Unsubscribe),
            18 => Some(Self::Subscribed),
            19 => Some(Self::FeedEvents),
            20 => Some(Self::FeedSnapshot),
            21 => Some(Self::FeedCheckpoint),
            22 => Some(Self::FeedGap),
            24 => Some(Self::RollingSignature),
            25 => Some(Self::Receipts),
            64 => Some(Self::Tick),
            66 => Some(Self::Silence),
            67 => Some(Self::Phase),
            68 => Some(Self::Action),
            _ => None,
        }
    }
}

/// The first 8 bytes of every message: length u32 (of the whole message, these bytes included),
/// kind u8, version u8, count u16 (of what the kind repeats, else zero).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Prefix {
    length: U32,
    kind: u8,
    version: u8,
    count: U16,
}

/// Size of [`Prefix`].
pub const PREFIX_LENGTH: usize = 8;
const _: () = assert!(size_of::<Prefix>() == PREFIX_LENGTH);

impl Prefix {
    /// A prefix. Panics if the length is beyond the limit: encoders stay within it.
    pub fn new(length: usize, kind: Kind, count: u16) -> Self {
        assert!(
            length <= MESSAGE_LENGTH_MAX,
            "an encoder made an oversize message"
        );
        Self {
            length: U32::new(u32::try_from(length).expect("just compared")),
            kind: kind as u8,
            version: PROTOCOL_VERSION,
            count: U16::new(count),
        }
    }

    /// Reads a prefix and checks length, kind and version, in this order: a wrong length leaves no
    /// way to find the next message, so it is fatal for a stream.
    pub fn parse(bytes: [u8; PREFIX_LENGTH]) -> Result<(Self, Kind), RejectReason> {
        let prefix = Self::read_from_bytes(&bytes).map_err(|_| RejectReason::Malformed)?;
        if prefix.length() < PREFIX_LENGTH {
            return Err(RejectReason::Malformed);
        }
        if prefix.length() > MESSAGE_LENGTH_MAX {
            return Err(RejectReason::Oversize);
        }
        if prefix.version != PROTOCOL_VERSION {
            return Err(RejectReason::UnsupportedVersion);
        }
        let kind = Kind::from_code(prefix.kind).ok_or(RejectReason::Malformed)?;
        Ok((prefix, kind))
    }

    /// Length of the whole message in bytes.
    pub const fn length(&self) -> usize {
        self.length.get() as usize
    }

    /// The repeat count.
    pub const fn count(&self) -> u16 {
        self.count.get()
    }
}

/// Takes the next whole message off a receive buffer. `Ok(None)`: more bytes are needed. An error
/// is fatal for the stream.
pub fn split_message(buffer: &mut BytesMut) -> Result<Option<(Kind, Bytes)>, RejectReason> {
    let Some(first) = buffer.first_chunk::<PREFIX_LENGTH>() else {
        return Ok(None);
    };
    let (prefix, kind) = Prefix::parse(*first)?;
    if buffer.len() < prefix.length() {
        return Ok(None);
    }
    Ok(Some((kind, buffer.split_to(prefix.length()).freeze())))
}

/// Checks that `bytes` is exactly one message of this kind and returns its prefix.
pub(crate) fn expect_kind(bytes: &[u8], expected: Kind) -> Result<Prefix, RejectReason> {
    let first = bytes
        .first_chunk::<PREFIX_LENGTH>()
        .ok_or(RejectReason::Malformed)?;
    let (prefix, kind) = Prefix::parse(*first)?;
    if kind != expected {
        return Err(RejectReason::UnexpectedMessage);
    }
    if prefix.length() != bytes.len() {
        return Err(RejectReason::Malformed);
    }
    Ok(prefix)
}

/// Reads a message that is one fixed layout and nothing more.
pub(crate) fn read_fixed<T: FromBytes>(bytes: &[u8], kind: Kind) -> Result<T, RejectReason> {
    let prefix = expect_kind(bytes, kind)?;
    if prefix.count() != 0 {
        return Err(RejectReason::Malformed);
    }
    T::read_from_bytes(bytes).map_err(|_| RejectReason::Malformed)
}

/// Splits a message into its fixed head and `count` fixed records.
pub(crate) fn read_list<Head, Record>(
    bytes: &[u8],
    kind: Kind,
) -> Result<(Head, &[Record]), RejectReason>
where
    Head: FromBytes + KnownLayout + Immutable,
    Record: FromBytes + KnownLayout + Immutable + Unaligned,
{
    let prefix = expect_kind(bytes, kind)?;
    let (head, rest) = Head::read_from_prefix(bytes).map_err(|_| RejectReason::Malformed)?;
    let records = <[Record]>::ref_from_bytes_with_elems(rest, usize::from(prefix.count()))
        .map_err(|_| RejectReason::Malformed)?;
    Ok((head, records))
}

/// Appends a message of a fixed head and records to `out`. `head` makes the head for the prefix.
pub(crate) fn write_list<Head, Record>(
    out: &mut Vec<u8>,
    kind: Kind,
    records: &[Record],
    head: impl FnOnce(Prefix) -> Head,
) where
    Head: IntoBytes + Immutable,
    Record: IntoBytes + Immutable,
{
    let count = u16::try_from(records.len()).expect("encoders stay within the message length");
    let length = size_of::<Head>() + size_of_val(records);
    let head = head(Prefix::new(length, kind, count));
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(records.as_bytes());
}

/// The side with this number, if there is one.
const fn side(code: u8) -> Option<Side> {
    match code {
        0 => Some(Side::Bid),
        1 => Some(Side::Ask),
        _ => None,
    }
}

/// The trigger of an order; the outer `None`: there is no such condition.
const fn trigger(condition: u8, price: Ticks) -> Option<Option<Trigger>> {
    let condition = match condition {
        0 => return Some(None),
        1 => TriggerCondition::Stop,
        2 => TriggerCondition::TakeProfit,
        _ => return None,
    };
    Some(Some(Trigger { condition, price }))
}
