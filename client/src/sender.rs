//! The sending half of a session.

use quinn::{Endpoint, SendStream};
use types::limits::NONCE_MAX;
use types::wire::query::{Query, Question};
use types::wire::session::SessionTerms;
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
    next_nonce: Nonce,
    next_request: u64,
    queued: Vec<u8>,
    /// How much of `queued` has been sent; not 0 only after a flush was cancelled.
    sent: usize,
    /// Keeps the socket's driver alive.
    _endpoint: Endpoint,
}

impl Sender {
    pub(crate) const fn new(stream: SendStream, endpoint: Endpoint, signer: FrameSigner) -> Self {
        Self {
            next_nonce: signer.terms().next_nonce,
            stream,
            signer,
            next_request: 1,
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
        self.signer
            .sign(nonce, expires_at, commands, &mut self.queued);
        // A nonce beyond the limit is the server's to refuse; going on from it would make every
        // later frame as bad.
        if nonce.get() < NONCE_MAX {
            self.next_nonce = self.next_nonce.max(nonce.next());
        }
    }

    /// Queues a whole message as it is: a frame that was signed before, or sent before.
    pub fn queue_bytes(&mut self, message: &[u8]) {
        self.queued.extend_from_slice(message);
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

    /// Bytes that a flush would send.
    pub const fn queued_bytes(&self) -> usize {
        self.queued.len() - self.sent
    }

    /// Sends everything that is queued, waiting where the server or the network is slower. May be
    /// cancelled: what was not sent stays queued.
    pub async fn flush(&mut self) -> Result<(), SessionError> {
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
