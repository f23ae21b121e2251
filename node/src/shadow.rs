//! The shadow: a second state that executes every released block again, on a thread of its own.
//!
//! Three things follow from it, and none of them touches the state that commands wait for:
//!
//! - every outcome is checked by a second execution before long: if the two ever differ, memory is
//!   damaged or this program is wrong, and the node stops;
//! - questions about balances, orders and markets are answered from it;
//! - checkpoints are made from it: it knows what changed, and keeps the state tree and an image of its
//!   snapshot up to date (`docs/adr/0013-checkpoints.md`).
//!
//! The last answers per key are followed here too, because a checkpoint must hold them.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use engine::feeds::Positions;
use engine::snapshot::{BesideBytes, ChangedAccounts};
use engine::{State, sequential};
use gateway::{AnswerBook, QueryReply, QueryRequest};
use ledger::StateTree;
use rtrb::{Consumer, Producer};
use store::{CheckpointMeta, Identity, InstanceId, Tag, append_part};
use types::outcome::{BlockOutcome, Digest};
use types::planted::{Bug, is_planted};
use types::wire::Kind;
use types::wire::query::{
    BalanceRecord, MarketStateRecord, OpenOrderRecord, Question, encode_reply,
};
use types::{AssetId, SequenceNumber};

use crate::api::Teller;
use crate::checkpoint_thread::{CheckpointJob, Sections};
use crate::counters::ShadowCounters;
use crate::feeds::FollowedBlock;
use crate::threads::{Clock, Nudge, Parking, Stop, Waker};

/// The ends of the rings that the shadow holds.
#[derive(Debug)]
pub struct Ports {
    /// Blocks that left the release gate, and where the feeds stand after each.
    pub followed: Consumer<FollowedBlock>,
    /// Wakes whoever pushes those, after that ring was full.
    pub wake_feeds: Waker,
    /// Questions.
    pub requests: Consumer<QueryRequest>,
    /// Answers.
    pub replies: Producer<QueryReply>,
    /// Wakes whoever passes the answers on.
    pub wake_gateway: Arc<tokio::sync::Notify>,
    /// Checkpoints to write.
    pub to_checkpoint: Producer<CheckpointJob>,
    /// Buffers that come back once a checkpoint is written.
    pub spent: Consumer<Sections>,
    /// Wakes whoever writes them.
    pub wake_checkpoint: Waker,
    /// Tells the trader API, if there is one.
    pub teller: Option<Teller>,
}

/// Whose checkpoints these are, and how often one is made.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointPlan {
    /// The network.
    pub identity: Identity,
    /// The journal.
    pub instance: InstanceId,
    /// At least so long between two; nothing is written while nothing happens.
    pub interval: Duration,
}

impl CheckpointPlan {
    fn interval_ns(&self) -> u64 {
        u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What the shadow starts from: everything as it is after the last durable block.
#[derive(Debug)]
pub struct Beginning {
    /// The state.
    pub state: State,
    /// Its state tree.
    pub tree: StateTree,
    /// The answers up to there.
    pub answers: AnswerBook,
    /// Where the feeds stand.
    pub feeds: Positions,
    /// Hash of the block's record.
    pub record_hash: Digest,
    /// Whether a checkpoint of it is there already.
    pub is_written: bool,
}

/// A second state, and what follows from it.
#[derive(Debug)]
pub struct Shadow {
    state: State,
    answers: AnswerBook,
    feeds: Positions,
    tree: StateTree,
    record_hash: Digest,
    /// Accounts whose leaves may be out of date.
    changed: ChangedAccounts,
    /// Whether anything happened since the last checkpoint.
    is_behind: bool,
    /// Questions are answered from here on.
    answers_from: SequenceNumber,
    scratch: BlockOutcome,
    plan: CheckpointPlan,
    clock: Clock,
    /// When the next checkpoint may be made, in nanoseconds since the Unix epoch.
    next_checkpoint: u64,
    /// `None` while a checkpoint is being written.
    sections: Option<Sections>,
    ports: Ports,
    counters: Arc<CachePadded<ShadowCounters>>,
}

/// The two executions of a block came to different outcomes.
#[derive(Debug, thiserror::Error)]
#[error(
    "block {0}: executed twice, with different outcomes: memory is damaged or this program is \
     wrong; the journal can be replayed"
)]
pub struct Diverged(types::Height);

