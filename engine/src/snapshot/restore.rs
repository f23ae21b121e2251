//! From a snapshot back to the state.

use ledger::Ledger;
use ledger::snapshot::Contradiction;
use matching::{ArmedOrder, Book, Indication, NotABook, RestingOrder, Triggers};
use rkyv::util::AlignedVec;
use types::command::{
    Crossing, Immediate, MarketStatus, OrderKind, ProtectionLimits, Resting, SelfTrade, StopLeg,
    TimeInForce, Trigger, TriggerCondition,
};
use types::genesis::{Genesis, GenesisAccount};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::Digest;
use types::phase::Phase;
use types::{
    AccountId, Atoms, BaseLots, ClientOrderId, Height, LogTime, MarketId, OrderId, SequenceNumber,
    Side, Ticks,
};

use super::edge::encode_edge;
use super::rows::{
    ArchivedArmedRow, ArchivedMarketRow, ArchivedOrderRow, ArchivedStateSnapshot, ArchivedStopRow,
};
use super::sessions::encode_sessions;
use crate::clusters::Clusters;
use crate::market::{Indicative, MarketState, QuotedSet, Quotes, Reference, RememberedCancels};
use crate::protection::{Count, Scope};
use crate::sessions::Sessions;
use crate::state::{Position, State};
use crate::view::StateView;

impl State {
    /// The state that a snapshot was made of, with what lies beside it, of which checkpoints of older
    /// versions have less: nothing then, and an open exchange. What never changes comes from the genesis, which must be the one that the snapshot's history started from.
    pub fn restore(
        snapshot: &ArchivedStateSnapshot<'_>,
        beside: Beside<'_>,
        genesis: &Genesis,
        hash_seed: u64,
    ) -> Result<Self, Contradiction> {
        let ledger = Ledger::restore(&snapshot.ledger)?;
        let is_same = is_grown(&ledger, genesis)
            && usize::from(ledger.asset_count()) == genesis.assets().len()
            && snapshot.markets.len() == genesis.markets().len();
        Contradiction::unless(is_same, "accounts, assets and markets are the genesis'")?;
        let mut markets = Vec::with_capacity(snapshot.markets.len());
        for row in snapshot.markets.iter() {
            markets.push(market(row, hash_seed)?);
        }
        let position = &snapshot.position;
        let mut state = Self::from_parts(
            genesis,
            ledger,
            markets,
            (
                protections(snapshot, genesis.markets().len())?,
                Sessions::default(),
            ),
            Position {
                height: Height::new(position.height.to_native()),
                sequence: SequenceNumber::new(position.sequence.to_native()),
                time: LogTime::new(position.time.to_native()),
                outcome_hash: Digest::new(position.outcome_hash),
            },
        );
        state.check_holds()?;
        if let Some(sessions) = beside.sessions {
            state.restore_sessions(sessions)?;
        }
        if let Some(edge) = beside.edge {
            state.restore_edge(edge)?;
        }
        if let Some(phase) = beside.phase {
            state.set_phase(decode_phase(phase)?);
        }
        Ok(state)
    }
}

/// What lies beside a snapshot in its checkpoint, as bytes; what an older version does not have is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// Keys, policies and what they have done.
    pub sessions: Option<&'a [u8]>,
    /// What has crossed the edge, agents and timers of accounts.
    pub edge: Option<&'a [u8]>,
    /// Whether the exchange is open.
    pub phase: Option<&'a [u8]>,
}

/// The same, written down.
#[derive(Debug)]
pub struct BesideBytes {
    /// Keys, policies and what they have done.
    pub sessions: AlignedVec,
    /// What has crossed the edge, agents and timers of accounts.
    pub edge: AlignedVec,
    /// Whether the exchange is open.
    pub phase: [u8; 1],
}

impl BesideBytes {
    /// What lies beside the snapshot of this state.
    pub fn of(state: &State) -> Self {
        Self {
            sessions: encode_sessions(&state.sessions_snapshot()),
            edge: encode_edge(&state.edge_snapshot()),
            phase: encode_phase(state.phase()),
        }
    }

    /// To be read.
    pub fn read(&self) -> Beside<'_> {
        Beside {
            sessions: Some(&self.sessions),
            edge: Some(&self.edge),
            phase: Some(&self.phase),
        }
    }
}

/// Whether these are the accounts of the genesis, and perhaps others that were opened later.
fn is_grown(ledger: &Ledger, genesis: &Genesis) -> bool {
    let listed = genesis.accounts();
    let is_same = |(id, spec): (AccountId, &GenesisAccount)| {
        ledger.owner(id) == spec.owner && ledger.group(id) == spec.group
    };
    listed.len() <= ledger.account_count() as usize
        && (0..).map(AccountId::new).zip(listed).all(is_same)
}

