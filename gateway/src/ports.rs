//! The rings at which gateway, signature worker, engine and read models meet.
//!
//! Every ring has one producer and one consumer and is bounded; whoever finds one full refuses
//! what it holds, with a reason. Rings do not wake anybody by themselves: see [`Wake`] and
//! [`Ports::wake`].

use std::sync::Arc;

use rtrb::{Consumer, Producer};
use tokio::sync::Notify;
use types::auth::{PublicKey, SignedFrames};
use types::block::{Origin, ReleasedBlock};
use types::wire::query::Question;
use types::{AccountId, KeyId, Nonce, RejectReason, SequenceNumber, SessionId};

use crate::feed_ports::FeedPorts;

/// The last eighth of each ring on the way in is for frames of nothing but cancels.
pub(crate) const RESERVED_PART: usize = 8;

/// The gateway's ends of all rings.
#[derive(Debug)]
pub struct Ports {
    /// Well-formed frames, to the signature worker.
    pub to_verify: Producer<UnverifiedFrames>,
    /// Wakes the signature worker: once per burst of frames, and after [`Ports::rejected`] was
    /// emptied, for it may have been waiting for room there.
    pub wake_verifier: Wake,
    /// Frames that the signature worker refused.
    pub rejected: Consumer<RejectedFrame>,
    /// Frames that were verified and that the pipeline refused all the same.
    pub refused: Consumer<RejectedFrame>,
    /// Durable blocks from the release gate, in order.
    pub released: Consumer<Arc<ReleasedBlock>>,
    /// Wakes whoever pushes to [`Ports::released`] and [`Ports::refused`]: after one of them was full,
    /// for it may have been waiting for room.
    pub wake_pipeline: Wake,
    /// Keys that are not heard any more, to the sequencer.
    pub silences: Producer<KeyId>,
    /// Questions for the read models.
    pub to_queries: Producer<QueryRequest>,
    /// Wakes the read models: once per burst of questions, and after [`Ports::query_replies`] was
    /// full.
    pub wake_queries: Wake,
    /// Answers of the read models.
    pub query_replies: Consumer<QueryReply>,
    /// Where the feeds are made.
    pub feeds: FeedPorts,
    /// Wakes the gateway: call `notify_one` after pushing to `rejected`, `refused`, `released`,
    /// `query_replies` or the deliveries of `feeds`.
    pub wake: Arc<Notify>,
}

/// Wakes one thread that may be parked. Cheap enough to call once per burst.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    /// Usually unparks a thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Wakes it.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

/// Well-formed frames of an open session, before the signature over them is verified.
#[derive(Clone, Debug)]
pub struct UnverifiedFrames {
    /// The frames.
    pub frames: SignedFrames,
    /// The key of their session, which must have signed them.
    pub public_key: PublicKey,
    /// Where the first of them came in; the others right behind it.
    pub origin: Origin,
}

/// A frame that was refused before it was sequenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedFrame {
    /// The session to tell.
    pub session: SessionId,
    /// The frame's nonce, which stays unused.
    pub nonce: Nonce,
    /// How many commands it had.
    pub commands: u16,
    /// Why.
    pub reason: RejectReason,
}

/// A question that a read model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryRequest {
    /// The session to answer.
    pub session: SessionId,
    /// Whose state is asked about.
    pub account: AccountId,
    /// The client's number, returned in the reply.
    pub request: u64,
    /// [`Question::Balances`], [`Question::OpenOrders`] or [`Question::Markets`]; the gateway answers
    /// the others itself.
    pub question: Question,
    /// The answer must include everything up to here: what any session has been told before it
    /// asked, so that nobody misses his own orders in it.
    pub at_least: SequenceNumber,
}

/// An answer of a read model. Every [`QueryRequest`] gets exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryReply {
    /// The session that asked.
    pub session: SessionId,
    /// One or more whole messages, made with [`types::wire::query::encode_reply`].
    pub message: Vec<u8>,
}
