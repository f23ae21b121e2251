//! Blocks of order flow, in parallel.
//!
//! A block is cut at barriers: a tick, a silence or a phase, a command that touches all markets, one that joins
//! markets, one that changes what keys may do or what becomes of their orders.
//! These run alone, on the state itself. What lies between two of them is a segment, whose commands go
//! to lanes ([`super::plan`]), are executed as slices ([`super::lane`]) by the library's executor,
//! come out merged in their order, and whose movements of funds are folded into the ledger at the end.

use std::ops::Range;

use types::Command;
use types::block::{Block, Entry};
use types::outcome::BlockOutcome;

use super::executor::Executor;
use super::funds::{Balances, Numbering, fold};
use super::lane::{Planned, Slice, Venue, Yield};
use super::plan::{Cut, Plan};
use super::run::{Chaos, Commit};
use super::scheduler::Counts;
use super::simulation::{Costs, Simulated};
use super::sync::Mutex;
use super::workers::Workers;
use crate::sequential;
use crate::state::State;
use crate::transition;

/// When a segment is executed in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Always, be there but one lane: for tests, and to measure what the machinery costs.
    Always,
    /// Whenever there is more than one lane.
    Lanes,
    /// When there are enough commands, and enough lanes of them.
    Auto,
}

/// How blocks are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When in parallel.
    pub choice: Choice,
    /// How commands are cut; `None`: as suits the number of workers.
    pub cut: Option<Cut>,
}

/// Who works.
pub enum Hands<'a> {
    /// Threads.
    Real(&'a dyn Workers),
    /// So many virtual workers, and what things cost them.
    Virtual(usize, &'a mut dyn Costs),
}

impl std::fmt::Debug for Hands<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} workers", self.count())
    }
}

impl Hands<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Real(workers) => workers.count(),
            Self::Virtual(count, _) => *count,
        }
    }
}

/// What executing blocks took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of the slices that ran in parallel.
    pub counts: Counts,
    /// How many slices those were.
    pub slices: u64,
    /// Virtual time, where workers are virtual: of the segments alone.
    pub simulated: Simulated,
}

/// Executes blocks on one state, and keeps its memory between them.
#[derive(Debug)]
pub struct BlockExecutor {
    /// `None`: the ledger has more cells than can be numbered, and everything runs in order.
    numbered: Option<(Numbering, Executor<()>)>,
    settings: Settings,
    plan: Plan,
    buffers: Mutex<Vec<Yield>>,
    tally: Tally,
}

/// Segments below this, and blocks, run in order when there is a choice: waking a worker costs as much
/// as some hundred commands do.
pub(crate) const COMMANDS_MIN: usize = 512;

/// Share of the busiest lane, in thousandths, above which a segment runs in order when there is a
/// choice: fewer than four lanes' worth of work is not worth a look (`crate::executor`).
const CRITICAL_MAX: u32 = 250;

impl BlockExecutor {
    /// For blocks that follow this state.
    pub fn new(state: &State, settings: Settings) -> Self {
        let numbering = Numbering::new(state.ledger());
        Self {
            numbered: numbering.map(|numbering| (numbering, Executor::new(0, numbering.count()))),
            settings,
            plan: Plan::default(),
            buffers: Mutex::default(),
            tally: Tally::default(),
        }
    }

