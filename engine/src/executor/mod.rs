//! Which executor runs a block: whoever executes blocks holds one of these and need not know.

use types::block::Block;
use types::outcome::BlockOutcome;

use crate::parallel::workers::Pool;
use crate::parallel::{BlockExecutor, COMMANDS_MIN, Choice, Hands, Settings};
use crate::sequential;
use crate::state::State;
use race::{Race, Way};

mod race;

/// The executors that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecutorKind {
    /// Per block, whichever has been faster lately.
    #[default]
    Auto,
    /// One command after the other.
    Sequential,
    /// In lanes of markets, as far as commands are not barriers and there is more than one lane.
    Parallel,
}

/// The time in nanoseconds, from any start: the engine has no clock of its own. Only `auto` looks at
/// it, and no outcome depends on it.
pub type Clock = fn() -> u64;

/// The machine gives no more threads.
#[derive(Debug, thiserror::Error)]
#[error("workers cannot be started: {0}")]
pub struct NoWorkers(#[from] rayon::ThreadPoolBuildError);

/// An executor of blocks of one state. Which it is has no influence on any outcome.
#[derive(Debug)]
pub struct Executor(Kind);

#[derive(Debug)]
enum Kind {
    Sequential,
    Parallel(Box<Lanes>),
    Auto(Box<Lanes>, Race, Clock),
}

#[derive(Debug)]
struct Lanes {
    blocks: BlockExecutor,
    pool: Pool,
}

impl Executor {
    /// The sequential one.
    pub const fn sequential() -> Self {
        Self(Kind::Sequential)
    }

    /// One of this kind with so many workers, the calling thread among them, for blocks that follow
    /// this state.
    ///
    /// `auto` measures both ways, by this clock, and is sequential where there is one worker.
    pub fn new(
        kind: ExecutorKind,
        workers: usize,
        state: &State,
        clock: Clock,
    ) -> Result<Self, NoWorkers> {
        let lanes = |choice| {
            let settings = Settings { choice, cut: None };
            let blocks = BlockExecutor::new(state, settings);
            let pool = Pool::new(workers)?;
            Ok::<_, NoWorkers>(Box::new(Lanes { blocks, pool }))
        };
        Ok(Self(match kind {
            ExecutorKind::Sequential => Kind::Sequential,
            ExecutorKind::Auto if workers < 2 => Kind::Sequential,
            ExecutorKind::Auto => Kind::Auto(lanes(Choice::Auto)?, Race::default(), clock),
            ExecutorKind::Parallel => Kind::Parallel(lanes(Choice::Lanes)?),
        }))
    }

    /// Executes a block on top of `state`; see [`sequential::execute`].
    ///
    /// Panics where that does.
    pub fn execute(&mut self, state: &mut State, block: &Block, outcome: &mut BlockOutcome) {
        match &mut self.0 {
            Kind::Sequential => sequential::execute(state, block, outcome),
            Kind::Parallel(lanes) => lanes.execute(state, block, outcome),
            Kind::Auto(lanes, race, clock) => {
                let commands = block.command_count();
                if commands < COMMANDS_MIN as u64 {
                    return sequential::execute(state, block, outcome);
                }
                let (way, began) = (race.next(), clock());
                match way {
                    Way::Sequential => sequential::execute(state, block, outcome),
                    Way::Parallel => lanes.execute(state, block, outcome),
                }
                race.took(way, commands, clock().saturating_sub(began));
            }
        }
    }
}

impl Lanes {
    fn execute(&mut self, state: &mut State, block: &Block, outcome: &mut BlockOutcome) {
        let hands = Hands::Real(&self.pool);
        self.blocks.execute(state, block, outcome, hands, None);
    }
}
