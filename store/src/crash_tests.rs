//! Power loss, kills and failing calls at every single operation of a journal's life.
//!
//! What must hold: after a crash the journal holds all committed records and, of those appended
//! later, the first few; recovery ends in a clean journal; and a failure poisons.

use types::outcome::Digest;
use types::{Height, NetworkId};

use crate::disk::{Fault, NameSurvival, Random, Refusal, SimulatedDisk, Survival};
use crate::journal::{Journal, NewRecord};
use crate::recovery::{JournalConfig, Recovery};
use crate::verify::{Report, verify_in};
use crate::{Identity, InstanceId, JournalIo, SegmentLength, StoreError};

pub(crate) fn config(segment_length: u64) -> JournalConfig {
    JournalConfig {
        data_directory: "unused".into(),
        segment_length: SegmentLength::new(segment_length).unwrap(),
        identity: Identity {
            network: NetworkId::DEVELOPMENT,
            genesis_hash: Digest::new([7; 32]),
        },
        new_instance: InstanceId::new([9; 16]),
        io: JournalIo::Sync,
    }
}

pub(crate) fn append(journal: &mut Journal, payload: &[u8]) {
    let record = NewRecord {
        height: journal.next_height(),
        first_sequence: journal.next_sequence(),
        command_count: payload.len() as u64 + 1,
        previous_outcome: Digest::new([payload.len() as u8; 32]),
    };
    journal.append(&record, payload).unwrap();
}

/// What must be in the journal, and what may be.
#[derive(Clone, Default)]
struct Expected {
    committed: Vec<Vec<u8>>,
    appended: Vec<Vec<u8>>,
    /// After a power loss, what was read once is read again.
    exactly: Option<usize>,
}

/// Recovers and checks what is there.
fn recover(disk: &SimulatedDisk, expected: &mut Expected) -> Result<Journal, StoreError> {
    let mut recovery = Recovery::begin_in(&disk.folders(), &config(16 << 10), None)?;
    let mut found = Vec::new();
    while let Some(record) = recovery.next_record()? {
        found.push(record.payload);
    }
    assert!(
        expected.committed.len() <= found.len(),
        "a committed record is lost"
    );
    if let Some(exactly) = expected.exactly {
        assert_eq!(found.len(), exactly, "recovery changed what is there");
    }
    expected.exactly = Some(found.len());
    let all = expected.committed.iter().chain(&expected.appended);
    assert!(
        found
            .iter()
            .zip(all)
            .all(|(found, expected)| found == expected)
    );
    assert!(found.len() <= expected.committed.len() + expected.appended.len());
    let (journal, recovered) = Journal::open(recovery)?;
    assert_eq!(recovered.totals.records, found.len() as u64);
    assert_eq!(journal.durable(), Height::new(found.len() as u64));
    *expected = Expected {
        committed: found,
        ..Expected::default()
    };
    Ok(journal)
}

/// One life of a process: recovers, then commits batches until something fails.
fn live(
    disk: &SimulatedDisk,
    random: &mut Random,
    batches: u64,
    expected: &mut Expected,
) -> Result<(), StoreError> {
    let mut journal = recover(disk, expected)?;
    for _ in 0..batches {
        if random.below(2) == 0
            && let Some(number) = journal.wants_prepared()
        {
            let prepared = journal.preparer().prepare(number)?;
            if let Some(prepared) = prepared
                && random.below(4) != 0
            {
                journal.offer_prepared(prepared);
            }
        }
        for _ in 0..=random.below(3) {
            let length = [0, 100, 3_840, 3_841, 10_000][random.below(5) as usize];
            let payload = vec![random.below(256) as u8; length];
            append(&mut journal, &payload);
            expected.appended.push(payload);
        }
        journal.commit()?;
        expected.committed.append(&mut expected.appended);
    }
    Ok(())
}

#[test]
fn no_crash_at_any_operation_loses_a_committed_record() {
    for seed in 0..4 {
        let disk = SimulatedDisk::with_commits_linked(seed % 2 == 1);
        live(&disk, &mut Random(seed), 12, &mut Expected::default()).unwrap();
        for crash_at in 1..=disk.operations() {
            let disk = SimulatedDisk::with_commits_linked(seed % 2 == 1);
            disk.inject(Fault::PowerLoss { at: crash_at });
            let mut expected = Expected::default();
            live(&disk, &mut Random(seed), 12, &mut expected).unwrap_err();
            for survival in Survival::ALL {
                let mut random = Random(seed ^ crash_at << 8);
                let names = random.choose(&NameSurvival::ALL);
                eprintln!(
                    "seed {seed}, crash at operation {crash_at}, {survival:?}, names {names:?}"
                );
                let survivor = disk.crash(survival, names, &mut random);
                check_survivor(&survivor, &mut random, expected.clone());
            }
        }
    }
}

