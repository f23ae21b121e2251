//! Ledger and books of one network, at one point of the total order.

use ledger::{KeyStatus, Ledger, WalletUse};
use types::auth::FrameKey;
use types::block::{Block, Entry};
use types::command::{MarketStatus, SetProtection, StopLeg};
use types::genesis::{Genesis, MarketSpec, OwnerAddress};
use types::limits::INDICATIVE_INTERVAL_NS;
use types::outcome::Digest;
use types::phase::Phase;
use types::{
    AccountId, AssetId, Atoms, BaseLots, GroupId, Height, KeyId, LogTime, MarketId, OrderId,
    RejectReason, SequenceNumber, Side, Ticks,
};

use crate::clusters::Clusters;
use crate::market::{MarketState, UndoMark};
use crate::protection::{Protections, Scope};
use crate::sessions::Sessions;
use crate::snapshot::{Contradiction, kind_code};
use crate::transition::held;
use crate::view::{MarketView, StateView};
use crate::watch::Watch;

const STATE_CONTEXT: &str = "keel 2026-11-23 engine state";

/// Everything that commands may change.
#[derive(Debug)]
pub struct State {
    ledger: Ledger,
    /// By account, as in the ledger; kept beside it so that a fill can move balances while the book asks
    /// who belongs together.
    groups: Vec<GroupId>,
    /// Who may open and close markets, by id; never changes after genesis.
    operators: Vec<AccountId>,
    markets: Vec<Market>,
    clusters: Clusters,
    sessions: Sessions,
    phase: Phase,
    position: Position,
    frame_key: FrameKey,
    genesis_hash: Digest,
}

#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) spec: MarketSpec,
    pub(crate) state: MarketState,
}

/// What the parallel executor deals out.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) groups: &'a [GroupId],
    pub(crate) operators: &'a [AccountId],
    pub(crate) markets: &'a mut [Market],
    pub(crate) clusters: &'a mut Clusters,
    pub(crate) sessions: &'a Sessions,
    pub(crate) phase: Phase,
}

/// How far the total order has been executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last executed block.
    pub height: Height,
    /// The last executed command.
    pub sequence: SequenceNumber,
    /// Logged time.
    pub time: LogTime,
    /// Hash of the last block's outcome, chained.
    pub outcome_hash: Digest,
}

impl Position {
    /// The block of these entries that comes next.
    pub const fn next_block(&self, entries: Vec<Entry>) -> Block {
        Block {
            height: self.height.next(),
            first_sequence: self.sequence.next(),
            entries,
        }
    }
}

/// Where a state was, for tests. The ledger is a copy: the executor keeps balances in a memory of
/// many versions, and has no need to take a change back.
#[doc(hidden)]
#[derive(Debug)]
pub struct StateMark {
    markets: Vec<UndoMark>,
    clusters: Clusters,
    sessions: Sessions,
    phase: Phase,
    ledger: Ledger,
    position: Position,
}

impl State {
    /// The state before the first command. `hash_seed` keeps strangers from aiming at the books'
    /// hash tables; nothing that leaves the engine depends on it.
    pub fn from_genesis(genesis: &Genesis, hash_seed: u64) -> Self {
        let markets = genesis.markets().iter();
        let markets = markets.map(|spec| MarketState::new(hash_seed, spec.limits.status));
        let position = Position {
            height: Height::ZERO,
            sequence: SequenceNumber::ZERO,
            time: LogTime::ZERO,
            outcome_hash: Digest::ZERO,
        };
        Self::from_parts(
            genesis,
            Ledger::from_genesis(genesis),
            markets.collect(),
            (Clusters::new(genesis.markets().len()), Sessions::default()),
            position,
        )
    }

