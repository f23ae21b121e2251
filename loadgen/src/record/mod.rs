//! What a run's clients saw, on disk: for each client the messages of the node as they came, and a
//! line about who it is and what it had before and after.
//!
//! `client-N.messages` holds whole messages of the protocol one behind the other (acks, refusals, fills
//! and ends of orders: `docs/PROTOCOL.md`), in the order of their arrival. `client-N.json` is
//! [`ClientRecord`]; it is written when the client begins, and again, with an `end`, when it is done.
//! Frames without an answer need no entry: nonces follow each other, so they are what is missing.
//!
//! A message is written on the generator's thread, so a recorded run is a little slower than others.

mod read;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use client::Message;
use serde::{Deserialize, Serialize};
use types::outcome::Digest;
use types::wire::session::{Refused, SessionTerms};
use types::{AssetId, Nonce, SequenceNumber};
use zerocopy::IntoBytes as _;

use crate::error::LoadError;
use crate::session::Balances;
pub use read::RecordError;
pub(crate) use read::{Messages, Reading, Recorded};

/// Who a client was, and what it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientRecord {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// Its number within the run.
    pub(crate) client: u32,
    /// The name of its key.
    pub(crate) name: String,
    /// The network's number.
    pub(crate) network: u32,
    /// The network's genesis, in hexadecimal.
    pub(crate) genesis_hash: String,
    pub(crate) account: u32,
    pub(crate) key: u32,
    /// The nonce of its first frame; each later frame has the next.
    pub(crate) first_nonce: u64,
    /// Its balances before the first frame.
    pub(crate) before: BalancesRecord,
    /// `None`: it did not come to its end.
    pub(crate) end: Option<End>,
}

/// What a client knows when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    /// The nonce that its next frame would have had.
    pub(crate) next_nonce: u64,
    /// How long its file of messages is.
    pub(crate) bytes: u64,
    /// Its balances after its last frame, which took all its orders off the books. `None`: the node did
    /// not answer all frames.
    pub(crate) after: Option<BalancesRecord>,
}

/// What one answer told of balances. Amounts are decimal texts: JSON's numbers end too early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalancesRecord {
    /// The last sequence number that they include.
    pub(crate) sequence: u64,
    pub(crate) balances: Vec<BalanceLine>,
}

/// A balance in atoms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalanceLine {
    pub(crate) asset: u16,
    pub(crate) free: String,
    pub(crate) held: String,
}

impl BalancesRecord {
    pub(crate) fn of(balances: &Balances) -> Self {
        let line = |record: &types::wire::query::BalanceRecord| BalanceLine {
            asset: record.asset().get(),
            free: record.free().get().to_string(),
            held: record.held().get().to_string(),
        };
        Self {
            sequence: balances.sequence.get(),
            balances: balances.records.iter().map(line).collect(),
        }
    }

    pub(crate) const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence)
    }

    /// Free and held atoms of an asset; an account has nothing of what is not told. `None`: the record
    /// has something else than a number.
    pub(crate) fn amounts(&self, asset: AssetId) -> Option<[u128; 2]> {
        let line = self.balances.iter().find(|line| line.asset == asset.get());
        let Some(line) = line else {
            return Some([0, 0]);
        };
        Some([line.free.parse().ok()?, line.held.parse().ok()?])
    }
}

/// Only this one is read.
pub(crate) const FORMAT: u32 = 1;

/// The two files of a client.
pub(crate) fn paths(folder: &Path, client: u32) -> [PathBuf; 2] {
    ["json", "messages"].map(|kind| folder.join(format!("client-{client}.{kind}")))
}

/// Makes the folder of a record, or takes an empty one.
pub(crate) fn create_folder(folder: &Path) -> Result<(), LoadError> {
    let is_empty =
        fs::create_dir_all(folder).and_then(|()| Ok(fs::read_dir(folder)?.next().is_none()));
    match is_empty {
        Ok(true) => Ok(()),
        Ok(false) => Err(LoadError::Options(format!(
            "{} is not empty: a record has a folder of its own",
            folder.display()
        ))),
        Err(error) => Err(LoadError::Options(format!(
            "cannot record in {}: {error}",
            folder.display()
        ))),
    }
}

/// Writes what one client sees.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    record: ClientRecord,
    messages: BufWriter<File>,
    bytes: u64,
    /// The first failure, told at the end: a run does not stop in the middle for its record.
    failed: Option<io::Error>,
}

impl Recorder {
    /// Begins the record of a client, whose first frame will have this nonce.
    pub(crate) fn begin(
        folder: &Path,
        (client, name): (u32, &str),
        terms: &SessionTerms,
        first_nonce: Nonce,
        before: &Balances,
    ) -> Result<Self, LoadError> {
        let [path, messages] = paths(folder, client);
        let file = File::create_new(&messages);
        let file = file.map_err(|source| LoadError::Output {
            path: messages,
            source,
        })?;
        let recorder = Self {
            path,
            record: ClientRecord {
                format: FORMAT,
                client,
                name: name.to_owned(),
                network: terms.network.get(),
                genesis_hash: terms.genesis_hash.to_string(),
                account: terms.account.get(),
                key: terms.key.get(),
                first_nonce: first_nonce.get(),
                before: BalancesRecord::of(before),
                end: None,
            },
            messages: BufWriter::with_capacity(BUFFER_LENGTH, file),
            bytes: 0,
            failed: None,
        };
        recorder
            .write_line()
            .map_err(|error| recorder.failure(error))?;
        Ok(recorder)
    }

    /// Keeps a message, if it is one that is kept.
    pub(crate) fn take(&mut self, message: &Message) {
        match message {
            Message::Ack(ack) => self.write(ack.bytes()),
            Message::Fills(fills) => self.write(fills.bytes()),
            Message::Ended(ended) => self.write(ended.bytes()),
            Message::Refused { nonce, reason } => {
                self.write(Refused::new(*nonce, *reason).as_bytes());
            }
            _ => {}
        }
    }

    /// Ends the record.
    pub(crate) fn finish(
        mut self,
        next_nonce: Nonce,
        after: Option<&Balances>,
    ) -> Result<(), LoadError> {
        self.record.end = Some(End {
            next_nonce: next_nonce.get(),
            bytes: self.bytes,
            after: after.map(BalancesRecord::of),
        });
        let written = match self.failed.take() {
            Some(error) => Err(error),
            None => self.messages.flush().and_then(|()| self.write_line()),
        };
        written.map_err(|error| self.failure(error))
    }

    fn write(&mut self, message: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.messages.write_all(message).err();
            self.bytes += message.len() as u64;
        }
    }

    /// All of it at once, so that a reader finds the old line or the new one.
    fn write_line(&self) -> io::Result<()> {
        let line = serde_json::to_string(&self.record)?;
        let new = self.path.with_extension("json.new");
        fs::write(&new, line + "\n")?;
        fs::rename(&new, &self.path)
    }

    fn failure(&self, source: io::Error) -> LoadError {
        LoadError::Output {
            path: self.path.clone(),
            source,
        }
    }
}

/// Bytes in one write.
const BUFFER_LENGTH: usize = 1 << 18;

impl ClientRecord {
    pub(crate) fn genesis_hash(&self) -> Option<Digest> {
        Digest::from_hex(&self.genesis_hash)
    }
}
