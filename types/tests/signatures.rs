//! Batch and single verification accept exactly the same signatures, on honest frames, with a
//! forged frame among many, and on the edge cases that tell ZIP-215 from other readings of Ed25519:
//! points of small and mixed order, encodings of one point as several byte strings, scalars beyond
//! the group order.

mod samples;

use bytes::Bytes;
use curve25519_dalek::{EdwardsPoint, Scalar, constants};
use samples::{Seeded, frame_key, signing_key};
use sha2::{Digest as _, Sha512};
use types::auth::{
    AuthenticFrame, BatchVerifier, OpenRun, PublicKey, RollingChain, SignedFrames, SigningKey,
};
use types::wire::orders::{OrdersFrame, SIGNATURE_LENGTH};

type Signed = (OrdersFrame, PublicKey);

fn accepts(signed: &Signed) -> bool {
    AuthenticFrame::verify(signed.0.clone(), &frame_key(), &signed.1).is_ok()
}

/// Verifies in one batch and checks that each frame fares as it does alone.
fn check_batch(batch: &[Signed], seed: u64) {
    let mut results = Vec::new();
    let verifier = BatchVerifier::new(frame_key());
    let signed = batch.iter().cloned();
    let signed = signed.map(|(frame, public)| (SignedFrames::One(frame), public));
    verifier.verify(signed, Seeded::new(seed), &mut results);
    assert_eq!(results.len(), batch.len());
    for (position, (result, signed)) in results.iter().zip(batch).enumerate() {
        assert_eq!(
            result.is_ok(),
            accepts(signed),
            "frame {position} of {}, seed {seed}",
            batch.len()
        );
        let frame = match result {
            Ok(authentic) => authentic.frame(),
            Err((frame, _)) => frame,
        };
        assert_eq!(frame, &signed.0, "results keep the order of the frames");
    }
}

/// A frame that its key really signed.
fn honest(number: usize) -> Signed {
    let frame = OrdersFrame::parse(samples::orders(1 + number % 3, number));
    let frame = frame.expect("samples are valid");
    (frame, signing_key().public())
}

/// The same frame with this signature and for this key.
fn resigned(key: [u8; 32], r: [u8; 32], s: [u8; 32]) -> Signed {
    let (frame, _) = honest(0);
    let bytes = [frame.signed_bytes(), &r, &s].concat();
    let frame = OrdersFrame::parse(Bytes::from(bytes)).expect("only the signature changed");
    (frame, PublicKey::new(key))
}

/// Alone and next to an honest frame, on both sides of it.
fn check_vector(vector: &Signed, expected: bool, what: &str) {
    assert_eq!(accepts(vector), expected, "{what}");
    check_batch(std::slice::from_ref(vector), 1);
    check_batch(&[honest(1), vector.clone()], 2);
    check_batch(&[vector.clone(), honest(1)], 3);
}

#[test]
fn one_forged_frame_among_many_is_found() {
    for count in [1, 2, 3, 16, 33] {
        let frames: Vec<Signed> = (0..count).map(honest).collect();
        check_batch(&frames, count as u64);
        for position in 0..count {
            let mut frames = frames.clone();
            frames[position].1 = SigningKey::development("dev-1").public();
            assert!(!accepts(&frames[position]));
            check_batch(&frames, position as u64);
        }
    }
    check_batch(&[], 0);
}

/// A run of so many frames that `signer` signed, for the key of the samples.
fn run(frames: usize, signer: &SigningKey) -> SignedFrames {
    let chain = || RollingChain::new(frame_key(), &samples::EXPORTER, b"", b"");
    let (mut client, mut server) = (chain(), OpenRun::new(chain()));
    for number in 0..frames {
        let bytes = samples::unsigned_frame(&samples::commands()[number..=number]);
        let frame = OrdersFrame::parse(bytes).expect("samples are valid");
        client.absorb(frame.signed_bytes());
        server.push(frame).expect("samples are valid");
    }
    SignedFrames::Run(
        server
            .close(client.sign(signer))
            .expect("samples are valid"),
    )
}

/// Frames of both modes beside one another: a forged run falls whole and takes nobody with it.
#[test]
fn a_forged_run_among_many_signatures_falls_alone() {
    let (key, forger) = (signing_key(), SigningKey::development("dev-1"));
    for forged in [None, Some(0), Some(1), Some(2)] {
        let signer = |index| if forged == Some(index) { &forger } else { &key };
        let mut signed = Vec::new();
        let mut expected = Vec::new();
        for (index, frames) in [1, 3, 5].into_iter().enumerate() {
            signed.push((run(frames, signer(index)), key.public()));
            let (frame, public) = honest(index);
            signed.push((SignedFrames::One(frame), public));
            expected.extend(std::iter::repeat_n(forged != Some(index), frames));
            expected.push(true);
        }
        let mut results = Vec::new();
        let verifier = BatchVerifier::new(frame_key());
        verifier.verify(signed, Seeded::new(9), &mut results);
        let found: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(found, expected, "forged {forged:?}");
    }
}

