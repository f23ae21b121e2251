//! The parallel executor against running one after the other.
// Outside of shuttle's runs there are no threads that could take shuttle's locks.
#![cfg(not(feature = "shuttle"))]
#![allow(clippy::unwrap_used)] // A panic is a failed test.
#![allow(clippy::print_stdout)] // Figures, for who asks with `--nocapture`.

#[path = "../common/mod.rs"]
mod common;
mod flow;
mod generator;
#[cfg(feature = "planted-bugs")]
mod planted;
mod programs;
mod scheduler;
