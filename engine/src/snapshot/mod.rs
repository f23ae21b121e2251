//! The state as it lies in a checkpoint, and back.
//!
//! An [`Image`] is the snapshot of a state, in memory; [`access`] reads such bytes where they lie,
//! mapped from a file or not; [`State::restore`](crate::State::restore) makes the state again, which answers every later
//! command as the first one would have. What the bytes mean is in `rows`, field by field, and in
//! [`ledger::snapshot`]: it is a file format, frozen by fixtures (`docs/CHECKPOINT.md`).
//!
//! Bytes come from our own files and were compared with their digest before anybody looks here.
//! Still nothing is believed: whatever contradicts itself is an error, never a panic and never a
//! wrong state.

mod changed;
mod edge;
mod image;
mod restore;
mod rows;
mod sessions;

pub(crate) use rows::kind_code;

pub use changed::ChangedAccounts;
pub use edge::{AgentRow, EdgeSnapshot, SignerRow, TimerRow, WithdrawnRow, decode_edge};
pub use image::{Image, Memory};
pub use ledger::snapshot::Contradiction;
pub use restore::{Beside, BesideBytes};
pub use rows::{
    ArchivedStateSnapshot, ArmedRow, CountRow, MarketRow, OrderRow, PositionRow, QuotesRow,
    RememberedRow, ScopeRow, StateSnapshot, StopRow,
};

pub use sessions::{RuleRow, SessionsSnapshot, StatusRow, UsageRow, WalletRow, WatchedRow};

use rkyv::rancor::Failure;

/// Reads a snapshot where it lies. The bytes must be aligned to 16.
pub fn access(bytes: &[u8]) -> Result<&ArchivedStateSnapshot<'_>, Contradiction> {
    let snapshot = rkyv::access::<ArchivedStateSnapshot<'_>, Failure>(bytes);
    let snapshot = snapshot.map_err(|Failure| Contradiction("not an archive of this version"))?;
    snapshot.ledger.check()?;
    Ok(snapshot)
}
