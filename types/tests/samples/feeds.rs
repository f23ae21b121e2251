//! Sample messages of feeds, and their encodings again.

use bytes::Bytes;
use types::command::MarketStatus;
use types::outcome::Digest;
use types::wire::ack::FillReport;
use types::wire::ended::EndedReport;
use types::wire::feed::{
    AccountEvent, BestRecord, BookHasher, Channel, FeedEvents, FeedGap, FeedId, FeedMark,
    FeedPosition, FeedSnapshot, GapReason, L1Event, L2Event, L3Action, L3Event, LevelRecord,
    OrderRecord, Records, Subscribe, Subscribed, Subscription, TradeEvent, TradeNews, Unsubscribe,
    begin_events, finish_events, write_conflated, write_snapshot,
};
use types::{AccountId, BaseLots, MarketId, OrderId, RejectReason, SequenceNumber, Side, Ticks};
use zerocopy::IntoBytes;

const SEQUENCE: SequenceNumber = SequenceNumber::new(41);
const PRICE: Ticks = Ticks::new(6_500_000);
const LOTS: BaseLots = BaseLots::new(250_000);

const fn public(channel: Channel) -> FeedId {
    FeedId::Market(channel, MarketId::new(1))
}

/// Where the sample feeds stand before their events.
const BEFORE: FeedPosition = FeedPosition {
    sequence: 5,
    hash: Digest::new([7; 32]),
};

/// One message of every kind, the events by channel.
pub(crate) fn messages() -> Vec<(&'static str, Bytes)> {
    let resumed = Subscription {
        number: 3,
        feed: public(Channel::L2),
        interval_ms: 0,
        from: Some(BEFORE),
    };
    let conflated = Subscription {
        number: 4,
        feed: public(Channel::L1),
        interval_ms: 100,
        from: None,
    };
    let unknown = Some(RejectReason::UnknownFeed);
    let gap = FeedGap {
        feed: public(Channel::L2),
        reason: GapReason::NotRetained,
        after: 5,
        through: 9,
    };
    vec![
        ("subscribe", copy(Subscribe::new(&resumed).as_bytes())),
        (
            "subscribe conflated",
            copy(Subscribe::new(&conflated).as_bytes()),
        ),
        ("unsubscribe", copy(Unsubscribe::new(3).as_bytes())),
        ("subscribed", copy(Subscribed::new(3, None).as_bytes())),
        (
            "not subscribed",
            copy(Subscribed::new(4, unknown).as_bytes()),
        ),
        ("trades events", events(public(Channel::Trades), &trades())),
        ("l1 events", events(public(Channel::L1), &l1())),
        ("l2 events", events(public(Channel::L2), &l2())),
        ("l3 events", events(public(Channel::L3), &l3())),
        (
            "account events",
            events(FeedId::Account(AccountId::new(4)), &account()),
        ),
        ("conflated events", conflated_events()),
        ("l1 snapshot", snapshot(Channel::L1, bests().as_bytes())),
        ("l2 snapshot", snapshot(Channel::L2, levels().as_bytes())),
        ("l3 snapshot", snapshot(Channel::L3, orders().as_bytes())),
        ("trades snapshot", snapshot(Channel::Trades, &[])),
        (
            "feed checkpoint",
            copy(&mark(Channel::L2, levels().as_bytes()).checkpoint()),
        ),
        ("feed gap", copy(&gap.encode())),
    ]
}

/// A trade in an auction, then the end of the auction, then what another would come to.
fn trades() -> [TradeEvent; 3] {
    [
        TradeNews::Trade {
            maker: OrderId::new(11),
            taker_side: Side::Ask,
            price: PRICE,
            quantity: LOTS,
            in_auction: true,
        },
        TradeNews::Status(MarketStatus::PostOnly),
        TradeNews::Indicative(Some((PRICE, 1 << 64, -1_000))),
    ]
    .map(|news| TradeEvent::new(SEQUENCE, &news))
}

fn bests() -> [BestRecord; 2] {
    [
        BestRecord::new(Side::Bid, Some((PRICE, LOTS))),
        BestRecord::new(Side::Ask, None),
    ]
}

fn levels() -> [LevelRecord; 2] {
    [
        LevelRecord::new(Side::Bid, PRICE, LOTS, 2),
        LevelRecord::new(Side::Ask, Ticks::new(6_500_100), LOTS, 1),
    ]
}

fn orders() -> [OrderRecord; 2] {
    [
        OrderRecord::new(OrderId::new(11), Side::Bid, PRICE, LOTS),
        OrderRecord::new(OrderId::new(12), Side::Ask, Ticks::new(6_500_100), LOTS),
    ]
}

