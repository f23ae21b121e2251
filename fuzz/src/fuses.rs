//! Protection as a book alone can see it: each account in it may fill so many lots as a protected
//! maker, and then it trips. Nothing is counted by time.

use std::collections::BTreeMap;

use matching::Guard;
use types::{AccountId, BaseLots, Ticks};

/// How many lots are left to each protected account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fuses(BTreeMap<AccountId, u64>);

impl Fuses {
    /// Protects an account from here on.
    pub(crate) fn insert(&mut self, account: AccountId, lots: BaseLots) {
        self.0.insert(account, lots.get());
    }
}

impl Guard for Fuses {
    fn is_on(&self) -> bool {
        !self.0.is_empty()
    }

    fn trips(&mut self, owner: AccountId, price: Ticks, quantity: BaseLots) -> bool {
        assert!(!price.is_zero() && !quantity.is_zero());
        let Some(left) = self.0.get_mut(&owner) else {
            return false;
        };
        *left = left.saturating_sub(quantity.get());
        let trips = *left == 0;
        if trips {
            self.0.remove(&owner);
        }
        trips
    }
}
