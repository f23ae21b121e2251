//! The feeds: released blocks as what the public and each account learn, on a thread of its own.
//!
//! It stands between the pipeline and the shadow: each block goes on to the shadow together with where
//! its feeds stand then, so a checkpoint has the positions of exactly its block. It follows also when
//! nobody reads, for positions and hashes must not have holes; then it works in bursts. What a block
//! tells a feed is encoded and hashed once, and kept for a while for whoever comes back.
//!
//! Like every follower it is part of the way out: a follower without room stops the pipeline from
//! sealing, and clients hear `BUSY`. A *reader* never can: it has a bounded backlog at the gateway.
//!
//! | module | holds |
//! |---|---|
//! | `groups` | who is told what and when: conflation and checkpoints |
//! | `retained` | the messages that a reader can come back to |

mod groups;
mod retained;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::feeds::{Feeds, Positions};
use engine::market_data::MarketData;
use gateway::{FeedDelivery, FeedGroup, FeedRequest, Wake};
use rtrb::{Consumer, Producer};
use types::SessionId;
use types::block::ReleasedBlock;
use types::outcome::BlockOutcome;
use types::wire::feed::{FeedGap, FeedId, FeedPosition, GapReason, Subscription, write_snapshot};

use crate::threads::{Clock, Nudge, Parking, Stop, Waker};
use groups::Groups;
use retained::Retained;

/// The ends of the rings that the thread holds.
#[derive(Debug)]
pub struct Ports {
    /// Blocks that left the release gate.
    pub released: Consumer<Arc<ReleasedBlock>>,
    /// Wakes whoever pushes those, after that ring was full.
    pub wake_pipeline: Waker,
    /// The same blocks, for the shadow.
    pub followed: Producer<FollowedBlock>,
    /// Wakes the shadow.
    pub wake_shadow: Wake,
    /// Who begins and stops to read.
    pub requests: Consumer<FeedRequest>,
    /// What is told.
    pub deliveries: Producer<FeedDelivery>,
    /// Wakes whoever passes it on.
    pub wake_gateway: Arc<tokio::sync::Notify>,
}

/// A block, and where the feeds stand that it moved.
#[derive(Clone, Debug)]
pub struct FollowedBlock {
    /// The block.
    pub released: Arc<ReleasedBlock>,
    /// The feeds. The later of two that are the same counts.
    pub moved: Vec<(FeedId, FeedPosition)>,
}

/// What the feeds start from: as they are after the last durable block.
#[derive(Debug)]
pub struct Beginning {
    feeds: Feeds,
    retained: Retained,
}

impl Beginning {
    /// Feeds of these books, which stand there.
    pub(crate) fn new(data: MarketData, positions: Positions) -> Self {
        Self {
            retained: Retained::new(positions.clone(), data.market_count()),
            feeds: Feeds::new(data, positions),
        }
    }

    /// Applies the next outcome.
    pub(crate) fn follow(&mut self, outcome: &BlockOutcome) {
        let Self { feeds, retained } = self;
        feeds.follow(outcome, |feed, position, message| {
            retained.push(feed, position, Bytes::copy_from_slice(message));
        });
    }

    /// Where all feeds stand.
    pub const fn positions(&self) -> &Positions {
        self.feeds.positions()
    }
}

/// Makes the feeds.
#[derive(Debug)]
pub struct FeedWorker {
    feeds: Feeds,
    retained: Retained,
    groups: Groups,
    snapshots: BTreeMap<FeedId, Snapshot>,
    /// What there was no room for yet: at most what one block or one request leads to.
    pending: VecDeque<FeedDelivery>,
    clock: Clock,
    ports: Ports,
    lines: Vec<u8>,
    /// Blocks taken since the pipeline was last woken.
    taken: usize,
}

/// A snapshot that is not old: who joins within a second of another gets the same, and the events
/// since then, as long as all of them are kept. So how often one is made depends on the feed, and not
/// on how many join.
#[derive(Debug)]
struct Snapshot {
    made_at: u64,
    position: FeedPosition,
    messages: Vec<Bytes>,
}

const SNAPSHOT_AGE_NS: u64 = 1_000_000_000;

impl FeedWorker {
    /// Goes on from there.
    pub fn new(beginning: Beginning, clock: Clock, ports: Ports) -> Self {
        let Beginning { feeds, retained } = beginning;
        Self {
            feeds,
            retained,
            groups: Groups::default(),
            snapshots: BTreeMap::new(),
            pending: VecDeque::new(),
            clock,
            ports,
            lines: Vec::new(),
            taken: 0,
        }
    }

    /// Does all there is to do now; whether that was anything.
    pub fn turn(&mut self) -> bool {
        let mut worked = self.deliver();
        worked |= self.take_requests();
        worked |= self.follow();
        worked |= self.tell_what_is_due();
        worked | self.deliver()
    }

    /// For how long there may be nothing to do, if nobody wakes this thread. `None`: for ever.
    fn idle_for(&self) -> Option<Duration> {
        let due = self.groups.next_due()?;
        Some(Duration::from_nanos(
            due.saturating_sub(self.clock.unix_nanos()),
        ))
    }

    /// Whether all that was taken in has been handed on.
    fn is_done(&self) -> bool {
        self.ports.released.is_empty() && self.pending.is_empty()
    }