    /// What it took so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Executes a block on top of `state`, as [`sequential::execute`] would.
    ///
    /// Panics where that does.
    pub fn execute(
        &mut self,
        state: &mut State,
        block: &Block,
        outcome: &mut BlockOutcome,
        mut hands: Hands<'_>,
        chaos: Option<&dyn Chaos>,
    ) {
        sequential::begin(state, block, outcome);
        let mut sequence = block.first_sequence;
        let commands = usize::try_from(block.command_count()).expect("blocks are bounded");
        let mut segment = Vec::with_capacity(commands);
        for entry in &block.entries {
            match entry {
                Entry::Tick(time) => {
                    self.run(state, &mut segment, outcome, (&mut hands, chaos));
                    sequential::tick(state, *time, sequence, outcome);
                }
                Entry::Silence(key) => {
                    self.run(state, &mut segment, outcome, (&mut hands, chaos));
                    sequential::silence(state, *key, sequence, outcome);
                }
                Entry::Phase(next) => {
                    self.run(state, &mut segment, outcome, (&mut hands, chaos));
                    sequential::phase(state, *next, sequence, outcome);
                }
                Entry::Frame(sequenced) => {
                    let context = sequential::admit(state, sequenced, sequence, outcome);
                    let Some(mut context) = context else {
                        sequence = sequence.advance(entry.command_count());
                        continue;
                    };
                    for command in sequenced.frame.frame().commands() {
                        if is_barrier(&command) {
                            self.run(state, &mut segment, outcome, (&mut hands, chaos));
                            transition::apply(state, context, &command, outcome);
                        } else {
                            segment.push(Planned {
                                context,
                                command,
                                lane: 0,
                            });
                        }
                        context.sequence = context.sequence.next();
                    }
                }
            }
            sequence = sequence.advance(entry.command_count());
        }
        self.run(state, &mut segment, outcome, (&mut hands, chaos));
        sequential::end(state, sequence, outcome);
        sequential::seal(state, outcome);
    }

