//! Black-box tests of the `keel` binary: what its command line promises, and nothing about how.
//!
//! | module | of |
//! |---|---|
//! | `shell` | a `keel client` process that the tests talk to |
//! | `trading` | the lines of `keel client` and their replies |
//! | `inspecting` | restart, `dump`, `replay` and `verify` |
//! | `audit` | receipts, and the order of execution compared with that of arrival |
//! | `checkpoints` | starting from a checkpoint, proofs, damaged checkpoints, old segments |
//! | `fixtures` | directories of every released format |
//! | `refusing` | damaged, foreign and impossible input, and wrong usage |
//! | `anchor_lag` | withdrawals while the chain is behind |
//! | `restarting` | cancel-only after a restart |
//! | `markets` | stops, protection, auctions, and the limits of markets |
//! | `disk_ways` | both ways of the journal to the disk, and `doctor` |
//! | `signatures` | `replay --signatures` and `verify --signatures`, of a forged journal, too |
//! | `subscribing` | the lines of `keel subscribe` |
//! | `session_keys` | wallets, limits of keys, policies, timers |
//! | `wallets` | `keel key` with a wallet that is elsewhere |
//! | `keys` | `keygen`, pins, and a network that is not the development one |

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod anchor_lag;
mod audit;
mod checkpoints;
#[path = "../common/mod.rs"]
mod common;
mod disk_ways;
mod fixtures;
mod history;
mod inspecting;
mod keys;
mod markets;
mod refusing;
mod restarting;
mod session_keys;
mod shell;
mod signatures;
mod subscribing;
mod trading;
mod wallets;
