//! The `loadgen` binary: the command line of the library, an allocator that frees cheaply, and the
//! full-screen view of `--tui`.
//!
//! A crate of its own, so that `keel`, which links the library for its demo, links no terminal.
//! [`screen`] owns the terminal, [`view`] says what is on it.
#![forbid(unsafe_code)]

mod screen;
mod view;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::cli::main(screen::open)
}
