//! A run: some clients, one scenario, one rate, one report.
//!
//! Everything happens on the calling thread, in a runtime of its own, so that a run takes at most
//! one core from the node that it measures. Start with [`run`]; what one client does is in module
//! `drive`.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use client::{FrameSigner, SignatureMode};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;
use types::limits::COMMANDS_PER_FRAME_MAX;

use crate::drive::{Client, Pace};
use crate::error::LoadError;
use crate::frames::{self, Frames, Signing};
use crate::meter::{Meter, cpu_time};
use crate::node_metrics;
use crate::processes::{Part, PartReport};
use crate::record::Recorder;
use crate::report::RunReport;
use crate::schedule::Schedule;
use crate::series::{Intervals, Series};
use crate::session::{NamedKey, Session, Target, development_keys};
use crate::skeleton::{SkeletonOptions, skeleton};
use crate::tally::Tally;
use crate::workload::{Scenario, Spread, Workload, WorkloadPlan};

/// What to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Against which node.
    pub target: Target,
    /// Which workload.
    pub scenario: Scenario,
    /// How fast.
    pub rate: Rate,
    /// Commands in a frame, 1..=256.
    pub frame: usize,
    /// When frames are signed.
    pub signing: Signing,
    /// Clients, each with a connection and an account of its own.
    pub clients: u32,
    /// How long to measure.
    pub duration: Duration,
    /// How long to load before measuring.
    pub warm_up: Duration,
    /// Seed of the workload.
    pub seed: u64,
    /// Accounts for the clients, at least as many.
    pub keys: Vec<NamedKey>,
    /// At maximum rate, frames that a client has in flight; `None`: chosen.
    pub window: Option<usize>,
    /// Which of the clients are this process's; `None`: all.
    pub part: Option<Part>,
    /// Where the node tells its numbers (`keel serve --metrics`); `None`: its side of the run is not
    /// reported.
    pub metrics: Option<SocketAddr>,
    /// Where to keep what every client sees, for [`Check`](crate::check::Check): an empty folder;
    /// `None`: nowhere.
    pub record: Option<PathBuf>,
}

/// How fast commands are sent, over all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Open loop: so many a second, on a schedule, however slow the answers are.
    PerSecond(NonZeroU64),
    /// Closed loop: the next frame once there is room in the window.
    Max,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since the start, the warm-up included.
    pub elapsed: Duration,
    /// Of so much.
    pub total: Duration,
    /// Commands answered, those of the warm-up included.
    pub orders: u64,
}

impl RunOptions {
    /// Four clients on a development node, frames of 32, as fast as possible, for ten seconds
    /// after one of warm-up.
    pub fn development(connect: SocketAddr) -> Self {
        Self {
            target: Target::development(connect),
            scenario: Scenario::of(Spread::Uniform),
            rate: Rate::Max,
            frame: 32,
            signing: Signing::Live,
            clients: 4,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(1),
            seed: 1,
            keys: development_keys(),
            window: None,
            part: None,
            metrics: None,
            record: None,
        }
    }

    /// Measures a bare skeleton of this run for so long. `None`: not for no time, nor against a schedule,
    /// which the skeleton does not know, nor for rolling signatures, which it does not verify, nor if
    /// frames are signed ahead, for it signs its own live.
    pub fn skeleton(&self, duration: Duration) -> Result<Option<f64>, LoadError> {
        let is_alike = self.rate == Rate::Max
            && self.target.signatures == SignatureMode::Frame
            && self.signing == Signing::Live;
        if !is_alike || duration.is_zero() {
            return Ok(None);
        }
        let rate = skeleton(&SkeletonOptions {
            frame: self.frame,
            clients: self.clients,
            window: self.window_frames(),
            duration,
        })?;
        Ok(Some(rate))
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let problem = if self.frame == 0 || self.frame > COMMANDS_PER_FRAME_MAX {
            format!(
                "a frame holds 1 to {COMMANDS_PER_FRAME_MAX} commands, not {}",
                self.frame
            )
        } else if self.clients == 0 || self.clients as usize > self.keys.len() {
            format!(
                "there are accounts for 1 to {} clients, not for {}",
                self.keys.len(),
                self.clients
            )
        } else if self.scenario.frame_max() < self.frame {
            format!(
                "frames of {} do not hold the quote sets of {}: at most {}",
                self.frame,
                self.scenario.name,
                self.scenario.frame_max()
            )
        } else if let Rate::PerSecond(rate) = self.rate
            && FRAMES_PER_CLIENT_MAX < rate.get() / self.frame as u64 / u64::from(self.clients)
        {
            format!(
                "{} clients with frames of {} do not send {rate} commands a second: a client signs \
                 at most {FRAMES_PER_CLIENT_MAX} frames a second; use larger frames or more clients",
                self.clients, self.frame
            )
        } else if self.duration.is_zero() {
            "a run of no time measures nothing".to_owned()
        } else if self.window == Some(0) {
            "a window of no frames sends nothing".to_owned()
        } else {
            return self.check_signing();
        };
        Err(LoadError::Options(problem))
    }

