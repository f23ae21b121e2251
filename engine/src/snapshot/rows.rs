//! What a snapshot holds, field by field: plain numbers in the order in which they lie.
//!
//! Numbers stand for choices as they do on the wire and in events: sides, statuses and self-trade
//! settings by their codes. Zero is "none" where zero is no legal value: labels, times, prices.

use ledger::StateTree;
use ledger::snapshot::LedgerSnapshot;
use matching::{ArmedOrder, Book, RestingOrder};
use rkyv::{Archive, Serialize};
use types::command::{Crossing, Immediate, OrderKind, StopLeg, TimeInForce};
use types::planted::{Bug, is_planted};
use types::{AccountId, MarketId, Side, Ticks};

use crate::market::MarketState;
use crate::protection::Scope;
use crate::state::State;

/// Everything that commands may change.
#[derive(Archive, Serialize, Debug)]
#[rkyv(attr(allow(missing_debug_implementations)))]
pub struct StateSnapshot<'a> {
    /// How far the total order was executed.
    pub position: PositionRow,
    /// Accounts, balances, keys, nonces.
    pub ledger: LedgerSnapshot<'a>,
    /// By market.
    pub markets: Vec<MarketRow>,
    /// Which markets of an account share a protection; by account and market.
    pub scopes: Vec<ScopeRow>,
    /// What has traded within each of them; by account and scope.
    pub counts: Vec<CountRow>,
}

/// A place in the total order.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct PositionRow {
    /// The last executed block.
    pub height: u64,
    /// The last executed command.
    pub sequence: u64,
    /// Logged time.
    pub time: u64,
    /// Hash of the last block's outcome.
    pub outcome_hash: [u8; 32],
}

/// One market.
#[derive(Archive, Serialize, Clone, Debug)]
#[rkyv(derive(Debug))]
pub struct MarketRow {
    /// Its status, by code.
    pub status: u8,
    /// Whether the book collects for an auction.
    pub is_collecting: bool,
    /// Whether the book has changed since the auction's price was published.
    pub is_stale: bool,
    /// When it was published.
    pub published_at: u64,
    /// The published price; zero: none.
    pub indicative_price: u64,
    /// How many lots would trade at it.
    pub indicative_volume: u128,
    /// How many would be left over.
    pub indicative_surplus: i128,
    /// The price of the last trade; zero: none.
    pub last_trade: u64,
    /// The price that the band lies around; zero: none.
    pub reference_price: u64,
    /// When it was taken.
    pub reference_since: u64,
    /// The resting orders: bids, then asks, in the order in which a taker would meet them.
    pub orders: Vec<OrderRow>,
    /// Their ids, account by account, by arrival.
    pub turns: Vec<u64>,
    /// The armed orders, by id.
    pub armed: Vec<ArmedRow>,
    /// The last quote set of each account, by account.
    pub quotes: Vec<QuotesRow>,
    /// Labels that were cancelled before their orders arrived, by account and label.
    pub remembered: Vec<RememberedRow>,
}

/// An order that rests.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct OrderRow {
    /// Its id.
    pub order_id: u64,
    /// Its label.
    pub client_order_id: u64,
    /// Its price.
    pub price: u64,
    /// Its whole size.
    pub quantity: u64,
    /// What is open.
    pub remaining: u64,
    /// How much it shows at a time; zero: all.
    pub display: u64,
    /// What it shows now.
    pub shown: u64,
    /// Till when it may trade; zero: for ever.
    pub expires_at: u64,
    /// The stop beside it.
    pub stop: StopRow,
    /// Who owns it.
    pub account: u32,
    /// Its side.
    pub side: u8,
    /// Whether it is protected.
    pub protected: bool,
}

/// A stop beside an order; none if its trigger is zero.
#[derive(Archive, Serialize, Clone, Copy, Debug, Default)]
#[rkyv(derive(Debug))]
pub struct StopRow {
    /// The price that sets it off.
    pub trigger: u64,
    /// The worst price accepted then.
    pub limit: u64,
    /// What to do on meeting the own group.
    pub self_trade: u8,
}

