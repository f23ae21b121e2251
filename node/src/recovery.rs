//! From the journal to the state: re-executes every record and hands each outcome to whoever
//! follows.

use bytes::Bytes;
use engine::State;
use engine::replay::{RecordedBlock, Replay};
use store::{Ending, JournalReader, Record, StoreError, TornTail};
use types::block::Block;
use types::genesis::Genesis;
use types::outcome::BlockOutcome;

use crate::cli::Failure;
use crate::data_dir::DataDir;

/// Somewhere that records come from, in order.
pub(crate) trait Records {
    /// The next good record; `None` where they end.
    fn next(&mut self) -> Result<Option<Record>, StoreError>;
}

impl Records for JournalReader {
    fn next(&mut self) -> Result<Option<Record>, StoreError> {
        self.next_record()
    }
}

impl Records for store::Recovery {
    fn next(&mut self) -> Result<Option<Record>, StoreError> {
        self.next_record()
    }
}

/// Executes all records from genesis on. `follow` sees each block with its outcome.
pub(crate) fn replay(
    genesis: &Genesis,
    records: &mut impl Records,
    hash_seed: u64,
    mut follow: impl FnMut(&State, &Block, &BlockOutcome) -> Result<(), Failure>,
) -> Result<State, Failure> {
    let mut replay = Replay::new(State::from_genesis(genesis, hash_seed));
    while let Some(record) = records.next()? {
        let location = record.location;
        replay.apply(recorded_block(record)).map_err(|error| {
            let file = location.segment.file_name();
            Failure::Corruption(format!("{file}:{}: {error}", location.offset))
        })?;
        follow(replay.state(), replay.block(), replay.outcome())?;
    }
    Ok(replay.into_state())
}

/// Replays a directory's journal without touching it, up to its end or its torn tail.
pub(crate) fn replay_directory(
    directory: &DataDir,
    follow: impl FnMut(&State, &Block, &BlockOutcome) -> Result<(), Failure>,
) -> Result<(State, Option<TornTail>), Failure> {
    let mut reader = JournalReader::open(directory.path(), &directory.identity())?;
    let state = replay(directory.genesis(), &mut reader, 0, follow)?;
    let torn = match reader.ending() {
        Some(Ending::Torn(tail)) => Some(tail.clone()),
        Some(Ending::Clean) | None => None,
    };
    Ok((state, torn))
}

/// A torn tail as a failure: what was asked for was done up to there.
pub(crate) fn torn_tail(torn: Option<TornTail>) -> Result<(), Failure> {
    match torn {
        None => Ok(()),
        Some(tail) => Err(Failure::TornTail(describe_tail(&tail))),
    }
}

/// Where a torn tail is.
pub(crate) fn describe_tail(tail: &TornTail) -> String {
    let (file, offset, bytes) = (tail.file.display(), tail.offset, tail.bytes);
    format!("torn tail at {file}:{offset}, {bytes} bytes that were never durable")
}

fn recorded_block(record: Record) -> RecordedBlock {
    RecordedBlock {
        height: record.height,
        first_sequence: record.first_sequence,
        command_count: record.command_count,
        previous_outcome: record.previous_outcome,
        payload: Bytes::from(record.payload),
    }
}

/// Keeps hash tables of this process out of strangers' aim.
pub(crate) fn random_hash_seed() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| Failure::failed("no entropy", error))
}

/// A genesis' name in messages.
pub(crate) fn describe(genesis: &Genesis) -> String {
    format!("network {} genesis {}", genesis.network(), genesis.hash())
}
