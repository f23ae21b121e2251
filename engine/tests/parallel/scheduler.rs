//! Every state that the scheduler can come to with small blocks: whatever takes how long, whatever
//! changes something or not, whoever meets an estimate, whatever fails (so many incarnations long).
//!
//! Beside the scheduler goes a [`Model`] that knows only what tasks are under way and what became of
//! those before, and derives by rules of its own what must hold:
//!
//! - Somebody always has something to do, until everything is committed; and from every state there is
//!   a way to that end.
//! - A commit has whole windows, next in order, in which everything has executed and was compared after
//!   the last change that it could have read.
//! - A comparison counts if and only if nothing has changed since it began that it could have read.
//! - What is committed is neither aborted nor executed again.
//! - Of a lane only one executes at any time. Who executes has found the one before it executed, and if
//!   that was aborted meanwhile, is aborted too.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use engine::parallel::scheduler::{Scheduler, Task, Validation};
use engine::parallel::{Order, Version};

/// A block, and how far what may happen goes.
struct Block {
    name: &'static str,
    order: Order,
    /// By transaction, the one before it in its lane.
    previous: Vec<Option<u32>>,
    workers: usize,
    /// Comparisons of incarnations below this may fail.
    failing: u32,
    /// Incarnations below this may meet an estimate.
    suspending: u32,
}

impl Block {
    fn plain(name: &'static str, transactions: u32, limits: (usize, u32, u32)) -> Self {
        Self::new(name, &vec![vec![None]; transactions as usize], limits)
    }

    fn new(
        name: &'static str,
        windows: &[Vec<Option<u32>>],
        (workers, failing, suspending): (usize, u32, u32),
    ) -> Self {
        let mut order = Order::new();
        for window in windows {
            for previous in window {
                order.push(*previous);
            }
            order.end_window();
        }
        Self {
            name,
            order,
            previous: windows.concat(),
            workers,
            failing,
            suspending,
        }
    }

    /// Whether two are in one lane.
    fn is_lane(&self, earlier: u32, later: u32) -> bool {
        let mut at = Some(later);
        while let Some(transaction) = at {
            if transaction == earlier {
                return true;
            }
            at = self.previous[transaction as usize];
        }
        false
    }
}

/// What a worker does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    Execute {
        version: Version,
        /// The one before it in its lane was aborted since.
        is_doomed: bool,
    },
    Validate {
        validation: Validation,
        /// Something has changed since that it could have read.
        is_stale: bool,
    },
    Abort(Vec<u32>),
    Commit(Range<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    /// Its effects stand and are no estimates.
    is_executed: bool,
    /// It was compared after the last change.
    is_valid: bool,
    incarnation: u32,
}

/// The scheduler, and what must be true of it.
#[derive(Clone, Debug)]
struct Model {
    scheduler: Scheduler,
    doing: Vec<Doing>,
    known: Vec<Known>,
    /// So many were handed out to be committed.
    committed: u32,
}

impl Model {
    fn new(block: &Block) -> Self {
        let first = Known {
            is_executed: false,
            is_valid: false,
            incarnation: 0,
        };
        Self {
            scheduler: Scheduler::new(&block.order),
            doing: Vec::new(),
            known: vec![first; block.previous.len()],
            committed: 0,
        }
    }

    /// To know a state again. In bytes, for there are many; in these blocks all numbers are small.
    fn key(&self) -> Box<[u8]> {
        let mut doing: Vec<Vec<u32>> = self.doing.iter().map(Doing::key).collect();
        doing.sort_unstable();
        let mut key = self.scheduler.fingerprint();
        key.push(self.committed);
        for known in &self.known {
            key.extend([known.is_executed, known.is_valid].map(u32::from));
            key.push(known.incarnation);
        }
        for doing in doing {
            key.push(doing.len() as u32);
            key.extend(doing);
        }
        let small = |number: u32| u8::try_from(number).expect("a small block");
        key.into_iter().map(small).collect()
    }

    /// All states that may come next.
    fn next(&self, block: &Block) -> Vec<Self> {
        let mut states = Vec::new();
        if self.doing.len() < block.workers {
            let mut next = self.clone();
            next.take(block);
            states.push(next);
        }
        for (at, doing) in self.doing.iter().enumerate() {
            let mut rest = self.clone();
            rest.doing.remove(at);
            match doing {
                Doing::Execute { version, is_doomed } => {
                    states.extend([true, false].map(|is_changed| {
                        let mut next = rest.clone();
                        next.end_execution(*version, *is_doomed, is_changed, block);
                        next
                    }));
                    states.extend(rest.suspended(*version, *is_doomed, block));
                }
                Doing::Validate {
                    validation,
                    is_stale,
                } => {
                    if validation.version.incarnation < block.failing {
                        let mut next = rest.clone();
                        next.end_validation(*validation, *is_stale, false, block);
                        states.push(next);
                    }
                    rest.end_validation(*validation, *is_stale, true, block);
                    states.push(rest);
                }
                Doing::Abort(aborted) => {
                    rest.scheduler.finish_abort(aborted);
                    for transaction in aborted {
                        rest.known[*transaction as usize].incarnation += 1;
                        rest.change(*transaction, block);
                    }
                    states.push(rest);
                }
                Doing::Commit(range) => {
                    rest.scheduler.finish_commit(range);
                    states.push(rest);
                }
            }
        }
        states
    }

