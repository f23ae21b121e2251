//! The journal's thread: appends what the pipeline sealed, syncs once for all of it, says how far
//! it got and what room is left.
//!
//! Group commit: while one sync runs the next blocks queue up and share the next one. The first
//! failed write or sync ends the thread with its error; no later block is ever called durable.
//! A disk without room for another segment is no such failure: the pipeline hears that room is short,
//! and the segment is tried again every second. Any other failure to make one is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use rtrb::{Consumer, Producer};
use store::{Journal, NewRecord, PreparedSegment, Retention, SegmentPreparer, StoreError};
use types::outcome::Digest;
use types::{Height, SequenceNumber};

use crate::counters::JournalCounters;
use crate::space::{Room, SpacePlan};
use crate::threads::{Clock, Parking, Stop, Waker};

/// A sealed block on its way to the disk.
#[derive(Debug)]
pub struct JournalBlock {
    /// Its height.
    pub height: Height,
    /// Its first sequence number.
    pub first_sequence: SequenceNumber,
    /// How many sequence numbers it takes.
    pub command_count: u64,
    /// Outcome hash of the block before.
    pub previous_outcome: Digest,
    /// Its entries.
    pub payload: Vec<u8>,
}

/// Everything up to this height is synced.
#[derive(Debug)]
pub struct DurableMark {
    /// Up to where.
    pub height: Height,
    /// What is left after it, if that was counted.
    pub room: Option<Room>,
    /// The block of this height, if the mark is the first to say so: else only the room changed.
    pub block: Option<DurableBlock>,
}

/// A block that has become durable.
#[derive(Debug)]
pub struct DurableBlock {
    /// Hash of its record.
    pub record_hash: Digest,
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// Its payload's buffer, to be filled again.
    pub spent: Vec<u8>,
}

/// The ends of the rings that the journal's thread holds.
#[derive(Debug)]
pub struct Ports {
    /// Blocks to write.
    pub blocks: Consumer<JournalBlock>,
    /// How far it is.
    pub durable: Producer<DurableMark>,
    /// Wakes whoever waits for that.
    pub wake_pipeline: Waker,
}

/// What becomes of old segments.
#[derive(Clone, Debug)]
pub struct Recycling {
    /// So many are kept; `None`: all.
    pub segments: Option<u64>,
    /// Height of the oldest checkpoint that is kept, which whoever writes them moves on.
    pub covered: Covered,
}

/// Height of the oldest kept checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Covered(Arc<AtomicU64>);

impl Covered {
    /// Checkpoints from here on are kept. Release pairs with the Acquire below: who sees the height
    /// sees the file, though both are far apart in time anyway.
    pub(crate) fn set(&self, height: Height) {
        self.0.store(height.get(), Ordering::Release);
    }

    fn get(&self) -> Height {
        Height::new(self.0.load(Ordering::Acquire))
    }
}

/// The body of the journal's thread.
#[derive(Debug)]
pub struct JournalWorker {
    journal: Journal,
    ports: Ports,
    clock: Clock,
    plan: SpacePlan,
    preparation: Preparation,
    /// Blocks of the batch at work.
    batch: Vec<(Height, Digest, Vec<u8>)>,
    /// What the pipeline was told last.
    told: Room,
    /// The last sequence number that was written.
    written: u64,
    counters: Arc<CachePadded<JournalCounters>>,
}

impl JournalWorker {
    /// Writes this journal. With `is_inline` segments are made on the thread that turns it, as a
    /// simulation has it; else on one of their own.
    pub fn new(
        journal: Journal,
        ports: Ports,
        clock: Clock,
        plan: SpacePlan,
        recycling: Recycling,
        is_inline: bool,
    ) -> Self {
        let told = Room {
            bytes: journal.room(plan.payload_max),
            is_short: false,
        };
        let worker = Self {
            preparation: Preparation::new(recycling, is_inline),
            journal,
            ports,
            clock,
            plan,
            batch: Vec::new(),
            told,
            written: 0,
            counters: Arc::default(),
        };
        worker.count_room();
        worker
    }

