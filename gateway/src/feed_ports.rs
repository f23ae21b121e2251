//! The rings at which the gateway meets whoever makes the feeds.
//!
//! The gateway knows who reads; the other side knows what is told. A message is made once, and its
//! bytes are shared by all who read it.

use bytes::Bytes;
use rtrb::{Consumer, Producer};
use types::SessionId;
use types::wire::feed::{FeedId, Subscription};

use crate::ports::Wake;

/// The gateway's ends of both rings.
#[derive(Debug)]
pub struct FeedPorts {
    /// Who begins and stops to read.
    pub requests: Producer<FeedRequest>,
    /// What the feeds tell.
    pub deliveries: Consumer<FeedDelivery>,
    /// Wakes whoever makes the feeds: after requests were pushed, and after the deliveries were full.
    pub wake: Wake,
}

/// Which readers are told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedGroup {
    /// The feed.
    pub feed: FeedId,
    /// Zero: every event. Else milliseconds between updates.
    pub interval_ms: u32,
}

/// From the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedRequest {
    /// Somebody wants to read. Answered by one [`FeedDelivery::Joined`].
    Join {
        /// The session to answer.
        session: SessionId,
        /// The gateway's number of this request.
        ticket: u64,
        /// What is wanted.
        subscription: Subscription,
    },
    /// One who had joined reads no more.
    Leave(FeedGroup),
}

/// To the gateway, in order: what follows a [`FeedDelivery::Joined`] goes on exactly where it ends.
#[derive(Clone, Debug)]
pub enum FeedDelivery {
    /// The answer to a request.
    Joined {
        /// Its session.
        session: SessionId,
        /// Its number.
        ticket: u64,
        /// What this reader alone is told first.
        messages: Vec<Bytes>,
    },
    /// For all readers of a group.
    Message {
        /// Which.
        group: FeedGroup,
        /// One whole message.
        message: Bytes,
    },
}

impl FeedGroup {
    /// Where a subscription belongs.
    pub const fn of(subscription: &Subscription) -> Self {
        Self {
            feed: subscription.feed,
            interval_ms: subscription.interval_ms,
        }
    }
}
