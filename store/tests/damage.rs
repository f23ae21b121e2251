//! Tears, rot and mixed-up files, on the real file system.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::Path;

use common::{
    append, assert_clean, bytes, config, copy, flip, identity, open, overwrite, page, read,
    segment, write,
};
use store::format::{FORMAT_VERSION, PAGE};
use store::{InstanceId, Journal, JournalReader, Recovery, Report, StoreError, verify};
use tempfile::{TempDir, tempdir};

/// Three commits: a record of two pages; one of one page; then a batch of two, one and three pages.
/// They start at pages 1, 3, 4, 6 and 7.
fn journal_with_a_batch_at_the_end() -> TempDir {
    let directory = tempdir().unwrap();
    write(
        directory.path(),
        &[&[5_000], &[3_840], &[6_000, 1_000, 9_500]],
    );
    directory
}

const BATCH: std::ops::Range<u64> = page(4)..page(10);
/// Where the batch's records start.
const BATCH_STARTS: [u64; 3] = [page(4), page(6), page(7)];

#[test]
fn a_tear_at_any_sector_is_cut_and_the_journal_goes_on() {
    let original = journal_with_a_batch_at_the_end();
    let whole = bytes(&segment(original.path(), 1), 0, page(16));
    for sector in BATCH.step_by(512) {
        check_tear(original.path(), &whole, sector..BATCH.end);
        check_tear(original.path(), &whole, sector..sector + 512);
        check_tear(original.path(), &whole, BATCH.start..sector);
    }
}

/// Zeros part of the last batch, as if it had never reached the disk.
fn check_tear(original: &Path, whole: &[u8], lost: std::ops::Range<u64>) {
    let mut torn = whole.to_vec();
    torn[lost.start as usize..lost.end as usize].fill(0);
    let place = format!("lost {lost:?}");
    let first_changed = (0..whole.len()).find(|at| whole[*at] != torn[*at]);
    let good = match first_changed {
        None => 5,
        Some(at) => {
            1 + BATCH_STARTS
                .iter()
                .filter(|start| **start <= at as u64)
                .count()
        }
    };
    let end = [page(4), page(6), page(7), page(10)][good - 2];
    let last_nonzero = torn.iter().rposition(|byte| *byte != 0).unwrap() as u64;

    let directory = tempdir().unwrap();
    copy(original, directory.path());
    overwrite(&segment(directory.path(), 1), 0, &torn);
    let tail_bytes = match verify(directory.path()).unwrap() {
        Report::Clean(totals) => {
            assert_eq!(totals.records, good as u64, "{place}");
            assert!(last_nonzero < end, "{place}");
            None
        }
        Report::TornTail { tail, good: totals } => {
            assert_eq!(totals.records, good as u64, "{place}");
            assert_eq!((tail.segment.get(), tail.offset), (1, end), "{place}");
            assert_eq!(tail.bytes, last_nonzero / page(1) * page(1) + page(1) - end);
            Some(tail.bytes)
        }
        other => panic!("{place}: {other:?}"),
    };
    assert_eq!(read(directory.path()).len(), good, "{place}");

    let (mut journal, recovered) = open(directory.path());
    let cut = recovered.cut;
    assert_eq!(
        cut.as_ref().map(|cut| cut.tail.bytes),
        tail_bytes,
        "{place}"
    );
    if let Some(cut) = cut {
        let expected = &torn[end as usize..(end + cut.tail.bytes) as usize];
        assert_eq!(fs::read(cut.copy).unwrap(), expected, "{place}");
    }
    append(&mut journal, 100);
    journal.commit().unwrap();
    drop(journal);
    assert_clean(directory.path(), good as u64 + 1);
    assert_eq!(read(directory.path()).len(), good + 1, "{place}");
    assert_eq!(open(directory.path()).1.cut, None, "{place}");
}

#[test]
fn the_first_of_a_batch_torn_and_the_second_whole_is_a_tear() {
    let directory = journal_with_a_batch_at_the_end();
    flip(&segment(directory.path(), 1), page(5));
    let Report::TornTail { tail, good } = verify(directory.path()).unwrap() else {
        panic!("not a torn tail");
    };
    assert_eq!(
        (tail.offset, tail.bytes, good.records),
        (page(4), page(6), 2)
    );
}

#[test]
fn each_torn_tail_is_kept_under_a_name_of_its_own() {
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[100]]);
    for count in 1..=3 {
        overwrite(&segment(directory.path(), 1), page(2) + 7, b"torn");
        let cut = open(directory.path()).1.cut.unwrap();
        let name = format!("torn-1-8192-{count}.bin");
        assert_eq!(cut.copy, directory.path().join("journal").join(name));
        assert_eq!(cut.tail.bytes, page(1));
    }
    assert_clean(directory.path(), 1);
}