    /// The room at the start, for the pipeline.
    pub const fn room(&self) -> Room {
        self.told
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<CachePadded<JournalCounters>> {
        Arc::clone(&self.counters)
    }

    /// Writes and syncs what is there; whether there was anything to do. An error is final.
    pub fn turn(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.unix_nanos();
        let prepared = self.preparation.keep_up(&mut self.journal, now)?;
        while let Ok(block) = self.ports.blocks.pop() {
            let record = NewRecord {
                height: block.height,
                first_sequence: block.first_sequence,
                command_count: block.command_count,
                previous_outcome: block.previous_outcome,
            };
            let record_hash = self.journal.append(&record, &block.payload)?;
            let before = block.first_sequence.get().saturating_sub(1);
            self.written = before + block.command_count;
            self.counters.blocks_taken.add(1);
            self.batch.push((block.height, record_hash, block.payload));
        }
        if self.batch.is_empty() {
            self.tell_room();
            return Ok(prepared);
        }
        let durable = self.journal.commit()?;
        let at = self.clock.unix_nanos();
        let room = self.present_room();
        let count = self.batch.len() as u64;
        self.counters.durable_sequence.set(self.written);
        self.counters.blocks_per_sync.observe(count);
        self.counters.blocks_durable.add(count);
        for (height, record_hash, spent) in self.batch.drain(..) {
            assert!(height <= durable, "a commit covers everything appended");
            let block = Some(DurableBlock {
                record_hash,
                at,
                spent,
            });
            let room = (height == durable).then_some(room);
            let mark = DurableMark {
                height,
                room,
                block,
            };
            let pushed = self.ports.durable.push(mark);
            assert!(pushed.is_ok(), "the ring holds all blocks in flight");
        }
        self.told = room;
        self.count_room();
        self.ports.wake_pipeline.wake();
        Ok(true)
    }

    /// For how long there may be nothing to do, if nobody wakes this thread. `None`: for ever.
    pub fn idle_for(&self) -> Option<Duration> {
        self.preparation.retry_in(self.clock.unix_nanos())
    }

    fn present_room(&self) -> Room {
        Room {
            bytes: self.journal.room(self.plan.payload_max),
            is_short: self.preparation.has_failed(),
        }
    }

    /// Tells the pipeline of room that came or ran short without a commit.
    fn tell_room(&mut self) {
        let room = self.present_room();
        if room == self.told {
            return;
        }
        let mark = DurableMark {
            height: self.journal.durable(),
            room: Some(room),
            block: None,
        };
        if self.ports.durable.push(mark).is_ok() {
            self.told = room;
            self.count_room();
            self.ports.wake_pipeline.wake();
        }
    }

    fn count_room(&self) {
        self.counters.room.set(self.told.bytes);
        self.counters.is_short.set(self.told.is_short.into());
    }
}

/// Runs until told to stop and everything handed over is durable, or until the first error.
pub(crate) fn run(
    mut worker: JournalWorker,
    parking: &Parking,
    stop: &Stop,
) -> Result<(), StoreError> {
    loop {
        let stopping = stop.requested();
        if worker.turn()? {
            continue;
        }
        if stopping {
            return Ok(());
        }
        match worker.idle_for() {
            Some(wait) => parking.park_for(wait),
            None => parking.park(),
        }
    }
}

/// Makes the next segment ahead, so that no commit waits for it.
#[derive(Debug)]
struct Preparation {
    recycling: Recycling,
    is_inline: bool,
    prepared: mpsc::Receiver<Result<Option<PreparedSegment>, StoreError>>,
    sender: mpsc::Sender<Result<Option<PreparedSegment>, StoreError>>,
    /// When to try again, if the last try failed.
    retry_at: Option<u64>,
}

/// How long a failed try is left alone.
const RETRY_NS: u64 = 1_000_000_000;

impl Preparation {
    fn new(recycling: Recycling, is_inline: bool) -> Self {
        let (sender, prepared) = mpsc::channel();
        Self {
            recycling,
            is_inline,
            prepared,
            sender,
            retry_at: None,
        }
    }

    /// Whether the last try failed.
    const fn has_failed(&self) -> bool {
        self.retry_at.is_some()
    }

    fn retry_in(&self, now: u64) -> Option<Duration> {
        let wait = |at: u64| Duration::from_nanos(at.saturating_sub(now));
        self.retry_at.map(wait)
    }

    /// Hands over what is prepared, and starts what is wanted. Whether there was anything to do.
    fn keep_up(&mut self, journal: &mut Journal, now: u64) -> Result<bool, StoreError> {
        let taken = self.take(journal, now)?;
        if self.retry_at.is_some_and(|at| now < at) {
            return Ok(taken);
        }
        let Some(number) = journal.wants_prepared() else {
            return Ok(taken);
        };
        let preparer = journal.preparer();
        let retention = self.recycling.segments.map(|segments| Retention {
            segments,
            covered: self.recycling.covered.get(),
        });
        let prepare = move || prepare(&preparer, number, retention.as_ref());
        let sender = self.sender.clone();
        if self.is_inline {
            drop(sender.send(prepare()));
            return self.take(journal, now);
        }
        let started = std::thread::Builder::new()
            .name("keel-segment".to_owned())
            // The journal's thread may have ended meanwhile.
            .spawn(move || drop(sender.send(prepare())));
        if let Err(error) = started {
            tracing::warn!("no thread to prepare a segment: {error}");
            journal.preparation_failed();
            self.retry_at = Some(now.saturating_add(RETRY_NS));
        }
        Ok(taken)
    }

    fn take(&mut self, journal: &mut Journal, now: u64) -> Result<bool, StoreError> {
        let Ok(prepared) = self.prepared.try_recv() else {
            return Ok(false);
        };
        match prepared {
            Ok(segment) => {
                self.retry_at = None;
                if let Some(segment) = segment {
                    journal.offer_prepared(segment);
                }
            }
            Err(error) if is_full(&error) => {
                if self.retry_at.is_none() {
                    tracing::error!("no room for more: orders are refused soon: {error}");
                }
                journal.preparation_failed();
                self.retry_at = Some(now.saturating_add(RETRY_NS));
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

/// Whether there was no room to write a segment. Then it is written anew from its first byte, which
/// is no second try of a failed sync; whatever else fails is a broken disk.
fn is_full(error: &StoreError) -> bool {
    let StoreError::Io { what, source, .. } = error else {
        return false;
    };
    let is_full = matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    is_full && matches!(*what, "create" | "write" | "sync")
}

fn prepare(
    preparer: &SegmentPreparer,
    number: store::SegmentNumber,
    retention: Option<&Retention>,
) -> Result<Option<PreparedSegment>, StoreError> {
    match retention {
        Some(retention) => preparer.prepare_recycling(number, retention),
        None => preparer.prepare(number),
    }
}
