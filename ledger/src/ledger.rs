//! [`Ledger`]: who has what. All state that money depends on and nothing else.
//!
//! Accounts, assets and keys are dense tables, so no verb of trading hashes, and none allocates (but
//! for the first nonce of a key). Accounts and keys are added one by one. A verb either refuses before it has touched
//! anything or completes. Asking about an account, asset or key that does not exist is the
//! caller's mistake and panics; [`Ledger::contains`], [`Ledger::asset_count`] and
//! [`Ledger::key`] tell beforehand.

use types::genesis::{Genesis, GenesisAccount, OwnerAddress};
use types::limits::ATOMS_MAX;
use types::{AccountId, AssetId, Atoms, GroupId};
use zerocopy::{Immutable, IntoBytes};

use crate::cells::{Balance, Cell, Cells};
use crate::edge::{Addresses, Edge};
use crate::keys::Keys;
use crate::nonce::NonceWindow;
use crate::signer::Signers;

/// The free balance does not cover the amount; nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the free balance does not cover the amount")]
pub struct InsufficientFunds;

/// Accounts, balances, fees, keys and nonces.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) accounts: Vec<Account>,
    pub(crate) cells: Cells,
    pub(crate) keys: Keys,
    /// By key; allocated at its first nonce.
    pub(crate) windows: Vec<Option<NonceWindow>>,
    pub(crate) signers: Signers,
    pub(crate) addresses: Addresses,
    pub(crate) edge: Edge,
}

/// A row of the table, in memory as in a snapshot.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Account {
    pub(crate) owner: OwnerAddress,
    pub(crate) group: GroupId,
    pub(crate) open_orders: u32,
}

impl Ledger {
    /// The ledger at the start of a network: every genesis balance is a deposit.
    pub fn from_genesis(genesis: &Genesis) -> Self {
        let account = |spec: &GenesisAccount| Account {
            owner: spec.owner,
            group: spec.group,
            open_orders: 0,
        };
        let mut cells = Cells::new(genesis.accounts().len(), genesis.assets().len());
        for (id, spec) in (0..).map(AccountId::new).zip(genesis.accounts()) {
            for (asset, amount) in &spec.balances {
                cells.deposit(id, *asset, *amount);
            }
        }
        let supplies = cells.sums().iter().map(|sums| sums.deposited.get());
        assert!(
            supplies.max() <= Some(ATOMS_MAX),
            "the genesis bounds the supply"
        );
        let keys = Keys::from_genesis(genesis);
        let accounts: Vec<_> = genesis.accounts().iter().map(account).collect();
        Self {
            addresses: Addresses::new(&accounts),
            edge: Edge::default(),
            signers: Signers::default(),
            accounts,
            cells,
            windows: vec![None; keys.as_slice().len()],
            keys,
        }
    }

    /// Locks free funds behind an order.
    #[inline]
    pub fn hold(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: Atoms,
    ) -> Result<(), InsufficientFunds> {
        self.check_free(account, asset, amount)?;
        self.cells.debit(Cell::Free(account), asset, amount);
        self.cells.credit(Cell::Held(account), asset, amount);
        Ok(())
    }

    /// Unlocks held funds. Panics if less is held: an order releases what it held itself.
    #[inline]
    pub fn release(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        self.cells.debit(Cell::Held(account), asset, amount);
        self.cells.credit(Cell::Free(account), asset, amount);
    }

    /// Moves free funds between ordinary accounts.
    #[inline]
    pub fn transfer(
        &mut self,
        from: AccountId,
        to: AccountId,
        asset: AssetId,
        amount: Atoms,
    ) -> Result<(), InsufficientFunds> {
        assert!(self.contains(to), "there is no account {to} to transfer to");
        self.check_free(from, asset, amount)?;
        self.cells.debit(Cell::Free(from), asset, amount);
        self.cells.credit(Cell::Free(to), asset, amount);
        Ok(())
    }

