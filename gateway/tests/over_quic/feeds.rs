//! Readers of feeds, slow ones too. What makes the feeds is in the test's hands.

use std::time::Duration;

use bytes::Bytes;
use client::{FeedError, FeedMessage, FeedStream};
use gateway::{FeedDelivery, FeedGroup, FeedRequest, GatewayConfig};
use types::wire::feed::{
    Channel, FeedId, FeedMark, FeedPosition, GapReason, L2Event, LevelRecord, begin_events,
    finish_events, write_snapshot,
};
use types::*;
use zerocopy::IntoBytes as _;

use crate::harness::{FakeFeeds, Node, Session};

const L2: FeedId = FeedId::Market(Channel::L2, MarketId::new(0));
const GROUP: FeedGroup = FeedGroup {
    feed: L2,
    interval_ms: 0,
};
/// Of one message of [`Feed`].
const MESSAGE: usize = 56 + 32 * EVENTS as usize;
const EVENTS: u16 = 1_000;

/// A feed that is made here.
#[derive(Default)]
struct Feed {
    position: FeedPosition,
}

impl Feed {
    fn message(&mut self) -> Bytes {
        let mut message = Vec::new();
        begin_events(&mut message);
        for number in 0..EVENTS {
            let price = Ticks::new(1 + u64::from(number));
            let level = LevelRecord::new(Side::Bid, price, BaseLots::new(1), 1);
            let event = L2Event::new(SequenceNumber::new(1), level);
            message.extend_from_slice(event.as_bytes());
        }
        self.position = finish_events(&mut message, L2, EVENTS, &self.position);
        assert_eq!(message.len(), MESSAGE);
        Bytes::from(message)
    }

    fn deliver(&mut self, feeds: &mut FakeFeeds, group: FeedGroup) {
        let message = self.message();
        feeds.deliver(FeedDelivery::Message { group, message });
    }

    fn snapshot(&self) -> Vec<Bytes> {
        let mark = FeedMark {
            feed: L2,
            position: self.position,
            book_hash: types::outcome::Digest::ZERO,
            sequence: SequenceNumber::new(1),
        };
        let mut messages = Vec::new();
        write_snapshot(&mark, &[], |message| messages.push(Bytes::from(message)));
        messages
    }
}

/// Takes a request to join and answers it.
async fn join(feeds: &mut FakeFeeds, feed: &Feed) {
    let FeedRequest::Join {
        session, ticket, ..
    } = feeds.request().await
    else {
        panic!("nobody joins");
    };
    feeds.deliver(FeedDelivery::Joined {
        session,
        ticket,
        messages: feed.snapshot(),
    });
}

async fn subscribe(session: &mut Session) -> u64 {
    let number = session.sender.queue_subscribe(L2, 0, None);
    session.sender.flush().await.unwrap();
    number
}

async fn next(stream: &mut FeedStream) -> Result<Option<FeedMessage>, FeedError> {
    let next = tokio::time::timeout(Duration::from_secs(8), stream.next());
    next.await.expect("in time")
}

async fn joined(session: &mut Session, number: u64) -> FeedStream {
    let answer = session.next().await;
    let expected = client::Message::Subscribed {
        number,
        refused: None,
    };
    assert_eq!(answer, Ok(expected));
    let mut stream = session.receiver.feeds().next().await.unwrap();
    assert_eq!(stream.number(), number);
    assert!(matches!(
        next(&mut stream).await,
        Ok(Some(FeedMessage::Snapshot(_)))
    ));
    stream
}

fn limits() -> GatewayConfig {
    GatewayConfig {
        feed_backlog_max: 4 * MESSAGE,
        feed_timeout: Duration::from_millis(300),
        ..GatewayConfig::default()
    }
}

