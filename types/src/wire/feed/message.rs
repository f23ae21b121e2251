//! The messages of feeds: `Subscribe` and `Unsubscribe` on a session's stream, `Subscribed` there and at
//! the head of the feed's own stream, everything else on that one.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::hash::{BookHasher, next_hash};
use super::record::{
    AccountEvent, BestRecord, L1Event, L2Event, L3Event, LevelRecord, OrderRecord, TradeEvent,
};
use super::{Channel, FeedId, FeedPosition};
use crate::limits::MESSAGE_LENGTH_MAX;
use crate::outcome::Digest;
use crate::wire::{Kind, PREFIX_LENGTH, Prefix, expect_kind, read_fixed};
use crate::{RejectReason, SequenceNumber};

/// Milliseconds between the updates of a conflated subscription, to choose from.
pub const INTERVALS_MS: [u32; 5] = [10, 50, 100, 250, 1_000];

/// Whether only the newest state of what changed may be told, and how often: it is one of
/// [`INTERVALS_MS`], and there is a newest state.
pub fn is_conflatable(channel: Channel, interval_ms: u32) -> bool {
    let has_state = matches!(channel, Channel::L1 | Channel::L2);
    interval_ms == 0 || has_state && INTERVALS_MS.contains(&interval_ms)
}

/// What a client wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The client's number for it, unlike those of its other subscriptions.
    pub number: u64,
    /// Which feed.
    pub feed: FeedId,
    /// Zero: every event. Else one of [`INTERVALS_MS`].
    pub interval_ms: u32,
    /// Where to go on; `None`: at a snapshot.
    pub from: Option<FeedPosition>,
}

/// Client to server. By offset: 0 prefix, 8 number u64, 16 subject u32 (a market, or the session's
/// account), 20 channel u8, 21 resume u8 (1: go on from the position below), 22 reserved u16,
/// 24 interval u32 (milliseconds; 0: every event), 28 reserved u32, 32 number of the last event that
/// the client has u64, 40 running hash after it (32); both zero unless it resumes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Subscribe {
    prefix: Prefix,
    number: U64,
    subject: U32,
    channel: u8,
    resume: u8,
    reserved: U16,
    interval_ms: U32,
    reserved_2: U32,
    sequence: U64,
    hash: Digest,
}

const _: () = assert!(size_of::<Subscribe>() == 72);

impl Subscribe {
    /// The message.
    pub fn new(subscription: &Subscription) -> Self {
        let from = subscription.from.unwrap_or_default();
        Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Subscribe, 0),
            number: U64::new(subscription.number),
            subject: U32::new(subscription.feed.subject()),
            channel: subscription.feed.channel() as u8,
            resume: u8::from(subscription.from.is_some()),
            reserved: U16::ZERO,
            interval_ms: U32::new(subscription.interval_ms),
            reserved_2: U32::ZERO,
            sequence: U64::new(from.sequence),
            hash: from.hash,
        }
    }

    /// Reads one whole message. Whether there is such a feed is not known yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, RejectReason> {
        let message: Self = read_fixed(bytes, Kind::Subscribe)?;
        let position = message.position();
        let is_well_formed = message.reserved == 0
            && message.reserved_2 == 0
            && message.resume <= 1
            && position.sequence <= SEQUENCE_MAX
            && (message.resume == 1 || position == FeedPosition::default());
        let message = is_well_formed.then_some(message);
        message.ok_or(RejectReason::Malformed)
    }

    /// The client's number for it.
    pub const fn number(&self) -> u64 {
        self.number.get()
    }

    /// What is wanted; `None`: there can be no such feed.
    pub fn subscription(&self) -> Option<Subscription> {
        let channel = Channel::from_code(self.channel)?;
        Some(Subscription {
            number: self.number(),
            feed: FeedId::new(channel, self.subject.get())?,
            interval_ms: self.interval_ms.get(),
            from: (self.resume == 1).then(|| self.position()),
        })
    }

    const fn position(&self) -> FeedPosition {
        FeedPosition {
            sequence: self.sequence.get(),
            hash: self.hash,
        }
    }
}

/// Client to server: this subscription is over. By offset: 0 prefix, 8 number u64.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Unsubscribe {
    prefix: Prefix,
    number: U64,
}

const _: () = assert!(size_of::<Unsubscribe>() == 16);

