//! How many commands a second become durable, and for how much CPU.
//!
//! A command is 64 bytes within its block's payload, as the node batches them; a block is one record
//! of the journal, and a commit takes as many blocks as wait, eight at most. As in the node, blocks
//! come over a bounded ring from another thread, and a third writes the next segment ahead. CPU is
//! that of the whole process, user and system, with the zeros of new segments and the hand-over of
//! blocks. What the payloads hold is not made anew each time: that is the pipeline's work.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use benches::Size;
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use rustix::time::{ClockId, clock_gettime};
use store::{Journal, JournalIo, PreparedSegment};

use crate::Result;
use crate::scratch::{Scratch, ways};

const COMMAND: usize = 64;
/// As many as the node's ring to its journal holds.
const QUEUE: usize = 8;

/// What the design asks for.
const RATE_TARGET: f64 = 1e6;
const CPU_NS_TARGET: f64 = 60.0;

pub fn run(size: Size, parent: &Path) -> Result<()> {
    let (commands, passes) = match size {
        Size::Smoke => (1 << 15, 1),
        Size::Quick => (1 << 21, 2),
        Size::Full => (1 << 24, 3),
    };
    println!("\ngroup commit: {COMMAND}-byte commands, up to {QUEUE} blocks in a commit");
    println!("commands/block  pass  io     commands/s  CPU ns/command  blocks/commit  commit us");
    for in_block in [256, 4_096] {
        for pass in 1..=passes {
            for io in ways() {
                let found = measure(io, size, commands / in_block, in_block, parent)?;
                print_row(in_block, pass, io, size, &found);
            }
        }
    }
    Ok(())
}

fn print_row(in_block: usize, pass: usize, io: JournalIo, size: Size, found: &Found) {
    let commands = (found.blocks * in_block) as f64;
    let rate = commands / found.elapsed.as_secs_f64();
    let cpu = found.cpu.as_nanos() as f64 / commands;
    let reached = RATE_TARGET <= rate && cpu <= CPU_NS_TARGET;
    // So little work says nothing.
    let mark = match reached || size == Size::Smoke {
        true => "",
        false => "  misses 1 M/s at 60 ns",
    };
    println!(
        "{in_block:>14}  {pass:<4}  {:<5} {rate:>11.0}  {cpu:>14.1}  {:>13.2}  {:>9.1}{mark}",
        io.name(),
        found.blocks as f64 / found.commits as f64,
        found.elapsed.as_micros() as f64 / found.commits as f64,
    );
}

struct Found {
    blocks: usize,
    elapsed: Duration,
    cpu: Duration,
    commits: u64,
}

fn measure(
    io: JournalIo,
    size: Size,
    blocks: usize,
    in_block: usize,
    parent: &Path,
) -> Result<Found> {
    let mut scratch = Scratch::new(io, size, parent)?;
    let mut ahead = Ahead::new();
    let (to_journal, queued) = RingBuffer::new(QUEUE);
    let (spent, payloads) = RingBuffer::new(2 * QUEUE);
    let journal_thread = std::thread::current();
    let (cpu_before, started) = (process_cpu(), Instant::now());
    let producer = std::thread::spawn(move || {
        produce(
            blocks,
            in_block * COMMAND,
            to_journal,
            payloads,
            &journal_thread,
        );
        // Its ends of the rings are gone by now.
        journal_thread.unpark();
    });
    let producer_thread = producer.thread();
    let ports = (queued, spent, producer_thread);
    let commits = commit_all(&mut scratch, &mut ahead, in_block, ports);
    let (elapsed, cpu) = (started.elapsed(), process_cpu() - cpu_before);
    producer.thread().unpark();
    producer.join().map_err(|_| "the producer panicked")?;
    let commits = commits?;
    if scratch.journal.durable().get() != blocks as u64 {
        return Err("not every block became durable".into());
    }
    Ok(Found {
        blocks,
        elapsed,
        cpu,
        commits,
    })
}

/// What the node's journal thread does: append what is queued, commit once, wake once.
fn commit_all(
    scratch: &mut Scratch,
    ahead: &mut Ahead,
    in_block: usize,
    (mut queued, mut spent, producer): (Consumer<Vec<u8>>, Producer<Vec<u8>>, &Thread),
) -> Result<u64> {
    let mut commits = 0;
    loop {
        // Asked before looking: whatever was pushed before the end is then seen below.
        let ended = queued.is_abandoned();
        let mut appended = 0;
        while appended < QUEUE
            && let Ok(payload) = queued.pop()
        {
            scratch.append(&payload, in_block as u64)?;
            // One that finds no room is freed.
            drop(spent.push(payload));
            appended += 1;
        }
        match (appended, ended) {
            (0, true) => return Ok(commits),
            (0, false) => std::thread::park(),
            _ => {
                scratch.journal.commit()?;
                commits += 1;
                producer.unpark();
                ahead.keep_up(&mut scratch.journal);
            }
        }
    }
}

fn produce(
    blocks: usize,
    length: usize,
    mut to_journal: Producer<Vec<u8>>,
    mut payloads: Consumer<Vec<u8>>,
    journal: &Thread,
) {
    for block in 0..blocks {
        let mut payload = payloads.pop().unwrap_or_else(|_| vec![0x5a; length]);
        payload[..8].copy_from_slice(&(block as u64).to_le_bytes());
        while let Err(PushError::Full(back)) = to_journal.push(payload) {
            if to_journal.is_abandoned() {
                // The journal failed, and says so itself.
                return;
            }
            payload = back;
            std::thread::park();
        }
        journal.unpark();
    }
}

/// Writes the next segment on a thread of its own, as the node does.
struct Ahead {
    sender: Sender<PreparedSegment>,
    prepared: Receiver<PreparedSegment>,
    last: Option<JoinHandle<()>>,
}

impl Ahead {
    fn new() -> Self {
        let (sender, prepared) = channel();
        Self {
            sender,
            prepared,
            last: None,
        }
    }

    fn keep_up(&mut self, journal: &mut Journal) {
        if let Ok(segment) = self.prepared.try_recv() {
            journal.offer_prepared(segment);
        }
        if let Some(number) = journal.wants_prepared() {
            let (preparer, sender) = (journal.preparer(), self.sender.clone());
            self.wait();
            let thread = std::thread::spawn(move || {
                // A segment that is not made ahead is made by the journal.
                if let Ok(Some(segment)) = preparer.prepare(number) {
                    drop(sender.send(segment));
                }
            });
            self.last = Some(thread);
        }
    }

    /// One that panicked leaves no segment, and then the journal makes it.
    fn wait(&mut self) {
        drop(self.last.take().map(JoinHandle::join));
    }
}

impl Drop for Ahead {
    /// Nobody writes into the directory any more when it is removed.
    fn drop(&mut self) {
        self.wait();
    }
}

fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
