//! Order flow: whatever is observable, after every block, in parallel and one after the other.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::State;
use engine::executor::{Executor, ExecutorKind};
use engine::parallel::simulation::Costs;
use engine::parallel::workers::Pool;
use engine::parallel::{BlockExecutor, Chaos, Choice, Cut, Hands, Settings, Tally};
use types::block::Block;
use types::genesis::{Genesis, GenesisAccount, MarketSpec};
use types::outcome::BlockOutcome;
use types::{Atoms, RejectReason, Symbol};

use crate::common::{self, Random, edge, keyed, limited_genesis, random_frames};
use crate::generator::Disorder;
use crate::programs::Dice;

/// So many markets over three assets, and accounts that have this much of each.
fn genesis(markets: usize, wealth: u128) -> Genesis {
    let limited = limited_genesis();
    let kinds = limited.markets();
    let spec = |at: usize| MarketSpec {
        symbol: Symbol::new(&format!("M{at}")).unwrap(),
        ..kinds[at % kinds.len()]
    };
    let specs = (0..markets).map(spec).collect();
    let account = |account: &GenesisAccount| GenesisAccount {
        balances: account
            .balances
            .iter()
            .map(|(asset, _)| (*asset, Atoms::new(wealth)))
            .collect(),
        ..account.clone()
    };
    let accounts = limited.accounts().iter().map(account).collect();
    Genesis::new(
        limited.network(),
        limited.assets().to_vec(),
        specs,
        accounts,
    )
    .unwrap()
}

/// One stream of blocks, and how it is to be executed.
struct Story {
    seed: u64,
    genesis: Genesis,
    blocks: Vec<Block>,
    settings: Settings,
    disorder: Disorder,
    random: Random,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let markets = 2 + random.below(9) as usize;
        // From hardly anything to more than they can ever spend.
        let wealth = random.pick(&[30_000, 300_000, 3_000_000, 1 << 60]);
        let genesis = genesis(markets, wealth);
        let state = State::from_genesis(&genesis, seed);
        let percent = random.pick(&[5, 20, 50, 100]);
        // A third of them with keys of all kinds, some across the edge of the ledger.
        let blocks = match seed % 6 {
            0 | 3 => {
                let entries = keyed::entries(&genesis, seed, 600);
                common::cut_entries(&state, entries, percent, seed)
            }
            1 => {
                let entries = edge::entries(&genesis, seed, 600);
                common::cut_entries(&state, entries, percent, seed)
            }
            _ => {
                let frames = random_frames(&genesis, seed, 600);
                common::cut(&state, &frames, percent, seed)
            }
        };
        let cut = Cut {
            lanes_max: 1 + random.below(8) as u32,
            commands_per_slice: random.pick(&[1, 2, 5, 20, 128]),
        };
        let settings = Settings {
            choice: Choice::Always,
            cut: Some(cut),
        };
        let disorder = Disorder {
            seed,
            fails_one_in: random.pick(&[0, 0, 2, 5]),
            yields: random.chance(30),
        };
        Self {
            seed,
            genesis,
            blocks,
            settings,
            disorder,
            random,
        }
    }

    /// Executes all blocks with real workers or as many virtual ones. Returns what it took.
    fn check(mut self, workers: &Workers, told: &mut Told) -> Tally {
        let seed = self.seed;
        let mut expected = State::from_genesis(&self.genesis, seed);
        let mut state = State::from_genesis(&self.genesis, seed);
        let mut executor = BlockExecutor::new(&state, self.settings);
        let (mut outcome, mut found) = (BlockOutcome::default(), BlockOutcome::default());
        let chaos: Option<&dyn Chaos> = Some(&self.disorder);
        for block in &self.blocks {
            engine::sequential::execute(&mut expected, block, &mut outcome);
            let mut dice = Dice::new(self.random.next());
            let hands = match workers {
                Workers::Real(pool) => Hands::Real(pool),
                Workers::Virtual(count) => Hands::Virtual(*count, &mut dice as &mut dyn Costs),
            };
            executor.execute(&mut state, block, &mut found, hands, chaos);
            assert_eq!(found.frames, outcome.frames, "seed {seed}");
            assert_eq!(found.receipts, outcome.receipts, "seed {seed}");
            assert_eq!(found.events, outcome.events, "seed {seed}");
            assert_eq!(found, outcome, "seed {seed}");
            assert_eq!(state.digest(), expected.digest(), "seed {seed}");
            told.count(&outcome);
        }
        state.assert_invariants();
        assert_eq!(state.position(), expected.position(), "seed {seed}");
        assert_eq!(state.ledger().state_root(), expected.ledger().state_root());
        *executor.tally()
    }
}

