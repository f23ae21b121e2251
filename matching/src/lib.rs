//! One market's order book: price-time priority, exactly, and in time linear in what an operation
//! touches.
//!
//! This crate knows no funds, no fees and no commands; it does no I/O, reads no clock and draws no
//! randomness. The engine decides whether an order may enter; the book says what it meets. A broken
//! precondition is a broken invariant of the caller and panics.
//!
//! Start with [`Book`], and with [`Triggers`] for the orders that wait beside it. [`NaiveBook`] and
//! [`NaiveTriggers`] say the same in the plainest possible way and are the oracles that every test
//! compares with. `docs/ORDERS.md` has the rules.
//!
//! | module | holds |
//! |---|---|
//! | [`book`] | the book: rest, cancel, reduce, expire, and the questions |
//! | `take` | an incoming order meets the other side |
//! | `fillable` | whether it would fill, without meeting anybody |
//! | [`auction`] | bids and asks that came to rest without meeting are uncrossed at one price |
//! | [`triggers`] | orders that wait for a price before they enter |
//! | [`meeting`] | what goes into `take` and comes out, in plain values |
//! | [`view`] | the plain values that a book hands out |
//! | [`depth`] | what a book shows, kept up to date from events, and what the public is told |
//! | [`book_event`] | that telling, in plain values |
//! | `ladder` | one side's prices: which levels exist, which is best, which comes next |
//! | `owners` | who has which orders, by arrival |
//! | `index` | order id and label to slot |
//! | `node` | what is remembered of every order |
//! | `special` | what is remembered of icebergs, orders that expire, and partly filled ones |
//! | `expiry` | which order expires next |
//! | `queue` | the lists that orders hang in |
//! | `arena` | slabs with typed handles, recycled |
//! | `restore` | a book as it was, from its orders |
//! | `undo` | a book goes back to where it was |
//! | [`undo_log`] | a list of changes that can be taken back |
//! | `invariants` | everything that must hold of a book, checked at leisure |
//! | [`naive`], [`naive_triggers`] | the oracles |
//!
//! # Memory
//!
//! A resting order costs 56 bytes: a node of 32, 16 of links, and a word aside that only partly
//! filled and special orders use. An iceberg, an order that expires or one with a stop beside it costs
//! 48 more, and 24 in the heap if it expires. To find an order costs 8 to 16 bytes in the index by
//! order id, and as much again if it is labelled. A price that is in use costs a level of 32 bytes
//! and, where there are icebergs, 16 for what is hidden; an account that has orders, or whose number
//! is near one that has, costs 12. What thinly used prices and account numbers cost is bounded in
//! `ladder` and in `owners`. Slabs and indexes double when they are full, so up to twice this may be reserved. Everything is recycled
//! and nothing is given back: once a book has seen its peak it allocates no more. (Triggers are
//! few and live in ordinary trees, which do allocate.)
#![forbid(unsafe_code)]

mod arena;
pub mod auction;
pub mod book;
pub mod book_event;
pub mod depth;
mod expiry;
mod fillable;
mod index;
mod invariants;
mod ladder;
pub mod meeting;
pub mod naive;
pub mod naive_triggers;
mod node;
mod owners;
mod queue;
mod restore;
mod special;
mod take;
pub mod triggers;
mod undo;
pub mod undo_log;
pub mod view;

pub use auction::{Crossing, Indication};
pub use book::Book;
pub use book_event::{Best, BookEvent, BookSnapshot, ShownLevel, ShownOrder, Traded};
pub use depth::Depth;
pub use meeting::{Guard, Maker, Meeting, Stopped, Taken, Taker, Unguarded};
pub use naive::NaiveBook;
pub use naive_triggers::NaiveTriggers;
pub use restore::NotABook;
pub use triggers::{ArmedOrder, Triggers};
pub use undo_log::UndoLog;
pub use view::{Level, RestingOrder};
