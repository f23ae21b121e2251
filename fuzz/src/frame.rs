//! Frames that nobody signed: neither a decoder nor the engine looks at a signature, and signing
//! would cost more than all the rest of an input.

use bytes::Bytes;
use zerocopy::IntoBytes;

use types::Command;
use types::wire::command::encode_command;
use types::wire::orders::{FrameHeader, HEAD_LENGTH, SIGNATURE_LENGTH};
use types::wire::{Kind, Prefix};

/// A frame's bytes, with a signature of zeros; laid out as `docs/PROTOCOL.md` says.
pub(crate) fn encode(header: &FrameHeader, commands: &[Command<'_>]) -> Bytes {
    let mut slots = Vec::new();
    for command in commands {
        encode_command(command, &mut slots);
    }
    let length = HEAD_LENGTH + slots.len() + SIGNATURE_LENGTH;
    let count = u16::try_from(commands.len()).expect("frames are short");
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(Prefix::new(length, Kind::Orders, count).as_bytes());
    bytes.extend_from_slice(&header.account.get().to_le_bytes());
    bytes.extend_from_slice(&header.key.get().to_le_bytes());
    bytes.extend_from_slice(&header.epoch.get().to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&header.nonce.get().to_le_bytes());
    bytes.extend_from_slice(&header.expires_at.get().to_le_bytes());
    assert_eq!(bytes.len(), HEAD_LENGTH);
    bytes.extend_from_slice(&slots);
    bytes.extend_from_slice(&[0; SIGNATURE_LENGTH]);
    bytes.into()
}
