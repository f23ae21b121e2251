//! What an honest session gets.

use client::{ConnectError, Message, SessionError, connect};
use gateway::GatewayConfig;
use types::auth::SigningKey;
use types::command::{CancelScope, SelfTrade};
use types::wire::ack::Role;
use types::wire::query::{Question, Reference};
use types::wire::receipts::ReceiptKey;
use types::*;

use crate::harness::{MAKER, MARKET, Node, OPEN, Session, place, sweep, take};

#[tokio::test]
async fn every_command_of_a_frame_has_its_outcome() {
    let node = Node::start();
    let mut session = node.connect("dev-0").await;
    let nonce = session.send(&[place(5, 1), place(0, 2), take(5, 3)]).await;
    let Ok(Message::Fills(fills)) = session.next().await else {
        panic!("fills come before the ack");
    };
    let [fill] = fills.reports() else {
        panic!("one fill, not {:?}", fills.reports())
    };
    assert_eq!(fill.role(), Role::Taker);
    assert_eq!(fill.sequence(), SequenceNumber::new(3));
    assert_eq!(fill.client_order_id(), ClientOrderId::new(3));

    let ack = session.ack().await;
    let ack = ack.view();
    assert_eq!(ack.nonce, nonce);
    assert_eq!(ack.first_sequence, SequenceNumber::new(1));
    assert!(!ack.repeated && ack.refused.is_none());
    let outcomes = ack.outcomes.iter();
    let reasons: Vec<_> = outcomes.map(|outcome| outcome.reject_reason()).collect();
    assert_eq!(reasons, [None, Some(RejectReason::ZeroPrice), None]);
    assert_eq!(ack.outcomes[2].affected(), 1);
    assert_eq!(ack.outcomes[2].lots(), BaseLots::new(10));
    let times = ack.times;
    assert!(times.received_at > 0);
    assert_eq!(
        [times.sequenced, times.executed, times.durable],
        [1_000, 2_000, 3_000]
    );
    assert!(times.sent > 0);
}

#[tokio::test]
async fn a_maker_hears_of_fills_in_all_its_sessions() {
    let node = Node::start();
    let mut makers = [node.connect("dev-1").await, node.connect("dev-1").await];
    let mut taker = node.connect("dev-0").await;
    assert_eq!(makers[0].sender.terms().account, MAKER);
    let commands: Vec<_> = (1..=256).map(|label| take(5, label)).collect();
    for _ in 0..8 {
        taker.sender.queue_frame(&commands);
    }
    taker.sender.flush().await.unwrap();
    for maker in &mut makers {
        let mut sequence = 0;
        while sequence < 8 * 256 {
            let Ok(Message::Fills(fills)) = maker.next().await else {
                panic!("a maker that sends nothing hears of fills only");
            };
            for fill in fills.reports() {
                sequence += 1;
                assert_eq!(fill.sequence(), SequenceNumber::new(sequence));
                assert_eq!(fill.role(), Role::Maker);
                assert_eq!(fill.fee(), -1);
            }
        }
    }
}

/// The next message must be of ends: what happened, how much ended, what goes on.
async fn expect_ended(session: &mut Session, expected: &[(&str, u64, u64)]) {
    let Ok(Message::Ended(ended)) = session.next().await else {
        panic!("expected {expected:?}");
    };
    let ends = ended.reports().iter().map(|end| {
        assert_eq!(end.market(), MarketId::new(0));
        (end.reason_name(), end.lots().get(), end.remaining().get())
    });
    assert_eq!(ends.collect::<Vec<_>>(), expected);
}

async fn expect_fill(session: &mut Session, role: Role) {
    let Ok(Message::Fills(fills)) = session.next().await else {
        panic!("expected a fill");
    };
    let roles: Vec<_> = fills.reports().iter().map(|fill| fill.role()).collect();
    assert_eq!(roles, [role]);
}

#[tokio::test]
async fn owners_hear_of_ends_that_no_ack_tells_in_the_order_of_events() {
    let node = Node::start();
    let mut makers = [node.connect("dev-1").await, node.connect("dev-1").await];
    let mut taker = node.connect("dev-0").await;
    taker.send(&[sweep(SelfTrade::CancelMaker)]).await;
    for maker in &mut makers {
        let before = [
            ("expired", 6, 0),
            ("self_trade", 1, 2),
            ("self_trade", 6, 0),
        ];
        expect_ended(maker, &before).await;
        expect_fill(maker, Role::Maker).await;
        expect_ended(maker, &[("triggered", 0, 7), ("unfilled", 6, 0)]).await;
    }
    expect_fill(&mut taker, Role::Taker).await;
    taker.ack().await;

    let [maker, _] = &mut makers;
    maker
        .send(&[Command::CancelAll(CancelScope::EVERYTHING)])
        .await;
    maker.ack().await;

    taker.send(&[sweep(SelfTrade::CancelTaker)]).await;
    expect_fill(&mut taker, Role::Taker).await;
    expect_ended(&mut taker, &[("self_trade", 6, 0)]).await;
    taker.ack().await;
}

