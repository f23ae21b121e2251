//! A run: several lives of a node on one disk, all from one seed.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use node::recovery::identity_of;
use store::Identity;
use store::disk::{Random, SimulatedDisk};
use types::genesis::Genesis;
use types::outcome::Digest;

use crate::clients::Clients;
use crate::plan::{Plan, small_genesis};
use crate::trace::Trace;
use crate::truth::Truth;

/// Who found that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oracle {
    /// The list of answers that left the node.
    Ledger,
    /// The journal, executed again.
    Replay,
    /// The exchange that was written from the rules alone.
    Model,
    /// Who may sign, and what stays off the books.
    Keys,
    /// What a start may come to.
    Recovery,
    /// A node stops when told to, and goes on when it can.
    Progress,
    /// What clients are owed after a restart.
    Reopening,
    /// The node itself.
    Assertion,
}

/// Something is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    oracle: Oracle,
    what: String,
}

impl Violation {
    pub(crate) fn new(oracle: Oracle, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { oracle, what }
    }

    pub(crate) fn unless(
        holds: bool,
        oracle: Oracle,
        what: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self::new(oracle, what())),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of everything that happened.
    pub hash: Digest,
    /// How much that was.
    pub events: u64,
    /// Futures after a crash that were recovered and checked.
    pub crash_points: u64,
    /// Lives of the node.
    pub lives: u64,
    /// Blocks that are in the journal for good.
    pub blocks: u64,
    /// Which of [`RARE`](crate::RARE) came.
    pub reached: BTreeSet<&'static str>,
}

/// What went wrong in a run.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The seed that shows it again.
    pub seed: u64,
    /// Who found it.
    pub oracle: Oracle,
    /// What was found.
    pub what: String,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}: {:?}: {}", self.seed, self.oracle, self.what)
    }
}

/// Everything that one seed decides.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    /// Draws graces alone, so that a run without one is as it was before there were any.
    pub(crate) graces: Random,
    pub(crate) plan: Plan,
    pub(crate) genesis: Genesis,
    pub(crate) identity: Identity,
    pub(crate) disk: SimulatedDisk,
    pub(crate) trace: Trace,
    /// Nanoseconds since the Unix epoch.
    pub(crate) now: Arc<AtomicU64>,
    pub(crate) clients: Clients,
    pub(crate) truth: Truth,
    pub(crate) watch: crate::life::Watch,
    /// Whether something durable may be gone.
    pub(crate) harmed: bool,
    pub(crate) crash_points: u64,
    pub(crate) lives: u64,
}

/// Runs a seed to its end, or to the first thing that is wrong.
pub fn run(seed: u64) -> Result<Outcome, Failed> {
    let mut world = World::new(seed);
    let result = catch_unwind(AssertUnwindSafe(|| world.go()));
    let violation = match result {
        Ok(Ok(())) => return Ok(world.outcome()),
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
            Violation::new(Oracle::Assertion, text.unwrap_or_default())
        }
    };
    let Violation { oracle, what } = violation;
    let what = format!("{what}\n  life {}, {:?}", world.lives, world.plan);
    Err(Failed { seed, oracle, what })
}

/// When every run begins.
const BEGINNING: u64 = 1_700_000_000_000_000_000;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut graces = Random(seed.rotate_left(32));
        let plan = Plan::draw(&mut random, &mut graces);
        let genesis = small_genesis(&mut random);
        let world = Self {
            clients: Clients::new(&genesis, &mut random),
            truth: Truth::new(&genesis),
            identity: identity_of(&genesis),
            disk: SimulatedDisk::with_commits_linked(plan.linked),
            trace: Trace::default(),
            now: Arc::new(AtomicU64::new(BEGINNING)),
            watch: crate::life::Watch::default(),
            harmed: false,
            crash_points: 0,
            lives: 0,
            random,
            graces,
            plan,
            genesis,
        };
        world.set_clock(BEGINNING);
        world
    }

    fn go(&mut self) -> Result<(), Violation> {
        let mut next = self.first_start()?;
        while let Some(recovered) = next {
            self.lives += 1;
            let end = self.live(recovered)?;
            next = self.restart(end)?;
            if self.plan.lives <= self.lives {
                break;
            }
        }
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let (hash, events, reached) = self.trace.finish();
        Outcome {
            hash,
            events,
            crash_points: self.crash_points,
            lives: self.lives,
            blocks: self.truth.height().get(),
            reached,
        }
    }

    pub(crate) fn clock(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn set_clock(&self, nanos: u64) {
        self.now.store(nanos, Ordering::Relaxed);
        #[cfg(feature = "planted-bugs")]
        types::planted::set_wall_clock(nanos);
    }
}

impl Violation {
    /// The same, with where it was found.
    pub(crate) fn within(self, place: &str) -> Self {
        let what = format!("{place}: {}", self.what);
        Self { what, ..self }
    }
}