fn l1() -> [L1Event; 2] {
    bests().map(|best| L1Event::new(SEQUENCE, best))
}

fn l2() -> [L2Event; 2] {
    let gone = LevelRecord::new(Side::Ask, Ticks::new(6_500_100), BaseLots::ZERO, 0);
    [levels()[0], gone].map(|level| L2Event::new(SEQUENCE, level))
}

fn l3() -> [L3Event; 3] {
    [L3Action::Added, L3Action::Shrunk, L3Action::Removed]
        .map(|action| L3Event::new(SEQUENCE, action, orders()[0]))
}

/// The first reports of the samples of `Fills` and `Ended`.
fn account() -> [AccountEvent; 2] {
    let fill = super::fills();
    let ended = super::ended();
    [
        AccountEvent::from(&FillReport::parse_all(&fill).expect("a valid sample")[0]),
        AccountEvent::from(&EndedReport::parse_all(&ended).expect("a valid sample")[0]),
    ]
}

fn events<Event: IntoBytes + zerocopy::Immutable>(feed: FeedId, events: &[Event]) -> Bytes {
    let mut message = Vec::new();
    begin_events(&mut message);
    message.extend_from_slice(events.as_bytes());
    finish_events(&mut message, feed, events.len() as u16, &BEFORE);
    Bytes::from(message)
}

fn conflated_events() -> Bytes {
    let mut messages = Vec::new();
    write_conflated(public(Channel::L2), 9, &l2(), |message| {
        messages.push(message)
    });
    Bytes::from(messages.remove(0))
}

fn mark(channel: Channel, lines: &[u8]) -> FeedMark {
    let mut hasher = BookHasher::new(channel);
    hasher.update(lines);
    FeedMark {
        feed: public(channel),
        position: BEFORE,
        book_hash: hasher.finish(),
        sequence: SEQUENCE,
    }
}

fn snapshot(channel: Channel, lines: &[u8]) -> Bytes {
    let mut messages = Vec::new();
    write_snapshot(&mark(channel, lines), lines, |message| {
        messages.push(message)
    });
    Bytes::from(messages.remove(0))
}

/// As `reencodings` of all messages.
pub(crate) fn reencodings(bytes: &Bytes) -> Vec<Vec<u8>> {
    let subscribe = Subscribe::parse(bytes).ok().and_then(|message| {
        // One that names no channel says nothing that could be said again.
        let subscription = message.subscription()?;
        Some(Subscribe::new(&subscription).as_bytes().to_vec())
    });
    let unsubscribe = Unsubscribe::parse(bytes).ok();
    let subscribed = Subscribed::parse(bytes).ok();
    let checkpoint = FeedMark::parse_checkpoint(bytes).ok();
    let accepted = [
        subscribe,
        unsubscribe.map(|number| Unsubscribe::new(number).as_bytes().to_vec()),
        subscribed.map(|(number, why)| Subscribed::new(number, why).as_bytes().to_vec()),
        FeedEvents::parse(bytes).ok().map(|events| again(&events)),
        FeedSnapshot::parse(bytes)
            .ok()
            .map(|part| snapshot_again(&part)),
        checkpoint.map(|mark| mark.checkpoint().to_vec()),
        FeedGap::parse(bytes).ok().map(|gap| gap.encode().to_vec()),
    ];
    accepted.into_iter().flatten().collect()
}

fn again(events: &FeedEvents<'_>) -> Vec<u8> {
    let records = match events.records {
        Records::Trades(events) => {
            let again = events
                .iter()
                .map(|it| TradeEvent::new(it.sequence(), &it.news()));
            again.flat_map(|event| event.as_bytes().to_vec()).collect()
        }
        Records::L1(events) => events.as_bytes().to_vec(),
        Records::L2(events) => events.as_bytes().to_vec(),
        Records::L3(events) => events.as_bytes().to_vec(),
        Records::Account(events) => events.as_bytes().to_vec(),
    };
    let mut message = Vec::new();
    begin_events(&mut message);
    message.extend_from_slice(&records);
    let before = FeedPosition {
        sequence: events.sequence.saturating_sub(1),
        hash: Digest::ZERO,
    };
    finish_events(
        &mut message,
        events.feed,
        events.records.len() as u16,
        &before,
    );
    message[8..16].copy_from_slice(&events.sequence.to_le_bytes());
    message[21] = u8::from(events.is_conflated);
    message[24..56].copy_from_slice(events.hash.as_bytes());
    message
}

fn snapshot_again(part: &FeedSnapshot<'_>) -> Vec<u8> {
    let mut messages = Vec::new();
    write_snapshot(&part.mark, part.bytes, |message| messages.push(message));
    let mut message = messages.remove(0);
    message[21] = u8::from(part.more);
    message
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
