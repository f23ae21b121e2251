//! A verdict on every byte at rest. Never writes, and needs to know nothing about the journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::ending::{Ending, TornTail};
use crate::error::StoreError;
use crate::format::Identity;
use crate::reader::{JournalReader, Totals, open_to_read, segments};
use crate::real_disk::RealDisk;

/// The state of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every byte is as it was written.
    Clean(Totals),
    /// All records are good; after them lies what a crash left of an unsynced batch.
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
        /// What is before it.
        good: Totals,
    },
}

/// Reads the whole journal in this data directory.
pub fn verify(data_directory: &Path) -> Result<Report, StoreError> {
    verify_on(open_to_read(data_directory)?)
}

/// Whose journal is in this data directory; `None` if there is none.
pub fn identity(data_directory: &Path) -> Result<Option<Identity>, StoreError> {
    let Some(disk) = RealDisk::open_to_read(data_directory)? else {
        return Ok(None);
    };
    if segments(&disk)?.is_empty() {
        return Ok(None);
    }
    let reader = JournalReader::open_on(Arc::new(disk), None)?;
    Ok(Some(*reader.identity()))
}

pub(crate) fn verify_on(disk: Arc<dyn Disk>) -> Result<Report, StoreError> {
    let mut reader = match JournalReader::open_on(disk, None) {
        Ok(reader) => reader,
        Err(error) => return report(error, Totals::default()),
    };
    loop {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return report(error, *reader.totals()),
        }
    }
    let good = *reader.totals();
    Ok(match reader.ending() {
        Some(Ending::Torn(tail)) => Report::TornTail {
            tail: tail.clone(),
            good,
        },
        Some(Ending::Clean) => Report::Clean(good),
        None => unreachable!("the reader was read to its end"),
    })
}

/// Corruption is a finding here; anything else kept us from looking.
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
