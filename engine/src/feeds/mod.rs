//! Feeds: numbered events with a running hash, from released outcomes alone.
//!
//! Pure, as everything here: whoever follows the same blocks comes to the same positions, and a
//! block's cut is in the journal, so every replay does. What happens in one block to one feed is one
//! message (or as many as it needs), encoded and hashed once, however many read it.
//!
//! | module | holds |
//! |---|---|
//! | `teller` | what each feed is told of an event |
//! | `drafts` | messages that are being made |
//! | `record` | what a book shows as the bytes of the wire |
//! | `positions` | where all feeds stand, and how that lies in a checkpoint |

mod drafts;
mod positions;
mod record;
mod teller;

use types::outcome::BlockOutcome;
use types::wire::feed::{BookHasher, FeedId, FeedMark, FeedPosition, L2Event};
use types::{MarketId, SequenceNumber, Side, Ticks};

use crate::market_data::MarketData;
use drafts::Drafts;
use teller::Teller;

pub use positions::{NotPositions, Positions};
pub use record::{best_event, book_lines};

/// All feeds of a network, as of the last followed block.
#[derive(Debug)]
pub struct Feeds {
    data: MarketData,
    positions: Positions,
    drafts: Drafts,
}

impl Feeds {
    /// Feeds of what these markets show, which stand there. Panics unless both are as of one block.
    pub fn new(data: MarketData, positions: Positions) -> Self {
        assert_eq!(data.sequence(), positions.sequence(), "as of one block");
        Self {
            data,
            positions,
            drafts: Drafts::default(),
        }
    }

    /// Applies the next outcome. `sink` is given every message, and where its feed stands then.
    pub fn follow(
        &mut self,
        outcome: &BlockOutcome,
        mut sink: impl FnMut(FeedId, FeedPosition, &[u8]),
    ) {
        let Self {
            data,
            positions,
            drafts,
        } = self;
        let mut teller = Teller {
            positions,
            drafts,
            sink: &mut sink,
        };
        for record in &outcome.events {
            let event = record.event();
            data.apply(&event, |market, sequence, event| {
                teller.tell_market(market, sequence, event);
            });
            teller.tell_accounts(&event);
        }
        data.finish(outcome.last_sequence);
        drafts.finish(positions, &mut sink);
        positions.set_sequence(outcome.last_sequence);
    }

    /// Where all feeds stand.
    pub const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// What the markets show.
    pub const fn data(&self) -> &MarketData {
        &self.data
    }

    /// Where a feed stands, and what its book shows: `lines` is filled with it.
    pub fn mark(&self, feed: FeedId, lines: &mut Vec<u8>) -> FeedMark {
        lines.clear();
        if let FeedId::Market(channel, market) = feed
            && let Some(depth) = self.data.depth(market)
        {
            book_lines(channel, depth, lines);
        }
        let mut hasher = BookHasher::new(feed.channel());
        hasher.update(lines);
        FeedMark {
            feed,
            position: self.positions.of(feed),
            book_hash: hasher.finish(),
            sequence: self.positions.sequence(),
        }
    }

    /// The newest state of a level, as an event.
    pub fn level(&self, market: MarketId, side: Side, price: Ticks) -> Option<L2Event> {
        let level = self.data.depth(market)?.level(side, price);
        let record = record::level_record(side, &level);
        Some(L2Event::new(self.sequence(), record))
    }

    /// The last command or tick that was followed.
    pub const fn sequence(&self) -> SequenceNumber {
        self.positions.sequence()
    }
}
