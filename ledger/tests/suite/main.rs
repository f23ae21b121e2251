//! The ledger from outside, in one test binary.

#[cfg(test)]
mod common;
#[cfg(test)]
mod model;
#[cfg(test)]
mod nonces;
#[cfg(test)]
mod settlement;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod state_tree;
