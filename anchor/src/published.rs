//! Checkpoint files that anybody can get: a directory, or the same behind a web server.
//!
//! A file is named by what the chain says of its data, so whoever reads one knows whether it is the
//! right one, wherever it came from.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use alloy::primitives::{B256, hex};
use reqwest::{Client, Url};
use sha2::{Digest as _, Sha256};
use store::Checkpoint;

use crate::contract::data_commitment;

/// Where published files are.
#[derive(Clone, Debug)]
pub enum Published {
    /// A directory.
    Directory(PathBuf),
    /// Of a directory's content.
    Url(Url),
}

/// Why a published file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// It cannot be read or written.
    #[error("{path}: {reason}\nhint: --published names where `keel anchor publish` puts its files")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It is there, and not what the chain says.
    #[error("{path}: its hash is not {expected}, which the chain names; the file is not used")]
    Wrong {
        /// Which file.
        path: String,
        /// What the chain says.
        expected: B256,
    },
    /// Nobody who was asked has the blobs of a transaction.
    #[error(
        "the blobs of block {block} cannot be had: {reasons}\nhint: --beacon names a node of the chain's consensus, which keeps blobs for 18 days, and --published where files of older ones are"
    )]
    NoBlobs {
        /// Where the transaction is.
        block: u64,
        /// Of all who were asked.
        reasons: String,
    },
    /// The hash is right, and the content is no checkpoint of ours.
    #[error("{path}: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl std::str::FromStr for Published {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let slash = if text.ends_with('/') { "" } else { "/" };
            let url = Url::parse(&format!("{text}{slash}"));
            return url.map(Self::Url).map_err(|error| error.to_string());
        }
        Ok(Self::Directory(PathBuf::from(text)))
    }
}

/// What the chain says of the data of this checkpoint.
pub fn commitment(checkpoint: &Checkpoint) -> B256 {
    commitment_of(checkpoint.bytes())
}

/// Puts a checkpoint where anybody can get it, durably; the chain may name it then.
pub fn place(checkpoint: &Checkpoint, directory: &Path) -> Result<B256, PublishedError> {
    let commitment = commitment(checkpoint);
    place_file(&directory.join(file_name(commitment)), checkpoint.bytes())?;
    Ok(commitment)
}

/// Puts a file where anybody can get it, durably, unless it is there.
pub(crate) fn place_file(path: &Path, content: &[u8]) -> Result<(), PublishedError> {
    let failed = |reason: String| PublishedError::Io {
        path: path.display().to_string(),
        reason,
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| failed(error.to_string()))?;
    }
    if std::fs::read(path).is_ok_and(|bytes| bytes == content) {
        return Ok(());
    }
    store::write_atomically(path, content).map_err(|error| failed(error.to_string()))
}

impl Published {
    /// The checkpoint that the chain names so. One that comes from the web is kept in `cache`.
    pub async fn load(
        &self,
        commitment: B256,
        cache: &Path,
        client: &Client,
    ) -> Result<Checkpoint, PublishedError> {
        match self {
            Self::Directory(directory) => read(directory, commitment),
            Self::Url(url) => {
                download(url, &file_name(commitment), cache, client).await?;
                read(cache, commitment)
            }
        }
    }

    /// A small file of this name, as it lies there; also where it was.
    pub(crate) async fn read_small(
        &self,
        name: &str,
        client: &Client,
    ) -> Result<(String, Vec<u8>), PublishedError> {
        let (path, read) = match self {
            Self::Directory(directory) => {
                let path = directory.join(name);
                let read = std::fs::read(&path).map_err(|error| error.to_string());
                (path.display().to_string(), read)
            }
            Self::Url(url) => {
                let answer = get(url, name, client).await;
                let read = match answer {
                    Ok(answer) => body(answer, LONGEST_SMALL).await,
                    Err(error) => Err(error),
                };
                (format!("{url}{name}"), read)
            }
        };
        let failed = |reason| PublishedError::Io {
            path: path.clone(),
            reason,
        };
        let bytes = read.map_err(failed)?;
        Ok((path, bytes))
    }
}

