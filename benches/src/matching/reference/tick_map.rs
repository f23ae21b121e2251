//! Which prices of a side are in use: a bitmap under a bitmap under a word, 64 ways each, so that
//! the lowest and the highest are three bit scans away.

/// Prices that three tiers of 64 ways tell apart.
const TICKS_MAX: u32 = 1 << 18;

/// A set of prices.
#[derive(Debug)]
pub(super) struct TickMap {
    top: u64,
    middle: [u64; 64],
    leaves: Vec<u64>,
}

impl TickMap {
    /// None of the prices below `ticks`.
    pub(super) fn new(ticks: u32) -> Self {
        assert!(ticks <= TICKS_MAX);
        Self {
            top: 0,
            middle: [0; 64],
            leaves: vec![0; ticks.div_ceil(64) as usize],
        }
    }

    pub(super) fn set(&mut self, price: u32) {
        let (middle, leaf) = (price as usize >> 12, price as usize >> 6);
        self.leaves[leaf] |= 1 << (price % 64);
        self.middle[middle % 64] |= 1 << (leaf % 64);
        self.top |= 1 << middle;
    }

    pub(super) fn clear(&mut self, price: u32) {
        let (middle, leaf) = (price as usize >> 12, price as usize >> 6);
        self.leaves[leaf] &= !(1 << (price % 64));
        if self.leaves[leaf] == 0 {
            self.middle[middle % 64] &= !(1 << (leaf % 64));
            if self.middle[middle % 64] == 0 {
                self.top &= !(1 << middle);
            }
        }
    }

    #[inline]
    pub(super) fn lowest(&self) -> Option<u32> {
        self.only_if_any(|word| word.trailing_zeros())
    }

    #[inline]
    pub(super) fn highest(&self) -> Option<u32> {
        self.only_if_any(|word| 63 - word.leading_zeros())
    }

    pub(super) fn count(&self) -> u32 {
        self.leaves.iter().map(|leaf| leaf.count_ones()).sum()
    }

    /// Goes down by the bit that `pick` takes of a word that is not zero.
    #[inline]
    fn only_if_any(&self, pick: impl Fn(u64) -> u32) -> Option<u32> {
        if self.top == 0 {
            return None;
        }
        let middle = pick(self.top);
        let leaf = middle << 6 | pick(self.middle[middle as usize % 64]);
        Some(leaf << 6 | pick(self.leaves[leaf as usize]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::random::Random;
    use super::*;

    #[test]
    fn the_map_says_what_a_set_says() {
        let mut random = Random::new(4);
        let mut map = TickMap::new(TICKS_MAX);
        let mut set = BTreeSet::new();
        for step in 0..50_000 {
            // Sparse and dense by turns.
            let end = if step % 2 == 0 { TICKS_MAX } else { 200 };
            let price = random.below(end);
            if set.len() < 300 && set.insert(price) {
                map.set(price);
            } else if set.len() >= 300 || random.below(2) == 0 {
                let gone = *set
                    .iter()
                    .nth(random.below(set.len() as u32) as usize)
                    .unwrap();
                set.remove(&gone);
                map.clear(gone);
            }
            assert_eq!(map.lowest(), set.first().copied(), "step {step}");
            assert_eq!(map.highest(), set.last().copied(), "step {step}");
            assert_eq!(map.count() as usize, set.len(), "step {step}");
        }
    }
}
