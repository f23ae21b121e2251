//! What a book shows: bests, levels, or orders in their turn.

use std::collections::BTreeMap;

use types::wire::feed::{
    BestRecord, Channel, L3Action, L3Event, LevelRecord, Lines, OrderRecord, Records,
};
use types::{BaseLots, OrderId, Side, Ticks};
use zerocopy::IntoBytes;

/// By channel.
#[derive(Debug)]
pub(super) enum Content {
    /// There is no book.
    None,
    /// What was there before the events is not known, so neither is what they lead to.
    Unknown,
    /// The best of each side.
    L1([BestRecord; 2]),
    /// By side, best first.
    L2([BTreeMap<Rank, LevelRecord>; 2]),
    /// Every order.
    L3(Orders),
}

/// Orders by id, and the queue of each side.
#[derive(Debug, Default)]
pub(super) struct Orders {
    orders: BTreeMap<OrderId, (u64, OrderRecord)>,
    /// By rank and turn.
    queues: [BTreeMap<(Rank, u64), OrderRecord>; 2],
    last_turn: u64,
}

/// A price as a sort key: the better the price, the smaller the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u64);

impl Rank {
    const fn new(side: Side, price: Ticks) -> Self {
        match side {
            Side::Bid => Self(u64::MAX - price.get()),
            Side::Ask => Self(price.get()),
        }
    }
}

impl Content {
    pub(super) fn new(channel: Channel) -> Self {
        match channel {
            Channel::L1 => Self::L1(Side::BOTH.map(|side| BestRecord::new(side, None))),
            Channel::L2 => Self::L2(Default::default()),
            Channel::L3 => Self::L3(Orders::default()),
            Channel::Trades | Channel::Account => Self::None,
        }
    }

    /// What can be said of a feed's book without a snapshot of it.
    pub(super) const fn unknown(channel: Channel) -> Self {
        match channel {
            Channel::L1 | Channel::L2 | Channel::L3 => Self::Unknown,
            Channel::Trades | Channel::Account => Self::None,
        }
    }

    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Takes events. An error is the index of the first that cannot happen.
    /// Conflated ones may tell what has not changed, or the end of what was never seen.
    pub(super) fn apply(&mut self, records: &Records<'_>, is_conflated: bool) -> Result<(), u64> {
        match (self, records) {
            (Self::None, Records::Trades(_) | Records::Account(_)) => Ok(()),
            (Self::Unknown, Records::L1(_) | Records::L2(_) | Records::L3(_)) => Ok(()),
            (Self::L1(bests), Records::L1(events)) => {
                for best in events.iter().map(|event| event.best()) {
                    bests[best.side() as usize] = *best;
                }
                Ok(())
            }
            (Self::L2(halves), Records::L2(events)) => all(events, |event| {
                let level = event.level();
                let half = &mut halves[level.side() as usize];
                let rank = Rank::new(level.side(), level.price());
                let changes = match level.orders() {
                    0 => half.remove(&rank).is_some(),
                    _ => half.insert(rank, *level) != Some(*level),
                };
                changes || is_conflated
            }),
            (Self::L3(orders), Records::L3(events)) => all(events, |event| orders.apply(event)),
            _ => Err(0),
        }
    }

    /// Takes lines of a snapshot: how many; `None`: they do not make a book.
    pub(super) fn load(&mut self, lines: &Lines<'_>) -> Option<u64> {
        match (self, lines) {
            (Self::None, Lines::None) => Some(0),
            (Self::L1(bests), Lines::L1(lines)) => {
                for best in *lines {
                    bests[best.side() as usize] = *best;
                }
                Some(lines.len() as u64)
            }
            (Self::L2(halves), Lines::L2(lines)) => {
                for level in *lines {
                    let rank = Rank::new(level.side(), level.price());
                    let half = &mut halves[level.side() as usize];
                    let is_new = half.insert(rank, *level).is_none();
                    (is_new && level.orders() != 0).then_some(())?;
                }
                Some(lines.len() as u64)
            }
            (Self::L3(orders), Lines::L3(lines)) => {
                for order in *lines {
                    orders.add(order).then_some(())?;
                }
                Some(lines.len() as u64)
            }
            _ => None,
        }
    }

