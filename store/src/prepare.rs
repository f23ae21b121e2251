//! Making the next segment ahead of time, so that no commit waits for 64 MiB of zeros.
//!
//! The journal asks ([`Journal::wants_prepared`](crate::Journal::wants_prepared)), somebody else
//! prepares, on a thread of their own, and offers the result. Nobody waits: a journal that needs
//! the segment earlier makes it itself. Then two may make the same one; each works under its own
//! temporary name, and the name of the segment is taken once, by whoever is first.

use std::io;
use std::sync::Arc;

use crate::aligned::AlignedBuffer;
use crate::disk::{Disk, DiskFile, write_all_at};
use crate::error::{Context, StoreError};
use crate::format::PAGE;
use crate::segment::{SegmentLength, SegmentNumber};
use crate::window::in_memory;

/// A segment full of zeros, durable under its final name.
#[derive(Debug)]
pub struct PreparedSegment {
    pub(crate) number: SegmentNumber,
    pub(crate) length: SegmentLength,
    pub(crate) file: Box<dyn DiskFile>,
}

impl PreparedSegment {
    /// Which one.
    pub const fn number(&self) -> SegmentNumber {
        self.number
    }
}

/// Prepares segments of one journal on any thread.
#[derive(Debug)]
pub struct SegmentPreparer {
    disk: Arc<dyn Disk>,
    length: SegmentLength,
}

impl SegmentPreparer {
    pub(crate) fn new(disk: Arc<dyn Disk>, length: SegmentLength) -> Self {
        Self { disk, length }
    }

    /// Writes and syncs a segment. `Ok(None)`: it was there already, the journal did not wait. An
    /// error harms nothing: the journal will try by itself.
    pub fn prepare(&self, number: SegmentNumber) -> Result<Option<PreparedSegment>, StoreError> {
        prepare(&*self.disk, number, self.length, Maker::Ahead)
    }
}

/// Who prepares a segment; each has its own temporary name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker {
    /// A [`SegmentPreparer`].
    Ahead,
    /// The journal, which needs it now.
    Journal,
}

/// How names of files in preparation end, in both folders.
pub(crate) const TEMPORARY_EXTENSION: &str = ".tmp";

impl Maker {
    fn temporary_name(self, number: SegmentNumber) -> String {
        let maker = match self {
            Self::Ahead => "ahead",
            Self::Journal => "journal",
        };
        format!("{number}.{maker}{TEMPORARY_EXTENSION}")
    }
}

/// Removes unfinished files, left behind by a crash.
pub(crate) fn remove_temporary_files(disk: &dyn Disk) -> Result<(), StoreError> {
    let names = disk.names().context("list", &disk.directory())?;
    let temporary = |name: &&String| name.ends_with(TEMPORARY_EXTENSION);
    for name in names.iter().filter(temporary) {
        remove(disk, name)?;
    }
    Ok(())
}

/// Removes a file, durably.
pub(crate) fn remove(disk: &dyn Disk, name: &str) -> Result<(), StoreError> {
    disk.remove(name).context("remove", &disk.path(name))?;
    disk.sync_directory()
        .context("sync directory", &disk.directory())
}

/// Makes a blank segment. `Ok(None)`: its name is taken.
pub(crate) fn prepare(
    disk: &dyn Disk,
    number: SegmentNumber,
    length: SegmentLength,
    maker: Maker,
) -> Result<Option<PreparedSegment>, StoreError> {
    make(disk, number, length, maker, None)
}

/// Makes segment 1, with its header.
pub(crate) fn prepare_first(
    disk: &dyn Disk,
    length: SegmentLength,
    header_page: &AlignedBuffer,
) -> Result<PreparedSegment, StoreError> {
    let number = SegmentNumber::FIRST;
    let made = make(disk, number, length, Maker::Journal, Some(header_page))?;
    Ok(made.expect("a directory without segments has the first name free"))
}

fn make(
    disk: &dyn Disk,
    number: SegmentNumber,
    length: SegmentLength,
    maker: Maker,
    header_page: Option<&AlignedBuffer>,
) -> Result<Option<PreparedSegment>, StoreError> {
    let temporary = maker.temporary_name(number);
    let path = disk.path(&temporary);
    let file = disk.create(&temporary).context("create", &path)?;
    write_zeros(&*file, 0, length.get()).context("write", &path)?;
    if let Some(page) = header_page {
        write_all_at(&*file, page.bytes(), 0).context("write", &path)?;
    }
    file.sync().context("sync", &path)?;
    let name = number.file_name();
    match disk.rename(&temporary, &name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(&temporary).context("remove", &path)?;
            return Ok(None);
        }
        other => other.context("rename", &path)?,
    }
    disk.sync_directory()
        .context("sync directory", &disk.directory())?;
    Ok(Some(PreparedSegment {
        number,
        length,
        file,
    }))
}

/// Writes zeros, a chunk at a time.
pub(crate) fn write_zeros(file: &dyn DiskFile, mut from: u64, length: u64) -> io::Result<()> {
    const CHUNK: u64 = 1 << 20;
    const _: () = assert!(CHUNK.is_multiple_of(PAGE as u64));
    let zeros = AlignedBuffer::zeroed(in_memory(length.min(CHUNK)));
    let end = from + length;
    while from < end {
        let count = in_memory((end - from).min(CHUNK));
        write_all_at(file, &zeros.bytes()[..count], from)?;
        from += count as u64;
    }
    Ok(())
}
