//! Writing, reading and reopening journals on the real file system.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::sync::mpsc;

use common::{append, assert_clean, config, identity, open, page, read, segment, write};
use store::{
    Identity, Journal, JournalIo, JournalReader, NewRecord, Recovery, Report, SegmentLength,
    StoreError, verify,
};
use tempfile::tempdir;
use types::outcome::Digest;
use types::{Height, NetworkId, SequenceNumber};

#[test]
fn records_come_back_over_many_segments_and_lives() {
    let directory = tempdir().unwrap();
    let lengths = [0, 1, 3_840, 3_841, 20_000, 40_000, 61_184];
    for life in 1..=4_u64 {
        let (mut journal, recovered) = open(directory.path());
        assert_eq!(recovered.totals.records, (life - 1) * 42);
        assert_eq!(recovered.cut, None);
        assert_eq!(journal.durable(), Height::new((life - 1) * 42));
        for batch in 1..=12 {
            for index in 0..batch % 6 + 1 {
                append(&mut journal, lengths[(batch * 3 + index) % lengths.len()]);
            }
            assert!(0 < journal.pending_bytes());
            journal.commit().unwrap();
            assert_eq!(journal.pending_bytes(), 0);
        }
        drop(journal);
        assert_eq!(read(directory.path()).len() as u64, life * 42);
        assert_clean(directory.path(), life * 42);
    }
    let last = *read(directory.path()).last().map(|r| &r.location).unwrap();
    assert!(20 < last.segment.get(), "{last:?}");
}

#[test]
fn both_ways_to_the_disk_write_the_same_bytes() {
    let directories = [tempdir().unwrap(), tempdir().unwrap()];
    let lives = [
        [JournalIo::Sync, JournalIo::Sync],
        [JournalIo::Uring, JournalIo::Sync],
    ];
    for (directory, lives) in directories.iter().zip(lives) {
        for io in lives {
            let mut config = config(directory.path());
            config.io = io;
            let recovery = match Recovery::begin(&config) {
                // A machine without a ring says why, and leaves nothing behind.
                Err(StoreError::NoRing { reason }) => {
                    assert!(!reason.is_empty());
                    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
                    return;
                }
                other => other.unwrap(),
            };
            let (mut journal, _) = Journal::open(recovery).unwrap();
            for length in [0, 3_840, 61_184, 20_000, 100] {
                append(&mut journal, length);
                append(&mut journal, 40_000);
                journal.commit().unwrap();
            }
        }
        assert_clean(directory.path(), 20);
    }
    for number in 1..=8 {
        let [plain, ring] = directories
            .each_ref()
            .map(|directory| fs::read(segment(directory.path(), number)).unwrap());
        assert!(plain == ring, "segment {number}");
    }
}

#[test]
fn totals_count_commands_and_bytes() {
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[0, 5_000], &[100]]);
    let Report::Clean(totals) = verify(directory.path()).unwrap() else {
        panic!("not clean");
    };
    assert_eq!(totals.records, 3);
    assert_eq!(totals.commands, 2 + 3 + 4);
    assert_eq!(totals.bytes, page(4));
    assert_eq!(totals.last_height, Height::new(3));
    assert_eq!(totals.last_sequence, SequenceNumber::new(9));
    assert_eq!(store::identity(directory.path()).unwrap(), Some(identity()));
}

#[test]
fn a_record_that_does_not_fit_begins_the_next_segment() {
    let directory = tempdir().unwrap();
    // 15 pages of room: 8 pages, then 8 more do not fit; 7 more would.
    let eight_pages = 8 * 4_096 - 256;
    write(
        directory.path(),
        &[&[eight_pages, eight_pages, eight_pages]],
    );
    let places: Vec<_> = read(directory.path())
        .iter()
        .map(|record| (record.location.segment.get(), record.location.offset))
        .collect();
    assert_eq!(places, [(1, page(1)), (2, page(1)), (3, page(1))]);
}

#[test]
fn a_record_that_fits_nowhere_is_refused_and_harms_nothing() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let record = NewRecord {
        height: Height::new(1),
        first_sequence: SequenceNumber::new(1),
        command_count: 1,
        previous_outcome: Digest::ZERO,
    };
    let room = 15 * 4_096;
    let refused = journal.append(&record, &vec![0; room - 255]);
    assert!(matches!(refused, Err(StoreError::RecordTooLarge { .. })));
    append(&mut journal, room - 256);
    assert_eq!(journal.commit().unwrap(), Height::new(1));
    drop(journal);
    assert_eq!(read(directory.path()).len(), 1);
}