#[tokio::test]
async fn both_sides_of_an_auction_hear_what_still_rests() {
    let node = Node::start();
    let mut maker = node.connect("dev-1").await;
    let mut taker = node.connect("dev-63").await;
    let mut operator = node.connect("dev-operator").await;
    operator.send(&[OPEN]).await;
    let cases = [
        (&mut maker, Role::Maker, Side::Ask, 0),
        (&mut taker, Role::Taker, Side::Bid, 3),
    ];
    for (session, role, side, remaining) in cases {
        let Ok(Message::Fills(fills)) = session.next().await else {
            panic!("an auction fills orders of accounts that sent nothing");
        };
        let [fill] = fills.reports() else {
            panic!("one fill, not {:?}", fills.reports())
        };
        assert!(fill.in_auction());
        assert_eq!((fill.role(), fill.side()), (role, side));
        assert_eq!(fill.remaining(), BaseLots::new(remaining));
        assert_eq!(fill.sequence(), SequenceNumber::new(1));
    }
    operator.ack().await;
}

#[tokio::test]
async fn a_repeated_frame_gets_its_first_answer() {
    let node = Node::start();
    let mut session = node.connect("dev-0").await;
    let frame = session.frame(1, &[place(5, 1), place(0, 2)]);
    session.send_bytes(&frame).await;
    let first = session.ack().await;
    session.send_bytes(&frame).await;
    let again = session.ack().await;
    assert!(again.view().repeated && !first.view().repeated);
    assert_eq!(again.view().first_sequence, first.view().first_sequence);
    assert_eq!(again.view().outcomes, first.view().outcomes);

    let other = session.frame(1, &[place(6, 1)]);
    session.send_bytes(&other).await;
    let refused = session.ack().await;
    assert_eq!(refused.view().refused, Some(RejectReason::NonceReused));
    assert!(refused.view().outcomes.is_empty());

    // Another session of the same key goes on where this one is.
    let later = node.connect("dev-0").await;
    assert_eq!(later.sender.next_nonce(), Nonce::new(2));
}

#[tokio::test]
async fn questions_are_answered_beside_the_engine() {
    let node = Node::start();
    let mut session = node.connect("dev-7").await;
    let nonce = session.send(&[place(0, 1)]).await;
    let first = session.ack().await;

    session.sender.queue_query(Question::Nonce(nonce));
    let unknown = session.sender.queue_query(Question::Nonce(Nonce::new(99)));
    let reference = session.sender.queue_query(Question::Reference);
    let balances = session.sender.queue_query(Question::Balances);
    let markets = session.sender.queue_query(Question::Markets);
    session.sender.flush().await.unwrap();
    let again = session.ack().await;
    assert_eq!(again.nonce(), nonce);
    assert!(again.view().repeated);
    assert_eq!(again.view().outcomes, first.view().outcomes);
    let sequence = SequenceNumber::new(1);
    let expected = Message::UnknownNonce {
        request: unknown,
        sequence,
    };
    assert_eq!(session.next().await, Ok(expected));
    let expected = Message::Reference {
        request: reference,
        sequence,
        reference: Reference::of(&node.genesis),
    };
    assert_eq!(session.next().await, Ok(expected));
    match session.next().await {
        Ok(Message::Balances {
            request,
            balances: records,
            ..
        }) => {
            assert_eq!(request, balances);
            assert_eq!(records[0].free(), Atoms::new(7));
        }
        other => panic!("expected balances, not {other:?}"),
    }
    let expected = Message::MarketStates {
        request: markets,
        sequence,
        markets: vec![MARKET],
    };
    assert_eq!(session.next().await, Ok(expected));
}

