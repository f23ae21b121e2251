//! The first bytes of a connection, in pieces as a network brings them: what comes out must not depend
//! on where they were cut, and only the very `Hello` that a key signed for this connection opens a
//! session.
//!
//! An input of an even first byte changes a good `Hello`: pairs of offset and what is turned there. Any
//! other is the stream itself. The second byte says how long the pieces are.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use types::auth::SigningKey;
use types::wire::session::Hello;
use types::wire::{Kind, split_message};
use types::{NetworkId, RejectReason};
use zerocopy::IntoBytes;

use crate::Reached;

/// What the corpus must reach.
pub const REACHES: &[&str] = &[
    "opened",
    "weak key",
    "bad signature",
    "malformed",
    "oversize",
    "another version",
    "another message",
    "incomplete",
    "two messages",
];

const EXPORTER: [u8; 32] = [7; 32];

static HELLO: LazyLock<Hello> = LazyLock::new(|| {
    let key = SigningKey::development("dev-0");
    Hello::new(Some(NetworkId::DEVELOPMENT), &key, &EXPORTER)
});

/// Runs one input.
pub fn run(input: &[u8]) -> Reached {
    let mut reached = Reached::new();
    let [mode, piece, rest @ ..] = input else {
        return reached;
    };
    let stream = match mode % 2 {
        0 => changed(rest),
        _ => rest.to_vec(),
    };
    let whole = messages(&stream, stream.len().max(1));
    let pieces = messages(&stream, usize::from(*piece).max(1));
    assert_eq!(whole, pieces, "pieces of {piece} and the whole");
    let (messages, end) = whole;
    if messages.len() > 1 {
        reached.insert("two messages");
    }
    match (messages.first(), end) {
        (Some((Kind::Hello, message)), _) => open(message, &mut reached),
        (Some(_), _) => {
            reached.insert("another message");
        }
        (None, Ok(())) => {
            reached.insert("incomplete");
        }
        (None, Err(reason)) => {
            reached.insert(name(reason));
        }
    }
    reached
}

/// A good message with some bytes turned, and more behind it.
fn changed(changes: &[u8]) -> Vec<u8> {
    let mut stream = HELLO.as_bytes().to_vec();
    let (pairs, rest) = changes.as_chunks::<2>();
    for [offset, turned] in pairs {
        match stream.get_mut(usize::from(*offset)) {
            Some(byte) => *byte ^= turned,
            None => stream.push(*turned),
        }
    }
    stream.extend_from_slice(rest);
    stream
}

type Messages = (Vec<(Kind, Bytes)>, Result<(), RejectReason>);

/// As the gateway reads them: whatever has come is split before more is read. Nothing is read behind
/// what cannot be split.
fn messages(stream: &[u8], piece: usize) -> Messages {
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for piece in stream.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match split_message(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(reason) => return (messages, Err(reason)),
            }
        }
    }
    (messages, Ok(()))
}

fn open(message: &[u8], reached: &mut Reached) {
    match Hello::parse(message, &EXPORTER) {
        // Everybody signs for such a key, and nobody may register it.
        Ok(hello) if hello.public_key().is_weak() => {
            reached.insert("weak key");
        }
        Ok(hello) => {
            assert_eq!(message, HELLO.as_bytes(), "nobody else has the key");
            assert_eq!(hello.network(), Some(NetworkId::DEVELOPMENT));
            let other = Hello::parse(message, &[8; 32]);
            assert_eq!(other.err(), Some(RejectReason::BadSignature));
            reached.insert("opened");
        }
        Err(reason) => {
            assert_ne!(message, HELLO.as_bytes(), "it is good");
            reached.insert(name(reason));
        }
    }
}

fn name(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::BadSignature => "bad signature",
        RejectReason::Malformed => "malformed",
        RejectReason::Oversize => "oversize",
        RejectReason::UnsupportedVersion => "another version",
        other => panic!("{other} at the first message"),
    }
}