impl Unsubscribe {
    /// The message.
    pub fn new(number: u64) -> Self {
        Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Unsubscribe, 0),
            number: U64::new(number),
        }
    }

    /// Reads one whole message: which subscription.
    pub fn parse(bytes: &[u8]) -> Result<u64, RejectReason> {
        let message: Self = read_fixed(bytes, Kind::Unsubscribe)?;
        Ok(message.number.get())
    }
}

/// Server to client, on the session's stream: the answer to `Subscribe`; and at the head of the feed's
/// own stream, to say whose it is. By offset: 0 prefix, 8 number u64, 16 reason u16 (not 0: there is no
/// such subscription), 18 reserved (6).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Subscribed {
    prefix: Prefix,
    number: U64,
    reason: U16,
    reserved: [u8; 6],
}

const _: () = assert!(size_of::<Subscribed>() == 24);

impl Subscribed {
    /// The message. `refused`: why there is no subscription.
    pub fn new(number: u64, refused: Option<RejectReason>) -> Self {
        Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Subscribed, 0),
            number: U64::new(number),
            reason: U16::new(refused.map_or(0, RejectReason::code)),
            reserved: [0; 6],
        }
    }

    /// Reads one whole message: the number, and why there is no subscription.
    pub fn parse(bytes: &[u8]) -> Result<(u64, Option<RejectReason>), RejectReason> {
        let message: Self = read_fixed(bytes, Kind::Subscribed)?;
        let refused = match message.reason.get() {
            0 => None,
            code => Some(RejectReason::from_code(code).ok_or(RejectReason::Malformed)?),
        };
        let is_well_formed = message.reserved == [0; 6];
        let answer = is_well_formed.then_some((message.number.get(), refused));
        answer.ok_or(RejectReason::Malformed)
    }
}

/// Head of `FeedEvents`. By offset: 0 prefix (count: events), 8 number of the first event u64
/// (conflated: of the last event that is in it), 16 subject u32, 20 channel u8, 21 flags u8 (bit 0:
/// conflated), 22 reserved u16, 24 running hash after the last event (32; conflated: zeros); then the
/// events.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EventsHead {
    prefix: Prefix,
    about: About,
    hash: Digest,
}

/// What events are about, and what their hash covers beside them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct About {
    sequence: U64,
    subject: U32,
    channel: u8,
    flags: u8,
    reserved: U16,
}

const EVENTS_HEAD: usize = 56;
const _: () = assert!(size_of::<EventsHead>() == EVENTS_HEAD && size_of::<About>() == 16);
const FLAG_CONFLATED: u8 = 1;

/// A server puts at most so many bytes of events into one message. Where it cuts is its own business:
/// every message has a hash.
pub const EVENTS_LENGTH_MAX: usize = 32 * 1024;
const _: () = assert!(EVENTS_HEAD + EVENTS_LENGTH_MAX <= MESSAGE_LENGTH_MAX);

/// No feed has so many events: sums of numbers stay far from the end of 64 bits.
const SEQUENCE_MAX: u64 = u64::MAX / 2;

impl About {
    fn new(feed: FeedId, sequence: u64, flags: u8) -> Self {
        Self {
            sequence: U64::new(sequence),
            subject: U32::new(feed.subject()),
            channel: feed.channel() as u8,
            flags,
            reserved: U16::ZERO,
        }
    }

    /// Which feed, if it is well-formed.
    fn feed(&self, flags: u8) -> Result<FeedId, RejectReason> {
        let channel = Channel::from_code(self.channel).ok_or(RejectReason::Malformed)?;
        let feed = FeedId::new(channel, self.subject.get()).ok_or(RejectReason::Malformed)?;
        let is_legal = self.sequence.get() <= SEQUENCE_MAX;
        let is_well_formed = self.flags & !flags == 0 && self.reserved == 0 && is_legal;
        is_well_formed
            .then_some(feed)
            .ok_or(RejectReason::Malformed)
    }
}

/// Begins a message of events in an empty buffer: they are appended as they are, then the message is
/// finished with [`finish_events`].
pub fn begin_events(message: &mut Vec<u8>) {
    debug_assert!(message.is_empty());
    message.resize(EVENTS_HEAD, 0);
}

