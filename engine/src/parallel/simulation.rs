//! Virtual workers: the same scheduler, the same memory and the same transactions as under real
//! threads, with virtual time in place of theirs.
//!
//! One thread does all the work. The worker whose clock is behind goes next; what it does is really
//! done, and its clock goes on by what that cost. A task sees what was published before it began and
//! publishes when it ends, so that tasks of different workers overlap as they would. The scheduler's
//! lock is a resource that one worker has at a time.
//!
//! What is not modelled: caches and memory bandwidth, which workers share. The time it yields is a
//! lower bound.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::access::Scratch;
use super::mv_memory::Storage;
use super::run::{Begun, Commit, Done, Run, Told, Transaction};
use super::scheduler::Task;

/// What things cost, in nanoseconds.
pub trait Costs {
    /// Called before and after everything that is done: the difference is what it cost.
    fn now(&mut self) -> u64;

    /// How long the scheduler's lock is held for a call that took so long.
    fn locked(&mut self, call: u64) -> u64;

    /// From the call that wakes a worker until it runs.
    fn wake(&mut self) -> u64;
}

/// What a simulation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// Virtual time from the beginning until the last worker was done.
    pub makespan: u64,
    /// Virtual time that all workers together worked.
    pub busy: u64,
}

enum Doing<V, O> {
    /// Looks for something to do.
    Looking,
    Task(Begun<V, O>),
    Telling(Done),
}

/// Runs everything on so many virtual workers.
pub(crate) fn simulate<T: Transaction, C: Commit<T::Output>>(
    run: &Run<'_, T, C>,
    workers: usize,
    scratch: &mut Scratch,
    costs: &mut dyn Costs,
) -> Simulated {
    type DoingOf<T> =
        Doing<<<T as Transaction>::Storage as Storage>::Value, <T as Transaction>::Output>;
    let mut simulated = Simulated::default();
    let mut doing: Vec<DoingOf<T>> = Vec::new();
    doing.resize_with(workers, || Doing::Looking);
    let mut awake: BinaryHeap<_> = (0..workers).map(|worker| Reverse((0, worker))).collect();
    let mut asleep = Vec::new();
    let mut lock_free_at = 0;
    while let Some(Reverse((mut clock, worker))) = awake.pop() {
        let began = costs.now();
        let done = match std::mem::replace(&mut doing[worker], Doing::Looking) {
            Doing::Looking => None,
            Doing::Task(begun) => Some(run.publish(begun)),
            Doing::Telling(done) => Some(done),
        };
        let published = costs.now();
        let next = match done.map(|done| run.tell(done)) {
            None | Some(Told::Free) => run.try_next().map(Then::Task),
            Some(Told::Next(task)) => Some(Then::Task(task)),
            Some(Told::Abort(aborted)) => Some(Then::Mark(aborted)),
        };
        let told = costs.now();
        let (publish, call) = (published - began, told - published);
        clock = lock_free_at.max(clock + publish);
        lock_free_at = clock + costs.locked(call);
        clock += call;
        simulated.busy += publish + call;
        if !asleep.is_empty() && run.may_have_task() {
            let sleeper = asleep.pop().expect("somebody sleeps");
            awake.push(Reverse((clock + costs.wake(), sleeper)));
        }
        let began = costs.now();
        doing[worker] = match next {
            Some(Then::Task(task)) => Doing::Task(run.begin(task, scratch)),
            Some(Then::Mark(aborted)) => Doing::Telling(run.mark(aborted)),
            None => {
                asleep.push(worker);
                simulated.makespan = simulated.makespan.max(clock);
                continue;
            }
        };
        let spent = costs.now() - began;
        simulated.busy += spent;
        awake.push(Reverse((clock + spent, worker)));
    }
    scratch.seen.clear();
    assert!(
        run.is_done(),
        "nobody has anything to do, and it is not done"
    );
    simulated
}

enum Then {
    Task(Task),
    Mark(Vec<u32>),
}
