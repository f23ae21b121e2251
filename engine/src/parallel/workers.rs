//! The threads that work on a block.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a function once per worker, all at the same time.
pub trait Workers: Sync {
    /// How many there are; at least 1.
    fn count(&self) -> usize;

    /// Calls `work` with every number below the count and returns when all have returned. Panics if
    /// one of them does.
    fn run(&self, work: &(dyn Fn(usize) + Sync));
}

/// The calling thread.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Workers for Alone {
    fn count(&self) -> usize {
        1
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        work(0);
    }
}

/// The calling thread, and others that sleep between blocks.
#[derive(Debug)]
pub struct Pool {
    /// `None`: the calling thread alone.
    others: Option<rayon::ThreadPool>,
}

impl Pool {
    /// So many workers in all. Fails if the machine gives no more threads.
    pub fn new(workers: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        assert!(workers > 0, "somebody must work");
        if workers == 1 {
            return Ok(Self { others: None });
        }
        let others = rayon::ThreadPoolBuilder::new()
            .num_threads(workers - 1)
            .thread_name(|number| format!("keel-exec-{}", number + 1))
            .build()?;
        Ok(Self {
            others: Some(others),
        })
    }
}

impl Workers for Pool {
    fn count(&self) -> usize {
        let others = self.others.as_ref();
        1 + others.map_or(0, rayon::ThreadPool::current_num_threads)
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        let Some(others) = &self.others else {
            return work(0);
        };
        // Relaxed: it only hands out numbers.
        let next = AtomicUsize::new(1);
        others.in_place_scope(|scope| {
            for _ in 0..others.current_num_threads() {
                scope.spawn(|_| work(next.fetch_add(1, Ordering::Relaxed)));
            }
            work(0);
        });
    }
}
