//! A second exchange, written from `docs/ORDERS.md` and the fees decision alone, and the engine held
//! against it: command by command, event by event, and after every block order by order.
//!
//! The oracle is slow and obvious: sorted maps, linear searches, whole books cloned to try something
//! out. It shares nothing with the engine but the vocabulary of `types`.
//!
//! | module | does |
//! |---|---|
//! | [`exchange`] | commands and ticks, one after the other |
//! | [`book`] | one market's orders, and what a taker meets there |
//! | [`funds`] | balances, holds and fees |
//! | [`enter`] | placing, taking, resting, setting off |
//! | [`replace`], [`quotes`], [`cancel`] | the other commands |
//! | [`compare`] | both exchanges over the same blocks, and the smallest stream that tells them apart |
//! | [`mixes`] | random streams that stress one thing each |
//! | [`streams`], [`scripts`], [`races`], [`full_book`] | the tests |

#![allow(clippy::unwrap_used)] // A panic is a failed test.

mod book;
mod cancel;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod enter;
mod exchange;
mod full_book;
mod funds;
mod mixes;
mod quotes;
mod races;
mod replace;
mod scripts;
mod streams;
