//! The journal's thread: appends what the pipeline sealed, syncs once for all of it, says how far
//! it got.
//!
//! Group commit: while one sync runs the next blocks queue up and share the next one. The first
//! failed write or sync ends the thread with its error; no later block is ever called durable.

use std::sync::mpsc;

use rtrb::{Consumer, Producer};
use store::{Journal, NewRecord, PreparedSegment, StoreError};
use types::outcome::Digest;
use types::{Height, SequenceNumber};

use crate::threads::{Clock, Parking, Stop, Waker};

/// A sealed block on its way to the disk.
pub(crate) struct JournalBlock {
    pub(crate) height: Height,
    pub(crate) first_sequence: SequenceNumber,
    pub(crate) command_count: u64,
    pub(crate) previous_outcome: Digest,
    pub(crate) payload: Vec<u8>,
}

/// Everything up to this height is synced.
pub(crate) struct DurableMark {
    pub(crate) height: Height,
    /// Hash of that block's record.
    pub(crate) record_hash: Digest,
    /// When, in nanoseconds since the Unix epoch.
    pub(crate) at: u64,
    /// The payload buffer of that block, to be filled again.
    pub(crate) spent: Option<Vec<u8>>,
}

/// The ends of the rings that the journal's thread holds.
pub(crate) struct Ports {
    pub(crate) blocks: Consumer<JournalBlock>,
    pub(crate) durable: Producer<DurableMark>,
    pub(crate) wake_pipeline: Waker,
}

/// Runs until told to stop and everything handed over is durable, or until the first error.
pub(crate) fn run(
    mut journal: Journal,
    mut ports: Ports,
    clock: &Clock,
    parking: &Parking,
    stop: &Stop,
) -> Result<(), StoreError> {
    let preparation = Preparation::new();
    preparation.keep_up(&mut journal);
    let mut spent = Vec::new();
    loop {
        let stopping = stop.requested();
        while let Ok(block) = ports.blocks.pop() {
            let record = NewRecord {
                height: block.height,
                first_sequence: block.first_sequence,
                command_count: block.command_count,
                previous_outcome: block.previous_outcome,
            };
            let record_hash = journal.append(&record, &block.payload)?;
            spent.push((block.height, record_hash, block.payload));
        }
        if spent.is_empty() {
            if stopping {
                return Ok(());
            }
            parking.park();
            continue;
        }
        let durable = journal.commit()?;
        let at = clock.unix_nanos();
        for (height, record_hash, payload) in spent.drain(..) {
            assert!(height <= durable, "a commit covers everything appended");
            let spent = Some(payload);
            let mark = DurableMark {
                height,
                record_hash,
                at,
                spent,
            };
            let pushed = ports.durable.push(mark);
            assert!(pushed.is_ok(), "the ring holds all blocks in flight");
        }
        ports.wake_pipeline.wake();
        preparation.keep_up(&mut journal);
    }
}

/// Writes the next segment full of zeros on a thread of its own, so that no commit waits for it. If
/// that fails or is late, the journal does it itself.
struct Preparation {
    prepared: mpsc::Receiver<PreparedSegment>,
    sender: mpsc::Sender<PreparedSegment>,
}

impl Preparation {
    fn new() -> Self {
        let (sender, prepared) = mpsc::channel();
        Self { prepared, sender }
    }

    /// Hands over what is prepared, and starts what is wanted. Called once per commit.
    fn keep_up(&self, journal: &mut Journal) {
        if let Ok(segment) = self.prepared.try_recv() {
            journal.offer_prepared(segment);
        }
        let Some(number) = journal.wants_prepared() else {
            return;
        };
        let (preparer, sender) = (journal.preparer(), self.sender.clone());
        let started = std::thread::Builder::new()
            .name("keel-segment".to_owned())
            .spawn(move || match preparer.prepare(number) {
                // The journal's thread may have ended meanwhile.
                Ok(Some(segment)) => drop(sender.send(segment)),
                Ok(None) => {}
                Err(error) => tracing::warn!("segment {}: {error}", number.get()),
            });
        if let Err(error) = started {
            tracing::warn!("no thread to prepare a segment: {error}");
        }
    }
}
