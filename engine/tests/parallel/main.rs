//! The parallel executor against running one after the other.

mod programs;
