//! The first page of a checkpoint ([`format`](crate::format) has the table), written and read.

use types::outcome::Digest;
use types::{Height, NetworkId, SequenceNumber};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::format::{HEADER_LENGTH, HeaderFault, Identity, InstanceId, PAGE, checksum};
use crate::start::After;

/// Version of the checkpoint format, as it is written.
pub const CHECKPOINT_VERSION: u32 = 4;

/// The oldest version that is read. Versions differ in what section 1 means, which is not known here.
const OLDEST_READ: u32 = 1;

/// What a checkpoint is of: one height of one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointMeta {
    /// Network and genesis.
    pub identity: Identity,
    /// The data directory it was made in.
    pub instance: InstanceId,
    /// Height of the last block in it.
    pub height: Height,
    /// Last sequence number in it.
    pub sequence: SequenceNumber,
    /// Hash of the journal's record of that height.
    pub record_hash: Digest,
    /// Outcome hash of that block. Not interpreted here.
    pub outcome_hash: Digest,
    /// State root after that block. Not interpreted here.
    pub state_root: Digest,
}

impl CheckpointMeta {
    /// Where the journal goes on from it.
    pub const fn after(&self) -> After {
        After {
            instance: self.instance,
            height: self.height,
            sequence: self.sequence,
            record_hash: self.record_hash,
        }
    }
}

/// A checked checkpoint header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointHeader {
    pub(crate) version: u32,
    pub(crate) meta: CheckpointMeta,
    pub(crate) section_lengths: [u64; 2],
    pub(crate) payload_hash: Digest,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CheckpointLayout {
    magic: [u8; 8],
    version: U32,
    network: U32,
    instance: [u8; 16],
    genesis_hash: [u8; 32],
    height: U64,
    sequence: U64,
    record_hash: [u8; 32],
    outcome_hash: [u8; 32],
    state_root: [u8; 32],
    section_lengths: [U64; 2],
    payload_hash: [u8; 32],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<CheckpointLayout>() == HEADER_LENGTH);

const CHECKPOINT_MAGIC: [u8; 8] = *b"keelchkp";

/// Where some fields are, to point at.
pub(crate) const HEIGHT_OFFSET: u64 = 64;
pub(crate) const RECORD_HASH_OFFSET: u64 = 80;
pub(crate) const SECTION_LENGTHS_OFFSET: u64 = 176;

impl CheckpointHeader {
    /// The bytes of the header, without the rest of its page.
    pub(crate) fn encode(&self) -> [u8; HEADER_LENGTH] {
        let meta = &self.meta;
        let mut layout = CheckpointLayout {
            magic: CHECKPOINT_MAGIC,
            version: U32::new(self.version),
            network: U32::new(meta.identity.network.get()),
            instance: *meta.instance.as_bytes(),
            genesis_hash: *meta.identity.genesis_hash.as_bytes(),
            height: U64::new(meta.height.get()),
            sequence: U64::new(meta.sequence.get()),
            record_hash: *meta.record_hash.as_bytes(),
            outcome_hash: *meta.outcome_hash.as_bytes(),
            state_root: *meta.state_root.as_bytes(),
            section_lengths: self.section_lengths.map(U64::new),
            payload_hash: *self.payload_hash.as_bytes(),
            checksum: [0; 32],
        };
        layout.checksum = checksum(layout.as_bytes());
        zerocopy::transmute!(layout)
    }

