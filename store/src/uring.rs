//! The way to the disk by io_uring: a write linked to a sync of its data, handed over together and
//! waited for together.
//!
//! Never: an operation that outlives its call, a second try after a failed write or sync. The only
//! unsafe code of the store is here, in [`Uring::carry_out`]. What a pair of completions means is a
//! pure function, [`conclude`]; who carries a pair out is an argument of [`write_and_sync`], so that
//! a test can bring completions of its own.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex};

use io_uring::squeue::Flags;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, Probe, opcode};
use rustix::io::Errno;

use crate::format::PAGE;

/// What the kernel said about a write and the sync linked to it: not negative as the system calls
/// return it, negative an error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Completions {
    pub(crate) write: i32,
    pub(crate) sync: i32,
}

/// What follows from a pair of completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// All bytes are written and durable.
    Done,
    /// So many bytes, whole pages, are written and none need be durable: go on behind them.
    Rest(usize),
    /// Less than a page was taken: the disk has failed.
    Stuck,
    /// The first error, for good.
    Failed(Errno),
}

/// Judges the completions of a write of `length` bytes and its sync. A short write cancels the
/// sync, and so does a failed one; then the write's own error is the reason. No error is worth a
/// second try, an interruption neither: the kernel interrupts no operation of a ring that lives.
pub(crate) fn conclude(write: i32, sync: i32, length: usize) -> Next {
    let Ok(written) = usize::try_from(write) else {
        return Next::Failed(Errno::from_raw_os_error(-write));
    };
    let cancelled = -Errno::CANCELED.raw_os_error();
    let short = written < length;
    if length < written || 0 < sync {
        // No kernel says this. Whatever it means, it is no promise.
        return Next::Failed(Errno::IO);
    }
    if sync < 0 && !(short && sync == cancelled) {
        return Next::Failed(Errno::from_raw_os_error(-sync));
    }
    match (short, written - written % PAGE) {
        (false, _) => Next::Done,
        // As after any short write: a direct write must start on a page.
        (true, 0) => Next::Stuck,
        (true, whole) => Next::Rest(whole),
    }
}

