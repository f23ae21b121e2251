//! How much memory a node takes with many accounts and many resting orders, and how fast it grows at
//! constant load: a `keel serve` with a genesis of its own, orders over the protocol, and the kernel's
//! word on the process.
//!
//! `cargo run --release -p benches --bin memory -- --accounts 1000000 --orders 1000000 --minutes 20`,
//! after a `cargo build --release`, whose `keel` is taken. Nothing is judged; the figures are for
//! `benches/README.md`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // A command-line tool reports on standard output.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Parser;
use client::{ConnectOptions, Message, ServerPin, SignatureMode, connect};
use loadgen::{Rate, RunOptions, Scenario, Spread};
use types::auth::SigningKey;
use types::command::{OrderKind, Place, SelfTrade};
use types::limits::{COMMANDS_PER_FRAME_MAX, OPEN_ORDERS_PER_ACCOUNT_MAX};
use types::{BaseLots, ClientOrderId, Command, MarketId, NetworkId, Side, Ticks};

#[derive(Debug, Parser)]
struct Options {
    /// Accounts of the genesis.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u32,
    /// Orders that rest before the load begins.
    #[arg(long, default_value_t = 1_000_000)]
    orders: u32,
    /// How long the load lasts before growth is measured: until what is kept of feeds, answers and
    /// blocks is as much as it gets.
    #[arg(long, default_value_t = 6.0)]
    warm_up_minutes: f64,
    /// How long it lasts while growth is measured.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Of the load, commands a second in frames of 32.
    #[arg(long, default_value = "20000")]
    rate: NonZeroU64,
    /// The node; without it the `keel` beside this program.
    #[arg(long)]
    keel: Option<PathBuf>,
}

type Failed = Box<dyn Error>;

/// Accounts with keys: the first ones make the load, those from [`RESTERS`] on rest the orders, since a
/// client of the load takes its own orders off first.
const KEYED: u32 = 64;
const RESTERS: u32 = 32;

fn main() -> Result<(), Failed> {
    let options = Options::parse();
    let beside = || std::env::current_exe().map(|program| program.with_file_name("keel"));
    let keel = options.keel.clone().map_or_else(beside, Ok)?;
    let folder = tempfile::tempdir()?;
    let genesis = folder.path().join("genesis.toml");
    fs::write(&genesis, genesis_of(options.accounts))?;
    println!("| when | resident | of it anonymous | peak |\n|---|---|---|---|");
    let start = Instant::now();
    let node = Node::start(&keel, &folder.path().join("node"), &genesis)?;
    let ready = start.elapsed();
    fs::remove_file(&genesis)?;
    node.tell(&format!("ready, after {:.1} s", ready.as_secs_f64()))?;
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(rest(node.address, options.orders))?;
    drop(runtime);
    let rested = start.elapsed().as_secs_f64();
    node.tell(&format!(
        "{} orders rest, after {rested:.1} s",
        options.orders
    ))?;
    grow(&node, &options)
}

/// Constant load, and what the node's memory does meanwhile.
fn grow(node: &Node, options: &Options) -> Result<(), Failed> {
    let [warm_up, duration] =
        [options.warm_up_minutes, options.minutes].map(|it| Duration::from_secs_f64(it * 60.0));
    let load = RunOptions {
        scenario: Scenario::of(Spread::Hot),
        rate: Rate::PerSecond(options.rate),
        warm_up,
        duration,
        ..RunOptions::development(node.address)
    };
    let (done, running) = channel::<()>();
    let process = node.process.id();
    let start = Instant::now();
    let sampler = std::thread::spawn(move || {
        let mut samples = Vec::new();
        while running.recv_timeout(SAMPLE) == Err(RecvTimeoutError::Timeout) {
            if let Ok(memory) = Memory::of(process) {
                samples.push((start.elapsed().as_secs_f64(), memory.resident as f64));
            }
        }
        samples
    });
    let report = loadgen::run(&load, |_| ())?;
    drop(done);
    let mut samples = sampler.join().map_err(|_| "the sampler panicked")?;
    let total = options.warm_up_minutes + options.minutes;
    node.tell(&format!(
        "load of {} orders/s, {total:.1} min",
        options.rate
    ))?;
    samples.retain(|(at, _)| {
        let at = Duration::from_secs_f64(*at);
        warm_up <= at && at <= warm_up + duration
    });
    println!(
        "\n{} orders answered, {:?} {:?}\ngrowth over {:.1} min: {:+.2} MiB an hour (line through {} \
         samples), of the least of every {FLOOR} {:+.2}; by thirds of the window: {}",
        report.orders,
        report.verdict,
        report.failures,
        options.minutes,
        slope(&samples) * 3_600.0 / MEBIBYTE,
        samples.len(),
        slope(&floor(&samples)) * 3_600.0 / MEBIBYTE,
        thirds(&samples)
    );
    Ok(())
}

const SAMPLE: Duration = Duration::from_secs(1);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// Of the line with the least squares, in units of y for one of x.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let covariance: f64 = samples.iter().map(|it| (it.0 - x) * (it.1 - y)).sum();
    let variance: f64 = samples.iter().map(|it| (it.0 - x).powi(2)).sum();
    if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    }
}

/// The least of every so many samples. A checkpoint of many open orders takes some room and gives it back,
/// once a second, which a line through all samples cannot tell from growth within minutes.
fn floor(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let least = |run: &[(f64, f64)]| run.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
    samples.chunks(FLOOR).filter_map(least).collect()
}

const FLOOR: usize = 30;

fn thirds(samples: &[(f64, f64)]) -> String {
    let thirds = samples.chunks(samples.len().div_ceil(3).max(1));
    let growth = thirds.map(|third| format!("{:+.2}", slope(third) * 3_600.0 / MEBIBYTE));
    growth.collect::<Vec<_>>().join(", ")
}

