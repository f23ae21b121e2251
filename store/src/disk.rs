//! All that the store asks of a disk: one directory, few verbs.
//!
//! A node has a directory of a real file system. The seam exists so that a
//! simulated disk can stand in for it, which fails on demand and forgets what was never synced.
//! Both are public with the feature `simulation`, for tests of other crates.

use std::io;
use std::path::PathBuf;

use crate::format::PAGE;

pub use crate::map::FileBytes;
#[cfg(any(test, feature = "simulation"))]
pub use crate::simulated_disk::{NameSurvival, Random, SimulatedDisk, Survival};
#[cfg(any(test, feature = "simulation"))]
pub use crate::simulated_faults::{Fault, Refusal};

/// The files of one directory. Changes of names are durable after [`Disk::sync_directory`].
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens a file to read, through the cache.
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// All of a file that never changes again, as memory.
    fn map(&self, name: &str) -> io::Result<FileBytes>;
    /// Opens a file to write, past the cache where the file system can.
    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Creates a file to write, or empties it if it is there.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name, unless that name is taken (`AlreadyExists`).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes created, changed and removed names durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// The directory's path, for messages.
    fn directory(&self) -> PathBuf;
    /// A file's path, for messages.
    fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}

/// An open file. Offsets, lengths and memory of writes are multiples of [`PAGE`].
pub trait DiskFile: std::fmt::Debug + Send {
    /// Its length.
    fn length(&self) -> io::Result<u64>;
    /// Reads at most a buffer full.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some of the bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
    /// Writes all bytes and makes them durable: what a commit does. The first error is final.
    fn write_and_sync(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        write_then_sync(self, bytes, offset)
    }
}

/// Reads the whole buffer. A signal interrupts nothing.
pub(crate) fn read_exact_at(
    file: &dyn DiskFile,
    mut buffer: &mut [u8],
    mut offset: u64,
) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The plain way: a write, and when it is done a sync.
pub(crate) fn write_then_sync<F: DiskFile + ?Sized>(
    file: &F,
    bytes: &[u8],
    offset: u64,
) -> io::Result<()> {
    write_all_at(file, bytes, offset)?;
    file.sync()
}

/// Writes all bytes. After a short write it goes on from the last whole page, since a direct write
/// must start on one; a disk that takes less than a page at a time has failed.
pub(crate) fn write_all_at<F: DiskFile + ?Sized>(
    file: &F,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    debug_assert!(bytes.len().is_multiple_of(PAGE) && offset.is_multiple_of(PAGE as u64));
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(count) => {
                let whole = count - count % PAGE;
                if whole == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                bytes = &bytes[whole..];
                offset += whole as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
