//! Whether a frame is what its trader has signed.

use super::{Action, Commands, Envelope, Value, translate};
use crate::genesis::{Genesis, OwnerAddress};
use crate::wire::action::SignedAction;
use crate::wire::orders::{FrameHeader, OrdersFrame};
use crate::{AccountId, KeyId, LogTime, Nonce};

/// What is wrong with a signed action and its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum AuditFailure {
    #[error("the action does not read")]
    Unreadable,
    #[error("the signature is not that of the signer who is named")]
    Signer,
    #[error("the action comes to nothing")]
    Untranslatable,
    #[error("the frame has other commands than the action")]
    Commands,
    #[error("the frame has another nonce or expiry than the action")]
    Header,
    #[error("the frame is of another account than the action")]
    Account,
}

impl SignedAction {
    /// What was signed beside the action.
    pub const fn envelope(&self) -> Envelope {
        Envelope {
            nonce: self.nonce,
            vault: self.vault,
            expires_after: self.expires_after,
        }
    }
}

/// Recovers who signed, translates the action again, and compares. That the signer may act for the
/// account is the engine's to judge; here the frame has to be of the account that the action names.
pub fn audit(
    frame: &OrdersFrame,
    signed: &SignedAction,
    genesis: &Genesis,
    account_at: impl Fn(&OwnerAddress) -> Option<AccountId>,
) -> Result<OwnerAddress, AuditFailure> {
    let value = Value::from_msgpack(&signed.action).map_err(|_| AuditFailure::Unreadable)?;
    let action = Action::read(&value).map_err(|_| AuditFailure::Unreadable)?;
    let envelope = signed.envelope();
    let signer = envelope.signer(&value, signed.signature);
    let signer = signer.filter(|found| *found == signed.signer);
    let signer = signer.ok_or(AuditFailure::Signer)?;
    let translated = translate(&action, &envelope, &signer, genesis, &account_at);
    let Commands { account, commands } = translated.map_err(|_| AuditFailure::Untranslatable)?;
    if !frame.commands().eq(commands) {
        return Err(AuditFailure::Commands);
    }
    let header = frame.header();
    if Some((header.nonce, header.expires_at)) != envelope.frame_terms() {
        return Err(AuditFailure::Header);
    }
    let own = (header.key == KeyId::WALLET).then_some(signer);
    match account.or(own) {
        Some(address) if account_at(&address) != Some(header.account) => Err(AuditFailure::Account),
        _ => Ok(signer),
    }
}

impl Envelope {
    /// The frame's nonce and expiry. `None`: the expiry is beyond what a clock shows.
    pub fn frame_terms(&self) -> Option<(Nonce, LogTime)> {
        let expires_at = match self.expires_after {
            None => 0,
            // The beginning of time is past, and zero would be never.
            Some(millis) => millis.checked_mul(1_000_000)?.max(1),
        };
        Some((Nonce::new(self.nonce), LogTime::new(expires_at)))
    }
}

impl Commands {
    /// The frame of these commands, without a signature.
    pub fn frame(&self, header: &FrameHeader) -> OrdersFrame {
        let mut bytes = Vec::new();
        OrdersFrame::encode_unsigned(header, &self.commands, &mut bytes);
        OrdersFrame::parse_of_action(bytes.into()).expect("translated commands are well-formed")
    }
}
