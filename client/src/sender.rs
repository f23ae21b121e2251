//! The sending half of a session.

use quinn::{Endpoint, SendStream};
use types::auth::{RollingChain, SigningKey};
use types::limits::{NONCE_MAX, RUN_LENGTH_MAX};
use types::wire::feed::{FeedId, FeedPosition, Subscribe, Subscription, Unsubscribe};
use types::wire::orders::SIGNATURE_LENGTH;
use types::wire::query::{Query, Question};
use types::wire::session::SessionTerms;
use types::wire::{Kind, PREFIX_LENGTH, Prefix};
use types::{Command, LogTime, Nonce};
use zerocopy::IntoBytes;

use crate::error::SessionError;
use crate::signer::FrameSigner;

/// Queues messages and sends them in coalesced writes.
///
/// Queue what is ready, then flush once: QUIC handles a few large writes far better than many small
/// ones. Dropping the sender finishes sending, as [`Sender::close`] does, but loses what is still
/// queued.
#[derive(Debug)]
pub struct Sender {
    stream: SendStream,
    signer: FrameSigner,
    /// In a session with rolling signatures.
    rolling: Option<Rolling>,
    next_nonce: Nonce,
    next_request: u64,
    next_subscription: u64,
    queued: Vec<u8>,
    /// How much of `queued` has been sent; not 0 only after a flush was cancelled.
    sent: usize,
    /// Keeps the socket's driver alive.
    _endpoint: Endpoint,
}

/// The frames that the next rolling signature covers.
#[derive(Debug)]
pub(crate) struct Rolling {
    chain: RollingChain,
    key: SigningKey,
    frames_max: usize,
    length: usize,
}

impl Sender {
    pub(crate) const fn new(
        stream: SendStream,
        endpoint: Endpoint,
        signer: FrameSigner,
        rolling: Option<Rolling>,
    ) -> Self {
        Self {
            next_nonce: signer.terms().next_nonce,
            stream,
            signer,
            rolling,
            next_request: 1,
            next_subscription: 1,
            queued: Vec::new(),
            sent: 0,
            _endpoint: endpoint,
        }
    }

    /// What the server said when it opened the session.
    pub const fn terms(&self) -> &SessionTerms {
        self.signer.terms()
    }

    /// The nonce that [`Sender::queue_frame`] uses next.
    pub const fn next_nonce(&self) -> Nonce {
        self.next_nonce
    }

