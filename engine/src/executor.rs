//! Which executor runs a block: whoever executes blocks holds one of these and need not know.

use types::block::Block;
use types::outcome::BlockOutcome;

use crate::parallel::workers::Pool;
use crate::parallel::{BlockExecutor, Choice, Hands, Settings, Tally};
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
            ExecutorKind::Auto if workers == 1 => return Ok(Self::sequential()),
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

    /// What was executed in parallel so far, and what it took.
    pub fn tally(&self) -> Tally {
        let blocks = self.0.as_ref().map(|(blocks, _)| *blocks.tally());
        blocks.unwrap_or_default()
    }
}
