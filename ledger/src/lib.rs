//! Accounts, holds, settlement, fees, nonces and the state tree.
//!
//! This crate is pure: no I/O, no clock, no randomness, no threads. It knows no books and no
//! commands; the engine tells it what to move, after its own checks. Start with [`Ledger`].
//!
//! Three kinds of failure, three tools: a balance that does not cover a hold or a transfer is
//! [`InsufficientFunds`]; a nonce that may not be used is a [`NonceCheck`]; everything else that
//! cannot be is a broken invariant and panics, because a ledger that has lost count must not go on.
//!
//! | module | holds |
//! |---|---|
//! | `ledger` | [`Ledger`]: the whole state, its queries, and the verbs that move free funds |
//! | `settlement` | [`Trade`] to balance movements: [`Ledger::settle`] |
//! | `fold` | movements that were added up elsewhere |
//! | `cells` | the balance cells; the one function that writes them |
//! | `conservation` | the recount and its cheap always-on twin |
//! | `edge` | [`Edge`]: deposits, withdrawals, and accounts that are opened later |
//! | `keys` | registered session keys, and agents |
//! | `signer` | [`ActionNonces`]: the same for signers of actions |
//! | `nonce` | [`NonceWindow`]: each nonce is used once |
//! | [`encoding`] | the canonical account record, which is what a leaf hashes |
//! | [`tree`] | the state root and proofs, from scratch |
//! | `state_tree` | [`StateTree`]: the same, kept between roots |
//! | [`snapshot`] | the ledger as it lies in a checkpoint, and proofs straight from there |
//! | `state_hash` | one digest of everything, for comparing two ledgers |
#![forbid(unsafe_code)]

mod cells;
mod conservation;
mod edge;
pub mod encoding;
mod fold;
mod keys;
mod ledger;
mod nonce;
mod settlement;
mod signer;
pub mod snapshot;
mod state_hash;
mod state_tree;
pub mod tree;

pub use cells::Balance;
pub use conservation::ConservationError;
pub use edge::Edge;
pub use encoding::Holding;
pub use keys::{AgentName, Key, KeyStatus, WalletUse};
pub use ledger::{InsufficientFunds, Ledger};
pub use nonce::{NonceCheck, NonceWindow};
pub use settlement::{Charge, Fees, Settlement, Trade};
pub use signer::ActionNonces;
pub use state_tree::{StateTree, SystemLeaves};
pub use tree::{Claim, Proof};