    /// Executes the commands between two barriers, and empties the list.
    fn run(
        &mut self,
        state: &mut State,
        segment: &mut Vec<Planned<'_>>,
        outcome: &mut BlockOutcome,
        (hands, chaos): (&mut Hands<'_>, Option<&dyn Chaos>),
    ) {
        let cut = self.settings.cut.unwrap_or_else(|| Cut::of(hands.count()));
        let is_parallel = !segment.is_empty() && self.plan(state, segment, cut);
        if is_parallel {
            self.tally.slices += self.plan.slices.len() as u64;
            self.run_in_parallel(state, segment, outcome, (hands, chaos));
        } else {
            for planned in segment.iter() {
                transition::apply(state, planned.context, &planned.command, outcome);
            }
        }
        segment.clear();
    }

    /// Decides how to execute a segment; if in parallel, the plan is made.
    fn plan(&mut self, state: &State, segment: &mut [Planned<'_>], cut: Cut) -> bool {
        let choice = self.settings.choice;
        let is_auto = choice == Choice::Auto;
        let is_small = segment.len() < COMMANDS_MIN;
        self.renumber(state);
        if self.numbered.is_none() || is_auto && is_small {
            return false;
        }
        self.plan.seat(segment, state.protections(), cut);
        let is_serial = choice != Choice::Always && self.plan.loads.len() == 1
            || is_auto && self.plan.critical_share() > CRITICAL_MAX;
        if !is_serial {
            self.plan.cut(segment, cut);
        }
        !is_serial
    }

    /// Accounts may have been opened that have no numbers yet.
    fn renumber(&mut self, state: &State) {
        let knows = |numbering: &Numbering| state.ledger().account_count() <= numbering.accounts();
        if !self.numbered.as_ref().is_none_or(|(it, _)| knows(it)) {
            *self = Self {
                tally: self.tally,
                ..Self::new(state, self.settings)
            };
        }
    }

    fn run_in_parallel(
        &mut self,
        state: &mut State,
        commands: &[Planned<'_>],
        outcome: &mut BlockOutcome,
        (hands, chaos): (&mut Hands<'_>, Option<&dyn Chaos>),
    ) {
        let Self {
            numbered,
            plan,
            buffers,
            tally,
            ..
        } = self;
        let (numbering, executor) = numbered.as_mut().expect("there is a plan");
        let parts = state.parts();
        let lanes = plan.fill_lanes(parts.markets, parts.clusters);
        let lanes: Vec<_> = lanes.into_iter().map(Mutex::new).collect();
        let venue = Venue {
            groups: parts.groups,
            operators: parts.operators,
            ledger: parts.ledger,
            sessions: parts.sessions,
            phase: parts.phase,
            seats: &plan.seats,
        };
        let balances = Balances {
            ledger: parts.ledger,
            numbering: *numbering,
        };
        let slices: Vec<_> = plan
            .slices
            .iter()
            .map(|slice| Slice {
                venue: &venue,
                lane: &lanes[slice.lane as usize],
                commands,
                members: &plan.members[slice.members.start as usize..slice.members.end as usize],
                buffers,
            })
            .collect();
        let merge = Merge {
            outcome,
            commands,
            plan,
            buffers,
            merged: 0,
            yields: Vec::new(),
            of_lane: vec![(0, 0); lanes.len()],
        };
        let block = (&slices[..], &plan.order);
        let counts = match hands {
            Hands::Real(workers) => executor.run(block, &balances, merge, (*workers, chaos)),
            Hands::Virtual(workers, costs) => {
                let costs: &mut dyn Costs = &mut **costs;
                let place = (*workers, costs, chaos);
                let (counts, simulated) = executor.simulate(block, &balances, merge, place);
                tally.simulated.makespan += simulated.makespan;
                tally.simulated.busy += simulated.busy;
                counts
            }
        };
        tally.counts += counts;
        drop(slices);
        for lane in lanes {
            lane.into_inner().end();
        }
        let ledger = state.ledger_mut();
        executor.drain(
            |location, added, aside| fold(ledger, *numbering, (location, added, aside)),
            |_, ()| {},
        );
    }
}

/// Whether a command touches markets of more than one lane, or changes what all lanes know.
const fn is_barrier(command: &Command<'_>) -> bool {
    match command {
        Command::CancelAll(scope) => scope.market.is_none(),
        Command::SetProtection(set) => set.group != 0,
        Command::SetSessionPolicy(_)
        | Command::SetTimer(_)
        | Command::SetTimerAt(_)
        | Command::Send(_)
        | Command::Withdraw(_)
        | Command::OpenSubAccount
        | Command::ApproveAgent(_)
        | Command::Inbox(_)
        | Command::RevokeKey(_)
        | Command::Register(_)
        | Command::Revoke(_) => true,
        Command::Place(_)
        | Command::Replace(_)
        | Command::QuoteSet(_)
        | Command::Cancel(_)
        | Command::Transfer(_)
        | Command::SetMarketStatus(_) => false,
    }
}

/// Puts what slices yield into the order of the commands.
struct Merge<'o> {
    outcome: &'o mut BlockOutcome,
    commands: &'o [Planned<'o>],
    plan: &'o Plan,
    buffers: &'o Mutex<Vec<Yield>>,
    /// How many of the commands have committed.
    merged: usize,
    /// Scratch: what its slices yielded.
    yields: Vec<Yield>,
    /// Scratch: by lane, which of these, and how many of its commands were merged.
    of_lane: Vec<(usize, usize)>,
}

impl Commit<Yield> for Merge<'_> {
    fn commit(&mut self, window: Range<u32>, outputs: &mut dyn Iterator<Item = Yield>) {
        self.yields.extend(outputs);
        for (at, transaction) in window.enumerate() {
            let slice = &self.plan.slices[transaction as usize];
            self.of_lane[slice.lane as usize] = (at, 0);
        }
        let commands = self.yields.iter().map(|it| it.ends.len()).sum::<usize>();
        let commands = self.merged..self.merged + commands;
        self.merged = commands.end;
        if let [Yield { outcome, .. }] = &self.yields[..] {
            self.outcome.receipts.extend_from_slice(&outcome.receipts);
            self.outcome.events.extend_from_slice(&outcome.events);
            self.buffers.lock().append(&mut self.yields);
            return;
        }
        for planned in &self.commands[commands] {
            let (at, merged) = &mut self.of_lane[planned.lane as usize];
            let Yield { outcome, ends } = &self.yields[*at];
            self.outcome.receipts.push(outcome.receipts[*merged]);
            let start = merged.checked_sub(1).map_or(0, |before| ends[before]);
            let events = start as usize..ends[*merged] as usize;
            self.outcome
                .events
                .extend_from_slice(&outcome.events[events]);
            *merged += 1;
        }
        self.buffers.lock().append(&mut self.yields);
    }
}
