//! Market-maker protection: how much the quotes of an account may trade before they are pulled.
//!
//! An account has at most one limit per market, and markets may share one. Everything here is small
//! and rare, but for `Protections::trips`, which only fills of protected orders ask. Who trips is
//! decided here; who is pulled is the transition's to find.

use std::collections::{BTreeMap, BTreeSet};

use matching::{Guard, UndoLog};
use types::command::{ProtectionLimits, SetProtection};
use types::genesis::MarketSpec;
use types::{AccountId, Atoms, BaseLots, LogTime, MarketId, Ticks};

/// Which markets of an account share one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One market alone.
    Market(MarketId),
    /// All that named this group, 1 to 255.
    Group(u8),
}

impl Scope {
    const fn of(set: &SetProtection) -> Self {
        match set.group {
            0 => Self::Market(set.market),
            group => Self::Group(group),
        }
    }
}

/// What an account may trade within a scope, and what it has traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How much may trade within a window.
    pub limits: ProtectionLimits,
    /// When the window began, if any fill has counted yet.
    pub since: LogTime,
    /// Fills within the window.
    pub fills: u64,
    /// Lots within the window.
    pub lots: u128,
    /// Notional within the window.
    pub notional: Atoms,
    /// Whether a limit was reached: from then on nothing is protected here, because there should be
    /// nothing left.
    pub is_tripped: bool,
}

impl Count {
    const fn new(limits: ProtectionLimits) -> Self {
        Self {
            limits,
            since: LogTime::ZERO,
            fills: 0,
            lots: 0,
            notional: Atoms::ZERO,
            is_tripped: false,
        }
    }

    /// Counts a fill; whether a limit is reached with it.
    fn fill(&mut self, now: LogTime, quantity: BaseLots, notional: Atoms) -> bool {
        if self.is_tripped {
            return false;
        }
        if self.fills == 0 || now.get() - self.since.get() >= self.limits.window_ns {
            *self = Self {
                since: now,
                ..Self::new(self.limits)
            };
        }
        self.fills += 1;
        self.lots += u128::from(quantity.get());
        self.notional += notional;
        let ProtectionLimits {
            fills,
            lots,
            notional,
            ..
        } = self.limits;
        self.is_tripped = (fills > 0 && fills <= self.fills)
            || (!lots.is_zero() && u128::from(lots.get()) <= self.lots)
            || (!notional.is_zero() && notional <= self.notional);
        self.is_tripped
    }
}

/// The protections of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Protections {
    scopes: BTreeMap<(AccountId, MarketId), Scope>,
    counts: BTreeMap<(AccountId, Scope), Count>,
    /// Scopes that the command at work has tripped: their quotes in other markets are still there,
    /// and what of its own taker an account let rest since. Empty between commands.
    tripped: Vec<(AccountId, Scope)>,
    /// What it takes to go back, if that was asked for. A clone begins without: it is made to try
    /// something out.
    undo: UndoLog<Change>,
}

/// What stood somewhere before it changed, if anything did.
#[derive(Debug)]
enum Change {
    Scope((AccountId, MarketId), Option<Scope>),
    Count((AccountId, Scope), Option<Count>),
}

impl Protections {
    /// Protects an account in a market, and begins to count anew in all markets of the group; no
    /// limits: protects it no more in this one.
    pub(crate) fn set(&mut self, account: AccountId, set: &SetProtection) {
        let place = (account, set.market);
        if let Some(scope) = self.change_scope(place, None)
            && self.markets(account, scope).next().is_none()
        {
            self.change_count((account, scope), None);
        }
        if set.limits.is_limit() {
            let scope = Scope::of(set);
            self.change_scope(place, Some(scope));
            let count = Count::new(set.limits);
            self.change_count((account, scope), Some(count));
        }
    }

    /// Returns what was there.
    fn change_scope(
        &mut self,
        place: (AccountId, MarketId),
        scope: Option<Scope>,
    ) -> Option<Scope> {
        let earlier = match scope {
            Some(scope) => self.scopes.insert(place, scope),
            None => self.scopes.remove(&place),
        };
        if self.undo.is_on() {
            self.undo.push(Change::Scope(place, earlier));
        }
        earlier
    }

    fn change_count(&mut self, place: (AccountId, Scope), count: Option<Count>) {
        let earlier = match count {
            Some(count) => self.counts.insert(place, count),
            None => self.counts.remove(&place),
        };
        if self.undo.is_on() {
            self.undo.push(Change::Count(place, earlier));
        }
    }

    /// A protected order of the account filled: whether that trips the protection.
    pub(crate) fn trips(
        &mut self,
        (account, market): (AccountId, MarketId),
        now: LogTime,
        (quantity, notional): (BaseLots, Atoms),
    ) -> bool {
        let Some(scope) = self.scopes.get(&(account, market)) else {
            return false;
        };
        let count = self.counts.get_mut(&(account, *scope));
        let count = count.expect("every scope is counted");
        if self.undo.is_on() {
            let change = Change::Count((account, *scope), Some(*count));
            self.undo.push(change);
        }
        let trips = count.fill(now, quantity, notional);
        if trips {
            self.tripped.push((account, *scope));
        }
        trips
    }

