//! A disk in memory that forgets what was not synced, fails on demand, and can be damaged bit by bit.
//!
//! It holds both folders of one data directory: one power supply, one count of operations, one
//! capacity. Nothing here draws a number by itself; who crashes it brings the randomness.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use crate::disk::{Disk, DiskFile, write_then_sync};
use crate::folders::Folders;
use crate::format::PAGE;
use crate::map::FileBytes;
use crate::simulated_faults::{Fault, Faults, Kind, Refusal, Verdict};
use crate::uring::{self, Completions};

/// One folder of a simulated disk. All handles of one disk share its state.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    /// Which of its folders this handle names files in.
    folder: usize,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<FileState>,
    folders: [Names; 2],
    faults: Faults,
    capacity: Option<u64>,
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

/// What is left of unsynced writes after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything, and it is durable.
    Everything,
    /// Writes of each file up to some moment.
    Prefix,
    /// Some of the writes.
    Writes,
    /// Some of the sectors of this many bytes.
    Sectors(usize),
    /// Everything, and still not durable: the process died, the machine went on. Names too.
    Killed,
}

impl Survival {
    /// All of them: sectors of 4,096 bytes, of 512, and single bytes.
    pub const ALL: [Self; 8] = [
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

/// What is left of unsynced changes of names, in each folder on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameSurvival {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Changes up to some moment.
    Prefix,
}

impl NameSurvival {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Everything, Self::Prefix];
}

/// A small generator of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// One of these.
    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).expect("an index is no longer than a length")]
    }
}

impl SimulatedDisk {
    /// The folders of the data directory on this disk.
    pub fn folders(&self) -> Folders {
        Folders::on(Arc::new(self.journal()), Arc::new(self.checkpoints()))
    }

    /// The journal's folder.
    pub fn journal(&self) -> Self {
        self.folder(0)
    }

    /// The checkpoints' folder.
    pub fn checkpoints(&self) -> Self {
        self.folder(1)
    }

    /// Something will go wrong, once. Several faults may wait at the same time.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.pending.push(fault);
    }

    /// A new disk whose commits go by writes linked to syncs, or not.
    pub fn with_commits_linked(linked: bool) -> Self {
        let disk = Self::default();
        disk.state().linked = linked;
        disk
    }

    /// Nothing more goes wrong.
    pub fn heal(&self) {
        self.state().faults.pending.clear();
    }

    /// What has gone wrong so far.
    pub fn triggered(&self) -> Vec<Fault> {
        self.state().faults.triggered.clone()
    }

    /// Every other write is interrupted and the others are short, or not.
    pub fn set_awkward(&self, awkward: bool) {
        self.state().awkward = awkward;
    }

    /// Bytes that all files together may have; `None`: no limit.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.state().capacity = capacity;
    }

    /// Bytes that all files with a name have together.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Changes so far, successful or not.
    pub fn operations(&self) -> u64 {
        self.state().faults.operations
    }

    /// Reads so far.
    pub fn reads(&self) -> u64 {
        self.state().faults.reads
    }

    /// How long the disk has kept its callers waiting.
    pub fn elapsed_nanos(&self) -> u64 {
        self.state().faults.elapsed_nanos
    }

    /// Flips a bit of a file of this folder, for good. Panics if there is no such bit.
    pub fn flip(&self, name: &str, bit: usize) {
        let mut state = self.state();
        let file = state.folders[self.folder].current[name];
        let file = &mut state.files[file];
        file.content[bit / 8] ^= 1 << (bit % 8);
        if let Some(byte) = file.durable.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// The content of a file of this folder. Panics if it is not there.
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        let file = state.folders[self.folder].current[name];
        state.files[file].content.clone()
    }

    /// The disk as the next process finds it, without the faults that waited.
    #[must_use]
    pub fn crash(&self, writes: Survival, names: NameSurvival, random: &mut Random) -> Self {
        let mut state = self.state().clone();
        state.faults.pending.clear();
        if writes != Survival::Killed {
            for folder in &mut state.folders {
                folder.survive(names, random);
            }
            for (index, file) in state.files.iter_mut().enumerate() {
                let named = |folder: &Names| folder.current.values().any(|named| *named == index);
                match state.folders.iter().any(named) {
                    true => file.survive(writes, random),
                    false => *file = FileState::default(),
                }
            }
        }
        Self {
            state: Arc::new(Mutex::new(state)),
            folder: self.folder,
        }
    }

    fn folder(&self, folder: usize) -> Self {
        let state = Arc::clone(&self.state);
        Self { state, folder }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no handle of the disk panics")
    }

    /// Changes the names of this folder.
    fn change_names<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, usize>, &mut Vec<FileState>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        let state = &mut *state;
        let verdict = state.faults.begin(Kind::Names).map_err(Refusal::error)?;
        let names = &mut state.folders[self.folder];
        let result = change(&mut names.current, &mut state.files)?;
        names.unsynced.push(names.current.clone());
        unless_power_loss(verdict, result)
    }
}