/// Writes all bytes and makes them durable, by pairs that `carry_out` carries out; one, unless a
/// write is short. After the first error nothing is written or synced any more.
pub(crate) fn write_and_sync(
    mut bytes: &[u8],
    mut offset: u64,
    mut carry_out: impl FnMut(&[u8], u64) -> io::Result<Completions>,
) -> io::Result<()> {
    debug_assert!(bytes.len().is_multiple_of(PAGE) && offset.is_multiple_of(PAGE as u64));
    while !bytes.is_empty() {
        let part = &bytes[..bytes.len().min(PAIR_LENGTH_MAX)];
        let Completions { write, sync } = carry_out(part, offset)?;
        let written = match conclude(write, sync, part.len()) {
            Next::Done => part.len(),
            Next::Rest(whole) => whole,
            Next::Stuck => return Err(io::ErrorKind::WriteZero.into()),
            Next::Failed(error) => return Err(error.into()),
        };
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

/// A ring that several files share. Only the journal's commit uses it, so nobody waits for it.
#[derive(Clone, Debug)]
pub(crate) struct SharedRing(Arc<Mutex<Uring>>);

impl SharedRing {
    /// Makes a ring, or says why there is none.
    pub(crate) fn open() -> Result<Self, String> {
        let ring = Uring::open().map_err(|error| why_unavailable(&error))?;
        Ok(Self(Arc::new(Mutex::new(ring))))
    }

    /// Writes all bytes and makes them durable.
    pub(crate) fn write_and_sync(
        &self,
        file: BorrowedFd<'_>,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        let mut ring = self.0.lock().expect("nothing panics while it has the ring");
        write_and_sync(bytes, offset, |part, at| ring.carry_out(file, part, at))
    }
}

/// Whether the journal can take [`JournalIo::Uring`](crate::JournalIo::Uring) here, or why not.
pub fn uring_available() -> Result<(), String> {
    SharedRing::open().map(drop)
}

/// In words that tell an operator what to change.
fn why_unavailable(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => "this kernel has none, or a filter hides it (ENOSYS)".to_owned(),
        Some(Errno::PERM | Errno::ACCESS) => {
            "forbidden by kernel.io_uring_disabled or a seccomp filter (EPERM)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// One ring of the kernel, empty between two calls.
struct Uring {
    ring: IoUring,
    /// Something was queued that the kernel did not take. It must never be handed over later: its
    /// memory is no longer lent.
    broken: bool,
}

impl Uring {
    fn open() -> io::Result<Self> {
        let ring = IoUring::new(PAIR)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        let codes = [opcode::Write::CODE, opcode::Fsync::CODE];
        if !codes.iter().all(|code| probe.is_supported(*code)) {
            return Err(Errno::NOSYS.into());
        }
        Ok(Self {
            ring,
            broken: false,
        })
    }

    /// Writes, and if all was written syncs. Returns when the kernel has done with both.
    #[allow(unsafe_code)]
    fn carry_out(
        &mut self,
        file: BorrowedFd<'_>,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<Completions> {
        if self.broken {
            return Err(Errno::CANCELED.into());
        }
        let length = u32::try_from(bytes.len()).expect("a pair writes less than 4 GiB");
        let file = Fd(file.as_raw_fd());
        let write = opcode::Write::new(file, bytes.as_ptr(), length)
            .offset(offset)
            .build()
            .flags(Flags::IO_LINK)
            .user_data(WRITE);
        let sync = opcode::Fsync::new(file)
            .flags(FsyncFlags::DATASYNC)
            .build()
            .user_data(SYNC);
        // SAFETY: the kernel reads `bytes` and uses `file` from when it takes the entries until it
        // posts their completions. Both are borrowed for the whole of this call, and the call
        // returns only when `wait` has seen a completion of every entry that the kernel took.
        // Entries that it did not take stay in the queue and are never handed over: the ring is
        // `broken` then, and closing it drops them.
        let queued = unsafe { self.ring.submission().push_multiple(&[write, sync]) };
        queued.expect("the queue is empty between two calls");
        self.broken = true;
        let completions = self.wait()?;
        self.broken = false;
        Ok(completions)
    }

    /// Hands the queued pair over and waits for all of it that the kernel takes.
    fn wait(&mut self) -> io::Result<Completions> {
        let [mut write, mut sync] = [None; 2];
        let mut entered = self.ring.submit_and_wait(PAIR as usize);
        // What was handed over in two calls is not linked, so no sync of it proves anything.
        let together = self.ring.submission().is_empty();
        loop {
            for completion in self.ring.completion() {
                match completion.user_data() {
                    WRITE => write = Some(completion.result()),
                    _ => sync = Some(completion.result()),
                }
            }
            let queued = self.ring.submission().len();
            let missing = PAIR as usize - queued - completed(write) - completed(sync);
            if missing == 0 {
                break;
            }
            match &entered {
                Ok(_) => {}
                // A signal, or no memory to take the rest: what was taken goes on.
                Err(error) if is_passing(error) => std::thread::yield_now(),
                // Memory is lent to operations that cannot be waited for. To return or to unwind
                // would give it to somebody else.
                Err(_) => std::process::abort(),
            }
            entered = self.ring.submit_and_wait(missing);
        }
        match (write, sync) {
            (Some(write), Some(sync)) if together => Ok(Completions { write, sync }),
            _ => Err(entered.err().unwrap_or_else(|| Errno::AGAIN.into())),
        }
    }
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring")
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

fn completed(result: Option<i32>) -> usize {
    usize::from(result.is_some())
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INTR | Errno::AGAIN | Errno::BUSY)
    )
}

/// Entries of a ring.
const PAIR: u32 = 2;
const WRITE: u64 = 1;
const SYNC: u64 = 2;

/// The kernel writes at most 2 GiB less a page at once.
const PAIR_LENGTH_MAX: usize = 1 << 30;
const _: () = assert!(PAIR_LENGTH_MAX.is_multiple_of(PAGE));

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    const IO: i32 = -5;
    const INTERRUPTED: i32 = -4;
    const FULL: i32 = -28;
    const CANCELLED: i32 = -125;
    /// Length of the write in all tests.
    const LENGTH: i32 = 3 * PAGE as i32;

    #[test]
    fn completions_are_judged() {
        const PAGES: i32 = PAGE as i32;
        for (write, sync, expected) in [
            (LENGTH, 0, Next::Done),
            // A failed write; the sync was cancelled, or it was not.
            (IO, CANCELLED, Next::Failed(Errno::IO)),
            (FULL, CANCELLED, Next::Failed(Errno::NOSPC)),
            (FULL, 0, Next::Failed(Errno::NOSPC)),
            (INTERRUPTED, CANCELLED, Next::Failed(Errno::INTR)),
            (CANCELLED, CANCELLED, Next::Failed(Errno::CANCELED)),
            // A failed sync after a good write.
            (LENGTH, IO, Next::Failed(Errno::IO)),
            (LENGTH, INTERRUPTED, Next::Failed(Errno::INTR)),
            (LENGTH, CANCELLED, Next::Failed(Errno::CANCELED)),
            // Both: the write's error came first.
            (FULL, IO, Next::Failed(Errno::NOSPC)),
            // A short write: from the last whole page on.
            (PAGES, CANCELLED, Next::Rest(PAGE)),
            (2 * PAGES + 511, CANCELLED, Next::Rest(2 * PAGE)),
            (LENGTH - 1, CANCELLED, Next::Rest(2 * PAGE)),
            (PAGES, 0, Next::Rest(PAGE)),
            (PAGES, IO, Next::Failed(Errno::IO)),
            (PAGES - 1, CANCELLED, Next::Stuck),
            (0, CANCELLED, Next::Stuck),
            (0, 0, Next::Stuck),
            // What no kernel says.
            (LENGTH + 1, 0, Next::Failed(Errno::IO)),
            (LENGTH, 1, Next::Failed(Errno::IO)),
        ] {
            let found = conclude(write, sync, LENGTH as usize);
            assert_eq!(found, expected, "write {write}, sync {sync}");
        }
    }

    /// Runs a write by scripted completions: what was asked for, as offset and length, and the
    /// result.
    fn play(script: &[(i32, i32)]) -> (Vec<(u64, usize)>, io::Result<()>) {
        let bytes = vec![7; LENGTH as usize];
        let mut asked = Vec::new();
        let result = write_and_sync(&bytes, 0, |part, offset| {
            let (write, sync) = script[asked.len()];
            asked.push((offset, part.len()));
            Ok(Completions { write, sync })
        });
        (asked, result)
    }

    #[test]
    fn short_writes_are_finished_and_the_first_error_is_the_last_operation() {
        const P: usize = PAGE;
        let (short, rest) = (P as i32 + 9, 2 * P as i32);
        for (script, asked, error) in [
            (&[(LENGTH, 0)][..], &[(0, 3 * P)][..], None),
            (
                &[(short, CANCELLED), (short, CANCELLED), (P as i32, 0)],
                &[(0, 3 * P), (P as u64, 2 * P), (2 * P as u64, P)],
                None,
            ),
            (&[(IO, CANCELLED), (LENGTH, 0)], &[(0, 3 * P)], Some(5)),
            (&[(LENGTH, IO), (LENGTH, 0)], &[(0, 3 * P)], Some(5)),
            (
                &[(short, CANCELLED), (rest, IO), (rest, 0)],
                &[(0, 3 * P), (P as u64, 2 * P)],
                Some(5),
            ),
            (
                &[(short, CANCELLED), (FULL, CANCELLED), (rest, 0)],
                &[(0, 3 * P), (P as u64, 2 * P)],
                Some(28),
            ),
        ] {
            let (found, result) = play(script);
            assert_eq!(found, asked, "{script:?}");
            let found = result.err().and_then(|error| error.raw_os_error());
            assert_eq!(found, error, "{script:?}");
        }
        let (asked, result) = play(&[(100, CANCELLED), (LENGTH, 0)]);
        assert_eq!(asked.len(), 1);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn the_kernel_means_by_completions_what_is_judged_here() {
        let mut ring = match Uring::open() {
            Ok(ring) => ring,
            // A machine without it says so in words.
            Err(error) => return assert!(!why_unavailable(&error).is_empty()),
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = File::create(&path).unwrap();
        let bytes: Vec<u8> = (0..LENGTH).map(|at| (at / 7) as u8).collect();
        let (write, sync) = (LENGTH, 0);
        let done = ring.carry_out(file.as_fd(), &bytes, PAGE as u64).unwrap();
        assert_eq!(done, Completions { write, sync });
        assert_eq!(std::fs::read(&path).unwrap()[PAGE..], bytes);

        // A failed write cancels its sync, and leaves the ring as good as new.
        let read_only = File::open(&path).unwrap();
        let failed = ring.carry_out(read_only.as_fd(), &bytes, 0).unwrap();
        let (write, sync) = (-Errno::BADF.raw_os_error(), CANCELLED);
        assert_eq!(failed, Completions { write, sync });
        let (write, sync) = (LENGTH, 0);
        let done = ring.carry_out(file.as_fd(), &bytes, 0).unwrap();
        assert_eq!(done, Completions { write, sync });

        // A sync that fails by itself: a pipe takes the bytes and cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let failed = ring.carry_out(writer.as_fd(), &bytes[..PAGE], u64::MAX);
        let (write, sync) = (PAGE as i32, -Errno::INVAL.raw_os_error());
        assert_eq!(failed.unwrap(), Completions { write, sync });
    }

    #[test]
    fn a_missing_ring_is_told_in_words() {
        for (error, word) in [
            (Errno::NOSYS, "kernel has none"),
            (Errno::PERM, "kernel.io_uring_disabled"),
            (Errno::MFILE, "Too many open files"),
        ] {
            let reason = why_unavailable(&error.into());
            assert!(reason.contains(word), "{reason}");
        }
    }
}
