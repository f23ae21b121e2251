//! Sessions whose frames are covered by rolling signatures: runs stand or fall as a whole.

use std::time::Duration;

use client::{Message, SignatureMode, connect};
use gateway::GatewayConfig;
use types::auth::{FrameKey, RollingChain, SigningKey};
use types::limits::FRAMES_PER_RUN_MAX;
use types::wire::orders::{FrameHeader, OrdersFrame, SIGNATURE_LENGTH};
use types::wire::session::{EXPORTER_LABEL, Hello, SessionTerms, SessionWishes, Welcome};
use types::*;
use zerocopy::IntoBytes as _;

use crate::harness::{Node, Session, place, sign};
use crate::opening::{closed, raw};

async fn rolling(node: &Node, key: &str) -> Session {
    let mut options = node.options(key);
    options.signatures = SignatureMode::Rolling;
    let (sender, receiver) = connect(&options).await.unwrap();
    assert_eq!(sender.terms().unsigned_frames, FRAMES_PER_RUN_MAX as u32);
    Session { sender, receiver }
}

#[tokio::test]
async fn frames_of_both_modes_mean_the_same() {
    let node = Node::start();
    let mut each = node.connect("dev-0").await;
    let frame = each.frame(1, &[place(5, 1)]);
    each.send_bytes(&frame).await;
    let first = each.ack().await;

    let mut session = rolling(&node, "dev-0").await;
    session.send_bytes(&frame).await;
    let again = session.ack().await;
    assert!(
        again.view().repeated,
        "zeros for a signature change nothing"
    );
    assert_eq!(again.view().first_sequence, first.view().first_sequence);

    // More frames than one signature may cover, and then single ones, on the same running hash.
    let count = FRAMES_PER_RUN_MAX as u64 + 9;
    for label in 2..2 + count {
        session.sender.queue_frame(&[place(5, label)]);
    }
    session.sender.flush().await.unwrap();
    for nonce in 2..2 + count {
        assert_eq!(session.ack().await.nonce(), Nonce::new(nonce));
    }
    for _ in 0..3 {
        session.trades().await;
    }
    let mut receiver = session.receiver;
    session.sender.queue_frame(&[place(5, 99)]);
    session.sender.close().await;
    let Ok(Message::Ack(_)) = receiver.next().await else {
        panic!("a close signs what is queued");
    };
}

#[tokio::test]
async fn a_run_is_refused_whole() {
    let config = GatewayConfig {
        frames_in_flight: 4,
        ..GatewayConfig::default()
    };
    // A session alone may take half of the places.
    let node = Node::start_with(config, 5);
    let mut greedy = rolling(&node, "dev-0").await;
    for label in 1..=5 {
        greedy.sender.queue_frame(&[place(5, label)]);
    }
    greedy.sender.flush().await.unwrap();
    for nonce in 1..=5 {
        let reason = RejectReason::TooManyInFlight;
        greedy.refused(Nonce::new(nonce), reason).await;
    }
    // The running hash went on: the next run is good.
    greedy.trades().await;

    node.hold_engine();
    let mut busy = rolling(&node, "dev-1").await;
    for run in 0..3 {
        busy.sender.queue_frame(&[place(5, run + 1)]);
        busy.sender.flush().await.unwrap();
    }
    busy.refused(Nonce::new(3), RejectReason::Busy).await;
    node.resume_engine();
    busy.ack().await;
    busy.ack().await;
}

/// A session of which the test writes every byte.
struct Raw {
    connection: quinn::Connection,
    send: quinn::SendStream,
    _receive: quinn::RecvStream,
    chain: RollingChain,
    terms: SessionTerms,
}

impl Raw {
    async fn open(node: &Node) -> Self {
        let (connection, mut send, mut receive) = raw(node).await;
        let mut exporter = [0; 32];
        let exported = connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"");
        exported.unwrap();
        let wishes = SessionWishes {
            signatures: SignatureMode::Rolling,
            receipts: false,
            guest: false,
        };
        let hello = Hello::with_wishes(None, wishes, &key(), &exporter);
        send.write_all(hello.as_bytes()).await.unwrap();
        let mut welcome = [0; 72];
        receive.read_exact(&mut welcome).await.unwrap();
        let terms = Welcome::parse(&welcome).unwrap();
        let frame_key = FrameKey::new(terms.network, terms.genesis_hash);
        Self {
            connection,
            send,
            _receive: receive,
            chain: RollingChain::new(frame_key, &exporter, hello.as_bytes(), &welcome),
            terms,
        }
    }

    /// The bytes of a frame, which the running hash then covers.
    fn frame(&mut self, nonce: u64) -> Vec<u8> {
        let header = FrameHeader {
            account: self.terms.account,
            key: self.terms.key,
            epoch: self.terms.epoch,
            nonce: Nonce::new(nonce),
            expires_at: LogTime::ZERO,
        };
        let mut bytes = Vec::new();
        OrdersFrame::encode_unsigned(&header, &[place(5, nonce)], &mut bytes);
        self.chain.absorb(&bytes[..bytes.len() - SIGNATURE_LENGTH]);
        bytes
    }

    fn signature(&mut self, key: &SigningKey) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.chain.sign(key).encode(&mut bytes);
        bytes
    }
}