/// One market, and as many accounts as asked for, of which few have keys.
fn genesis_of(accounts: u32) -> String {
    let mut text = "network = 1\n\n[[asset]]\nsymbol = \"BTC\"\ndecimals = 8\n\n[[asset]]\nsymbol = \
                    \"USD\"\ndecimals = 8\n\n[[market]]\nsymbol = \"BTC-USD\"\nbase = \"BTC\"\nquote = \
                    \"USD\"\ntick = \"0.01\"\nlot = \"0.000001\"\nmaker_fee_ppm = 100\ntaker_fee_ppm = \
                    300\n"
        .to_owned();
    for account in 0..accounts.max(KEYED) {
        let _ = write!(text, "\n[[account]]\nowner = \"0x{account:040x}\"\n");
        let _ = match account < KEYED {
            true => writeln!(
                text,
                "keys = [\"dev-{account}\"]\nbalances = {{ BTC = \"1000000000\", USD = \
                 \"1000000000000\" }}"
            ),
            false => writeln!(text, "balances = {{ BTC = \"1\", USD = \"1000\" }}"),
        };
    }
    text
}

/// Rests orders far from where the load trades, as many accounts as it takes.
async fn rest(node: SocketAddr, orders: u32) -> Result<(), Failed> {
    let per_account = orders
        .div_ceil(KEYED - RESTERS)
        .min(OPEN_ORDERS_PER_ACCOUNT_MAX);
    let mut left = orders;
    for account in RESTERS..KEYED {
        let own = left.min(per_account);
        rest_of(node, account, own).await?;
        left -= own;
    }
    match left {
        0 => Ok(()),
        left => Err(format!(
            "{left} orders more than {} accounts may rest",
            KEYED - RESTERS
        )
        .into()),
    }
}

async fn rest_of(node: SocketAddr, account: u32, orders: u32) -> Result<(), Failed> {
    let options = ConnectOptions {
        server: node,
        pin: ServerPin::Development,
        network: Some(NetworkId::DEVELOPMENT),
        key: SigningKey::development(&format!("dev-{account}")),
        signatures: SignatureMode::Frame,
        keep_alive: client::KEEP_ALIVE,
        receipts: false,
    };
    let (mut sender, mut receiver) = connect(&options).await?;
    let numbers: Vec<u32> = (1..=orders).collect();
    let mut frames = numbers.chunks(COMMANDS_PER_FRAME_MAX);
    let mut in_flight = 0;
    loop {
        while in_flight < FRAMES_IN_FLIGHT
            && let Some(numbers) = frames.next()
        {
            let commands: Vec<_> = numbers.iter().map(|number| order(*number)).collect();
            sender.queue_frame(&commands);
            in_flight += 1;
        }
        if in_flight == 0 {
            sender.close().await;
            return Ok(());
        }
        sender.flush().await?;
        match receiver.next().await? {
            Message::Ack(ack) => {
                let rejected = ack.view().outcomes.iter().find_map(|it| it.reject_reason());
                if let Some(reason) = rejected {
                    return Err(format!("an order does not rest: {reason}").into());
                }
                in_flight -= 1;
            }
            other => return Err(format!("an order does not rest: {other:?}").into()),
        }
    }
}

const FRAMES_IN_FLIGHT: usize = 16;

/// Spread over 20,000 prices a side, none of which the load comes near.
fn order(number: u32) -> Command<'static> {
    let side = Side::BOTH[(number % 2) as usize];
    let distance = u64::from(number.wrapping_mul(2_654_435_761) % 20_000);
    Command::Place(Place {
        market: MarketId::new(0),
        side,
        kind: OrderKind::GTC,
        price: Ticks::new(match side {
            Side::Bid => 1 + distance,
            Side::Ask => 10_000_000 + distance,
        }),
        quantity: BaseLots::new(1 + u64::from(number % 9)),
        client_order_id: ClientOrderId::new(number.into()),
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

/// `keel serve`, ended with this.
struct Node {
    process: Child,
    address: SocketAddr,
}

impl Node {
    fn start(keel: &Path, directory: &Path, genesis: &Path) -> Result<Self, Failed> {
        let mut process = Process::new(keel)
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(directory)
            .arg("--genesis")
            .arg(genesis)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", keel.display()))?;
        let output = process.stdout.take().ok_or("standard output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let word = line
            .split(' ')
            .find_map(|word| word.strip_prefix("listen="));
        let address = word.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            process.kill()?;
            process.wait()?;
            return Err(format!("keel serve is not ready: {line:?}").into());
        };
        Ok(Self { process, address })
    }

    /// A line of the table.
    fn tell(&self, when: &str) -> Result<(), Failed> {
        let memory = Memory::of(self.process.id())?;
        let mebibytes = |bytes: u64| format!("{:.0} MiB", bytes as f64 / MEBIBYTE);
        println!(
            "| {when} | {} | {} | {} |",
            mebibytes(memory.resident),
            mebibytes(memory.anonymous),
            mebibytes(memory.peak)
        );
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The kernel's word, in bytes.
struct Memory {
    resident: u64,
    anonymous: u64,
    peak: u64,
}

impl Memory {
    fn of(process: u32) -> Result<Self, Failed> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let bytes = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes =
                rest.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            kibibytes
                .map(|it| it * 1_024)
                .ok_or(format!("no {name} of process {process}"))
        };
        Ok(Self {
            resident: bytes("VmRSS:")?,
            anonymous: bytes("RssAnon:")?,
            peak: bytes("VmHWM:")?,
        })
    }
}
