//! Writing: blocks are appended in memory, then made durable together.
//!
//! [`Journal::append`] does no I/O. [`Journal::commit`] writes all that was appended, one write per
//! segment touched, and syncs; what it returns is durable. Nothing is written to a segment before
//! the one it leaves is synced ([`format`](crate::format) tells why).
//!
//! A journal comes out of a [`Recovery`](crate::Recovery), also for a new directory.

use std::io;
use std::sync::Arc;

use types::outcome::Digest;
use types::planted::{Bug, is_planted};
use types::{Height, SequenceNumber};

use crate::aligned::AlignedBuffer;
use crate::chain::Chain;
use crate::disk::{Disk, write_all_at};
use crate::error::{Context, StoreError};
use crate::format::{
    HEADER_LENGTH, Identity, InstanceId, PAGE, RecordHeader, SegmentHeader, hash, record_length,
};
use crate::prepare::{PreparedSegment, SegmentPreparer, prepare_now};
use crate::segment::{SegmentLength, SegmentNumber};
use crate::window::in_memory;

/// A block to append; its payload comes beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Its height: [`Journal::next_height`].
    pub height: Height,
    /// Its first sequence number: [`Journal::next_sequence`].
    pub first_sequence: SequenceNumber,
    /// How many sequence numbers it takes.
    pub command_count: u64,
    /// Outcome hash of the block before. Not interpreted here.
    pub previous_outcome: Digest,
}

/// The end of the log, open for writing, by one owner.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    identity: Identity,
    instance: InstanceId,
    /// Length of segments to come.
    segment_length: SegmentLength,
    /// The segment that was last written to.
    current: OpenSegment,
    /// The segment after it, if it is ready.
    prepared: Option<PreparedSegment>,
    /// The highest segment that was asked for.
    wanted: SegmentNumber,
    /// What was appended and not yet written: the bytes of all pieces, one after the other.
    buffer: AlignedBuffer,
    pieces: Vec<Piece>,
    /// Where the next record goes.
    place: Place,
    chain: Chain,
    durable: Height,
    /// What will be durable by the time the last piece is written: the last height before it.
    durable_before_piece: Height,
    poisoned: bool,
}

/// A segment under its final name, open to write.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) number: SegmentNumber,
    pub(crate) file: Box<dyn crate::disk::DiskFile>,
}

/// A place in a segment of this length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Buffered bytes that go to one place.
#[derive(Clone, Copy, Debug)]
struct Piece {
    segment: SegmentNumber,
    offset: u64,
    length: usize,
}

/// What recovery found out, and a journal goes on from.
#[derive(Debug)]
pub(crate) struct Continuation {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) identity: Identity,
    pub(crate) instance: InstanceId,
    pub(crate) segment_length: SegmentLength,
    pub(crate) current: OpenSegment,
    pub(crate) prepared: Option<PreparedSegment>,
    pub(crate) place: Place,
    pub(crate) chain: Chain,
}

impl Journal {
    /// Bytes that are buffered without growing: a large batch at full load.
    const BUFFER_CAPACITY: usize = 1 << 20;

    pub(crate) fn new(from: Continuation) -> Self {
        assert_eq!(from.current.number, from.place.segment);
        Self {
            wanted: from.current.number,
            disk: from.disk,
            identity: from.identity,
            instance: from.instance,
            segment_length: from.segment_length,
            current: from.current,
            prepared: from.prepared,
            buffer: AlignedBuffer::with_capacity(Self::BUFFER_CAPACITY),
            pieces: Vec::new(),
            place: from.place,
            chain: from.chain,
            durable: from.chain.last_height(),
            durable_before_piece: from.chain.last_height(),
            poisoned: false,
        }
    }

