//! The recorded stream: 30 minutes of Bitstamp BTC/USD, replayed by the rule that
//! `loadgen::replay::recording` states. It is not ours to hand on: `cargo xtask fetch-data` gets it.
//!
//! The orders before the first cancel fill the book: the snapshot that the recording starts with.
//! Sizes of more than 32 bits of lots (4,294 BTC) are cut to that; they lie far from every trade.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::draft::{Draft, Entry};
use super::engine::Room;
use super::stream::Stream;
use loadgen::replay::recording::{
    PRICE_DOLLARS_END, RecordedAction, RecordedCommand, Recording, RecordingError,
};
use types::ClientOrderId;

/// The name of the workload.
pub const NAME: &str = "real_btc";
/// Orders that may rest at once; the recording stays far below.
const RESTING_MAX: u32 = 50_000;

/// Where `cargo xtask fetch-data` puts the recording.
pub fn path() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.expect("benches is a folder of the checkout");
    root.join("data/bitstamp-btcusd-20260502.csv")
}

/// The stream of a recording, or as much of it as its first `commands_max` commands.
pub fn stream(path: &Path, commands_max: usize) -> Result<Stream, RecordingError> {
    let recording = Recording::open(path)?;
    let commands = recording.commands.len().min(commands_max);
    Ok(replay(&recording.commands[..commands]))
}

fn replay(commands: &[RecordedCommand]) -> Stream {
    let room = Room {
        ticks: PRICE_DOLLARS_END as u32,
        orders: vec![RESTING_MAX],
    };
    let mut draft = Draft::new(&room, 0);
    let mut ids: HashMap<ClientOrderId, u32> = HashMap::new();
    let is_cancel = |command: &RecordedCommand| command.action == RecordedAction::Cancel;
    let prefill = commands.iter().position(is_cancel);
    for command in commands {
        if Some(draft.len()) == prefill {
            draft.start();
        }
        match command.action {
            RecordedAction::Place(quantity) => {
                let id = draft.place(Entry {
                    symbol: 0,
                    side: command.side,
                    price: command.price.get() as u32,
                    quantity: u32::try_from(quantity.get()).unwrap_or(u32::MAX),
                });
                ids.insert(command.client_order_id, id);
            }
            RecordedAction::Cancel => draft.cancel(ids[&command.client_order_id]),
        }
    }
    if prefill.is_none() {
        draft.start();
    }
    draft.finish(NAME)
}
