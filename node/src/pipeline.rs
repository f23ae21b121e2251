//! The way of an order past the gateway: sequence, journal, execute, release.
//!
//! One thread, one loop, no locks. Frames come in and outcomes go out through single-producer
//! rings; between two turns without work the thread parks and whoever pushes wakes it. The journal
//! thread syncs a block while this one executes it; nothing leaves before the gate has seen both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use engine::State;
use engine::executor::Executor;
use engine::gate::ReleaseGate;
use engine::sequencer::{Sequencer, TICK_INTERVAL_NS};
use gateway::{RejectedFrame, Wake};
use rtrb::{Consumer, Producer};
use types::block::{Block, ReleasedBlock, SequencedFrame};
use types::outcome::Digest;
use types::phase::Phase;
use types::planted::{Bug, is_planted};
use types::wire::payload;
use types::{KeyId, LogTime, RejectReason};

use crate::anchor_lag::AnchorLag;
use crate::counters::PipelineCounters;
use crate::grace::Grace;
use crate::journal_thread::{DurableMark, JournalBlock};
use crate::space::{Admission, Room, Space, SpacePlan};
use crate::threads::{Clock, Parking, Stop, Waker};
use crate::waiting_frames::{has_withdrawal, is_cancel, next_run, pop, refuse};

/// Blocks sealed but not yet released: one being synced, one waiting for it. More would only make
/// blocks smaller; fewer would leave the disk idle. A follower without room counts like a slow
/// disk: nothing is sealed for it, and the frames that wait end in `BUSY`.
const BLOCKS_IN_FLIGHT: usize = 2;

/// Buffers of blocks that are kept for blocks to come. Each grows to the largest block that it was ever
/// used for, so more than are needed at once would only be more to hold.
const SPARE_BLOCKS_MAX: usize = 16;

/// The shortest wait for an expiry: logged time moves no finer, and orders that did not fit one
/// tick go with the next.
const EXPIRY_STEP_NS: u64 = TICK_INTERVAL_NS;

/// The ends of the rings that the pipeline holds.
#[derive(Debug)]
pub struct Ports {
    /// Where verified frames come from; each has its turn.
    pub sources: Vec<Source>,
    /// Keys that are not heard any more.
    pub silences: Consumer<KeyId>,
    /// Sealed blocks.
    pub to_journal: Producer<JournalBlock>,
    /// Wakes whoever writes them.
    pub wake_journal: Waker,
    /// How far they are durable.
    pub durable: Consumer<DurableMark>,
    /// Who receives what is released.
    pub followers: Vec<Follower>,
}

impl Ports {
    /// Whether there is anything to sequence.
    fn has_come(&self) -> bool {
        self.has_frames() || !self.silences.is_empty()
    }

    fn has_frames(&self) -> bool {
        self.sources.iter().any(|source| !source.frames.is_empty())
    }
}

/// Where verified frames come from.
#[derive(Debug)]
pub struct Source {
    /// The frames.
    pub frames: Consumer<SequencedFrame>,
    /// Those of them that are not taken.
    pub refused: Producer<RejectedFrame>,
    /// Wakes whoever tells who sent them.
    pub wake_refused: Wake,
}

/// What became of a source's next frames.
enum Taken {
    /// They are in the block.
    Block,
    /// They are not taken, and their sender is told.
    Refused,
    /// There are none, or they have to wait.
    Nothing,
}

/// Somebody who receives every released block.
#[derive(Debug)]
pub struct Follower {
    /// Where it receives them.
    pub released: Producer<Arc<ReleasedBlock>>,
    /// Wakes it, as soon as it wants to be woken.
    pub wake: Wake,
    /// Wakes it at once, because there is no room.
    pub wake_full: Wake,
}

