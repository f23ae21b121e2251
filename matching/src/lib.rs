//! One market's order book: price-time priority, exactly, and in time linear in what an operation
//! touches.
//!
//! This crate knows no funds, no fees and no commands; it does no I/O, reads no clock and draws no
//! randomness. The engine decides whether an order may enter; the book says what it meets. A broken
//! precondition is a broken invariant of the caller and panics.
//!
//! Start with [`Book`]. [`NaiveBook`] says the same in the plainest possible way and is the oracle
//! that every test compares with.
//!
//! | module | holds |
//! |---|---|
//! | [`book`] | the book: take, rest, cancel, and the questions |
//! | [`view`] | the plain values that a book hands out |
//! | `ladder` | one side's prices: which levels exist, which is best, which comes next |
//! | `owners` | who has which orders, oldest first |
//! | `index` | order id, label and account to slot |
//! | `node` | what is remembered of one order |
//! | `queue` | the lists that orders hang in |
//! | `arena` | slabs with typed handles, recycled |
//! | `invariants` | everything that must hold of a book, checked at leisure |
//! | [`naive`] | the oracle |
//!
//! # Memory
//!
//! A resting order costs 48 bytes: a node of 32 and 16 of links. To find it costs 8 to 16 bytes in
//! the index by order id, and as much again if it is labelled. A price that is in use costs a level
//! of 32 bytes; what thinly used prices cost is bounded in `ladder`. Slabs and indexes double when
//! they are full, so up to twice this may be reserved. Everything is recycled and nothing is given
//! back: once a book has seen its peak it allocates no more.
#![forbid(unsafe_code)]

mod arena;
pub mod book;
mod index;
mod invariants;
mod ladder;
pub mod naive;
mod node;
mod owners;
mod queue;
pub mod view;

pub use book::Book;
pub use naive::NaiveBook;
pub use view::{Level, MakerFill, RestingOrder, Taken};