    fn check_signing(&self) -> Result<(), LoadError> {
        let Signing::Ahead { orders } = self.signing else {
            return Ok(());
        };
        let problem = if self.target.signatures == SignatureMode::Rolling {
            "a rolling signature is over all that its connection has carried, so none can be made \
             ahead; use `--signatures frame`"
                .to_owned()
        } else if self.rate == Rate::Max && orders.is_none() {
            "at maximum rate nobody knows how many frames will be sent: say with `--ahead-orders` how \
             many commands to sign ahead"
                .to_owned()
        } else if self.rate != Rate::Max && orders.is_some() {
            "on a schedule it is known how many commands are sent: leave `--ahead-orders` out"
                .to_owned()
        } else {
            let clients = 0..self.clients;
            let frames: u64 = clients.filter_map(|client| self.frames_ahead(client)).sum();
            let bytes = frames::bytes_max(frames, self.frame, self.scenario.slots_max());
            if bytes <= AHEAD_BYTES_MAX {
                return Ok(());
            }
            format!(
                "{frames} frames of {} commands take up to {} MiB; at most {} MiB are signed ahead: \
                 fewer seconds, a lower rate or larger frames need less",
                self.frame,
                bytes >> 20,
                AHEAD_BYTES_MAX >> 20
            )
        };
        Err(LoadError::Options(problem))
    }

    /// How many frames this client has signed before the clock starts; `None`: none.
    fn frames_ahead(&self, client: u32) -> Option<u64> {
        let Signing::Ahead { orders } = self.signing else {
            return None;
        };
        match self.pace(client) {
            Pace::Scheduled(schedule) => Some(schedule.frames_before(self.total())),
            Pace::Windowed(_) => {
                let frames = orders?.div_ceil(self.frame as u64);
                Some(frames.div_ceil(self.clients.into()))
            }
        }
    }

    fn pace(&self, client: u32) -> Pace {
        match self.rate {
            Rate::PerSecond(rate) => Pace::Scheduled(Schedule {
                rate,
                frame: self.frame as u64,
                clients: self.clients.into(),
                client: client.into(),
            }),
            Rate::Max => Pace::Windowed(self.window_frames()),
        }
    }

    fn total(&self) -> Duration {
        self.warm_up + self.duration
    }

    /// Frames that a client has in flight at maximum rate. If nobody says: so many that the node always
    /// has the next block to work on while it syncs the last one, and not so many that they only wait
    /// there.
    fn window_frames(&self) -> usize {
        let per_client = COMMANDS_IN_FLIGHT / self.clients as usize;
        let chosen = (per_client / self.frame).max(WINDOW_MIN);
        self.window.unwrap_or(chosen)
    }
}

/// Runs to the end and reports. `progress` is called a few times a second. Blocks the calling
/// thread, which must not be one of another async runtime.
pub fn run(options: &RunOptions, progress: impl FnMut(Progress)) -> Result<RunReport, LoadError> {
    Ok(measure(options, || Ok(()), progress)?.report(options))
}

/// Runs to the end. `gate` is waited for once all sessions are open; it may block.
pub(crate) fn measure(
    options: &RunOptions,
    gate: impl FnOnce() -> Result<(), LoadError> + Send + 'static,
    progress: impl FnMut(Progress),
) -> Result<PartReport, LoadError> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, run_clients(options, gate, progress))
}

/// What the clients of a run share.
#[derive(Debug)]
pub(crate) struct Board {
    /// When the schedule begins.
    pub(crate) start: Instant,
    /// From when on frames count, from the start.
    pub(crate) warm_up: Duration,
    /// When the last frame is meant to be sent at the latest, from the start.
    total: Cell<Duration>,
    /// Commands answered.
    pub(crate) answered: Cell<u64>,
    /// What was answered when.
    pub(crate) series: RefCell<Series>,
    /// CPU time of this process when the first frame that counts was sent.
    cpu_before: Cell<Option<Duration>>,
}

impl Board {
    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// When the last frame is meant to be sent at the latest, from the start.
    pub(crate) fn total(&self) -> Duration {
        self.total.get()
    }

    /// Time until then.
    pub(crate) fn left(&self) -> Duration {
        self.total().saturating_sub(self.elapsed())
    }

    /// Nothing more is to be sent.
    pub(crate) fn end(&self) {
        self.total.set(self.total().min(self.elapsed()));
    }

