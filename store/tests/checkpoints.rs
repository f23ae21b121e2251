//! Checkpoints and starting from them, on the real file system.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{
    append, assert_clean, bytes, checkpoint, config, flip, identity, meta, open, open_after,
    overwrite, page, payload, section, segment, write, write_checkpoint,
};
use store::format::PAGE;
use store::{
    Checkpoints, Folders, Identity, InstanceId, Journal, JournalIo, JournalReader, Recovery,
    Report, StoreError, verify,
};
use tempfile::{TempDir, tempdir};
use types::outcome::Digest;
use types::{Height, NetworkId};

/// Twelve blocks in five segments, each committed alone, and checkpoints of some of them.
fn directory_with_checkpoints(heights: &[u64]) -> TempDir {
    let directory = tempdir().unwrap();
    assert_eq!(open_after(directory.path()).2, None);
    let folders = Folders::lock(directory.path(), JournalIo::Sync).unwrap();
    let recovery = Recovery::begin_in(&folders, &config(directory.path()), None).unwrap();
    let (mut journal, _) = Journal::open(recovery).unwrap();
    for height in 1..=12 {
        append(&mut journal, 18_000);
        journal.commit().unwrap();
        if heights.contains(&height) {
            write_checkpoint(&folders.checkpoints(), &journal);
        }
    }
    directory
}

fn heights(directory: &Path) -> Vec<u64> {
    let heights = Checkpoints::open(directory).heights().unwrap();
    heights.into_iter().map(Height::get).collect()
}

#[test]
fn sections_of_any_length_come_back_aligned() {
    let directory = tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    append(&mut journal, 100);
    journal.commit().unwrap();
    let mut meta = meta(&journal);
    drop(journal);
    let folders = Folders::lock(directory.path(), JournalIo::Sync).unwrap();
    let checkpoints = folders.checkpoints();
    let lengths = [0, 1, 4_095, 4_096, 4_097, 1 << 20, (1 << 20) + 1, 3_000_001];
    for first in lengths {
        for second in [0, 1, 4_096, 10_000] {
            let contents = [payload(first as u64, first), payload(second as u64, second)];
            let [state, answers] = [section(&contents[0]), section(&contents[1])];
            checkpoints.write(&meta, [&state, &answers]).unwrap();
            let loaded = checkpoints.load(meta.height, &identity()).unwrap();
            assert_eq!(*loaded.meta(), meta);
            for (index, content) in contents.iter().enumerate() {
                assert_eq!(loaded.section(index), content, "{first} {second}");
                assert_eq!(loaded.section(index).as_ptr().align_offset(PAGE), 0);
            }
            let padded = |length: usize| length.next_multiple_of(PAGE);
            let length = PAGE + padded(first) + padded(second);
            let path = checkpoint(directory.path(), meta.height.get());
            assert_eq!(path.metadata().unwrap().len(), length as u64);
            meta.height = meta.height.next();
        }
    }
    assert_eq!(heights(directory.path()).len(), 32);
    checkpoints.keep(3).unwrap();
    assert_eq!(heights(directory.path()), [32, 31, 30]);
    checkpoints.keep(3).unwrap();
    assert_eq!(heights(directory.path()), [32, 31, 30]);
}

#[test]
fn a_start_reads_only_what_the_checkpoint_does_not_hold() {
    for checkpointed in 1..=12 {
        let directory = directory_with_checkpoints(&[checkpointed]);
        assert_clean(directory.path(), 12);
        let after = Checkpoints::open(directory.path());
        let after = after.load(Height::new(checkpointed), &identity()).unwrap();
        let after = after.meta().after();
        let mut reader =
            JournalReader::open_in(&Folders::open(directory.path()), &identity(), Some(&after))
                .unwrap();
        let mut expected = checkpointed;
        while let Some(record) = reader.next_record().unwrap() {
            expected += 1;
            assert_eq!(record.height, Height::new(expected));
            assert_eq!(record.payload, payload(expected, 18_000));
        }
        assert_eq!(expected, 12);
        let totals = reader.totals();
        assert_eq!(totals.records, 12 - checkpointed);
        assert_eq!(totals.last_height, Height::new(12));

        // Segments before the one with the checkpoint's height are not looked at.
        let before = (checkpointed - 1) / 3;
        for number in 1..=before {
            flip(&segment(directory.path(), number), page(1));
        }
        let (mut journal, recovered, found) = open_after(directory.path());
        assert_eq!(found, Some(after));
        assert_eq!(recovered.totals, *totals);
        append(&mut journal, 18_000);
        assert_eq!(journal.commit().unwrap(), Height::new(13));
    }
}

