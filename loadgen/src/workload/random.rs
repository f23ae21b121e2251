//! The generator's dice: xoshiro256++ seeded through SplitMix64.
//!
//! Our own, so that a seed means the same commands for as long as this file does not change,
//! whatever a dependency does. Not for secrets.

/// A stream of pseudo-random numbers. The same seed and stream number give the same numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The `stream`-th independent stream of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        // The stream is mixed before it meets the seed: neighbouring seeds and neighbouring
        // streams must not meet in one state.
        let mut mixer = SplitMix(seed ^ SplitMix(stream).next());
        Self {
            state: std::array::from_fn(|_| mixer.next()),
        }
    }

    /// The next 64 bits.
    pub(crate) const fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let c = c ^ a;
        let d = d ^ b;
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number in `0..bound`. The bias of at most `bound / 2^64` is below anything measurable.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> u64::BITS) as u64
    }
}

struct SplitMix(u64);

impl SplitMix {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithms_are_the_published_ones() {
        let mut mixer = SplitMix(1_234_567);
        let mixed: Vec<u64> = (0..3).map(|_| mixer.next()).collect();
        assert_eq!(
            mixed,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
        let mut random = Random {
            state: [1, 2, 3, 4],
        };
        let numbers: Vec<u64> = (0..4).map(|_| random.next()).collect();
        assert_eq!(
            numbers,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386
            ]
        );
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| Random::new(seed, stream).next();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(0, 1), first(1, 1));
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut random = Random::new(7, 0);
        let mut seen = [false; 5];
        for _ in 0..1_000 {
            seen[random.below(5) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
