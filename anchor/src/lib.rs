//! The way between a ledger and an EVM chain: publishes checkpoints, brings deposits and forced
//! requests to the ledger, and takes money out, with the node or without it.
//!
//! It never decides what the ledger does and never holds anybody's money: the contracts in
//! `anchor/contracts` do, and whatever this crate says, they check. It keeps no state of its own
//! either; what is done is what chain and ledger say, so every command can be cut off and started
//! again. Start with [`publisher`] or [`escape`]; `anchor/README.md` tells how to run it.
//!
//! | module | holds |
//! |---|---|
//! | [`contract`] | the bridge as Rust sees it |
//! | [`proof`], [`snapshot`] | what a checkpoint file proves, in the form that the bridge takes |
//! | [`signing`] | what wallets sign for others to bring |
//! | [`deployment`] | the file that says where a bridge is |
//! | [`endpoints`] | nodes of the chain, none of which is trusted |
//! | [`bridge`] | reading the bridge |
//! | [`sender`] | transactions that are mined or not, and never twice |
//! | [`published`] | checkpoint files that anybody can get |
//! | [`data`], [`blobs`] | what a checkpoint leaves on the chain, and how |
//! | [`rebuilt`] | a state from the chain alone |
//! | [`publisher`] | from a data directory to the chain |
//! | [`watcher`] | from the inbox to the ledger |
//! | [`escape`] | from the chain and published files to everybody's wallet |
//! | [`web`] | HTTP, with TLS or without |
//! | [`cli`] | `keel-anchor` |
#![forbid(unsafe_code)]

pub mod blobs;
pub mod bridge;
pub mod cli;
pub mod contract;
pub mod data;
pub mod deployment;
pub mod endpoints;
pub mod error;
pub mod escape;
pub mod proof;
pub mod published;
pub mod publisher;
pub mod rebuilt;
pub mod sender;
pub mod signing;
pub mod snapshot;
pub mod watcher;
pub mod web;
