//! The two folders of a data directory: its journal and its checkpoints, behind one lock.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::Checkpoints;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::real_disk::{JournalIo, RealDisk};
use crate::segment::SegmentNumber;
use crate::start::segments;

/// Where journal and checkpoints lie. Opened to read, it refuses every change.
#[derive(Clone, Debug)]
pub struct Folders {
    pub(crate) journal: Arc<dyn Disk>,
    pub(crate) checkpoints: Arc<dyn Disk>,
}

impl Folders {
    /// Those of a data directory, to read only. Missing folders are empty.
    pub fn open(data_directory: &Path) -> Self {
        let [journal, checkpoints] = RealDisk::open_to_read(data_directory);
        Self {
            journal: Arc::new(journal),
            checkpoints: Arc::new(checkpoints),
        }
    }

    /// Those of a data directory, to write: as the only one, as long as anything lives that came
    /// out of this. The journal goes to the disk by `io`.
    pub fn lock(data_directory: &Path, io: JournalIo) -> Result<Self, StoreError> {
        let [journal, checkpoints] = RealDisk::open_exclusively(data_directory, io)?;
        Ok(Self {
            journal: Arc::new(journal),
            checkpoints: Arc::new(checkpoints),
        })
    }

    /// Those on other disks: simulated ones.
    #[cfg(any(test, feature = "simulation"))]
    pub fn on(journal: Arc<dyn Disk>, checkpoints: Arc<dyn Disk>) -> Self {
        Self {
            journal,
            checkpoints,
        }
    }

    /// Whether the first segment of all is there: later ones alone are a journal only together with
    /// a checkpoint.
    pub fn reaches_back(&self) -> Result<bool, StoreError> {
        let first = segments(&*self.journal)?.first().copied();
        Ok(first.is_none_or(|first| first == SegmentNumber::FIRST))
    }

    /// The checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(Arc::clone(&self.checkpoints))
    }
}
