//! What a run uses while it is measured: the generator's CPU time per interval, and the node's.
//!
//! It counts no orders and delays none: it wakes once an interval, and what it asks the node it asks
//! at the beginning and the end.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;
use tokio::time::Interval;

use crate::error::LoadError;
use crate::node_metrics::{NodeFigures, NodeSample, sample};
use crate::run::Board;

/// Wakes at the end of every interval.
pub(crate) struct Meter<'a> {
    board: &'a Board,
    ends: Interval,
    /// Intervals that have ended; none: the measurement has not begun.
    ended: Option<u32>,
    /// CPU time that is charged to an interval.
    charged: Duration,
    /// Where the node tells its numbers.
    node: Option<SocketAddr>,
    node_before: Option<JoinHandle<Result<NodeSample, LoadError>>>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(board: &'a Board, node: Option<SocketAddr>) -> Self {
        let intervals = board.intervals();
        let begin = board.start + intervals.begin;
        Self {
            board,
            ends: tokio::time::interval_at(begin, intervals.length),
            ended: None,
            charged: Duration::ZERO,
            node,
            node_before: None,
        }
    }

    /// Waits for the beginning of the measurement, then for the end of each interval, and does what
    /// is due there. May be given up while it waits.
    pub(crate) async fn tick(&mut self) {
        self.ends.tick().await;
        let Some(ended) = self.ended else {
            self.ended = Some(0);
            self.charged = cpu_time();
            // Within a task of its own: no client waits for the node's page.
            self.node_before = self.node.map(|node| tokio::task::spawn_local(sample(node)));
            return;
        };
        let intervals = self.board.intervals();
        self.ended = Some(ended + 1);
        self.charge(intervals.begin + intervals.length * (ended + 1));
    }

    /// At the end of the run. The node's side, if it was asked for; that it cannot be read by now is
    /// no reason to lose the rest.
    pub(crate) async fn finish(mut self) -> Option<Result<NodeFigures, LoadError>> {
        if self.ended.is_some() {
            self.charge(self.board.elapsed());
        }
        let before = self.node_before?.await.expect("asking does not panic");
        Some(match (before, sample(self.node?).await) {
            (Ok(before), Ok(after)) => Ok(NodeFigures::between(&before, after)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        })
    }

    fn charge(&mut self, until: Duration) {
        let now = cpu_time();
        let used = now.saturating_sub(self.charged);
        self.charged = now;
        self.board.series.borrow_mut().charge(until, used);
    }
}

/// CPU time of this process, user and system.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("CPU time is not negative");
    let nanoseconds = u32::try_from(time.tv_nsec).expect("nanoseconds stay below a second");
    Duration::new(seconds, nanoseconds)
}