    /// What never changes comes from the genesis, the rest is as given.
    pub(crate) fn from_parts(
        genesis: &Genesis,
        ledger: Ledger,
        markets: Vec<MarketState>,
        (clusters, sessions): (Clusters, Sessions),
        position: Position,
    ) -> Self {
        let specs = genesis.markets().iter();
        let markets = specs
            .zip(markets)
            .map(|(spec, state)| Market { spec: *spec, state });
        Self {
            groups: (0..ledger.account_count())
                .map(|account| ledger.group(AccountId::new(account)))
                .collect(),
            operators: (0..)
                .map(AccountId::new)
                .zip(genesis.accounts())
                .filter(|(_, account)| account.operator)
                .map(|(id, _)| id)
                .collect(),
            ledger,
            markets: markets.collect(),
            clusters,
            sessions,
            phase: Phase::Open,
            position,
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            genesis_hash: genesis.hash(),
        }
    }

    /// The accounts.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) const fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    pub(crate) fn parts(&mut self) -> Parts<'_> {
        Parts {
            ledger: &self.ledger,
            groups: &self.groups,
            operators: &self.operators,
            markets: &mut self.markets,
            clusters: &mut self.clusters,
            sessions: &self.sessions,
            phase: self.phase,
        }
    }

    /// How far the total order has been executed.
    pub const fn position(&self) -> &Position {
        &self.position
    }

    pub(crate) const fn position_mut(&mut self) -> &mut Position {
        &mut self.position
    }

    /// The key that frames of this network are digested with.
    pub const fn frame_key(&self) -> &FrameKey {
        &self.frame_key
    }

    /// A market's grid and its state.
    pub fn market_state(&self, market: MarketId) -> Option<(&MarketSpec, &MarketState)> {
        let market = self.markets.get(market.index())?;
        Some((&market.spec, &market.state))
    }

    /// All markets, by id.
    pub fn market_states(&self) -> impl Iterator<Item = (MarketId, &MarketSpec, &MarketState)> {
        self.markets.iter().zip(0..).map(|(market, id)| {
            let id = MarketId::new(id);
            (id, &market.spec, &market.state)
        })
    }

    /// Names the network in what wallets sign.
    pub const fn genesis_hash(&self) -> &Digest {
        &self.genesis_hash
    }

    /// What is to become of orders when nobody is there.
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What the exchange lets markets do.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn put_keys(
        &mut self,
        statuses: Vec<(KeyId, KeyStatus)>,
        wallets: impl IntoIterator<Item = (AccountId, WalletUse)>,
    ) -> Result<(), Contradiction> {
        self.ledger.restore_keys(statuses, wallets)
    }

    pub(crate) fn put_account_timer(&mut self, account: AccountId, timer_at: LogTime) {
        self.sessions.set_account_timer(account, timer_at);
    }

    pub(crate) fn put_sessions(&mut self, sessions: Sessions) {
        self.sessions = sessions;
    }

    pub(crate) fn put_watch(&mut self, market: MarketId, watch: Watch) {
        self.markets[market.index()].state.watch = watch;
    }

    /// All protections.
    pub const fn protections(&self) -> &Clusters {
        &self.clusters
    }

    /// For tests: from here on the state can go back. The executor does the same with what its
    /// lanes own.
    #[doc(hidden)]
    pub fn begin_undo(&mut self) {
        let markets = self.markets.iter_mut();
        markets.for_each(|market| market.state.begin_undo());
    }

    /// For tests: where the state is now, between two blocks.
    #[doc(hidden)]
    pub fn undo_mark(&self) -> StateMark {
        let markets = self.markets.iter();
        StateMark {
            markets: markets.map(|market| market.state.undo_mark()).collect(),
            clusters: self.clusters.clone(),
            sessions: self.sessions.clone(),
            phase: self.phase,
            ledger: self.ledger.clone(),
            position: self.position,
        }
    }

    /// For tests: goes back to there.
    #[doc(hidden)]
    pub fn undo_to(&mut self, mark: &StateMark) {
        for (market, mark) in self.markets.iter_mut().zip(&mark.markets) {
            market.state.undo_to(mark);
        }
        self.clusters = mark.clusters.clone();
        self.sessions = mark.sessions.clone();
        self.phase = mark.phase;
        self.ledger = mark.ledger.clone();
        self.groups.truncate(self.ledger.account_count() as usize);
        self.position = mark.position;
    }

    /// For tests: the state cannot go back any more.
    #[doc(hidden)]
    pub fn end_undo(&mut self) {
        let markets = self.markets.iter_mut();
        markets.for_each(|market| market.state.end_undo());
    }

    /// When a tick has something to do, be it in the past: an open order expires, or an auction's
    /// price is to be published, or a timer runs out. `None`: nothing waits for time.
    pub fn next_due(&self) -> Option<LogTime> {
        let states = self.markets.iter().map(|market| &market.state);
        states
            .flat_map(|state| {
                let indicative = state.indicative;
                let published_at = indicative.published_at.get();
                // No tick is later than the end of time.
                let due_at = published_at.checked_add(INDICATIVE_INTERVAL_NS);
                let is_auction = self.phase.effective(state.status) == MarketStatus::Auction;
                let is_due = is_auction && indicative.is_stale;
                [
                    state.book.next_expiry(),
                    state.triggers.next_expiry(),
                    due_at.filter(|_| is_due).map(LogTime::new),
                ]
            })
            .flatten()
            .chain(self.sessions.next_timer())
            .min()
    }

    /// A digest of everything that commands may change except where blocks were cut: two states
    /// with the same digest answer every later command alike.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(STATE_CONTEXT);
        hasher.update(self.ledger.state_hash().as_bytes());
        hasher.update(&self.position.sequence.get().to_le_bytes());
        hasher.update(&self.position.time.get().to_le_bytes());
        hasher.update(&[self.phase as u8]);
        for (market, _, state) in self.market_states() {
            hasher.update(&market.get().to_le_bytes());
            digest_market(state, &mut hasher);
            // Each owner's orders stand in an order of their own, in which a cancel-all goes.
            for account in (0..self.ledger.account_count()).map(AccountId::new) {
                for order in state.book.orders_of(account) {
                    hasher.update(&order.order_id.get().to_le_bytes());
                }
            }
        }
        digest_protections(&self.clusters, &mut hasher);
        digest_sessions(&self.sessions, &mut hasher);
        Digest::new(*hasher.finalize().as_bytes())
    }

    /// Checks what must hold between any two commands, at a cost linear in the state: books are
    /// sound, balances conserved, and held funds are exactly what open orders need.
    pub fn assert_invariants(&self) {
        for (_, _, state) in self.market_states() {
            state.book.assert_invariants();
            state.triggers.assert_invariants();
            assert!(state.due.is_empty(), "nothing is due between commands");
            assert_stops(state);
            let is_collecting = state.book.is_collecting();
            assert!(is_collecting || state.status != MarketStatus::Auction);
            let is_closed = !matches!(state.status, MarketStatus::Open | MarketStatus::PostOnly);
            assert!(
                !is_collecting || is_closed,
                "an open market does not collect"
            );
        }
        assert!(!self.clusters.has_tripped(), "nobody waits to be pulled");
        if let Err(contradiction) = self.check_watched() {
            panic!("{contradiction}");
        }
        if let Err(contradiction) = self.check_holds() {
            panic!("{contradiction}");
        }
        if let Err(error) = self.ledger.check_conservation() {
            panic!("{error}");
        }
    }

    /// Whether exactly open orders of watched keys are watched, and added up as they are.
    pub(crate) fn check_watched(&self) -> Result<(), Contradiction> {
        for (_, spec, state) in self.market_states() {
            let open = |order_id: OrderId| -> Option<BaseLots> {
                let resting = state.book.order(order_id).map(|order| order.remaining);
                let armed = state.triggers.order(order_id).map(|order| order.quantity);
                resting.or(armed)
            };
            let is_sound = state.watch.check(spec, open);
            Contradiction::unless(is_sound, "what is watched is open")?;
            let mut orders = state.watch.orders();
            let is_watched = orders.all(|(_, order)| StateView::is_watched(self, order.key));
            Contradiction::unless(is_watched, "only some keys are watched")?;
        }
        Ok(())
    }

    /// Whether held funds and counts of open orders are exactly those of the orders that are open.
    pub(crate) fn check_holds(&self) -> Result<(), Contradiction> {
        let assets = usize::from(self.ledger.asset_count());
        let accounts = self.ledger.account_count();
        let mut holds = vec![Atoms::ZERO; accounts as usize * assets];
        let mut open = vec![0u32; accounts as usize];
        for (_, spec, state) in self.market_states() {
            let resting = Side::BOTH.into_iter();
            let resting = resting.flat_map(|side| state.book.orders(side));
            let resting = resting.map(|order| {
                let terms = (order.price, order.stop);
                let held = held(spec, order.side, terms, order.remaining);
                (order.account, held)
            });
            let armed = state.triggers.orders().map(|order| {
                let stop = order.kind.resting().unwrap_or_default().stop;
                let held = held(spec, order.side, (order.price, stop), order.quantity);
                (order.account, held)
            });
            for (account, (asset, amount)) in resting.chain(armed) {
                let count = open.get_mut(account.index());
                *count.ok_or(Contradiction("every order is some account's"))? += 1;
                holds[account.index() * assets + asset.index()] += amount;
            }
        }
        for account in (0..accounts).map(AccountId::new) {
            let is_counted = self.ledger.open_orders(account) == open[account.index()];
            Contradiction::unless(is_counted, "open orders are counted")?;
            for asset in (0..self.ledger.asset_count()).map(AssetId::new) {
                let held = self.ledger.balance(account, asset).held;
                let is_held = held == holds[account.index() * assets + asset.index()];
                Contradiction::unless(is_held, "what is held is what open orders need")?;
            }
        }
        Ok(())
    }
}