/// The phase, as it lies in a checkpoint: its number.
const fn encode_phase(phase: Phase) -> [u8; 1] {
    [phase as u8]
}

fn decode_phase(bytes: &[u8]) -> Result<Phase, Contradiction> {
    let phase = match bytes {
        [code] => Phase::from_code(*code),
        _ => None,
    };
    phase.ok_or(Contradiction("a phase of no number"))
}

fn market(row: &ArchivedMarketRow, hash_seed: u64) -> Result<MarketState, Contradiction> {
    let status = MarketStatus::from_code(row.status);
    let status = status.ok_or(Contradiction("a status of no number"))?;
    let is_fitting = row.is_collecting || status != MarketStatus::Auction;
    let is_closed = !matches!(status, MarketStatus::Open | MarketStatus::PostOnly);
    let is_fitting = is_fitting && (!row.is_collecting || is_closed);
    Contradiction::unless(is_fitting, "the book collects in an auction")?;
    let mut orders = Vec::with_capacity(row.orders.len());
    for row in row.orders.iter() {
        orders.push(resting_order(row)?);
    }
    let turns = row.turns.iter().map(|turn| OrderId::new(turn.to_native()));
    let book = Book::restore(hash_seed, row.is_collecting, orders.iter().copied(), turns)
        .map_err(|NotABook(what)| Contradiction(what))?;
    let mut state = MarketState::new(hash_seed, status);
    state.triggers = triggers(row, &book, &orders)?;
    state.book = book;
    state.last_trade = price_or_none(row.last_trade.to_native())?;
    state.reference = price_or_none(row.reference_price.to_native())?.map(|price| Reference {
        price,
        since: LogTime::new(row.reference_since.to_native()),
    });
    let published = price_or_none(row.indicative_price.to_native())?;
    state.indicative = Indicative {
        is_stale: row.is_stale,
        published_at: LogTime::new(row.published_at.to_native()),
        published: published.map(|price| Indication {
            price,
            volume: row.indicative_volume.to_native(),
            surplus: row.indicative_surplus.to_native(),
        }),
    };
    let quotes = row.quotes.iter().map(|row| {
        let orders = [&row.orders[0], &row.orders[1]];
        let set = QuotedSet {
            number: row.number.to_native(),
            orders: orders.map(|ids| ids.iter().map(|id| OrderId::new(id.to_native())).collect()),
        };
        (AccountId::new(row.account.to_native()), set)
    });
    state.quotes = Quotes::restore(quotes);
    state.remembered = remembered(row)?;
    Ok(state)
}

fn remembered(row: &ArchivedMarketRow) -> Result<RememberedCancels, Contradiction> {
    let mut remembered = RememberedCancels::default();
    for row in row.remembered.iter() {
        let account = AccountId::new(row.account.to_native());
        let label = ClientOrderId::new(row.label.to_native());
        Contradiction::unless(!label.is_none(), "a label is a label")?;
        let until = LogTime::new(row.until.to_native());
        let has_room = remembered.has_room(account, label, LogTime::ZERO);
        Contradiction::unless(has_room, "few labels are remembered")?;
        remembered.remember(account, label, until);
    }
    Ok(remembered)
}

/// The armed orders, and the stops beside resting ones.
fn triggers(
    row: &ArchivedMarketRow,
    book: &Book,
    orders: &[RestingOrder],
) -> Result<Triggers, Contradiction> {
    let mut triggers = Triggers::new();
    for row in row.armed.iter() {
        let order = armed_order(row)?;
        let is_new =
            triggers.order(order.order_id).is_none() && book.order(order.order_id).is_none();
        Contradiction::unless(is_new, "ids are unique")?;
        let (account, label) = (order.account, order.client_order_id);
        let is_labelled = !label.is_none()
            && (triggers.labelled(account, label).is_some()
                || book.labelled(account, label).is_some());
        Contradiction::unless(!is_labelled, "labels are unique")?;
        triggers.arm(&order);
    }
    for order in orders {
        if let Some(stop) = order.stop {
            triggers.attach(order.order_id, order.side, stop.trigger);
        }
    }
    Ok(triggers)
}

fn resting_order(row: &ArchivedOrderRow) -> Result<RestingOrder, Contradiction> {
    Ok(RestingOrder {
        order_id: OrderId::new(row.order_id.to_native()),
        account: AccountId::new(row.account.to_native()),
        client_order_id: ClientOrderId::new(row.client_order_id.to_native()),
        side: side(row.side)?,
        price: Ticks::new(row.price.to_native()),
        quantity: BaseLots::new(row.quantity.to_native()),
        remaining: BaseLots::new(row.remaining.to_native()),
        display: BaseLots::new(row.display.to_native()),
        shown: BaseLots::new(row.shown.to_native()),
        expires_at: LogTime::new(row.expires_at.to_native()),
        stop: stop(&row.stop)?,
        protected: row.protected,
    })
}