/// The loop's state.
#[derive(Debug)]
pub struct Pipeline {
    state: State,
    executor: Executor,
    sequencer: Sequencer,
    gate: ReleaseGate,
    ports: Ports,
    clock: Clock,
    /// Of durable blocks that are not released yet: when they became durable, and their records.
    durable: VecDeque<(u64, Digest)>,
    space: Space,
    /// When the next open order expires: an idle node has to log time for it.
    next_due: Option<LogTime>,
    grace: Grace,
    /// Whether withdrawals halt; without it they never do.
    anchor_lag: Option<Arc<AnchorLag>>,
    /// Payload buffers that came back from the journal.
    payloads: Vec<Vec<u8>>,
    /// Released blocks whose buffers can be used again once all followers have let go.
    spent: VecDeque<Arc<ReleasedBlock>>,
    /// Buffers of blocks that nobody needs any more.
    spare: Vec<ReleasedBlock>,
    counters: Arc<CachePadded<PipelineCounters>>,
}

impl Pipeline {
    /// Goes on from this state, after this grace, with so much room in the journal.
    pub fn new(
        (state, executor, grace): (State, Executor, Grace),
        ports: Ports,
        clock: Clock,
        (plan, room): (SpacePlan, Room),
    ) -> Self {
        let height = state.position().height;
        let counters = Arc::new(CachePadded::new(PipelineCounters::after(&state)));
        // Nothing is taken before that is logged, so it is so already.
        if grace.is_to_begin() {
            counters.cancel_only.set(1);
        }
        Self {
            sequencer: Sequencer::after(state.position()),
            gate: ReleaseGate::after(height),
            durable: VecDeque::new(),
            space: Space::new(plan, room),
            next_due: state.next_due(),
            grace,
            anchor_lag: None,
            state,
            executor,
            ports,
            clock,
            payloads: Vec::new(),
            spent: VecDeque::new(),
            spare: Vec::new(),
            counters,
        }
    }

    /// The same, with withdrawals halting when the chain is too far behind, if there is one to mind.
    pub(crate) fn halting_withdrawals_by(self, anchor_lag: Option<Arc<AnchorLag>>) -> Self {
        Self { anchor_lag, ..self }
    }

    /// Runs until told to stop and everything that was taken in is released. Returns the final
    /// state.
    pub(crate) fn run(mut self, parking: &Parking, stop: &Stop) -> State {
        loop {
            // Asked before looking: whatever was pushed before the request is then seen below.
            let stopping = stop.requested();
            if self.turn() {
                continue;
            }
            if stopping && self.is_idle() {
                return self.state;
            }
            self.park(parking);
        }
    }

    /// Does all there is to do now; whether that was anything.
    pub fn turn(&mut self) -> bool {
        self.note_durable() | self.release() | self.seal_and_execute()
    }