#[test]
fn a_journal_without_its_front_needs_a_checkpoint() {
    let directory = directory_with_checkpoints(&[5, 8]);
    fs::remove_file(segment(directory.path(), 1)).unwrap();
    let report = verify(directory.path()).unwrap();
    let Report::Clean(totals) = report else {
        panic!("{report:?}");
    };
    assert_eq!((totals.records, totals.checkpoints), (9, 2));
    assert_eq!(store::identity(directory.path()).unwrap(), Some(identity()));
    let (_, recovered, after) = open_after(directory.path());
    assert_eq!(after.unwrap().height, Height::new(8));
    assert_eq!(recovered.totals.records, 4);
    for error in [
        Recovery::begin(&config(directory.path())).unwrap_err(),
        JournalReader::open(directory.path(), &identity()).unwrap_err(),
    ] {
        assert_corruption(&error, &segment(directory.path(), 1), 0, "missing");
    }
    // One more segment gone: what the older checkpoint does not hold is missing.
    fs::remove_file(segment(directory.path(), 2)).unwrap();
    assert_found(directory.path(), &segment(directory.path(), 1), 0);
    fs::remove_file(checkpoint(directory.path(), 5)).unwrap();
    let Report::Clean(totals) = verify(directory.path()).unwrap() else {
        panic!("not clean");
    };
    assert_eq!((totals.records, totals.checkpoints), (6, 1));
    fs::remove_file(segment(directory.path(), 3)).unwrap();
    let after = Checkpoints::open(directory.path());
    let after = after.load(Height::new(8), &identity()).unwrap();
    let error = JournalReader::open_in(
        &Folders::open(directory.path()),
        &identity(),
        Some(&after.meta().after()),
    )
    .unwrap_err();
    assert_corruption(&error, &segment(directory.path(), 3), 0, "missing");
}

#[test]
fn a_damaged_checkpoint_gives_way_to_an_older_one() {
    let directory = directory_with_checkpoints(&[5, 8, 11]);
    flip(&checkpoint(directory.path(), 11), page(1) + 7);
    let newest = Checkpoints::open(directory.path())
        .newest(&identity())
        .unwrap();
    let found = newest.checkpoint.unwrap();
    assert_eq!(found.meta().height, Height::new(8));
    assert_eq!(newest.damaged.len(), 1);
    assert_found(directory.path(), &checkpoint(directory.path(), 11), page(1));
    // The oldest is reported first.
    flip(&checkpoint(directory.path(), 5), 3);
    assert_found(directory.path(), &checkpoint(directory.path(), 5), 0);
    flip(&checkpoint(directory.path(), 5), 3);

    let folders = Folders::lock(directory.path(), JournalIo::Sync).unwrap();
    let recovery = Recovery::begin_in(
        &folders,
        &config(directory.path()),
        Some(&found.meta().after()),
    );
    let (mut journal, _) = Journal::open(recovery.unwrap()).unwrap();
    append(&mut journal, 1);
    journal.commit().unwrap();
    write_checkpoint(&folders.checkpoints(), &journal);
    let height = journal.durable();
    let path = checkpoint(directory.path(), height.get());
    let good = fs::read(&path).unwrap();
    let written = path.metadata().unwrap().modified().unwrap();
    write_checkpoint(&folders.checkpoints(), &journal);
    assert_eq!(path.metadata().unwrap().modified().unwrap(), written);
    flip(&path, page(2));
    write_checkpoint(&folders.checkpoints(), &journal);
    assert_eq!(fs::read(&path).unwrap(), good);
}

