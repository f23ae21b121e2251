//! Work that takes time and nothing else: a chain of arithmetic, as long as asked for.

use std::hint::black_box;

use crate::timing::thread_cpu;

/// How much of it this machine does.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub steps_per_us: f64,
}

impl Rate {
    /// Measured in CPU time, so that others on the machine do not make transactions shorter.
    pub fn measure() -> Self {
        const STEPS: u32 = 2_000_000;
        let mut rates: Vec<f64> = (0..21)
            .map(|seed| {
                let before = thread_cpu();
                black_box(work(seed, STEPS));
                f64::from(STEPS) / ((thread_cpu() - before).as_secs_f64() * 1e6)
            })
            .collect();
        rates.sort_unstable_by(f64::total_cmp);
        Self {
            steps_per_us: rates[rates.len() / 2],
        }
    }

    pub fn steps(self, us: u32) -> u32 {
        (f64::from(us) * self.steps_per_us) as u32
    }
}

/// So many steps, each of which needs the one before. What comes out depends on all of them.
#[inline(never)]
pub fn work(seed: u64, steps: u32) -> u64 {
    let mut state = seed;
    for _ in 0..steps {
        state = (state ^ (state >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    state
}
