//! What crosses the edge of the ledger: deposits, withdrawals, and accounts that are opened after
//! genesis.
//!
//! A withdrawal takes funds out of the cells and adds them up in the account's leaf of the state tree.
//! There they stay for ever: the owner claims the difference to what he has claimed before, so no
//! claim depends on which root it is made against.

use std::collections::BTreeMap;

use types::genesis::OwnerAddress;
use types::inbox::{InboxEntry, InboxPosition};
use types::limits::{ACCOUNTS_MAX, ATOMS_MAX, SUB_ACCOUNTS_MAX};
use types::wallet::sub_account_address;
use types::{AccountId, AssetId, Atoms, GroupId, RejectReason};

use crate::encoding::AccountRecord;
use crate::ledger::Account;
use crate::snapshot::Contradiction;
use crate::{Balance, Claim, Holding, InsufficientFunds, Ledger};

/// What has left the ledger, and what it has consumed of a chain's inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// What accounts have withdrawn in all; nothing is not listed.
    withdrawn: BTreeMap<(AccountId, AssetId), Atoms>,
    inbox: InboxPosition,
}

/// Accounts by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    accounts: BTreeMap<OwnerAddress, AccountId>,
    /// How many accounts an owner has.
    counts: BTreeMap<OwnerAddress, u32>,
    /// Above the number of every group.
    next_group: u32,
}

impl Edge {
    /// From what is listed; `None` if something stands there twice, or nothing of an asset does.
    pub fn new(
        withdrawn: impl IntoIterator<Item = (AccountId, AssetId, Atoms)>,
        inbox: InboxPosition,
    ) -> Option<Self> {
        let mut all = BTreeMap::new();
        for (account, asset, amount) in withdrawn {
            let before = all.insert((account, asset), amount);
            if before.is_some() || amount.is_zero() {
                return None;
            }
        }
        Some(Self {
            withdrawn: all,
            inbox,
        })
    }

    /// What an account has withdrawn of an asset, in all.
    pub fn withdrawn(&self, account: AccountId, asset: AssetId) -> Atoms {
        if self.withdrawn.is_empty() {
            return Atoms::ZERO;
        }
        let amount = self.withdrawn.get(&(account, asset));
        amount.copied().unwrap_or(Atoms::ZERO)
    }

    /// What may be proven of an account with this record, or of the inbox.
    pub(crate) fn claim(&self, account: AccountId, record: Option<AccountRecord>) -> Claim {
        match record {
            Some(record) => Claim::Has(record),
            None if account == AccountId::INBOX && self.inbox.count > 0 => Claim::Inbox(self.inbox),
            None => Claim::Absent(account),
        }
    }

    /// What the state tree says of an account that has this.
    pub(crate) fn holding(&self, account: AccountId, asset: AssetId, has: Balance) -> Holding {
        Holding {
            free: has.free,
            held: has.held,
            withdrawn: self.withdrawn(account, asset),
        }
    }

    /// All that was withdrawn, by account and asset.
    pub fn withdrawals(&self) -> impl Iterator<Item = (AccountId, AssetId, Atoms)> {
        let all = self.withdrawn.iter();
        all.map(|((account, asset), amount)| (*account, *asset, *amount))
    }

    /// How much of the inbox was consumed.
    pub const fn inbox(&self) -> &InboxPosition {
        &self.inbox
    }

    /// Whether nothing has crossed it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Addresses {
    /// Of these accounts, by id.
    pub(crate) fn new(accounts: &[Account]) -> Self {
        let mut all = Self::default();
        for (id, account) in (0..).map(AccountId::new).zip(accounts) {
            all.add(id, account);
        }
        all
    }

    fn add(&mut self, id: AccountId, account: &Account) {
        let count = self.counts.entry(account.owner).or_default();
        if *count == 0 {
            self.accounts.entry(account.owner).or_insert(id);
        } else {
            // Whoever was put there before has no key for it.
            let address = sub_account_address(&account.owner, *count);
            self.accounts.insert(address, id);
        }
        *count += 1;
        self.next_group = self.next_group.max(account.group.get().saturating_add(1));
    }
}

impl Ledger {
    /// What has crossed its edge.
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The account at an address: an owner's first one, or a sub-account by its own address.
    pub fn account_at(&self, address: &OwnerAddress) -> Option<AccountId> {
        self.addresses.accounts.get(address).copied()
    }

    /// Opens an owner's first account, in a group of its own, with nothing in it.
    pub fn open_account(&mut self, owner: OwnerAddress) -> Result<AccountId, RejectReason> {
        let group = GroupId::new(self.addresses.next_group);
        self.open(owner, group)
    }

    /// Opens another account of the same owner, in the same group.
    pub fn open_sub_account(&mut self, of: AccountId) -> Result<AccountId, RejectReason> {
        let (owner, group) = (self.owner(of), self.group(of));
        match self.addresses.counts.get(&owner) {
            Some(count) if *count <= SUB_ACCOUNTS_MAX => self.open(owner, group),
            _ => Err(RejectReason::TooManyAccounts),
        }
    }

    fn open(&mut self, owner: OwnerAddress, group: GroupId) -> Result<AccountId, RejectReason> {
        let id = AccountId::new(self.account_count());
        if ACCOUNTS_MAX <= id.index() {
            return Err(RejectReason::TooManyAccounts);
        }
        let account = Account {
            owner,
            group,
            open_orders: 0,
        };
        self.addresses.add(id, &account);
        self.accounts.push(account);
        self.cells.add_account();
        Ok(id)
    }

    /// Funds come into the ledger. Refused without effect beyond the largest supply.
    pub fn deposit(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: Atoms,
    ) -> Result<(), RejectReason> {
        self.check_supply(asset, amount)?;
        self.cells.deposit(account, asset, amount);
        Ok(())
    }

    /// Whether so much more may be deposited of an asset.
    pub fn check_supply(&self, asset: AssetId, amount: Atoms) -> Result<(), RejectReason> {
        let supply = self.deposited(asset).get().checked_add(amount.get());
        match supply {
            Some(supply) if supply <= ATOMS_MAX => Ok(()),
            _ => Err(RejectReason::SupplyTooLarge),
        }
    }

    /// Free funds leave the ledger, to be claimed by the account's owner.
    pub fn withdraw(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: Atoms,
    ) -> Result<(), InsufficientFunds> {
        if self.balance(account, asset).free < amount {
            return Err(InsufficientFunds);
        }
        if !amount.is_zero() {
            self.cells.withdraw(account, asset, amount);
            let all = self.edge.withdrawn.entry((account, asset));
            *all.or_insert(Atoms::ZERO) += amount;
        }
        Ok(())
    }

    /// Counts the next entry of the inbox. Refused without effect if it is another one.
    pub fn consume(&mut self, entry: &InboxEntry) -> Result<(), RejectReason> {
        let next = self.edge.inbox.after(entry);
        self.edge.inbox = next.ok_or(RejectReason::InboxOutOfOrder)?;
        Ok(())
    }

    /// What has crossed the edge, as it was.
    pub fn restore_edge(&mut self, edge: Edge) -> Result<(), Contradiction> {
        let is_known = |(account, asset, _): (AccountId, AssetId, Atoms)| {
            self.contains(account) && asset.get() < self.asset_count()
        };
        let are_known = edge.withdrawals().all(is_known);
        Contradiction::unless(are_known, "a withdrawal of no account or asset")?;
        self.edge = edge;
        Ok(())
    }
}