impl Shadow {
    /// A shadow of this state.
    pub fn new(beginning: Beginning, plan: CheckpointPlan, clock: Clock, ports: Ports) -> Self {
        let Beginning {
            state,
            tree,
            answers,
            feeds,
            record_hash,
            is_written,
        } = beginning;
        // What was replayed is written down at once: else a node that is killed before the interval
        // is over, again and again, replays more each time.
        let wait = if is_written { plan.interval_ns() } else { 0 };
        Self {
            state,
            tree,
            answers,
            feeds,
            record_hash,
            changed: ChangedAccounts::new(),
            is_behind: !is_written,
            answers_from: SequenceNumber::ZERO,
            scratch: BlockOutcome::default(),
            next_checkpoint: clock.unix_nanos().saturating_add(wait),
            plan,
            clock,
            sections: Some(Sections::new()),
            ports,
            counters: Arc::default(),
        }
    }

    /// Answers nothing before another block has come: the node logs one at once, and what is true
    /// until then was never true for anybody who is here now.
    pub fn wait_for_a_block(&mut self) {
        self.answers_from = self.state.position().sequence.next();
    }

    /// Does all there is to do now; whether that was anything.
    pub fn turn(&mut self) -> Result<bool, Diverged> {
        // First, so that the first image is what was recovered: a history of what was before it ends
        // there or earlier, and all that comes later is told block by block.
        let followed = self.tell_image() | self.follow()?;
        let answered = self.answer();
        let written = self.checkpoint_if_due();
        Ok(followed || answered || written)
    }

    /// Makes a checkpoint of the end, unless there is one. Whether it has been handed over: if not,
    /// an earlier one is still being written.
    pub fn finish(&mut self) -> bool {
        self.take_sections();
        if self.is_behind && self.sections.is_some() {
            self.checkpoint();
        }
        !self.is_behind
    }

    /// For how long there may be nothing to do, if nobody wakes this thread. `None`: for ever.
    pub fn idle_for(&self) -> Option<Duration> {
        let wait = self.next_checkpoint.saturating_sub(self.clock.unix_nanos());
        // While one is being written, its writer wakes this thread.
        let is_due = self.is_behind && self.sections.is_some();
        is_due.then(|| Duration::from_nanos(wait))
    }

