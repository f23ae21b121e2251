//! How many commands a second become durable, and for how much CPU.
//!
//! A command is 64 bytes within its block's payload, as the node batches them: 256 in a block, a
//! block is one record of the journal, and a commit takes as many blocks as wait, eight at most.
//! As in the node, blocks come over a bounded queue from another thread, and a third writes the
//! next segment ahead. CPU is that of the whole process, user and system, the filling of the
//! payloads and the zeros of new segments included.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use store::{Journal, JournalIo, PreparedSegment};

use crate::scratch::{Scratch, ways};
use crate::{Result, Size};

const COMMAND: usize = 64;
const COMMANDS: usize = 256;
/// As many as the node's ring to its journal holds.
const QUEUE: usize = 8;

/// What the design asks for.
const RATE_TARGET: f64 = 1e6;
const CPU_NS_TARGET: f64 = 60.0;

pub fn run(size: Size, parent: &Path) -> Result<()> {
    let (blocks, passes) = match size {
        Size::Smoke => (100, 1),
        Size::Quick => (8_000, 2),
        Size::Full => (64_000, 3),
    };
    println!(
        "\ngroup commit: {COMMAND}-byte commands, {COMMANDS} in a block, {QUEUE} blocks queued"
    );
    println!("pass  io     commands/s  CPU ns/command  blocks/commit  commit us, mean");
    for pass in 1..=passes {
        for io in ways() {
            let found = measure(io, size, blocks, parent)?;
            let commands = (blocks * COMMANDS) as f64;
            let rate = commands / found.elapsed.as_secs_f64();
            let cpu = found.cpu.as_nanos() as f64 / commands;
            let mark = match (RATE_TARGET <= rate, cpu <= CPU_NS_TARGET) {
                (true, true) => "",
                _ => "  misses 1 M/s at 60 ns",
            };
            println!(
                "{pass:<4}  {:<5} {rate:>11.0}  {cpu:>14.1}  {:>13.2}  {:>15.1}{mark}",
                io.name(),
                blocks as f64 / found.commits as f64,
                found.elapsed.as_micros() as f64 / found.commits as f64,
            );
        }
    }
    Ok(())
}

struct Found {
    elapsed: Duration,
    cpu: Duration,
    commits: u64,
}

fn measure(io: JournalIo, size: Size, blocks: usize, parent: &Path) -> Result<Found> {
    let mut scratch = Scratch::new(io, size, parent)?;
    let (to_journal, queued) = sync_channel(QUEUE);
    let (spent, payloads) = channel();
    let (cpu_before, started) = (process_cpu(), Instant::now());
    let producer = std::thread::spawn(move || produce(blocks, &to_journal, &payloads));
    let ahead = Ahead::new();
    let mut commits = 0;
    // Ends when the producer has let go of its end.
    while let Ok(first) = queued.recv() {
        ahead.keep_up(&mut scratch.journal);
        for payload in std::iter::once(first).chain(queued.try_iter()).take(QUEUE) {
            scratch.append(&payload, COMMANDS as u64)?;
            // The producer may have ended.
            drop(spent.send(payload));
        }
        scratch.journal.commit()?;
        commits += 1;
    }
    let (elapsed, cpu) = (started.elapsed(), process_cpu() - cpu_before);
    producer.join().map_err(|_| "the producer panicked")?;
    if scratch.journal.durable().get() != blocks as u64 {
        return Err("not every block became durable".into());
    }
    Ok(Found {
        elapsed,
        cpu,
        commits,
    })
}

fn produce(blocks: usize, to_journal: &SyncSender<Vec<u8>>, payloads: &Receiver<Vec<u8>>) {
    for block in 0..blocks {
        let mut payload = payloads.try_recv().unwrap_or_default();
        payload.clear();
        payload.resize(COMMAND * COMMANDS, block as u8 | 1);
        if to_journal.send(payload).is_err() {
            // The journal failed, and says so itself.
            return;
        }
    }
}

/// Writes the next segment on a thread of its own, as the node does.
struct Ahead {
    sender: std::sync::mpsc::Sender<PreparedSegment>,
    prepared: Receiver<PreparedSegment>,
}

impl Ahead {
    fn new() -> Self {
        let (sender, prepared) = channel();
        Self { sender, prepared }
    }

    fn keep_up(&self, journal: &mut Journal) {
        if let Ok(segment) = self.prepared.try_recv() {
            journal.offer_prepared(segment);
        }
        if let Some(number) = journal.wants_prepared() {
            let (preparer, sender) = (journal.preparer(), self.sender.clone());
            std::thread::spawn(move || {
                // A segment that is not made ahead is made by the journal.
                if let Ok(Some(segment)) = preparer.prepare(number) {
                    drop(sender.send(segment));
                }
            });
        }
    }
}

fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
