//! The oracle: the book again, as plainly as it can be said.
//!
//! All orders stand in one list, in the order in which they would be met within their price; best
//! prices, ids, labels, deadlines and totals are found by looking at every order, and nothing is
//! cached. It shares no code and no structure with [`crate::Book`], so the two are unlikely to be
//! wrong in the same way. Slow on purpose; for tests only.

use std::collections::BTreeMap;

use crate::auction::{Crossing, Indication};
use crate::meeting::{Guard, Maker, Meeting, Stopped, Taken, Taker};
use crate::view::{Level, RestingOrder};
use types::command::SelfTrade;
use types::limits::{ORDERS_PER_BOOK_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, BaseLots, ClientOrderId, GroupId, LogTime, OrderId, Side, Ticks};

/// One market's resting orders. Every method means what it means in [`crate::Book`].
#[derive(Clone, Debug, Default)]
pub struct NaiveBook {
    /// Whoever loses its place goes to the end.
    queue: Vec<RestingOrder>,
    /// When each order came to rest, counted in orders.
    arrivals: BTreeMap<OrderId, u64>,
    arrived: u64,
    is_collecting: bool,
}

impl NaiveBook {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many orders rest.
    pub fn len(&self) -> u32 {
        self.queue.len() as u32
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
        let prices = self.queue.iter().filter(|order| order.side == side);
        let prices = prices.map(|order| order.price);
        match side {
            Side::Bid => prices.max(),
            Side::Ask => prices.min(),
        }
    }

    /// Whether an incoming order of `side` at `price` would meet the best of the other side.
    pub fn crosses(&self, side: Side, price: Ticks) -> bool {
        assert!((1..=PRICE_TICKS_MAX).contains(&price.get()));
        self.best(side.opposite()).is_some_and(|best| match side {
            Side::Bid => best <= price,
            Side::Ask => price <= best,
        })
    }

    /// Whether taking would fill all of the order.
    pub fn fillable(
        &self,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
        guard: &mut impl Guard,
    ) -> bool {
        let taken = self.clone().take(taker, group_of, guard, |_| ());
        taken.filled == taker.quantity
    }

    /// Lets an incoming order meet the other side.
    pub fn take(
        &mut self,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
        guard: &mut impl Guard,
        mut on_meeting: impl FnMut(&Meeting),
    ) -> Taken {
        assert!(!self.is_collecting);
        let mut taken = Taken {
            filled: BaseLots::ZERO,
            fills: 0,
            remaining: taker.quantity,
            stopped: None,
        };
        while !taken.remaining.is_zero()
            && taken.stopped.is_none()
            && self.crosses(taker.side, taker.limit)
        {
            if taken.fills == taker.fills_max {
                taken.stopped = Some(Stopped::FillLimit);
                break;
            }
            if let Some(meeting) = self.meet_first(taker, &group_of, &mut taken) {
                taken.fills += 1;
                on_meeting(&meeting);
                if self.trips(&meeting, guard)
                    && let Meeting::Fill { maker, .. } = meeting
                {
                    self.pull(maker.account, |order| on_meeting(&Meeting::Pulled(*order)));
                }
            }
        }
        taken
    }

    fn trips(&self, meeting: &Meeting, guard: &mut impl Guard) -> bool {
        match meeting {
            Meeting::Fill {
                maker, quantity, ..
            } => maker.protected && guard.trips(maker.account, maker.price, *quantity),
            _ => false,
        }
    }

    /// Takes all protected orders of the account off the book, in the order in which they came to
    /// rest.
    pub fn pull(&mut self, account: AccountId, mut on_pull: impl FnMut(&RestingOrder)) -> u32 {
        let pulled: Vec<RestingOrder> = self
            .orders_of(account)
            .filter(|order| order.protected)
            .collect();
        for order in &pulled {
            self.cancel(order.order_id);
            on_pull(order);
        }
        pulled.len() as u32
    }

    /// From here on orders come to rest without meeting anybody.
    pub fn collect(&mut self) {
        self.is_collecting = true;
    }

    /// Whether bids may reach asks.
    pub fn is_collecting(&self) -> bool {
        self.is_collecting
    }

