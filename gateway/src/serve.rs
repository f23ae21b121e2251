//! The life of the gateway: open, draining, closed.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_utils::CachePadded;
use quinn::{Endpoint, TokioRuntime, VarInt};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinError, LocalSet, spawn_local};
use tokio::time::timeout;
use types::outcome::Digest;
use types::wire::query::{Reference, ReferenceRecord};
use types::wire::receipts::ReceiptKey;
use types::{AccountId, KeyId, NetworkId, RejectReason};

use crate::accept::accept;
use crate::admission::{Neighbors, Rates, Refusals, Weights};
use crate::answers::AnswerBook;
use crate::config::{GatewayConfig, server_config};
use crate::counters::GatewayCounters;
use crate::directory::KeyDirectory;
use crate::dispatch::{Dispatcher, Scratch};
use crate::feed_desk::FeedDesk;
use crate::ports::Ports;
use crate::ports::RESERVED_PART;
use crate::presence::{Presence, watch};
use crate::read::{Arrivals, Outward};
use crate::receipts::ReceiptSigner;
use crate::session::Ending;
use crate::table::SessionTable;
use crate::tls::Identity;

/// What a gateway is told at its start.
#[derive(Debug)]
pub struct GatewaySetup {
    /// Its limits.
    pub config: GatewayConfig,
    /// Its TLS key.
    pub identity: Identity,
    /// The network that it serves.
    pub network: NetworkId,
    /// That network's genesis.
    pub genesis_hash: Digest,
    /// Assets and markets, for those who ask.
    pub reference: Reference,
    /// Who may open a session.
    pub directory: KeyDirectory,
    /// How long keys that have asked for it may be silent.
    pub policies: Vec<(KeyId, AccountId, Duration)>,
    /// The answers of everything that was released before.
    pub answers: AnswerBook,
    /// Accounts that may send more than others.
    pub weights: Weights,
}

/// A gateway that is not serving yet.
#[derive(Debug)]
pub struct Gateway {
    setup: GatewaySetup,
    ports: Ports,
    phase: watch::Receiver<Phase>,
    counters: Arc<CachePadded<GatewayCounters>>,
}

/// Steers a gateway from outside its thread. Dropping it closes the gateway.
#[derive(Debug)]
pub struct GatewayHandle {
    phase: watch::Sender<Phase>,
}

impl GatewayHandle {
    /// Refuses new sessions and new frames with `SHUTTING_DOWN`; answers are still delivered.
    pub fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Delivers what is in the rings, closes all connections and ends [`Gateway::serve`]. Call it
    /// when everything that was admitted has been released.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closed);
    }
}

/// Why a gateway cannot serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The socket cannot be used.
    #[error("cannot use the UDP socket: {0}")]
    Socket(#[from] io::Error),
}

impl Gateway {
    /// A gateway and what steers it.
    pub fn new(setup: GatewaySetup, ports: Ports) -> (Self, GatewayHandle) {
        let (sender, phase) = watch::channel(Phase::Open);
        let gateway = Self {
            setup,
            ports,
            phase,
            counters: Arc::default(),
        };
        (gateway, GatewayHandle { phase: sender })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<CachePadded<GatewayCounters>> {
        Arc::clone(&self.counters)
    }

    /// Serves on `socket` until the handle closes the gateway. Runs on a current-thread runtime
    /// with time and I/O enabled, usually as the only thing on its thread.
    pub async fn serve(self, socket: UdpSocket) -> Result<(), ServeError> {
        LocalSet::new().run_until(self.run(socket)).await
    }

    async fn run(self, socket: UdpSocket) -> Result<(), ServeError> {
        let Self {
            setup,
            ports,
            mut phase,
            counters,
        } = self;
        let endpoint = bind(&setup, socket)?;
        let wake = Arc::clone(&ports.wake);
        let (shared, dispatcher) = divide(setup, ports, counters);
        let mut dispatcher = spawn_local(dispatcher.run(Rc::clone(&shared)));
        let watcher = spawn_local(watch(Rc::clone(&shared)));
        let acceptor = spawn_local(accept(Rc::clone(&shared), endpoint.clone()));
        let closing = async {
            follow(&mut phase, Phase::Draining).await;
            shared.phase.set(Phase::Draining);
            follow(&mut phase, Phase::Closed).await;
            shared.phase.set(Phase::Closed);
        };
        tokio::select! {
            () = closing => {}
            ended = &mut dispatcher => escalate(ended),
        }
        acceptor.abort();
        watcher.abort();
        endpoint.set_server_config(None);
        wake.notify_one();
        escalate(dispatcher.await);
        for session in shared.table.borrow().iter() {
            session.end(Ending::Closing(RejectReason::ShuttingDown));
        }
        // Each session closes its connection when the client has its answers, within bounds.
        let _ = timeout(CLOSE_TIMEOUT, endpoint.wait_idle()).await;
        let reason = RejectReason::ShuttingDown;
        let code = VarInt::from_u32(u32::from(reason.code()));
        endpoint.close(code, reason.name().as_bytes());
        Ok(())
    }
}

/// More than a session's farewell and the rest of a QUIC connection's life take together.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The life of a gateway, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    Draining,
    Closed,
}

