//! From a key (order id, label, account) to a slot, in a hash table of our own.
//!
//! The table is an array of groups of 32 bytes, of which none lies across cache lines: six slots, a
//! byte of hash (a tag) for each, and a count. Keys stay in the slabs. A search compares all tags of the key's home group at once and
//! then, nearly always, one key. An entry whose home is full goes to the next group that is not,
//! and every full group that it passes counts it; a search goes on only from a group that was
//! passed. Removal takes the counts back. So there are no tombstones, and therefore no clean-up of
//! the whole table in the middle of an ordinary day: that, and that removing a slot needs no look
//! at any key, is why this is not `hashbrown`. At most four of six places are in use, so an entry
//! costs 8 to 16 bytes.
//!
//! The hash is seeded, so that nobody can choose labels that collide. No answer depends on the
//! seed: a table is never iterated.

use crate::arena::Slot;
use types::{AccountId, ClientOrderId, OrderId};

/// Places in a group: their tags and the count are one word, and the group half a cache line.
const PLACES: usize = 6;
/// Entries per group, on average, beyond which the table doubles.
const LOAD_MAX: usize = 4;

/// 32 bits of seeded hash of some key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

/// The secret numbers behind all hashes of one book.
#[derive(Clone, Copy)]
pub(crate) struct Hashing {
    mask: u64,
    inner: u64,
    outer: u64,
    label: u64,
}

impl Hashing {
    /// Spreads the seed over all of them.
    pub(crate) fn new(seed: u64) -> Self {
        let spread = |number: u64| {
            let once = fold(seed ^ number, 0xd6e8_feb8_6659_fd93);
            fold(once ^ number, 0xa076_1d64_78bd_642f) ^ seed
        };
        Self {
            mask: spread(0x9e37_79b9_7f4a_7c15),
            // Odd, so that no bit of the key is lost in a multiplication.
            inner: spread(0xbf58_476d_1ce4_e5b9) | 1,
            outer: spread(0x94d0_49bb_1331_11eb) | 1,
            label: spread(0xd134_2543_de82_ef95) | 1,
        }
    }

    /// Of an order id.
    pub(crate) fn order(&self, order_id: OrderId) -> KeyHash {
        self.mix(order_id.get())
    }

    /// Of a label: labels are unique per account only.
    pub(crate) fn label(&self, account: AccountId, client_order_id: ClientOrderId) -> KeyHash {
        let label = fold(client_order_id.get() ^ self.mask, self.label);
        self.mix(label ^ u64::from(account.get()))
    }

    /// Two rounds: after one, keys in equal steps, which order ids and many labels are, would still
    /// hash in equal steps and cluster.
    fn mix(&self, key: u64) -> KeyHash {
        let once = fold(key ^ self.mask, self.inner);
        KeyHash((once.wrapping_mul(self.outer) >> 32) as u32)
    }
}

/// Multiplies to 128 bits and adds the halves: every bit of the result hangs on every bit of the
/// key.
fn fold(key: u64, multiplier: u64) -> u64 {
    let product = u128::from(key) * u128::from(multiplier);
    (product as u64) ^ (product >> 64) as u64
}

/// The slots of entries of `T` by the hash of a key of theirs.
#[derive(Clone)]
pub(crate) struct SlotIndex<T> {
    /// A power of two of them.
    groups: Vec<Group<T>>,
    len: usize,
}

#[repr(align(32))]
struct Group<T> {
    tags: Tags,
    slots: [Slot<T>; PLACES],
}

const _: () = assert!(size_of::<Group<()>>() == 32);

impl<T> Group<T> {
    const EMPTY: Self = Self {
        tags: Tags::EMPTY,
        slots: [Slot::NONE; PLACES],
    };
}

// Derives would ask the same of `T`.
impl<T> Clone for Group<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Group<T> {}

/// Where an entry is.
#[derive(Clone, Copy)]
struct Position {
    group: usize,
    place: usize,
}

