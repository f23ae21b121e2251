//! Who has which orders: per account a list of its resting orders, by arrival.
//!
//! Accounts come back: who quotes one order at a time would else be forgotten and found anew with
//! each. So an owner without orders is idle and stays, unless too many are idle already.

use crate::arena::{Arena, Entry, Slot};
use crate::index::{Hashing, SlotIndex};
use crate::node::OrderNode;
use crate::queue::{Links, OWNER, Queue};
use types::AccountId;

/// How many owners may be idle however few are not.
const IDLE_MIN: u32 = 4_096;

/// An account that has, or had, resting orders.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    /// Who; in a vacant entry the next vacant one.
    pub(crate) account: AccountId,
    /// How many orders rest.
    pub(crate) orders: u32,
    /// The orders, by arrival.
    pub(crate) queue: Queue<OWNER>,
}

const _: () = assert!(size_of::<Owner>() == 16);

impl Owner {
    const fn new(account: AccountId) -> Self {
        Self {
            account,
            orders: 0,
            queue: Queue::EMPTY,
        }
    }
}

impl Entry for Owner {
    const UNUSED: Self = Self::new(AccountId::new(0));

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        self.account = AccountId::new(next_vacant.get());
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.account.get())
    }
}

/// All accounts that have resting orders, and some that had.
pub(crate) struct Owners {
    owners: Arena<Owner>,
    /// How many of them are idle.
    idle: u32,
    by_account: SlotIndex<Owner>,
}

impl Owners {
    /// Nobody, with room for the owners of so many orders: an eighth as many.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self {
            owners: Arena::with_capacity(orders / 8),
            idle: 0,
            by_account: SlotIndex::with_capacity(orders / 8),
        }
    }

    /// How many accounts have resting orders.
    pub(crate) const fn len(&self) -> u32 {
        self.owners.len() - self.idle
    }

    /// The account behind a slot.
    pub(crate) fn account(&self, slot: Slot<Owner>) -> AccountId {
        self.owners[slot].account
    }

    /// The account's orders; an idle owner has none.
    pub(crate) fn find(&self, hashing: &Hashing, account: AccountId) -> Option<&Owner> {
        let slot = self.slot(hashing, account)?;
        Some(&self.owners[slot])
    }

    /// Hangs the order behind the account's others.
    #[inline]
    pub(crate) fn join(
        &mut self,
        hashing: &Hashing,
        links: &mut Links,
        account: AccountId,
        order: Slot<OrderNode>,
    ) -> Slot<Owner> {
        let slot = match self.slot(hashing, account) {
            Some(slot) => slot,
            None => self.open(hashing, account),
        };
        let owner = &mut self.owners[slot];
        self.idle -= u32::from(owner.orders == 0);
        owner.orders += 1;
        owner.queue.append(links, order);
        slot
    }

    /// Takes the order out of its owner's list.
    #[inline]
    pub(crate) fn leave(
        &mut self,
        hashing: &Hashing,
        links: &mut Links,
        slot: Slot<Owner>,
        order: Slot<OrderNode>,
    ) {
        let owner = &mut self.owners[slot];
        owner.orders -= 1;
        owner.queue.unlink(links, order);
        if owner.orders == 0 {
            self.idle += 1;
            if self.idle > IDLE_MIN && self.idle > self.len() {
                self.close(hashing, slot);
            }
        }
    }

    /// The order goes behind its owner's others.
    pub(crate) fn requeue(&mut self, links: &mut Links, slot: Slot<Owner>, order: Slot<OrderNode>) {
        self.owners[slot].queue.requeue(links, order);
    }

    #[inline]
    fn slot(&self, hashing: &Hashing, account: AccountId) -> Option<Slot<Owner>> {
        self.by_account.find(hashing.account(account), |slot| {
            self.owners[slot].account == account
        })
    }

    #[inline(never)]
    fn open(&mut self, hashing: &Hashing, account: AccountId) -> Slot<Owner> {
        let slot = self.owners.claim();
        self.owners[slot] = Owner::new(account);
        self.idle += 1;
        let owners = &self.owners;
        self.by_account
            .insert(hashing.account(account), slot, |slot| {
                hashing.account(owners[slot].account)
            });
        slot
    }

    #[cold]
    fn close(&mut self, hashing: &Hashing, slot: Slot<Owner>) {
        let hash = hashing.account(self.owners[slot].account);
        self.by_account.remove(hash, |other| other == slot);
        self.owners.release(slot);
        self.idle -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idle_stay_till_they_are_too_many() {
        let hashing = Hashing::new(5);
        let mut links = Links::with_capacity(1);
        let mut owners = Owners::with_capacity(0);
        let order = Slot::new(0);
        for account in 0..2 * IDLE_MIN {
            let owner = owners.join(&hashing, &mut links, AccountId::new(account), order);
            assert_eq!(owners.len(), 1);
            owners.leave(&hashing, &mut links, owner, order);
            assert_eq!(owners.len(), 0);
            assert_eq!(owners.owners.len(), (account + 1).min(IDLE_MIN));
        }
        for account in 0..2 * IDLE_MIN {
            let found = owners.find(&hashing, AccountId::new(account));
            assert_eq!(
                found.map(|owner| owner.orders),
                (account < IDLE_MIN).then_some(0)
            );
        }
    }
}
