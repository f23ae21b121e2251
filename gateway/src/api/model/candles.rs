//! Candles of one market: open, high, low, close and volume of each interval.

use std::collections::VecDeque;

use types::{BaseLots, Ticks};

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
pub(crate) struct Candle {
    /// When it begins, in milliseconds since the Unix epoch.
    pub(crate) start: u64,
    pub(crate) open: Ticks,
    pub(crate) high: Ticks,
    pub(crate) low: Ticks,
    pub(crate) close: Ticks,
    pub(crate) lots: u128,
    /// Prices times sizes.
    pub(crate) tick_lots: u128,
    pub(crate) trades: u64,
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
        for ((_, length), candles) in INTERVALS.iter().zip(&mut self.0) {
            let start = time - time % length;
            if candles.back().is_none_or(|last| last.start < start) {
                if candles.len() == CANDLES_MAX {
                    candles.pop_front();
                }
                candles.push_back(Candle {
                    start,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    lots: 0,
                    tick_lots: 0,
                    trades: 0,
                });
            }
            // Logged time never runs backwards, so it belongs to the last.
            let candle = candles.back_mut().expect("one was pushed");
            candle.high = candle.high.max(price);
            candle.low = candle.low.min(price);
            candle.close = price;
            candle.lots += u128::from(lots.get());
            candle.tick_lots += u128::from(price.get()) * u128::from(lots.get());
            candle.trades += 1;
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
    }
}
