//! What the web page asks beyond the dialect: the node itself, recent blocks, accounts, and proofs.
//!
//! | path | answers |
//! |---|---|
//! | `/status` | network, position, and the grids of the markets |
//! | `/blocks` | the last blocks, latest first |
//! | `/blocks/{height}` | one of them, with its commands |
//! | `/accounts/{account}` | number and address of an account, by either |
//! | `/checkpoint` | the newest checkpoint: height, sequence, state root |
//! | `/proof/{account}` | what it says about an account, as `keel prove` prints it |
//!
//! Blocks are kept as summaries and since the node started; whoever wants all of them replays the
//! journal. Checkpoints are read by somebody else, see [`ProofRequest`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::TrySendError;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use types::action::asset_number;
use types::block::ReleasedBlock;
use types::command::{Command, Place};
use types::genesis::{Genesis, MarketSpec};
use types::outcome::{Digest, FrameVerdict, Receipt};
use types::{AccountId, Height, MarketId, NetworkId, SequenceNumber, decimal};

use super::Shared;
use super::names::{address_text, parse_address};
use super::ports::ProofRequest;
use super::server::{BUSY, text};

/// Blocks that are kept.
const BLOCKS: usize = 512;
/// Commands that are kept of one; how many there were is.
const COMMANDS: usize = 64;
/// Blocks in one answer.
const LISTED: usize = 50;

/// The last blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Oldest first.
    kept: VecDeque<Summary>,
}

/// A block, in few words.
#[derive(Debug)]
struct Summary {
    height: Height,
    first_sequence: SequenceNumber,
    last_sequence: SequenceNumber,
    /// Nanoseconds since the Unix epoch.
    sealed_at: u64,
    durable_at: u64,
    record_hash: Digest,
    outcome_hash: Digest,
    frames: usize,
    /// What the node has logged itself: ticks, silences and phases.
    own_entries: usize,
    commands: u64,
    fills: usize,
    kept: Vec<Kept>,
}

/// A command of a block, in few words.
#[derive(Debug)]
struct Kept {
    sequence: SequenceNumber,
    account: AccountId,
    kind: &'static str,
    /// `accepted`, or the reason.
    outcome: &'static str,
    order: Option<Place>,
}

impl Blocks {
    /// Takes note of a block.
    pub(super) fn follow(&mut self, released: &ReleasedBlock) {
        if self.kept.len() == BLOCKS {
            self.kept.pop_front();
        }
        self.kept.push_back(Summary::of(released));
    }

    fn find(&self, height: Height) -> Option<&Summary> {
        self.kept.iter().find(|it| it.height == height)
    }
}

impl Summary {
    fn of(released: &ReleasedBlock) -> Self {
        let (block, outcome) = (&released.block, &released.outcome);
        let fills = outcome
            .events
            .iter()
            .filter(|record| matches!(record.event(), types::outcome::Event::Fill(_)));
        Self {
            height: block.height,
            first_sequence: block.first_sequence,
            last_sequence: outcome.last_sequence,
            sealed_at: released.sequenced_at,
            durable_at: released.durable_at,
            record_hash: released.record_hash,
            outcome_hash: outcome.hash,
            frames: outcome.frames.len(),
            own_entries: block.entries.len() - outcome.frames.len(),
            commands: block.command_count(),
            fills: fills.count(),
            kept: commands_of(released),
        }
    }

    fn json(&self) -> Json {
        json!({
            "height": self.height.get(),
            "firstSequence": self.first_sequence.get(),
            "lastSequence": self.last_sequence.get(),
            "sealedAt": self.sealed_at / NANOS_PER_MILLI,
            "durableAfterMicros": self.durable_at.saturating_sub(self.sealed_at) / 1_000,
            "recordHash": self.record_hash.to_string(),
            "outcomeHash": self.outcome_hash.to_string(),
            "frames": self.frames,
            "ownEntries": self.own_entries,
            "commands": self.commands,
            "fills": self.fills,
        })
    }
}

