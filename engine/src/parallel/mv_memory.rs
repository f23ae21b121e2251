//! Multi-version memory: what every transaction of a block has written, by location.
//!
//! Two kinds of locations, each numbered from 0:
//!
//! - A **value** is read and replaced as a whole. Every writer leaves a version; who reads gets that of
//!   the last writer before it, and remembers whose. The version of an incarnation that was aborted
//!   stays as an estimate: whoever meets it waits for the writer (Block-STM).
//! - An **amount** is changed by addition and asked by predicate ("is it at least so much?"). Every
//!   writer leaves how much it added; who asks gets the answer for the sum before it, and remembers
//!   for which sums the answer holds. Amounts of an aborted incarnation are read as they are: the
//!   guess is mostly right, and whoever guessed wrong is validated again once the writer has executed
//!   anew. (The idea is that of Aptos' aggregators, AIP-47, and of deferred objects, arXiv
//!   2405.06117; ADR 17 says what is ours.) Beside each amount stands a second one that nobody
//!   may ask about, for funds that are held and for fees.
//!
//! # Steps
//!
//! The transactions of a window alternate: each consists of steps, and each step has a position in the
//! total order. What one asks at a position depends on what the others of its window have added at
//! lower ones. So every amount that a transaction changes carries its sum, and the lowest and highest
//! it passed through on the way. With those bounds nearly every answer is certain, however the steps
//! alternate. Where it is not, the steps themselves decide.
//!
//! # Sharing
//!
//! The effects of an incarnation are immutable once they are published, behind one lock per
//! transaction. Who has touched an amount is a list per location that only grows within a block
//! (`list`): `heads[location]` names the entry that came last and each entry names the one
//! before it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::list::{Head, Link, Place};
use super::scheduler::Version;
use super::sync::Mutex;

/// What lies below the block.
pub trait Storage: Sync {
    /// What value locations hold.
    type Value: Clone + Send + Sync + fmt::Debug;

    /// A value before the block.
    fn value(&self, location: u32) -> Self::Value;

    /// An amount before the block.
    fn amount(&self, location: u32) -> i128;
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Storage,
    Version(Version),
}

/// A value that is known to come, but not yet what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Who will write it.
    pub transaction: u32,
}

/// What an incarnation did, as far as others must know.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) reads: Vec<(u32, Origin)>,
    pub(crate) writes: Vec<u32>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) steps: Vec<Step>,
    pub(crate) checks: Vec<Check>,
}

/// What an incarnation did to one amount. Incarnations of one transaction have the entries of those
/// before them at the same places, if need be with nothing in them.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) location: u32,
    /// The last of its steps and its checks, or [`NONE`].
    pub(crate) last_step: u32,
    pub(crate) last_check: u32,
    /// What it added.
    pub(crate) added: i128,
    /// What it added to the amount beside, which nobody asks about.
    pub(crate) aside: i128,
    /// The lowest and highest that `added` was on the way, 0 included.
    pub(crate) lowest: i128,
    pub(crate) highest: i128,
    /// Its answers hold while what others have added before it is at least this, and less than that.
    pub(crate) at_least: i128,
    pub(crate) less_than: i128,
    /// To the next entry of this location.
    link: Link,
}

impl Entry {
    pub(crate) fn new(location: u32) -> Self {
        Self {
            location,
            last_step: NONE,
            last_check: NONE,
            added: 0,
            aside: 0,
            lowest: 0,
            highest: 0,
            at_least: i128::MIN,
            less_than: i128::MAX,
            link: Link::default(),
        }
    }

    /// The same place, with nothing in it.
    pub(crate) fn vacant(&self) -> Self {
        Self {
            link: self.link.copy(),
            ..Self::new(self.location)
        }
    }

    const fn is_vacant(&self) -> bool {
        self.added == 0 && self.last_step == NONE
    }
}

/// No step, no check.
pub(crate) const NONE: u32 = u32::MAX;

/// From this position on a transaction has added so much to an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) position: u32,
    /// The step before it at the same entry, or [`NONE`].
    pub(crate) before: u32,
    pub(crate) added: i128,
}