    /// How the measurement is cut.
    pub(crate) fn intervals(&self) -> Intervals {
        self.series.borrow().intervals
    }

    /// Whether a frame that is meant for this time counts. The first one starts the CPU clock.
    pub(crate) fn measures(&self, intended: Duration) -> bool {
        let measured = self.warm_up <= intended;
        if measured && self.cpu_before.get().is_none() {
            self.cpu_before.set(Some(cpu_time()));
        }
        measured
    }
}

async fn run_clients(
    options: &RunOptions,
    gate: impl FnOnce() -> Result<(), LoadError> + Send + 'static,
    mut progress: impl FnMut(Progress),
) -> Result<PartReport, LoadError> {
    if let Some(node) = options.metrics {
        // Whether it answers is found out before the run, not after it.
        node_metrics::sample(node).await?;
    }
    let clients = open_clients(options).await?;
    // Aside, so that the sessions stay alive meanwhile.
    let gate = tokio::task::spawn_blocking(gate).await;
    gate.expect("a gate does not panic")?;
    let intervals = Intervals::of(options.warm_up, options.duration);
    let board = Rc::new(Board {
        start: Instant::now(),
        warm_up: options.warm_up,
        total: Cell::new(options.total()),
        answered: Cell::new(0),
        series: RefCell::new(Series::new(intervals)),
        cpu_before: Cell::new(None),
    });
    let mut tasks = JoinSet::new();
    let total = Rc::new(RefCell::new(Tally::new()));
    for client in clients {
        let (board, total) = (Rc::clone(&board), Rc::clone(&total));
        tasks.spawn_local(async move {
            let tally = client.drive(&board).await?;
            total.borrow_mut().merge(&tally);
            Ok::<(), LoadError>(())
        });
    }
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    let mut meter = Meter::new(&board, options.metrics);
    loop {
        tokio::select! {
            joined = tasks.join_next() => match joined {
                // A panic of a client is a broken invariant: it is ours too.
                Some(joined) => joined.expect("clients do not panic")?,
                None => break,
            },
            _ = ticks.tick() => progress(Progress {
                elapsed: board.elapsed(),
                total: board.total(),
                orders: board.answered.get(),
            }),
            () = meter.tick() => {}
        }
    }
    if board.total() < board.warm_up {
        return Err(LoadError::Options(
            "all commands that were signed ahead were sent within the warm-up: sign more with \
             `--ahead-orders`"
                .to_owned(),
        ));
    }
    let cpu_after = cpu_time();
    let cpu_before = board.cpu_before.get().unwrap_or(cpu_after);
    let node = meter.finish().await;
    let mut tally = total.replace(Tally::new());
    tally.series = Some(board.series.replace(Series::new(intervals)));
    Ok(PartReport {
        tally,
        cpu: cpu_after.saturating_sub(cpu_before),
        node: node.map(|it| it.map_err(|error| error.to_string())),
    })
}

/// Opens all sessions of this process, one after the other, and gives each its workload.
async fn open_clients(options: &RunOptions) -> Result<Vec<Client>, LoadError> {
    let mut sessions = Vec::new();
    let all = (0..options.clients).zip(&options.keys);
    let own = |client| options.part.is_none_or(|part| part.has(client));
    for (client, key) in all.filter(|it| own(it.0)) {
        sessions.push((client, Session::open(&options.target, key).await?));
    }
    let reference = sessions[0].1.reference.clone();
    let scenario = options.scenario.clone();
    let plan = WorkloadPlan::new(reference, scenario, options.clients, options.seed)?;
    let mut clients = Vec::new();
    for (client, session) in sessions {
        clients.push(open_client(options, &plan, client, session).await?);
    }
    Ok(clients)
}

async fn open_client(
    options: &RunOptions,
    plan: &Arc<WorkloadPlan>,
    client: u32,
    session: Session,
) -> Result<Client, LoadError> {
    // A frame has fewer sets than this, so the numbers of a run are above those of earlier ones.
    let sets = session.first_nonce.get() * COMMANDS_PER_FRAME_MAX as u64;
    let workload = Workload::new(plan, client, &session.balances.free(), sets)?;
    let recorder = options.record.as_ref().map(|folder| {
        let sender = &session.sender;
        let named = (client, session.name.as_str());
        let next = sender.next_nonce();
        Recorder::begin(folder, named, sender.terms(), next, &session.balances)
    });
    let frames_in_flight_max = session.sender.terms().frames_in_flight as usize;
    let (size, next) = (options.frame, session.sender.next_nonce());
    let frames = match options.frames_ahead(client) {
        None => Frames::live(workload, size, next),
        Some(count) => {
            let key = options.keys[client as usize].1.clone();
            let signer = FrameSigner::new(*session.sender.terms(), key);
            let sign = move || Frames::ahead(workload, size, next, count, signer);
            // Aside, so that the sessions stay alive meanwhile.
            let signed = tokio::task::spawn_blocking(sign).await;
            signed.expect("signing does not panic")
        }
    };
    Ok(Client::new(
        session,
        frames,
        options.pace(client),
        frames_in_flight_max,
        recorder.transpose()?,
    ))
}

