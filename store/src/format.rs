//! What lies on disk, byte by byte, and why a tear can be told from rot.
//!
//! All integers are little-endian, all hashes are BLAKE3, all reserved bytes are zero, a page is
//! 4,096 bytes. A data directory `D` holds:
//!
//! | name | what |
//! |---|---|
//! | `D/journal/00000000000000000001.keel` | segment 1; then 2, 3, … without gaps, 20 digits |
//! | `D/journal/lock` | empty; locked (`flock`) by the one process that may write in either folder |
//! | `D/journal/torn-<segment>-<offset>-<n>.bin` | the bytes of a torn tail, copied before it was cut |
//! | `D/journal/*.tmp` | a segment in preparation; removed at the next start |
//! | `D/checkpoints/00000000000000000042.keel` | the checkpoint after the block of height 42 |
//! | `D/checkpoints/*.tmp` | a checkpoint in preparation; removed at the next start |
//!
//! Segments may be missing from the front, if a checkpoint holds all that was in them.
//!
//! # Segment
//!
//! A file of fixed length, a multiple of the page size. It is written full of zeros and synced
//! under a temporary name, then renamed, then the directory is synced; only then is it used. So a
//! segment never changes its length, and a commit writes no file-system metadata.
//! The first page is its header; records follow from offset 4,096; what is not used stays zero.
//! A segment whose first page is zero is not begun yet. Segment 1 gets its header before it gets
//! its name, so its header is always there.
//!
//! Segment header, by offset:
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 8 | magic `keelsegm` |
//! | 8 | 4 | format version u32, 1 |
//! | 12 | 4 | network id u32 |
//! | 16 | 16 | instance id: random, drawn when the directory was created |
//! | 32 | 32 | genesis hash |
//! | 64 | 8 | segment number u64 |
//! | 72 | 8 | length of this file u64 |
//! | 80 | 8 | height of its first record u64 |
//! | 88 | 8 | first sequence number of its first record u64 |
//! | 96 | 32 | hash of the record before its first one; zero in segment 1 |
//! | 128 | 96 | reserved |
//! | 224 | 32 | checksum: hash of bytes 0..224 |
//! | 256 | 3,840 | zero |
//!
//! In every format version magic, version and checksum stay where they are, so an older build can
//! tell a newer format from damage. A new version begins with a new segment.
//!
//! # Record
//!
//! One block: a header of 256 bytes, the payload, zeros up to the next page boundary. It starts on a
//! page boundary and never spans segments: one that does not fit begins the next segment.
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 8 | magic `keelrecd` |
//! | 8 | 2 | format version u16, that of the segment |
//! | 10 | 6 | reserved |
//! | 16 | 16 | instance id |
//! | 32 | 8 | height u64, from 1, consecutive |
//! | 40 | 8 | sequence number of its first command u64, from 1, consecutive |
//! | 48 | 8 | number of its commands u64 |
//! | 56 | 8 | payload length u64 |
//! | 64 | 8 | own segment number u64 |
//! | 72 | 8 | own offset u64 |
//! | 80 | 8 | durable up to u64: a height, see below |
//! | 88 | 8 | reserved |
//! | 96 | 32 | previous hash: of the 256 header bytes of the record before; zero in the first |
//! | 128 | 32 | payload hash |
//! | 160 | 32 | previous outcome: opaque here, outcome hash of the block before |
//! | 192 | 32 | reserved |
//! | 224 | 32 | checksum: hash of bytes 0..224 |
//! | 256 | payload length | payload |
//! | … | to the page boundary | zero |
//!
//! The hash of a record is that of its 256 header bytes, so the chain covers payloads through their
//! hashes. Instance, segment number and offset make a valid record in a wrong place visible.
//!
//! # Tear or rot
//!
//! A crash may leave any part of the last, unsynced batch. Nothing else may ever differ from what
//! was written. `durable up to` is a height that was durable before this record was written, so a
//! valid record is a witness: everything up to that height once was on disk. One batch may reach
//! into the next segment, but nothing is written there before the segment it leaves is synced. So
//! a segment header is a witness for everything before it, and a tear lies within one segment.
//!
//! The journal ends at the first place that holds no valid record of the expected height `h`. If all
//! bytes after it are zero, the end is clean. Otherwise every later page is searched:
//!
//! - a valid header there that is a witness for `h`, or that could not come after a record of height
//!   `h`, or any bytes beyond the next segment or in two segments: corruption. Nothing is cut, the
//!   node does not start. A valid header of the same batch proves nothing: writes may land in any
//!   order;
//! - a header of this instance that names another place than where it is: a write went astray, and no
//!   crash does that: corruption;
//! - a header whose checksum holds at the place itself, but which names another place, instance or
//!   predecessor, is never the result of a crash: corruption;
//! - otherwise it is a torn tail: its bytes are copied aside, overwritten with zeros, synced, and the
//!   journal goes on from there.
//!
//! What this cannot see: rot in the last batch looks like a tear, and a last batch that turned into
//! zeros entirely looks like a clean end. Only a checkpoint of it, or a second copy elsewhere, can
//! tell these apart.
//! If the header of the bad record is unreadable, the search also meets pages of its payload, which
//! strangers chose. To bear false witness they would need the instance id, which is never published;
//! and all it could do is halt the node, never cut anything.
//!
//! # Checkpoint
//!
//! What the journal means up to one height, in two sections that are opaque here: so a start need
//! not read the journal from its front. A checkpoint is written and synced under a temporary name,
//! then renamed, then the directory is synced; after that it never changes. It is made of blocks
//! that are durable in the journal.
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 8 | magic `keelchkp` |
//! | 8 | 4 | format version u32, 3; 1 and 2 are read too, and differ in what section 1 means |
//! | 12 | 4 | network id u32 |
//! | 16 | 16 | instance id |
//! | 32 | 32 | genesis hash |
//! | 64 | 8 | height u64, as in the file's name |
//! | 72 | 8 | sequence number of the last command u64 |
//! | 80 | 32 | record hash: of the 256 header bytes of the journal's record of that height |
//! | 112 | 32 | outcome hash of that block; opaque here |
//! | 144 | 32 | state root; opaque here |
//! | 176 | 8 | length of section 0 u64 |
//! | 184 | 8 | length of section 1 u64 |
//! | 192 | 32 | payload hash: of all bytes from offset 4,096 on, padding included |
//! | 224 | 32 | checksum: hash of bytes 0..224 |
//! | 256 | 3,840 | zero |
//! | 4,096 | | section 0, zeros up to the next page boundary |
//! | … | | section 1, zeros up to the next page boundary; the file ends here |
//!
//! The record hash ties a checkpoint to one history. A journal that ends before a checkpoint's height
//! or holds another record there has lost what was durable, or is another one. So a checkpoint is
//! also a witness: nothing up to its height is ever a torn tail.

