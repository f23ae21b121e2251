//! Small files that are there whole or not at all: genesis, keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, StoreError};
use crate::real_disk::sync_directory_at;

/// Replaces a file by these bytes, durably: after a crash it has the old content or the new one.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write(path, bytes, 0o666)
}

/// The same for a secret: only its owner may read it, from the first byte on.
pub fn write_secret_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write(path, bytes, 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
    let temporary = temporary_path(path);
    // A leftover of an earlier crash may have a wider mode.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("remove", &temporary);
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .context("create", &temporary)?;
    file.write_all(bytes).context("write", &temporary)?;
    rustix::fs::fsync(&file)
        .map_err(std::io::Error::from)
        .context("sync", &temporary)?;
    std::fs::rename(&temporary, path).context("rename", &temporary)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory_at(parent),
        _ => sync_directory_at(Path::new(".")),
    }
}

fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_are_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("genesis.toml");
        for content in ["first", "second, longer", ""] {
            std::fs::write(temporary_path(&path), "left by a crash").unwrap();
            write_atomically(&path, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            assert_eq!(directory.path().read_dir().unwrap().count(), 1);
        }
    }

    #[test]
    fn secrets_are_for_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_secret_atomically(&path, b"secret").unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = write_atomically(&directory.path().join("no/file"), b"").unwrap_err();
        assert!(error.to_string().starts_with("cannot"), "{error}");
    }
}
