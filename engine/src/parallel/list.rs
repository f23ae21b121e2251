//! Lists that only grow, without a lock: the entries of each amount, the last one first.
//!
//! This is the one structure of the executor that needs more than locks, so it stands alone and loom
//! drives it through everything that the memory model allows (below; feature `loom`).
//!
//! An entry is named by its [`Place`]. Whoever finds a place looks it up in what its transaction has
//! published, under a lock, or in what it had looked up there before.

use std::sync::atomic::Ordering;

use super::sync::AtomicU64;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whose it is.
    pub(crate) transaction: u32,
    /// Which of its entries.
    pub(crate) entry: u32,
}

/// The beginning of a list.
#[derive(Debug, Default)]
pub(crate) struct Head(AtomicU64);

/// What leads from one entry to the next.
#[derive(Debug, Default)]
pub(crate) struct Link(AtomicU64);

impl Head {
    /// The entry that came last.
    pub(crate) fn first(&self) -> Option<Place> {
        // Acquire: pairs with the release of `push`, so that whoever finds an entry finds its link
        // set, also if it had looked up what the transaction has published before it was set.
        Place::unpack(self.0.load(Ordering::Acquire))
    }

    /// Puts an entry that is published, and in no list yet, before all others.
    pub(crate) fn push(&self, link: &Link, place: Place) {
        // Relaxed: the value only goes back into the list, and is compared before that counts.
        let mut first = self.0.load(Ordering::Relaxed);
        loop {
            // Relaxed: nobody looks at it before the release below.
            link.0.store(first, Ordering::Relaxed);
            // Release: whoever finds the entry finds what was written before, the link above all.
            // Later pushes are read-modify-writes on the same atomic, so they carry this release on
            // to those who see them instead.
            let pushed = self.0.compare_exchange_weak(
                first,
                place.pack(),
                Ordering::Release,
                Ordering::Relaxed,
            );
            match pushed {
                Ok(_) => return,
                Err(other) => first = other,
            }
        }
    }

    /// Forgets all entries.
    pub(crate) fn clear(&mut self) {
        // Relaxed: `&mut self` is ours alone.
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Link {
    /// The entry before this one.
    pub(crate) fn next(&self) -> Option<Place> {
        // Relaxed: it was set before the entry was found (see `first`), and never changes after. For
        // an entry that was copied it was set before it was published, under the lock of that.
        Place::unpack(self.0.load(Ordering::Relaxed))
    }

    /// The same for an entry that takes the place of this one, by whoever executes its transaction
    /// anew.
    pub(crate) fn copy(&self) -> Self {
        // Relaxed: the transaction's last incarnation has pushed it before it told the scheduler, under
        // whose lock the caller was sent here.
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Place {
    /// Never 0, which is none.
    const fn pack(self) -> u64 {
        (self.transaction as u64 + 1) << 32 | self.entry as u64
    }

    const fn unpack(packed: u64) -> Option<Self> {
        match packed {
            0 => None,
            _ => Some(Self {
                transaction: (packed >> 32) as u32 - 1,
                entry: packed as u32,
            }),
        }
    }
}

#[cfg(all(test, feature = "loom", not(feature = "shuttle")))]
#[allow(clippy::unwrap_used)] // A panic is a failed test.
mod tests {
    //! Every execution that the memory model allows of some pushes and a walk, with what is published
    //! behind loom's locks. Shown to fail with `Relaxed` in place of `Release` or of `Acquire`, if who
    //! walks is not the thread that the others come from: then loom passes over the failure.

    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    /// What each transaction has published, and the lists. Transaction 0 was there before.
    struct Memory {
        heads: Vec<Head>,
        published: Vec<Mutex<Arc<Vec<Link>>>>,
    }

    impl Memory {
        fn new(transactions: usize, lists: usize) -> Arc<Self> {
            let nothing = || Mutex::new(Arc::new(Vec::new()));
            let memory = Self {
                heads: (0..lists).map(|_| Head::default()).collect(),
                published: (0..transactions).map(|_| nothing()).collect(),
            };
            memory.publish(0);
            Arc::new(memory)
        }

        /// One entry in each list, as `MvMemory::publish` does it.
        fn publish(&self, transaction: u32) {
            let links: Vec<_> = self.heads.iter().map(|_| Link::default()).collect();
            let links = Arc::new(links);
            *self.published[transaction as usize].lock().unwrap() = Arc::clone(&links);
            for (entry, link) in (0..).zip(&*links) {
                let place = Place { transaction, entry };
                self.heads[entry as usize].push(link, place);
            }
        }

        /// A later incarnation takes the place of the one before.
        fn publish_again(&self, transaction: u32) {
            let before = self.look(transaction);
            let links = before.iter().map(Link::copy).collect();
            *self.published[transaction as usize].lock().unwrap() = Arc::new(links);
        }

        fn look(&self, transaction: u32) -> Arc<Vec<Link>> {
            Arc::clone(&self.published[transaction as usize].lock().unwrap())
        }

        /// Who is in a list, as `MvMemory::visit` finds it: what was looked up once is not again.
        fn walk(&self, list: u32, seen: &mut [Option<Arc<Vec<Link>>>]) -> Vec<u32> {
            let mut found = Vec::new();
            let mut next = self.heads[list as usize].first();
            while let Some(Place { transaction, entry }) = next {
                assert_eq!(entry, list);
                assert!(!found.contains(&transaction), "a list is no circle");
                found.push(transaction);
                let slot = &mut seen[transaction as usize];
                if slot.as_ref().is_none_or(|links| links.is_empty()) {
                    *slot = Some(self.look(transaction));
                }
                let links = slot.as_ref().unwrap();
                next = links[entry as usize].next();
            }
            assert_eq!(found.last(), Some(&0), "what was there before stays");
            found
        }

        /// All lists with one memory of what was seen.
        fn walk_all(&self) -> Vec<Vec<u32>> {
            let mut seen = vec![None; self.published.len()];
            let lists = 0..self.heads.len() as u32;
            lists.map(|list| self.walk(list, &mut seen)).collect()
        }

        fn assert_all(&self) {
            for mut found in self.walk_all() {
                found.sort_unstable();
                let all: Vec<u32> = (0..self.published.len() as u32).collect();
                assert_eq!(found, all);
            }
        }
    }

    #[test]
    fn a_walk_beside_two_pushes() {
        loom::model(|| {
            let memory = Memory::new(3, 1);
            let pusher = {
                let memory = Arc::clone(&memory);
                thread::spawn(move || memory.publish(1))
            };
            let walker = {
                let memory = Arc::clone(&memory);
                thread::spawn(move || memory.walk_all())
            };
            memory.publish(2);
            pusher.join().unwrap();
            walker.join().unwrap();
            memory.assert_all();
        });
    }

    #[test]
    fn a_walk_beside_an_incarnation_and_the_next() {
        loom::model(|| {
            let memory = Memory::new(2, 2);
            let walker = {
                let memory = Arc::clone(&memory);
                thread::spawn(move || memory.walk_all())
            };
            memory.publish(1);
            memory.publish_again(1);
            walker.join().unwrap();
            memory.assert_all();
        });
    }
}
