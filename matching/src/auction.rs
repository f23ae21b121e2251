//! Call auctions: orders are collected without meeting anybody, and then uncrossed at one price.
//!
//! A book that collects lets bids reach asks. The best price of the auction is found by pairing the
//! best bid with the best ask until they no longer reach each other: what was paired is the largest
//! volume that any price can trade, and the last pair bounds the prices that can. Which of those is
//! chosen is decided by who is left over there; `docs/ORDERS.md` has the rules, and
//! [`NaiveBook`](crate::NaiveBook) tries every price instead.
//!
//! Asking costs the levels that would trade, uncrossing the orders that do.

use std::cmp::Ordering;

use crate::Book;
use crate::meeting::Maker;
use crate::undo::Change;
use types::{BaseLots, Side, Ticks};

/// What an auction would come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indication {
    /// The price of all trades.
    pub price: Ticks,
    /// How many lots would trade.
    pub volume: u128,
    /// How many lots are left over at this price: of bids, or, negative, of asks.
    pub surplus: i128,
}

/// A bid and an ask traded in an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The bid after it, with its own price.
    pub bid: Maker,
    /// The ask after it, with its own price.
    pub ask: Maker,
    /// How much traded.
    pub quantity: BaseLots,
    /// By [`Side`]: whether this used up the shown part of an iceberg, and what it shows next stands
    /// at the end of its level.
    pub refreshed: [bool; 2],
}

impl Book {
    /// From here on orders come to rest without meeting anybody, until the book is uncrossed.
    pub fn collect(&mut self) {
        self.set_collecting(true);
    }

    /// Whether bids may reach asks.
    pub fn is_collecting(&self) -> bool {
        self.is_collecting
    }

    /// Whether bids do reach asks.
    pub fn is_crossed(&self) -> bool {
        self.best(Side::Bid)
            .is_some_and(|bid| self.crosses(Side::Bid, bid))
    }

    /// What an auction would come to; `None` if nothing would trade. `last` is the price of the last
    /// trade, which decides between prices that are equally good.
    pub fn indication(&self, last: Option<Ticks>) -> Option<Indication> {
        let paired = self.pair();
        let (lowest, highest) = paired.last?;
        let [bid, ask] = paired.left;
        let price = if bid == Some(highest) {
            // The last bid was not used up: bids are left over everywhere, here the fewest.
            highest
        } else if ask == Some(lowest) {
            lowest
        } else {
            // Both were used up, so between the next bid and the next ask nothing is left over.
            let above_bid = bid.map_or(lowest, |bid| next(bid).max(lowest));
            let below_ask = ask.map_or(highest, |ask| previous(ask).min(highest));
            if above_bid <= below_ask {
                nearest(last, above_bid, below_ask)
            } else {
                self.between_neighbors(&paired, last, (below_ask, above_bid))
            }
        };
        Some(self.indicate(price, paired.volume))
    }

    /// The next bid and the next ask are one tick apart: at either price somebody is left over.
    fn between_neighbors(
        &self,
        paired: &Paired,
        last: Option<Ticks>,
        (bid, ask): (Ticks, Ticks),
    ) -> Ticks {
        let surplus = |price| self.indicate(price, paired.volume).surplus.abs();
        match surplus(bid).cmp(&surplus(ask)) {
            Ordering::Less => bid,
            Ordering::Greater => ask,
            Ordering::Equal => {
                // As many are left over as far as the levels behind them.
                let (lowest, highest) = paired.last.expect("something was paired");
                let [bid, ask] = paired.behind;
                let lowest = bid.map_or(lowest, |bid| next(bid).max(lowest));
                let highest = ask.map_or(highest, |ask| previous(ask).min(highest));
                nearest(last, lowest, highest)
            }
        }
    }

