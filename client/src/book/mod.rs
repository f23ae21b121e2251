//! A local copy of what a feed shows, built from its messages and from nothing else, which checks each of
//! them: that no event is missing, that the running hash is that of the events, that each event can
//! happen to this book, and that the book is the server's wherever the server says what it shows.
//!
//! One builder serves one feed, also across connections: after a loss it says where to go on
//! ([`FeedBook::position`]). Feeds without a book (trades, an account's reports) are checked by it too.
//!
//! After an error the builder is of no more use: what it has cannot be told from what was forged.

mod content;

use thiserror::Error;
use types::limits::ORDERS_PER_BOOK_MAX;
use types::outcome::Digest;
use types::wire::feed::{
    BookHasher, FeedEvents, FeedGap, FeedId, FeedMark, FeedPosition, FeedSnapshot, LevelRecord,
    OrderRecord,
};
use types::{BaseLots, SequenceNumber, Side, Ticks};

use crate::feed::FeedMessage;
use content::Content;

/// A feed as its reader knows it.
#[derive(Debug)]
pub struct FeedBook {
    feed: FeedId,
    content: Content,
    stage: Stage,
    /// The last command or tick that is known to be in it.
    sequence: SequenceNumber,
    /// How often the book was found to be the server's.
    compared: u64,
}

/// How far it is.
#[derive(Debug)]
enum Stage {
    /// A snapshot must come.
    Away,
    /// So much of it has come.
    Joining {
        mark: FeedMark,
        hasher: Box<BookHasher>,
        lines: u64,
    },
    /// All up to here is known.
    Joined(FeedPosition),
    /// The newest state as of this event is known, not what led to it.
    Conflated(u64),
}

/// What is wrong, and with which event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("event {sequence} of {} {}: {fault}", feed.channel().name(), feed.subject())]
pub struct FeedFault {
    /// In which feed.
    pub feed: FeedId,
    /// The first event that is wrong, or whose message is.
    pub sequence: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The message is of another feed.
    #[error("it is of another feed")]
    OtherFeed,
    /// Events are missing, or come again.
    #[error("event {expected} was expected")]
    OutOfOrder {
        /// The next event.
        expected: u64,
    },
    /// The running hash is not that of the events.
    #[error("the running hash is not that of the events")]
    WrongHash,
    /// What it says cannot happen to this book.
    #[error("this cannot happen to the book")]
    Impossible,
    /// The book is not what the server says it shows.
    #[error("the book is not the server's")]
    WrongBook,
    /// Another kind of message must come first.
    #[error("this kind of message is not expected here")]
    Unexpected,
}

impl FeedBook {
    /// Of a feed that nothing is known of: a snapshot must come first, or, if `from_start`, its first
    /// event.
    pub fn new(feed: FeedId, from_start: bool) -> Self {
        Self {
            feed,
            content: Content::new(feed.channel()),
            stage: match from_start {
                true => Stage::Joined(FeedPosition::default()),
                false => Stage::Away,
            },
            sequence: SequenceNumber::ZERO,
            compared: 0,
        }
    }

    /// Of a feed of which nothing but this position is known. All after it is checked as a chain; the
    /// book is not built, and compared with nothing, until a snapshot comes.
    pub const fn at(feed: FeedId, position: FeedPosition) -> Self {
        Self {
            feed,
            content: Content::unknown(feed.channel()),
            stage: Stage::Joined(position),
            sequence: SequenceNumber::ZERO,
            compared: 0,
        }
    }

    /// Takes the next message.
    pub fn apply(&mut self, message: &FeedMessage) -> Result<(), FeedFault> {
        match message {
            FeedMessage::Events(events) => self.follow(&events.view()),
            FeedMessage::Snapshot(part) => self.join(&part.view()),
            FeedMessage::Checkpoint(mark) => self.compare(mark),
            FeedMessage::Gap(gap) => self.miss(gap),
        }
    }

    /// Where to go on; `None`: at a snapshot.
    pub const fn position(&self) -> Option<FeedPosition> {
        match &self.stage {
            Stage::Joined(position) => Some(*position),
            Stage::Away | Stage::Joining { .. } | Stage::Conflated(_) => None,
        }
    }

    /// Which feed this is of.
    pub const fn feed(&self) -> FeedId {
        self.feed
    }

    /// The last command or tick that is known to be in it.
    pub const fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// How often the book was found to be the server's: at snapshots and checkpoints.
    pub const fn compared(&self) -> u64 {
        self.compared
    }

    /// Hash of what the book shows.
    pub fn book_hash(&self) -> Digest {
        let mut hasher = BookHasher::new(self.feed.channel());
        self.content.for_each_line(|line| hasher.update(line));
        hasher.finish()
    }

    /// The best price of a side and what is shown at it; `None`: nobody waits there.
    pub fn best(&self, side: Side) -> Option<(Ticks, BaseLots)> {
        self.content.best(side)
    }

