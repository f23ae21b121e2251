//! Making the next segment ahead of time, so that no commit waits for 64 MiB of zeros.
//!
//! The journal asks ([`Journal::wants_prepared`](crate::Journal::wants_prepared)), somebody else
//! prepares, on a thread of their own, and offers the result. Nobody waits: a journal that needs
//! the segment earlier makes it itself; who never wants that looks at
//! [`Journal::room`](crate::Journal::room) before. Then two may make the same one; each works under
//! its own temporary name, and the name of the segment is taken once, by whoever is first.
//!
//! Old segments stay for ever, unless the caller names a [`Retention`].

use std::io;
use std::sync::Arc;

use types::Height;
use types::planted::{Bug, is_planted};

use crate::aligned::AlignedBuffer;
use crate::disk::{Disk, DiskFile, write_all_at};
use crate::error::{Context, StoreError};
use crate::format::PAGE;
use crate::segment::{SegmentLength, SegmentNumber};
use crate::start::segments;
use crate::window::{HeaderPage, Window, in_memory};

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

/// Which old segments may go. Their records can then be replayed no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So many segments are kept, the one to be prepared included.
    pub segments: u64,
    /// [`Checkpoints::covered`](crate::Checkpoints::covered). What a later start from any kept
    /// checkpoint could need stays, whatever the number says.
    pub covered: Height,
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

    /// Writes and syncs a segment. `Ok(None)`: the journal did not wait and has begun it. An error
    /// harms nothing: somebody can try again ([`Journal::preparation_failed`]), or the journal
    /// will by itself.
    ///
    /// [`Journal::preparation_failed`]: crate::Journal::preparation_failed
    pub fn prepare(&self, number: SegmentNumber) -> Result<Option<PreparedSegment>, StoreError> {
        self.prepare_from(number, None)
    }

    /// The same, but removes segments that are too many and makes the new one out of the last of
    /// them: so a disk that is nearly full needs no more space.
    pub fn prepare_recycling(
        &self,
        number: SegmentNumber,
        retention: &Retention,
    ) -> Result<Option<PreparedSegment>, StoreError> {
        let disk = &*self.disk;
        let mut surplus = surplus(disk, number, retention)?;
        let recycled = surplus.pop();
        // From the front, each durably, so that no crash leaves a gap.
        for oldest in surplus {
            remove(disk, &oldest.file_name())?;
        }
        self.prepare_from(number, recycled)
    }

    fn prepare_from(
        &self,
        number: SegmentNumber,
        recycled: Option<SegmentNumber>,
    ) -> Result<Option<PreparedSegment>, StoreError> {
        let disk = &*self.disk;
        let names = disk.names().context("list", &disk.directory())?;
        if !names.contains(&number.file_name()) {
            let source = recycled.map_or(Source::Nothing, Source::Segment);
            let made = make(disk, number, self.length, Maker::Ahead, source)?;
            if made.is_some() {
                return Ok(made);
            }
        }
        blank(disk, number, self.length)
    }
}

