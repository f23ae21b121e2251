//! How far a ledger is on a chain: a file of the data directory, written by whoever publishes there
//! and read by the node, who asks nobody else.
//!
//! One line, `SEQUENCE SECONDS`: up to which sequence number the chain had the ledger, and when that
//! was seen, in seconds since the Unix epoch.

use std::path::{Path, PathBuf};

use types::SequenceNumber;

use crate::atomic_file::write_atomically;
use crate::error::StoreError;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// The chain has the ledger up to here.
    pub sequence: SequenceNumber,
    /// As it was seen then, in seconds since the Unix epoch.
    pub seen_at: u64,
}

impl Anchored {
    /// Writes the file, whole or not at all.
    pub fn write(&self, data: &Path) -> Result<(), StoreError> {
        let line = format!("{} {}\n", self.sequence, self.seen_at);
        write_atomically(&path(data), line.as_bytes())
    }

    /// Reads it; `None` if there is none, or if it says something else.
    pub fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(data)).ok()?;
        let (sequence, seen_at) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Self {
            sequence: SequenceNumber::new(sequence.parse().ok()?),
            seen_at: seen_at.parse().ok()?,
        })
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("anchored")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_whole_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(Anchored::read(data), None);
        let anchored = Anchored {
            sequence: SequenceNumber::new(u64::MAX),
            seen_at: 1_700_000_000,
        };
        for _ in 0..2 {
            anchored.write(data).unwrap();
            assert_eq!(Anchored::read(data), Some(anchored));
        }
        for text in ["", "7", "7 8", "7 8 9\n", "-7 8\n", "7  8\n", "x 8\n"] {
            std::fs::write(path(data), text).unwrap();
            assert_eq!(Anchored::read(data), None, "{text:?}");
        }
    }
}