/// A question that was asked at a position, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) position: u32,
    /// The check before it at the same entry, or [`NONE`].
    pub(crate) before: u32,
    /// Whether what others have added before it is at least this.
    pub(crate) need: i128,
    pub(crate) answer: bool,
}

impl Effects {
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        self.writes.clear();
        self.entries.clear();
        self.steps.clear();
        self.checks.clear();
    }

    /// What had been added at an entry before a position.
    fn added_before(&self, entry: &Entry, position: u32) -> i128 {
        let mut at = entry.last_step;
        while let Some(step) = self.steps.get(at as usize) {
            if step.position < position {
                return step.added;
            }
            at = step.before;
        }
        0
    }

    /// Whether somebody who has read what was there before could have read something else here.
    fn differs(&self, before: &Self) -> bool {
        let mut entries = self.entries.iter().enumerate();
        let is_new = self.writes.iter().any(|key| !before.writes.contains(key));
        is_new
            || self.steps != before.steps
            || entries.any(|(at, entry)| match before.entries.get(at) {
                Some(before) => entry.added != before.added,
                None => !entry.is_vacant(),
            })
    }
}

/// A version of a value.
#[derive(Debug)]
struct Written<V> {
    version: Version,
    is_estimate: bool,
    value: V,
}

/// Where the version of a transaction is, or would be: mostly at the end.
fn find<V>(versions: &[Written<V>], transaction: u32) -> Result<usize, usize> {
    match versions.last() {
        Some(last) if transaction <= last.version.transaction => {
            versions.binary_search_by_key(&transaction, |it| it.version.transaction)
        }
        _ => Err(versions.len()),
    }
}

/// What others have added to an amount, seen from one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// Before its window begins, storage included.
    pub(crate) before: i128,
    /// Within its window: the least and the most it can be at any of its positions.
    pub(crate) lowest: i128,
    pub(crate) highest: i128,
}

/// The effects of others that a worker has looked at during one task.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    effects: Vec<Option<Arc<Effects>>>,
    filled: Vec<u32>,
}

impl Seen {
    /// Looks anew from here on.
    pub(crate) fn clear(&mut self) {
        for transaction in self.filled.drain(..) {
            self.effects[transaction as usize] = None;
        }
    }
}

/// The memory of one block. `V` is what value locations hold.
#[derive(Debug)]
pub struct MvMemory<V> {
    /// By value location, versions by transaction.
    values: Vec<Mutex<Vec<Written<V>>>>,
    /// Value locations that got their first version; some may be here twice.
    touched: Mutex<Vec<u32>>,
    /// By amount location, the entry that came last.
    heads: Vec<Head>,
    /// By transaction, what its last incarnation did. Those that have not executed share nothing, not
    /// even an empty one: all workers would count its references.
    published: Vec<Mutex<Option<Arc<Effects>>>>,
}

impl<V: Clone> MvMemory<V> {
    /// Memory for so many value and amount locations.
    pub fn new(values: usize, amounts: usize) -> Self {
        Self {
            values: (0..values).map(|_| Mutex::new(Vec::new())).collect(),
            touched: Mutex::default(),
            heads: (0..amounts).map(|_| Head::default()).collect(),
            published: Vec::new(),
        }
    }

    /// Makes room for a block of so many transactions. Everything before was taken out.
    pub(crate) fn begin(&mut self, transactions: u32) {
        self.published
            .resize_with(transactions as usize, Mutex::default);
    }

    /// The value that a transaction reads.
    pub(crate) fn read(
        &self,
        location: u32,
        transaction: u32,
    ) -> Result<(Origin, Option<V>), Estimate> {
        let versions = self.values[location as usize].lock();
        let (Ok(end) | Err(end)) = find(&versions, transaction);
        match versions[..end].last() {
            None => Ok((Origin::Storage, None)),
            Some(last) if last.is_estimate => Err(Estimate {
                transaction: last.version.transaction,
            }),
            Some(last) => Ok((Origin::Version(last.version), Some(last.value.clone()))),
        }
    }

