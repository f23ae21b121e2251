//! The API's own description: OpenAPI, AsyncAPI, and a page to read them.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::OpenApi as Document;
use utoipa::{OpenApi, ToSchema};

use super::{Shared, explorer, faucet};

/// A question about what is public. What else it needs depends on its type: see docs/API.md.
#[derive(ToSchema)]
#[allow(dead_code, non_snake_case)] // A shape for the document.
struct InfoRequest {
    /// Which question.
    #[schema(example = "l2Book")]
    r#type: Question,
    /// A market, where one is asked about.
    #[schema(example = "BTC/USD", nullable)]
    coin: Option<String>,
    /// An address, where one is asked about.
    #[schema(
        example = "0x0000000000000000000000000000000000000000",
        pattern = "^0x[0-9a-fA-F]{40}$",
        nullable
    )]
    user: Option<String>,
    /// An order's id or its owner's name for it, where one is asked about.
    #[schema(value_type = Object, nullable)]
    oid: Option<()>,
    /// Which candles.
    #[schema(nullable)]
    req: Option<CandleRequest>,
    /// Of a book: so many digits of a price count.
    #[schema(minimum = 2, maximum = 5, nullable)]
    nSigFigs: Option<u8>,
    /// Of a book, with 5 digits: the last of them in steps of 1, 2 or 5.
    #[schema(nullable)]
    mantissa: Option<u8>,
    /// Of fills: from when, in milliseconds since the Unix epoch, ...
    #[schema(nullable)]
    startTime: Option<u64>,
    /// ... and until when.
    #[schema(nullable)]
    endTime: Option<u64>,
}

/// Candles of a market.
#[derive(ToSchema)]
#[allow(dead_code, non_snake_case)]
struct CandleRequest {
    /// The market.
    #[schema(example = "BTC/USD")]
    coin: String,
    /// How long each is.
    #[schema(example = "1m")]
    interval: String,
    /// Milliseconds since the Unix epoch, as is the next.
    startTime: u64,
    #[schema(nullable)]
    endTime: Option<u64>,
}

/// All questions.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
enum Question {
    Meta,
    SpotMeta,
    MetaAndAssetCtxs,
    SpotMetaAndAssetCtxs,
    PerpDexs,
    ExchangeStatus,
    AllMids,
    L2Book,
    RecentTrades,
    CandleSnapshot,
    OpenOrders,
    FrontendOpenOrders,
    OrderStatus,
    HistoricalOrders,
    UserFills,
    UserFillsByTime,
    UserFees,
    UserRole,
    UserRateLimit,
    UserAbstraction,
    ClearinghouseState,
    SpotClearinghouseState,
    ExtraAgents,
    SubAccounts,
    MaxBuilderFee,
}

/// A signed action.
#[derive(ToSchema)]
#[allow(dead_code, non_snake_case)]
struct ExchangeRequest {
    /// What is asked for; its keys are signed in the order in which they are sent.
    action: SignedAction,
    /// Milliseconds since the Unix epoch.
    nonce: u64,
    /// The signature.
    signature: Signature,
    /// The account that it is for, if not the signer's own.
    vaultAddress: Option<String>,
    /// Milliseconds since the Unix epoch after which it is void.
    expiresAfter: Option<u64>,
}

/// An action. What else it has depends on its type: see docs/API.md.
#[derive(ToSchema)]
#[allow(dead_code)]
struct SignedAction {
    /// Which action.
    r#type: ActionType,
}

/// All actions.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
enum ActionType {
    Order,
    Cancel,
    CancelByCloid,
    Modify,
    BatchModify,
    ScheduleCancel,
    Noop,
    UsdSend,
    SpotSend,
    SendAsset,
    SubAccountTransfer,
    SubAccountSpotTransfer,
    Withdraw3,
    ApproveAgent,
    CreateSubAccount,
}

/// A secp256k1 signature that the signer is recovered from.
#[derive(ToSchema)]
#[allow(dead_code)]
struct Signature {
    #[schema(pattern = "^0x[0-9a-fA-F]{1,64}$")]
    r: String,
    #[schema(pattern = "^0x[0-9a-fA-F]{1,64}$")]
    s: String,
    /// 27 or 28.
    #[schema(minimum = 27, maximum = 28)]
    v: u8,
}

