//! Reading: every record in order, each byte checked, up to where the journal ends.
//!
//! Checked are checksums, the hash chain, positions, instance, consecutive heights and sequence
//! numbers, and that all padding is zero. Never writes. Reading beside a running writer is
//! harmless, but may see its last batch half written and call it a torn tail.

use std::path::Path;
use std::sync::Arc;

use types::outcome::Digest;
use types::{Height, SequenceNumber};

use crate::chain::Chain;
use crate::disk::Disk;
use crate::ending::{Damage, Ending, Sequel, find_sequel};
use crate::error::{Context, StoreError};
use crate::format::{
    HeaderFault, Identity, InstanceId, PAGE, RecordHeader, hash, is_zero, record_length,
};
use crate::real_disk::RealDisk;
use crate::segment::SegmentNumber;
use crate::window::{HeaderPage, Window, in_memory, split_header};

/// One block as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its height.
    pub height: Height,
    /// Its first sequence number.
    pub first_sequence: SequenceNumber,
    /// How many sequence numbers it takes.
    pub command_count: u64,
    /// Outcome hash of the block before, as the writer gave it.
    pub previous_outcome: Digest,
    /// The payload.
    pub payload: Vec<u8>,
    /// Hash of the record: what the next one names as its predecessor.
    pub hash: Digest,
    /// Where it lies.
    pub location: Location,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// In which segment.
    pub segment: SegmentNumber,
    /// Where its header starts.
    pub offset: u64,
}

/// What has been read and found good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Commands in them.
    pub commands: u64,
    /// Bytes they take on disk, headers and padding included.
    pub bytes: u64,
    /// Height of the last one, zero if there is none.
    pub last_height: Height,
    /// Last sequence number, zero if there is none.
    pub last_sequence: SequenceNumber,
}

/// Reads a journal from its first record to its end.
#[derive(Debug)]
pub struct JournalReader {
    disk: Arc<dyn Disk>,
    identity: Identity,
    instance: InstanceId,
    /// The segments after the one in the window.
    later: Vec<SegmentNumber>,
    window: Window,
    offset: u64,
    chain: Chain,
    totals: Totals,
    ending: Option<Ending>,
}

impl JournalReader {
    /// Opens the journal in this data directory, which must belong to `identity`.
    pub fn open(data_directory: &Path, identity: &Identity) -> Result<Self, StoreError> {
        let disk = open_to_read(data_directory)?;
        Self::open_on(disk, Some(identity))
    }

