//! The vocabulary of Keel: what every other room speaks, and nothing else.
//!
//! This crate does no I/O, reads no clock and draws no randomness; time, seeds and bytes come in as
//! arguments. Start with [`command`] (what may be asked), then [`outcome`] (what is answered), then
//! [`wire`] (how both look as bytes).
//!
//! | module | holds |
//! |---|---|
//! | [`quantities`] | prices, sizes and amounts, each with its unit in the type |
//! | [`ids`] | names of things and positions in orders |
//! | [`command`] | every request that may change state |
//! | [`reject`] | every reason to refuse one, numbered in order of precedence |
//! | [`outcome`] | receipts and events of executed commands |
//! | [`genesis`] | assets, markets, fees and accounts at the start of a network |
//! | [`decimal`] | decimal text to whole units and back, never through a float |
//! | [`action`] | what traders sign at the HTTP interface, and the commands that it means |
//! | [`auth`] | digests, signatures and the frames that have passed them |
//! | [`keys`] | what session keys may do, and how a wallet says so |
//! | [`wallet`] | what a wallet signs, and who signed it |
//! | [`inbox`] | deposits and forced requests from a chain |
//! | [`phase`] | whether the whole exchange is open |
//! | [`block`] | sealed blocks: sequenced frames and ticks |
//! | [`wire`] | the native protocol, byte by byte |
//! | [`limits`] | every protocol limit, once |
//! | [`planted`] | mistakes on purpose, for tests of the tests |
#![forbid(unsafe_code)]

pub mod action;
pub mod auth;
pub mod block;
pub mod command;
pub mod decimal;
pub mod genesis;
pub mod ids;
pub mod inbox;
pub mod keys;
pub mod limits;
pub mod outcome;
pub mod phase;
pub mod planted;
pub mod quantities;
pub mod reject;
pub mod wallet;
pub mod wire;

pub use command::Command;
pub use ids::*;
pub use quantities::*;
pub use reject::RejectReason;
