//! Power loss, kills and failing calls at every operation of lives that write checkpoints, keep two
//! of them, recycle segments and start from what they kept.
//!
//! What must hold beyond what `crash_tests` holds: a checkpoint that was written stays or gives way
//! to a newer one; it never holds a block that the journal could lose; and whatever checkpoint is
//! kept, the journal leads on from it.

use types::outcome::Digest;
use types::{Height, SequenceNumber};

use crate::aligned::AlignedBuffer;
use crate::crash_tests::{append, config};
use crate::disk::{Fault, NameSurvival, Random, Refusal, SimulatedDisk, Survival};
use crate::error::StoreError;
use crate::folders::Folders;
use crate::format::PAGE;
use crate::journal::Journal;
use crate::prepare::Retention;
use crate::recovery::Recovery;
use crate::verify::{Report, verify_in};
use crate::{Checkpoint, CheckpointMeta};

/// Four pages, so that segments change often.
const SEGMENT_LENGTH: u64 = 4 * PAGE as u64;
const KEPT: usize = 2;

/// What must be there, and what may be.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    /// From height 1, whether they are still in the journal or not.
    pub(crate) committed: Vec<Vec<u8>>,
    pub(crate) appended: Vec<Vec<u8>>,
    /// Height of the last checkpoint that was called durable.
    pub(crate) checkpoint: u64,
}

/// What a checkpoint of these blocks holds: everything that makes them, in few bytes.
fn sections(blocks: &[Vec<u8>]) -> [AlignedBuffer; 2] {
    let mut state = AlignedBuffer::with_capacity(0);
    for block in blocks {
        state.extend_from_slice(&(block.len() as u64).to_le_bytes());
        state.extend_from_slice(block.get(..1).unwrap_or(&[]));
    }
    let mut answers = AlignedBuffer::with_capacity(0);
    answers.extend_from_slice(
        blocks
            .last()
            .map_or(&[], |last| &last[..last.len().min(5_000)]),
    );
    [state, answers]
}

/// Writes a checkpoint of everything that is committed.
pub(crate) fn write_checkpoint(
    folders: &Folders,
    journal: &Journal,
    expected: &mut Expected,
) -> Result<(), StoreError> {
    let meta = CheckpointMeta {
        identity: config(SEGMENT_LENGTH).identity,
        instance: journal.instance(),
        height: journal.durable(),
        sequence: SequenceNumber::new(journal.next_sequence().get() - 1),
        record_hash: journal.last_record_hash(),
        outcome_hash: Digest::new([1; 32]),
        state_root: Digest::new([2; 32]),
    };
    assert_eq!(meta.height.get(), expected.committed.len() as u64);
    let [state, answers] = sections(&expected.committed);
    folders.checkpoints().write(&meta, [&state, &answers])?;
    expected.checkpoint = meta.height.get();
    Ok(())
}

fn check_sections(checkpoint: &Checkpoint, blocks: &[Vec<u8>]) {
    for (index, section) in sections(blocks).iter().enumerate() {
        assert_eq!(checkpoint.section(index), section.bytes());
    }
}

/// Recovers from the newest checkpoint and checks what is there.
pub(crate) fn recover(
    disk: &SimulatedDisk,
    expected: &mut Expected,
) -> Result<(Folders, Journal), StoreError> {
    let config = config(SEGMENT_LENGTH);
    let folders = disk.folders();
    let newest = folders.checkpoints().newest(&config.identity)?;
    assert!(newest.damaged.is_empty(), "{:?}", newest.damaged);
    let mut found = expected.committed.clone();
    let of = |checkpoint: &Checkpoint| checkpoint.meta().height.get() as usize;
    let height = newest.checkpoint.as_ref().map_or(0, of);
    assert!(height <= found.len(), "a checkpoint of what is not durable");
    found.truncate(height);
    if let Some(checkpoint) = &newest.checkpoint {
        check_sections(checkpoint, &found);
    }
    assert!(expected.checkpoint <= height as u64, "a checkpoint is lost");
    let after = newest.checkpoint.map(|found| found.meta().after());
    let mut recovery = Recovery::begin_in(&folders, &config, after.as_ref())?;
    while let Some(record) = recovery.next_record()? {
        assert_eq!(record.height.get(), found.len() as u64 + 1);
        found.push(record.payload);
    }
    assert!(
        expected.committed.len() <= found.len(),
        "a committed record is lost"
    );
    let all = expected.committed.iter().chain(&expected.appended);
    assert!(found.iter().eq(all.take(found.len())));
    let (journal, recovered) = Journal::open(recovery)?;
    assert_eq!(recovered.totals.records, (found.len() - height) as u64);
    assert_eq!(journal.durable(), Height::new(found.len() as u64));
    expected.committed = found;
    expected.appended.clear();
    Ok((folders, journal))
}

