//! Bytes from strangers through every decoder of `types::wire`. None may panic, and whatever one
//! accepts must encode to the very same bytes: so everything that can be said has one form.
//!
//! An input is tried as it is and once more behind a prefix of its own, since hardly any other
//! bytes get past the length, the kind and the version.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use zerocopy::IntoBytes;

use crate::{Reached, frame};
use types::auth::FrameKey;
use types::block::Entry;
use types::command::Place;
use types::outcome::Digest;
use types::wire::ack::{Ack, FillReport};
use types::wire::ended::EndedReport;
use types::wire::feed::{
    FeedEvents, FeedGap, FeedMark, FeedSnapshot, Subscribe, Subscribed, Unsubscribe, write_snapshot,
};
use types::wire::orders::{OrdersFrame, SIGNATURE_LENGTH};
use types::wire::payload::{decode_entries, encode_entry};
use types::wire::query::{
    BalanceRecord, MarketStateRecord, OpenOrderRecord, Query, Reference, ReferenceRecord,
    ReplyHead, ReplyRecord, encode_reply, parse_reply,
};
use types::wire::receipts::Receipts;
use types::wire::rolling::RollingSignature;
use types::wire::session::{Hello, Refused, Welcome};
use types::wire::{Kind, PREFIX_LENGTH, Prefix, split_message};
use types::{Command, NetworkId};

/// What the corpus must reach. A hello is not there: it takes a signature.
pub const REACHES: &[&str] = &[
    "welcome",
    "refused",
    "ack",
    "fills",
    "ended",
    "query",
    "balances",
    "open orders",
    "reference",
    "unknown nonce",
    "entries",
    "tick",
    "place",
    "replace",
    "quote set",
    "cancel",
    "cancel all",
    "transfer",
    "protection",
    "market status",
    "stop",
    "market states",
];

/// Runs one input.
pub fn run(input: &[u8]) -> Reached {
    let mut reached = Reached::new();
    decode(input, &mut reached);
    if let Some(message) = with_prefix(input) {
        decode(&message, &mut reached);
    }
    reached
}

/// The first three bytes say kind and count, the others are the message behind its prefix.
fn with_prefix(input: &[u8]) -> Option<Vec<u8>> {
    let ([kind, count @ ..], body) = input.split_first_chunk::<3>()?;
    let kind = Kind::from_code(*kind)?;
    let prefix = Prefix::new(PREFIX_LENGTH + body.len(), kind, u16::from_le_bytes(*count));
    Some([prefix.as_bytes(), body].concat())
}

fn decode(bytes: &[u8], reached: &mut Reached) {
    split(bytes);
    session(bytes, reached);
    orders(bytes, reached);
    entries(bytes, reached);
    reports(bytes, reached);
    replies(bytes, reached);
    feeds(bytes);
}

/// Whole messages come off the front, one by one and unchanged.
fn split(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    let mut taken = Vec::new();
    while let Ok(Some((_, message))) = split_message(&mut buffer) {
        assert!(PREFIX_LENGTH <= message.len(), "progress is made");
        taken.extend_from_slice(&message);
    }
    taken.extend_from_slice(&buffer);
    assert_eq!(taken, bytes);
}

fn session(bytes: &[u8], reached: &mut Reached) {
    if let Ok(hello) = Hello::parse(bytes, &[0; 32]) {
        assert_eq!(hello.as_bytes(), bytes);
    }
    if let Ok(terms) = Welcome::parse(bytes) {
        assert_eq!(Welcome::new(&terms).as_bytes(), bytes);
        reached.insert("welcome");
    }
    if let Ok((nonce, reason)) = Refused::parse(bytes) {
        assert_eq!(Refused::new(nonce, reason).as_bytes(), bytes);
        reached.insert("refused");
    }
    let _ = Receipts::parse(bytes);
    if let Ok(signature) = RollingSignature::parse(bytes) {
        let mut encoded = Vec::new();
        signature.encode(&mut encoded);
        assert_eq!(encoded, bytes);
    }
}

