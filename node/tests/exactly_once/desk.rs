//! The test's side: it starts the traders, hands out nonces and hears what became of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use types::Nonce;

use crate::lines::{Order, Report, Tally};
use crate::nonces::Nonces;
use crate::{Random, SEED, SERVER, TRADERS};

/// Nonces that one trader has under way, beside those that it shares with another.
const OPEN_EACH: u64 = 16;
/// One in so many frames is sent by two traders.
const SHARED: u64 = 8;

#[derive(Debug)]
pub(crate) struct Desk {
    frames: u64,
    nonces: Nonces,
    traders: Vec<Trader>,
    /// What traders say, with their number; `None` at the end of a process.
    reports: Receiver<(usize, Option<Report>)>,
    /// How many times the node was started.
    starts: u64,
    shared: u64,
    random: Random,
}

impl Desk {
    pub(crate) fn open(frames: u64, server: SocketAddr, seed: u64) -> Self {
        let (said, reports) = mpsc::channel();
        let start = |number| Trader::start(number, server, seed, said.clone());
        Self {
            frames,
            nonces: Nonces::new(frames),
            traders: (0..TRADERS as usize).map(start).collect(),
            reports,
            starts: 1,
            shared: 0,
            random: Random(seed),
        }
    }

    /// Hands out nonces until so many frames are done, and until every trader was connected to the
    /// node that runs now.
    pub(crate) fn serve_until(&mut self, frames: u64) {
        loop {
            self.hand_out();
            let is_connected = |trader: &Trader| trader.connected == self.starts;
            if frames <= self.nonces.done && self.traders.iter().all(is_connected) {
                return;
            }
            let (number, report) = self.reports.recv().unwrap();
            let trader = &mut self.traders[number];
            match report.unwrap_or_else(|| panic!("trader {number} ended")) {
                Report::Connected(starts) => trader.connected = starts,
                Report::Done(nonce, sequence) => {
                    trader.open -= 1;
                    self.nonces.finish(nonce, sequence);
                }
                Report::Ended(_) => panic!("trader {number} thinks that all is done"),
            }
        }
    }

    /// The node that ran was killed, and another one runs.
    pub(crate) fn node_was_started(&mut self) {
        self.starts += 1;
        for trader in &mut self.traders {
            trader.tell(Order::Started(self.starts));
        }
    }

    /// All is done: the traders end well.
    pub(crate) fn close(mut self) -> Tally {
        let mut all = Tally::default();
        for trader in &mut self.traders {
            trader.orders = None;
        }
        let mut running = self.traders.len();
        while 0 < running {
            match self.reports.recv().unwrap() {
                (_, None) => running -= 1,
                (_, Some(Report::Ended(tally))) => all.add(&tally),
                (_, Some(Report::Connected(_))) => {}
                (number, Some(report)) => panic!("trader {number}: {report:?}"),
            }
        }
        for trader in &mut self.traders {
            assert!(trader.process.wait().unwrap().success());
        }
        self.nonces.check(self.frames);
        all.shared = self.shared;
        assert_eq!(all.sent, self.frames + self.shared);
        assert!(TRADERS * self.starts <= all.connections);
        all
    }

    /// One nonce after the other to whoever has room, in any order, as long as there are some.
    fn hand_out(&mut self) {
        loop {
            let room = |number: &usize| self.traders[*number].open < OPEN_EACH;
            let with_room: Vec<usize> = (0..self.traders.len()).filter(room).collect();
            if with_room.is_empty() {
                return;
            }
            let number = with_room[self.below(with_room.len())];
            let is_shared = self.below(SHARED as usize) == 0;
            let Some(nonce) = self.nonces.take(1 + u64::from(is_shared)) else {
                return;
            };
            self.traders[number].send(nonce);
            if is_shared {
                self.shared += 1;
                let other = number + 1 + self.below(self.traders.len() - 1);
                let other = other % self.traders.len();
                self.traders[other].send(nonce);
            }
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.below(end as u64) as usize
    }
}

/// A process, which ends with the test at the latest.
#[derive(Debug)]
struct Trader {
    process: Child,
    /// `None`: it was told that all is done.
    orders: Option<ChildStdin>,
    /// Which start of the node it was connected to last.
    connected: u64,
    /// Nonces that it was given and has not reported.
    open: u64,
}

impl Trader {
    fn start(
        number: usize,
        server: SocketAddr,
        seed: u64,
        said: Sender<(usize, Option<Report>)>,
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "a_trader_trades", "--nocapture"])
            .env(SERVER, server.to_string())
            .env(
                SEED,
                (seed.wrapping_mul(TRADERS) + number as u64).to_string(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let reports = process.stdout.take().unwrap();
        thread::spawn(move || listen(number, reports, &said));
        Self {
            orders: process.stdin.take(),
            process,
            connected: 0,
            open: 0,
        }
    }

    fn send(&mut self, nonce: Nonce) {
        self.open += 1;
        self.tell(Order::Send(nonce));
    }

    /// Never waits: what a trader may have under way fits into a pipe many times.
    fn tell(&mut self, order: Order) {
        let mut orders = self.orders.as_ref().expect("nothing comes after the end");
        writeln!(orders, "{}", order.line()).unwrap();
    }
}

impl Drop for Trader {
    fn drop(&mut self) {
        // After `close` there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on what a trader says, to its end.
fn listen(number: usize, reports: ChildStdout, said: &Sender<(usize, Option<Report>)>) {
    let lines = BufReader::new(reports).lines().map(Result::unwrap);
    let reports = lines.filter_map(|line| Report::parse(&line).map(Some));
    for report in reports.chain([None]) {
        if said.send((number, report)).is_err() {
            // The test has failed.
            return;
        }
    }
}
