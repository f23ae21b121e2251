//! Runs a block of transactions on several workers: the same steps for every task, whoever takes it
//! and whenever.
//!
//! A task takes three steps. `begin` executes or compares, and only looks at the memory; `publish`
//! writes what came of it; `tell` lets the scheduler know. A worker does one right after the other; a
//! simulation lets virtual time pass between them.

use std::ops::Range;
use std::sync::Arc;

use types::planted::{Bug, is_planted};

use super::access::{Access, Scratch};
use super::mv_memory::{Effects, Estimate, MvMemory, Storage};
use super::scheduler::{Counts, Order, Scheduler, Task, Validation, Version};
use super::sync::{Guard, Mutex, Sleepers};

/// One transaction of a block.
pub trait Transaction: Sync {
    /// What lies below the block.
    type Storage: Storage;
    /// What an incarnation yields; that of the last one is handed out at commit.
    type Output: Send;

    /// Executes it. Must depend on nothing but the transaction itself and what `access` answers, and
    /// may be called again at any time, for another incarnation.
    fn execute(&self, access: &mut Access<'_, Self::Storage>) -> Result<Self::Output, Estimate>;
}

/// Who is told what is final.
pub trait Commit<O>: Send {
    /// The outputs of the transactions of one window, in order. Windows come in order, too.
    fn commit(&mut self, window: Range<u32>, outputs: &mut dyn Iterator<Item = O>);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl<O> Commit<O> for Unheard {
    fn commit(&mut self, _: Range<u32>, _: &mut dyn Iterator<Item = O>) {}
}

/// Disorder on purpose, for tests. Whatever it does, the same must come of a block.
pub trait Chaos: Sync + std::fmt::Debug {
    /// Whether a validation fails although nothing has changed. Not for ever, or nothing commits.
    fn fails(&self, version: Version) -> bool;

    /// Called between any two steps of a worker, which may let others go first.
    fn pause(&self);
}

/// What every worker of a block shares.
pub(crate) struct Run<'a, T: Transaction, C> {
    transactions: &'a [T],
    order: &'a Order,
    storage: &'a T::Storage,
    memory: &'a MvMemory<<T::Storage as Storage>::Value>,
    shared: Mutex<Shared<'a>>,
    sleepers: Sleepers,
    outputs: Vec<Mutex<Option<T::Output>>>,
    commit: Mutex<C>,
    chaos: Option<&'a dyn Chaos>,
}

#[derive(Debug)]
struct Shared<'a> {
    scheduler: &'a mut Scheduler,
    /// Workers that are not asleep.
    awake: usize,
    asleep: usize,
}

/// A task that has begun.
pub(crate) struct Begun<V, O>(Step<V, O>);

enum Step<V, O> {
    Executed(Version, Arc<Effects>, Vec<V>, O),
    Waits(Version, Estimate),
    Compared(Validation, bool),
    Committed(Range<u32>),
}

/// A task that is done, but for telling so.
pub(crate) enum Done {
    Executed(Version, bool),
    Waits(Version, Estimate),
    Compared(Validation, bool),
    Aborted(Vec<u32>),
    Committed(Range<u32>),
}

/// What a worker has to do next.
pub(crate) enum Told {
    /// Whatever there is.
    Free,
    /// This.
    Next(Task),
    /// [`Run::mark`] these, then tell.
    Abort(Vec<u32>),
}

type BegunOf<T> =
    Begun<<<T as Transaction>::Storage as Storage>::Value, <T as Transaction>::Output>;

impl<'a, T: Transaction, C: Commit<T::Output>> Run<'a, T, C> {
    /// A block of transactions on top of a storage, in this order. The memory is empty.
    pub(crate) fn new(
        (transactions, order): (&'a [T], &'a Order),
        storage: &'a T::Storage,
        (memory, scheduler): (
            &'a mut MvMemory<<T::Storage as Storage>::Value>,
            &'a mut Scheduler,
        ),
        commit: C,
        chaos: Option<&'a dyn Chaos>,
    ) -> Self {
        assert_eq!(transactions.len(), order.len() as usize);
        memory.begin(order.len());
        scheduler.reset(order);
        Self {
            transactions,
            order,
            storage,
            memory,
            shared: Mutex::new(Shared {
                scheduler,
                awake: 0,
                asleep: 0,
            }),
            sleepers: Sleepers::default(),
            outputs: transactions.iter().map(|_| Mutex::new(None)).collect(),
            commit: Mutex::new(commit),
            chaos,
        }
    }

    /// Works until everything is committed. Called by every worker at once.
    ///
    /// Panics if a transaction does; the other workers then stop at their next step.
    pub(crate) fn work(&self, scratch: &mut Scratch) {
        let guard = HaltOnPanic(self);
        let mut shared = self.shared.lock();
        shared.awake += 1;
        let mut task = self.next(shared);
        while let Some(next) = task {
            self.pause();
            let begun = self.begin(next, scratch);
            self.pause();
            let mut done = self.publish(begun);
            task = loop {
                let (shared, told) = self.tell_locked(done);
                match told {
                    Told::Free => break self.next(shared),
                    Told::Next(task) => break Some(task),
                    Told::Abort(aborted) => {
                        drop(shared);
                        self.pause();
                        done = self.mark(aborted);
                    }
                }
            };
        }
        // What was looked at goes back to the pool, and there nobody shares it.
        scratch.seen.clear();
        std::mem::forget(guard);
    }

    /// The next task, if there is one now.
    pub(crate) fn try_next(&self) -> Option<Task> {
        self.shared.lock().scheduler.next_task()
    }

