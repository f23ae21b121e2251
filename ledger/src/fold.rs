//! Movements that were added up elsewhere, as the parallel executor does.
//!
//! What is folded in is what the verbs would have moved one by one, so at the end every cell is what
//! it would be, and the sums of all cells see to it that nothing was made or lost on the way. In
//! between an asset's cells need not add up.

use types::{AccountId, AssetId, Atoms};

use crate::Ledger;
use crate::cells::Cell;

impl Ledger {
    /// Changes what an account has of an asset. Panics if it were to have less than nothing.
    #[inline]
    pub fn fold_balance(&mut self, account: AccountId, asset: AssetId, free: i128, held: i128) {
        self.fold(Cell::Free(account), asset, free);
        self.fold(Cell::Held(account), asset, held);
    }

    /// Changes the fees collected of an asset.
    #[inline]
    pub fn fold_fees(&mut self, asset: AssetId, amount: i128) {
        self.fold(Cell::Fees, asset, amount);
    }

    /// Changes what rounding collected of an asset.
    #[inline]
    pub fn fold_dust(&mut self, asset: AssetId, amount: i128) {
        self.fold(Cell::Dust, asset, amount);
    }

    /// So many more orders of the account rest, or fewer. Panics if it were fewer than none.
    #[inline]
    pub fn fold_orders(&mut self, account: AccountId, opened: i128) {
        let open_orders = &mut self.accounts[account.index()].open_orders;
        *open_orders = u32::try_from(i128::from(*open_orders) + opened)
            .expect("every order that closes was opened");
    }

    #[inline]
    fn fold(&mut self, cell: Cell, asset: AssetId, amount: i128) {
        let magnitude = Atoms::new(amount.unsigned_abs());
        if amount < 0 {
            self.cells.debit(cell, asset, magnitude);
        } else if amount > 0 {
            self.cells.credit(cell, asset, magnitude);
        }
    }
}
