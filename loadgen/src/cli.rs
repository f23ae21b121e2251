//! The command line: `loadgen run`, `replay`, `ping`, `check` and `compare`.
//!
//! The report goes to standard output, as text or, with `--json -`, as one JSON object; progress
//! and errors go to standard error. Exit codes: 0 fine, 1 failed, 2 usage, or nothing to compare.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use client::{ServerPin, SignatureMode};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use types::auth::PublicKey;

use crate::compare::{CompareArguments, compare};
use crate::error::LoadError;
use crate::frames::Signing;
use crate::outputs::{Forms, Outputs};
use crate::ping::{PingOptions, ping};
use crate::processes::{Part, run_part, run_processes};
use crate::ramp::{RampOptions, ramp};
use crate::record;
use crate::replay::{Recording, ReplayOptions, replay};
use crate::report::{Verdict, grouped};
use crate::run::{Progress, Rate, RunOptions, run};
use crate::session::{Target, development_keys};
use crate::workload::{Load, Scenario, Signatures};

/// Load for a Keel node: seeded workloads and recorded streams, measured.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Send a seeded workload and report rates and latencies.
    Run(Box<RunArguments>),
    /// What `run --processes` starts.
    #[command(hide = true)]
    Part(Box<PartArguments>),
    /// Send a recorded level-3 stream and report its trades.
    Replay(ReplayArguments),
    /// Send single orders one after the other and report where their time goes.
    Ping(PingArguments),
    /// Compare what the clients of a recorded run saw with journal and ledger; exit code 1 if anything
    /// differs.
    Check(CheckArguments),
    /// Put the JSON reports of two runs beside each other; exit code 1 if the second is worse.
    Compare(CompareArguments),
}

#[derive(Debug, Args)]
struct TargetArguments {
    /// Where the node listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7001")]
    connect: SocketAddr,
    /// The node's public key, in hexadecimal; without it, the published development key.
    #[arg(long, value_name = "KEY", value_parser = parse_public_key)]
    server_key: Option<PublicKey>,
    /// A signature a frame, or one over all frames of a write; without it, what the scenario says,
    /// or a signature a frame.
    #[arg(long, value_enum)]
    signatures: Option<Signatures>,
    /// Write the report as JSON, too; `-`: to standard output, instead of text.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl From<Signatures> for SignatureMode {
    fn from(signatures: Signatures) -> Self {
        match signatures {
            Signatures::Frame => Self::Frame,
            Signatures::Rolling => Self::Rolling,
        }
    }
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// What to send: uniform, zipf, hot (how commands spread over markets), or a TOML file.
    #[arg(long, value_name = "NAME|FILE", value_parser = Scenario::find, default_value = "uniform")]
    scenario: Scenario,
    /// Commands a second over all clients, or `max`; without it, what the scenario says, or `max`.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    rate: Option<Rate>,
    /// Commands in a frame; without it, what the scenario says, or 32.
    #[arg(long, value_name = "N")]
    frame: Option<usize>,
    /// Clients, each with an account and a connection of its own; without it, what the scenario
    /// says, or 4.
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// How long to measure.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, default_value = "10")]
    seconds: Duration,
    /// How long to load before measuring.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, default_value = "1")]
    warm_up: Duration,
    /// The same seed makes the same commands.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sign frames as they are sent, or all of them before the clock starts.
    #[arg(long, value_enum, default_value_t)]
    signing: SigningTime,
    /// With `--signing ahead` and `--rate max`: how many commands to sign, over all clients. The run
    /// ends when the first client has sent all of its.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    ahead_orders: Option<u64>,
    /// With `--rate max`: frames that each client has in flight.
    #[arg(long, value_name = "FRAMES")]
    window: Option<usize>,
    /// At maximum rate, on loopback: how long to measure a bare skeleton (QUIC, signatures and answers
    /// alone) afterwards; 0: not.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, default_value = "2")]
    skeleton_seconds: Duration,
    /// Search the highest rate at which the 99th percentile of durable answers stays within
    /// `--p99-max`, from `--rate` on; each step lasts `--seconds`.
    #[arg(long)]
    ramp: bool,
    /// With `--ramp`: the limit, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20, requires = "ramp")]
    p99_max: u64,
    /// Processes that the clients are spread over.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "ramp")]
    processes: u32,
    /// Where the node serves its numbers (`keel serve --metrics`): its CPU time and memory are
    /// reported, too.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Keep every message that the clients get in this folder, which must be empty, for
    /// `loadgen check`. Costs some of the rate.
    #[arg(long, value_name = "FOLDER", conflicts_with = "ramp")]
    record: Option<PathBuf>,
    #[command(flatten)]
    forms: Forms,
}