/// Nanoseconds of a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// The first commands of a block's frames.
fn commands_of(released: &ReleasedBlock) -> Vec<Kept> {
    let frames = released.block.frames().map(|it| it.frame.frame());
    let mut kept = Vec::new();
    for (frame, (answered, receipts)) in frames.zip(released.outcome.frames_with_receipts()) {
        let whole = match answered.verdict {
            FrameVerdict::Executed => "executed",
            FrameVerdict::Repeated { .. } => "repeated",
            FrameVerdict::Refused(reason) => reason.name(),
        };
        for (index, command) in (0u64..).zip(frame.commands()) {
            if kept.len() == COMMANDS {
                return kept;
            }
            let receipt = usize::try_from(index).ok().and_then(|it| receipts.get(it));
            let outcome =
                |receipt: &Receipt| receipt.reject_reason().map_or("accepted", |it| it.name());
            kept.push(Kept {
                sequence: SequenceNumber::new(answered.first_sequence.get() + index),
                account: answered.account,
                kind: command.name(),
                outcome: receipt.map_or(whole, outcome),
                order: match command {
                    Command::Place(place) => Some(place),
                    _ => None,
                },
            });
        }
    }
    kept
}

/// Where they are.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/status", get(status))
        .route("/blocks", get(blocks))
        .route("/blocks/{height}", get(block))
        .route("/accounts/{account}", get(account))
        .route("/checkpoint", get(checkpoint))
        .route("/proof/{account}", get(proof))
}

