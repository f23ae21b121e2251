//! Opening a session.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, IdleTimeout, TransportConfig, VarInt};
use tokio::time::timeout;
use types::auth::{FrameKey, RollingChain, SigningKey};
use types::wire::Kind;
use types::wire::session::{
    ALPN, EXPORTER_LABEL, Hello, Refused, SessionTerms, SessionWishes, SignatureMode, Welcome,
};
use types::{AccountId, NetworkId, RejectReason};
use zerocopy::IntoBytes;

use crate::error::{ConnectError, SessionError};
use crate::pin::{PinVerifier, ServerPin};
use crate::receiver::{MessageStream, Receiver};
use crate::sender::{Rolling, Sender};
use crate::signer::FrameSigner;

/// How to open a session.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Where the node listens.
    pub server: SocketAddr,
    /// Which server to trust.
    pub pin: ServerPin,
    /// The network that the server must run; `None`: whichever.
    pub network: Option<NetworkId>,
    /// The session key: its account is the session's.
    pub key: SigningKey,
    /// How the session's frames are signed: each, or all that one flush sends.
    pub signatures: SignatureMode,
    /// Whether the server is to sign when frames arrived and where they were sequenced.
    pub receipts: bool,
    /// How often a packet is sent when there is nothing to say. A session policy of so long a silence
    /// needs a third of it.
    pub keep_alive: Duration,
}

/// A connection that carries nothing is kept by a packet this often, if nothing else is wanted.
pub const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// Opens a session. Runs on a tokio runtime with time and I/O enabled.
pub async fn connect(options: &ConnectOptions) -> Result<(Sender, Receiver), ConnectError> {
    let server = options.server;
    let unreachable = |reason: String| ConnectError::Unreachable { server, reason };
    match timeout(CONNECT_TIMEOUT, open(options, None)).await {
        Ok(opened) => opened,
        Err(_) => Err(unreachable("no answer in time".to_owned())),
    }
}

/// The same, of a session for frames of the account's wallet alone.
pub(crate) async fn connect_guest(
    options: &ConnectOptions,
    account: AccountId,
) -> Result<(Sender, Receiver), ConnectError> {
    let server = options.server;
    match timeout(CONNECT_TIMEOUT, open(options, Some(account))).await {
        Ok(opened) => opened,
        Err(_) => Err(ConnectError::Unreachable {
            server,
            reason: "no answer in time".to_owned(),
        }),
    }
}

/// From the first packet to the server's `Welcome`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection is lost after this long without a packet from the server.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// What may arrive before the receiver asks for it: a few blocks of acks and fills.
const RECEIVE_WINDOW: u32 = 4 * 1024 * 1024;
/// The same of all streams together: a feed that nobody reads must not stop the session's own.
const CONNECTION_WINDOW: u32 = (FEEDS_MAX + 1) * RECEIVE_WINDOW;
/// Subscriptions that the server grants.
const FEEDS_MAX: u32 = 64;
/// Streams that the server may open, one per subscription: more than that, for QUIC gives the room of one
/// that has ended back in lumps.
const STREAMS_MAX: u32 = 2 * FEEDS_MAX;
/// Certificates here have no names that count, but TLS wants one.
const SERVER_NAME: &str = "keel";

