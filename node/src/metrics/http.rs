//! The smallest HTTP server that a scraper and a supervisor need, on a thread of its own.
//!
//! It answers GET of three paths with a body and closes the connection. A request is read up to its
//! first empty line and no further, within a length and a time; there are so many connections and no
//! more, the others wait in the kernel. So nobody on this port can cost the node more than one thread
//! that has nothing else to do. There is no TLS and no password: it belongs on a loopback address or
//! behind a proxy (`docs/OPERATIONS.md`).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::{Metrics, text};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 16;
/// The longest request, up to its first empty line.
const REQUEST_LENGTH_MAX: usize = 4 * 1024;
/// From a connection's beginning to its end.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries to accept, when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that runs until it is dropped or stopped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Server {
    /// Serves these numbers there.
    pub(crate) fn start(listener: TcpListener, metrics: Arc<Metrics>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener);
            let listener = listener.expect("a listener within a runtime with I/O");
            tokio::select! {
                () = accept(listener, metrics) => {}
                // Dropped is stopped too.
                _ = stopped => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("keel-metrics".to_owned())
            .spawn(move || runtime.block_on(serve))?;
        Ok(Self {
            address,
            thread,
            stop,
        })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        drop(self.stop);
        self.thread.join().expect("a panic ends the process");
    }
}

async fn accept(listener: tokio::net::TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.expect("nobody closes it");
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    // Whoever is too slow, or went away, misses an answer.
                    let _ = timeout(CONNECTION_TIMEOUT, answer(stream, &metrics)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("metrics: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let response = match read_request(&mut stream).await? {
        Some(request) => respond(&request, metrics),
        None => Response::plain(431, "the request is too long\n".to_owned()),
    };
    stream.write_all(&response.encode()).await?;
    stream.shutdown().await
}

/// A request up to its first empty line; `None` if that does not come in time.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&piece[..length]);
        if request.windows(4).any(|window| window == b"\r\n\r\n") {
            return Ok(Some(request));
        }
        if request.len() >= REQUEST_LENGTH_MAX {
            return Ok(None);
        }
    }
}

fn respond(request: &[u8], metrics: &Metrics) -> Response {
    let line = request.split(|byte| *byte == b'\r').next();
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let is_http = words.next().is_some_and(|it| it.starts_with(b"HTTP/1."));
    if !is_http || words.next().is_some() {
        return Response::plain(400, "this is not HTTP/1\n".to_owned());
    }
    if method != Some(b"GET") {
        return Response::plain(405, "only GET\n".to_owned());
    }
    let path = path.split(|byte| *byte == b'?').next();
    match path.unwrap_or_default() {
        b"/metrics" => Response {
            status: 200,
            kind: "text/plain; version=0.0.4; charset=utf-8",
            body: text::render(metrics),
        },
        b"/healthz" => Response::verdict("alive", &metrics.ailments()),
        b"/readyz" => {
            let ready = match metrics.is_cancel_only() {
                true => "ready for cancels only",
                false => "ready",
            };
            Response::verdict(ready, &metrics.hindrances())
        }
        _ => Response::plain(404, "/metrics, /healthz or /readyz\n".to_owned()),
    }
}

/// An answer before it is bytes.
#[derive(Debug)]
struct Response {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Response {
    const fn plain(status: u16, body: String) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body,
        }
    }

    /// 200 if nothing speaks against it, else 503 and what does.
    fn verdict(good: &str, against: &[String]) -> Self {
        match against {
            [] => Self::plain(200, format!("{good}\n")),
            reasons => Self::plain(503, reasons.join("\n") + "\n"),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let phrase = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let Self { status, kind, body } = self;
        let length = body.len();
        format!(
            "HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