#[tokio::test]
async fn what_is_delivered_reaches_every_reader_in_order() {
    let mut node = Node::start();
    let mut feeds = node.feeds();
    let mut feed = Feed::default();
    let (mut first, mut second) = (node.connect("dev-0").await, node.connect("dev-2").await);
    let number = subscribe(&mut first).await;
    join(&mut feeds, &feed).await;
    let mut one = joined(&mut first, number).await;
    feed.deliver(&mut feeds, GROUP);
    let number = subscribe(&mut second).await;
    join(&mut feeds, &feed).await;
    let mut two = joined(&mut second, number).await;
    for _ in 0..3 {
        feed.deliver(&mut feeds, GROUP);
    }
    for (stream, messages) in [(&mut one, 0..4), (&mut two, 1..4)] {
        for number in messages {
            let Ok(Some(FeedMessage::Events(events))) = next(stream).await else {
                panic!("events come");
            };
            assert_eq!(events.view().sequence, 1 + number * u64::from(EVENTS));
        }
    }
    // One leaves and one goes: both are told to whoever makes the feeds, and nobody else notices.
    first.sender.queue_unsubscribe(1);
    first.sender.flush().await.unwrap();
    assert_eq!(feeds.request().await, FeedRequest::Leave(GROUP));
    assert_eq!(next(&mut one).await, Ok(None));
    feed.deliver(&mut feeds, GROUP);
    assert!(matches!(
        next(&mut two).await,
        Ok(Some(FeedMessage::Events(_)))
    ));
    drop(two);
    feed.deliver(&mut feeds, GROUP);
    assert_eq!(feeds.request().await, FeedRequest::Leave(GROUP));
    first.trades().await;
    second.trades().await;
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_and_nobody_else_feels_it() {
    let mut node = Node::start_with(limits(), 1_024);
    let mut feeds = node.feeds();
    let mut feed = Feed::default();
    let (mut slow, mut honest) = (node.connect("dev-0").await, node.connect("dev-2").await);
    let mut streams = Vec::new();
    for session in [&mut slow, &mut honest] {
        let number = subscribe(session).await;
        join(&mut feeds, &feed).await;
        streams.push(joined(session, number).await);
    }
    let mut fast = streams.pop().unwrap();
    let mut unread = streams.pop().unwrap();
    // Far more than the client's window, QUIC's buffer and the backlog hold together.
    let mut told = 0;
    let mut last = 0;
    while feeds.requests.slots() == 0 {
        feed.deliver(&mut feeds, GROUP);
        told += 1;
        assert!(told < 20_000, "the slow reader is never cut");
        let Ok(Some(FeedMessage::Events(events))) = next(&mut fast).await else {
            panic!("the fast reader gets all of it");
        };
        assert_eq!(events.view().sequence, last + 1);
        last = events.view().last();
        if told % 50 == 0 {
            slow.trades().await;
            honest.trades().await;
        }
    }
    assert_eq!(feeds.request().await, FeedRequest::Leave(GROUP));
    println!("cut after {told} messages of {MESSAGE} bytes");
    assert!(told * MESSAGE > 4 * 1024 * 1024);
    // Its session goes on; its stream ends with a reset.
    slow.trades().await;
    let cut = loop {
        match next(&mut unread).await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    let reason = RejectReason::Timeout;
    assert_eq!(cut, Err(FeedError::Cut { reason }));
}

#[tokio::test]
async fn who_falls_behind_and_still_reads_hears_where_the_gap_is() {
    let mut node = Node::start_with(
        GatewayConfig {
            feed_timeout: Duration::from_secs(6),
            ..limits()
        },
        1_024,
    );
    let mut feeds = node.feeds();
    let mut feed = Feed::default();
    let mut session = node.connect("dev-0").await;
    let number = subscribe(&mut session).await;
    join(&mut feeds, &feed).await;
    let mut stream = joined(&mut session, number).await;
    // One after the other it would be taken; all at once it is more than the backlog.
    for _ in 0..300 {
        feed.deliver(&mut feeds, GROUP);
    }
    let mut last = 0;
    let gap = loop {
        match next(&mut stream).await {
            Ok(Some(FeedMessage::Events(events))) => {
                assert_eq!(events.view().sequence, last + 1);
                last = events.view().last();
            }
            Ok(Some(FeedMessage::Gap(gap))) => break gap,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (gap.reason, gap.after, gap.through),
        (GapReason::TooSlow, last, 0)
    );
    assert!(last < feed.position.sequence);
    assert_eq!(next(&mut stream).await, Ok(None));
    assert_eq!(feeds.request().await, FeedRequest::Leave(GROUP));
    session.trades().await;
}

#[tokio::test]
async fn a_full_ring_of_requests_is_busy_and_a_session_that_ends_leaves() {
    let mut node = Node::start();
    let mut feeds = node.feeds();
    let mut session = node.connect("dev-0").await;
    for number in 1..=9 {
        session.sender.queue_subscribe(L2, 0, None);
        session.sender.flush().await.unwrap();
        if number == 9 {
            let refused = Some(RejectReason::Busy);
            let expected = client::Message::Subscribed { number, refused };
            assert_eq!(session.next().await, Ok(expected));
        }
    }
    drop(session);
    let mut joins = 0;
    for _ in 0..8 {
        joins += usize::from(matches!(feeds.request().await, FeedRequest::Join { .. }));
    }
    assert_eq!(joins, 8);
    // There is room again: the departures come, once somebody looks.
    let mut other = node.connect("dev-2").await;
    other.trades().await;
    for _ in 0..8 {
        assert_eq!(feeds.request().await, FeedRequest::Leave(GROUP));
    }
    // What comes for a reader who is gone harms nobody.
    let mut feed = Feed::default();
    feed.deliver(&mut feeds, GROUP);
    other.trades().await;
}