    /// What others have added to an amount, seen from a transaction.
    pub(crate) fn others<S: Storage>(
        &self,
        storage: &S,
        location: u32,
        (transaction, window): (u32, &Range<u32>),
        seen: &mut Seen,
    ) -> Others {
        let mut others = Others {
            before: storage.amount(location),
            ..Others::default()
        };
        self.visit(location, seen, |other, _, entry| {
            if other < window.start {
                others.before += entry.added;
            } else if other < window.end && other != transaction {
                others.lowest += entry.lowest;
                others.highest += entry.highest;
            }
        });
        others
    }

    /// What others of its window have added to an amount before a position of a transaction.
    pub(crate) fn added_before(
        &self,
        (location, position): (u32, u32),
        (transaction, window): (u32, &Range<u32>),
        seen: &mut Seen,
    ) -> i128 {
        let mut added = 0;
        self.visit(location, seen, |other, effects, entry| {
            if window.contains(&other) && other != transaction {
                added += effects.added_before(entry, position);
            }
        });
        added
    }

    /// Shows every entry of an amount.
    fn visit(
        &self,
        location: u32,
        seen: &mut Seen,
        mut on_entry: impl FnMut(u32, &Effects, &Entry),
    ) {
        let mut next = self.heads[location as usize].first();
        while let Some(Place { transaction, entry }) = next {
            let effects = self.look(transaction, entry, seen);
            let entry = &effects.entries[entry as usize];
            on_entry(transaction, effects, entry);
            next = entry.link.next();
        }
    }

