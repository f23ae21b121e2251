//! The library's face: a block of transactions in, its effects out.

use std::sync::Arc;

use super::access::Scratch;
use super::mv_memory::{Effects, MvMemory, Storage};
use super::run::{Chaos, Commit, Run, Transaction};
use super::scheduler::{Counts, Order, Scheduler};
use super::simulation::{Costs, Simulated, simulate};
use super::sync::Mutex;
use super::workers::Workers;

/// Executes blocks on top of a storage, one after the other, and keeps its memory between them.
#[derive(Debug)]
pub struct Executor<V> {
    memory: MvMemory<V>,
    scheduler: Scheduler,
    scratches: Vec<Mutex<Scratch>>,
    pool: Vec<Arc<Effects>>,
}

impl<V: Clone> Executor<V> {
    /// For a storage with so many value and amount locations.
    pub fn new(values: usize, amounts: usize) -> Self {
        Self {
            memory: MvMemory::new(values, amounts),
            scheduler: Scheduler::default(),
            scratches: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// Executes a block. Its effects stay here until [`Executor::drain`].
    ///
    /// Panics if a transaction does.
    pub fn run<T, C>(
        &mut self,
        block: (&[T], &Order),
        storage: &T::Storage,
        commit: C,
        (workers, chaos): (&dyn Workers, Option<&dyn Chaos>),
    ) -> Counts
    where
        T: Transaction,
        T::Storage: Storage<Value = V>,
        V: Send + Sync,
        C: Commit<T::Output>,
    {
        let (run, scratches) = self.start(block, storage, commit, (workers.count(), chaos));
        workers.run(&|worker| run.work(&mut scratches[worker].lock()));
        run.counts()
    }

    /// The same with virtual workers, in virtual time.
    pub fn simulate<T, C>(
        &mut self,
        block: (&[T], &Order),
        storage: &T::Storage,
        commit: C,
        (workers, costs, chaos): (usize, &mut dyn Costs, Option<&dyn Chaos>),
    ) -> (Counts, Simulated)
    where
        T: Transaction,
        T::Storage: Storage<Value = V>,
        C: Commit<T::Output>,
    {
        let (run, scratches) = self.start(block, storage, commit, (1, chaos));
        let mut scratch = scratches[0].lock();
        let simulated = simulate(&run, workers, &mut scratch, costs);
        (run.counts(), simulated)
    }

    /// Takes out the effects of the last block: once per amount that was touched what all transactions
    /// together have added (location, added, added beside), and the values that were left at the end.
    pub fn drain(&mut self, on_amount: impl FnMut(u32, i128, i128), on_value: impl FnMut(u32, V)) {
        self.memory.take_all(&mut self.pool, on_amount, on_value);
    }

    /// A block about to be executed by so many threads, and what each of them may use.
    fn start<'a, T, C>(
        &'a mut self,
        block: (&'a [T], &'a Order),
        storage: &'a T::Storage,
        commit: C,
        (threads, chaos): (usize, Option<&'a dyn Chaos>),
    ) -> (Run<'a, T, C>, &'a [Mutex<Scratch>])
    where
        T: Transaction,
        T::Storage: Storage<Value = V>,
        C: Commit<T::Output>,
    {
        self.share_pool(threads);
        let (memory, scheduler) = (&mut self.memory, &mut self.scheduler);
        let run = Run::new(block, storage, (memory, scheduler), commit, chaos);
        (run, &self.scratches)
    }

    /// Gives every worker its part of the memory that is to be used again.
    fn share_pool(&mut self, workers: usize) {
        if self.scratches.len() < workers {
            self.scratches.resize_with(workers, Mutex::default);
        }
        let share = self.pool.len().div_ceil(workers);
        for scratch in &self.scratches[..workers] {
            let rest = self.pool.len().saturating_sub(share);
            scratch.lock().pool.extend(self.pool.drain(rest..));
        }
    }
}
