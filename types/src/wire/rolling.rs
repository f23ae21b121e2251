//! `RollingSignature`: one signature over all frames that a session has sent since its last one.
//!
//! It lies in the journal exactly as it arrived, right behind the last of its frames, so that anyone
//! can verify them with nothing but this record and the key; see [`crate::auth::RollingChain`].

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::orders::SIGNATURE_LENGTH;
use super::{Kind, Prefix, read_fixed};
use crate::RejectReason;
use crate::auth::Signature;
use crate::limits::FRAMES_PER_RUN_MAX;
use crate::outcome::Digest;

/// Client to server, and in the journal. By offset: 0 prefix, 8 frames u32 (that it covers, 1..=64),
/// 12 reserved u32, 16 the running hash before them (32), 48 signature (64) over the running hash
/// after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollingSignature {
    /// How many frames it covers.
    pub frames: u32,
    /// The running hash before the first of them.
    pub chain_before: Digest,
    /// Over the running hash after the last of them.
    pub signature: Signature,
}

/// Bytes that it takes.
pub const ROLLING_SIGNATURE_LENGTH: usize = size_of::<Layout>();

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    prefix: Prefix,
    frames: U32,
    reserved: U32,
    chain_before: Digest,
    signature: [u8; SIGNATURE_LENGTH],
}

const _: () = assert!(size_of::<Layout>() == 112);

impl RollingSignature {
    /// Reads one whole message.
    pub fn parse(bytes: &[u8]) -> Result<Self, RejectReason> {
        let layout: Layout = read_fixed(bytes, Kind::RollingSignature)?;
        let frames = layout.frames.get();
        let is_legal = (1..=FRAMES_PER_RUN_MAX as u32).contains(&frames);
        if !is_legal || layout.reserved.get() != 0 {
            return Err(RejectReason::Malformed);
        }
        Ok(Self {
            frames,
            chain_before: layout.chain_before,
            signature: Signature::new(layout.signature),
        })
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let layout = Layout {
            prefix: Prefix::new(ROLLING_SIGNATURE_LENGTH, Kind::RollingSignature, 0),
            frames: U32::new(self.frames),
            reserved: U32::ZERO,
            chain_before: self.chain_before,
            signature: *self.signature.as_bytes(),
        };
        out.extend_from_slice(layout.as_bytes());
    }
}