/// [`Signing`] as an option.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum SigningTime {
    #[default]
    Live,
    Ahead,
}

#[derive(Debug, Args)]
struct PartArguments {
    #[arg(long)]
    index: u32,
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    of: u32,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Args)]
struct ReplayArguments {
    /// The recording: comma-separated order rows, `.csv` or `.csv.gz`.
    file: PathBuf,
    #[command(flatten)]
    target: TargetArguments,
    /// The market to replay into.
    #[arg(long, default_value = "BTC-USD")]
    market: String,
    /// Commands in a frame, at most.
    #[arg(long, value_name = "N", default_value_t = 32)]
    frame: usize,
}

#[derive(Debug, Args)]
struct PingArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Name of the development key that signs.
    #[arg(long, default_value = "dev-0")]
    key: String,
    /// Orders.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    count: u64,
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// What `loadgen run --record` has left.
    #[arg(long, value_name = "FOLDER")]
    record: PathBuf,
    /// The node's data directory. The node may run, but what it has not written yet is missing.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
    /// The `keel` binary, whose `reconcile` replays the journal; without it, the one beside this
    /// program.
    #[arg(long, value_name = "FILE")]
    keel: Option<PathBuf>,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Subcommands::Run(arguments) => run_command(&arguments),
        Subcommands::Part(arguments) => part_command(&arguments),
        Subcommands::Replay(arguments) => replay_command(arguments),
        Subcommands::Ping(arguments) => ping_command(arguments),
        Subcommands::Check(arguments) => return check_command(&arguments),
        Subcommands::Compare(arguments) => compare_command(&arguments),
    };
    match done {
        Ok(Verdict::Pass) => ExitCode::SUCCESS,
        Ok(Verdict::Fail) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(io::stderr(), "error: {error}");
            match error {
                LoadError::Options(_) => ExitCode::from(EXIT_USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

const EXIT_USAGE: u8 = 2;

impl RunArguments {
    /// The command line before the scenario, the scenario before the defaults.
    fn options(&self) -> Result<RunOptions, LoadError> {
        let signing = match (self.signing, self.ahead_orders) {
            (SigningTime::Ahead, orders) => Signing::Ahead { orders },
            (SigningTime::Live, None) => Signing::Live,
            (SigningTime::Live, Some(_)) => {
                let why = "`--ahead-orders` goes with `--signing ahead`".to_owned();
                return Err(LoadError::Options(why));
            }
        };
        let usual = RunOptions::development(self.target.connect);
        let Load {
            frame,
            clients,
            rate,
            signatures,
        } = self.scenario.load;
        let rate = self.rate.or(rate.map(Rate::PerSecond));
        Ok(RunOptions {
            signing,
            target: self.target.target(signatures),
            scenario: self.scenario.clone(),
            rate: rate.unwrap_or(usual.rate),
            frame: self.frame.or(frame).unwrap_or(usual.frame),
            clients: self.clients.or(clients).unwrap_or(usual.clients),
            duration: self.seconds,
            warm_up: self.warm_up,
            seed: self.seed,
            keys: usual.keys,
            window: self.window,
            metrics: self.metrics,
            part: None,
            record: self.record.clone(),
        })
    }
}

fn run_command(arguments: &RunArguments) -> Result<Verdict, LoadError> {
    let options = arguments.options()?;
    let json = arguments.target.json.as_deref();
    // A search has a JSON report of its own.
    let json_of_run = json.filter(|_| !arguments.ramp);
    let outputs = Outputs::open(json_of_run, &arguments.forms)?;
    if let Some(folder) = &options.record {
        record::create_folder(folder)?;
    }
    let line = ProgressLine::new();
    if arguments.ramp {
        let options = RampOptions {
            run: options,
            p99_max: Duration::from_millis(arguments.p99_max),
        };
        let report = ramp(&options, |progress| line.show(&progress));
        line.finish();
        let report = report?;
        outputs.write(&report.run)?;
        write_report(json, &report, &report.text())?;
        return Ok(report.verdict());
    }
    let report = match arguments.processes {
        1 => run(&options, |progress| line.show(&progress)),
        processes => {
            // Behind the program and the subcommand.
            let given: Vec<_> = std::env::args_os().skip(2).collect();
            run_processes(&options, processes, &given, |progress| line.show(&progress))
        }
    };
    line.finish();
    let mut report = report?;
    if options.target.connect.ip().is_loopback() {
        report.add_skeleton(options.skeleton(arguments.skeleton_seconds)?);
    }
    outputs.write(&report)?;
    // What is a file is written by now.
    let json = json.filter(|path| path.as_os_str() == "-");
    write_report(json, &report, &report.text())?;
    Ok(report.verdict)
}

fn part_command(arguments: &PartArguments) -> Result<Verdict, LoadError> {
    let part = Part {
        index: arguments.index,
        of: arguments.of,
    };
    run_part(&arguments.run.options()?, part).map(|()| Verdict::Pass)
}

fn replay_command(arguments: ReplayArguments) -> Result<Verdict, LoadError> {
    let recording = Recording::open(&arguments.file)?;
    let mut keys = development_keys().into_iter();
    let mut key = || keys.next().expect("there are dozens of development keys");
    let options = ReplayOptions {
        target: arguments.target.target(None),
        market: arguments.market,
        frame: arguments.frame,
        bids: key(),
        asks: key(),
    };
    let ProgressLine(bar) = ProgressLine::new();
    bar.set_length(recording.commands.len() as u64);
    let report = replay(&options, &recording, |sent| bar.set_position(sent as u64));
    bar.finish_and_clear();
    let report = report?;
    write_report(arguments.target.json.as_deref(), &report, &report.text())?;
    Ok(report.verdict)
}

fn ping_command(arguments: PingArguments) -> Result<Verdict, LoadError> {
    let report = ping(&PingOptions {
        target: arguments.target.target(None),
        key: arguments.key,
        count: arguments.count,
    })?;
    write_report(arguments.target.json.as_deref(), &report, &report.text())?;
    Ok(Verdict::Pass)
}

/// The engine is not ours to link, so whoever has it replays and compares; its exit code is ours.
fn check_command(arguments: &CheckArguments) -> ExitCode {
    let beside = || std::env::current_exe().map(|program| program.with_file_name("keel"));
    let keel = arguments.keel.clone().map_or_else(beside, Ok);
    let ended = keel.and_then(|keel| {
        let mut command = std::process::Command::new(&keel);
        command
            .arg("reconcile")
            .arg("--record")
            .arg(&arguments.record);
        command.arg("--dir").arg(&arguments.dir);
        command.args(arguments.json.then_some("--json"));
        let named = |error| io::Error::other(format!("{}: {error}", keel.display()));
        command.status().map_err(named)
    });
    match ended {
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ),
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(
                io::stderr(),
                "error: cannot run {error}; `--keel` says where the node's binary is"
            );
            ExitCode::FAILURE
        }
    }
}

fn compare_command(arguments: &CompareArguments) -> Result<Verdict, LoadError> {
    let (text, verdict) = compare(arguments)?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(verdict)
}

impl TargetArguments {
    /// `wished`: how to sign if the command line does not say.
    fn target(&self, wished: Option<Signatures>) -> Target {
        let signatures = self.signatures.or(wished).unwrap_or_default().into();
        match self.server_key {
            None => Target {
                signatures,
                ..Target::development(self.connect)
            },
            Some(key) => Target {
                connect: self.connect,
                pin: ServerPin::PublicKey(key),
                network: None,
                signatures,
            },
        }
    }
}

/// How far a run has come, on standard error and only if that is a terminal.
#[derive(Debug)]
pub struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// At the start of a run.
    #[allow(clippy::new_without_default)] // It shows up on a terminal: no default of anything.
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}")
            .expect("the template is legal");
        Self(ProgressBar::new(1).with_style(style))
    }

    /// Shows where a run is.
    pub fn show(&self, progress: &Progress) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.set_length(millis(progress.total));
        self.0
            .set_position(millis(progress.elapsed.min(progress.total)));
        self.0
            .set_message(format!("{} answered", grouped(progress.orders)));
    }

    /// Takes the line away again.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn write_report(json: Option<&Path>, report: &impl Serialize, text: &str) -> io::Result<()> {
    let to_stdout = |text: &str| io::stdout().write_all(text.as_bytes());
    let Some(path) = json else {
        return to_stdout(text);
    };
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    if path.as_os_str() == "-" {
        return to_stdout(&json);
    }
    File::create(path)?.write_all(json.as_bytes())?;
    to_stdout(text)
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let rate = text.replace('_', "").parse::<NonZeroU64>();
    rate.map(Rate::PerSecond)
        .map_err(|_| "a rate is `max` or a number of commands a second above zero".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if time <= RUN_MAX {
        Ok(time)
    } else {
        Err("a run lasts at most a week".to_owned())
    }
}

