//! Reading a record: who the clients were, and their messages one by one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use types::wire::ack::{Ack, FillReport};
use types::wire::ended::EndedReport;
use types::wire::session::Refused;
use types::wire::{Kind, PREFIX_LENGTH, Prefix};
use types::{Nonce, RejectReason};

use super::{ClientRecord, FORMAT, paths};

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system says no.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing.
    #[error("{}: no record of a client is there; `loadgen run --record` makes them", .0.display())]
    Empty(PathBuf),
    /// It is there, but no record.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// One client's record, and where its messages are.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) record: ClientRecord,
    path: PathBuf,
    /// Bytes of all messages.
    pub(crate) length: u64,
}

impl Reading {
    /// All clients of a folder, by number.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, RecordError> {
        let entries = fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
        let mut readings = BTreeMap::new();
        for entry in entries {
            let path = entry.map_err(|source| unreadable(folder, source))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let reading = Self::open(folder, &path)?;
                readings.insert(reading.record.client, reading);
            }
        }
        if readings.is_empty() {
            return Err(RecordError::Empty(folder.to_owned()));
        }
        Ok(readings.into_values().collect())
    }

    fn open(folder: &Path, path: &Path) -> Result<Self, RecordError> {
        let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
        let damaged = |why: String| RecordError::Damaged {
            path: path.to_owned(),
            why,
        };
        let record: ClientRecord =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if record.format != FORMAT {
            let why = format!("format {}, and this program reads {FORMAT}", record.format);
            return Err(damaged(why));
        }
        let [line, messages] = paths(folder, record.client);
        if line != path {
            return Err(damaged(format!("it is of client {}", record.client)));
        }
        let metadata = fs::metadata(&messages).map_err(|source| unreadable(&messages, source))?;
        let length = metadata.len();
        let reading = Self {
            record,
            path: messages,
            length,
        };
        match &reading.record.end {
            Some(end) if end.bytes != length => {
                Err(reading.damaged(format!("{length} bytes, and {} were written", end.bytes)))
            }
            _ => Ok(reading),
        }
    }

    /// The messages from the first on.
    pub(crate) fn messages(&self) -> Result<Messages, RecordError> {
        let file = File::open(&self.path).map_err(|source| unreadable(&self.path, source))?;
        Ok(Messages {
            file: BufReader::with_capacity(BUFFER_LENGTH, file),
            path: self.path.clone(),
            // What a generator that was killed wrote last may be half a message.
            may_be_cut: self.record.end.is_none(),
            message: Vec::new(),
        })
    }

    pub(crate) fn damaged(&self, why: String) -> RecordError {
        RecordError::Damaged {
            path: self.path.clone(),
            why,
        }
    }
}

/// Messages of one client, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Messages {
    file: BufReader<File>,
    path: PathBuf,
    may_be_cut: bool,
    message: Vec<u8>,
}

/// One of them.
#[derive(Debug)]
pub(crate) enum Recorded<'a> {
    Ack(Ack<'a>),
    Refused(Nonce),
    Fills(&'a [FillReport]),
    Ended(&'a [EndedReport]),
}

impl Messages {
    /// Goes on to the next message of one of these kinds: `false` if there is none.
    pub(crate) fn advance(&mut self, kinds: &[Kind]) -> Result<bool, RecordError> {
        loop {
            match self.read()? {
                None => return Ok(false),
                Some(kind) if kinds.contains(&kind) => return Ok(true),
                Some(_) => {}
            }
        }
    }

    /// The message that [`Messages::advance`] went to.
    pub(crate) fn current(&self) -> Result<Recorded<'_>, RecordError> {
        let bytes = &self.message;
        let prefix = bytes.first_chunk().map(|first| Prefix::parse(*first));
        let parsed = match prefix {
            Some(Ok((_, Kind::Ack))) => Ack::parse(bytes).map(Recorded::Ack),
            Some(Ok((_, Kind::Fills))) => FillReport::parse_all(bytes).map(Recorded::Fills),
            Some(Ok((_, Kind::Ended))) => EndedReport::parse_all(bytes).map(Recorded::Ended),
            Some(Ok((_, Kind::Refused))) => {
                Refused::parse(bytes).map(|(nonce, _)| Recorded::Refused(nonce))
            }
            _ => Err(RejectReason::UnexpectedMessage),
        };
        parsed.map_err(|reason| self.damaged(reason))
    }

    /// Reads one message; `None` at the end.
    fn read(&mut self) -> Result<Option<Kind>, RecordError> {
        self.message.resize(PREFIX_LENGTH, 0);
        if !self.fill(0)? {
            return Ok(None);
        }
        let first = self.message.first_chunk().expect("it is that long");
        let (prefix, kind) = Prefix::parse(*first).map_err(|reason| self.damaged(reason))?;
        self.message.resize(prefix.length(), 0);
        match self.fill(PREFIX_LENGTH)? {
            true => Ok(Some(kind)),
            false if self.may_be_cut => Ok(None),
            false => Err(self.damaged("it ends within a message")),
        }
    }

    /// Reads the rest of a message: `false` if the file ends before.
    fn fill(&mut self, from: usize) -> Result<bool, RecordError> {
        match self.file.read_exact(&mut self.message[from..]) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(source) => Err(unreadable(&self.path, source)),
        }
    }

    fn damaged(&self, why: impl std::fmt::Display) -> RecordError {
        RecordError::Damaged {
            path: self.path.clone(),
            why: why.to_string(),
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> RecordError {
    RecordError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// Three of these are open for each client.
const BUFFER_LENGTH: usize = 1 << 16;