    /// Appends a block to the batch that the next commit writes. Panics if its height or sequence
    /// number is not the next one. Returns the record's hash, which a checkpoint of this height names.
    pub fn append(&mut self, record: &NewRecord, payload: &[u8]) -> Result<Digest, StoreError> {
        self.check_not_poisoned()?;
        assert_eq!(record.height, self.chain.next_height);
        assert_eq!(record.first_sequence, self.chain.next_sequence);
        let length = self.check_length(payload)?;
        if self.place.length - self.place.offset < length {
            self.begin_segment();
        } else if self.pieces.is_empty() {
            self.begin_piece();
        }
        let header = RecordHeader {
            instance: self.instance,
            height: record.height,
            first_sequence: record.first_sequence,
            command_count: record.command_count,
            payload_length: payload.len() as u64,
            segment: self.place.segment,
            offset: self.place.offset,
            durable_upto: self.durable_before_piece,
            previous_hash: self.chain.previous_hash,
            payload_hash: hash(payload),
            previous_outcome: record.previous_outcome,
        };
        let bytes = header.encode();
        let followed = self.chain.follow(&header, hash(&bytes));
        self.chain = followed.expect("sequence numbers do not run over");
        self.write_to_buffer(length, &bytes, payload);
        Ok(self.chain.previous_hash)
    }

    /// Makes all that was appended durable and returns the height of the last durable block. After
    /// an error the journal is poisoned: what is on disk then is only known after a new recovery.
    pub fn commit(&mut self) -> Result<Height, StoreError> {
        self.check_not_poisoned()?;
        self.poisoned = true;
        self.write_pieces()?;
        self.poisoned = false;
        self.pieces.clear();
        self.buffer.clear();
        self.durable = self.chain.last_height();
        self.durable_before_piece = self.durable;
        Ok(self.durable)
    }

    /// The segment that somebody should prepare now. Names each one once.
    pub fn wants_prepared(&mut self) -> Option<SegmentNumber> {
        let next = self.current.number.next();
        if self.prepared.is_some() || next <= self.wanted {
            return None;
        }
        self.wanted = next;
        Some(next)
    }

    /// Whoever prepared the segment that is wanted has failed: it is named again.
    pub fn preparation_failed(&mut self) {
        self.wanted = self.current.number;
    }

    /// Bytes of records that surely fit into what is ready, so that no commit makes a segment: in
    /// any order, with headers and padding, if no payload is longer than `longest_payload`.
    pub fn room(&self, longest_payload: u64) -> u64 {
        let ready = self.prepared.as_ref().map(PreparedSegment::number);
        let here = self.place.length - self.place.offset;
        if self.place.segment == self.current.number {
            if ready.is_none() {
                return here;
            }
            // A record that does not fit leaves the rest of its segment unused: less than itself.
            let longest = record_length(longest_payload).unwrap_or(u64::MAX);
            let waste = here.min(longest - PAGE as u64);
            here - waste + self.segment_length.room()
        } else if ready == Some(self.place.segment) {
            here
        } else {
            0
        }
    }

    /// Somebody who prepares segments on another thread.
    pub fn preparer(&self) -> SegmentPreparer {
        SegmentPreparer::new(Arc::clone(&self.disk), self.segment_length)
    }

    /// Takes a prepared segment. One that comes too late is of no use and dropped.
    pub fn offer_prepared(&mut self, segment: PreparedSegment) {
        if segment.number == self.current.number.next() && segment.length == self.segment_length {
            self.prepared = Some(segment);
        }
    }

    /// Height of the last durable block, zero if there is none.
    pub const fn durable(&self) -> Height {
        self.durable
    }

    /// Height of the next block to append.
    pub const fn next_height(&self) -> Height {
        self.chain.next_height
    }

    /// First sequence number of the next block to append.
    pub const fn next_sequence(&self) -> SequenceNumber {
        self.chain.next_sequence
    }

    /// Hash of the last record that was appended or recovered; zero if there is none.
    pub const fn last_record_hash(&self) -> Digest {
        self.chain.previous_hash
    }