    /// The state, and what it was checked against.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<CachePadded<ShadowCounters>> {
        Arc::clone(&self.counters)
    }

    /// The trader API begins with the whole state, and anew after a gap.
    fn tell_image(&mut self) -> bool {
        let teller = self.ports.teller.as_mut();
        teller.is_some_and(|teller| teller.catch_up(&self.state))
    }

    fn follow(&mut self) -> Result<bool, Diverged> {
        let mut popped = 0;
        while let Ok(followed) = self.ports.followed.pop() {
            self.repeat(&followed)?;
            popped += 1;
            // Others wait for answers.
            if popped >= self.ports.followed.buffer().capacity() {
                break;
            }
        }
        // The feeds wait only if they have seen this ring full, and then all of that was popped
        // here: a look at the ring before the first pop could come too early to see it.
        if popped >= self.ports.followed.buffer().capacity() {
            self.ports.wake_feeds.wake();
        }
        Ok(popped > 0)
    }

    fn repeat(&mut self, followed: &FollowedBlock) -> Result<(), Diverged> {
        let released = &followed.released;
        let (block, outcome) = (&released.block, &released.outcome);
        if !sequential::repeat(&mut self.state, block, outcome, &mut self.scratch) {
            return Err(Diverged(block.height));
        }
        if let Some(teller) = &mut self.ports.teller {
            teller.tell(&self.state, released);
        }
        self.answers.follow(outcome);
        for (feed, position) in &followed.moved {
            self.feeds.set(*feed, *position);
        }
        self.feeds.set_sequence(outcome.last_sequence);
        self.changed.follow(outcome);
        self.counters.follow(released);
        self.record_hash = released.record_hash;
        self.is_behind = true;
        Ok(())
    }

    fn checkpoint_if_due(&mut self) -> bool {
        let returned = self.take_sections();
        let now = self.clock.unix_nanos();
        if !self.is_behind || self.sections.is_none() || now < self.next_checkpoint {
            return returned;
        }
        self.next_checkpoint = now.saturating_add(self.plan.interval_ns());
        self.checkpoint();
        true
    }

    /// Takes the buffers back from whoever wrote them.
    fn take_sections(&mut self) -> bool {
        let returned = self.ports.spent.pop().ok();
        let is_returned = returned.is_some();
        self.sections = self.sections.take().or(returned);
        is_returned
    }

    /// Brings the state tree up to date and hands a snapshot to whoever writes it.
    fn checkpoint(&mut self) {
        let mut sections = self.sections.take().expect("asked for before");
        let Self { state, tree, .. } = self;
        let changed = self.changed.as_slice();
        tree.update(state.ledger(), changed.iter().copied());
        sections.state.update(state, tree, changed);
        self.changed.clear();
        sections.note(&self.answers, &self.feeds, &self.state);
        let position = self.state.position();
        let meta = CheckpointMeta {
            identity: self.plan.identity,
            instance: self.plan.instance,
            height: position.height,
            sequence: position.sequence,
            record_hash: self.record_hash,
            outcome_hash: position.outcome_hash,
            state_root: self.tree.root(),
        };
        let job = CheckpointJob { meta, sections };
        let pushed = self.ports.to_checkpoint.push(job);
        assert!(pushed.is_ok(), "there is one set of buffers");
        self.counters.checkpoints_begun.add(1);
        self.ports.wake_checkpoint.wake();
        self.is_behind = false;
    }

    /// Answers what may be answered. A question that is ahead of the blocks waits for them: they are
    /// on their way, and whoever pushes them wakes this thread.
    fn answer(&mut self) -> bool {
        let mut worked = false;
        while !self.ports.replies.is_full()
            && let Ok(next) = self.ports.requests.peek()
            && next.at_least.max(self.answers_from) <= self.state.position().sequence
            && let Ok(request) = self.ports.requests.pop()
        {
            let reply = QueryReply {
                session: request.session,
                message: reply(&self.state, &request),
            };
            let pushed = self.ports.replies.push(reply);
            assert!(pushed.is_ok(), "asked for room before; nobody else pushes");
            self.counters.questions_answered.add(1);
            worked = true;
        }
        if worked {
            self.ports.wake_gateway.notify_one();
        }
        worked
    }
}

/// Runs until told to stop and a checkpoint of the end is handed over, or until two executions
/// differ.
pub(crate) fn run(
    mut shadow: Shadow,
    nudge: &Nudge,
    parking: &Parking,
    stop: &Stop,
) -> Result<(), Diverged> {
    loop {
        let stopping = stop.requested();
        if shadow.turn()? {
            if !stopping {
                parking.park_for(BURST);
            }
            continue;
        }
        if stopping && shadow.finish() {
            return Ok(());
        }
        nudge.fall_asleep();
        if shadow.ports.followed.is_empty() {
            match shadow.idle_for() {
                Some(wait) => parking.park_for(wait),
                None => parking.park(),
            }
        }
        nudge.wake_up();
    }
}

/// Blocks are executed again many at a time: with warm caches that costs half of what it costs one
/// by one, and nobody waits for it. Who asks a question wakes this thread at once.
const BURST: Duration = Duration::from_millis(1);

impl Sections {
    fn note(&mut self, answers: &AnswerBook, feeds: &Positions, state: &State) {
        self.parts.clear();
        self.append(Tag::Answers, |bytes| answers.encode(bytes));
        self.append(Tag::Feeds, |bytes| feeds.encode(bytes));
        let beside = BesideBytes::of(state);
        append_part(&mut self.parts, Tag::Sessions, &beside.sessions);
        if !is_planted(Bug::PhaseMissing) {
            append_part(&mut self.parts, Tag::Phase, &beside.phase);
        }
        append_part(&mut self.parts, Tag::Edge, &beside.edge);
    }