use types::outcome::Digest;
use types::{Height, NetworkId, SequenceNumber};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::segment::SegmentNumber;

/// Everything on disk starts and ends on a multiple of this many bytes: the unit of direct writes.
pub const PAGE: usize = 4_096;

/// Length of segment and record headers.
pub const HEADER_LENGTH: usize = 256;

/// Version of the format described here.
pub const FORMAT_VERSION: u32 = 1;

/// Which history a journal belongs to: what all nodes of a network have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The network.
    pub network: NetworkId,
    /// Hash of the genesis that it started from.
    pub genesis_hash: Digest,
}

/// Random name of one data directory, so that a file of another one is never taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceId([u8; 16]);

impl InstanceId {
    /// Wraps 16 bytes; the caller brings the entropy.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for InstanceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Bytes that a record with such a payload takes on disk. `None`: more than a file can have.
pub fn record_length(payload_length: u64) -> Option<u64> {
    payload_length
        .checked_add(HEADER_LENGTH as u64)?
        .checked_next_multiple_of(PAGE as u64)
}

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(PAGE)
        .all(|chunk| *chunk == ZERO_PAGE[..chunk.len()])
}

static ZERO_PAGE: [u8; PAGE] = [0; PAGE];

/// Why 256 bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Wrong magic or checksum: a tear or rot.
    Damaged,
    /// Of a later format version.
    Newer(u32),
    /// The checksum holds, but no version of this program wrote this.
    Illegal,
}

/// A checked segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) identity: Identity,
    pub(crate) instance: InstanceId,
    pub(crate) segment: SegmentNumber,
    pub(crate) length: u64,
    pub(crate) first_height: Height,
    pub(crate) first_sequence: SequenceNumber,
    pub(crate) previous_hash: Digest,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SegmentLayout {
    magic: [u8; 8],
    version: U32,
    network: U32,
    instance: [u8; 16],
    genesis_hash: [u8; 32],
    segment: U64,
    length: U64,
    first_height: U64,
    first_sequence: U64,
    previous_hash: [u8; 32],
    reserved: [u8; 96],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<SegmentLayout>() == HEADER_LENGTH);

const SEGMENT_MAGIC: [u8; 8] = *b"keelsegm";

