//! Checkpoint files: written whole or not at all, and read only after every byte has been checked.
//!
//! [`format`](crate::format) tells what is in one. What the sections mean is not known here.
//! A failed write harms nothing: the file has no final name yet, and the journal is not touched.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use types::Height;
use types::outcome::Digest;
use types::planted::{Bug, is_planted};

use crate::aligned::AlignedBuffer;
use crate::checkpoint_header::{
    CHECKPOINT_VERSION, CheckpointHeader, CheckpointMeta, HEIGHT_OFFSET, SECTION_LENGTHS_OFFSET,
};
use crate::disk::{Disk, DiskFile, write_all_at};
use crate::error::{Context, StoreError};
use crate::folders::Folders;
use crate::format::{HEADER_LENGTH, HeaderFault, Identity, PAGE, hash};
use crate::map::FileBytes;
use crate::prepare::{TEMPORARY_EXTENSION, remove, remove_temporary_files};
use crate::reader::check_identity;
use crate::segment::SegmentNumber;
use crate::window::{in_memory, split_header};

/// The checkpoints of one data directory.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
}

/// A checkpoint whose every byte has been checked.
#[derive(Debug)]
pub struct Checkpoint {
    version: u32,
    meta: CheckpointMeta,
    file: FileBytes,
    sections: [Range<usize>; 2],
}

/// Lists of checkpoints in a row that may be out of date when they are read.
const TRIES: u32 = 10;

/// The newest good checkpoint, or what was made of it, and what was found on the way to it.
#[derive(Debug)]
pub struct Newest<T = Checkpoint> {
    /// The checkpoint; `None` if there is no good one.
    pub checkpoint: Option<T>,
    /// Why newer ones cannot be used: each a [`StoreError::Corruption`]. Worth loud messages.
    pub damaged: Vec<StoreError>,
}

impl Checkpoint {
    /// Maps and checks a checkpoint that lies by itself, under any name. Every byte is checked; whose
    /// it is, and whether its root is to be believed, is for the caller to know.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).and_then(|file| FileBytes::map(&file));
        let file = file.context("map", path)?;
        let header = decode_header(path, file.bytes())?;
        check_content(path, &header, file.bytes())?;
        Ok(Self::new(header, file))
    }

    fn new(header: CheckpointHeader, file: FileBytes) -> Self {
        let (starts, _) = header.places().expect("it was checked");
        let section = |index: usize| {
            let start = in_memory(starts[index]);
            start..start + in_memory(header.section_lengths[index])
        };
        Self {
            version: header.version,
            meta: header.meta,
            file,
            sections: [section(0), section(1)],
        }
    }

    /// What it is of.
    pub const fn meta(&self) -> &CheckpointMeta {
        &self.meta
    }

    /// The version of the format that it was written in.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// All of the file.
    pub fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    /// Section 0 or 1; it starts on a page boundary of memory.
    pub fn section(&self, index: usize) -> &[u8] {
        &self.file.bytes()[self.sections[index].clone()]
    }
}

impl Checkpoints {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// The checkpoints of this data directory, to read only.
    pub fn open(data_directory: &Path) -> Self {
        Folders::open(data_directory).checkpoints()
    }

    /// Heights of all checkpoints, the newest first. Whether they are good is not known yet.
    pub fn heights(&self) -> Result<Vec<Height>, StoreError> {
        let names = self.disk.names();
        let names = names.context("list", &self.disk.directory())?;
        let mut heights: Vec<_> = names.iter().filter_map(|name| height(name)).collect();
        heights.sort_unstable();
        heights.reverse();
        Ok(heights)
    }

    /// Maps and checks a checkpoint, which must belong to `identity`. Corruption: it is of no use,
    /// and an older one may be. Any other error is not to be passed over.
    pub fn load(&self, height: Height, identity: &Identity) -> Result<Checkpoint, StoreError> {
        let name = file_name(height);
        let file = self.disk.map(&name);
        let file = file.context("map", &self.disk.path(&name))?;
        let path = self.path(height);
        let header = decode_header(&path, file.bytes())?;
        check_identity(&*self.disk, &header.meta.identity, identity)?;
        if header.meta.height != height {
            let what = format!("holds height {}, unlike its name", header.meta.height);
            return Err(corruption(&path, HEIGHT_OFFSET, &what));
        }
        check_content(&path, &header, file.bytes())?;
        Ok(Checkpoint::new(header, file))
    }

