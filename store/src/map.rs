//! A whole file as memory, without a copy: the only file of this crate with unsafe code.
//!
//! Only checkpoints are read this way, and only after the rename that makes them immutable.
//! What was hashed is what is read later, as long as the disk gives back the same bytes: a page that
//! the kernel dropped from its cache meanwhile is read again without a check.

use std::fs::File;
use std::io;

use memmap2::Mmap;

use crate::aligned::AlignedBuffer;

/// The content of a file, from a page boundary of memory on.
#[derive(Debug)]
pub struct FileBytes(Source);

#[derive(Debug)]
enum Source {
    Mapped(Mmap),
    #[cfg_attr(not(any(test, feature = "simulation")), expect(dead_code))]
    Copied(AlignedBuffer),
}

impl FileBytes {
    /// Maps a file that never changes again.
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        // SAFETY: a mapping must not change or shrink while it is read. A checkpoint is written
        // and synced under a temporary name; nobody maps it under that name, nobody opens it to
        // write after its rename, and removing it leaves its mappings whole. The lock of the data
        // directory keeps other processes of ours from writing at all. What remains is a person
        // who edits the file in place, against whom no program that maps files can do anything.
        #[allow(unsafe_code)]
        let mapped = unsafe { Mmap::map(file)? };
        Ok(Self(Source::Mapped(mapped)))
    }

    /// A copy of what a simulated file holds.
    #[cfg(any(test, feature = "simulation"))]
    pub fn copied(content: &[u8]) -> Self {
        let mut copy = AlignedBuffer::with_capacity(content.len());
        copy.extend_from_slice(content);
        Self(Source::Copied(copy))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Source::Mapped(map) => map,
            Source::Copied(copy) => copy.bytes(),
        }
    }
}
