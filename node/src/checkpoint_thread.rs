//! The thread that writes checkpoints: a file takes as long as it takes, and nobody waits for it.
//!
//! A checkpoint that cannot be written is told and given up: the journal is the truth, and an older
//! checkpoint only makes the next start longer.

use engine::snapshot::{Image, Memory};
use rtrb::{Consumer, Producer};
use store::{AlignedBuffer, CheckpointMeta, Checkpoints, StoreError};

use crate::counters::CheckpointCounters;
use crate::journal_thread::Covered;
use crate::threads::{Clock, Parking, Stop, Waker};

/// A checkpoint to write.
#[derive(Debug)]
pub struct CheckpointJob {
    /// What it is of.
    pub meta: CheckpointMeta,
    /// What goes in.
    pub sections: Sections,
}

/// The buffers of a checkpoint, used again and again.
#[derive(Debug)]
pub struct Sections {
    /// The state as of the last checkpoint.
    pub(crate) state: Image<Buffer>,
    /// The parts of section 1.
    pub(crate) parts: AlignedBuffer,
    /// Scratch for one of them.
    pub(crate) scratch: Vec<u8>,
}

/// Memory that a direct write takes.
#[derive(Debug)]
pub struct Buffer(pub(crate) AlignedBuffer);

impl Memory for Buffer {
    fn append(&mut self, length: usize) {
        self.0.append(length);
    }

    fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

impl Sections {
    pub(crate) fn new() -> Self {
        Self {
            state: Image::new(Buffer(AlignedBuffer::with_capacity(0))),
            parts: AlignedBuffer::with_capacity(0),
            scratch: Vec::new(),
        }
    }
}

/// The ends of the rings that the thread holds.
#[derive(Debug)]
pub struct Ports {
    /// What to write.
    pub jobs: Consumer<CheckpointJob>,
    /// Buffers, to be filled again.
    pub spent: Producer<Sections>,
    /// Wakes whoever fills them.
    pub wake_shadow: Waker,
}

/// Runs until told to stop and everything handed over is written.
pub(crate) fn run(
    mut writer: CheckpointWriter,
    clock: &Clock,
    counters: &CheckpointCounters,
    parking: &Parking,
    stop: &Stop,
) {
    counters.at.set(clock.unix_nanos());
    loop {
        let stopping = stop.requested();
        match writer.turn() {
            Some(Ok(meta)) => {
                counters.height.set(meta.height.get());
                counters.at.set(clock.unix_nanos());
                counters.written.add(1);
            }
            Some(Err(error)) => {
                counters.failed.add(1);
                tracing::error!("no checkpoint: {error}");
            }
            None if stopping => return,
            None => parking.park(),
        }
    }
}

/// Writes checkpoints into one data directory and removes old ones.
#[derive(Debug)]
pub struct CheckpointWriter {
    checkpoints: Checkpoints,
    /// How many are kept.
    kept: usize,
    /// What the kept ones cover, for whoever recycles the journal.
    covered: Covered,
    ports: Ports,
}

impl CheckpointWriter {
    /// Writes there and keeps so many of the newest.
    pub fn new(checkpoints: Checkpoints, kept: usize, covered: Covered, ports: Ports) -> Self {
        Self {
            checkpoints,
            kept,
            covered,
            ports,
        }
    }

    /// Writes what there is to write; what came of it, if there was anything.
    pub fn turn(&mut self) -> Option<Result<CheckpointMeta, StoreError>> {
        let CheckpointJob { meta, sections } = self.ports.jobs.pop().ok()?;
        let buffers = [&sections.state.memory().0, &sections.parts];
        let written = self.checkpoints.write(&meta, buffers);
        let written = written.and_then(|()| self.tidy());
        let pushed = self.ports.spent.push(sections);
        assert!(pushed.is_ok(), "there is one set of buffers");
        self.ports.wake_shadow.wake();
        Some(written.map(|()| meta))
    }

    /// Removes old ones, and tells what the others cover.
    fn tidy(&self) -> Result<(), StoreError> {
        self.checkpoints.keep(self.kept)?;
        self.covered.set(self.checkpoints.covered()?);
        Ok(())
    }
}
