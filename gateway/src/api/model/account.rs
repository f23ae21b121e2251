//! What one account has: balances, orders, fills.

use std::collections::{BTreeMap, HashMap, VecDeque};

use types::action::Cloid;
use types::command::{OrderKind, Place, TimeInForce, Trigger};
use types::genesis::{MarketSpec, OwnerAddress};
use types::outcome::{Digest, DoneReason, Fill};
use types::wire::query::OpenOrder;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, MarketId, OrderId, SequenceNumber, Side,
    Ticks,
};

use super::{TradedAt, push_bounded};

/// Ended orders that are kept of an account, and fills.
pub(super) const HISTORY_MAX: usize = 1_000;
/// Labels of traders that are kept of an account beyond those of its open orders.
const CLOIDS_MAX: usize = 4_096;

/// One account.
#[derive(Debug)]
pub(crate) struct Account {
    /// What traders know it by.
    pub(crate) address: OwnerAddress,
    /// Of which account it is another, if it is.
    pub(crate) main: Option<AccountId>,
    /// Free and held, by asset.
    pub(crate) balances: BTreeMap<AssetId, (Atoms, Atoms)>,
    /// Orders that have not ended.
    pub(crate) orders: BTreeMap<OrderId, Order>,
    /// Those that have, oldest first.
    pub(crate) ended: VecDeque<Order>,
    /// Its fills, oldest first.
    pub(crate) fills: VecDeque<OwnFill>,
    /// Goes up whenever something of it changes.
    pub(crate) version: u64,
    cloids: HashMap<ClientOrderId, Cloid>,
    cloid_order: VecDeque<ClientOrderId>,
}

/// An order's life so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    pub(crate) price: Ticks,
    /// As it was asked for.
    pub(crate) size: BaseLots,
    pub(crate) filled: BaseLots,
    pub(crate) remaining: BaseLots,
    pub(crate) label: ClientOrderId,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) tif: &'static str,
    /// In milliseconds, as is the next.
    pub(crate) placed_at: u64,
    pub(crate) status: Status,
    pub(crate) status_at: u64,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// On its way through the book.
    Entering,
    /// On the book, or waiting for its trigger.
    Open,
    /// Set off.
    Triggered,
    /// All of it.
    Filled,
    /// Ended before.
    Done(DoneReason),
}

impl Status {
    /// The dialect's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Entering | Self::Open => "open",
            Self::Triggered => "triggered",
            Self::Filled => "filled",
            Self::Done(DoneReason::SelfTrade) => "selfTradeCanceled",
            Self::Done(DoneReason::Timer | DoneReason::Disconnected) => "scheduledCancel",
            Self::Done(_) => "canceled",
        }
    }

    pub(crate) const fn has_ended(self) -> bool {
        matches!(self, Self::Filled | Self::Done(_))
    }
}

/// A fill, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnFill {
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    pub(crate) price: Ticks,
    pub(crate) lots: BaseLots,
    pub(crate) time: u64,
    pub(crate) order: OrderId,
    pub(crate) label: ClientOrderId,
    pub(crate) is_taker: bool,
    /// Negative: a rebate.
    pub(crate) fee: i128,
    pub(crate) fee_asset: AssetId,
    /// The trade's own number.
    pub(crate) trade: u64,
    /// The record in the journal that it is in.
    pub(crate) record: Digest,
}

impl Account {
    pub(super) fn new(address: OwnerAddress, main: Option<AccountId>) -> Self {
        Self {
            address,
            main,
            balances: BTreeMap::new(),
            orders: BTreeMap::new(),
            ended: VecDeque::new(),
            fills: VecDeque::new(),
            version: 0,
            cloids: HashMap::new(),
            cloid_order: VecDeque::new(),
        }
    }

    /// Its orders on the book and those that wait, oldest first.
    pub(crate) fn open_orders(&self) -> impl Iterator<Item = &Order> {
        let orders = self.orders.values();
        orders.filter(|order| order.status == Status::Open)
    }

    /// An order, ended or not.
    pub(crate) fn order(&self, id: OrderId) -> Option<&Order> {
        let ended = || self.ended.iter().rev().find(|order| order.id == id);
        self.orders.get(&id).or_else(ended)
    }