#[utoipa::path(
    get, path = "/status",
    responses(
        (status = 200, description = "The network, its position, and the grids of its markets"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let height = shared.blocks().kept.back().map(|it| it.height.get());
    let (faucet, model) = (shared.faucet(), shared.model());
    let genesis = model.genesis();
    let markets = (0u16..).map(MarketId::new).zip(genesis.markets());
    let markets: Vec<Json> = markets
        .map(|(id, market)| market_json(genesis, shared.names.coin(id), id, market))
        .collect();
    fresh(
        &json!({
            "network": genesis.network().get(),
            "isDevelopment": genesis.network() == NetworkId::DEVELOPMENT,
            "genesis": genesis.hash().to_string(),
            // What is told here was released, so all of it is durable.
            "durableSequence": model.sequence().get(),
            "height": height,
            "time": model.time(),
            "markets": markets,
            "faucet": faucet.as_ref().map(|faucet| faucet.json(genesis)),
        })
        .to_string(),
    )
}

/// What an order entry has to know of a market, and the dialect does not tell.
fn market_json(genesis: &Genesis, coin: &str, id: MarketId, market: &MarketSpec) -> Json {
    let step = |step: types::genesis::Step| decimal::format(step.units.into(), step.decimals);
    let quote = &genesis.assets()[market.quote.index()];
    json!({
        "coin": coin,
        "asset": asset_number(id),
        "base": genesis.assets()[market.base.index()].symbol.as_str(),
        "quote": quote.symbol.as_str(),
        "tick": step(market.tick),
        "lot": step(market.lot),
        "notionalMin": quote.format(market.limits.notional_min),
    })
}

#[utoipa::path(
    get, path = "/blocks",
    responses(
        (status = 200, description = "The last blocks, latest first"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
pub(super) async fn blocks(State(shared): State<Arc<Shared>>) -> Response {
    let blocks = shared.blocks();
    let listed: Vec<Json> = blocks
        .kept
        .iter()
        .rev()
        .take(LISTED)
        .map(Summary::json)
        .collect();
    fresh(&json!({ "blocks": listed }).to_string())
}

#[utoipa::path(
    get, path = "/blocks/{height}", params(("height" = u64, Path, description = "Its position among blocks")),
    responses(
        (status = 200, description = "A block, with its first commands"),
        (status = 400, description = "No number", content_type = "text/plain"),
        (status = 404, description = "Not kept here", content_type = "text/plain"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
pub(super) async fn block(State(shared): State<Arc<Shared>>, Path(height): Path<u64>) -> Response {
    // In this order, as the follower does.
    let (model, blocks) = (shared.model(), shared.blocks());
    let Some(summary) = blocks.find(Height::new(height)) else {
        return text(
            StatusCode::NOT_FOUND,
            "No block of this height is kept here.",
        );
    };
    let command = |kept: &Kept| {
        let account = model.account_numbered(kept.account);
        json!({
            "sequence": kept.sequence.get(),
            "account": kept.account.get(),
            "address": account.map(|it| address_text(&it.address)),
            "kind": kept.kind,
            "outcome": kept.outcome,
            "order": kept.order.and_then(|order| order_json(&shared, model.genesis(), &order)),
        })
    };
    let mut block = summary.json();
    block["kept"] = summary.kept.iter().map(command).collect();
    fresh(&block.to_string())
}

/// An order of a market that there is; the engine has refused any other.
fn order_json(shared: &Shared, genesis: &Genesis, order: &Place) -> Option<Json> {
    let market = genesis.market(order.market)?;
    Some(json!({
        "coin": shared.names.coin(order.market),
        "side": order.side.name(),
        "price": market.format_price(order.price),
        "size": market.format_quantity(order.quantity),
    }))
}

#[utoipa::path(
    get, path = "/accounts/{account}", params(("account" = String, Path, description = "A number, an address, `fees`, `dust` or `inbox`")),
    responses(
        (status = 200, description = "Its number and address"),
        (status = 400, description = "No such name", content_type = "text/plain"),
        (status = 404, description = "There is none", content_type = "text/plain"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
pub(super) async fn account(
    State(shared): State<Arc<Shared>>,
    Path(named): Path<String>,
) -> Response {
    let model = shared.model();
    let found = match parse_account(&named) {
        Named::Number(number) => model.account_numbered(number).map(|it| (number, it)),
        Named::Address(address) => model.account_at(&address),
        Named::Nobody => return text(StatusCode::BAD_REQUEST, WHICH),
    };
    let Some((number, account)) = found else {
        return text(StatusCode::NOT_FOUND, "There is no such account.");
    };
    let main = account.main.map(AccountId::get);
    fresh(
        &json!({
            "account": number.get(),
            "address": address_text(&account.address),
            "main": main,
        })
        .to_string(),
    )
}

/// What names an account.
enum Named {
    Number(AccountId),
    Address(types::genesis::OwnerAddress),
    Nobody,
}

const WHICH: &str = "An account is named by its number, its address, `fees`, `dust` or `inbox`.";

fn parse_account(text: &str) -> Named {
    match text {
        "fees" => Named::Number(AccountId::FEES),
        "dust" => Named::Number(AccountId::DUST),
        "inbox" => Named::Number(AccountId::INBOX),
        text => match (text.parse(), parse_address(text)) {
            (Ok(number), _) => Named::Number(AccountId::new(number)),
            (_, Some(address)) => Named::Address(address),
            _ => Named::Nobody,
        },
    }
}

#[utoipa::path(
    get, path = "/checkpoint",
    responses(
        (status = 200, description = "The newest checkpoint; null: there is none yet"),
        (status = 503, description = "Busy, or the file is damaged", content_type = "text/plain"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
pub(super) async fn checkpoint(State(shared): State<Arc<Shared>>) -> Response {
    ask_prover(&shared, None).await
}

#[utoipa::path(
    get, path = "/proof/{account}", params(("account" = String, Path, description = "A number, an address, `fees`, `dust` or `inbox`")),
    responses(
        (status = 200, description = "What the newest checkpoint says about it, as `keel prove` prints it"),
        (status = 400, description = "No such name", content_type = "text/plain"),
        (status = 404, description = "The address has no account, or there is no checkpoint yet", content_type = "text/plain"),
        (status = 503, description = "Busy, or the file is damaged", content_type = "text/plain"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
pub(super) async fn proof(
    State(shared): State<Arc<Shared>>,
    Path(named): Path<String>,
) -> Response {
    let found = match parse_account(&named) {
        // One that does not exist is proven, too: to be absent.
        Named::Number(number) => Some(number),
        Named::Address(address) => shared
            .model()
            .account_at(&address)
            .map(|(number, _)| number),
        Named::Nobody => return text(StatusCode::BAD_REQUEST, WHICH),
    };
    match found {
        Some(number) => ask_prover(&shared, Some(number)).await,
        None => text(StatusCode::NOT_FOUND, "This address has no account."),
    }
}

/// Asks whoever has the checkpoints, and waits. Where too many wait already, nobody more does.
async fn ask_prover(shared: &Shared, account: Option<AccountId>) -> Response {
    let (reply, answer) = oneshot::channel();
    match shared.prover.try_send(ProofRequest { account, reply }) {
        Ok(()) => {}
        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
            return text(StatusCode::SERVICE_UNAVAILABLE, BUSY);
        }
    }
    match tokio::time::timeout(shared.config.answer_timeout, answer).await {
        Ok(Ok(Ok(Some(json)))) => fresh(&json),
        Ok(Ok(Ok(None))) if account.is_none() => fresh("null"),
        Ok(Ok(Ok(None))) => text(StatusCode::NOT_FOUND, "There is no checkpoint yet."),
        Ok(Ok(Err(words))) => text(StatusCode::SERVICE_UNAVAILABLE, words),
        Ok(Err(_)) | Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, BUSY),
    }
}

/// JSON that is out of date a moment later.
fn fresh(json: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, json.to_owned()).into_response()
}