impl<T> SlotIndex<T> {
    /// An empty index with room for `capacity` keys.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let groups = capacity.div_ceil(LOAD_MAX).next_power_of_two();
        Self {
            groups: vec![Group::EMPTY; groups],
            len: 0,
        }
    }

    /// How many keys it holds.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The slot with this hash that `is_meant`, which compares the key itself.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: KeyHash,
        is_meant: impl Fn(Slot<T>) -> bool,
    ) -> Option<Slot<T>> {
        let Position { group, place } = self.position(hash, is_meant)?;
        Some(self.groups[group].slots[place])
    }

    /// Adds a slot. The caller knows that its key is not present. `hash_of` is asked when the table
    /// grows.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: KeyHash,
        slot: Slot<T>,
        hash_of: impl Fn(Slot<T>) -> KeyHash,
    ) {
        if self.len == self.groups.len() * LOAD_MAX {
            self.grow(hash_of);
        }
        self.len += 1;
        self.place(hash, slot);
    }

    /// Removes the slot with this hash that `is_meant`, and returns it if it was there.
    #[inline]
    pub(crate) fn remove(
        &mut self,
        hash: KeyHash,
        is_meant: impl Fn(Slot<T>) -> bool,
    ) -> Option<Slot<T>> {
        let Position { group, place } = self.position(hash, is_meant)?;
        let mut passed = self.home(hash);
        while passed != group {
            self.groups[passed].tags.forget_passed();
            passed = self.after(passed);
        }
        self.len -= 1;
        let group = &mut self.groups[group];
        group.tags.clear(place);
        Some(group.slots[place])
    }

    #[inline]
    fn position(&self, hash: KeyHash, is_meant: impl Fn(Slot<T>) -> bool) -> Option<Position> {
        let home = self.home(hash);
        let mut number = home;
        loop {
            let group = &self.groups[number];
            let found = group
                .tags
                .candidates(hash)
                .find(|place| is_meant(group.slots[*place]));
            if let Some(place) = found {
                return Some(Position {
                    group: number,
                    place,
                });
            }
            number = self.after(number);
            // In a tiny table every group may have been passed, at one time or another.
            if !group.tags.was_passed() || number == home {
                return None;
            }
        }
    }

    fn place(&mut self, hash: KeyHash, slot: Slot<T>) {
        let mut number = self.home(hash);
        loop {
            let group = &mut self.groups[number];
            if let Some(place) = group.tags.vacant() {
                group.tags.set(place, hash);
                group.slots[place] = slot;
                return;
            }
            group.tags.count_passed();
            number = self.after(number);
        }
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(Slot<T>) -> KeyHash) {
        let larger = vec![Group::EMPTY; self.groups.len() * 2];
        for group in std::mem::replace(&mut self.groups, larger) {
            for place in group.tags.used() {
                let slot = group.slots[place];
                self.place(hash_of(slot), slot);
            }
        }
    }

    fn home(&self, hash: KeyHash) -> usize {
        hash.0 as usize & (self.groups.len() - 1)
    }

    fn after(&self, group: usize) -> usize {
        (group + 1) & (self.groups.len() - 1)
    }
}

/// A byte for each place in a group: zero if vacant, else the highest bit and seven bits of hash.
/// The last byte counts the entries that did not find a place here and went on. One integer, so
/// that all bytes are compared at once on every machine.
#[derive(Clone, Copy)]
struct Tags(u64);

impl Tags {
    const EMPTY: Self = Self(0);
    /// One in the byte of every place.
    const ONES: u64 = 0x0101_0101_0101;
    /// The highest bit in the byte of every place.
    const HIGHEST: u64 = Self::ONES << 7;
    /// One in the count.
    const PASSED_ONE: u64 = 1 << 56;
    /// A full count stays full, because it no longer knows how many to take back. Searches for
    /// what is not there then look further than they must, once in an unimaginable while.
    const PASSED_FULL: u64 = 0xff << 56;

    /// The places whose tag is that of `hash`, and rarely another one.
    #[inline]
    fn candidates(self, hash: KeyHash) -> impl Iterator<Item = usize> {
        let differing = self.0 ^ (Self::tag(hash) * Self::ONES);
        // The borrow out of an equal byte can make the next one look equal too; keys are compared.
        places(differing.wrapping_sub(Self::ONES) & !differing & Self::HIGHEST)
    }

    /// The places in use.
    fn used(self) -> impl Iterator<Item = usize> {
        places(self.0 & Self::HIGHEST)
    }

    /// The first place not in use.
    #[inline]
    fn vacant(self) -> Option<usize> {
        places(!self.0 & Self::HIGHEST).next()
    }

    #[inline]
    fn set(&mut self, place: usize, hash: KeyHash) {
        self.0 |= Self::tag(hash) << (place * 8);
    }

    #[inline]
    fn clear(&mut self, place: usize) {
        self.0 &= !(0xff << (place * 8));
    }

    /// Whether an entry went on from here, so that a search must.
    const fn was_passed(self) -> bool {
        self.0 >= Self::PASSED_ONE
    }

    const fn count_passed(&mut self) {
        if self.0 < Self::PASSED_FULL {
            self.0 += Self::PASSED_ONE;
        }
    }

    const fn forget_passed(&mut self) {
        assert!(self.was_passed(), "who went on was counted");
        if self.0 < Self::PASSED_FULL {
            self.0 -= Self::PASSED_ONE;
        }
    }

    const fn tag(hash: KeyHash) -> u64 {
        // From the other end than the bits of the home group.
        (hash.0 >> 25) as u64 | 0x80
    }
}