    /// Whether bids do reach asks.
    pub fn is_crossed(&self) -> bool {
        match (self.best(Side::Bid), self.best(Side::Ask)) {
            (Some(bid), Some(ask)) => ask <= bid,
            _ => false,
        }
    }

    /// What an auction would come to: every price at which somebody comes or goes is tried, and the
    /// prices beside it, and the rules are applied one after the other.
    pub fn indication(&self, last: Option<Ticks>) -> Option<Indication> {
        let prices = self.queue.iter().map(|order| order.price.get());
        let mut tried: Vec<Indication> = prices
            .flat_map(|price| [price - 1, price, price + 1])
            .map(|price| self.indicate(Ticks::new(price)))
            .collect();
        let volume = tried.iter().map(|tried| tried.volume).max();
        tried.retain(|tried| Some(tried.volume) == volume && tried.volume > 0);
        let surplus = tried.iter().map(|tried| tried.surplus.abs()).min();
        tried.retain(|tried| Some(tried.surplus.abs()) == surplus);
        let lowest = tried.iter().map(|tried| tried.price).min()?;
        let highest = tried.iter().map(|tried| tried.price).max()?;
        let price = if tried.iter().all(|tried| tried.surplus > 0) {
            highest
        } else if tried.iter().all(|tried| tried.surplus < 0) {
            lowest
        } else {
            let middle = Ticks::new((lowest.get() + highest.get()) / 2);
            last.unwrap_or(middle).max(lowest).min(highest)
        };
        Some(self.indicate(price))
    }

    fn indicate(&self, price: Ticks) -> Indication {
        let (mut bids, mut asks) = (0, 0);
        for order in &self.queue {
            let lots = u128::from(order.remaining.get());
            match order.side {
                Side::Bid if price <= order.price => bids += lots,
                Side::Ask if order.price <= price => asks += lots,
                _ => {}
            }
        }
        Indication {
            price,
            volume: bids.min(asks),
            surplus: bids as i128 - asks as i128,
        }
    }

    /// Lets the best bid and the best ask trade, as long as they reach each other.
    pub fn uncross(&mut self, crossings_max: u32, mut on_crossing: impl FnMut(&Crossing)) -> u32 {
        let mut crossings = 0;
        while self.is_crossed() && crossings < crossings_max {
            let heads = Side::BOTH.map(|side| self.orders(side).next().expect("it is crossed"));
            let quantity = heads[0].shown.min(heads[1].shown);
            let [(bid, bid_refreshed), (ask, ask_refreshed)] =
                heads.map(|head| self.shrink_by_fill(head, quantity));
            on_crossing(&Crossing {
                bid,
                ask,
                quantity,
                refreshed: [bid_refreshed, ask_refreshed],
            });
            crossings += 1;
        }
        self.is_collecting &= self.is_crossed();
        crossings
    }

    /// Lets an order wait behind all others at its price.
    pub fn rest(&mut self, order: &RestingOrder) {
        assert!(order.quantity.get() <= QUANTITY_LOTS_MAX);
        assert!(order.remaining.get() > 0 && order.remaining <= order.quantity);
        assert!(!order.protected || order.display.is_zero());
        assert!(!self.is_full());
        assert!(self.is_collecting || !self.crosses(order.side, order.price));
        assert_eq!(self.order(order.order_id), None);
        assert_eq!(self.labelled(order.account, order.client_order_id), None);
        let mut order = *order;
        order.shown = if order.display.is_zero() {
            order.remaining
        } else {
            order.remaining.min(order.display)
        };
        self.queue.push(order);
        self.arrived += 1;
        self.arrivals.insert(order.order_id, self.arrived);
    }

    /// Lets a resting order wait anew at this price, behind all others there, with so much open.
    /// Among the orders of its account it keeps its turn.
    pub fn requeue(&mut self, order_id: OrderId, price: Ticks, remaining: BaseLots) {
        let arrival = self.arrivals.get(&order_id).copied();
        let order = self.cancel(order_id).expect("it rests");
        self.rest(&RestingOrder {
            price,
            quantity: order.filled() + remaining,
            remaining,
            ..order
        });
        self.arrivals
            .extend(arrival.map(|arrival| (order_id, arrival)));
    }

