//! How a block's entries lie in a journal record: signed frames exactly as they arrived, ticks,
//! silences and phases, one after the other. A rolling signature lies behind the last of its frames, and
//! the frame of a signed action within it. Every entry with the message
//! [`Prefix`], so an auditor needs no other codec than the wire's.
//!
//! Tick, by offset: 0 prefix, 8 time u64 (nanoseconds since the Unix epoch). Silence: 0 prefix, 8 key
//! u32, 12 reserved u32. Phase: 0 prefix, 8 phase u8, 9 reserved.

use bytes::Bytes;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::action::SignedAction;
use super::orders::OrdersFrame;
use super::rolling::{ROLLING_SIGNATURE_LENGTH, RollingSignature};
use super::{Kind, PREFIX_LENGTH, Prefix, read_fixed};
use crate::auth::{AuthenticFrame, FrameKey};
use crate::block::{Entry, SequencedFrame};
use crate::phase::Phase;
use crate::{KeyId, LogTime, RejectReason};

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Tick {
    prefix: Prefix,
    time: U64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Silence {
    prefix: Prefix,
    key: U32,
    reserved: U32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PhaseEntry {
    prefix: Prefix,
    phase: u8,
    reserved: [u8; 7],
}

// Whoever keeps room for a tick has room for a silence or a phase.
const _: () = assert!(size_of::<Silence>() == size_of::<Tick>());
const _: () = assert!(size_of::<PhaseEntry>() == size_of::<Tick>());

/// Bytes that a tick takes, or a silence, or a phase.
pub const TICK_LENGTH: u64 = size_of::<Tick>() as u64;

/// Appends one entry to `out`.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    match entry {
        Entry::Frame(sequenced) => {
            let frame = sequenced.frame.frame();
            if let Some(action) = sequenced.frame.action() {
                action.encode(frame, out);
                return;
            }
            out.extend_from_slice(frame.bytes());
            if let Some(signature) = sequenced.frame.rolling() {
                signature.encode(out);
            }
        }
        Entry::Tick(time) => {
            let tick = Tick {
                prefix: Prefix::new(size_of::<Tick>(), Kind::Tick, 0),
                time: U64::new(time.get()),
            };
            out.extend_from_slice(tick.as_bytes());
        }
        Entry::Silence(key) => {
            let silence = Silence {
                prefix: Prefix::new(size_of::<Silence>(), Kind::Silence, 0),
                key: U32::new(key.get()),
                reserved: U32::ZERO,
            };
            out.extend_from_slice(silence.as_bytes());
        }
        Entry::Phase(phase) => {
            let entry = PhaseEntry {
                prefix: Prefix::new(size_of::<PhaseEntry>(), Kind::Phase, 0),
                phase: *phase as u8,
                reserved: [0; 7],
            };
            out.extend_from_slice(entry.as_bytes());
        }
    }
}

/// Bytes that a frame takes, with the rolling signature behind it or the action around it.
pub fn frame_length(frame: &AuthenticFrame) -> u64 {
    if let Some(action) = frame.action() {
        return action.length_with(frame.frame()) as u64;
    }
    let signature = match frame.rolling() {
        Some(_) => ROLLING_SIGNATURE_LENGTH,
        None => 0,
    };
    (frame.frame().bytes().len() + signature) as u64
}

/// Reads all entries of a record into `entries`. The record's hashes have been checked, so an error
/// means that this journal was not written by this protocol version.
pub fn decode_entries(
    mut payload: Bytes,
    frame_key: &FrameKey,
    entries: &mut Vec<Entry>,
) -> Result<(), RejectReason> {
    while !payload.is_empty() {
        let first = payload
            .first_chunk::<PREFIX_LENGTH>()
            .ok_or(RejectReason::Malformed)?;
        let (prefix, kind) = Prefix::parse(*first)?;
        if prefix.length() > payload.len() {
            return Err(RejectReason::Malformed);
        }
        let message = payload.split_to(prefix.length());
        entries.push(match kind {
            Kind::RollingSignature => {
                let Some(Entry::Frame(last)) = entries.last_mut() else {
                    return Err(RejectReason::UnexpectedMessage);
                };
                last.frame.followed_by(RollingSignature::parse(&message)?)?;
                continue;
            }
            Kind::Orders => Entry::Frame(SequencedFrame {
                frame: AuthenticFrame::from_journal(OrdersFrame::parse(message)?, frame_key),
                origin: None,
            }),
            Kind::Action => {
                let (action, frame) = SignedAction::parse(message)?;
                Entry::Frame(SequencedFrame {
                    frame: AuthenticFrame::of_action(frame, action, frame_key),
                    origin: None,
                })
            }
            Kind::Tick => {
                let tick: Tick = read_fixed(&message, Kind::Tick)?;
                Entry::Tick(LogTime::new(tick.time.get()))
            }
            Kind::Silence => {
                let silence: Silence = read_fixed(&message, Kind::Silence)?;
                if silence.reserved.get() != 0 {
                    return Err(RejectReason::Malformed);
                }
                Entry::Silence(KeyId::new(silence.key.get()))
            }
            Kind::Phase => {
                let entry: PhaseEntry = read_fixed(&message, Kind::Phase)?;
                if entry.reserved != [0; 7] {
                    return Err(RejectReason::Malformed);
                }
                let phase = Phase::from_code(entry.phase);
                Entry::Phase(phase.ok_or(RejectReason::Malformed)?)
            }
            _ => return Err(RejectReason::UnexpectedMessage),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of these values is a change of the journal's format: changelog, and old ones are read.
    #[test]
    fn what_a_node_logs_by_itself_is_frozen() {
        let eight = |first: u8| [first, 0, 0, 0, 0, 0, 0, 0];
        for (entry, kind, rest) in [
            (Entry::Tick(LogTime::new(7)), 64, eight(7)),
            (Entry::Silence(KeyId::new(8)), 66, eight(8)),
            (Entry::Phase(Phase::Open), 67, eight(0)),
            (Entry::Phase(Phase::CancelOnly), 67, eight(1)),
        ] {
            let mut bytes = Vec::new();
            encode_entry(&entry, &mut bytes);
            let expected = [[16, 0, 0, 0, kind, 1, 0, 0], rest].concat();
            assert_eq!(bytes, expected, "{entry:?}");
            assert_eq!(bytes.len() as u64, TICK_LENGTH);
        }
    }
}