impl StateView for State {
    type Funds = Ledger;

    fn funds(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn market(&mut self, market: MarketId) -> Option<MarketView<'_, Ledger>> {
        let Market { spec, state } = self.markets.get_mut(market.index())?;
        Some(MarketView {
            spec,
            groups: &self.groups,
            phase: self.phase,
            state,
            protections: self.clusters.of_mut(market),
            funds: &mut self.ledger,
        })
    }

    fn market_count(&self) -> u16 {
        u16::try_from(self.markets.len()).expect("limited by the genesis")
    }

    fn is_operator(&self, account: AccountId) -> bool {
        self.operators.binary_search(&account).is_ok()
    }

    fn protections(&mut self, market: MarketId) -> &mut Protections {
        self.clusters.of_mut(market)
    }

    fn protect(&mut self, account: AccountId, set: &SetProtection) {
        self.clusters.set(account, set);
    }

    fn key_status(&self, key: KeyId) -> Option<&KeyStatus> {
        self.ledger.key_status(key)
    }

    fn key_owner(&self, key: KeyId) -> Option<AccountId> {
        self.ledger.key(key).map(|key| key.account)
    }

    fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn watches(&self) -> bool {
        !self.ledger.has_only_owners() || !self.sessions.is_empty()
    }

    fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn open_account(&mut self, owner: OwnerAddress) -> Result<AccountId, RejectReason> {
        let opened = self.ledger.open_account(owner)?;
        self.groups.push(self.ledger.group(opened));
        Ok(opened)
    }

