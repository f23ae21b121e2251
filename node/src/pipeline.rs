//! The way of an order past the gateway: sequence, journal, execute, release.
//!
//! One thread, one loop, no locks. Frames come in and outcomes go out through single-producer
//! rings; between two turns without work the thread parks and whoever pushes wakes it. The journal
//! thread syncs a block while this one executes it; nothing leaves before the gate has seen both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::gate::ReleaseGate;
use engine::sequencer::{Sequencer, TICK_INTERVAL_NS};
use engine::{State, sequential};
use gateway::RejectedFrame;
use rtrb::{Consumer, Producer};
use types::LogTime;
use types::block::{Block, Entry, ReleasedBlock, SequencedFrame};
use types::outcome::Digest;
use types::wire::payload;

use crate::journal_thread::{DurableMark, JournalBlock};
use crate::threads::{Clock, Parking, Stop, Waker};

/// Blocks sealed but not yet released: one being synced, one waiting for it. More would only make
/// blocks smaller; fewer would leave the disk idle. A follower without room counts like a slow
/// disk: nothing is sealed for it, and the frames that wait end in `BUSY`.
const BLOCKS_IN_FLIGHT: usize = 2;

/// The shortest wait for an expiry: logged time moves no finer, and orders that did not fit one
/// tick go with the next.
const EXPIRY_STEP_NS: u64 = TICK_INTERVAL_NS;

/// The ends of the rings that the pipeline holds.
pub(crate) struct Ports {
    pub(crate) frames: Consumer<SequencedFrame>,
    pub(crate) refused: Producer<RejectedFrame>,
    pub(crate) wake_refused: Box<dyn Fn() + Send>,
    pub(crate) to_journal: Producer<JournalBlock>,
    pub(crate) wake_journal: Waker,
    pub(crate) durable: Consumer<DurableMark>,
    pub(crate) followers: Vec<Follower>,
}

/// Somebody who receives every released block.
pub(crate) struct Follower {
    pub(crate) released: Producer<Arc<ReleasedBlock>>,
    pub(crate) wake: Box<dyn Fn() + Send>,
}

/// The loop's state.
pub(crate) struct Pipeline {
    state: State,
    sequencer: Sequencer,
    gate: ReleaseGate,
    ports: Ports,
    clock: Clock,
    /// Of durable blocks that are not released yet: when they became durable, and their records.
    durable: VecDeque<(u64, Digest)>,
    /// When the next open order expires: an idle node has to log time for it.
    next_due: Option<LogTime>,
    /// Payload buffers that came back from the journal.
    payloads: Vec<Vec<u8>>,
    /// Released blocks whose buffers can be used again once all followers have let go.
    spent: VecDeque<Arc<ReleasedBlock>>,
}

impl Pipeline {
    pub(crate) fn new(state: State, ports: Ports, clock: Clock) -> Self {
        let height = state.position().height;
        Self {
            sequencer: Sequencer::after(state.position()),
            gate: ReleaseGate::after(height),
            durable: VecDeque::new(),
            next_due: state.next_due(),
            state,
            ports,
            clock,
            payloads: Vec::new(),
            spent: VecDeque::new(),
        }
    }

    /// Runs until told to stop and everything that was taken in is released. Returns the final
    /// state.
    pub(crate) fn run(mut self, parking: &Parking, stop: &Stop) -> State {
        loop {
            // Asked before looking: whatever was pushed before the request is then seen below.
            let stopping = stop.requested();
            let worked = self.note_durable() | self.release() | self.seal_and_execute();
            if worked {
                continue;
            }
            if stopping && self.is_idle() {
                return self.state;
            }
            self.park(parking);
        }
    }

