//! Every bit of a small journal, flipped one at a time.

use std::path::PathBuf;

use crate::crash_tests::{append, config};
use crate::format::PAGE;
use crate::journal::Journal;
use crate::recovery::Recovery;
use crate::segment::SegmentNumber;
use crate::simulated_disk::SimulatedDisk;
use crate::verify::{Report, verify_in};

/// What a flip anywhere in these pages must lead to.
struct Pages {
    segment: u64,
    pages: std::ops::Range<usize>,
    /// Where the verdict must point.
    offset: usize,
    torn: bool,
    good: u64,
}

const fn pages(segment: u64, pages: std::ops::Range<usize>, torn: bool, good: u64) -> Pages {
    let offset = pages.start * PAGE;
    Pages {
        segment,
        pages,
        offset,
        torn,
        good,
    }
}

/// Two segments of four pages: records of one and two pages, then two of one page each in commits
/// of their own, and a page that is not used.
fn small_journal() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let recovery = Recovery::begin_in(&disk.folders(), &config(4 * PAGE as u64), None).unwrap();
    let (mut journal, _) = Journal::open(recovery).unwrap();
    for length in [100, 5_000, 0, 3_840] {
        append(&mut journal, &vec![0x55; length]);
        journal.commit().unwrap();
    }
    disk
}

#[test]
fn every_flipped_bit_is_found_and_placed() {
    let disk = small_journal();
    let Report::Clean(totals) = verify_in(&disk.folders()).unwrap() else {
        panic!("the journal is not clean to begin with");
    };
    assert_eq!((totals.records, totals.bytes), (4, 5 * PAGE as u64));
    for expected in [
        pages(1, 0..1, false, 0),
        pages(1, 1..2, false, 0),
        pages(1, 2..4, false, 1),
        pages(2, 0..1, false, 2),
        pages(2, 1..2, false, 2),
        // The last record: rot there cannot be told from a tear, but it is found.
        pages(2, 2..3, true, 3),
    ] {
        for bit in expected.pages.start * PAGE * 8..expected.pages.end * PAGE * 8 {
            check_flip(&disk, bit, &expected);
        }
    }
    // Behind the end: the tail starts where the next record would.
    for bit in 3 * PAGE * 8..4 * PAGE * 8 {
        check_flip(&disk, bit, &pages(2, 3..4, true, 4));
    }
    assert!(matches!(verify_in(&disk.folders()), Ok(Report::Clean(_))));
}

fn check_flip(disk: &SimulatedDisk, bit: usize, expected: &Pages) {
    let name = SegmentNumber::new(expected.segment).file_name();
    disk.flip(&name, bit);
    let report = verify_in(&disk.folders()).unwrap();
    let (file, offset, torn, good) = match report {
        Report::Clean(_) => panic!("bit {bit} of {name} was not missed"),
        Report::TornTail { tail, good } => (tail.file, tail.offset, true, good),
        Report::Corruption {
            file, offset, good, ..
        } => (file, offset, false, good),
    };
    let place = (file, offset as usize, torn, good.records);
    let file = PathBuf::from("journal").join(&name);
    let wanted = (file, expected.offset, expected.torn, expected.good);
    assert_eq!(place, wanted, "bit {bit} of {name}");
    disk.flip(&name, bit);
}
