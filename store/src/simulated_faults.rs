//! What goes wrong on a simulated disk, and when.
//!
//! Operations that change something are numbered from 1 in the order in which they are asked for,
//! over both folders; reads are numbered on their own.

use std::io;

use rustix::io::Errno;

/// Something that goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This operation fails and changes nothing. A failed sync also drops what was not durable in
    /// its file, as disks may: a second sync would report success without it.
    Fail {
        /// The operation.
        at: u64,
        /// How it fails.
        refusal: Refusal,
    },
    /// Power fails during this operation: it may have happened in part, nothing after it does.
    PowerLoss {
        /// The operation.
        at: u64,
    },
    /// The first write from this operation on reports success and changes nothing.
    LostWrite {
        /// The operation.
        at: u64,
    },
    /// The first write from this operation on reports success and lands elsewhere in its file.
    MisdirectedWrite {
        /// The operation.
        at: u64,
        /// So many pages further, from the front again after the end.
        pages: u64,
    },
    /// The first sync from this operation on takes long.
    SlowSync {
        /// The operation.
        at: u64,
        /// How long: [`SimulatedDisk::elapsed_nanos`](crate::disk::SimulatedDisk::elapsed_nanos)
        /// tells.
        nanos: u64,
    },
    /// This read fails.
    FailRead {
        /// The read.
        at: u64,
    },
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device reports an error.
    Io,
    /// There is no space left.
    Full,
}

impl Refusal {
    /// The error as the operating system would tell it.
    pub(crate) fn error(self) -> io::Error {
        match self {
            Self::Io => Errno::IO.into(),
            Self::Full => Errno::NOSPC.into(),
        }
    }
}

/// What kind of operation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Names,
    Write,
    Sync,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    AsAsked,
    /// It happens, perhaps in part, and the power is gone.
    PowerLoss,
    /// Nothing, and says that it did.
    Lost,
    /// It happens so many pages further.
    Misdirected(u64),
}

/// Faults to come, faults that were, and the count of operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) pending: Vec<Fault>,
    pub(crate) triggered: Vec<Fault>,
    pub(crate) operations: u64,
    pub(crate) reads: u64,
    pub(crate) elapsed_nanos: u64,
}

impl Faults {
    /// Counts an operation and says what becomes of it.
    pub(crate) fn begin(&mut self, kind: Kind) -> Result<Verdict, Refusal> {
        self.operations += 1;
        let now = self.operations;
        if self.power_is_gone() {
            return Err(Refusal::Io);
        }
        let due = |fault: &Fault| match *fault {
            Fault::Fail { at, .. } | Fault::PowerLoss { at } => at == now,
            Fault::LostWrite { at } | Fault::MisdirectedWrite { at, .. } => {
                kind == Kind::Write && at <= now
            }
            Fault::SlowSync { at, .. } => kind == Kind::Sync && at <= now,
            Fault::FailRead { .. } => false,
        };
        let Some(index) = self.pending.iter().position(due) else {
            return Ok(Verdict::AsAsked);
        };
        let fault = self.pending[index];
        self.triggered.push(fault);
        // A power loss stays: nothing works after it.
        if !matches!(fault, Fault::PowerLoss { .. }) {
            self.pending.remove(index);
        }
        match fault {
            Fault::Fail { refusal, .. } => Err(refusal),
            Fault::PowerLoss { .. } => Ok(Verdict::PowerLoss),
            Fault::LostWrite { .. } => Ok(Verdict::Lost),
            Fault::MisdirectedWrite { pages, .. } => Ok(Verdict::Misdirected(pages)),
            Fault::SlowSync { nanos, .. } => {
                self.elapsed_nanos += nanos;
                Ok(Verdict::AsAsked)
            }
            Fault::FailRead { .. } => unreachable!("reads are asked for elsewhere"),
        }
    }

    /// Whether power was lost before this operation.
    pub(crate) fn power_is_gone(&self) -> bool {
        let gone =
            |fault: &Fault| matches!(fault, Fault::PowerLoss { at } if *at < self.operations);
        self.pending.iter().any(gone)
    }

    /// Counts a read.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        self.reads += 1;
        let fault = Fault::FailRead { at: self.reads };
        let Some(index) = self.pending.iter().position(|pending| *pending == fault) else {
            return Ok(());
        };
        self.triggered.push(self.pending.remove(index));
        Err(Refusal::Io.error())
    }
}
