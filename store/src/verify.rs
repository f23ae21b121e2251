//! A verdict on every byte at rest. Never writes, and needs to know nothing about the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::Checkpoints;
use crate::checkpoint_header::{CheckpointMeta, HEIGHT_OFFSET, RECORD_HASH_OFFSET};
use crate::ending::{Ending, TornTail};
use crate::error::StoreError;
use crate::folders::Folders;
use crate::format::Identity;
use crate::reader::{JournalReader, Totals};
use crate::start::Start;

/// The state of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every byte is as it was written.
    Clean(Totals),
    /// All records and checkpoints are good; after the records lies what a crash left of an unsynced batch.
    TornTail {
        /// The tail.
        tail: TornTail,
        /// What is before it.
        good: Totals,
    },
    /// Something that was durable is damaged.
    Corruption {
        /// In which file.
        file: PathBuf,
        /// Where the damaged record or header begins.
        offset: u64,
        /// What is wrong, and how that is known.
        what: String,
        /// What is before it; all of the journal, if a checkpoint is damaged.
        good: Totals,
    },
}

/// Reads all that is in this data directory.
pub fn verify(data_directory: &Path) -> Result<Report, StoreError> {
    verify_in(&Folders::open(data_directory))
}

/// Reads all that is in these folders.
pub fn verify_in(folders: &Folders) -> Result<Report, StoreError> {
    let checkpoints = folders.checkpoints();
    let loaded = open(folders, Start::FirstSegment).and_then(|journal| {
        // Before the journal is read, so that it holds what a running node makes them of.
        load_all(&checkpoints, &journal)
    });
    let mut loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return report(error, Totals::default()),
    };
    let mut good = Totals::default();
    let read = read_all(folders, &checkpoints, &loaded.good, &mut good);
    good.checkpoints = loaded.good.len() as u64;
    match (read, loaded.damaged.pop()) {
        (Err(error), _) | (Ok(_), Some(error)) => report(error, good),
        (Ok(Some(tail)), None) => Ok(Report::TornTail { tail, good }),
        (Ok(None), None) => Ok(Report::Clean(good)),
    }
}

/// Whose journal is in this data directory; `None` if there is none.
pub fn identity(data_directory: &Path) -> Result<Option<Identity>, StoreError> {
    match open(&Folders::open(data_directory), Start::FirstSegment) {
        Ok(reader) => Ok(Some(*reader.identity())),
        Err(StoreError::NoJournal { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(folders: &Folders, start: Start<'_>) -> Result<JournalReader, StoreError> {
    JournalReader::open_on(Arc::clone(&folders.journal), None, start)
}

/// All checkpoints, checked each for itself.
struct Loaded {
    /// The oldest first.
    good: Vec<CheckpointMeta>,
    /// The newest first.
    damaged: Vec<StoreError>,
}

fn load_all(checkpoints: &Checkpoints, journal: &JournalReader) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded {
        good: Vec::new(),
        damaged: Vec::new(),
    };
    for height in checkpoints.heights()? {
        match checkpoints.load(height, journal.identity()) {
            Ok(checkpoint) => {
                journal.check_instance(&checkpoint.meta().after())?;
                loaded.good.insert(0, *checkpoint.meta());
            }
            Err(error @ StoreError::Corruption { .. }) => loaded.damaged.push(error),
            // A running node removes old ones.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(loaded)
}

/// Reads the journal and holds it against the good checkpoints. `totals`: what is good of it, also
/// after an error.
fn read_all(
    folders: &Folders,
    checkpoints: &Checkpoints,
    good: &[CheckpointMeta],
    totals: &mut Totals,
) -> Result<Option<TornTail>, StoreError> {
    let mut reader = open(folders, Start::FirstSegment)?;
    let covers = |oldest: &CheckpointMeta| reader.chain().last_height() <= oldest.height;
    if !good.first().is_some_and(covers) {
        reader = open(folders, Start::Genesis)?;
    }
    let mut expected = good.iter().peekable();
    loop {
        *totals = *reader.totals();
        let chain = reader.chain();
        let reached = |meta: &&CheckpointMeta| meta.height <= chain.last_height();
        while let Some(meta) = expected.next_if(reached) {
            let (hash, sequence) = (chain.previous_hash, chain.last_sequence());
            if let Some(what) = meta.after().mismatch(hash, sequence) {
                let what = format!("the journal does not lead to this checkpoint: {what}");
                return Err(corruption(checkpoints, meta, RECORD_HASH_OFFSET, what));
            }
        }
        if reader.next_record()?.is_none() {
            break;
        }
    }
    match (reader.ending(), expected.next()) {
        (None, _) => unreachable!("the reader was read to its end"),
        (Some(Ending::Clean), None) => Ok(None),
        (Some(Ending::Torn(tail)), None) => Ok(Some(tail.clone())),
        (Some(Ending::Torn(tail)), Some(meta)) => Err(tail.denied(meta.height)),
        (Some(Ending::Clean), Some(meta)) => {
            let last = totals.last_height;
            let what = format!("the journal ends with height {last}, before this checkpoint");
            Err(corruption(checkpoints, meta, HEIGHT_OFFSET, what))
        }
    }
}

fn corruption(
    checkpoints: &Checkpoints,
    meta: &CheckpointMeta,
    offset: u64,
    what: String,
) -> StoreError {
    StoreError::Corruption {
        file: checkpoints.path(meta.height),
        offset,
        what,
    }
}

/// Corruption is a finding here; anything else kept us from looking, or says that this is no mere
/// damage.
fn report(error: StoreError, good: Totals) -> Result<Report, StoreError> {
    match error {
        StoreError::Corruption { file, offset, what } => Ok(Report::Corruption {
            file,
            offset,
            what,
            good,
        }),
        other => Err(other),
    }
}
