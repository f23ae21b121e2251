//! `POST /exchange`: a signed action, on its way to the sequencer and back.
//!
//! The body is read once. Its action is hashed as it was sent, its signer recovered, then it is
//! translated and handed over; what the engine decides comes back with the block. Everything that a
//! request can be refused for before costs nobody a nonce.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use serde_json::Value as Json;
use tokio::sync::oneshot;
use types::RejectReason;
use types::action::{Action, Commands, Envelope, Expected, Value, label_of, translate};
use types::auth::AuthenticFrame;
use types::command::Command;
use types::decimal::bytes_from_hex;
use types::genesis::OwnerAddress;
use types::keys::WalletSignature;
use types::limits::ACTION_LENGTH_MAX;
use types::wire::action::SignedAction;
use types::wire::orders::FrameHeader;

use super::Shared;
use super::counters::Refusal as CountedRefusal;
use super::desk::Outcome;
use super::names::address_text;
use super::replies::{self, Kind};

/// Why a request has no answer in the dialect's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It is no request: 422.
    Malformed(String),
    /// There is no room anywhere on the way, or the node stops: 503. Nothing happened.
    Busy,
    /// No answer came in time: 504. The action may have been executed.
    Unknown,
}

impl NotTaken {
    /// The status of an answer that says so.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What it is counted as.
    pub(super) const fn refusal(&self) -> CountedRefusal {
        match self {
            Self::Malformed(_) => CountedRefusal::Malformed,
            Self::Busy => CountedRefusal::Busy,
            Self::Unknown => CountedRefusal::Unanswered,
        }
    }
}

/// A request, read.
pub(super) struct Request {
    pub(super) value: Arc<Value>,
    pub(super) action: Action,
    pub(super) envelope: Envelope,
    pub(super) signature: WalletSignature,
}

/// Takes one request, and waits for what becomes of it.
pub(super) async fn take(shared: &Arc<Shared>, body: &Value) -> Result<Json, NotTaken> {
    let received_at = unix_nanos();
    let request = Request::read(body)?;
    let Request {
        value,
        envelope,
        signature,
        ..
    } = &request;
    let signer = shared
        .recovery
        .signer(Arc::clone(value), *envelope, *signature);
    let signer = signer.await.map_err(|_| NotTaken::Busy)?;
    let Some(signer) = signer else {
        shared.counters.refused(CountedRefusal::UnknownSigner);
        let words =
            "Invalid signature, or signed for another network: sign for source \"b\", Testnet.";
        return Ok(replies::error(words));
    };
    let kind = Kind::of(&request.action);
    let (outcome, size) = match submit(shared, &request, &signer, received_at) {
        Ok(submitted) => submitted,
        Err(Refusal::Words(words)) => return Ok(replies::refused(&kind, &words)),
        Err(Refusal::Whole(words)) => return Ok(replies::error(&words)),
        Err(Refusal::Busy) => return Err(NotTaken::Busy),
    };
    match wait(shared, outcome).await {
        Outcome::Answered(answer) => {
            let model = shared.model();
            Ok(replies::answered(&kind, &answer, model.genesis()))
        }
        Outcome::Refused(RejectReason::DiskFull | RejectReason::Busy) => Err(NotTaken::Busy),
        Outcome::Refused(reason) => Ok(replies::error(&replies::frame_words(
            reason,
            &signer,
            envelope.nonce,
        ))),
        Outcome::Unknown => {
            tracing::debug!("api: no answer for an action of {size} bytes");
            Err(NotTaken::Unknown)
        }
    }
}

/// What becomes of an action that was handed over, as far as it is told in time.
async fn wait(shared: &Shared, outcome: oneshot::Receiver<Outcome>) -> Outcome {
    let waited = tokio::time::timeout(shared.config.answer_timeout, outcome).await;
    match waited {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Outcome::Unknown,
    }
}

/// Why an action is not handed over.
enum Refusal {
    /// For what it asks.
    Words(String),
    /// For who asks.
    Whole(String),
    Busy,
}

type Submitted = (oneshot::Receiver<Outcome>, usize);

/// Finds the account, translates, and hands over.
fn submit(
    shared: &Shared,
    request: &Request,
    address: &OwnerAddress,
    received_at: u64,
) -> Result<Submitted, Refusal> {
    let mut model = shared.model();
    let count = |refusal| shared.counters.refused(refusal);
    let Some(signer) = model.signer(address) else {
        count(CountedRefusal::UnknownSigner);
        return Err(Refusal::Whole(replies::unknown_signer(address)));
    };
    if let Action::ApproveAgent { agent, .. } = &request.action
        && model.account_of(agent).is_some()
    {
        count(CountedRefusal::Untranslatable);
        let words = "An agent's address must have no account of its own.";
        return Err(Refusal::Words(words.to_owned()));
    }
    let envelope = &request.envelope;
    let translated = translate(
        &request.action,
        envelope,
        address,
        model.genesis(),
        |address| model.account_of(address),
    );
    let translated = translated.map_err(|reason| {
        count(CountedRefusal::Untranslatable);
        Refusal::Words(reason.to_string())
    })?;
    let account = match &translated.account {
        None => signer.account,
        Some(named) => {
            let found = model
                .account_at(named)
                .map(|(account, it)| (account, it.main));
            match found {
                // Only its owner and the owner's agents trade for another account.
                Some((account, main))
                    if account == signer.account || main == Some(signer.account) =>
                {
                    account
                }
                _ => {
                    count(CountedRefusal::ForeignAccount);
                    let named = address_text(named);
                    return Err(Refusal::Whole(format!("Vault not registered: {named}")));
                }
            }
        }
    };
    let commands = u32::try_from(translated.commands.len()).expect("a frame has 256 at most");
    if !shared.commands().take(*address, commands, Instant::now()) {
        count(CountedRefusal::CommandPace);
        let words =
            "Too many cumulative requests sent: more commands a second than an address may.";
        return Err(Refusal::Whole(words.to_owned()));
    }
    let terms = envelope.frame_terms();
    let (nonce, expires_at) =
        terms.ok_or_else(|| Refusal::Whole("expiresAfter is beyond what a clock shows.".into()))?;
    let header = FrameHeader {
        account,
        key: signer.key,
        epoch: signer.epoch,
        nonce,
        expires_at,
    };
    let signed = request.signed(*address)?;
    let size = signed.action.len();
    remember(&mut model, account, &request.action, &translated);
    let frame = AuthenticFrame::of_action(translated.frame(&header), signed, &shared.frame_key);
    let outcome = shared.desk().submit(frame, received_at);
    let outcome = outcome.map_err(|_| Refusal::Busy)?;
    Ok((outcome, size))
}

