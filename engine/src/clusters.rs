//! Which markets share protections: those that some account has put into one group, and transitively.
//!
//! A group is the one thing by which a fill in one market changes another. So what is counted lies
//! with the cluster of markets that it concerns, and clusters have nothing in common: whoever executes
//! all commands of a cluster in order needs to know of no other. Clusters grow when an account names
//! a group in a market that was in none of its markets' clusters, and never fall apart; a start
//! builds them anew. They carry no meaning: no outcome depends on which markets are together.

use types::command::SetProtection;
use types::{AccountId, MarketId};

use crate::protection::{Count, Protections, Scope};

/// The protections of all accounts, by cluster.
#[derive(Clone, Debug)]
pub struct Clusters {
    /// By market, the market that its cluster is named after.
    names: Vec<MarketId>,
    /// By market; only those at the names of clusters are in use.
    protections: Vec<Protections>,
}

impl Clusters {
    /// So many markets, each a cluster of its own, without protections.
    pub(crate) fn new(markets: usize) -> Self {
        let ids = (0..).map(MarketId::new);
        Self {
            names: ids.take(markets).collect(),
            protections: vec![Protections::default(); markets],
        }
    }

    /// What is protected, as it was; `None` unless exactly that is counted.
    pub(crate) fn restore(
        markets: usize,
        scopes: &[((AccountId, MarketId), Scope)],
        counts: &[((AccountId, Scope), Count)],
    ) -> Option<Self> {
        let are_known = scopes
            .iter()
            .all(|((_, market), _)| market.index() < markets);
        let whole = Protections::restore(scopes.iter().copied(), counts.iter().copied());
        let whole = whole.filter(|_| are_known)?;
        let mut clusters = Self::new(markets);
        for ((account, market), scope) in scopes {
            for other in whole.markets(*account, *scope) {
                clusters.join(*market, other);
            }
        }
        let mut parts = vec![(Vec::new(), Vec::new()); markets];
        for (place, scope) in scopes {
            let name = clusters.name_of(place.1);
            parts[name.index()].0.push((*place, *scope));
        }
        for (place, count) in counts {
            let market = whole.markets(place.0, place.1).next();
            let name = clusters.name_of(market.expect("what is counted is protected"));
            parts[name.index()].1.push((*place, *count));
        }
        for (protections, (scopes, counts)) in clusters.protections.iter_mut().zip(parts) {
            *protections = Protections::restore(scopes.into_iter(), counts.into_iter())?;
        }
        Some(clusters)
    }

    /// What the cluster of a market is named after.
    pub(crate) fn name_of(&self, market: MarketId) -> MarketId {
        self.names[market.index()]
    }

    /// The protections of a market's cluster.
    pub fn of(&self, market: MarketId) -> &Protections {
        &self.protections[self.name_of(market).index()]
    }

    /// The same, to change.
    pub(crate) fn of_mut(&mut self, market: MarketId) -> &mut Protections {
        let name = self.name_of(market);
        &mut self.protections[name.index()]
    }

    /// By market, what its cluster is named after, and the protections of clusters at their names.
    pub(crate) fn split(&mut self) -> (&[MarketId], &mut [Protections]) {
        (&self.names, &mut self.protections)
    }

    /// How many markets there are.
    pub(crate) const fn market_count(&self) -> usize {
        self.names.len()
    }

    /// Protects an account in a market: see [`Protections::set`].
    pub(crate) fn set(&mut self, account: AccountId, set: &SetProtection) {
        if set.limits.is_limit() && set.group > 0 {
            let scope = Scope::Group(set.group);
            let ids = (0..).map(MarketId::new).take(self.names.len());
            let grouped: Vec<_> = ids
                .filter(|market| self.of(*market).markets(account, scope).next().is_some())
                .collect();
            for market in grouped {
                self.join(market, set.market);
            }
        }
        self.of_mut(set.market).set(account, set);
    }

    /// Makes one cluster of the clusters of two markets.
    fn join(&mut self, one: MarketId, other: MarketId) {
        let (one, other) = (self.name_of(one), self.name_of(other));
        if one == other {
            return;
        }
        let (name, gone) = (one.min(other), one.max(other));
        for of in self.names.iter_mut().filter(|of| **of == gone) {
            *of = name;
        }
        let moved = std::mem::take(&mut self.protections[gone.index()]);
        self.protections[name.index()].absorb(moved);
    }

    /// Which markets share a count, by account and market.
    pub(crate) fn scopes(&self) -> Vec<(AccountId, MarketId, Scope)> {
        self.gather(Protections::scopes, |(account, market, _)| {
            (*account, *market)
        })
    }

    /// The counts, by account and scope.
    pub(crate) fn counts(&self) -> Vec<(AccountId, Scope, &Count)> {
        self.gather(Protections::counts, |(account, scope, _)| {
            (*account, *scope)
        })
    }

    /// All of them, by account and market.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, MarketId, Scope, &Count)> {
        let all = self.gather(Protections::iter, |(account, market, ..)| {
            (*account, *market)
        });
        all.into_iter()
    }

    /// What all clusters have, by a key.
    fn gather<'a, I: Iterator, K: Ord>(
        &'a self,
        of: impl Fn(&'a Protections) -> I,
        key: impl Fn(&I::Item) -> K,
    ) -> Vec<I::Item> {
        let mut all: Vec<_> = self.protections.iter().flat_map(of).collect();
        all.sort_unstable_by_key(key);
        all
    }

    /// Whether quotes wait to be pulled.
    pub(crate) fn has_tripped(&self) -> bool {
        self.protections.iter().any(Protections::has_tripped)
    }
}

#[cfg(test)]
mod tests {
    use types::command::ProtectionLimits;
    use types::{Atoms, BaseLots};

    use super::*;

    fn set(market: u16, group: u8, fills: u64) -> SetProtection {
        SetProtection {
            market: MarketId::new(market),
            group,
            limits: ProtectionLimits {
                window_ns: 1,
                fills,
                lots: BaseLots::ZERO,
                notional: Atoms::ZERO,
            },
        }
    }

    #[test]
    fn groups_make_clusters_and_a_restart_finds_what_is_protected() {
        let [one, two] = [1, 2].map(AccountId::new);
        let mut clusters = Clusters::new(6);
        clusters.set(one, &set(0, 0, 5));
        clusters.set(one, &set(1, 7, 5));
        clusters.set(one, &set(3, 7, 5));
        clusters.set(two, &set(3, 7, 6));
        clusters.set(two, &set(5, 7, 6));
        let names = (0..6).map(|market| clusters.name_of(MarketId::new(market)).get());
        assert_eq!(names.collect::<Vec<_>>(), [0, 1, 2, 1, 4, 1]);
        // Who leaves a group leaves no cluster.
        clusters.set(two, &set(5, 0, 9));
        assert_eq!(clusters.name_of(MarketId::new(5)), MarketId::new(1));

        let scopes = clusters.scopes();
        let scopes: Vec<_> = scopes
            .iter()
            .map(|(account, market, scope)| ((*account, *market), *scope))
            .collect();
        let counts = clusters.counts();
        let counts: Vec<_> = counts
            .iter()
            .map(|(account, scope, count)| ((*account, *scope), **count))
            .collect();
        let restored = Clusters::restore(6, &scopes, &counts).expect("it was sound");
        assert!(restored.iter().eq(clusters.iter()));
        let names = (0..6).map(|market| restored.name_of(MarketId::new(market)).get());
        assert_eq!(names.collect::<Vec<_>>(), [0, 1, 2, 1, 4, 5]);
        assert!(Clusters::restore(6, &scopes, &counts[1..]).is_none());
    }
}
