//! Bytes as blobs, and blobs from wherever somebody has kept them.
//!
//! The chain names a blob by its versioned hash (EIP-4844), so whoever reads one knows whether it is
//! the right one. Nodes of the chain's consensus keep blobs for 18 days; who published them, and
//! everybody else who wants to, keeps them as files for longer.

use std::path::Path;

use alloy::eips::eip4844::env_settings::EnvKzgSettings;
use alloy::eips::eip4844::{AsCkzg as _, Blob, kzg_to_versioned_hash};
use alloy::primitives::{B256, Bytes, hex};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::bridge::BlockTime;
use crate::published::{Published, PublishedError, body, place_file};

/// What a blob carries: 31 bytes of each of its 4,096 words, for a word is a number below a prime.
pub const BYTES_PER_BLOB: usize = WORDS * PAYLOAD;
/// The most blobs that one transaction may have (EIP-7594).
pub const BLOBS_PER_TRANSACTION: usize = 6;

const WORDS: usize = 4_096;
const PAYLOAD: usize = 31;

/// A blob and the name that the chain has for it.
#[derive(Clone, Debug)]
pub struct NamedBlob {
    /// Its versioned hash.
    pub hash: B256,
    /// Itself.
    pub blob: Box<Blob>,
}

impl NamedBlob {
    /// Computes the name: some 30 ms.
    pub fn new(blob: Box<Blob>) -> Result<Self, &'static str> {
        let settings = EnvKzgSettings::Default.get();
        let commitment = settings.blob_to_kzg_commitment(blob.as_ckzg());
        // Any word may be wrong that did not come from here.
        let commitment = commitment.map_err(|_| "a word of it is not below the prime")?;
        let hash = kzg_to_versioned_hash(commitment.to_bytes().as_slice());
        Ok(Self { hash, blob })
    }
}

/// As many blobs as these bytes need; zeros fill the last one.
pub fn pack(bytes: &[u8]) -> Vec<NamedBlob> {
    let pieces = bytes.chunks(BYTES_PER_BLOB);
    let blobs = pieces.map(|piece| {
        let mut blob = Box::new(Blob::ZERO);
        for (word, part) in blob.chunks_exact_mut(32).zip(piece.chunks(PAYLOAD)) {
            word[1..=part.len()].copy_from_slice(part);
        }
        NamedBlob::new(blob).expect("a word that begins with zero is below the prime")
    });
    blobs.collect()
}

/// The bytes in these blobs, zeros at the end included. The first byte of every word is not looked at.
pub fn unpack<'a>(blobs: impl Iterator<Item = &'a Blob>) -> Vec<u8> {
    let words = blobs.flat_map(|blob| blob.chunks_exact(32));
    words.flat_map(|word| &word[1..]).copied().collect()
}

/// Puts a blob where anybody can get it, durably.
pub fn place(named: &NamedBlob, directory: &Path) -> Result<(), PublishedError> {
    let path = directory.join(file_name(named.hash));
    place_file(&path, named.blob.as_slice())
}

fn file_name(hash: B256) -> String {
    format!("{}.blob", hex::encode(hash))
}

/// Where to look for blobs.
#[derive(Debug)]
pub struct BlobSources<'a> {
    /// Files that somebody kept.
    pub published: Option<&'a Published>,
    /// A node of the chain's consensus, with its Beacon API.
    pub beacon: Option<&'a Url>,
    /// What asks for both.
    pub client: &'a Client,
}

impl BlobSources<'_> {
    /// The blobs of a transaction in a block of this time and number, in this order.
    pub async fn load(
        &self,
        hashes: &[B256],
        block: BlockTime,
    ) -> Result<Vec<Box<Blob>>, PublishedError> {
        let mut reasons = Vec::new();
        if let Some(published) = self.published {
            match self.load_files(published, hashes).await {
                Ok(blobs) => return Ok(blobs),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        if let Some(url) = self.beacon {
            let client = self.client;
            let beacon = Beacon { url, client };
            match beacon.load(hashes, block).await {
                Ok(blobs) => return Ok(blobs),
                Err(reason) => reasons.push(format!("{url}: {reason}")),
            }
        }
        Err(PublishedError::NoBlobs {
            block: block.number,
            reasons: reasons.join("; "),
        })
    }

    async fn load_files(
        &self,
        published: &Published,
        hashes: &[B256],
    ) -> Result<Vec<Box<Blob>>, PublishedError> {
        let mut blobs = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let (path, bytes) = published.read_small(&file_name(*hash), self.client).await?;
            let blob = Blob::try_from(bytes.as_slice()).ok().map(Box::new);
            let named = blob.and_then(|blob| NamedBlob::new(blob).ok());
            let named = named.filter(|named| named.hash == *hash);
            let expected = *hash;
            let named = named.ok_or(PublishedError::Wrong { path, expected })?;
            blobs.push(named.blob);
        }
        Ok(blobs)
    }
}

/// A node of the chain's consensus (Beacon API, `/eth/v1/beacon/blobs/BLOCK`).
struct Beacon<'a> {
    url: &'a Url,
    client: &'a Client,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

