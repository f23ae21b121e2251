//! `keel`: one binary that runs, checks and inspects an exchange.
//!
//! This crate wires rooms together and takes no decisions: configuration, threads, files, shutdown.
//! Start with [`running`] (the threads of a node and the rings between them), then [`pipeline`]
//! (the way of an order past the gateway). Commands live in [`cli`], one file each.
#![forbid(unsafe_code)]

mod cli;
mod data_dir;
mod genesis_file;
mod journal_io;
mod journal_thread;
mod pipeline;
mod read_model;
mod recovery;
mod running;
mod text;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