    /// The last order of this label.
    pub(crate) fn order_labelled(&self, label: ClientOrderId) -> Option<&Order> {
        let is_it = |order: &&Order| order.label == label;
        let ended = || self.ended.iter().rev().find(is_it);
        self.orders.values().rev().find(is_it).or_else(ended)
    }

    /// What its owner calls an order of this label; one that was placed by other means has none.
    pub(crate) fn cloid(&self, label: ClientOrderId) -> Option<&Cloid> {
        self.cloids.get(&label)
    }

    /// Remembers what a label is called.
    pub(super) fn remember(&mut self, label: ClientOrderId, cloid: Cloid) {
        if self.cloids.insert(label, cloid).is_some() {
            return;
        }
        self.cloid_order.push_back(label);
        if self.cloid_order.len() > CLOIDS_MAX
            && let Some(oldest) = self.cloid_order.pop_front()
        {
            let is_open = self.orders.values().any(|order| order.label == oldest);
            if is_open {
                self.cloid_order.push_back(oldest);
            } else {
                self.cloids.remove(&oldest);
            }
        }
    }

    /// Moves an order to those that have ended, if it has.
    pub(super) fn settle(&mut self, id: OrderId) {
        if self.orders.get(&id).is_some_and(|it| it.status.has_ended())
            && let Some(order) = self.orders.remove(&id)
        {
            push_bounded(&mut self.ended, order, HISTORY_MAX);
        }
    }

    pub(super) fn push_fill(&mut self, fill: OwnFill) {
        push_bounded(&mut self.fills, fill, HISTORY_MAX);
    }
}

impl OwnFill {
    /// A fill as one of its two parties sees it, and who that is.
    pub(super) fn of(
        spec: &MarketSpec,
        fill: &Fill,
        is_taker: bool,
        at: &TradedAt,
    ) -> (AccountId, Self) {
        let receives = |side| match side {
            Side::Bid => spec.base,
            Side::Ask => spec.quote,
        };
        let taker_fee = i128::try_from(fill.taker_fee.get()).unwrap_or(i128::MAX);
        let (party, side, fee) = if is_taker {
            (&fill.taker, fill.taker_side, taker_fee)
        } else {
            (&fill.maker, fill.taker_side.opposite(), fill.maker_fee)
        };
        // A rebate comes out of what the taker receives.
        let charged = if fee < 0 { fill.taker_side } else { side };
        let own = Self {
            market: fill.market,
            side,
            price: fill.price,
            lots: fill.quantity,
            time: at.time,
            order: party.order_id,
            label: party.client_order_id,
            is_taker,
            fee,
            fee_asset: receives(charged),
            trade: at.number,
            record: at.record,
        };
        (party.account, own)
    }
}

impl Order {
    /// An order that was accepted.
    pub(super) fn placed(place: &Place, sequence: SequenceNumber, time: u64) -> Self {
        Self {
            id: OrderId::new_at(sequence, place.market, 0),
            market: place.market,
            side: place.side,
            price: place.price,
            size: place.quantity,
            filled: BaseLots::ZERO,
            remaining: place.quantity,
            label: place.client_order_id,
            trigger: place.trigger,
            tif: tif(place.kind),
            placed_at: time,
            status: Status::Entering,
            status_at: time,
        }
    }

    /// One of which nothing else is known.
    pub(super) fn open(order: &OpenOrder, time: u64) -> Self {
        Self {
            id: order.order_id,
            market: order.market,
            side: order.side,
            price: order.price,
            size: order.remaining,
            filled: BaseLots::ZERO,
            remaining: order.remaining,
            label: order.client_order_id,
            trigger: order.trigger,
            tif: "Gtc",
            placed_at: time,
            status: Status::Open,
            status_at: time,
        }
    }
}

const fn tif(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::PostOnly(..) => "Alo",
        OrderKind::Limit(TimeInForce::Rest(_)) => "Gtc",
        OrderKind::Limit(TimeInForce::Immediate(_)) | OrderKind::Market(_) => "Ioc",
    }
}
