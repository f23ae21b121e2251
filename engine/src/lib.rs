//! The engine: what every command means, and who runs it in which order.
//!
//! No I/O, no async, no clock, no randomness: frames, time and bytes come in as arguments, outcomes
//! go out as values. Start with [`transition`], the only place where a command changes state and
//! where a fill becomes a movement of balances. Everything else schedules it or replays it:
//!
//! | module | does |
//! |---|---|
//! | [`transition`] | `apply(view, command)`: the one meaning |
//! | [`view`] | what a transition may see and touch, as traits that every executor implements |
//! | [`market`] | one market's book and what stands beside it |
//! | [`clusters`] | which markets share protections |
//! | [`sessions`] | what is to become of orders when nobody is there |
//! | [`watch`] | which key placed which order, and what limited keys have done |
//! | [`protection`] | how much the quotes of an account may trade before they are pulled |
//! | [`state`] | ledger and markets of one network, at one point of the total order |
//! | [`snapshot`] | the state as it lies in a checkpoint, and back |
//! | `answer` | what a state answers when it is asked |
//! | [`admission`] | whether a signed frame may execute: epoch, expiry, nonce |
//! | [`sequential`] | the executor that is also the oracle |
//! | [`executor`] | which of the two runs a block |
//! | [`parallel`] | the executor that uses more than one core |
//! | [`sequencer`] | numbers frames and seals blocks |
//! | [`gate`] | holds every outcome back until its block is durable |
//! | [`replay`] | the journal again, checking every recorded hash |
//! | [`follower`] | a second state built from events alone: what they must explain |
//! | [`market_data`] | what the public learns of each book, from events alone |
//! | [`feeds`] | the same as numbered events with a running hash, and accounts' reports |
#![forbid(unsafe_code)]

pub mod admission;
mod answer;
pub mod clusters;
pub mod executor;
pub mod feeds;
pub mod follower;
pub mod gate;
pub mod market;
pub mod market_data;
pub mod parallel;
pub mod protection;
pub mod replay;
pub mod sequencer;
pub mod sequential;
pub mod sessions;
pub mod snapshot;
pub mod state;
pub mod transition;
pub mod view;
pub mod watch;

pub use state::State;
