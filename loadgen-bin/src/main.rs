//! The `loadgen` binary: the command line of the library, with an allocator that frees cheaply.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::cli::main()
}
