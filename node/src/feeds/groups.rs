//! Who is told what and when: readers by feed and interval, the newest state for those who want no more
//! than that, and a checkpoint now and then for all.
//!
//! A checkpoint is an aid to compare, and no event: it has no place in any chain, so when it is made
//! need not be the same in every replay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use engine::feeds::{Feeds, best_event};
use gateway::{FeedDelivery, FeedGroup};
use types::wire::feed::{Channel, FeedEvents, FeedId, Records, write_conflated};
use types::{Side, Ticks};

/// Between two checkpoints of a group.
const CHECKPOINT_NS: u64 = 250_000_000;
/// What is due is due at a multiple of this, so that many groups make one look.
const GRID_NS: u64 = 5_000_000;

/// All groups that have readers.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<FeedGroup, Group>,
    /// When the next of them may have something to tell.
    next_due: Option<u64>,
}

#[derive(Debug)]
struct Group {
    readers: u32,
    /// Conflated: what changed since the last update.
    changed: BTreeSet<(Side, Ticks)>,
    next_update: u64,
    /// Whether anything was told since the last checkpoint.
    is_dirty: bool,
    next_checkpoint: u64,
}

impl Groups {
    /// One more reads.
    pub(super) fn join(&mut self, group: FeedGroup, now: u64) {
        let state = self.groups.entry(group).or_insert_with(|| Group {
            readers: 0,
            changed: BTreeSet::new(),
            next_update: on_grid(now + interval_ns(group)),
            is_dirty: false,
            next_checkpoint: on_grid(now),
        });
        state.readers += 1;
    }

    /// One less does.
    pub(super) fn leave(&mut self, group: FeedGroup) {
        let state = self.groups.get_mut(&group);
        let state = state.expect("who leaves has joined");
        state.readers -= 1;
        if state.readers == 0 {
            self.groups.remove(&group);
        }
    }

    /// A feed has a new message.
    pub(super) fn note(
        &mut self,
        feed: FeedId,
        message: &Bytes,
        pending: &mut VecDeque<FeedDelivery>,
    ) {
        if self.groups.is_empty() {
            return;
        }
        let of = |interval_ms| FeedGroup { feed, interval_ms };
        for (group, state) in self.groups.range_mut(of(0)..=of(u32::MAX)) {
            if group.interval_ms == 0 {
                pending.push_back(FeedDelivery::Message {
                    group: *group,
                    message: message.clone(),
                });
            } else {
                state.note(message);
            }
            state.is_dirty = true;
            let due = state.due().into_iter().chain(self.next_due);
            self.next_due = due.min();
        }
    }

    /// Tells what is due; whether that was anything.
    pub(super) fn tell(
        &mut self,
        now: u64,
        feeds: &Feeds,
        lines: &mut Vec<u8>,
        pending: &mut VecDeque<FeedDelivery>,
    ) -> bool {
        if self.next_due.is_none_or(|due| now < due) {
            return false;
        }
        for (group, state) in &mut self.groups {
            let mut push = |message: Bytes| {
                let group = *group;
                pending.push_back(FeedDelivery::Message { group, message });
            };
            if !state.changed.is_empty() && state.next_update <= now {
                state.next_update = on_grid(now + interval_ns(*group));
                state.update(group.feed, feeds, |message| push(Bytes::from(message)));
            }
            if state.is_dirty && state.changed.is_empty() && state.next_checkpoint <= now {
                state.next_checkpoint = on_grid(now + CHECKPOINT_NS);
                state.is_dirty = false;
                let mark = feeds.mark(group.feed, lines);
                push(Bytes::copy_from_slice(&mark.checkpoint()));
            }
        }
        self.next_due = self.groups.values().filter_map(Group::due).min();
        true
    }

    /// When something may be due; `None`: not before something happens.
    pub(super) const fn next_due(&self) -> Option<u64> {
        self.next_due
    }

    /// Whether nobody reads.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

impl Group {
    /// Remembers what changed, not how.
    fn note(&mut self, message: &[u8]) {
        let events = FeedEvents::parse(message);
        match events.expect("we made it").records {
            Records::L1(events) => {
                let sides = events.iter().map(|event| event.best().side());
                self.changed.extend(sides.map(|side| (side, Ticks::ZERO)));
            }
            Records::L2(events) => {
                let levels = events.iter().map(|event| event.level());
                self.changed
                    .extend(levels.map(|level| (level.side(), level.price())));
            }
            Records::Trades(_) | Records::L3(_) | Records::Account(_) => {
                unreachable!("only what has a newest state is conflated")
            }
        }
    }

    /// Tells the newest state of what changed, and forgets that it did.
    fn update(&mut self, feed: FeedId, feeds: &Feeds, message: impl FnMut(Vec<u8>)) {
        let FeedId::Market(channel, market) = feed else {
            unreachable!("accounts are not conflated");
        };
        let as_of = feeds.positions().of(feed).sequence;
        let changed = std::mem::take(&mut self.changed);
        match channel {
            Channel::L1 => {
                let depth = feeds.data().depth(market);
                let depth = depth.expect("it has readers");
                let best = |side| best_event(feeds.sequence(), side, depth.best(side));
                let events: Vec<_> = changed.iter().map(|(side, _)| best(*side)).collect();
                write_conflated(feed, as_of, &events, message);
            }
            _ => {
                let level = |(side, price): &(Side, Ticks)| feeds.level(market, *side, *price);
                let events: Vec<_> = changed.iter().filter_map(level).collect();
                write_conflated(feed, as_of, &events, message);
            }
        }
    }

    /// When it has something to tell, if nothing more happens.
    fn due(&self) -> Option<u64> {
        if !self.changed.is_empty() {
            return Some(self.next_update);
        }
        self.is_dirty.then_some(self.next_checkpoint)
    }
}

fn interval_ns(group: FeedGroup) -> u64 {
    u64::from(group.interval_ms) * 1_000_000
}

const fn on_grid(moment: u64) -> u64 {
    moment.next_multiple_of(GRID_NS)
}