    /// A worker looks for something to do.
    fn take(&mut self, block: &Block) {
        let may_have_task = self.scheduler.clone().may_have_task();
        let task = self.scheduler.next_task();
        assert!(task.is_none() || may_have_task, "nobody would be woken");
        match task {
            None => assert!(
                self.is_done() || !self.doing.is_empty(),
                "nobody has anything to do"
            ),
            Some(Task::Execute(version)) => self.start(version, block),
            Some(Task::Validate(validation)) => {
                let Version { transaction, .. } = validation.version;
                let mut window = block.order.window_of(transaction);
                assert!(window.all(|it| self.known[it as usize].is_executed));
                let known = self.known[transaction as usize];
                assert!(!known.is_valid && known.incarnation == validation.version.incarnation);
                self.doing.push(Doing::Validate {
                    validation,
                    is_stale: false,
                });
            }
            Some(Task::Commit(range)) => {
                let is_commit = |doing: &Doing| matches!(doing, Doing::Commit(_));
                assert!(!self.doing.iter().any(is_commit));
                assert!(range.start == self.committed && range.start < range.end);
                assert_eq!(range.end, block.order.window_of(range.end - 1).end);
                for known in &self.known[range.start as usize..range.end as usize] {
                    assert!(known.is_executed && known.is_valid, "what commits is final");
                }
                self.committed = range.end;
                self.doing.push(Doing::Commit(range));
            }
        }
    }

    fn start(&mut self, version: Version, block: &Block) {
        let Version { transaction, .. } = version;
        assert!(self.committed <= transaction, "what is committed is final");
        let known = self.known[transaction as usize];
        assert!(!known.is_executed && known.incarnation == version.incarnation);
        if let Some(previous) = block.previous[transaction as usize] {
            assert!(self.known[previous as usize].is_executed, "lanes in order");
        }
        for doing in &self.doing {
            if let Doing::Execute { version: other, .. } = doing {
                let (low, high) = (
                    transaction.min(other.transaction),
                    transaction.max(other.transaction),
                );
                assert!(!block.is_lane(low, high), "one at a time in a lane");
            }
        }
        self.doing.push(Doing::Execute {
            version,
            is_doomed: false,
        });
    }

    fn end_execution(
        &mut self,
        version: Version,
        is_doomed: bool,
        is_changed: bool,
        block: &Block,
    ) {
        let is_aborted = self.scheduler.finish_execution(version, is_changed);
        assert_eq!(is_aborted, is_doomed);
        let Version { transaction, .. } = version;
        if is_aborted {
            self.doing.push(Doing::Abort(vec![transaction]));
            return;
        }
        self.known[transaction as usize].is_executed = true;
        if is_changed {
            self.change(transaction, block);
        }
    }

    /// It has read an estimate of whoever was ever aborted.
    fn suspended(&self, version: Version, is_doomed: bool, block: &Block) -> Vec<Self> {
        if version.incarnation >= block.suspending {
            return Vec::new();
        }
        let was_aborted = |other: &u32| self.known[*other as usize].incarnation > 0;
        let others = (0..version.transaction).filter(was_aborted);
        let suspend = |other| {
            let mut next = self.clone();
            if let Some(version) = next.scheduler.wait_for(version, other) {
                assert!(!is_doomed && version.transaction == other);
                next.start(version, block);
            }
            next
        };
        others.map(suspend).collect()
    }

    fn end_validation(
        &mut self,
        validation: Validation,
        is_stale: bool,
        is_valid: bool,
        block: &Block,
    ) {
        let before = self.scheduler.fingerprint();
        let mut aborted = Vec::new();
        self.scheduler
            .finish_validation(validation, is_valid, &mut aborted);
        let Version { transaction, .. } = validation.version;
        let is_counted = before != self.scheduler.fingerprint();
        assert_eq!(is_counted, !is_stale, "what counts is what is up to date");
        if is_stale || is_valid {
            assert!(aborted.is_empty());
            // What is stale says nothing, and another may have said more since.
            self.known[transaction as usize].is_valid |= !is_stale;
            return;
        }
        let lane = (transaction..block.order.len()).filter(|it| block.is_lane(transaction, *it));
        let lane: Vec<u32> = lane.collect();
        let executed = |it: &&u32| self.known[**it as usize].is_executed;
        let expected: Vec<u32> = lane.iter().filter(executed).copied().collect();
        assert_eq!(aborted, expected, "a lane goes together");
        for it in &expected {
            assert!(self.committed <= *it, "what is committed is final");
            self.known[*it as usize].is_executed = false;
            self.known[*it as usize].is_valid = false;
        }
        for doing in &mut self.doing {
            match doing {
                Doing::Execute { version, is_doomed } => {
                    *is_doomed |= lane.contains(&version.transaction);
                }
                Doing::Validate {
                    validation,
                    is_stale,
                } => *is_stale |= expected.contains(&validation.version.transaction),
                Doing::Abort(_) | Doing::Commit(_) => {}
            }
        }
        self.doing.push(Doing::Abort(aborted));
    }