impl SegmentHeader {
    /// The bytes of the header, without the rest of its page.
    pub(crate) fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut layout = SegmentLayout {
            magic: SEGMENT_MAGIC,
            version: U32::new(FORMAT_VERSION),
            network: U32::new(self.identity.network.get()),
            instance: self.instance.0,
            genesis_hash: *self.identity.genesis_hash.as_bytes(),
            segment: U64::new(self.segment.get()),
            length: U64::new(self.length),
            first_height: U64::new(self.first_height.get()),
            first_sequence: U64::new(self.first_sequence.get()),
            previous_hash: *self.previous_hash.as_bytes(),
            reserved: [0; 96],
            checksum: [0; 32],
        };
        layout.checksum = checksum(layout.as_bytes());
        zerocopy::transmute!(layout)
    }

    /// Reads a header. Total: any bytes give a header or a fault.
    pub(crate) fn decode(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, HeaderFault> {
        let layout: &SegmentLayout = zerocopy::transmute_ref!(bytes);
        if layout.magic != SEGMENT_MAGIC || layout.checksum != checksum(bytes) {
            return Err(HeaderFault::Damaged);
        }
        if FORMAT_VERSION < layout.version.get() {
            return Err(HeaderFault::Newer(layout.version.get()));
        }
        if layout.version.get() != FORMAT_VERSION || !is_zero(&layout.reserved) {
            return Err(HeaderFault::Illegal);
        }
        Ok(Self {
            identity: Identity {
                network: NetworkId::new(layout.network.get()),
                genesis_hash: Digest::new(layout.genesis_hash),
            },
            instance: InstanceId(layout.instance),
            segment: SegmentNumber::new(layout.segment.get()),
            length: layout.length.get(),
            first_height: Height::new(layout.first_height.get()),
            first_sequence: SequenceNumber::new(layout.first_sequence.get()),
            previous_hash: Digest::new(layout.previous_hash),
        })
    }
}

/// A checked record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) instance: InstanceId,
    pub(crate) height: Height,
    pub(crate) first_sequence: SequenceNumber,
    pub(crate) command_count: u64,
    pub(crate) payload_length: u64,
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
    pub(crate) durable_upto: Height,
    pub(crate) previous_hash: Digest,
    pub(crate) payload_hash: Digest,
    pub(crate) previous_outcome: Digest,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RecordLayout {
    magic: [u8; 8],
    version: U16,
    reserved_0: [u8; 6],
    instance: [u8; 16],
    height: U64,
    first_sequence: U64,
    command_count: U64,
    payload_length: U64,
    segment: U64,
    offset: U64,
    durable_upto: U64,
    reserved_1: [u8; 8],
    previous_hash: [u8; 32],
    payload_hash: [u8; 32],
    previous_outcome: [u8; 32],
    reserved_2: [u8; 32],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<RecordLayout>() == HEADER_LENGTH);

const RECORD_MAGIC: [u8; 8] = *b"keelrecd";

impl RecordHeader {
    /// The bytes of the header.
    pub(crate) fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut layout = RecordLayout {
            magic: RECORD_MAGIC,
            version: U16::new(FORMAT_VERSION as u16),
            reserved_0: [0; 6],
            instance: self.instance.0,
            height: U64::new(self.height.get()),
            first_sequence: U64::new(self.first_sequence.get()),
            command_count: U64::new(self.command_count),
            payload_length: U64::new(self.payload_length),
            segment: U64::new(self.segment.get()),
            offset: U64::new(self.offset),
            durable_upto: U64::new(self.durable_upto.get()),
            reserved_1: [0; 8],
            previous_hash: *self.previous_hash.as_bytes(),
            payload_hash: *self.payload_hash.as_bytes(),
            previous_outcome: *self.previous_outcome.as_bytes(),
            reserved_2: [0; 32],
            checksum: [0; 32],
        };
        layout.checksum = checksum(layout.as_bytes());
        zerocopy::transmute!(layout)
    }

    /// Reads a header. Total: any bytes give a header or a fault.
    pub(crate) fn decode(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, HeaderFault> {
        let layout: &RecordLayout = zerocopy::transmute_ref!(bytes);
        if layout.magic != RECORD_MAGIC || layout.checksum != checksum(bytes) {
            return Err(HeaderFault::Damaged);
        }
        let reserved = [
            &layout.reserved_0[..],
            &layout.reserved_1[..],
            &layout.reserved_2[..],
        ];
        let known = u32::from(layout.version.get()) == FORMAT_VERSION;
        if !known || !reserved.into_iter().all(is_zero) {
            return Err(HeaderFault::Illegal);
        }
        Ok(Self {
            instance: InstanceId(layout.instance),
            height: Height::new(layout.height.get()),
            first_sequence: SequenceNumber::new(layout.first_sequence.get()),
            command_count: layout.command_count.get(),
            payload_length: layout.payload_length.get(),
            segment: SegmentNumber::new(layout.segment.get()),
            offset: layout.offset.get(),
            durable_upto: Height::new(layout.durable_upto.get()),
            previous_hash: Digest::new(layout.previous_hash),
            payload_hash: Digest::new(layout.payload_hash),
            previous_outcome: Digest::new(layout.previous_outcome),
        })
    }
}

