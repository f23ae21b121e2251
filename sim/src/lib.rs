//! A whole node in one thread, from one seed: its real loops and its real recovery, on a disk, a clock
//! and links that fail on purpose, watched from outside.
//!
//! One seed decides everything: what clients send, how time goes, in which order the parts of the
//! node turn, what is lost on the way, where power fails and what survives it. A run is several
//! lives of a node on one disk. After each crash many futures of the disk are looked at: in each,
//! the node's own recovery must come to a state that the oracles know.
//!
//! The oracles share nothing with the node but its vocabulary and, where noted, its pure function:
//!
//! | oracle | says |
//! |---|---|
//! | [`Oracle::Ledger`] | every answer that left the node is in the journal, once, with the same outcome; a repeated frame gets its first answer |
//! | [`Oracle::Replay`] | the journal, executed again from the genesis, gives every hash, root and digest that the node had |
//! | [`Oracle::Model`] | an exchange written from the rules alone gives the same receipts, events and balances |
//! | [`Oracle::Keys`] | whoever signed what was executed was let, and what was taken off for want of a client stays off |
//! | [`Oracle::Recovery`] | a directory that no fault has damaged is never refused, and a damaged one is refused or right |
//! | [`Oracle::Progress`] | a node stops when told to, and goes on when a full disk has space again |
//! | [`Oracle::Reopening`] | after a restart nothing rests or trades before the grace is over |
//! | [`Oracle::Assertion`] | no invariant of the node's own breaks |
//!
//! This crate never touches a file, a socket or a real clock. Start with [`run()`] (the lives), then
//! `node` (one life), `truth` (what must be) and `plan` (what is drawn per seed).
#![forbid(unsafe_code)]

mod clients;
mod commands;
mod harmed;
mod keyring;
mod life;
#[allow(dead_code, clippy::unwrap_used, unreachable_pub)] // Shared with the engine's own tests.
#[path = "../../engine/tests/oracle/model/mod.rs"]
mod model;
mod node;
mod permits;
mod plan;
mod reached;
mod released;
mod reopening;
mod restart;
mod run;
mod trace;
mod truth;

pub use reached::RARE;
pub use run::{Failed, Oracle, Outcome, run};
