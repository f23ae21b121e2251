//! How far a history goes, and what the next chunk needs to know of the blocks before it.

use serde::{Deserialize, Serialize};
use types::outcome::Digest;

/// What `history.json` says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Of the folder's layout.
    version: u32,
    /// Whose history it is, in hexadecimal.
    genesis_hash: String,
    /// The last block in it.
    pub(crate) height: u64,
    /// The last command in it.
    pub(crate) sequence: u64,
    /// The last command in a chunk.
    #[serde(skip)]
    pub(crate) sequence_written: u64,
    /// Logged time after it, in nanoseconds since the Unix epoch.
    pub(crate) time_ns: u64,
    /// The chunks that are there, oldest first.
    pub(crate) chunks: Vec<Chunk>,
    /// Candles that are not over, by market.
    pub(crate) open_candles: Vec<Candle>,
}

/// Files of one name, one per table that has rows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chunk {
    /// Names its files.
    pub(crate) first_sequence: u64,
    /// Logged time at its end.
    pub(crate) time_ns: u64,
}

/// The trades of a market within one minute.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Candle {
    /// Number of the market.
    pub(crate) market: u16,
    /// When the minute began, in nanoseconds since the Unix epoch.
    pub(crate) begins_ns: u64,
    /// First price, in ticks, like the next three.
    pub(crate) open: u64,
    /// Highest price.
    pub(crate) high: u64,
    /// Lowest price.
    pub(crate) low: u64,
    /// Last price.
    pub(crate) close: u64,
    /// Lots that traded.
    pub(crate) lots: u64,
    /// Their prices times their sizes.
    pub(crate) tick_lots: u128,
    /// How many trades.
    pub(crate) trades: u64,
}

const VERSION: u32 = 2;

impl Position {
    /// Before the first block.
    pub(super) fn beginning(genesis: Digest) -> Self {
        Self {
            version: VERSION,
            genesis_hash: genesis.to_string(),
            height: 0,
            sequence: 0,
            sequence_written: 0,
            time_ns: 0,
            chunks: Vec::new(),
            open_candles: Vec::new(),
        }
    }

    /// Reads it; the error says what is wrong.
    pub(super) fn parse(text: &str, genesis: Digest) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if read.version != VERSION {
            return Err(format!("it is of version {}, not {VERSION}", read.version));
        }
        if read.genesis_hash != genesis.to_string() {
            return Err("it is the history of another exchange".to_owned());
        }
        Ok(Self {
            sequence_written: read.sequence,
            ..read
        })
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain numbers and texts")
    }
}
