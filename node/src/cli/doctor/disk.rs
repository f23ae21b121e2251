//! The disk below a directory: its file system, its space, and both ways of the journal to it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;
use store::{Measurement, SegmentLength, StoreError};

use super::{Check, is_locked};
use crate::journal_io::describe;

pub(super) fn checks(path: &Path, measured: &Result<Measurement, StoreError>) -> Vec<Check> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut checks = vec![
        file_system(type_of(&mounts, &canonical)),
        direct_writes(path, measured),
    ];
    if !is_locked(measured) {
        checks.push(preallocation(path));
    }
    checks.extend([free_space(path), io_uring(), journal_io(measured)]);
    checks
}

/// The type of the file system that a path lies on: of the innermost mount above it, and of the
/// last one where several are mounted on one place.
fn type_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let (mount, source) = line.split_once(" - ")?;
            let point = Path::new(mount.split(' ').nth(4)?);
            let kind = source.split(' ').next()?;
            path.starts_with(point)
                .then(|| (point.components().count(), kind))
        })
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind)
}

fn file_system(kind: Option<&str>) -> Check {
    const WHAT: &str = "file system";
    let Some(kind) = kind else {
        return Check::warn(WHAT, "unknown", "use ext4 or xfs on a local disk");
    };
    let advice = match kind {
        "ext4" | "xfs" => return Check::ok(WHAT, kind),
        "tmpfs" | "ramfs" => "it is memory: everything is gone at a power cut; take a disk",
        "btrfs" | "zfs" => "it writes to a new place each time, so every commit pays for metadata",
        "overlay" => "the layers of a container: mount a volume for the data directory",
        _ => "not a kind that is tried here: ext4 or xfs on a local disk are",
    };
    Check::warn(WHAT, kind, advice)
}

/// From the measurement; of a directory in use, from one of its files, opened to read.
fn direct_writes(path: &Path, measured: &Result<Measurement, StoreError>) -> Check {
    const WHAT: &str = "direct io";
    let advice = "commits pass through the page cache, which costs a copy; ext4 and xfs need not";
    let taken = match measured {
        Ok(measurement) => measurement.direct,
        Err(_) => {
            let direct = OFlags::DIRECT.bits().cast_signed();
            let mut options = OpenOptions::new();
            let file = segment(path).unwrap_or_else(|| path.join("genesis.toml"));
            options.read(true).custom_flags(direct).open(file).is_ok()
        }
    };
    let found = if taken { "yes" } else { "no" };
    Check::ok_if(taken, WHAT, found.to_owned(), advice)
}

fn segment(path: &Path) -> Option<PathBuf> {
    let mut files = std::fs::read_dir(path.join("journal")).ok()?.flatten();
    let file = files.find(|file| file.path().extension().is_some_and(|kind| kind == "keel"))?;
    Some(file.path())
}

/// On a file without a name, which is gone at once.
fn preallocation(path: &Path) -> Check {
    const WHAT: &str = "preallocation";
    let allocated = tempfile::tempfile_in(path).and_then(|file| {
        let length = 1 << 20;
        Ok(rustix::fs::fallocate(
            file,
            FallocateFlags::empty(),
            0,
            length,
        )?)
    });
    match allocated {
        Ok(()) => Check::ok(WHAT, "yes"),
        Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {
            Check::ok(WHAT, "no: segments are written full of zeros anyway")
        }
        Err(error) => Check::fail(WHAT, error.to_string(), "a node must write here"),
    }
}

fn free_space(path: &Path) -> Check {
    match rustix::fs::statvfs(path) {
        Ok(space) => judge_space(space.f_bavail.saturating_mul(space.f_frsize)),
        Err(error) => Check::warn("free space", error.to_string(), "check it by hand"),
    }
}

fn judge_space(free: u64) -> Check {
    const WHAT: &str = "free space";
    let segment = SegmentLength::DEFAULT.get();
    let segments = free / segment;
    let found = format!(
        "{} MiB: {segments} journal segments of {} MiB",
        free >> 20,
        segment >> 20
    );
    match segments {
        0 | 1 => Check::fail(WHAT, found, "a journal begins with two segments: make room"),
        2..SEGMENTS_MIN => Check::warn(WHAT, found, "a busy node fills a segment in seconds"),
        SEGMENTS_MIN.. => Check::ok(WHAT, found),
    }
}

fn io_uring() -> Check {
    match store::uring_available() {
        Ok(()) => Check::ok("io_uring", "yes"),
        Err(reason) => {
            let advice = "`--journal-io sync` works without; under load its answers come later";
            Check::warn("io_uring", format!("no: {reason}"), advice)
        }
    }
}

fn journal_io(measured: &Result<Measurement, StoreError>) -> Check {
    const WHAT: &str = "journal io";
    match measured {
        Ok(found) => {
            let advice = "a commit waits for this: take a faster disk, or accept slower answers";
            let sync = found.sync.median;
            let median = found
                .uring
                .as_ref()
                .map_or(sync, |uring| uring.median.min(sync));
            Check::ok_if(median < MEDIAN_MAX_NS, WHAT, describe(found), advice)
        }
        Err(StoreError::Locked { .. }) => Check::ok(WHAT, "not measured: the directory is in use"),
        Err(error) => Check::fail(WHAT, error.to_string(), "a node must write here"),
    }
}

/// 1 GiB.
const SEGMENTS_MIN: u64 = 16;

const MEDIAN_MAX_NS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Fail, Ok, Warn};
    use super::*;

    #[test]
    fn the_innermost_and_last_mount_counts() {
        let mounts = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                      23 22 0:21 / /data rw shared:1 - xfs /dev/vdb rw\n\
                      24 22 0:22 / /data/x rw - tmpfs none rw\n\
                      25 22 0:23 / /over rw - ext4 /dev/vdc rw\n\
                      26 22 0:24 / /over rw - overlay none rw\n";
        for (path, kind) in [
            ("/home", "ext4"),
            ("/data", "xfs"),
            ("/database", "ext4"),
            ("/data/x/y", "tmpfs"),
            ("/over/z", "overlay"),
        ] {
            assert_eq!(type_of(mounts, Path::new(path)), Some(kind), "{path}");
        }
        assert_eq!(type_of("", Path::new("/")), None);
    }

    #[test]
    fn file_systems_and_space_are_judged() {
        let segment = SegmentLength::DEFAULT.get();
        for (check, verdict) in [
            (file_system(Some("ext4")), Ok),
            (file_system(Some("tmpfs")), Warn),
            (file_system(Some("nfs4")), Warn),
            (file_system(None), Warn),
            (judge_space(0), Fail),
            (judge_space(2 * segment - 1), Fail),
            (judge_space(2 * segment), Warn),
            (judge_space(16 * segment), Ok),
        ] {
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }
}
