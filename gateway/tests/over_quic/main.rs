//! The gateway and the client together, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod admission;
mod feeds;
mod harness;
mod hostile;
mod opening;
mod rolling;
mod trading;