    /// The resting order with this id.
    pub fn order(&self, order_id: OrderId) -> Option<RestingOrder> {
        let mut orders = self.queue.iter();
        orders.find(|order| order.order_id == order_id).copied()
    }

    /// The account's resting order with this label.
    pub fn labelled(&self, account: AccountId, client_order_id: ClientOrderId) -> Option<OrderId> {
        self.queue
            .iter()
            .filter(|_| !client_order_id.is_none())
            .find(|order| order.account == account && order.client_order_id == client_order_id)
            .map(|order| order.order_id)
    }

    /// Takes one order off the book and returns it as it last was.
    pub fn cancel(&mut self, order_id: OrderId) -> Option<RestingOrder> {
        let place = self.place(order_id)?;
        self.arrivals.remove(&order_id);
        Some(self.queue.remove(place))
    }

    /// The same without a last look at it.
    pub fn discard(&mut self, order_id: OrderId) -> bool {
        self.cancel(order_id).is_some()
    }

    /// Makes an order smaller where it stands, what it hides first.
    pub fn reduce(&mut self, order_id: OrderId, by: BaseLots) -> Option<RestingOrder> {
        let place = self.place(order_id)?;
        let order = &mut self.queue[place];
        assert!(by < order.remaining);
        order.quantity = order.quantity - by;
        order.remaining = order.remaining - by;
        order.shown = order.shown.min(order.remaining);
        Some(*order)
    }

    /// Takes at most `max` orders whose time is over off the book, by their time, then by id.
    pub fn expire(
        &mut self,
        now: LogTime,
        max: u32,
        mut on_expire: impl FnMut(&RestingOrder),
    ) -> u32 {
        let mut over = self.queue.clone();
        over.retain(|order| is_over(order, now));
        over.sort_by_key(|order| (order.expires_at, order.order_id));
        over.truncate(max as usize);
        for order in &over {
            self.cancel(order.order_id);
            on_expire(order);
        }
        over.len() as u32
    }

