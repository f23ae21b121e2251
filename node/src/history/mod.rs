//! The history of an exchange as Parquet files, made by following its journal.
//!
//! Everything here is derived: whoever deletes the folder makes it again from the journal. A folder has
//! one subfolder per [table](tables), in it one file per *chunk*, a run of blocks, and `history.json`,
//! which says how far the chunks go. A chunk's files are written and synced before `history.json`, and
//! they are named after the first sequence number in them; so after a crash the same chunk is begun
//! again under the same names.

mod follow;
mod position;
mod read;
mod tables;

use std::path::Path;

use store::{StoreError, write_atomically};
use types::outcome::Digest;

pub(crate) use follow::Historian;
use position::Chunk;
pub(crate) use position::Position;
pub(crate) use read::read;
use tables::Tables;

/// What describes a folder.
pub(crate) const POSITION_FILE: &str = "history.json";

/// Rows of all tables of a chunk, about: a few dozen megabytes in memory.
const CHUNK_ROWS_MAX: usize = 1 << 20;

/// Why a history cannot be written, or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// A file or folder.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A file or folder, of the operating system.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// What is wrong.
        error: std::io::Error,
    },
    /// Rows that cannot be written as Parquet.
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// What lies in the folder is not a history, or not of this journal.
    #[error("{0}")]
    NotHere(String),
}

/// A folder with a history in it, or an empty one.
#[derive(Debug)]
pub(crate) struct Folder<'a> {
    path: &'a Path,
}

impl<'a> Folder<'a> {
    /// Opens a folder, which is made if it is not there, and says how far its history goes.
    pub(crate) fn open(path: &'a Path, genesis: Digest) -> Result<(Self, Position), HistoryError> {
        std::fs::create_dir_all(path).map_err(|error| io(path, error))?;
        let file = path.join(POSITION_FILE);
        let position = match std::fs::read_to_string(&file) {
            Ok(text) => Position::parse(&text, genesis),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let is_empty = std::fs::read_dir(path)
                    .map_err(|error| io(path, error))?
                    .next()
                    .is_none();
                match is_empty {
                    true => Ok(Position::beginning(genesis)),
                    false => Err("it is neither empty nor a history".to_owned()),
                }
            }
            Err(error) => return Err(io(&file, error)),
        };
        let position = position
            .map_err(|what| HistoryError::NotHere(format!("{}: {what}", path.display())))?;
        Ok((Self { path }, position))
    }

    /// Writes a chunk, and then that it is there.
    fn write(&self, tables: &mut Tables, position: &mut Position) -> Result<(), HistoryError> {
        let first_sequence = position.sequence_written + 1;
        if tables.rows() > 0 {
            position.chunks.push(Chunk {
                first_sequence,
                time_ns: position.time_ns,
            });
        }
        for table in tables.iter_mut().filter(|table| table.rows() > 0) {
            let folder = self.path.join(table.name());
            std::fs::create_dir_all(&folder).map_err(|error| io(&folder, error))?;
            write_atomically(&folder.join(file_name(first_sequence)), &table.encode()?)?;
        }
        position.sequence_written = position.sequence;
        self.write_position(position)
    }

    fn write_position(&self, position: &Position) -> Result<(), HistoryError> {
        let file = self.path.join(POSITION_FILE);
        Ok(write_atomically(&file, position.to_json().as_bytes())?)
    }

    /// Deletes chunks that ended before this logged time. `history.json` forgets them first: a file
    /// that is left over is deleted with the next one.
    pub(crate) fn forget(
        &self,
        position: &mut Position,
        before_ns: u64,
    ) -> Result<usize, HistoryError> {
        let old = position.chunks.iter();
        let old = old.take_while(|chunk| chunk.time_ns < before_ns).count();
        if old == 0 {
            return Ok(0);
        }
        position.chunks.drain(..old);
        self.write_position(position)?;
        let kept = position.chunks.first();
        let kept = kept.map_or(position.sequence + 1, |chunk| chunk.first_sequence);
        for table in Tables::NAMES {
            self.delete_before(&self.path.join(table), kept)?;
        }
        Ok(old)
    }

    fn delete_before(&self, folder: &Path, first_sequence: u64) -> Result<(), HistoryError> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io(folder, error)),
        };
        let kept = file_name(first_sequence);
        for entry in entries {
            let entry = entry.map_err(|error| io(folder, error))?;
            let name = entry.file_name();
            let is_chunk = name.to_str().is_some_and(|name| {
                name.len() == kept.len() && name.ends_with(".parquet") && *name < *kept
            });
            if is_chunk {
                std::fs::remove_file(entry.path()).map_err(|error| io(&entry.path(), error))?;
            }
        }
        Ok(())
    }
}

/// Names sort as their chunks do.
fn file_name(first_sequence: u64) -> String {
    format!("{first_sequence:020}.parquet")
}

fn io(path: &Path, error: std::io::Error) -> HistoryError {
    let path = path.display().to_string();
    HistoryError::Io { path, error }
}