#[tokio::test]
async fn full_rings_and_windows_are_answers() {
    let config = GatewayConfig {
        frames_in_flight: 6,
        commands_in_flight: 12,
        queries_in_flight: 1,
        ..GatewayConfig::default()
    };
    // A session alone may take half of the places that are for orders.
    let node = Node::start_with(config, 9);
    let mut busy = node.connect("dev-0").await;
    let mut greedy = node.connect("dev-1").await;
    node.hold_engine();
    for _ in 0..6 {
        busy.sender.queue_frame(&[place(5, 1)]);
    }
    busy.sender.queue_query(Question::Balances);
    busy.sender.queue_query(Question::Balances);
    busy.sender.flush().await.unwrap();
    busy.refused(Nonce::new(5), RejectReason::Busy).await;
    busy.refused(Nonce::new(6), RejectReason::Busy).await;
    busy.refused(Nonce::ZERO, RejectReason::Busy).await;
    let many = vec![place(5, 1); 13];
    let nonce = greedy.send(&many).await;
    let reason = RejectReason::TooManyInFlight;
    greedy.refused(nonce, reason).await;

    node.resume_engine();
    for nonce in 1..=4 {
        assert_eq!(busy.ack().await.nonce(), Nonce::new(nonce));
    }
    let Ok(Message::Balances { .. }) = busy.next().await else {
        panic!("the first question was admitted");
    };
    // What was refused was not used up.
    let fifth = busy.frame(5, &[place(5, 1)]);
    busy.send_bytes(&fifth).await;
    assert_eq!(busy.ack().await.view().refused, None);
}

#[tokio::test]
async fn a_client_that_finishes_gets_all_its_answers() {
    let node = Node::start();
    node.hold_engine();
    let mut session = node.connect("dev-0").await;
    for _ in 0..100 {
        session.sender.queue_frame(&[place(5, 1)]);
    }
    let mut receiver = session.receiver;
    session.sender.close().await;
    node.resume_engine();
    for nonce in 1..=100 {
        match receiver.next().await {
            Ok(Message::Ack(ack)) => assert_eq!(ack.nonce(), Nonce::new(nonce)),
            other => panic!("expected an ack, not {other:?}"),
        }
    }
    assert_eq!(receiver.next().await, Err(SessionError::Finished));
}

#[tokio::test]
async fn a_stopping_node_answers_what_it_admitted() {
    let mut node = Node::start();
    let mut session = node.connect("dev-0").await;
    node.hold_engine();
    session.sender.queue_frame(&[place(5, 1)]);
    session.sender.queue_query(Question::Reference);
    session.sender.flush().await.unwrap();
    let Ok(Message::Reference { .. }) = session.next().await else {
        panic!("the question comes after the frame, which was admitted");
    };
    let mut admitted = 1;
    node.drain();
    // The gateway hears of it on its own thread, some frames later.
    loop {
        assert!(admitted < 1_000, "the gateway never hears of its end");
        let nonce = session.send(&[place(5, 1)]).await;
        session.sender.queue_query(Question::Reference);
        session.sender.flush().await.unwrap();
        match session.next().await {
            Ok(Message::Refused { nonce: n, reason }) => {
                assert_eq!((n, reason), (nonce, RejectReason::ShuttingDown));
                break;
            }
            Ok(Message::Reference { .. }) => admitted += 1,
            other => panic!("expected a refusal or a reference, not {other:?}"),
        }
    }
    let Ok(Message::Reference { .. }) = session.next().await else {
        panic!("questions are answered to the end");
    };
    let refused = connect(&node.options("dev-1")).await.err();
    let reason = RejectReason::ShuttingDown;
    assert_eq!(refused, Some(ConnectError::Refused { reason }));

    node.resume_engine();
    for nonce in 1..=admitted {
        assert_eq!(session.ack().await.nonce(), Nonce::new(nonce));
    }
    let closing = tokio::task::spawn_blocking(move || node.close());
    session.closed(RejectReason::ShuttingDown).await;
    closing.await.unwrap();
}

#[tokio::test]
async fn receipts_tell_arrival_and_sequence_to_those_who_want_them() {
    let node = Node::start();
    let mut options = node.options("dev-0");
    options.receipts = true;
    let (sender, receiver) = connect(&options).await.unwrap();
    let mut asking = Session { sender, receiver };
    let mut other = node.connect("dev-1").await;
    other.send(&[place(5, 1), place(5, 2)]).await;
    other.ack().await;
    let mut told = Vec::new();
    for _ in 0..3 {
        asking.send(&[place(5, 1)]).await;
        asking.ack().await;
        let Ok(Message::Receipts(message)) = asking.next().await else {
            panic!("receipts come behind the acks");
        };
        let receipts = message.view();
        let genesis = &node.genesis;
        let key = ReceiptKey::new(genesis.network(), genesis.hash());
        let server = SigningKey::development("tls").public();
        assert!(receipts.are_signed_by(&server, &key));
        assert!(!receipts.are_signed_by(&SigningKey::development("dev-0").public(), &key));
        let fields = receipts.receipts().iter().map(|receipt| {
            let sequence = receipt.first_sequence().get();
            (receipt.nonce().get(), receipt.arrival(), sequence)
        });
        told.extend(fields);
    }
    assert_eq!(told, [(1, 2, 3), (2, 3, 4), (3, 4, 5)]);
}
