//! The messages that a reader can come back to: the last of every feed, within a bound.
//!
//! A public feed has a bound of its own. Accounts share one: whoever trades most does not get more time
//! than others, for the oldest message of all goes first.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use engine::feeds::Positions;
use types::AccountId;
use types::wire::feed::{Channel, FeedId, FeedPosition, GapReason};

/// Bytes of all public feeds together; each has an equal part of it, within the next two.
const PUBLIC_BYTES: usize = 256 << 20;
/// Bytes of a public feed, at least.
const FEED_BYTES_MIN: usize = 64 << 10;
/// Bytes of a public feed, at most.
const FEED_BYTES_MAX: usize = 4 << 20;
/// Bytes of all accounts' feeds together.
const ACCOUNTS_BYTES: usize = 64 << 20;
/// What a message costs beside its bytes.
const OVERHEAD: usize = 128;

/// The last messages of all feeds.
#[derive(Debug)]
pub(super) struct Retained {
    /// Where the feeds stood before the first message came.
    initial: Positions,
    trails: HashMap<FeedId, Trail>,
    public_bytes: usize,
    accounts_bytes: usize,
    /// Whose message is the next to go.
    oldest: VecDeque<AccountId>,
    accounts_used: usize,
}

/// The last messages of a feed.
#[derive(Debug)]
struct Trail {
    /// Where it stood before the first of them.
    base: FeedPosition,
    messages: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    /// Where the feed stood after it.
    after: FeedPosition,
    message: Bytes,
}

impl Retained {
    /// None yet, of feeds that stand there.
    pub(super) fn new(initial: Positions, market_count: usize) -> Self {
        let feeds = (market_count * Channel::PUBLIC.len()).max(1);
        Self {
            initial,
            trails: HashMap::new(),
            public_bytes: (PUBLIC_BYTES / feeds).clamp(FEED_BYTES_MIN, FEED_BYTES_MAX),
            accounts_bytes: ACCOUNTS_BYTES,
            oldest: VecDeque::new(),
            accounts_used: 0,
        }
    }

    /// Keeps the next message of a feed, after which it stands there.
    pub(super) fn push(&mut self, feed: FeedId, after: FeedPosition, message: Bytes) {
        let base = self.initial.of(feed);
        let trail = self.trails.entry(feed).or_insert_with(|| Trail {
            base,
            messages: VecDeque::new(),
            bytes: 0,
        });
        let bytes = trail.push(Kept { after, message });
        match feed {
            FeedId::Market(..) => {
                while trail.bytes > self.public_bytes {
                    trail.pop();
                }
            }
            FeedId::Account(account) => {
                self.oldest.push_back(account);
                self.accounts_used += bytes;
                self.shorten_accounts();
            }
        }
    }

    /// All that came after a position, or why that cannot be told. `current` is where the feed stands.
    pub(super) fn resume(
        &self,
        feed: FeedId,
        from: &FeedPosition,
        current: &FeedPosition,
    ) -> Result<Vec<Bytes>, GapReason> {
        if from == current {
            return Ok(Vec::new());
        }
        if from.sequence >= current.sequence {
            return Err(GapReason::Forked);
        }
        let trail = self.trails.get(&feed).ok_or(GapReason::NotRetained)?;
        if from.sequence < trail.base.sequence {
            return Err(GapReason::NotRetained);
        }
        let messages = &trail.messages;
        let next = messages.partition_point(|kept| kept.after.sequence <= from.sequence);
        let before = match next.checked_sub(1) {
            Some(last) => messages[last].after,
            None => trail.base,
        };
        if before != *from {
            return Err(GapReason::Forked);
        }
        let rest = messages.range(next..);
        Ok(rest.map(|kept| kept.message.clone()).collect())
    }

    fn shorten_accounts(&mut self) {
        while self.accounts_used > self.accounts_bytes
            && let Some(account) = self.oldest.pop_front()
        {
            let trail = self.trails.get_mut(&FeedId::Account(account));
            let trail = trail.expect("it has a message in the list");
            self.accounts_used -= trail.pop();
        }
    }
}

impl Trail {
    fn push(&mut self, kept: Kept) -> usize {
        let bytes = kept.message.len() + OVERHEAD;
        self.bytes += bytes;
        self.messages.push_back(kept);
        bytes
    }

