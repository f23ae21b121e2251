//! Why something on the chain did not work.

use alloy::primitives::{Address, B256, hex};
use alloy::sol_types::SolInterface as _;

use crate::contract::Bridge::BridgeErrors;

/// What stands between us and the chain, or what the chain says.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// No endpoint gave an answer; each with its reason.
    #[error(
        "{method}: no endpoint answers: {reasons}\nhint: is the node of the chain up, and its address right?"
    )]
    Unreachable {
        /// What was asked.
        method: &'static str,
        /// Of all endpoints.
        reasons: String,
    },
    /// Endpoints say different things about the same block.
    #[error(
        "{what}: the endpoints disagree: {answers}\nhint: one of them is behind or lies; nothing is done until they agree"
    )]
    Disagree {
        /// What was asked.
        what: &'static str,
        /// Of all endpoints.
        answers: String,
    },
    /// The contract refused.
    #[error("the bridge refuses: {error:?}")]
    Reverted {
        /// Why.
        error: BridgeErrorName,
    },
    /// The chain's node refused, for all endpoints are alike in this.
    #[error("{method}: {message}")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// In its words.
        message: String,
    },
    /// An answer that cannot be.
    #[error("{what}: the answer makes no sense: {reason}")]
    Nonsense {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A transaction was not mined in time, whatever fee was offered.
    #[error(
        "transaction with nonce {nonce} of {sender} was not mined in {seconds} s, last offer {fee} wei per gas\nhint: --max-fee-gwei bounds what is offered"
    )]
    NotMined {
        /// Whose.
        sender: Address,
        /// Which.
        nonce: u64,
        /// How long was waited.
        seconds: u64,
        /// What was offered.
        fee: u128,
    },
    /// A transaction was mined and failed.
    #[error("transaction {hash} was mined and failed\nhint: something came between; try again")]
    Failed {
        /// Which.
        hash: B256,
    },
}

/// The name of an error of the bridge.
#[derive(Clone, PartialEq, Eq)]
pub struct BridgeErrorName(String);

impl BridgeErrorName {
    /// From what a call reverted with.
    pub fn new(data: &[u8]) -> Self {
        let decoded = BridgeErrors::abi_decode(data);
        // Such as `NotFinal(NotFinal)`: the variant is the name.
        let name = decoded.map(|error| format!("{error:?}"));
        let name = name.map(|text| text.split(['(', ' ']).next().unwrap_or_default().to_owned());
        Self(name.unwrap_or_else(|_| match data {
            [] => "without a reason".to_owned(),
            data => format!("0x{}", hex::encode(data)),
        }))
    }

    /// As it is written in the contract.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BridgeErrorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ChainError {
    /// Whether the bridge refused with this error.
    pub fn is_revert(&self, name: &str) -> bool {
        matches!(self, Self::Reverted { error } if error.as_str() == name)
    }
}
