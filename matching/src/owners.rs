//! Who has which orders: per account a list of its resting orders, by arrival.
//!
//! Account ids are dense, so no account is searched for: a directory leads to pages of 64 neighbors,
//! and within a page the number is the place. A page in which nobody has orders is recycled at once;
//! it is as good as new, because a list that empties has no ends. The worst an adversary can do is to
//! let every order be of an account far from every other: then an order owns a page, below 0.8 KiB,
//! and the directory has four bytes per 64 accounts up to the highest that trades, at most 1 MiB.

use crate::arena::{Arena, Entry, Slot};
use crate::node::OrderNode;
use crate::queue::{Links, OWNER, Queue};
use types::AccountId;
use types::limits::ACCOUNTS_MAX;

/// Accounts on a page. Their lists are twelve cache lines.
const PAGE_OWNERS: usize = 64;

/// The resting orders of one account.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    /// How many.
    pub(crate) orders: u32,
    /// They, by arrival.
    pub(crate) queue: Queue<OWNER>,
}

impl Owner {
    const NONE: Self = Self {
        orders: 0,
        queue: Queue::EMPTY,
    };
}

/// The accounts with neighboring numbers.
#[derive(Clone, Copy)]
struct Page {
    /// How many of them have orders; in a vacant page the next vacant one.
    busy: u32,
    owners: [Owner; PAGE_OWNERS],
}

const _: () = assert!(size_of::<Page>() == 772);

impl Entry for Page {
    const UNUSED: Self = Self {
        busy: 0,
        owners: [Owner::NONE; PAGE_OWNERS],
    };

    fn vacate(&mut self, next_vacant: Slot<Self>) {
        self.busy = next_vacant.get();
    }

    fn next_vacant(&self) -> Slot<Self> {
        Slot::new(self.busy)
    }
}

/// All accounts that have resting orders.
pub(crate) struct Owners {
    /// By number of the page; beyond its end there is none.
    directory: Vec<Slot<Page>>,
    pages: Arena<Page>,
    /// How many accounts have orders.
    busy: u32,
}

impl Owners {
    /// Nobody, with room for the owners of so many orders: an eighth as many, with neighboring
    /// numbers from the first on.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        let pages = (orders / 8).div_ceil(PAGE_OWNERS);
        Self {
            directory: vec![Slot::NONE; pages],
            pages: Arena::with_capacity(pages),
            busy: 0,
        }
    }

    /// How many accounts have resting orders.
    pub(crate) const fn len(&self) -> u32 {
        self.busy
    }

    /// All accounts that have resting orders, by number.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        let pages = self.directory.iter().enumerate();
        let busy = pages.filter(|(_, page)| !page.is_none());
        busy.flat_map(|(number, page)| {
            let owners = self.pages[*page].owners.iter().enumerate();
            let busy = owners.filter(|(_, owner)| owner.orders > 0);
            busy.map(move |(place, _)| AccountId::new((number * PAGE_OWNERS + place) as u32))
        })
    }

    /// The account's orders, if its page is there; it may still have none.
    pub(crate) fn find(&self, account: AccountId) -> Option<&Owner> {
        let page = *self.directory.get(account.index() / PAGE_OWNERS)?;
        (!page.is_none()).then(|| &self.pages[page].owners[account.index() % PAGE_OWNERS])
    }

    /// Hangs the order behind the account's others.
    #[inline]
    pub(crate) fn join(&mut self, links: &mut Links, account: AccountId, order: Slot<OrderNode>) {
        self.count_in(account).queue.append(links, order);
    }

    /// Hangs the order behind this one of the account's others: the inverse of [`Owners::leave`].
    pub(crate) fn rejoin(
        &mut self,
        links: &mut Links,
        account: AccountId,
        order: Slot<OrderNode>,
        previous: Slot<OrderNode>,
    ) {
        let queue = &mut self.count_in(account).queue;
        queue.insert_after(links, previous, order);
    }

    /// The account, which has one more order.
    #[inline]
    fn count_in(&mut self, account: AccountId) -> &mut Owner {
        let number = account.index() / PAGE_OWNERS;
        let page = match self.directory.get(number) {
            Some(page) if !page.is_none() => *page,
            _ => self.open(number),
        };
        let page = &mut self.pages[page];
        let owner = &mut page.owners[account.index() % PAGE_OWNERS];
        if owner.orders == 0 {
            page.busy += 1;
            self.busy += 1;
        }
        owner.orders += 1;
        owner
    }

    /// Takes the order out of its owner's list.
    #[inline]
    pub(crate) fn leave(&mut self, links: &mut Links, account: AccountId, order: Slot<OrderNode>) {
        let number = account.index() / PAGE_OWNERS;
        let slot = self.directory[number];
        let page = &mut self.pages[slot];
        let owner = &mut page.owners[account.index() % PAGE_OWNERS];
        owner.orders -= 1;
        owner.queue.unlink(links, order);
        if owner.orders == 0 {
            page.busy -= 1;
            self.busy -= 1;
            if page.busy == 0 {
                self.directory[number] = Slot::NONE;
                self.pages.release(slot);
            }
        }
    }

    #[inline(never)]
    fn open(&mut self, number: usize) -> Slot<Page> {
        assert!(
            number * PAGE_OWNERS < ACCOUNTS_MAX,
            "no network has so many accounts"
        );
        if self.directory.len() <= number {
            self.directory.resize(number + 1, Slot::NONE);
        }
        let page = self.pages.claim();
        self.pages[page].busy = 0;
        self.directory[number] = page;
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_there_while_one_of_its_accounts_is() {
        let mut links = Links::with_capacity(3);
        let mut owners = Owners::with_capacity(0);
        let [first, second, far] = [0, 1, 2].map(Slot::new);
        let neighbors = [64, 127].map(AccountId::new);
        let stranger = AccountId::new(ACCOUNTS_MAX as u32 - 1);
        for _ in 0..3 {
            owners.join(&mut links, neighbors[0], first);
            owners.join(&mut links, neighbors[1], second);
            owners.join(&mut links, stranger, far);
            assert_eq!((owners.len(), owners.pages.len()), (3, 2));
            owners.leave(&mut links, neighbors[0], first);
            owners.leave(&mut links, stranger, far);
            assert_eq!((owners.len(), owners.pages.len()), (1, 1));
            let [idle, busy] = neighbors.map(|account| owners.find(account).map(|it| it.orders));
            assert_eq!((idle, busy), (Some(0), Some(1)));
            owners.leave(&mut links, neighbors[1], second);
            assert_eq!((owners.len(), owners.pages.len()), (0, 0));
            assert!(owners.find(neighbors[1]).is_none());
        }
    }
}