/// An order that waits for its trigger.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct ArmedRow {
    /// Its id.
    pub order_id: u64,
    /// Its label.
    pub client_order_id: u64,
    /// Its limit once it enters.
    pub price: u64,
    /// Its size.
    pub quantity: u64,
    /// What it waits for.
    pub trigger_price: u64,
    /// Once it rests: till when; zero: for ever.
    pub expires_at: u64,
    /// Once it rests: how much it shows at a time; zero: all.
    pub display: u64,
    /// Once it rests: the stop beside it.
    pub stop: StopRow,
    /// Who owns it.
    pub account: u32,
    /// Its side.
    pub side: u8,
    /// How it enters: 0 limit that rests, 1 immediate or cancel, 2 fill or kill, 3 market, 4 market
    /// all or nothing, 5 post-only, 6 post-only that slides.
    pub kind: u8,
    /// Which way the price has to come: 1 stop, 2 take profit.
    pub condition: u8,
    /// What to do on meeting the own group.
    pub self_trade: u8,
    /// Once it rests: whether it is protected.
    pub protected: bool,
}

/// An account's last quote set.
#[derive(Archive, Serialize, Clone, Debug)]
#[rkyv(derive(Debug))]
pub struct QuotesRow {
    /// Whose.
    pub account: u32,
    /// The set's number.
    pub number: u64,
    /// The ids of its bids, then of its asks, in the order of the set.
    pub orders: [Vec<u64>; 2],
}

/// A label that was cancelled before its order arrived.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct RememberedRow {
    /// Whose.
    pub account: u32,
    /// The label.
    pub label: u64,
    /// Till when.
    pub until: u64,
}

/// Where an account is protected.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct ScopeRow {
    /// Who.
    pub account: u32,
    /// Where.
    pub market: u16,
    /// With which other markets; zero: alone.
    pub group: u8,
}

/// What has traded under a protection.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct CountRow {
    /// Whose.
    pub account: u32,
    /// The market, if it is alone.
    pub market: u16,
    /// The group of markets; zero: the market is alone.
    pub group: u8,
    /// Whether a limit was reached.
    pub is_tripped: bool,
    /// The window.
    pub window_ns: u64,
    /// The limit of fills; zero: none.
    pub fills_max: u64,
    /// The limit of lots; zero: none.
    pub lots_max: u64,
    /// The limit of notional; zero: none.
    pub notional_max: u128,
    /// When the window began.
    pub since: u64,
    /// Fills within it.
    pub fills: u64,
    /// Lots within it.
    pub lots: u128,
    /// Notional within it.
    pub notional: u128,
}

impl State {
    /// The state as it lies in a checkpoint. The tree must be up to date with its ledger.
    pub fn snapshot(&self, tree: &StateTree) -> StateSnapshot<'_> {
        let position = self.position();
        let markets = self.market_states();
        StateSnapshot {
            position: PositionRow {
                height: position.height.get(),
                sequence: position.sequence.get(),
                time: position.time.get(),
                outcome_hash: *position.outcome_hash.as_bytes(),
            },
            ledger: self.ledger().snapshot(tree),
            markets: markets.map(|(_, _, state)| market_row(state)).collect(),
            scopes: self
                .protections()
                .scopes()
                .into_iter()
                .map(scope_row)
                .collect(),
            counts: self.count_rows().collect(),
        }
    }

    fn count_rows(&self) -> impl Iterator<Item = CountRow> {
        self.protections()
            .counts()
            .into_iter()
            .map(|(account, scope, count)| {
                let (market, group) = scope_numbers(scope);
                CountRow {
                    account: account.get(),
                    market,
                    group,
                    is_tripped: count.is_tripped,
                    window_ns: count.limits.window_ns,
                    fills_max: count.limits.fills,
                    lots_max: count.limits.lots.get(),
                    notional_max: count.limits.notional.get(),
                    since: count.since.get(),
                    fills: count.fills,
                    lots: count.lots,
                    notional: count.notional.get(),
                }
            })
    }
}