/// One life of a process, until something fails.
pub(crate) fn live(
    disk: &SimulatedDisk,
    random: &mut Random,
    batches: u64,
    expected: &mut Expected,
) -> Result<(), StoreError> {
    let (folders, mut journal) = recover(disk, expected)?;
    let checkpoints = folders.checkpoints();
    for _ in 0..batches {
        if let Some(number) = journal.wants_prepared() {
            let retention = Retention {
                segments: 2 + random.below(2),
                covered: checkpoints.covered()?,
            };
            let prepared = journal.preparer().prepare_recycling(number, &retention)?;
            if let Some(prepared) = prepared
                && random.below(4) != 0
            {
                journal.offer_prepared(prepared);
            }
        }
        for _ in 0..=random.below(2) {
            let length = random.choose(&[0, 100, 3_840, 3_841, 8_000]);
            let payload = vec![random.below(256) as u8; length];
            append(&mut journal, &payload);
            expected.appended.push(payload);
        }
        journal.commit()?;
        expected.committed.append(&mut expected.appended);
        if random.below(3) != 0 {
            write_checkpoint(&folders, &journal, expected)?;
            checkpoints.keep(KEPT)?;
            assert!(checkpoints.heights()?.len() <= KEPT);
        }
    }
    Ok(())
}

/// Recovers from every checkpoint that is there, goes on, and finds everything clean.
fn check_survivor(disk: &SimulatedDisk, random: &mut Random, mut expected: Expected) {
    recover(disk, &mut expected).unwrap();
    check_every_checkpoint(disk, &expected);
    // What recovery called durable is so without a commit.
    let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, random);
    live(&disk, random, 3, &mut expected).unwrap();
    let Report::Clean(totals) = verify_in(&disk.folders()).unwrap() else {
        panic!("not clean after recovery");
    };
    assert_eq!(totals.last_height.get(), expected.committed.len() as u64);
    check_every_checkpoint(&disk, &expected);
}

fn check_every_checkpoint(disk: &SimulatedDisk, expected: &Expected) {
    let config = config(SEGMENT_LENGTH);
    let folders = disk.folders();
    for height in folders.checkpoints().heights().unwrap() {
        let checkpoint = folders
            .checkpoints()
            .load(height, &config.identity)
            .unwrap();
        let after = checkpoint.meta().after();
        let mut recovery = Recovery::begin_in(&folders, &config, Some(&after)).unwrap();
        let mut found = height.get() as usize;
        check_sections(&checkpoint, &expected.committed[..found]);
        while let Some(record) = recovery.next_record().unwrap() {
            assert_eq!(record.payload, expected.committed[found]);
            found += 1;
        }
        assert_eq!(found, expected.committed.len());
    }
}

#[test]
fn no_crash_at_any_operation_loses_a_record_or_a_checkpoint() {
    let mut first_segments = Vec::new();
    for seed in 0..4 {
        let disk = SimulatedDisk::default();
        live(&disk, &mut Random(seed), 14, &mut Expected::default()).unwrap();
        first_segments.extend(
            crate::start::segments(&disk.journal())
                .unwrap()
                .first()
                .copied(),
        );
        for crash_at in 1..=disk.operations() {
            let disk = SimulatedDisk::default();
            disk.inject(Fault::PowerLoss { at: crash_at });
            let mut expected = Expected::default();
            live(&disk, &mut Random(seed), 14, &mut expected).unwrap_err();
            for survival in Survival::ALL {
                for names in NameSurvival::ALL {
                    eprintln!("seed {seed}, crash at {crash_at}, {survival:?}, names {names:?}");
                    let mut random = Random(seed ^ crash_at << 8);
                    let survivor = disk.crash(survival, names, &mut random);
                    check_survivor(&survivor, &mut random, expected.clone());
                }
            }
        }
    }
    let recycled = |first: &&crate::SegmentNumber| 2 < first.get();
    assert_eq!(
        first_segments.iter().filter(recycled).count(),
        4,
        "lives recycle segments"
    );
}

#[test]
fn crashes_in_recovery_after_crashes_change_nothing() {
    for seed in 0..300 {
        eprintln!("seed {seed}");
        let mut random = Random(seed);
        let mut disk = SimulatedDisk::default();
        let mut expected = Expected::default();
        for _ in 0..10 {
            let at = disk.operations() + 1 + random.below(40);
            disk.inject(Fault::PowerLoss { at });
            let _ = live(&disk, &mut random, 8, &mut expected);
            let survival = random.choose(&Survival::ALL);
            let names = random.choose(&NameSurvival::ALL);
            disk = disk.crash(survival, names, &mut random);
        }
        check_survivor(&disk, &mut random, expected);
    }
}