    /// The newest checkpoint that is not damaged. A newer format or another owner is an error.
    pub fn newest(&self, identity: &Identity) -> Result<Newest, StoreError> {
        self.newest_accepted(identity, Ok)
    }

    /// What `accept` makes of the newest checkpoint that it takes: one that it refuses, in words, is
    /// damaged too. A running node may remove a checkpoint that was listed a moment ago; then there
    /// are newer ones, and the list is made again.
    pub fn newest_accepted<T>(
        &self,
        identity: &Identity,
        mut accept: impl FnMut(Checkpoint) -> Result<T, String>,
    ) -> Result<Newest<T>, StoreError> {
        let mut tries = 1;
        loop {
            match self.try_newest(identity, &mut accept) {
                Err(StoreError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES =>
                {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    fn try_newest<T>(
        &self,
        identity: &Identity,
        accept: &mut impl FnMut(Checkpoint) -> Result<T, String>,
    ) -> Result<Newest<T>, StoreError> {
        let mut damaged = Vec::new();
        for height in self.heights()? {
            let refused = |what| StoreError::Corruption {
                file: self.path(height),
                offset: PAGE as u64,
                what,
            };
            let loaded = self.load(height, identity);
            match loaded.and_then(|checkpoint| accept(checkpoint).map_err(refused)) {
                Ok(accepted) => {
                    let checkpoint = Some(accepted);
                    return Ok(Newest {
                        checkpoint,
                        damaged,
                    });
                }
                Err(error @ StoreError::Corruption { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(Newest {
            checkpoint: None,
            damaged,
        })
    }

    /// Writes a checkpoint, durably. A good one that is there already stays, a damaged one gives
    /// way. After an error it is there whole or not at all, and whether for good is not known.
    pub fn write(
        &self,
        meta: &CheckpointMeta,
        sections: [&AlignedBuffer; 2],
    ) -> Result<(), StoreError> {
        if self.heights()?.contains(&meta.height) && self.is_there(meta)? {
            // Whoever gave it its name may have failed to sync the directory.
            return self.sync_directory();
        }
        let temporary = format!("{}{TEMPORARY_EXTENSION}", digits(meta.height));
        let written = self.write_as(&temporary, meta, sections);
        if written.is_err() {
            // It frees space on a full disk; else the next start will do it.
            let _ = self.disk.remove(&temporary);
        }
        written
    }

    /// Keeps so many of the newest and removes the others, the oldest first.
    pub fn keep(&self, newest: usize) -> Result<(), StoreError> {
        assert!(0 < newest, "the newest checkpoint is never removed");
        for height in self.heights()?.iter().skip(newest).rev() {
            self.remove(*height)?;
        }
        Ok(())
    }

    /// Up to which height every checkpoint that is there holds all, durably: what a
    /// [`Retention`](crate::Retention) may let go. Zero if there is none.
    pub fn covered(&self) -> Result<Height, StoreError> {
        // A checkpoint whose write failed at its last step has a name that may not last.
        self.sync_directory()?;
        Ok(self.heights()?.last().copied().unwrap_or(Height::ZERO))
    }

    /// Removes what a crash left in preparation, and makes what it left whole durable.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        remove_temporary_files(&*self.disk)?;
        self.sync_directory()
    }

    /// The path of a checkpoint, for messages.
    pub(crate) fn path(&self, height: Height) -> PathBuf {
        self.disk.path(&file_name(height))
    }

    /// Whether a good checkpoint of this height is there. A damaged one is removed.
    fn is_there(&self, meta: &CheckpointMeta) -> Result<bool, StoreError> {
        match self.load(meta.height, &meta.identity) {
            Ok(found) if found.meta() == meta => Ok(true),
            Ok(_) => Err(StoreError::Corruption {
                file: self.path(meta.height),
                offset: 0,
                what: "another checkpoint of this height is there".to_owned(),
            }),
            Err(StoreError::Corruption { .. }) => {
                self.remove(meta.height)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn write_as(
        &self,
        temporary: &str,
        meta: &CheckpointMeta,
        sections: [&AlignedBuffer; 2],
    ) -> Result<(), StoreError> {
        let disk = &*self.disk;
        let path = disk.path(temporary);
        let file = disk.create(temporary).context("create", &path)?;
        write_content(&*file, meta, sections).context("write", &path)?;
        if !is_planted(Bug::CheckpointNotSynced) {
            file.sync().context("sync", &path)?;
        }
        let renamed = disk.rename(temporary, &file_name(meta.height));
        renamed.context("rename", &path)?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        let synced = self.disk.sync_directory();
        synced.context("sync directory", &self.disk.directory())
    }

    fn remove(&self, height: Height) -> Result<(), StoreError> {
        remove(&*self.disk, &file_name(height))
    }
}

fn corruption(file: &Path, offset: u64, what: &str) -> StoreError {
    StoreError::Corruption {
        file: file.to_owned(),
        offset,
        what: what.to_owned(),
    }
}

/// What the header says, if it is whole. Nothing else has been looked at.
fn decode_header(file: &Path, bytes: &[u8]) -> Result<CheckpointHeader, StoreError> {
    let Some(page) = bytes.get(..PAGE) else {
        let what = "the checkpoint was cut";
        return Err(corruption(file, bytes.len() as u64, what));
    };
    let (header, _) = split_header(page);
    match CheckpointHeader::decode(header) {
        Ok(header) => Ok(header),
        Err(HeaderFault::Damaged) => Err(corruption(file, 0, "the checkpoint's header is damaged")),
        Err(HeaderFault::Illegal) => {
            Err(corruption(file, 0, "the checkpoint's header is not legal"))
        }
        Err(HeaderFault::Newer(found)) => Err(StoreError::NewerFormat {
            file: file.to_owned(),
            found,
            known: CHECKPOINT_VERSION,
        }),
    }
}

/// Checks all bytes after the header, in the order in which they may be trusted.
fn check_content(file: &Path, header: &CheckpointHeader, bytes: &[u8]) -> Result<(), StoreError> {
    let Some((starts, length)) = header.places() else {
        let what = "the lengths of the sections are not legal";
        return Err(corruption(file, SECTION_LENGTHS_OFFSET, what));
    };
    if length != bytes.len() as u64 {
        let what = format!("the file has {} bytes, not {length}", bytes.len());
        return Err(corruption(file, length.min(bytes.len() as u64), &what));
    }
    if hash(&bytes[PAGE..]) != header.payload_hash {
        let what = "the checkpoint's payload is damaged";
        return Err(corruption(file, PAGE as u64, what));
    }
    let [first, second] = [0, 1].map(|i| starts[i] + header.section_lengths[i]);
    for padding in [
        HEADER_LENGTH as u64..starts[0],
        first..starts[1],
        second..length,
    ] {
        let (from, to) = (in_memory(padding.start), in_memory(padding.end));
        if let Some(at) = bytes[from..to].iter().position(|byte| *byte != 0) {
            let what = "the checkpoint's padding is not zero";
            return Err(corruption(file, padding.start + at as u64, what));
        }
    }
    Ok(())
}

/// Writes the sections from their own memory, then the header that tells their hash.
fn write_content(
    file: &dyn DiskFile,
    meta: &CheckpointMeta,
    sections: [&AlignedBuffer; 2],
) -> io::Result<()> {
    let mut hasher = blake3::Hasher::new();
    let mut offset = PAGE as u64;
    for section in sections {
        for chunk in section.bytes().chunks(WRITTEN_AT_ONCE) {
            let (pages, rest) = chunk.split_at(chunk.len() - chunk.len() % PAGE);
            hasher.update(pages);
            write_all_at(file, pages, offset)?;
            offset += pages.len() as u64;
            if !rest.is_empty() {
                let last = padded_page(rest);
                hasher.update(last.bytes());
                write_all_at(file, last.bytes(), offset)?;
                offset += PAGE as u64;
            }
        }
    }
    let header = CheckpointHeader {
        version: CHECKPOINT_VERSION,
        meta: *meta,
        section_lengths: sections.map(|section| section.bytes().len() as u64),
        payload_hash: Digest::new(*hasher.finalize().as_bytes()),
    };
    write_all_at(file, padded_page(&header.encode()).bytes(), 0)
}

/// Large enough that a write costs more than its call, small enough that what was just hashed is
/// still in the cache.
const WRITTEN_AT_ONCE: usize = 1 << 20;

const _: () = assert!(WRITTEN_AT_ONCE.is_multiple_of(PAGE));

fn padded_page(bytes: &[u8]) -> AlignedBuffer {
    let mut page = AlignedBuffer::zeroed(PAGE);
    page.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    page
}

/// Checkpoints are named by height as segments are by number.
fn file_name(height: Height) -> String {
    SegmentNumber::new(height.get()).file_name()
}

fn digits(height: Height) -> String {
    SegmentNumber::new(height.get()).to_string()
}

fn height(name: &str) -> Option<Height> {
    SegmentNumber::from_file_name(name).map(|number| Height::new(number.get()))
}
