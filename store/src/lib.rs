//! Journal and checkpoints: a hash-chained log of blocks that survives power loss, and what it means
//! up to some height, so that a start need not read all of it.
//!
//! This crate keeps bytes and sequence numbers and knows no meaning. It starts no threads, reads no
//! clock and draws no randomness. It promises five things:
//!
//! - what [`Journal::commit`] has returned is durable: written and synced, in files whose names are
//!   durable too. The first failed write or sync poisons the journal for good, because a second
//!   sync may report success for pages that the kernel has already dropped;
//! - every damaged byte is detected, and damage to a record that is proven to have been durable is
//!   never mistaken for a torn tail ([`mod@format`] tells how the proof is kept, and what it
//!   cannot see);
//! - nothing is thrown away silently: a torn tail is copied to a file of its own before it is cut,
//!   and an old segment goes only if the caller says so ([`Retention`]) and a checkpoint holds it;
//! - what [`Checkpoints::write`] has returned is durable, and no part of a checkpoint is handed out
//!   before all of it was checked. A failed checkpoint leaves journal and older checkpoints alone;
//! - a journal is never read on from a checkpoint that was not made from it.
//!
//! Start with [`mod@format`] (what lies on disk), then [`Journal`] (writing), [`JournalReader`]
//! (reading), [`Recovery`] (reading, then writing on), [`Checkpoints`] and [`verify()`] (reading
//! only, for a verdict). A start that uses checkpoints goes like this: [`Folders::lock`], then
//! [`Checkpoints::newest`], then [`Recovery::begin_in`] with [`CheckpointMeta::after`], then
//! [`Journal::open`].
#![deny(unsafe_code)] // Allowed in one function each of `map` and `uring`.

mod aligned;
mod anchored;
mod atomic_file;
mod chain;
mod checkpoint;
mod checkpoint_header;
mod checkpoint_parts;
#[cfg(feature = "simulation")]
pub mod disk;
#[cfg(not(feature = "simulation"))]
#[allow(unreachable_pub)]
mod disk;
mod ending;
mod error;
mod folders;
pub mod format;
mod journal;
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
mod map;
mod measure;
mod prepare;
mod reader;
mod real_disk;
mod recovery;
mod segment;
#[cfg(any(test, feature = "simulation"))]
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
mod simulated_disk;
#[cfg(any(test, feature = "simulation"))]
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
mod simulated_faults;
mod start;
mod uring;
mod verify;
mod window;

#[cfg(test)]
mod checkpoint_crash_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod flip_tests;

pub use aligned::AlignedBuffer;
pub use anchored::Anchored;
pub use atomic_file::{write_atomically, write_secret_atomically};
pub use checkpoint::{Checkpoint, Checkpoints, Newest};
pub use checkpoint_header::{CHECKPOINT_VERSION, CheckpointMeta};
pub use checkpoint_parts::{NotParts, Parts, Tag, append_part};
pub use ending::{Ending, TornTail};
pub use error::StoreError;
pub use folders::Folders;
pub use format::{Identity, InstanceId};
pub use journal::{Journal, NewRecord};
pub use measure::{Measurement, Timing, measure};
pub use prepare::{PreparedSegment, Retention, SegmentPreparer};
pub use reader::{JournalReader, Location, Record, Totals};
pub use real_disk::{JournalIo, is_in_use};
pub use recovery::{CutTail, JournalConfig, Recovered, Recovery};
pub use segment::{SegmentLength, SegmentNumber};
pub use start::After;
pub use uring::uring_available;
pub use verify::{Report, identity, verify, verify_in};