    /// Whether the account's protection in a market has tripped and was not armed again.
    pub(crate) fn is_tripped(&self, account: AccountId, market: MarketId) -> bool {
        // The usual case costs one comparison.
        !self.scopes.is_empty()
            && self.scopes.get(&(account, market)).is_some_and(|scope| {
                let count = &self.counts[&(account, *scope)];
                count.is_tripped
            })
    }

    /// From here on every change is recorded, so that it can be undone. Panics if that is so already.
    pub(crate) fn begin_undo(&mut self) {
        self.undo.begin();
    }

    /// The position in the log, to come back to. Panics unless changes are recorded, and within a
    /// command.
    pub(crate) fn undo_mark(&self) -> usize {
        assert!(!self.has_tripped());
        self.undo.mark()
    }

    /// Undoes everything after the mark, newest first. Later marks are gone with it, this one stays.
    /// Panics within a command.
    pub(crate) fn undo_to(&mut self, mark: usize) {
        assert!(!self.has_tripped());
        while let Some(change) = self.undo.pop_after(mark) {
            match change {
                Change::Scope(place, Some(scope)) => _ = self.scopes.insert(place, scope),
                Change::Scope(place, None) => _ = self.scopes.remove(&place),
                Change::Count(place, Some(count)) => _ = self.counts.insert(place, count),
                Change::Count(place, None) => _ = self.counts.remove(&place),
            }
        }
    }

    /// Forgets all changes and records no more. The log's memory is kept for the next time.
    pub(crate) fn end_undo(&mut self) {
        self.undo.end();
    }

    /// Whether nobody is protected.
    pub(crate) fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// Takes over what protects accounts in other markets.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.scopes.extend(other.scopes);
        self.counts.extend(other.counts);
        self.tripped.extend(other.tripped);
        assert!(
            !self.undo.is_on() && !other.undo.is_on(),
            "joining cannot be undone"
        );
    }

    /// Whether quotes have to be pulled before the command ends.
    pub(crate) fn has_tripped(&self) -> bool {
        !self.tripped.is_empty()
    }

    /// Takes the scopes that the command has tripped, in the order in which they did.
    pub(crate) fn take_tripped(&mut self) -> Vec<(AccountId, Scope)> {
        std::mem::take(&mut self.tripped)
    }

    /// The markets of a scope, by id.
    pub(crate) fn markets(
        &self,
        account: AccountId,
        scope: Scope,
    ) -> impl Iterator<Item = MarketId> + '_ {
        let all = (account, MarketId::new(0))..=(account, MarketId::new(u16::MAX));
        self.scopes
            .range(all)
            .filter(move |(_, other)| **other == scope)
            .map(|((_, market), _)| *market)
    }

    /// Which markets share a count, by account and market.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = (AccountId, MarketId, Scope)> {
        let scopes = self.scopes.iter();
        scopes.map(|((account, market), scope)| (*account, *market, *scope))
    }

    /// The counts, by account and scope.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (AccountId, Scope, &Count)> {
        let counts = self.counts.iter();
        counts.map(|((account, scope), count)| (*account, *scope, count))
    }

    /// Protections as they were; `None` unless exactly what is protected is counted.
    pub(crate) fn restore(
        scopes: impl Iterator<Item = ((AccountId, MarketId), Scope)>,
        counts: impl Iterator<Item = ((AccountId, Scope), Count)>,
    ) -> Option<Self> {
        let restored = Self {
            scopes: scopes.collect(),
            counts: counts.collect(),
            tripped: Vec::new(),
            undo: UndoLog::default(),
        };
        let protected = restored
            .scopes()
            .map(|(account, _, scope)| (account, scope));
        let protected: BTreeSet<_> = protected.collect();
        protected
            .iter()
            .eq(restored.counts.keys())
            .then_some(restored)
    }

    /// All of them, by account and market.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, MarketId, Scope, &Count)> {
        self.scopes.iter().map(|((account, market), scope)| {
            let count = &self.counts[&(*account, *scope)];
            (*account, *market, *scope, count)
        })
    }
}

/// The protections as a book of one market asks them, at one moment.
#[derive(Debug)]
pub(crate) struct MarketGuard<'a> {
    pub(crate) protections: &'a mut Protections,
    pub(crate) market: MarketId,
    pub(crate) spec: &'a MarketSpec,
    pub(crate) now: LogTime,
}

impl Guard for MarketGuard<'_> {
    fn is_on(&self) -> bool {
        !self.protections.is_empty()
    }

    fn trips(&mut self, owner: AccountId, price: Ticks, quantity: BaseLots) -> bool {
        let notional = self.spec.factors.notional(price, quantity);
        let place = (owner, self.market);
        self.protections
            .trips(place, self.now, (quantity, notional))
    }
}
