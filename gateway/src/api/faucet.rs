//! `POST /faucet`: money for an address of a development network, from an account whose wallet is
//! published.
//!
//! The node signs a payment of each asset with that wallet, as its owner would, and the payments go the
//! way of all actions: so they are in the journal under signatures, and nothing here adds to a supply.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value as Json, json};
use types::RejectReason;
use types::action::{Action, Envelope, Value};
use types::genesis::{Genesis, OwnerAddress};
use types::wallet::WalletKey;
use types::{AssetId, Atoms};
use utoipa::ToSchema;

use super::Shared;
use super::counters::Refusal;
use super::exchange::{self, Sent};
use super::names::{address_text, parse_address};
use super::rates::Rates;
use super::server::{BUSY, UNKNOWN, json, read, text};

/// Payments to one remote address at once, ...
const BURST_PER_IP: u32 = 10;
/// ... and one more in each of these.
const INTERVAL_PER_IP: Duration = Duration::from_secs(30);

/// What a faucet gives, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaucetSpec {
    /// The published wallet whose main account pays.
    pub from: String,
    /// How much of each asset.
    pub amounts: Vec<(AssetId, Atoms)>,
    /// Between two payments to one address.
    pub cooldown: Duration,
}

/// A faucet of a running node.
#[derive(Debug)]
pub(super) struct Faucet {
    spec: FaucetSpec,
    wallet: WalletKey,
    addresses: Rates<OwnerAddress>,
    ips: Rates<IpAddr>,
    last_nonce: u64,
}

impl Faucet {
    pub(super) fn new(spec: FaucetSpec, addresses_max: usize) -> Self {
        let per_second = |interval: Duration| 1.0 / interval.as_secs_f64().max(1.0);
        Self {
            wallet: WalletKey::development(&spec.from),
            addresses: Rates::new(per_second(spec.cooldown), 1, addresses_max),
            ips: Rates::new(per_second(INTERVAL_PER_IP), BURST_PER_IP, addresses_max),
            last_nonce: 0,
            spec,
        }
    }

    /// What the page has to know of it.
    pub(super) fn json(&self, genesis: &Genesis) -> Json {
        json!({
            "amounts": amounts_json(&self.spec.amounts, genesis),
            "cooldownSeconds": self.spec.cooldown.as_secs(),
        })
    }

    /// Whether this one may be paid now; if so, it was.
    fn take(&mut self, address: OwnerAddress, ip: IpAddr, now: Instant) -> bool {
        self.ips.take(ip, 1, now) && self.addresses.take(address, 1, now)
    }

    /// The time in milliseconds, but never one twice.
    fn next_nonce(&mut self) -> u64 {
        let now = exchange::unix_nanos() / 1_000_000;
        self.last_nonce = now.max(self.last_nonce + 1);
        self.last_nonce
    }

    /// Signs the payments.
    fn payments(&mut self, to: &OwnerAddress, genesis: &Genesis) -> Vec<exchange::Request> {
        let amounts = self.spec.amounts.clone();
        let payments = amounts.into_iter().map(|(asset, amount)| {
            let nonce = self.next_nonce();
            let spec = &genesis.assets()[asset.index()];
            let (token, amount) = (spec.symbol.as_str(), spec.format(amount));
            let action = json!({
                "type": "spotSend",
                "hyperliquidChain": "Testnet",
                "signatureChainId": "0x66eee",
                "destination": address_text(to),
                "token": token,
                "amount": amount,
                "time": nonce,
            });
            let value = Value::from_json(action.to_string().as_bytes()).expect("it is JSON");
            let envelope = Envelope {
                nonce,
                vault: None,
                expires_after: None,
            };
            let digest = envelope.digest(&value).expect("payments are signed so");
            exchange::Request {
                action: Action::read(&value).expect("it is a payment"),
                signature: self.wallet.sign(digest),
                value: Arc::new(value),
                envelope,
            }
        });
        payments.collect()
    }
}

fn amounts_json(amounts: &[(AssetId, Atoms)], genesis: &Genesis) -> Json {
    let amount = |(asset, amount): &(AssetId, Atoms)| {
        let spec = &genesis.assets()[asset.index()];
        json!({ "token": spec.symbol.as_str(), "amount": spec.format(*amount) })
    };
    amounts.iter().map(amount).collect()
}

/// Who wants money.
#[derive(ToSchema)]
#[allow(dead_code)] // A shape for the document.
pub(super) struct FaucetRequest {
    /// Whom to pay.
    #[schema(
        example = "0x4444444444444444444444444444444444444444",
        pattern = "^0x[0-9a-fA-F]{40}$"
    )]
    address: String,
}

