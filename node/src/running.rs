//! A running node: its threads, and the rings between them.
//!
//! ```text
//! QUIC -> [gateway] -> [signatures] -> [pipeline] -> [journal]
//!             ^                          |     ^        |
//!             |<------- released --------|     '--------'  durable marks
//!             |<-- replies - [read model] <-- released
//! ```
//!
//! Each box is a thread, each arrow a bounded single-producer ring of `types` values. A thread
//! without work parks; whoever pushes wakes it. Nothing here decides anything.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_utils::sync::{Parker, Unparker};
use engine::State;
use engine::follower::Follower;
use gateway::{
    AnswerBook, Gateway, GatewayConfig, GatewayHandle, GatewaySetup, Identity, KeyDirectory,
    SignatureWorker, Wake,
};
use rtrb::RingBuffer;
use store::{InstanceId, Journal, JournalConfig, SegmentLength};
use tokio::sync::{Notify, mpsc};
use types::auth::FrameKey;
use types::outcome::BlockOutcome;
use types::wire::query::Reference;

use crate::cli::Failure;
use crate::data_dir::DataDir;
use crate::{journal_thread, pipeline, read_model, recovery};

/// Frames in each ring on the way in. Beyond them clients hear `BUSY`.
const FRAMES: usize = 4_096;
/// Blocks between the pipeline and each follower.
const RELEASED: usize = 1_024;
/// Blocks between the pipeline and the journal; more than may be in flight.
const JOURNAL: usize = 8;
/// Questions to the read model, and answers back.
const QUERIES: usize = 1_024;

/// Wall-clock time that never runs backwards: read once, then counted by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_unix: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_epoch = since_epoch.expect("the clock is past 1970");
        Self {
            started: Instant::now(),
            started_unix: u64::try_from(since_epoch.as_nanos()).expect("the clock is before 2554"),
        }
    }

    pub(crate) fn unix_nanos(&self) -> u64 {
        let elapsed = self.started.elapsed().as_nanos();
        self.started_unix + u64::try_from(elapsed).expect("a node runs less than 500 years")
    }
}

/// Where a thread without work waits.
pub(crate) struct Parking(Parker);

impl Parking {
    pub(crate) fn new() -> Self {
        Self(Parker::new())
    }

    /// Returns at once if woken since the last time.
    pub(crate) fn park(&self) {
        self.0.park();
    }

    /// The same, but returns after `wait` at the latest.
    pub(crate) fn park_for(&self, wait: Duration) {
        self.0.park_timeout(wait);
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker(self.0.unparker().clone())
    }
}

/// Wakes a parked thread; cheap if it is not.
#[derive(Clone)]
pub(crate) struct Waker(Unparker);

impl Waker {
    pub(crate) fn wake(&self) {
        self.0.unpark();
    }
}

/// A request to a thread to finish its work and end.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Release pairs with the Acquire in [`Stop::requested`]: a thread that sees the request also
    /// sees everything that was pushed to it before.
    pub(crate) fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// One thread with its way to be stopped.
struct Worker<T> {
    thread: JoinHandle<T>,
    stop: Stop,
    waker: Waker,
}

impl<T: Send + 'static> Worker<T> {
    fn start(
        name: &str,
        parking: Parking,
        body: impl FnOnce(&Parking, &Stop) -> T + Send + 'static,
    ) -> Self {
        let (stop, waker) = (Stop::default(), parking.waker());
        let seen = stop.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(&parking, &seen))
            .expect("the node's few threads can be started");
        Self {
            thread,
            stop,
            waker,
        }
    }

    /// Lets it finish its work and returns what it leaves. A panic has ended the process already.
    fn finish(self) -> T {
        self.stop.request();
        self.waker.wake();
        self.thread.join().expect("a panic ends the process")
    }
}

/// What a node needs to start.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    pub(crate) listen: SocketAddr,
    pub(crate) gateway: GatewayConfig,
    /// Of journal segments to come.
    pub(crate) segment_length: SegmentLength,
}

/// A running node.
pub(crate) struct Running {
    directory: DataDir,
    local_address: SocketAddr,
    public_key: types::auth::PublicKey,
    gateway: GatewayHandle,
    gateway_thread: JoinHandle<()>,
    signatures: Worker<()>,
    pipeline: Worker<State>,
    journal: Worker<()>,
    read_model: Worker<()>,
    fatal: mpsc::Receiver<String>,
}

/// What was found in the data directory at start.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// The last good command.
    pub(crate) sequence: u64,
    /// What a torn tail lost and where it is kept.
    pub(crate) torn: Option<String>,
}