async fn open(
    options: &ConnectOptions,
    wallet: Option<AccountId>,
) -> Result<(Sender, Receiver), ConnectError> {
    let server = options.server;
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::client(any).map_err(|error| ConnectError::Socket {
        reason: error.to_string(),
    })?;
    let connection = handshake(&endpoint, options).await?;
    let (mut send, receive) = connection.open_bi().await.map_err(SessionError::from)?;

    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
        .expect("32 bytes are within what TLS exports");
    let wishes = match wallet {
        Some(_) => SessionWishes {
            guest: true,
            ..SessionWishes::default()
        },
        None => SessionWishes {
            signatures: options.signatures,
            receipts: options.receipts,
            guest: false,
        },
    };
    let signatures = wishes.signatures;
    let hello = Hello::with_wishes(options.network, wishes, &options.key, &exporter);
    let mut messages = MessageStream::new(connection, receive);
    // If it cannot be written, the server's reason is what the next read finds.
    let _ = send.write_all(hello.as_bytes()).await;
    let (mut terms, welcome) = welcome(&mut messages).await?;
    // A guest is nobody by himself: his frames say whose they are.
    terms.account = wallet.unwrap_or(terms.account);
    if let Some(wanted) = options.network
        && wanted != terms.network
    {
        let actual = terms.network;
        return Err(ConnectError::WrongNetwork { wanted, actual });
    }
    let key = || options.key.clone();
    let rolling = (signatures == SignatureMode::Rolling).then(|| {
        let frame_key = FrameKey::new(terms.network, terms.genesis_hash);
        let chain = RollingChain::new(frame_key, &exporter, hello.as_bytes(), &welcome);
        Rolling::new(chain, key(), terms.unsigned_frames)
    });
    let signer = FrameSigner::new(terms, key());
    Ok((
        Sender::new(send, endpoint.clone(), signer, rolling),
        Receiver::new(messages, endpoint),
    ))
}

async fn handshake(
    endpoint: &Endpoint,
    options: &ConnectOptions,
) -> Result<Connection, ConnectError> {
    let server = options.server;
    let unreachable = |reason: String| ConnectError::Unreachable { server, reason };
    let (config, verifier) = pinned_config(&options.pin, options.keep_alive);
    let connecting = endpoint.connect_with(config, server, SERVER_NAME);
    let connecting = connecting.map_err(|error| unreachable(error.to_string()))?;
    connecting
        .await
        .map_err(|error| match verifier.presented() {
            Some(presented) => ConnectError::PinMismatch {
                server,
                expected: options.pin.public_key(),
                presented,
            },
            None => match SessionError::from(error) {
                SessionError::Closed { reason } => ConnectError::Refused { reason },
                other => unreachable(other.to_string()),
            },
        })
}

/// Waits for the answer to `Hello`, and gives its bytes, too.
async fn welcome(messages: &mut MessageStream) -> Result<(SessionTerms, Bytes), ConnectError> {
    let (kind, message) = match messages.next().await {
        Ok(message) => message,
        Err(SessionError::Closed { reason }) => return Err(ConnectError::Refused { reason }),
        Err(error) => return Err(error.into()),
    };
    let terms = match kind {
        Kind::Welcome => Welcome::parse(&message),
        Kind::Refused => match Refused::parse(&message) {
            Ok((_, reason)) => return Err(ConnectError::Refused { reason }),
            Err(reason) => Err(reason),
        },
        _ => Err(RejectReason::UnexpectedMessage),
    };
    let terms = terms.map_err(SessionError::from)?;
    Ok((terms, message))
}

/// The QUIC settings of a client that trusts one key, for those who speak the protocol with their
/// own code.
pub fn quic_config(pin: &ServerPin) -> ClientConfig {
    pinned_config(pin, KEEP_ALIVE).0
}

fn pinned_config(pin: &ServerPin, keep_alive: Duration) -> (ClientConfig, Arc<PinVerifier>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = PinVerifier::new(pin, &provider);
    let trusted = Arc::clone(&verifier);
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has cipher suites for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(trusted)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    let quic = QuicClientConfig::try_from(tls);
    let quic = quic.expect("ring has the cipher suite of QUIC's first packets");
    let mut config = ClientConfig::new(Arc::new(quic));
    config.transport_config(Arc::new(transport_config(keep_alive)));
    (config, verifier)
}

fn transport_config(keep_alive: Duration) -> TransportConfig {
    let idle = IdleTimeout::try_from(IDLE_TIMEOUT);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS_MAX))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .keep_alive_interval(Some(keep_alive))
        .max_idle_timeout(Some(idle.expect("10 s are far below 2^62 ms")));
    transport
}
