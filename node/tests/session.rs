//! A [`client::Session`] outlives its node: whenever that is killed, it connects again, and every order
//! takes effect exactly once.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use client::{Message, Session, SessionEvent, SignatureMode};
use common::{Node, run, serving, text};
use types::command::{OrderKind, Place, SelfTrade};
use types::wire::query::Question;
use types::{BaseLots, ClientOrderId, Command, MarketId, Nonce, Side, Ticks};

/// Orders, each with a size of its own.
const ORDERS: u64 = 3_000;
/// After so many answers the node ends.
const LIFE: usize = 700;

#[test]
fn every_order_takes_effect_once_through_kills() {
    for signatures in [SignatureMode::Frame, SignatureMode::Rolling] {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let lives = runtime.block_on(async {
            let live = trade(directory.path(), signatures);
            tokio::time::timeout(Duration::from_secs(60), live).await
        });
        let lives = lives.expect("a session comes to its end");
        assert!(lives >= 3, "the node must have ended a few times: {lives}");
        text(&run("verify", directory.path(), &["--signatures"]));
    }
}

/// Sends all orders, ends the node now and then, and compares. How often it ended.
async fn trade(directory: &Path, signatures: SignatureMode) -> usize {
    let mut node = Some(Node::serve(directory));
    let mut options = node.as_ref().unwrap().options("dev-0");
    options.signatures = signatures;
    let listen = options.server.to_string();
    let mut session = Session::open(options).await.unwrap();
    let mut answers: BTreeMap<Nonce, u32> = BTreeMap::new();
    let (mut queued, mut ends, mut reconnects) = (0, 0, 0);
    while answers.len() < ORDERS as usize || reconnects < ends {
        // A few at a time, so that some are always on their way.
        for _ in 0..8 {
            if queued < ORDERS && session.has_room() {
                queued += 1;
                let nonce = session.queue(&[place(queued)]);
                assert_eq!(answers.get(&nonce), None);
            }
        }
        match session.next().await.unwrap() {
            SessionEvent::Message(Message::Ack(ack)) => {
                let view = ack.view();
                assert_eq!(view.refused, None);
                assert_eq!(view.outcomes[0].reject_reason(), None);
                *answers.entry(ack.nonce()).or_default() += 1;
            }
            SessionEvent::Message(Message::Refused { nonce, reason }) => {
                panic!("nonce {nonce}: {reason}");
            }
            SessionEvent::Message(_) => {}
            SessionEvent::Reconnected => reconnects += 1,
        }
        if answers.len() >= (ends + 1) * LIFE {
            ends += 1;
            node.take().unwrap().kill();
            let again = serving(&[], directory, &listen, &[]);
            node = Some(Node::start(again).unwrap());
        }
    }
    assert!(answers.values().all(|count| *count == 1));
    assert_eq!(session.unanswered(), 0);
    assert!(!session.stages().is_empty());
    rests(&mut session).await;
    session.close().await;
    assert!(node.unwrap().stop().success());
    ends
}

/// Every order rests, once.
async fn rests(session: &mut Session) {
    session.ask(Question::OpenOrders).unwrap();
    let orders = loop {
        if let SessionEvent::Message(Message::OpenOrders { orders, .. }) =
            session.next().await.unwrap()
        {
            break orders;
        }
    };
    let sizes: Vec<u64> = orders.iter().map(|order| order.remaining.get()).collect();
    let mut sorted = sizes;
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=ORDERS).collect::<Vec<_>>());
}

fn place(size: u64) -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(0),
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(100 + size % 50),
        quantity: BaseLots::new(size),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}
