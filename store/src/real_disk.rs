//! The folders of a data directory on a real file system. Linux.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::disk::{Disk, DiskFile, write_then_sync};
use crate::error::{Context, StoreError};
use crate::map::FileBytes;
use crate::uring::SharedRing;

/// How commits reach the disk. Both mean the same; which is faster depends on the machine and on
/// what else runs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalIo {
    /// Direct writes, each followed by fdatasync.
    Sync,
    /// io_uring: direct writes linked to fdatasync.
    Uring,
}

impl JournalIo {
    /// `sync` or `uring`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Uring => "uring",
        }
    }
}

/// The folder of the journal within a data directory.
const JOURNAL_FOLDER: &str = "journal";
/// The folder of the checkpoints within a data directory.
const CHECKPOINTS_FOLDER: &str = "checkpoints";
/// The file whose lock keeps a second writer out.
const LOCK_FILE: &str = "lock";

/// One folder of a data directory.
#[derive(Debug)]
pub(crate) struct RealDisk {
    path: PathBuf,
    /// `None`: only to be read, and it may be missing.
    writer: Option<Writer>,
    /// For the files that are opened to write, if commits go by io_uring.
    ring: Option<SharedRing>,
}

/// What only the one process that writes has.
#[derive(Debug)]
struct Writer {
    /// Open, to be synced and to resolve names against.
    directory: File,
    /// Held as long as anybody can write in any folder.
    _lock: Arc<File>,
}

impl RealDisk {
    /// Journal and checkpoints of a data directory, to read only.
    pub(crate) fn open_to_read(data_directory: &Path) -> [Self; 2] {
        [JOURNAL_FOLDER, CHECKPOINTS_FOLDER].map(|folder| Self {
            path: data_directory.join(folder),
            writer: None,
            ring: None,
        })
    }

    /// Both to write, as the only one. Creates the folders if they are missing.
    pub(crate) fn open_exclusively(
        data_directory: &Path,
        io: JournalIo,
    ) -> Result<[Self; 2], StoreError> {
        let ring = match io {
            JournalIo::Sync => None,
            JournalIo::Uring => {
                Some(SharedRing::open().map_err(|reason| StoreError::NoRing { reason })?)
            }
        };
        let journal = data_directory.join(JOURNAL_FOLDER);
        create_directory(&journal)?;
        let lock = Arc::new(lock(&journal)?);
        let checkpoints = data_directory.join(CHECKPOINTS_FOLDER);
        create_directory(&checkpoints)?;
        let open = |path: PathBuf, ring: Option<SharedRing>| {
            let directory = File::open(&path).context("open", &path)?;
            let writer = Some(Writer {
                directory,
                _lock: Arc::clone(&lock),
            });
            Ok(Self { path, writer, ring })
        };
        Ok([open(journal, ring)?, open(checkpoints, None)?])
    }

    /// The directory, if it was opened to write.
    fn writable(&self) -> io::Result<&File> {
        let writer = self.writer.as_ref();
        let opened_to_read = || io::Error::other("the folder was opened to read only");
        Ok(&writer.ok_or_else(opened_to_read)?.directory)
    }
}

impl RealDisk {
    fn open_file(&self, options: &mut OpenOptions, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let (file, _) = open_direct(options, &self.path(name))?;
        let ring = self.ring.clone();
        Ok(Box::new(RealFile { file, ring }))
    }
}

/// Creates a directory and what is missing above it; syncs each one's entry in the one above. Also
/// where nothing was missing, because an earlier run may have crashed before its sync.
fn create_directory(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).context("create", path)?;
    for directory in path.ancestors().skip(1).take(2) {
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        sync_directory_at(directory)?;
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory_at(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|directory| Ok(rustix::fs::fsync(directory)?))
        .context("sync directory", path)
}

/// Whether another process writes in this data directory now.
pub fn is_in_use(data_directory: &Path) -> Result<bool, StoreError> {
    let path = data_directory.join(JOURNAL_FOLDER).join(LOCK_FILE);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.context("open", &path)?,
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(io::Error::from(error)).context("lock", &path),
    }
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(&path).context("open", &path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(StoreError::Locked {
            directory: directory.to_owned(),
        }),
        Err(error) => Err(io::Error::from(error)).context("lock", &path),
    }
}

impl Disk for RealDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.writer.is_none() => {
                return Ok(names);
            }
            other => other?,
        };
        for entry in entries {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = File::open(self.path(name))?;
        Ok(Box::new(RealFile { file, ring: None }))
    }

    fn map(&self, name: &str) -> io::Result<FileBytes> {
        FileBytes::map(&File::open(self.path(name))?)
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.writable()?;
        let mut options = OpenOptions::new();
        self.open_file(options.read(true).write(true), name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.writable()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        self.open_file(&mut options, name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let directory = self.writable()?;
        let flags = RenameFlags::NOREPLACE;
        Ok(rustix::fs::renameat_with(
            directory, from, directory, to, flags,
        )?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.writable()?)?)
    }

    fn directory(&self) -> PathBuf {
        self.path.clone()
    }
}

/// Opens past the page cache: a write then costs no copy, and no dirty page is left that a later
/// sync could silently drop. A file system without it gets ordinary writes, and `false`.
pub(crate) fn open_direct(options: &mut OpenOptions, path: &Path) -> io::Result<(File, bool)> {
    let direct = OFlags::DIRECT.bits().cast_signed();
    match options.custom_flags(direct).open(path) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
            Ok((options.custom_flags(0).open(path)?, false))
        }
        other => Ok((other?, true)),
    }
}

/// A file, and how a commit reaches it.
#[derive(Debug)]
pub(crate) struct RealFile {
    pub(crate) file: File,
    pub(crate) ring: Option<SharedRing>,
}

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    /// Not `File::sync_data`: that one tries again after a signal, and a sync is never tried again.
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }

    fn write_and_sync(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match &self.ring {
            Some(ring) => ring.write_and_sync(self.file.as_fd(), bytes, offset),
            None => write_then_sync(self, bytes, offset),
        }
    }
}
