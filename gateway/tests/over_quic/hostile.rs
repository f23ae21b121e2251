//! What broken and malicious clients get, while an honest session goes on trading.

use std::time::Duration;

use client::{Message, SessionError};
use gateway::GatewayConfig;
use types::wire::orders::HEAD_LENGTH;
use types::wire::query::Question;
use types::{KeyEpoch, Nonce, RejectReason};

use crate::harness::{Node, Session, place, sign};

/// Impatient, so that the tests need not be patient.
fn impatient() -> Node {
    let config = GatewayConfig {
        message_timeout: Duration::from_millis(200),
        ..GatewayConfig::default()
    };
    Node::start_with(config, 1_024)
}

/// A frame of one command with nonce 7, changed.
fn changed(session: &Session, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = session.frame(7, &[place(5, 1)]);
    change(&mut frame);
    frame
}

#[tokio::test]
async fn what_is_refused_leaves_its_session_open() {
    let node = impatient();
    let mut session = node.connect("dev-0").await;
    let nonce = Nonce::new(7);
    let of_another = |key: &str| {
        let mut terms = *session.sender.terms();
        terms.epoch = KeyEpoch::new(1);
        let mut bytes = Vec::new();
        let key = types::auth::SigningKey::development(key);
        let mut signer = client::FrameSigner::new(terms, key);
        signer.sign(nonce, types::LogTime::ZERO, &[place(5, 1)], &mut bytes);
        bytes
    };
    let attacks = [
        (
            "no command",
            changed(&session, |f| f[6] = 0),
            RejectReason::Malformed,
        ),
        (
            "two commands, one there",
            changed(&session, |f| f[6] = 2),
            RejectReason::Malformed,
        ),
        (
            "unknown operation",
            changed(&session, |f| f[HEAD_LENGTH] = 99),
            RejectReason::Malformed,
        ),
        (
            "reserved byte",
            changed(&session, |f| f[20] = 1),
            RejectReason::Malformed,
        ),
        (
            "another account",
            changed(&session, |f| f[8] = 1),
            RejectReason::WrongAccount,
        ),
        (
            "another key",
            changed(&session, |f| f[12] = 1),
            RejectReason::WrongAccount,
        ),
        (
            "another epoch",
            of_another("dev-0"),
            RejectReason::WrongAccount,
        ),
    ];
    for (attack, bytes, reason) in attacks {
        session.send_bytes(&bytes).await;
        let refused = Message::Refused { nonce, reason };
        assert_eq!(session.next().await, Ok(refused), "{attack}");
    }
    // Messages of other kinds name no nonce.
    session.send_bytes(&[8, 0, 0, 0, 4, 1, 0, 0]).await;
    let reason = RejectReason::UnexpectedMessage;
    session.refused(Nonce::ZERO, reason).await;
    session.send_bytes(&[8, 0, 0, 0, 7, 1, 0, 0]).await;
    session.refused(Nonce::ZERO, RejectReason::Malformed).await;
    session.trades().await;
}

#[tokio::test]
async fn what_breaks_the_stream_closes_it() {
    let node = impatient();
    let mut honest = node.connect("dev-1").await;
    let model = node.connect("dev-0").await;
    for (attack, bytes, reason) in [
        (
            "oversize",
            changed(&model, |f| f[2] = 2),
            RejectReason::Oversize,
        ),
        (
            "shorter than a prefix",
            changed(&model, |f| f[0] = 7),
            RejectReason::Malformed,
        ),
        (
            "unknown kind",
            changed(&model, |f| f[4] = 200),
            RejectReason::Malformed,
        ),
        (
            "version",
            changed(&model, |f| f[5] = 2),
            RejectReason::UnsupportedVersion,
        ),
        (
            "silence",
            changed(&model, |f| f.truncate(90)),
            RejectReason::Timeout,
        ),
        ("one byte", vec![8], RejectReason::Timeout),
    ] {
        let mut session = node.connect("dev-0").await;
        session.send_bytes(&bytes).await;
        let closed = SessionError::Closed { reason };
        assert_eq!(session.next().await, Err(closed), "{attack}");
        honest.trades().await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_in_the_middle_is_malformed() {
    let node = impatient();
    let mut session = node.connect("dev-0").await;
    let half = changed(&session, |f| f.truncate(90));
    session.send_bytes(&half).await;
    let mut receiver = session.receiver;
    session.sender.close().await;
    let reason = RejectReason::Malformed;
    assert_eq!(receiver.next().await, Err(SessionError::Closed { reason }));
}

#[tokio::test]
async fn a_bad_signature_ends_only_its_own_session() {
    let node = impatient();
    let mut honest = node.connect("dev-1").await;
    let mut twin = node.connect("dev-0").await;
    for by in ["another key", "a flipped bit"] {
        let mut forger = node.connect("dev-0").await;
        let bytes = match by {
            "another key" => sign(&forger.sender, "dev-1", 7, &[place(5, 1)]),
            _ => changed(&forger, |f| *f.last_mut().unwrap() ^= 1),
        };
        forger.send_bytes(&bytes).await;
        let reason = RejectReason::BadSignature;
        forger.refused(Nonce::new(7), reason).await;
        forger.closed(reason).await;
        honest.trades().await;
        twin.trades().await;
    }
}

#[tokio::test]
async fn no_flipped_bit_is_executed() {
    let node = impatient();
    let mut honest = node.connect("dev-1").await;
    let model = node.connect("dev-0").await;
    let frame = model.frame(7, &[place(5, 1), place(6, 2)]);
    let mut random = 0x5eed_u64;
    for _ in 0..48 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let bit = (random >> 33) as usize % (frame.len() * 8);
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut session = node.connect("dev-0").await;
        session.send_bytes(&flipped).await;
        match session.next().await {
            Ok(Message::Refused { .. }) | Err(SessionError::Closed { .. }) => {}
            other => panic!("bit {bit} (seed 0x5eed): {other:?}"),
        }
        honest.trades().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_session() {
    let config = GatewayConfig::default();
    reads_nothing(GatewayConfig {
        unsent_bytes_max: 64 * 1024,
        ..config
    })
    .await;
    // Nor may it have its own limit when that is not there for everybody.
    reads_nothing(GatewayConfig {
        unsent_bytes_total: 256 * 1024,
        ..config
    })
    .await;
}

async fn reads_nothing(config: GatewayConfig) {
    let node = Node::start_with(config, 1_024);
    let mut honest = node.connect("dev-1").await;
    let session = node.connect("dev-0").await;
    let (mut sender, mut receiver) = (session.sender, session.receiver);
    // Replies of 7 MB: beyond what QUIC buffers on both sides.
    for _ in 0..20_000 {
        sender.queue_query(Question::Reference);
    }
    sender.close().await;
    let error = loop {
        if let Err(error) = receiver.next().await {
            break error;
        }
    };
    let reason = RejectReason::Timeout;
    // Among so many packets that nobody took the close may be lost; then the server knows no more of
    // the connection when the client is heard again.
    let is_closed = error == SessionError::Closed { reason };
    assert!(
        is_closed || matches!(error, SessionError::Lost { .. }),
        "{error}"
    );
    assert_eq!(node.counters.open.get(), 1);
    honest.trades().await;
}
