//! `Action`: what a trader has signed at the HTTP interface, with the frame that it came to.
//!
//! It is in the journal and never on a stream. The signed bytes are the action as the trader's client
//! has hashed it (MessagePack, keys in the order in which they were sent); the frame says the same in
//! our commands and has no signature of its own. So an auditor recovers who signed, translates the
//! action again, and compares.
//!
//! Layout, by offset: 0 prefix, 8 nonce u64, 16 expires after u64 (both milliseconds since the Unix
//! epoch), 24 signer (20), 44 vault (20), 64 flags u8 (bit 0: there is a vault, bit 1: it expires),
//! 65 v u8 (27 or 28), 66 reserved (2), 68 length of the action u32, 72 signature (64: r and s,
//! big-endian), 136 the action, then the frame: an `Orders` message without a signature.

use bytes::Bytes;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::orders::{FRAME_LENGTH_MAX, OrdersFrame};
use super::{Kind, Prefix, expect_kind};
use crate::RejectReason;
use crate::genesis::OwnerAddress;
use crate::keys::WalletSignature;
use crate::limits::{ACTION_LENGTH_MAX, MESSAGE_LENGTH_MAX};

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    prefix: Prefix,
    nonce: U64,
    expires_after: U64,
    signer: OwnerAddress,
    vault: OwnerAddress,
    flags: u8,
    v: u8,
    reserved: U16,
    action_length: U32,
    compact: [u8; 64],
}

const HAS_VAULT: u8 = 1;
const EXPIRES: u8 = 1 << 1;

const HEAD_LENGTH: usize = size_of::<Head>();
const _: () = assert!(HEAD_LENGTH == 136);
const _: () = assert!(HEAD_LENGTH + ACTION_LENGTH_MAX + FRAME_LENGTH_MAX <= MESSAGE_LENGTH_MAX);

/// What a trader has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAction {
    /// The action in MessagePack, keys in the order in which they were sent.
    pub action: Bytes,
    /// Milliseconds since the Unix epoch, each used once by its signer.
    pub nonce: u64,
    /// The account that it is for, if not the signer's own.
    pub vault: Option<OwnerAddress>,
    /// Milliseconds since the Unix epoch after which it is void.
    pub expires_after: Option<u64>,
    /// The signature over all of that.
    pub signature: WalletSignature,
    /// Who signed, as was recovered from it.
    pub signer: OwnerAddress,
}

impl SignedAction {
    /// Bytes that it takes in the journal, its frame included.
    pub fn length_with(&self, frame: &OrdersFrame) -> usize {
        HEAD_LENGTH + self.action.len() + frame.bytes().len()
    }

    /// Appends the message to `out`. Panics on an action beyond [`ACTION_LENGTH_MAX`].
    pub fn encode(&self, frame: &OrdersFrame, out: &mut Vec<u8>) {
        assert!(self.action.len() <= ACTION_LENGTH_MAX);
        let has_vault = if self.vault.is_some() { HAS_VAULT } else { 0 };
        let expires = if self.expires_after.is_some() {
            EXPIRES
        } else {
            0
        };
        let head = Head {
            prefix: Prefix::new(self.length_with(frame), Kind::Action, 0),
            nonce: U64::new(self.nonce),
            expires_after: U64::new(self.expires_after.unwrap_or(0)),
            signer: self.signer,
            vault: self.vault.unwrap_or_default(),
            flags: has_vault | expires,
            v: self.signature.v,
            reserved: U16::ZERO,
            action_length: U32::new(self.action.len() as u32),
            compact: self.signature.compact,
        };
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.action);
        out.extend_from_slice(frame.bytes());
    }

    /// Reads one whole message: the action and its frame.
    pub fn parse(mut bytes: Bytes) -> Result<(Self, OrdersFrame), RejectReason> {
        expect_kind(&bytes, Kind::Action)?;
        if bytes.len() < HEAD_LENGTH {
            return Err(RejectReason::Malformed);
        }
        let head = bytes.split_to(HEAD_LENGTH);
        let head = Head::ref_from_bytes(&head).map_err(|_| RejectReason::Malformed)?;
        let length = head.action_length.get() as usize;
        if length > ACTION_LENGTH_MAX || length > bytes.len() {
            return Err(RejectReason::Malformed);
        }
        let parsed = Self {
            action: bytes.split_to(length),
            nonce: head.nonce.get(),
            vault: (head.flags & HAS_VAULT != 0).then_some(head.vault),
            expires_after: (head.flags & EXPIRES != 0).then_some(head.expires_after.get()),
            signature: WalletSignature {
                compact: head.compact,
                v: head.v,
            },
            signer: head.signer,
        };
        let is_canonical = head.prefix.count() == 0
            && head.flags & !(HAS_VAULT | EXPIRES) == 0
            && head.reserved.get() == 0
            && parsed.vault.unwrap_or_default() == head.vault
            && parsed.expires_after.unwrap_or(0) == head.expires_after.get()
            && parsed.signature.is_canonical();
        if !is_canonical {
            return Err(RejectReason::Malformed);
        }
        Ok((parsed, OrdersFrame::parse_of_action(bytes)?))
    }
}
