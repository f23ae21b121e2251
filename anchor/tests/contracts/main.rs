//! The contracts, in an EVM in this process: every rule, every refusal, and a random walk over all
//! calls. `cargo xtask evm test` adds forge's fuzzing and a real chain.

#![allow(clippy::unwrap_used)] // Tests only: what fails here fails the test.

mod bridge;
mod chain;
mod freezing;
mod gas;
mod inbox;
mod proofs;
mod publishing;
mod rollup;
mod signatures;
mod tokens;
mod walk;
