//! Why a session does not open, and why it ends. Each says what to do about it.

use std::net::SocketAddr;

use quinn::{ConnectionError, ReadError, WriteError};
use thiserror::Error;
use types::auth::PublicKey;
use types::{NetworkId, RejectReason};

/// Why no session was opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// No UDP socket could be opened here.
    #[error("cannot open a UDP socket ({reason}); is the number of open files at its limit?")]
    Socket {
        /// What the system says.
        reason: String,
    },
    /// Nothing answers there, or it does not speak this protocol.
    #[error("cannot reach {server} ({reason}); is the node running and the address right?")]
    Unreachable {
        /// Where.
        server: SocketAddr,
        /// What the transport says.
        reason: String,
    },
    /// The server has another key than the pinned one.
    #[error(
        "{server} has the key {presented}, not the pinned {expected}; take the key that its \
         operator publishes, or suspect whoever answers there"
    )]
    PinMismatch {
        /// Where.
        server: SocketAddr,
        /// The pinned key.
        expected: PublicKey,
        /// The key that the server has.
        presented: PublicKey,
    },
    /// The server refuses the session.
    #[error("the server refuses the session: {reason}; {}", hint(*reason))]
    Refused {
        /// Why.
        reason: RejectReason,
    },
    /// The server runs another network than the wanted one, although it opened the session.
    #[error("the server runs network {actual}, not {wanted}")]
    WrongNetwork {
        /// What was asked for.
        wanted: NetworkId,
        /// What it runs.
        actual: NetworkId,
    },
    /// The connection ended before the session was open.
    #[error(transparent)]
    Ended(#[from] SessionError),
}

const fn hint(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::WrongNetwork => "name the network that this server runs, or none",
        RejectReason::UnknownKey => "no account of this network has registered this key",
        RejectReason::BadSignature => "the secret key does not belong to the public key",
        RejectReason::UnsupportedVersion => "client and server are of different versions",
        RejectReason::TooManySessions => "close other sessions or try again later",
        RejectReason::ShuttingDown => "try again when the node is back",
        RejectReason::Timeout => "the opening took too long; try again",
        _ => "client and server disagree on the protocol",
    }
}

/// Why a session is over. What became of unanswered frames can be asked by nonce in a new one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// All answers were delivered after this side had finished sending.
    #[error("the session is over")]
    Finished,
    /// The server closed it.
    #[error("the server closed the session: {reason}")]
    Closed {
        /// Why.
        reason: RejectReason,
    },
    /// The connection is gone.
    #[error("the connection is lost ({reason}); reconnect and ask by nonce")]
    Lost {
        /// What the transport says.
        reason: String,
    },
    /// The server sent what is no message of this protocol.
    #[error("the server does not keep to the protocol: {reason}")]
    Protocol {
        /// What is wrong with it.
        reason: RejectReason,
    },
}

impl SessionError {
    fn lost(reason: &impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Lost { reason }
    }
}

impl From<ConnectionError> for SessionError {
    fn from(error: ConnectionError) -> Self {
        let ConnectionError::ApplicationClosed(close) = &error else {
            return Self::lost(&error);
        };
        match u16::try_from(close.error_code.into_inner()) {
            Ok(0) => Self::Finished,
            Ok(code) => match RejectReason::from_code(code) {
                Some(reason) => Self::Closed { reason },
                None => Self::lost(&error),
            },
            Err(_) => Self::lost(&error),
        }
    }
}

impl From<WriteError> for SessionError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(error) => error.into(),
            _ => Self::lost(&error),
        }
    }
}

impl From<ReadError> for SessionError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(error) => error.into(),
            _ => Self::lost(&error),
        }
    }
}

impl From<RejectReason> for SessionError {
    /// Of a message that the server sent.
    fn from(reason: RejectReason) -> Self {
        Self::Protocol { reason }
    }
}
