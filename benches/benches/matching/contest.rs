//! Runs engines over one stream and takes their times. Measures what `Engine::apply` does and
//! nothing else: books are made and filled before the clock starts.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::matching::{Engine, Naming, Op, Reference, Stream, Tally};
use rustix::time::{ClockId, clock_gettime};

/// Whatever goes wrong ends the run.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An engine that takes part, and how far it goes.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    pub name: &'static str,
    /// Operations after which it stops.
    ops_max: usize,
    /// Whether it tells single fills, or only how much traded.
    tells_fills: bool,
    pass: fn(&Stream, usize) -> Pass,
    latencies: fn(&Stream, usize) -> Vec<u32>,
}

/// One run over a fresh set of books.
#[derive(Clone, Copy, Debug)]
struct Pass {
    cpu: Duration,
    tally: Tally,
}

/// What one engine did with one stream.
#[derive(Clone, Debug)]
pub struct Score {
    pub name: &'static str,
    /// How many operations it ran.
    pub ops: usize,
    /// Whether that is all of them.
    pub is_whole: bool,
    /// What was compared with the reference.
    pub checked: &'static str,
    /// Operations a second of CPU time, in the best pass and in the middle one.
    pub best: f64,
    pub median: f64,
    /// Nanoseconds per operation with one reading of the clock.
    pub p50: u32,
    pub p99: u32,
    pub p999: u32,
}

impl Contestant {
    pub fn of<E: Engine>() -> Self {
        Self {
            name: E::NAME,
            ops_max: usize::MAX,
            tells_fills: true,
            pass: pass::<E>,
            latencies: latencies::<E>,
        }
    }

    /// Stops after so many operations.
    pub const fn up_to(mut self, ops_max: usize) -> Self {
        self.ops_max = ops_max;
        self
    }

    /// Tells only how much traded.
    pub const fn without_fills(mut self) -> Self {
        self.tells_fills = false;
        self
    }

    pub fn is_yardstick(&self) -> bool {
        self.name == Reference::NAME
    }

    fn check(&self, found: Tally, expected: Tally) -> Result<()> {
        let same = if self.tells_fills {
            found == expected
        } else {
            found.volume == expected.volume
        };
        if same {
            return Ok(());
        }
        let name = self.name;
        Err(format!("{name} traded {found:?}, the reference {expected:?}").into())
    }
}

/// Everybody over the stream, `passes` times and once more for the single operations.
pub fn compete(contestants: &[Contestant], stream: &Stream, passes: usize) -> Result<Vec<Score>> {
    let all = stream.measured(Naming::Kept).len();
    let mut rates = vec![Vec::new(); contestants.len()];
    for _ in 0..passes {
        for (contestant, rates) in contestants.iter().zip(&mut rates) {
            let ops = all.min(contestant.ops_max);
            let pass = (contestant.pass)(stream, ops);
            contestant.check(pass.tally, expected(stream, ops))?;
            rates.push(ops as f64 / pass.cpu.as_secs_f64());
        }
    }
    let scores = contestants
        .iter()
        .zip(rates)
        .map(|(contestant, mut rates)| {
            rates.sort_by(f64::total_cmp);
            let ops = all.min(contestant.ops_max);
            let mut latencies = (contestant.latencies)(stream, ops);
            latencies.sort_unstable();
            let percentile = |parts: usize| latencies[(latencies.len() - 1) * parts / 1_000];
            Score {
                name: contestant.name,
                ops,
                is_whole: ops == all,
                checked: match contestant.tells_fills {
                    true => "fills",
                    false => "volume",
                },
                best: rates[rates.len() - 1],
                median: rates[rates.len() / 2],
                p50: percentile(500),
                p99: percentile(990),
                p999: percentile(999),
            }
        });
    Ok(scores.collect())
}

/// What the first operations of the measured part trade.
fn expected(stream: &Stream, ops: usize) -> Tally {
    if ops == stream.measured(Naming::Kept).len() {
        return stream.expected;
    }
    pass::<Reference>(stream, ops).tally
}

fn pass<E: Engine>(stream: &Stream, ops: usize) -> Pass {
    let mut engine = filled::<E>(stream);
    let mut tally = Tally::default();
    let start = thread_cpu();
    apply_all(&mut engine, &stream.measured(E::NAMING)[..ops], &mut tally);
    let cpu = thread_cpu() - start;
    black_box(&engine);
    Pass { cpu, tally }
}

fn latencies<E: Engine>(stream: &Stream, ops: usize) -> Vec<u32> {
    let mut engine = filled::<E>(stream);
    let mut tally = Tally::default();
    // Written once, so that no page fault is counted.
    let mut nanoseconds = vec![1; ops];
    let mut before = Instant::now();
    for (op, place) in stream.measured(E::NAMING)[..ops]
        .iter()
        .zip(&mut nanoseconds)
    {
        engine.apply(*op, &mut tally);
        let now = Instant::now();
        *place = u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX);
        before = now;
    }
    black_box((&engine, &tally));
    nanoseconds
}

fn filled<E: Engine>(stream: &Stream) -> E {
    let mut engine = E::with_room(&stream.room);
    apply_all(
        &mut engine,
        stream.filling(E::NAMING),
        &mut Tally::default(),
    );
    engine
}

fn apply_all<E: Engine>(engine: &mut E, ops: &[Op], tally: &mut Tally) {
    for op in ops {
        engine.apply(*op, tally);
    }
}

/// How long this thread has computed.
pub fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).expect("CPU time counts from zero");
    Duration::new(seconds, now.tv_nsec as u32)
}

/// Nanoseconds that one reading of the clock takes at best: what every latency contains.
pub fn clock_cost() -> u32 {
    const READINGS: u32 = 10_000;
    let batch = |_| {
        let start = Instant::now();
        for _ in 0..READINGS {
            black_box(Instant::now());
        }
        (start.elapsed() / READINGS).as_nanos() as u32
    };
    let batches = (0..20).map(batch);
    batches.min().expect("there was a batch")
}
