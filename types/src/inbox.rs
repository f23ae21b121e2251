//! What a chain has for the ledger: deposits, and what owners force.
//!
//! The inbox contract keeps a list of entries under a running hash. An operator has them logged one by
//! one, in the contract's order, and the ledger keeps how many it has consumed and their running
//! hash; so whoever knows the contract sees whether an entry was left out, added or changed.

use sha2::{Digest as _, Sha256};

use crate::genesis::OwnerAddress;
use crate::{AccountId, AssetId, Atoms};

/// What an entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum InboxKind {
    /// Funds came in for the owner's main account, which is opened if there is none.
    Deposit = 1,
    /// The owner forces a withdrawal: all orders of the account are cancelled, then as much of the
    /// amount as is free is withdrawn.
    Withdraw = 2,
    /// The owner forces all orders of the account to be cancelled.
    CancelAll = 3,
}

impl InboxKind {
    /// The kind with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Deposit),
            2 => Some(Self::Withdraw),
            3 => Some(Self::CancelAll),
            _ => None,
        }
    }
}

/// One entry of the inbox contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its position, from 0.
    pub index: u64,
    /// What it asks for.
    pub kind: InboxKind,
    /// Who paid, or who forces.
    pub owner: OwnerAddress,
    /// Which account of the owner's; nobody's for a deposit, whose account the ledger finds.
    pub account: AccountId,
    /// Of which asset; 0 where none is meant.
    pub asset: AssetId,
    /// How much; zero where nothing is meant.
    pub amount: Atoms,
}

/// How much of the inbox a ledger has consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxPosition {
    /// Entries, and so the index of the next one.
    pub count: u64,
    /// The running hash after the last of them; 32 zero bytes before the first.
    pub hash: [u8; 32],
}

impl InboxPosition {
    /// The position behind this entry, if it is the next one.
    #[must_use]
    pub fn after(&self, entry: &InboxEntry) -> Option<Self> {
        (entry.index == self.count).then(|| Self {
            count: self.count + 1,
            hash: entry.chain(&self.hash),
        })
    }
}

impl InboxEntry {
    /// The running hash after this entry: SHA-256 over the hash before it, then index u64, kind u8,
    /// owner (20), account u32, asset u16 and amount u128, all big-endian: 83 bytes, which are
    /// Solidity's `abi.encodePacked` of these.
    pub fn chain(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        hasher.update(self.index.to_be_bytes());
        hasher.update([self.kind as u8]);
        hasher.update(self.owner);
        hasher.update(self.account.get().to_be_bytes());
        hasher.update(self.asset.get().to_be_bytes());
        hasher.update(self.amount.get().to_be_bytes());
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64) -> InboxEntry {
        InboxEntry {
            index,
            kind: InboxKind::Deposit,
            owner: [0x11; 20],
            account: AccountId::NOBODY,
            asset: AssetId::new(2),
            amount: Atoms::new(1_000),
        }
    }

    #[test]
    fn every_field_changes_the_running_hash() {
        let first = entry(0);
        let after = |entry: InboxEntry| entry.chain(&[0; 32]);
        let changed = [
            InboxEntry { index: 1, ..first },
            InboxEntry {
                kind: InboxKind::CancelAll,
                ..first
            },
            InboxEntry {
                owner: [0x12; 20],
                ..first
            },
            InboxEntry {
                account: AccountId::new(7),
                ..first
            },
            InboxEntry {
                asset: AssetId::new(3),
                ..first
            },
            InboxEntry {
                amount: Atoms::new(1_001),
                ..first
            },
        ];
        for other in changed {
            assert_ne!(after(other), after(first), "{other:?}");
        }
        assert_ne!(first.chain(&[1; 32]), after(first));
    }

    #[test]
    fn entries_follow_each_other_without_gaps() {
        let start = InboxPosition::default();
        assert_eq!(start.after(&entry(1)), None);
        let one = start.after(&entry(0)).unwrap();
        assert_eq!((one.count, one.hash), (1, entry(0).chain(&[0; 32])));
        assert_eq!(one.after(&entry(0)), None);
        assert!(one.after(&entry(1)).is_some());
    }
}
