//! Names of things and positions in orders, each its own type.
//!
//! Arithmetic: `next` panics at the end of the range, because a position that wraps is a broken
//! invariant. There is no `From` of a bare integer, so an account can never become a market.

use zerocopy::{Immutable, IntoBytes};

use crate::limits::{MARKETS_MAX, ORDERS_PER_COMMAND_MAX};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, IntoBytes, Immutable,
        )]
        #[repr(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Wraps the number.
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! dense {
    ($($name:ident)*) => {$(
        impl $name {
            /// The position of a densely numbered thing in a table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

macro_rules! position {
    ($($name:ident)*) => {$(
        impl $name {
            /// The first position is zero.
            pub const ZERO: Self = Self(0);

            /// The next position. Panics at the end of the range.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The position `count` further on. Panics at the end of the range.
            #[must_use]
            pub const fn advance(self, count: u64) -> Self {
                Self(self.0 + count)
            }
        }
    )*};
}

id! {
    /// An account: densely numbered, and the index of its leaf in the state tree.
    AccountId(u32)
}
id! {
    /// Accounts that must not trade with each other; every account belongs to one.
    GroupId(u32)
}
id! {
    /// An asset, densely numbered.
    AssetId(u16)
}
id! {
    /// A market, densely numbered.
    MarketId(u16)
}
id! {
    /// A registered session key, densely numbered over all accounts.
    KeyId(u32)
}
id! {
    /// How often the keys of an account were rotated; older signatures are dead.
    KeyEpoch(u32)
}
id! {
    /// A network. Zero is never a network; [`NetworkId::DEVELOPMENT`] accepts the published keys.
    NetworkId(u32)
}
id! {
    /// An order: unique forever, derived from the sequence number of the command that placed it
    /// and its market.
    OrderId(u64)
}
id! {
    /// The owner's label of an order, unique per account and market while the order is open. Zero: no label.
    ClientOrderId(u64)
}
id! {
    /// Against replay: each key uses each nonce for one frame.
    Nonce(u64)
}
id! {
    /// Position of a command in the total order, from 1.
    SequenceNumber(u64)
}
id! {
    /// Position of a block, from 1.
    Height(u64)
}
id! {
    /// Logged time: nanoseconds since the Unix epoch. Moves only by ticks in the journal.
    LogTime(u64)
}
id! {
    /// One connection's life at one node. Never in the journal, never in state.
    SessionId(u64)
}

dense!(AccountId AssetId MarketId KeyId);
position!(SequenceNumber Height LogTime SessionId Nonce);

impl KeyId {
    /// No key: a frame of the account's wallet itself.
    pub const WALLET: Self = Self(u32::MAX);
}

impl AccountId {
    /// None: what stands where an account is still to be found.
    pub const NOBODY: Self = Self(u32::MAX);
    /// The leaf of the state tree that says what of a chain's inbox was consumed.
    pub const INBOX: Self = Self(u32::MAX - 2);
    /// Where fees are collected.
    pub const FEES: Self = Self(u32::MAX);
    /// Where the remainders of rounding are collected.
    pub const DUST: Self = Self(u32::MAX - 1);
}

impl NetworkId {
    /// The development network: `dev-0` .. `dev-63` and its TLS key are published.
    pub const DEVELOPMENT: Self = Self(1);
}

impl OrderId {
    const INDEX_BITS: u32 = ORDERS_PER_COMMAND_MAX.ilog2();
    const MARKET_BITS: u32 = MARKETS_MAX.ilog2();

    /// The order that the command at `sequence` placed in `market` as its `index`-th:
    /// 48 bits of sequence, 10 of market, 6 of index. The market is part of the id so that an id
    /// alone tells which book to look in.
    pub const fn new_at(sequence: SequenceNumber, market: MarketId, index: u64) -> Self {
        assert!(index < ORDERS_PER_COMMAND_MAX && market.index() < MARKETS_MAX);
        assert!(sequence.0 < 1 << (64 - Self::INDEX_BITS - Self::MARKET_BITS));
        Self(
            sequence.0 << (Self::MARKET_BITS + Self::INDEX_BITS)
                | (market.0 as u64) << Self::INDEX_BITS
                | index,
        )
    }

    /// The sequence number of the command that placed it.
    pub const fn sequence(self) -> SequenceNumber {
        SequenceNumber(self.0 >> (Self::MARKET_BITS + Self::INDEX_BITS))
    }

    /// The market that it was placed in.
    pub const fn market(self) -> MarketId {
        MarketId((self.0 >> Self::INDEX_BITS) as u16 & (MARKETS_MAX as u16 - 1))
    }
}

impl ClientOrderId {
    /// No label.
    pub const NONE: Self = Self(0);

    /// Whether the owner gave no label.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// `Bid` buys base, `Ask` sells base; also the two halves of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// Buys base.
    Bid = 0,
    /// Sells base.
    Ask = 1,
}

impl Side {
    /// Both sides.
    pub const BOTH: [Self; 2] = [Self::Bid, Self::Ask];

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// `bid` or `ask`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bid => "bid",
            Self::Ask => "ask",
        }
    }
}

/// An asset or market name: 1..=16 characters out of `A-Z 0-9 . - _ /`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    bytes: [u8; crate::limits::SYMBOL_LENGTH_MAX],
}

impl Symbol {
    /// `None` if the text is empty, too long or has other characters.
    pub fn new(text: &str) -> Option<Self> {
        let legal = |byte: &u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || b".-_/".contains(byte)
        };
        let mut bytes = [0; crate::limits::SYMBOL_LENGTH_MAX];
        if text.is_empty() || text.len() > bytes.len() || !text.as_bytes().iter().all(legal) {
            return None;
        }
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { bytes })
    }

    /// The symbol, zero padded.
    pub const fn padded(&self) -> [u8; crate::limits::SYMBOL_LENGTH_MAX] {
        self.bytes
    }

    /// From zero-padded bytes, if they are a symbol.
    pub fn from_padded(bytes: [u8; crate::limits::SYMBOL_LENGTH_MAX]) -> Option<Self> {
        let length = bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(bytes.len());
        let symbol = Self::new(std::str::from_utf8(&bytes[..length]).ok()?)?;
        (symbol.bytes == bytes).then_some(symbol)
    }

    /// The symbol as text.
    pub fn as_str(&self) -> &str {
        let length = self
            .bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.bytes.len());
        std::str::from_utf8(&self.bytes[..length]).expect("a symbol is ASCII by construction")
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_leads_back_to_its_command() {
        let sequence = SequenceNumber::new(123_456);
        for (market, index) in [(0, 0), (0, 63), (1_023, 0), (517, 42)] {
            let id = OrderId::new_at(sequence, MarketId::new(market), index);
            assert_eq!(id.get(), (123_456 << 16) + u64::from(market) * 64 + index);
            assert_eq!(id.sequence(), sequence);
            assert_eq!(id.market(), MarketId::new(market));
        }
    }

    #[test]
    fn symbols_are_short_and_plain() {
        for (text, legal) in [
            ("BTC", true),
            ("BTC-USD", true),
            ("", false),
            ("btc", false),
            ("A B", false),
            ("ABCDEFGHIJKLMNOP", true),
            ("ABCDEFGHIJKLMNOPQ", false),
        ] {
            assert_eq!(Symbol::new(text).is_some(), legal, "{text:?}");
        }
        let symbol = Symbol::new("BTC-USD").unwrap();
        assert_eq!(Symbol::from_padded(symbol.padded()), Some(symbol));
        assert_eq!(Symbol::from_padded(*b"BTC\0USD\0\0\0\0\0\0\0\0\0"), None);
    }
}