/// The bytes of `marks` whose highest bit is set.
#[inline]
fn places(mut marks: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if marks == 0 {
            return None;
        }
        let place = marks.trailing_zeros() as usize / 8;
        marks &= marks - 1;
        Some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tags, and most keys at home in one of four groups, so that groups overflow into each
    /// other and around the end.
    fn crowded(key: u32) -> KeyHash {
        KeyHash(key << 31 | if key < 12 { key % 4 } else { 3 })
    }

    #[test]
    fn every_key_stays_reachable_in_a_crowd() {
        let mut index = SlotIndex::<()>::with_capacity(4 * LOAD_MAX);
        assert_eq!(index.groups.len(), 4);
        let mut present = [false; 4 * LOAD_MAX];
        let mut state = 1_u32;
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (state >> 16) % present.len() as u32;
            let slot = Slot::new(key);
            if present[key as usize] {
                let removed = index.remove(crowded(key), |other| other == slot);
                assert_eq!(removed, Some(slot));
            } else {
                index.insert(crowded(key), slot, |slot| crowded(slot.get()));
            }
            present[key as usize] ^= true;
            for key in 0..present.len() as u32 {
                let found = index.find(crowded(key), |slot| slot.get() == key);
                assert_eq!(found.is_some(), present[key as usize]);
            }
        }
        assert_eq!(index.groups.len(), 4);
        assert_eq!(index.len(), present.iter().filter(|is| **is).count());
        for key in (0..present.len() as u32).filter(|key| present[*key as usize]) {
            index.remove(crowded(key), |slot| slot.get() == key);
        }
        let is_untouched = |group: &Group<()>| group.tags.0 == 0;
        assert!(index.groups.iter().all(is_untouched), "nothing stays");
    }

    #[test]
    fn growth_keeps_every_key() {
        let hashing = Hashing::new(7);
        let hash = |key: u32| hashing.order(OrderId::new(u64::from(key) << 16));
        let mut index = SlotIndex::<()>::with_capacity(0);
        for key in 0..10_000 {
            index.insert(hash(key), Slot::new(key), |slot| hash(slot.get()));
        }
        for key in 0..20_000 {
            let found = index.find(hash(key), |slot| slot.get() == key);
            assert_eq!(found.is_some(), key < 10_000);
        }
    }

    #[test]
    fn keys_in_equal_steps_spread() {
        for seed in 0..20 {
            let hashing = Hashing::new(seed);
            let hash = |key: u32| hashing.order(OrderId::new(u64::from(key) << 16));
            let mut index = SlotIndex::<()>::with_capacity(LOAD_MAX << 11);
            for key in 0..(LOAD_MAX as u32) << 11 {
                index.insert(hash(key), Slot::new(key), |slot| hash(slot.get()));
            }
            let passed: u64 = index.groups.iter().map(|group| group.tags.0 >> 56).sum();
            // A fair hash at this load makes about one entry in ten go on.
            assert!(
                passed < 2_000,
                "seed {seed}: {passed} entries passed a group"
            );
        }
    }

    #[test]
    fn a_full_count_stays_and_harms_nobody() {
        let one_home = |_: Slot<()>| KeyHash(0);
        let mut index = SlotIndex::<()>::with_capacity(LOAD_MAX << 8);
        for key in 0..600 {
            index.insert(KeyHash(0), Slot::new(key), one_home);
        }
        for key in 0..600 {
            let removed = index.remove(KeyHash(0), |slot| slot.get() == key);
            assert_eq!(removed, Some(Slot::new(key)));
        }
        assert_eq!(index.find(KeyHash(0), |_| true), None);
        assert_eq!(index.groups[0].tags.0, Tags::PASSED_FULL);
        assert_eq!(index.groups[80].tags.0, 0);
    }

    #[test]
    fn a_search_ends_even_if_every_group_was_passed() {
        // The key's lowest bit is its home, the rest its number.
        let at_home = |slot: Slot<()>| KeyHash(slot.get() & 1);
        let mut index = SlotIndex::<()>::with_capacity(2 * LOAD_MAX);
        let [zero, one] = [0, 1].map(|home| move |number: u32| Slot::new(number << 1 | home));
        let insert = |index: &mut SlotIndex<()>, slot| index.insert(at_home(slot), slot, at_home);
        let remove = |index: &mut SlotIndex<()>, slot| {
            assert!(index.remove(at_home(slot), |other| other == slot).is_some());
        };
        (0..8).for_each(|number| insert(&mut index, zero(number)));
        (0..5).for_each(|number| remove(&mut index, zero(number)));
        (0..5).for_each(|number| insert(&mut index, one(number)));
        assert!(index.groups.len() == 2);
        assert!(index.groups.iter().all(|group| group.tags.was_passed()));
        for home in 0..2 {
            assert_eq!(index.find(KeyHash(home), |_| false), None);
        }
    }
}
