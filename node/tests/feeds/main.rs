//! Feeds of a real node over real QUIC: on a bad network, across restarts, conflated, with gaps.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

#[path = "../common/mod.rs"]
mod common;
mod flow;
mod network;
mod proxy;
mod reader;
mod reopening;
mod restart;
mod wishes;

use std::future::Future;

use tokio::task::LocalSet;

/// Runs a test's future; tasks may share what is not to be sent.
fn run_local<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test)
}
