//! Who gets a session, and who does not.

use std::time::Duration;

use client::{ConnectError, ServerPin, SessionError, connect};
use gateway::GatewayConfig;
use types::auth::{PublicKey, SigningKey};
use types::wire::session::{EXPORTER_LABEL, Hello};
use types::{AccountId, KeyId, NetworkId, Nonce, RejectReason};
use zerocopy::IntoBytes;

use crate::harness::Node;

#[tokio::test]
async fn a_registered_key_gets_a_session_and_its_terms() {
    let node = Node::start();
    for (key, number) in [("dev-0", 0), ("dev-63", 63), ("dev-operator", 64)] {
        let session = node.connect(key).await;
        let terms = session.sender.terms();
        assert_eq!(terms.network, NetworkId::DEVELOPMENT);
        assert_eq!(terms.genesis_hash, node.genesis.hash());
        assert_eq!(terms.account, AccountId::new(number));
        assert_eq!(terms.key, KeyId::new(number));
        assert_eq!(terms.next_nonce, Nonce::new(1));
        assert_eq!(terms.frames_in_flight, 1_024);
    }
}

#[tokio::test]
async fn strangers_are_turned_away_with_a_reason() {
    let node = Node::start();
    let mut options = node.options("dev-64");
    let refused = |reason| Some(ConnectError::Refused { reason });
    assert_eq!(
        connect(&options).await.err(),
        refused(RejectReason::UnknownKey)
    );
    options = node.options("dev-0");
    options.network = Some(NetworkId::new(2));
    assert_eq!(
        connect(&options).await.err(),
        refused(RejectReason::WrongNetwork)
    );
    options.network = None;
    connect(&options).await.unwrap();
}

#[tokio::test]
async fn a_server_with_another_key_is_not_trusted() {
    let node = Node::start();
    let mut options = node.options("dev-0");
    let expected = PublicKey::new([7; 32]);
    options.pin = ServerPin::PublicKey(expected);
    let mismatch = ConnectError::PinMismatch {
        server: node.address,
        expected,
        presented: SigningKey::development("tls").public(),
    };
    assert_eq!(connect(&options).await.err(), Some(mismatch));
}

#[tokio::test]
async fn sessions_have_a_limit_and_make_room_when_they_end() {
    let config = GatewayConfig {
        sessions_max: 2,
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let first = node.connect("dev-0").await;
    let mut second = node.connect("dev-0").await;
    let refused = connect(&node.options("dev-1")).await.err();
    let reason = RejectReason::TooManySessions;
    assert_eq!(refused, Some(ConnectError::Refused { reason }));
    let mut receiver = first.receiver;
    first.sender.close().await;
    assert_eq!(receiver.next().await, Err(SessionError::Finished));
    node.connect("dev-1").await.trades().await;
    second.trades().await;
}

#[tokio::test]
async fn crowded_doors_ask_for_proof_and_then_close() {
    let config = GatewayConfig {
        retry_from: 0,
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    node.connect("dev-0").await.trades().await;
    let config = GatewayConfig {
        handshakes_max: 0,
        ..config
    };
    let node = Node::start_with(config, 64);
    let refused = connect(&node.options("dev-0")).await.err();
    assert!(matches!(refused, Some(ConnectError::Unreachable { .. })));
}

/// A connection without a session.
pub(crate) async fn raw(node: &Node) -> (quinn::Connection, quinn::SendStream, quinn::RecvStream) {
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = client::quic_config(&ServerPin::Development);
    let connecting = endpoint.connect_with(config, node.address, "keel");
    let connection = connecting.unwrap().await.unwrap();
    let (send, receive) = connection.open_bi().await.unwrap();
    (connection, send, receive)
}

pub(crate) async fn closed(connection: &quinn::Connection) -> RejectReason {
    let closed = tokio::time::timeout(Duration::from_secs(8), connection.closed());
    match closed.await.expect("the server closes in time") {
        quinn::ConnectionError::ApplicationClosed(close) => {
            let code = u16::try_from(close.error_code.into_inner()).unwrap();
            let reason = RejectReason::from_code(code).unwrap();
            assert_eq!(close.reason, reason.name().as_bytes());
            reason
        }
        other => panic!("expected a close, not {other}"),
    }
}

#[tokio::test]
async fn an_opening_is_worthless_on_another_connection() {
    let node = Node::start();
    let (victim, _send, _receive) = raw(&node).await;
    let mut exporter = [0; 32];
    victim
        .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
        .unwrap();
    let hello = Hello::new(None, &SigningKey::development("dev-0"), &exporter);
    let (thief, mut send, _receive) = raw(&node).await;
    send.write_all(hello.as_bytes()).await.unwrap();
    assert_eq!(closed(&thief).await, RejectReason::BadSignature);
}

#[tokio::test]
async fn the_opening_comes_first_and_in_time() {
    let config = GatewayConfig {
        hello_timeout: Duration::from_millis(300),
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 64);
    let (silent, _send, _receive) = raw(&node).await;
    assert_eq!(closed(&silent).await, RejectReason::Timeout);
    for (bytes, expected) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], RejectReason::Oversize),
        (&[8, 0, 0, 0, 7, 1, 0, 0], RejectReason::UnexpectedMessage),
        (&[8, 0, 0, 0, 1, 1, 0, 0], RejectReason::Malformed),
        (&[8, 0, 0, 0, 1, 9, 0, 0], RejectReason::UnsupportedVersion),
    ] {
        let (rude, mut send, _receive) = raw(&node).await;
        send.write_all(bytes).await.unwrap();
        assert_eq!(closed(&rude).await, expected, "{bytes:?}");
    }
}
