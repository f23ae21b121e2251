//! How commands reach a node: which server they trust, and with which key they come.

use std::net::SocketAddr;

use client::{ConnectOptions, ServerPin, SignatureMode};
use types::auth::{PublicKey, SigningKey};

use super::Failure;

/// The server that `--pin` names; without it, a development network's.
pub(super) fn server_pin(text: Option<&str>) -> Result<ServerPin, Failure> {
    match text {
        None => Ok(ServerPin::Development),
        Some(text) => public_key("--pin", text).map(ServerPin::PublicKey),
    }
}

/// The key that an option of this name gives.
pub(super) fn public_key(name: &str, text: &str) -> Result<PublicKey, Failure> {
    let key = PublicKey::from_hex(text);
    key.ok_or_else(|| Failure::Usage(format!("{name}: not 64 hexadecimal digits")))
}

/// A session of whichever network the server runs, a signature a frame.
pub(super) const fn connect_options(
    server: SocketAddr,
    pin: ServerPin,
    key: SigningKey,
) -> ConnectOptions {
    ConnectOptions {
        server,
        pin,
        network: None,
        key,
        signatures: SignatureMode::Frame,
        keep_alive: client::KEEP_ALIVE,
        receipts: false,
    }
}
