//! What things cost on this machine, for the virtual workers.
//!
//! The simulation is one thread and asks for the time before and after everything it does. The
//! thread's own CPU clock would be honest, but asking costs microseconds here. So it is the wall
//! clock, less what asking costs, and less every gap so long that somebody else must have had the
//! core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::parallel::simulation::Costs;

use crate::timing::thread_cpu;

#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// What asking costs, in nanoseconds.
    pub asking: f64,
    /// Taking and freeing the lock when nobody else wants it.
    pub lock: u64,
    /// From the call that wakes a thread until it runs.
    pub wake: u64,
    asked: u64,
    /// What others had of the core.
    lost: u64,
    last: u64,
}

/// No step of a bench takes so long, and no turn of another process is as short.
const GAP_NS: u64 = 1_000_000;

impl Clock {
    pub fn measure() -> Self {
        let start = Instant::now();
        Self {
            start,
            asking: median(101, || {
                let asking = 100_u32;
                let before = Instant::now();
                for _ in 0..asking {
                    std::hint::black_box(start.elapsed());
                }
                before.elapsed().as_nanos() as f64 / f64::from(asking)
            }),
            lock: lock_ns() as u64,
            wake: wake_ns() as u64,
            asked: 0,
            lost: 0,
            last: 0,
        }
    }

    /// What asking has cost so far.
    pub fn spent_asking(&self) -> Duration {
        Duration::from_nanos((self.asked as f64 * self.asking) as u64)
    }
}

impl Costs for Clock {
    fn now(&mut self) -> u64 {
        self.asked += 1;
        let own = (self.asked as f64 * self.asking) as u64;
        let raw = self.start.elapsed().as_nanos() as u64;
        let mut now = raw.saturating_sub(own + self.lost);
        if self.last + GAP_NS < now {
            self.lost += now - self.last;
            now = self.last;
        }
        self.last = now.max(self.last);
        self.last
    }

    fn locked(&mut self, call: u64) -> u64 {
        call.saturating_sub(self.lock)
    }

    fn wake(&mut self) -> u64 {
        self.wake
    }
}

/// The same clock, which notes when virtual time begins: what a run does before that, and after, is
/// not divided among workers, and is measured apart.
#[derive(Debug)]
pub struct Inside<'a> {
    clock: &'a mut Clock,
    began: Option<Duration>,
}

impl<'a> Inside<'a> {
    pub fn new(clock: &'a mut Clock) -> Self {
        Self { clock, began: None }
    }

    /// In CPU time of this thread.
    pub fn began(&self) -> Duration {
        self.began.expect("it has begun")
    }
}

impl Costs for Inside<'_> {
    fn now(&mut self) -> u64 {
        self.began.get_or_insert_with(thread_cpu);
        self.clock.now()
    }

    fn locked(&mut self, call: u64) -> u64 {
        self.clock.locked(call)
    }

    fn wake(&mut self) -> u64 {
        self.clock.wake()
    }
}

fn lock_ns() -> f64 {
    let lock = Mutex::new(0_u64);
    median(101, || {
        let pairs = 100_u32;
        let before = Instant::now();
        for _ in 0..pairs {
            *std::hint::black_box(&lock)
                .lock()
                .expect("nobody panics with it") += 1;
        }
        before.elapsed().as_nanos() as f64 / f64::from(pairs)
    })
}

/// Two threads wake each other by turns; half a round.
fn wake_ns() -> f64 {
    let turn = AtomicU64::new(0);
    let rounds = 101;
    let here = std::thread::current();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            for round in 0..rounds {
                wait_for(&turn, 2 * round + 1);
                turn.store(2 * round + 2, Ordering::Release);
                here.unpark();
            }
        });
        let mut round = 0;
        median(rounds as usize, || {
            // The other one has time to fall asleep.
            std::thread::sleep(Duration::from_micros(200));
            let before = Instant::now();
            turn.store(2 * round + 1, Ordering::Release);
            other.thread().unpark();
            wait_for(&turn, 2 * round + 2);
            round += 1;
            before.elapsed().as_nanos() as f64 / 2.0
        })
    })
}

/// Acquire pairs with the release of whoever's turn it was.
fn wait_for(turn: &AtomicU64, value: u64) {
    while turn.load(Ordering::Acquire) != value {
        std::thread::park();
    }
}

fn median(runs: usize, mut measure: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..runs).map(|_| measure()).collect();
    all.sort_unstable_by(f64::total_cmp);
    all[runs / 2]
}
