//! Limits of the trader API. Each is a defined answer where it is reached.

use std::time::Duration;

/// What one node's trader API takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Connections at a time; more are not accepted until one ends.
    pub connections_max: usize,
    /// Of one IP address, and as many sockets; more are closed at once.
    pub connections_per_ip_max: usize,
    /// Sockets (`/ws`) at a time; more are answered 503.
    pub sockets_max: usize,
    /// Subscriptions of one socket.
    pub subscriptions_max: usize,
    /// Requests over one socket that wait for their answer.
    pub posts_max: usize,
    /// Bytes of a request's body, or of a message over a socket.
    pub request_length_max: usize,
    /// For a request's head to arrive, ...
    pub head_timeout: Duration,
    /// ... its body, ...
    pub body_timeout: Duration,
    /// ... and its answer to come.
    pub answer_timeout: Duration,
    /// For one message to be written to a socket; who reads slower is dropped.
    pub write_timeout: Duration,
    /// How long a socket may say nothing.
    pub silence_timeout: Duration,
    /// The least time between two messages of a conflated subscription.
    pub conflation: Duration,
    /// Requests of one IP address a second, ...
    pub requests_per_second: u32,
    /// ... and at once after a silence.
    pub requests_burst: u32,
    /// Commands of one signer a second, ...
    pub commands_per_second: u32,
    /// ... and at once after a silence.
    pub commands_burst: u32,
    /// Addresses of which limits are remembered; beyond them, those that are at rest are forgotten.
    pub addresses_max: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_ip_max: 256,
            sockets_max: 1_024,
            subscriptions_max: 100,
            posts_max: 100,
            request_length_max: 256 << 10,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(120),
            conflation: Duration::from_millis(100),
            requests_per_second: 1_000,
            requests_burst: 2_000,
            commands_per_second: 1_000,
            commands_burst: 4_000,
            addresses_max: 65_536,
        }
    }
}
