//! Who may come in and how much of it, over real sockets: addresses, keys, accounts, and the room that
//! is kept for those who want to get out.

use client::{ConnectError, Message, connect};
use gateway::{GatewayConfig, Pace, Weights};
use types::command::CancelScope;
use types::wire::query::Question;
use types::{AccountId, Command, Nonce, RejectReason};

use crate::harness::{Node, Session, place};

const EVERYTHING: Command<'static> = Command::CancelAll(CancelScope::EVERYTHING);

async fn refusal(node: &Node, key: &str) -> Option<ConnectError> {
    connect(&node.options(key)).await.err()
}

/// Slow enough that nothing fills up during a test.
fn slow(burst: u32) -> Option<Pace> {
    Some(Pace {
        per_second: 1,
        burst,
    })
}

#[tokio::test]
async fn a_key_has_so_many_sessions_and_the_last_places_are_for_others() {
    let reason = RejectReason::TooManySessions;
    let refused = Some(ConnectError::Refused { reason });
    let config = GatewayConfig {
        sessions_per_key: 2,
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let mut first = node.connect("dev-0").await;
    let _second = node.connect("dev-0").await;
    assert_eq!(refusal(&node, "dev-0").await, refused);
    node.connect("dev-1").await.trades().await;
    first.trades().await;

    let config = GatewayConfig {
        sessions_max: 5,
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(node.connect("dev-0").await);
    }
    assert_eq!(refusal(&node, "dev-0").await, refused);
    node.connect("dev-1").await.trades().await;
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let config = GatewayConfig {
        limits_loopback: true,
        connections_per_address: 2,
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let mut first = node.connect("dev-0").await;
    let second = node.connect("dev-1").await;
    for _ in 0..3 {
        let refused = refusal(&node, "dev-2").await;
        assert!(matches!(refused, Some(ConnectError::Unreachable { .. })));
    }
    assert_eq!(node.counters.connections_refused.get(), 3);
    let mut receiver = second.receiver;
    second.sender.close().await;
    assert!(receiver.next().await.is_err());
    node.connect("dev-2").await.trades().await;
    first.trades().await;
}

#[tokio::test]
async fn an_account_has_budgets_for_orders_and_for_cancels() {
    let config = GatewayConfig {
        commands: slow(256),
        cancels: slow(256),
        ..GatewayConfig::default()
    };
    let weights = Weights::from_iter([(AccountId::new(1), 2)]);
    let node = Node::start_weighted(config, 1_024, weights);
    let limited = RejectReason::RateLimited;
    let orders = vec![place(5, 1); 256];
    let cancels = vec![EVERYTHING; 256];

    let mut plain = node.connect("dev-0").await;
    plain.accepted(&orders).await;
    plain.refused_at_once(&orders, limited).await;
    plain
        .refused_at_once(&[place(5, 1), EVERYTHING], limited)
        .await;
    plain.accepted(&cancels).await;
    plain.refused_at_once(&[EVERYTHING], limited).await;
    // Another session of the account has the same budget, another account its own.
    let mut twin = node.connect("dev-0").await;
    twin.refused_at_once(&orders, limited).await;
    let mut heavy = node.connect("dev-1").await;
    heavy.accepted(&orders).await;
    heavy.accepted(&orders).await;
    heavy.refused_at_once(&orders, limited).await;
}

impl Session {
    async fn accepted(&mut self, commands: &[Command<'_>]) {
        let nonce = self.send(commands).await;
        let ack = self.ack().await;
        assert_eq!((ack.nonce(), ack.view().refused), (nonce, None));
    }

    /// Refused before it was sequenced, so that the nonce is unused; the next frame has another one.
    async fn refused_at_once(&mut self, commands: &[Command<'_>], reason: RejectReason) {
        let nonce = self.send(commands).await;
        self.refused(nonce, reason).await;
    }
}

#[tokio::test]
async fn the_last_places_of_a_ring_are_for_cancels() {
    let node = Node::start_with(GatewayConfig::default(), 32);
    let mut session = node.connect("dev-0").await;
    node.hold_engine();
    for _ in 0..16 {
        session.sender.queue_frame(&[place(5, 1)]);
    }
    for _ in 0..3 {
        session.sender.queue_frame(&[EVERYTHING]);
    }
    session.sender.flush().await.unwrap();
    // Twenty-eight places are for orders, four more for cancels, and a session alone gets half.
    for nonce in [15, 16, 19] {
        session.refused(Nonce::new(nonce), RejectReason::Busy).await;
    }
    node.resume_engine();
    for nonce in (1..=14).chain(17..=18) {
        let ack = session.ack().await;
        assert_eq!(ack.nonce(), Nonce::new(nonce));
    }
}

/// Far more than fits into a session's window and its client's buffers.
const FLOOD: usize = 64 << 20;

/// A frame that is sent again and again until there are so many bytes.
fn flood(session: &mut Session, frame: &[u8]) -> usize {
    let count = FLOOD / frame.len();
    session.sender.queue_bytes(&frame.repeat(count));
    count
}

/// Rounds of an honest trader within which what is waited for has come about.
const ROUNDS_MAX: usize = 10_000;

#[tokio::test]
async fn who_is_refused_too_much_is_not_read() {
    let config = GatewayConfig {
        commands: slow(256),
        cancels: slow(100_000),
        refusals: Pace {
            per_second: 1,
            burst: 16,
        },
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let mut hostile = node.connect("dev-0").await;
    let mut honest = node.connect("dev-1").await;
    let frame = hostile.frame(1, &vec![place(5, 1); 256]);
    let count = flood(&mut hostile, &frame);
    let counters = &node.counters;
    let beside = async {
        for _ in 0..ROUNDS_MAX {
            if counters.pauses.get() > 0 {
                break;
            }
            honest.accepted(&[EVERYTHING]).await;
        }
        assert_eq!(counters.pauses.get(), 1);
        // From here on only the honest one is read.
        let before = counters.bytes_received.get();
        for _ in 0..100 {
            honest.accepted(&[EVERYTHING]).await;
        }
        let received = counters.bytes_received.get() - before;
        assert!(received < 100 * 1_024, "{received}");
        assert_eq!(counters.pauses.get(), 1);
    };
    tokio::select! {
        _ = hostile.sender.flush() => panic!("nobody took all that"),
        () = beside => {}
    }
    let refused = counters.rejects.iter();
    let refused = refused.map(|(_, count)| count).sum::<u64>();
    assert!(
        0 < refused && refused < count as u64 / 16,
        "{refused} of {count}"
    );
    // One that is not read is let go all the same.
    drop(hostile);
    for _ in 0..ROUNDS_MAX {
        if counters.open.get() == 1 {
            break;
        }
        honest.accepted(&[EVERYTHING]).await;
    }
    assert_eq!(counters.open.get(), 1);
}

#[tokio::test]
async fn who_fills_the_ring_waits_for_his_answers_and_leaves_room() {
    let config = GatewayConfig {
        refusals: Pace {
            per_second: 1,
            burst: 1,
        },
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let mut hostile = node.connect("dev-0").await;
    let mut honest = node.connect("dev-1").await;
    let frame = hostile.frame(1, &[place(5, 1)]);
    node.hold_engine();
    let count = flood(&mut hostile, &frame);
    let Session { sender, receiver } = &mut hostile;
    let counters = &node.counters;
    let beside = async {
        for _ in 0..ROUNDS_MAX {
            if counters.pauses.get() > 0 {
                break;
            }
            honest.sender.queue_query(Question::Reference);
            honest.sender.flush().await.unwrap();
            assert!(matches!(honest.next().await, Ok(Message::Reference { .. })));
        }
        assert_eq!(counters.pauses.get(), 1);
        let nonce = honest.send(&[place(5, 1)]).await;
        node.resume_engine();
        let ack = honest.ack().await;
        assert_eq!((ack.nonce(), ack.view().refused), (nonce, None));
        // Time would let one more be refused each second: it is answers that he waits for.
        let mut answers = 0;
        while answers < 4_096 {
            receiver.next().await.unwrap();
            answers += 1;
        }
    };
    tokio::select! {
        _ = sender.flush() => panic!("{count} frames were taken at once"),
        () = beside => {}
    }
    assert!(counters.pauses.get() > 1);
}

/// A stranger that takes all places at the door but those that are kept.
#[tokio::test]
async fn known_addresses_have_places_at_the_door() {
    let config = GatewayConfig {
        handshakes_max: 8,
        retry_from: 8,
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let mut honest = node.connect("dev-0").await;
    let strangers: Vec<_> = {
        let mut strangers = Vec::new();
        for last in 0..8 {
            // Each from an address of its own, where nobody has a session.
            let from = format!("127.0.1.{last}:0").parse().unwrap();
            let endpoint = quinn::Endpoint::client(from).unwrap();
            let config = client::quic_config(&client::ServerPin::Development);
            let connecting = endpoint.connect_with(config, node.address, "keel");
            strangers.push((connecting.unwrap().await, endpoint));
        }
        strangers
    };
    let admitted = strangers.iter().filter(|(it, _)| it.is_ok());
    assert_eq!(admitted.count(), 6);
    // The address of the honest one may use the others.
    assert_eq!(refusal(&node, "dev-1").await, None);
    honest.trades().await;
}
