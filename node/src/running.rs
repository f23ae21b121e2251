//! A running node: its threads, and the rings between them.
//!
//! ```text
//! QUIC -> [gateway] -> [signatures] -> [pipeline] -> [journal]
//!             ^                          ^ |   ^        |
//!             |<------- released --------|-|   '--------'  durable marks
//!             |<-- feeds -- [feeds] <----|-' released
//!             |               |          |
//!             |<- replies - [shadow] ----|----> [checkpoint]
//!                             |          |
//! HTTP ----------------> [api] ----------' actions
//! ```
//!
//! Each box is a thread, each arrow a bounded single-producer ring of `types` values. A thread
//! without work parks; whoever pushes wakes it. Nothing here decides anything.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use engine::State;
use engine::executor::Executor;
use gateway::api::ports::{ApiPorts, ProofRequest};
use gateway::api::{ApiSetup, ApiTls, Past};
use gateway::counters::SignatureCounters;
use gateway::{
    AnswerBook, Gateway, GatewayHandle, GatewaySetup, Identity, KeyDirectory, KeyRecord,
    SignatureWorker,
};
use store::{Folders, InstanceId, JournalConfig, JournalIo, SegmentLength};
use tokio::sync::mpsc;
use types::auth::FrameKey;
use types::genesis::Genesis;
use types::wire::query::Reference;
use types::{AccountId, KeyId};

use crate::anchor_lag::AnchorLag;
use crate::api::ApiThreads;
use crate::checkpoint_thread::CheckpointWriter;
use crate::cli::Failure;
use crate::data_dir::DataDir;
use crate::feeds::FeedWorker;
use crate::grace::Grace;
use crate::journal_io::JournalIoRequest;
use crate::journal_thread::{Covered, JournalWorker, Recycling};
use crate::limits_file::Limits;
use crate::metrics::{CoreSources, EdgeSources, Metrics, http};
use crate::pipeline::Pipeline;
use crate::proofs::Prover;
use crate::recovery::{Recovered, Workers};
use crate::rings::{CoreEnds, Ends, SignatureEnds};
use crate::shadow::{CheckpointPlan, Shadow};
use crate::space::SpacePlan;
use crate::threads::{Clock, Life, Nudge, Parking, Worker};
use crate::{anchor_lag, checkpoint_thread, feeds, history, journal_thread, recovery, shadow};

/// What a node needs to start.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    pub(crate) listen: SocketAddr,
    /// Where metrics are served, if anywhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where traders' clients connect, if anywhere, ...
    pub(crate) api: Option<SocketAddr>,
    /// ... and with which certificate, if with one.
    pub(crate) api_tls: Option<ApiTls>,
    /// The history that the API begins with, if there is one.
    pub(crate) history: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) journal_io: JournalIoRequest,
    pub(crate) journal: JournalOptions,
    pub(crate) checkpoints: CheckpointOptions,
    pub(crate) workers: Workers,
    /// How long the exchange is cancel-only after a restart.
    pub(crate) cancel_only: Duration,
    /// Withdrawals halt when the chain is further behind, if it matters.
    pub(crate) anchor_lag_limit: Option<Duration>,
}

/// How the journal lies on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalOptions {
    /// Length of segments to come.
    pub(crate) segment_length: SegmentLength,
    /// How many are kept, if not all.
    pub(crate) kept: Option<u64>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_length: SegmentLength::DEFAULT,
            kept: None,
        }
    }
}

/// How often a checkpoint is made, and what becomes of old ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointOptions {
    /// At least so long between two.
    pub(crate) interval: Duration,
    /// How many are kept.
    pub(crate) kept: usize,
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            kept: 3,
        }
    }
}

/// A running node.
pub(crate) struct Running {
    directory: DataDir,
    local_address: SocketAddr,
    public_key: types::auth::PublicKey,
    journal_io: JournalIo,
    gateway: GatewayHandle,
    gateway_thread: JoinHandle<()>,
    signatures: Worker<()>,
    core: Core,
    metrics: Arc<Metrics>,
    metrics_server: Option<http::Server>,
    api: Option<ApiThreads>,
    fatal: mpsc::Receiver<String>,
}

