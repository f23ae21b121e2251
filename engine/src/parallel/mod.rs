//! The parallel executor: Block-STM, with what order flow asks of it.
//!
//! The lower half is a library. It runs any block of [`Transaction`]s on any number of workers and has
//! the effect of running them one after the other:
//!
//! | module | does |
//! |---|---|
//! | [`scheduler`] | who does what next: a pure state machine |
//! | [`mv_memory`] | what every transaction has written, by location and version |
//! | `list` | who has written to an amount: the one structure without a lock |
//! | [`access`] | the memory as one transaction sees it |
//! | `executor` | the library's face |
//! | `run` | tasks from beginning to end, workers, sleep |
//! | [`workers`] | the threads |
//! | [`simulation`] | virtual workers and virtual time in place of threads |
//!
//! The upper half brings order flow to it:
//!
//! | module | does |
//! |---|---|
//! | `plan` | which market belongs to which lane, and where slices are cut |
//! | `lane` | books that are changed in place, slices of their commands, and the way back |
//! | `funds` | balances as amounts: every movement an addition, every check a predicate |
//! | `blocks` | barriers, segments, and the outcome in the order of the commands |
pub mod access;
mod blocks;
mod executor;
mod funds;
mod lane;
mod list;
pub mod mv_memory;
mod plan;
mod run;
pub mod scheduler;
pub mod simulation;
mod sync;
mod table;
pub mod workers;

pub use access::Access;
pub use blocks::{BlockExecutor, Choice, Hands, Settings, Tally};
pub use executor::Executor;
pub use mv_memory::{Estimate, MvMemory, Storage};
pub use plan::Cut;
pub use run::{Chaos, Commit, Transaction, Unheard};
pub use scheduler::{Counts, Order, Version};