    /// Waits until somebody pushes, or until the next order has to expire.
    fn park(&self, parking: &Parking) {
        match self.next_due {
            None => parking.park(),
            Some(expiry) => {
                let wait = expiry.get().saturating_sub(self.clock.unix_nanos());
                parking.park_for(Duration::from_nanos(wait.max(EXPIRY_STEP_NS)));
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.ports.frames.is_empty() && self.sequencer.is_empty() && self.gate.waiting() == 0
    }

    /// Takes marks from the journal thread.
    fn note_durable(&mut self) -> bool {
        let mut worked = false;
        while let Ok(mark) = self.ports.durable.pop() {
            self.durable.push_back((mark.at, mark.record_hash));
            self.gate.durable(mark.height);
            self.payloads.extend(mark.spent);
            worked = true;
        }
        worked
    }

    /// Sends every block that may leave to all followers, waking each once.
    fn release(&mut self) -> bool {
        let mut worked = false;
        let room = |follower: &Follower| !follower.released.is_full();
        while self.ports.followers.iter().all(room) {
            let Some(mut block) = self.gate.release() else {
                break;
            };
            let durable = self.durable.pop_front();
            (block.durable_at, block.record_hash) = durable.expect("one mark for each block");
            let block = Arc::new(block);
            for follower in &mut self.ports.followers {
                follower
                    .released
                    .push(Arc::clone(&block))
                    .expect("asked for room before; nobody else pushes");
            }
            self.spent.push_back(block);
            worked = true;
        }
        if worked {
            for follower in &self.ports.followers {
                (follower.wake)();
            }
        }
        worked
    }

    /// Seals what has arrived, hands it to the journal and executes it meanwhile.
    fn seal_and_execute(&mut self) -> bool {
        if self.gate.waiting() >= BLOCKS_IN_FLIGHT {
            return false;
        }
        let expiry = self.next_due.map(LogTime::get);
        if self.ports.frames.is_empty() && expiry.is_none() {
            return false;
        }
        let now = self.clock.unix_nanos();
        if self.ports.frames.is_empty() && expiry.is_some_and(|expiry| expiry <= now) {
            self.sequencer.tick(LogTime::new(now));
        }
        while !self.sequencer.is_full()
            && let Ok(frame) = self.ports.frames.pop()
        {
            self.sequencer.push(frame, LogTime::new(now));
        }
        let Some(block) = self.sequencer.seal() else {
            return false;
        };
        self.send_to_journal(&block);
        self.execute(block, now);
        true
    }

    fn send_to_journal(&mut self, block: &Block) {
        let mut payload = self.payloads.pop().unwrap_or_default();
        payload.clear();
        for entry in &block.entries {
            payload::encode_entry(entry, &mut payload);
        }
        let journal_block = JournalBlock {
            height: block.height,
            first_sequence: block.first_sequence,
            command_count: block.command_count(),
            previous_outcome: self.state.position().outcome_hash,
            payload,
        };
        let pushed = self.ports.to_journal.push(journal_block);
        assert!(pushed.is_ok(), "the ring holds all blocks in flight");
        self.ports.wake_journal.wake();
    }

    fn execute(&mut self, block: Block, sequenced_at: u64) {
        let mut released = self.spare_block();
        sequential::execute(&mut self.state, &block, &mut released.outcome);
        released.origins.clear();
        let origins = block.entries.iter().filter_map(|entry| match entry {
            Entry::Frame(sequenced) => Some(sequenced.origin),
            Entry::Tick(_) => None,
        });
        released.origins.extend(origins);
        released.sequenced_at = sequenced_at;
        released.executed_at = self.clock.unix_nanos();
        released.block = block;
        self.gate.executed(released);
        self.next_due = self.state.next_due();
    }

    /// A block's buffers, used again if all followers have let go of the oldest one.
    fn spare_block(&mut self) -> ReleasedBlock {
        match self.spent.front_mut().and_then(Arc::get_mut) {
            Some(oldest) => {
                let mut released = std::mem::take(oldest);
                self.spent.pop_front();
                self.sequencer.recycle(std::mem::take(&mut released.block));
                released
            }
            None => ReleasedBlock::default(),
        }
    }
}