#[test]
fn checkpoints_of_others_and_of_later_versions_are_refused() {
    let directory = directory_with_checkpoints(&[5, 8]);
    let checkpoints = Checkpoints::open(directory.path());
    let other = Identity {
        network: NetworkId::new(77),
        ..identity()
    };
    let error = checkpoints.newest(&other).unwrap_err();
    assert!(matches!(error, StoreError::WrongNetwork { .. }), "{error}");
    let other = Identity {
        genesis_hash: Digest::new([8; 32]),
        ..identity()
    };
    let error = checkpoints.newest(&other).unwrap_err();
    assert!(matches!(error, StoreError::WrongGenesis { .. }), "{error}");

    let path = checkpoint(directory.path(), 8);
    let set_version = |version: u8| {
        let mut header = bytes(&path, 0, 256);
        header[8] = version;
        let checksum = *blake3::hash(&header[..224]).as_bytes();
        header[224..].copy_from_slice(&checksum);
        overwrite(&path, 0, &header);
    };
    for version in 1..=4 {
        set_version(version);
        let newest = checkpoints.newest(&identity()).unwrap();
        let newest = newest.checkpoint.unwrap();
        assert_eq!(newest.version(), u32::from(version));
        assert_eq!(newest.meta().height.get(), 8);
    }
    set_version(5);
    for error in [
        checkpoints.newest(&identity()).unwrap_err(),
        verify(directory.path()).unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::NewerFormat { file, found: 5, known: 4 } if *file == path),
            "{error}"
        );
    }
}

#[test]
fn a_checkpoint_of_another_directory_is_refused() {
    let ours = directory_with_checkpoints(&[5]);
    let theirs = tempdir().unwrap();
    let mut other = config(theirs.path());
    other.new_instance = InstanceId::new([9; 16]);
    let folders = Folders::lock(theirs.path(), JournalIo::Sync).unwrap();
    let recovery = Recovery::begin_in(&folders, &other, None).unwrap();
    let (mut journal, _) = Journal::open(recovery).unwrap();
    for _ in 0..8 {
        append(&mut journal, 18_000);
        journal.commit().unwrap();
    }
    write_checkpoint(&folders.checkpoints(), &journal);
    fs::copy(checkpoint(theirs.path(), 8), checkpoint(ours.path(), 8)).unwrap();
    for error in [
        begin_after_newest(ours.path()).unwrap_err(),
        verify(ours.path()).unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::WrongInstance { found, .. } if found == other.new_instance),
            "{error}"
        );
    }
}

#[test]
fn a_journal_that_lost_what_was_durable_is_told() {
    let directory = directory_with_checkpoints(&[]);
    let (mut journal, _) = open(directory.path());
    append(&mut journal, 100);
    journal.commit().unwrap();
    let meta = meta(&journal);
    drop(journal);
    let folders = Folders::lock(directory.path(), JournalIo::Sync).unwrap();
    let small = section(&[]);
    let checkpoints = folders.checkpoints();
    checkpoints.write(&meta, [&small, &small]).unwrap();
    drop((folders, checkpoints));
    assert_clean(directory.path(), 13);
    // The thirteenth block is alone in a segment.
    fs::remove_file(segment(directory.path(), 5)).unwrap();
    let error = begin_after_newest(directory.path()).unwrap_err();
    assert!(
        matches!(&error, StoreError::RolledBack { height, what, .. }
            if *height == Height::new(13) && what == "it ends with height 12"),
        "{error}"
    );
    assert_found(directory.path(), &checkpoint(directory.path(), 13), 64);

    // The same height, another history.
    write(directory.path(), &[&[200]]);
    let error = begin_after_newest(directory.path()).unwrap_err();
    assert!(
        matches!(&error, StoreError::RolledBack { what, .. } if what.contains("another record")),
        "{error}"
    );
    assert_found(directory.path(), &checkpoint(directory.path(), 13), 80);

    // Nothing at all.
    fs::remove_dir_all(directory.path().join("journal")).unwrap();
    let error = begin_after_newest(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::RolledBack { .. }), "{error}");
    // And no new one is begun beside a checkpoint, whatever state that is in.
    flip(&checkpoint(directory.path(), 13), 0);
    let error = begin_after_newest(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::RolledBack { .. }), "{error}");
}

#[test]
fn a_checkpoint_tells_rot_in_the_last_batch_from_a_tear() {
    let directory = directory_with_checkpoints(&[11, 12]);
    let last = (segment(directory.path(), 4), page(11));
    flip(&last.0, last.1 + 300);
    let error = begin_after_newest(directory.path()).unwrap_err();
    assert_corruption(&error, &last.0, last.1, "checkpoint of height 12");
    assert_found(directory.path(), &last.0, last.1);
    fs::remove_file(checkpoint(directory.path(), 12)).unwrap();
    let (_, recovered, after) = open_after(directory.path());
    assert_eq!(after.unwrap().height, Height::new(11));
    assert!(recovered.cut.is_some());
}