    /// Follows blocks while there is room for what they lead to.
    fn follow(&mut self) -> bool {
        let capacity = self.ports.released.buffer().capacity();
        let mut popped = 0;
        while popped < capacity
            && self.pending.is_empty()
            && !self.ports.followed.is_full()
            && let Ok(released) = self.ports.released.pop()
        {
            self.follow_block(released);
            self.deliver();
            popped += 1;
        }
        if popped > 0 {
            self.ports.wake_shadow.wake();
        }
        // The pipeline may wait for room: a ring that it found full has as much to be popped still, so
        // one of the halves comes after the finding.
        self.taken += popped;
        if self.taken >= capacity.div_ceil(2) {
            self.taken = 0;
            self.ports.wake_pipeline.wake();
        }
        popped > 0
    }

    fn follow_block(&mut self, released: Arc<ReleasedBlock>) {
        let Self {
            feeds,
            retained,
            groups,
            pending,
            ..
        } = self;
        let mut moved = Vec::new();
        feeds.follow(&released.outcome, |feed, position, message| {
            let message = Bytes::copy_from_slice(message);
            groups.note(feed, &message, pending);
            retained.push(feed, position, message);
            moved.push((feed, position));
        });
        let pushed = self.ports.followed.push(FollowedBlock { released, moved });
        assert!(pushed.is_ok(), "asked for room before; nobody else pushes");
    }

    fn take_requests(&mut self) -> bool {
        let mut worked = false;
        while self.pending.is_empty()
            && let Ok(request) = self.ports.requests.pop()
        {
            match request {
                FeedRequest::Join {
                    session,
                    ticket,
                    subscription,
                } => self.join(session, ticket, &subscription),
                FeedRequest::Leave(group) => self.groups.leave(group),
            }
            self.deliver();
            worked = true;
        }
        worked
    }

    fn join(&mut self, session: SessionId, ticket: u64, subscription: &Subscription) {
        let now = self.clock.unix_nanos();
        let group = FeedGroup::of(subscription);
        let resumed = match subscription.from {
            None => None,
            Some(_) if group.interval_ms != 0 => Some(Err(GapReason::Conflated)),
            Some(from) => {
                let current = self.feeds.positions().of(group.feed);
                Some(self.retained.resume(group.feed, &from, &current))
            }
        };
        let messages = match (resumed, subscription.from) {
            (Some(Ok(messages)), _) => messages,
            (Some(Err(reason)), Some(from)) => self.gap(group, reason, from.sequence, now),
            _ => self.snapshot(group.feed, now).1,
        };
        self.groups.join(group, now);
        self.pending.push_back(FeedDelivery::Joined {
            session,
            ticket,
            messages,
        });
    }

    /// A notice, and then a snapshot.
    fn gap(&mut self, group: FeedGroup, reason: GapReason, after: u64, now: u64) -> Vec<Bytes> {
        let (position, snapshot) = self.snapshot(group.feed, now);
        let gap = FeedGap {
            feed: group.feed,
            reason,
            after,
            through: position.sequence,
        };
        let mut messages = vec![Bytes::copy_from_slice(&gap.encode())];
        messages.extend(snapshot);
        messages
    }

    /// A snapshot, where it was made, and all since then.
    fn snapshot(&mut self, feed: FeedId, now: u64) -> (FeedPosition, Vec<Bytes>) {
        let is_young = |snapshot: &Snapshot| now.saturating_sub(snapshot.made_at) < SNAPSHOT_AGE_NS;
        self.snapshots.retain(|_, snapshot| is_young(snapshot));
        let current = self.feeds.positions().of(feed);
        if let Some(young) = self.snapshots.get(&feed)
            && let Ok(since) = self.retained.resume(feed, &young.position, &current)
        {
            let messages = young.messages.iter().cloned().chain(since);
            return (young.position, messages.collect());
        }
        let mark = self.feeds.mark(feed, &mut self.lines);
        let mut messages = Vec::new();
        write_snapshot(&mark, &self.lines, |message| {
            messages.push(Bytes::from(message));
        });
        if feed.channel().has_book() {
            let snapshot = Snapshot {
                made_at: now,
                position: mark.position,
                messages: messages.clone(),
            };
            self.snapshots.insert(feed, snapshot);
        }
        (mark.position, messages)
    }

    fn tell_what_is_due(&mut self) -> bool {
        if !self.pending.is_empty() {
            return false;
        }
        let now = self.clock.unix_nanos();
        let Self {
            groups,
            feeds,
            lines,
            pending,
            ..
        } = self;
        groups.tell(now, feeds, lines, pending)
    }

    fn deliver(&mut self) -> bool {
        let mut worked = false;
        while !self.ports.deliveries.is_full()
            && let Some(delivery) = self.pending.pop_front()
        {
            let pushed = self.ports.deliveries.push(delivery);
            assert!(pushed.is_ok(), "asked for room before; nobody else pushes");
            worked = true;
        }
        if worked {
            self.ports.wake_gateway.notify_one();
        }
        worked
    }
}

/// Runs until told to stop and everything that was taken in is handed on.
pub(crate) fn run(mut worker: FeedWorker, nudge: &Nudge, parking: &Parking, stop: &Stop) {
    loop {
        let stopping = stop.requested();
        if worker.turn() {
            if !stopping && worker.groups.is_empty() {
                parking.park_for(BURST);
            }
            continue;
        }
        if stopping && worker.is_done() {
            return;
        }
        nudge.fall_asleep();
        // Whoever makes room wakes this thread, and so does whoever asks.
        let has_room = worker.pending.is_empty() && !worker.ports.followed.is_full();
        if worker.ports.released.is_empty() || !has_room {
            match worker.idle_for().filter(|_| worker.pending.is_empty()) {
                Some(wait) => parking.park_for(wait),
                None => parking.park(),
            }
        }
        nudge.wake_up();
    }
}

/// While nobody reads, blocks are followed many at a time, as the shadow does it.
const BURST: Duration = Duration::from_millis(1);