impl Beacon<'_> {
    async fn load(&self, hashes: &[B256], block: BlockTime) -> Result<Vec<Box<Blob>>, String> {
        let slot = self.slot(block).await?;
        let path = format!("eth/v1/beacon/blobs/{slot}");
        let answer: Option<Vec<Bytes>> = self.ask(&path).await?;
        let answer = answer.ok_or("it does not know the block")?;
        let mut known = Vec::new();
        for bytes in answer {
            let blob = Blob::try_from(bytes.as_ref()).map_err(|error| error.to_string())?;
            known.push(NamedBlob::new(Box::new(blob))?);
        }
        // The block may have blobs of others.
        let find = |hash: &B256| known.iter().find(|it| it.hash == *hash);
        let found = hashes.iter().map(|hash| {
            let named = find(hash).ok_or_else(|| format!("it does not have blob {hash}"))?;
            Ok(named.blob.clone())
        });
        found.collect()
    }

    /// By its time; a node without slots, which anvil is, is asked by the number of the block.
    async fn slot(&self, block: BlockTime) -> Result<u64, String> {
        let Some(spec) = self.ask::<Value>("eth/v1/config/spec").await? else {
            return Ok(block.number);
        };
        let genesis = self.ask::<Value>("eth/v1/beacon/genesis").await?;
        let genesis = genesis.ok_or("it does not know its genesis")?;
        let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
        let seconds = number(&spec["SECONDS_PER_SLOT"]).filter(|seconds| *seconds != 0);
        let seconds = seconds.ok_or("it does not tell SECONDS_PER_SLOT")?;
        let start = number(&genesis["genesis_time"]).ok_or("it does not tell genesis_time")?;
        let age = block.timestamp.checked_sub(start);
        Ok(age.ok_or("the block is older than its genesis")? / seconds)
    }

    /// `None` if there is no such thing.
    async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        let told = |error: reqwest::Error| error.to_string();
        let slash = if self.url.as_str().ends_with('/') {
            ""
        } else {
            "/"
        };
        let url = format!("{}{slash}{path}", self.url);
        let answer = self.client.get(url).send().await.map_err(told)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(told)?;
        // A block has at most a few dozen blobs, in hexadecimal.
        let answer = body(answer, LONGEST_ANSWER).await?;
        let answer: Answer<T> = serde_json::from_slice(&answer).map_err(|it| it.to_string())?;
        Ok(Some(answer.data))
    }
}

/// More than what a block with the most blobs that anybody plans makes.
const LONGEST_ANSWER: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use alloy::primitives::b256;

    use super::*;

    /// A node of the consensus with one block, at slot 100, that has these blobs.
    fn beacon(blobs: &[NamedBlob]) -> Url {
        let data: Vec<String> = blobs
            .iter()
            .map(|it| hex::encode_prefixed(*it.blob))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/node", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut line = String::new();
                let _ = BufReader::new(&stream).read_line(&mut line);
                let body = match line.split(' ').nth(1).unwrap_or_default() {
                    "/node/eth/v1/config/spec" => {
                        r#"{"data":{"SECONDS_PER_SLOT":"12"}}"#.to_owned()
                    }
                    "/node/eth/v1/beacon/genesis" => {
                        r#"{"data":{"genesis_time":"5000"}}"#.to_owned()
                    }
                    "/node/eth/v1/beacon/blobs/100" => {
                        serde_json::json!({"data": data}).to_string()
                    }
                    _ => String::new(),
                };
                let status = if body.is_empty() {
                    "404 Not Found"
                } else {
                    "200 OK"
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(body.as_bytes());
            }
        });
        url.parse().unwrap()
    }

    fn load(
        beacon: &Url,
        hashes: &[B256],
        timestamp: u64,
    ) -> Result<Vec<Box<Blob>>, PublishedError> {
        let sources = BlobSources {
            published: None,
            beacon: Some(beacon),
            client: &crate::web::client(Duration::from_secs(10)),
        };
        let number = 7;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .unwrap()
            .block_on(sources.load(hashes, BlockTime { number, timestamp }))
    }

    #[test]
    fn a_blob_has_the_name_that_the_chain_gives_it() {
        // Of a blob of zeros, as any node says.
        let named = NamedBlob::new(Box::new(Blob::ZERO)).unwrap();
        let expected = b256!("0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");
        assert_eq!(named.hash, expected);
        assert!(NamedBlob::new(Box::new(Blob::repeat_byte(0xff))).is_err());
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let bytes: Vec<u8> = (0..BYTES_PER_BLOB + 1).map(|it| it as u8 | 1).collect();
        for length in [0, 1, 31, 32, BYTES_PER_BLOB, BYTES_PER_BLOB + 1] {
            let blobs = pack(&bytes[..length]);
            assert_eq!(blobs.len(), length.div_ceil(BYTES_PER_BLOB));
            let unpacked = unpack(blobs.iter().map(|it| it.blob.as_ref()));
            assert_eq!(unpacked.len(), blobs.len() * BYTES_PER_BLOB);
            let (content, padding) = unpacked.split_at(length);
            assert!(content == &bytes[..length] && padding.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_node_of_the_consensus_is_asked_by_slot_and_not_believed() {
        let ours = pack(&[1; BYTES_PER_BLOB + 1]);
        let others = pack(b"of somebody else");
        let url = beacon(&[&others[..], &ours].concat());
        let hashes = [ours[0].hash, ours[1].hash];
        // The 100th slot of 12 seconds.
        let found = load(&url, &hashes, 5_000 + 1_200).unwrap();
        assert!(
            found
                .iter()
                .zip(&ours)
                .all(|(found, ours)| *found == ours.blob)
        );
        for (time, hash) in [
            (5_000 + 1_188, hashes[0]),
            (4_999, hashes[0]),
            (5_000 + 1_200, B256::ZERO),
        ] {
            let missing = load(&url, &[hash], time);
            assert!(
                matches!(missing, Err(PublishedError::NoBlobs { .. })),
                "{time}"
            );
        }
    }
}