/// The hash of any bytes, as the journal's own type.
pub(crate) fn hash(bytes: &[u8]) -> Digest {
    Digest::new(*blake3::hash(bytes).as_bytes())
}

/// The checksum of a header: of its bytes before the checksum.
pub(crate) fn checksum(header: &[u8]) -> [u8; 32] {
    *blake3::hash(&header[..CHECKSUM_OFFSET]).as_bytes()
}

const CHECKSUM_OFFSET: usize = HEADER_LENGTH - 32;

const _: () = assert!(FORMAT_VERSION <= u16::MAX as u32);
const _: () = assert!(HEADER_LENGTH <= PAGE);

#[cfg(test)]
mod tests {
    use super::*;

    fn segment_header() -> SegmentHeader {
        SegmentHeader {
            identity: Identity {
                network: NetworkId::new(0x0102_0304),
                genesis_hash: Digest::new([5; 32]),
            },
            instance: InstanceId::new([6; 16]),
            segment: SegmentNumber::new(7),
            length: 8 * PAGE as u64,
            first_height: Height::new(9),
            first_sequence: SequenceNumber::new(10),
            previous_hash: Digest::new([11; 32]),
        }
    }

    fn record_header() -> RecordHeader {
        RecordHeader {
            instance: InstanceId::new([1; 16]),
            height: Height::new(2),
            first_sequence: SequenceNumber::new(3),
            command_count: 4,
            payload_length: 5,
            segment: SegmentNumber::new(6),
            offset: 7 * PAGE as u64,
            durable_upto: Height::new(1),
            previous_hash: Digest::new([8; 32]),
            payload_hash: Digest::new([9; 32]),
            previous_outcome: Digest::new([10; 32]),
        }
    }

    /// A change of these values is a change of the format: new version, new reader, changelog.
    #[test]
    fn the_format_is_frozen() {
        assert_eq!(
            hash(&segment_header().encode()).to_string(),
            "b25217f0f5beca939cfa6b4a1c8067c4b0d66c5bef4f6b23fcae143aa5325bca"
        );
        assert_eq!(
            hash(&record_header().encode()).to_string(),
            "c2f923ba501745bb10059e4d8804446b1f940fd621003baa08a55e14850995f0"
        );
        let segment = segment_header().encode();
        assert_eq!(segment[..16], *b"keelsegm\x01\0\0\0\x04\x03\x02\x01");
        let record = record_header().encode();
        assert_eq!(record[..10], *b"keelrecd\x01\0");
        assert_eq!(record[72..80], (7 * PAGE as u64).to_le_bytes());
    }

    #[test]
    fn headers_survive_the_round_trip() {
        assert_eq!(
            SegmentHeader::decode(&segment_header().encode()),
            Ok(segment_header())
        );
        assert_eq!(
            RecordHeader::decode(&record_header().encode()),
            Ok(record_header())
        );
    }

    #[test]
    fn a_valid_checksum_is_not_enough() {
        for (offset, value, expected) in [
            (8, 2, HeaderFault::Newer(2)),
            (8, 0, HeaderFault::Illegal),
            (128, 1, HeaderFault::Illegal),
            (223, 1, HeaderFault::Illegal),
            (0, 1, HeaderFault::Damaged),
        ] {
            let mut bytes = segment_header().encode();
            bytes[offset] = value;
            seal(&mut bytes);
            assert_eq!(SegmentHeader::decode(&bytes), Err(expected), "{offset}");
        }
        for (offset, value, expected) in [
            (8, 2, HeaderFault::Illegal),
            (10, 1, HeaderFault::Illegal),
            (88, 1, HeaderFault::Illegal),
            (192, 1, HeaderFault::Illegal),
            (0, 1, HeaderFault::Damaged),
        ] {
            let mut bytes = record_header().encode();
            bytes[offset] = value;
            seal(&mut bytes);
            assert_eq!(RecordHeader::decode(&bytes), Err(expected), "{offset}");
        }
    }

    fn seal(bytes: &mut [u8; HEADER_LENGTH]) {
        let checksum = checksum(bytes);
        bytes[CHECKSUM_OFFSET..].copy_from_slice(&checksum);
    }

    #[test]
    fn lengths_are_padded_and_never_wrap() {
        for (payload, expected) in [
            (0, Some(4_096)),
            (3_840, Some(4_096)),
            (3_841, Some(8_192)),
            (u64::MAX - 256, None),
            (u64::MAX, None),
        ] {
            assert_eq!(record_length(payload), expected, "{payload}");
        }
    }
}