fn key() -> SigningKey {
    SigningKey::development("dev-0")
}

type Attack = fn(&mut Raw) -> Vec<u8>;

/// What it is, what is sent, and why the session ends.
const ATTACKS: [(&str, Attack, RejectReason); 9] = [
    (
        "no signature",
        |raw| raw.frame(1),
        RejectReason::SignatureMissing,
    ),
    (
        "too many frames",
        |raw| (0..65).flat_map(|nonce| raw.frame(nonce)).collect(),
        RejectReason::SignatureMissing,
    ),
    (
        "a forged signature",
        |raw| {
            let forger = SigningKey::development("dev-1");
            [raw.frame(1), raw.signature(&forger)].concat()
        },
        RejectReason::BadSignature,
    ),
    (
        "a flipped bit in a frame",
        |raw| {
            let mut frame = raw.frame(1);
            frame[24] ^= 1;
            [frame, raw.signature(&key())].concat()
        },
        RejectReason::BadSignature,
    ),
    (
        "a frame left out",
        |raw| {
            raw.frame(1);
            [raw.frame(2), raw.signature(&key())].concat()
        },
        RejectReason::BadSignature,
    ),
    (
        "two frames swapped",
        |raw| {
            let (first, second) = (raw.frame(1), raw.frame(2));
            [second, first, raw.signature(&key())].concat()
        },
        RejectReason::BadSignature,
    ),
    (
        "a frame with a signature of its own",
        |raw| {
            let mut frame = raw.frame(1);
            let last = frame.len() - 1;
            frame[last] = 1;
            [frame, raw.signature(&key())].concat()
        },
        RejectReason::BadSignature,
    ),
    (
        "a signature over nothing",
        |raw| {
            raw.frame(1);
            raw.signature(&key())
        },
        RejectReason::UnexpectedMessage,
    ),
    (
        "a malformed frame",
        |raw| {
            let mut frame = raw.frame(1);
            frame[20] = 1;
            [frame, raw.signature(&key())].concat()
        },
        RejectReason::Malformed,
    ),
];

#[tokio::test]
async fn whoever_breaks_the_rules_loses_his_session() {
    let config = GatewayConfig {
        signature_timeout: Duration::from_millis(200),
        ..GatewayConfig::default()
    };
    let node = Node::start_with(config, 1_024);
    let mut honest = node.connect("dev-2").await;
    for (attack, make, reason) in ATTACKS {
        let mut raw = Raw::open(&node).await;
        let bytes = make(&mut raw);
        raw.send.write_all(&bytes).await.unwrap();
        assert_eq!(closed(&raw.connection).await, reason, "{attack}");
        honest.trades().await;
    }
    let mut raw = Raw::open(&node).await;
    let frame = raw.frame(1);
    raw.send.write_all(&frame).await.unwrap();
    raw.send.finish().unwrap();
    let reason = RejectReason::SignatureMissing;
    assert_eq!(closed(&raw.connection).await, reason, "a stream that ends");
}

#[tokio::test]
async fn modes_do_not_mix() {
    let node = Node::start();
    let mut session = node.connect("dev-0").await;
    let mut raw = Raw::open(&node).await;
    raw.frame(1);
    let signature = raw.signature(&key());
    session.send_bytes(&signature).await;
    let reason = RejectReason::UnexpectedMessage;
    session.refused(Nonce::ZERO, reason).await;
    session.trades().await;

    let mut unsigned = sign(&session.sender, "dev-0", 9, &[place(5, 1)]);
    let signed = unsigned.len() - SIGNATURE_LENGTH;
    unsigned[signed..].fill(0);
    session.send_bytes(&unsigned).await;
    let reason = RejectReason::BadSignature;
    session.refused(Nonce::new(9), reason).await;
    session.closed(reason).await;
}
