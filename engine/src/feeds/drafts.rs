//! Messages that are being made: one per feed that the block has touched so far.
//!
//! Buffers are kept from block to block, so a warm one allocates nothing.

use types::AccountId;
use types::wire::feed::{
    Channel, EVENTS_LENGTH_MAX, FeedId, FeedPosition, begin_events, finish_events,
};
use zerocopy::{Immutable, IntoBytes};

use super::positions::{Positions, slot};

/// Drafts by feed.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    /// By market, then by channel.
    markets: Vec<[Draft; Channel::PUBLIC.len()]>,
    /// Of accounts, in the order in which the block came to them.
    accounts: Vec<Draft>,
    /// How many of those are in use.
    used: u32,
    /// By account: one above the number of its draft, or zero.
    of_account: Vec<u32>,
    /// Feeds that the block has touched. Some may be there twice.
    touched: Vec<FeedId>,
}

#[derive(Debug, Default)]
struct Draft {
    message: Vec<u8>,
    count: u16,
    /// Bytes of events so far.
    length: usize,
}

impl Drafts {
    /// Adds an event to its feed.
    #[inline]
    pub(super) fn push<Event: IntoBytes + Immutable>(
        &mut self,
        feed: FeedId,
        event: &Event,
        positions: &mut Positions,
        sink: &mut impl FnMut(FeedId, FeedPosition, &[u8]),
    ) {
        let (draft, touched) = self.draft(feed);
        if EVENTS_LENGTH_MAX < draft.length + size_of::<Event>() {
            draft.finish(feed, positions, sink);
        }
        if draft.count == 0 {
            begin_events(&mut draft.message);
            touched.push(feed);
        }
        draft.message.extend_from_slice(event.as_bytes());
        draft.length += size_of::<Event>();
        draft.count += 1;
    }

    /// Ends the block.
    pub(super) fn finish(
        &mut self,
        positions: &mut Positions,
        sink: &mut impl FnMut(FeedId, FeedPosition, &[u8]),
    ) {
        let mut feeds = std::mem::take(&mut self.touched);
        for feed in &feeds {
            let (draft, _) = self.draft(*feed);
            draft.finish(*feed, positions, sink);
        }
        for feed in feeds.drain(..) {
            if let FeedId::Account(account) = feed {
                self.of_account[account.index()] = 0;
            }
        }
        self.touched = feeds;
        self.used = 0;
    }

    #[inline]
    fn draft(&mut self, feed: FeedId) -> (&mut Draft, &mut Vec<FeedId>) {
        let draft = match feed {
            FeedId::Market(channel, market) => {
                let index = market.index();
                if self.markets.len() <= index {
                    self.markets.resize_with(index + 1, Default::default);
                }
                &mut self.markets[index][slot(channel)]
            }
            FeedId::Account(account) => {
                let index = self.account(account);
                &mut self.accounts[index]
            }
        };
        (draft, &mut self.touched)
    }

    /// Where the draft of an account is.
    fn account(&mut self, account: AccountId) -> usize {
        if self.of_account.len() <= account.index() {
            self.of_account.resize(account.index() + 1, 0);
        }
        let number = &mut self.of_account[account.index()];
        if *number == 0 {
            self.used += 1;
            *number = self.used;
            if self.accounts.len() < self.used as usize {
                self.accounts.push(Draft::default());
            }
        }
        *number as usize - 1
    }
}

impl Draft {
    /// Hands out the message, if there is one, and empties the draft.
    #[inline(never)]
    fn finish(
        &mut self,
        feed: FeedId,
        positions: &mut Positions,
        sink: &mut impl FnMut(FeedId, FeedPosition, &[u8]),
    ) {
        if self.count == 0 {
            return;
        }
        let before = positions.of(feed);
        let position = finish_events(&mut self.message, feed, self.count, &before);
        positions.set(feed, position);
        sink(feed, position, &self.message);
        self.message.clear();
        self.count = 0;
        self.length = 0;
    }
}
