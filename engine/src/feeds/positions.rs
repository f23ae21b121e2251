//! Where all feeds stand after one block, and how that lies in a checkpoint.
//!
//! Little-endian: the last sequence number u64, eight zero bytes, then one row of 48 bytes per feed
//! that has had an event, ascending by channel and subject: channel u32, subject u32 (the id of the
//! market or account), number of its last event u64, running hash.

use types::outcome::Digest;
use types::planted::{Bug, is_planted};
use types::wire::feed::{Channel, FeedId, FeedPosition};
use types::{AccountId, MarketId, SequenceNumber};

/// Where all feeds stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// The last sequence number that was followed.
    sequence: SequenceNumber,
    /// By market, then in the order of [`Channel::PUBLIC`].
    markets: Vec<[FeedPosition; Channel::PUBLIC.len()]>,
    /// By account, as far as any has had an event.
    accounts: Vec<FeedPosition>,
}

/// Bytes are not the positions that some node wrote down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of feed positions")]
pub struct NotPositions;

const HEAD: usize = 16;
const ROW: usize = 48;

impl Positions {
    /// No feed has had an event, up to this command.
    pub fn none(sequence: SequenceNumber) -> Self {
        Self {
            sequence,
            ..Self::default()
        }
    }

    /// Reads them. Total: any bytes give positions or an error. The counts bound the ids.
    pub fn decode(bytes: &[u8], markets: u32, accounts: u32) -> Result<Self, NotPositions> {
        let (head, rows) = bytes.split_at_checked(HEAD).ok_or(NotPositions)?;
        let is_whole = rows.len().is_multiple_of(ROW) && head[8..] == [0; 8];
        is_whole.then_some(()).ok_or(NotPositions)?;
        let mut positions = Self::none(SequenceNumber::new(u64_at(head, 0)));
        let mut last = None;
        for row in rows.chunks_exact(ROW) {
            let channel = u8::try_from(u32_at(row, 0)).ok();
            let channel = channel.and_then(Channel::from_code);
            let feed = channel.and_then(|channel| FeedId::new(channel, u32_at(row, 4)));
            let feed = feed.ok_or(NotPositions)?;
            let bound = match feed {
                FeedId::Market(..) => markets,
                FeedId::Account(_) => accounts,
            };
            let order = (feed.channel(), feed.subject());
            let sequence = u64_at(row, 8);
            let is_next = last < Some(order) && feed.subject() < bound && sequence != 0;
            is_next.then_some(()).ok_or(NotPositions)?;
            last = Some(order);
            let mut hash = [0; 32];
            hash.copy_from_slice(&row[16..]);
            let hash = Digest::new(hash);
            positions.set(feed, FeedPosition { sequence, hash });
        }
        Ok(positions)
    }

    /// A feed stands there now.
    pub fn set(&mut self, feed: FeedId, position: FeedPosition) {
        match feed {
            FeedId::Market(channel, market) => {
                let index = market.index();
                if self.markets.len() <= index {
                    self.markets.resize(index + 1, Default::default());
                }
                self.markets[index][slot(channel)] = position;
            }
            FeedId::Account(account) => {
                let index = account.index();
                if self.accounts.len() <= index {
                    self.accounts.resize(index + 1, FeedPosition::default());
                }
                self.accounts[index] = position;
            }
        }
    }

    /// All was followed up to this command.
    pub const fn set_sequence(&mut self, sequence: SequenceNumber) {
        self.sequence = sequence;
    }

    /// Where a feed stands.
    pub fn of(&self, feed: FeedId) -> FeedPosition {
        let found = match feed {
            FeedId::Market(channel, market) => {
                let channels = self.markets.get(market.index());
                channels.map(|channels| channels[slot(channel)])
            }
            FeedId::Account(account) => self.accounts.get(account.index()).copied(),
        };
        found.unwrap_or_default()
    }

    /// The last sequence number that was followed.
    pub const fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// Every feed that has had an event, ascending by channel and subject.
    pub fn iter(&self) -> impl Iterator<Item = (FeedId, FeedPosition)> + '_ {
        let public = Channel::PUBLIC.into_iter().flat_map(move |channel| {
            let markets = (0..).map(MarketId::new).zip(&self.markets);
            markets.map(move |(market, channels)| {
                (FeedId::Market(channel, market), channels[slot(channel)])
            })
        });
        let accounts = (0..).map(AccountId::new).zip(&self.accounts);
        let accounts = accounts.map(|(account, position)| (FeedId::Account(account), *position));
        let all = public.chain(accounts);
        all.filter(|(_, position)| position.sequence != 0)
    }

    /// Appends their bytes.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.sequence.get().to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        for (feed, position) in self.iter().filter(|_| !is_planted(Bug::FeedsMissing)) {
            bytes.extend_from_slice(&(feed.channel() as u32).to_le_bytes());
            bytes.extend_from_slice(&feed.subject().to_le_bytes());
            bytes.extend_from_slice(&position.sequence.to_le_bytes());
            bytes.extend_from_slice(position.hash.as_bytes());
        }
    }
}

/// Where a public channel is among those of its market.
pub(super) fn slot(channel: Channel) -> usize {
    assert!(channel != Channel::Account, "accounts have no market");
    channel as usize - 1
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKETS: u32 = 3;
    const ACCOUNTS: u32 = 5;

    fn positions() -> Positions {
        let mut positions = Positions::none(SequenceNumber::new(77));
        for (channel, subject, sequence) in [
            (Channel::L2, 2, 5),
            (Channel::Trades, 1, 9),
            (Channel::Account, 4, 1),
            (Channel::Account, 0, 2),
        ] {
            let hash = Digest::new([sequence as u8; 32]);
            let feed = FeedId::new(channel, subject).unwrap();
            positions.set(feed, FeedPosition { sequence, hash });
        }
        positions
    }

    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::new();
        positions().encode(&mut bytes);
        bytes
    }

    #[test]
    fn positions_survive_their_bytes() {
        let bytes = bytes();
        assert_eq!(bytes.len(), HEAD + 4 * ROW);
        let found = Positions::decode(&bytes, MARKETS, ACCOUNTS).unwrap();
        assert!(found.iter().eq(positions().iter()));
        assert_eq!(found.sequence(), SequenceNumber::new(77));
        let feed = FeedId::new(Channel::L2, 1).unwrap();
        assert_eq!(found.of(feed), FeedPosition::default());
    }

    #[test]
    fn other_bytes_are_refused() {
        let good = bytes();
        let check = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            let found = Positions::decode(&bytes, MARKETS, ACCOUNTS);
            assert_eq!(found, Err(NotPositions), "{at}");
        };
        check(8, 1);
        // No such channel; a row that is there; no such market; no event; no such account.
        check(HEAD, 9);
        check(HEAD + 2 * ROW, 3);
        check(HEAD + 4, 3);
        check(HEAD + 8, 0);
        check(HEAD + 3 * ROW + 4, 5);
        for length in [0, HEAD - 1, HEAD + 1, good.len() - 1] {
            let found = Positions::decode(&good[..length], MARKETS, ACCOUNTS);
            assert_eq!(found, Err(NotPositions), "{length}");
        }
    }
}
