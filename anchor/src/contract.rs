//! The bridge as Rust sees it: made from the committed artifact, so that a build needs no Solidity.
//!
//! `cargo xtask evm check` holds the artifact to the sources in `anchor/contracts/src`.

#[allow(
    missing_docs,
    missing_debug_implementations,
    clippy::all,
    clippy::too_many_arguments,
    unreachable_pub
)]
mod generated {
    alloy::sol!(
        #[sol(all_derives)]
        #[derive(serde::Serialize, serde::Deserialize)]
        Bridge,
        "contracts/artifacts/Bridge.json"
    );
}

pub use generated::Anchor::{Checkpoint, Terms};
pub use generated::Bridge;
pub use generated::Exit::Record;
pub use generated::Inbox::Asset;

use alloy::primitives::{B256, keccak256};
use alloy::sol_types::SolValue as _;
use sha2::{Digest as _, Sha256};

/// Entries of this kind pay in.
pub const DEPOSIT: u8 = 1;
/// Entries of this kind take out.
pub const WITHDRAW: u8 = 2;
/// Entries of this kind cancel all orders of an account.
pub const CANCEL_ALL: u8 = 3;

/// What the bridge stores of a checkpoint.
pub fn checkpoint_hash(checkpoint: &Checkpoint) -> B256 {
    keccak256(checkpoint.abi_encode())
}

/// What stands for the blobs of a transaction onto those that were posted before it.
pub fn posted_hash(onto: B256, blobs: &[B256]) -> B256 {
    keccak256((onto, blobs.to_vec()).abi_encode_params())
}

/// The data commitment of a checkpoint with data on chain: that of an anchored one, and its blobs.
pub fn bound_commitment(commitment: B256, data: B256) -> B256 {
    keccak256((commitment, data).abi_encode_params())
}

/// What a checkpoint says of its data: the published file, and the root of the chunks that a judge
/// will re-execute one of. There is no judge yet, so that root is zero.
pub fn data_commitment(file: B256, chunks: B256) -> B256 {
    let mut hasher = Sha256::new();
    hasher.update(file);
    hasher.update(chunks);
    B256::new(hasher.finalize().into())
}
