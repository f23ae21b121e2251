//! The trader API: the Hyperliquid dialect over HTTP and WebSocket, so that existing clients work.
//!
//! `POST /info` answers questions from a model of what was released; `POST /exchange` takes
//! signed actions ([`types::action`]) and hands them to the sequencer as frames; `/ws` does both over
//! one socket and tells what happens. `docs/API.md` says what is answered to what.
//!
//! Everything here runs on one thread, `keel-api`, but for the recovery of signers
//! ([`RecoverWorker`]). It never sees the engine, and the engine never waits for it: see [`ports`].
//!
//! | module | holds |
//! |---|---|
//! | `server` | connections, routes and their limits |
//! | `info` | questions about markets and addresses |
//! | `exchange`, `replies` | signed actions, and the words in which they are answered |
//! | `desk` | frames on their way to the sequencer, and who waits for them |
//! | `recover` | who has signed |
//! | `socket`, `channels` | sockets, and what they subscribe to |
//! | `model` | what is known |
//! | `documents` | the API's own description |
//! | `page` | the files of the web page |
//! | `explorer` | what only the page asks: blocks, accounts, proofs, the node itself |
//! | `faucet` | money of a development network |
//! | `tls` | the port's certificate, if it has one |
//! | `rates`, `places`, `config` | limits |
//! | `counters` | what is counted |
//!
//! The state is behind locks because a router's handlers have to be able to move between threads; here
//! they do not, so none is ever waited for. None is held across an await.

mod channels;
mod config;
pub mod counters;
mod desk;
mod documents;
mod exchange;
mod explorer;
mod faucet;
mod info;
mod model;
mod names;
mod page;
mod places;
pub mod ports;
mod rates;
mod recover;
mod replies;
mod server;
mod socket;
mod tls;

use std::net::IpAddr;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rtrb::Consumer;
use tokio::net::TcpListener;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, oneshot, watch};
use types::auth::FrameKey;
use types::genesis::{Genesis, OwnerAddress};

use crate::ports::{RejectedFrame, Wake};
pub use config::ApiConfig;
use counters::SharedCounters;
use desk::Desk;
pub use desk::is_of_api;
use faucet::Faucet;
pub use faucet::FaucetSpec;
pub use model::{Candle, Past, PastTrade};
use model::{Model, Notes};
use names::Names;
use places::{Counted, PerIp};
use ports::{ApiPorts, ProofRequest, Update};
use rates::Rates;
pub use recover::RecoverWorker;
use recover::{Recovery, recovery};
pub use tls::{ApiTls, ApiTlsError};

/// Blocks that a socket may be behind in what it is told one by one.
const NOTES: usize = 1_024;
/// Updates that are taken before connections are served again.
const UPDATES_PER_TURN: usize = 16;

/// What one API is made of, besides its rings.
#[derive(Debug)]
pub struct ApiSetup {
    /// Its limits.
    pub config: ApiConfig,
    /// Its network.
    pub genesis: Arc<Genesis>,
    /// Its certificate; without one it speaks plain HTTP.
    pub tls: Option<ApiTls>,
    /// Its faucet, if the network has one.
    pub faucet: Option<FaucetSpec>,
    /// What was before the first image, as far as that is known.
    pub past: Option<Past>,
}

/// The trader API of one node.
#[derive(Debug)]
pub struct Api {
    shared: Arc<Shared>,
    updates: Consumer<Update>,
    wake_follower: Wake,
    refused: Consumer<RejectedFrame>,
    wake: Arc<Notify>,
    phase: watch::Receiver<Phase>,
}

/// Stops a running API.
#[derive(Debug)]
pub struct ApiHandle {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    wake: Arc<Notify>,
}

/// How far an API has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: ApiConfig,
    names: Names,
    frame_key: FrameKey,
    recovery: Recovery,
    model: Mutex<Model>,
    desk: Mutex<Desk>,
    requests: Mutex<Rates<IpAddr>>,
    commands: Mutex<Rates<OwnerAddress>>,
    notes: broadcast::Sender<Arc<Notes>>,
    sockets: Arc<Semaphore>,
    sockets_per_ip: PerIp,
    blocks: Mutex<explorer::Blocks>,
    prover: SyncSender<ProofRequest>,
    faucet: Mutex<Option<Faucet>>,
    tls: Option<ApiTls>,
    counters: SharedCounters,
}

impl Shared {
    fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    fn requests(&self) -> MutexGuard<'_, Rates<IpAddr>> {
        lock(&self.requests)
    }

    fn commands(&self) -> MutexGuard<'_, Rates<OwnerAddress>> {
        lock(&self.commands)
    }

    fn blocks(&self) -> MutexGuard<'_, explorer::Blocks> {
        lock(&self.blocks)
    }

    fn faucet(&self) -> MutexGuard<'_, Option<Faucet>> {
        lock(&self.faucet)
    }

    /// One more socket, if there may be one more.
    fn open_socket(&self, ip: IpAddr) -> Option<SocketPlace> {
        let place = Arc::clone(&self.sockets).try_acquire_owned().ok()?;
        Some(SocketPlace {
            _place: place,
            _counted: self.sockets_per_ip.enter(ip)?,
        })
    }
}

