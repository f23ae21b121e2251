//! Candles of one market: open, high, low, close and volume of each interval.

use std::collections::VecDeque;

use types::{BaseLots, Ticks};

use super::push_bounded;

/// The intervals, and their length in milliseconds.
pub(crate) const INTERVALS: [(&str, u64); 13] = [
    ("1m", 60_000),
    ("3m", 180_000),
    ("5m", 300_000),
    ("15m", 900_000),
    ("30m", 1_800_000),
    ("1h", 3_600_000),
    ("2h", 7_200_000),
    ("4h", 14_400_000),
    ("8h", 28_800_000),
    ("12h", 43_200_000),
    ("1d", 86_400_000),
    ("3d", 259_200_000),
    ("1w", 604_800_000),
];

/// Candles that are kept of each interval.
const CANDLES_MAX: usize = 1_500;

/// One candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// When it begins, in milliseconds since the Unix epoch.
    pub start: u64,
    /// First price.
    pub open: Ticks,
    /// Highest price.
    pub high: Ticks,
    /// Lowest price.
    pub low: Ticks,
    /// Last price.
    pub close: Ticks,
    /// What was traded.
    pub lots: u128,
    /// Prices times sizes.
    pub tick_lots: u128,
    /// How many trades.
    pub trades: u64,
}

/// The candles of one market.
#[derive(Debug)]
pub(crate) struct Candles([VecDeque<Candle>; INTERVALS.len()]);

impl Default for Candles {
    fn default() -> Self {
        Self(std::array::from_fn(|_| VecDeque::new()))
    }
}

impl Candles {
    pub(super) fn trade(&mut self, time: u64, price: Ticks, lots: BaseLots) {
        self.add(&Candle {
            start: time,
            open: price,
            high: price,
            low: price,
            close: price,
            lots: lots.get().into(),
            tick_lots: u128::from(price.get()) * u128::from(lots.get()),
            trades: 1,
        });
    }

    /// Adds what was traded within a minute, or less of it.
    pub(super) fn add(&mut self, part: &Candle) {
        for ((_, length), candles) in INTERVALS.iter().zip(&mut self.0) {
            let start = part.start - part.start % length;
            match candles.back_mut() {
                // Logged time never runs backwards, so it belongs to the last.
                Some(last) if start <= last.start => {
                    last.high = last.high.max(part.high);
                    last.low = last.low.min(part.low);
                    last.close = part.close;
                    last.lots += part.lots;
                    last.tick_lots += part.tick_lots;
                    last.trades += part.trades;
                }
                _ => push_bounded(candles, Candle { start, ..*part }, CANDLES_MAX),
            }
        }
    }

    /// The candles of an interval, oldest first.
    pub(crate) fn of(&self, interval: usize) -> &VecDeque<Candle> {
        &self.0[interval]
    }
}

/// The position of an interval in [`INTERVALS`].
pub(crate) fn interval(name: &str) -> Option<usize> {
    INTERVALS.iter().position(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_make_candles() {
        let mut candles = Candles::default();
        for (time, price, lots) in [(0, 5, 1), (59_999, 9, 2), (60_000, 3, 3), (180_000, 4, 4)] {
            candles.trade(time, Ticks::new(price), BaseLots::new(lots));
        }
        let shapes = |interval: &str| -> Vec<_> {
            let candles = candles.of(super::interval(interval).unwrap()).iter();
            let prices = |it: &Candle| [it.open, it.high, it.low, it.close].map(Ticks::get);
            candles
                .map(|it| (it.start, prices(it), it.lots, it.tick_lots, it.trades))
                .collect()
        };
        assert_eq!(
            shapes("1m"),
            [
                (0, [5, 9, 5, 9], 3, 23, 2),
                (60_000, [3, 3, 3, 3], 3, 9, 1),
                (180_000, [4, 4, 4, 4], 4, 16, 1)
            ]
        );
        assert_eq!(
            shapes("3m"),
            [
                (0, [5, 9, 3, 3], 6, 32, 3),
                (180_000, [4, 4, 4, 4], 4, 16, 1)
            ]
        );
        assert_eq!(shapes("1d"), [(0, [5, 9, 3, 4], 10, 48, 4)]);
        // Minutes make the same ones, and a trade goes on from there.
        let minutes = candles.of(interval("1m").unwrap());
        let mut of_minutes = Candles::default();
        minutes.iter().for_each(|minute| of_minutes.add(minute));
        for _ in 0..2 {
            for (index, (name, _)) in INTERVALS.iter().enumerate() {
                assert_eq!(of_minutes.of(index), candles.of(index), "{name}");
            }
            candles.trade(180_001, Ticks::new(7), BaseLots::new(5));
            of_minutes.trade(180_001, Ticks::new(7), BaseLots::new(5));
        }
    }
}