/// A request that was handed over.
pub(super) struct Sent(oneshot::Receiver<Outcome>);

/// Hands over what its signer is known of; refused where there is no room.
pub(super) fn hand_over(
    shared: &Shared,
    request: &Request,
    signer: &OwnerAddress,
) -> Result<Sent, ()> {
    let submitted = submit(shared, request, signer, unix_nanos());
    submitted.map(|(outcome, _)| Sent(outcome)).map_err(|_| ())
}

impl Sent {
    /// What becomes of it: nothing, if it was executed and its commands were accepted; an error, if
    /// nobody knows.
    pub(super) async fn answer(self, shared: &Shared) -> Result<Option<RejectReason>, ()> {
        match wait(shared, self.0).await {
            Outcome::Answered(answer) => Ok(answer.commands.iter().find_map(|it| it.rejected)),
            Outcome::Refused(reason) => Ok(Some(reason)),
            Outcome::Unknown => Err(()),
        }
    }
}

/// Keeps what the trader calls his orders: what is executed has a shorter label.
fn remember(
    model: &mut super::model::Model,
    account: types::AccountId,
    action: &Action,
    translated: &Commands,
) {
    let Action::Order { orders, .. } = action else {
        return;
    };
    for (order, command) in orders.iter().zip(&translated.commands) {
        if let (Some(cloid), Command::Place(_)) = (order.cloid, command) {
            model.remember(account, label_of(&cloid), cloid);
        }
    }
}

impl Request {
    fn read(body: &Value) -> Result<Self, NotTaken> {
        let malformed = |what: &str| NotTaken::Malformed(format!("{MALFORMED}: {what}"));
        let Value::Map(fields) = body else {
            return Err(malformed("expected a map"));
        };
        let names = [
            "action",
            "nonce",
            "signature",
            "vaultAddress",
            "expiresAfter",
        ];
        if let Some((name, _)) = fields
            .iter()
            .find(|(name, _)| !names.contains(&name.as_str()))
        {
            return Err(malformed(&format!("unknown field {name}")));
        }
        let value = body.field("action").ok_or_else(|| malformed("no action"))?;
        let unread = |reason: Expected| malformed(&reason.to_string());
        let action = Action::read(value).map_err(unread)?;
        let nonce = body.field("nonce").and_then(Value::as_unsigned);
        let nonce = nonce.ok_or_else(|| malformed("expected a nonce in milliseconds"))?;
        let vault = match body.field("vaultAddress") {
            None | Some(Value::Null) => None,
            Some(vault) => {
                // ccxt leaves the `0x` out.
                let text = vault
                    .as_text()
                    .map(|it| it.strip_prefix("0x").unwrap_or(it));
                let address = text.and_then(bytes_from_hex);
                Some(address.ok_or_else(|| malformed("expected an address in vaultAddress"))?)
            }
        };
        let expires_after = match body.field("expiresAfter") {
            None | Some(Value::Null) => None,
            Some(Value::Unsigned(millis)) => Some(*millis),
            Some(_) => return Err(malformed("expected milliseconds in expiresAfter")),
        };
        let signature = body.field("signature").and_then(read_signature);
        let signature = signature.ok_or_else(|| malformed("expected r, s and v in signature"))?;
        Ok(Self {
            value: Arc::new(value.clone()),
            action,
            envelope: Envelope {
                nonce,
                vault,
                expires_after,
            },
            signature,
        })
    }

    /// What goes into the journal.
    fn signed(&self, signer: OwnerAddress) -> Result<SignedAction, Refusal> {
        let action = self.value.to_msgpack();
        if action.len() > ACTION_LENGTH_MAX {
            return Err(Refusal::Words("Too many orders in one action.".to_owned()));
        }
        Ok(SignedAction {
            action: action.into(),
            nonce: self.envelope.nonce,
            vault: self.envelope.vault,
            expires_after: self.envelope.expires_after,
            signature: self.signature,
            signer,
        })
    }
}

/// What clients of the dialect know as a request that does not read.
const MALFORMED: &str = "Failed to deserialize the JSON body into the target type";

/// r and s may lack leading zeros.
fn read_signature(value: &Value) -> Option<WalletSignature> {
    let half = |name| -> Option<[u8; 32]> {
        let digits = value.field(name)?.as_text()?.strip_prefix("0x")?;
        bytes_from_hex(&format!("{digits:0>64}"))
    };
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&half("r")?);
    compact[32..].copy_from_slice(&half("s")?);
    let v = value.field("v")?.as_unsigned()?;
    let v = u8::try_from(v).ok().filter(|v| matches!(v, 27 | 28))?;
    Some(WalletSignature { compact, v })
}

pub(super) fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
