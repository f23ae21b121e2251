//! Limits of one node's gateway, and the QUIC settings that follow from them.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt};

use crate::admission::Pace;
use crate::tls::Identity;

/// Limits of one gateway. Protocol limits are in [`types::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Open sessions.
    pub sessions_max: u32,
    /// The last of them, at most a fifth, are for keys that have no session yet.
    pub sessions_reserved: u32,
    /// Open sessions of one key.
    pub sessions_per_key: u32,
    /// Open sessions of guests, who may do nothing but send what a wallet has signed.
    pub guests_max: u32,
    /// Connections between their first packet and their session's opening. Beyond it they are
    /// turned away at once. The last quarter is for addresses from which a known key has a session.
    pub handshakes_max: u32,
    /// Pending handshakes from which on a newcomer must prove its address first (a QUIC Retry).
    pub retry_from: u32,
    /// Connections of one address, or of one network of 64 bits.
    pub connections_per_address: u32,
    /// New ones of these.
    pub arrivals_per_address: Pace,
    /// New connections from all addresses from which no known key has a session.
    pub arrivals: Pace,
    /// Whether limits of addresses hold for loopback ones too. There all clients share few addresses,
    /// and whoever can send from there need not come in by this door.
    pub limits_loopback: bool,
    /// Commands of one account, times its weight; of frames that hold anything but cancels.
    pub commands: Option<Pace>,
    /// The same for frames of nothing but cancels.
    pub cancels: Option<Pace>,
    /// Messages of one account that are refused, and each KiB of them: beyond it, sessions of his that
    /// are refused more are not read until time has made up for it.
    pub refusals: Pace,
    /// Frames that one session may have unanswered.
    pub frames_in_flight: u32,
    /// Commands that one session may have unanswered.
    pub commands_in_flight: u32,
    /// Questions to the read models that one session may have unanswered.
    pub queries_in_flight: u32,
    /// Unsent bytes at which a session that does not read is closed.
    pub unsent_bytes_max: usize,
    /// Subscriptions that one session may have.
    pub subscriptions_max: usize,
    /// Unsent bytes of a subscription beyond which it is cut.
    pub feed_backlog_max: usize,
    /// In which a reader must take what is written to its feed's stream at once.
    pub feed_timeout: Duration,
    /// Unsent bytes of all sessions, beyond which those are closed that have more than a little.
    pub unsent_bytes_total: usize,
    /// From a connection's first packet to its `Hello`.
    pub hello_timeout: Duration,
    /// From a message's first byte to its last.
    pub message_timeout: Duration,
    /// From a frame of a session with rolling signatures to the signature over it. A client that
    /// keeps to the protocol takes a twentieth of it.
    pub signature_timeout: Duration,
    /// Without any packet from the client.
    pub idle_timeout: Duration,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            sessions_reserved: 2_000,
            sessions_per_key: 64,
            guests_max: 64,
            handshakes_max: 256,
            retry_from: 64,
            connections_per_address: 64,
            arrivals_per_address: Pace {
                per_second: 1,
                burst: 64,
            },
            arrivals: Pace {
                per_second: 2_500,
                burst: 2_500,
            },
            limits_loopback: false,
            commands: None,
            cancels: None,
            // A window's worth, and then what costs a hundredth of a core.
            refusals: Pace {
                per_second: 256,
                burst: 1_024,
            },
            frames_in_flight: 1_024,
            commands_in_flight: 65_536,
            queries_in_flight: 4,
            unsent_bytes_max: 4 * 1024 * 1024,
            subscriptions_max: 64,
            feed_backlog_max: 1024 * 1024,
            feed_timeout: Duration::from_secs(5),
            unsent_bytes_total: 256 * 1024 * 1024,
            hello_timeout: Duration::from_secs(2),
            message_timeout: Duration::from_secs(1),
            signature_timeout: Duration::from_millis(500),
            idle_timeout: Duration::from_secs(10),
        }
    }
}

/// One stream carries a session, so both windows are the same: about what a client can have in
/// flight (1,024 frames of 32 orders are 1.1 MiB).
pub(crate) const RECEIVE_WINDOW: u32 = 1024 * 1024;
/// What a session may have on its way that is not read for its refusals.
pub(crate) const NARROW_WINDOW: u32 = 64 * 1024;
/// Before its session is open a client has nothing to say that is longer than its `Hello`; so this is
/// what a stranger can make us hold, be it by gaps.
const STRANGERS_WINDOW: u32 = 16 * 1024;
/// Bytes that QUIC holds for one connection until they are acknowledged; what is beyond stays in
/// the session's own buffer, where it is counted.
const SEND_WINDOW: u64 = 1024 * 1024;
/// Handshakes that wait for the gateway to look at them, and the bytes that each may buffer.
const INCOMING_MAX: usize = 1_024;
const INCOMING_BUFFER: u64 = 16 * 1024;
const INCOMING_BUFFER_TOTAL: u64 = 4 * 1024 * 1024;

/// The server's QUIC settings. Early data stays off, for it can be replayed, and so does
/// migration; segmentation offload and path MTU discovery stay on.
pub(crate) fn server_config(config: &GatewayConfig, identity: &Identity) -> ServerConfig {
    let idle = IdleTimeout::try_from(config.idle_timeout);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(STRANGERS_WINDOW))
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(idle.expect("an idle timeout is far below 2^62 ms")));
    let mut server = ServerConfig::with_crypto(identity.quic());
    server
        .transport_config(Arc::new(transport))
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL);
    server
}