    /// Forgets the oldest message.
    fn pop(&mut self) -> usize {
        let oldest = self.messages.pop_front();
        let oldest = oldest.expect("it has bytes, so it has messages");
        let bytes = oldest.message.len() + OVERHEAD;
        self.base = oldest.after;
        self.bytes -= bytes;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use types::MarketId;
    use types::outcome::Digest;

    use super::*;

    const PUBLIC: FeedId = FeedId::Market(Channel::L2, MarketId::new(0));

    fn at(sequence: u64) -> FeedPosition {
        let hash = match sequence {
            0 => Digest::ZERO,
            _ => Digest::new([sequence as u8; 32]),
        };
        FeedPosition { sequence, hash }
    }

    /// Messages of two events each, up to event 10.
    fn filled(feed: FeedId, bytes_max: usize) -> Retained {
        let mut retained = Retained::new(Positions::default(), 1);
        retained.public_bytes = bytes_max;
        retained.accounts_bytes = bytes_max;
        for sequence in [2, 4, 6, 8, 10] {
            retained.push(feed, at(sequence), Bytes::from(vec![sequence as u8]));
        }
        retained
    }

    fn check(
        retained: &Retained,
        feed: FeedId,
        from: FeedPosition,
        expected: Result<&[u8], GapReason>,
    ) {
        let found = retained.resume(feed, &from, &at(10));
        let found = found.map(|messages| messages.concat());
        assert_eq!(
            found.as_deref(),
            expected.as_ref().map(|it| &**it),
            "{from:?}"
        );
    }

    #[test]
    fn a_reader_comes_back_to_what_is_kept_and_to_nothing_else() {
        for feed in [PUBLIC, FeedId::Account(AccountId::new(3))] {
            let retained = filled(feed, 1_000);
            check(&retained, feed, at(0), Ok(&[2, 4, 6, 8, 10]));
            check(&retained, feed, at(6), Ok(&[8, 10]));
            check(&retained, feed, at(10), Ok(&[]));
            // Not where a message ends, another hash, beyond the end.
            check(&retained, feed, at(5), Err(GapReason::Forked));
            let other = FeedPosition {
                sequence: 6,
                hash: Digest::new([9; 32]),
            };
            check(&retained, feed, other, Err(GapReason::Forked));
            check(&retained, feed, at(11), Err(GapReason::Forked));
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_forgotten() {
        for feed in [PUBLIC, FeedId::Account(AccountId::new(3))] {
            let retained = filled(feed, 2 * (OVERHEAD + 1));
            check(&retained, feed, at(0), Err(GapReason::NotRetained));
            check(&retained, feed, at(4), Err(GapReason::NotRetained));
            check(&retained, feed, at(6), Ok(&[8, 10]));
        }
    }

    #[test]
    fn accounts_share_their_bound_and_the_oldest_message_goes_first() {
        let [first, second] = [1, 2].map(|id| FeedId::Account(AccountId::new(id)));
        let mut retained = Retained::new(Positions::default(), 1);
        retained.accounts_bytes = 3 * (OVERHEAD + 1);
        for (feed, sequence) in [(first, 1), (second, 1), (first, 2), (second, 2)] {
            retained.push(feed, at(sequence), Bytes::from(vec![sequence as u8]));
        }
        let found = |feed| retained.resume(feed, &at(0), &at(2));
        assert_eq!(found(first), Err(GapReason::NotRetained));
        assert_eq!(found(second).unwrap().concat(), [1, 2]);
    }

    #[test]
    fn what_stood_before_is_known_by_its_position_only() {
        let mut initial = Positions::default();
        initial.set(PUBLIC, at(10));
        let mut retained = Retained::new(initial, 1);
        check(&retained, PUBLIC, at(10), Ok(&[]));
        check(&retained, PUBLIC, at(9), Err(GapReason::NotRetained));
        retained.push(PUBLIC, at(12), Bytes::from_static(&[12]));
        let found = retained.resume(PUBLIC, &at(10), &at(12));
        assert_eq!(found.unwrap().concat(), [12]);
        let found = retained.resume(PUBLIC, &at(9), &at(12));
        assert_eq!(found, Err(GapReason::NotRetained));
    }
}
