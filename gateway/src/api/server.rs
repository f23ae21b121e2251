//! Connections, routes and their limits.
//!
//! A head that does not come in time, a body that does not, one that is too long: each ends in an
//! answer or a closed connection, and none in memory that grows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State, WebSocketUpgrade};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use types::action::Value;

use super::counters::{Endpoint, Refusal};
use super::exchange::{self, NotTaken};
use super::info::{self, NoAnswer};
use super::places::PerIp;
use super::{Phase, Shared, documents, explorer, faucet, page, socket};

/// After a connection could not be accepted, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For connections to end when the API does.
const CLOSE: Duration = Duration::from_secs(1);
/// Bytes of a request's head.
const HEAD_LENGTH_MAX: usize = 64 << 10;

/// Serves connections until it is told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
) {
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    let per_ip = PerIp::new(shared.config.connections_per_ip_max);
    let router = router(Arc::clone(&shared));
    let tls = shared.tls.clone().map(|tls| TlsAcceptor::from(tls.0));
    let closed = closed(phase.clone());
    tokio::pin!(closed);
    loop {
        let accepted = tokio::select! {
            () = &mut closed => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(counted) = per_ip.enter(peer.ip()) else {
            shared.counters.refused(Refusal::Connections);
            continue;
        };
        let service = router.clone().layer(axum::Extension(ConnectInfo(peer)));
        let (shared, phase, tls) = (Arc::clone(&shared), phase.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(stream, service, &shared, phase).await,
                Some(tls) => {
                    // What shakes no hands in time is slow, and what shakes none at all is not TLS.
                    let shaken = timeout(shared.config.head_timeout, tls.accept(stream)).await;
                    match shaken {
                        Ok(Ok(stream)) => connection(stream, service, &shared, phase).await,
                        Ok(Err(error)) => tracing::debug!("api: TLS: {error}"),
                        Err(_) => shared.counters.refused(Refusal::SlowHead),
                    }
                }
            }
            drop((place, counted));
        });
    }
    // Answers that are on their way go out.
    let all = u32::try_from(shared.config.connections_max).unwrap_or(u32::MAX);
    let _ = timeout(CLOSE, places.acquire_many(all)).await;
}

/// Waits for the end.
async fn closed(mut phase: watch::Receiver<Phase>) {
    // The sender lives as long as its handle; a node that drops that has stopped.
    drop(phase.wait_for(|phase| *phase == Phase::Closed).await);
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, peer) = listener.accept().await.ok()?;
    // Answers are small and wait for nothing.
    stream.set_nodelay(true).ok()?;
    Some((stream, peer, place))
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: Router,
    shared: &Shared,
    phase: watch::Receiver<Phase>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_buf_size(HEAD_LENGTH_MAX);
    let served = http
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closed(phase) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        if error.is_timeout() {
            shared.counters.refused(Refusal::SlowHead);
        }
        tracing::debug!("api: connection: {error}");
    }
}

/// All routes. What is not one of them is 404.
fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/info", post(ask))
        .route("/exchange", post(act))
        .route("/ws", get(upgrade))
        .merge(documents::routes())
        .merge(explorer::routes())
        .merge(faucet::routes())
        .merge(page::routes())
        .layer(from_fn_with_state(Arc::clone(&shared), pace))
        .layer(from_fn(allow_everyone))
        .layer(from_fn_with_state(Arc::clone(&shared), count))
        .with_state(shared)
}

/// Counts what was answered.
async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let endpoint = Endpoint::of(request.uri().path());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    shared.counters.answered(endpoint, status);
    response
}

/// Pages of all origins may ask: nothing here goes by cookies.
async fn allow_everyone(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Refuses an address that asks too often.
async fn pace(
    State(shared): State<Arc<Shared>>,
    axum::Extension(ConnectInfo(peer)): axum::Extension<ConnectInfo<SocketAddr>>,
    request: Request,
    next: Next,
) -> Response {
    if !shared.requests().take(peer.ip(), 1, Instant::now()) {
        shared.counters.refused(Refusal::RequestPace);
        return text(StatusCode::TOO_MANY_REQUESTS, "Too many requests.");
    }
    next.run(request).await
}

async fn ask(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let question = match read(&shared, body).await {
        Ok(question) => question,
        Err(refused) => return refused,
    };
    let words = match info::answer(&shared, &question) {
        Ok(answer) => return json(&answer),
        Err(NoAnswer::Malformed) => info_words(&question),
        Err(NoAnswer::NoMarket) => "Unknown coin.",
    };
    shared.counters.refused(Refusal::Malformed);
    text(StatusCode::UNPROCESSABLE_ENTITY, words)
}

/// What is wrong with a question.
pub(super) fn info_words(question: &Value) -> &'static str {
    match question.field("type").and_then(Value::as_text) {
        Some(_) => {
            "Failed to deserialize the JSON body into the target type: a type or field of it."
        }
        None => "Failed to deserialize the JSON body into the target type: no type.",
    }
}

async fn act(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let request = match read(&shared, body).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let reason = match exchange::take(&shared, &request).await {
        Ok(answer) => return json(&answer),
        Err(reason) => reason,
    };
    shared.counters.refused(reason.refusal());
    let status = reason.status();
    match reason {
        NotTaken::Malformed(words) => text(status, words),
        NotTaken::Busy => text(status, BUSY),
        NotTaken::Unknown => text(status, UNKNOWN),
    }
}

/// Nothing has happened.
pub(super) const BUSY: &str = "Busy: nothing happened, try again.";
/// Nobody knows here.
pub(super) const UNKNOWN: &str = "No answer in time: the action may have been executed, ask.";

/// The body as a value, in time and not too long.
pub(super) async fn read(shared: &Shared, body: Body) -> Result<Value, Response> {
    let read = to_bytes(body, shared.config.request_length_max);
    let refused = |refusal, status, words| {
        shared.counters.refused(refusal);
        text(status, words)
    };
    let bytes: Bytes = match timeout(shared.config.body_timeout, read).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let words = "The body is too long.";
            return Err(refused(
                Refusal::LongBody,
                StatusCode::PAYLOAD_TOO_LARGE,
                words,
            ));
        }
        Err(_) => {
            let words = "The body did not come.";
            return Err(refused(
                Refusal::SlowBody,
                StatusCode::REQUEST_TIMEOUT,
                words,
            ));
        }
    };
    Value::from_json(&bytes).map_err(|reason| {
        shared.counters.refused(Refusal::Malformed);
        let words = format!("Failed to parse the request body as JSON: {reason}");
        text(StatusCode::BAD_REQUEST, words)
    })
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    axum::Extension(ConnectInfo(peer)): axum::Extension<ConnectInfo<SocketAddr>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(place) = shared.open_socket(peer.ip()) else {
        shared.counters.refused(Refusal::Sockets);
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many sockets.");
    };
    let length = shared.config.request_length_max;
    upgrade
        .max_message_size(length)
        .max_frame_size(length)
        .write_buffer_size(0)
        .on_upgrade(move |socket| socket::run(socket, shared, peer.ip(), place))
}

pub(super) fn json(value: &Json) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, value.to_string()).into_response()
}

pub(super) fn text(status: StatusCode, words: impl Into<String>) -> Response {
    (status, words.into()).into_response()
}
