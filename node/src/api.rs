//! What the trader API is told, and the threads that it runs on.
//!
//! The shadow tells it: there is a state there that is never ahead of the disk, so what a block changed
//! of balances and agents is read off and not added up again. It never waits for the API. A ring
//! without room is the end of the tale; once the API has emptied it, it gets an image of the whole state
//! and the tale goes on from there. So does it begin.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use engine::State;
use engine::snapshot::ChangedAccounts;
use gateway::api::counters::SharedCounters;
use gateway::api::ports::{
    AccountRow, AgentRow, ApiPorts, BalanceRow, Followed, Image, OrderRow, Update,
};
use gateway::api::{Api, ApiHandle, ApiSetup, RecoverWorker};
use rtrb::Producer;
use tokio::sync::Notify;
use types::block::ReleasedBlock;
use types::outcome::Event;
use types::{AccountId, AssetId, BaseLots, KeyId, Side};

use crate::cli::Failure;
use crate::proofs::Prover;
use crate::threads::Life;

/// Blocks between the shadow and the API.
pub(crate) const UPDATES: usize = 256;

/// Tells the API what has happened.
#[derive(Debug)]
pub struct Teller {
    updates: Producer<Update>,
    wake: Arc<Notify>,
    /// Nothing may be told before the whole state is.
    needs_image: bool,
    changed: ChangedAccounts,
}

impl Teller {
    /// Tells through this ring. The first thing that goes there is an image.
    pub(crate) const fn new(updates: Producer<Update>, wake: Arc<Notify>) -> Self {
        Self {
            updates,
            wake,
            needs_image: true,
            changed: ChangedAccounts::new(),
        }
    }

    /// A block was executed; this is the state behind it.
    pub(crate) fn tell(&mut self, state: &State, released: &Arc<ReleasedBlock>) {
        if self.needs_image {
            return;
        }
        if self.updates.is_full() {
            tracing::warn!("the trader API is behind: it gets an image of the state");
            self.needs_image = true;
            return;
        }
        self.changed.clear();
        self.changed.follow(&released.outcome);
        let mut accounts = self.changed.as_slice().to_vec();
        accounts.sort_unstable();
        accounts.dedup();
        let balances = accounts.into_iter().flat_map(|it| balances_of(state, it));
        let followed = Followed {
            released: Arc::clone(released),
            balances: balances.collect(),
            agents: changed_agents(state, released),
        };
        self.push(Update::Block(followed));
    }

    /// Tells the whole state, if that is what comes next and there is room for it. Whether it was told.
    pub(crate) fn catch_up(&mut self, state: &State) -> bool {
        let is_empty = self.updates.slots() == UPDATES;
        let is_due = self.needs_image && is_empty;
        if is_due {
            self.needs_image = false;
            self.push(Update::Image(Box::new(image(state))));
        }
        is_due
    }

    fn push(&mut self, update: Update) {
        let pushed = self.updates.push(update);
        assert!(pushed.is_ok(), "asked for room before; nobody else pushes");
        self.wake.notify_one();
    }
}

fn balances_of(state: &State, account: AccountId) -> impl Iterator<Item = BalanceRow> + use<'_> {
    let ledger = state.ledger();
    let assets = (0..ledger.asset_count()).map(AssetId::new);
    assets.map(move |asset| {
        let balance = ledger.balance(account, asset);
        BalanceRow {
            account,
            asset,
            free: balance.free,
            held: balance.held,
        }
    })
}

/// Agents whose keys have changed.
fn changed_agents(state: &State, released: &ReleasedBlock) -> Vec<AgentRow> {
    let events = released.outcome.events.iter();
    let keys = events.filter_map(|record| match record.event() {
        Event::KeyChanged(changed) => Some((changed.key, changed.public, changed.account)),
        _ => None,
    });
    let row = |(key, public, account): (KeyId, types::auth::PublicKey, AccountId)| {
        let agent = public.agent()?;
        Some(agent_row(state, (account, key, agent)))
    };
    keys.filter_map(row).collect()
}

fn agent_row(
    state: &State,
    (account, key, agent): (AccountId, KeyId, types::genesis::OwnerAddress),
) -> AgentRow {
    let ledger = state.ledger();
    let status = ledger.key_status(key);
    let registered = ledger
        .key(key)
        .filter(|it| it.public.agent() == Some(agent));
    AgentRow {
        account,
        agent,
        key,
        epoch: registered.map(|it| it.epoch).unwrap_or_default(),
        name: ledger.agent_name(account, key).unwrap_or_default(),
        expires_at: status.map(|it| it.grant.expires_at).unwrap_or_default(),
        is_revoked: registered.is_none() || status.is_none_or(|it| it.is_revoked),
    }
}

