//! The state as it lies in a checkpoint, and back.
//!
//! [`write()`] serializes a [`State`] with its state tree; [`access`] reads such bytes where they lie,
//! mapped from a file or not; [`State::restore`] makes the state again, which answers every later
//! command as the first one would have. What the bytes mean is in `rows`, field by field, and in
//! [`ledger::snapshot`]: it is a file format, frozen by fixtures (`docs/CHECKPOINT.md`).
//!
//! Bytes come from our own files and were compared with their digest before anybody looks here.
//! Still nothing is believed: whatever contradicts itself is an error, never a panic and never a
//! wrong state.

mod changed;
mod restore;
mod rows;

pub(crate) use rows::kind_code;

pub use changed::changed_accounts;
pub use ledger::snapshot::Contradiction;
pub use rows::{
    ArchivedStateSnapshot, ArmedRow, CountRow, MarketRow, OrderRow, PositionRow, QuotesRow,
    RememberedRow, ScopeRow, StateSnapshot, StopRow,
};

use ledger::StateTree;
use rkyv::api::high::to_bytes_in;
use rkyv::rancor::{Failure, Panic};
use rkyv::ser::{Positional, Writer};

use crate::state::State;

/// Writes the snapshot of a state: `sink` gets its bytes piece by piece, the large tables as they lie
/// in memory. They must come to lie at a place that is aligned to 16. The tree must be up to date
/// with the state's ledger.
pub fn write(state: &State, tree: &StateTree, sink: impl FnMut(&[u8])) {
    let sink = Sink { sink, position: 0 };
    // Only a writer can fail, and this one cannot.
    let Ok(_) = to_bytes_in::<_, Panic>(&state.snapshot(tree), sink);
}

/// Reads a snapshot where it lies. The bytes must be aligned to 16.
pub fn access(bytes: &[u8]) -> Result<&ArchivedStateSnapshot<'_>, Contradiction> {
    let snapshot = rkyv::access::<ArchivedStateSnapshot<'_>, Failure>(bytes);
    let snapshot = snapshot.map_err(|Failure| Contradiction("not an archive of this version"))?;
    snapshot.ledger.check()?;
    Ok(snapshot)
}

/// Where an archive goes.
struct Sink<F> {
    sink: F,
    position: usize,
}

impl<F> Positional for Sink<F> {
    fn pos(&self) -> usize {
        self.position
    }
}

impl<F: FnMut(&[u8]), E> Writer<E> for Sink<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        (self.sink)(bytes);
        self.position += bytes.len();
        Ok(())
    }
}