    /// Whether [`Run::try_next`] may find something.
    pub(crate) fn may_have_task(&self) -> bool {
        self.shared.lock().scheduler.may_have_task()
    }

    /// Whether everything is committed.
    pub(crate) fn is_done(&self) -> bool {
        self.shared.lock().scheduler.is_done()
    }

    /// What it took so far.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().scheduler.counts()
    }

    /// Executes, compares or hands out.
    pub(crate) fn begin(&self, task: Task, scratch: &mut Scratch) -> BegunOf<T> {
        Begun(match task {
            Task::Execute(version) => self.execute(version, scratch),
            Task::Validate(validation) => {
                let version = validation.version;
                Step::Compared(validation, self.is_valid(version, scratch))
            }
            Task::Commit(range) => {
                let mut commit = self.commit.lock();
                let mut start = range.start;
                while start < range.end {
                    let window = self.order.window_of(start);
                    start = window.end;
                    let outputs = &self.outputs[window.start as usize..window.end as usize];
                    let mut outputs = outputs.iter().map(|output| {
                        let output = output.lock().take();
                        output.expect("who commits has executed")
                    });
                    commit.commit(window, &mut outputs);
                }
                Step::Committed(range)
            }
        })
    }

    /// Publishes what came of a task.
    pub(crate) fn publish(&self, begun: BegunOf<T>) -> Done {
        match begun.0 {
            Step::Executed(version, effects, values, output) => {
                *self.outputs[version.transaction as usize].lock() = Some(output);
                Done::Executed(version, self.memory.publish(version, effects, values))
            }
            Step::Waits(version, estimate) => Done::Waits(version, estimate),
            Step::Compared(validation, is_valid) => Done::Compared(validation, is_valid),
            Step::Committed(range) => Done::Committed(range),
        }
    }

    /// Tells the scheduler that a task is done.
    pub(crate) fn tell(&self, done: Done) -> Told {
        self.tell_locked(done).1
    }

    fn tell_locked(&self, done: Done) -> (Guard<'_, Shared<'a>>, Told) {
        let mut shared = self.shared.lock();
        let scheduler = &mut shared.scheduler;
        let mut aborted = Vec::new();
        match done {
            Done::Executed(version, is_changed) => {
                if scheduler.finish_execution(version, is_changed) {
                    aborted.push(version.transaction);
                }
            }
            Done::Waits(version, estimate) => {
                if let Some(version) = scheduler.wait_for(version, estimate.transaction) {
                    return (shared, Told::Next(Task::Execute(version)));
                }
            }
            Done::Compared(validation, is_valid) => {
                scheduler.finish_validation(validation, is_valid, &mut aborted);
            }
            Done::Aborted(aborted) => scheduler.finish_abort(&aborted),
            Done::Committed(range) => scheduler.finish_commit(&range),
        }
        let told = if aborted.is_empty() {
            Told::Free
        } else {
            Told::Abort(aborted)
        };
        (shared, told)
    }

    /// Makes estimates of what these have written.
    pub(crate) fn mark(&self, aborted: Vec<u32>) -> Done {
        if !is_planted(Bug::EstimateDropped) {
            for transaction in &aborted {
                self.memory.mark_estimates(*transaction);
            }
        }
        Done::Aborted(aborted)
    }

    fn execute(
        &self,
        version: Version,
        scratch: &mut Scratch,
    ) -> Step<<T::Storage as Storage>::Value, T::Output> {
        let transaction = &self.transactions[version.transaction as usize];
        let window = self.order.window_of(version.transaction);
        let place = (version, window);
        let mut access = Access::new(self.memory, self.storage, place, scratch);
        match transaction.execute(&mut access) {
            Ok(output) => {
                let (effects, values) = access.finish();
                Step::Executed(version, effects, values, output)
            }
            Err(estimate) => Step::Waits(version, estimate),
        }
    }

    fn is_valid(&self, version: Version, scratch: &mut Scratch) -> bool {
        if is_planted(Bug::ValidationSkipped) {
            return true;
        }
        scratch.seen.clear();
        let window = self.order.window_of(version.transaction);
        let place = (version.transaction, &window);
        let is_valid = self.memory.validate(self.storage, place, &mut scratch.seen);
        is_valid && !self.chaos.is_some_and(|chaos| chaos.fails(version))
    }

    /// Waits for the next task; `None`: everything is done.
    fn next(&self, mut shared: Guard<'_, Shared<'a>>) -> Option<Task> {
        loop {
            if shared.scheduler.is_done() {
                self.sleepers.wake_all();
                return None;
            }
            if let Some(task) = shared.scheduler.next_task() {
                if shared.asleep > 0 && shared.scheduler.may_have_task() {
                    self.sleepers.wake_one();
                }
                return Some(task);
            }
            // Whoever works still will find more to do, and wake others.
            assert!(
                shared.awake > 1,
                "nobody has anything to do, and it is not done"
            );
            shared.awake -= 1;
            shared.asleep += 1;
            shared = self.sleepers.wait(shared);
            shared.asleep -= 1;
            shared.awake += 1;
        }
    }

    fn pause(&self) {
        if let Some(chaos) = self.chaos {
            chaos.pause();
        }
    }
}

/// A worker that panics takes the others with it, or they would wait for it for ever.
struct HaltOnPanic<'a, 'b, T: Transaction, C>(&'a Run<'b, T, C>);

impl<T: Transaction, C> Drop for HaltOnPanic<'_, '_, T, C> {
    fn drop(&mut self) {
        self.0.shared.lock().scheduler.halt();
        self.0.sleepers.wake_all();
    }
}