/// All that counts.
fn image(state: &State) -> Image {
    let ledger = state.ledger();
    let accounts = || (0..ledger.account_count()).map(AccountId::new);
    let agents = ledger.agents().filter_map(|(account, _, key)| {
        let agent = ledger.key(key)?.public.agent()?;
        Some(agent_row(state, (account, key, agent)))
    });
    Image {
        sequence: state.position().sequence,
        time: state.position().time,
        accounts: accounts()
            .map(|account| AccountRow {
                account,
                owner: ledger.owner(account),
            })
            .collect(),
        balances: accounts()
            .flat_map(|account| balances_of(state, account))
            .filter(|row| !row.free.is_zero() || !row.held.is_zero())
            .collect(),
        agents: agents.filter(|row| !row.is_revoked).collect(),
        orders: open_orders(state, accounts()),
        markets: state.markets().collect(),
    }
}

fn open_orders(state: &State, accounts: impl Iterator<Item = AccountId>) -> Vec<OrderRow> {
    let mut shown = std::collections::BTreeMap::new();
    for (_, _, market) in state.market_states() {
        let orders = Side::BOTH
            .into_iter()
            .flat_map(|side| market.book.orders(side));
        shown.extend(orders.map(|order| (order.order_id, order.shown)));
    }
    let with_orders = accounts.filter(|account| state.ledger().open_orders(*account) > 0);
    let rows = with_orders.flat_map(|account| {
        let orders = state.open_orders(account).into_iter();
        let row = |order: types::wire::query::OpenOrder| OrderRow {
            account,
            shown: shown
                .get(&order.order_id)
                .copied()
                .unwrap_or(BaseLots::ZERO),
            order,
        };
        orders.map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

/// A running API.
pub(crate) struct ApiThreads {
    address: SocketAddr,
    handle: ApiHandle,
    api: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    counters: SharedCounters,
    life: Life,
}

impl ApiThreads {
    /// Starts the API on a socket that is bound already.
    pub(crate) fn start(
        listener: TcpListener,
        setup: ApiSetup,
        ports: ApiPorts,
        prover: Prover,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::failed("cannot start the trader API", error);
        let address = listener.local_addr().map_err(failed)?;
        let (api, handle, worker) = Api::new(setup, ports);
        let counters = api.counters();
        let mut workers = (0..recover_workers())
            .map(|number| start_worker(number, worker.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        workers.push(prover.start().map_err(failed)?);
        // Their queues end with whoever asks.
        drop(worker);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let life = Life::of("keel-api");
        let lived = life.clone();
        let api = std::thread::Builder::new()
            .name("keel-api".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(api.serve(listener)) {
                    tracing::error!("trader API: {error}");
                }
                lived.end();
            })
            .map_err(failed)?;
        Ok(Self {
            address,
            handle,
            api,
            workers,
            counters,
            life,
        })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counts.
    pub(crate) fn counters(&self) -> SharedCounters {
        Arc::clone(&self.counters)
    }

    /// Whether it still runs.
    pub(crate) fn life(&self) -> Life {
        self.life.clone()
    }

    /// Takes no more actions: nothing is pushed to the sequencer after this.
    pub(crate) fn drain(&self) {
        self.handle.drain();
    }

    /// Answers what is there to be answered, and ends.
    pub(crate) fn close(self) {
        self.handle.close();
        self.api.join().expect("a panic ends the process");
        drop(self.handle);
        for worker in self.workers {
            worker.join().expect("a panic ends the process");
        }
    }
}

/// A recovery takes 50 us, so one of four cores recovers what the others can take.
fn recover_workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 4).clamp(1, 16)
}

fn start_worker(number: usize, worker: RecoverWorker) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("keel-recover-{number}"))
        .spawn(move || worker.run())
}

#[cfg(test)]
mod tests {
    use rtrb::{Consumer, RingBuffer};
    use types::genesis::development;

    use super::*;

    /// What is in the ring: `I` for an image, `B` for a block.
    fn drain(updates: &mut Consumer<Update>) -> String {
        let mut kinds = String::new();
        while let Ok(update) = updates.pop() {
            kinds.push(match update {
                Update::Image(image) => {
                    assert_eq!(image.accounts.len(), 65);
                    'I'
                }
                Update::Block(_) => 'B',
            });
        }
        kinds
    }

    #[test]
    fn a_full_ring_ends_the_tale_and_an_image_begins_it_anew() {
        let (producer, mut updates) = RingBuffer::new(UPDATES);
        let mut teller = Teller::new(producer, Arc::new(Notify::new()));
        let state = State::from_genesis(&development(), 0);
        let block = Arc::new(ReleasedBlock::default());
        teller.tell(&state, &block);
        assert_eq!(drain(&mut updates), "", "not before the image");
        assert!(teller.catch_up(&state));
        assert!(!teller.catch_up(&state));
        // One more than there is room for.
        for _ in 0..UPDATES {
            teller.tell(&state, &block);
        }
        assert!(!teller.catch_up(&state), "not before all of it is taken");
        assert_eq!(drain(&mut updates), format!("I{}", "B".repeat(UPDATES - 1)));
        teller.tell(&state, &block);
        assert_eq!(drain(&mut updates), "", "not before the image");
        assert!(teller.catch_up(&state));
        teller.tell(&state, &block);
        assert_eq!(drain(&mut updates), "IB");
    }
}
