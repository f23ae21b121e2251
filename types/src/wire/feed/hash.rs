//! The two hashes of a feed.

use blake3::Hasher;

use super::Channel;
use crate::outcome::Digest;

/// Running hash after a message: BLAKE3 of `event` bytes under the hash before as the key. `about` is
/// what the message says of itself: bytes 8..24 of `FeedEvents`.
pub fn next_hash(before: &Digest, about: &[u8; 16], events: &[u8]) -> Digest {
    let mut hasher = Hasher::new_keyed(before.as_bytes());
    hasher.update(about);
    hasher.update(events);
    Digest::new(*hasher.finalize().as_bytes())
}

/// Makes the hash of what a book shows: of its lines as they are in a snapshot, bids before asks, best
/// first.
#[derive(Debug)]
pub struct BookHasher(Option<Hasher>);

/// Domain of book hashes.
const BOOK_CONTEXT: &str = "keel 2026-11-26 feed book";

impl BookHasher {
    /// Nothing is shown yet. What has no book (trades, accounts) has a hash of zeros.
    pub fn new(channel: Channel) -> Self {
        if !channel.has_book() {
            return Self(None);
        }
        let mut hasher = Hasher::new_derive_key(BOOK_CONTEXT);
        hasher.update(&[channel as u8]);
        Self(Some(hasher))
    }

    /// The next line or lines.
    pub fn update(&mut self, lines: &[u8]) {
        if let Some(hasher) = &mut self.0 {
            hasher.update(lines);
        }
    }

    /// The hash.
    pub fn finish(&self) -> Digest {
        let hash = self.0.as_ref().map(Hasher::finalize);
        hash.map_or(Digest::ZERO, |hash| Digest::new(*hash.as_bytes()))
    }
}
