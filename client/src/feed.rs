//! Feeds of a session: each subscription has a stream of its own, beside sender and receiver.
//!
//! [`Sender::queue_subscribe`](crate::Sender::queue_subscribe) asks for one, the receiver hears whether
//! it is granted, and [`Feeds::next`] yields its stream. Messages are checked one by one; whether they
//! fit together is for [`FeedBook`](crate::book::FeedBook) to say.

use bytes::Bytes;
use quinn::{Connection, Endpoint, ReadError};
use thiserror::Error;
use types::RejectReason;
use types::wire::Kind;
use types::wire::feed::{FeedEvents, FeedGap, FeedMark, FeedSnapshot, Subscribed};

use crate::error::SessionError;
use crate::receiver::MessageStream;

/// Where a session's feeds come in. One is enough for a session: each stream is yielded once.
#[derive(Debug)]
pub struct Feeds {
    connection: Connection,
    /// Keeps the socket's driver alive.
    endpoint: Endpoint,
    /// A stream that has not said yet whose it is.
    opening: Option<MessageStream>,
}

impl Feeds {
    pub(crate) const fn new(connection: Connection, endpoint: Endpoint) -> Self {
        Self {
            connection,
            endpoint,
            opening: None,
        }
    }

    /// Waits for the stream of the next subscription that was granted. May be cancelled: nothing is
    /// lost.
    pub async fn next(&mut self) -> Result<FeedStream, FeedError> {
        let mut messages = match self.opening.take() {
            Some(messages) => messages,
            None => {
                let accepted = self.connection.accept_uni().await;
                let stream = accepted.map_err(SessionError::from)?;
                MessageStream::new(self.connection.clone(), stream)
            }
        };
        let opening = self.opening.insert(messages);
        let first = opening.next_or_end().await;
        messages = self.opening.take().expect("it was put there");
        let number = match first? {
            Some((Kind::Subscribed, bytes)) => {
                Subscribed::parse(&bytes).map_err(SessionError::from)?.0
            }
            _ => return Err(SessionError::from(RejectReason::UnexpectedMessage).into()),
        };
        Ok(FeedStream {
            number,
            messages,
            _endpoint: self.endpoint.clone(),
        })
    }
}

/// The messages of one subscription. Dropping it tells the server to stop.
#[derive(Debug)]
pub struct FeedStream {
    number: u64,
    messages: MessageStream,
    _endpoint: Endpoint,
}

/// Why a stream of a feed ends.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeedError {
    /// The server cut it, for this reader is too slow.
    #[error("the server cut the feed: {reason}; subscribe again from where it was")]
    Cut {
        /// Why.
        reason: RejectReason,
    },
    /// The session is over.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl FeedStream {
    /// The subscription's number.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the next message; `None`: the stream is over. May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Result<Option<FeedMessage>, FeedError> {
        match self.messages.next_or_end().await {
            Ok(Some((kind, bytes))) => {
                let message = FeedMessage::parse(kind, bytes);
                Ok(Some(message.map_err(SessionError::from)?))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<ReadError> for FeedError {
    fn from(error: ReadError) -> Self {
        if let ReadError::Reset(code) = &error
            && let Ok(code) = u16::try_from(code.into_inner())
            && let Some(reason) = RejectReason::from_code(code)
        {
            return Self::Cut { reason };
        }
        Self::Session(error.into())
    }
}

/// One message of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedMessage {
    /// What happened.
    Events(EventsMessage),
    /// What the book shows, or a part of it.
    Snapshot(SnapshotMessage),
    /// Where the feed stands, to compare with.
    Checkpoint(FeedMark),
    /// Events are missing.
    Gap(FeedGap),
}

impl FeedMessage {
    /// Reads one whole message.
    pub fn parse(kind: Kind, bytes: Bytes) -> Result<Self, RejectReason> {
        match kind {
            Kind::FeedEvents => {
                FeedEvents::parse(&bytes)?;
                Ok(Self::Events(EventsMessage { bytes }))
            }
            Kind::FeedSnapshot => {
                FeedSnapshot::parse(&bytes)?;
                Ok(Self::Snapshot(SnapshotMessage { bytes }))
            }
            Kind::FeedCheckpoint => FeedMark::parse_checkpoint(&bytes).map(Self::Checkpoint),
            Kind::FeedGap => FeedGap::parse(&bytes).map(Self::Gap),
            _ => Err(RejectReason::UnexpectedMessage),
        }
    }
}

/// Events: a checked message that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsMessage {
    bytes: Bytes,
}

impl EventsMessage {
    /// The events. Reads the bytes again: take it once.
    pub fn view(&self) -> FeedEvents<'_> {
        FeedEvents::parse(&self.bytes).expect("checked when it was received")
    }
}

/// A part of a snapshot: a checked message that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMessage {
    bytes: Bytes,
}

impl SnapshotMessage {
    /// The lines. Reads the bytes again: take it once.
    pub fn view(&self) -> FeedSnapshot<'_> {
        FeedSnapshot::parse(&self.bytes).expect("checked when it was received")
    }
}
