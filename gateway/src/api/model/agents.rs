//! Agents that may trade, by address and by whom they trade for.

use std::collections::{BTreeMap, HashMap};

use types::genesis::OwnerAddress;
use types::{AccountId, KeyId};

use super::super::ports::AgentRow;

/// All of them. An address is the agent of one account at most, and a key is of one address.
#[derive(Debug, Default)]
pub(super) struct Agents {
    by_address: HashMap<OwnerAddress, AgentRow>,
    /// The same, in the order in which they are told.
    by_key: BTreeMap<(AccountId, KeyId), OwnerAddress>,
}

impl Agents {
    pub(super) fn clear(&mut self) {
        self.by_address.clear();
        self.by_key.clear();
    }

    /// Takes note of one that has changed. What had its key or its address before has them no more.
    pub(super) fn note(&mut self, row: &AgentRow) {
        if let Some(address) = self.by_key.remove(&(row.account, row.key)) {
            self.by_address.remove(&address);
        }
        if row.is_revoked {
            return;
        }
        if let Some(before) = self.by_address.insert(row.agent, *row) {
            self.by_key.remove(&(before.account, before.key));
        }
        self.by_key.insert((row.account, row.key), row.agent);
    }

    /// The agent of this address.
    pub(super) fn at(&self, address: &OwnerAddress) -> Option<&AgentRow> {
        self.by_address.get(address)
    }

    /// Those of an account, by key.
    pub(super) fn of(&self, account: AccountId) -> impl Iterator<Item = &AgentRow> {
        let keys = (account, KeyId::new(0))..=(account, KeyId::new(u32::MAX));
        let addresses = self.by_key.range(keys).map(|(_, address)| address);
        addresses.map(|address| &self.by_address[address])
    }
}

#[cfg(test)]
mod tests {
    use types::{KeyEpoch, LogTime};

    use super::*;

    /// A list of all, scanned for each question.
    #[derive(Default)]
    struct Scanned(Vec<AgentRow>);

    impl Scanned {
        fn note(&mut self, row: &AgentRow) {
            self.0.retain(|it| it.key != row.key);
            if !row.is_revoked {
                self.0.retain(|it| it.agent != row.agent);
                self.0.push(*row);
            }
        }

        fn of(&self, account: AccountId) -> Vec<AgentRow> {
            let own = self.0.iter().filter(|it| it.account == account);
            let mut own: Vec<_> = own.copied().collect();
            own.sort_unstable_by_key(|it| it.key);
            own
        }
    }

    #[test]
    fn the_index_finds_what_a_scan_finds() {
        let seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % bound
        };
        let (mut agents, mut scanned) = (Agents::default(), Scanned::default());
        for step in 0..20_000 {
            // Each key is of one account for ever, and of one address at a time.
            let key = below(24) as u32;
            let row = AgentRow {
                account: AccountId::new(key % 4),
                agent: [below(16) as u8; 20],
                key: KeyId::new(key),
                epoch: KeyEpoch::new(step),
                name: [0; 16],
                expires_at: LogTime::ZERO,
                is_revoked: below(3) == 0,
            };
            agents.note(&row);
            scanned.note(&row);
            for account in (0..4).map(AccountId::new) {
                let found: Vec<_> = agents.of(account).copied().collect();
                assert_eq!(found, scanned.of(account), "seed {seed}, step {step}");
            }
            assert_eq!(agents.by_address.len(), agents.by_key.len());
        }
    }
}
