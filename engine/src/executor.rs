//! Which executor runs a block: whoever executes blocks holds one of these and need not know.

use types::block::Block;
use types::outcome::BlockOutcome;

use crate::parallel::workers::Pool;
use crate::parallel::{BlockExecutor, Choice, Hands, Settings};
use crate::sequential;
use crate::state::State;

/// The executors that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecutorKind {
    /// Per block, whichever promises to be faster.
    #[default]
    Auto,
    /// One command after the other.
    Sequential,
    /// In lanes of markets, as far as commands are not barriers and there is more than one lane.
    Parallel,
}

/// With fewer workers `auto` is sequential. Measured on bare order flow (`benches/README.md`), what
/// one thread does alone in a parallel block takes two thirds of the time of the same block in order,
/// and what workers share takes a little more than all of it: it pays from the fourth worker on.
const AUTO_WORKERS_MIN: usize = 4;

/// The machine gives no more threads.
#[derive(Debug, thiserror::Error)]
#[error("workers cannot be started: {0}")]
pub struct NoWorkers(#[from] rayon::ThreadPoolBuildError);

/// An executor of blocks of one state. Which it is has no influence on any outcome.
#[derive(Debug)]
pub struct Executor(Option<(BlockExecutor, Pool)>);

impl Executor {
    /// The sequential one.
    pub const fn sequential() -> Self {
        Self(None)
    }

    /// One of this kind with so many workers, the calling thread among them, for blocks that follow
    /// this state.
    pub fn new(kind: ExecutorKind, workers: usize, state: &State) -> Result<Self, NoWorkers> {
        let choice = match kind {
            ExecutorKind::Sequential => return Ok(Self::sequential()),
            ExecutorKind::Auto if workers < AUTO_WORKERS_MIN => return Ok(Self::sequential()),
            ExecutorKind::Auto => Choice::Auto,
            ExecutorKind::Parallel => Choice::Lanes,
        };
        let settings = Settings { choice, cut: None };
        let blocks = BlockExecutor::new(state, settings);
        Ok(Self(Some((blocks, Pool::new(workers)?))))
    }

    /// Executes a block on top of `state`; see [`sequential::execute`].
    ///
    /// Panics where that does.
    pub fn execute(&mut self, state: &mut State, block: &Block, outcome: &mut BlockOutcome) {
        match &mut self.0 {
            None => sequential::execute(state, block, outcome),
            Some((blocks, pool)) => blocks.execute(state, block, outcome, Hands::Real(pool), None),
        }
    }
}