/// Finishes a message of so many events that follow this position. Returns where the feed stands then.
pub fn finish_events(
    message: &mut [u8],
    feed: FeedId,
    count: u16,
    before: &FeedPosition,
) -> FeedPosition {
    let about = About::new(feed, before.sequence + 1, 0);
    let prefix = Prefix::new(message.len(), Kind::FeedEvents, count);
    let (head, events) = message.split_at_mut(EVENTS_HEAD);
    let hash = next_hash(&before.hash, &zerocopy::transmute!(about), events);
    let layout = EventsHead {
        prefix,
        about,
        hash,
    };
    head.copy_from_slice(layout.as_bytes());
    FeedPosition {
        sequence: before.sequence + u64::from(count),
        hash,
    }
}

/// Appends one or more messages of a conflated feed: the newest state of what changed, as of an event.
/// None for no events.
pub fn write_conflated<Event: IntoBytes + Immutable>(
    feed: FeedId,
    as_of: u64,
    events: &[Event],
    mut message: impl FnMut(Vec<u8>),
) {
    for events in events.chunks(EVENTS_LENGTH_MAX / size_of::<Event>()) {
        let length = EVENTS_HEAD + size_of_val(events);
        let count = u16::try_from(events.len()).expect("that many fit a message");
        let head = EventsHead {
            prefix: Prefix::new(length, Kind::FeedEvents, count),
            about: About::new(feed, as_of, FLAG_CONFLATED),
            hash: Digest::ZERO,
        };
        message([head.as_bytes(), events.as_bytes()].concat());
    }
}