/// The checkpoint that the chain names so, from a directory.
pub fn read(directory: &Path, commitment: B256) -> Result<Checkpoint, PublishedError> {
    let path = directory.join(file_name(commitment));
    let told = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(|error| PublishedError::Io {
        path: told.clone(),
        reason: error.to_string(),
    })?;
    if commitment_of(&bytes) != commitment {
        return Err(PublishedError::Wrong {
            path: told,
            expected: commitment,
        });
    }
    Checkpoint::read(&path).map_err(|error| PublishedError::Damaged {
        path: told,
        reason: error.to_string(),
    })
}

/// Asks for a file behind a URL.
async fn get(url: &Url, name: &str, client: &Client) -> Result<reqwest::Response, String> {
    let url = url.join(name).map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    answer.map_err(|error| error.to_string())
}

/// The body of an answer, which must not be longer.
pub(crate) async fn body(mut answer: reqwest::Response, longest: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        bytes.extend_from_slice(&chunk);
        if longest < bytes.len() as u64 {
            return Err(format!("it is longer than {longest} bytes"));
        }
    }
    Ok(bytes)
}

async fn download(
    url: &Url,
    name: &str,
    cache: &Path,
    client: &Client,
) -> Result<(), PublishedError> {
    let failed = |reason: String| PublishedError::Io {
        path: format!("{url}{name}"),
        reason,
    };
    let path = cache.join(name);
    let mut answer = get(url, name, client).await.map_err(failed)?;
    let mut file = std::fs::File::create(&path).map_err(|error| failed(error.to_string()))?;
    let mut length = 0;
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| failed(error.to_string()))?
    {
        length += chunk.len() as u64;
        if LONGEST < length {
            return Err(failed(format!("it is longer than {LONGEST} bytes")));
        }
        file.write_all(&chunk)
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// More than a checkpoint of the most accounts and assets that the ledger can have open at once.
const LONGEST: u64 = 64 << 30;

/// More than a blob.
const LONGEST_SMALL: u64 = 1 << 20;

fn commitment_of(bytes: &[u8]) -> B256 {
    let file = B256::new(Sha256::digest(bytes).into());
    data_commitment(file, B256::ZERO)
}

fn file_name(commitment: B256) -> String {
    format!("{}.checkpoint", hex::encode(commitment))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

    /// A checkpoint of an earlier release.
    fn checkpoint() -> Checkpoint {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../node/tests/fixtures/v2/checkpoints"
        );
        let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        Checkpoint::read(&file.path()).unwrap()
    }

    /// Gives this answer to everything, until the test's process ends.
    fn serve(status: &'static str, body: Vec<u8>) -> Published {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/files", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4096]);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        url.parse().unwrap()
    }

    fn load(from: &Published, commitment: B256) -> Result<Checkpoint, PublishedError> {
        let cache = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .unwrap()
            .block_on(from.load(commitment, cache.path(), &crate::web::client(LIMIT)))
    }

    #[test]
    fn what_was_placed_is_found_in_the_directory_and_on_the_web() {
        let folder = tempfile::tempdir().unwrap();
        let original = checkpoint();
        let named = place(&original, folder.path()).unwrap();
        // Again, as after a crash.
        assert_eq!(place(&original, folder.path()).unwrap(), named);
        let here = Published::Directory(folder.path().to_owned());
        assert_eq!(load(&here, named).unwrap().meta(), original.meta());
        let web = serve("200 OK", original.bytes().to_vec());
        assert_eq!(load(&web, named).unwrap().meta(), original.meta());
    }

    #[test]
    fn what_the_chain_does_not_name_is_not_used() {
        let original = checkpoint();
        let named = commitment(&original);
        let mut changed = original.bytes().to_vec();
        changed[100] ^= 1;
        let wrong = load(&serve("200 OK", changed), named);
        assert!(matches!(wrong, Err(PublishedError::Wrong { .. })));
        let missing = load(&serve("404 Not Found", Vec::new()), named);
        assert!(matches!(missing, Err(PublishedError::Io { .. })));
        let folder = tempfile::tempdir().unwrap();
        let nowhere = Published::Directory(folder.path().to_owned());
        assert!(matches!(
            load(&nowhere, named),
            Err(PublishedError::Io { .. })
        ));
        // The hash is right and the file is no checkpoint.
        let junk = b"junk".to_vec();
        let named = commitment_of(&junk);
        let damaged = load(&serve("200 OK", junk), named);
        assert!(matches!(damaged, Err(PublishedError::Damaged { .. })));
    }
}