    fn check_free(
        &self,
        account: AccountId,
        asset: AssetId,
        amount: Atoms,
    ) -> Result<(), InsufficientFunds> {
        if amount <= self.cells.balance(account, asset).free {
            Ok(())
        } else {
            Err(InsufficientFunds)
        }
    }

    /// Counts an order that came to rest. Whether there may be one more is the caller's to check.
    #[inline]
    pub fn order_opened(&mut self, account: AccountId) {
        self.accounts[account.index()].open_orders += 1;
    }

    /// Counts an order that left the book. Panics if the account has none.
    #[inline]
    pub fn order_closed(&mut self, account: AccountId) {
        let open_orders = &mut self.accounts[account.index()].open_orders;
        *open_orders = open_orders
            .checked_sub(1)
            .expect("every order that closes was opened");
    }

    /// How many orders of the account rest, over all markets.
    #[inline]
    pub fn open_orders(&self, account: AccountId) -> u32 {
        self.accounts[account.index()].open_orders
    }

    /// How many ordinary accounts there are; their ids are below this.
    pub fn account_count(&self) -> u32 {
        u32::try_from(self.accounts.len()).expect("the genesis bounds the accounts")
    }

    /// How many assets there are; their ids are below this.
    pub fn asset_count(&self) -> u16 {
        u16::try_from(self.cells.sums().len()).expect("the genesis bounds the assets")
    }

    /// Whether this is an ordinary account; the system's are not.
    #[inline]
    pub fn contains(&self, account: AccountId) -> bool {
        account.index() < self.accounts.len()
    }

    /// Who may withdraw from an ordinary account.
    pub fn owner(&self, account: AccountId) -> OwnerAddress {
        self.accounts[account.index()].owner
    }

    /// The group that an ordinary account trades in, from the start.
    #[inline]
    pub fn group(&self, account: AccountId) -> GroupId {
        self.accounts[account.index()].group
    }

    /// What an account has of an asset. What the system's accounts have is all free.
    #[inline]
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        let free = match account {
            AccountId::FEES => self.fees(asset),
            AccountId::DUST => self.dust(asset),
            _ => return self.cells.balance(account, asset),
        };
        Balance {
            free,
            held: Atoms::ZERO,
        }
    }

    /// Fees collected, less rebates paid.
    pub fn fees(&self, asset: AssetId) -> Atoms {
        self.cells.sums_of(asset).fees
    }

    /// What rounding collected.
    pub fn dust(&self, asset: AssetId) -> Atoms {
        self.cells.sums_of(asset).dust
    }

    /// Deposits less withdrawals: what all cells of the asset must add up to.
    pub fn deposited(&self, asset: AssetId) -> Atoms {
        self.cells.sums_of(asset).deposited
    }

    /// All assets, in order.
    pub(crate) fn assets(&self) -> impl Iterator<Item = AssetId> + use<> {
        (0..self.asset_count()).map(AssetId::new)
    }

    /// All ordinary accounts, in order.
    pub(crate) fn account_ids(&self) -> impl Iterator<Item = AccountId> + use<> {
        (0..self.account_count()).map(AccountId::new)
    }
}

#[cfg(test)]
mod tests {
    use types::genesis::development;

    use super::*;

    #[test]
    fn accounts_are_in_the_groups_of_the_genesis() {
        let genesis = development();
        let mut accounts = genesis.accounts().to_vec();
        accounts[3].group = GroupId::new(7);
        let (assets, markets) = (genesis.assets().to_vec(), genesis.markets().to_vec());
        let genesis = Genesis::new(genesis.network(), assets, markets, accounts).unwrap();
        let ledger = Ledger::from_genesis(&genesis);
        for (account, group) in [(0, 0), (3, 7), (7, 7), (63, 63)] {
            assert_eq!(ledger.group(AccountId::new(account)), GroupId::new(group));
        }
    }
}
