//! What a node tells those who run it: numbers for Prometheus, whether it lives, whether it is open.
//!
//! Here is where the counters of all threads meet; each is written by its own thread only
//! ([`gateway::counters`], [`crate::counters`]). They are read, as text, by a thread that has nothing
//! else to do ([`http`]): a slow or hostile reader costs that thread, never one on the way of an order.

pub(crate) mod http;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::CachePadded;
use gateway::api::counters::SharedCounters;
use gateway::counters::{GatewayCounters, SignatureCounters};

use crate::anchor_lag::AnchorLag;
use crate::counters::{CheckpointCounters, JournalCounters, PipelineCounters, ShadowCounters};
use crate::threads::{Clock, Life};

/// Everything that is counted, and by whom.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) gateway: Arc<CachePadded<GatewayCounters>>,
    pub(crate) signatures: Arc<CachePadded<SignatureCounters>>,
    pub(crate) api: SharedCounters,
    pub(crate) pipeline: Arc<CachePadded<PipelineCounters>>,
    pub(crate) journal: Arc<CachePadded<JournalCounters>>,
    pub(crate) shadow: Arc<CachePadded<ShadowCounters>>,
    pub(crate) checkpoint: Arc<CachePadded<CheckpointCounters>>,
    pub(crate) anchor_lag: Option<Arc<AnchorLag>>,
    pub(crate) lives: Vec<Life>,
    pub(crate) clock: Clock,
    is_draining: AtomicBool,
}

/// The counters of the threads that clients meet.
#[derive(Clone, Debug)]
pub(crate) struct EdgeSources {
    pub(crate) gateway: Arc<CachePadded<GatewayCounters>>,
    pub(crate) signatures: Arc<CachePadded<SignatureCounters>>,
    pub(crate) api: SharedCounters,
}

/// The counters of the threads behind the sessions.
#[derive(Clone, Debug)]
pub(crate) struct CoreSources {
    pub(crate) pipeline: Arc<CachePadded<PipelineCounters>>,
    pub(crate) journal: Arc<CachePadded<JournalCounters>>,
    pub(crate) shadow: Arc<CachePadded<ShadowCounters>>,
    pub(crate) checkpoint: Arc<CachePadded<CheckpointCounters>>,
    pub(crate) anchor_lag: Option<Arc<AnchorLag>>,
}

impl Metrics {
    /// Of a node that is open.
    pub(crate) fn new(
        edge: EdgeSources,
        core: CoreSources,
        lives: Vec<Life>,
        clock: Clock,
    ) -> Self {
        Self {
            gateway: edge.gateway,
            signatures: edge.signatures,
            api: edge.api,
            pipeline: core.pipeline,
            journal: core.journal,
            shadow: core.shadow,
            checkpoint: core.checkpoint,
            anchor_lag: core.anchor_lag,
            lives,
            clock,
            is_draining: AtomicBool::new(false),
        }
    }

    /// From now on it is not ready. Called before anything is refused, so that whoever spreads load
    /// hears of it first.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// Why it should be replaced, if it should: one line per reason.
    pub(crate) fn ailments(&self) -> Vec<String> {
        let ended = self.lives.iter().filter_map(Life::ended);
        ended.map(|name| format!("{name} has ended")).collect()
    }

    /// Why it takes no orders, if it takes none: one line per reason.
    pub(crate) fn hindrances(&self) -> Vec<String> {
        // While it stops its threads end one by one, and that is no ailment.
        if self.is_draining.load(Ordering::Acquire) {
            return vec!["it is stopping".to_owned()];
        }
        let mut reasons = self.ailments();
        if self.journal.is_short.get() != 0 {
            reasons.push("the disk is full".to_owned());
        }
        reasons
    }

    /// Whether it takes nothing but cancels. It is ready all the same: they must get here.
    pub(crate) fn is_cancel_only(&self) -> bool {
        self.pipeline.cancel_only.get() != 0
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }
}
