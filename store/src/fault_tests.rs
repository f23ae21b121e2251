//! Faults of the disk itself: what it loses, puts elsewhere, forgets, refuses or cannot read.
//!
//! What must hold: no verdict of "clean" over anything that differs from what was committed, unless
//! it is the last batch and no checkpoint saw it; no fault is worse than a stop; and a full disk is
//! no fault at all.

use crate::checkpoint_crash_tests::{Expected, live, recover, write_checkpoint};
use crate::crash_tests::{append, config};
use crate::disk::{Disk, Fault, NameSurvival, Random, Refusal, SimulatedDisk, Survival};
use crate::format::PAGE;
use crate::prepare::Retention;
use crate::segment::SegmentNumber;
use crate::verify::{Report, verify_in};
use crate::{JournalReader, StoreError};
use types::Height;

const SEGMENT_LENGTH: u64 = 4 * PAGE as u64;

/// Writes that the disk swallows, or puts elsewhere in their file.
fn write_faults(at: u64) -> impl Iterator<Item = Fault> {
    let misdirected = [1, 2, 3].map(|pages| Fault::MisdirectedWrite { at, pages });
    std::iter::once(Fault::LostWrite { at }).chain(misdirected)
}

/// All records from the front, if the journal can be read.
fn read_all(disk: &SimulatedDisk) -> Result<Vec<Vec<u8>>, StoreError> {
    let identity = config(SEGMENT_LENGTH).identity;
    let mut reader = JournalReader::open_in(&disk.folders(), &identity, None)?;
    let mut found = Vec::new();
    while let Some(record) = reader.next_record()? {
        found.push(record.payload);
    }
    Ok(found)
}

/// A life of small commits in several segments, the last of them with a checkpoint or not.
fn short_life(disk: &SimulatedDisk, checkpoint: bool) -> Result<Expected, StoreError> {
    let mut expected = Expected::default();
    let (folders, mut journal) = recover(disk, &mut expected)?;
    for length in [100, 5_000, 0, 3_840, 6_000, 1] {
        let payload = vec![0x55; length];
        append(&mut journal, &payload);
        journal.commit()?;
        expected.committed.push(payload);
    }
    if checkpoint {
        write_checkpoint(&folders, &journal, &mut expected)?;
    }
    Ok(expected)
}

#[test]
fn lost_and_misdirected_writes_are_found() {
    for checkpoint in [true, false] {
        let whole = SimulatedDisk::default();
        short_life(&whole, checkpoint).unwrap();
        let mut found = 0;
        for fault in (1..=whole.operations()).flat_map(write_faults) {
            let disk = SimulatedDisk::default();
            disk.inject(fault);
            // It may be met while the process lives: then that ends, and nothing is wrong.
            let Ok(expected) = short_life(&disk, checkpoint) else {
                continue;
            };
            if disk.triggered().is_empty() {
                continue;
            }
            // What is still in memory of the device is gone.
            let disk = disk.crash(Survival::Nothing, NameSurvival::Everything, &mut Random(0));
            match verify_in(&disk.folders()) {
                Ok(Report::Clean(_)) => {
                    // The write was one of zeros, or all there was of the last batch.
                    let records = read_all(&disk).unwrap();
                    let missing = usize::from(!checkpoint);
                    assert!(
                        records.len() + missing >= expected.committed.len(),
                        "{fault:?}"
                    );
                    let all = expected.committed[..records.len()].iter();
                    assert!(records.iter().eq(all), "{fault:?}");
                }
                Ok(Report::TornTail { tail, good }) => {
                    // Only the last batch can look like a tear, and only to who has no checkpoint.
                    assert!(!checkpoint, "{fault:?}: {tail:?}");
                    assert!(
                        expected.committed.len() as u64 <= good.records + 1,
                        "{fault:?}: {tail:?} {good:?}"
                    );
                }
                Ok(Report::Corruption { .. }) | Err(_) => found += 1,
            }
        }
        assert!(30 < found, "checkpoint {checkpoint}: {found} found");
    }
}