    /// Takes the account's orders in scope off the book, in the order in which they came to rest.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        side: Option<Side>,
        prices: Option<(Ticks, Ticks)>,
        mut on_cancel: impl FnMut(&RestingOrder),
    ) -> u32 {
        let in_scope: Vec<RestingOrder> = self
            .orders_of(account)
            .filter(|order| side.is_none_or(|side| order.side == side))
            .filter(|order| {
                prices.is_none_or(|(low, high)| low <= order.price && order.price <= high)
            })
            .collect();
        for order in &in_scope {
            self.cancel(order.order_id);
            on_cancel(order);
        }
        in_scope.len() as u32
    }

    /// How many orders of the account rest.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        self.orders_of(account).count() as u32
    }

    /// The account's resting orders, in the order in which they came to rest.
    pub fn orders_of(&self, account: AccountId) -> impl Iterator<Item = RestingOrder> + '_ {
        let mut orders = self.queue.clone();
        orders.retain(|order| order.account == account);
        orders.sort_by_key(|order| self.arrivals[&order.order_id]);
        orders.into_iter()
    }

    /// The resting orders of a side in the order in which a taker would meet them first.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        let mut orders = self.queue.clone();
        orders.retain(|order| order.side == side);
        // A stable sort: within a price the order of the queue stays.
        match side {
            Side::Bid => orders.sort_by_key(|order| std::cmp::Reverse(order.price)),
            Side::Ask => orders.sort_by_key(|order| order.price),
        }
        orders.into_iter()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let mut levels: Vec<Level> = Vec::new();
        for order in self.orders(side) {
            if levels.last().is_none_or(|level| level.price != order.price) {
                levels.push(Level {
                    price: order.price,
                    quantity: BaseLots::ZERO,
                    hidden: BaseLots::ZERO,
                    orders: 0,
                });
            }
            let level = levels.last_mut().expect("one was pushed if none was there");
            let hidden = order.remaining - order.shown;
            level.quantity = bounded_sum(level.quantity, order.shown);
            level.hidden = bounded_sum(level.hidden, hidden);
            level.orders += 1;
        }
        levels.into_iter()
    }

    fn place(&self, order_id: OrderId) -> Option<usize> {
        let mut orders = self.queue.iter();
        orders.position(|order| order.order_id == order_id)
    }

    /// The taker meets whoever stands first. `None`: they leave each other alone.
    fn meet_first(
        &mut self,
        taker: &Taker,
        group_of: impl Fn(AccountId) -> GroupId,
        taken: &mut Taken,
    ) -> Option<Meeting> {
        let first = self.orders(taker.side.opposite()).next();
        let maker = first.expect("a crossed side has a first order");
        let order_id = maker.order_id;
        if is_over(&maker, taker.now) {
            self.cancel(order_id);
            return Some(Meeting::Expired(maker));
        }
        let is_own = group_of(maker.account) == taker.group;
        match taker.self_trade {
            SelfTrade::CancelTaker if is_own => {
                taken.stopped = Some(Stopped::SelfTrade);
                None
            }
            SelfTrade::CancelMaker if is_own => {
                self.cancel(order_id);
                Some(Meeting::SelfTradeCancelled(maker))
            }
            SelfTrade::CancelBoth if is_own => {
                self.cancel(order_id);
                taken.stopped = Some(Stopped::SelfTrade);
                Some(Meeting::SelfTradeCancelled(maker))
            }
            SelfTrade::Decrement if is_own => Some(self.decrement(maker, taken)),
            _ => Some(self.fill(maker, taken)),
        }
    }

    fn decrement(&mut self, mut maker: RestingOrder, taken: &mut Taken) -> Meeting {
        let by = taken.remaining.min(maker.remaining);
        taken.remaining = taken.remaining - by;
        if taken.remaining.is_zero() {
            taken.stopped = Some(Stopped::SelfTrade);
        }
        maker.quantity = maker.quantity - by;
        maker.remaining = maker.remaining - by;
        maker.shown = maker.shown.min(maker.remaining);
        self.update(maker);
        Meeting::SelfTradeReduced { maker, by }
    }

    fn fill(&mut self, maker: RestingOrder, taken: &mut Taken) -> Meeting {
        let quantity = taken.remaining.min(maker.shown);
        taken.remaining = taken.remaining - quantity;
        taken.filled = taken.filled + quantity;
        let (maker, refreshed) = self.shrink_by_fill(maker, quantity);
        Meeting::Fill {
            maker,
            quantity,
            refreshed,
        }
    }

    /// Some of what an order shows fills. Returns it after that, and whether it shows the next part
    /// of itself.
    fn shrink_by_fill(&mut self, mut maker: RestingOrder, quantity: BaseLots) -> (Maker, bool) {
        maker.remaining = maker.remaining - quantity;
        maker.shown = maker.shown - quantity;
        let refreshed = maker.shown.is_zero() && !maker.remaining.is_zero();
        if refreshed {
            maker.shown = maker.display.min(maker.remaining);
        }
        self.update(maker);
        if refreshed {
            let place = self.place(maker.order_id).expect("something remains");
            let order = self.queue.remove(place);
            self.queue.push(order);
        }
        let maker = Maker {
            order_id: maker.order_id,
            account: maker.account,
            client_order_id: maker.client_order_id,
            price: maker.price,
            remaining: maker.remaining,
            stop: maker.stop,
            protected: maker.protected,
        };
        (maker, refreshed)
    }

    /// Puts an order back as it is now, or takes it off the book if nothing remains.
    fn update(&mut self, order: RestingOrder) {
        if order.remaining.is_zero() {
            self.cancel(order.order_id);
        } else {
            let place = self.place(order.order_id).expect("it rests");
            self.queue[place] = order;
        }
    }
}

fn is_over(order: &RestingOrder, now: LogTime) -> bool {
    order.expires_at != LogTime::ZERO && order.expires_at <= now
}

fn bounded_sum(one: BaseLots, other: BaseLots) -> BaseLots {
    BaseLots::new(one.get().saturating_add(other.get()))
}
