//! The parallel executor on threads that shuttle schedules: whoever takes a lock or an atomic may be
//! made to wait there, in every order that chance or PCT comes upon, and the block must come out as the
//! oracle says. A schedule in which nobody goes on is a failure too.
//!
//! Everything of the executor runs but its pool of threads: the scheduler, the memory, sleep and
//! wake-up. What shuttle does not show is weak memory, for all its atomics are sequentially consistent;
//! that is loom's part (`engine/tests/loom`).
//!
//! A failure prints the seed of the program, which is that of its schedules as well.
#![allow(clippy::unwrap_used)] // A panic is a failed test.
#![allow(clippy::print_stdout)] // Figures, for who asks with `--nocapture`.

use std::sync::{Arc, Mutex};

use engine::parallel::workers::Workers;
use engine::parallel::{Chaos, Counts, Executor};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use generator::{Committed, Disorder, Shape, apply, check};

#[path = "../parallel/generator.rs"]
mod generator;

/// By each scheduler, unless the environment says otherwise.
const PROGRAMS: u64 = 100;

/// Schedules of each program.
const SCHEDULES: u64 = 100;

/// How many priority changes PCT makes in a run, and one more.
const PCT_DEPTH: usize = 4;

#[test]
fn random_schedules_have_the_effect_of_one_after_the_other() {
    explore(0, |seed, schedules| {
        RandomScheduler::new_from_seed(seed, schedules)
    });
}

#[test]
fn schedules_by_priority_have_the_effect_of_one_after_the_other() {
    explore(1_000_000, |seed, schedules| {
        PctScheduler::new_from_seed(seed, PCT_DEPTH, schedules)
    });
}

/// Many programs, each under many schedules.
fn explore<S: Scheduler + 'static>(first: u64, scheduler: fn(u64, usize) -> S) {
    let programs = number("KEEL_PROGRAMS", PROGRAMS);
    let schedules = number("KEEL_SCHEDULES", SCHEDULES) as usize;
    let total = Arc::new(Mutex::new(Counts::default()));
    let mut runs = 0;
    for seed in first..first + programs {
        let total = Arc::clone(&total);
        let runner = Runner::new(scheduler(seed, schedules), config());
        runs += runner.run(move || {
            let counts = run_once(seed);
            let mut total = total.lock().unwrap();
            total.executions += counts.executions;
            total.suspensions += counts.suspensions;
            total.validations += counts.validations;
            total.aborts += counts.aborts;
        });
    }
    let total = *total.lock().unwrap();
    println!("{programs} programs, {runs} schedules: {total:?}");
    let runs = runs as u64;
    assert_eq!(runs, programs * schedules as u64);
    assert!(
        runs < 5 * total.aborts && runs < 1_000 * total.suspensions,
        "hardly anything goes wrong in these schedules"
    );
}

/// One program on 3 or 4 workers, under the schedule of the moment.
fn run_once(seed: u64) -> Counts {
    let mut total = Counts::default();
    check(seed, Shape::small, &mut |random, programs, order, cells| {
        let threads = Threads(3 + random.below(2) as usize);
        let disorder = Disorder {
            seed,
            fails_one_in: [0, 0, 3][random.below(3) as usize],
            yields: false,
        };
        let mut executor = Executor::new(16, 16);
        let mut outputs = Vec::new();
        let commit = Committed {
            outputs: &mut outputs,
        };
        let place: (&dyn Workers, Option<&dyn Chaos>) = (&threads, Some(&disorder));
        total = executor.run((programs, order), cells, commit, place);
        let mut cells = cells.clone();
        apply(&mut executor, &mut cells);
        (outputs, cells)
    });
    total
}

/// Threads of shuttle's, new for every block.
#[derive(Debug)]
struct Threads(usize);

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        shuttle::thread::scope(|scope| {
            for worker in 1..self.0 {
                scope.spawn(move || work(worker));
            }
            work(0);
        });
    }
}

fn config() -> Config {
    let mut config = Config::new();
    // A debug build of a transaction needs more than shuttle's 60 KiB.
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config
}

/// Far more than any of these programs takes: who comes here runs in circles.
const STEPS_MAX: usize = 200_000;

/// A number from the environment: how long the test runs is the caller's choice.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may be asked to run longer; the engine under test sees none of it"
)]
fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}
