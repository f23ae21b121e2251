//! One market's orders in sorted maps, and what a taker meets there, as a list of steps.
//!
//! [`Book::meet`] changes the book only, so that a fill-or-kill order can be tried on a clone.

use std::collections::BTreeMap;

use types::command::{Resting, SelfTrade};
use types::outcome::DoneReason;
use types::{AccountId, ClientOrderId, GroupId, OrderId, Side};

/// An order that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) account: AccountId,
    pub(crate) label: ClientOrderId,
    pub(crate) side: Side,
    pub(crate) price: u64,
    pub(crate) filled: u64,
    pub(crate) remaining: u64,
    pub(crate) shown: u64,
    pub(crate) resting: Resting,
    /// When it came to rest, as a count of arrivals.
    pub(crate) arrival: u64,
}

impl Order {
    pub(crate) fn is_over(&self, now: u64) -> bool {
        is_over(self.resting, now)
    }
}

/// Whether an expiry has come.
pub(crate) fn is_over(resting: Resting, now: u64) -> bool {
    let expires_at = resting.expires_at.get();
    expires_at != 0 && expires_at <= now
}

/// An order on its way through the book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taker {
    pub(crate) account: AccountId,
    pub(crate) side: Side,
    pub(crate) price: u64,
    pub(crate) remaining: u64,
    pub(crate) self_trade: SelfTrade,
}

/// One thing that a taker met. Makers are as they were before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Fill {
        maker: Order,
        quantity: u64,
        refreshed: bool,
    },
    MakerDone {
        maker: Order,
        reason: DoneReason,
    },
    MakerReduced {
        maker: Order,
        by: u64,
    },
    TakerDone {
        reason: DoneReason,
    },
}

/// Best first: the better price, then the earlier place.
type Rank = (u64, u64);

/// Both sides of a book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    sides: [BTreeMap<Rank, Order>; 2],
    /// Places given so far.
    places: u64,
}

impl Book {
    /// Puts an order at the end of its level.
    pub(crate) fn rest(&mut self, mut order: Order) {
        self.places += 1;
        order.arrival = self.places;
        order.shown = match order.resting.display.get() {
            0 => order.remaining,
            display => display.min(order.remaining),
        };
        let rank = (price_rank(order.side, order.price), self.places);
        self.sides[order.side as usize].insert(rank, order);
    }

    pub(crate) fn remove(&mut self, id: OrderId) -> Order {
        let (side, rank) = self.find(id).unwrap();
        self.sides[side as usize].remove(&rank).unwrap()
    }

    /// Takes size off an order in its place, what it hides first.
    pub(crate) fn reduce(&mut self, id: OrderId, by: u64) {
        let (side, rank) = self.find(id).unwrap();
        let order = self.sides[side as usize].get_mut(&rank).unwrap();
        reduce(order, by);
    }

    /// Leads a taker through the orders that it accepts; each fill, and each maker that ends or
    /// shrinks without one, costs one of `fills_left`.
    pub(crate) fn meet(
        &mut self,
        taker: &mut Taker,
        groups: &[GroupId],
        now: u64,
        fills_left: &mut u32,
    ) -> Vec<Step> {
        let group = |account: AccountId| groups[account.index()];
        let mut steps = Vec::new();
        while taker.remaining > 0 {
            let Some((rank, maker)) = self.next_for(taker.side, taker.price) else {
                break;
            };
            if *fills_left == 0 {
                end_taker(taker, DoneReason::FillLimit, &mut steps);
                break;
            }
            if maker.is_over(now) {
                *fills_left -= 1;
                self.remove(maker.id);
                let reason = DoneReason::Expired;
                steps.push(Step::MakerDone { maker, reason });
            } else if taker.self_trade == SelfTrade::Allow
                || group(maker.account) != group(taker.account)
            {
                *fills_left -= 1;
                steps.push(self.fill(taker, rank, maker));
            } else {
                self.prevent(taker, maker, fills_left, &mut steps);
            }
        }
        steps
    }

