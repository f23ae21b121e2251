//! The journal again: re-executes recorded blocks and checks every recorded hash.
//!
//! A record names the outcome hash of the block before it, so each record checks its predecessor;
//! the last block's outcome is vouched for by determinism alone until a later record names it.

use bytes::Bytes;
use types::auth::FrameKey;
use types::block::Block;
use types::outcome::{BlockOutcome, Digest};
use types::{Height, RejectReason, SequenceNumber};

use crate::executor::Executor;
use crate::state::State;

/// One recorded block, as the store gives it back.
#[derive(Clone, Debug)]
pub struct RecordedBlock {
    /// Its position among blocks.
    pub height: Height,
    /// The sequence number of its first command.
    pub first_sequence: SequenceNumber,
    /// How many commands it holds.
    pub command_count: u64,
    /// The outcome hash of the block before it.
    pub previous_outcome: Digest,
    /// Its entries, encoded as in `types::wire::payload`.
    pub payload: Bytes,
}

/// A recorded block whose payload was read: what a replay executes.
#[derive(Clone, Debug)]
pub struct DecodedBlock {
    block: Block,
    command_count: u64,
    previous_outcome: Digest,
    /// Why the payload cannot be read.
    fault: Option<RejectReason>,
}

impl RecordedBlock {
    /// Reads the payload and computes the digests of its frames: most of what a replay costs before
    /// a block is executed, and needs no state.
    pub fn decode(self, frame_key: &FrameKey) -> DecodedBlock {
        let mut entries = Vec::new();
        let decoded = types::wire::payload::decode_entries(self.payload, frame_key, &mut entries);
        DecodedBlock {
            block: Block {
                height: self.height,
                first_sequence: self.first_sequence,
                entries,
            },
            command_count: self.command_count,
            previous_outcome: self.previous_outcome,
            fault: decoded.err(),
        }
    }
}

/// Where and why a journal does not replay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The records do not follow one another.
    #[error("block {found} where block {expected} was expected")]
    Gap {
        /// What should come next.
        expected: Height,
        /// What came.
        found: Height,
    },
    /// A record's numbers contradict its payload or its predecessor.
    #[error("block {height}: sequence numbers do not add up")]
    Sequence {
        /// Which block.
        height: Height,
    },
    /// A record's bytes are not entries of this protocol version.
    #[error("block {height}: payload is {reason}")]
    Payload {
        /// Which block.
        height: Height,
        /// What is wrong with it.
        reason: RejectReason,
    },
    /// Executing gave something else than was recorded.
    #[error("block {height}: outcome is {found}, but {recorded} was recorded")]
    Outcome {
        /// The block whose outcome differs.
        height: Height,
        /// What was recorded then.
        recorded: Digest,
        /// What came out now.
        found: Digest,
    },
}

/// Re-executes recorded blocks on a state.
#[derive(Debug)]
pub struct Replay {
    state: State,
    executor: Executor,
    block: Block,
    outcome: BlockOutcome,
}

impl Replay {
    /// From this state on, one command after the other.
    pub fn new(state: State) -> Self {
        Self::with_executor(state, Executor::sequential())
    }

    /// From this state on, with an executor that was made for it.
    pub fn with_executor(state: State, executor: Executor) -> Self {
        Self {
            state,
            executor,
            block: Block::default(),
            outcome: BlockOutcome::default(),
        }
    }

    /// Executes the next recorded block; see [`Replay::outcome`].
    pub fn apply(&mut self, record: RecordedBlock) -> Result<(), ReplayError> {
        let frame_key = *self.state.frame_key();
        self.execute(record.decode(&frame_key))
    }

    /// The same with a block that was decoded before, on any thread.
    pub fn execute(&mut self, decoded: DecodedBlock) -> Result<(), ReplayError> {
        let DecodedBlock {
            block,
            command_count,
            previous_outcome,
            fault,
        } = decoded;
        let height = block.height;
        let position = *self.state.position();
        if height != position.height.next() {
            return Err(ReplayError::Gap {
                expected: position.height.next(),
                found: height,
            });
        }
        if previous_outcome != position.outcome_hash {
            return Err(ReplayError::Outcome {
                height: position.height,
                recorded: previous_outcome,
                found: position.outcome_hash,
            });
        }
        if let Some(reason) = fault {
            return Err(ReplayError::Payload { height, reason });
        }
        let follows = block.first_sequence == position.sequence.next();
        if !follows || command_count != block.command_count() {
            return Err(ReplayError::Sequence { height });
        }
        self.block = block;
        let Self {
            state,
            executor,
            block,
            outcome,
        } = self;
        executor.execute(state, block, outcome);
        Ok(())
    }

    /// What executing the last block yielded.
    pub const fn outcome(&self) -> &BlockOutcome {
        &self.outcome
    }

    /// The block that was executed last.
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// The state so far.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The state, to go on with.
    pub fn into_state(self) -> State {
        self.state
    }
}
