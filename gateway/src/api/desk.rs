//! Frames on their way to the sequencer, and who waits for what becomes of them.
//!
//! Each has a session number of its own, with the highest bit set: sessions of the native protocol
//! count from 1 and never get there. So an answer finds its way back, and the gateway, which is told of
//! every block too, knows none of them.

use std::collections::HashMap;

use rtrb::Producer;
use tokio::sync::oneshot;
use types::auth::AuthenticFrame;
use types::block::{Origin, ReleasedBlock, SequencedFrame};
use types::outcome::FrameVerdict;
use types::{RejectReason, SessionId};

use super::model::{FrameAnswer, Model};
use crate::ports::{RESERVED_PART, RejectedFrame, Wake};

/// Sessions of the API.
const API_SESSION: u64 = 1 << 63;
/// Frames that may wait for their answer.
const WAITING_MAX: usize = 8_192;

/// What there is to say about a frame.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It was sequenced, and this became of it.
    Answered(FrameAnswer),
    /// It was not sequenced.
    Refused(RejectReason),
    /// It may have been sequenced, but the blocks around it are missing here.
    Unknown,
}

/// The way to the sequencer and back.
#[derive(Debug)]
pub(super) struct Desk {
    to_sequencer: Producer<SequencedFrame>,
    wake_sequencer: Wake,
    waiting: HashMap<SessionId, oneshot::Sender<Outcome>>,
    arrivals: u64,
    is_closed: bool,
}

impl Desk {
    pub(super) fn new(to_sequencer: Producer<SequencedFrame>, wake_sequencer: Wake) -> Self {
        Self {
            to_sequencer,
            wake_sequencer,
            waiting: HashMap::new(),
            arrivals: 0,
            is_closed: false,
        }
    }

    /// Takes no more frames; those that wait get their answers still.
    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Hands a frame over. Refused where there is no room, and then nothing has happened; the last
    /// eighth is for frames of nothing but cancels.
    pub(super) fn submit(
        &mut self,
        frame: AuthenticFrame,
        received_at: u64,
    ) -> Result<oneshot::Receiver<Outcome>, RejectReason> {
        if self.is_closed {
            return Err(RejectReason::ShuttingDown);
        }
        if self.waiting.len() >= WAITING_MAX {
            // Those whose client has gone are waited for by nobody.
            self.waiting.retain(|_, reply| !reply.is_closed());
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(RejectReason::Busy);
        }
        let reserved = self.to_sequencer.buffer().capacity() / RESERVED_PART;
        let is_cancel = frame.frame().is_cancel();
        if self.to_sequencer.slots() <= reserved && !is_cancel {
            return Err(RejectReason::Busy);
        }
        self.arrivals += 1;
        let session = SessionId::new(API_SESSION | self.arrivals);
        let sequenced = SequencedFrame {
            frame,
            origin: Some(Origin {
                session,
                received_at,
                arrival: self.arrivals,
            }),
        };
        self.to_sequencer
            .push(sequenced)
            .map_err(|_| RejectReason::Busy)?;
        self.wake_sequencer.wake();
        let (reply, outcome) = oneshot::channel();
        self.waiting.insert(session, reply);
        Ok(outcome)
    }

    /// Answers whoever waits for a frame of this block, which the model has followed.
    pub(super) fn answer(&mut self, released: &ReleasedBlock, model: &Model) {
        if self.waiting.is_empty() {
            return;
        }
        let frames = released.outcome.frames_with_receipts();
        for ((frame, receipts), origin) in frames.zip(&released.origins) {
            let Some(reply) = origin.and_then(|origin| self.waiting.remove(&origin.session)) else {
                continue;
            };
            let outcome = match frame.verdict {
                FrameVerdict::Executed => Outcome::Answered(model.answer(released, receipts)),
                FrameVerdict::Refused(reason) => Outcome::Refused(reason),
                // Nonces of actions are used once, so nothing is a repetition of anything.
                FrameVerdict::Repeated { .. } => Outcome::Refused(RejectReason::NonceReused),
            };
            // Whoever asked may have gone.
            let _ = reply.send(outcome);
        }
    }

    /// A frame that was not sequenced.
    pub(super) fn refuse(&mut self, rejected: &RejectedFrame) {
        if let Some(reply) = self.waiting.remove(&rejected.session) {
            let _ = reply.send(Outcome::Refused(rejected.reason));
        }
    }

    /// Blocks are missing: nobody can be told any more what became of what was handed over.
    pub(super) fn give_up(&mut self) {
        for (_, reply) in self.waiting.drain() {
            let _ = reply.send(Outcome::Unknown);
        }
    }
}

/// Whether a session is the API's.
pub fn is_of_api(session: SessionId) -> bool {
    session.get() & API_SESSION != 0
}
