//! Which market a command goes to.

use types::MarketId;

use super::random::Random;

/// How commands spread over markets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Every market alike.
    #[default]
    Uniform,
    /// The k-th market gets 1/k of what the first one gets.
    Zipf,
    /// Everything into the first market.
    Hot,
}

impl Spread {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Uniform, Self::Zipf, Self::Hot];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
            Self::Hot => "hot",
        }
    }

    /// How many of `markets` markets get commands.
    pub(crate) const fn markets_used(self, markets: usize) -> usize {
        match self {
            Self::Uniform | Self::Zipf => markets,
            Self::Hot => 1,
        }
    }

    /// The weight of each used market.
    fn weights(self, markets: usize) -> Vec<u64> {
        let weight = |rank: u64| match self {
            Self::Uniform | Self::Hot => ZIPF_WEIGHT,
            Self::Zipf => ZIPF_WEIGHT / rank,
        };
        (1..).take(self.markets_used(markets)).map(weight).collect()
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Weight of the first market; so large that dividing it by a rank loses nothing that shows.
const ZIPF_WEIGHT: u64 = 1 << 32;

/// Draws markets by weight in constant time (Vose's alias method, in integers): a column is
/// drawn evenly, and then either the column's own market or its alias.
#[derive(Clone, Debug)]
pub(crate) struct MarketPicker {
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    own: MarketId,
    alias: MarketId,
    /// Share of the column that is its own market's, of 2^32.
    own_share: u64,
}

impl MarketPicker {
    /// For the first markets of a network with `markets` of them, which must not be zero.
    pub(crate) fn new(spread: Spread, markets: usize) -> Self {
        let weights = spread.weights(markets);
        assert!(!weights.is_empty(), "there is a market to pick");
        let count = weights.len() as u64;
        let total: u64 = weights.iter().sum();
        // Scaled by the number of columns, a weight of `total` fills exactly one column.
        let mut left: Vec<u64> = weights.iter().map(|weight| weight * count).collect();
        let mut columns: Vec<Column> = (0..)
            .map(MarketId::new)
            .take(weights.len())
            .map(|own| Column {
                own,
                alias: own,
                own_share: SHARE_ONE,
            })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&index| left[index] < total);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor].own_share = share(left[poor], total);
            columns[poor].alias = columns[rich].own;
            left[rich] -= total - left[poor];
            if left[rich] < total {
                large.pop();
                small.push(rich);
            }
        }
        Self { columns }
    }

    /// The next market.
    pub(crate) fn pick(&self, random: &mut Random) -> MarketId {
        // With one market there is nothing to draw.
        let [first, _, ..] = self.columns[..] else {
            return self.columns[0].own;
        };
        debug_assert_eq!(first.own, MarketId::new(0));
        let column = self.columns[random.below(self.columns.len() as u64) as usize];
        if random.next() >> 32 < column.own_share {
            column.own
        } else {
            column.alias
        }
    }
}

const SHARE_ONE: u64 = 1 << 32;

fn share(part: u64, total: u64) -> u64 {
    let share = u128::from(part) * u128::from(SHARE_ONE) / u128::from(total);
    u64::try_from(share).expect("a part is at most the total")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 400_000;

    fn shares(spread: Spread, markets: usize) -> Vec<f64> {
        let picker = MarketPicker::new(spread, markets);
        let mut random = Random::new(11, 0);
        let mut counts = vec![0usize; markets];
        for _ in 0..DRAWS {
            counts[picker.pick(&mut random).index()] += 1;
        }
        let share = |count: usize| count as f64 / DRAWS as f64;
        counts.into_iter().map(share).collect()
    }

    #[test]
    fn markets_get_their_shares() {
        let harmonic: f64 = (1..=10).map(|rank| 1.0 / f64::from(rank)).sum();
        let zipf: Vec<f64> = (1..=10)
            .map(|rank| 1.0 / f64::from(rank) / harmonic)
            .collect();
        let mut hot = vec![0.0; 10];
        hot[0] = 1.0;
        for (spread, expected) in [
            (Spread::Uniform, vec![0.1; 10]),
            (Spread::Zipf, zipf),
            (Spread::Hot, hot),
        ] {
            for (share, expected) in shares(spread, 10).into_iter().zip(expected) {
                assert!(
                    (share - expected).abs() < 0.004,
                    "{spread}: {share} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn one_market_is_enough() {
        for spread in Spread::ALL {
            assert_eq!(shares(spread, 1), [1.0], "{spread}");
        }
    }
}
