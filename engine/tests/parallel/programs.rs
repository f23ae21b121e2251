//! The library alone: random programs in random orders on real and on virtual workers, compared with
//! running their steps one after the other.

use engine::parallel::simulation::Costs;
use engine::parallel::workers::{Pool, Workers};
use engine::parallel::{
    Access, Chaos, Counts, Estimate, Executor, Order, Storage, Transaction, Unheard,
};

use crate::generator::{Committed, Disorder, Random, Shape, apply, check};

/// Everything takes as long as chance will have it.
pub(crate) struct Dice(Random, u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random(seed), 0)
    }
}

impl Costs for Dice {
    fn now(&mut self) -> u64 {
        let longest = [1, 10, 1_000][self.0.below(3) as usize];
        self.1 += self.0.below(longest);
        self.1
    }

    fn locked(&mut self, call: u64) -> u64 {
        call
    }

    fn wake(&mut self) -> u64 {
        self.0.below(500)
    }
}

/// One program on virtual workers. Returns what it took.
pub(crate) fn check_virtual(seed: u64, executor: &mut Executor<u64>) -> Counts {
    let mut took = Counts::default();
    check(
        seed,
        Shape::random,
        &mut |random, programs, order, cells| {
            let workers = 1 + random.below(8) as usize;
            let disorder = Disorder {
                seed,
                fails_one_in: [0, 0, 3, 10][random.below(4) as usize],
                yields: false,
            };
            let mut dice = Dice::new(seed ^ 0xd1ce);
            let mut outputs = Vec::new();
            let commit = Committed {
                outputs: &mut outputs,
            };
            let costs: &mut dyn Costs = &mut dice;
            let chaos: Option<&dyn Chaos> = Some(&disorder);
            let block = (programs, order);
            let place = (workers, costs, chaos);
            (took, _) = executor.simulate(block, cells, commit, place);
            let mut cells = cells.clone();
            apply(executor, &mut cells);
            (outputs, cells)
        },
    );
    took
}

#[test]
fn virtual_workers_have_the_effect_of_one_after_the_other() {
    let mut executor = Executor::new(16, 16);
    let mut took = Counts::default();
    for seed in 0..6_000 {
        took += check_virtual(seed, &mut executor);
    }
    assert!(took.aborts > 10_000 && took.suspensions > 50, "{took:?}");
}

#[test]
fn real_workers_have_the_effect_of_one_after_the_other() {
    for workers in [1, 2, 3, 4, 8] {
        let pool = Pool::new(workers).unwrap();
        let mut executor = Executor::new(16, 16);
        for seed in 0..400 {
            check(
                seed,
                Shape::random,
                &mut |random, programs, order, cells| {
                    let disorder = Disorder {
                        seed,
                        fails_one_in: [0, 3][random.below(2) as usize],
                        yields: random.below(2) == 0,
                    };
                    let mut outputs = Vec::new();
                    let commit = Committed {
                        outputs: &mut outputs,
                    };
                    let place: (&dyn Workers, Option<&dyn Chaos>) = (&pool, Some(&disorder));
                    executor.run((programs, order), cells, commit, place);
                    let mut cells = cells.clone();
                    apply(&mut executor, &mut cells);
                    (outputs, cells)
                },
            );
        }
    }
}

/// Panics, if it is the one that does.
struct Faulty {
    panics: bool,
}

struct Nothing;

impl Storage for Nothing {
    type Value = ();

    fn value(&self, _: u32) {}

    fn amount(&self, _: u32) -> i128 {
        0
    }
}

impl Transaction for Faulty {
    type Storage = Nothing;
    type Output = ();

    fn execute(&self, access: &mut Access<'_, Nothing>) -> Result<(), Estimate> {
        access.add(0, 1, 0);
        assert!(!self.panics, "on purpose");
        Ok(())
    }
}

/// Nobody waits for ever for a worker that has panicked, and whoever called hears of it.
#[test]
fn a_panic_ends_the_block_for_all_workers() {
    for workers in [1, 2, 4] {
        let pool = Pool::new(workers).unwrap();
        for faulty in [0, 7, 99] {
            let block: Vec<_> = (0..100)
                .map(|at| Faulty {
                    panics: at == faulty,
                })
                .collect();
            let order = Order::plain(100);
            let mut executor = Executor::new(0, 1);
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                executor.run((&block[..], &order), &Nothing, Unheard, (&pool, None))
            }));
            assert!(run.is_err(), "{workers} workers, {faulty}");
        }
    }
}