impl Running {
    /// Recovers the state from the directory and starts all threads.
    pub(crate) fn start(
        directory: DataDir,
        options: &NodeOptions,
    ) -> Result<(Self, Recovery), Failure> {
        end_process_on_panic();
        let clock = Clock::start();
        let socket = UdpSocket::bind(options.listen)
            .map_err(|error| Failure::failed(&format!("cannot use {}", options.listen), error))?;
        let local_address = socket
            .local_addr()
            .map_err(|error| Failure::failed("cannot use the socket", error))?;
        let identity = Identity::from_seed(directory.tls_seed()?);
        let public_key = identity.public_key();

        let (journal, followers, recovery) = recover(&directory, options.segment_length)?;
        let Followers {
            state,
            follower,
            answers,
        } = followers;
        let frame_key = *state.frame_key();
        let (ends, wakers) = Ends::new();
        let (fatal_sender, fatal) = mpsc::channel(4);

        let signatures = start_signatures(ends.signatures, frame_key, &wakers);
        let journal = start_journal(journal, ends.journal, fatal_sender, clock);
        let pipeline = start_pipeline(state, ends.pipeline, clock);
        let read_model = start_read_model(follower, ends.read_model);
        let genesis = directory.genesis();
        let setup = GatewaySetup {
            config: options.gateway,
            identity,
            network: genesis.network(),
            genesis_hash: genesis.hash(),
            reference: Reference::of(genesis),
            directory: KeyDirectory::of(genesis),
            answers,
        };
        let (gateway, gateway_thread) = start_gateway(setup, ends.gateway, socket)?;
        let running = Self {
            directory,
            local_address,
            public_key,
            gateway,
            gateway_thread,
            signatures,
            pipeline,
            journal,
            read_model,
            fatal,
        };
        Ok((running, recovery))
    }

    /// Where it listens.
    pub(crate) const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// The key that clients pin.
    pub(crate) const fn public_key(&self) -> types::auth::PublicKey {
        self.public_key
    }

    /// Its data directory.
    pub(crate) const fn directory(&self) -> &DataDir {
        &self.directory
    }

    /// Waits until something makes going on impossible.
    pub(crate) async fn fatal(&mut self) -> String {
        match self.fatal.recv().await {
            Some(reason) => reason,
            // The journal ended without an error, so it was told to.
            None => std::future::pending().await,
        }
    }

