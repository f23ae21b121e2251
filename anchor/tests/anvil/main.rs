//! Node and bridge on a real chain: money comes in, is traded, and leaves, with the operator and
//! without him. Needs anvil and a built `keel`; `cargo xtask evm test` runs it.

#![allow(clippy::unwrap_used)] // Tests only: what fails here fails the test.

mod chain;
mod demo;
mod endpoints;
mod faults;
mod rollup;
mod way_in_and_out;
mod world;

/// Runs a test on one thread, as the programs do.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}
