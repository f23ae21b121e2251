//! What a reader can ask for: conflation, other positions, nonsense; and what it is told then.

use std::net::SocketAddr;

use client::{Receiver, Sender, connect};
use tokio::task::{JoinHandle, spawn_local};
use types::outcome::Digest;
use types::wire::feed::{
    AccountReport, Channel, FeedId, FeedPosition, GapReason, Subscribe, Subscription,
};
use types::{AccountId, MarketId, RejectReason};
use zerocopy::IntoBytes as _;

use crate::common::{Node, options};
use crate::flow::{note, trade};
use crate::reader::{ACCOUNT, L1, L2, L3, Reading, TRADES, finish, known, stands, until};
use crate::run_local;

/// A session of `dev-0` that only listens, from before the first order on.
#[derive(Debug)]
pub(crate) struct Watch {
    sender: Sender,
    task: JoinHandle<Vec<AccountReport>>,
}

impl Watch {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let (sender, receiver) = connect(&options(server, "dev-0")).await.unwrap();
        Self {
            sender,
            task: spawn_local(listen(receiver)),
        }
    }

    /// All reports that came.
    pub(crate) async fn finish(self) -> Vec<AccountReport> {
        self.sender.close().await;
        self.task.await.unwrap()
    }
}

async fn listen(mut receiver: Receiver) -> Vec<AccountReport> {
    let mut reports = Vec::new();
    while let Ok(message) = receiver.next().await {
        note(&message, &mut reports);
    }
    reports
}

#[test]
fn conflated_readers_are_told_the_newest_state_and_no_more_often_than_they_want() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    run_local(async {
        let full = [known(L1, 0, false), known(L2, 0, false)];
        let slow = [
            known(L1, 100, false),
            known(L2, 100, false),
            known(L2, 1_000, false),
        ];
        let all: Vec<_> = full.iter().chain(&slow).cloned().collect();
        let began = std::time::Instant::now();
        let _reading = Reading::start(node.address, "dev-0", &all).await;
        trade(node.address, "dev-1", 600, 5).await;
        finish(node.address, &full).await;
        for (index, known) in slow.iter().enumerate() {
            let twin = if known.borrow().book.feed() == L1 {
                &full[0]
            } else {
                &full[1]
            };
            until("the conflated reader comes to the same book", || {
                known.borrow().book.book_hash() == twin.borrow().book.book_hash()
            })
            .await;
            until("it is compared", || known.borrow().book.compared() >= 2).await;
            let known = known.borrow();
            let waited = began.elapsed().as_millis() as u64;
            let most = waited / u64::from(known.interval_ms) + 1;
            eprintln!("{index}: {} updates in {waited} ms", known.conflated);
            assert!(
                0 < known.conflated && known.conflated <= most,
                "{index}: {most}"
            );
            assert_eq!(known.conflated, known.messages);
            assert!(known.messages < twin.borrow().messages);
        }
    });
    assert!(node.stop().success());
}