impl Names {
    fn survive(&mut self, survival: NameSurvival, random: &mut Random) {
        self.unsynced.insert(0, std::mem::take(&mut self.durable));
        let last = self.unsynced.len() as u64 - 1;
        let kept = match survival {
            NameSurvival::Nothing => 0,
            NameSurvival::Everything => last,
            NameSurvival::Prefix => random.below(last + 1),
        };
        self.current = self.unsynced.swap_remove(in_memory(kept));
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
        let kept = in_memory(random.below(self.unsynced.len() as u64 + 1));
        for (index, (offset, bytes)) in std::mem::take(&mut self.unsynced).iter().enumerate() {
            let sector = match survival {
                Survival::Nothing => continue,
                Survival::Prefix if kept <= index => continue,
                Survival::Writes if random.coin() => continue,
                Survival::Sectors(size) => size,
                _ => bytes.len().max(1),
            };
            for (number, part) in bytes.chunks(sector).enumerate() {
                if !matches!(survival, Survival::Sectors(_)) || random.coin() {
                    Self::write(&mut self.durable, offset + number * sector, part);
                }
            }
        }
        self.content = self.durable.clone();
    }

    /// Where a write lands.
    fn place(&self, offset: u64, verdict: Verdict) -> usize {
        let Verdict::Misdirected(pages) = verdict else {
            return in_memory(offset);
        };
        let length = (self.content.len() as u64).max(PAGE as u64);
        in_memory((offset + pages * PAGE as u64) % length)
    }
}

impl State {
    fn used(&self) -> u64 {
        let files = self.folders.iter().flat_map(|names| names.current.values());
        files
            .map(|file| self.files[*file].content.len() as u64)
            .sum()
    }

    /// How many of these bytes find space: those within the file, and whole pages of what is free.
    fn space(&self, file: usize, end: usize) -> usize {
        let length = self.files[file].content.len();
        let Some(capacity) = self.capacity else {
            return end;
        };
        let free = in_memory(capacity.saturating_sub(self.used()));
        end.min(length + free - free % PAGE)
    }
}

fn in_memory(length: u64) -> usize {
    usize::try_from(length).expect("a simulated file is in memory")
}

fn unless_power_loss<T>(verdict: Verdict, result: T) -> io::Result<T> {
    match verdict {
        Verdict::PowerLoss => Err(Refusal::Io.error()),
        _ => Ok(result),
    }
}

fn find(names: &BTreeMap<String, usize>, name: &str) -> io::Result<usize> {
    let file = names.get(name).copied();
    file.ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Disk for SimulatedDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        Ok(state.folders[self.folder].current.keys().cloned().collect())
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open_to_write(name)
    }

    fn map(&self, name: &str) -> io::Result<FileBytes> {
        let mut state = self.state();
        let file = find(&state.folders[self.folder].current, name)?;
        state.faults.read()?;
        Ok(FileBytes::copied(&state.files[file].content))
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = find(&self.state().folders[self.folder].current, name)?;
        let disk = self.clone();
        Ok(Box::new(SimulatedFile { disk, file }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.change_names(|names, files| {
            files.push(FileState::default());
            let file = files.len() - 1;
            names.insert(name.to_owned(), file);
            Ok(file)
        })?;
        let disk = self.clone();
        Ok(Box::new(SimulatedFile { disk, file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change_names(|names, _| {
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
        self.change_names(|names, _| {
            find(names, name)?;
            names.remove(name);
            Ok(())
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        let verdict = state.faults.begin(Kind::Sync).map_err(Refusal::error)?;
        unless_power_loss(verdict, ())?;
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
        let mut state = self.disk.state();
        state.faults.read()?;
        let content = &state.files[self.file].content;
        let rest = &content[content.len().min(in_memory(offset))..];
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
        let verdict = state.faults.begin(Kind::Write).map_err(Refusal::error)?;
        let mut count = bytes.len();
        if state.awkward {
            if state.faults.operations.is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            count = count.min(PAGE + 512);
        }
        if verdict == Verdict::Lost {
            return Ok(count);
        }
        let offset = state.files[self.file].place(offset, verdict);
        let end = state.space(self.file, offset + count);
        count = end.saturating_sub(offset);
        if count == 0 {
            return Err(Refusal::Full.error());
        }
        let file = &mut state.files[self.file];
        let written = &bytes[..count];
        FileState::write(&mut file.content, offset, written);
        file.unsynced.push((offset, written.to_vec()));
        unless_power_loss(verdict, count)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let verdict = state.faults.begin(Kind::Sync);
        let powered = !state.faults.power_is_gone();
        let file = &mut state.files[self.file];
        if verdict.is_err() && powered {
            file.unsynced.clear();
            file.content = file.durable.clone();
        }
        let verdict = verdict.map_err(Refusal::error)?;
        unless_power_loss(verdict, ())?;
        for (offset, bytes) in std::mem::take(&mut file.unsynced) {
            FileState::write(&mut file.durable, offset, &bytes);
        }
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
