//! A second state built from events alone.
//!
//! Events must explain every balance, every open order and what the markets are like. The follower
//! applies outcomes to its own ledger and its own lists, by the same verbs and the same integer
//! products, and tests and fuzzing compare it with the engine's state.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use ledger::{Ledger, Trade};
use types::genesis::{Genesis, MarketSpec};
use types::outcome::{
    AccountOpened, BlockOutcome, Event, Fill, Indicative, Party, Reduced, StatusChanged,
};
use types::wire::query::{IndicativePrice, MarketState, OpenOrder};
use types::{AccountId, BaseLots, MarketId, OrderId, SequenceNumber};

use crate::transition::{held, needed};

/// Balances, open orders and what the markets are like, as of the last followed block.
#[derive(Debug)]
pub struct Follower {
    ledger: Ledger,
    markets: Vec<MarketSpec>,
    /// By market.
    states: Vec<MarketState>,
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
            states: (0..).zip(genesis.markets()).map(first_state).collect(),
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
                Event::StatusChanged(changed) => self.status_changed(&changed),
                Event::Indicative(indicative) => self.indicative(&indicative),
                Event::AccountOpened(opened) => self.account_opened(&opened),
                Event::Deposited(it) => self
                    .ledger
                    .deposit(it.account, it.asset, it.amount)
                    .expect("the supply is bounded"),
                Event::Withdrawn(it) => self
                    .ledger
                    .withdraw(it.account, it.asset, it.amount)
                    .expect("only what is free is withdrawn"),
                Event::KeyChanged(_) | Event::PolicySet(_) => {}
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

    /// What the markets are like, by id.
    pub fn market_states(&self) -> &[MarketState] {
        &self.states
    }

    /// An account like another of its owner, or the first of its owner.
    fn account_opened(&mut self, opened: &AccountOpened) {
        let opened_here = match self.ledger.account_at(&opened.owner) {
            Some(first) => self.ledger.open_sub_account(first),
            None => self.ledger.open_account(opened.owner),
        };
        assert_eq!(
            opened_here,
            Ok(opened.account),
            "accounts are numbered in order"
        );
        assert_eq!(self.ledger.group(opened.account), opened.group);
        self.open.push(HashMap::default());
    }

    /// The maker, and in an auction the taker, pay from what their orders hold; what an order holds
    /// beyond the trade's price comes back first.
    fn fill(&mut self, fill: &Fill) {
        let trade = Trade {
            taker_side: fill.taker_side,
            price: fill.price,
            quantity: fill.quantity,
            maker: fill.maker.account,
            taker: fill.taker.account,
        };
        self.shrink(&fill.maker, fill.maker_remaining, fill, Pays::FromHeld);
        if let Some(taker) = fill.auction {
            self.shrink(&fill.taker, taker.remaining, fill, Pays::FromFree);
        }
        let spec = &self.markets[fill.market.index()];
        let fees = self.ledger.settle(spec, &trade);
        assert_eq!(fees.maker_fee, fill.maker_fee, "fees follow from the fill");
        assert_eq!(fees.taker_fee, fill.taker_fee, "fees follow from the fill");
        self.states[fill.market.index()].last = Some(fill.price);
    }

    /// An open order has filled: what it held for that and does not pay from there is free.
    fn shrink(&mut self, owner: &Party, remaining: BaseLots, fill: &Fill, pays: Pays) {
        let orders = &mut self.open[owner.account.index()];
        let order = orders
            .get_mut(&owner.order_id)
            .expect("who fills is an open order");
        order.remaining = remaining;
        let spec = &self.markets[fill.market.index()];
        let terms = (order.price, order.resting.stop);
        let (asset, amount) = held(spec, order.side, terms, fill.quantity);
        let excess = match pays {
            Pays::FromHeld => amount - needed(spec, order.side, fill.price, fill.quantity).1,
            Pays::FromFree => amount,
        };
        if !excess.is_zero() {
            self.ledger.release(owner.account, asset, excess);
        }
        if remaining.is_zero() {
            orders.remove(&owner.order_id);
            self.ledger.order_closed(owner.account);
        }
    }

    /// An order's funds are held from here on.
    fn opened(&mut self, account: AccountId, order: OpenOrder) {
        let spec = &self.markets[order.market.index()];
        let terms = (order.price, order.resting.stop);
        let (asset, amount) = held(spec, order.side, terms, order.remaining);
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
        let terms = (order.price, order.resting.stop);
        let (asset, amount) = held(spec, order.side, terms, order.remaining);
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
        let terms = (order.price, order.resting.stop);
        let (asset, amount) = held(spec, order.side, terms, by);
        self.ledger.release(reduced.owner.account, asset, amount);
    }

    /// What an auction would have come to is past with it.
    fn status_changed(&mut self, changed: &StatusChanged) {
        let state = &mut self.states[changed.market.index()];
        state.status = changed.status;
        state.indicative = None;
    }

    fn indicative(&mut self, indicative: &Indicative) {
        let price = indicative.price.map(|price| IndicativePrice {
            price,
            volume: indicative.volume,
            surplus: indicative.surplus,
        });
        self.states[indicative.market.index()].indicative = price;
    }
}

/// A market that has not traded.
fn first_state((id, spec): (u16, &MarketSpec)) -> MarketState {
    MarketState {
        market: MarketId::new(id),
        status: spec.limits.status,
        last: None,
        indicative: None,
    }
}

/// Where the owner of an order that fills pays from.
#[derive(Clone, Copy)]
enum Pays {
    /// A maker.
    FromHeld,
    /// A taker.
    FromFree,
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

#[cfg(test)]
mod tests {
    use types::Ticks;
    use types::command::MarketStatus;
    use types::genesis::development;
    use types::outcome::EventRecord;

    use super::*;

    const SEQUENCE: SequenceNumber = SequenceNumber::new(3);
    const MARKET: MarketId = MarketId::new(1);

    /// Follows one event and compares what the market is like then: status and indicative price.
    fn check(
        follower: &mut Follower,
        event: EventRecord,
        status: MarketStatus,
        indicative: Option<u64>,
    ) {
        follower.follow(&BlockOutcome {
            last_sequence: SEQUENCE,
            events: vec![event],
            ..BlockOutcome::default()
        });
        let expected = MarketState {
            market: MARKET,
            status,
            last: None,
            indicative: indicative.map(|price| IndicativePrice {
                price: Ticks::new(price),
                volume: 7,
                surplus: -8,
            }),
        };
        assert_eq!(follower.market_states()[MARKET.index()], expected);
    }

    #[test]
    fn an_indicative_price_is_forgotten_with_its_auction() {
        let follower = &mut Follower::from_genesis(&development());
        let changed = |status| {
            EventRecord::from(&StatusChanged {
                sequence: SEQUENCE,
                market: MARKET,
                status,
            })
        };
        let indicative = |price: Option<u64>| {
            EventRecord::from(&Indicative {
                sequence: SEQUENCE,
                market: MARKET,
                price: price.map(Ticks::new),
                volume: 7,
                surplus: -8,
            })
        };
        use MarketStatus::{Auction, Halted};
        check(follower, changed(Auction), Auction, None);
        check(follower, indicative(Some(5)), Auction, Some(5));
        check(follower, indicative(Some(6)), Auction, Some(6));
        check(follower, indicative(None), Auction, None);
        check(follower, indicative(Some(6)), Auction, Some(6));
        check(follower, changed(Halted), Halted, None);
        let other = follower.market_states()[0];
        assert_eq!((other.status, other.indicative), (MarketStatus::Open, None));
    }
}