    /// Every line as a snapshot has it.
    pub(super) fn for_each_line(&self, mut line: impl FnMut(&[u8])) {
        match self {
            Self::None | Self::Unknown => {}
            Self::L1(bests) => bests.iter().for_each(|best| line(best.as_bytes())),
            Self::L2(halves) => {
                let levels = halves.iter().flat_map(BTreeMap::values);
                levels.for_each(|level| line(level.as_bytes()));
            }
            Self::L3(orders) => {
                let orders = orders.queues.iter().flat_map(BTreeMap::values);
                orders.for_each(|order| line(order.as_bytes()));
            }
        }
    }

    pub(super) fn best(&self, side: Side) -> Option<(Ticks, BaseLots)> {
        match self {
            Self::None | Self::Unknown => None,
            Self::L1(bests) => bests[side as usize].best(),
            Self::L2(_) => {
                let level = self.levels(side).next()?;
                Some((level.price(), level.quantity()))
            }
            Self::L3(_) => {
                let price = self.orders(side).next()?.price();
                let level = self.orders(side).take_while(|order| order.price() == price);
                let shown = level.fold(0u64, |sum, order| sum.saturating_add(order.shown().get()));
                Some((price, BaseLots::new(shown)))
            }
        }
    }

    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = &LevelRecord> + '_ {
        let half = match self {
            Self::L2(halves) => Some(&halves[side as usize]),
            _ => None,
        };
        half.into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn orders(&self, side: Side) -> impl Iterator<Item = &OrderRecord> + '_ {
        let queue = match self {
            Self::L3(orders) => Some(&orders.queues[side as usize]),
            _ => None,
        };
        queue.into_iter().flat_map(BTreeMap::values)
    }
}

impl Orders {
    /// Whether this can happen; if so, it has.
    fn apply(&mut self, event: &L3Event) -> bool {
        let order = event.order();
        match event.action() {
            L3Action::Added => self.add(order),
            L3Action::Shrunk => self.shrink(order),
            L3Action::Removed => self.remove(order),
        }
    }

    fn add(&mut self, order: &OrderRecord) -> bool {
        let turn = self.last_turn + 1;
        if self.orders.contains_key(&order.order_id()) {
            return false;
        }
        self.last_turn = turn;
        self.orders.insert(order.order_id(), (turn, *order));
        let rank = Rank::new(order.side(), order.price());
        self.queues[order.side() as usize].insert((rank, turn), *order);
        true
    }

    fn shrink(&mut self, order: &OrderRecord) -> bool {
        let Some((turn, known)) = self.orders.get_mut(&order.order_id()) else {
            return false;
        };
        let stays = (known.side(), known.price()) == (order.side(), order.price());
        if !stays || order.shown() >= known.shown() {
            return false;
        }
        *known = *order;
        let place = (Rank::new(order.side(), order.price()), *turn);
        self.queues[order.side() as usize].insert(place, *order);
        true
    }

    fn remove(&mut self, order: &OrderRecord) -> bool {
        let Some((turn, known)) = self.orders.get(&order.order_id()) else {
            return false;
        };
        if known != order {
            return false;
        }
        let place = (Rank::new(order.side(), order.price()), *turn);
        self.queues[order.side() as usize].remove(&place);
        self.orders.remove(&order.order_id());
        true
    }
}

/// Applies one after the other. An error is the index of the first that cannot happen.
fn all<Event>(events: &[Event], mut happens: impl FnMut(&Event) -> bool) -> Result<(), u64> {
    match (0..).zip(events).find(|(_, event)| !happens(event)) {
        Some((index, _)) => Err(index),
        None => Ok(()),
    }
}
