//! All rings of a node, and which thread holds which end.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use gateway::Wake;
use gateway::api::ports::{ApiPorts, ProofRequest};
use rtrb::RingBuffer;
use tokio::sync::Notify;

use crate::api::{Teller, UPDATES};
use crate::threads::{Nudge, Parking, Waker};
use crate::{checkpoint_thread, feeds, journal_thread, pipeline, proofs, shadow};

/// Frames in each ring on the way in. Beyond them clients hear `BUSY`.
pub(crate) const FRAMES: usize = 4_096;
/// Blocks between the pipeline and each follower.
pub(crate) const RELEASED: usize = 1_024;
/// Blocks between the pipeline and the journal; more than may be in flight.
pub(crate) const JOURNAL: usize = 8;
/// Readers that begin and stop to read.
const FEED_REQUESTS: usize = 1_024;
/// Messages of feeds to the gateway.
const FEED_DELIVERIES: usize = 4_096;
/// Silences of keys; more are told a little later.
const SILENCES: usize = 1_024;
/// Questions to the shadow, and answers back.
pub(crate) const QUERIES: usize = 1_024;
/// There is one set of buffers for checkpoints.
pub(crate) const CHECKPOINTS: usize = 1;

/// Frames of signed actions, and those of them that the disk had no room for.
const ACTIONS: usize = 4_096;

/// What each thread holds of the rings, and where it waits.
pub(crate) struct Ends {
    pub(crate) gateway: gateway::Ports,
    pub(crate) signatures: (Parking, SignatureEnds),
    pub(crate) core: CoreEnds,
    /// The trader API's, if there is one, and those of whoever proves for it.
    pub(crate) api: Option<(ApiPorts, Receiver<ProofRequest>)>,
}

/// Those of the threads behind the sessions.
pub(crate) struct CoreEnds {
    pub(crate) pipeline: (Parking, pipeline::Ports),
    pub(crate) journal: (Parking, journal_thread::Ports),
    pub(crate) feeds: (Parking, Nudge, feeds::Ports),
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
    /// Makes them, those of the trader API if it is wanted.
    #[allow(clippy::too_many_lines)] // A list: in two parts, who holds which end would be hidden.
    pub(crate) fn new(with_api: bool) -> Self {
        let (to_verify, unverified) = RingBuffer::new(FRAMES);
        let (verified, frames) = RingBuffer::new(FRAMES);
        let (rejected_in, rejected) = RingBuffer::new(FRAMES);
        let (refused_in, refused) = RingBuffer::new(FRAMES);
        let (released_in, released) = RingBuffer::new(RELEASED);
        let (to_feeds, released_to_feeds) = RingBuffer::new(RELEASED);
        let (followed_in, followed) = RingBuffer::new(RELEASED);
        let (feed_requests, requests_of_feeds) = RingBuffer::new(FEED_REQUESTS);
        let (feed_deliveries, deliveries) = RingBuffer::new(FEED_DELIVERIES);
        let (silences_in, silences) = RingBuffer::new(SILENCES);
        let (to_queries, requests) = RingBuffer::new(QUERIES);
        let (replies, query_replies) = RingBuffer::new(QUERIES);
        let (to_journal, blocks) = RingBuffer::new(JOURNAL);
        let (durable_in, durable) = RingBuffer::new(JOURNAL);
        let (to_checkpoint, jobs) = RingBuffer::new(CHECKPOINTS);
        let (spent_in, spent) = RingBuffer::new(CHECKPOINTS);

        let [signatures, pipeline, journal, feeds, shadow, checkpoint] =
            [(); 6].map(|()| Parking::new());
        let gateway = Arc::new(Notify::new());
        let [
            wake_signatures,
            wake_pipeline,
            wake_journal,
            wake_feeds,
            wake_shadow,
            wake_checkpoint,
        ] = [
            &signatures,
            &pipeline,
            &journal,
            &feeds,
            &shadow,
            &checkpoint,
        ]
        .map(Parking::waker);
        let wake = |waker: &Waker| {
            let waker = waker.clone();
            Wake::new(move || waker.wake())
        };
        let notify = Arc::clone(&gateway);
        let nudge_shadow = Nudge::new(&shadow);
        let nudge_to_shadow = nudge_shadow.clone();
        let nudge_feeds = Nudge::new(&feeds);
        let nudge_to_feeds = nudge_feeds.clone();
        // A question waits for blocks that may be on their way through the feeds.
        let (first, then) = (wake_feeds.clone(), wake_shadow.clone());
        let wake_queries = Wake::new(move || {
            first.wake();
            then.wake();
        });
        let wake_gateway = Wake::new(move || notify.notify_one());
        let first = pipeline::Source {
            frames,
            refused: refused_in,
            wake_refused: wake_gateway.clone(),
        };
        let (api, source, teller) = with_api
            .then(|| api_ends(&wake_pipeline, &wake_shadow))
            .map_or((None, None, None), |(api, source, teller)| {
                (Some(api), Some(source), Some(teller))
            });

        Self {
            api,
            gateway: gateway::Ports {
                to_verify,
                wake_verifier: wake(&wake_signatures),
                rejected,
                refused,
                released,
                silences: silences_in,
                to_queries,
                wake_queries,
                query_replies,
                wake_pipeline: wake(&wake_pipeline),
                feeds: gateway::FeedPorts {
                    requests: feed_requests,
                    deliveries,
                    wake: wake(&wake_feeds),
                },
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
                        sources: std::iter::once(first).chain(source).collect(),
                        silences,
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
                                released: to_feeds,
                                wake: Wake::new(move || nudge_to_feeds.nudge()),
                                wake_full: wake(&wake_feeds),
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
                feeds: (
                    feeds,
                    nudge_feeds,
                    feeds::Ports {
                        released: released_to_feeds,
                        wake_pipeline,
                        followed: followed_in,
                        wake_shadow: Wake::new(move || nudge_to_shadow.nudge()),
                        requests: requests_of_feeds,
                        deliveries: feed_deliveries,
                        wake_gateway: Arc::clone(&gateway),
                    },
                ),
                shadow: (
                    shadow,
                    nudge_shadow,
                    shadow::Ports {
                        followed,
                        wake_feeds,
                        requests,
                        replies,
                        wake_gateway: gateway,
                        to_checkpoint,
                        spent,
                        wake_checkpoint,
                        teller,
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

/// The rings of the trader API, and who holds their other ends.
fn api_ends(
    pipeline: &Waker,
    shadow: &Waker,
) -> ((ApiPorts, Receiver<ProofRequest>), pipeline::Source, Teller) {
    let (to_sequencer, frames) = RingBuffer::new(ACTIONS);
    let (refused_in, refused) = RingBuffer::new(ACTIONS);
    let (updates_in, updates) = RingBuffer::new(UPDATES);
    let (prover, questions) = proofs::queue();
    let api = Arc::new(Notify::new());
    let wake = |waker: &Waker| {
        let waker = waker.clone();
        Wake::new(move || waker.wake())
    };
    let notify = Arc::clone(&api);
    let source = pipeline::Source {
        frames,
        refused: refused_in,
        wake_refused: Wake::new(move || notify.notify_one()),
    };
    let teller = Teller::new(updates_in, Arc::clone(&api));
    let ports = ApiPorts {
        updates,
        wake_follower: wake(shadow),
        to_sequencer,
        wake_sequencer: wake(pipeline),
        refused,
        wake: api,
        prover,
    };
    ((ports, questions), source, teller)
}
