//! Whoever holds the journal can verify every signature in it, of both modes, and finds the one that
//! is forged, even if all hashes were made to fit.

use std::path::Path;

use client::{Message, SignatureMode, connect};
use store::{InstanceId, SegmentLength};
use store::{Journal, JournalConfig, JournalIo, JournalReader, NewRecord, Recovery};
use types::Command;
use types::command::CancelScope;
use types::wire::Kind;

use crate::common::{Node, ended, run, text};

/// Single frames of an account that signs each, and runs of 1, 2 and 5 frames of one that does not.
fn traded(directory: &Path) {
    let node = Node::serve(directory);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for (name, signatures) in [
            ("dev-0", SignatureMode::Frame),
            ("dev-1", SignatureMode::Rolling),
        ] {
            let mut options = node.options(name);
            options.signatures = signatures;
            let (mut sender, mut receiver) = connect(&options).await.unwrap();
            for frames in [1, 2, 5] {
                for _ in 0..frames {
                    sender.queue_frame(&[Command::CancelAll(CancelScope::EVERYTHING)]);
                }
                sender.flush().await.unwrap();
                for _ in 0..frames {
                    let answer = receiver.next().await;
                    assert!(matches!(answer, Ok(Message::Ack(_))), "{answer:?}");
                }
            }
            sender.close().await;
            while receiver.next().await.is_ok() {}
        }
    });
    assert!(node.stop().success());
}

/// Where the message of this kind with this number starts in a payload, if it is there.
fn position(payload: &[u8], wanted: Kind, seen: &mut usize, number: usize) -> Option<usize> {
    let mut at = 0;
    while at < payload.len() {
        let length = u32::from_le_bytes(payload[at..at + 4].try_into().unwrap());
        if payload[at + 4] == wanted as u8 {
            *seen += 1;
            if *seen > number {
                return Some(at);
            }
        }
        at += length as usize;
    }
    None
}

/// The same journal with one bit turned over and all hashes made anew, as a forger would.
fn forged(from: &Path, to: &Path, kind: Kind, number: usize, offset: usize) {
    std::fs::copy(from.join("genesis.toml"), to.join("genesis.toml")).unwrap();
    let identity = store::identity(from).unwrap().unwrap();
    let mut reader = JournalReader::open(from, &identity).unwrap();
    let config = JournalConfig {
        data_directory: to.to_owned(),
        segment_length: SegmentLength::new(1 << 20).unwrap(),
        identity,
        new_instance: InstanceId::new([7; 16]),
        io: JournalIo::Sync,
    };
    let (mut journal, _) = Journal::open(Recovery::begin(&config).unwrap()).unwrap();
    let (mut seen, mut done) = (0, false);
    while let Some(mut record) = reader.next_record().unwrap() {
        if !done && let Some(at) = position(&record.payload, kind, &mut seen, number) {
            record.payload[at + offset] ^= 1;
            done = true;
        }
        let header = NewRecord {
            height: record.height,
            first_sequence: record.first_sequence,
            command_count: record.command_count,
            previous_outcome: record.previous_outcome,
        };
        journal.append(&header, &record.payload).unwrap();
        journal.commit().unwrap();
    }
    assert!(done, "there is something to forge");
}

#[test]
fn a_forged_signature_is_named_though_all_hashes_fit() {
    let honest = tempfile::tempdir().unwrap();
    traded(honest.path());
    let verified = text(&run("verify", honest.path(), &["--signatures"]));
    assert!(
        verified.ends_with("authentic: 16 frames under 11 signatures\n"),
        "{verified}"
    );
    text(&run("replay", honest.path(), &["--signatures"]));

    // Frames are 136 bytes here, their signatures the last 64; a run's last frame is named.
    for (what, kind, number, offset, named) in [
        (
            "a frame's signature",
            Kind::Orders,
            3,
            100,
            "key 0, nonce 4",
        ),
        (
            "a run's signature",
            Kind::RollingSignature,
            0,
            80,
            "key 1, nonce 1",
        ),
        (
            "a running hash",
            Kind::RollingSignature,
            1,
            16,
            "key 1, nonce 3",
        ),
        ("a count", Kind::RollingSignature, 2, 8, "key 1, nonce 8"),
        (
            "zeros that are none",
            Kind::Orders,
            12,
            135,
            "key 1, nonce 5",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        forged(honest.path(), directory.path(), kind, number, offset);
        for command in ["verify", "replay"] {
            text(&run(command, directory.path(), &[]));
            let (code, error) = ended(&run(command, directory.path(), &["--signatures"]));
            assert_eq!(code, 3, "{what}: {error}");
            let expected = format!("BAD_SIGNATURE: {named}");
            assert!(error.contains(&expected), "{what}: {error}");
        }
    }
}
