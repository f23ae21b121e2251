//! Where in a list the entry of a location stands: a small hash table that is emptied by counting.

/// From 32-bit keys to 32-bit places. Emptying it costs nothing.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    /// The slots of this generation are in use.
    generation: u32,
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    generation: u32,
    key: u32,
    place: u32,
}

/// Slots at the start; a power of two.
const SLOTS_MIN: usize = 256;

impl Default for Table {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS_MIN],
            generation: 1,
            len: 0,
        }
    }
}

impl Table {
    /// Forgets all keys.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.generation = 1;
        }
    }

    /// The place of a key.
    #[inline]
    pub(crate) fn get(&self, key: u32) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = home(key) & mask;
        loop {
            let slot = self.slots[at];
            if slot.generation != self.generation {
                return None;
            }
            if slot.key == key {
                return Some(slot.place);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a key that is not there.
    pub(crate) fn insert(&mut self, key: u32, place: u32) {
        if self.slots.len() <= 2 * self.len {
            self.grow();
        }
        self.put(Slot {
            generation: self.generation,
            key,
            place,
        });
        self.len += 1;
    }

    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = home(slot.key) & mask;
        while self.slots[at].generation == self.generation {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    #[cold]
    fn grow(&mut self) {
        let double = vec![Slot::default(); 2 * self.slots.len()];
        let old = std::mem::replace(&mut self.slots, double);
        for slot in old {
            if slot.generation == self.generation {
                self.put(slot);
            }
        }
    }
}

/// Where the search for a key begins: Fibonacci hashing, its upper bits.
#[inline]
const fn home(key: u32) -> usize {
    ((key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_until_it_is_cleared() {
        let mut table = Table::default();
        for round in 0..3 {
            for key in 0..2_000 {
                assert_eq!(table.get(key * 7), None);
                table.insert(key * 7, key + round);
            }
            for key in 0..2_000 {
                assert_eq!(table.get(key * 7), Some(key + round));
                assert_eq!(table.get(key * 7 + 1), None);
            }
            table.clear();
        }
    }

    #[test]
    fn old_generations_never_come_back() {
        let mut table = Table::default();
        table.insert(5, 1);
        table.generation = u32::MAX;
        table.insert(6, 2);
        table.clear();
        assert_eq!((table.get(5), table.get(6)), (None, None));
    }
}
