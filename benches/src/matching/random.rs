//! Draws of the generator. Integers only, and floats only where IEEE prescribes every bit, so that
//! a seed gives the same stream on every machine.

/// SplitMix64: a counter, mixed.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The same draws for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let once = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let twice = (once ^ once >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        twice ^ twice >> 31
    }

    /// From 0 to below `end`.
    pub const fn below(&mut self, end: u32) -> u32 {
        ((self.next() as u128 * end as u128) >> 64) as u32
    }

    /// One of a slice that is not empty.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }
}

/// Distances with a tail: P(distance >= d) = (1 + d / scale) ^ -0.7, all beyond a cap at the cap.
#[derive(Debug)]
pub(super) struct Pareto {
    /// By distance from 1: what share of 2^64 is at least that far.
    tail: Vec<u64>,
}

impl Pareto {
    pub(super) fn new(scale: u32, cap: u32) -> Self {
        let share = |distance: u32| {
            let base = 1.0 + f64::from(distance) / f64::from(scale);
            let seventh_power = base * base * base * base * base * base * base;
            (TWO_TO_64 / tenth_root(seventh_power)) as u64
        };
        Self {
            tail: (1..=cap).map(share).collect(),
        }
    }

    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        let draw = random.next();
        self.tail.partition_point(|&share| draw < share) as u32
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// By bisection: `powf` may differ between libraries, products may not.
fn tenth_root(number: f64) -> f64 {
    let (mut low, mut high) = (1.0, number);
    for _ in 0..128 {
        let middle: f64 = (low + high) / 2.0;
        let square = middle * middle;
        let fifth_power = square * square * middle;
        if fifth_power * fifth_power <= number {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Ranks from zero, each with a weight of one over the rank counted from one.
#[derive(Debug)]
pub(super) struct Zipf {
    weights_up_to: Vec<u32>,
}

impl Zipf {
    pub(super) fn new(ranks: u16) -> Self {
        let mut sum = 0;
        let weights_up_to = (1..=u32::from(ranks))
            .map(|rank| {
                sum += ZIPF_SCALE / rank;
                sum
            })
            .collect();
        Self { weights_up_to }
    }

    pub(super) fn draw(&self, random: &mut Random) -> u16 {
        let draw = random.below(self.sum());
        let rank = self.weights_up_to.partition_point(|&sum| sum <= draw);
        rank as u16
    }

    /// The share of `total` that belongs to a rank, at least one.
    pub(super) fn share(&self, rank: u16, total: u32) -> u32 {
        let weight = u64::from(ZIPF_SCALE / (u32::from(rank) + 1));
        let share = u64::from(total) * weight / u64::from(self.sum());
        share.max(1) as u32
    }

    fn sum(&self) -> u32 {
        *self.weights_up_to.last().expect("there is a symbol")
    }
}

/// So fine that a hundred ranks are exact to five digits.
const ZIPF_SCALE: u32 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_the_tail_they_should() {
        let pareto = Pareto::new(4, 1_000);
        let mut random = Random::new(1);
        let draws: Vec<u32> = (0..100_000).map(|_| pareto.draw(&mut random)).collect();
        for distance in [1, 4, 30, 300, 1_000] {
            let found = draws.iter().filter(|&&draw| draw >= distance).count();
            let expected = (1.0 + f64::from(distance) / 4.0).powf(-0.7) * 100_000.0;
            assert!(
                (found as f64 - expected).abs() < 600.0,
                "{distance}: {found} of {expected}"
            );
        }
        assert_eq!(draws.iter().max(), Some(&1_000));
    }

    #[test]
    fn ranks_have_the_weights_they_should() {
        let zipf = Zipf::new(100);
        let mut random = Random::new(2);
        let mut counts = [0_u32; 100];
        for _ in 0..100_000 {
            counts[usize::from(zipf.draw(&mut random))] += 1;
        }
        for rank in [0, 1, 9, 99] {
            let expected = zipf.share(rank, 100_000);
            let found = counts[usize::from(rank)];
            assert!(
                found.abs_diff(expected) < 30 + expected / 20,
                "{rank}: {found}"
            );
        }
        assert_eq!(zipf.share(0, 100_000), 19_277);
    }
}