    /// Reads a header. Total: any bytes give a header or a fault.
    pub(crate) fn decode(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, HeaderFault> {
        let layout: &CheckpointLayout = zerocopy::transmute_ref!(bytes);
        if layout.magic != CHECKPOINT_MAGIC || layout.checksum != checksum(bytes) {
            return Err(HeaderFault::Damaged);
        }
        let version = layout.version.get();
        if CHECKPOINT_VERSION < version {
            return Err(HeaderFault::Newer(version));
        }
        if version < OLDEST_READ {
            return Err(HeaderFault::Illegal);
        }
        Ok(Self {
            version,
            meta: CheckpointMeta {
                identity: Identity {
                    network: NetworkId::new(layout.network.get()),
                    genesis_hash: Digest::new(layout.genesis_hash),
                },
                instance: InstanceId::new(layout.instance),
                height: Height::new(layout.height.get()),
                sequence: SequenceNumber::new(layout.sequence.get()),
                record_hash: Digest::new(layout.record_hash),
                outcome_hash: Digest::new(layout.outcome_hash),
                state_root: Digest::new(layout.state_root),
            },
            section_lengths: layout.section_lengths.map(|length| length.get()),
            payload_hash: Digest::new(layout.payload_hash),
        })
    }

    /// Where the sections start, and how long the file is. `None`: more than a file can have.
    pub(crate) fn places(&self) -> Option<([u64; 2], u64)> {
        let page = PAGE as u64;
        let [first, second] = self.section_lengths;
        let middle = page.checked_add(first.checked_next_multiple_of(page)?)?;
        let end = middle.checked_add(second.checked_next_multiple_of(page)?)?;
        Some(([page, middle], end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::hash;

    fn header() -> CheckpointHeader {
        CheckpointHeader {
            version: CHECKPOINT_VERSION,
            meta: CheckpointMeta {
                identity: Identity {
                    network: NetworkId::new(0x0102_0304),
                    genesis_hash: Digest::new([5; 32]),
                },
                instance: InstanceId::new([6; 16]),
                height: Height::new(7),
                sequence: SequenceNumber::new(8),
                record_hash: Digest::new([9; 32]),
                outcome_hash: Digest::new([10; 32]),
                state_root: Digest::new([11; 32]),
            },
            section_lengths: [12, 13],
            payload_hash: Digest::new([14; 32]),
        }
    }

    /// A change of these values is a change of the format: new version, new reader, changelog.
    #[test]
    fn the_format_is_frozen() {
        let bytes = header().encode();
        let mut expected = Vec::new();
        expected.extend(b"keelchkp\x04\0\0\0\x04\x03\x02\x01");
        expected.extend([6; 16]);
        expected.extend([5; 32]);
        expected.extend([7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
        for field in [9, 10, 11] {
            expected.extend([field; 32]);
        }
        expected.extend([12, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([14; 32]);
        assert_eq!(bytes[..224], expected);
        assert_eq!(
            hash(&bytes).to_string(),
            "d84afc393ac2a69a99d9c9b862f4665e589fc536bf585d60a902c91d1a961ecb"
        );
        let field = |offset: u64| bytes[usize::try_from(offset).unwrap()];
        let fields = [HEIGHT_OFFSET, RECORD_HASH_OFFSET, SECTION_LENGTHS_OFFSET];
        assert_eq!(fields.map(field), [7, 9, 12]);
    }

    #[test]
    fn headers_survive_the_round_trip() {
        for version in OLDEST_READ..=CHECKPOINT_VERSION {
            let header = CheckpointHeader {
                version,
                ..header()
            };
            assert_eq!(CheckpointHeader::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn a_valid_checksum_is_not_enough() {
        for (offset, value, expected) in [
            (8, 5, HeaderFault::Newer(5)),
            (8, 0, HeaderFault::Illegal),
            (0, 1, HeaderFault::Damaged),
        ] {
            let mut bytes = header().encode();
            bytes[offset] = value;
            let sum = checksum(&bytes);
            bytes[HEADER_LENGTH - 32..].copy_from_slice(&sum);
            assert_eq!(CheckpointHeader::decode(&bytes), Err(expected), "{offset}");
        }
    }

    #[test]
    fn lengths_are_padded_and_never_wrap() {
        for (lengths, expected) in [
            ([0, 0], Some(([4_096, 4_096], 4_096))),
            ([1, 0], Some(([4_096, 8_192], 8_192))),
            ([4_096, 4_097], Some(([4_096, 8_192], 16_384))),
            ([u64::MAX, 0], None),
            ([u64::MAX - 4_095, 0], None),
            ([1 << 63, 1 << 63], None),
        ] {
            let header = CheckpointHeader {
                section_lengths: lengths,
                ..header()
            };
            assert_eq!(header.places(), expected, "{lengths:?}");
        }
    }
}
