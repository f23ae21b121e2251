//! From what a crash left to a journal that can be written: read everything, cut a torn tail, go on.
//!
//! [`Recovery::begin`] reads from the front, [`Recovery::begin_in`] also from a checkpoint on;
//! [`Recovery::next_record`] hands out what is good for replay,
//! [`Journal::open`] repairs the end and returns the journal. Crashing at any point of this and
//! starting over leads to the same records.

use std::path::PathBuf;
use std::sync::Arc;

use types::planted::{Bug, is_planted};

use crate::aligned::AlignedBuffer;
use crate::chain::Chain;
use crate::disk::{Disk, read_exact_at, write_all_at};
use crate::ending::{Ending, TornTail};
use crate::error::{Context, StoreError};
use crate::folders::Folders;
use crate::format::{HEADER_LENGTH, Identity, InstanceId, PAGE, SegmentHeader};
use crate::journal::{Continuation, Journal, OpenSegment, Place};
use crate::prepare::{PreparedSegment, prepare_first, remove, remove_temporary_files, write_zeros};
use crate::reader::{JournalReader, Record, Totals};
use crate::real_disk::JournalIo;
use crate::segment::{SegmentLength, SegmentNumber};
use crate::start::{After, Start, segments};
use crate::window::in_memory;

/// Where a journal lies and whose it is.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// The data directory; the journal is in its folder `journal`.
    pub data_directory: PathBuf,
    /// Length of segments to come; those that are there keep theirs.
    pub segment_length: SegmentLength,
    /// Whose journal it must be, or will be if it is new.
    pub identity: Identity,
    /// Random name for a new journal. One that is there keeps its own.
    pub new_instance: InstanceId,
    /// How commits reach the disk.
    pub io: JournalIo,
}

/// A locked journal that is being read before it is written.
#[derive(Debug)]
pub struct Recovery {
    folders: Folders,
    segment_length: SegmentLength,
    identity: Identity,
    new_instance: InstanceId,
    /// `None`: there is no journal yet.
    reader: Option<JournalReader>,
}

/// What recovery found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The records that are there, or those after the checkpoint.
    pub totals: Totals,
    /// The torn tail that was cut, if there was one. Worth a loud message.
    pub cut: Option<CutTail>,
}

/// A torn tail that is now zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutTail {
    /// Where it was.
    pub tail: TornTail,
    /// The file that has its bytes.
    pub copy: PathBuf,
}

impl Recovery {
    /// Locks the directory, creating it if needed, and starts to read from the first record.
    pub fn begin(config: &JournalConfig) -> Result<Self, StoreError> {
        let folders = Folders::lock(&config.data_directory, config.io)?;
        Self::begin_in(&folders, config, None)
    }

    /// Starts to read in a directory that is locked already: after a checkpoint, or from the first
    /// record. The directory of `config` is not used.
    pub fn begin_in(
        folders: &Folders,
        config: &JournalConfig,
        after: Option<&After>,
    ) -> Result<Self, StoreError> {
        let disk = &folders.journal;
        let new = after.is_none() && segments(&**disk)?.is_empty();
        if new && let Some(height) = folders.checkpoints().heights()?.first() {
            return Err(StoreError::RolledBack {
                directory: disk.directory(),
                height: *height,
                what: "it is gone".to_owned(),
            });
        }
        let reader = match new {
            true => None,
            false => {
                let start = after.map_or(Start::Genesis, Start::After);
                let disk = Arc::clone(disk);
                Some(JournalReader::open_on(disk, Some(&config.identity), start)?)
            }
        };
        Ok(Self {
            folders: folders.clone(),
            segment_length: config.segment_length,
            identity: config.identity,
            new_instance: config.new_instance,
            reader,
        })
    }

    /// The next good record. `Ok(None)`: that was all.
    pub fn next_record(&mut self) -> Result<Option<Record>, StoreError> {
        match &mut self.reader {
            Some(reader) => reader.next_record(),
            None => Ok(None),
        }
    }
}

impl Journal {
    /// Makes the journal writable: creates a new one, or cuts a torn tail and goes on after the last
    /// good record, which is durable then. Records that were not taken from `recovery` are
    /// checked and passed over.
    pub fn open(mut recovery: Recovery) -> Result<(Self, Recovered), StoreError> {
        while recovery.next_record()?.is_some() {}
        remove_temporary_files(&*recovery.folders.journal)?;
        recovery.folders.checkpoints().settle()?;
        match recovery.reader.take() {
            None => create(recovery),
            Some(reader) => resume(recovery, &reader),
        }
    }
}

