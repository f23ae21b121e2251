//! The thread that runs through all records: what the next one must say about its predecessors.

use types::outcome::Digest;
use types::{Height, SequenceNumber};

use crate::format::{RecordHeader, SegmentHeader};

/// Heights, sequence numbers and hashes are consecutive; writer and reader keep the same chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) next_height: Height,
    pub(crate) next_sequence: SequenceNumber,
    pub(crate) previous_hash: Digest,
}

impl Chain {
    /// Before the first record.
    pub(crate) const START: Self = Self {
        next_height: Height::new(1),
        next_sequence: SequenceNumber::new(1),
        previous_hash: Digest::ZERO,
    };

    /// Height of the last record, zero before the first.
    pub(crate) const fn last_height(&self) -> Height {
        Height::new(self.next_height.get() - 1)
    }

    /// Last sequence number, zero before the first.
    pub(crate) const fn last_sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.next_sequence.get() - 1)
    }

    /// The chain after a record of this hash; otherwise, why the record does not belong here.
    pub(crate) fn follow(&self, record: &RecordHeader, hash: Digest) -> Result<Self, String> {
        if record.height != self.next_height {
            return Err(format!(
                "holds height {} where height {} belongs",
                record.height, self.next_height
            ));
        }
        if record.first_sequence != self.next_sequence {
            return Err(format!(
                "height {} starts at sequence number {}, expected {}",
                record.height, record.first_sequence, self.next_sequence
            ));
        }
        if record.previous_hash != self.previous_hash {
            return Err(format!(
                "height {} does not follow the record before it: the hash chain is broken",
                record.height
            ));
        }
        let next_sequence = self.next_sequence.get().checked_add(record.command_count);
        let next_sequence = next_sequence.ok_or("sequence numbers run over")?;
        Ok(Self {
            next_height: self.next_height.next(),
            next_sequence: SequenceNumber::new(next_sequence),
            previous_hash: hash,
        })
    }

    /// Why a segment with this header does not begin here.
    pub(crate) fn mismatch(&self, segment: &SegmentHeader) -> Option<String> {
        if segment.first_height != self.next_height {
            return Some(format!(
                "height {} is missing: segment {} begins with height {}",
                self.next_height,
                segment.segment.get(),
                segment.first_height
            ));
        }
        let agrees = segment.first_sequence == self.next_sequence
            && segment.previous_hash == self.previous_hash;
        (!agrees).then(|| {
            format!(
                "segment {} does not follow height {}: the hash chain is broken",
                segment.segment.get(),
                self.last_height()
            )
        })
    }
}