#[test]
#[should_panic(expected = "left == right")]
fn heights_are_consecutive() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let record = NewRecord {
        height: Height::new(2),
        first_sequence: SequenceNumber::new(1),
        command_count: 1,
        previous_outcome: Digest::ZERO,
    };
    let _ = journal.append(&record, &[]);
}

#[test]
fn a_commit_of_nothing_is_fine() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    assert_eq!(journal.commit().unwrap(), Height::ZERO);
    append(&mut journal, 10);
    assert_eq!(journal.commit().unwrap(), Height::new(1));
    assert_eq!(journal.commit().unwrap(), Height::new(1));
}

#[test]
fn segments_are_prepared_by_another_thread() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let preparer = journal.preparer();
    let (want, wanted) = mpsc::channel();
    let (give, given) = mpsc::channel();
    let preparing = std::thread::spawn(move || {
        for number in wanted {
            give.send(preparer.prepare(number).unwrap()).unwrap();
        }
    });
    let mut offered = 0;
    for height in 1..=200 {
        if let Some(number) = journal.wants_prepared() {
            want.send(number).unwrap();
            // Every other one comes in time; for the rest the journal is on its own.
            if number.get() % 2 == 0
                && let Some(prepared) = given.recv().unwrap()
            {
                journal.offer_prepared(prepared);
                offered += 1;
            }
        }
        given
            .try_iter()
            .flatten()
            .for_each(|late| journal.offer_prepared(late));
        append(&mut journal, 10_000);
        assert_eq!(journal.commit().unwrap(), Height::new(height));
    }
    drop(want);
    preparing.join().unwrap();
    drop(journal);
    assert!(10 < offered, "{offered}");
    assert_clean(directory.path(), 200);
    assert_eq!(open(directory.path()).1.totals.records, 200);
}

#[test]
fn only_one_process_writes() {
    let directory = tempdir().unwrap();
    let (journal, _) = open(directory.path());
    let second = Recovery::begin(&config(directory.path()));
    assert!(
        matches!(second, Err(StoreError::Locked { .. })),
        "{second:?}"
    );
    assert_clean(directory.path(), 0);
    drop(journal);
    let reading = Recovery::begin(&config(directory.path())).unwrap();
    let second = Recovery::begin(&config(directory.path()));
    assert!(
        matches!(second, Err(StoreError::Locked { .. })),
        "{second:?}"
    );
    drop(reading);
    open(directory.path());
}

#[test]
fn a_journal_of_somebody_else_is_refused() {
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[1]]);
    let mut other = config(directory.path());
    other.identity.network = NetworkId::new(77);
    let error = Recovery::begin(&other).unwrap_err();
    assert!(matches!(error, StoreError::WrongNetwork { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("belongs to network 1, not to network 77")
    );
    let other = Identity {
        genesis_hash: Digest::new([8; 32]),
        ..identity()
    };
    let error = JournalReader::open(directory.path(), &other).unwrap_err();
    assert!(matches!(error, StoreError::WrongGenesis { .. }), "{error}");
}

#[test]
fn no_journal_is_told_apart_from_an_empty_one() {
    let directory = tempdir().unwrap();
    assert_eq!(store::identity(directory.path()).unwrap(), None);
    let error = verify(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::NoJournal { .. }), "{error}");
    drop(Recovery::begin(&config(directory.path())).unwrap());
    assert_eq!(store::identity(directory.path()).unwrap(), None);
    let error = verify(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::NoJournal { .. }), "{error}");
    drop(open(directory.path()));
    assert_clean(directory.path(), 0);
}

#[test]
fn another_segment_length_holds_from_the_next_segment_on() {
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[10_000], &[10_000]]);
    {
        let (mut journal, _) = open(directory.path());
        let number = journal.wants_prepared().unwrap();
        let prepared = journal.preparer().prepare(number).unwrap();
        assert!(prepared.is_some_and(|prepared| prepared.number() == number));
    }
    let mut larger = config(directory.path());
    larger.segment_length = SegmentLength::new(page(32)).unwrap();
    let (mut journal, recovered) = Journal::open(Recovery::begin(&larger).unwrap()).unwrap();
    assert_eq!(recovered.totals.records, 2);
    for _ in 0..3 {
        append(&mut journal, 100_000);
        journal.commit().unwrap();
    }
    drop(journal);
    assert_clean(directory.path(), 5);
    let lengths = [1, 2, 3].map(|number| segment(directory.path(), number).metadata());
    let lengths = lengths.map(|metadata| metadata.unwrap().len());
    assert_eq!(lengths, [page(16), page(32), page(32)]);
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[1]]);
    let leftover = directory
        .path()
        .join("journal/00000000000000000002.ahead.tmp");
    fs::write(&leftover, "half a segment").unwrap();
    assert_clean(directory.path(), 1);
    open(directory.path());
    assert!(!leftover.exists());
}
