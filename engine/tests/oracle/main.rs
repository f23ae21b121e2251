//! A second exchange, written from `docs/ORDERS.md` and the fees decision alone, and the engine held
//! against it: command by command, event by event, and after every block order by order.
//!
//! The oracle is slow and obvious: sorted maps, linear searches, whole books cloned to try something
//! out. It shares nothing with the engine but the vocabulary of `types`.
//!
//! | module | does |
//! |---|---|
//! | [`model`] | the oracle: commands and ticks, one after the other |
//! | [`compare`] | both exchanges over the same blocks, and the smallest stream that tells them apart |
//! | [`mix`], [`mixes`] | random streams, and a table of those that stress one thing each |
//! | [`streams`], [`undo`], [`scripts`], [`stories`], [`races`], [`full_book`], [`keys`] | the tests |

#![allow(clippy::unwrap_used)] // A panic is a failed test.

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod full_book;
mod keys;
mod mix;
mod mixes;
mod model;
mod races;
mod scripts;
mod stories;
mod streams;
mod undo;

use model::{book, exchange, limits, protection};
