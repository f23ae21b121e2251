//! Journals in directories that are removed afterwards.

use std::path::Path;

use benches::Size;
use store::{
    Identity, InstanceId, Journal, JournalConfig, JournalIo, NewRecord, Recovery, SegmentLength,
};
use tempfile::TempDir;
use types::NetworkId;
use types::outcome::Digest;

use crate::Result;

/// A new journal, and its directory.
#[derive(Debug)]
pub struct Scratch {
    pub journal: Journal,
    _directory: TempDir,
}

impl Scratch {
    pub fn new(io: JournalIo, size: Size, parent: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("keel-bench-")
            .tempdir_in(parent)?;
        let segment_length = match size {
            Size::Smoke => SegmentLength::new(1 << 20).ok_or("a legal length")?,
            Size::Quick | Size::Full => SegmentLength::DEFAULT,
        };
        let recovery = Recovery::begin(&JournalConfig {
            data_directory: directory.path().to_owned(),
            segment_length,
            identity: Identity {
                network: NetworkId::DEVELOPMENT,
                genesis_hash: Digest::ZERO,
            },
            new_instance: InstanceId::new([1; 16]),
            io,
        })?;
        let (journal, _) = Journal::open(recovery)?;
        Ok(Self {
            journal,
            _directory: directory,
        })
    }

    pub fn append(&mut self, payload: &[u8], command_count: u64) -> Result<()> {
        let record = NewRecord {
            height: self.journal.next_height(),
            first_sequence: self.journal.next_sequence(),
            command_count,
            previous_outcome: Digest::ZERO,
        };
        self.journal.append(&record, payload)?;
        Ok(())
    }
}

/// The ways that this machine has.
pub fn ways() -> Vec<JournalIo> {
    match store::uring_available() {
        Ok(()) => vec![JournalIo::Sync, JournalIo::Uring],
        Err(_) => vec![JournalIo::Sync],
    }
}