#[test]
fn who_comes_back_from_elsewhere_is_told_of_the_gap() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    run_local(async {
        trade(node.address, "dev-1", 50, 6).await;
        let end = stands(node.address, L3).await;
        for (position, interval_ms, expected) in [
            (
                FeedPosition {
                    hash: Digest::new([1; 32]),
                    ..end
                },
                0,
                Some(GapReason::Forked),
            ),
            (
                FeedPosition {
                    sequence: end.sequence + 1,
                    ..end
                },
                0,
                Some(GapReason::Forked),
            ),
            (end, 0, None),
            (FeedPosition::default(), 0, None),
        ] {
            let (mut sender, receiver) = connect(&options(node.address, "dev-0")).await.unwrap();
            let number = sender.queue_subscribe(L3, interval_ms, Some(position));
            sender.flush().await.unwrap();
            let mut feeds = receiver.feeds();
            let mut stream = feeds.next().await.unwrap();
            assert_eq!(stream.number(), number);
            if position == end {
                // Nothing has happened since: an order shows that it goes on from there.
                trade(node.address, "dev-1", 3, 7).await;
            }
            let first = stream.next().await.unwrap().unwrap();
            match (first, expected) {
                (client::FeedMessage::Gap(gap), Some(reason)) => {
                    assert_eq!(gap.reason, reason);
                    assert_eq!(gap.after, position.sequence);
                    let next = stream.next().await.unwrap().unwrap();
                    let client::FeedMessage::Snapshot(snapshot) = next else {
                        panic!("{next:?}");
                    };
                    assert_eq!(snapshot.view().mark.position.sequence, gap.through);
                }
                (client::FeedMessage::Events(events), None) => {
                    assert_eq!(events.view().sequence, position.sequence + 1);
                }
                (other, _) => panic!("{other:?}"),
            }
        }
        let conflated = known(L2, 50, false);
        let (mut sender, receiver) = connect(&options(node.address, "dev-0")).await.unwrap();
        sender.queue_subscribe(L2, 50, Some(FeedPosition::default()));
        sender.flush().await.unwrap();
        let mut stream = receiver.feeds().next().await.unwrap();
        for _ in 0..2 {
            let message = stream.next().await.unwrap().unwrap();
            conflated.borrow_mut().book.apply(&message).unwrap();
            if let client::FeedMessage::Gap(gap) = message {
                assert_eq!(gap.reason, GapReason::Conflated);
            }
        }
        assert_eq!(conflated.borrow().book.compared(), 1);
    });
    assert!(node.stop().success());
}

#[test]
fn nonsense_is_refused_and_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    run_local(async {
        let books = [known(TRADES, 0, false)];
        let mut reading = Reading::start(node.address, "dev-0", &books).await;
        assert_eq!(reading.subscribed().await, (1, None));
        let unknown = Some(RejectReason::UnknownFeed);
        let elsewhere = FeedId::Market(Channel::L2, MarketId::new(9));
        let another = FeedId::Account(AccountId::new(1));
        for (feed, interval_ms, expected) in [
            (elsewhere, 0, unknown),
            (another, 0, unknown),
            (ACCOUNT, 100, unknown),
            (L3, 100, unknown),
            (TRADES, 10, unknown),
            (L2, 11, unknown),
            (L1, u32::MAX, unknown),
            (ACCOUNT, 0, None),
            (L1, 10, None),
        ] {
            let number = reading.sender.queue_subscribe(feed, interval_ms, None);
            reading.sender.flush().await.unwrap();
            let answer = reading.subscribed().await;
            assert_eq!(answer, (number, expected), "{feed:?} {interval_ms}");
        }
        let again = Subscribe::new(&Subscription {
            number: 1,
            feed: L2,
            interval_ms: 0,
            from: None,
        });
        reading.sender.queue_bytes(again.as_bytes());
        let mut no_channel = again.as_bytes().to_vec();
        no_channel[20] = 77;
        no_channel[8] = 99;
        reading.sender.queue_bytes(&no_channel);
        reading.sender.queue_unsubscribe(12_345);
        reading.sender.flush().await.unwrap();
        let duplicate = Some(RejectReason::DuplicateSubscription);
        assert_eq!(reading.subscribed().await, (1, duplicate));
        assert_eq!(reading.subscribed().await, (99, unknown));
        // As many as there may be, and one more.
        let mut refused = 0;
        for _ in 0..70 {
            reading.sender.queue_subscribe(L2, 0, None);
            reading.sender.flush().await.unwrap();
            let (_, reason) = reading.subscribed().await;
            assert!(matches!(
                reason,
                None | Some(RejectReason::TooManySubscriptions)
            ));
            refused += usize::from(reason.is_some());
        }
        assert_eq!(refused, 70 - (64 - 3));
        // Room comes back.
        reading.sender.queue_unsubscribe(1);
        let number = reading.sender.queue_subscribe(L2, 0, None);
        reading.sender.flush().await.unwrap();
        assert_eq!(reading.subscribed().await, (number, None));
        trade(node.address, "dev-1", 5, 8).await;
    });
    assert!(node.stop().success());
}
