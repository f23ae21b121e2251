//! Room for records, and old segments that become new ones, on the real file system.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{
    SEGMENT_LENGTH, append, assert_clean, config, identity, open, open_after, page, segment,
    write_checkpoint,
};
use store::format::record_length;
use store::{Checkpoints, Folders, Journal, Recovery, Retention, SegmentLength, SegmentNumber};
use tempfile::tempdir;
use types::Height;

fn segments(directory: &Path) -> Vec<u64> {
    let names = fs::read_dir(directory.join("journal")).unwrap();
    let mut numbers: Vec<_> = names
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            SegmentNumber::from_file_name(&name).map(SegmentNumber::get)
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Pseudo-random numbers (an xorshift generator).
fn next(random: &mut u64, limit: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % limit
}

#[test]
fn records_within_the_room_never_need_a_segment_that_is_not_ready() {
    for seed in 1..=20_u64 {
        eprintln!("seed {seed}");
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let directory = tempdir().unwrap();
        let (mut journal, _) = open(directory.path());
        let longest = [100, 5_000, 20_000, 61_184][next(&mut random, 4) as usize];
        for _ in 0..12 {
            if next(&mut random, 3) != 0
                && let Some(number) = journal.wants_prepared()
            {
                let prepared = journal.preparer().prepare(number).unwrap();
                journal.offer_prepared(prepared.unwrap());
            }
            let ready = segments(directory.path());
            let mut room = journal.room(longest);
            loop {
                let payload = next(&mut random, longest + 1);
                let length = record_length(payload).unwrap();
                if room < length {
                    break;
                }
                append(&mut journal, payload as usize);
                room -= length;
                assert!(
                    room <= journal.room(longest),
                    "an append takes what it says"
                );
                if next(&mut random, 4) == 0 {
                    journal.commit().unwrap();
                }
            }
            journal.commit().unwrap();
            assert_eq!(segments(directory.path()), ready);
            // Nobody is held up for ever: without room the next segment is asked for.
            if journal.room(longest) == 0 {
                journal.preparation_failed();
                assert!(journal.wants_prepared().is_some());
                journal.preparation_failed();
            }
        }
    }
}

#[test]
fn room_counts_what_is_ready() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    assert_eq!(journal.room(100), page(15));
    let number = journal.wants_prepared().unwrap();
    let prepared = journal.preparer().prepare(number).unwrap().unwrap();
    journal.offer_prepared(prepared);
    // Records of one page waste nothing; one of three pages may not fit into the last two.
    assert_eq!(journal.room(3_840), page(30));
    assert_eq!(journal.room(3_840 + 2 * 4_096), page(28));
    assert_eq!(journal.room(u64::MAX), page(15));
    append(&mut journal, 3_840 + 13 * 4_096);
    assert_eq!(journal.room(3_840 + 2 * 4_096), page(15));
    // Appended, not yet written: the place is in the prepared segment already.
    append(&mut journal, 3_840 + 4_096);
    assert_eq!(journal.room(3_840), page(13));
    append(&mut journal, 3_840 + 12 * 4_096);
    assert_eq!(journal.room(3_840), 0);
    // Beyond it nothing is ready.
    append(&mut journal, 0);
    assert_eq!(journal.room(3_840), 0);
    journal.commit().unwrap();
    assert_eq!(journal.room(3_840), page(14));
}

#[test]
fn a_failed_preparation_is_asked_for_again_and_finished() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let number = journal.wants_prepared().unwrap();
    assert_eq!(journal.wants_prepared(), None);
    journal.preparation_failed();
    assert_eq!(journal.wants_prepared(), Some(number));
    // Made, but lost on its way to the journal.
    drop(journal.preparer().prepare(number).unwrap().unwrap());
    let prepared = journal.preparer().prepare(number).unwrap().unwrap();
    assert_eq!(prepared.number(), number);
    journal.offer_prepared(prepared);
    assert_eq!(journal.room(0), page(30));
}