    /// Lets the best bid and the best ask trade, as long as they reach each other, at most
    /// `crossings_max` times. `on_crossing` is told each. Returns how many. Once nobody reaches
    /// anybody the book no longer collects.
    pub fn uncross(&mut self, crossings_max: u32, mut on_crossing: impl FnMut(&Crossing)) -> u32 {
        let mut crossings = 0;
        while self.is_crossed() {
            if crossings == crossings_max {
                return crossings;
            }
            let shown = |side| {
                let ladder = self.ladder(side);
                let head = ladder.level(ladder.best_level()).queue.head();
                self.nodes[head].shown()
            };
            let quantity = shown(Side::Bid).min(shown(Side::Ask));
            let bid = self.fill_head(Side::Bid, quantity);
            let ask = self.fill_head(Side::Ask, quantity);
            assert!(bid.quantity == quantity && ask.quantity == quantity);
            on_crossing(&Crossing {
                bid: bid.maker,
                ask: ask.maker,
                quantity,
                refreshed: [bid.refreshed, ask.refreshed],
            });
            crossings += 1;
        }
        self.set_collecting(false);
        crossings
    }

    fn set_collecting(&mut self, is_collecting: bool) {
        self.undo.note(Change::Collecting(self.is_collecting));
        self.is_collecting = is_collecting;
    }

    /// Pairs levels, best with best, without changing them.
    fn pair(&self) -> Paired {
        let mut sides = Side::BOTH.map(|side| {
            let ladder = self.ladder(side);
            let lots = |slot| ladder.level(slot).shown + ladder.hidden(slot);
            ladder
                .levels()
                .map(move |slot| (ladder.price(slot), lots(slot)))
        });
        let mut left = sides.each_mut().map(Iterator::next);
        let mut volume = 0;
        let mut last = None;
        while let [Some((bid, bids)), Some((ask, asks))] = left
            && ask <= bid
        {
            let lots = bids.min(asks);
            volume += lots;
            last = Some((ask, bid));
            for (level, side) in left.iter_mut().zip(&mut sides) {
                *level = match *level {
                    Some((price, more)) if lots < more => Some((price, more - lots)),
                    _ => side.next(),
                };
            }
        }
        Paired {
            volume,
            last,
            left: left.map(|level| level.map(|(price, _)| price)),
            behind: sides.map(|mut side| side.next().map(|(price, _)| price)),
        }
    }

    /// Who is left over at a price at which `volume` trades.
    fn indicate(&self, price: Ticks, volume: u128) -> Indication {
        let within = |side: Side| {
            let ladder = self.ladder(side);
            let levels = ladder.levels_within(ladder.key(price));
            let lots = levels.map(|slot| ladder.level(slot).shown + ladder.hidden(slot));
            lots.sum::<u128>()
        };
        let [bids, asks] = Side::BOTH.map(within);
        assert_eq!(bids.min(asks), volume, "the volume is that of the price");
        let signed = |lots: u128| i128::try_from(lots).expect("a book holds fewer lots");
        Indication {
            price,
            volume,
            surplus: signed(bids) - signed(asks),
        }
    }
}

/// What pairing found.
struct Paired {
    volume: u128,
    /// The last prices that were paired: of the ask, and of the bid, which is no lower.
    last: Option<(Ticks, Ticks)>,
    /// By side: the best price that is not used up.
    left: [Option<Ticks>; 2],
    /// By side: the price behind that.
    behind: [Option<Ticks>; 2],
}

/// The price between both that is nearest to the last trade; without one the middle, rounded down.
fn nearest(last: Option<Ticks>, lowest: Ticks, highest: Ticks) -> Ticks {
    match last {
        Some(last) => last.clamp(lowest, highest),
        None => Ticks::new(u64::midpoint(lowest.get(), highest.get())),
    }
}

const fn next(price: Ticks) -> Ticks {
    Ticks::new(price.get() + 1)
}

const fn previous(price: Ticks) -> Ticks {
    Ticks::new(price.get() - 1)
}
