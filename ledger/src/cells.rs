//! The balance cells, and the only function that writes one.
//!
//! Balances lie in one dense table, account by account, `stride` assets each: an address is one
//! multiplication, and nothing is hashed, or allocated unless an account is opened. What exists once per asset
//! (fees, dust, deposits and the observed sum) shares a cache line in [`AssetSums`].
//!
//! Every write goes through [`Cells::change`], which moves the observed sum of the asset by the
//! difference that the cell really made. A verb that takes more than it gives, or the other way
//! round, therefore shows in the sum after the next block, at the cost of one addition per write.

use types::{AccountId, AssetId, Atoms};
use zerocopy::{Immutable, IntoBytes};

/// What an account has of one asset. A row of the table, in memory as in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
#[repr(C)]
pub struct Balance {
    /// May be spent.
    pub free: Atoms,
    /// Is locked behind resting orders.
    pub held: Atoms,
}

/// The address of one cell, within an asset.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell {
    Free(AccountId),
    Held(AccountId),
    Fees,
    Dust,
}

/// What is counted once per asset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AssetSums {
    /// What came in across the system edge, less what went out.
    pub(crate) deposited: Atoms,
    /// Sum of all cells, maintained by [`Cells::change`]; must equal `deposited` between verbs.
    pub(crate) observed: Atoms,
    pub(crate) fees: Atoms,
    pub(crate) dust: Atoms,
}

#[derive(Clone, Debug)]
pub(crate) struct Cells {
    /// Assets per account.
    stride: usize,
    /// At account x stride + asset.
    balances: Vec<Balance>,
    /// By asset; `stride` of them.
    sums: Vec<AssetSums>,
}

impl Cells {
    /// Empty cells for so many accounts and assets.
    pub(crate) fn new(accounts: usize, assets: usize) -> Self {
        Self {
            stride: assets,
            balances: vec![Balance::default(); accounts * assets],
            sums: vec![AssetSums::default(); assets],
        }
    }

    /// Balances account by account, and the counts of every asset.
    pub(crate) fn from_rows(balances: Vec<Balance>, sums: Vec<AssetSums>) -> Self {
        Self {
            stride: sums.len(),
            balances,
            sums,
        }
    }

    /// Funds enter the system.
    pub(crate) fn deposit(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        self.sums[asset.index()].deposited += amount;
        self.credit(Cell::Free(account), asset, amount);
    }

    /// Funds leave the system. Panics if they are not there: the caller has checked.
    pub(crate) fn withdraw(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        self.debit(Cell::Free(account), asset, amount);
        self.sums[asset.index()].deposited -= amount;
    }

    /// One more account, with nothing in it.
    pub(crate) fn add_account(&mut self) {
        let length = self.balances.len() + self.stride;
        self.balances.resize(length, Balance::default());
    }

    /// Takes `amount` out of a cell. Panics if it is not there: the caller has checked.
    #[inline]
    pub(crate) fn debit(&mut self, cell: Cell, asset: AssetId, amount: Atoms) {
        self.change(cell, asset, |before| match before.checked_sub(amount) {
            Some(after) => after,
            None => overdrawn(cell, asset, before, amount),
        });
    }

    /// Puts `amount` into a cell. Cannot overflow: the supply is bounded far below the type.
    #[inline]
    pub(crate) fn credit(&mut self, cell: Cell, asset: AssetId, amount: Atoms) {
        self.change(cell, asset, |before| before + amount);
    }

    /// The only writer of cells.
    #[inline]
    fn change(&mut self, cell: Cell, asset: AssetId, next: impl FnOnce(Atoms) -> Atoms) {
        // An unknown asset panics here, before its address can alias the next account's row.
        let sums = &mut self.sums[asset.index()];
        let address = |account: AccountId| account.index() * self.stride + asset.index();
        let value = match cell {
            Cell::Free(account) => &mut self.balances[address(account)].free,
            Cell::Held(account) => &mut self.balances[address(account)].held,
            Cell::Fees => &mut sums.fees,
            Cell::Dust => &mut sums.dust,
        };
        let before = *value;
        *value = next(before);
        sums.observed = sums.observed - before + *value;
    }

    /// What an ordinary account has of an asset.
    #[inline]
    pub(crate) fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        self.row(account)[asset.index()]
    }

    /// What an ordinary account has, by asset.
    #[inline]
    pub(crate) fn row(&self, account: AccountId) -> &[Balance] {
        let start = account.index() * self.stride;
        &self.balances[start..start + self.stride]
    }

    /// All balances, account by account.
    pub(crate) fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// The counts of every asset.
    pub(crate) fn sums(&self) -> &[AssetSums] {
        &self.sums
    }

    /// The counts of one asset.
    pub(crate) fn sums_of(&self, asset: AssetId) -> &AssetSums {
        &self.sums[asset.index()]
    }

    /// Writes past [`Cells::change`], so that tests can show that the alarms ring.
    #[cfg(test)]
    pub(crate) fn corrupt(&mut self, account: AccountId, asset: AssetId, free: Atoms) {
        self.balances[account.index() * self.stride + asset.index()].free = free;
    }
}

#[cold]
#[inline(never)]
fn overdrawn(cell: Cell, asset: AssetId, before: Atoms, amount: Atoms) -> ! {
    panic!("cell {cell:?} of asset {asset} has {before} atoms, {amount} were taken");
}