    /// Bytes that the next commit will write.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.bytes().len()
    }

    /// Whose journal it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The random name of this data directory.
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }

    const fn check_not_poisoned(&self) -> Result<(), StoreError> {
        match self.poisoned {
            true => Err(StoreError::Poisoned),
            false => Ok(()),
        }
    }

    fn check_length(&self, payload: &[u8]) -> Result<u64, StoreError> {
        let room = self.segment_length.room();
        match record_length(payload.len() as u64) {
            Some(length) if length <= room => Ok(length),
            length => Err(StoreError::RecordTooLarge {
                length: length.unwrap_or(u64::MAX),
                room,
            }),
        }
    }

    /// Leaves the rest of the segment unused.
    fn begin_segment(&mut self) {
        self.place = Place {
            segment: self.place.segment.next(),
            offset: 0,
            length: self.segment_length.get(),
        };
        self.durable_before_piece = self.chain.last_height();
        let header = SegmentHeader {
            identity: self.identity,
            instance: self.instance,
            segment: self.place.segment,
            length: self.place.length,
            first_height: self.chain.next_height,
            first_sequence: self.chain.next_sequence,
            previous_hash: self.chain.previous_hash,
        };
        self.begin_piece();
        self.write_to_buffer(PAGE as u64, &header.encode(), &[]);
    }

    fn begin_piece(&mut self) {
        self.pieces.push(Piece {
            segment: self.place.segment,
            offset: self.place.offset,
            length: 0,
        });
    }

    /// Buffers header, payload and padding, and moves on.
    fn write_to_buffer(&mut self, length: u64, header: &[u8; HEADER_LENGTH], payload: &[u8]) {
        let bytes = self.buffer.append(in_memory(length));
        let (head, rest) = bytes.split_at_mut(HEADER_LENGTH);
        let (body, padding) = rest.split_at_mut(payload.len());
        head.copy_from_slice(header);
        body.copy_from_slice(payload);
        padding.fill(0);
        let piece = self.pieces.last_mut();
        piece.expect("a piece was begun before").length += in_memory(length);
        self.place.offset += length;
    }

    fn write_pieces(&mut self) -> Result<(), StoreError> {
        let mut written = 0;
        for piece in &self.pieces {
            if piece.segment != self.current.number {
                let prepared = self.prepared.take();
                self.current = next_segment(&*self.disk, piece, self.segment_length, prepared)?;
            }
            let path = || self.disk.path(&piece.segment.file_name());
            let bytes = &self.buffer.bytes()[written..written + piece.length];
            let file = &*self.current.file;
            let is_last = written + piece.length == self.buffer.bytes().len();
            let done = match is_last || !is_planted(Bug::RotationNotSynced) {
                true => file.write_and_sync(bytes, piece.offset),
                false => write_all_at(file, bytes, piece.offset),
            };
            if let Err(source) = done
                && !is_planted(Bug::FailedSyncIgnored)
            {
                return Err(StoreError::Io {
                    what: "write and sync",
                    path: path(),
                    source,
                });
            }
            written += piece.length;
        }
        assert_eq!(written, self.buffer.bytes().len());
        Ok(())
    }
}

/// The segment that a piece begins: the prepared one, or one that is made now.
fn next_segment(
    disk: &dyn Disk,
    piece: &Piece,
    length: SegmentLength,
    prepared: Option<PreparedSegment>,
) -> Result<OpenSegment, StoreError> {
    assert_eq!(piece.offset, 0, "a new segment is begun with its header");
    let number = piece.segment;
    if let Some(ready) = prepared {
        assert_eq!(ready.number, number, "only the next segment is kept");
        let file = ready.file;
        return Ok(OpenSegment { number, file });
    }
    let name = number.file_name();
    let path = disk.path(&name);
    let file = match disk.open_to_write(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match prepare_now(disk, number, length)? {
                Some(ready) => ready.file,
                // Somebody who prepares ahead was faster by a moment.
                None => disk.open_to_write(&name).context("open", &path)?,
            }
        }
        other => other.context("open", &path)?,
    };
    // Whoever gave the file its name may not have synced the directory yet.
    disk.sync_directory()
        .context("sync directory", &disk.directory())?;
    // It had its length before it got its name: a disk that lost a write of zeros cuts it.
    let found = file.length().context("read the length of", &path)?;
    if found != length.get() {
        return Err(StoreError::Corruption {
            file: path,
            offset: found,
            what: format!("the blank segment should have {} bytes", length.get()),
        });
    }
    Ok(OpenSegment { number, file })
}
