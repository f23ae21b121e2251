//! One market's orders in sorted maps. Knows of places and shown parts, and nothing of takers, funds
//! or events.

use std::collections::BTreeMap;

use types::command::{Resting, StopLeg};
use types::outcome::Party;
use types::{AccountId, ClientOrderId, OrderId, Side};

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
    /// When it came to rest, as a count of arrivals; a replace that meets nobody does not count.
    pub(crate) arrival: u64,
}

impl Order {
    pub(crate) fn is_over(&self, now: u64) -> bool {
        is_over(self.resting, now)
    }

    /// The price at which its funds are held.
    pub(crate) fn hold_price(&self) -> u64 {
        hold_price(self.side, self.price, self.resting.stop)
    }

    pub(crate) fn party(&self) -> Party {
        Party {
            account: self.account,
            order_id: self.id,
            client_order_id: self.label,
        }
    }
}

/// Whether an expiry has come.
pub(crate) fn is_over(resting: Resting, now: u64) -> bool {
    let expires_at = resting.expires_at.get();
    expires_at != 0 && expires_at <= now
}

/// The worse of an order's own price and the limit of the stop beside it. An ask pays with base,
/// whatever its price.
pub(crate) fn hold_price(side: Side, price: u64, stop: Option<StopLeg>) -> u64 {
    match (side, stop) {
        (Side::Bid, Some(stop)) => price.max(stop.limit.get()),
        _ => price,
    }
}

/// Best first: the better price, then the earlier place.
type Rank = (u64, u64);

/// Both sides of a book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    sides: [BTreeMap<Rank, Order>; 2],
    /// Places given so far.
    places: u64,
    /// How often it has changed.
    changes: u64,
}

impl Book {
    /// Puts an order at the end of its level.
    pub(crate) fn rest(&mut self, mut order: Order) {
        self.changes += 1;
        self.places += 1;
        order.arrival = self.places;
        order.shown = next_part(&order);
        let rank = (price_rank(order.side, order.price), self.places);
        self.sides[order.side as usize].insert(rank, order);
    }

    /// An order has its old turn among those of its account.
    pub(crate) fn restore_arrival(&mut self, id: OrderId, arrival: u64) {
        let (side, rank) = self.find(id).unwrap();
        let order = self.sides[side as usize].get_mut(&rank).unwrap();
        order.arrival = arrival;
    }

    pub(crate) fn remove(&mut self, id: OrderId) -> Order {
        self.changes += 1;
        let (side, rank) = self.find(id).unwrap();
        self.sides[side as usize].remove(&rank).unwrap()
    }

    /// Takes size off an order in its place, what it hides first.
    pub(crate) fn reduce(&mut self, id: OrderId, by: u64) {
        self.changes += 1;
        let (side, rank) = self.find(id).unwrap();
        let order = self.sides[side as usize].get_mut(&rank).unwrap();
        order.remaining -= by;
        order.shown = order.shown.min(order.remaining);
    }

    /// Fills the best order of a side; whether an iceberg showed its next part.
    pub(crate) fn fill_best(&mut self, side: Side, quantity: u64) -> bool {
        self.changes += 1;
        let orders = &mut self.sides[side as usize];
        let (rank, mut order) = orders.pop_first().unwrap();
        order.filled += quantity;
        order.remaining -= quantity;
        order.shown -= quantity;
        if order.shown > 0 {
            orders.insert(rank, order);
            return false;
        }
        if order.remaining == 0 {
            return false;
        }
        order.shown = next_part(&order);
        self.places += 1;
        orders.insert((rank.0, self.places), order);
        true
    }

    fn find(&self, id: OrderId) -> Option<(Side, Rank)> {
        Side::BOTH.into_iter().find_map(|side| {
            let mut orders = self.sides[side as usize].iter();
            let (rank, _) = orders.find(|(_, order)| order.id == id)?;
            Some((side, *rank))
        })
    }

    /// What a taker meets first, if it accepts the price.
    pub(crate) fn next_for(&self, side: Side, price: u64) -> Option<Order> {
        let best = self.best_order(side.opposite())?;
        accepts(side, price, best.price).then_some(best)
    }

    /// Best first.
    pub(crate) fn orders(&self, side: Side) -> impl Iterator<Item = &Order> {
        self.sides[side as usize].values()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Order> {
        Side::BOTH.into_iter().flat_map(|side| self.orders(side))
    }

    pub(crate) fn order(&self, id: OrderId) -> Option<Order> {
        self.all().find(|order| order.id == id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.sides.iter().map(BTreeMap::len).sum()
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn best_order(&self, side: Side) -> Option<Order> {
        self.orders(side).next().copied()
    }

    pub(crate) fn best(&self, side: Side) -> Option<u64> {
        self.best_order(side).map(|order| order.price)
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

/// What an order shows that has just come to the end of its level.
fn next_part(order: &Order) -> u64 {
    match order.resting.display.get() {
        0 => order.remaining,
        display => display.min(order.remaining),
    }
}

fn price_rank(side: Side, price: u64) -> u64 {
    match side {
        Side::Bid => u64::MAX - price,
        Side::Ask => price,
    }
}
