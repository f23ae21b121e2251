//! A second exchange, written from `docs/ORDERS.md` and the fees decision alone, and the engine held
//! against it: command by command, event by event, and after every block order by order.
//!
//! The oracle is slow and obvious: sorted maps, linear searches, whole books cloned to try something
//! out. It shares nothing with the engine but the vocabulary of `types`.
//!
//! | module | does |
//! |---|---|
//! | [`exchange`] | commands and ticks, one after the other |
//! | [`book`] | one market's orders, by price and place |
//! | [`funds`] | balances, holds and fees |
//! | [`place`], [`replace`], [`quotes`], [`cancel`] | the commands of traders |
//! | [`enter`], [`cascade`] | taking, resting, setting off |
//! | [`protection`], [`limits`] | what bounds an account's quotes, and what bounds a market |
//! | [`status`], [`auction`] | what may happen in a market, and how an auction ends |
//! | [`compare`] | both exchanges over the same blocks, and the smallest stream that tells them apart |
//! | [`mix`], [`mixes`] | random streams, and a table of those that stress one thing each |
//! | [`streams`], [`scripts`], [`stories`], [`races`], [`full_book`] | the tests |

#![allow(clippy::unwrap_used)] // A panic is a failed test.

mod auction;
mod book;
mod cancel;
mod cascade;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod enter;
mod exchange;
mod full_book;
mod funds;
mod limits;
mod mix;
mod mixes;
mod place;
mod protection;
mod quotes;
mod races;
mod replace;
mod scripts;
mod status;
mod stories;
mod streams;
