//! An incoming order meets the other side: best price first, and within a price whoever stands
//! first.
//!
//! Most takers meet nothing but orders to trade with, and for them every step is a fill. Only where
//! the taker minds its own group, or some order on the book has outlived its time, each maker is
//! looked at before it is met.

use crate::Book;
use crate::arena::Slot;
use crate::meeting::{Guard, Maker, Meeting, Stopped, Taken, Taker};
use crate::node::OrderNode;
use crate::undo::Change;
use types::command::SelfTrade;
use types::{AccountId, BaseLots, GroupId, LogTime, Side};

/// Why a taker and a maker do not trade.
#[derive(Clone, Copy)]
pub(crate) enum Obstacle {
    /// The maker's time is over.
    Expired,
    /// The maker is of the taker's group, and the taker minds.
    OwnGroup,
}

/// The first order of a side has filled.
#[derive(Clone, Copy)]
pub(crate) struct Filled {
    /// It, after the fill.
    pub(crate) maker: Maker,
    /// How much filled.
    pub(crate) quantity: BaseLots,
    /// Whether this used up the shown part of an iceberg.
    pub(crate) refreshed: bool,
}

impl Book {
    /// Lets an incoming order meet the other side. Makers that fill completely leave, and so do
    /// those whose time is over. `on_meeting` is told each meeting in order; `group_of` is asked
    /// only if the taker minds its own group, and `guard` about every fill of a protected maker.
    ///
    /// Panics if the book collects: in an auction nobody takes.
    #[inline]
    pub fn take(
        &mut self,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
        guard: &mut impl Guard,
        on_meeting: impl FnMut(&Meeting),
    ) -> Taken {
        assert!(!self.is_collecting, "in an auction nobody takes");
        // Most orders cross nothing: for them this is one comparison, where it is asked.
        if self.crosses(taker.side, taker.limit) {
            self.take_crossed(taker, group_of, guard, on_meeting)
        } else {
            Taken {
                filled: BaseLots::ZERO,
                fills: 0,
                remaining: taker.quantity,
                stopped: None,
            }
        }
    }

    fn take_crossed(
        &mut self,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
        guard: &mut impl Guard,
        mut on_meeting: impl FnMut(&Meeting),
    ) -> Taken {
        let makers = taker.side.opposite();
        let limit = self.ladder(makers).key(taker.limit);
        let is_careful = self.is_careful(taker);
        let mut taken = Taken {
            filled: BaseLots::ZERO,
            fills: 0,
            remaining: taker.quantity,
            stopped: None,
        };
        while !taken.remaining.is_zero() && self.ladder(makers).reaches(limit) {
            if taken.fills == taker.fills_max {
                taken.stopped = Some(Stopped::FillLimit);
                break;
            }
            if is_careful {
                let slot = self.first(makers);
                if let Some(obstacle) = self.obstacle(slot, taker, &group_of) {
                    if let Some(meeting) = self.meet(slot, obstacle, taker.self_trade, &mut taken) {
                        taken.fills += 1;
                        on_meeting(&meeting);
                    }
                    if taken.stopped.is_some() {
                        break;
                    }
                    continue;
                }
            }
            let meeting = self.fill_first(makers, &mut taken);
            on_meeting(&meeting);
            if let Meeting::Fill {
                maker, quantity, ..
            } = &meeting
                && maker.protected
                && guard.trips(maker.account, maker.price, *quantity)
            {
                self.pull(maker.account, |order| on_meeting(&Meeting::Pulled(*order)));
            }
        }
        taken
    }

    /// Whether makers must be looked at before they are met.
    pub(crate) fn is_careful(&self, taker: &Taker) -> bool {
        taker.self_trade != SelfTrade::Allow || self.specials.is_due(taker.now)
    }

    /// Why the taker would not trade with this maker.
    pub(crate) fn obstacle(
        &self,
        slot: Slot<OrderNode>,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
    ) -> Option<Obstacle> {
        let node = &self.nodes[slot];
        let expires_at = self.specials.expires_at(node, slot);
        if expires_at != LogTime::ZERO && expires_at <= taker.now {
            return Some(Obstacle::Expired);
        }
        let is_own = taker.self_trade != SelfTrade::Allow && group_of(node.account) == taker.group;
        is_own.then_some(Obstacle::OwnGroup)
    }

    /// Who would be met first. Only if the side has an order.
    fn first(&self, side: Side) -> Slot<OrderNode> {
        let ladder = self.ladder(side);
        ladder.level(ladder.best_level()).queue.head()
    }

