//! What a wallet signs for others to bring to the bridge (EIP-712).
//!
//! The domain binds chain and contract, the type binds the action, and the epoch, which a use ends,
//! binds the time.

use alloy::sol_types::{Eip712Domain, eip712_domain};

use alloy::primitives::Address;

alloy::sol! {
    /// Makes the ledger cancel all orders of an account, and for a withdrawal take money out of it.
    #[derive(Debug, PartialEq, Eq)]
    struct Force {
        /// `WITHDRAW` or `CANCEL_ALL`.
        uint8 kind;
        /// Whose orders.
        uint32 account;
        /// Of which asset.
        uint16 asset;
        /// How many atoms at most.
        uint128 amount;
        /// The signer's epoch at the bridge.
        uint256 epoch;
    }

    /// Makes the next units of an account and asset payable to another.
    #[derive(Debug, PartialEq, Eq)]
    struct Sell {
        /// Whose claim.
        uint32 account;
        /// Of which asset.
        uint16 asset;
        /// Until this many atoms have been paid in all.
        uint128 upTo;
        /// The buyer.
        address to;
        /// The signer's epoch at the bridge.
        uint256 epoch;
    }
}

/// What all signatures for this bridge are bound to.
pub fn domain(chain_id: u64, bridge: Address) -> Eip712Domain {
    eip712_domain! {
        name: "Keel",
        version: "1",
        chain_id: chain_id,
        verifying_contract: bridge,
    }
}
