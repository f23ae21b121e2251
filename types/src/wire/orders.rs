//! `Orders`: 1..=256 commands, in as many slots or more, under one signature.
//!
//! Layout, by offset: 0 prefix (count: commands), 8 account u32, 12 key u32, 16 epoch u32,
//! 20 reserved u32, 24 nonce u64, 32 expires at u64 (logged nanoseconds; 0: never),
//! 40 slots (1..=256 of 32 bytes; each command takes one or more, see [`super::command`]), then the
//! signature (64 bytes) over the digest of all bytes before it. The length of the message tells how
//! many slots there are, and the commands use them all.

use bytes::Bytes;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::command::{Commands, SLOT_LENGTH, Slot, are_commands, encode_command, slots_needed};
use super::{Kind, Prefix, expect_kind};
use crate::auth::{FrameKey, Signature, SigningKey};
use crate::limits::{MESSAGE_LENGTH_MAX, SLOTS_PER_FRAME_MAX};
use crate::{AccountId, Command, KeyEpoch, KeyId, LogTime, Nonce, RejectReason};

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    prefix: Prefix,
    account: U32,
    key: U32,
    epoch: U32,
    reserved: U32,
    nonce: U64,
    expires_at: U64,
}

/// Bytes before the commands.
pub const HEAD_LENGTH: usize = 40;
/// Bytes of the signature.
pub const SIGNATURE_LENGTH: usize = 64;
/// What a frame has in place of a signature that a rolling signature covers.
const UNSIGNED: [u8; SIGNATURE_LENGTH] = [0; SIGNATURE_LENGTH];
/// The longest frame.
pub const FRAME_LENGTH_MAX: usize =
    HEAD_LENGTH + SLOTS_PER_FRAME_MAX * SLOT_LENGTH + SIGNATURE_LENGTH;

const _: () = assert!(size_of::<Head>() == HEAD_LENGTH);
const _: () = assert!(FRAME_LENGTH_MAX <= MESSAGE_LENGTH_MAX);

/// What a frame says besides its commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whose commands these are.
    pub account: AccountId,
    /// Which key signs.
    pub key: KeyId,
    /// The key's epoch: after a rotation older signatures are dead.
    pub epoch: KeyEpoch,
    /// Against replay.
    pub nonce: Nonce,
    /// Refused once logged time is past it; zero: never.
    pub expires_at: LogTime,
}

/// Which commands a frame may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One that a wallet has signed.
    OneOfWallet,
    /// Any that a key may sign.
    OfKey,
}

/// A well-formed frame: every command decodes. Its signature is not checked yet; see
/// [`crate::auth::AuthenticFrame`]. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdersFrame {
    bytes: Bytes,
}

impl OrdersFrame {
    /// Checks one whole message.
    pub fn parse(bytes: Bytes) -> Result<Self, RejectReason> {
        Self::check(bytes, |head| {
            let is_of_wallet = head.key.get() == KeyId::WALLET.get();
            if is_of_wallet {
                Shape::OneOfWallet
            } else {
                Shape::OfKey
            }
        })
    }

    /// Checks the frame of a signed action: it has no signature, and the key may be the wallet, since the
    /// wallet has signed the action.
    pub fn parse_of_action(bytes: Bytes) -> Result<Self, RejectReason> {
        let frame = Self::check(bytes, |_| Shape::OfKey)?;
        if frame.is_unsigned() {
            Ok(frame)
        } else {
            Err(RejectReason::Malformed)
        }
    }

    fn check(bytes: Bytes, shape: impl FnOnce(&Head) -> Shape) -> Result<Self, RejectReason> {
        let prefix = expect_kind(&bytes, Kind::Orders)?;
        if bytes.len() < HEAD_LENGTH + SIGNATURE_LENGTH || bytes.len() > FRAME_LENGTH_MAX {
            return Err(RejectReason::Malformed);
        }
        let (head, _) = Head::ref_from_prefix(&bytes).map_err(|_| RejectReason::Malformed)?;
        let slots = <[Slot]>::ref_from_bytes(&bytes[HEAD_LENGTH..bytes.len() - SIGNATURE_LENGTH])
            .map_err(|_| RejectReason::Malformed)?;
        let count = usize::from(prefix.count());
        // What a wallet signs in a command stands alone.
        let of_wallet = shape(head) == Shape::OneOfWallet;
        let fits = count == 1 || count > 1 && !of_wallet;
        if fits && head.reserved.get() == 0 && are_commands(slots, count, of_wallet) {
            Ok(Self { bytes })
        } else {
            Err(RejectReason::Malformed)
        }
    }