    /// Fills the first order of a side that has one, by all that it shows or all that is wanted.
    #[inline]
    fn fill_first(&mut self, makers: Side, taken: &mut Taken) -> Meeting {
        let filled = self.fill_head(makers, taken.remaining);
        taken.filled = taken.filled + filled.quantity;
        taken.remaining = taken.remaining - filled.quantity;
        taken.fills += 1;
        Meeting::Fill {
            maker: filled.maker,
            quantity: filled.quantity,
            refreshed: filled.refreshed,
        }
    }

    /// Fills the first order of a side that has one, by all that it shows or at most `wanted`.
    #[inline]
    pub(crate) fn fill_head(&mut self, side: Side, wanted: BaseLots) -> Filled {
        let ladder = &mut self.ladders[side as usize];
        let level = ladder.best_level();
        let slot = ladder.level(level).queue.head();
        let price = ladder.price(level);
        let node = &mut self.nodes[slot];
        let shown = node.shown();
        let quantity = wanted.min(shown);
        let mut filled = Filled {
            maker: Maker {
                order_id: node.order_id,
                account: node.account,
                client_order_id: node.client_order_id,
                price,
                remaining: BaseLots::ZERO,
                stop: None,
                protected: node.is_protected(),
            },
            quantity,
            refreshed: false,
        };
        if node.is_special() {
            self.fill_special(slot, &mut filled);
        } else if quantity < shown {
            node.reduce(quantity);
            ladder.reduce(level, quantity);
            self.specials.fill(node, slot, quantity);
            filled.maker.remaining = shown - quantity;
            self.undo.note(Change::Filled { slot, quantity });
        } else {
            self.forget(slot);
        }
        filled
    }

    /// The same for one that may hide more, or has a stop beside it.
    #[inline(never)]
    fn fill_special(&mut self, slot: Slot<OrderNode>, filled: &mut Filled) {
        let node = &mut self.nodes[slot];
        let ladder = &mut self.ladders[node.side() as usize];
        let (quantity, maker) = (filled.quantity, &mut filled.maker);
        maker.stop = self.specials.stop(node, slot);
        if quantity < node.shown() {
            node.reduce(quantity);
            ladder.reduce(node.level, quantity);
            self.undo.note(Change::Filled { slot, quantity });
        } else {
            let part = self.specials.uncover(node, slot);
            if part.is_zero() {
                self.forget(slot);
                return;
            }
            filled.refreshed = true;
            node.show(part);
            ladder.refresh(&mut self.links, node.level, slot, quantity, part);
            self.undo.note(Change::Refreshed {
                slot,
                quantity,
                part,
            });
        }
        self.specials.fill(node, slot, quantity);
        maker.remaining = node.shown() + self.specials.hidden(node, slot).quantity;
    }

    /// Meets a maker that is not traded with. No meeting: it was left alone.
    #[cold]
    fn meet(
        &mut self,
        slot: Slot<OrderNode>,
        obstacle: Obstacle,
        self_trade: SelfTrade,
        taken: &mut Taken,
    ) -> Option<Meeting> {
        if let Obstacle::Expired = obstacle {
            return Some(Meeting::Expired(self.remove(slot)));
        }
        match self_trade {
            SelfTrade::Allow => unreachable!("who allows it meets no obstacle"),
            SelfTrade::CancelTaker => {
                taken.stopped = Some(Stopped::SelfTrade);
                None
            }
            SelfTrade::CancelMaker => Some(Meeting::SelfTradeCancelled(self.remove(slot))),
            SelfTrade::CancelBoth => {
                taken.stopped = Some(Stopped::SelfTrade);
                Some(Meeting::SelfTradeCancelled(self.remove(slot)))
            }
            SelfTrade::Decrement => Some(self.decrement(slot, taken)),
        }
    }

    /// Taker and maker shrink by the smaller of both.
    fn decrement(&mut self, slot: Slot<OrderNode>, taken: &mut Taken) -> Meeting {
        let mut maker = self.view(slot);
        let by = taken.remaining.min(maker.remaining);
        taken.remaining = taken.remaining - by;
        if taken.remaining.is_zero() {
            taken.stopped = Some(Stopped::SelfTrade);
        }
        if by < maker.remaining {
            self.shrink(slot, by);
            maker = self.view(slot);
        } else {
            self.forget(slot);
            maker.quantity = maker.filled();
            maker.remaining = BaseLots::ZERO;
            maker.shown = BaseLots::ZERO;
        }
        Meeting::SelfTradeReduced { maker, by }
    }
}
