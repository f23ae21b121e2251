//! Room on the disk: what the pipeline may still send to the journal, and whom it refuses when that
//! runs short.
//!
//! The journal says with every durable mark how much surely fits into what it has ready, and whether
//! it could not get more ready. What was sent since is taken off here. So a node never seals a block
//! that finds no place: it waits while the next segment is being made, and when that failed because
//! the disk is full, it refuses orders, and takes cancels from what is held back for them.

use std::collections::VecDeque;

use types::Height;

/// What the journal has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of records that fit into what is ready.
    pub bytes: u64,
    /// Whether the disk had no room for more.
    pub is_short: bool,
}

/// The sizes that a node goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpacePlan {
    /// No block's payload is longer.
    pub payload_max: u64,
    /// Held back for cancels.
    pub reserve: u64,
}

impl SpacePlan {
    /// For segments of this length: several blocks fit into each.
    pub const fn for_segments(length: u64) -> Self {
        let quarter = length / 4;
        Self {
            payload_max: if quarter < PAYLOAD_MAX {
                quarter
            } else {
                PAYLOAD_MAX
            },
            reserve: length / 8,
        }
    }
}

/// A block is a batch, not a store: beyond this a longer one saves nothing.
const PAYLOAD_MAX: u64 = 4 << 20;

/// What is to become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It goes into the block.
    Take,
    /// The block is full.
    Seal,
    /// It stays where it is until there is room.
    Wait,
    /// It is not taken.
    Refuse,
}

/// The room that is left.
#[derive(Debug)]
pub(crate) struct Space {
    plan: SpacePlan,
    room: Room,
    /// Blocks that the journal has not counted yet, and their bytes.
    sent: VecDeque<(Height, u64)>,
}

impl Space {
    pub(crate) const fn new(plan: SpacePlan, room: Room) -> Self {
        Self {
            plan,
            room,
            sent: VecDeque::new(),
        }
    }

    /// The journal has counted everything up to this height.
    pub(crate) fn counted(&mut self, upto: Height, room: Room) {
        self.room = room;
        while self.sent.front().is_some_and(|(height, _)| *height <= upto) {
            self.sent.pop_front();
        }
        let uncounted: u64 = self.sent.iter().map(|(_, bytes)| bytes).sum();
        // Whoever sends has asked before, so it is there.
        self.room.bytes -= uncounted;
    }

    /// A block goes to the journal.
    pub(crate) fn sent(&mut self, height: Height, payload: u64) {
        let bytes = record_bytes(payload);
        self.sent.push_back((height, bytes));
        self.room.bytes -= bytes;
    }

    /// Whether a block of this payload has room.
    pub(crate) fn fits(&self, payload: u64) -> bool {
        record_bytes(payload) <= self.room.bytes
    }

    /// What is to become of a frame with which the block's payload would be so long.
    pub(crate) fn admit(&self, payload: u64, is_cancel: impl FnOnce() -> bool) -> Admission {
        let needed = record_bytes(payload);
        let Room { bytes, is_short } = self.room;
        if self.plan.payload_max < payload {
            Admission::Seal
        } else if !is_short {
            match needed <= bytes {
                true => Admission::Take,
                false => Admission::Wait,
            }
        } else if needed + self.plan.reserve <= bytes || (needed <= bytes && is_cancel()) {
            Admission::Take
        } else {
            Admission::Refuse
        }
    }
}

/// Bytes that a record with such a payload takes.
fn record_bytes(payload: u64) -> u64 {
    store::format::record_length(payload).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: SpacePlan = SpacePlan {
        payload_max: 20_000,
        reserve: 8_192,
    };

    /// Room, whether the disk is full, payload, and what becomes of an order and of a cancel.
    const CASES: &[(u64, bool, u64, Admission, Admission)] = &[
        (4_096, false, 100, Admission::Take, Admission::Take),
        (4_096, false, 3_840, Admission::Take, Admission::Take),
        (4_096, false, 3_841, Admission::Wait, Admission::Wait),
        (1 << 20, false, 20_001, Admission::Seal, Admission::Seal),
        (12_288, true, 100, Admission::Take, Admission::Take),
        (12_287, true, 100, Admission::Refuse, Admission::Take),
        (4_096, true, 100, Admission::Refuse, Admission::Take),
        (4_095, true, 100, Admission::Refuse, Admission::Refuse),
    ];

    #[test]
    fn cancels_have_the_last_room() {
        for (bytes, is_short, payload, order, cancel) in CASES {
            let room = Room {
                bytes: *bytes,
                is_short: *is_short,
            };
            let space = Space::new(PLAN, room);
            let admitted = [false, true].map(|is_cancel| space.admit(*payload, || is_cancel));
            assert_eq!(admitted, [*order, *cancel], "{room:?}, {payload}");
        }
    }

    #[test]
    fn what_was_sent_is_gone_until_it_is_counted() {
        let room = |bytes| Room {
            bytes,
            is_short: false,
        };
        let height = Height::new;
        let mut space = Space::new(PLAN, room(12_288));
        space.sent(height(1), 100);
        space.sent(height(2), 100);
        assert!(space.fits(100) && !space.fits(4_000));
        space.counted(height(1), room(8_192));
        assert!(space.fits(100) && !space.fits(4_000));
        space.counted(height(1), room(20_480));
        assert!(space.fits(12_000) && !space.fits(16_300));
        space.counted(height(2), room(20_480));
        assert!(space.fits(16_300));
    }
}
