//! What the matching bench compares: identical streams of operations, the yardstick, and our book
//! behind the trait that all books are run through.
//!
//! Nothing here reads a clock; a stream is a function of its plan, so its hash names it. Start with
//! [`Plan`] for what is run and with [`Engine`] for what runs it.
//!
//! | module | holds |
//! |---|---|
//! | [`op`] | one operation, 16 bytes |
//! | [`engine`] | what a book must do to be compared, and what its trades add up to |
//! | [`plan`] | the workloads by name and size |
//! | [`stream`] | operations to run, with the trades that they must make |
//! | `draft` | a stream on its way: knows what rests |
//! | `mixes` | what is drawn next: `tx` and `xc` |
//! | `random` | the draws, in integers |
//! | [`recorded`] | the recorded stream |
//! | [`mod@reference`] | the yardstick: a book with nothing that could be left out |
//! | [`keel`] | our book |

mod draft;
pub mod engine;
pub mod keel;
mod mixes;
pub mod op;
pub mod plan;
mod random;
pub mod recorded;
pub mod reference;
pub mod stream;

pub use engine::{Engine, Naming, Room, Tally};
pub use keel::{Keel, plain_order, plain_taker};
pub use op::{Action, Op};
pub use plan::{Mix, Plan};
pub use random::Random;
pub use reference::Reference;
pub use stream::Stream;