#[test]
fn what_was_cut_or_misnamed_is_damage() {
    let directory = directory_with_checkpoints(&[5, 8]);
    let checkpoints = Checkpoints::open(directory.path());
    let path = checkpoint(directory.path(), 8);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 4 * PAGE);
    for length in (0..whole.len()).step_by(512).chain([1, 4_095, 16_383]) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = checkpoints.load(Height::new(8), &identity()).unwrap_err();
        let place = if length < PAGE {
            length
        } else {
            length.min(whole.len())
        };
        assert_corruption(&error, &path, place as u64, "");
    }
    let mut longer = whole;
    longer.extend([0; PAGE]);
    fs::write(&path, &longer).unwrap();
    let error = checkpoints.load(Height::new(8), &identity()).unwrap_err();
    assert_corruption(&error, &path, page(4), "bytes");
    fs::copy(checkpoint(directory.path(), 5), &path).unwrap();
    let error = checkpoints.load(Height::new(8), &identity()).unwrap_err();
    assert_corruption(&error, &path, 64, "unlike its name");
}

#[test]
fn a_folder_that_is_only_read_refuses_every_change() {
    let directory = directory_with_checkpoints(&[5, 8]);
    let folders = Folders::open(directory.path());
    let small = section(&[]);
    let mut meta = *folders
        .checkpoints()
        .load(Height::new(8), &identity())
        .unwrap()
        .meta();
    meta.height = Height::new(9);
    for refused in [
        folders.checkpoints().write(&meta, [&small, &small]),
        folders.checkpoints().keep(1),
        Recovery::begin_in(&folders, &config(directory.path()), None)
            .and_then(Journal::open)
            .map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("to read only"), "{error}");
    }
    assert_eq!(heights(directory.path()), [8, 5]);
    assert_clean(directory.path(), 12);
}

#[test]
fn checkpoints_hold_the_lock() {
    let directory = tempdir().unwrap();
    let checkpoints = Folders::lock(directory.path(), JournalIo::Sync)
        .unwrap()
        .checkpoints();
    let error = Recovery::begin(&config(directory.path())).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(checkpoints);
    open(directory.path());
}

#[test]
fn leftovers_of_a_crash_are_no_checkpoints() {
    let directory = directory_with_checkpoints(&[5]);
    let leftover = directory
        .path()
        .join("checkpoints/00000000000000000006.tmp");
    fs::write(&leftover, "half a checkpoint").unwrap();
    assert_eq!(heights(directory.path()), [5]);
    assert_clean(directory.path(), 12);
    open_after(directory.path());
    assert!(!leftover.exists());
}

fn begin_after_newest(directory: &Path) -> Result<(), StoreError> {
    let folders = Folders::lock(directory, store::JournalIo::Sync)?;
    let newest = folders.checkpoints().newest(&identity())?.checkpoint;
    let after = newest.map(|found| found.meta().after());
    Recovery::begin_in(&folders, &config(directory), after.as_ref()).map(drop)
}

fn assert_corruption(error: &StoreError, path: &Path, place: u64, part: &str) {
    assert!(
        matches!(error, StoreError::Corruption { file, offset, what }
            if file == path && *offset == place && what.contains(part)),
        "expected {}:{place}: {part}, found {error}",
        path.display()
    );
}

fn assert_found(directory: &Path, path: &Path, place: u64) {
    let report = verify(directory).unwrap();
    assert!(
        matches!(&report, Report::Corruption { file, offset, .. }
            if file == path && *offset == place),
        "expected {}:{place}, found {report:?}",
        path.display()
    );
}

#[test]
fn one_that_is_not_accepted_is_passed_over_like_a_damaged_one() {
    let directory = directory_with_checkpoints(&[2, 5, 6]);
    let checkpoints = Checkpoints::open(directory.path());
    let heights = checkpoints.heights().unwrap();
    assert_eq!(heights.len(), 3);
    for refused in 0..=heights.len() {
        let mut seen = Vec::new();
        let newest = checkpoints.newest_accepted(&identity(), |checkpoint| {
            seen.push(checkpoint.meta().height);
            let refuses = seen.len() <= refused;
            (!refuses)
                .then_some(seen.len())
                .ok_or("nonsense".to_owned())
        });
        let newest = newest.unwrap();
        let accepted = (refused < heights.len()).then_some(refused + 1);
        assert_eq!(
            (newest.checkpoint, newest.damaged.len()),
            (accepted, refused)
        );
        assert_eq!(seen, heights[..seen.len()], "the newest first");
        let is_told = |error: &StoreError| error.to_string().contains("4096: nonsense");
        assert!(newest.damaged.iter().all(is_told));
    }
}