fn orders(bytes: &[u8], reached: &mut Reached) {
    OrdersFrame::claimed_nonce(bytes);
    let Ok(frame) = OrdersFrame::parse(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let commands: Vec<Command<'_>> = frame.commands().collect();
    assert_eq!(commands.len(), usize::from(frame.count()));
    let encoded = frame::encode(&frame.header(), &commands);
    let signed = &encoded[..encoded.len() - SIGNATURE_LENGTH];
    assert_eq!(signed, frame.signed_bytes());
    reached.extend(commands.iter().map(|command| match command {
        Command::Place(place) if has_stop(place) => "stop",
        Command::Place(_) => "place",
        Command::Replace(_) => "replace",
        Command::QuoteSet(_) => "quote set",
        Command::Cancel(_) => "cancel",
        Command::CancelAll(_) => "cancel all",
        Command::Transfer(_) => "transfer",
        Command::SetProtection(_) => "protection",
        Command::SetMarketStatus(_) => "market status",
        Command::SetSessionPolicy(_) => "session policy",
        Command::SetTimer(_) => "timer",
        Command::RevokeKey(_) => "revoke key",
        Command::SetTimerAt(_) => "timer at",
        Command::Send(_) => "send",
        Command::Withdraw(_) => "withdraw",
        Command::OpenSubAccount => "open sub-account",
        Command::ApproveAgent(_) => "approve agent",
        Command::Inbox(_) => "inbox",
        Command::Register(_) => "register",
        Command::Revoke(_) => "revoke",
    }));
}

fn has_stop(place: &Place) -> bool {
    let resting = place.kind.resting();
    resting.is_some_and(|resting| resting.stop.is_some())
}

/// A block's entries, as the journal holds them.
fn entries(bytes: &[u8], reached: &mut Reached) {
    let mut entries = Vec::new();
    let payload = Bytes::copy_from_slice(bytes);
    if decode_entries(payload, &FRAME_KEY, &mut entries).is_err() {
        return;
    }
    let mut encoded = Vec::new();
    for entry in &entries {
        encode_entry(entry, &mut encoded);
        reached.insert(match entry {
            Entry::Frame(_) => "entries",
            Entry::Tick(_) => "tick",
            Entry::Silence(_) => "silence",
            Entry::Phase(_) => "phase",
        });
    }
    assert_eq!(encoded, bytes);
}

static FRAME_KEY: LazyLock<FrameKey> =
    LazyLock::new(|| FrameKey::new(NetworkId::new(1), Digest::ZERO));

fn reports(bytes: &[u8], reached: &mut Reached) {
    let mut encoded = Vec::new();
    if let Ok(ack) = Ack::parse(bytes) {
        ack.encode(&mut encoded);
        reached.insert("ack");
    } else if let Ok(reports) = FillReport::parse_all(bytes) {
        FillReport::encode(reports, &mut encoded);
        reached.insert("fills");
    } else if let Ok(reports) = EndedReport::parse_all(bytes) {
        EndedReport::encode(reports, &mut encoded);
        reached.insert("ended");
    } else {
        return;
    }
    assert_eq!(encoded, bytes);
}

fn replies(bytes: &[u8], reached: &mut Reached) {
    if let Ok((request, question)) = Query::parse(bytes) {
        assert_eq!(Query::new(request, question).as_bytes(), bytes);
        reached.insert("query");
    }
    if reply::<BalanceRecord>(bytes, Kind::Balances).is_some() {
        reached.insert("balances");
    }
    if reply::<OpenOrderRecord>(bytes, Kind::OpenOrders).is_some() {
        reached.insert("open orders");
    }
    if reply::<MarketStateRecord>(bytes, Kind::MarketStates).is_some() {
        reached.insert("market states");
    }
    if reply::<BalanceRecord>(bytes, Kind::UnknownNonce).is_some() {
        reached.insert("unknown nonce");
    }
    if let Some(records) = reply::<ReferenceRecord>(bytes, Kind::Reference) {
        let mut reference = Reference::default();
        let added = records.iter().try_for_each(|record| reference.add(record));
        if added.is_ok() {
            assert_eq!(reference.records(), records);
            reached.insert("reference");
        }
    }
}

/// Messages of feeds mean exactly their bytes, and nothing that is read from them overflows.
fn feeds(bytes: &[u8]) {
    if let Some(subscription) = Subscribe::parse(bytes)
        .ok()
        .and_then(|it| it.subscription())
    {
        assert_eq!(Subscribe::new(&subscription).as_bytes(), bytes);
    }
    if let Ok(number) = Unsubscribe::parse(bytes) {
        assert_eq!(Unsubscribe::new(number).as_bytes(), bytes);
    }
    if let Ok((number, refused)) = Subscribed::parse(bytes) {
        assert_eq!(Subscribed::new(number, refused).as_bytes(), bytes);
    }
    if let Ok(events) = FeedEvents::parse(bytes) {
        assert!(events.sequence <= events.last());
        assert_ne!(events.hash_after(&Digest::ZERO), Digest::ZERO);
    }
    if let Ok(part) = FeedSnapshot::parse(bytes) {
        let mut encoded = Vec::new();
        write_snapshot(&part.mark, part.bytes, |message| encoded.push(message));
        if let ([message], false) = (&encoded[..], part.more) {
            assert_eq!(message, bytes);
        }
    }
    if let Ok(mark) = FeedMark::parse_checkpoint(bytes) {
        assert_eq!(mark.checkpoint(), bytes);
    }
    if let Ok(gap) = FeedGap::parse(bytes) {
        assert_eq!(gap.encode(), bytes);
    }
}

/// The records of a list reply, if it is one.
fn reply<Record>(bytes: &[u8], kind: Kind) -> Option<&[Record]>
where
    Record: ReplyRecord + IntoBytes,
{
    let (head, records): (ReplyHead, &[Record]) = parse_reply(bytes, kind).ok()?;
    let mut encoded = Vec::new();
    encode_reply(kind, head.request(), head.sequence(), records, &mut encoded);
    // One message cannot know whether another follows.
    encoded[MORE_OFFSET] = u8::from(head.more());
    assert_eq!(encoded, bytes);
    Some(records)
}

/// Where a reply says that another message follows.
const MORE_OFFSET: usize = 24;