    /// What a transaction has published, at least up to this entry.
    fn look<'a>(&self, transaction: u32, place: u32, seen: &'a mut Seen) -> &'a Effects {
        let index = transaction as usize;
        if seen.effects.len() <= index {
            seen.effects.resize(self.published.len(), None);
        }
        let slot = &mut seen.effects[index];
        let is_there = slot
            .as_ref()
            .is_some_and(|effects| (place as usize) < effects.entries.len());
        if !is_there {
            if slot.is_none() {
                seen.filled.push(transaction);
            }
            *slot = self.published[index].lock().clone();
        }
        slot.as_ref().expect("whoever has an entry has published")
    }

    /// What the last incarnation of a transaction did, which has executed.
    pub(crate) fn last(&self, transaction: u32) -> Arc<Effects> {
        let last = self.published[transaction as usize].lock();
        Arc::clone(last.as_ref().expect("it has executed"))
    }

    /// Publishes what an incarnation did in place of what the one before it did. Returns whether
    /// others could have read something else before.
    pub(crate) fn publish(&self, version: Version, effects: Arc<Effects>, values: Vec<V>) -> bool {
        let Version { transaction, .. } = version;
        let published = &self.published[transaction as usize];
        let (last, nothing) = (published.lock().clone(), Effects::default());
        let before = last.as_deref().unwrap_or(&nothing);
        let is_changed = effects.differs(before);
        for key in before
            .writes
            .iter()
            .filter(|key| !effects.writes.contains(key))
        {
            let mut versions = self.values[*key as usize].lock();
            if let Ok(at) = find(&versions, transaction) {
                versions.remove(at);
            }
        }
        for (key, value) in effects.writes.iter().zip(values) {
            self.write(*key, version, value);
        }
        *published.lock() = Some(Arc::clone(&effects));
        let entries = (0..).zip(&effects.entries);
        for (at, new) in entries.skip(before.entries.len()) {
            let place = Place {
                transaction,
                entry: at,
            };
            self.heads[new.location as usize].push(&new.link, place);
        }
        is_changed
    }

    fn write(&self, location: u32, version: Version, value: V) {
        let mut versions = self.values[location as usize].lock();
        let written = Written {
            version,
            is_estimate: false,
            value,
        };
        match find(&versions, version.transaction) {
            Ok(at) => versions[at] = written,
            Err(at) => versions.insert(at, written),
        }
        let is_first = versions.len() == 1;
        drop(versions);
        if is_first {
            self.touched.lock().push(location);
        }
    }

    /// The values that a transaction wrote are estimates from here on.
    pub(crate) fn mark_estimates(&self, transaction: u32) {
        for key in &self.last(transaction).writes {
            let mut versions = self.values[*key as usize].lock();
            if let Ok(at) = find(&versions, transaction) {
                versions[at].is_estimate = true;
            }
        }
    }

    /// Whether a transaction would read now what it has read: the same versions of values, and the
    /// same answers about amounts.
    pub(crate) fn validate<S: Storage<Value = V>>(
        &self,
        storage: &S,
        (transaction, window): (u32, &Range<u32>),
        seen: &mut Seen,
    ) -> bool {
        let mine = self.last(transaction);
        let reads_same = mine.reads.iter().all(|(location, origin)| {
            let now = self.read(*location, transaction);
            now.is_ok_and(|(now, _)| now == *origin)
        });
        reads_same
            && (0..).zip(&mine.entries).all(|(number, entry)| {
                let is_asked = entry.at_least != i128::MIN || entry.less_than != i128::MAX;
                let place = Place {
                    transaction,
                    entry: number,
                };
                if !is_asked || self.is_alone(entry, place) {
                    return true;
                }
                let others = self.others(storage, entry.location, (transaction, window), seen);
                let is_certain = entry.at_least <= others.before + others.lowest
                    && others.before + others.highest < entry.less_than;
                is_certain || self.holds(&mine, entry, others, (transaction, window), seen)
            })
    }

    /// Whether nobody else has touched an amount. Then nobody had when it was asked about, either,
    /// since lists only grow, and the answers are what they were.
    fn is_alone(&self, entry: &Entry, place: Place) -> bool {
        let first = self.heads[entry.location as usize].first();
        first == Some(place) && entry.link.next().is_none()
    }

    /// The same of one amount, step by step.
    #[cold]
    fn holds(
        &self,
        mine: &Effects,
        entry: &Entry,
        others: Others,
        (transaction, window): (u32, &Range<u32>),
        seen: &mut Seen,
    ) -> bool {
        if entry.last_check == NONE {
            // Alone in its window, its bounds are exact.
            return false;
        }
        let mut at = entry.last_check;
        while let Some(check) = mine.checks.get(at as usize) {
            let place = (entry.location, check.position);
            let within = self.added_before(place, (transaction, window), seen);
            if (check.need <= others.before + within) != check.answer {
                return false;
            }
            at = check.before;
        }
        true
    }

    /// Takes out what all transactions together have added to amounts, and what they wrote last.
    /// `on_amount` is told location, what was added, and what was added beside.
    pub(crate) fn take_all(
        &mut self,
        pool: &mut Vec<Arc<Effects>>,
        mut on_amount: impl FnMut(u32, i128, i128),
        mut on_value: impl FnMut(u32, V),
    ) {
        let mut touched = self.touched.lock();
        for location in touched.drain(..) {
            let last = self.values[location as usize].lock().drain(..).last();
            if let Some(last) = last {
                on_value(location, last.value);
            }
        }
        drop(touched);
        let published = self.published.drain(..);
        let published = published.filter_map(Mutex::into_inner);
        if self.heads.is_empty() {
            // Nobody's effects need be looked at, which is most of what this costs.
            pool.extend(published);
            return;
        }
        let start = pool.len();
        pool.extend(published);
        let published = &pool[start..];
        for entry in published.iter().flat_map(|effects| &effects.entries) {
            let head = &mut self.heads[entry.location as usize];
            let mut next = head.first();
            head.clear();
            if next.is_none() {
                // The whole list went with another of its entries.
                continue;
            }
            let (mut added, mut aside) = (0, 0);
            while let Some(Place { transaction, entry }) = next {
                let entry = &published[transaction as usize].entries[entry as usize];
                added += entry.added;
                aside += entry.aside;
                next = entry.link.next();
            }
            on_amount(entry.location, added, aside);
        }
    }
}
