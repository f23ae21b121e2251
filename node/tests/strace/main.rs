//! Faults that are done to a real `keel` process from outside, with tools that not every machine
//! has: strace, faketime, prlimit. So this target is not part of a plain `cargo test`: CI runs it by
//! name, and `cargo xtask faults` in its long form.
//!
//! | module | of |
//! |---|---|
//! | `trace` | what strace writes, as calls |
//! | `traced` | a node under strace |
//! | `audit` | no ack leaves before its order is synced |
//! | `inject` | calls that fail: the node stops, and nothing acknowledged is missing |
//! | `checkpoints` | calls on checkpoint files that fail: the node serves on |
//! | `process` | stopped, wrong clock, little memory, slow disk, full disk |

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod audit;
mod checkpoints;
#[path = "../common/mod.rs"]
mod common;
mod inject;
mod process;
#[allow(dead_code, reason = "it says more than is needed here")]
#[path = "../cli/shell.rs"]
mod shell;
mod trace;
mod traced;
