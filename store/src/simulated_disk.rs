//! A disk in memory that forgets what was not synced, fails on demand, and can be damaged bit by bit.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use crate::disk::{Disk, DiskFile, write_then_sync};
use crate::folders::Folders;
use crate::format::PAGE;
use crate::map::FileBytes;
use crate::uring::{self, Completions};

/// All handles of one disk share its state.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    /// Which of its folders this handle names files in.
    folder: usize,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<FileState>,
    folders: [Names; 2],
    /// Changes so far, successful or not.
    operations: u64,
    fault: Option<Fault>,
    /// Every other write is interrupted, the others are short.
    awkward: bool,
    /// Commits go by writes linked to syncs, as with io_uring.
    linked: bool,
}

/// The names in one folder.
#[derive(Clone, Debug, Default)]
struct Names {
    current: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// The names after each change since the last directory sync.
    unsynced: Vec<BTreeMap<String, usize>>,
}

#[derive(Clone, Debug, Default)]
struct FileState {
    content: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// This operation fails and does nothing; the ones after it succeed.
    FailOnce(u64),
    /// Power fails during this operation: it may have happened in part, nothing after it does.
    PowerLoss(u64),
}

/// What is left of unsynced changes after a crash.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survival {
    /// Nothing.
    Nothing,
    /// Everything, and it is durable.
    Everything,
    /// Writes up to some moment.
    Prefix,
    /// Some of the writes.
    Writes,
    /// Some of the sectors of this many bytes.
    Sectors(usize),
    /// Everything, and still not durable: the process died, the machine went on.
    Killed,
}

impl Survival {
    pub(crate) const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Everything,
        Self::Prefix,
        Self::Writes,
        Self::Sectors(PAGE),
        Self::Sectors(512),
        Self::Sectors(1),
        Self::Killed,
    ];
}

/// A small generator of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

impl SimulatedDisk {
    /// A data directory on this disk.
    pub(crate) fn folders(&self) -> Folders {
        Folders::on(Arc::new(self.folder(0)), Arc::new(self.folder(1)))
    }