/// Bytes of all frames that are signed ahead.
const AHEAD_BYTES_MAX: u64 = 2 << 30;

/// A signature alone takes longer than a second divided by this.
const FRAMES_PER_CLIENT_MAX: u64 = 100_000;

const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// At maximum rate, commands in flight over all clients: about 20 ms of a node's work.
const COMMANDS_IN_FLIGHT: usize = 16_384;
/// With fewer frames a client would wait for each answer.
const WINDOW_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> RunOptions {
        RunOptions::development(([127, 0, 0, 1], 1).into())
    }

    #[test]
    fn impossible_runs_are_refused_with_the_reason() {
        let cases: [(Change, &str); 8] = [
            (|o| o.frame = 0, "1 to 256 commands, not 0"),
            (|o| o.frame = 257, "1 to 256 commands, not 257"),
            (|o| o.clients = 0, "1 to 64 clients, not for 0"),
            (|o| o.clients = 65, "1 to 64 clients, not for 65"),
            (|o| o.duration = Duration::ZERO, "no time"),
            (|o| o.window = Some(0), "no frames"),
            (
                |o| {
                    o.scenario.mix.quote_set = 1;
                    o.frame = 52;
                },
                "at most 51",
            ),
            (
                |o| {
                    o.rate = Rate::PerSecond(NonZeroU64::new(1_000_000).unwrap());
                    o.frame = 1;
                },
                "4 clients with frames of 1",
            ),
        ];
        assert!(options().check().is_ok());
        for (change, expected) in cases.into_iter().chain(signing_cases()) {
            let mut options = options();
            change(&mut options);
            let error = run(&options, |_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?}");
        }
    }

    type Change = fn(&mut RunOptions);

    fn signing_cases() -> [(Change, &'static str); 5] {
        [
            (
                |o| {
                    o.signing = Signing::Ahead { orders: Some(1) };
                    o.target.signatures = SignatureMode::Rolling;
                },
                "use `--signatures frame`",
            ),
            (
                |o| o.signing = Signing::Ahead { orders: None },
                "say with `--ahead-orders`",
            ),
            (
                |o| {
                    o.signing = Signing::Ahead { orders: Some(1) };
                    o.rate = Rate::PerSecond(NonZeroU64::MIN);
                },
                "leave `--ahead-orders` out",
            ),
            (
                |o| {
                    o.signing = Signing::Ahead {
                        orders: Some(100_000_000),
                    };
                },
                "3125000 frames of 32 commands take up to 3361 MiB; at most 2048 MiB",
            ),
            (
                |o| {
                    o.signing = Signing::Ahead { orders: None };
                    o.rate = Rate::PerSecond(NonZeroU64::new(10_000_000).unwrap());
                },
                "a lower rate",
            ),
        ]
    }

    #[test]
    fn as_many_frames_are_signed_ahead_as_will_be_sent() {
        let ahead = |orders, rate| RunOptions {
            signing: Signing::Ahead { orders },
            rate,
            ..options()
        };
        // Eleven seconds with the warm-up, four clients, frames of 32.
        let rate = Rate::PerSecond(NonZeroU64::new(32_000).unwrap());
        let scheduled = ahead(None, rate);
        let frames = (0..4).map(|client| scheduled.frames_ahead(client).unwrap());
        assert_eq!(frames.sum::<u64>(), 11_000);
        let free = ahead(Some(1_000_000), Rate::Max);
        assert_eq!(free.frames_ahead(3), Some(7_813));
        assert_eq!(options().frames_ahead(0), None);
    }

    #[test]
    fn a_node_without_numbers_is_told_before_the_run() {
        // Nobody listens on a port that was given to us and given back.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let options = RunOptions {
            metrics: Some(address),
            ..options()
        };
        let error = run(&options, |_| ()).unwrap_err().to_string();
        let hint = format!("does `keel serve` run with `--metrics {address}`?");
        assert!(error.contains(&hint), "{error}");
    }

    #[test]
    fn the_window_shares_the_commands_in_flight() {
        for (frame, clients, expected) in [(32, 4, 128), (128, 8, 16), (256, 64, 4), (1, 1, 16_384)]
        {
            let options = RunOptions {
                frame,
                clients,
                ..options()
            };
            assert_eq!(options.window_frames(), expected, "{frame} {clients}");
        }
    }
}
