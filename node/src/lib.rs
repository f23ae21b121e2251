//! A node: what wires the rooms of an exchange together and takes no decisions.
//!
//! Configuration, threads, files, shutdown. Start with `running` (the threads of a node and the rings
//! between them), then [`pipeline`] (the way of an order past the gateway). Commands live in `cli`,
//! one file each.
//!
//! The bodies of the threads that decide what is durable are public, because a simulation runs them
//! in one thread, under a clock and a disk of its own.
#![forbid(unsafe_code)]

pub mod anchor_lag;
pub mod api;
pub mod checkpoint_thread;
mod cli;
pub mod counters;
mod data_dir;
pub mod feeds;
mod genesis_file;
pub mod grace;
mod history;
mod journal_io;
pub mod journal_thread;
mod limits_file;
mod metrics;
pub mod pipeline;
mod proofs;
pub mod recovery;
mod rings;
mod running;
pub mod shadow;
pub mod space;
mod text;
pub mod threads;
mod waiting_frames;

pub use cli::{Failure, main};
