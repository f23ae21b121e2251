//! From order id to slot: open addressing, linear probes, at most half full, entries moved back on
//! removal so that no tombstones pile up.

/// An id that no order has.
const VACANT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    slot: u32,
}

/// The slots of orders by id.
#[derive(Debug)]
pub(super) struct IdTable {
    entries: Vec<Entry>,
    len: u32,
    /// What leaves the upper bits of a hash that number the entries.
    shift: u32,
}

impl IdTable {
    pub(super) fn with_capacity(orders: u32) -> Self {
        let bits = (orders.max(8) * 2).next_power_of_two().trailing_zeros();
        let vacant = Entry {
            id: VACANT,
            slot: 0,
        };
        Self {
            entries: vec![vacant; 1 << bits],
            len: 0,
            shift: u32::BITS - bits,
        }
    }

    #[inline]
    pub(super) fn find(&self, id: u32) -> Option<u32> {
        let at = self.position(id)?;
        Some(self.entries[at].slot)
    }

    #[inline]
    pub(super) fn insert(&mut self, id: u32, slot: u32) {
        assert!(
            (self.len as usize) < self.entries.len() / 2,
            "the room that was asked for does"
        );
        let mut at = self.home(id);
        while self.entries[at].id != VACANT {
            at = self.after(at);
        }
        self.entries[at] = Entry { id, slot };
        self.len += 1;
    }

    #[inline]
    pub(super) fn remove(&mut self, id: u32) -> Option<u32> {
        let mut gap = self.position(id)?;
        let removed = self.entries[gap].slot;
        let mut at = self.after(gap);
        while self.entries[at].id != VACANT {
            // Whoever is at least as far from home as from the gap may move into it.
            let from_home = at.wrapping_sub(self.home(self.entries[at].id)) & self.mask();
            let from_gap = at.wrapping_sub(gap) & self.mask();
            if from_gap <= from_home {
                self.entries[gap] = self.entries[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.entries[gap].id = VACANT;
        self.len -= 1;
        Some(removed)
    }

    fn position(&self, id: u32) -> Option<usize> {
        let mut at = self.home(id);
        loop {
            let entry = self.entries[at];
            if entry.id == id {
                return Some(at);
            }
            if entry.id == VACANT {
                return None;
            }
            at = self.after(at);
        }
    }

    const fn home(&self, id: u32) -> usize {
        (id.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    const fn after(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }

    const fn mask(&self) -> usize {
        self.entries.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::random::Random;
    use super::*;

    #[test]
    fn the_table_says_what_a_map_says() {
        let mut random = Random::new(3);
        let mut table = IdTable::with_capacity(200);
        let mut map = BTreeMap::new();
        for step in 0..100_000 {
            let id = random.below(400);
            if map.contains_key(&id) {
                if random.below(3) > 0 {
                    assert_eq!(table.remove(id), map.remove(&id));
                }
            } else if map.len() < 200 {
                table.insert(id, step);
                map.insert(id, step);
            }
            let other = random.below(400);
            assert_eq!(table.find(other), map.get(&other).copied(), "step {step}");
        }
    }
}
