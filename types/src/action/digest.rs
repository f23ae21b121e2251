//! What a wallet signs for an action, and who has signed it.
//!
//! *Trading* actions are signed blindly: the hash of their MessagePack, nonce, vault and expiry is the
//! `connectionId` of `Agent(string source,bytes32 connectionId)` in the domain "Exchange", version 1,
//! chain 1337. *Account* actions (payments, approvals) are shown by the wallet field by field, in the
//! domain "HyperliquidSignTransaction" of whatever chain the wallet is on.
//!
//! The source is `b` here and never `a`: an action signed for `a` is valid on another exchange's main
//! network under the same key, so nobody may be led to send one here.

use super::Value;
use crate::decimal::{bytes_from_hex, from_hex};
use crate::genesis::OwnerAddress;
use crate::keys::WalletSignature;
use crate::wallet::{keccak, recover, word};

/// What trading actions are signed for.
pub const SOURCE: &str = "b";
/// The same in account actions.
const CHAIN: &str = "Testnet";

/// The chain that trading actions name; it is no chain.
const TRADING_CHAIN: u128 = 1_337;

const DOMAIN: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const AGENT: &str = "Agent(string source,bytes32 connectionId)";

/// What an action is signed together with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Milliseconds since the Unix epoch.
    pub nonce: u64,
    /// The account that it is for, if not the signer's own.
    pub vault: Option<OwnerAddress>,
    /// Milliseconds since the Unix epoch.
    pub expires_after: Option<u64>,
}

/// The fields of an account action that a wallet shows, in order, behind `hyperliquidChain`.
struct Shown {
    kind: &'static str,
    name: &'static str,
    fields: &'static [(&'static str, FieldKind)],
}

#[derive(Clone, Copy)]
enum FieldKind {
    Text,
    Number,
    Address,
}

use FieldKind::{Address, Number, Text};

/// The last field is the nonce of the envelope.
const SHOWN: &[Shown] = &[
    Shown {
        kind: "usdSend",
        name: "UsdSend",
        fields: &[("destination", Text), ("amount", Text), ("time", Number)],
    },
    Shown {
        kind: "spotSend",
        name: "SpotSend",
        fields: &[
            ("destination", Text),
            ("token", Text),
            ("amount", Text),
            ("time", Number),
        ],
    },
    Shown {
        kind: "withdraw3",
        name: "Withdraw",
        fields: &[("destination", Text), ("amount", Text), ("time", Number)],
    },
    Shown {
        kind: "approveAgent",
        name: "ApproveAgent",
        fields: &[
            ("agentAddress", Address),
            ("agentName", Text),
            ("nonce", Number),
        ],
    },
    Shown {
        kind: "sendAsset",
        name: "SendAsset",
        fields: &[
            ("destination", Text),
            ("sourceDex", Text),
            ("destinationDex", Text),
            ("token", Text),
            ("amount", Text),
            ("fromSubAccount", Text),
            ("nonce", Number),
        ],
    },
    Shown {
        kind: "approveBuilderFee",
        name: "ApproveBuilderFee",
        fields: &[
            ("maxFeeRate", Text),
            ("builder", Address),
            ("nonce", Number),
        ],
    },
];

impl Envelope {
    /// What the wallet has signed for this action; `None`: no wallet signs such a thing for us.
    pub fn digest(&self, action: &Value) -> Option<[u8; 32]> {
        let kind = action.field("type")?.as_text()?;
        match SHOWN.iter().find(|shown| shown.kind == kind) {
            Some(shown) => self.shown_digest(shown, action),
            None => Some(self.blind_digest(&action.to_msgpack())),
        }
    }

    /// Who has signed the action; `None`: nobody has.
    pub fn signer(&self, action: &Value, signature: WalletSignature) -> Option<OwnerAddress> {
        recover(self.digest(action)?, signature)
    }

    /// The hash of a trading action, in its domain.
    fn blind_digest(&self, msgpack: &[u8]) -> [u8; 32] {
        let mut bytes = msgpack.to_vec();
        bytes.extend_from_slice(&self.nonce.to_be_bytes());
        match &self.vault {
            None => bytes.push(0),
            Some(vault) => {
                bytes.push(1);
                bytes.extend_from_slice(vault);
            }
        }
        if let Some(expires_after) = self.expires_after {
            bytes.push(0);
            bytes.extend_from_slice(&expires_after.to_be_bytes());
        }
        let message = [
            keccak(AGENT.as_bytes()),
            keccak(SOURCE.as_bytes()),
            keccak(&bytes),
        ];
        typed_digest("Exchange", TRADING_CHAIN, &message)
    }

    /// The hash of an account action. Neither vault nor expiry are part of it, so there may be none.
    fn shown_digest(&self, shown: &Shown, action: &Value) -> Option<[u8; 32]> {
        let text = |name| action.field(name).and_then(Value::as_text);
        let is_ours = text("hyperliquidChain") == Some(CHAIN);
        if !is_ours || self.vault.is_some() || self.expires_after.is_some() {
            return None;
        }
        let mut kind = format!(
            "HyperliquidTransaction:{}(string hyperliquidChain",
            shown.name
        );
        let mut message = vec![[0; 32], keccak(CHAIN.as_bytes())];
        for (name, field) in shown.fields {
            kind.push_str(match field {
                Text => ",string ",
                Number => ",uint64 ",
                Address => ",address ",
            });
            kind.push_str(name);
            message.push(match field {
                // An agent without a name is signed with an empty one and sent without.
                Text => keccak(text(name).unwrap_or_default().as_bytes()),
                Number => word(action.field(name)?.as_unsigned()?.into()),
                Address => address_word(text(name)?)?,
            });
        }
        kind.push(')');
        message[0] = keccak(kind.as_bytes());
        let (nonce, _) = shown.fields.last()?;
        if action.field(nonce)?.as_unsigned()? != self.nonce {
            return None;
        }
        let chain = chain_number(text("signatureChainId")?)?;
        Some(typed_digest("HyperliquidSignTransaction", chain, &message))
    }
}

fn typed_digest(domain: &str, chain: u128, message: &[[u8; 32]]) -> [u8; 32] {
    let domain = [
        keccak(DOMAIN.as_bytes()),
        keccak(domain.as_bytes()),
        keccak(b"1"),
        word(chain),
        word(0),
    ];
    let mut bytes = vec![0x19, 0x01];
    bytes.extend_from_slice(&keccak(domain.as_flattened()));
    bytes.extend_from_slice(&keccak(message.as_flattened()));
    keccak(&bytes)
}

fn address_word(text: &str) -> Option<[u8; 32]> {
    let address: OwnerAddress = bytes_from_hex(text.strip_prefix("0x")?)?;
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address);
    Some(word)
}

/// A chain id as wallets write it: `0x` and up to 16 digits.
fn chain_number(text: &str) -> Option<u128> {
    let digits = text.strip_prefix("0x")?;
    let padded = format!("{digits:0>16}");
    let bytes = from_hex(&padded).filter(|_| !digits.is_empty())?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?).into())
}