#[test]
fn a_failed_checkpoint_harms_nothing() {
    let seed = 3;
    let mut failures = 0;
    for failing in 1.. {
        let disk = SimulatedDisk::default();
        let mut expected = Expected::default();
        live(&disk, &mut Random(seed), 6, &mut expected).unwrap();
        let (folders, mut journal) = recover(&disk, &mut expected).unwrap();
        append(&mut journal, &[9; 100]);
        expected.committed.push(vec![9; 100]);
        journal.commit().unwrap();
        let refusal = [Refusal::Io, Refusal::Full][failing as usize % 2];
        let at = disk.operations() + failing;
        disk.inject(Fault::Fail { at, refusal });
        let written = write_checkpoint(&folders, &journal, &mut expected);
        if disk.triggered().is_empty() {
            written.unwrap();
            break;
        }
        failures += 1;
        let error = written.unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        append(&mut journal, &[8; 100]);
        expected.committed.push(vec![8; 100]);
        journal.commit().unwrap();
        // And after a crash here, as well as after another try.
        let mut random = Random(failing);
        let crashed = disk.crash(Survival::Nothing, NameSurvival::Prefix, &mut random);
        check_survivor(&crashed, &mut random, expected.clone());
        write_checkpoint(&folders, &journal, &mut expected).unwrap();
        let crashed = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut random);
        check_survivor(&crashed, &mut random, expected);
    }
    assert!(5 < failures, "only {failures} operations were made to fail");
}

#[test]
fn a_checkpoint_that_is_there_is_made_durable_by_writing_it_again() {
    let disk = SimulatedDisk::default();
    let mut expected = Expected::default();
    let (folders, mut journal) = recover(&disk, &mut expected).unwrap();
    append(&mut journal, &[1]);
    journal.commit().unwrap();
    expected.committed.push(vec![1]);
    // The last operation of a write is the sync of its directory.
    let operations = disk.operations();
    write_checkpoint(&folders, &journal, &mut expected.clone()).unwrap();
    let count = disk.operations() - operations;
    append(&mut journal, &[2]);
    journal.commit().unwrap();
    expected.committed.push(vec![2]);
    let refusal = Refusal::Io;
    let at = disk.operations() + count;
    disk.inject(Fault::Fail { at, refusal });
    write_checkpoint(&folders, &journal, &mut expected).unwrap_err();
    write_checkpoint(&folders, &journal, &mut expected).unwrap();
    assert_eq!(expected.checkpoint, 2);
    let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut Random(0));
    recover(&disk, &mut expected).unwrap();
}

/// A first checkpoint has its name, not yet durably; then segments are recycled on its word.
#[test]
fn nothing_relies_on_a_checkpoint_that_may_not_last() {
    for killed in [true, false] {
        let disk = SimulatedDisk::default();
        let mut expected = Expected::default();
        let (folders, mut journal) = recover(&disk, &mut expected).unwrap();
        for _ in 0..7 {
            append(&mut journal, &[4; 100]);
            journal.commit().unwrap();
            expected.committed.push(vec![4; 100]);
        }
        // Two sections of a page, then the header, the sync, the name and its sync.
        let at = disk.operations() + 7;
        let refusal = Refusal::Io;
        disk.inject(Fault::Fail { at, refusal });
        write_checkpoint(&folders, &journal, &mut expected).unwrap_err();
        assert_eq!(folders.checkpoints().heights().unwrap().len(), 1);
        let mut disk = disk;
        if killed {
            disk = disk.crash(Survival::Killed, NameSurvival::Nothing, &mut Random(0));
            (_, journal) = recover(&disk, &mut expected).unwrap();
        }
        let retention = Retention {
            segments: 1,
            covered: match killed {
                true => Height::new(7),
                false => disk.folders().checkpoints().covered().unwrap(),
            },
        };
        let number = journal.wants_prepared().unwrap();
        let prepared = journal.preparer().prepare_recycling(number, &retention);
        prepared.unwrap().unwrap();
        let first = crate::start::segments(&disk.journal()).unwrap()[0];
        assert!(1 < first.get(), "{first}");
        let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut Random(0));
        recover(&disk, &mut expected).unwrap();
    }
}

#[test]
fn short_and_interrupted_writes_are_finished() {
    let disk = SimulatedDisk::default();
    disk.set_awkward(true);
    let mut expected = Expected::default();
    live(&disk, &mut Random(3), 12, &mut expected).unwrap();
    let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut Random(0));
    check_survivor(&disk, &mut Random(1), expected);
}