enum Workers {
    Real(Pool),
    Virtual(usize),
}

/// What the streams had in them.
#[derive(Debug, Default)]
struct Told {
    blocks: u64,
    commands: u64,
    rejected: u64,
    short_of_funds: u64,
}

impl Told {
    fn count(&mut self, outcome: &BlockOutcome) {
        self.blocks += 1;
        for receipt in &outcome.receipts {
            self.commands += 1;
            let reason = receipt.reject_reason();
            self.rejected += u64::from(reason.is_some());
            self.short_of_funds += u64::from(reason == Some(RejectReason::InsufficientFunds));
        }
    }
}

/// One stream on virtual workers.
#[cfg(feature = "planted-bugs")]
pub(crate) fn check_virtual(seed: u64) {
    Story::new(seed).check(&Workers::Virtual(3), &mut Told::default());
}

/// How many streams: twenty blocks each, about.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may be asked to run longer; the engine under test sees none of it"
)]
fn streams() -> u64 {
    std::env::var("KEEL_FLOWS").map_or(800, |text| text.parse().expect("a number"))
}

#[test]
fn virtual_workers_do_what_one_after_the_other_does() {
    let mut told = Told::default();
    let (mut aborts, mut slices) = (0, 0);
    for seed in 0..streams() {
        let workers = Workers::Virtual([1, 2, 3, 4, 8, 16][seed as usize % 6]);
        let tally = Story::new(seed).check(&workers, &mut told);
        aborts += tally.counts.aborts;
        slices += tally.slices;
    }
    println!("{told:?}, {slices} slices, {aborts} aborts");
    assert!(told.commands * 40 <= told.rejected * 100, "{told:?}");
    assert!(told.commands <= told.short_of_funds * 20, "{told:?}");
    assert!(slices <= aborts * 10, "{aborts} aborts in {slices} slices");
}

#[test]
fn real_workers_do_what_one_after_the_other_does() {
    let mut told = Told::default();
    for workers in [1, 2, 3, 4, 8, 16] {
        let workers = Workers::Real(Pool::new(workers).unwrap());
        for seed in 0..streams() / 15 {
            Story::new(seed).check(&workers, &mut told);
        }
    }
    println!("{told:?}");
}

/// A clock by which now the one way is faster, now the other.
fn fickle() -> u64 {
    static TIME: AtomicU64 = AtomicU64::new(0);
    let step = Random::new(TIME.load(Ordering::Relaxed)).below(1_000_000);
    TIME.fetch_add(step, Ordering::Relaxed)
}

#[test]
fn auto_does_what_one_after_the_other_does() {
    let mut measured = 0;
    for seed in 0..10 {
        let genesis = genesis(12, 1 << 60);
        let mut expected = State::from_genesis(&genesis, seed);
        let mut state = State::from_genesis(&genesis, seed);
        let mut executor = Executor::new(ExecutorKind::Auto, 4, &state, fickle).unwrap();
        let (mut outcome, mut found) = (BlockOutcome::default(), BlockOutcome::default());
        let frames = random_frames(&genesis, seed, 8_000);
        for block in common::cut(&state, &frames, 1, seed) {
            engine::sequential::execute(&mut expected, &block, &mut outcome);
            executor.execute(&mut state, &block, &mut found);
            assert_eq!(found, outcome, "seed {seed}");
            assert_eq!(state.digest(), expected.digest(), "seed {seed}");
            // Smaller ones run in order anyway.
            measured += u64::from(512 <= block.command_count());
        }
    }
    println!("{measured} blocks were large enough to choose");
    assert!(20 <= measured, "{measured}");
}