/// The place of an open socket among those that there may be.
#[derive(Debug)]
pub(crate) struct SocketPlace {
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// A panic ends the process, so nothing is ever left half done behind a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Api {
    /// An API for this network, what stops it, and a worker that recovers signers: clones of it share
    /// the work, and each is to run on a thread of its own.
    pub fn new(setup: ApiSetup, ports: ApiPorts) -> (Self, ApiHandle, RecoverWorker) {
        let ApiSetup {
            config,
            genesis,
            tls,
            faucet,
            past,
        } = setup;
        let counters = SharedCounters::default();
        let (recovery, worker) = recovery(Arc::clone(&counters));
        let (notes, _) = broadcast::channel(NOTES);
        let (phase, followed) = watch::channel(Phase::Open);
        let frame_key = FrameKey::new(genesis.network(), genesis.hash());
        let ApiPorts {
            updates,
            wake_follower,
            to_sequencer,
            wake_sequencer,
            refused,
            wake,
            prover,
        } = ports;
        let ApiConfig {
            requests_per_second,
            requests_burst,
            commands_per_second,
            commands_burst,
            addresses_max,
            ..
        } = config;
        let shared = Shared {
            names: Names::new(&genesis),
            frame_key,
            recovery,
            model: Mutex::new(Model::new(genesis, past)),
            desk: Mutex::new(Desk::new(to_sequencer, wake_sequencer)),
            requests: Mutex::new(Rates::new(
                requests_per_second,
                requests_burst,
                addresses_max,
            )),
            commands: Mutex::new(Rates::new(
                commands_per_second,
                commands_burst,
                addresses_max,
            )),
            notes,
            sockets: Arc::new(Semaphore::new(config.sockets_max)),
            sockets_per_ip: PerIp::new(config.connections_per_ip_max),
            blocks: Mutex::default(),
            prover,
            faucet: Mutex::new(faucet.map(|spec| Faucet::new(spec, addresses_max))),
            tls,
            counters,
            config,
        };
        let shared = Arc::new(shared);
        let handle = ApiHandle {
            shared: Arc::clone(&shared),
            phase,
            wake: Arc::clone(&wake),
        };
        let api = Self {
            shared,
            updates,
            wake_follower,
            refused,
            wake,
            phase: followed,
        };
        (api, handle, worker)
    }

    /// What it counts.
    pub fn counters(&self) -> SharedCounters {
        Arc::clone(&self.shared.counters)
    }

    /// Serves, from the first image on, until it is told to stop. Runs on a current-thread runtime of
    /// its caller's.
    pub async fn serve(self, listener: std::net::TcpListener) -> std::io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let Self {
            shared,
            updates,
            wake_follower,
            refused,
            wake,
            phase,
        } = self;
        let (begun, beginning) = oneshot::channel();
        let served = (Arc::clone(&shared), phase.clone());
        let server = async {
            // Until the first image nothing is known, and nothing may be answered. If there was none,
            // the follower has ended, and the server ends at once.
            let _ = beginning.await;
            let (shared, phase) = served;
            server::serve(listener, shared, phase).await;
        };
        let follower = Follower {
            shared,
            updates,
            wake_follower,
            refused,
            wake,
            phase,
            begun: Some(begun),
        };
        tokio::join!(server, follower.run());
        Ok(())
    }
}

impl ApiHandle {
    /// Refuses what is new: nothing is handed to the sequencer after this. What was is answered still.
    pub fn drain(&self) {
        self.shared.desk().close();
    }

    /// Closes all connections and ends. Nothing is pushed to its rings any more.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closed);
        self.wake.notify_one();
    }
}

/// Takes what the rings bring.
struct Follower {
    shared: Arc<Shared>,
    updates: Consumer<Update>,
    wake_follower: Wake,
    refused: Consumer<RejectedFrame>,
    wake: Arc<Notify>,
    phase: watch::Receiver<Phase>,
    /// Told of the first image.
    begun: Option<oneshot::Sender<()>>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let phase = *self.phase.borrow();
            self.turn().await;
            if phase == Phase::Closed {
                self.shared.desk().give_up();
                return;
            }
            // Whoever pushed meanwhile has left a permit.
            self.wake.notified().await;
        }
    }

    async fn turn(&mut self) {
        let mut taken = 0;
        while let Ok(update) = self.updates.pop() {
            self.follow(&update);
            // A block goes back to the node, which uses it again.
            drop(update);
            taken += 1;
            if taken % UPDATES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        // It has nothing to wait for unless this ring was full, and then all of that was taken here.
        if taken >= self.updates.buffer().capacity() {
            self.wake_follower.wake();
        }
        while let Ok(rejected) = self.refused.pop() {
            self.shared.desk().refuse(&rejected);
        }
    }

    fn follow(&mut self, update: &Update) {
        let mut model = self.shared.model();
        let notes = model.apply(update);
        let mut desk = self.shared.desk();
        match update {
            Update::Image(_) => {
                desk.give_up();
                if let Some(begun) = self.begun.take() {
                    // Whoever serves has ended, or hears it.
                    let _ = begun.send(());
                }
            }
            Update::Block(followed) => {
                desk.answer(&followed.released, &model);
                self.shared.blocks().follow(&followed.released);
            }
        }
        if self.shared.notes.receiver_count() > 0 {
            // Nobody listening any more is no failure.
            let _ = self.shared.notes.send(Arc::new(notes));
        }
    }
}
