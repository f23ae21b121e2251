//! Whether a signed frame may execute: key, wallet or agent, epoch, expiry and nonce, decided in the
//! total order.
//!
//! The gateway has verified the signature against the key that the session opened with; here the
//! frame is judged by the state at its own position, so that every replay judges it alike. Only a
//! frame that executes uses up its nonce.

use ledger::{Ledger, NonceCheck};
use types::auth::AuthenticFrame;
use types::outcome::{Digest, FrameVerdict};
use types::wallet::WalletContext;
use types::wire::action::SignedAction;
use types::wire::orders::FrameHeader;
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
    if let Some(action) = frame.action() {
        return admit_action(ledger, time, &header, action);
    }
    if header.key == KeyId::WALLET {
        return admit_wallet(ledger, (time, genesis_hash), frame, first_sequence);
    }
    let registered = ledger
        .key(header.key)
        // An agent signs actions and nothing else.
        .filter(|key| key.account == header.account && key.public.agent().is_none())
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

/// Judges the frame of an action. Who signed it was recovered where it came in, and an audit recovers it
/// again. An owner, and an agent of any of his accounts, may act for all of them.
fn admit_action(
    ledger: &mut Ledger,
    time: LogTime,
    header: &FrameHeader,
    action: &SignedAction,
) -> FrameVerdict {
    match may_sign(ledger, time, header, action) {
        Ok(()) => {
            ledger.use_action_nonce(action.signer, action.nonce);
            FrameVerdict::Executed
        }
        Err(reason) => FrameVerdict::Refused(reason),
    }
}

fn may_sign(
    ledger: &Ledger,
    time: LogTime,
    header: &FrameHeader,
    action: &SignedAction,
) -> Result<(), RejectReason> {
    if !ledger.contains(header.account) {
        return Err(RejectReason::UnknownKey);
    }
    let owner = ledger.owner(header.account);
    if header.key == KeyId::WALLET {
        if action.signer != owner {
            return Err(RejectReason::WrongWallet);
        }
    } else {
        let key = ledger.key(header.key);
        let key = key.filter(|key| ledger.owner(key.account) == owner);
        let key = key.filter(|key| key.public.agent() == Some(action.signer));
        if key.ok_or(RejectReason::UnknownKey)?.epoch != header.epoch {
            return Err(RejectReason::StaleEpoch);
        }
    }
    if is_over(header.expires_at, time) {
        return Err(RejectReason::Expired);
    }
    ledger.check_action_nonce(&action.signer, action.nonce, time)?;
    let Some(status) = ledger.key_status(header.key) else {
        return Ok(());
    };
    if status.is_revoked {
        return Err(RejectReason::KeyRevoked);
    }
    if is_over(status.grant.expires_at, time) {
        return Err(RejectReason::KeyExpired);
    }
    Ok(())
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