    fn open_sub_account(&mut self, of: AccountId) -> Result<AccountId, RejectReason> {
        let opened = self.ledger.open_sub_account(of)?;
        self.groups.push(self.ledger.group(opened));
        Ok(opened)
    }
}

/// Everything of a market in canonical order. Lists are preceded by their lengths.
fn digest_market(state: &MarketState, hasher: &mut blake3::Hasher) {
    let mut number = |number: u64| {
        hasher.update(&number.to_le_bytes());
    };
    number(state.last_trade.map_or(0, Ticks::get));
    number(state.status as u64);
    number(state.book.is_collecting().into());
    number(state.reference.map_or(0, |reference| reference.price.get()));
    number(state.reference.map_or(0, |reference| reference.since.get()));
    number(state.indicative.is_stale.into());
    number(state.indicative.published_at.get());
    for side in Side::BOTH {
        number(state.book.orders(side).count() as u64);
        for order in state.book.orders(side) {
            number(order.order_id.get());
            number(order.account.get().into());
            number(order.client_order_id.get());
            number(order.price.get());
            number(order.quantity.get());
            number(order.remaining.get());
            number(order.display.get());
            number(order.shown.get());
            number(order.expires_at.get());
            number(order.protected.into());
            stop_numbers(order.stop).into_iter().for_each(&mut number);
        }
    }
    number(state.triggers.len().into());
    for order in state.triggers.orders() {
        number(order.order_id.get());
        number(order.account.get().into());
        number(order.client_order_id.get());
        number(order.side as u64);
        number(order.price.get());
        number(order.quantity.get());
        number(order.trigger.condition as u64);
        number(order.trigger.price.get());
        number(order.self_trade as u64);
        number(kind_code(order.kind).into());
        let resting = order.kind.resting().unwrap_or_default();
        number(resting.display.get());
        number(resting.expires_at.get());
        number(resting.protected.into());
        stop_numbers(resting.stop).into_iter().for_each(&mut number);
    }
    for (account, set) in state.quotes.iter() {
        number(account.get().into());
        number(set.number);
        for orders in &set.orders {
            number(orders.len() as u64);
            orders.iter().for_each(|order_id| number(order_id.get()));
        }
    }
    for (account, label, until) in state.remembered.iter() {
        number(account.get().into());
        number(label.get());
        number(until.get());
    }
    digest_watch(&state.watch, hasher);
}

