//! The two folders of a data directory: its journal and its checkpoints, behind one lock.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::Checkpoints;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::real_disk::RealDisk;

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
    /// out of this.
    pub fn lock(data_directory: &Path) -> Result<Self, StoreError> {
        let [journal, checkpoints] = RealDisk::open_exclusively(data_directory)?;
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

    /// The checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(Arc::clone(&self.checkpoints))
    }
}
