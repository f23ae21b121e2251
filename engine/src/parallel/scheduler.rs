//! Who does what next: the collaborative scheduler of Block-STM as a pure state machine.
//!
//! No threads, no locks, no clock: workers call it under one lock, a discrete-event simulation calls
//! it for virtual workers, and a model checker calls it in every order. Nothing in it knows what a
//! transaction is.
//!
//! # A transaction's life
//!
//! ```text
//!             next_task                  finish_execution
//!   Ready(i) ───────────▶ Executing(i) ──────────────────▶ Executed(i) ─────▶ committed
//!    ▲  ▲  │ must wait       │  │                             │    (its window: executed, valid,
//!    │  │  ▼                 │  │ doomed                      │     and everything before committed)
//!    │  └─ Blocked(i) ◀──────┘  │                             │ finish_validation: failed,
//!    │    (reads an estimate,   ▼                             ▼ or one before it in its lane failed
//!    │     or its lane is    Aborting(i) ◀────────────────────┘
//!    │     not there yet)       │
//!    └──── i + 1 ◀──────────────┘ finish_abort
//! ```
//!
//! `i` is the incarnation. Beside its status every executed transaction is `Unvalidated`, `Pending`
//! (somebody looks) or `Valid`. Whatever changes what a transaction may have read makes it
//! `Unvalidated` again, and what was pending before that no longer counts.
//!
//! # What differs from the paper
//!
//! The algorithm is that of Gelashvili et al., "Block-STM" (PPoPP 2023): preset order, lowest first,
//! validation before execution, estimates, and suspension of who reads one. The differences:
//!
//! - **One lock instead of counters.** The paper counts with atomics because a task there may be a
//!   microsecond. A task here is made to be worth at least twenty, and then a lock that is held for
//!   some tens of nanoseconds is not the limit; what it buys is that every step is one step.
//! - **Rolling commit.** The paper commits the block when nobody has anything left to do. Here the
//!   longest final prefix commits while the rest still runs.
//! - **Validity is written down.** The paper derives from two counters that everything below an index
//!   was validated since the last change. Here each transaction says so itself, so that a commit
//!   need not wait for a sweep.
//! - **Validation does not run ahead.** Nothing behind a transaction that has never executed is
//!   validated: what that one writes first would make it void. The paper validates whatever has
//!   executed, which with many workers costs several validations a transaction.
//! - **Windows.** Transactions may consist of steps that alternate with the steps of their neighbors
//!   (slices of lanes do). All of a window can depend on each other. They are validated when all have
//!   executed, a change in one makes all of them and everything after them `Unvalidated`, and they
//!   commit together. Without windows every transaction is a window.
//! - **Lanes.** A transaction may have one that it must follow, because both change something in
//!   place. It is executed only when that one is, and aborts with it. This is a dependency that is
//!   declared beforehand, where the paper would find an estimate.
//! - **An attempt that was cut short keeps its incarnation**: it has published nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// One incarnation of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its place in the preset order.
    pub transaction: u32,
    /// How often it was aborted before.
    pub incarnation: u32,
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Execute, publish, then [`Scheduler::finish_execution`]; or [`Scheduler::wait_for`].
    Execute(Version),
    /// Compare what it read with what it would read now, then [`Scheduler::finish_validation`].
    Validate(Validation),
    /// These are final, whole windows. Hand them out, then [`Scheduler::finish_commit`]. Only one
    /// commit is under way at any time, and they come in order.
    Commit(Range<u32>),
}

/// A validation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Of what.
    pub version: Version,
    ticket: u64,
}

/// The preset order, as far as it is more than a number per transaction.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Where each window ends, rising; the last is the number of transactions.
    ends: Vec<u32>,
    /// By transaction, its window.
    windows: Vec<u32>,
    /// By transaction, the one before it in its lane.
    previous: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;

impl Order {
    /// So many transactions, of which none alternates with or follows another.
    pub fn plain(transactions: u32) -> Self {
        Self {
            ends: (1..=transactions).collect(),
            windows: (0..transactions).collect(),
            previous: vec![NOBODY; transactions as usize],
        }
    }