    /// The nonce that a message claims whose refusal must name it, even though it may not be a
    /// well-formed frame; zero if it is too short to have one.
    pub fn claimed_nonce(bytes: &[u8]) -> Nonce {
        let head = Head::read_from_prefix(bytes);
        Nonce::new(head.map_or(0, |(head, _)| head.nonce.get()))
    }

    /// Signs commands into `out`, which is cleared first. Panics on no commands, or on more than
    /// 256 slots of them: see [`super::command::slots_needed`].
    pub fn encode(
        header: &FrameHeader,
        commands: &[Command<'_>],
        frame_key: &FrameKey,
        signing_key: &SigningKey,
        out: &mut Vec<u8>,
    ) {
        Self::encode_signed_part(header, commands, out);
        let signature = signing_key.sign(&frame_key.digest(out));
        out.extend_from_slice(signature.as_bytes());
    }

    /// The same frame for a session of rolling signatures: zeros where the signature would be.
    pub fn encode_unsigned(header: &FrameHeader, commands: &[Command<'_>], out: &mut Vec<u8>) {
        Self::encode_signed_part(header, commands, out);
        out.extend_from_slice(&UNSIGNED);
    }

    fn encode_signed_part(header: &FrameHeader, commands: &[Command<'_>], out: &mut Vec<u8>) {
        let slots: usize = commands.iter().map(slots_needed).sum();
        assert!(!commands.is_empty() && slots <= SLOTS_PER_FRAME_MAX);
        let count = u16::try_from(commands.len()).expect("no more commands than slots");
        let length = HEAD_LENGTH + slots * SLOT_LENGTH + SIGNATURE_LENGTH;
        let head = Head {
            prefix: Prefix::new(length, Kind::Orders, count),
            account: U32::new(header.account.get()),
            key: U32::new(header.key.get()),
            epoch: U32::new(header.epoch.get()),
            reserved: U32::ZERO,
            nonce: U64::new(header.nonce.get()),
            expires_at: U64::new(header.expires_at.get()),
        };
        out.clear();
        out.extend_from_slice(head.as_bytes());
        for command in commands {
            encode_command(command, out);
        }
    }

    /// What it says besides its commands.
    pub fn header(&self) -> FrameHeader {
        let head = self.head();
        FrameHeader {
            account: AccountId::new(head.account.get()),
            key: KeyId::new(head.key.get()),
            epoch: KeyEpoch::new(head.epoch.get()),
            nonce: Nonce::new(head.nonce.get()),
            expires_at: LogTime::new(head.expires_at.get()),
        }
    }

    /// Number of commands.
    pub fn count(&self) -> u16 {
        self.head().prefix.count()
    }

    /// Its commands, in order. Quotes are borrowed from the frame.
    pub fn commands(&self) -> Commands<'_> {
        Commands::of_checked(self.slots())
    }

    /// Whether all commands only take orders off.
    pub fn is_cancel(&self) -> bool {
        self.commands().all(|command| command.is_cancel())
    }

    /// Whether any command takes funds off the ledger.
    pub fn has_withdrawal(&self) -> bool {
        self.commands().any(|command| command.is_withdrawal())
    }

    /// The whole message.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the signature is over: everything before it.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - SIGNATURE_LENGTH]
    }

    /// The signature.
    pub fn signature(&self) -> Signature {
        let bytes = self.bytes.last_chunk::<SIGNATURE_LENGTH>();
        Signature::new(*bytes.expect("checked by parse"))
    }

    /// Whether it has no signature of its own: a rolling one must cover it.
    pub fn is_unsigned(&self) -> bool {
        self.bytes.ends_with(&UNSIGNED)
    }

    fn head(&self) -> &Head {
        Head::ref_from_prefix(&self.bytes)
            .expect("checked by parse")
            .0
    }

    fn slots(&self) -> &[Slot] {
        let slots = &self.bytes[HEAD_LENGTH..self.bytes.len() - SIGNATURE_LENGTH];
        <[Slot]>::ref_from_bytes(slots).expect("checked by parse")
    }
}
