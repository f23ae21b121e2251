//! A segment file seen through a large buffer, so that small reads cost nothing.

use std::path::PathBuf;

use crate::disk::{Disk, DiskFile, read_exact_at};
use crate::error::{Context, StoreError};
use crate::format::{FORMAT_VERSION, HEADER_LENGTH, HeaderFault, PAGE, SegmentHeader, is_zero};
use crate::segment::{SegmentLength, SegmentNumber};

/// Read at once, unless a record is longer.
const CHUNK: u64 = 4 << 20;

/// One segment, opened to read.
#[derive(Debug)]
pub(crate) struct Window {
    number: SegmentNumber,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
    /// What of the file is in memory: `bytes` from `start`.
    start: u64,
    bytes: Vec<u8>,
}

/// What the first page of a segment holds.
#[derive(Debug)]
pub(crate) enum HeaderPage {
    /// Zeros: prepared, not begun.
    Blank,
    /// Something else.
    Damaged,
    /// A header, checksum and format checked; not yet whether it belongs here.
    Valid(SegmentHeader),
}

impl Window {
    /// Opens a segment. Its length must be legal: it had it before it got its name.
    pub(crate) fn open(disk: &dyn Disk, number: SegmentNumber) -> Result<Self, StoreError> {
        let name = number.file_name();
        let path = disk.path(&name);
        let file = disk.open_to_read(&name).context("open", &path)?;
        let length = file.length().context("read the length of", &path)?;
        let window = Self {
            number,
            path,
            file,
            length,
            start: 0,
            bytes: Vec::new(),
        };
        match SegmentLength::new(length) {
            Some(_) => Ok(window),
            None => Err(window.corruption(length, "the file was cut: no segment has this length")),
        }
    }

    /// The bytes from `offset`, which must be within the file.
    pub(crate) fn bytes(&mut self, offset: u64, length: u64) -> Result<&[u8], StoreError> {
        assert!(length <= self.length - offset, "reads stay within the file");
        let cached = self.start + self.bytes.len() as u64;
        if offset < self.start || cached < offset + length {
            let chunk = length.max(CHUNK.min(self.length - offset));
            self.bytes.resize(in_memory(chunk), 0);
            self.start = offset;
            let read = read_exact_at(&*self.file, &mut self.bytes, offset);
            if read.is_err() {
                self.bytes.clear();
            }
            read.context("read", &self.path)?;
        }
        let from = in_memory(offset - self.start);
        Ok(&self.bytes[from..from + in_memory(length)])
    }

    /// Reads the first page.
    pub(crate) fn header_page(&mut self) -> Result<HeaderPage, StoreError> {
        let page = self.bytes(0, PAGE as u64)?;
        if is_zero(page) {
            return Ok(HeaderPage::Blank);
        }
        let (header, rest) = split_header(page);
        match SegmentHeader::decode(header) {
            Ok(header) if is_zero(rest) => Ok(HeaderPage::Valid(header)),
            Ok(_) | Err(HeaderFault::Damaged) => Ok(HeaderPage::Damaged),
            Err(HeaderFault::Newer(found)) => Err(StoreError::NewerFormat {
                file: self.path.clone(),
                found,
                known: FORMAT_VERSION,
            }),
            Err(HeaderFault::Illegal) => Err(self.corruption(0, "the segment header is not legal")),
        }
    }

    /// Which segment.
    pub(crate) const fn number(&self) -> SegmentNumber {
        self.number
    }

    /// Length of the file.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Corruption of this file.
    pub(crate) fn corruption(&self, offset: u64, what: impl Into<String>) -> StoreError {
        StoreError::Corruption {
            file: self.path.clone(),
            offset,
            what: what.into(),
        }
    }
}

/// The header at the start of a page, and the rest of the page.
pub(crate) fn split_header(page: &[u8]) -> (&[u8; HEADER_LENGTH], &[u8]) {
    page.split_first_chunk()
        .expect("a page is longer than a header")
}

/// A length that is in memory or about to be.
pub(crate) fn in_memory(length: u64) -> usize {
    usize::try_from(length).expect("a 64-bit machine addresses what a file holds")
}
