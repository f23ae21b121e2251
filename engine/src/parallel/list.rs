//! Lists that only grow, without a lock: the entries of each amount, the last one first.
//!
//! This is the one structure of the executor that needs more than locks, so it stands alone and loom
//! drives it through everything that the memory model allows (`engine/tests/loom`).
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