#[test]
fn a_tear_in_the_header_of_a_new_segment_is_cut() {
    for damage in ["header gone", "header torn", "record torn"] {
        let directory = tempdir().unwrap();
        write(directory.path(), &[&[50_000], &[20_000, 100]]);
        let second = segment(directory.path(), 2);
        match damage {
            "header gone" => overwrite(&second, 0, &[0; PAGE]),
            "header torn" => overwrite(&second, 0, &[0; 100]),
            _ => flip(&second, page(2)),
        }
        let offset = if damage == "record torn" { page(1) } else { 0 };
        let Report::TornTail { tail, good } = verify(directory.path()).unwrap() else {
            panic!("{damage}: not a torn tail");
        };
        assert_eq!((tail.segment.get(), tail.offset), (2, offset), "{damage}");
        assert_eq!(good.records, 1, "{damage}");
        let (mut journal, recovered) = open(directory.path());
        assert_eq!(recovered.cut.map(|cut| cut.tail), Some(tail), "{damage}");
        for _ in 0..5 {
            append(&mut journal, 20_000);
            journal.commit().unwrap();
        }
        drop(journal);
        assert_clean(directory.path(), 6);
    }
}

/// Where the verdict must point: segment, offset, and how many records are good before it.
type Place = (u64, u64, u64);

/// Six records in commits of their own over three segments: records 1 and 2 in segment 1 at pages 1
/// and 8, records 3 and 4 in segment 2 and records 5 and 6 in segment 3 likewise.
fn journal_of_three_segments() -> TempDir {
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[28_000_usize][..]; 6]);
    assert!(segment(directory.path(), 3).exists());
    directory
}

fn check_corruption(what: &str, expected: Place, damage: impl Fn(&Path)) {
    let directory = journal_of_three_segments();
    damage(directory.path());
    let before = [1, 2, 3].map(|number| fs::read(segment(directory.path(), number)).ok());
    let report = verify(directory.path()).unwrap();
    let Report::Corruption {
        file,
        offset,
        what: text,
        good,
    } = report
    else {
        panic!("{what}: {report:?}");
    };
    let wanted = (
        segment(directory.path(), expected.0),
        expected.1,
        expected.2,
    );
    assert_eq!((file, offset, good.records), wanted, "{what}: {text}");

    // Recovery must refuse and change nothing.
    let recovery = Recovery::begin(&config(directory.path()));
    let error = recovery.and_then(Journal::open).unwrap_err();
    assert!(
        matches!(error, StoreError::Corruption { .. }),
        "{what}: {error}"
    );
    let after = [1, 2, 3].map(|number| fs::read(segment(directory.path(), number)).ok());
    assert!(before == after, "{what}: a refused journal was changed");
    let names = fs::read_dir(directory.path().join("journal")).unwrap();
    let torn = names.filter(|name| {
        let name = name.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("torn")
    });
    assert_eq!(torn.count(), 0, "{what}");
}

#[test]
fn rot_in_what_was_durable_halts() {
    for (what, place, (number, offset)) in [
        ("magic", (1, page(1), 0), (1, page(1))),
        ("payload", (1, page(1), 0), (1, page(3))),
        ("padding", (1, page(8), 1), (1, page(15) - 1)),
        ("segment header", (1, 0, 0), (1, 20)),
        ("rest of the header page", (1, 0, 0), (1, page(1) - 1)),
        ("unused rest", (1, page(15), 2), (1, page(15) + 9)),
        ("second segment header", (2, 0, 2), (2, 300)),
        (
            "first of the last segment",
            (3, page(1), 4),
            (3, page(1) + 100),
        ),
        ("last segment header", (3, 0, 4), (3, 64)),
    ] {
        check_corruption(what, place, |directory| {
            flip(&segment(directory, number), offset);
        });
    }
}

#[test]
fn lost_writes_and_zeroed_pages_halt() {
    let zero = |number, from: u64, to: u64| {
        move |directory: &Path| {
            let path = segment(directory, number);
            overwrite(&path, from, &vec![0; (to - from) as usize]);
        }
    };
    check_corruption("first record", (1, page(1), 0), zero(1, page(1), page(8)));
    check_corruption("second record", (1, page(8), 1), zero(1, page(8), page(15)));
    check_corruption("a page of it", (1, page(8), 1), zero(1, page(10), page(11)));
    check_corruption("record 5", (3, page(1), 4), zero(3, page(1), page(8)));
    check_corruption("segment 1", (1, 0, 0), zero(1, 0, page(16)));
    check_corruption("segment 2", (2, 0, 2), zero(2, 0, page(16)));
    check_corruption("its header", (2, 0, 2), zero(2, 0, page(1)));
}

