//! Decoding is total and unambiguous: no truncation, no flipped bit and no random bytes make it
//! panic, a changed signed message is never accepted, and whatever else is accepted means exactly
//! the bytes that came.

mod samples;

use bytes::{Bytes, BytesMut};
use samples::{EXPORTER, Seeded, frame_key, messages, reencodings, signing_key};
use types::RejectReason;
use types::auth::AuthenticFrame;
use types::limits::MESSAGE_LENGTH_MAX;
use types::wire::orders::OrdersFrame;
use types::wire::session::Hello;
use types::wire::{Kind, PREFIX_LENGTH, Prefix, split_message};

/// `bytes` with one bit turned over.
fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    Bytes::from(flipped)
}

/// Whether the server would execute this frame.
fn is_authentic(bytes: &Bytes) -> bool {
    OrdersFrame::parse(bytes.clone()).is_ok_and(|frame| {
        AuthenticFrame::verify(frame, &frame_key(), &signing_key().public()).is_ok()
    })
}

/// Any bytes: no panic, and one encoding per meaning.
fn check_total(bytes: &Bytes, what: &str) {
    for reencoding in reencodings(bytes) {
        assert_eq!(
            reencoding,
            bytes.as_ref(),
            "{what}: two encodings of one meaning"
        );
    }
}

#[test]
fn samples_are_valid() {
    for (name, bytes) in messages() {
        // Its own parser accepts it, and so does the stream splitter for its first message.
        assert!(reencodings(&bytes).len() >= 2, "{name} is not accepted");
        check_total(&bytes, name);
    }
    assert!(samples::signed_frames().iter().all(is_authentic));
    assert!(Hello::parse(&samples::hello(), &EXPORTER).is_ok());
}

#[test]
fn no_truncation_and_no_extension_is_a_message() {
    for (name, bytes) in messages() {
        for length in 0..bytes.len() {
            let cut = bytes.slice(..length);
            check_total(&cut, name);
            // A journal payload may end after any of its entries; a message may not.
            let accepted = reencodings(&cut).len();
            assert!(
                accepted == 0 || name == "payload" || length == 0,
                "{name} cut to {length} bytes"
            );
        }
        let mut extended = bytes.to_vec();
        extended.push(0);
        let extended = Bytes::from(extended);
        check_total(&extended, name);
        assert!(!is_authentic(&extended) && Hello::parse(&extended, &EXPORTER).is_err());
    }
}

#[test]
fn every_flipped_bit_of_an_unsigned_message_is_refused_or_means_itself() {
    for (name, bytes) in samples::unsigned_messages() {
        for bit in 0..bytes.len() * 8 {
            check_total(&flipped(&bytes, bit), name);
        }
    }
}

#[test]
fn no_flipped_bit_of_a_hello_is_accepted() {
    let hello = samples::hello();
    for bit in 0..hello.len() * 8 {
        let changed = flipped(&hello, bit);
        assert!(Hello::parse(&changed, &EXPORTER).is_err(), "bit {bit}");
        check_total(&changed, "hello");
    }
    for bit in 0..EXPORTER.len() * 8 {
        let mut other = EXPORTER;
        other[bit / 8] ^= 1 << (bit % 8);
        let refused = Hello::parse(&hello, &other).unwrap_err();
        assert_eq!(refused, RejectReason::BadSignature, "exporter bit {bit}");
    }
}

#[test]
fn no_flipped_bit_of_receipts_is_accepted() {
    let receipts = samples::receipts();
    assert!(samples::are_genuine_receipts(&receipts));
    for bit in 0..receipts.len() * 8 {
        let changed = flipped(&receipts, bit);
        assert!(!samples::are_genuine_receipts(&changed), "bit {bit}");
    }
}

#[test]
fn no_flipped_bit_of_a_signed_frame_is_accepted() {
    for frame in samples::signed_frames() {
        // The longest frame has 66,368 bits: all of them are parsed, every 61st is verified, which
        // visits every position within a byte and within a slot.
        let verify_every = if frame.len() > 1_000 { 61 } else { 1 };
        for bit in 0..frame.len() * 8 {
            let changed = flipped(&frame, bit);
            if bit % verify_every == 0 {
                assert!(!is_authentic(&changed), "bit {bit} of {}", frame.len());
            }
            if let Ok(parsed) = OrdersFrame::parse(changed.clone()) {
                assert_eq!(parsed.bytes(), &changed);
            }
        }
    }
}