    fn append(&mut self, tag: Tag, encode: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        encode(&mut self.scratch);
        append_part(&mut self.parts, tag, &self.scratch);
    }
}

fn reply(state: &State, request: &QueryRequest) -> Vec<u8> {
    let mut message = Vec::new();
    let (id, sequence) = (request.request, state.position().sequence);
    match request.question {
        Question::OpenOrders => {
            let orders = state.open_orders(request.account);
            let records: Vec<_> = orders.iter().map(OpenOrderRecord::from).collect();
            encode_reply(Kind::OpenOrders, id, sequence, &records, &mut message);
        }
        Question::Markets => {
            let states = state.markets();
            let records: Vec<_> = states
                .map(|state| MarketStateRecord::from(&state))
                .collect();
            encode_reply(Kind::MarketStates, id, sequence, &records, &mut message);
        }
        // The gateway answers the other questions itself.
        Question::Balances | Question::Reference | Question::Nonce(_) => {
            let ledger = state.ledger();
            let record = |asset| {
                let balance = ledger.balance(request.account, asset);
                BalanceRecord::new(asset, balance.free, balance.held)
            };
            let assets = (0..ledger.asset_count()).map(AssetId::new);
            let records: Vec<_> = assets.map(record).collect();
            encode_reply(Kind::Balances, id, sequence, &records, &mut message);
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use rtrb::RingBuffer;
    use tokio::sync::Notify;
    use types::block::{Entry, ReleasedBlock};
    use types::command::MarketStatus;
    use types::genesis::development;
    use types::phase::Phase;
    use types::wire::query::parse_reply;
    use types::{AccountId, SessionId};

    use super::*;

    /// Whoever asks before the first block has come waits for it, though he asks for nothing in it.
    #[test]
    fn questions_wait_for_the_phase_that_is_logged_first() {
        let genesis = development();
        let state = State::from_genesis(&genesis, 0);
        let block = state
            .position()
            .next_block(vec![Entry::Phase(Phase::CancelOnly)]);
        let mut released = ReleasedBlock::default();
        let mut ahead = State::from_genesis(&genesis, 0);
        sequential::execute(&mut ahead, &block, &mut released.outcome);
        released.block = block;

        let parking = Parking::new();
        let (mut follow, followed) = RingBuffer::new(1);
        let (mut ask, requests) = RingBuffer::new(1);
        let (replies, mut answered) = RingBuffer::new(1);
        let (to_checkpoint, _) = RingBuffer::new(1);
        let (_, spent) = RingBuffer::new(1);
        let ports = Ports {
            followed,
            wake_feeds: parking.waker(),
            requests,
            replies,
            wake_gateway: Arc::new(Notify::new()),
            to_checkpoint,
            spent,
            wake_checkpoint: parking.waker(),
            teller: None,
        };
        let beginning = Beginning {
            tree: StateTree::new(state.ledger()),
            state,
            answers: AnswerBook::new(),
            feeds: Positions::default(),
            record_hash: Digest::ZERO,
            is_written: true,
        };
        let plan = CheckpointPlan {
            identity: Identity {
                network: genesis.network(),
                genesis_hash: genesis.hash(),
            },
            instance: InstanceId::new([0; 16]),
            interval: Duration::from_secs(60),
        };
        let mut shadow = Shadow::new(beginning, plan, Clock::start(), ports);
        shadow.wait_for_a_block();
        let question = QueryRequest {
            session: SessionId::new(1),
            account: AccountId::new(0),
            request: 1,
            question: Question::Markets,
            at_least: SequenceNumber::ZERO,
        };
        ask.push(question).unwrap();
        shadow.turn().unwrap();
        assert!(answered.pop().is_err());
        let released = Arc::new(released);
        let moved = Vec::new();
        follow.push(FollowedBlock { released, moved }).unwrap();
        shadow.turn().unwrap();
        let message = answered.pop().unwrap().message;
        let (_, records) = parse_reply::<MarketStateRecord>(&message, Kind::MarketStates).unwrap();
        let statuses = records.iter().map(|it| it.state().unwrap().status);
        assert!(statuses.eq([MarketStatus::CancelOnly; 2]));
    }
}