    /// Refuses what is new, answers what was taken in, and stops. Returns the final state.
    pub(crate) fn stop(self) -> (State, DataDir) {
        self.gateway.drain();
        self.signatures.finish();
        let state = self.pipeline.finish();
        self.journal.finish();
        self.read_model.finish();
        self.gateway.close();
        self.gateway_thread
            .join()
            .expect("a panic ends the process");
        (state, self.directory)
    }
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

/// Everything that is built from the journal at start.
struct Followers {
    state: State,
    follower: Follower,
    answers: AnswerBook,
}

/// Reads, checks and re-executes the journal, then opens it for writing.
fn recover(
    directory: &DataDir,
    segment_length: SegmentLength,
) -> Result<(Journal, Followers, Recovery), Failure> {
    let mut instance = [0; 16];
    getrandom::fill(&mut instance).map_err(|error| Failure::failed("no entropy", error))?;
    let mut reading = store::Recovery::begin(&JournalConfig {
        data_directory: directory.path().to_owned(),
        segment_length,
        identity: directory.identity(),
        new_instance: InstanceId::new(instance),
    })?;
    let mut answers = AnswerBook::new();
    let mut follower = Follower::from_genesis(directory.genesis());
    let seed = recovery::random_hash_seed()?;
    let follow = |_: &State, _: &types::block::Block, outcome: &BlockOutcome| {
        answers.follow(outcome);
        follower.follow(outcome);
        Ok(())
    };
    let state = recovery::replay(directory.genesis(), &mut reading, seed, follow)?;
    let (journal, recovered) = Journal::open(reading)?;
    let recovery = Recovery {
        sequence: state.position().sequence.get(),
        torn: recovered.cut.map(|cut| {
            let tail = recovery::describe_tail(&cut.tail);
            format!("{tail}; cut, and kept in {}", cut.copy.display())
        }),
    };
    let followers = Followers {
        state,
        follower,
        answers,
    };
    Ok((journal, followers, recovery))
}

/// What each thread holds of the rings.
struct Ends {
    gateway: gateway::Ports,
    signatures: SignatureEnds,
    pipeline: (Parking, pipeline::Ports),
    journal: (Parking, journal_thread::Ports),
    read_model: (Parking, read_model::Ports),
}

struct SignatureEnds {
    parking: Parking,
    unverified: rtrb::Consumer<gateway::UnverifiedFrame>,
    verified: rtrb::Producer<types::block::SequencedFrame>,
    rejected: rtrb::Producer<gateway::RejectedFrame>,
}

/// Whom the signature thread wakes.
struct Wakers {
    pipeline: Waker,
    gateway: Arc<Notify>,
}

impl Ends {
    /// All rings of a node, their ends dealt out to the threads.
    #[allow(clippy::too_many_lines)] // A list: in two parts, who holds which end would be hidden.
    fn new() -> (Self, Wakers) {
        let (to_verify, unverified) = RingBuffer::new(FRAMES);
        let (verified, frames) = RingBuffer::new(FRAMES);
        let (rejected_in, rejected) = RingBuffer::new(FRAMES);
        let (released_in, released) = RingBuffer::new(RELEASED);
        let (followed_in, followed) = RingBuffer::new(RELEASED);
        let (to_queries, requests) = RingBuffer::new(QUERIES);
        let (replies, query_replies) = RingBuffer::new(QUERIES);
        let (to_journal, blocks) = RingBuffer::new(JOURNAL);
        let (durable_in, durable) = RingBuffer::new(JOURNAL);

        let signatures = Parking::new();
        let pipeline = Parking::new();
        let journal = Parking::new();
        let read_model = Parking::new();
        let gateway = Arc::new(Notify::new());
        let [
            wake_signatures,
            wake_pipeline,
            wake_journal,
            wake_read_model,
        ] = [&signatures, &pipeline, &journal, &read_model].map(Parking::waker);
        let wake_queries = wake_read_model.clone();
        let wake_releaser = wake_pipeline.clone();
        let notify = Arc::clone(&gateway);

        let ends = Self {
            gateway: gateway::Ports {
                to_verify,
                wake_verifier: Wake::new(move || wake_signatures.wake()),
                rejected,
                released,
                to_queries,
                wake_queries: Wake::new(move || wake_queries.wake()),
                query_replies,
                wake_pipeline: Wake::new(move || wake_releaser.wake()),
                wake: Arc::clone(&gateway),
            },
            signatures: SignatureEnds {
                parking: signatures,
                unverified,
                verified,
                rejected: rejected_in,
            },
            pipeline: (
                pipeline,
                pipeline::Ports {
                    frames,
                    to_journal,
                    wake_journal,
                    durable,
                    followers: vec![
                        pipeline::Follower {
                            released: released_in,
                            wake: Box::new(move || notify.notify_one()),
                        },
                        pipeline::Follower {
                            released: followed_in,
                            wake: Box::new(move || wake_read_model.wake()),
                        },
                    ],
                },
            ),
            journal: (
                journal,
                journal_thread::Ports {
                    blocks,
                    durable: durable_in,
                    wake_pipeline: wake_pipeline.clone(),
                },
            ),
            read_model: (
                read_model,
                read_model::Ports {
                    released: followed,
                    wake_pipeline: wake_pipeline.clone(),
                    requests,
                    replies,
                    wake_gateway: Arc::clone(&gateway),
                },
            ),
        };
        let wakers = Wakers {
            pipeline: wake_pipeline,
            gateway,
        };
        (ends, wakers)
    }
}

fn start_signatures(ends: SignatureEnds, frame_key: FrameKey, wakers: &Wakers) -> Worker<()> {
    let SignatureEnds {
        parking,
        unverified,
        verified,
        rejected,
    } = ends;
    let mut worker = SignatureWorker::new(unverified, verified, rejected, frame_key);
    let (wake_pipeline, gateway) = (wakers.pipeline.clone(), Arc::clone(&wakers.gateway));
    Worker::start("keel-signatures", parking, move |parking, stop| {
        loop {
            let stopping = stop.requested();
            let progress = worker.run_once();
            if progress.verified > 0 {
                wake_pipeline.wake();
            }
            if progress.refused > 0 {
                gateway.notify_one();
            }
            if progress.is_idle() {
                if stopping && !progress.blocked {
                    return;
                }
                parking.park();
            }
        }
    })
}

fn start_journal(
    journal: Journal,
    (parking, ports): (Parking, journal_thread::Ports),
    fatal: mpsc::Sender<String>,
    clock: Clock,
) -> Worker<()> {
    Worker::start("keel-journal", parking, move |parking, stop| {
        let ended = journal_thread::run(journal, ports, &clock, parking, stop);
        if let Err(error) = ended {
            // Nothing is called durable any more; the main thread ends the process. If the
            // message cannot be sent, the main thread is ending it already.
            drop(fatal.try_send(format!("journal: {error}")));
        }
    })
}

fn start_pipeline(
    state: State,
    (parking, ports): (Parking, pipeline::Ports),
    clock: Clock,
) -> Worker<State> {
    let pipeline = pipeline::Pipeline::new(state, ports, clock);
    Worker::start("keel-pipeline", parking, |parking, stop| {
        pipeline.run(parking, stop)
    })
}

fn start_read_model(
    follower: Follower,
    (parking, ports): (Parking, read_model::Ports),
) -> Worker<()> {
    Worker::start("keel-read-model", parking, |parking, stop| {
        read_model::run(follower, ports, parking, stop);
    })
}

fn start_gateway(
    setup: GatewaySetup,
    ports: gateway::Ports,
    socket: UdpSocket,
) -> Result<(GatewayHandle, JoinHandle<()>), Failure> {
    let (gateway, handle) = Gateway::new(setup, ports);
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
        })
        .map_err(|error| Failure::failed("cannot start the gateway", error))?;
    Ok((handle, thread))
}
