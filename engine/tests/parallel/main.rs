//! The parallel executor against running one after the other.
#![allow(clippy::unwrap_used)] // A panic is a failed test.

#[path = "../common/mod.rs"]
mod common;
mod flow;
mod programs;