    /// What a transaction left has changed: whoever is in its window or after may have read it.
    fn change(&mut self, transaction: u32, block: &Block) {
        let start = block.order.window_of(transaction).start;
        assert!(self.committed <= start, "what is committed is final");
        let affected = |it: u32| start <= it && it != transaction;
        for (it, known) in (0..).zip(&mut self.known) {
            known.is_valid &= !affected(it);
        }
        for doing in &mut self.doing {
            if let Doing::Validate {
                validation,
                is_stale,
            } = doing
            {
                *is_stale |= affected(validation.version.transaction);
            }
        }
    }

    fn is_done(&self) -> bool {
        let is_done = self.scheduler.is_done();
        assert!(!is_done || self.committed as usize == self.known.len());
        is_done
    }
}

impl Doing {
    fn key(&self) -> Vec<u32> {
        match self {
            Self::Execute { version, is_doomed } => {
                vec![
                    0,
                    version.transaction,
                    version.incarnation,
                    u32::from(*is_doomed),
                ]
            }
            Self::Validate {
                validation,
                is_stale,
            } => {
                let Version {
                    transaction,
                    incarnation,
                } = validation.version;
                // All that are stale are alike: they are told, and nothing follows.
                match is_stale {
                    true => vec![1],
                    false => vec![2, transaction, incarnation],
                }
            }
            Self::Abort(aborted) => [&[3], aborted.as_slice()].concat(),
            Self::Commit(range) => vec![4, range.start, range.end],
        }
    }
}

/// Comes to every state, and from each to the end. Returns how many there are.
fn explore(block: &Block) -> usize {
    let mut numbers = BTreeMap::new();
    let mut edges = Vec::new();
    let mut ends = Vec::new();
    let first = Model::new(block);
    numbers.insert(first.key(), 0);
    let mut todo = VecDeque::from([first]);
    let mut from = 0;
    while let Some(model) = todo.pop_front() {
        if model.is_done() && model.doing.is_empty() {
            ends.push(from);
        }
        for next in model.next(block) {
            let number = numbers.len();
            let to = *numbers.entry(next.key()).or_insert_with(|| {
                todo.push_back(next);
                number
            });
            edges.push((to, from));
        }
        from += 1;
    }
    assert_eq!(
        reached_back(&mut edges, ends, from),
        from,
        "{}: no way to the end",
        block.name
    );
    println!("{}: {from} states, {} edges", block.name, edges.len());
    from
}

/// How many of so many states lead to the ends.
fn reached_back(edges: &mut [(usize, usize)], mut todo: Vec<usize>, states: usize) -> usize {
    edges.sort_unstable();
    let mut is_reached = vec![false; states];
    for end in &todo {
        is_reached[*end] = true;
    }
    while let Some(to) = todo.pop() {
        let start = edges.partition_point(|edge| edge.0 < to);
        for (_, from) in edges[start..].iter().take_while(|edge| edge.0 == to) {
            if !std::mem::replace(&mut is_reached[*from], true) {
                todo.push(*from);
            }
        }
    }
    is_reached.iter().filter(|is_reached| **is_reached).count()
}

#[test]
fn every_state_of_small_blocks_is_sound_and_leads_to_the_end() {
    let lanes = |previous: &[u32]| previous.iter().map(|it| Some(*it)).collect::<Vec<_>>();
    let none = vec![None, None];
    for block in [
        Block::plain("two", 2, (4, 3, 3)),
        Block::plain("three", 3, (3, 2, 2)),
        Block::plain("four", 4, (3, 1, 1)),
        Block::new("a window of two", std::slice::from_ref(&none), (4, 3, 3)),
        Block::new(
            "a lane of three",
            &[vec![None], lanes(&[0]), lanes(&[1])],
            (3, 2, 2),
        ),
        Block::new(
            "two windows of two lanes",
            &[none.clone(), lanes(&[0, 1])],
            (3, 1, 2),
        ),
        Block::new(
            "a lane beside a window",
            &[none, vec![Some(0), None], vec![Some(2)]],
            (3, 1, 1),
        ),
    ] {
        assert!(explore(&block) > 100, "{}: hardly a block", block.name);
    }
}