/// Recovers, goes on, and finds everything clean; what recovery read is durable by then.
fn check_survivor(disk: &SimulatedDisk, random: &mut Random, mut expected: Expected) {
    let mut journal = recover(disk, &mut expected).unwrap();
    // Without a commit, whose sync could hide that recovery forgot one; and with one, after which
    // what recovery cut must not come back.
    if random.coin() {
        append(&mut journal, &[2; 100]);
        journal.commit().unwrap();
        expected.committed.push(vec![2; 100]);
        expected.exactly = None;
    }
    let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, random);
    live(&disk, random, 3, &mut expected).unwrap();
    let Report::Clean(totals) = verify_in(&disk.folders()).unwrap() else {
        panic!("not clean after recovery");
    };
    assert_eq!(totals.records, expected.committed.len() as u64);
}

#[test]
fn crashes_in_recovery_after_crashes_change_nothing() {
    for seed in 0..400 {
        eprintln!("seed {seed}");
        let mut random = Random(seed);
        let mut disk = SimulatedDisk::with_commits_linked(seed % 2 == 1);
        let mut expected = Expected::default();
        for _ in 0..10 {
            let crash_at = disk.operations() + 1 + random.below(25);
            disk.inject(Fault::PowerLoss { at: crash_at });
            let appended = !expected.appended.is_empty();
            let crashed = live(&disk, &mut random, 8, &mut expected).is_err();
            assert!(crashed || appended || !expected.committed.is_empty());
            let survival = random.choose(&Survival::ALL);
            let names = random.choose(&NameSurvival::ALL);
            disk = disk.crash(survival, names, &mut random);
            // Appended in this life, or not durable yet: how much of it is there is open again.
            if !expected.appended.is_empty() || matches!(survival, Survival::Killed) {
                expected.exactly = None;
            }
        }
        check_survivor(&disk, &mut random, expected);
    }
}

#[test]
fn any_failed_operation_poisons_the_journal() {
    for linked in [false, true] {
        fail_at_each_operation(|| SimulatedDisk::with_commits_linked(linked));
    }
}

fn fail_at_each_operation(new_disk: impl Fn() -> SimulatedDisk) {
    let seed = 5;
    let disk = new_disk();
    live(&disk, &mut Random(seed), 0, &mut Expected::default()).unwrap();
    let start = disk.operations();
    let mut failures = 0;
    for failing in start + 1.. {
        let disk = new_disk();
        let mut journal = recover(&disk, &mut Expected::default()).unwrap();
        let refusal = Refusal::Io;
        disk.inject(Fault::Fail {
            at: failing,
            refusal,
        });
        let failed = (0..6).find_map(|_| {
            append(&mut journal, &[1; 5_000]);
            journal.commit().err()
        });
        let Some(error) = failed else { break };
        failures += 1;
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        let operations = disk.operations();
        let record = NewRecord {
            height: journal.next_height(),
            first_sequence: journal.next_sequence(),
            command_count: 1,
            previous_outcome: Digest::ZERO,
        };
        let again = journal.append(&record, &[]);
        assert!(matches!(again, Err(StoreError::Poisoned)), "{again:?}");
        let again = journal.commit();
        assert!(matches!(again, Err(StoreError::Poisoned)), "{again:?}");
        assert_eq!(
            disk.operations(),
            operations,
            "a poisoned journal touched the disk"
        );
    }
    assert!(
        20 < failures,
        "only {failures} operations were made to fail"
    );
}

#[test]
fn a_failed_preparer_harms_nothing() {
    let disk = SimulatedDisk::default();
    let mut expected = Expected::default();
    let mut journal = recover(&disk, &mut expected).unwrap();
    let number = journal.wants_prepared().unwrap();
    let (at, refusal) = (disk.operations() + 2, Refusal::Full);
    disk.inject(Fault::Fail { at, refusal });
    journal.preparer().prepare(number).unwrap_err();
    assert_eq!(
        journal.wants_prepared(),
        None,
        "each segment is asked for once"
    );
    for _ in 0..3 {
        append(&mut journal, &[1; 5_000]);
        journal.commit().unwrap();
    }
    // Meanwhile the journal has made that segment itself, and one more.
    assert_eq!(journal.wants_prepared(), Some(number.next().next()));
    assert!(matches!(verify_in(&disk.folders()), Ok(Report::Clean(_))));
}

#[test]
fn a_late_preparer_takes_nothing_away() {
    let disk = SimulatedDisk::default();
    let mut journal = recover(&disk, &mut Expected::default()).unwrap();
    let number = journal.wants_prepared().unwrap();
    for _ in 0..2 {
        append(&mut journal, &[1; 5_000]);
        journal.commit().unwrap();
    }
    let begun = disk.content(&number.file_name());
    assert!(journal.preparer().prepare(number).unwrap().is_none());
    assert_eq!(disk.content(&number.file_name()), begun);
    append(&mut journal, &[1; 5_000]);
    assert_eq!(journal.commit().unwrap(), Height::new(3));
    assert!(matches!(verify_in(&disk.folders()), Ok(Report::Clean(_))));
}

#[test]
fn short_and_interrupted_writes_are_finished() {
    for linked in [false, true] {
        let disk = SimulatedDisk::with_commits_linked(linked);
        disk.set_awkward(true);
        let mut expected = Expected::default();
        live(&disk, &mut Random(3), 12, &mut expected).unwrap();
        let disk = disk.crash(Survival::Nothing, NameSurvival::Nothing, &mut Random(0));
        recover(&disk, &mut expected).unwrap();
    }
}
