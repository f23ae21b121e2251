//! A trader's signed action: from the bytes that a wallet signed to the commands that they mean.
//!
//! Clients of the Hyperliquid dialect sign the MessagePack form of an action, keys in the order in
//! which they were sent, so a byte more or less makes another signer. There is one way from what was
//! signed to what is executed, and it is pure, so that an auditor walks it again with nothing but
//! the journal:
//!
//! ```text
//! JSON text -> Value -> MessagePack -> Value -> Action -> commands
//!                          |                       '- read    '- translate
//!                          '- digest -> signer
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `value` | JSON and MessagePack as one ordered value, canonical both ways |
//! | `read` | which values are actions: closed and strict |
//! | `digest` | what a wallet signs for an action, and who has signed |
//! | `translate` | an action and the genesis to commands |
//! | `audit` | whether a frame is what its trader has signed |
//!
//! Facts about the dialect (hash, domains, names of fields, decimals of its "usd") are those that its
//! public SDKs show; the vectors in `types/tests/actions` come from running one.

mod audit;
mod digest;
mod read;
mod translate;
mod value;

pub use audit::{AuditFailure, audit};
pub use digest::{Envelope, SOURCE};
pub use read::{
    Action, CancelById, CancelByLabel, Cloid, Expected, ModifyOrder, OrderRef, Terms, Tif,
    WireOrder, WireTrigger,
};
pub use translate::{
    ASSET_SPOT_FIRST, Commands, Untranslatable, asset_number, label_of, size_decimals, translate,
};
pub use value::{NotValue, Value};