/// The signature covers the meaning, not only the bytes: what a flip makes of a frame is another
/// frame with another digest, and its encoder gives the same bytes.
#[test]
fn every_flipped_bit_of_a_frame_that_parses_means_itself() {
    for first in 0..samples::commands().len() {
        let frame = samples::orders(1, first);
        let digest = |bytes: &Bytes| {
            let frame = OrdersFrame::parse(bytes.clone()).ok()?;
            Some(frame_key().digest(frame.signed_bytes()))
        };
        let signed = frame.len() - types::wire::orders::SIGNATURE_LENGTH;
        for bit in 0..signed * 8 {
            let changed = flipped(&frame, bit);
            check_total(&changed, "orders");
            assert_ne!(digest(&changed), digest(&frame), "bit {bit}");
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    // Made once: some of them are signed.
    let messages = samples::unsigned_messages();
    for seed in 0..3_000 {
        let mut random = Seeded::new(seed);
        let length = random.below(400);
        let noise = random.bytes(length);
        check_total(&Bytes::from(noise), "noise");
        check_total(&noise_behind_a_prefix(&mut random), "noise behind a prefix");
        check_total(&damaged_message(&mut random, &messages), "damaged message");
    }
}

/// A prefix that holds, with noise behind it, so that the parsers get beyond it. Mostly zeros, since
/// reserved bytes would stop them otherwise.
fn noise_behind_a_prefix(random: &mut Seeded) -> Bytes {
    let kind = Kind::from_code(1 + random.below(13) as u8).unwrap_or(Kind::Tick);
    let length = PREFIX_LENGTH + random.below(40) * 8;
    let prefix = Prefix::new(length, kind, random.below(12) as u16);
    let mut bytes = zerocopy::IntoBytes::as_bytes(&prefix).to_vec();
    bytes.resize_with(length, || match random.below(4) {
        0 => random.next() as u8,
        _ => 0,
    });
    Bytes::from(bytes)
}

/// A valid message with up to eight bytes overwritten.
fn damaged_message(random: &mut Seeded, messages: &[(&str, Bytes)]) -> Bytes {
    let (_, bytes) = &messages[random.below(messages.len())];
    let mut bytes = bytes.to_vec();
    for _ in 0..random.below(9) {
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
    }
    Bytes::from(bytes)
}

#[test]
fn any_chunking_of_a_stream_gives_the_same_messages() {
    let sent: Vec<Bytes> = messages()
        .into_iter()
        .filter(|(name, _)| *name != "payload")
        .map(|(_, bytes)| bytes)
        .collect();
    let stream = sent.concat();
    for seed in 0..200 {
        let mut random = Seeded::new(seed);
        let chunk_max = 1 << (1 + random.below(14));
        let mut buffer = BytesMut::new();
        let mut received = Vec::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(1 + random.below(chunk_max)));
            buffer.extend_from_slice(chunk);
            rest = later;
            while let Some((kind, message)) = split_message(&mut buffer).unwrap() {
                assert_eq!(kind as u8, message[4]);
                received.push(message);
            }
        }
        assert!(buffer.is_empty());
        assert!(received == sent, "chunks of up to {chunk_max} bytes");
    }
}

#[test]
fn a_bad_prefix_is_fatal_before_the_message_is_complete() {
    let check = |length: u32, kind: u8, version: u8, expected| {
        let mut buffer = BytesMut::from(&length.to_le_bytes()[..]);
        buffer.extend_from_slice(&[kind, version, 0, 0]);
        let answer = split_message(&mut buffer).map(|message| message.is_some());
        assert_eq!(answer, expected, "{length} {kind} {version}");
    };
    let longest = u32::try_from(MESSAGE_LENGTH_MAX).unwrap();
    check(longest, 3, 1, Ok(false));
    check(8, 3, 1, Ok(true));
    check(7, 3, 1, Err(RejectReason::Malformed));
    check(0, 3, 1, Err(RejectReason::Malformed));
    check(longest + 1, 3, 1, Err(RejectReason::Oversize));
    check(u32::MAX, 99, 99, Err(RejectReason::Oversize));
    check(longest, 99, 2, Err(RejectReason::UnsupportedVersion));
    check(longest, 0, 1, Err(RejectReason::Malformed));
    check(longest, 14, 1, Err(RejectReason::Malformed));
}