/// Where it is.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/faucet", post(give))
}

#[utoipa::path(
    post, path = "/faucet", request_body = FaucetRequest,
    responses(
        (status = 200, description = "What was paid: `paid`, a list of `token` and `amount`"),
        (status = 400, description = "No JSON", content_type = "text/plain"),
        (status = 403, description = "This network has no faucet", content_type = "text/plain"),
        (status = 408, description = "The body did not come in time", content_type = "text/plain"),
        (status = 413, description = "The body is too long", content_type = "text/plain"),
        (status = 422, description = "No address, or none that can be paid", content_type = "text/plain"),
        (status = 429, description = "Paid a short time ago, or too many requests", content_type = "text/plain"),
        (status = 503, description = "Busy or stopping; nothing happened", content_type = "text/plain"),
        (status = 504, description = "No answer in time: it may have been paid", content_type = "text/plain"),
    )
)]
pub(super) async fn give(
    State(shared): State<Arc<Shared>>,
    axum::Extension(ConnectInfo(peer)): axum::Extension<ConnectInfo<SocketAddr>>,
    body: Body,
) -> Response {
    if shared.faucet().is_none() {
        return text(StatusCode::FORBIDDEN, "This network has no faucet.");
    }
    let request = match read(&shared, body).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let address = request.field("address").and_then(Value::as_text);
    let Some(to) = address.and_then(parse_address) else {
        shared.counters.refused(Refusal::Malformed);
        return text(StatusCode::UNPROCESSABLE_ENTITY, "Expected an address.");
    };
    let sent = match send(&shared, &to, peer.ip()) {
        Ok(sent) => sent,
        Err((status, words)) => return text(status, words),
    };
    let mut paid = Vec::new();
    for (amount, sent) in sent {
        match sent.answer(&shared).await {
            Ok(None) => paid.push(amount),
            Ok(Some(reason)) => return not_paid(reason),
            Err(()) => return text(StatusCode::GATEWAY_TIMEOUT, UNKNOWN),
        }
    }
    let paid = amounts_json(&paid, shared.model().genesis());
    json(&json!({ "paid": paid }))
}

type Payment = ((AssetId, Atoms), Sent);

/// Hands all payments over at once, if this address is to be paid.
fn send(
    shared: &Shared,
    to: &OwnerAddress,
    ip: IpAddr,
) -> Result<Vec<Payment>, (StatusCode, String)> {
    let refused = |status, words: &str| Err((status, words.to_owned()));
    let mut faucet = shared.faucet();
    let faucet = faucet.as_mut().expect("asked before, and it stays");
    let from = faucet.wallet.address();
    if *to == [0; 20] || *to == from {
        let words = "This address cannot be paid.";
        return refused(StatusCode::UNPROCESSABLE_ENTITY, words);
    }
    // From then on it would act for itself.
    if shared.model().is_agent(to) {
        let words = "This is an agent's address, which must have no account of its own.";
        return refused(StatusCode::UNPROCESSABLE_ENTITY, words);
    }
    if !faucet.take(*to, ip, Instant::now()) {
        shared.counters.refused(Refusal::RequestPace);
        let seconds = faucet.spec.cooldown.as_secs();
        let words = format!("Too often: an address is paid once in {seconds} s.");
        return refused(StatusCode::TOO_MANY_REQUESTS, &words);
    }
    let payments = faucet.payments(to, shared.model().genesis());
    let mut sent = Vec::new();
    for (amount, payment) in faucet.spec.amounts.iter().zip(payments) {
        match exchange::hand_over(shared, &payment, &from) {
            Ok(handed) => sent.push((*amount, handed)),
            // What was handed over is answered; without anything, there is nothing to wait for.
            Err(()) if sent.is_empty() => {
                faucet.addresses.forget(to);
                return refused(StatusCode::SERVICE_UNAVAILABLE, BUSY);
            }
            Err(()) => break,
        }
    }
    Ok(sent)
}

fn not_paid(reason: RejectReason) -> Response {
    match reason {
        RejectReason::Busy | RejectReason::DiskFull | RejectReason::ShuttingDown => {
            text(StatusCode::SERVICE_UNAVAILABLE, BUSY)
        }
        RejectReason::InsufficientFunds => {
            text(StatusCode::SERVICE_UNAVAILABLE, "The faucet is empty.")
        }
        other => text(StatusCode::UNPROCESSABLE_ENTITY, other.name()),
    }
}
