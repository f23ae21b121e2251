//! Feeds: what the public learns of each market and what an account learns of its orders, as numbered
//! events with a running hash.
//!
//! Here is what both ends of a feed must agree on: its name, where it stands, its messages, and how the
//! two hashes are made. A feed's running hash chains its messages, so whoever has it at one position
//! knows that nothing before was left out, added or changed; a book hash is of what a book shows, so
//! whoever keeps a book of his own can compare it.
//!
//! | module | holds |
//! |---|---|
//! | `record` | one change or one line of a book, as fixed bytes |
//! | `message` | `Subscribe`, `Unsubscribe`, `Subscribed`, `FeedEvents`, `FeedSnapshot`, `FeedCheckpoint`, `FeedGap` |
//! | `hash` | the running hash and the book hash |

mod hash;
mod message;
mod record;

use crate::outcome::Digest;
use crate::{AccountId, MarketId};

pub use hash::{BookHasher, next_hash};
pub use message::{
    EVENTS_LENGTH_MAX, FeedEvents, FeedGap, FeedMark, FeedSnapshot, GapReason, INTERVALS_MS, Lines,
    Records, Subscribe, Subscribed, Subscription, Unsubscribe, begin_events, finish_events,
    is_conflatable, write_conflated, write_snapshot,
};
pub use record::{
    AccountEvent, AccountReport, BestRecord, L1Event, L2Event, L3Action, L3Event, LevelRecord,
    OrderRecord, TradeEvent, TradeNews,
};

/// What a feed tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Channel {
    /// The trades of a market, and what it may do.
    Trades = 1,
    /// The best of both sides.
    L1 = 2,
    /// Totals per price.
    L2 = 3,
    /// Every order that shows itself.
    L3 = 4,
    /// Every execution report of an account.
    Account = 5,
}

impl Channel {
    /// All channels of a market.
    pub const PUBLIC: [Self; 4] = [Self::Trades, Self::L1, Self::L2, Self::L3];

    /// The channel with this number, if there is one. Zero is never a channel.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Trades),
            2 => Some(Self::L1),
            3 => Some(Self::L2),
            4 => Some(Self::L3),
            5 => Some(Self::Account),
            _ => None,
        }
    }

    /// Whether there is a book that its events change.
    pub const fn has_book(self) -> bool {
        matches!(self, Self::L1 | Self::L2 | Self::L3)
    }

    /// The channel of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = Self::PUBLIC.into_iter().chain([Self::Account]);
        all.into_iter().find(|channel| channel.name() == name)
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::L3 => "l3",
            Self::Account => "account",
        }
    }
}

/// Which feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedId {
    /// One channel of one market; never [`Channel::Account`].
    Market(Channel, MarketId),
    /// One account's reports.
    Account(AccountId),
}

impl FeedId {
    /// The feed with these numbers, if there can be one: a channel, and the id of a market or an
    /// account.
    pub fn new(channel: Channel, subject: u32) -> Option<Self> {
        match channel {
            Channel::Account => Some(Self::Account(AccountId::new(subject))),
            public => {
                let market = u16::try_from(subject).ok()?;
                Some(Self::Market(public, MarketId::new(market)))
            }
        }
    }

    /// What it tells.
    pub const fn channel(self) -> Channel {
        match self {
            Self::Market(channel, _) => channel,
            Self::Account(_) => Channel::Account,
        }
    }

    /// The id of its market or account.
    pub fn subject(self) -> u32 {
        match self {
            Self::Market(_, market) => u32::from(market.get()),
            Self::Account(account) => account.get(),
        }
    }
}

/// Where a feed stands: so many events, and the hash of their chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedPosition {
    /// Number of the last event. The first is 1; zero: there was none.
    pub sequence: u64,
    /// Running hash after it; zero before the first.
    pub hash: Digest,
}
