//! What a run took, and whether it had the machine to itself.
//!
//! A machine that is shared makes wall time meaningless in any one run. One thread is told in CPU
//! time. For several the kernel knows how long threads were ready and did not run, so runs are
//! repeated until enough of them hardly waited; what is left disturbed is marked.

use std::time::{Duration, Instant};

use engine::parallel::Counts;
use engine::parallel::simulation::Simulated;
use engine::parallel::workers::{Pool, Workers};
use rustix::time::{ClockId, clock_gettime};

use crate::Result;
use crate::clock::Clock;

/// A block that can be executed in every way. Each checks that the same came of it.
pub trait Subject {
    /// How many transactions it has.
    fn transactions(&self) -> usize;

    /// Its work, and that of its longest chain of transactions each of which needs the one before; in
    /// the same unit.
    fn critical_path(&self) -> (f64, f64);

    /// By the best way to do it on one core.
    fn sequential(&mut self) -> Spent;

    fn parallel(&mut self, workers: &dyn Workers) -> (Spent, Counts);

    fn simulated(&mut self, workers: usize, clock: &mut Clock) -> (Spent, Counts);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Sequential,
    Workers(usize),
    Virtual(usize),
}

/// Time of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub wall: Duration,
    pub cpu: Duration,
    /// What of a simulation one thread does alone, before the workers begin and after they end.
    around: Duration,
    /// What its threads were ready and did not run, together.
    waited: Duration,
}

impl Spent {
    /// Calls, and measures that.
    pub fn on<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let (waited, cpu, started) = (ready_but_not_running(), process_cpu(), Instant::now());
        let done = work();
        let wall = started.elapsed();
        let cpu = process_cpu() - cpu;
        let waited = ready_but_not_running().saturating_sub(waited);
        let spent = Self {
            wall,
            cpu,
            waited,
            ..Self::default()
        };
        (done, spent)
    }

    /// Of virtual workers, and one thread that works before and after them.
    pub fn simulated(simulated: Simulated, around: Duration) -> Self {
        Self {
            wall: Duration::from_nanos(simulated.makespan) + around,
            cpu: Duration::from_nanos(simulated.busy) + around,
            around,
            waited: Duration::ZERO,
        }
    }

    fn is_disturbed(&self) -> bool {
        self.wall.mul_f64(DISTURBED) < self.waited
    }
}

/// What may have been waited, as a part of wall time.
const DISTURBED: f64 = 0.02;

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Of one thread CPU time: on an idle machine its wall time is that. Of several wall time, of
    /// virtual workers virtual time.
    pub took: Duration,
    pub cpu: Duration,
    pub around: Duration,
    pub counts: Counts,
    pub is_disturbed: bool,
}

/// Threads, and a clock.
pub struct Bench {
    pools: Vec<Pool>,
    pub clock: Clock,
}

/// How many real workers are measured where the goals are met: that machine has two cores.
pub const REAL: [usize; 2] = [1, 2];

impl Bench {
    pub fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let more = std::iter::successors(Some(4), |workers| Some(2 * workers));
        let more = more.take_while(|workers| *workers <= cores);
        let pools: std::result::Result<_, _> =
            { REAL.into_iter() }.chain(more).map(Pool::new).collect();
        Ok(Self {
            pools: pools?,
            clock: Clock::measure(),
        })
    }

    /// One, two, and so on by powers of two as long as there are cores.
    pub fn worker_counts(&self) -> Vec<usize> {
        self.pools.iter().map(Pool::count).collect()
    }

    /// Runs in all these ways by turns, until there are so many undisturbed runs of each or it is
    /// clear that there will not be. Of each, that of median time.
    pub fn medians(&mut self, subject: &mut dyn Subject, ways: &[Way], runs: usize) -> Vec<Sample> {
        let mut samples: Vec<(Vec<Sample>, Vec<Sample>)> = Vec::new();
        samples.resize_with(ways.len(), Default::default);
        for _ in 0..ATTEMPTS * runs {
            for (way, (good, bad)) in ways.iter().zip(&mut samples) {
                if good.len() < runs {
                    let sample = self.sample(subject, *way);
                    if sample.is_disturbed { bad } else { &mut *good }.push(sample);
                }
            }
        }
        let median = |(mut good, mut bad): (Vec<Sample>, Vec<Sample>)| {
            // With few good ones the best of all is nearest to the truth.
            if good.len() < runs.div_ceil(2) {
                good.append(&mut bad);
                good.sort_unstable_by_key(|it| it.took);
                return Sample {
                    is_disturbed: true,
                    ..good[0]
                };
            }
            good.sort_unstable_by_key(|it| it.took);
            good[good.len() / 2]
        };
        samples.into_iter().map(median).collect()
    }

    fn sample(&mut self, subject: &mut dyn Subject, way: Way) -> Sample {
        let (spent, counts) = match way {
            Way::Sequential => (subject.sequential(), Counts::default()),
            Way::Workers(workers) => {
                let mut pools = self.pools.iter();
                let pool = pools.find(|pool| pool.count() == workers);
                subject.parallel(pool.expect("so many are real"))
            }
            Way::Virtual(workers) => subject.simulated(workers, &mut self.clock),
        };
        let is_one = matches!(way, Way::Sequential | Way::Workers(1));
        Sample {
            took: if is_one { spent.cpu } else { spent.wall },
            cpu: spent.cpu,
            around: spent.around,
            counts,
            is_disturbed: !is_one && spent.is_disturbed(),
        }
    }
}

/// So often as many runs as are wanted.
const ATTEMPTS: usize = 6;

/// Of all threads of this process, by the kernel's account, where it keeps one.
fn ready_but_not_running() -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let waited = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let line = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(waited).sum())
}

pub fn process_cpu() -> Duration {
    duration(ClockId::ProcessCPUTime)
}

pub fn thread_cpu() -> Duration {
    duration(ClockId::ThreadCPUTime)
}

fn duration(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