    /// Opens the journal on this disk, whosever it is if no identity is given.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        expected: Option<&Identity>,
    ) -> Result<Self, StoreError> {
        let mut later = segments(&*disk)?;
        if later.is_empty() {
            return Err(StoreError::NoJournal {
                directory: disk.directory(),
            });
        }
        let mut window = Window::open(&*disk, later.remove(0))?;
        let header = match window.header_page()? {
            HeaderPage::Valid(header) => header,
            HeaderPage::Blank => return Err(window.corruption(0, "the segment header is gone")),
            HeaderPage::Damaged => {
                return Err(window.corruption(0, "the segment header is damaged"));
            }
        };
        if let Some(expected) = expected {
            check_identity(&*disk, &header.identity, expected)?;
        }
        let misplaced = (header.segment != window.number() || header.length != window.length())
            .then(|| "the header is that of another segment".to_owned());
        if let Some(what) = misplaced.or_else(|| Chain::START.mismatch(&header)) {
            return Err(window.corruption(0, what));
        }
        Ok(Self {
            disk,
            identity: header.identity,
            instance: header.instance,
            later,
            window,
            offset: PAGE as u64,
            chain: Chain::START,
            totals: Totals::default(),
            ending: None,
        })
    }

    /// The next record. `Ok(None)`: the journal ends here, cleanly or torn ([`Self::ending`]).
    /// After an error the reader stays where it is.
    pub fn next_record(&mut self) -> Result<Option<Record>, StoreError> {
        while self.ending.is_none() {
            match self.read()? {
                Found::Record(record, length, chain) => {
                    self.accept(&record, length, chain);
                    return Ok(Some(record));
                }
                Found::Nothing => self.leave(None)?,
                Found::Damage(damage) => self.leave(Some(damage))?,
            }
        }
        Ok(None)
    }

    /// How the journal ends, once [`Self::next_record`] has returned `None`.
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// What has been read so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whose journal it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The random name of the data directory.
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The segment of the last good record, how far it is used, and how long it is.
    pub(crate) const fn position(&self) -> (SegmentNumber, u64, u64) {
        (self.window.number(), self.offset, self.window.length())
    }

    /// The chain after the last good record.
    pub(crate) const fn chain(&self) -> Chain {
        self.chain
    }

    /// The segments after that of the last good record.
    pub(crate) fn later_segments(&self) -> &[SegmentNumber] {
        &self.later
    }

    /// Reads what is at the current offset.
    fn read(&mut self) -> Result<Found, StoreError> {
        let offset = self.offset;
        let room = self.window.length() - offset;
        if room == 0 {
            return Ok(Found::Nothing);
        }
        let page = self.window.bytes(offset, PAGE as u64)?;
        if is_zero(page) {
            return Ok(Found::Nothing);
        }
        let (header_bytes, _) = split_header(page);
        let record_hash = hash(header_bytes);
        let header = match RecordHeader::decode(header_bytes) {
            Ok(header) => header,
            Err(HeaderFault::Damaged) => return Ok(Found::damage("header", PAGE as u64)),
            Err(HeaderFault::Newer(_) | HeaderFault::Illegal) => {
                return Err(self
                    .window
                    .corruption(offset, "the record header is not legal"));
            }
        };
        let chain = self.check_place(&header, record_hash)?;
        let length = record_length(header.payload_length).filter(|length| *length <= room);
        let Some(length) = length else {
            let what = "the record reaches beyond its segment";
            return Err(self.window.corruption(offset, what));
        };
        let record = self.window.bytes(offset, length)?;
        let (_, rest) = split_header(record);
        let (payload, padding) = rest.split_at(in_memory(header.payload_length));
        if hash(payload) != header.payload_hash {
            return Ok(Found::damage("payload", length));
        }
        if !is_zero(padding) {
            return Ok(Found::damage("padding", length));
        }
        let record = Record {
            height: header.height,
            first_sequence: header.first_sequence,
            command_count: header.command_count,
            previous_outcome: header.previous_outcome,
            payload: payload.to_vec(),
            hash: record_hash,
            location: Location {
                segment: header.segment,
                offset,
            },
        };
        Ok(Found::Record(record, length, chain))
    }

    /// A header whose checksum holds was written on purpose. If it belongs elsewhere, no crash put
    /// it here.
    fn check_place(&self, header: &RecordHeader, hash: Digest) -> Result<Chain, StoreError> {
        let wrong = if header.instance != self.instance {
            Err(format!("a record of another instance, {}", header.instance))
        } else if header.segment != self.window.number() || header.offset != self.offset {
            let (segment, offset) = (header.segment.get(), header.offset);
            Err(format!(
                "the record of segment {segment}, offset {offset} is in the wrong place"
            ))
        } else if header.height <= header.durable_upto {
            Err("a record cannot be durable before it is written".to_owned())
        } else {
            self.chain.follow(header, hash)
        };
        wrong.map_err(|what| self.window.corruption(self.offset, what))
    }

    fn accept(&mut self, record: &Record, length: u64, chain: Chain) {
        self.chain = chain;
        self.offset += length;
        self.totals = Totals {
            records: self.totals.records + 1,
            commands: self.totals.commands + record.command_count,
            bytes: self.totals.bytes + length,
            last_height: chain.last_height(),
            last_sequence: chain.last_sequence(),
        };
    }

    /// Goes on to the next segment, or ends.
    fn leave(&mut self, damage: Option<Damage>) -> Result<(), StoreError> {
        let sequel = find_sequel(
            &*self.disk,
            (self.identity, self.instance),
            self.chain,
            (&mut self.window, self.offset, damage),
            &self.later,
        )?;
        match sequel {
            Sequel::Segment(window) => {
                self.window = window;
                self.offset = PAGE as u64;
                self.later.remove(0);
            }
            Sequel::End(ending) => self.ending = Some(ending),
        }
        Ok(())
    }
}

/// What is at a place where a record may start.
enum Found {
    /// A good record, its length on disk, and the chain after it.
    Record(Record, u64, Chain),
    Nothing,
    Damage(Damage),
}

impl Found {
    const fn damage(part: &'static str, length: u64) -> Self {
        Self::Damage(Damage { part, length })
    }
}

/// The disk of a data directory, to read.
pub(crate) fn open_to_read(data_directory: &Path) -> Result<Arc<dyn Disk>, StoreError> {
    match RealDisk::open_to_read(data_directory)? {
        Some(disk) => Ok(Arc::new(disk)),
        None => Err(StoreError::NoJournal {
            directory: data_directory.to_owned(),
        }),
    }
}

/// All segments in order: consecutive from 1, or one is missing.
pub(crate) fn segments(disk: &dyn Disk) -> Result<Vec<SegmentNumber>, StoreError> {
    let names = disk.names().context("list", &disk.directory())?;
    let mut numbers: Vec<_> = names
        .iter()
        .filter_map(|name| SegmentNumber::from_file_name(name))
        .collect();
    numbers.sort_unstable();
    let mut expected = SegmentNumber::FIRST;
    for number in &numbers {
        if *number != expected {
            return Err(StoreError::Corruption {
                file: disk.path(&expected.file_name()),
                offset: 0,
                what: format!("the segment is missing, {} is there", number.file_name()),
            });
        }
        expected = expected.next();
    }
    Ok(numbers)
}

fn check_identity(
    disk: &dyn Disk,
    found: &Identity,
    expected: &Identity,
) -> Result<(), StoreError> {
    let directory = disk.directory();
    if found.network != expected.network {
        return Err(StoreError::WrongNetwork {
            directory,
            expected: expected.network,
            found: found.network,
        });
    }
    if found.genesis_hash != expected.genesis_hash {
        return Err(StoreError::WrongGenesis {
            directory,
            expected: expected.genesis_hash,
            found: found.genesis_hash,
        });
    }
    Ok(())
}
