//! Reading: every record in order, each byte checked, up to where the journal ends.
//!
//! Checked are checksums, the hash chain, positions, instance, consecutive heights and sequence
//! numbers, and that all padding is zero. Never writes. Reading beside a running writer is
//! harmless, but may see its last batch half written and call it a torn tail.

use std::path::Path;
use std::sync::Arc;

use types::outcome::Digest;
use types::planted::{Bug, is_planted};
use types::{Height, SequenceNumber};

use crate::chain::Chain;
use crate::disk::Disk;
use crate::ending::{Damage, Ending, Sequel, find_sequel};
use crate::error::StoreError;
use crate::folders::Folders;
use crate::format::{
    HEADER_LENGTH, HeaderFault, Identity, InstanceId, PAGE, RecordHeader, SegmentHeader, hash,
    is_zero, record_length,
};
use crate::segment::SegmentNumber;
use crate::start::{After, Start, check_first, open_first};
use crate::window::{Window, in_memory, split_header};

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
    /// Records, from where reading started.
    pub records: u64,
    /// Commands in them.
    pub commands: u64,
    /// Bytes they take on disk, headers and padding included.
    pub bytes: u64,
    /// Height of the last one, zero if there is none.
    pub last_height: Height,
    /// Last sequence number, zero if there is none.
    pub last_sequence: SequenceNumber,
    /// Checkpoints; only [`verify()`](crate::verify()) looks at them.
    pub checkpoints: u64,
}

/// Reads a journal to its end.
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
    /// Opens the journal in this data directory, which must belong to `identity`, at its first
    /// record.
    pub fn open(data_directory: &Path, identity: &Identity) -> Result<Self, StoreError> {
        Self::open_in(&Folders::open(data_directory), identity, None)
    }

    /// Opens it after a checkpoint, or at its first record. Records of the segment in which it
    /// starts are checked, also those up to the checkpoint; segments before are not looked at.
    pub fn open_in(
        folders: &Folders,
        identity: &Identity,
        after: Option<&After>,
    ) -> Result<Self, StoreError> {
        let start = after.map_or(Start::Genesis, Start::After);
        Self::open_on(Arc::clone(&folders.journal), Some(identity), start)
    }

    /// Opens the journal on this disk, whosever it is if no identity is given.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        expected: Option<&Identity>,
        start: Start<'_>,
    ) -> Result<Self, StoreError> {
        let (window, header, later) = open_first(&*disk, start)?;
        if let Some(expected) = expected {
            check_identity(&*disk, &header.identity, expected)?;
        }
        let mut reader = Self {
            disk,
            identity: header.identity,
            instance: header.instance,
            later,
            window,
            offset: PAGE as u64,
            chain: Chain::START,
            totals: Totals::default(),
            ending: None,
        };
        if let Start::After(after) = start {
            reader.check_instance(after)?;
        }
        reader.chain = check_first(&reader.window, &header)?;
        if let Start::After(after) = start {
            reader.pass_over(after)?;
        }
        let (last_height, last_sequence) =
            (reader.chain.last_height(), reader.chain.last_sequence());
        reader.totals = Totals {
            last_height,
            last_sequence,
            ..Totals::default()
        };
        Ok(reader)
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

    /// Whether a checkpoint was made in this data directory.
    pub(crate) fn check_instance(&self, after: &After) -> Result<(), StoreError> {
        match after.instance == self.instance {
            true => Ok(()),
            false => Err(StoreError::WrongInstance {
                directory: self.disk.directory(),
                expected: self.instance,
                found: after.instance,
            }),
        }
    }

    /// Reads what the checkpoint covers, and compares where it ends.
    fn pass_over(&mut self, after: &After) -> Result<(), StoreError> {
        while self.chain.next_height <= after.height {
            if self.next_record()?.is_none() {
                return Err(self.lost(after));
            }
        }
        after
            .mismatch(self.chain.previous_hash, self.chain.last_sequence())
            .map_or(Ok(()), |what| Err(self.rolled_back(after, what)))
    }

    /// What the checkpoint proves about a journal that ends before it.
    fn lost(&self, after: &After) -> StoreError {
        match &self.ending {
            Some(Ending::Torn(tail)) => tail.denied(after.height),
            _ => self.rolled_back(
                after,
                format!("it ends with height {}", self.chain.last_height()),
            ),
        }
    }

    fn rolled_back(&self, after: &After, what: impl Into<String>) -> StoreError {
        StoreError::RolledBack {
            directory: self.disk.directory(),
            height: after.height,
            what: what.into(),
        }
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
            Err(HeaderFault::Damaged) if is_segment_header(header_bytes, self.instance) => {
                let what = "a segment header is in the wrong place";
                return Err(self.window.corruption(offset, what));
            }
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
        if hash(payload) != header.payload_hash && !is_planted(Bug::PayloadNotHashed) {
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
            checkpoints: 0,
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

fn is_segment_header(bytes: &[u8; HEADER_LENGTH], instance: InstanceId) -> bool {
    SegmentHeader::decode(bytes).is_ok_and(|header| header.instance == instance)
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

/// Whether something on this disk belongs to the caller.
pub(crate) fn check_identity(
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
