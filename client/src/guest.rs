//! What an account's wallet does at a node: registering session keys, and revoking them.
//!
//! Neither needs a session key that is registered already: a session of a *guest* carries frames of a
//! wallet and nothing else. The wallet itself never comes here; it is asked for one signature.

use types::keys::{Registration, Revocation};
use types::limits::NONCE_MAX;
use types::wallet::WalletContext;
use types::wire::ack::CommandOutcome;
use types::{AccountId, Command, KeyId, LogTime, Nonce, RejectReason};

use crate::connect::{ConnectOptions, connect_guest};
use crate::error::{ConnectError, SessionError};
use crate::message::Message;
use crate::receiver::Receiver;
use crate::sender::Sender;

/// Why a wallet's request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection was lost. Whether it was done is not known: the same bytes can be sent again,
    /// so ask for the same signature with the same nonce.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The node refused it; nothing happened.
    #[error("refused: {0}")]
    Refused(RejectReason),
}

/// Which request of a wallet this is. Each has a nonce above the last one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletRequest {
    /// The wallet's account.
    pub account: AccountId,
    /// Nanoseconds since the Unix epoch do well.
    pub nonce: Nonce,
}

/// Registers the key of `options` for an account. `sign` is asked for the wallet's signature. Returns
/// the key's number; sessions of the key can be opened from then on.
pub async fn register_key(
    options: &ConnectOptions,
    request: WalletRequest,
    sign: impl FnOnce(&WalletContext) -> Registration,
) -> Result<KeyId, WalletError> {
    let outcome = send(options, request, |context| Signed::Register(sign(context))).await?;
    Ok(KeyId::new(outcome.affected()))
}

/// Revokes a key of an account, which need not be that of `options`. Returns how many of its orders
/// were taken off.
pub async fn revoke_key(
    options: &ConnectOptions,
    request: WalletRequest,
    sign: impl FnOnce(&WalletContext) -> Revocation,
) -> Result<u32, WalletError> {
    let outcome = send(options, request, |context| Signed::Revoke(sign(context))).await?;
    Ok(outcome.affected())
}

/// What a wallet elsewhere needs to sign this request: nothing is sent but the handshake.
pub async fn wallet_context(
    options: &ConnectOptions,
    request: WalletRequest,
) -> Result<WalletContext, WalletError> {
    let (sender, receiver) = connect_guest(options, request.account).await?;
    let context = context(&sender, request);
    leave(sender, receiver).await;
    Ok(context)
}

enum Signed {
    Register(Registration),
    Revoke(Revocation),
}

impl Signed {
    const fn command(&self) -> Command<'_> {
        match self {
            Self::Register(registration) => Command::Register(registration),
            Self::Revoke(revocation) => Command::Revoke(revocation),
        }
    }
}

async fn send(
    options: &ConnectOptions,
    request: WalletRequest,
    sign: impl FnOnce(&WalletContext) -> Signed,
) -> Result<CommandOutcome, WalletError> {
    let (mut sender, mut receiver) = connect_guest(options, request.account).await?;
    let context = context(&sender, request);
    let signed = sign(&context);
    sender.queue_frame_with(context.nonce, LogTime::ZERO, &[signed.command()]);
    // If it cannot be sent, why is what the next read finds.
    let _ = sender.flush().await;
    let answered = answer(&mut receiver).await;
    leave(sender, receiver).await;
    answered
}

fn context(sender: &Sender, request: WalletRequest) -> WalletContext {
    WalletContext {
        genesis_hash: sender.terms().genesis_hash,
        account: request.account,
        nonce: Nonce::new(request.nonce.get().min(NONCE_MAX)),
    }
}

/// Guests are few and the next one may be waiting, so this one is gone when this returns.
async fn leave(sender: Sender, mut receiver: Receiver) {
    sender.close().await;
    while receiver.next().await.is_ok() {}
}

async fn answer(receiver: &mut Receiver) -> Result<CommandOutcome, WalletError> {
    loop {
        match receiver.next().await? {
            Message::Ack(ack) => {
                let ack = ack.view();
                if let Some(reason) = ack.refused {
                    return Err(WalletError::Refused(reason));
                }
                // A repeated answer has no outcomes.
                let Some(outcome) = ack.outcomes.first() else {
                    return Err(WalletError::Refused(RejectReason::NonceReused));
                };
                return match outcome.reject_reason() {
                    Some(reason) => Err(WalletError::Refused(reason)),
                    None => Ok(*outcome),
                };
            }
            Message::Refused { reason, .. } => return Err(WalletError::Refused(reason)),
            _ => {}
        }
    }
}
