//! Slabs: entries live in one vector, are named by 32-bit typed handles and are recycled.
//!
//! A handle is half of a pointer and survives growth. Its type says what it points at, so that an
//! order can never be looked up among the levels. Vacant entries form a stack through the entries
//! themselves: the entry freed last is used next, while it is still in the cache.

use std::fmt;
use std::marker::PhantomData;
use std::ops;

/// The place of one entry in an [`Arena`] of `T`, or [`Slot::NONE`].
pub(crate) struct Slot<T> {
    number: u32,
    entry: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    /// No entry. Not an `Option`, which would double the size of every link.
    pub(crate) const NONE: Self = Self::new(u32::MAX);

    /// The handle with this number.
    pub(crate) const fn new(number: u32) -> Self {
        Self {
            number,
            entry: PhantomData,
        }
    }

    /// The number, to be kept where the type cannot be.
    pub(crate) const fn get(self) -> u32 {
        self.number
    }

    /// Its place in a table of one entry per slot.
    pub(crate) const fn index(self) -> usize {
        self.number as usize
    }

    /// Whether it names no entry.
    pub(crate) const fn is_none(self) -> bool {
        self.number == u32::MAX
    }
}

// Derives would ask the same of `T`, which a handle does not hold.
impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Slot<T> {}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// What lives in an [`Arena`]: has a value to begin with, and room for one link while vacant.
pub(crate) trait Entry: Copy {
    /// Fills memory that was never used.
    const UNUSED: Self;

    /// Marks it vacant and remembers the vacant entry below it on the stack.
    fn vacate(&mut self, next_vacant: Slot<Self>);

    /// What [`Entry::vacate`] remembered.
    fn next_vacant(&self) -> Slot<Self>;
}

/// A slab of `T`.
#[derive(Clone)]
pub(crate) struct Arena<T> {
    entries: Vec<T>,
    vacant: Slot<T>,
    len: u32,
}

impl<T: Entry> Arena<T> {
    /// An empty slab with room for `capacity` entries, whose memory has been written once so that
    /// no page fault is left for later.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let mut entries = vec![T::UNUSED; capacity];
        entries.clear();
        Self {
            entries,
            vacant: Slot::NONE,
            len: 0,
        }
    }

    /// How many entries are in use.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    /// Takes an entry into use. It holds [`Entry::UNUSED`] or what its last user left there.
    #[inline]
    pub(crate) fn claim(&mut self) -> Slot<T> {
        self.len += 1;
        let slot = self.vacant;
        if slot.is_none() {
            return self.extend();
        }
        self.vacant = self[slot].next_vacant();
        slot
    }

    /// Gives an entry back. The caller forgets the handle.
    #[inline]
    pub(crate) fn release(&mut self, slot: Slot<T>) {
        let next_vacant = self.vacant;
        self[slot].vacate(next_vacant);
        self.vacant = slot;
        self.len -= 1;
    }

    #[cold]
    fn extend(&mut self) -> Slot<T> {
        let number = u32::try_from(self.entries.len()).expect("limits keep slabs below 2^32");
        self.entries.push(T::UNUSED);
        Slot::new(number)
    }
}

impl<T> ops::Index<Slot<T>> for Arena<T> {
    type Output = T;

    fn index(&self, slot: Slot<T>) -> &T {
        &self.entries[slot.index()]
    }
}

impl<T> ops::IndexMut<Slot<T>> for Arena<T> {
    fn index_mut(&mut self, slot: Slot<T>) -> &mut T {
        &mut self.entries[slot.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Number(u32);

    impl Entry for Number {
        const UNUSED: Self = Self(0);

        fn vacate(&mut self, next_vacant: Slot<Self>) {
            self.0 = next_vacant.get();
        }

        fn next_vacant(&self) -> Slot<Self> {
            Slot::new(self.0)
        }
    }

    #[test]
    fn the_entry_freed_last_is_used_next() {
        let mut arena = Arena::<Number>::with_capacity(0);
        let slots: Vec<_> = (0..4).map(|_| arena.claim()).collect();
        arena.release(slots[1]);
        arena.release(slots[3]);
        assert_eq!(arena.len(), 2);
        assert_eq!(arena.claim(), slots[3]);
        assert_eq!(arena.claim(), slots[1]);
        assert_eq!(arena.claim().get(), 4);
        assert_eq!(arena.len(), 5);
    }
}
