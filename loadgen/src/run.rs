//! A run: some clients, one scenario, one rate, one report.
//!
//! Everything happens on the calling thread, in a runtime of its own, so that a run takes at most
//! one core from the node that it measures. Start with [`run`]; what one client does is in module
//! `drive`.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;
use types::limits::COMMANDS_PER_FRAME_MAX;

use crate::drive::{Client, Pace};
use crate::error::LoadError;
use crate::meter::{Meter, cpu_time};
use crate::node_metrics::{self, NodeFigures};
use crate::report::RunReport;
use crate::schedule::Schedule;
use crate::series::{Intervals, Series};
use crate::session::{NamedKey, Session, Target, development_keys};
use crate::tally::Tally;
use crate::workload::{Scenario, Workload, WorkloadPlan};

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
    /// Where the node tells its numbers (`keel serve --metrics`); `None`: its side of the run is not
    /// reported.
    pub metrics: Option<SocketAddr>,
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
            scenario: Scenario::Uniform,
            rate: Rate::Max,
            frame: 32,
            clients: 4,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(1),
            seed: 1,
            keys: development_keys(),
            window: None,
            metrics: None,
        }
    }

    fn check(&self) -> Result<(), LoadError> {
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
        } else if self.duration.is_zero() {
            "a run of no time measures nothing".to_owned()
        } else if self.window == Some(0) {
            "a window of no frames sends nothing".to_owned()
        } else {
            return Ok(());
        };
        Err(LoadError::Options(problem))
    }

    fn total(&self) -> Duration {
        self.warm_up + self.duration
    }
}

/// Runs to the end and reports. `progress` is called a few times a second. Blocks the calling
/// thread, which must not be one of another async runtime.
pub fn run(options: &RunOptions, progress: impl FnMut(Progress)) -> Result<RunReport, LoadError> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (tally, cpu, node) = LocalSet::new().block_on(&runtime, run_clients(options, progress))?;
    let mut report = RunReport::new(options, &tally, cpu);
    if let Some(node) = node {
        report.add_node(node);
    }
    Ok(report)
}

/// What the clients of a run share.
#[derive(Debug)]
pub(crate) struct Board {
    /// When the schedule begins.
    pub(crate) start: Instant,
    /// From when on frames count, from the start.
    pub(crate) warm_up: Duration,
    /// When the last frame is meant to be sent at the latest, from the start.
    pub(crate) total: Duration,
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

/// What came of a run: what the clients saw, CPU time of this process, and the node's side.
type Measured = (Tally, Duration, Option<Result<NodeFigures, LoadError>>);

async fn run_clients(
    options: &RunOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Measured, LoadError> {
    if let Some(node) = options.metrics {
        // Whether it answers is found out before the run, not after it.
        node_metrics::sample(node).await?;
    }
    let clients = open_clients(options).await?;
    let intervals = Intervals::of(options.warm_up, options.duration);
    let board = Rc::new(Board {
        start: Instant::now(),
        warm_up: options.warm_up,
        total: options.total(),
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
                total: board.total,
                orders: board.answered.get(),
            }),
            () = meter.tick() => {}
        }
    }
    let cpu_after = cpu_time();
    let cpu_before = board.cpu_before.get().unwrap_or(cpu_after);
    let node = meter.finish().await;
    let mut tally = total.replace(Tally::new());
    tally.series = Some(board.series.replace(Series::new(intervals)));
    Ok((tally, cpu_after.saturating_sub(cpu_before), node))
}

/// Opens all sessions, one after the other, and gives each its workload.
async fn open_clients(options: &RunOptions) -> Result<Vec<Client>, LoadError> {
    let mut sessions = Vec::new();
    for key in options.keys.iter().take(options.clients as usize) {
        sessions.push(Session::open(&options.target, key).await?);
    }
    let reference = sessions[0].reference.clone();
    let plan = WorkloadPlan::new(reference, options.scenario, options.clients, options.seed)?;
    let numbered = (0..).zip(sessions);
    numbered
        .map(|(client, session)| open_client(options, &plan, client, session))
        .collect()
}

fn open_client(
    options: &RunOptions,
    plan: &Arc<WorkloadPlan>,
    client: u32,
    session: Session,
) -> Result<Client, LoadError> {
    let workload = Workload::new(plan, client, &session.free)?;
    let frames_in_flight_max = session.sender.terms().frames_in_flight as usize;
    let pace = match options.rate {
        Rate::PerSecond(rate) => Pace::Scheduled(Schedule {
            rate,
            frame: options.frame as u64,
            clients: options.clients.into(),
            client: client.into(),
        }),
        Rate::Max => Pace::Windowed(options.window.unwrap_or_else(|| chosen_window(options))),
    };
    Ok(Client::new(
        session,
        workload,
        options.frame,
        pace,
        frames_in_flight_max,
    ))
}

/// So many frames that the node always has the next block to work on while it syncs the last one,
/// and not so many that they only wait there.
fn chosen_window(options: &RunOptions) -> usize {
    let per_client = COMMANDS_IN_FLIGHT / options.clients as usize;
    (per_client / options.frame).max(WINDOW_MIN)
}

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
        type Change = fn(&mut RunOptions);
        let cases: [(Change, &str); 6] = [
            (|o| o.frame = 0, "1 to 256 commands, not 0"),
            (|o| o.frame = 257, "1 to 256 commands, not 257"),
            (|o| o.clients = 0, "1 to 64 clients, not for 0"),
            (|o| o.clients = 65, "1 to 64 clients, not for 65"),
            (|o| o.duration = Duration::ZERO, "no time"),
            (|o| o.window = Some(0), "no frames"),
        ];
        assert!(options().check().is_ok());
        for (change, expected) in cases {
            let mut options = options();
            change(&mut options);
            let error = run(&options, |_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?}");
        }
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
            assert_eq!(chosen_window(&options), expected, "{frame} {clients}");
        }
    }
}
