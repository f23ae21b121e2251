//! All rings of a node, and which thread holds which end.

use std::sync::Arc;

use gateway::Wake;
use rtrb::RingBuffer;
use tokio::sync::Notify;

use crate::threads::{Nudge, Parking, Waker};
use crate::{checkpoint_thread, journal_thread, pipeline, shadow};

/// Frames in each ring on the way in. Beyond them clients hear `BUSY`.
pub(crate) const FRAMES: usize = 4_096;
/// Blocks between the pipeline and each follower.
pub(crate) const RELEASED: usize = 1_024;
/// Blocks between the pipeline and the journal; more than may be in flight.
pub(crate) const JOURNAL: usize = 8;
/// Questions to the shadow, and answers back.
pub(crate) const QUERIES: usize = 1_024;
/// There is one set of buffers for checkpoints.
pub(crate) const CHECKPOINTS: usize = 1;

/// What each thread holds of the rings, and where it waits.
pub(crate) struct Ends {
    pub(crate) gateway: gateway::Ports,
    pub(crate) signatures: (Parking, SignatureEnds),
    pub(crate) core: CoreEnds,
}

/// Those of the threads behind the sessions.
pub(crate) struct CoreEnds {
    pub(crate) pipeline: (Parking, pipeline::Ports),
    pub(crate) journal: (Parking, journal_thread::Ports),
    pub(crate) shadow: (Parking, Nudge, shadow::Ports),
    pub(crate) checkpoint: (Parking, checkpoint_thread::Ports),
}

/// The signature thread's.
pub(crate) struct SignatureEnds {
    pub(crate) unverified: rtrb::Consumer<gateway::UnverifiedFrames>,
    pub(crate) verified: rtrb::Producer<types::block::SequencedFrame>,
    pub(crate) rejected: rtrb::Producer<gateway::RejectedFrame>,
    pub(crate) wake_pipeline: Waker,
    pub(crate) wake_gateway: Arc<Notify>,
}

impl Ends {
    /// Makes them.
    #[allow(clippy::too_many_lines)] // A list: in two parts, who holds which end would be hidden.
    pub(crate) fn new() -> Self {
        let (to_verify, unverified) = RingBuffer::new(FRAMES);
        let (verified, frames) = RingBuffer::new(FRAMES);
        let (rejected_in, rejected) = RingBuffer::new(FRAMES);
        let (refused_in, refused) = RingBuffer::new(FRAMES);
        let (released_in, released) = RingBuffer::new(RELEASED);
        let (followed_in, followed) = RingBuffer::new(RELEASED);
        let (to_queries, requests) = RingBuffer::new(QUERIES);
        let (replies, query_replies) = RingBuffer::new(QUERIES);
        let (to_journal, blocks) = RingBuffer::new(JOURNAL);
        let (durable_in, durable) = RingBuffer::new(JOURNAL);
        let (to_checkpoint, jobs) = RingBuffer::new(CHECKPOINTS);
        let (spent_in, spent) = RingBuffer::new(CHECKPOINTS);

        let [signatures, pipeline, journal, shadow, checkpoint] = [(); 5].map(|()| Parking::new());
        let gateway = Arc::new(Notify::new());
        let [
            wake_signatures,
            wake_pipeline,
            wake_journal,
            wake_shadow,
            wake_checkpoint,
        ] = [&signatures, &pipeline, &journal, &shadow, &checkpoint].map(Parking::waker);
        let wake = |waker: &Waker| {
            let waker = waker.clone();
            Wake::new(move || waker.wake())
        };
        let notify = Arc::clone(&gateway);
        let nudge_shadow = Nudge::new(&shadow);
        let nudge = nudge_shadow.clone();
        let wake_gateway = Wake::new(move || notify.notify_one());

        Self {
            gateway: gateway::Ports {
                to_verify,
                wake_verifier: wake(&wake_signatures),
                rejected,
                refused,
                released,
                to_queries,
                wake_queries: wake(&wake_shadow),
                query_replies,
                wake_pipeline: wake(&wake_pipeline),
                wake: Arc::clone(&gateway),
            },
            signatures: (
                signatures,
                SignatureEnds {
                    unverified,
                    verified,
                    rejected: rejected_in,
                    wake_pipeline: wake_pipeline.clone(),
                    wake_gateway: Arc::clone(&gateway),
                },
            ),
            core: CoreEnds {
                pipeline: (
                    pipeline,
                    pipeline::Ports {
                        frames,
                        refused: refused_in,
                        wake_refused: wake_gateway.clone(),
                        to_journal,
                        wake_journal,
                        durable,
                        followers: vec![
                            pipeline::Follower {
                                released: released_in,
                                wake: wake_gateway.clone(),
                                wake_full: wake_gateway,
                            },
                            pipeline::Follower {
                                released: followed_in,
                                wake: Wake::new(move || nudge.nudge()),
                                wake_full: wake(&wake_shadow),
                            },
                        ],
                    },
                ),
                journal: (
                    journal,
                    journal_thread::Ports {
                        blocks,
                        durable: durable_in,
                        wake_pipeline: wake_pipeline.clone(),
                    },
                ),
                shadow: (
                    shadow,
                    nudge_shadow,
                    shadow::Ports {
                        released: followed,
                        wake_pipeline,
                        requests,
                        replies,
                        wake_gateway: gateway,
                        to_checkpoint,
                        spent,
                        wake_checkpoint,
                    },
                ),
                checkpoint: (
                    checkpoint,
                    checkpoint_thread::Ports {
                        jobs,
                        spent: spent_in,
                        wake_shadow,
                    },
                ),
            },
        }
    }
}
