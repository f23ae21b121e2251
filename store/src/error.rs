//! Everything that can go wrong with journal and checkpoints, in the classes that a caller tells apart.

use std::io;
use std::path::{Path, PathBuf};

use types::outcome::Digest;
use types::{Height, NetworkId};

use crate::format::InstanceId;

/// Why the store cannot go on. A torn tail is not among them: it is an [`Ending`](crate::Ending).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused. When it happens in a commit, the journal is poisoned.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is there belongs to another network.
    #[error("{} belongs to network {found}, not to network {expected}", directory.display())]
    WrongNetwork {
        /// Its directory.
        directory: PathBuf,
        /// The caller's network.
        expected: NetworkId,
        /// Its network.
        found: NetworkId,
    },
    /// What is there started from another genesis.
    #[error("{} started from genesis {found}, not from genesis {expected}", directory.display())]
    WrongGenesis {
        /// Its directory.
        directory: PathBuf,
        /// Hash of the caller's genesis.
        expected: Digest,
        /// Hash of its genesis.
        found: Digest,
    },
    /// The checkpoint was made in another data directory.
    #[error("the checkpoint is of instance {found}, and {} of instance {expected}", directory.display())]
    WrongInstance {
        /// The journal's directory.
        directory: PathBuf,
        /// The journal's instance.
        expected: InstanceId,
        /// The checkpoint's instance.
        found: InstanceId,
    },
    /// The journal is not the one that the checkpoint was made from: it lost what was durable, or it
    /// is another history.
    #[error("{} does not lead to the checkpoint of height {height}: {what}", directory.display())]
    RolledBack {
        /// The journal's directory.
        directory: PathBuf,
        /// The checkpoint's height.
        height: Height,
        /// What the journal holds instead.
        what: String,
    },
    /// A later version of Keel wrote this.
    #[error("{} has format {found}; this build reads up to {known}", file.display())]
    NewerFormat {
        /// The segment or checkpoint.
        file: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// Bytes that were once durable have changed or gone. Nothing was cut.
    #[error("corruption in {}:{offset}: {what}", file.display())]
    Corruption {
        /// The damaged file.
        file: PathBuf,
        /// Where the damaged record or header begins; in a checkpoint, the damaged part.
        offset: u64,
        /// What is wrong with it, and how that is known.
        what: String,
    },
    /// Another process writes this journal.
    #[error("{} is in use by another process", directory.display())]
    Locked {
        /// The journal's directory.
        directory: PathBuf,
    },
    /// There is no journal to read.
    #[error("there is no journal in {}", directory.display())]
    NoJournal {
        /// Where one was looked for.
        directory: PathBuf,
    },
    /// The journal was to be written by io_uring, and there is none.
    #[error("io_uring is not available: {reason}")]
    NoRing {
        /// Why not.
        reason: String,
    },
    /// An earlier write or sync failed, so what is on disk is unknown. Restart and recover.
    #[error("the journal is poisoned: an earlier write or sync failed")]
    Poisoned,
    /// The record does not fit into a segment. Nothing was appended.
    #[error("a record of {length} bytes does not fit into a segment, which has room for {room}")]
    RecordTooLarge {
        /// Length on disk, header and padding included.
        length: u64,
        /// What an empty segment has room for.
        room: u64,
    },
}

/// Names what was tried, and on which file, when the operating system refuses.
pub(crate) trait Context<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io {
            what,
            path: path.to_owned(),
            source,
        })
    }
}