    fn fill(&mut self, taker: &mut Taker, rank: Rank, maker: Order) -> Step {
        let quantity = taker.remaining.min(maker.shown);
        taker.remaining -= quantity;
        let side = &mut self.sides[maker.side as usize];
        let order = side.get_mut(&rank).unwrap();
        order.filled += quantity;
        order.remaining -= quantity;
        order.shown -= quantity;
        let refreshed = order.shown == 0 && order.remaining > 0;
        if order.shown == 0 {
            let mut order = side.remove(&rank).unwrap();
            if refreshed {
                order.shown = order.resting.display.get().min(order.remaining);
                self.places += 1;
                side.insert((rank.0, self.places), order);
            }
        }
        Step::Fill {
            maker,
            quantity,
            refreshed,
        }
    }

    fn prevent(
        &mut self,
        taker: &mut Taker,
        maker: Order,
        fills_left: &mut u32,
        steps: &mut Vec<Step>,
    ) {
        let reason = DoneReason::SelfTrade;
        match taker.self_trade {
            SelfTrade::Allow => unreachable!("then they trade"),
            SelfTrade::CancelTaker => end_taker(taker, reason, steps),
            SelfTrade::CancelMaker | SelfTrade::CancelBoth => {
                *fills_left -= 1;
                self.remove(maker.id);
                steps.push(Step::MakerDone { maker, reason });
                if taker.self_trade == SelfTrade::CancelBoth {
                    end_taker(taker, reason, steps);
                }
            }
            SelfTrade::Decrement => {
                *fills_left -= 1;
                let by = taker.remaining.min(maker.remaining);
                if by == maker.remaining {
                    self.remove(maker.id);
                    steps.push(Step::MakerDone { maker, reason });
                } else {
                    self.reduce(maker.id, by);
                    steps.push(Step::MakerReduced { maker, by });
                }
                if by == taker.remaining {
                    end_taker(taker, reason, steps);
                } else {
                    taker.remaining -= by;
                }
            }
        }
    }

    fn find(&self, id: OrderId) -> Option<(Side, Rank)> {
        Side::BOTH.into_iter().find_map(|side| {
            let mut orders = self.sides[side as usize].iter();
            let (rank, _) = orders.find(|(_, order)| order.id == id)?;
            Some((side, *rank))
        })
    }

    /// What a taker meets first, if it accepts the price.
    fn next_for(&self, side: Side, price: u64) -> Option<(Rank, Order)> {
        let (rank, order) = self.sides[side.opposite() as usize].first_key_value()?;
        accepts(side, price, order.price).then_some((*rank, *order))
    }

    /// Best first.
    pub(crate) fn orders(&self, side: Side) -> impl Iterator<Item = &Order> {
        self.sides[side as usize].values()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Order> {
        Side::BOTH.into_iter().flat_map(|side| self.orders(side))
    }

    pub(crate) fn len(&self) -> usize {
        self.sides.iter().map(BTreeMap::len).sum()
    }

    pub(crate) fn best(&self, side: Side) -> Option<u64> {
        self.orders(side).next().map(|order| order.price)
    }

    pub(crate) fn would_take(&self, side: Side, price: u64) -> bool {
        self.next_for(side, price).is_some()
    }
}

/// Whether an order with this limit trades at `offered`.
pub(crate) fn accepts(side: Side, limit: u64, offered: u64) -> bool {
    match side {
        Side::Bid => offered <= limit,
        Side::Ask => offered >= limit,
    }
}

fn price_rank(side: Side, price: u64) -> u64 {
    match side {
        Side::Bid => u64::MAX - price,
        Side::Ask => price,
    }
}

fn reduce(order: &mut Order, by: u64) {
    order.remaining -= by;
    order.shown = order.shown.min(order.remaining);
}

fn end_taker(taker: &mut Taker, reason: DoneReason, steps: &mut Vec<Step>) {
    taker.remaining = 0;
    steps.push(Step::TakerDone { reason });
}
