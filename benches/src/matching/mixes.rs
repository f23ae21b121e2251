//! What is drawn next. Rules and shares are those of the research that other engines were measured
//! with, so that its figures may stand beside ours.
//!
//! **`tx`**: 47.7 % passive limit, 42.3 % cancel, 10 % immediate. The mid of a book walks one tick
//! per 64 of its operations and is drawn back to the center. A passive order lies a Pareto distance
//! from the mid and never crosses; a taker's limit is up to five ticks beyond the best price; half of
//! the cancels hit any order and half one of the newest 256.
//!
//! **`xc`**: 9.1 % limit, 3 % immediate at any price, 5.9 % cancel, 82 % move. A limit order lies
//! around the last trade, bids below and asks above: four uniform draws summed, over a width that is
//! itself drawn, small ones more often. A move goes one hundredth of the distance to the last
//! trade, at least one tick.
//!
//! In both, whether an order comes or goes depends on how full its book is; that holds the book at
//! its size, and the shares follow.

use super::draft::{Draft, Entry};
use super::plan::{CENTER, Plan, TICKS};
use super::random::{Pareto, Random, Zipf};
use types::Side;

/// Parts of all shares.
const PARTS: u32 = 1_000;

/// The mix `tx`.
#[derive(Debug)]
pub(super) struct Typical<'a> {
    targets: &'a [u32],
    zipf: &'a Zipf,
    ops: u32,
    distances: Pareto,
    random: Random,
    mids: Vec<Mid>,
}

#[derive(Clone, Copy, Debug)]
struct Mid {
    price: u32,
    ops: u32,
}

impl<'a> Typical<'a> {
    pub(super) fn new(plan: &Plan, zipf: &'a Zipf, targets: &'a [u32]) -> Self {
        let mid = Mid {
            price: CENTER,
            ops: 0,
        };
        Self {
            targets,
            zipf,
            ops: plan.ops,
            distances: Pareto::new(DISTANCE_SCALE, plan.reach),
            random: Random::new(plan.seed),
            mids: vec![mid; targets.len()],
        }
    }

    pub(super) fn run(mut self, draft: &mut Draft) {
        for symbol in 0..self.targets.len() {
            for _ in 0..self.targets[symbol] {
                self.walk(symbol);
                self.passive(draft, symbol as u16);
            }
        }
        draft.start();
        for _ in 0..self.ops {
            let symbol = self.zipf.draw(&mut self.random);
            self.walk(usize::from(symbol));
            self.step(draft, symbol);
        }
    }

    fn step(&mut self, draft: &mut Draft, symbol: u16) {
        if self.random.below(PARTS) < 100 {
            let side = side(&mut self.random);
            match draft.best(symbol, side.opposite()) {
                Some(best) => self.taker(draft, symbol, side, best),
                None => self.passive(draft, symbol),
            }
            return;
        }
        let (resting, target) = (draft.resting(symbol), self.targets[usize::from(symbol)]);
        // 530 of a thousand: 47.7 of the 90 % that are no takers.
        if comes(&mut self.random, resting.len(), target, 530) {
            self.passive(draft, symbol);
        } else {
            let id = self.cancelled(draft, symbol);
            draft.cancel(id);
        }
    }

    fn passive(&mut self, draft: &mut Draft, symbol: u16) {
        let mid = self.mids[usize::from(symbol)].price;
        let side = side(&mut self.random);
        let distance = 1 + self.distances.draw(&mut self.random);
        let opposite = draft.best(symbol, side.opposite());
        let price = match side {
            Side::Bid => (mid - distance).min(opposite.map_or(TICKS, |best| best - 1)),
            Side::Ask => (mid + distance).max(opposite.map_or(0, |best| best + 1)),
        };
        draft.place(Entry {
            symbol,
            side,
            price,
            quantity: 1 + self.random.below(MAKER_LOTS_MAX),
        });
    }

    fn taker(&mut self, draft: &mut Draft, symbol: u16, side: Side, best: u32) {
        let beyond = self.random.below(TAKER_TICKS_MAX + 1);
        let price = match side {
            Side::Bid => best + beyond,
            Side::Ask => best - beyond,
        };
        draft.immediate(Entry {
            symbol,
            side,
            price,
            quantity: 1 + self.random.below(TAKER_LOTS_MAX),
        });
    }

    fn cancelled(&mut self, draft: &Draft, symbol: u16) -> u32 {
        if self.random.below(2) == 0 {
            for _ in 0..NEWEST_TRIES {
                let id = self.random.one_of(draft.newest(symbol));
                if draft.rests(id) {
                    return id;
                }
            }
        }
        self.random.one_of(draft.resting(symbol))
    }