    /// No transactions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all transactions.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.windows.clear();
        self.previous.clear();
    }

    /// Adds a transaction to the window at the end; returns its number. `previous`: the one before it
    /// in its lane, in an earlier window.
    pub fn push(&mut self, previous: Option<u32>) -> u32 {
        let transaction = self.len();
        let closed = self.ends.last().copied().unwrap_or(0);
        assert!(previous.is_none_or(|previous| previous < closed));
        self.previous.push(previous.unwrap_or(NOBODY));
        self.windows.push(self.ends.len() as u32);
        transaction
    }

    /// Ends the window, if there is anything in it.
    pub fn end_window(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.len() {
            self.ends.push(self.len());
        }
    }

    /// How many transactions there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.previous.len()).expect("transactions are numbered in 32 bits")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.previous.is_empty()
    }

    /// The transactions of the window that a transaction is in.
    pub fn window_of(&self, transaction: u32) -> Range<u32> {
        let window = self.windows[transaction as usize] as usize;
        let start = window.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[window]
    }

    /// The windows, in order.
    pub fn windows(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    Blocked,
    Executing,
    Executed,
    Aborting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Validity {
    Unvalidated,
    Pending(u64),
    Valid,
}

#[derive(Clone, Debug)]
struct Transaction {
    status: Status,
    validity: Validity,
    incarnation: u32,
    /// Whether it is to be aborted as soon as it has executed.
    is_doomed: bool,
    window: u32,
    /// Its neighbors in its lane.
    previous: u32,
    next: u32,
    /// Who waits for its execution to end.
    waiting: Vec<u32>,
}

impl Default for Transaction {
    /// Ready, alone, and never executed.
    fn default() -> Self {
        Self {
            status: Status::Ready,
            validity: Validity::Unvalidated,
            incarnation: 0,
            is_doomed: false,
            window: 0,
            previous: NOBODY,
            next: NOBODY,
            waiting: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
struct Window {
    range: Range<u32>,
    /// How many of it have not executed.
    missing: u32,
}

/// What it took, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Executions that ended, whatever became of them.
    pub executions: u64,
    /// Executions that were cut short because they had to wait.
    pub suspensions: u64,
    /// Validations.
    pub validations: u64,
    /// Incarnations that were thrown away.
    pub aborts: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.executions += other.executions;
        self.suspensions += other.suspensions;
        self.validations += other.validations;
        self.aborts += other.aborts;
    }
}

/// The state machine.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    transactions: Vec<Transaction>,
    windows: Vec<Window>,
    /// Everything from here on was never handed out.
    fresh: u32,
    /// Ready and below `fresh`; may name some that are ready no more.
    again: BinaryHeap<Reverse<u32>>,
    /// Nothing below needs a validation that could begin now.
    unvalidated: u32,
    /// Every validation so far was below.
    validated_end: u32,
    /// The first window that is not committed.
    next_window: u32,
    /// Everything before has executed at least once.
    first_open: u32,
    committed: u32,
    is_committing: bool,
    tickets: u64,
    is_halted: bool,
    counts: Counts,
}

impl Scheduler {
    /// All of these are to be executed.
    pub fn new(order: &Order) -> Self {
        let mut scheduler = Self::default();
        scheduler.reset(order);
        scheduler
    }

    /// The same, reusing what memory there is.
    pub fn reset(&mut self, order: &Order) {
        self.windows.clear();
        self.transactions
            .resize_with(order.previous.len(), Transaction::default);
        for range in order.windows() {
            let window = self.windows.len() as u32;
            for transaction in range.clone() {
                let previous = order.previous[transaction as usize];
                if let Some(before) = self.transactions.get_mut(previous as usize) {
                    before.next = transaction;
                }
                let it = &mut self.transactions[transaction as usize];
                let mut waiting = std::mem::take(&mut it.waiting);
                waiting.clear();
                *it = Transaction {
                    window,
                    previous,
                    waiting,
                    ..Transaction::default()
                };
            }
            let missing = range.end - range.start;
            self.windows.push(Window { range, missing });
        }
        self.again.clear();
        *self = Self {
            transactions: std::mem::take(&mut self.transactions),
            windows: std::mem::take(&mut self.windows),
            again: std::mem::take(&mut self.again),
            ..Self::default()
        };
    }

    /// Whether everything is committed, or somebody has given up.
    pub fn is_done(&self) -> bool {
        self.is_halted || self.committed as usize == self.transactions.len()
    }

    /// Ends the work early: nothing is handed out any more.
    pub fn halt(&mut self) {
        self.is_halted = true;
    }

    /// What it took so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What everything that comes depends on, for who explores all states and must know one again:
    /// all but the counts, the order of what has none, and tickets but for whether there is one.
    pub fn fingerprint(&self) -> Vec<u32> {
        let mut print = vec![
            self.fresh,
            self.unvalidated,
            self.validated_end,
            self.next_window,
            self.committed,
            u32::from(self.is_committing),
            u32::from(self.is_halted),
        ];
        for it in &self.transactions {
            let validity = match it.validity {
                Validity::Unvalidated => 0,
                Validity::Pending(_) => 1,
                Validity::Valid => 2,
            };
            print.extend([it.status as u32, validity, it.incarnation]);
            print.extend([u32::from(it.is_doomed), it.waiting.len() as u32]);
            print.extend(&it.waiting);
            let end = print.len();
            print[end - it.waiting.len()..].sort_unstable();
        }
        print.extend(self.windows.iter().map(|window| window.missing));
        let start = print.len();
        print.extend(self.again.iter().map(|Reverse(transaction)| *transaction));
        print[start..].sort_unstable();
        print
    }

    /// Whether [`Scheduler::next_task`] may find something. It may find nothing all the same.
    pub fn may_have_task(&mut self) -> bool {
        !self.is_done()
            && (!self.again.is_empty()
                || (self.fresh as usize) < self.transactions.len()
                || self.peek_validation().is_some()
                || !self.final_prefix().is_empty())
    }

    /// The next thing to do, lowest first; `None`: nothing now.
    pub fn next_task(&mut self) -> Option<Task> {
        if self.is_done() {
            return None;
        }
        let prefix = self.final_prefix();
        if !prefix.is_empty() {
            self.is_committing = true;
            return Some(Task::Commit(prefix));
        }
        let validation = self.peek_validation();
        if validation.is_none_or(|transaction| self.peek_execution() <= transaction)
            && let Some(version) = self.take_execution()
        {
            return Some(Task::Execute(version));
        }
        let transaction = validation?;
        self.unvalidated = transaction + 1;
        self.validated_end = self.validated_end.max(transaction + 1);
        self.tickets += 1;
        let ticket = self.tickets;
        let it = &mut self.transactions[transaction as usize];
        it.validity = Validity::Pending(ticket);
        let version = Version {
            transaction,
            incarnation: it.incarnation,
        };
        Some(Task::Validate(Validation { version, ticket }))
    }

    /// The transaction has executed and its effects are published. `is_changed`: others may have
    /// read something else before. Returns whether it must be aborted at once: its effects become
    /// estimates, then [`Scheduler::finish_abort`].
    #[must_use]
    pub fn finish_execution(&mut self, version: Version, is_changed: bool) -> bool {
        self.counts.executions += 1;
        let Version { transaction, .. } = version;
        let it = &mut self.transactions[transaction as usize];
        assert_eq!(
            (it.status, it.incarnation),
            (Status::Executing, version.incarnation)
        );
        let is_doomed = std::mem::take(&mut it.is_doomed);
        it.validity = Validity::Unvalidated;
        if is_doomed {
            it.status = Status::Aborting;
            return true;
        }
        it.status = Status::Executed;
        let window = it.window as usize;
        self.wake(transaction);
        let window = &mut self.windows[window];
        window.missing -= 1;
        let (start, is_whole) = (window.range.start, window.missing == 0);
        if is_changed {
            self.invalidate(start, transaction);
        } else {
            self.unvalidated = self.unvalidated.min(transaction);
        }
        if is_whole {
            // Nobody in it could be validated so far.
            self.unvalidated = self.unvalidated.min(start);
        }
        false
    }

    /// The transaction has read an estimate of `other` and has to wait for it. If `other` is not
    /// under way, it is what the worker does next; else the worker asks for another task.
    pub fn wait_for(&mut self, version: Version, other: u32) -> Option<Version> {
        self.counts.suspensions += 1;
        let Version { transaction, .. } = version;
        assert!(other < transaction, "one waits for what comes before");
        let it = &mut self.transactions[transaction as usize];
        assert_eq!(
            (it.status, it.incarnation),
            (Status::Executing, version.incarnation)
        );
        if std::mem::take(&mut it.is_doomed) {
            // It has published nothing, so there is nothing to abort, but somebody may wait for it.
            it.status = Status::Ready;
            self.again.push(Reverse(transaction));
            self.wake(transaction);
            return None;
        }
        if self.transactions[other as usize].status == Status::Executed {
            self.transactions[transaction as usize].status = Status::Ready;
            self.again.push(Reverse(transaction));
            return None;
        }
        self.block(transaction, other);
        self.start(other)
    }

    /// What came of a validation, unless that no longer counts. If it failed, `aborted` is filled with
    /// who must be aborted: their effects become estimates, then [`Scheduler::finish_abort`].
    pub fn finish_validation(
        &mut self,
        validation: Validation,
        is_valid: bool,
        aborted: &mut Vec<u32>,
    ) {
        self.counts.validations += 1;
        aborted.clear();
        let Validation { version, ticket } = validation;
        let it = &mut self.transactions[version.transaction as usize];
        if it.validity != Validity::Pending(ticket) {
            // Something has changed since it began: it will be validated again, or was already.
            return;
        }
        assert_eq!(
            (it.status, it.incarnation),
            (Status::Executed, version.incarnation)
        );
        if is_valid {
            it.validity = Validity::Valid;
        } else {
            self.abort(version.transaction, aborted);
        }
    }

    /// The effects of these, which were to be aborted, are estimates now.
    pub fn finish_abort(&mut self, aborted: &[u32]) {
        for transaction in aborted {
            self.counts.aborts += 1;
            let it = &mut self.transactions[*transaction as usize];
            assert_eq!(it.status, Status::Aborting);
            it.status = Status::Ready;
            it.incarnation += 1;
            let window = it.window as usize;
            self.again.push(Reverse(*transaction));
            self.wake(*transaction);
            let start = self.windows[window].range.start;
            self.invalidate(start, *transaction);
        }
    }

    /// What was handed out last as a commit is done.
    pub fn finish_commit(&mut self, committed: &Range<u32>) {
        assert!(self.is_committing && committed.start == self.committed);
        self.is_committing = false;
        self.committed = committed.end;
        while self
            .windows
            .get(self.next_window as usize)
            .is_some_and(|window| window.range.end <= committed.end)
        {
            self.next_window += 1;
        }
    }

    /// Whole windows from the first that is not committed on, of which all have executed and are
    /// valid. Nothing can make them invalid any more.
    fn final_prefix(&self) -> Range<u32> {
        let mut prefix = self.committed..self.committed;
        if self.is_committing {
            return prefix;
        }
        for window in &self.windows[self.next_window as usize..] {
            let members =
                &self.transactions[window.range.start as usize..window.range.end as usize];
            let is_final =
                window.missing == 0 && members.iter().all(|it| it.validity == Validity::Valid);
            if !is_final {
                break;
            }
            prefix.end = window.range.end;
        }
        prefix
    }

    /// The lowest that could be validated now. Nothing behind one that has never executed is: what that
    /// one writes first would make the validation void.
    fn peek_validation(&mut self) -> Option<u32> {
        while self
            .transactions
            .get(self.first_open as usize)
            .is_some_and(|it| it.status == Status::Executed || it.incarnation > 0)
        {
            self.first_open += 1;
        }
        let end = self.fresh.min(self.first_open);
        while self.unvalidated < end {
            let it = &self.transactions[self.unvalidated as usize];
            let window = &self.windows[it.window as usize];
            if window.missing > 0 {
                // Whoever completes it comes back here.
                self.unvalidated = window.range.end;
            } else if it.validity == Validity::Unvalidated {
                return Some(self.unvalidated);
            } else {
                self.unvalidated += 1;
            }
        }
        None
    }

    /// The lowest that might be executed.
    fn peek_execution(&self) -> u32 {
        let again = self.again.peek().map_or(NOBODY, |Reverse(lowest)| *lowest);
        again.min(self.fresh)
    }

    fn take_execution(&mut self) -> Option<Version> {
        loop {
            let transaction = self.peek_execution();
            if transaction as usize >= self.transactions.len() {
                return None;
            }
            if transaction == self.fresh {
                self.fresh += 1;
            } else {
                self.again.pop();
            }
            if let Some(version) = self.start(transaction) {
                return Some(version);
            }
        }
    }

    /// Starts an execution, if it is ready and its lane is.
    fn start(&mut self, transaction: u32) -> Option<Version> {
        let it = &self.transactions[transaction as usize];
        if it.status != Status::Ready {
            return None;
        }
        if let Some(other) = self.lane_obstacle(transaction) {
            self.block(transaction, other);
            return None;
        }
        let it = &mut self.transactions[transaction as usize];
        it.status = Status::Executing;
        Some(Version {
            transaction,
            incarnation: it.incarnation,
        })
    }

    /// Who must execute first, or end its execution: the one before in the lane, or, after an abort,
    /// a later one that still changes the lane.
    fn lane_obstacle(&self, transaction: u32) -> Option<u32> {
        let it = &self.transactions[transaction as usize];
        let before = self.transactions.get(it.previous as usize);
        if before.is_some_and(|before| before.status != Status::Executed) {
            return Some(it.previous);
        }
        if it.incarnation == 0 {
            return None;
        }
        let mut next = it.next;
        while let Some(later) = self.transactions.get(next as usize) {
            if later.status == Status::Executing {
                return Some(next);
            }
            next = later.next;
        }
        None
    }

    fn block(&mut self, transaction: u32, other: u32) {
        self.transactions[transaction as usize].status = Status::Blocked;
        self.transactions[other as usize].waiting.push(transaction);
    }

    /// Whoever waits for this one may try again.
    fn wake(&mut self, transaction: u32) {
        let mut waiting = std::mem::take(&mut self.transactions[transaction as usize].waiting);
        for other in waiting.drain(..) {
            let it = &mut self.transactions[other as usize];
            assert_eq!(it.status, Status::Blocked);
            it.status = Status::Ready;
            self.again.push(Reverse(other));
        }
        self.transactions[transaction as usize].waiting = waiting;
    }

    /// Everything from `start` on but the one itself may have read something else: what was found
    /// valid is so no more.
    fn invalidate(&mut self, start: u32, but: u32) {
        assert!(self.committed <= start, "what is committed is final");
        for transaction in start..self.validated_end {
            if transaction != but {
                self.transactions[transaction as usize].validity = Validity::Unvalidated;
            }
        }
        self.unvalidated = self.unvalidated.min(start);
    }

    /// Begins the abort of an executed transaction and of all that follow it in its lane.
    fn abort(&mut self, transaction: u32, aborted: &mut Vec<u32>) {
        let mut next = transaction;
        while let Some(it) = self.transactions.get_mut(next as usize) {
            match it.status {
                Status::Executed => {
                    it.status = Status::Aborting;
                    it.validity = Validity::Unvalidated;
                    self.windows[it.window as usize].missing += 1;
                    aborted.push(next);
                }
                Status::Executing => it.is_doomed = true,
                Status::Ready | Status::Blocked | Status::Aborting => {}
            }
            next = it.next;
        }
    }
}