#[test]
fn mixed_up_records_and_segments_halt() {
    check_corruption("swapped records", (1, page(1), 0), |directory| {
        let path = segment(directory, 1);
        let (first, second) = (
            bytes(&path, page(1), page(7)),
            bytes(&path, page(8), page(7)),
        );
        overwrite(&path, page(1), &second);
        overwrite(&path, page(8), &first);
    });
    check_corruption("record of another segment", (2, page(8), 3), |directory| {
        let stray = bytes(&segment(directory, 1), page(8), page(7));
        overwrite(&segment(directory, 2), page(8), &stray);
    });
    check_corruption("stale segment", (2, 0, 2), |directory| {
        fs::copy(segment(directory, 1), segment(directory, 2)).unwrap();
    });
    check_corruption("older state of a segment", (2, page(8), 3), |directory| {
        let other = tempdir().unwrap();
        write(other.path(), &[&[28_000_usize][..]; 3]);
        fs::copy(segment(other.path(), 2), segment(directory, 2)).unwrap();
    });
    check_corruption("swapped segments", (1, 0, 0), |directory| {
        let spare = directory.join("spare");
        fs::rename(segment(directory, 1), &spare).unwrap();
        fs::rename(segment(directory, 2), segment(directory, 1)).unwrap();
        fs::rename(&spare, segment(directory, 2)).unwrap();
    });
    check_corruption("segment of another instance", (3, 0, 4), |directory| {
        let other = tempdir().unwrap();
        let mut config = config(other.path());
        config.new_instance = InstanceId::new([5; 16]);
        let (mut journal, _) = Journal::open(Recovery::begin(&config).unwrap()).unwrap();
        for _ in 0..6 {
            append(&mut journal, 28_000);
            journal.commit().unwrap();
        }
        fs::copy(segment(other.path(), 3), segment(directory, 3)).unwrap();
    });
    check_corruption("missing segment", (2, 0, 0), |directory| {
        let spare = directory.join("spare");
        fs::rename(segment(directory, 2), spare).unwrap();
    });
}

#[test]
fn a_shortened_file_halts() {
    for (number, length, place) in [
        (1, 0, (1, 0, 0)),
        (1, page(1), (1, page(1), 0)),
        (1, page(9) + 5, (1, page(9) + 5, 0)),
        (1, page(9), (1, 0, 0)),
        (2, page(9), (2, 0, 2)),
        (3, page(9) + 512, (3, page(9) + 512, 4)),
        (3, page(2), (3, 0, 4)),
    ] {
        check_corruption(&format!("segment {number} cut"), place, |directory| {
            let path = segment(directory, number);
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(length).unwrap();
        });
    }
}

#[test]
fn records_of_another_past_halt() {
    // The same directory, written twice from the same beginning: all is valid but the chain.
    let directory = tempdir().unwrap();
    write(directory.path(), &[&[100]]);
    let other = tempdir().unwrap();
    copy(directory.path(), other.path());
    write(directory.path(), &[&[200], &[300]]);
    write(other.path(), &[&[201], &[300]]);
    let stray = bytes(&segment(other.path(), 1), page(3), page(1));
    overwrite(&segment(directory.path(), 1), page(3), &stray);
    let report = verify(directory.path()).unwrap();
    assert!(
        matches!(&report, Report::Corruption { offset, what, .. }
            if *offset == page(3) && what.contains("chain")),
        "{report:?}"
    );
}

#[test]
fn a_newer_format_is_refused_by_name() {
    for number in [1, 2] {
        let directory = journal_of_three_segments();
        let path = segment(directory.path(), number);
        let mut header = bytes(&path, 0, 256);
        header[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let unsealed = header.clone();
        let checksum = *blake3::hash(&header[..224]).as_bytes();
        header[224..].copy_from_slice(&checksum);
        overwrite(&path, 0, &header);
        let error = verify(directory.path()).unwrap_err();
        assert!(
            matches!(&error, StoreError::NewerFormat { file, found: 2, known: 1 } if *file == path),
            "{error}"
        );
        // Without its checksum it is not a version but damage.
        overwrite(&path, 0, &unsealed);
        let report = verify(directory.path()).unwrap();
        assert!(matches!(report, Report::Corruption { .. }), "{report:?}");
    }
}

#[test]
fn an_error_repeats_and_what_is_before_it_can_be_read() {
    let directory = journal_of_three_segments();
    flip(&segment(directory.path(), 2), page(9));
    let mut reader = JournalReader::open(directory.path(), &identity()).unwrap();
    for height in 1..=3 {
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!(record.height.get(), height);
    }
    for _ in 0..2 {
        let error = reader.next_record().unwrap_err();
        assert!(
            matches!(error, StoreError::Corruption { offset, .. } if offset == page(8)),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("00000000000000000002.keel:32768"),
            "{error}"
        );
    }
}
