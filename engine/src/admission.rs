//! Whether a signed frame may execute: key, epoch, expiry and nonce, decided in the total order.
//!
//! The gateway has verified the signature against the key that the session opened with; here the
//! frame is judged by the state at its own position, so that every replay judges it alike. Only a
//! frame that executes uses up its nonce.

use ledger::{Ledger, NonceCheck};
use types::auth::AuthenticFrame;
use types::outcome::FrameVerdict;
use types::{LogTime, RejectReason, SequenceNumber};

/// Judges a frame whose first command is at `first_sequence`; if it is to execute, its nonce is used
/// up from here on.
pub(crate) fn admit(
    ledger: &mut Ledger,
    time: LogTime,
    frame: &AuthenticFrame,
    first_sequence: SequenceNumber,
) -> FrameVerdict {
    let header = frame.frame().header();
    let registered = ledger
        .key(header.key)
        .filter(|key| key.account == header.account)
        .map(|key| key.epoch);
    match registered {
        None => return FrameVerdict::Refused(RejectReason::UnknownKey),
        Some(epoch) if epoch != header.epoch => {
            return FrameVerdict::Refused(RejectReason::StaleEpoch);
        }
        Some(_) => {}
    }
    // A repeat is answered even after its expiry: the first answer stays the answer.
    match ledger.check_nonce(header.key, header.nonce, frame.digest()) {
        NonceCheck::Repeated { first_sequence } => {
            return FrameVerdict::Repeated { first_sequence };
        }
        NonceCheck::Reused => return FrameVerdict::Refused(RejectReason::NonceReused),
        NonceCheck::TooOld => return FrameVerdict::Refused(RejectReason::NonceTooOld),
        NonceCheck::TooHigh => return FrameVerdict::Refused(RejectReason::NonceTooHigh),
        NonceCheck::Fresh => {}
    }
    let expires = header.expires_at != LogTime::ZERO;
    if expires && time > header.expires_at {
        return FrameVerdict::Refused(RejectReason::Expired);
    }
    ledger.use_nonce(header.key, header.nonce, frame.digest(), first_sequence);
    FrameVerdict::Executed
}
