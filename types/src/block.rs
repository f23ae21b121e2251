//! Sealed blocks: what the sequencer hands to the journal and to the executor.

use crate::auth::AuthenticFrame;
use crate::outcome::{BlockOutcome, Digest};
use crate::phase::Phase;
use crate::{Height, KeyId, LogTime, SequenceNumber, SessionId};

/// One sequenced thing.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A signed frame: as many sequence numbers as it has commands.
    Frame(SequencedFrame),
    /// Logged time moves to this moment: one sequence number.
    Tick(LogTime),
    /// No session of this key is heard any more, for as long as its policy says: one sequence
    /// number.
    Silence(KeyId),
    /// The whole exchange opens, or is cancel-only from here on: one sequence number.
    Phase(Phase),
}

/// A signed frame on its way through the pipeline.
#[derive(Clone, Debug)]
pub struct SequencedFrame {
    /// The frame.
    pub frame: AuthenticFrame,
    /// Who waits for the answer. Carries no meaning, is not journalled, and is `None` in replay.
    pub origin: Option<Origin>,
}

/// Where a frame came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The session to answer.
    pub session: SessionId,
    /// Nanoseconds since the Unix epoch at which the frame was complete.
    pub received_at: u64,
    /// Its position among all frames that the gateway has taken in since it started, from 1.
    pub arrival: u64,
}

impl Entry {
    /// How many sequence numbers it takes.
    pub fn command_count(&self) -> u64 {
        match self {
            Self::Frame(sequenced) => u64::from(sequenced.frame.frame().count()),
            Self::Tick(_) | Self::Silence(_) | Self::Phase(_) => 1,
        }
    }
}

/// A sealed, numbered run of entries. Where one block ends and the next begins carries no meaning.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Its position among blocks.
    pub height: Height,
    /// The sequence number of its first command.
    pub first_sequence: SequenceNumber,
    /// What was sequenced, in order.
    pub entries: Vec<Entry>,
}

impl Block {
    /// How many sequence numbers it takes.
    pub fn command_count(&self) -> u64 {
        self.entries.iter().map(Entry::command_count).sum()
    }

    /// Its signed frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &SequencedFrame> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Frame(sequenced) => Some(sequenced),
            Entry::Tick(_) | Entry::Silence(_) | Entry::Phase(_) => None,
        })
    }
}

/// What leaves the release gate: the outcome of a durable block, and who waits for which answer.
#[derive(Clone, Debug, Default)]
pub struct ReleasedBlock {
    /// What was executed.
    pub block: Block,
    /// What happened.
    pub outcome: BlockOutcome,
    /// Hash of the block's record in the journal.
    pub record_hash: Digest,
    /// For each of the outcome's frames, where it came in.
    pub origins: Vec<Option<Origin>>,
    /// When the block was sealed, in nanoseconds since the Unix epoch, like the next two.
    pub sequenced_at: u64,
    /// When it was executed.
    pub executed_at: u64,
    /// When it was durable.
    pub durable_at: u64,
}
