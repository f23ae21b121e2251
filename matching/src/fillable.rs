//! Whether all of an order would fill at once: what [`Book::take`] would do, without doing it.
//!
//! Mostly that is a sum over levels. Levels are looked at order by order where one may not trade,
//! where the cap on meetings may bite, and where icebergs wait. An iceberg is met once per part that
//! it shows, and the orders of a level that still hide something take turns: in every round each of
//! them is met once, in the order of the queue. So rounds need not be walked one by one, which could
//! take far more steps than the taker may have meetings.
//!
//! Where somebody is protected, every fill of theirs is told to the guard, and whoever trips counts
//! as not there from then on. Protected orders hide nothing, so that has no part in the rounds.

use crate::Book;
use crate::arena::Slot;
use crate::ladder::LevelNode;
use crate::meeting::{Guard, Taker};
use crate::node::OrderNode;
use crate::special::Hidden;
use crate::take::Obstacle;
use types::command::SelfTrade;
use types::{AccountId, BaseLots, GroupId};

/// What is still to be found.
struct Need {
    lots: u128,
    meetings_left: u32,
}

/// What would come of meeting a maker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prospect {
    /// A trade.
    Trade,
    /// A meeting without a trade; the taker goes on.
    Nothing,
    /// No meeting: it would have been pulled before.
    Absent,
    /// The taker cannot fill any more.
    Failure,
}

/// Looks ahead, maker by maker.
struct Foresight<'a, G, F> {
    book: &'a Book,
    taker: &'a Taker,
    group_of: F,
    guard: &'a mut G,
    /// Whose protection would have tripped.
    pulled: Vec<AccountId>,
}

impl<G: Guard, F: Fn(AccountId) -> GroupId> Foresight<'_, G, F> {
    /// What would come of meeting a maker next.
    fn prospect(&self, slot: Slot<OrderNode>) -> Prospect {
        let book = self.book;
        let node = &book.nodes[slot];
        if node.is_protected() && self.pulled.contains(&node.account) {
            return Prospect::Absent;
        }
        match book.obstacle(slot, self.taker, &self.group_of) {
            None => Prospect::Trade,
            Some(Obstacle::Expired) => Prospect::Nothing,
            Some(Obstacle::OwnGroup) if self.taker.self_trade == SelfTrade::CancelMaker => {
                Prospect::Nothing
            }
            Some(Obstacle::OwnGroup) => Prospect::Failure,
        }
    }

    /// The maker would fill by so much.
    fn fill(&mut self, slot: Slot<OrderNode>, quantity: BaseLots) {
        let node = &self.book.nodes[slot];
        if !node.is_protected() {
            return;
        }
        let owner = node.account;
        let price = self.book.ladder(node.side()).price(node.level);
        if self.guard.trips(owner, price, quantity) {
            self.pulled.push(owner);
        }
    }
}

impl Book {
    /// Whether [`Book::take`] would fill all of the order. `guard` counts along, so give it one that
    /// may be thrown away.
    pub fn fillable(
        &self,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
        guard: &mut impl Guard,
    ) -> bool {
        let makers = self.ladder(taker.side.opposite());
        let is_careful = self.is_careful(taker) || guard.is_on();
        let mut need = Need {
            lots: u128::from(taker.quantity.get()),
            meetings_left: taker.fills_max,
        };
        let mut foresight = Foresight {
            book: self,
            taker,
            group_of,
            guard,
            pulled: Vec::new(),
        };
        for slot in makers.levels_within(makers.key(taker.limit)) {
            let level = makers.level(slot);
            let answer = if is_careful || makers.hidden(slot) > 0 {
                self.search_orders(level, &mut need, &mut foresight)
            } else {
                self.search_level(level, &mut need)
            };
            if let Some(is_fillable) = answer {
                return is_fillable;
            }
        }
        need.lots == 0
    }