fn market_row(state: &MarketState) -> MarketRow {
    let orders = Side::BOTH.into_iter();
    let orders = orders.flat_map(|side| state.book.orders(side));
    let quotes = state.quotes.iter().map(|(account, set)| QuotesRow {
        account: account.get(),
        number: set.number,
        orders: [&set.orders[0], &set.orders[1]]
            .map(|orders| orders.iter().map(|order_id| order_id.get()).collect()),
    });
    let remembered = state.remembered.iter();
    let remembered = remembered.map(|(account, label, until)| RememberedRow {
        account: account.get(),
        label: label.get(),
        until: until.get(),
    });
    let published = state.indicative.published;
    MarketRow {
        status: state.status as u8,
        is_collecting: state.book.is_collecting(),
        is_stale: state.indicative.is_stale,
        published_at: state.indicative.published_at.get(),
        indicative_price: published.map_or(0, |it| it.price.get()),
        indicative_volume: published.map_or(0, |it| it.volume),
        indicative_surplus: published.map_or(0, |it| it.surplus),
        last_trade: state.last_trade.map_or(0, Ticks::get),
        reference_price: state.reference.map_or(0, |it| it.price.get()),
        reference_since: state.reference.map_or(0, |it| it.since.get()),
        orders: orders.map(|order| order_row(&order)).collect(),
        turns: turns(&state.book),
        armed: state.triggers.orders().map(armed_row).collect(),
        quotes: quotes.collect(),
        remembered: remembered.collect(),
    }
}

fn turns(book: &Book) -> Vec<u64> {
    let mut turns: Vec<u64> = book.turns().map(|order_id| order_id.get()).collect();
    if is_planted(Bug::TurnsMissing) {
        turns.sort_unstable();
    }
    turns
}

fn order_row(order: &RestingOrder) -> OrderRow {
    OrderRow {
        order_id: order.order_id.get(),
        client_order_id: order.client_order_id.get(),
        price: order.price.get(),
        quantity: order.quantity.get(),
        remaining: order.remaining.get(),
        display: order.display.get(),
        shown: order.shown.get(),
        expires_at: order.expires_at.get(),
        stop: stop_row(order.stop),
        account: order.account.get(),
        side: order.side as u8,
        protected: order.protected,
    }
}

fn stop_row(stop: Option<StopLeg>) -> StopRow {
    stop.map_or_else(StopRow::default, |stop| StopRow {
        trigger: stop.trigger.get(),
        limit: stop.limit.get(),
        self_trade: stop.self_trade as u8,
    })
}

fn armed_row(order: ArmedOrder) -> ArmedRow {
    let resting = order.kind.resting().unwrap_or_default();
    ArmedRow {
        order_id: order.order_id.get(),
        client_order_id: order.client_order_id.get(),
        price: order.price.get(),
        quantity: order.quantity.get(),
        trigger_price: order.trigger.price.get(),
        expires_at: resting.expires_at.get(),
        display: resting.display.get(),
        stop: stop_row(resting.stop),
        account: order.account.get(),
        side: order.side as u8,
        kind: kind_code(order.kind),
        condition: order.trigger.condition as u8,
        self_trade: order.self_trade as u8,
        protected: resting.protected,
    }
}

/// How an armed order will enter, as a number of its own.
pub(crate) const fn kind_code(kind: OrderKind) -> u8 {
    match kind {
        OrderKind::Limit(TimeInForce::Rest(_)) => 0,
        OrderKind::Limit(TimeInForce::Immediate(Immediate::OrCancel)) => 1,
        OrderKind::Limit(TimeInForce::Immediate(Immediate::OrKill)) => 2,
        OrderKind::Market(Immediate::OrCancel) => 3,
        OrderKind::Market(Immediate::OrKill) => 4,
        OrderKind::PostOnly(Crossing::Reject, _) => 5,
        OrderKind::PostOnly(Crossing::Slide, _) => 6,
    }
}

fn scope_row((account, market, scope): (AccountId, MarketId, Scope)) -> ScopeRow {
    ScopeRow {
        account: account.get(),
        market: market.get(),
        group: scope_numbers(scope).1,
    }
}

const fn scope_numbers(scope: Scope) -> (u16, u8) {
    match scope {
        Scope::Market(market) => (market.get(), 0),
        Scope::Group(group) => (0, group),
    }
}