    fn folder(&self, folder: usize) -> Self {
        let state = Arc::clone(&self.state);
        Self { state, folder }
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    pub(crate) fn set_awkward(&self) {
        self.state().awkward = true;
    }

    /// A new disk whose commits go by writes linked to syncs, or not.
    pub(crate) fn with_commits_linked(linked: bool) -> Self {
        let disk = Self::default();
        disk.state().linked = linked;
        disk
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn flip(&self, name: &str, bit: usize) {
        let mut state = self.state();
        let file = state.folders[self.folder].current[name];
        state.files[file].content[bit / 8] ^= 1 << (bit % 8);
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.folders[self.folder].current[name]]
            .content
            .clone()
    }

    /// The disk as the next process finds it.
    pub(crate) fn crash(&self, survival: Survival, random: &mut Random) -> Self {
        let mut state = self.state().clone();
        state.fault = None;
        if !matches!(survival, Survival::Killed) {
            for names in &mut state.folders {
                names.survive(survival, random);
            }
            for file in &mut state.files {
                file.survive(survival, random);
            }
        }
        Self {
            state: Arc::new(Mutex::new(state)),
            folder: self.folder,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Names {
    fn survive(&mut self, survival: Survival, random: &mut Random) {
        self.current = match survival {
            Survival::Nothing => std::mem::take(&mut self.durable),
            Survival::Everything => std::mem::take(&mut self.current),
            _ => {
                self.unsynced.insert(0, std::mem::take(&mut self.durable));
                let choice = random.below(self.unsynced.len() as u64);
                self.unsynced.swap_remove(choice as usize)
            }
        };
        self.durable = self.current.clone();
        self.unsynced = Vec::new();
    }
}

impl FileState {
    fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
        if content.len() < offset + bytes.len() {
            content.resize(offset + bytes.len(), 0);
        }
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn survive(&mut self, survival: Survival, random: &mut Random) {
        let kept = random.below(self.unsynced.len() as u64 + 1) as usize;
        for (index, (offset, bytes)) in std::mem::take(&mut self.unsynced).iter().enumerate() {
            let sector = match survival {
                Survival::Nothing => continue,
                Survival::Prefix if kept <= index => continue,
                Survival::Writes if random.coin() => continue,
                Survival::Sectors(size) => size,
                _ => {
                    Self::write(&mut self.durable, *offset, bytes);
                    continue;
                }
            };
            for (number, part) in bytes.chunks(sector).enumerate() {
                if random.coin() {
                    Self::write(&mut self.durable, offset + number * sector, part);
                }
            }
        }
        self.content = self.durable.clone();
    }
}

impl State {
    /// Counts an operation. `Ok(false)`: do it, then the power is gone.
    fn begin(&mut self) -> io::Result<bool> {
        self.operations += 1;
        match self.fault {
            Some(Fault::FailOnce(at)) if self.operations == at => Err(io_error()),
            Some(Fault::PowerLoss(at)) if at < self.operations => Err(io_error()),
            Some(Fault::PowerLoss(at)) => Ok(self.operations < at),
            _ => Ok(true),
        }
    }

    fn change_names<T>(
        &mut self,
        folder: usize,
        change: impl FnOnce(&mut BTreeMap<String, usize>, &mut Vec<FileState>) -> io::Result<T>,
    ) -> io::Result<T> {
        let powered = self.begin()?;
        let names = &mut self.folders[folder];
        let result = change(&mut names.current, &mut self.files)?;
        names.unsynced.push(names.current.clone());
        powered.then_some(result).ok_or_else(io_error)
    }
}

fn find(names: &BTreeMap<String, usize>, name: &str) -> io::Result<usize> {
    let file = names.get(name).copied();
    file.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn io_error() -> io::Error {
    io::Error::other("simulated fault")
}

impl Disk for SimulatedDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().folders[self.folder]
            .current
            .keys()
            .cloned()
            .collect())
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open_to_write(name)
    }

    fn map(&self, name: &str) -> io::Result<FileBytes> {
        let state = self.state();
        let file = find(&state.folders[self.folder].current, name)?;
        Ok(FileBytes::copied(&state.files[file].content))
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = find(&self.state().folders[self.folder].current, name)?;
        let disk = self.clone();
        Ok(Box::new(SimulatedFile { disk, file }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.state().change_names(self.folder, |names, files| {
            files.push(FileState::default());
            let file = files.len() - 1;
            names.insert(name.to_owned(), file);
            Ok(file)
        })?;
        let disk = self.clone();
        Ok(Box::new(SimulatedFile { disk, file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().change_names(self.folder, |names, _| {
            let file = find(names, from)?;
            if names.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            names.remove(from);
            names.insert(to.to_owned(), file);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().change_names(self.folder, |names, _| {
            find(names, name)?;
            names.remove(name);
            Ok(())
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.begin()? {
            return Err(io_error());
        }
        let names = &mut state.folders[self.folder];
        names.durable = names.current.clone();
        names.unsynced = Vec::new();
        Ok(())
    }

    fn directory(&self) -> PathBuf {
        PathBuf::from(["journal", "checkpoints"][self.folder])
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl SimulatedFile {
    /// As a kernel does: no sync follows a failed or short write.
    fn linked_pair(&self, bytes: &[u8], offset: u64) -> Completions {
        let result = match self.write_at(bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.write_at(bytes, offset)
            }
            other => other,
        };
        let [failed, cancelled] = [Errno::IO, Errno::CANCELED].map(|error| -error.raw_os_error());
        let write = result.map_or(failed, |count| count as i32);
        let sync = match write == bytes.len() as i32 {
            true => self.sync().map_or(failed, |()| 0),
            false => cancelled,
        };
        Completions { write, sync }
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].content.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let content = &state.files[self.file].content;
        let rest = &content[content.len().min(offset as usize)..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        assert!(bytes.len().is_multiple_of(PAGE) && offset.is_multiple_of(PAGE as u64));
        assert_eq!(
            bytes.as_ptr().align_offset(PAGE),
            0,
            "direct writes are aligned"
        );
        let mut state = self.disk.state();
        let powered = state.begin()?;
        let mut count = bytes.len();
        if state.awkward {
            if state.operations.is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            count = count.min(PAGE + 512);
        }
        let file = &mut state.files[self.file];
        let written = &bytes[..count];
        FileState::write(&mut file.content, offset as usize, written);
        file.unsynced.push((offset as usize, written.to_vec()));
        powered.then_some(count).ok_or_else(io_error)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if !state.begin()? {
            return Err(io_error());
        }
        let file = &mut state.files[self.file];
        file.durable = file.content.clone();
        file.unsynced = Vec::new();
        Ok(())
    }

    fn write_and_sync(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let linked = self.disk.state().linked;
        if linked {
            return uring::write_and_sync(bytes, offset, |part, at| Ok(self.linked_pair(part, at)));
        }
        write_then_sync(self, bytes, offset)
    }
}