fn armed_order(row: &ArchivedArmedRow) -> Result<ArmedOrder, Contradiction> {
    let resting = Resting {
        expires_at: LogTime::new(row.expires_at.to_native()),
        display: BaseLots::new(row.display.to_native()),
        stop: stop(&row.stop)?,
        protected: row.protected,
    };
    let kind = match row.kind {
        0 => OrderKind::Limit(TimeInForce::Rest(resting)),
        1 => OrderKind::Limit(TimeInForce::Immediate(Immediate::OrCancel)),
        2 => OrderKind::Limit(TimeInForce::Immediate(Immediate::OrKill)),
        3 => OrderKind::Market(Immediate::OrCancel),
        4 => OrderKind::Market(Immediate::OrKill),
        5 => OrderKind::PostOnly(Crossing::Reject, resting),
        6 => OrderKind::PostOnly(Crossing::Slide, resting),
        _ => return Err(Contradiction("a kind of no number")),
    };
    let condition = match row.condition {
        1 => TriggerCondition::Stop,
        2 => TriggerCondition::TakeProfit,
        _ => return Err(Contradiction("a condition of no number")),
    };
    let quantity = BaseLots::new(row.quantity.to_native());
    let is_legal = !quantity.is_zero() && quantity.get() <= QUANTITY_LOTS_MAX;
    Contradiction::unless(is_legal, "sizes are legal")?;
    Ok(ArmedOrder {
        order_id: OrderId::new(row.order_id.to_native()),
        account: AccountId::new(row.account.to_native()),
        client_order_id: ClientOrderId::new(row.client_order_id.to_native()),
        side: side(row.side)?,
        kind,
        price: price(row.price.to_native())?,
        quantity,
        self_trade: self_trade(row.self_trade)?,
        trigger: Trigger {
            condition,
            price: price(row.trigger_price.to_native())?,
        },
    })
}

fn stop(row: &ArchivedStopRow) -> Result<Option<StopLeg>, Contradiction> {
    let Some(trigger) = price_or_none(row.trigger.to_native())? else {
        return Ok(None);
    };
    Ok(Some(StopLeg {
        trigger,
        limit: price(row.limit.to_native())?,
        self_trade: self_trade(row.self_trade)?,
    }))
}

fn protections(
    snapshot: &ArchivedStateSnapshot<'_>,
    markets: usize,
) -> Result<Clusters, Contradiction> {
    let scope = |market: u16, group: u8| match group {
        0 => Scope::Market(MarketId::new(market)),
        group => Scope::Group(group),
    };
    let scopes = snapshot.scopes.iter().map(|row| {
        let market = row.market.to_native();
        let place = (
            AccountId::new(row.account.to_native()),
            MarketId::new(market),
        );
        (place, scope(market, row.group))
    });
    let counts = snapshot.counts.iter().map(|row| {
        let place = AccountId::new(row.account.to_native());
        let place = (place, scope(row.market.to_native(), row.group));
        let count = Count {
            limits: ProtectionLimits {
                window_ns: row.window_ns.to_native(),
                fills: row.fills_max.to_native(),
                lots: BaseLots::new(row.lots_max.to_native()),
                notional: Atoms::new(row.notional_max.to_native()),
            },
            since: LogTime::new(row.since.to_native()),
            fills: row.fills.to_native(),
            lots: row.lots.to_native(),
            notional: Atoms::new(row.notional.to_native()),
            is_tripped: row.is_tripped,
        };
        (place, count)
    });
    let (scopes, counts): (Vec<_>, Vec<_>) = (scopes.collect(), counts.collect());
    let clusters = Clusters::restore(markets, &scopes, &counts);
    clusters.ok_or(Contradiction("every protection is counted"))
}

fn side(code: u8) -> Result<Side, Contradiction> {
    let side = Side::BOTH.into_iter().find(|side| *side as u8 == code);
    side.ok_or(Contradiction("a side of no number"))
}

fn self_trade(code: u8) -> Result<SelfTrade, Contradiction> {
    SelfTrade::from_code(code).ok_or(Contradiction("a self-trade setting of no number"))
}

/// A price; zero stands for none.
fn price_or_none(ticks: u64) -> Result<Option<Ticks>, Contradiction> {
    match ticks {
        0 => Ok(None),
        _ => price(ticks).map(Some),
    }
}

fn price(ticks: u64) -> Result<Ticks, Contradiction> {
    let is_legal = 0 < ticks && ticks <= PRICE_TICKS_MAX;
    Contradiction::unless(is_legal, "prices are legal")?;
    Ok(Ticks::new(ticks))
}
