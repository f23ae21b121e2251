//! Limits of one node's gateway, and the QUIC settings that follow from them.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt};

use crate::tls::Identity;

/// Limits of one gateway. Protocol limits are in [`types::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Open sessions.
    pub sessions_max: u32,
    /// Connections between their first packet and their session's opening. Beyond it they are
    /// turned away at once.
    pub handshakes_max: u32,
    /// Pending handshakes from which on a newcomer must prove its address first (a QUIC Retry).
    pub retry_from: u32,
    /// Frames that one session may have unanswered.
    pub frames_in_flight: u32,
    /// Commands that one session may have unanswered.
    pub commands_in_flight: u32,
    /// Questions to the read models that one session may have unanswered.
    pub queries_in_flight: u32,
    /// Unsent bytes at which a session that does not read is closed.
    pub unsent_bytes_max: usize,
    /// From a connection's first packet to its `Hello`.
    pub hello_timeout: Duration,
    /// From a message's first byte to its last.
    pub message_timeout: Duration,
    /// Without any packet from the client.
    pub idle_timeout: Duration,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            sessions_max: 1_024,
            handshakes_max: 256,
            retry_from: 64,
            frames_in_flight: 1_024,
            commands_in_flight: 65_536,
            queries_in_flight: 4,
            unsent_bytes_max: 4 * 1024 * 1024,
            hello_timeout: Duration::from_secs(2),
            message_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(10),
        }
    }
}

/// One stream carries a session, so both windows are the same: about what a client can have in
/// flight (1,024 frames of 32 orders are 1.1 MiB).
const RECEIVE_WINDOW: u32 = 1024 * 1024;
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
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
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