/// What everything on the gateway's thread shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) network: NetworkId,
    pub(crate) genesis_hash: Digest,
    pub(crate) reference: Vec<ReferenceRecord>,
    pub(crate) directory: RefCell<KeyDirectory>,
    pub(crate) presence: RefCell<Presence>,
    pub(crate) phase: Cell<Phase>,
    /// Connections between their first packet and their session's opening.
    pub(crate) handshakes: Cell<u32>,
    pub(crate) table: RefCell<SessionTable>,
    pub(crate) answers: RefCell<AnswerBook>,
    pub(crate) neighbors: RefCell<Neighbors>,
    pub(crate) rates: RefCell<Rates>,
    pub(crate) refusals: RefCell<Refusals>,
    started: Instant,
    pub(crate) arrivals: RefCell<Arrivals>,
    pub(crate) outward: RefCell<Outward>,
    pub(crate) receipts: Rc<ReceiptSigner>,
    pub(crate) feeds: RefCell<FeedDesk>,
    pub(crate) counters: Arc<CachePadded<GatewayCounters>>,
}

impl Shared {
    /// Nanoseconds since the start, by a clock that never steps back.
    pub(crate) fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether another connection from there may begin; if so, it has.
    pub(crate) fn arrive(&self, address: IpAddr) -> bool {
        let now = self.elapsed();
        let mut neighbors = self.neighbors.borrow_mut();
        neighbors.arrive(address, &self.config, now)
    }

    pub(crate) fn set_handshakes(&self, count: u32) {
        self.handshakes.set(count);
        self.counters.handshaking.set(u64::from(count));
    }
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// The kernel's buffers take what arrives while this thread does something else. It gives as much
/// as it may; less is slower under load, not wrong.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

fn bind(setup: &GatewaySetup, socket: UdpSocket) -> io::Result<Endpoint> {
    let state = quinn::udp::UdpSocketState::new((&socket).into())?;
    let buffers = state
        .set_recv_buffer_size((&socket).into(), SOCKET_BUFFER)
        .and_then(|()| state.set_send_buffer_size((&socket).into(), SOCKET_BUFFER));
    if let Err(error) = buffers {
        tracing::debug!(%error, "socket buffers keep their size");
    }
    let server = server_config(&setup.config, &setup.identity);
    let config = setup.identity.endpoint_config();
    Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime))
}

/// Waits until the phase is `reached`, or nobody steers the gateway any more.
async fn follow(phase: &mut watch::Receiver<Phase>, reached: Phase) {
    // An error says that the handle was dropped, which is meant to close the gateway.
    let _ = phase.wait_for(|phase| *phase >= reached).await;
}

/// Nobody would be answered without the dispatcher, so its panic is the gateway's.
fn escalate(dispatcher: Result<(), JoinError>) {
    if let Err(error) = dispatcher {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Hands each end of the rings to its only user.
fn divide(
    setup: GatewaySetup,
    ports: Ports,
    counters: Arc<CachePadded<GatewayCounters>>,
) -> (Rc<Shared>, Dispatcher) {
    let outward = Outward {
        reserve: ports.to_verify.buffer().capacity() / RESERVED_PART,
        to_verify: ports.to_verify,
        wake_verifier: ports.wake_verifier.clone(),
        to_queries: ports.to_queries,
        wake_queries: ports.wake_queries.clone(),
        arrivals: 0,
    };
    let (desk, deliveries) = FeedDesk::new(ports.feeds, setup.reference.markets.len());
    let dispatcher = Dispatcher {
        deliveries,
        rejected: ports.rejected,
        refused: ports.refused,
        wake_verifier: ports.wake_verifier,
        released: ports.released,
        wake_pipeline: ports.wake_pipeline,
        query_replies: ports.query_replies,
        wake_queries: ports.wake_queries,
        taken: (0, 0),
        delivered: 0,
        wake: ports.wake,
        scratch: Scratch::default(),
    };
    let wake = dispatcher.wake_pipeline.clone();
    let presence = Presence::new(setup.policies, ports.silences, wake);
    let receipt_key = ReceiptKey::new(setup.network, setup.genesis_hash);
    let receipts = ReceiptSigner::new(setup.identity.signing_key(), receipt_key, unix_nanos());
    let shared = Shared {
        config: setup.config,
        network: setup.network,
        genesis_hash: setup.genesis_hash,
        reference: setup.reference.records(),
        directory: RefCell::new(setup.directory),
        presence: RefCell::new(presence),
        phase: Cell::new(Phase::Open),
        handshakes: Cell::new(0),
        table: RefCell::new(SessionTable::new(&setup.config)),
        answers: RefCell::new(setup.answers),
        neighbors: RefCell::default(),
        rates: RefCell::new(Rates::new(setup.weights)),
        refusals: RefCell::default(),
        started: Instant::now(),
        arrivals: RefCell::default(),
        outward: RefCell::new(outward),
        counters,
        feeds: RefCell::new(desk),
        receipts: Rc::new(receipts),
    };
    let sequence = shared.answers.borrow().last_sequence();
    shared.counters.sequence.set(sequence.get());
    (Rc::new(shared), dispatcher)
}
