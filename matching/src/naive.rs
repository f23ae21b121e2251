//! The oracle: the book again, as plainly as it can be said.
//!
//! A side is a sorted map from price to a queue of orders, ids and labels are found by looking at
//! every order, and nothing is cached. It shares no code and no structure with [`crate::Book`], so
//! the two are unlikely to be wrong in the same way. Slow on purpose; for tests only.

use std::collections::{BTreeMap, VecDeque};

use crate::view::{Level, MakerFill, RestingOrder, Taken};
use types::limits::{ORDERS_PER_BOOK_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

/// One market's resting orders. Every method means what it means in [`crate::Book`].
#[derive(Clone, Debug, Default)]
pub struct NaiveBook {
    bids: BTreeMap<Ticks, VecDeque<RestingOrder>>,
    asks: BTreeMap<Ticks, VecDeque<RestingOrder>>,
}

impl NaiveBook {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many orders rest.
    pub fn len(&self) -> u32 {
        Side::BOTH
            .map(|side| self.orders(side).count() as u32)
            .iter()
            .sum()
    }

    /// Whether no order rests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no further order may rest.
    pub fn is_full(&self) -> bool {
        self.len() >= ORDERS_PER_BOOK_MAX
    }

    /// The best price of a side.
    pub fn best(&self, side: Side) -> Option<Ticks> {
        match side {
            Side::Bid => self.bids.last_key_value(),
            Side::Ask => self.asks.first_key_value(),
        }
        .map(|(price, _)| *price)
    }

    /// Whether an incoming order of `side` at `price` would meet the best of the other side.
    pub fn crosses(&self, side: Side, price: Ticks) -> bool {
        assert!((1..=PRICE_TICKS_MAX).contains(&price.get()));
        self.best(side.opposite())
            .is_some_and(|best| accepts(side, price, best))
    }

    /// Whether all of `quantity` can fill at once, in at most `fills_max` fills.
    pub fn fillable(&self, side: Side, limit: Ticks, quantity: BaseLots, fills_max: u32) -> bool {
        let mut scratch = self.clone();
        let taken = scratch.take(side, limit, quantity, fills_max, |_| ());
        taken.filled == quantity
    }

    /// Lets an incoming order meet the other side.
    pub fn take(
        &mut self,
        side: Side,
        limit: Ticks,
        quantity: BaseLots,
        fills_max: u32,
        mut on_fill: impl FnMut(&MakerFill),
    ) -> Taken {
        let mut taken = Taken {
            filled: BaseLots::ZERO,
            fills: 0,
            capped: false,
        };
        while taken.filled < quantity && self.crosses(side, limit) {
            if taken.fills == fills_max {
                taken.capped = true;
                break;
            }
            let fill = self.fill_first(side.opposite(), quantity - taken.filled);
            taken.filled = taken.filled + fill.quantity;
            taken.fills += 1;
            on_fill(&fill);
        }
        taken
    }

    /// Lets an order wait behind all others at its price.
    pub fn rest(&mut self, order: &RestingOrder) {
        assert!((1..=QUANTITY_LOTS_MAX).contains(&order.remaining.get()));
        assert!(!self.is_full());
        assert!(!self.crosses(order.side, order.price));
        assert_eq!(self.order(order.order_id), None);
        assert_eq!(self.labelled(order.account, order.client_order_id), None);
        self.half(order.side)
            .entry(order.price)
            .or_default()
            .push_back(*order);
    }

    /// The resting order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<RestingOrder> {
        self.all().find(|order| order.order_id == order_id)
    }

    /// The account's resting order with this label.
    pub fn labelled(&self, account: AccountId, client_order_id: ClientOrderId) -> Option<OrderId> {
        self.all()
            .filter(|_| !client_order_id.is_none())
            .find(|order| order.account == account && order.client_order_id == client_order_id)
            .map(|order| order.order_id)
    }

    /// Takes one order off the book and returns it as it last was.
    pub fn cancel(&mut self, order_id: OrderId) -> Option<RestingOrder> {
        let order = self.order(order_id)?;
        let half = self.half(order.side);
        let queue = half.get_mut(&order.price).expect("the order was found");
        queue.retain(|other| other.order_id != order_id);
        if queue.is_empty() {
            half.remove(&order.price);
        }
        Some(order)
    }

    /// Takes all orders of the account off the book, or those of one side, oldest first.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        mut on_cancel: impl FnMut(&RestingOrder),
    ) -> u32 {
        let mut mine: Vec<RestingOrder> = self
            .all()
            .filter(|order| order.account == account)
            .filter(|order| side.is_none_or(|side| order.side == side))
            .collect();
        mine.sort_by_key(|order| order.order_id);
        for order in &mine {
            self.cancel(order.order_id);
            on_cancel(order);
        }
        mine.len() as u32
    }

    /// How many orders of the account rest.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        self.all().filter(|order| order.account == account).count() as u32
    }

    /// The resting orders of a side in the order in which they would fill.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.queues(side).flatten().copied()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.queues(side).map(|queue| Level {
            price: queue[0].price,
            quantity: queue.iter().fold(BaseLots::ZERO, |sum, order| {
                BaseLots::new(sum.get().saturating_add(order.remaining.get()))
            }),
            orders: queue.len() as u32,
        })
    }

    fn half(&mut self, side: Side) -> &mut BTreeMap<Ticks, VecDeque<RestingOrder>> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// The queues of a side, best price first.
    fn queues(&self, side: Side) -> Box<dyn Iterator<Item = &VecDeque<RestingOrder>> + '_> {
        match side {
            Side::Bid => Box::new(self.bids.values().rev()),
            Side::Ask => Box::new(self.asks.values()),
        }
    }

    fn all(&self) -> impl Iterator<Item = RestingOrder> + '_ {
        self.orders(Side::Bid).chain(self.orders(Side::Ask))
    }

    fn fill_first(&mut self, makers: Side, wanted: BaseLots) -> MakerFill {
        let price = self.best(makers).expect("a crossed side has a best price");
        let half = self.half(makers);
        let queue = half.get_mut(&price).expect("the best price has a queue");
        let first = &mut queue[0];
        let quantity = wanted.min(first.remaining);
        first.remaining = first.remaining - quantity;
        let maker = *first;
        if maker.remaining.is_zero() {
            queue.pop_front();
            if queue.is_empty() {
                half.remove(&price);
            }
        }
        MakerFill { maker, quantity }
    }
}

/// Whether an incoming order of `side` with this limit accepts to trade at `price`.
fn accepts(side: Side, limit: Ticks, price: Ticks) -> bool {
    match side {
        Side::Bid => price <= limit,
        Side::Ask => limit <= price,
    }
}
