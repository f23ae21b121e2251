//! One life of a node: its real loops, turned one by one in an order that is drawn.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use engine::executor::Executor;
use gateway::{AnswerBook, RejectedFrame, Wake};
use node::checkpoint_thread::{self, CheckpointWriter};
use node::feeds::{self, FeedWorker};
use node::grace::Grace;
use node::journal_thread::{self, Covered, JournalWorker, Recycling};
use node::pipeline::{self, Follower, Pipeline, Source};
use node::recovery::Recovered;
use node::shadow::{self, CheckpointPlan, Shadow};
use node::space::SpacePlan;
use node::threads::{Clock, Parking};
use rtrb::{Consumer, Producer, RingBuffer};
use store::{CheckpointMeta, Folders, Identity, StoreError};
use tokio::sync::Notify;
use types::KeyId;
use types::block::{ReleasedBlock, SequencedFrame};

use crate::plan::Plan;

/// The parts of a node, and the ends of the rings that clients and gateway hold.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) pipeline: Pipeline,
    pub(crate) journal: JournalWorker,
    pub(crate) feeds: FeedWorker,
    pub(crate) shadow: Shadow,
    pub(crate) checkpoint: CheckpointWriter,
    pub(crate) frames: Producer<SequencedFrame>,
    pub(crate) silences: Producer<KeyId>,
    pub(crate) released: Consumer<Arc<ReleasedBlock>>,
    pub(crate) refused: Consumer<RejectedFrame>,
    /// The gateway's.
    pub(crate) answers: AnswerBook,
}

impl Node {
    /// As `node::running` wires it, without threads.
    #[allow(clippy::too_many_lines)] // A list: in two parts, who holds which end would be hidden.
    pub(crate) fn start(
        (recovered, grace): (Recovered, Grace),
        folders: &Folders,
        plan: &Plan,
        identity: Identity,
        now: &Arc<AtomicU64>,
    ) -> Self {
        let clock = Clock::simulated(Arc::clone(now));
        let waker = Parking::new().waker();
        let wake = || Wake::new(|| {});
        let (frames, arrived) = RingBuffer::new(plan.frames_ring);
        let (refused_in, refused) = RingBuffer::new(4);
        let (released_in, released) = RingBuffer::new(plan.released_ring);
        let (to_feeds, released_to_feeds) = RingBuffer::new(plan.released_ring);
        let (followed_in, followed) = RingBuffer::new(plan.released_ring);
        // These are as long as in a node: they rely on it.
        let (to_journal, blocks) = RingBuffer::new(8);
        let (durable_in, durable) = RingBuffer::new(8);
        let (to_checkpoint, jobs) = RingBuffer::new(1);
        let (spent_in, spent) = RingBuffer::new(1);
        let (_, requests) = RingBuffer::new(1);
        let (replies, _) = RingBuffer::new(1);
        let (_, feed_requests) = RingBuffer::new(1);
        let (deliveries, _) = RingBuffer::new(1);
        let covered = Covered::default();
        let space = SpacePlan::for_segments(plan.segment_length);
        let instance = recovered.journal.instance();
        let ports = journal_thread::Ports {
            blocks,
            durable: durable_in,
            wake_pipeline: waker.clone(),
        };
        let recycling = Recycling {
            segments: plan.kept_segments,
            covered: covered.clone(),
        };
        let (journal, clock_of) = (recovered.journal, || clock.clone());
        let journal = JournalWorker::new(journal, ports, clock_of(), space, recycling, true);
        let follower = |released| Follower {
            released,
            wake: wake(),
            wake_full: wake(),
        };
        let (silences, silent) = RingBuffer::new(2);
        let ports = pipeline::Ports {
            sources: vec![Source {
                frames: arrived,
                refused: refused_in,
                wake_refused: wake(),
            }],
            silences: silent,
            to_journal,
            wake_journal: waker.clone(),
            durable,
            followers: vec![follower(released_in), follower(to_feeds)],
        };
        let pipeline = Pipeline::new(
            (recovered.state, Executor::sequential(), grace),
            ports,
            clock_of(),
            (space, journal.room()),
        );
        let ports_of_feeds = feeds::Ports {
            released: released_to_feeds,
            wake_pipeline: waker.clone(),
            followed: followed_in,
            wake_shadow: wake(),
            requests: feed_requests,
            deliveries,
            wake_gateway: Arc::new(Notify::new()),
        };
        let ports = shadow::Ports {
            followed,
            wake_feeds: waker.clone(),
            requests,
            replies,
            wake_gateway: Arc::new(Notify::new()),
            to_checkpoint,
            spent,
            wake_checkpoint: waker.clone(),
            teller: None,
        };
        let checkpoints = CheckpointPlan {
            identity,
            instance,
            interval: std::time::Duration::from_nanos(plan.checkpoint_interval_ns),
        };
        let ports_of_writer = checkpoint_thread::Ports {
            jobs,
            spent: spent_in,
            wake_shadow: waker,
        };
        let (files, kept) = (folders.checkpoints(), plan.kept_checkpoints);
        Self {
            pipeline,
            journal,
            feeds: FeedWorker::new(recovered.feeds, clock_of(), ports_of_feeds),
            shadow: Shadow::new(recovered.beginning, checkpoints, clock, ports),
            checkpoint: CheckpointWriter::new(files, kept, covered, ports_of_writer),
            frames,
            silences,
            released,
            refused,
            answers: recovered.answers,
        }
    }

    /// Writes a checkpoint, if there is one to write.
    pub(crate) fn write_checkpoint(&mut self) -> Option<Result<CheckpointMeta, StoreError>> {
        self.checkpoint.turn()
    }
}
