//! Order flow end to end inside the engine: frames in, a sealed outcome out.
//!
//! A hundred markets, ten thousand accounts, makers who quote in all markets (`benches::flow`), blocks
//! of about 2,048 commands. A quarter of the flow goes before anything is measured. Everything that a
//! block costs is in the figures, also what no number of workers makes faster: nonces, and the hash
//! over the outcome.

use std::sync::LazyLock;
use std::time::Instant;

use benches::Size;
use benches::flow::{Flow, FlowPlan, Spread};
use benches::seal;
use engine::State;
use engine::executor::{Executor, ExecutorKind};
use engine::parallel::simulation::Costs;
use engine::parallel::workers::Workers;
use engine::parallel::{BlockExecutor, Choice, Counts, Cut, Hands, Settings, Tally};
use engine::sequencer::Sequencer;
use types::LogTime;
use types::block::Block;
use types::outcome::{BlockOutcome, Digest};

use crate::clock::Clock;
use crate::timing::{Bench, Spent, Subject, Way, thread_cpu};

/// Blocks of order flow, and how they are executed.
pub struct Blocks {
    flow: Flow,
    warm: Vec<Block>,
    blocks: Vec<Block>,
    settings: Settings,
    commands: usize,
    /// Per block, the commands of the busiest market, added up.
    busiest: usize,
    expected: Option<Digest>,
    /// Of the last run.
    pub tally: Tally,
}

/// Commands in a block.
const BLOCK: usize = 2_048;

impl Blocks {
    pub fn new(plan: FlowPlan) -> Self {
        let flow = Flow::new(plan);
        let mut sequencer = Sequencer::after(flow.state().position());
        let (mut blocks, mut now) = (Vec::new(), LogTime::ZERO);
        let mut frames = flow.frames.as_slice();
        while !frames.is_empty() {
            let mut commands = 0;
            let fits = |commands: &mut usize, count: u16| {
                *commands += usize::from(count);
                *commands <= BLOCK
            };
            let counts = frames.iter().map(|it| it.frame.frame().count());
            let count = counts.take_while(|it| fits(&mut commands, *it)).count();
            let (block, rest) = frames.split_at(count);
            now = now.advance(1_000_000);
            blocks.push(seal(&mut sequencer, block, now));
            frames = rest;
        }
        let measured = blocks.split_off(blocks.len() / 4);
        let count = |block: &Block| block.command_count() as usize;
        Self {
            commands: measured.iter().map(count).sum(),
            busiest: measured
                .iter()
                .map(|block| busiest(block, plan.markets))
                .sum(),
            warm: blocks,
            blocks: measured,
            flow,
            settings: Settings {
                choice: Choice::Always,
                cut: None,
            },
            expected: None,
            tally: Tally::default(),
        }
    }

    /// Executed like this from here on.
    pub const fn set(&mut self, choice: Choice, cut: Option<Cut>) {
        self.settings = Settings { choice, cut };
    }

    fn state(&self) -> State {
        let mut state = self.flow.state();
        let mut outcome = BlockOutcome::default();
        for block in &self.warm {
            engine::sequential::execute(&mut state, block, &mut outcome);
        }
        state
    }

    /// The last outcome, and with it every one before, is what it must be.
    fn check(&mut self, outcome: &BlockOutcome) {
        let expected = self.expected.get_or_insert(outcome.hash);
        assert!(outcome.hash == *expected, "not as one after the other");
    }
}

/// The time since somebody first asked.
fn nanos() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

fn busiest(block: &Block, markets: usize) -> usize {
    let mut counts = vec![0; markets];
    for entry in &block.entries {
        if let types::block::Entry::Frame(frame) = entry {
            for command in frame.frame.frame().commands() {
                if let Some(market) = command.market() {
                    counts[market.index()] += 1;
                }
            }
        }
    }
    counts.into_iter().max().unwrap_or(0)
}

impl Subject for Blocks {
    fn transactions(&self) -> usize {
        self.commands
    }

    fn critical_path(&self) -> (f64, f64) {
        (self.commands as f64, self.busiest as f64)
    }

    fn sequential(&mut self) -> Spent {
        let (mut state, mut outcome) = (self.state(), BlockOutcome::default());
        let ((), spent) = Spent::on(|| {
            for block in &self.blocks {
                engine::sequential::execute(&mut state, block, &mut outcome);
            }
        });
        self.check(&outcome);
        spent
    }