/// The threads behind the sessions.
struct Core {
    pipeline: Worker<State>,
    journal: Worker<()>,
    feeds: Worker<()>,
    shadow: Worker<()>,
    checkpoint: Worker<()>,
    anchor_lag: Option<Worker<()>>,
    sources: CoreSources,
}

/// What was found in the data directory at start.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// The last good command.
    pub(crate) sequence: u64,
    /// What is to be logged first.
    pub(crate) grace: Grace,
    /// Worth a message: what a torn tail lost and where it is kept, and which checkpoints are
    /// damaged.
    pub(crate) warnings: Vec<String>,
}

impl Running {
    /// Recovers the state from the directory and starts all threads.
    pub(crate) fn start(
        directory: DataDir,
        options: &NodeOptions,
    ) -> Result<(Self, Recovery), Failure> {
        end_process_on_panic();
        let clock = Clock::start();
        let (socket, local_address) = bind_datagrams(options.listen)?;
        let metrics_listener = options.metrics.map(bind).transpose()?;
        let api_listener = options.api.map(bind).transpose()?;
        let identity = Identity::from_seed(directory.tls_seed()?);
        let public_key = identity.public_key();

        let journal_io = options.journal_io.resolve(directory.path(), &clock);
        let (folders, mut recovered) =
            recover(&directory, journal_io, options.journal.segment_length)?;
        let past = read_past(options, directory.genesis(), &recovered.state)?;
        let cancel_only_ns = u64::try_from(options.cancel_only.as_nanos()).unwrap_or(u64::MAX);
        let grace = Grace::after(&recovered.state, cancel_only_ns);
        let recovery = Recovery {
            sequence: recovered.state.position().sequence.get(),
            grace,
            warnings: std::mem::take(&mut recovered.warnings),
        };
        let answers = std::mem::take(&mut recovered.answers);
        let frame_key = *recovered.state.frame_key();
        let executor = options.workers.executor(&recovered.state)?;
        let ends = Ends::new(api_listener.is_some());
        let (fatal_sender, fatal) = mpsc::channel(4);

        let setup = gateway_setup(&directory, &recovered.state, options, (identity, answers));
        let (gateway, handle) = Gateway::new(setup, ends.gateway);
        let gateway_counters = gateway.counters();
        let (gateway_life, gateway_thread) = start_gateway(gateway, socket)?;
        let (signatures, signature_counters) = start_signatures(ends.signatures, frame_key);
        let limit = options.anchor_lag_limit;
        let anchor_lag = limit.map(|limit| start_anchor_lag(directory.path(), limit));
        let core = Core::start(
            (recovered, executor, grace, anchor_lag),
            ends.core,
            options,
            &folders,
            &clock,
            fatal_sender,
        );
        let api = api_listener.zip(ends.api).map(|(listener, ends)| {
            start_api((listener, past), ends, options, &directory, &folders)
        });
        let api = api.transpose()?;
        let mut lives = vec![gateway_life, signatures.life()];
        lives.extend(api.as_ref().map(ApiThreads::life));
        lives.extend(core.lives());
        let sources = core.sources.clone();
        let edge = EdgeSources {
            gateway: gateway_counters,
            signatures: signature_counters,
            // Without an API nobody counts, and all of it is zero.
            api: api.as_ref().map(ApiThreads::counters).unwrap_or_default(),
        };
        let metrics = Arc::new(Metrics::new(edge, sources, lives, clock));
        let metrics_server = metrics_listener.map(|it| serve_metrics(it, &metrics));
        let metrics_server = metrics_server.transpose()?;
        let running = Self {
            directory,
            local_address,
            public_key,
            journal_io,
            gateway: handle,
            gateway_thread,
            signatures,
            core,
            metrics,
            metrics_server,
            api,
            fatal,
        };
        Ok((running, recovery))
    }

