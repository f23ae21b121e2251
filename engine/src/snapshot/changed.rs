//! Whose leaf of the state tree, and whose rows of a snapshot, blocks may have changed.

use types::AccountId;
use types::outcome::{BlockOutcome, Event};

/// The accounts whose balances may have changed since this was cleared. The system's accounts are not
/// among them: fees change with every fill.
#[derive(Clone, Debug)]
pub struct ChangedAccounts {
    /// Some more than once.
    accounts: Vec<AccountId>,
    /// At this length those that are listed twice are dropped.
    tidied_at: usize,
}

/// A list so short need not be tidied.
const TIDIED_AT: usize = 1 << 20;

impl ChangedAccounts {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            accounts: Vec::new(),
            tidied_at: TIDIED_AT,
        }
    }

    /// Takes note of the next block.
    pub fn follow(&mut self, outcome: &BlockOutcome) {
        for record in &outcome.events {
            self.note(&record.event());
        }
        if self.tidied_at <= self.accounts.len() {
            self.accounts.sort_unstable();
            self.accounts.dedup();
            // However many are left, as many must come before it is sorted again.
            self.tidied_at = TIDIED_AT.max(self.accounts.len() * 2);
        }
    }

    /// Them, some more than once.
    pub fn as_slice(&self) -> &[AccountId] {
        &self.accounts
    }

    /// Nobody from here on.
    pub fn clear(&mut self) {
        self.accounts.clear();
        self.tidied_at = TIDIED_AT;
    }

    fn note(&mut self, event: &Event) {
        let accounts = &mut self.accounts;
        match event {
            Event::Fill(fill) => accounts.extend([fill.maker.account, fill.taker.account]),
            Event::Rested(rested) => accounts.push(rested.owner.account),
            Event::Armed(armed) => accounts.push(armed.owner.account),
            Event::Triggered(triggered) => accounts.push(triggered.owner.account),
            Event::Done(done) => accounts.push(done.owner.account),
            Event::Reduced(reduced) => accounts.push(reduced.owner.account),
            Event::Transferred(moved) => accounts.extend([moved.from, moved.to]),
            Event::AccountOpened(opened) => accounts.push(opened.account),
            Event::Deposited(deposited) => accounts.push(deposited.account),
            Event::Withdrawn(withdrawn) => accounts.push(withdrawn.account),
            Event::StatusChanged(_)
            | Event::Indicative(_)
            | Event::KeyChanged(_)
            | Event::PolicySet(_) => {}
        }
    }
}

impl Default for ChangedAccounts {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use types::outcome::{EventRecord, Transferred};
    use types::{AssetId, Atoms, SequenceNumber};

    use super::*;

    /// An outcome that moves something between neighbors.
    fn moved(from: u32) -> EventRecord {
        EventRecord::from(&Transferred {
            sequence: SequenceNumber::new(1),
            from: AccountId::new(from),
            to: AccountId::new(from + 1),
            asset: AssetId::new(0),
            amount: Atoms::new(1),
        })
    }

    #[test]
    fn many_are_listed_once_and_few_as_they_come() {
        let mut changed = ChangedAccounts::default();
        let mut outcome = BlockOutcome::default();
        for accounts in [3, TIDIED_AT as u32] {
            changed.clear();
            outcome.events = (0..accounts).map(moved).collect();
            for _ in 0..2 {
                changed.follow(&outcome);
            }
            let mut listed = changed.as_slice().to_vec();
            let is_tidy = listed.is_sorted_by(|a, b| a < b);
            assert_eq!(is_tidy, accounts > 3, "{accounts}");
            listed.sort_unstable();
            listed.dedup();
            let expected = (0..=accounts).map(AccountId::new);
            assert!(listed.into_iter().eq(expected), "{accounts}");
        }
    }
}