    /// Signs a frame with the next nonce, without expiry, and queues it. Panics on no commands, or
    /// on more than one frame holds: see [`FrameSigner::sign`].
    pub fn queue_frame(&mut self, commands: &[Command<'_>]) -> Nonce {
        let nonce = self.next_nonce;
        self.queue_frame_with(nonce, LogTime::ZERO, commands);
        nonce
    }

    /// Signs a frame and queues it. Later frames of [`Sender::queue_frame`] have higher nonces.
    pub fn queue_frame_with(
        &mut self,
        nonce: Nonce,
        expires_at: LogTime,
        commands: &[Command<'_>],
    ) {
        match &mut self.rolling {
            None => self
                .signer
                .sign(nonce, expires_at, commands, &mut self.queued),
            Some(rolling) => {
                let frame = self.signer.unsigned(nonce, expires_at, commands);
                rolling.queue(frame, &mut self.queued);
            }
        }
        // A nonce beyond the limit is the server's to refuse; going on from it would make every
        // later frame as bad.
        if nonce.get() < NONCE_MAX {
            self.next_nonce = self.next_nonce.max(nonce.next());
        }
    }

    /// Queues a whole message as it is: a frame that was signed before, or sent before. In a session
    /// with rolling signatures a frame's own signature is left out, which changes nothing of what it
    /// means.
    pub fn queue_bytes(&mut self, message: &[u8]) {
        match &mut self.rolling {
            Some(rolling) if is_orders(message) => {
                rolling.queue(message, &mut self.queued);
            }
            _ => self.queued.extend_from_slice(message),
        }
    }

    /// Queues a question and returns the number that its reply will have. An answer to
    /// [`Question::Nonce`] comes as an ack of that nonce if the frame is known.
    pub fn queue_query(&mut self, question: Question) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        let query = Query::new(request, question);
        self.queued.extend_from_slice(query.as_bytes());
        request
    }

    /// Asks for a feed and returns the number of the subscription. It goes on at `from`, or else at a
    /// snapshot. `interval_ms` is 0 for every event, or one of `INTERVALS_MS`.
    pub fn queue_subscribe(
        &mut self,
        feed: FeedId,
        interval_ms: u32,
        from: Option<FeedPosition>,
    ) -> u64 {
        let number = self.next_subscription;
        self.next_subscription += 1;
        let subscribe = Subscribe::new(&Subscription {
            number,
            feed,
            interval_ms,
            from,
        });
        self.queued.extend_from_slice(subscribe.as_bytes());
        number
    }

    /// Ends a subscription: its stream ends soon.
    pub fn queue_unsubscribe(&mut self, number: u64) {
        let unsubscribe = Unsubscribe::new(number);
        self.queued.extend_from_slice(unsubscribe.as_bytes());
    }

    /// Bytes that a flush would send.
    pub const fn queued_bytes(&self) -> usize {
        self.queued.len() - self.sent
    }

    /// Sends everything that is queued, with a rolling signature if the session has such, waiting where the server or the network is slower. May be
    /// cancelled: what was not sent stays queued.
    pub async fn flush(&mut self) -> Result<(), SessionError> {
        if let Some(rolling) = &mut self.rolling {
            rolling.sign(&mut self.queued);
        }
        while self.sent < self.queued.len() {
            self.sent += self.stream.write(&self.queued[self.sent..]).await?;
        }
        self.queued.clear();
        self.sent = 0;
        Ok(())
    }

    /// Sends what is queued and then nothing more. The server delivers all outstanding answers and
    /// then ends the session, which the receiver hears as [`SessionError::Finished`]. Returns when
    /// the server's end has received everything, or the connection is gone.
    pub async fn close(mut self) {
        if self.flush().await.is_ok() && self.stream.finish().is_ok() {
            // Either way there is nothing left to wait for.
            let _ = self.stream.stopped().await;
        }
    }
}

impl Rolling {
    /// So many frames may wait for a signature of this key.
    pub(crate) const fn new(chain: RollingChain, key: SigningKey, frames_max: u32) -> Self {
        Self {
            chain,
            key,
            frames_max: frames_max as usize,
            length: 0,
        }
    }

    /// Queues a frame, behind a signature over those before it if there are as many as one may cover.
    fn queue(&mut self, frame: &[u8], queued: &mut Vec<u8>) {
        let is_long = self.length + frame.len() > RUN_LENGTH_MAX;
        if is_long || self.chain.unsigned_frames() >= self.frames_max {
            self.sign(queued);
        }
        let signed = &frame[..frame.len() - SIGNATURE_LENGTH];
        self.chain.absorb(signed);
        self.length += frame.len();
        queued.extend_from_slice(signed);
        queued.extend_from_slice(&[0; SIGNATURE_LENGTH]);
    }

    /// Queues a signature over the frames since the last one, if there are any.
    fn sign(&mut self, queued: &mut Vec<u8>) {
        if self.chain.unsigned_frames() > 0 {
            self.chain.sign(&self.key).encode(queued);
            self.length = 0;
        }
    }
}

/// Whether a message is a frame with room for a signature.
fn is_orders(message: &[u8]) -> bool {
    let prefix = message.first_chunk::<PREFIX_LENGTH>();
    let kind = prefix.and_then(|prefix| Prefix::parse(*prefix).ok());
    kind.is_some_and(|(_, kind)| kind == Kind::Orders) && message.len() > SIGNATURE_LENGTH
}