    /// Where it listens.
    pub(crate) const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Where it serves metrics.
    pub(crate) fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_server.as_ref().map(http::Server::address)
    }

    /// Where traders' clients connect.
    pub(crate) fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(ApiThreads::address)
    }

    /// The key that clients pin.
    pub(crate) const fn public_key(&self) -> types::auth::PublicKey {
        self.public_key
    }

    /// The journal's way to the disk.
    pub(crate) const fn journal_io(&self) -> JournalIo {
        self.journal_io
    }

    /// Its data directory.
    pub(crate) const fn directory(&self) -> &DataDir {
        &self.directory
    }

    /// Waits until something makes going on impossible.
    pub(crate) async fn fatal(&mut self) -> String {
        match self.fatal.recv().await {
            Some(reason) => reason,
            // The threads ended without an error, so they were told to.
            None => std::future::pending().await,
        }
    }

    /// Refuses what is new, answers what was taken in, makes a checkpoint, and stops. Returns the
    /// final state.
    pub(crate) fn stop(self) -> (State, DataDir) {
        self.metrics.drain();
        self.gateway.drain();
        if let Some(api) = &self.api {
            api.drain();
        }
        self.signatures.finish();
        let state = self.core.finish();
        self.gateway.close();
        if let Some(api) = self.api {
            api.close();
        }
        self.gateway_thread
            .join()
            .expect("a panic ends the process");
        if let Some(server) = self.metrics_server {
            server.stop();
        }
        (state, self.directory)
    }
}

impl Core {
    fn start(
        (recovered, executor, grace, anchor_lag): (Recovered, Executor, Grace, Option<LagWatch>),
        ends: CoreEnds,
        options: &NodeOptions,
        folders: &Folders,
        clock: &Clock,
        fatal: mpsc::Sender<String>,
    ) -> Self {
        let Recovered {
            journal,
            state,
            beginning,
            feeds,
            ..
        } = recovered;
        let plan = CheckpointPlan {
            identity: *journal.identity(),
            instance: journal.instance(),
            interval: options.checkpoints.interval,
        };
        let covered = Covered::default();
        let recycling = Recycling {
            segments: options.journal.kept,
            covered: covered.clone(),
        };
        let space = SpacePlan::for_segments(options.journal.segment_length.get());
        let (parking, ports) = ends.journal;
        let journal = JournalWorker::new(journal, ports, clock.clone(), space, recycling, false);
        let room = journal.room();
        let journal_counters = journal.counters();
        let sequence = state.position().sequence.get();
        journal_counters.durable_sequence.set(sequence);
        let journal = start_journal(journal, parking, fatal.clone());
        let (parking, ports) = ends.pipeline;
        let executing = (state, executor, grace);
        let (lag, anchor_lag) = anchor_lag.unzip();
        let pipeline = Pipeline::new(executing, ports, clock.clone(), (space, room));
        let pipeline = pipeline.halting_withdrawals_by(lag.clone());
        let pipeline_counters = pipeline.counters();
        let pipeline = Worker::start("keel-pipeline", parking, |parking, stop| {
            pipeline.run(parking, stop)
        });
        let (parking, nudge, ports) = ends.feeds;
        let feeds = FeedWorker::new(feeds, clock.clone(), ports);
        let feeds = Worker::start("keel-feeds", parking, move |parking, stop| {
            feeds::run(feeds, &nudge, parking, stop);
        });
        let (parking, nudge, ports) = ends.shadow;
        let mut shadow = Shadow::new(beginning, plan, clock.clone(), ports);
        if grace.is_due_at_once() {
            shadow.wait_for_a_block();
        }
        let shadow_counters = shadow.counters();
        let shadow = start_shadow(shadow, nudge, parking, fatal);
        let (parking, ports) = ends.checkpoint;
        let kept = options.checkpoints.kept;
        let writer = CheckpointWriter::new(folders.checkpoints(), kept, covered, ports);
        let sources = CoreSources {
            pipeline: pipeline_counters,
            journal: journal_counters,
            shadow: shadow_counters,
            checkpoint: Arc::default(),
            anchor_lag: lag,
        };
        let counters = Arc::clone(&sources.checkpoint);
        let clock = clock.clone();
        let checkpoint = Worker::start("keel-checkpoint", parking, move |parking, stop| {
            checkpoint_thread::run(writer, &clock, &counters, parking, stop);
        });
        Self {
            pipeline,
            journal,
            feeds,
            shadow,
            checkpoint,
            anchor_lag,
            sources,
        }
    }