#[test]
fn old_segments_become_new_ones() {
    let directory = tempdir().unwrap();
    let folders = Folders::lock(directory.path(), store::JournalIo::Sync).unwrap();
    let recovery = Recovery::begin_in(&folders, &config(directory.path()), None).unwrap();
    let (mut journal, _) = Journal::open(recovery).unwrap();
    let checkpoints = folders.checkpoints();
    let mut files = 0;
    let mut recycled = 0;
    for height in 1..=60 {
        if let Some(number) = journal.wants_prepared() {
            let retention = Retention {
                segments: 4,
                covered: checkpoints.covered().unwrap(),
            };
            let inode = |number| segment(directory.path(), number).metadata().unwrap().ino();
            let before: Vec<_> = segments(directory.path()).into_iter().map(inode).collect();
            let prepared = journal.preparer().prepare_recycling(number, &retention);
            let prepared = prepared.unwrap().unwrap();
            journal.offer_prepared(prepared);
            recycled += u64::from(before.contains(&inode(number.get())));
            files = files.max(segments(directory.path()).len());
        }
        append(&mut journal, 18_000);
        journal.commit().unwrap();
        if height % 5 == 0 {
            write_checkpoint(&checkpoints, &journal);
            checkpoints.keep(2).unwrap();
        }
    }
    // Four, or as many as the older of two checkpoints needs.
    assert!((4..=6).contains(&files), "{files}");
    assert!(10 <= recycled, "{recycled}");
    let first = segments(directory.path())[0];
    assert!(10 < first, "{first}");
    assert_eq!(
        fs::read_dir(directory.path().join("journal"))
            .unwrap()
            .count(),
        segments(directory.path()).len() + 1
    );
    drop((journal, checkpoints, folders));
    // Every kept checkpoint leads on.
    for height in Checkpoints::open(directory.path()).heights().unwrap() {
        let found = Checkpoints::open(directory.path()).load(height, &identity());
        let after = found.unwrap().meta().after();
        let folders = Folders::lock(directory.path(), store::JournalIo::Sync).unwrap();
        let recovery =
            Recovery::begin_in(&folders, &config(directory.path()), Some(&after)).unwrap();
        let (_, recovered) = Journal::open(recovery).unwrap();
        assert_eq!(recovered.totals.records, 60 - height.get());
    }
    assert_clean(directory.path(), 60 - (first - 1) * 3);
}

#[test]
fn nothing_goes_that_a_checkpoint_does_not_hold() {
    // Six segments of three blocks each; the seventh is prepared.
    for (covered, kept, first) in [
        (0, 1, 1),
        (2, 1, 1),
        (3, 1, 2),
        (3, 9, 1),
        (11, 1, 4),
        (18, 7, 1),
        (18, 6, 2),
        (18, 1, 6),
        (18, 0, 6),
        (1_000, 1, 6),
    ] {
        let directory = tempdir().unwrap();
        let (mut journal, _) = open(directory.path());
        for _ in 0..18 {
            append(&mut journal, 18_000);
            journal.commit().unwrap();
        }
        assert_eq!(segments(directory.path()), [1, 2, 3, 4, 5, 6]);
        let retention = Retention {
            segments: kept,
            covered: Height::new(covered),
        };
        let number = SegmentNumber::new(7);
        let prepared = journal.preparer().prepare_recycling(number, &retention);
        journal.offer_prepared(prepared.unwrap().unwrap());
        let expected: Vec<u64> = (first..=7).collect();
        let place = format!("covered {covered}, {kept} kept");
        assert_eq!(segments(directory.path()), expected, "{place}");
        append(&mut journal, 18_000);
        journal.commit().unwrap();
    }
}

#[test]
fn segments_of_another_length_are_not_recycled_as_they_are() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    for _ in 0..9 {
        append(&mut journal, 18_000);
        journal.commit().unwrap();
    }
    drop(journal);
    let folders = Folders::lock(directory.path(), store::JournalIo::Sync).unwrap();
    let mut larger = config(directory.path());
    larger.segment_length = SegmentLength::new(2 * SEGMENT_LENGTH).unwrap();
    let recovery = Recovery::begin_in(&folders, &larger, None).unwrap();
    let (mut journal, _) = Journal::open(recovery).unwrap();
    write_checkpoint(&folders.checkpoints(), &journal);
    let number = journal.wants_prepared().unwrap();
    let retention = Retention {
        segments: 2,
        covered: Height::new(9),
    };
    let prepared = journal.preparer().prepare_recycling(number, &retention);
    journal.offer_prepared(prepared.unwrap().unwrap());
    assert_eq!(segments(directory.path()), [3, 4]);
    let length = segment(directory.path(), 4).metadata().unwrap().len();
    assert_eq!(length, 2 * SEGMENT_LENGTH);
    append(&mut journal, 100_000);
    journal.commit().unwrap();
    drop((journal, folders));
    let (_, recovered, after) = open_after(directory.path());
    assert_eq!(after.unwrap().height, Height::new(9));
    assert_eq!(recovered.totals.records, 1);
}
