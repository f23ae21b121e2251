//! Per asset, free + held + fees + dust = deposits - withdrawals, always.
//!
//! Two checks that share nothing but the deposits. The recount reads every cell and believes
//! nothing; it is for checkpoints, replay and tests. The incremental one compares the sums that
//! every cell write maintains, costs a comparison per asset, and runs after every block.

use types::{AssetId, Atoms};

use crate::Ledger;

/// An asset whose cells do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("asset {asset}: the cells hold {found} atoms, {deposited} were deposited")]
pub struct ConservationError {
    /// Which.
    pub asset: AssetId,
    /// Deposits less withdrawals.
    pub deposited: Atoms,
    /// What the cells add up to.
    pub found: Atoms,
}

impl Ledger {
    /// Counts every cell again. The first asset that does not add up is the error.
    pub fn check_conservation(&self) -> Result<(), ConservationError> {
        let mut found: Vec<Atoms> = self
            .cells
            .sums()
            .iter()
            .map(|sums| saturating_sum([sums.fees, sums.dust]))
            .collect();
        for row in self.cells.balances().chunks_exact(found.len().max(1)) {
            for (sum, balance) in found.iter_mut().zip(row) {
                *sum = saturating_sum([*sum, balance.free, balance.held]);
            }
        }
        for (asset, found) in self.assets().zip(found) {
            let deposited = self.deposited(asset);
            if found != deposited {
                return Err(ConservationError {
                    asset,
                    deposited,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Compares the maintained sum of every asset with its deposits. Panics if one is off: some
    /// verb made or lost money, and whatever follows would be wrong.
    pub fn assert_conserved(&self) {
        for (asset, sums) in self.assets().zip(self.cells.sums()) {
            let error = ConservationError {
                asset,
                deposited: sums.deposited,
                found: sums.observed,
            };
            assert!(error.found == error.deposited, "{error}");
        }
    }
}

/// Saturates, because the recount also has to report cells that no verb could have written.
fn saturating_sum<const N: usize>(amounts: [Atoms; N]) -> Atoms {
    let add = |sum: u128, amount: Atoms| sum.saturating_add(amount.get());
    Atoms::new(amounts.into_iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use types::AccountId;
    use types::genesis::development;

    use super::*;
    use crate::cells::Cell;

    const ETH: AssetId = AssetId::new(1);
    const DEV_9: AccountId = AccountId::new(9);

    #[test]
    fn the_recount_finds_what_no_verb_wrote() {
        let mut ledger = Ledger::from_genesis(&development());
        assert_eq!(ledger.check_conservation(), Ok(()));
        let deposited = ledger.deposited(ETH);
        let free = ledger.balance(DEV_9, ETH).free;
        for (corrupt, found) in [
            (free + Atoms::new(1), deposited + Atoms::new(1)),
            (free - Atoms::new(1), deposited - Atoms::new(1)),
            (Atoms::new(u128::MAX), Atoms::new(u128::MAX)),
        ] {
            ledger.cells.corrupt(DEV_9, ETH, corrupt);
            let error = ConservationError {
                asset: ETH,
                deposited,
                found,
            };
            assert_eq!(ledger.check_conservation(), Err(error));
        }
    }

    #[test]
    fn the_incremental_check_finds_a_verb_that_does_not_balance() {
        for credits in [false, true] {
            let mut ledger = Ledger::from_genesis(&development());
            ledger.assert_conserved();
            if credits {
                ledger.cells.credit(Cell::Dust, ETH, Atoms::new(1));
            } else {
                ledger.cells.debit(Cell::Free(DEV_9), ETH, Atoms::new(1));
            }
            assert!(ledger.check_conservation().is_err());
            let checked = std::panic::catch_unwind(|| ledger.assert_conserved());
            assert!(checked.is_err(), "credits: {credits}");
        }
    }
}
