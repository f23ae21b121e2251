//! The Rust SDK for Keel's native protocol: what a market maker links.
//!
//! [`connect`] opens a session and splits it into a [`Sender`] and a [`Receiver`]. The sender
//! queues signed frames and questions without any I/O and sends them in one coalesced write per
//! [`Sender::flush`]; the receiver yields checked [`Message`]s. Neither starts a task or a thread,
//! retries, or decides anything: an answer that a lost connection swallowed is asked for by nonce,
//! and a frame sent again byte for byte gets its first answer.
//!
//! [`Session`] does that by itself: it is both halves in one, and outlives its connections.
//! [`Market`] makes commands from decimal text, and [`stages`] says where the time of an order goes.
//! `examples/market_maker.rs` and `examples/taker.rs` use all three.
//!
//! Feeds come beside both, each on a stream of its own: [`Sender::queue_subscribe`] asks for one,
//! [`Receiver::feeds`] yields it, and [`book::FeedBook`] builds the book and checks every message.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{ConnectOptions, Message, ServerPin, connect};
//! use types::auth::SigningKey;
//! use types::command::CancelScope;
//! use types::wire::session::SignatureMode;
//! use types::{Command, NetworkId};
//!
//! let (mut sender, mut receiver) = connect(&ConnectOptions {
//!     server: "127.0.0.1:7001".parse()?,
//!     pin: ServerPin::Development,
//!     network: Some(NetworkId::DEVELOPMENT),
//!     key: SigningKey::development("dev-0"),
//!     signatures: SignatureMode::Frame,
//!     keep_alive: client::KEEP_ALIVE,
//!     receipts: false,
//! })
//! .await?;
//! let nonce = sender.queue_frame(&[Command::CancelAll(CancelScope::EVERYTHING)]);
//! sender.flush().await?;
//! while let Ok(message) = receiver.next().await {
//!     if let Message::Ack(ack) = message && ack.nonce() == nonce {
//!         println!("durable as of sequence number {}", ack.view().first_sequence);
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod book;
mod connect;
mod error;
mod feed;
mod guest;
mod join;
mod market;
mod message;
mod pin;
mod receiver;
mod sender;
mod session;
mod signer;
pub mod stages;

pub use connect::{ConnectOptions, KEEP_ALIVE, connect, quic_config};
pub use error::{ConnectError, SessionError};
pub use feed::{EventsMessage, FeedError, FeedMessage, FeedStream, Feeds, SnapshotMessage};
pub use guest::{WalletError, WalletRequest, register_key, revoke_key, wallet_context};
pub use market::Market;
pub use message::{AckMessage, EndedMessage, FillsMessage, Message, ReceiptsMessage};
pub use pin::ServerPin;
pub use receiver::Receiver;
pub use sender::Sender;
pub use session::{Session, SessionEvent};
pub use signer::FrameSigner;
pub use types::wire::session::SignatureMode;