/// The old segments that are too many and hold nothing that a start could need, the oldest first.
fn surplus(
    disk: &dyn Disk,
    number: SegmentNumber,
    retention: &Retention,
) -> Result<Vec<SegmentNumber>, StoreError> {
    let mut surplus = Vec::new();
    for pair in segments(disk)?.windows(2) {
        if number.get() - pair[0].get() < retention.segments || number <= pair[1] {
            break;
        }
        // A segment ends where the next one begins. What cannot be read is no reason to remove
        // anything.
        match Window::open(disk, pair[1]).and_then(|mut next| next.header_page()) {
            Ok(HeaderPage::Valid(next))
                if next.segment == pair[1]
                    && (next.first_height <= retention.covered.next()
                        || is_planted(Bug::RecycledTooEarly)) =>
            {
                surplus.push(pair[0]);
            }
            Ok(_) | Err(StoreError::Corruption { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(surplus)
}

/// A segment that has its name already, if it is not begun: somebody could not finish preparing it.
fn blank(
    disk: &dyn Disk,
    number: SegmentNumber,
    length: SegmentLength,
) -> Result<Option<PreparedSegment>, StoreError> {
    let mut window = Window::open(disk, number)?;
    let is_blank = matches!(window.header_page()?, HeaderPage::Blank);
    if !is_blank || window.length() != length.get() {
        return Ok(None);
    }
    let path = disk.path(&number.file_name());
    let file = disk.open_to_write(&number.file_name());
    let file = file.context("open", &path)?;
    disk.sync_directory()
        .context("sync directory", &disk.directory())?;
    Ok(Some(PreparedSegment {
        number,
        length,
        file,
    }))
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

/// What a segment is made of.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    /// A new file.
    Nothing,
    /// A new file that begins with this page.
    Page(&'a AlignedBuffer),
    /// The file of the oldest segment.
    Segment(SegmentNumber),
}

/// Makes a blank segment at once. `Ok(None)`: its name is taken.
pub(crate) fn prepare_now(
    disk: &dyn Disk,
    number: SegmentNumber,
    length: SegmentLength,
) -> Result<Option<PreparedSegment>, StoreError> {
    make(disk, number, length, Maker::Journal, Source::Nothing)
}

/// Makes segment 1, with its header.
pub(crate) fn prepare_first(
    disk: &dyn Disk,
    length: SegmentLength,
    header_page: &AlignedBuffer,
) -> Result<PreparedSegment, StoreError> {
    let number = SegmentNumber::FIRST;
    let source = Source::Page(header_page);
    let made = make(disk, number, length, Maker::Journal, source)?;
    Ok(made.expect("a directory without segments has the first name free"))
}

fn make(
    disk: &dyn Disk,
    number: SegmentNumber,
    length: SegmentLength,
    maker: Maker,
    source: Source<'_>,
) -> Result<Option<PreparedSegment>, StoreError> {
    let temporary = maker.temporary_name(number);
    let made = make_as(disk, &temporary, (number, length), source);
    if !matches!(made, Ok(Some(_))) {
        // It frees space on a full disk; else the next start will do it.
        let _ = disk.remove(&temporary);
    }
    made
}

fn make_as(
    disk: &dyn Disk,
    temporary: &str,
    (number, length): (SegmentNumber, SegmentLength),
    source: Source<'_>,
) -> Result<Option<PreparedSegment>, StoreError> {
    let path = disk.path(temporary);
    let file = match source {
        Source::Segment(oldest) => take(disk, oldest, temporary, length)?,
        Source::Nothing | Source::Page(_) => disk.create(temporary).context("create", &path)?,
    };
    if !matches!(source, Source::Segment(_)) || !is_planted(Bug::RecycledNotBlank) {
        write_zeros(&*file, 0, length.get()).context("write", &path)?;
    }
    if let Source::Page(page) = source {
        write_all_at(&*file, page.bytes(), 0).context("write", &path)?;
    }
    file.sync().context("sync", &path)?;
    match disk.rename(temporary, &number.file_name()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        other => other.context("rename", &path)?,
    }
    if !is_planted(Bug::DirectoryNotSynced) {
        disk.sync_directory()
            .context("sync directory", &disk.directory())?;
    }
    Ok(Some(PreparedSegment {
        number,
        length,
        file,
    }))
}

/// Takes the oldest segment out of the journal, durably: only then may it be overwritten. One of
/// another length gives its space back instead.
fn take(
    disk: &dyn Disk,
    oldest: SegmentNumber,
    temporary: &str,
    length: SegmentLength,
) -> Result<Box<dyn DiskFile>, StoreError> {
    let name = oldest.file_name();
    let path = disk.path(&name);
    disk.rename(&name, temporary).context("rename", &path)?;
    disk.sync_directory()
        .context("sync directory", &disk.directory())?;
    let path = disk.path(temporary);
    let file = disk.open_to_write(temporary).context("open", &path)?;
    if file.length().context("read the length of", &path)? == length.get() {
        return Ok(file);
    }
    disk.create(temporary).context("create", &path)
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
