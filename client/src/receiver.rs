//! The receiving half of a session.

use bytes::{Bytes, BytesMut};
use quinn::{Connection, Endpoint, ReadError, RecvStream};
use types::RejectReason;
use types::wire::feed::Subscribed;
use types::wire::session::Refused;
use types::wire::{Kind, split_message};

use crate::error::SessionError;
use crate::feed::{FeedError, Feeds};
use crate::join::Joiner;
use crate::message::{AckMessage, EndedMessage, FillsMessage, Message, ReceiptsMessage};

/// Yields the server's messages in the order in which they were sent.
#[derive(Debug)]
pub struct Receiver {
    messages: MessageStream,
    joiner: Joiner,
    /// Keeps the socket's driver alive.
    endpoint: Endpoint,
}

impl Receiver {
    pub(crate) fn new(messages: MessageStream, endpoint: Endpoint) -> Self {
        Self {
            messages,
            joiner: Joiner::default(),
            endpoint,
        }
    }

    /// Where the session's feeds come in.
    pub fn feeds(&self) -> Feeds {
        Feeds::new(self.messages.connection.clone(), self.endpoint.clone())
    }

    /// Waits for the next message. An error is final. May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Result<Message, SessionError> {
        loop {
            let (kind, bytes) = self.messages.next().await?;
            if let Some(message) = self.join(kind, bytes)? {
                return Ok(message);
            }
        }
    }

    /// The next message that has been received already, without any I/O.
    pub fn try_next(&mut self) -> Option<Result<Message, SessionError>> {
        loop {
            let message = match self.messages.buffered() {
                Ok(Some((kind, bytes))) => self.join(kind, bytes),
                Ok(None) => return None,
                Err(error) => Err(error),
            };
            if let Some(message) = message.transpose() {
                return Some(message);
            }
        }
    }

    /// `None`: more of this reply is to come.
    fn join(&mut self, kind: Kind, bytes: Bytes) -> Result<Option<Message>, SessionError> {
        let message = match kind {
            Kind::Ack => Message::Ack(AckMessage::parse(bytes)?),
            Kind::Fills => Message::Fills(FillsMessage::parse(bytes)?),
            Kind::Ended => Message::Ended(EndedMessage::parse(bytes)?),
            Kind::Receipts => Message::Receipts(ReceiptsMessage::parse(bytes)?),
            Kind::Refused => {
                let (nonce, reason) = Refused::parse(&bytes)?;
                Message::Refused { nonce, reason }
            }
            Kind::Balances
            | Kind::OpenOrders
            | Kind::Reference
            | Kind::MarketStates
            | Kind::UnknownNonce => {
                return Ok(self.joiner.take(kind, &bytes)?);
            }
            Kind::Subscribed => {
                let (number, refused) = Subscribed::parse(&bytes)?;
                Message::Subscribed { number, refused }
            }
            Kind::Hello
            | Kind::Welcome
            | Kind::Orders
            | Kind::RollingSignature
            | Kind::Query
            | Kind::Subscribe
            | Kind::Unsubscribe
            | Kind::FeedEvents
            | Kind::FeedSnapshot
            | Kind::FeedCheckpoint
            | Kind::FeedGap
            | Kind::Tick
            | Kind::Silence
            | Kind::Phase
            | Kind::Action => {
                return Err(RejectReason::UnexpectedMessage.into());
            }
        };
        Ok(Some(message))
    }
}

/// Splits the stream into messages.
#[derive(Debug)]
pub(crate) struct MessageStream {
    connection: Connection,
    stream: RecvStream,
    buffer: BytesMut,
    /// Where QUIC puts received packets: one lock per read instead of one per packet.
    packets: [Bytes; PACKETS_PER_READ],
}

const PACKETS_PER_READ: usize = 32;
/// Received bytes live in blocks of this size until their messages are dropped.
const BUFFER_LENGTH: usize = 64 * 1024;

impl MessageStream {
    pub(crate) fn new(connection: Connection, stream: RecvStream) -> Self {
        Self {
            connection,
            stream,
            buffer: BytesMut::with_capacity(BUFFER_LENGTH),
            packets: std::array::from_fn(|_| Bytes::new()),
        }
    }

    /// The next message that is whole already.
    fn buffered(&mut self) -> Result<Option<(Kind, Bytes)>, SessionError> {
        Ok(split_message(&mut self.buffer)?)
    }

    /// Waits for the next message; `None` where a stream of a feed ends. Cancelling it loses nothing.
    pub(crate) async fn next_or_end(&mut self) -> Result<Option<(Kind, Bytes)>, FeedError> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(Some(message));
            }
            if !self.receive().await? {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(SessionError::from(RejectReason::Malformed).into()),
                };
            }
        }
    }

    /// Waits for the next message. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Result<(Kind, Bytes), SessionError> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(message);
            }
            if !self.receive().await? {
                // Why it finished its stream the server says when it closes the connection.
                return Err(self.connection.closed().await.into());
            }
        }
    }

    /// Waits for bytes: `false` at the end of the stream.
    async fn receive(&mut self) -> Result<bool, ReadError> {
        let Some(count) = self.stream.read_chunks(&mut self.packets).await? else {
            return Ok(false);
        };
        for packet in &mut self.packets[..count] {
            self.buffer.extend_from_slice(packet);
            *packet = Bytes::new();
        }
        Ok(true)
    }
}
