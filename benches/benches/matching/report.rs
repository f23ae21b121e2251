//! The figures as text for people and as JSON for machines; the keys of the JSON are a contract.

use std::fmt::Write;

use benches::Size;
use benches::matching::{Engine, Keel, Naming, Reference, Stream, plan};
use serde::Serialize;

use crate::contest::{Result, Score};
use crate::worst::WorstCase;

/// Goals for our book against the reference's time and against the fastest Rust peer.
const TIME_OVER_REFERENCE_MAX: f64 = 1.5;
const SPEEDUP_MIN: f64 = 3.0;
const RUST_PEER: &str = "rust-order-book";

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How much of everything.
    size: &'static str,
    passes: usize,
    seed: u64,
    /// What every latency contains.
    clock_ns: u32,
    streams: Vec<StreamFacts>,
    /// Our book's.
    cells: Vec<Cell>,
    /// Everybody else's, the reference's among them.
    peers: Vec<Cell>,
    worst_cases: Vec<WorstCaseFacts>,
}

#[derive(Debug, Serialize)]
struct StreamFacts {
    workload: &'static str,
    hash: String,
    prefill: usize,
    ops: usize,
    resting: u32,
    levels: u32,
    trades: u64,
    volume: u64,
    notional: u64,
}

#[derive(Debug, Serialize)]
struct Cell {
    engine: &'static str,
    workload: &'static str,
    ops: usize,
    ops_per_cpu_second: f64,
    ops_per_cpu_second_median: f64,
    p50_ns: u32,
    p99_ns: u32,
    p999_ns: u32,
    time_over_reference: Option<f64>,
    speedup_over_rust_order_book: Option<f64>,
    checked: &'static str,
}

#[derive(Debug, Serialize)]
struct WorstCaseFacts {
    case: String,
    orders: u32,
    ns_per_order: f64,
}

impl Report {
    pub const fn new(size: Size, passes: usize, clock_ns: u32) -> Self {
        Self {
            size: size.name(),
            passes,
            seed: plan::SEED,
            clock_ns,
            streams: Vec::new(),
            cells: Vec::new(),
            peers: Vec::new(),
            worst_cases: Vec::new(),
        }
    }

    pub const fn passes(&self) -> usize {
        self.passes
    }

    pub fn heading(&self) -> String {
        format!(
            "{} size, best of {} passes, seed {}; latencies contain {} ns of clock\n",
            self.size, self.passes, self.seed, self.clock_ns
        )
    }

    /// Takes in what everybody did with a stream; returns it as text.
    pub fn add(&mut self, stream: &Stream, scores: &[Score]) -> String {
        let mut text = self.add_stream(stream);
        let best = |name| {
            scores
                .iter()
                .find(|score| score.name == name)
                .map(|score| score.best)
        };
        // Smaller sizes are not what the goals are about.
        let judged = self.size == Size::Full.name();
        let (reference, rust_peer) = (best(Reference::NAME), best(RUST_PEER));
        for score in scores {
            let cell = Cell {
                engine: score.name,
                workload: stream.name,
                ops: score.ops,
                ops_per_cpu_second: score.best.round(),
                ops_per_cpu_second_median: score.median.round(),
                p50_ns: score.p50,
                p99_ns: score.p99,
                p999_ns: score.p999,
                time_over_reference: reference.map(|rate| hundredths(rate / score.best)),
                speedup_over_rust_order_book: rust_peer.map(|rate| hundredths(score.best / rate)),
                checked: score.checked,
            };
            cell.write(score, judged, &mut text);
            if score.name == Keel::NAME {
                self.cells.push(cell);
            } else {
                self.peers.push(cell);
            }
        }
        text
    }

    /// Takes in the worst cases; returns them as text.
    pub fn add_worst_cases(&mut self, cases: Vec<WorstCase>) -> String {
        let mut text = format!(
            "\n{:<52}{:>10}{:>14}\n",
            "worst cases", "touched", "ns each"
        );
        for case in cases {
            let facts = WorstCaseFacts {
                case: case.name,
                orders: case.orders,
                ns_per_order: (case.nanoseconds * 10.0).round() / 10.0,
            };
            let WorstCaseFacts {
                case,
                orders,
                ns_per_order,
            } = &facts;
            writeln!(text, "{case:<52}{orders:>10}{ns_per_order:>14.1}").expect(STRINGS_GROW);
            self.worst_cases.push(facts);
        }
        text
    }

    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn add_stream(&mut self, stream: &Stream) -> String {
        let facts = StreamFacts {
            workload: stream.name,
            hash: format!("{:016x}", stream.hash()),
            prefill: stream.prefill,
            ops: stream.measured(Naming::Kept).len(),
            resting: stream.resting,
            levels: stream.levels,
            trades: stream.expected.trades,
            volume: stream.expected.volume,
            notional: stream.expected.notional,
        };
        let text = format!(
            "\n{}: {} ops on {} orders in {} levels, {} trades, hash {}\n\
             {:<17}{:>9}{:>9}{:>8}{:>8}{:>8}{:>12}{:>12}  checked\n",
            facts.workload,
            facts.ops,
            facts.resting,
            facts.levels,
            facts.trades,
            facts.hash,
            "",
            "M ops/s",
            "median",
            "p50 ns",
            "p99",
            "p99.9",
            "x reference",
            "x rust-o-b",
        );
        self.streams.push(facts);
        text
    }
}

impl Cell {
    fn write(&self, score: &Score, judged: bool, text: &mut String) {
        let millions = |rate: f64| rate / 1_000_000.0;
        let ratio =
            |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        write!(
            text,
            "{:<17}{:>9.2}{:>9.2}{:>8}{:>8}{:>8}{:>12}{:>12}  {}",
            self.engine,
            millions(self.ops_per_cpu_second),
            millions(self.ops_per_cpu_second_median),
            self.p50_ns,
            self.p99_ns,
            self.p999_ns,
            ratio(self.time_over_reference),
            ratio(self.speedup_over_rust_order_book),
            self.checked,
        )
        .expect(STRINGS_GROW);
        if !score.is_whole {
            write!(text, ", first {} ops only", self.ops).expect(STRINGS_GROW);
        }
        if judged && self.engine == Keel::NAME {
            let slow = self
                .time_over_reference
                .is_some_and(|x| x > TIME_OVER_REFERENCE_MAX);
            let close = self
                .speedup_over_rust_order_book
                .is_some_and(|x| x < SPEEDUP_MIN);
            let verdict = if slow || close {
                "misses a goal"
            } else {
                "meets the goals"
            };
            write!(text, ", {verdict}").expect(STRINGS_GROW);
        }
        text.push('\n');
    }
}

fn hundredths(ratio: f64) -> f64 {
    (ratio * 100.0).round() / 100.0
}

const STRINGS_GROW: &str = "a string takes all that is written to it";