#[test]
fn forged_bits_anywhere_are_found() {
    for seed in 0..64 {
        let mut random = Seeded::new(seed);
        let mut frames: Vec<Signed> = (0..8).map(honest).collect();
        for _ in 0..random.below(4) {
            let victim = random.below(frames.len());
            let mut bytes = frames[victim].0.bytes().to_vec();
            let at = bytes.len() - 1 - random.below(SIGNATURE_LENGTH);
            bytes[at] ^= 1 << random.below(8);
            frames[victim].0 = OrdersFrame::parse(Bytes::from(bytes)).unwrap();
        }
        check_batch(&frames, seed);
    }
}

/// All byte strings that ZIP-215 decodes to one of the eight points whose order divides eight. A
/// coordinate y may be written as y + p where that fits 255 bits, and x = 0 with either sign.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let order_eight = constants::EIGHT_TORSION.map(|point| point.compress().to_bytes());
    let ends = |first: u8, last: u8| {
        let mut bytes = [if first >= 0xec { 0xff } else { 0 }; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    };
    let not_canonical = [
        ends(0x01, 0x80), // y = 1, x = "-0"
        ends(0xec, 0xff), // y = -1, x = "-0"
        ends(0xed, 0x7f), // y = 0 + p
        ends(0xed, 0xff),
        ends(0xee, 0x7f), // y = 1 + p
        ends(0xee, 0xff), // y = 1 + p, x = "-0"
    ];
    order_eight.into_iter().chain(not_canonical).collect()
}

#[test]
fn weak_keys_are_those_and_no_others() {
    for bytes in small_order_encodings() {
        assert!(PublicKey::new(bytes).is_weak(), "{bytes:02x?}");
    }
    assert!(!signing_key().public().is_weak());
    // An unknown point plus one of small order is as good as the point.
    for torsion in constants::EIGHT_TORSION {
        assert!(!PublicKey::new(point(&Scalar::from(5_u8), &torsion)).is_weak());
    }
}

/// With key and R of small order and s = 0 the cofactored equation 8sB = 8R + 8kA holds for every
/// message. Such a key is worth nothing to its owner; what counts is that all verifiers agree.
#[test]
fn every_pair_of_small_order_points_is_accepted_everywhere() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    let mut all = vec![honest(0)];
    for key in &encodings {
        for r in &encodings {
            let vector = resigned(*key, *r, [0; 32]);
            assert!(accepts(&vector), "key {key:02x?} R {r:02x?}");
            all.push(vector);
        }
    }
    check_batch(&all, 14);
    for pair in all.windows(2) {
        check_batch(pair, 2);
    }
    all.push(resigned(encodings[0], encodings[0], Scalar::ONE.to_bytes()));
    check_batch(&all, 15);
}

/// Key and R each with a component of small order: a verifier without the cofactor refuses these,
/// and may accept them in a batch by accident.
#[test]
fn points_of_mixed_order_are_accepted_everywhere() {
    let secret = Scalar::from(0x5eed_u64);
    let blind = Scalar::from(0xb11d_u64);
    for key_torsion in constants::EIGHT_TORSION {
        for r_torsion in constants::EIGHT_TORSION {
            let key = point(&secret, &key_torsion);
            let r = point(&blind, &r_torsion);
            let challenge = challenge(&r, &key);
            let s = (blind + challenge * secret).to_bytes();
            check_vector(&resigned(key, r, s), true, "mixed order");
            let wrong = (blind + challenge * secret + Scalar::ONE).to_bytes();
            check_vector(&resigned(key, r, wrong), false, "mixed order, wrong scalar");
        }
    }
}

fn point(scalar: &Scalar, torsion: &EdwardsPoint) -> [u8; 32] {
    let point = EdwardsPoint::mul_base(scalar) + torsion;
    point.compress().to_bytes()
}

/// The challenge for the digest of the frame that [`resigned`] uses.
fn challenge(r: &[u8; 32], key: &[u8; 32]) -> Scalar {
    let digest = frame_key().digest(honest(0).0.signed_bytes());
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(digest.as_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

#[test]
fn scalars_beyond_the_group_order_are_refused_everywhere() {
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let identity = small_order_encodings()[0];
    check_vector(&resigned(identity, identity, [0; 32]), true, "s = 0");
    check_vector(&resigned(identity, identity, order), false, "s = L");

    let (frame, key) = honest(0);
    let signature = *frame.signature().as_bytes();
    let (r, s) = signature.split_at(32);
    let r: [u8; 32] = r.try_into().unwrap();
    let mut carry = 0;
    let mut raised = [0; 32];
    for (digit, (a, b)) in raised.iter_mut().zip(s.iter().zip(order)) {
        let sum = u16::from(*a) + u16::from(b) + carry;
        *digit = sum as u8;
        carry = sum >> 8;
    }
    check_vector(&resigned(*key.as_bytes(), r, raised), false, "s + L");
}

#[test]
fn bytes_that_are_no_point_are_refused_everywhere() {
    let mut no_point = [0; 32];
    no_point[0] = 2; // (y^2 - 1) / (d y^2 + 1) has no square root for y = 2.
    assert!(
        curve25519_dalek::edwards::CompressedEdwardsY(no_point)
            .decompress()
            .is_none()
    );
    let identity = small_order_encodings()[0];
    check_vector(&resigned(no_point, identity, [0; 32]), false, "key");
    check_vector(&resigned(identity, no_point, [0; 32]), false, "R");
}