    fn lives(&self) -> impl Iterator<Item = Life> {
        let lives = [
            self.pipeline.life(),
            self.journal.life(),
            self.feeds.life(),
            self.shadow.life(),
            self.checkpoint.life(),
        ];
        let anchor_lag = self.anchor_lag.as_ref().map(Worker::life);
        lives.into_iter().chain(anchor_lag)
    }

    /// Finishes what was taken in, makes a checkpoint, and returns the final state.
    fn finish(self) -> State {
        let state = self.pipeline.finish();
        self.journal.finish();
        self.feeds.finish();
        self.shadow.finish();
        self.checkpoint.finish();
        if let Some(worker) = self.anchor_lag {
            worker.finish();
        }
        state
    }
}

fn serve_metrics(listener: TcpListener, metrics: &Arc<Metrics>) -> Result<http::Server, Failure> {
    http::Server::start(listener, Arc::clone(metrics))
        .map_err(|error| Failure::failed("cannot serve metrics", error))
}

/// What the trader API is to know of before, if it is given a history.
fn read_past(
    options: &NodeOptions,
    genesis: &Arc<Genesis>,
    state: &State,
) -> Result<Option<Past>, Failure> {
    let Some(folder) = &options.history else {
        return Ok(None);
    };
    let past = history::read(folder, genesis, state);
    past.map(Some)
        .map_err(|error| Failure::Usage(format!("--history {error}")))
}

/// Starts the trader API, and whoever proves for it.
fn start_api(
    (listener, past): (TcpListener, Option<Past>),
    (ports, questions): (ApiPorts, Receiver<ProofRequest>),
    options: &NodeOptions,
    directory: &DataDir,
    folders: &Folders,
) -> Result<ApiThreads, Failure> {
    let prover = Prover {
        checkpoints: folders.checkpoints(),
        identity: directory.identity(),
        questions,
    };
    let setup = ApiSetup {
        config: options.limits.api,
        genesis: Arc::clone(directory.genesis()),
        tls: options.api_tls.clone(),
        faucet: directory.faucet().cloned(),
        past,
    };
    ApiThreads::start(listener, setup, ports, prover)
}

/// Who may open sessions, as of the end of the journal.
fn directory_of(genesis: &Genesis, state: &State) -> KeyDirectory {
    let mut directory = KeyDirectory::without_keys(genesis);
    let ledger = state.ledger();
    let listed = u32::try_from(genesis.accounts().len()).expect("limited by the genesis");
    for opened in (listed..ledger.account_count()).map(AccountId::new) {
        directory.insert_account(opened, ledger.owner(opened));
    }
    for key in (0..ledger.key_count()).map(KeyId::new) {
        let found = ledger.key(key).expect("compared with the count");
        let status = ledger.key_status(key);
        if status.is_none_or(|status| !status.is_revoked) {
            let record = KeyRecord {
                key,
                account: found.account,
                epoch: found.epoch,
            };
            directory.insert(found.public, record);
        }
    }
    directory
}

/// How long keys that have asked for it may be silent.
fn policies_of(state: &State) -> Vec<(KeyId, AccountId, Duration)> {
    let rules = state.sessions().iter();
    let asked = rules.filter(|(_, rule)| rule.policy.silence_ns > 0);
    let silence = |ns| Duration::from_nanos(ns);
    asked
        .map(|(key, rule)| (key, rule.account, silence(rule.policy.silence_ns)))
        .collect()
}

/// A broken invariant stops the node: nothing that is shared with a panicked thread can be trusted,
/// and the journal can be replayed.
fn end_process_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        eprintln!("keel: a broken invariant stops the node; the journal can be replayed");
        std::process::exit(1);
    }));
}

/// Locks the data directory and recovers everything from it.
fn recover(
    directory: &DataDir,
    io: JournalIo,
    segment_length: SegmentLength,
) -> Result<(Folders, Recovered), Failure> {
    let mut instance = [0; 16];
    getrandom::fill(&mut instance).map_err(|error| Failure::failed("no entropy", error))?;
    let folders = Folders::lock(directory.path(), io)?;
    let config = JournalConfig {
        data_directory: directory.path().to_owned(),
        segment_length,
        identity: directory.identity(),
        new_instance: InstanceId::new(instance),
        io,
    };
    let seeds = [recovery::random_hash_seed()?, recovery::random_hash_seed()?];
    let recovered = recovery::recover(&folders, &config, directory.genesis(), seeds)?;
    Ok((folders, recovered))
}