/// Two checkpoints of three pages.
fn small_checkpoints() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let mut expected = Expected::default();
    let (folders, mut journal) = recover(&disk, &mut expected).unwrap();
    for _ in 0..2 {
        append(&mut journal, &[7; 100]);
        journal.commit().unwrap();
        expected.committed.push(vec![7; 100]);
        write_checkpoint(&folders, &journal, &mut expected).unwrap();
    }
    disk
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_found_and_placed() {
    let disk = small_checkpoints();
    let checkpoints = disk.folders().checkpoints();
    let identity = config(SEGMENT_LENGTH).identity;
    let newest = Height::new(2);
    let name = SegmentNumber::new(2).file_name();
    let bytes = disk.checkpoints().content(&name).len();
    assert_eq!(bytes, 3 * PAGE);
    for bit in 0..8 * bytes {
        disk.checkpoints().flip(&name, bit);
        let error = checkpoints.load(newest, &identity).unwrap_err();
        let place = match bit / 8 {
            0..256 => 0,
            byte if byte < PAGE => byte as u64,
            _ => PAGE as u64,
        };
        assert!(
            matches!(&error, StoreError::Corruption { file, offset, .. }
                if file.ends_with(&name) && *offset == place),
            "bit {bit}: {error}"
        );
        // The other roads to it, where they are cheap enough.
        if bit % 257 == 0 {
            let found = checkpoints.newest(&identity).unwrap();
            assert_eq!(found.damaged.len(), 1);
            assert_eq!(found.checkpoint.unwrap().meta().height, Height::new(1));
            let report = verify_in(&disk.folders()).unwrap();
            assert!(
                matches!(&report, Report::Corruption { file, offset, .. }
                    if file.ends_with(&name) && *offset == place),
                "bit {bit}: {report:?}"
            );
        }
        disk.checkpoints().flip(&name, bit);
    }
    checkpoints.load(newest, &identity).unwrap();
}

#[test]
fn every_changed_byte_of_a_checkpoint_is_found() {
    let disk = small_checkpoints();
    let checkpoints = disk.folders().checkpoints();
    let identity = config(SEGMENT_LENGTH).identity;
    let name = SegmentNumber::new(2).file_name();
    for byte in 0..3 * PAGE {
        // All bits at once, a half, and a pattern: what a stray byte may be.
        for pattern in [0xff_u8, 0x0f, 0xa5] {
            let bits = (0..8).filter(|bit| pattern >> bit & 1 == 1);
            bits.clone()
                .for_each(|bit| disk.checkpoints().flip(&name, byte * 8 + bit));
            let loaded = checkpoints.load(Height::new(2), &identity);
            assert!(
                matches!(loaded, Err(StoreError::Corruption { .. })),
                "byte {byte}, pattern {pattern:#x}"
            );
            bits.for_each(|bit| disk.checkpoints().flip(&name, byte * 8 + bit));
        }
    }
}

#[test]
fn a_read_that_fails_stops_the_start_and_harms_nothing() {
    let disk = SimulatedDisk::default();
    let mut expected = Expected::default();
    live(&disk, &mut Random(1), 8, &mut expected).unwrap();
    let before = disk.reads();
    recover(&disk, &mut expected).unwrap();
    let reads = disk.reads() - before;
    assert!(1 < reads, "{reads}");
    for read in 1..=reads {
        let disk = disk.crash(Survival::Killed, NameSurvival::Everything, &mut Random(0));
        disk.inject(Fault::FailRead {
            at: disk.reads() + read,
        });
        let error = recover(&disk, &mut expected.clone()).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        recover(&disk, &mut expected.clone()).unwrap();
    }
}

#[test]
fn on_a_full_disk_the_journal_uses_its_room_and_goes_on_when_space_returns() {
    let disk = SimulatedDisk::default();
    let mut expected = Expected::default();
    let (folders, mut journal) = recover(&disk, &mut expected).unwrap();
    // Full, but for what a checkpoint of three pages would need less a byte.
    let used = disk.used();
    disk.set_capacity(Some(used + 3 * PAGE as u64 - 1));
    let number = journal.wants_prepared().unwrap();
    let error = journal.preparer().prepare(number).unwrap_err();
    assert!(
        matches!(&error, StoreError::Io { source, .. }
            if source.kind() == std::io::ErrorKind::StorageFull),
        "{error}"
    );
    assert_eq!(
        disk.used(),
        used,
        "a failed preparation gives its space back"
    );
    while 0 < journal.room(100) {
        append(&mut journal, &[3; 100]);
        journal.commit().unwrap();
        expected.committed.push(vec![3; 100]);
    }
    assert_eq!(expected.committed.len(), 3);
    write_checkpoint(&folders, &journal, &mut expected).unwrap_err();
    assert_eq!(
        disk.used(),
        used,
        "a failed checkpoint gives its space back"
    );
    assert!(folders.checkpoints().heights().unwrap().is_empty());
    // Space returns.
    disk.set_capacity(Some(used + 100 * PAGE as u64));
    write_checkpoint(&folders, &journal, &mut expected).unwrap();
    journal.preparation_failed();
    assert_eq!(journal.wants_prepared(), Some(number));
    let prepared = journal.preparer().prepare(number).unwrap().unwrap();
    journal.offer_prepared(prepared);
    // Full again. The segment that the checkpoint covers becomes the next one.
    disk.set_capacity(Some(disk.used()));
    append(&mut journal, &[3; 100]);
    journal.commit().unwrap();
    expected.committed.push(vec![3; 100]);
    let retention = Retention {
        segments: 1,
        covered: Height::new(3),
    };
    let number = journal.wants_prepared().unwrap();
    let prepared = journal.preparer().prepare_recycling(number, &retention);
    journal.offer_prepared(prepared.unwrap().unwrap());
    assert_eq!(journal.room(100), 5 * PAGE as u64);
    for _ in 0..5 {
        append(&mut journal, &[3; 100]);
        journal.commit().unwrap();
        expected.committed.push(vec![3; 100]);
    }
    let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut Random(0));
    recover(&disk, &mut expected).unwrap();
}

