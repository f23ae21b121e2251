//! Signatures around frames: a batch accepts exactly what each frame alone does, whatever lies in it,
//! and both accept exactly what ZIP-215 says.
//!
//! Six bytes make a frame: what is done to its signature, whose it is, two numbers for that, where it
//! is turned, and by how much.

use bytes::Bytes;
use curve25519_dalek::constants::EIGHT_TORSION;
use std::sync::LazyLock;
use types::auth::{AuthenticFrame, BatchVerifier, FrameKey, PublicKey, SignedFrames, SigningKey};
use types::command::CancelScope;
use types::outcome::Digest;
use types::wire::orders::{FrameHeader, OrdersFrame, SIGNATURE_LENGTH};
use types::{AccountId, Command, KeyEpoch, KeyId, LogTime, NetworkId, Nonce};

use crate::Reached;

/// What the corpus must reach.
pub const REACHES: &[&str] = &[
    "honest",
    "turned",
    "small order",
    "small order, wrong scalar",
    "beyond the order",
    "another key",
    "all good",
    "some good",
    "none good",
];

/// A longer batch says nothing more.
const FRAMES_MAX: usize = 12;

type Signed = (OrdersFrame, PublicKey);

static FRAME_KEY: LazyLock<FrameKey> =
    LazyLock::new(|| FrameKey::new(NetworkId::DEVELOPMENT, Digest::ZERO));

static KEYS: LazyLock<[SigningKey; 3]> =
    LazyLock::new(|| ["dev-0", "dev-1", "dev-2"].map(SigningKey::development));

/// Runs one input.
pub fn run(input: &[u8]) -> Reached {
    let mut reached = Reached::new();
    let (orders, _) = input.as_chunks::<6>();
    let mut batch = Vec::new();
    let mut good = 0;
    for order in orders.iter().take(FRAMES_MAX) {
        let (signed, is_good) = make(order, &mut reached);
        let alone = AuthenticFrame::verify(signed.0.clone(), &FRAME_KEY, &signed.1);
        assert_eq!(alone.is_ok(), is_good, "{order:?}");
        good += usize::from(is_good);
        batch.push((signed, is_good));
    }
    let mut results = Vec::new();
    let frames = batch.iter().map(|((frame, public), _)| {
        let frames = SignedFrames::One(frame.clone());
        (frames, *public)
    });
    // Numbers that its author knows must not help him either, as long as they are not aimed at.
    let random = Numbers(Digest::ZERO, 0);
    BatchVerifier::new(*FRAME_KEY).verify(frames, random, &mut results);
    assert_eq!(results.len(), batch.len());
    for (result, (_, is_good)) in results.iter().zip(&batch) {
        assert_eq!(result.is_ok(), *is_good, "in a batch");
    }
    match good {
        _ if batch.is_empty() => {}
        0 => drop(reached.insert("none good")),
        good if good == batch.len() => drop(reached.insert("all good")),
        _ => drop(reached.insert("some good")),
    }
    reached
}

/// A frame, and whether its signature is good.
fn make(order: &[u8; 6], reached: &mut Reached) -> (Signed, bool) {
    let [what, whose, first, second, at, by] = *order;
    let key = &KEYS[usize::from(whose) % KEYS.len()];
    let frame = sign(key, u64::from(first) + 1, 1 + usize::from(second % 3));
    let mut signature = *frame.signature().as_bytes();
    let mut public = key.public();
    let small = |number: u8| SMALL_ORDER[usize::from(number) % SMALL_ORDER.len()];
    let is_good = match what % 6 {
        0 => {
            reached.insert("honest");
            true
        }
        1 => {
            reached.insert("turned");
            signature[usize::from(at) % SIGNATURE_LENGTH] ^= by;
            by == 0
        }
        kind @ (2 | 3) => {
            public = PublicKey::new(small(first));
            signature[..32].copy_from_slice(&small(second));
            signature[32..].fill(0);
            // 8B is not the identity.
            signature[32] = kind - 2;
            reached.insert(match kind {
                2 => "small order",
                _ => "small order, wrong scalar",
            });
            kind == 2
        }
        4 => {
            reached.insert("beyond the order");
            add_order(&mut signature[32..]);
            false
        }
        _ => {
            reached.insert("another key");
            public = KEYS[(usize::from(whose) + 1) % KEYS.len()].public();
            false
        }
    };
    let bytes = [frame.signed_bytes(), &signature].concat();
    let frame = OrdersFrame::parse(Bytes::from(bytes)).expect("only the signature changed");
    ((frame, public), is_good)
}

fn sign(key: &SigningKey, nonce: u64, count: usize) -> OrdersFrame {
    let header = FrameHeader {
        account: AccountId::new(0),
        key: KeyId::new(0),
        epoch: KeyEpoch::new(0),
        nonce: Nonce::new(nonce),
        expires_at: LogTime::ZERO,
    };
    let commands = vec![Command::CancelAll(CancelScope::EVERYTHING); count];
    let mut bytes = Vec::new();
    OrdersFrame::encode(&header, &commands, &FRAME_KEY, key, &mut bytes);
    OrdersFrame::parse(bytes.into()).expect("it is well-formed")
}

/// The group's order, from its definition: 2^252 + 27742317777372353535851937790883648493.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same scalar, written as another number.
fn add_order(scalar: &mut [u8]) {
    let mut carry = 0;
    for (digit, order) in scalar.iter_mut().zip(ORDER) {
        let sum = u16::from(*digit) + u16::from(order) + carry;
        *digit = sum as u8;
        carry = sum >> 8;
    }
}

/// All byte strings that ZIP-215 reads as one of the eight points whose order divides eight: a
/// coordinate y may be written as y + p where that fits, and x = 0 with either sign.
static SMALL_ORDER: LazyLock<[[u8; 32]; 14]> = LazyLock::new(|| {
    let mut all = [[0; 32]; 14];
    for (encoding, point) in all.iter_mut().zip(EIGHT_TORSION) {
        *encoding = point.compress().to_bytes();
    }
    let ends = |first: u8, last: u8| {
        let mut bytes = [if first >= 0xec { 0xff } else { 0 }; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    all[8..].copy_from_slice(&[
        ends(0x01, 0x80),
        ends(0xec, 0xff),
        ends(0xed, 0x7f),
        ends(0xed, 0xff),
        ends(0xee, 0x7f),
        ends(0xee, 0xff),
    ]);
    all
});

/// Digests of a count.
struct Numbers(Digest, u64);

impl rand_core::TryRng for Numbers {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.1 += 1;
        let input = [&self.0.as_bytes()[..], &self.1.to_le_bytes()].concat();
        self.0 = FRAME_KEY.digest(&input);
        let first = self.0.as_bytes().first_chunk::<8>();
        Ok(u64::from_le_bytes(*first.expect("a digest is longer")))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Numbers {}