fn gateway_setup(
    directory: &DataDir,
    state: &State,
    options: &NodeOptions,
    (identity, answers): (Identity, AnswerBook),
) -> GatewaySetup {
    let genesis = directory.genesis();
    GatewaySetup {
        config: options.limits.gateway,
        identity,
        network: genesis.network(),
        genesis_hash: genesis.hash(),
        reference: Reference::of(genesis),
        directory: directory_of(genesis, state),
        policies: policies_of(state),
        answers,
        weights: options.limits.weights.clone(),
    }
}

fn bind_datagrams(address: SocketAddr) -> Result<(UdpSocket, SocketAddr), Failure> {
    let socket = UdpSocket::bind(address)
        .map_err(|error| Failure::failed(&format!("cannot use {address}"), error))?;
    let bound = socket
        .local_addr()
        .map_err(|error| Failure::failed("cannot use the socket", error))?;
    Ok((socket, bound))
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .map_err(|error| Failure::failed(&format!("cannot use {address}"), error))
}

fn start_signatures(
    (parking, ends): (Parking, SignatureEnds),
    frame_key: FrameKey,
) -> (Worker<()>, Arc<CachePadded<SignatureCounters>>) {
    let SignatureEnds {
        unverified,
        verified,
        rejected,
        wake_pipeline,
        wake_gateway,
    } = ends;
    let mut worker = SignatureWorker::new(unverified, verified, rejected, frame_key);
    let counters = worker.counters();
    let worker = Worker::start("keel-signatures", parking, move |parking, stop| {
        loop {
            let stopping = stop.requested();
            let progress = worker.run_once();
            if progress.verified > 0 {
                wake_pipeline.wake();
            }
            if progress.refused > 0 {
                wake_gateway.notify_one();
            }
            if progress.is_idle() {
                if stopping && !progress.blocked {
                    return;
                }
                parking.park();
            }
        }
    });
    (worker, counters)
}

fn start_journal(
    worker: JournalWorker,
    parking: Parking,
    fatal: mpsc::Sender<String>,
) -> Worker<()> {
    Worker::start("keel-journal", parking, move |parking, stop| {
        if let Err(error) = journal_thread::run(worker, parking, stop) {
            // Nothing is called durable any more; the main thread ends the process. If the
            // message cannot be sent, the main thread is ending it already.
            drop(fatal.try_send(format!("journal: {error}")));
        }
    })
}

fn start_shadow(
    shadow: Shadow,
    nudge: Nudge,
    parking: Parking,
    fatal: mpsc::Sender<String>,
) -> Worker<()> {
    Worker::start("keel-shadow", parking, move |parking, stop| {
        if let Err(diverged) = shadow::run(shadow, &nudge, parking, stop) {
            // As above.
            drop(fatal.try_send(diverged.to_string()));
        }
    })
}

/// The lag, and whoever keeps it current.
type LagWatch = (Arc<AnchorLag>, Worker<()>);

fn start_anchor_lag(data: &Path, limit: Duration) -> LagWatch {
    let lag = Arc::new(AnchorLag::of(data, limit));
    let (kept, data) = (Arc::clone(&lag), data.to_owned());
    let worker = Worker::start("keel-anchor-lag", Parking::new(), move |parking, stop| {
        anchor_lag::run(&kept, &data, parking, stop);
    });
    (lag, worker)
}

fn start_gateway(gateway: Gateway, socket: UdpSocket) -> Result<(Life, JoinHandle<()>), Failure> {
    let life = Life::of("keel-gateway");
    let lived = life.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the gateway", error))?;
    let thread = std::thread::Builder::new()
        .name("keel-gateway".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(gateway.serve(socket)) {
                tracing::error!("gateway: {error}");
            }
            lived.end();
        })
        .map_err(|error| Failure::failed("cannot start the gateway", error))?;
    Ok((life, thread))
}
