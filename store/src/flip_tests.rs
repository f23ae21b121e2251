//! Every bit of a journal of 64 KiB, flipped one at a time: 524,288 flips.

use std::path::PathBuf;

use crate::crash_tests::{append, config};
use crate::disk::{NameSurvival, Random, SimulatedDisk, Survival};
use crate::format::PAGE;
use crate::journal::Journal;
use crate::recovery::Recovery;
use crate::segment::SegmentNumber;
use crate::verify::{Report, verify_in};

/// What a flip anywhere in these pages must lead to.
struct Pages {
    segment: u64,
    pages: std::ops::Range<usize>,
    /// The verdict must point to the first of them.
    torn: bool,
    good: u64,
}

const fn pages(segment: u64, pages: std::ops::Range<usize>, torn: bool, good: u64) -> Pages {
    Pages {
        segment,
        pages,
        torn,
        good,
    }
}

/// Two segments of eight pages, all of their bytes.
const ALL: [Pages; 10] = [
    pages(1, 0..1, false, 0),
    pages(1, 1..2, false, 0),
    pages(1, 2..4, false, 1),
    pages(1, 4..7, false, 2),
    // The unused rest of a segment that is full.
    pages(1, 7..8, false, 3),
    pages(2, 0..1, false, 3),
    pages(2, 1..3, false, 3),
    pages(2, 3..4, false, 4),
    // The last record: rot there cannot be told from a tear, but it is found.
    pages(2, 4..5, true, 5),
    // Behind the end: the tail starts where the next record would.
    pages(2, 5..8, true, 6),
];

/// Records of one, two and three pages, then of two, one and one, each in a commit of its own.
fn small_journal() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let config = config(8 * PAGE as u64);
    let recovery = Recovery::begin_in(&disk.folders(), &config, None).unwrap();
    let (mut journal, _) = Journal::open(recovery).unwrap();
    for length in [100, 5_000, 10_000, 6_000, 0, 3_840] {
        append(&mut journal, &vec![0x55; length]);
        journal.commit().unwrap();
    }
    disk
}

#[test]
fn every_flipped_bit_is_found_and_placed() {
    let disk = small_journal();
    assert_eq!(disk.used(), 64 << 10);
    let Report::Clean(totals) = verify_in(&disk.folders()).unwrap() else {
        panic!("the journal is not clean to begin with");
    };
    assert_eq!((totals.records, totals.bytes), (6, 10 * PAGE as u64));
    let flipped: usize = std::thread::scope(|scope| {
        let threads = [0, 1].map(|odd| {
            let disk = copy(&disk);
            scope.spawn(move || flip_all(&disk, odd))
        });
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert_eq!(flipped, 8 * (64 << 10));
    assert!(matches!(verify_in(&disk.folders()), Ok(Report::Clean(_))));
}

fn copy(disk: &SimulatedDisk) -> SimulatedDisk {
    disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut Random(0))
}

/// Flips every even or odd bit; says how many.
fn flip_all(disk: &SimulatedDisk, odd: usize) -> usize {
    let mut flipped = 0;
    for expected in &ALL {
        let bits = expected.pages.start * PAGE * 8..expected.pages.end * PAGE * 8;
        for bit in bits.skip(odd).step_by(2) {
            check_flip(disk, bit, expected);
            flipped += 1;
        }
    }
    flipped
}

fn check_flip(disk: &SimulatedDisk, bit: usize, expected: &Pages) {
    let name = SegmentNumber::new(expected.segment).file_name();
    disk.flip(&name, bit);
    let report = verify_in(&disk.folders()).unwrap();
    let (file, offset, torn, good) = match report {
        Report::Clean(_) => panic!("bit {bit} of {name} was missed"),
        Report::TornTail { tail, good } => (tail.file, tail.offset, true, good),
        Report::Corruption {
            file, offset, good, ..
        } => (file, offset, false, good),
    };
    let place = (file, offset as usize, torn, good.records);
    let file = PathBuf::from("journal").join(&name);
    let offset = expected.pages.start * PAGE;
    let wanted = (file, offset, expected.torn, expected.good);
    assert_eq!(place, wanted, "bit {bit} of {name}");
    disk.flip(&name, bit);
}