/// An answer to an action that was read.
#[derive(ToSchema)]
#[allow(dead_code)]
struct ExchangeResponse {
    /// `ok`: each part has a status of its own; `err`: all of it was refused.
    #[schema(example = "ok")]
    status: String,
    /// A text where the status is `err`.
    #[schema(value_type = Object)]
    response: (),
}

#[utoipa::path(
    post, path = "/info",
    request_body(content = InfoRequest, examples(
        ("book" = (value = json!({ "type": "l2Book", "coin": "BTC/USD", "nSigFigs": 5, "mantissa": 2 }))),
        ("candles" = (value = json!({
            "type": "candleSnapshot",
            "req": { "coin": "BTC/USD", "interval": "1m", "startTime": 0 },
        }))),
        ("trades" = (value = json!({ "type": "recentTrades", "coin": "@0" }))),
        ("fills" = (value = json!({
            "type": "userFillsByTime",
            "user": "0x0000000000000000000000000000000000000000",
            "startTime": 0,
        }))),
        ("order" = (value = json!({
            "type": "orderStatus",
            "user": "0x0000000000000000000000000000000000000000",
            "oid": 1,
        }))),
    )),
    responses(
        (status = 200, description = "The answer"),
        (status = 400, description = "No JSON", content_type = "text/plain"),
        (status = 408, description = "The body did not come in time", content_type = "text/plain"),
        (status = 413, description = "The body is too long", content_type = "text/plain"),
        (status = 422, description = "No such question", content_type = "text/plain"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
    )
)]
#[allow(dead_code)]
fn info() {}

#[utoipa::path(
    post, path = "/exchange",
    request_body(content = ExchangeRequest, examples(
        ("order" = (value = json!({
            "action": {
                "type": "order",
                "orders": [{
                    "a": 10_000, "b": true, "p": "100", "s": "0.1", "r": false,
                    "t": { "limit": { "tif": "Gtc" } },
                }],
                "grouping": "na",
            },
            "nonce": 1_700_000_000_000_u64,
            "signature": { "r": "0x1", "s": "0x1", "v": 27 },
        }))),
        ("cancel" = (value = json!({
            "action": { "type": "cancel", "cancels": [{ "a": 10_000, "o": 1 }] },
            "nonce": 1_700_000_000_001_u64,
            "signature": { "r": "0x1", "s": "0x1", "v": 28 },
        }))),
    )),
    responses(
        (status = 200, description = "What became of it", body = ExchangeResponse),
        (status = 400, description = "No JSON", content_type = "text/plain"),
        (status = 408, description = "The body did not come in time", content_type = "text/plain"),
        (status = 413, description = "The body is too long", content_type = "text/plain"),
        (status = 422, description = "No such action", content_type = "text/plain"),
        (status = 429, description = "Too many requests of this address", content_type = "text/plain"),
        (status = 503, description = "Busy or stopping; nothing happened", content_type = "text/plain"),
        (status = 504, description = "No answer in time: it may have been executed", content_type = "text/plain"),
    )
)]
#[allow(dead_code)]
fn exchange() {}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keel trader API",
        description = "The Hyperliquid dialect, for spot markets. Sign for source \"b\" (Testnet).",
        version = "1"
    ),
    paths(
        info,
        exchange,
        explorer::status,
        explorer::blocks,
        explorer::block,
        explorer::account,
        explorer::checkpoint,
        explorer::proof,
        faucet::give
    )
)]
struct Api;

static OPENAPI: LazyLock<String> = LazyLock::new(|| {
    let document: Document = Api::openapi();
    document.to_json().expect("the document is made of texts")
});

/// Where they are.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/openapi.json",
            get(|| served("application/json", OPENAPI.as_str())),
        )
        .route(
            "/asyncapi.json",
            get(|| served("application/json", include_str!("asyncapi.json"))),
        )
        .route(
            "/docs",
            get(|| served("text/html; charset=utf-8", include_str!("docs.html"))),
        )
}

async fn served(kind: &'static str, body: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], body)
}
