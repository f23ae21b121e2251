//! Market-maker protection: what an account's protected orders have traded in the window, and what
//! happens when that reaches a limit.

use std::collections::BTreeMap;

use types::command::{ProtectionLimits, SetProtection};
use types::outcome::DoneReason;
use types::{AccountId, RejectReason};

use super::book::Order;
use super::exchange::{Answer, Exchange};
use super::funds::notional;

/// What shares one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Market(usize),
    Group(u8),
}

/// The limits of a scope, and what was counted against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protection {
    pub(crate) limits: ProtectionLimits,
    /// When the window began; `None`: it begins with the next fill.
    pub(crate) since: Option<u64>,
    pub(crate) fills: u128,
    pub(crate) lots: u128,
    pub(crate) notional: u128,
    pub(crate) tripped: bool,
}

/// Those of all accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protections {
    /// By account and market.
    scopes: BTreeMap<(AccountId, usize), Scope>,
    counts: BTreeMap<(AccountId, Scope), Protection>,
}

impl Exchange {
    pub(crate) fn set_protection(&mut self, set: &SetProtection) -> Answer {
        let market = self.known(set.market)?;
        let limits = set.limits;
        if (limits.window_ns > 0) != limits.is_limit() {
            return Err(RejectReason::InvalidProtection);
        }
        let account = self.work.account;
        let Protections { scopes, counts } = &mut self.protections;
        if limits == ProtectionLimits::NONE {
            scopes.remove(&(account, market));
            return Ok((0, 0));
        }
        let scope = match set.group {
            0 => Scope::Market(market),
            group => Scope::Group(group),
        };
        scopes.insert((account, market), scope);
        let armed = Protection {
            limits,
            since: None,
            fills: 0,
            lots: 0,
            notional: 0,
            tripped: false,
        };
        counts.insert((account, scope), armed);
        Ok((0, 0))
    }

    /// Counts what a protected order has traded; whether that trips its owner's protection.
    pub(crate) fn count(&mut self, market: usize, order: &Order, price: u64, lots: u64) -> bool {
        let spec = &self.markets[market].spec;
        let atoms = u128::try_from(notional(spec, price, lots)).unwrap();
        let now = self.now;
        let protection = self.protections.of_mut(order.account, market);
        let Some(protection) = protection.filter(|_| order.resting.protected) else {
            return false;
        };
        protection.count(now, u128::from(lots), atoms)
    }

    /// Takes the account's protected orders off one book, in the order in which they came to rest.
    pub(crate) fn pull(&mut self, market: usize, account: AccountId) {
        let orders = self.markets[market].book.all();
        let protected = orders.filter(|order| order.account == account && order.resting.protected);
        let mut pulled: Vec<_> = protected.map(|order| (order.arrival, order.id)).collect();
        pulled.sort_unstable();
        for (_, id) in pulled {
            self.end_open(market, id, DoneReason::Protection);
        }
    }

    /// The end of a command: pulls what the other markets of the groups hold that have tripped, and
    /// what has come to rest since in the same market.
    pub(crate) fn pull_tripped(&mut self) {
        for (account, market) in std::mem::take(&mut self.work.tripped) {
            let scopes = &self.protections.scopes;
            let scope = scopes[&(account, market)];
            let shares = |other: &usize| scopes.get(&(account, *other)) == Some(&scope);
            let group: Vec<usize> = (0..self.markets.len()).filter(shares).collect();
            for other in group {
                self.pull(other, account);
            }
        }
    }

    pub(crate) fn is_tripped(&self, market: usize, account: AccountId) -> bool {
        let protection = self.protections.of(account, market);
        protection.is_some_and(|protection| protection.tripped)
    }
}

impl Protections {
    /// The protection that an account has in a market.
    pub(crate) fn of(&self, account: AccountId, market: usize) -> Option<&Protection> {
        let scope = self.scopes.get(&(account, market))?;
        self.counts.get(&(account, *scope))
    }

    fn of_mut(&mut self, account: AccountId, market: usize) -> Option<&mut Protection> {
        let scope = self.scopes.get(&(account, market))?;
        self.counts.get_mut(&(account, *scope))
    }

    /// All of them by account and market, with the group of the market; 0 is none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ((AccountId, usize), u8, &Protection)> {
        self.scopes.iter().map(|(at, scope)| {
            let group = match scope {
                Scope::Market(_) => 0,
                Scope::Group(group) => *group,
            };
            (*at, group, &self.counts[&(at.0, *scope)])
        })
    }
}

impl Protection {
    /// Counts one fill; whether a count reaches its limit with it.
    fn count(&mut self, now: u64, lots: u128, atoms: u128) -> bool {
        if self.tripped {
            return false;
        }
        let runs = |since: u64| now - since < self.limits.window_ns;
        if self.since.is_none_or(|since| !runs(since)) {
            self.since = Some(now);
            (self.fills, self.lots, self.notional) = (0, 0, 0);
        }
        self.fills += 1;
        self.lots += lots;
        self.notional += atoms;
        let limits = &self.limits;
        self.tripped = [
            (self.fills, u128::from(limits.fills)),
            (self.lots, u128::from(limits.lots.get())),
            (self.notional, limits.notional.get()),
        ]
        .into_iter()
        .any(|(count, limit)| limit > 0 && count >= limit);
        self.tripped
    }
}
