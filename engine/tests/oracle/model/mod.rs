//! The second exchange itself: slow, obvious, and written from `docs/ORDERS.md` alone.
//!
//! It shares nothing with the engine but the vocabulary of `types`. The simulation of a whole node
//! (`sim/`) holds what the node answers against it, too.

mod absence;
pub(crate) mod auction;
pub(crate) mod book;
mod cancel;
mod cascade;
pub(crate) mod enter;
pub(crate) mod exchange;
pub(crate) mod funds;
pub(crate) mod keys;
pub(crate) mod limits;
mod permit;
mod place;
pub(crate) mod protection;
mod quotes;
mod replace;
mod status;