#[test]
fn a_full_disk_at_every_size_loses_nothing() {
    let seed = 7;
    let disk = SimulatedDisk::default();
    live(&disk, &mut Random(seed), 10, &mut Expected::default()).unwrap();
    let mut failed = 0;
    for pages in 1..=disk.used() / PAGE as u64 {
        let disk = SimulatedDisk::default();
        disk.set_capacity(Some(pages * PAGE as u64));
        let mut expected = Expected::default();
        failed += u64::from(live(&disk, &mut Random(seed), 10, &mut expected).is_err());
        for survival in Survival::ALL {
            eprintln!("seed {seed}, {pages} pages, {survival:?}");
            let disk = disk.crash(survival, NameSurvival::Nothing, &mut Random(pages));
            disk.set_capacity(None);
            live(&disk, &mut Random(pages), 3, &mut expected.clone()).unwrap();
        }
    }
    assert!(10 < failed, "{failed}");
}

#[test]
fn each_fault_does_what_it_says() {
    let disk = SimulatedDisk::default();
    let folder = disk.journal();
    let file = folder.create("file").unwrap();
    let page = |byte: u8| {
        let mut page = crate::AlignedBuffer::zeroed(PAGE);
        page.bytes_mut().fill(byte);
        page
    };
    let first_bytes = |disk: &SimulatedDisk| -> Vec<u8> {
        let content = disk.journal().content("file");
        content.iter().step_by(PAGE).copied().collect()
    };
    let next = || disk.operations() + 1;
    for (offset, byte) in [(0, 1), (1, 2), (2, 3)] {
        file.write_at(page(byte).bytes(), offset * PAGE as u64)
            .unwrap();
    }
    file.sync().unwrap();
    folder.sync_directory().unwrap();

    disk.inject(Fault::LostWrite { at: next() });
    file.write_at(page(9).bytes(), 0).unwrap();
    assert_eq!(first_bytes(&disk), [1, 2, 3]);
    disk.inject(Fault::MisdirectedWrite {
        at: next(),
        pages: 2,
    });
    file.write_at(page(8).bytes(), PAGE as u64).unwrap();
    assert_eq!(first_bytes(&disk), [8, 2, 3]);
    disk.inject(Fault::SlowSync { at: 1, nanos: 5 });
    file.sync().unwrap();
    assert_eq!(disk.elapsed_nanos(), 5);

    // A failed sync drops what it should have made durable; the next one says OK.
    file.write_at(page(7).bytes(), 0).unwrap();
    disk.inject(Fault::Fail {
        at: next(),
        refusal: Refusal::Io,
    });
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
    file.sync().unwrap();
    assert_eq!(first_bytes(&disk), [8, 2, 3]);

    disk.inject(Fault::Fail {
        at: next(),
        refusal: Refusal::Full,
    });
    let refused = file.write_at(page(7).bytes(), 0).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
    disk.inject(Fault::FailRead {
        at: disk.reads() + 1,
    });
    file.read_at(&mut [0; 1], 0).unwrap_err();
    file.read_at(&mut [0; 1], 0).unwrap();
    assert_eq!(disk.triggered().len(), 6);

    disk.set_capacity(Some(4 * PAGE as u64));
    let mut two = page(5);
    two.extend_from_slice(page(6).bytes());
    assert_eq!(file.write_at(two.bytes(), 3 * PAGE as u64).unwrap(), PAGE);
    file.write_at(two.bytes(), 4 * PAGE as u64).unwrap_err();
    assert_eq!(first_bytes(&disk), [8, 2, 3, 5]);

    disk.flip("file", 0);
    disk.inject(Fault::PowerLoss { at: next() });
    file.write_at(page(4).bytes(), PAGE as u64).unwrap_err();
    disk.heal();
    let mut random = Random(0);
    let after = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut random);
    assert_eq!(first_bytes(&after), [9, 2, 3]);
    let after = disk.crash(Survival::Everything, NameSurvival::Nothing, &mut random);
    assert_eq!(first_bytes(&after), [9, 4, 3, 5]);
}