/// Which key placed what, and what keys have used of their grants.
fn digest_watch(watch: &Watch, hasher: &mut blake3::Hasher) {
    let mut number = |number: u64| {
        hasher.update(&number.to_le_bytes());
    };
    for (order_id, order) in watch.orders() {
        number(order_id.get());
        number(order.key.get().into());
        number(order.price.get());
        number(order.lots.get());
    }
    for (key, usage) in watch.usages() {
        number(key.get().into());
        number(usage.day);
        for wide in [usage.open.get(), usage.lots as u128, usage.quote as u128] {
            number(wide as u64);
            number((wide >> u64::BITS) as u64);
        }
    }
}

fn digest_sessions(sessions: &Sessions, hasher: &mut blake3::Hasher) {
    for (key, rule) in sessions.iter() {
        for number in [
            key.get().into(),
            rule.account.get().into(),
            rule.policy.silence_ns,
            rule.policy.good_till_cancelled.into(),
            rule.policy.whole_account.into(),
            rule.timer_at.get(),
        ] {
            hasher.update(&u64::to_le_bytes(number));
        }
    }
    for (account, timer_at) in sessions.account_timers() {
        hasher.update(&account.get().to_le_bytes());
        hasher.update(&timer_at.get().to_le_bytes());
    }
}

/// A stop as numbers; no stop has a trigger of zero.
fn stop_numbers(stop: Option<StopLeg>) -> [u64; 3] {
    stop.map_or([0; 3], |stop| {
        let self_trade = stop.self_trade as u64;
        [stop.trigger.get(), stop.limit.get(), self_trade]
    })
}

fn digest_protections(protections: &Clusters, hasher: &mut blake3::Hasher) {
    for (account, market, scope, count) in protections.iter() {
        let group = match scope {
            Scope::Market(_) => 0,
            Scope::Group(group) => group.into(),
        };
        for number in [
            account.get().into(),
            market.get().into(),
            group,
            count.limits.window_ns,
            count.limits.fills,
            count.limits.lots.get(),
            count.since.get(),
            count.fills,
            count.is_tripped.into(),
        ] {
            hasher.update(&u64::to_le_bytes(number));
        }
        for number in [
            count.limits.notional.get(),
            count.lots,
            count.notional.get(),
        ] {
            hasher.update(&number.to_le_bytes());
        }
    }
}

/// Exactly the stops beside resting orders wait for a price.
fn assert_stops(state: &MarketState) {
    let orders = Side::BOTH
        .into_iter()
        .flat_map(|side| state.book.orders(side));
    let stops = orders.filter(|order| order.stop.is_some()).count();
    assert_eq!(state.triggers.stop_count(), stops);
}
