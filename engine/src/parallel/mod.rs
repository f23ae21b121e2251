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
//! ```
//! use engine::parallel::workers::Pool;
//! use engine::parallel::{Access, Estimate, Executor, Order, Storage, Transaction, Unheard};
//!
//! /// Three purses.
//! struct Purses([i128; 3]);
//!
//! impl Storage for Purses {
//!     type Value = ();
//!     fn value(&self, _: u32) {}
//!     fn amount(&self, location: u32) -> i128 {
//!         self.0[location as usize]
//!     }
//! }
//!
//! /// From one to another, if it is there.
//! struct Payment(u32, u32, i128);
//!
//! impl Transaction for Payment {
//!     type Storage = Purses;
//!     type Output = bool;
//!     fn execute(&self, access: &mut Access<'_, Purses>) -> Result<bool, Estimate> {
//!         let Payment(from, to, amount) = *self;
//!         let is_there = access.is_at_least(from, amount);
//!         if is_there {
//!             access.add(from, -amount, 0);
//!             access.add(to, amount, 0);
//!         }
//!         Ok(is_there)
//!     }
//! }
//!
//! let mut purses = Purses([10, 0, 0]);
//! let block = [Payment(0, 1, 7), Payment(0, 2, 7), Payment(1, 2, 5)];
//! let order = Order::plain(3);
//! let mut executor = Executor::new(0, 3);
//! let pool = Pool::new(2)?;
//! executor.run((&block[..], &order), &purses, Unheard, (&pool, None));
//! executor.drain(|location, added, _| purses.0[location as usize] += added, |_, ()| {});
//! assert_eq!(purses.0, [3, 2, 5]);
//! # Ok::<(), rayon::ThreadPoolBuildError>(())
//! ```
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
pub(crate) use blocks::COMMANDS_MIN;
pub use blocks::{BlockExecutor, Choice, Hands, Settings, Tally};
pub use executor::Executor;
pub use mv_memory::{Estimate, MvMemory, Storage};
pub use plan::Cut;
pub use run::{Chaos, Commit, Transaction, Unheard};
pub use scheduler::{Counts, Order, Version};