fn parse_public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_hex(text).ok_or_else(|| "a key has 64 hexadecimal digits".to_owned())
}

/// Far below what the schedule can count.
const RUN_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::workload::Spread;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn rates_and_times_are_checked() {
        let rate = |rate| Ok(Rate::PerSecond(NonZeroU64::new(rate).unwrap()));
        for (text, expected) in [
            ("max", Ok(Rate::Max)),
            ("500000", rate(500_000)),
            ("500_000", rate(500_000)),
        ] {
            assert_eq!(parse_rate(text), expected);
        }
        for text in ["0", "-1", "fast", "1.5", ""] {
            assert!(parse_rate(text).is_err(), "{text:?}");
        }
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["-1", "nan", "inf", "604801", "x"] {
            assert!(parse_seconds(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_documented_line_parses() {
        let line = "loadgen run --connect 127.0.0.1:7001 --scenario zipf --rate max --frame 8 \
                    --clients 2 --seconds 3 --seed 9 --json out.json";
        let parsed = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
        let Subcommands::Run(arguments) = parsed.command else {
            panic!("it is a run");
        };
        let options = arguments.options().unwrap();
        assert_eq!(options.scenario, Scenario::of(Spread::Zipf));
        assert_eq!((options.frame, options.clients), (8, 2));
        let line = "loadgen run --metrics 127.0.0.1:9100 --hgrm a.hgrm --csv a.csv --html a.html";
        assert!(CommandLine::try_parse_from(line.split_whitespace()).is_ok());
        let line = "loadgen run --ahead-orders 9";
        let parsed = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
        let Subcommands::Run(arguments) = parsed.command else {
            panic!("it is a run");
        };
        let error = arguments.options().unwrap_err().to_string();
        assert!(error.contains("goes with `--signing ahead`"), "{error}");
        let line = "loadgen check --record seen --dir data/node";
        assert!(CommandLine::try_parse_from(line.split_whitespace()).is_ok());
        let line = "loadgen run --ramp --record seen";
        assert!(CommandLine::try_parse_from(line.split_whitespace()).is_err());
        let line = "loadgen compare a.json b.json --tolerance 0.2";
        assert!(CommandLine::try_parse_from(line.split_whitespace()).is_ok());
        let line =
            "loadgen ping --connect 127.0.0.1:7001 --key dev-0 --count 10 --signatures rolling";
        assert!(CommandLine::try_parse_from(line.split_whitespace()).is_ok());
        let line = "loadgen replay data/orders.csv --connect 127.0.0.1:7001 --market BTC-USD";
        assert!(CommandLine::try_parse_from(line.split_whitespace()).is_ok());
    }
}
