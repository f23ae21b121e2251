//! The workloads by name and size.

use super::draft::Draft;
use super::engine::Room;
use super::mixes::{Moves, Typical};
use super::random::Zipf;
use super::stream::Stream;
use crate::Size;

/// Of all streams. Another seed gives another stream of the same kind.
pub const SEED: u64 = 20_260_502;
/// Prices are below this.
pub const TICKS: u32 = 1 << 16;
/// Where prices gather.
pub const CENTER: u32 = TICKS / 2;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// `tx`: passive orders around a wandering mid, cancels, and takers of the best few ticks.
    Typical,
    /// `xc`: as the generator of exchange-core; four of five operations move an order.
    Moves,
}

/// One generated workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name in tables.
    pub name: &'static str,
    /// What is drawn.
    pub mix: Mix,
    /// How many books. Their shares of everything fall with the rank (Zipf, exponent one).
    pub symbols: u16,
    /// How many orders rest, over all books, give or take.
    pub resting: u32,
    /// How many operations are measured.
    pub ops: u32,
    /// How far from the mid (`Typical`) or from the last trade (`Moves`) an order comes in at most.
    pub reach: u32,
    /// Of all draws.
    pub seed: u64,
}

impl Plan {
    /// Every generated workload; the full size is two million operations, the quick one a tenth of
    /// the operations and of the large books.
    pub fn all(size: Size) -> [Self; 6] {
        let (ops, small, large) = match size {
            Size::Full => (2_000_000, 1_000, 100_000),
            Size::Quick => (200_000, 1_000, 10_000),
            Size::Smoke => (5_000, 200, 1_000),
        };
        let plan = |name, mix, symbols, resting, reach| Self {
            name,
            mix,
            symbols,
            resting,
            ops,
            reach,
            seed: SEED,
        };
        use Mix::{Moves, Typical};
        [
            plan("tx_1s_1k", Typical, 1, small, 1_000),
            plan("xc_1s_1k", Moves, 1, small, 2_400),
            plan("tx_1s_100k", Typical, 1, large, 8_000),
            plan("xc_1s_100k", Moves, 1, large, 11_000),
            plan("tx_100s_100k", Typical, 100, large, 1_000),
            plan("xc_100s_100k", Moves, 100, large, 2_400),
        ]
    }

    /// Draws the stream.
    pub fn stream(&self) -> Stream {
        let zipf = Zipf::new(self.symbols);
        let targets: Vec<u32> = (0..self.symbols)
            .map(|symbol| zipf.share(symbol, self.resting))
            .collect();
        let room = Room {
            ticks: TICKS,
            // Feedback holds the books near their targets; small ones swing more.
            orders: targets.iter().map(|target| target * 2 + 200).collect(),
        };
        let mut draft = Draft::new(&room, CENTER);
        match self.mix {
            Mix::Typical => Typical::new(self, &zipf, &targets).run(&mut draft),
            Mix::Moves => Moves::new(self, &zipf, &targets).run(&mut draft),
        }
        draft.finish(self.name)
    }
}
