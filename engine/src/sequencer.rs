//! The sequencer: gives frames their place in the total order and seals blocks.
//!
//! Smart batching: a block is whatever arrived while the last one was in flight, up to a limit, so
//! an idle system has small blocks and low latency, a busy one large blocks and low cost. Where
//! blocks are cut carries no meaning: logged time moves only by a [`Entry::Tick`], which is a
//! command with a sequence number of its own.

use types::block::{Block, Entry, SequencedFrame};
use types::limits::COMMANDS_PER_BLOCK_MAX;
use types::phase::Phase;
use types::{Height, KeyId, LogTime, SequenceNumber};

/// Logged time moves in steps of at least this, in nanoseconds, so that a busy node does not log a
/// tick per block.
pub const TICK_INTERVAL_NS: u64 = 1_000_000;

/// Numbers frames and seals blocks. Pure: the caller brings the time.
#[derive(Debug)]
pub struct Sequencer {
    next_height: Height,
    next_sequence: SequenceNumber,
    last_tick: LogTime,
    entries: Vec<Entry>,
    commands: u64,
}

impl Sequencer {
    /// Continues after the last executed block.
    pub fn after(position: &crate::state::Position) -> Self {
        Self {
            next_height: position.height.next(),
            next_sequence: position.sequence.next(),
            last_tick: position.time,
            entries: Vec::new(),
            commands: 0,
        }
    }

    /// Whether frames of so many commands fit, and a tick before them: if not, seal first.
    pub const fn has_room(&self, commands: u64) -> bool {
        self.commands + commands < COMMANDS_PER_BLOCK_MAX as u64
    }

    /// Whether there is nothing to seal.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the next frame. The first one of a block is preceded by a tick if `now` is far enough
    /// past the last one; a clock that stands still or runs backwards logs nothing.
    ///
    /// Panics unless the block [has room](Self::has_room) for it.
    pub fn push(&mut self, frame: SequencedFrame, now: LogTime) {
        let commands = u64::from(frame.frame.frame().count());
        self.begin(commands, now);
        self.push_entry(Entry::Frame(frame));
    }

    /// Logs time although no frame has come, because an order has to expire. Does nothing if the
    /// clock stands still or runs backwards.
    ///
    /// Panics if there are frames waiting: their tick comes first.
    pub fn tick(&mut self, now: LogTime) {
        assert!(
            self.entries.is_empty(),
            "a tick precedes the frames of its block"
        );
        if now > self.last_tick {
            self.last_tick = now;
            self.push_entry(Entry::Tick(now));
        }
    }

    /// Logs that no session of a key is heard any more, after a tick if `now` is far enough past the
    /// last one.
    ///
    /// Panics unless the block [has room](Self::has_room) for it.
    pub fn silence(&mut self, key: KeyId, now: LogTime) {
        self.begin(1, now);
        self.push_entry(Entry::Silence(key));
    }

    /// Logs that the exchange opens or is cancel-only, after a tick to that very moment: so a period
    /// of logged time can begin and end with it.
    ///
    /// Panics unless it is the first of its block.
    pub fn phase(&mut self, phase: Phase, now: LogTime) {
        self.tick(now);
        self.push_entry(Entry::Phase(phase));
    }

    /// Seals what was taken since the last block; `None` if that is nothing. The block's list comes
    /// back through [`Sequencer::recycle`].
    pub fn seal(&mut self) -> Option<Block> {
        if self.entries.is_empty() {
            return None;
        }
        let block = Block {
            height: self.next_height,
            first_sequence: self.next_sequence,
            entries: std::mem::take(&mut self.entries),
        };
        self.next_height = self.next_height.next();
        self.next_sequence = self.next_sequence.advance(self.commands);
        self.commands = 0;
        Some(block)
    }

    /// Takes the list of an executed block back, to be filled again.
    pub fn recycle(&mut self, mut block: Block) {
        block.entries.clear();
        if self.entries.is_empty() {
            self.entries = block.entries;
        }
    }

    /// Something is to be taken: the first thing of a block may be preceded by a tick.
    fn begin(&mut self, commands: u64, now: LogTime) {
        assert!(self.has_room(commands), "seal a full block first");
        if self.entries.is_empty() && now >= self.last_tick.advance(TICK_INTERVAL_NS) {
            self.last_tick = now;
            self.push_entry(Entry::Tick(now));
        }
    }

    fn push_entry(&mut self, entry: Entry) {
        self.commands += entry.command_count();
        self.entries.push(entry);
    }
}