/// A new journal: segment 1 appears with its header or not at all.
fn create(recovery: Recovery) -> Result<(Journal, Recovered), StoreError> {
    let header = SegmentHeader {
        identity: recovery.identity,
        instance: recovery.new_instance,
        segment: SegmentNumber::FIRST,
        length: recovery.segment_length.get(),
        first_height: Chain::START.next_height,
        first_sequence: Chain::START.next_sequence,
        previous_hash: Chain::START.previous_hash,
    };
    let mut page = AlignedBuffer::zeroed(PAGE);
    page.bytes_mut()[..HEADER_LENGTH].copy_from_slice(&header.encode());
    let disk = recovery.folders.journal;
    let first = prepare_first(&*disk, recovery.segment_length, &page)?;
    let journal = Journal::new(Continuation {
        disk,
        identity: recovery.identity,
        instance: recovery.new_instance,
        segment_length: recovery.segment_length,
        current: OpenSegment {
            number: first.number,
            file: first.file,
        },
        prepared: None,
        place: Place {
            segment: SegmentNumber::FIRST,
            offset: PAGE as u64,
            length: recovery.segment_length.get(),
        },
        chain: Chain::START,
    });
    let recovered = Recovered {
        totals: Totals::default(),
        cut: None,
    };
    Ok((journal, recovered))
}

/// Goes on after the last good record.
fn resume(recovery: Recovery, reader: &JournalReader) -> Result<(Journal, Recovered), StoreError> {
    let disk = recovery.folders.journal;
    let cut = match reader.ending() {
        Some(Ending::Torn(tail)) => Some(cut(&*disk, tail)?),
        Some(Ending::Clean) => None,
        None => unreachable!("the reader was read to its end"),
    };
    let (number, offset, length) = reader.position();
    let current = open(&*disk, number)?;
    // A crash of the process alone may leave records that were written and never synced. Whoever
    // replays them will answer for them, so they must be durable first.
    let path = disk.path(&number.file_name());
    if !is_planted(Bug::TailNotSynced) {
        current.file.sync().context("sync", &path)?;
    }
    let prepared = keep_prepared(&*disk, reader.later_segments(), recovery.segment_length)?;
    disk.sync_directory()
        .context("sync directory", &disk.directory())?;
    let recovered = Recovered {
        totals: *reader.totals(),
        cut,
    };
    let journal = Journal::new(Continuation {
        disk,
        identity: *reader.identity(),
        instance: reader.instance(),
        segment_length: recovery.segment_length,
        current,
        prepared,
        place: Place {
            segment: number,
            offset,
            length,
        },
        chain: reader.chain(),
    });
    Ok((journal, recovered))
}

/// Copies a torn tail to a file of its own, then overwrites it with zeros. The copy is durable
/// before the first zero is written.
fn cut(disk: &dyn Disk, tail: &TornTail) -> Result<CutTail, StoreError> {
    let mut bytes = AlignedBuffer::zeroed(in_memory(tail.bytes));
    let source = disk
        .open_to_read(&tail.segment.file_name())
        .context("open", &tail.file)?;
    read_exact_at(&*source, bytes.bytes_mut(), tail.offset).context("read", &tail.file)?;

    let name = free_copy_name(disk, tail)?;
    let path = disk.path(&name);
    let copy = disk.create(&name).context("create", &path)?;
    write_all_at(&*copy, bytes.bytes(), 0).context("write", &path)?;
    copy.sync().context("sync", &path)?;
    disk.sync_directory()
        .context("sync directory", &disk.directory())?;

    let torn = open(disk, tail.segment)?;
    if !is_planted(Bug::TornTailLeft) {
        write_zeros(&*torn.file, tail.offset, tail.bytes).context("write", &tail.file)?;
    }
    torn.file.sync().context("sync", &tail.file)?;
    Ok(CutTail {
        tail: tail.clone(),
        copy: path,
    })
}

fn free_copy_name(disk: &dyn Disk, tail: &TornTail) -> Result<String, StoreError> {
    let names = disk.names().context("list", &disk.directory())?;
    let candidate = |count| format!("torn-{}-{}-{count}.bin", tail.segment.get(), tail.offset);
    let free = (1..u32::MAX)
        .map(candidate)
        .find(|name| !names.contains(name));
    Ok(free.expect("a directory holds fewer files"))
}

/// Of the segments that were prepared and not begun, keeps the next one if it has the right length.
fn keep_prepared(
    disk: &dyn Disk,
    later: &[SegmentNumber],
    length: SegmentLength,
) -> Result<Option<PreparedSegment>, StoreError> {
    let Some((next, others)) = later.split_first() else {
        return Ok(None);
    };
    // From the end, each durably, so that no crash leaves a gap.
    for number in others.iter().rev() {
        remove(disk, &number.file_name())?;
    }
    let file = open(disk, *next)?.file;
    let path = disk.path(&next.file_name());
    if file.length().context("read the length of", &path)? != length.get() {
        remove(disk, &next.file_name())?;
        return Ok(None);
    }
    Ok(Some(PreparedSegment {
        number: *next,
        length,
        file,
    }))
}

fn open(disk: &dyn Disk, number: SegmentNumber) -> Result<OpenSegment, StoreError> {
    let name = number.file_name();
    let file = disk
        .open_to_write(&name)
        .context("open", &disk.path(&name))?;
    Ok(OpenSegment { number, file })
}