    /// Steps away from the center are the rarer the further it is.
    fn walk(&mut self, symbol: usize) {
        let mid = &mut self.mids[symbol];
        mid.ops += 1;
        if mid.ops.is_multiple_of(OPS_PER_STEP) {
            let up = (CENTER + WALK_RANGE).saturating_sub(mid.price);
            if self.random.below(2 * WALK_RANGE) < up {
                mid.price += 1;
            } else {
                mid.price -= 1;
            }
        }
    }
}

const DISTANCE_SCALE: u32 = 4;
const MAKER_LOTS_MAX: u32 = 100;
const TAKER_LOTS_MAX: u32 = 50;
const TAKER_TICKS_MAX: u32 = 5;
const OPS_PER_STEP: u32 = 64;
const WALK_RANGE: u32 = 2_000;
const NEWEST_TRIES: u32 = 8;

/// The mix `xc`.
#[derive(Debug)]
pub(super) struct Moves<'a> {
    targets: &'a [u32],
    zipf: &'a Zipf,
    ops: u32,
    reach: u32,
    random: Random,
}

impl<'a> Moves<'a> {
    pub(super) fn new(plan: &Plan, zipf: &'a Zipf, targets: &'a [u32]) -> Self {
        Self {
            targets,
            zipf,
            ops: plan.ops,
            reach: plan.reach,
            random: Random::new(plan.seed),
        }
    }

    pub(super) fn run(mut self, draft: &mut Draft) {
        for symbol in 0..self.targets.len() {
            for _ in 0..self.targets[symbol] {
                self.limit(draft, symbol as u16);
            }
        }
        draft.start();
        for _ in 0..self.ops {
            let symbol = self.zipf.draw(&mut self.random);
            self.step(draft, symbol);
        }
    }

    fn step(&mut self, draft: &mut Draft, symbol: u16) {
        let resting = draft.resting(symbol);
        if resting.is_empty() {
            return self.limit(draft, symbol);
        }
        let any = self.random.one_of(resting);
        match self.random.below(PARTS) {
            0..820 => self.shift(draft, any),
            820..850 => self.taker(draft, symbol),
            // 607 of a thousand: 9.1 of the remaining 15 %.
            _ => {
                let target = self.targets[usize::from(symbol)];
                if comes(&mut self.random, resting.len(), target, 607) {
                    self.limit(draft, symbol);
                } else {
                    draft.cancel(any);
                }
            }
        }
    }

    fn limit(&mut self, draft: &mut Draft, symbol: u16) {
        let side = side(&mut self.random);
        let last = draft.last_trade(symbol);
        let distance = self.distance();
        draft.place(Entry {
            symbol,
            side,
            price: match side {
                Side::Bid => last.saturating_sub(distance).max(1),
                Side::Ask => (last + distance).min(TICKS - 1),
            },
            quantity: self.lots(),
        });
    }

    /// A draw from 0 to 1 squared makes the width; four draws over it, centered, the distance.
    fn distance(&mut self) -> u32 {
        let draw = u64::from(self.random.below(1 << 16));
        let width = 1 + ((draw * draw * u64::from(self.reach)) >> 32) as u32;
        let sum: u32 = (0..4).map(|_| self.random.below(width)).sum();
        (sum / 2).abs_diff(width)
    }

    fn shift(&mut self, draft: &mut Draft, id: u32) {
        let order = draft.order(id);
        let last = draft.last_trade(order.symbol);
        let step = order.price.abs_diff(last).div_ceil(100).max(1);
        let rises = if order.price == last {
            self.random.below(2) == 0
        } else {
            order.price < last
        };
        let price = if rises {
            (order.price + step).min(TICKS - 1)
        } else {
            order.price.saturating_sub(step).max(1)
        };
        draft.shift(id, price);
    }

    fn taker(&mut self, draft: &mut Draft, symbol: u16) {
        let side = side(&mut self.random);
        draft.immediate(Entry {
            symbol,
            side,
            price: match side {
                Side::Bid => TICKS - 1,
                Side::Ask => 1,
            },
            quantity: self.lots(),
        });
    }

    fn lots(&mut self) -> u32 {
        1 + self.random.below(6) * self.random.below(6) * self.random.below(6)
    }
}

fn side(random: &mut Random) -> Side {
    random.one_of(&Side::BOTH)
}

/// Whether an order comes rather than goes: `usual` parts of the time in a book that is as full as
/// it should be, more often in an emptier one. A deviation of a tenth decides nearly always.
fn comes(random: &mut Random, resting: usize, target: u32, usual: u32) -> bool {
    let missing = i64::from(target) - resting as i64;
    let pull = missing * 4 * i64::from(PARTS) / i64::from(target.max(20));
    let parts = (i64::from(usual) + pull).clamp(0, i64::from(PARTS));
    resting == 0 || i64::from(random.below(PARTS)) < parts
}
