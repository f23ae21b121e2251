//! QUIC order entry: sessions, signatures and answers.
//!
//! The gateway turns bytes from strangers into checked frames and released outcomes into answers.
//! It decides nothing about orders and never sees the engine: both meet only through bounded rings
//! of `types` values ([`Ports`]). A full ring is a defined answer (`BUSY`), never a wait and never
//! a loss. It starts no threads: [`Gateway::serve`] runs on a current-thread runtime that its
//! caller owns, and [`SignatureWorker`] is the body of a loop of its caller's.
//!
//! | file | holds |
//! |---|---|
//! | [`serve`](Gateway) | the life of the gateway: open, draining, closed |
//! | `accept` | handshakes and the opening of sessions |
//! | `admission` | limits of addresses, keys and accounts |
//! | `read`, `write` | one session's stream, in and out |
//! | `dispatch` | released blocks to reports and acks |
//! | `reports` | what a block tells an account without being asked, in order |
//! | `feed_desk`, `feed_reader` | who reads which feed, and each reader's stream |
//! | `receipts` | when frames arrived and where they were sequenced, signed |
//! | `session`, `table` | who is connected, and what is owed to whom |
//! | [`AnswerBook`] | the last answers per key, for repeats and queries by nonce |
//! | [`KeyDirectory`] | which key may open which account's session |
//! | [`SignatureWorker`] | batch verification between gateway and sequencer |
//! | [`Identity`] | the server's TLS key |
//! | [`api`] | the trader API over HTTP and WebSocket |
//! | [`counters`] | what the threads here count while they work |
//!
//! Everything that `serve` runs stays on its thread, so state is shared through `Rc` and cells; no
//! borrow of a cell is held across an await.
#![forbid(unsafe_code)]

mod accept;
mod admission;
mod answers;
pub mod api;
mod config;
pub mod counters;
mod directory;
mod dispatch;
mod feed_desk;
mod feed_ports;
mod feed_reader;
mod ports;
mod presence;
mod read;
mod receipts;
mod reports;
mod serve;
mod session;
mod table;
pub mod tls;
mod verify;
mod write;

pub use admission::{Pace, Weights};
pub use answers::{Answer, AnswerBook, NotAnswers};
pub use config::GatewayConfig;
pub use directory::{KeyDirectory, KeyRecord};
pub use feed_ports::{FeedDelivery, FeedGroup, FeedPorts, FeedRequest};
pub use ports::{Ports, QueryReply, QueryRequest, RejectedFrame, UnverifiedFrames, Wake};
pub use serve::{Gateway, GatewayHandle, GatewaySetup, ServeError};
pub use tls::Identity;
pub use verify::{Progress, SignatureWorker};
