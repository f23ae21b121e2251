//! Which way to the disk is faster here and now: a few writes by each, on a file of their own.
//!
//! Never touches a journal's files: the file measured on is made, filled and removed in the folder
//! beside them, under the lock. The caller brings the clock.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use crate::aligned::AlignedBuffer;
use crate::disk::{Disk, DiskFile, write_all_at};
use crate::error::{Context, StoreError};
use crate::format::PAGE;
use crate::real_disk::{JournalIo, RealDisk, RealFile, open_direct};
use crate::uring::SharedRing;

/// What one way took per write and sync of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Half of the rounds took no longer, in nanoseconds.
    pub median: u64,
    /// The longest round, in nanoseconds.
    pub worst: u64,
}

/// Both ways, measured in turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// [`JournalIo::Sync`].
    pub sync: Timing,
    /// [`JournalIo::Uring`], or why there is no io_uring.
    pub uring: Result<Timing, String>,
    /// Rounds of each way.
    pub rounds: usize,
    /// Whether the file system takes direct writes; else they went through the page cache.
    pub direct: bool,
}

impl Measurement {
    /// The way to take: the lower median, and the plain one if there is nothing between them. On an
    /// idle machine the plain one wins, since nothing has to be woken; beside others the ring may
    /// hold its median while a blocking call waits for a tick of the scheduler.
    pub fn choose(&self) -> JournalIo {
        match &self.uring {
            Ok(uring) if uring.median < self.sync.median => JournalIo::Uring,
            _ => JournalIo::Sync,
        }
    }
}

/// Measures both ways in the journal folder of a data directory, which is made if it is missing, in
/// about 100 ms at most. `clock` gives nanoseconds since any moment and never goes back.
pub fn measure(data_directory: &Path, clock: &dyn Fn() -> u64) -> Result<Measurement, StoreError> {
    let [disk, _] = RealDisk::open_exclusively(data_directory, JournalIo::Sync)?;
    let path = disk.path(FILE);
    let measured = measure_on(&path, clock).context("measure on", &path);
    let removed = disk.remove(FILE).context("remove", &path);
    let measurement = measured?;
    removed?;
    Ok(measurement)
}

fn measure_on(path: &Path, clock: &dyn Fn() -> u64) -> io::Result<Measurement> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let (file, direct) = open_direct(&mut options, path)?;
    let ring = SharedRing::open();
    let ringed = match &ring {
        Ok(ring) => Some(RealFile {
            file: file.try_clone()?,
            ring: Some(ring.clone()),
        }),
        Err(_) => None,
    };
    let plain = RealFile { file, ring: None };
    let page = written_ahead(&plain)?;

    let started = clock();
    let (mut sync, mut uring) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let offset = (round * PAGE) as u64;
        sync.push(time(&plain, page.bytes(), offset, clock)?);
        if let Some(ringed) = &ringed {
            uring.push(time(ringed, page.bytes(), offset, clock)?);
        }
        if BUDGET_NS <= clock().saturating_sub(started) {
            break;
        }
    }
    Ok(Measurement {
        rounds: sync.len(),
        sync: timing(sync),
        uring: ring.map(|_| timing(uring)),
        direct,
    })
}

/// Fills the file, as a segment is filled before it is used, so that no round changes metadata.
/// Returns a page to write.
fn written_ahead(file: &RealFile) -> io::Result<AlignedBuffer> {
    let mut zeros = AlignedBuffer::zeroed(ROUNDS * PAGE);
    write_all_at(file, zeros.bytes(), 0)?;
    file.sync()?;
    zeros.clear();
    zeros.append(PAGE).fill(0xa5);
    Ok(zeros)
}

fn time(file: &RealFile, page: &[u8], offset: u64, clock: &dyn Fn() -> u64) -> io::Result<u64> {
    let started = clock();
    file.write_and_sync(page, offset)?;
    Ok(clock().saturating_sub(started))
}

fn timing(mut rounds: Vec<u64>) -> Timing {
    rounds.sort_unstable();
    Timing {
        median: rounds[(rounds.len() - 1) / 2],
        worst: rounds[rounds.len() - 1],
    }
}

/// Its ending lets the next start remove it, should this process die.
const FILE: &str = "measure.tmp";

/// On an idle machine all of them take about 3 ms.
const ROUNDS: usize = 32;

/// No round begins after this.
const BUDGET_NS: u64 = 80_000_000;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn found(sync: u64, uring: Result<u64, &str>) -> Measurement {
        let timing = |median| Timing {
            median,
            worst: 9_000_000,
        };
        Measurement {
            sync: timing(sync),
            uring: uring.map(timing).map_err(str::to_owned),
            rounds: 1,
            direct: true,
        }
    }

    #[test]
    fn the_lower_median_is_chosen() {
        for (sync, uring, chosen) in [
            (30_000, Ok(46_000), JournalIo::Sync),
            (3_980_000, Ok(37_000), JournalIo::Uring),
            (30_000, Ok(30_000), JournalIo::Sync),
            (3_980_000, Err("none"), JournalIo::Sync),
        ] {
            assert_eq!(found(sync, uring).choose(), chosen, "{sync} {uring:?}");
        }
    }

    #[test]
    fn medians_and_worst_rounds() {
        for (rounds, median, worst) in [
            (&[7][..], 7, 7),
            (&[9, 1], 1, 9),
            (&[5, 90, 1], 5, 90),
            (&[4, 3, 2, 1], 2, 4),
        ] {
            assert_eq!(timing(rounds.to_vec()), Timing { median, worst });
        }
    }

    /// A clock that goes on by `step` each time it is asked.
    fn measure_by(step: u64, directory: &Path) -> Measurement {
        let now = Cell::new(0);
        let clock = || {
            now.set(now.get() + step);
            now.get()
        };
        measure(directory, &clock).unwrap()
    }

    #[test]
    fn measures_as_long_as_it_may_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let all = measure_by(1, directory.path());
        assert_eq!((all.rounds, all.sync.median, all.sync.worst), (32, 1, 1));
        let slow = measure_by(BUDGET_NS, directory.path());
        assert_eq!(slow.rounds, 1, "a slow disk is asked once");
        let left: Vec<_> = std::fs::read_dir(directory.path().join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["lock"]);
    }

    #[test]
    fn a_journal_in_use_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let _disk = RealDisk::open_exclusively(directory.path(), JournalIo::Sync).unwrap();
        let refused = measure(directory.path(), &|| 0);
        assert!(matches!(refused, Err(StoreError::Locked { .. })));
    }
}