    /// The levels of a side, best first. Only L2 has them.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = &LevelRecord> + '_ {
        self.content.levels(side)
    }

    /// The orders of a side in their turn, best first. Only L3 has them.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = &OrderRecord> + '_ {
        self.content.orders(side)
    }

    fn follow(&mut self, events: &FeedEvents<'_>) -> Result<(), FeedFault> {
        self.check_feed(events.feed, events.sequence)?;
        let fault = |sequence, fault| self.fault(sequence, fault);
        let next = match (&self.stage, events.is_conflated) {
            (Stage::Joined(before), false) => {
                let expected = before.sequence + 1;
                if events.sequence != expected {
                    return Err(fault(events.sequence, Fault::OutOfOrder { expected }));
                }
                if events.hash_after(&before.hash) != events.hash {
                    return Err(fault(events.sequence, Fault::WrongHash));
                }
                Stage::Joined(FeedPosition {
                    sequence: events.last(),
                    hash: events.hash,
                })
            }
            (Stage::Joined(FeedPosition { sequence, .. }) | Stage::Conflated(sequence), true) => {
                if events.sequence < *sequence {
                    let expected = *sequence;
                    return Err(fault(events.sequence, Fault::OutOfOrder { expected }));
                }
                Stage::Conflated(events.sequence)
            }
            _ => return Err(fault(events.sequence, Fault::Unexpected)),
        };
        let applied = self.content.apply(&events.records, events.is_conflated);
        applied.map_err(|index| {
            let sequence = events.sequence + if events.is_conflated { 0 } else { index };
            self.fault(sequence, Fault::Impossible)
        })?;
        self.stage = next;
        Ok(())
    }

    fn join(&mut self, part: &FeedSnapshot<'_>) -> Result<(), FeedFault> {
        let at = part.mark.position.sequence;
        self.check_feed(part.mark.feed, at)?;
        let stage = std::mem::replace(&mut self.stage, Stage::Away);
        let (mut hasher, lines) = match stage {
            Stage::Away => {
                self.content = Content::new(self.feed.channel());
                (Box::new(part.hasher()), 0)
            }
            Stage::Joining {
                mark,
                hasher,
                lines,
            } if mark == part.mark => (hasher, lines),
            _ => return Err(self.fault(at, Fault::Unexpected)),
        };
        hasher.update(part.bytes);
        let count = self.content.load(&part.lines);
        let lines = lines + count.ok_or_else(|| self.fault(at, Fault::Impossible))?;
        if lines > 2 * u64::from(ORDERS_PER_BOOK_MAX) {
            return Err(self.fault(at, Fault::Impossible));
        }
        if part.more {
            self.stage = Stage::Joining {
                mark: part.mark,
                hasher,
                lines,
            };
            return Ok(());
        }
        // In the order in which it came, and in the order in which it is kept.
        if hasher.finish() != part.mark.book_hash || self.book_hash() != part.mark.book_hash {
            return Err(self.fault(at, Fault::WrongBook));
        }
        self.stage = Stage::Joined(part.mark.position);
        self.sequence = part.mark.sequence;
        self.compared += 1;
        Ok(())
    }

    fn compare(&mut self, mark: &FeedMark) -> Result<(), FeedFault> {
        let at = mark.position.sequence;
        self.check_feed(mark.feed, at)?;
        let expected = match &self.stage {
            Stage::Joined(position) if *position == mark.position => None,
            Stage::Joined(position) if position.sequence == at => {
                return Err(self.fault(at, Fault::WrongHash));
            }
            Stage::Conflated(sequence) if *sequence == at => None,
            Stage::Joined(FeedPosition { sequence, .. }) | Stage::Conflated(sequence) => {
                Some(*sequence)
            }
            Stage::Away | Stage::Joining { .. } => {
                return Err(self.fault(at, Fault::Unexpected));
            }
        };
        if let Some(expected) = expected {
            return Err(self.fault(at, Fault::OutOfOrder { expected }));
        }
        self.sequence = mark.sequence;
        if self.content.is_unknown() {
            return Ok(());
        }
        if self.book_hash() != mark.book_hash {
            return Err(self.fault(at, Fault::WrongBook));
        }
        self.compared += 1;
        Ok(())
    }

    /// A snapshot follows, or the stream ends and the position stays.
    fn miss(&mut self, gap: &FeedGap) -> Result<(), FeedFault> {
        self.check_feed(gap.feed, gap.after)?;
        if gap.through != 0 {
            self.stage = Stage::Away;
        }
        Ok(())
    }

    fn check_feed(&self, feed: FeedId, sequence: u64) -> Result<(), FeedFault> {
        let is_ours = feed == self.feed;
        let ours = is_ours.then_some(());
        ours.ok_or_else(|| self.fault(sequence, Fault::OtherFeed))
    }

    const fn fault(&self, sequence: u64, fault: Fault) -> FeedFault {
        FeedFault {
            feed: self.feed,
            sequence,
            fault,
        }
    }
}
