//! A journal in a temporary directory of the real file system.
#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use store::format::PAGE;
use store::{
    After, AlignedBuffer, CheckpointMeta, Checkpoints, Folders, Identity, InstanceId, Journal,
    JournalConfig, JournalIo, JournalReader, NewRecord, Record, Recovered, Recovery, Report,
    SegmentLength, SegmentNumber, verify,
};
use types::outcome::Digest;
use types::{NetworkId, SequenceNumber};

pub const SEGMENT_LENGTH: u64 = 64 << 10;

pub fn identity() -> Identity {
    Identity {
        network: NetworkId::DEVELOPMENT,
        genesis_hash: Digest::new([3; 32]),
    }
}

pub fn config(directory: &Path) -> JournalConfig {
    JournalConfig {
        data_directory: directory.to_owned(),
        segment_length: SegmentLength::new(SEGMENT_LENGTH).unwrap(),
        identity: identity(),
        new_instance: InstanceId::new([4; 16]),
        io: JournalIo::Sync,
    }
}

pub fn open(directory: &Path) -> (Journal, Recovered) {
    Journal::open(Recovery::begin(&config(directory)).unwrap()).unwrap()
}

/// The payload that the block of this height has in these tests.
pub fn payload(height: u64, length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|index| (height * 31 + index * 7 + index / 256) as u8 | 1)
        .collect()
}

/// Appends a block with a payload of this length.
pub fn append(journal: &mut Journal, length: usize) {
    let height = journal.next_height();
    let record = NewRecord {
        height,
        first_sequence: journal.next_sequence(),
        command_count: height.get() % 5 + 1,
        previous_outcome: Digest::new([height.get() as u8; 32]),
    };
    let payload = payload(height.get(), length);
    journal.append(&record, &payload).unwrap();
}

/// Appends and commits batches of blocks with payloads of these lengths.
pub fn write(directory: &Path, batches: &[&[usize]]) {
    let (mut journal, _) = open(directory);
    for batch in batches {
        batch
            .iter()
            .for_each(|length| append(&mut journal, *length));
        assert_eq!(journal.commit().unwrap().next(), journal.next_height());
    }
}

/// Reads all good records and checks that each is the one written.
pub fn read(directory: &Path) -> Vec<Record> {
    let mut reader = JournalReader::open(directory, &identity()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        let height = record.height.get();
        assert_eq!(height, records.len() as u64 + 1);
        assert_eq!(record.payload, payload(height, record.payload.len()));
        assert_eq!(record.command_count, height % 5 + 1);
        assert_eq!(record.previous_outcome, Digest::new([height as u8; 32]));
        records.push(record);
    }
    assert!(reader.ending().is_some());
    assert_eq!(reader.totals().records, records.len() as u64);
    records
}

/// Opens the journal after the newest good checkpoint; also, which that was.
pub fn open_after(directory: &Path) -> (Journal, Recovered, Option<After>) {
    let folders = Folders::lock(directory, JournalIo::Sync).unwrap();
    let newest = folders.checkpoints().newest(&identity()).unwrap();
    let after = newest.checkpoint.map(|found| found.meta().after());
    let recovery = Recovery::begin_in(&folders, &config(directory), after.as_ref()).unwrap();
    let (journal, recovered) = Journal::open(recovery).unwrap();
    (journal, recovered, after)
}

/// A checkpoint of the journal's last record, which must be durable.
pub fn meta(journal: &Journal) -> CheckpointMeta {
    assert_eq!(journal.durable().next(), journal.next_height());
    CheckpointMeta {
        identity: identity(),
        instance: journal.instance(),
        height: journal.durable(),
        sequence: SequenceNumber::new(journal.next_sequence().get() - 1),
        record_hash: journal.last_record_hash(),
        outcome_hash: Digest::new([5; 32]),
        state_root: Digest::new([6; 32]),
    }
}

/// A section with this content.
pub fn section(content: &[u8]) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::with_capacity(0);
    buffer.extend_from_slice(content);
    buffer
}

/// Writes a checkpoint of the journal's last record, with small sections.
pub fn write_checkpoint(checkpoints: &Checkpoints, journal: &Journal) -> CheckpointMeta {
    let meta = meta(journal);
    let state = section(&payload(meta.height.get(), 5_000));
    let answers = section(&payload(meta.height.get(), 100));
    checkpoints.write(&meta, [&state, &answers]).unwrap();
    meta
}

/// The file of a checkpoint.
pub fn checkpoint(directory: &Path, height: u64) -> PathBuf {
    let name = SegmentNumber::new(height).file_name();
    directory.join("checkpoints").join(name)
}

/// The file of a segment.
pub fn segment(directory: &Path, number: u64) -> PathBuf {
    let name = SegmentNumber::new(number).file_name();
    directory.join("journal").join(name)
}

/// Overwrites bytes of a segment, through the cache.
pub fn overwrite(path: &Path, offset: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

pub fn bytes(path: &Path, offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    let file = File::open(path).unwrap();
    file.read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

pub fn flip(path: &Path, offset: u64) {
    let byte = bytes(path, offset, 1)[0];
    overwrite(path, offset, &[byte ^ 1]);
}

/// Copies a data directory.
pub fn copy(from: &Path, to: &Path) {
    for folder in ["journal", "checkpoints"] {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
        }
    }
}

pub const fn page(number: u64) -> u64 {
    number * PAGE as u64
}

/// Asserts a clean journal of so many records.
pub fn assert_clean(directory: &Path, records: u64) {
    match verify(directory).unwrap() {
        Report::Clean(totals) => assert_eq!(totals.records, records),
        other => panic!("expected {records} clean records, found {other:?}"),
    }
}
