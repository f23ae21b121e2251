//! What a transaction sees of the memory while it executes: every read is remembered, every write
//! is kept until the end.

use std::ops::Range;
use std::sync::Arc;

use types::planted::{Bug, is_planted};

use super::mv_memory::{Check, Effects, Entry, Estimate, MvMemory, Others, Seen, Step, Storage};
use super::scheduler::Version;
use super::table::Table;

/// What a worker keeps from one task to the next, so that tasks allocate next to nothing.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) seen: Seen,
    places: Table,
    written: Table,
    locals: Vec<Local>,
    /// Of earlier blocks, shared with nobody.
    pub(crate) pool: Vec<Arc<Effects>>,
}

/// What is known of an amount besides its entry.
#[derive(Clone, Copy, Debug, Default)]
struct Local {
    /// Whether `others` was looked up by this incarnation.
    is_open: bool,
    others: Others,
}

/// The memory as one incarnation of a transaction sees it.
#[derive(Debug)]
pub struct Access<'a, S: Storage> {
    memory: &'a MvMemory<S::Value>,
    storage: &'a S,
    version: Version,
    window: Range<u32>,
    /// Where in the total order the transaction is.
    position: u32,
    effects: Effects,
    /// Where the effects go in the end.
    shell: Arc<Effects>,
    values: Vec<S::Value>,
    scratch: &'a mut Scratch,
}

impl<'a, S: Storage> Access<'a, S> {
    pub(crate) fn new(
        memory: &'a MvMemory<S::Value>,
        storage: &'a S,
        (version, window): (Version, Range<u32>),
        scratch: &'a mut Scratch,
    ) -> Self {
        scratch.seen.clear();
        scratch.places.clear();
        scratch.written.clear();
        scratch.locals.clear();
        let mut shell = scratch.pool.pop().unwrap_or_default();
        // Nobody looks at the last block any more.
        let mut effects = std::mem::take(unshared(&mut shell));
        effects.clear();
        if version.incarnation > 0 {
            let before = memory.last(version.transaction);
            for (place, entry) in (0..).zip(&before.entries) {
                scratch.places.insert(entry.location, place);
                scratch.locals.push(Local::default());
                effects.entries.push(entry.vacant());
            }
        }
        Self {
            memory,
            storage,
            version,
            window,
            position: version.transaction,
            effects,
            shell,
            values: Vec::new(),
            scratch,
        }
    }

    /// Which incarnation this is.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// What lies below the block.
    pub const fn storage(&self) -> &'a S {
        self.storage
    }

    /// From here on the transaction is at this position of the total order, which must rise. Without
    /// steps a transaction is at its own number.
    pub const fn at(&mut self, position: u32) {
        self.position = position;
    }

    /// The value at a location.
    pub fn read(&mut self, location: u32) -> Result<S::Value, Estimate> {
        if let Some(place) = self.scratch.written.get(location) {
            return Ok(self.values[place as usize].clone());
        }
        let (origin, value) = self.memory.read(location, self.version.transaction)?;
        self.effects.reads.push((location, origin));
        Ok(value.unwrap_or_else(|| self.storage.value(location)))
    }

    /// Replaces the value at a location.
    pub fn write(&mut self, location: u32, value: S::Value) {
        match self.scratch.written.get(location) {
            Some(place) => self.values[place as usize] = value,
            None => {
                let place = self.values.len() as u32;
                self.scratch.written.insert(location, place);
                self.effects.writes.push(location);
                self.values.push(value);
            }
        }
    }

    /// Adds to an amount, and to the one beside it that nobody may ask about.
    #[inline]
    pub fn add(&mut self, location: u32, added: i128, aside: i128) {
        let place = self.place(location);
        let entry = &mut self.effects.entries[place];
        entry.aside += aside;
        if added == 0 {
            return;
        }
        entry.added += added;
        if is_planted(Bug::DeltaSaturated) {
            entry.added = entry.added.clamp(-50, 50);
        }
        entry.lowest = entry.lowest.min(entry.added);
        entry.highest = entry.highest.max(entry.added);
        if self.window.end - self.window.start > 1 {
            let (position, added) = (self.position, entry.added);
            match self.effects.steps.get_mut(entry.last_step as usize) {
                Some(last) if last.position == position => last.added = added,
                _ => {
                    let before = entry.last_step;
                    entry.last_step = self.effects.steps.len() as u32;
                    self.effects.steps.push(Step {
                        position,
                        before,
                        added,
                    });
                }
            }
        }
    }

    /// Whether an amount is at least `need`.
    #[inline]
    pub fn is_at_least(&mut self, location: u32, need: i128) -> bool {
        let place = self.place(location);
        let local = &mut self.scratch.locals[place];
        if !local.is_open {
            local.is_open = true;
            let me = (self.version.transaction, &self.window);
            let seen = &mut self.scratch.seen;
            local.others = self.memory.others(self.storage, location, me, seen);
        }
        let others = local.others;
        // What others must have added so that the answer is yes.
        let need = need - self.effects.entries[place].added;
        let answer = if need <= others.before + others.lowest {
            true
        } else if others.before + others.highest < need {
            false
        } else {
            need <= others.before + self.added_within(location)
        };
        self.remember(place, need, answer);
        answer
    }

    /// What the caller knows to be at least `need`: the answer is yes, and it is wrong to go on if it
    /// turns out that it should have been no. That a caller knew wrongly shows where the amount is
    /// folded in, since it then falls below zero.
    #[inline]
    pub fn expect_at_least(&mut self, location: u32, need: i128) {
        let place = self.place(location);
        let need = need - self.effects.entries[place].added;
        self.remember(place, need, true);
    }

    #[cold]
    fn added_within(&mut self, location: u32) -> i128 {
        let me = (self.version.transaction, &self.window);
        let seen = &mut self.scratch.seen;
        self.memory
            .added_before((location, self.position), me, seen)
    }

    #[inline]
    fn remember(&mut self, place: usize, need: i128, answer: bool) {
        let entry = &mut self.effects.entries[place];
        if answer {
            entry.at_least = entry.at_least.max(need);
        } else {
            entry.less_than = entry.less_than.min(need);
        }
        if self.window.end - self.window.start > 1 {
            let before = entry.last_check;
            entry.last_check = self.effects.checks.len() as u32;
            self.effects.checks.push(Check {
                position: self.position,
                before,
                need,
                answer,
            });
        }
    }

    /// Where the entry of a location is.
    #[inline]
    fn place(&mut self, location: u32) -> usize {
        match self.scratch.places.get(location) {
            Some(place) => place as usize,
            None => {
                let place = self.effects.entries.len();
                self.scratch.places.insert(location, place as u32);
                self.scratch.locals.push(Local::default());
                self.effects.entries.push(Entry::new(location));
                place
            }
        }
    }

    /// What is to be published.
    pub(crate) fn finish(self) -> (Arc<Effects>, Vec<S::Value>) {
        let mut shell = self.shell;
        *unshared(&mut shell) = self.effects;
        (shell, self.values)
    }
}

fn unshared(shell: &mut Arc<Effects>) -> &mut Effects {
    Arc::get_mut(shell).expect("it comes from the pool")
}