    /// Takes a level of plain orders off what is needed. An answer: no need to look further.
    fn search_level(&self, level: &LevelNode, need: &mut Need) -> Option<bool> {
        if need.lots <= level.shown {
            let is_within_cap = level.orders <= need.meetings_left
                || need.lots <= self.first_quantity(level, need.meetings_left);
            return Some(is_within_cap);
        }
        if need.meetings_left < level.orders {
            return Some(false);
        }
        need.meetings_left -= level.orders;
        need.lots -= level.shown;
        None
    }

    /// What the first `orders` in a level show.
    fn first_quantity(&self, level: &LevelNode, orders: u32) -> u128 {
        level
            .queue
            .iter(&self.links)
            .take(orders as usize)
            .map(|slot| u128::from(self.nodes[slot].shown().get()))
            .sum()
    }

    /// The same, order by order.
    fn search_orders<G: Guard, F: Fn(AccountId) -> GroupId>(
        &self,
        level: &LevelNode,
        need: &mut Need,
        foresight: &mut Foresight<'_, G, F>,
    ) -> Option<bool> {
        for slot in level.queue.iter(&self.links) {
            if need.lots == 0 {
                return Some(true);
            }
            let prospect = foresight.prospect(slot);
            if prospect == Prospect::Absent {
                continue;
            }
            if need.meetings_left == 0 {
                return Some(false);
            }
            need.meetings_left -= 1;
            match prospect {
                Prospect::Trade => {
                    let shown = self.nodes[slot].shown();
                    if need.lots <= u128::from(shown.get()) {
                        return Some(true);
                    }
                    need.lots -= u128::from(shown.get());
                    foresight.fill(slot, shown);
                }
                Prospect::Nothing | Prospect::Absent => {}
                Prospect::Failure => return Some(false),
            }
        }
        let hidden = || {
            level
                .queue
                .iter(&self.links)
                .map(|slot| (slot, self.specials.hidden(&self.nodes[slot], slot)))
                .filter(|(slot, hidden)| {
                    !hidden.quantity.is_zero() && foresight.prospect(*slot) == Prospect::Trade
                })
                .map(|(_, hidden)| hidden)
        };
        search_hidden(need, hidden)
    }
}

/// Takes what a level hides off what is needed, once everything that it shows is gone.
fn search_hidden<I: Iterator<Item = Hidden>>(
    need: &mut Need,
    hidden: impl Fn() -> I,
) -> Option<bool> {
    let meetings = |rounds| -> u128 { hidden().map(|it| it.rounds().min(rounds)).sum() };
    let lots = |rounds| -> u128 { hidden().map(|it| it.lots_in(rounds)).sum() };
    let meetings_left = u128::from(need.meetings_left);
    let all_meetings = meetings(u128::MAX);
    if all_meetings <= meetings_left {
        let all_lots = lots(u128::from(u64::MAX));
        if need.lots <= all_lots {
            return Some(true);
        }
        need.lots -= all_lots;
        need.meetings_left -= all_meetings as u32;
        return None;
    }
    // Every round is a meeting at least, so one round more than there are meetings is too many.
    let (mut rounds, mut too_many) = (0, meetings_left + 1);
    while rounds + 1 < too_many {
        let middle = (rounds + too_many) / 2;
        if meetings(middle) <= meetings_left {
            rounds = middle;
        } else {
            too_many = middle;
        }
    }
    let in_last_round = (meetings_left - meetings(rounds)) as usize;
    let last_lots: u128 = hidden()
        .filter(|it| rounds < it.rounds())
        .take(in_last_round)
        .map(|it| it.lots_in(rounds + 1) - it.lots_in(rounds))
        .sum();
    Some(need.lots <= lots(rounds) + last_lots)
}

impl Hidden {
    /// In how many parts it is shown.
    fn rounds(self) -> u128 {
        u128::from(self.quantity.get().div_ceil(self.display.get()))
    }

    /// How much the first parts are together.
    fn lots_in(self, rounds: u128) -> u128 {
        u128::from(self.quantity.get()).min(u128::from(self.display.get()) * rounds)
    }
}
