//! Bugs on purpose, so that a simulation can show that it would find them.
//!
//! Each is one line where an honest mistake could be. Without the feature `planted-bugs`, which no
//! binary is ever built with, [`is_planted`] is a constant and none of them exists. With it, the
//! harness plants one at a time, on the thread that simulates.

use crate::LogTime;

/// A mistake that is easily made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A full segment is left without a sync; only the one after it is synced.
    RotationNotSynced,
    /// A new segment is used before its name is durable.
    DirectoryNotSynced,
    /// An outcome leaves as soon as it was computed.
    AckBeforeSync,
    /// A failed write or sync of the journal is passed over.
    FailedSyncIgnored,
    /// A record's payload is read without comparing its hash.
    PayloadNotHashed,
    /// The first bad record is taken for a torn tail, whatever proves that it was durable.
    DurableRecordsCut,
    /// What recovery has read is not synced before the node goes on from it.
    TailNotSynced,
    /// A checkpoint gets its name before its bytes are durable.
    CheckpointNotSynced,
    /// Old segments go although no durable checkpoint covers them.
    RecycledTooEarly,
    /// A segment that is used again keeps its old records.
    RecycledNotBlank,
    /// A torn tail is copied, and stays where it is.
    TornTailLeft,
    /// A cancel-all ends orders in no certain order.
    ArbitraryOrder,
    /// Orders expire by the clock on the wall.
    WallClock,
    /// A cancel gives the hold back twice.
    HoldReleasedTwice,
    /// A replaced order is held at its old price.
    OldPriceHeld,
    /// A replace is not held against what its key was granted.
    ReplaceUnbudgeted,
    /// A revoked key goes on.
    RevokedKeySigns,
    /// A silence passes over orders that wait for their trigger.
    SilenceSparesArmed,
    /// A checkpoint lacks the nonces that were used.
    NoncesMissing,
    /// A checkpoint lacks the order in which each owner's orders came.
    TurnsMissing,
    /// A checkpoint lacks the last answers.
    AnswersMissing,
    /// A checkpoint lacks where the feeds stand.
    FeedsMissing,
    /// A checkpoint lacks whether the exchange is open.
    PhaseMissing,
    /// Orders are placed as if the exchange were open.
    PhaseIgnored,
    /// A node that is back takes what has come before it is cancel-only.
    PhaseTooLate,
    /// It opens as soon as there is something to do.
    OpenedTooEarly,
    /// The parallel executor takes what was executed first for what comes of it.
    ValidationSkipped,
    /// Values of an aborted transaction stay as if it were not.
    EstimateDropped,
    /// Two commands that depend on each other change places.
    DependentsSwapped,
    /// A delta stops at a limit.
    DeltaSaturated,
    /// A market that was rolled back still knows a trade that was undone.
    UndoForgotten,
}

impl Bug {
    /// Those that the simulation of a node finds.
    pub const ALL: [Self; 26] = [
        Self::RotationNotSynced,
        Self::DirectoryNotSynced,
        Self::AckBeforeSync,
        Self::FailedSyncIgnored,
        Self::PayloadNotHashed,
        Self::DurableRecordsCut,
        Self::TailNotSynced,
        Self::CheckpointNotSynced,
        Self::RecycledTooEarly,
        Self::RecycledNotBlank,
        Self::TornTailLeft,
        Self::ArbitraryOrder,
        Self::WallClock,
        Self::HoldReleasedTwice,
        Self::OldPriceHeld,
        Self::ReplaceUnbudgeted,
        Self::RevokedKeySigns,
        Self::SilenceSparesArmed,
        Self::NoncesMissing,
        Self::TurnsMissing,
        Self::AnswersMissing,
        Self::FeedsMissing,
        Self::PhaseMissing,
        Self::PhaseIgnored,
        Self::PhaseTooLate,
        Self::OpenedTooEarly,
    ];

    /// Those that the comparison of the executors finds.
    pub const EXECUTOR: [Self; 5] = [
        Self::ValidationSkipped,
        Self::EstimateDropped,
        Self::DependentsSwapped,
        Self::DeltaSaturated,
        Self::UndoForgotten,
    ];
}

#[cfg(not(feature = "planted-bugs"))]
mod planting {
    use super::{Bug, LogTime};

    /// Never.
    #[inline]
    pub const fn is_planted(_: Bug) -> bool {
        false
    }

    /// Nobody asks.
    #[inline]
    pub const fn wall_clock() -> LogTime {
        LogTime::ZERO
    }

    /// Nobody asks.
    #[inline]
    pub const fn toss() -> bool {
        false
    }
}

#[cfg(feature = "planted-bugs")]
mod planting {
    use std::cell::Cell;

    use super::{Bug, LogTime};

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static WALL: Cell<u64> = const { Cell::new(0) };
        static TOSSES: Cell<u64> = const { Cell::new(0) };
    }

    /// Plants a bug on this thread, or takes it away.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
        TOSSES.set(0);
    }

    /// Whether it is planted here.
    pub fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// What the clock on the wall shows from now on.
    pub fn set_wall_clock(nanos: u64) {
        WALL.set(nanos);
    }

    /// What it shows.
    pub fn wall_clock() -> LogTime {
        LogTime::new(WALL.get())
    }

    /// Heads or tails, as unlike from one execution to the next as the order of a hash map.
    pub fn toss() -> bool {
        TOSSES.set(TOSSES.get() + 1);
        TOSSES.get().is_multiple_of(3)
    }
}

pub use planting::*;