/// Events, checked: of one kind, by the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records<'a> {
    /// Trades and what the market may do.
    Trades(&'a [TradeEvent]),
    /// Bests.
    L1(&'a [L1Event]),
    /// Levels.
    L2(&'a [L2Event]),
    /// Orders.
    L3(&'a [L3Event]),
    /// Reports.
    Account(&'a [AccountEvent]),
}

impl Records<'_> {
    /// How many.
    pub const fn len(&self) -> usize {
        match self {
            Self::Trades(events) => events.len(),
            Self::L1(events) => events.len(),
            Self::L2(events) => events.len(),
            Self::L3(events) => events.len(),
            Self::Account(events) => events.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One message of events, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedEvents<'a> {
    /// Of which feed.
    pub feed: FeedId,
    /// Number of the first event; conflated: of the last event that the newest state includes.
    pub sequence: u64,
    /// Whether this is the newest state of what changed, without a hash.
    pub is_conflated: bool,
    /// Running hash after the last event.
    pub hash: Digest,
    /// The events.
    pub records: Records<'a>,
    /// What the hash is over.
    about: [u8; 16],
    bytes: &'a [u8],
}

impl<'a> FeedEvents<'a> {
    /// Reads one whole message. There is none without events.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RejectReason> {
        let prefix = expect_kind(bytes, Kind::FeedEvents)?;
        let read = EventsHead::read_from_prefix(bytes);
        let (head, events) = read.map_err(|_| RejectReason::Malformed)?;
        let feed = head.about.feed(FLAG_CONFLATED)?;
        let is_conflated = head.about.flags == FLAG_CONFLATED;
        let count = usize::from(prefix.count());
        let records = match feed.channel() {
            Channel::Trades => Records::Trades(list(events, count, TradeEvent::is_well_formed)?),
            Channel::L1 => Records::L1(list(events, count, L1Event::is_well_formed)?),
            Channel::L2 => Records::L2(list(events, count, L2Event::is_well_formed)?),
            Channel::L3 => Records::L3(list(events, count, L3Event::is_well_formed)?),
            Channel::Account => {
                Records::Account(list(events, count, AccountEvent::is_well_formed)?)
            }
        };
        let has_state = matches!(feed.channel(), Channel::L1 | Channel::L2);
        let is_plain = !is_conflated || has_state && head.hash == Digest::ZERO;
        if records.is_empty() || !is_plain || head.about.sequence == 0 {
            return Err(RejectReason::Malformed);
        }
        Ok(Self {
            feed,
            sequence: head.about.sequence.get(),
            is_conflated,
            hash: head.hash,
            records,
            about: zerocopy::transmute!(head.about),
            bytes: events,
        })
    }

    /// Running hash after these events, if they follow this one.
    pub fn hash_after(&self, before: &Digest) -> Digest {
        next_hash(before, &self.about, self.bytes)
    }

    /// Number of the last event.
    pub const fn last(&self) -> u64 {
        match self.is_conflated {
            true => self.sequence,
            false => self.sequence + self.records.len() as u64 - 1,
        }
    }
}

/// Where a feed stands and what its book shows there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedMark {
    /// Which feed.
    pub feed: FeedId,
    /// Where it stands.
    pub position: FeedPosition,
    /// Hash of what the book shows; zeros if there is none.
    pub book_hash: Digest,
    /// The last command or tick that is in it.
    pub sequence: SequenceNumber,
}

/// The layout of `FeedCheckpoint`, and the head of `FeedSnapshot`. By offset: 0 prefix (count: lines),
/// 8 number of the last event u64, 16 subject u32, 20 channel u8, 21 flags u8 (bit 0: another message
/// of this snapshot follows), 22 reserved u16, 24 running hash after that event (32), 56 book hash (32),
/// 88 sequence number of the last command or tick u64; then the lines.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct MarkLayout {
    prefix: Prefix,
    about: About,
    hash: Digest,
    book_hash: Digest,
    sequence: U64,
}

const MARK_LENGTH: usize = 96;
const _: () = assert!(size_of::<MarkLayout>() == MARK_LENGTH);
const FLAG_MORE: u8 = 1;
/// Bytes of lines in one message: a whole number of each kind of line.
const LINES_LENGTH_MAX: usize = 96 * 512;
const _: () = assert!(MARK_LENGTH + LINES_LENGTH_MAX <= MESSAGE_LENGTH_MAX);
const _: () = assert!(LINES_LENGTH_MAX.is_multiple_of(size_of::<LevelRecord>()));
const _: () = assert!(LINES_LENGTH_MAX.is_multiple_of(size_of::<OrderRecord>()));

impl MarkLayout {
    fn new(mark: &FeedMark, kind: Kind, lines: (usize, u16), flags: u8) -> Self {
        let (length, count) = lines;
        Self {
            prefix: Prefix::new(MARK_LENGTH + length, kind, count),
            about: About::new(mark.feed, mark.position.sequence, flags),
            hash: mark.position.hash,
            book_hash: mark.book_hash,
            sequence: U64::new(mark.sequence.get()),
        }
    }

    fn mark(&self, flags: u8) -> Result<FeedMark, RejectReason> {
        Ok(FeedMark {
            feed: self.about.feed(flags)?,
            position: FeedPosition {
                sequence: self.about.sequence.get(),
                hash: self.hash,
            },
            book_hash: self.book_hash,
            sequence: SequenceNumber::new(self.sequence.get()),
        })
    }
}

impl FeedMark {
    /// `FeedCheckpoint`.
    pub fn checkpoint(&self) -> [u8; MARK_LENGTH] {
        zerocopy::transmute!(MarkLayout::new(self, Kind::FeedCheckpoint, (0, 0), 0))
    }

    /// Reads one whole `FeedCheckpoint`.
    pub fn parse_checkpoint(bytes: &[u8]) -> Result<Self, RejectReason> {
        let layout: MarkLayout = read_fixed(bytes, Kind::FeedCheckpoint)?;
        layout.mark(0)
    }
}

/// Writes a snapshot as one or more messages: `lines` are the records that its book hash is over.
pub fn write_snapshot(mark: &FeedMark, lines: &[u8], mut message: impl FnMut(Vec<u8>)) {
    let line = match mark.feed.channel() {
        Channel::L1 => size_of::<BestRecord>(),
        Channel::L2 => size_of::<LevelRecord>(),
        _ => size_of::<OrderRecord>(),
    };
    let mut rest = lines;
    loop {
        let (part, after) = rest.split_at(rest.len().min(LINES_LENGTH_MAX));
        let count = u16::try_from(part.len() / line).expect("that many fit a message");
        let flags = if after.is_empty() { 0 } else { FLAG_MORE };
        let head = MarkLayout::new(mark, Kind::FeedSnapshot, (part.len(), count), flags);
        message([head.as_bytes(), part].concat());
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

/// Lines of a book: bids before asks, best first, orders of one price in their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines<'a> {
    /// There is no book.
    None,
    /// The best of both sides, bid first.
    L1(&'a [BestRecord]),
    /// Levels.
    L2(&'a [LevelRecord]),
    /// Orders.
    L3(&'a [OrderRecord]),
}

/// One message of a snapshot, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedSnapshot<'a> {
    /// Where the feed stood, and the hash of all lines of all parts.
    pub mark: FeedMark,
    /// Whether another message of this snapshot follows.
    pub more: bool,
    /// Lines of the book.
    pub lines: Lines<'a>,
    /// The same as bytes, for the hash.
    pub bytes: &'a [u8],
}

impl<'a> FeedSnapshot<'a> {
    /// Reads one whole message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RejectReason> {
        let prefix = expect_kind(bytes, Kind::FeedSnapshot)?;
        let read = MarkLayout::read_from_prefix(bytes);
        let (head, lines) = read.map_err(|_| RejectReason::Malformed)?;
        let mark = head.mark(FLAG_MORE)?;
        let more = head.about.flags == FLAG_MORE;
        let count = usize::from(prefix.count());
        let bytes = lines;
        let lines = match mark.feed.channel() {
            Channel::L1 => Lines::L1(list(lines, count, BestRecord::is_well_formed)?),
            Channel::L2 => Lines::L2(list(lines, count, LevelRecord::is_well_formed)?),
            Channel::L3 => Lines::L3(list(lines, count, OrderRecord::is_well_formed)?),
            Channel::Trades | Channel::Account if lines.is_empty() && count == 0 => Lines::None,
            Channel::Trades | Channel::Account => return Err(RejectReason::Malformed),
        };
        Ok(Self {
            mark,
            more,
            lines,
            bytes,
        })
    }

    /// Begins the hash over the lines of all parts.
    pub fn hasher(&self) -> BookHasher {
        BookHasher::new(self.mark.feed.channel())
    }
}

/// Why a feed does not go on where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GapReason {
    /// The position that was asked for is not kept any more.
    NotRetained = 1,
    /// This server's feed never stood at that position with that hash.
    Forked = 2,
    /// The client reads too slowly: what was not sent is dropped, and the stream ends.
    TooSlow = 3,
    /// The subscription is conflated: such a one begins at a snapshot.
    Conflated = 4,
}

impl GapReason {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::NotRetained),
            2 => Some(Self::Forked),
            3 => Some(Self::TooSlow),
            4 => Some(Self::Conflated),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotRetained => "not_retained",
            Self::Forked => "forked",
            Self::TooSlow => "too_slow",
            Self::Conflated => "conflated",
        }
    }
}

