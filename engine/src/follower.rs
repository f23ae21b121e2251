//! A second state built from events alone.
//!
//! Queries must not touch the engine's memory, and events must explain every balance. The follower
//! serves both: it applies released outcomes to its own ledger and its own list of open orders, by
//! the same verbs and the same integer products, and tests compare it with the engine's state.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use ledger::{Ledger, Trade};
use types::genesis::{Genesis, MarketSpec};
use types::outcome::{BlockOutcome, Event, Fill, Party, Reduced};
use types::wire::query::OpenOrder;
use types::{AccountId, OrderId, SequenceNumber};

use crate::transition::needed;

/// Balances and open orders as of the last followed block.
#[derive(Debug)]
pub struct Follower {
    ledger: Ledger,
    markets: Vec<MarketSpec>,
    /// By account. Order ids are ours, so nobody can aim at this hash; it is never iterated into
    /// an answer without sorting.
    open: Vec<HashMap<OrderId, OpenOrder, BuildHasherDefault<OrderIdHasher>>>,
    sequence: SequenceNumber,
}

impl Follower {
    /// Before the first block.
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self {
            ledger: Ledger::from_genesis(genesis),
            markets: genesis.markets().to_vec(),
            open: vec![HashMap::default(); genesis.accounts().len()],
            sequence: SequenceNumber::ZERO,
        }
    }

    /// Applies the next outcome.
    pub fn follow(&mut self, outcome: &BlockOutcome) {
        for record in &outcome.events {
            match record.event() {
                Event::Fill(fill) => self.fill(&fill),
                Event::Rested(rested) => self.opened(
                    rested.owner.account,
                    OpenOrder {
                        order_id: rested.owner.order_id,
                        client_order_id: rested.owner.client_order_id,
                        market: rested.market,
                        side: rested.side,
                        price: rested.price,
                        remaining: rested.quantity,
                        resting: rested.resting,
                        trigger: None,
                    },
                ),
                Event::Armed(armed) => self.opened(
                    armed.owner.account,
                    OpenOrder {
                        order_id: armed.owner.order_id,
                        client_order_id: armed.owner.client_order_id,
                        market: armed.market,
                        side: armed.side,
                        price: armed.price,
                        remaining: armed.quantity,
                        resting: armed.resting,
                        trigger: Some(armed.trigger),
                    },
                ),
                Event::Triggered(triggered) => self.closed(&triggered.owner),
                Event::Done(done) if done.held => self.closed(&done.owner),
                Event::Done(_) => {}
                Event::Reduced(reduced) => self.reduced(&reduced),
                Event::Transferred(movement) => self
                    .ledger
                    .transfer(movement.from, movement.to, movement.asset, movement.amount)
                    .expect("only covered transfers happen"),
            }
        }
        self.sequence = outcome.last_sequence;
    }

    /// The balances.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The last sequence number that the answers include.
    pub const fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// An account's open orders, oldest first.
    pub fn open_orders(&self, account: AccountId) -> Vec<OpenOrder> {
        let mut orders: Vec<OpenOrder> = self
            .open
            .get(account.index())
            .map(|orders| orders.values().copied().collect())
            .unwrap_or_default();
        orders.sort_unstable_by_key(|order| order.order_id);
        orders
    }

    fn fill(&mut self, fill: &Fill) {
        let trade = Trade {
            taker_side: fill.taker_side,
            price: fill.price,
            quantity: fill.quantity,
            maker: fill.maker.account,
            taker: fill.taker.account,
        };
        let spec = &self.markets[fill.market.index()];
        let fees = self.ledger.settle(spec, &trade);
        assert_eq!(fees.maker_fee, fill.maker_fee, "fees follow from the fill");
        assert_eq!(fees.taker_fee, fill.taker_fee, "fees follow from the fill");
        let orders = &mut self.open[fill.maker.account.index()];
        if fill.maker_remaining.is_zero() {
            orders.remove(&fill.maker.order_id);
            self.ledger.order_closed(fill.maker.account);
        } else {
            let order = orders
                .get_mut(&fill.maker.order_id)
                .expect("makers are open orders");
            order.remaining = fill.maker_remaining;
        }
    }

    /// An order's funds are held from here on.
    fn opened(&mut self, account: AccountId, order: OpenOrder) {
        let spec = &self.markets[order.market.index()];
        let (asset, amount) = needed(spec, order.side, order.price, order.remaining);
        self.ledger
            .hold(account, asset, amount)
            .expect("only covered orders are opened");
        self.ledger.order_opened(account);
        self.open[account.index()].insert(order.order_id, order);
    }

    /// An order's hold ends.
    fn closed(&mut self, owner: &Party) {
        let order = self.open[owner.account.index()]
            .remove(&owner.order_id)
            .expect("only open orders end");
        let spec = &self.markets[order.market.index()];
        let (asset, amount) = needed(spec, order.side, order.price, order.remaining);
        self.ledger.release(owner.account, asset, amount);
        self.ledger.order_closed(owner.account);
    }

    fn reduced(&mut self, reduced: &Reduced) {
        let order = self.open[reduced.owner.account.index()]
            .get_mut(&reduced.owner.order_id)
            .expect("only open orders shrink");
        let by = order.remaining - reduced.remaining;
        assert_eq!(by, reduced.by, "sizes follow from what happened before");
        order.remaining = reduced.remaining;
        let spec = &self.markets[order.market.index()];
        let (asset, amount) = needed(spec, order.side, order.price, by);
        self.ledger.release(reduced.owner.account, asset, amount);
    }
}

/// One multiplication: order ids are unique and ours, so nothing stronger is needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderIdHasher(u64);

impl Hasher for OrderIdHasher {
    fn finish(&self) -> u64 {
        // The table uses the highest and the lowest bits.
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("order ids hash as one u64");
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
