//! Everything that happens, in one hash; and a disk that tells it what it is asked to do.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use store::Folders;
use store::disk::{Disk, DiskFile, FileBytes, SimulatedDisk};
use types::outcome::Digest;

/// The hash of a run so far, what it has reached, and what the disk was asked last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    hasher: blake3::Hasher,
    events: u64,
    reached: BTreeSet<&'static str>,
    last: (&'static str, String),
    /// Power fails during this operation.
    crash_at: Option<u64>,
}

impl Trace {
    /// Something happened.
    pub(crate) fn note(&self, what: &'static str, name: &str, bytes: &[u8]) {
        let mut record = self.record();
        record.events += 1;
        for part in [what.as_bytes(), name.as_bytes(), bytes] {
            record.hasher.update(&(part.len() as u64).to_le_bytes());
            record.hasher.update(part);
        }
    }

    /// A rare state was reached.
    pub(crate) fn reach(&self, state: &'static str) {
        self.record().reached.insert(state);
    }

    /// Hash, number of events, and the rare states that were reached.
    pub(crate) fn finish(&self) -> (Digest, u64, BTreeSet<&'static str>) {
        let record = self.record();
        let hash = Digest::new(*record.hasher.finalize().as_bytes());
        (hash, record.events, record.reached.clone())
    }

    /// Power will fail during this operation; `None`: during none.
    pub(crate) fn expect_crash(&self, at: Option<u64>) {
        self.record().crash_at = at;
    }

    /// What the disk was asked last while it had power, and about which file.
    pub(crate) fn last(&self) -> (&'static str, String) {
        self.record().last.clone()
    }

    fn ask(&self, disk: &SimulatedDisk, verb: &'static str, name: &str, bytes: &[u8]) {
        self.note(verb, name, bytes);
        let mut record = self.record();
        if record.crash_at.is_none_or(|at| disk.operations() < at) {
            record.last = (verb, name.to_owned());
        }
        drop(record);
        if verb == "rename" && name.contains(".keel>") {
            self.reach("a segment was recycled");
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().expect("nobody panics while noting")
    }
}

/// The folders of a simulated disk whose every change is noted.
pub(crate) fn folders(disk: &SimulatedDisk, trace: &Trace) -> Folders {
    let traced = |disk| {
        Arc::new(TracedDisk {
            disk,
            trace: trace.clone(),
        })
    };
    Folders::on(traced(disk.journal()), traced(disk.checkpoints()))
}

#[derive(Debug)]
struct TracedDisk {
    disk: SimulatedDisk,
    trace: Trace,
}

impl TracedDisk {
    fn file(&self, name: &str, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(TracedFile {
            disk: self.disk.clone(),
            inner,
            name: name.to_owned(),
            trace: self.trace.clone(),
        })
    }
}

impl Disk for TracedDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open_to_read(name)
    }

    fn map(&self, name: &str) -> io::Result<FileBytes> {
        self.disk.map(name)
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.disk.open_to_write(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.trace.ask(&self.disk, "create", name, &[]);
        Ok(self.file(name, self.disk.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.trace
            .ask(&self.disk, "rename", &format!("{from}>{to}"), &[]);
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.trace.ask(&self.disk, "remove", name, &[]);
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let directory = self.disk.directory();
        self.trace.ask(
            &self.disk,
            "sync directory",
            &directory.to_string_lossy(),
            &[],
        );
        self.disk.sync_directory()
    }

    fn directory(&self) -> PathBuf {
        self.disk.directory()
    }
}

#[derive(Debug)]
struct TracedFile {
    disk: SimulatedDisk,
    inner: Box<dyn DiskFile>,
    name: String,
    trace: Trace,
}

impl DiskFile for TracedFile {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.trace.ask(&self.disk, "write", &self.name, bytes);
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.trace.ask(&self.disk, "sync", &self.name, &[]);
        self.inner.sync()
    }

    fn write_and_sync(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.trace.ask(&self.disk, "commit", &self.name, bytes);
        self.inner.write_and_sync(bytes, offset)
    }
}