    fn parallel(&mut self, workers: &dyn Workers) -> (Spent, Counts) {
        let (mut state, mut outcome) = (self.state(), BlockOutcome::default());
        if self.settings.choice == Choice::Auto {
            let executor = Executor::new(ExecutorKind::Auto, workers.count(), &state, nanos);
            let mut executor = executor.expect("threads can be had");
            let ((), spent) = Spent::on(|| {
                for block in &self.blocks {
                    executor.execute(&mut state, block, &mut outcome);
                }
            });
            self.check(&outcome);
            return (spent, Counts::default());
        }
        let mut executor = BlockExecutor::new(&state, self.settings);
        let ((), spent) = Spent::on(|| {
            for block in &self.blocks {
                let hands = Hands::Real(workers);
                executor.execute(&mut state, block, &mut outcome, hands, None);
            }
        });
        self.check(&outcome);
        self.tally = *executor.tally();
        (spent, self.tally.counts)
    }

    fn simulated(&mut self, workers: usize, clock: &mut Clock) -> (Spent, Counts) {
        let (mut state, mut outcome) = (self.state(), BlockOutcome::default());
        let mut executor = BlockExecutor::new(&state, self.settings);
        let (began, asked) = (thread_cpu(), clock.spent_asking());
        for block in &self.blocks {
            let costs: &mut dyn Costs = clock;
            let hands = Hands::Virtual(workers, costs);
            executor.execute(&mut state, block, &mut outcome, hands, None);
        }
        let all = thread_cpu() - began;
        self.check(&outcome);
        self.tally = *executor.tally();
        let simulated = self.tally.simulated;
        let busy = std::time::Duration::from_nanos(simulated.busy);
        let around = all.saturating_sub(busy + (clock.spent_asking() - asked));
        (Spent::simulated(simulated, around), self.tally.counts)
    }
}

/// The flows that are shown.
pub fn flows(size: Size) -> Vec<(&'static str, FlowPlan)> {
    let (accounts, commands) = match size {
        Size::Smoke => (50, 3_000),
        Size::Quick => (10_000, 200_000),
        Size::Full => (10_000, 400_000),
    };
    let plan = FlowPlan {
        markets: 100,
        accounts,
        makers: 8,
        spread: Spread::Uniform,
        commands,
        seed: 1,
    };
    let zipf = FlowPlan {
        spread: Spread::Zipf,
        ..plan
    };
    let hot = FlowPlan {
        spread: Spread::Hot,
        ..plan
    };
    let maker = FlowPlan { makers: 1, ..zipf };
    let one = FlowPlan { markets: 1, ..plan };
    vec![
        ("100 markets, uniform", plan),
        ("100 markets, Zipf", zipf),
        ("100 markets, one has half", hot),
        ("100 markets, Zipf, one maker", maker),
        ("one market", one),
    ]
}

/// What the machinery costs: as many lanes as eight workers get, whoever works.
const MACHINERY: Cut = Cut {
    lanes_max: 32,
    commands_per_slice: 128,
};

pub fn table(size: Size, bench: &mut Bench) {
    let runs = match size {
        Size::Smoke => 1,
        Size::Quick => 3,
        Size::Full => 7,
    };
    println!("\nOrder flow, ns per command\n");
    println!(
        "| flow | sequential | `parallel`, 1 worker | x | 32 lanes, 1 worker | x | `parallel`, 2 workers | x | CPU | `auto`, 2 workers | x | executions per slice | aborts per slice |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (label, plan) in flows(size) {
        let mut blocks = Blocks::new(plan);
        let mut took = |blocks: &mut Blocks, way, choice, cut| {
            blocks.set(choice, cut);
            let samples = bench.medians(blocks, &[Way::Sequential, way], runs);
            let [sequential, sample] = [0, 1].map(|at: usize| samples[at]);
            (sequential, sample)
        };
        let (base, one) = took(&mut blocks, Way::Workers(1), Choice::Lanes, None);
        let (base_32, lanes) = took(
            &mut blocks,
            Way::Workers(1),
            Choice::Always,
            Some(MACHINERY),
        );
        let (base_2, two) = took(&mut blocks, Way::Workers(2), Choice::Lanes, None);
        let tally = blocks.tally;
        let (base_auto, auto) = took(&mut blocks, Way::Workers(2), Choice::Auto, None);
        let commands = blocks.transactions() as f64;
        let each = |time: std::time::Duration| time.as_secs_f64() * 1e9 / commands;
        let x = |base: std::time::Duration, time: std::time::Duration| {
            base.as_secs_f64() / time.as_secs_f64()
        };
        let mark = if two.is_disturbed { "?" } else { "" };
        let slices = tally.slices.max(1) as f64;
        println!(
            "| {label} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} | {:.0}{mark} | {:.2}{mark} | {:.0} | {:.0} | {:.2} | {:.3} | {:.3} |",
            each(base.took),
            each(one.took),
            x(base.took, one.took),
            each(lanes.took),
            x(base_32.took, lanes.took),
            each(two.took),
            x(base_2.took, two.took),
            each(two.cpu),
            each(auto.took),
            x(base_auto.took, auto.took),
            tally.counts.executions as f64 / slices,
            tally.counts.aborts as f64 / slices,
        );
    }
}