    /// The state after the last executed block, released or not.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<CachePadded<PipelineCounters>> {
        Arc::clone(&self.counters)
    }

    /// Waits until somebody pushes, or until there is something to log by itself.
    fn park(&self, parking: &Parking) {
        match self.due_at() {
            None => parking.park(),
            Some(due_at) => {
                let wait = due_at.saturating_sub(self.clock.unix_nanos());
                parking.park_for(Duration::from_nanos(wait.max(EXPIRY_STEP_NS)));
            }
        }
    }

    /// When there is something to log that nobody sends: an order expires, or a phase ends.
    fn due_at(&self) -> Option<u64> {
        let expiry = self.next_due.map(LogTime::get);
        expiry.into_iter().chain(self.grace.due_at()).min()
    }

    /// Whether everything that was taken in is released. A silence that a full disk has no room for does
    /// not keep a node from stopping: after the next start its key is listened for anew.
    pub fn is_idle(&self) -> bool {
        let has_come = match self.admit_own(payload::TICK_LENGTH) {
            Admission::Refuse => self.ports.has_frames(),
            Admission::Take | Admission::Wait | Admission::Seal => self.ports.has_come(),
        };
        !has_come && self.sequencer.is_empty() && self.gate.waiting() == 0
    }

    /// Whether there is room for an entry of the node's own behind a payload of this length. A silence
    /// only takes off, and without a phase not even cancels are taken: both have the room of cancels.
    fn admit_own(&self, length: u64) -> Admission {
        self.space.admit(length + payload::TICK_LENGTH, || true)
    }

    /// Takes marks from the journal thread.
    fn note_durable(&mut self) -> bool {
        let mut worked = false;
        while let Ok(mark) = self.ports.durable.pop() {
            if let Some(block) = mark.block {
                self.durable.push_back((block.at, block.record_hash));
                self.gate.durable(mark.height);
                self.payloads.push(block.spent);
                self.counters.blocks_noted.add(1);
            }
            if let Some(room) = mark.room {
                self.space.counted(mark.height, room);
            }
            worked = true;
        }
        worked
    }

    /// Sends every block that may leave to all followers, waking each once.
    fn release(&mut self) -> bool {
        let mut worked = false;
        for follower in &self.ports.followers {
            // It may be about to look again by itself, but not soon enough.
            if follower.released.is_full() {
                follower.wake_full.wake();
            }
        }
        let room = |follower: &Follower| !follower.released.is_full();
        while self.ports.followers.iter().all(room) {
            let Some(mut block) = self.gate.release() else {
                break;
            };
            let durable = self.durable.pop_front();
            let early = is_planted(Bug::AckBeforeSync).then(Default::default);
            let durable = durable.or(early);
            (block.durable_at, block.record_hash) = durable.expect("one mark for each block");
            let outcome = &block.outcome;
            let counters = &self.counters;
            counters.released_height.set(outcome.height.get());
            counters.released_sequence.set(outcome.last_sequence.get());
            counters.blocks_released.add(1);
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
                follower.wake.wake();
            }
        }
        worked
    }

    /// Seals what has arrived, hands it to the journal and executes it meanwhile.
    fn seal_and_execute(&mut self) -> bool {
        if self.gate.waiting() >= BLOCKS_IN_FLIGHT {
            return false;
        }
        let has_come = self.ports.has_come();
        if !has_come && self.due_at().is_none() {
            return false;
        }
        let now = self.clock.unix_nanos();
        let length = self.take_phase(now);
        let is_due = self.next_due.is_some_and(|expiry| expiry.get() <= now);
        // Whatever else comes brings a tick along.
        let is_alone = !has_come && self.sequencer.is_empty();
        if is_alone && is_due && self.space.fits(payload::TICK_LENGTH) {
            self.sequencer.tick(LogTime::new(now));
        }
        let must_wait = self.grace.is_to_begin() && !is_planted(Bug::PhaseTooLate);
        let refused = !must_wait && self.take_frames(now, length);
        let Some(block) = self.sequencer.seal() else {
            return refused;
        };
        self.send_to_journal(&block);
        self.execute(block, now);
        true
    }

    /// Logs a phase that is due, before anything else. Returns the payload's length so far, with room
    /// for a tick.
    fn take_phase(&mut self, now: u64) -> u64 {
        let length = payload::TICK_LENGTH;
        let is_late = is_planted(Bug::PhaseTooLate) && self.ports.has_come();
        let Some(phase) = self.grace.due(now).filter(|_| !is_late) else {
            return length;
        };
        let Admission::Take = self.admit_own(length) else {
            return length;
        };
        self.sequencer.phase(phase, LogTime::new(now));
        self.grace = self.grace.logged(now);
        let is_closed = phase == Phase::CancelOnly;
        self.counters.cancel_only.set(is_closed.into());
        length + payload::TICK_LENGTH
    }

    /// Takes frames into the block until it is full or there is no room for more; from each source in
    /// turn, and those under one rolling signature together. Whether any were refused.
    fn take_frames(&mut self, now: u64, mut length: u64) -> bool {
        // What a silence takes off must not wait for what others place.
        while self.sequencer.has_room(1)
            && matches!(self.admit_own(length), Admission::Take)
            && let Ok(key) = self.ports.silences.pop()
        {
            length += payload::TICK_LENGTH;
            self.sequencer.silence(key, LogTime::new(now));
            self.counters.silences.add(1);
        }
        let mut refused = false;
        let mut idle = 0;
        for source in (0..self.ports.sources.len()).cycle() {
            idle += 1;
            match self.take_from(source, now, &mut length) {
                Taken::Block => idle = 0,
                Taken::Refused => (idle, refused) = (0, true),
                Taken::Nothing => {}
            }
            if idle == self.ports.sources.len() {
                break;
            }
        }
        if refused {
            let sources = self.ports.sources.iter();
            sources.for_each(|source| source.wake_refused.wake());
        }
        refused
    }

    /// Takes what goes together at the head of a source.
    fn take_from(&mut self, source: usize, now: u64, length: &mut u64) -> Taken {
        let Source {
            frames, refused, ..
        } = &mut self.ports.sources[source];
        let Some(run) = next_run(frames).filter(|run| self.sequencer.has_room(run.commands)) else {
            return Taken::Nothing;
        };
        let longer = *length + run.length;
        let is_behind = self.anchor_lag.as_ref().is_some_and(|it| it.is_beyond());
        let is_halted = is_behind && has_withdrawal(frames, run.frames);
        let admission = match is_halted {
            true => Admission::Refuse,
            false => self.space.admit(longer, || is_cancel(frames, run.frames)),
        };
        match admission {
            Admission::Take => {
                *length = longer;
                for frame in pop(frames, run.frames) {
                    self.sequencer.push(frame, LogTime::new(now));
                }
                self.counters.frames_sequenced.add(run.frames as u64);
                Taken::Block
            }
            Admission::Refuse if run.frames <= refused.slots() => {
                let counters = &self.counters;
                let (reason, counter) = match is_halted {
                    true => (RejectReason::WithdrawalsHalted, &counters.frames_halted),
                    false => (RejectReason::DiskFull, &counters.frames_refused),
                };
                for frame in pop(frames, run.frames) {
                    refuse(refused, &frame, reason);
                }
                counter.add(run.frames as u64);
                Taken::Refused
            }
            Admission::Seal | Admission::Wait | Admission::Refuse => Taken::Nothing,
        }
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
        let count = journal_block.command_count;
        let last = block.first_sequence.get() + count.saturating_sub(1);
        self.counters.sequence.set(last);
        self.counters.commands_per_block.observe(count);
        self.counters.blocks_sealed.add(1);
        let length = journal_block.payload.len() as u64;
        self.space.sent(block.height, length);
        let pushed = self.ports.to_journal.push(journal_block);
        assert!(pushed.is_ok(), "the ring holds all blocks in flight");
        self.ports.wake_journal.wake();
    }

    fn execute(&mut self, block: Block, sequenced_at: u64) {
        let mut released = self.spare_block();
        self.executor
            .execute(&mut self.state, &block, &mut released.outcome);
        released.origins.clear();
        let origins = block.frames().map(|sequenced| sequenced.origin);
        released.origins.extend(origins);
        released.sequenced_at = sequenced_at;
        released.executed_at = self.clock.unix_nanos();
        released.block = block;
        self.gate.executed(released);
        self.next_due = self.state.next_due();
    }

    /// A block's buffers to be filled again: those that were used last, which are in the cache. What
    /// all followers have let go of is emptied at once, for its frames hold what came from the network.
    fn spare_block(&mut self) -> ReleasedBlock {
        while let Some(oldest) = self.spent.front_mut().and_then(Arc::get_mut) {
            let mut released = std::mem::take(oldest);
            self.spent.pop_front();
            self.sequencer.recycle(std::mem::take(&mut released.block));
            if self.spare.len() < SPARE_BLOCKS_MAX {
                self.spare.push(released);
            }
        }
        self.spare.pop().unwrap_or_default()
    }
}
