//! Who has which orders: per account with at least one resting order a list of them, by
//! arrival.

use crate::arena::{Arena, Entry, Slot};
use crate::index::{Hashing, SlotIndex};
use crate::node::OrderNode;
use crate::queue::{Links, OWNER, Queue};
use types::AccountId;

/// An account that has resting orders.
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

/// All accounts that have resting orders.
pub(crate) struct Owners {
    owners: Arena<Owner>,
    by_account: SlotIndex<Owner>,
}

impl Owners {
    /// Nobody, with room for the owners of so many orders: an eighth as many.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self {
            owners: Arena::with_capacity(orders / 8),
            by_account: SlotIndex::with_capacity(orders / 8),
        }
    }

    /// How many accounts have resting orders.
    pub(crate) const fn len(&self) -> u32 {
        self.owners.len()
    }

    /// The account behind a slot.
    pub(crate) fn account(&self, slot: Slot<Owner>) -> AccountId {
        self.owners[slot].account
    }

    /// The account's orders, if it has any.
    pub(crate) fn find(&self, hashing: &Hashing, account: AccountId) -> Option<&Owner> {
        let slot = self.slot(hashing, account)?;
        Some(&self.owners[slot])
    }

    /// Hangs the order behind the account's others.
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
        owner.orders += 1;
        owner.queue.append(links, order);
        slot
    }

    /// Takes the order out of its owner's list; an empty list goes.
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
            self.close(hashing, slot);
        }
    }

    /// The order goes behind its owner's others.
    pub(crate) fn requeue(&mut self, links: &mut Links, slot: Slot<Owner>, order: Slot<OrderNode>) {
        self.owners[slot].queue.requeue(links, order);
    }

    fn slot(&self, hashing: &Hashing, account: AccountId) -> Option<Slot<Owner>> {
        self.by_account.find(hashing.account(account), |slot| {
            self.owners[slot].account == account
        })
    }

    fn open(&mut self, hashing: &Hashing, account: AccountId) -> Slot<Owner> {
        let slot = self.owners.claim();
        self.owners[slot] = Owner::new(account);
        let owners = &self.owners;
        self.by_account
            .insert(hashing.account(account), slot, |slot| {
                hashing.account(owners[slot].account)
            });
        slot
    }

    fn close(&mut self, hashing: &Hashing, slot: Slot<Owner>) {
        let hash = hashing.account(self.owners[slot].account);
        self.by_account.remove(hash, |other| other == slot);
        self.owners.release(slot);
    }
}
