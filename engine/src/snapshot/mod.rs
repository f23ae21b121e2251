//! The state as it lies in a checkpoint, and back.
//!
//! [`write`] serialises a [`State`] with its state tree; [`access`] reads such bytes where they lie,
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
use rkyv::rancor::{Error, Failure};
use rkyv::ser::Writer;

use crate::state::State;

/// Appends the snapshot of a state to a writer, whose place must be aligned to 16 bytes: so is every
/// buffer of `store`. The tree must be up to date with the state's ledger.
pub fn write<W: Writer<Error>>(state: &State, tree: &StateTree, writer: W) -> Result<W, Error> {
    to_bytes_in(&state.snapshot(tree), writer)
}

/// Reads a snapshot where it lies. The bytes must be aligned to 16.
pub fn access(bytes: &[u8]) -> Result<&ArchivedStateSnapshot<'_>, Contradiction> {
    let snapshot = rkyv::access::<ArchivedStateSnapshot<'_>, Failure>(bytes);
    let snapshot = snapshot.map_err(|Failure| Contradiction("not an archive of this version"))?;
    snapshot.ledger.check()?;
    Ok(snapshot)
}
