//! Connections of clients that do not play by the rules: many on one socket, byte by byte.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use client::{ServerPin, quic_config};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, RecvStream};
use quinn::{SendStream, TokioRuntime, TransportConfig, VarInt};
use types::auth::SigningKey;
use types::wire::session::{EXPORTER_LABEL, Hello, SessionTerms, Welcome};
use types::{Nonce, RejectReason};
use zerocopy::IntoBytes as _;

use crate::PATIENCE;

/// One socket, and how it connects.
pub(crate) struct Dialer {
    pub(crate) endpoint: Endpoint,
    config: ClientConfig,
    server: SocketAddr,
}

/// What a client keeps until the node takes it: when it stops, it wants an answer to all of it.
const SEND_WINDOW: u64 = 256 * 1024;

/// A connection with its stream and, once it is open, the terms of its session.
pub(crate) struct Raw {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
}

/// One socket for thousands of connections needs room for what each is told in the same moment; else most
/// of a crowd miss their dismissal.
fn endpoint() -> Endpoint {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let state = quinn::udp::UdpSocketState::new((&socket).into()).unwrap();
    // The kernel gives as much as it may.
    let _ = state.set_recv_buffer_size((&socket).into(), 16 << 20);
    let runtime = Arc::new(TokioRuntime);
    Endpoint::new(EndpointConfig::default(), None, socket, runtime).unwrap()
}

impl Dialer {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let mut config = quic_config(&ServerPin::Development);
        let mut transport = TransportConfig::default();
        // Rare enough for ten thousand, often enough for ten seconds.
        transport
            .keep_alive_interval(Some(Duration::from_secs(6)))
            .stream_receive_window(VarInt::from_u32(64 * 1024))
            .send_window(SEND_WINDOW)
            .receive_window(VarInt::from_u32(64 * 1024));
        config.transport_config(Arc::new(transport));
        Self {
            endpoint: endpoint(),
            config,
            server,
        }
    }

    /// Shakes hands and opens the stream.
    pub(crate) async fn connect(&self) -> Result<Raw, ConnectionError> {
        let config = self.config.clone();
        let connecting = self.endpoint.connect_with(config, self.server, "keel");
        let connection = connecting.unwrap().await?;
        let (send, receive) = connection.open_bi().await?;
        Ok(Raw {
            connection,
            send,
            receive,
        })
    }

    /// Opens a session too; `None` if that did not come about, as it may not on a machine that the
    /// attackers have to themselves.
    pub(crate) async fn open(&self, key: &str) -> Option<(Raw, SessionTerms)> {
        let opened = async {
            let mut raw = self.connect().await.ok()?;
            let terms = raw.introduce(key).await?;
            Some((raw, terms))
        };
        tokio::time::timeout(PATIENCE, opened).await.ok()?
    }
}

impl Raw {
    async fn introduce(&mut self, key: &str) -> Option<SessionTerms> {
        let mut exporter = [0; 32];
        self.connection
            .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
            .unwrap();
        let hello = Hello::new(None, &SigningKey::development(key), &exporter);
        self.send.write_all(hello.as_bytes()).await.ok()?;
        let mut message = [0; size_of::<Welcome>()];
        self.receive.read_exact(&mut message).await.ok()?;
        Some(Welcome::parse(&message).unwrap())
    }

    /// Why the server closed it; `None` if a client so busy that it missed the close hears only that the
    /// server knows no more of it.
    pub(crate) async fn closed(&self) -> Option<RejectReason> {
        let closed = tokio::time::timeout(PATIENCE, self.connection.closed()).await;
        match closed.expect("it is closed in time") {
            ConnectionError::ApplicationClosed(close) => {
                let code = u16::try_from(close.error_code.into_inner()).unwrap();
                Some(RejectReason::from_code(code).unwrap())
            }
            ConnectionError::Reset | ConnectionError::TimedOut => None,
            other => panic!("closed without a reason: {other}"),
        }
    }
}

/// A signed frame.
pub(crate) fn frame(
    terms: &SessionTerms,
    key: &str,
    nonce: u64,
    commands: &[types::Command<'_>],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut signer = client::FrameSigner::new(*terms, SigningKey::development(key));
    signer.sign(
        Nonce::new(nonce),
        types::LogTime::ZERO,
        commands,
        &mut bytes,
    );
    bytes
}
