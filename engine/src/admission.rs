//! Whether a signed frame may execute: key or wallet, epoch, expiry and nonce, decided in the total
//! order.
//!
//! The gateway has verified the signature against the key that the session opened with; here the
//! frame is judged by the state at its own position, so that every replay judges it alike. Only a
//! frame that executes uses up its nonce.

use ledger::{Ledger, NonceCheck};
use types::auth::AuthenticFrame;
use types::outcome::{Digest, FrameVerdict};
use types::wallet::WalletContext;
use types::{KeyId, LogTime, RejectReason, SequenceNumber};

/// Judges a frame whose first command is at `first_sequence`; if it is to execute, its nonce is used
/// up from here on.
pub(crate) fn admit(
    ledger: &mut Ledger,
    (time, genesis_hash): (LogTime, &Digest),
    frame: &AuthenticFrame,
    first_sequence: SequenceNumber,
) -> FrameVerdict {
    let header = frame.frame().header();
    if header.key == KeyId::WALLET {
        return admit_wallet(ledger, (time, genesis_hash), frame, first_sequence);
    }
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
    if let Some(verdict) = ended_by(ledger.check_nonce(header.key, header.nonce, frame.digest())) {
        return verdict;
    }
    if is_over(header.expires_at, time) {
        return FrameVerdict::Refused(RejectReason::Expired);
    }
    if let Some(status) = ledger.key_status(header.key) {
        if status.is_revoked {
            return FrameVerdict::Refused(RejectReason::KeyRevoked);
        }
        if is_over(status.grant.expires_at, time) {
            return FrameVerdict::Refused(RejectReason::KeyExpired);
        }
    }
    ledger.use_nonce(header.key, header.nonce, frame.digest(), first_sequence);
    FrameVerdict::Executed
}

/// Judges a frame of a wallet. Who signed it is found out here, so that every replay finds it again.
fn admit_wallet(
    ledger: &mut Ledger,
    (time, genesis_hash): (LogTime, &Digest),
    frame: &AuthenticFrame,
    first_sequence: SequenceNumber,
) -> FrameVerdict {
    let header = frame.frame().header();
    let account = header.account;
    let context = WalletContext {
        genesis_hash: *genesis_hash,
        account,
        nonce: header.nonce,
    };
    let signer = context.signer_of(frame.frame());
    let is_owner = ledger.contains(account) && signer == Some(ledger.owner(account));
    if !is_owner {
        return FrameVerdict::Refused(RejectReason::WrongWallet);
    }
    let check = ledger.check_wallet_nonce(account, header.nonce, frame.digest());
    if let Some(verdict) = ended_by(check) {
        return verdict;
    }
    if is_over(header.expires_at, time) {
        return FrameVerdict::Refused(RejectReason::Expired);
    }
    ledger.use_wallet_nonce(account, header.nonce, frame.digest(), first_sequence);
    FrameVerdict::Executed
}

/// A frame's verdict by its nonce alone; that of a fresh one is still open.
const fn ended_by(check: NonceCheck) -> Option<FrameVerdict> {
    Some(match check {
        NonceCheck::Fresh => return None,
        NonceCheck::Repeated { first_sequence } => FrameVerdict::Repeated { first_sequence },
        NonceCheck::Reused => FrameVerdict::Refused(RejectReason::NonceReused),
        NonceCheck::TooOld => FrameVerdict::Refused(RejectReason::NonceTooOld),
        NonceCheck::TooHigh => FrameVerdict::Refused(RejectReason::NonceTooHigh),
    })
}

/// Whether a time is past; zero never is.
fn is_over(expires_at: LogTime, time: LogTime) -> bool {
    expires_at != LogTime::ZERO && time > expires_at
}