/// Some events are not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedGap {
    /// Of which feed.
    pub feed: FeedId,
    /// Why.
    pub reason: GapReason,
    /// The last event before the gap.
    pub after: u64,
    /// The last event in it: a snapshot as of this one follows; zero: the stream ends.
    pub through: u64,
}

/// By offset: 0 prefix, 8 the last event before the gap u64, 16 subject u32, 20 channel u8, 21 reason
/// u8 (see [`GapReason`]), 22 reserved u16, 24 the last event in the gap u64 (0: the stream ends).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct GapLayout {
    prefix: Prefix,
    about: About,
    through: U64,
}

const _: () = assert!(size_of::<GapLayout>() == 32);

impl FeedGap {
    /// The message.
    pub fn encode(&self) -> [u8; 32] {
        zerocopy::transmute!(GapLayout {
            prefix: Prefix::new(size_of::<GapLayout>(), Kind::FeedGap, 0),
            about: About::new(self.feed, self.after, self.reason as u8),
            through: U64::new(self.through),
        })
    }

    /// Reads one whole message.
    pub fn parse(bytes: &[u8]) -> Result<Self, RejectReason> {
        let layout: GapLayout = read_fixed(bytes, Kind::FeedGap)?;
        let reason = GapReason::from_code(layout.about.flags);
        Ok(Self {
            feed: layout.about.feed(u8::MAX)?,
            reason: reason.ok_or(RejectReason::Malformed)?,
            after: layout.about.sequence.get(),
            through: layout.through.get(),
        })
    }
}

/// So many records, and nothing behind them.
fn list<Record>(
    bytes: &[u8],
    count: usize,
    is_well_formed: impl Fn(&Record) -> bool,
) -> Result<&[Record], RejectReason>
where
    Record: FromBytes + KnownLayout + Immutable + Unaligned,
{
    let records = <[Record]>::ref_from_bytes_with_elems(bytes, count);
    let records = records.map_err(|_| RejectReason::Malformed)?;
    let are_good = records.iter().all(is_well_formed);
    are_good.then_some(records).ok_or(RejectReason::Malformed)
}

const _: () = assert!(PREFIX_LENGTH + size_of::<About>() + 32 == EVENTS_HEAD);
