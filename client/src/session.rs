//! A session that outlives its connections: it reconnects, asks by nonce for what it has no answer
//! to, and sends again, byte for byte, what the node never saw. So every frame takes effect exactly
//! once, and its answer comes exactly once.
//!
//! It starts no task: everything happens in [`Session::next`], which may be cancelled. It decides
//! nothing: a frame that the node refuses is told to the caller and forgotten.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use types::limits::NONCE_WINDOW;
use types::wire::query::Question;
use types::wire::session::{SessionTerms, SignatureMode};
use types::{Command, LogTime, Nonce};

use crate::connect::{ConnectOptions, connect};
use crate::error::{ConnectError, SessionError};
use crate::message::{AckMessage, Message};
use crate::receiver::Receiver;
use crate::sender::Sender;
use crate::signer::FrameSigner;
use crate::stages::StageHistogram;

/// The wait before the first try to reconnect, ...
const BACKOFF_MIN: Duration = Duration::from_millis(20);
/// ... doubled after each that failed, up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Frames of one key, over as many connections as it takes.
///
/// Nonces go on from where the key is, so a key has one such session at a time.
#[derive(Debug)]
pub struct Session {
    options: ConnectOptions,
    signer: FrameSigner,
    next_nonce: Nonce,
    link: Link,
    unanswered: BTreeMap<Nonce, Sent>,
    stages: StageHistogram,
}

/// The connection, or the next try to have one.
#[derive(Debug)]
enum Link {
    Open {
        sender: Box<Sender>,
        receiver: Box<Receiver>,
        /// Nonces that were asked for after a reconnect, by the number of the question.
        asked: BTreeMap<u64, Nonce>,
    },
    Lost {
        tries: u32,
        next_try: NextTry,
    },
    Closed,
}

/// A wait and then a try. Kept, so that a caller who cancels [`Session::next`] does not begin anew.
struct NextTry(Pin<Box<dyn Future<Output = Connected> + Send>>);

type Connected = Result<(Sender, Receiver), ConnectError>;

impl NextTry {
    fn after(wait: Duration, options: &ConnectOptions) -> Self {
        let options = options.clone();
        Self(Box::pin(async move {
            sleep(wait).await;
            connect(&options).await
        }))
    }
}

impl std::fmt::Debug for NextTry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NextTry")
    }
}

/// A frame without an answer.
#[derive(Debug)]
struct Sent {
    bytes: Vec<u8>,
    /// When it was queued; `None`: a connection was lost since then, so its time says nothing.
    at: Option<Instant>,
}

/// What a session tells.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// The node said something. Of a repeated answer to a frame that was in doubt only its times
    /// are missing.
    Message(Message),
    /// A new connection. What happened to the account meanwhile is not told later: ask for open
    /// orders and balances. Frames in doubt get their answers like all others.
    Reconnected,
}

impl Session {
    /// Opens it. Only the first connection must succeed at once.
    pub async fn open(options: ConnectOptions) -> Result<Self, ConnectError> {
        let (sender, receiver) = connect(&options).await?;
        Ok(Self {
            signer: FrameSigner::new(*sender.terms(), options.key.clone()),
            next_nonce: sender.next_nonce(),
            options,
            link: Link::Open {
                sender: Box::new(sender),
                receiver: Box::new(receiver),
                asked: BTreeMap::new(),
            },
            unanswered: BTreeMap::new(),
            stages: StageHistogram::default(),
        })
    }

    /// Queues a frame, which the next [`Session::next`] or [`Session::flush`] sends with all others.
    /// Panics on no commands, or on more than fit one frame: see [`FrameSigner::sign`].
    pub fn queue(&mut self, commands: &[Command<'_>]) -> Nonce {
        let nonce = self.next_nonce;
        self.next_nonce = nonce.next();
        let mut bytes = Vec::new();
        match self.options.signatures {
            SignatureMode::Frame => self.signer.sign(nonce, LogTime::ZERO, commands, &mut bytes),
            SignatureMode::Rolling => {
                let frame = self.signer.unsigned(nonce, LogTime::ZERO, commands);
                bytes.extend_from_slice(frame);
            }
        }
        if let Link::Open { sender, .. } = &mut self.link {
            sender.queue_bytes(&bytes);
        }
        let at = Some(Instant::now());
        self.unanswered.insert(nonce, Sent { bytes, at });
        nonce
    }

    /// Queues a question, and returns the number that its reply will have; `None` while there is no
    /// connection. A question is not asked again on another connection.
    pub fn ask(&mut self, question: Question) -> Option<u64> {
        match &mut self.link {
            Link::Open { sender, .. } => Some(sender.queue_query(question)),
            Link::Lost { .. } | Link::Closed => None,
        }
    }

    /// Sends what is queued. A lost connection is [`Session::next`]'s to find.
    pub async fn flush(&mut self) {
        if let Link::Open { sender, .. } = &mut self.link {
            // The receiver hears why, too.
            let _ = sender.flush().await;
        }
    }

    /// Sends what is queued and waits for the next event, reconnecting as often as it takes. An
    /// error is final: the node refuses the session for good, or is not the one that was pinned.
    pub async fn next(&mut self) -> Result<SessionEvent, ConnectError> {
        loop {
            let receiver = match &mut self.link {
                Link::Open { receiver, .. } => receiver,
                Link::Lost { .. } => {
                    self.reconnect().await?;
                    return Ok(SessionEvent::Reconnected);
                }
                Link::Closed => return Err(SessionError::Finished.into()),
            };
            let next = match receiver.try_next() {
                Some(message) => message,
                None => self.exchange().await,
            };
            match next {
                Ok(message) => {
                    if let Some(message) = self.take(message) {
                        return Ok(SessionEvent::Message(message));
                    }
                }
                Err(error) => self.lose(error)?,
            }
        }
    }

    /// Finishes sending and waits for the answers to what was sent, on this connection only.
    pub async fn close(self) {
        if let Link::Open {
            sender,
            mut receiver,
            ..
        } = self.link
        {
            sender.close().await;
            while receiver.next().await.is_ok() {}
        }
    }

    /// What the node said when the session was opened; only the nonce in it goes stale.
    pub const fn terms(&self) -> &SessionTerms {
        self.signer.terms()
    }

    /// Frames without an answer.
    pub fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Whether another frame may be in flight: within what the node allows, and with all nonces in
    /// doubt within half of the window that the ledger remembers.
    pub fn has_room(&self) -> bool {
        let allowed = u64::from(self.terms().frames_in_flight).min(NONCE_WINDOW / 2);
        let oldest = self.unanswered.first_key_value();
        let spread = oldest.map_or(0, |(nonce, _)| self.next_nonce.get() - nonce.get());
        spread < allowed
    }

    /// Round trips, and the stages of each, of frames whose connection held.
    pub const fn stages(&mut self) -> &mut StageHistogram {
        &mut self.stages
    }

    /// Sends what is queued and waits for a message.
    async fn exchange(&mut self) -> Result<Message, SessionError> {
        let Link::Open {
            sender, receiver, ..
        } = &mut self.link
        else {
            unreachable!("the caller has seen a connection");
        };
        // If it cannot be written, the node's reason is what the next read finds.
        let _ = sender.flush().await;
        receiver.next().await
    }

    /// Notes what a message settles; `None` if it is of no use to the caller.
    fn take(&mut self, message: Message) -> Option<Message> {
        match &message {
            Message::Ack(ack) => self.settle(ack),
            Message::Refused { nonce, .. } => {
                self.unanswered.remove(nonce);
            }
            Message::UnknownNonce { request, .. } => {
                let Link::Open { sender, asked, .. } = &mut self.link else {
                    return Some(message);
                };
                let Some(nonce) = asked.remove(request) else {
                    return Some(message);
                };
                if let Some(sent) = self.unanswered.get(&nonce) {
                    sender.queue_bytes(&sent.bytes);
                }
                return None;
            }
            _ => {}
        }
        Some(message)
    }

    fn settle(&mut self, ack: &AckMessage) {
        let Some(sent) = self.unanswered.remove(&ack.nonce()) else {
            return;
        };
        let ack = ack.view();
        if let Some(at) = sent.at
            && !ack.repeated
        {
            self.stages.record(&ack.times, at.elapsed());
        }
    }

    /// What a lost connection means; an error if no other will help.
    fn lose(&mut self, error: SessionError) -> Result<(), ConnectError> {
        match error {
            SessionError::Lost { .. } => {}
            SessionError::Closed { reason } if reason.is_transient() => {}
            error => {
                self.link = Link::Closed;
                return Err(error.into());
            }
        }
        for sent in self.unanswered.values_mut() {
            sent.at = None;
        }
        self.link = Link::Lost {
            tries: 0,
            next_try: NextTry::after(BACKOFF_MIN, &self.options),
        };
        Ok(())
    }

    /// Tries until there is a connection, then asks for everything in doubt.
    async fn reconnect(&mut self) -> Result<(), ConnectError> {
        while let Link::Lost { tries, next_try } = &mut self.link {
            match next_try.0.as_mut().await {
                Ok((mut sender, receiver)) => {
                    self.next_nonce = self.next_nonce.max(sender.next_nonce());
                    let nonces = self.unanswered.keys();
                    let ask = |nonce: &Nonce| (sender.queue_query(Question::Nonce(*nonce)), *nonce);
                    let asked = nonces.map(ask).collect();
                    self.link = Link::Open {
                        sender: Box::new(sender),
                        receiver: Box::new(receiver),
                        asked,
                    };
                }
                Err(error) if is_passing(&error) => {
                    let wait = BACKOFF_MIN * 2u32.saturating_pow((*tries).min(10));
                    *tries += 1;
                    *next_try = NextTry::after(wait.min(BACKOFF_MAX), &self.options);
                }
                Err(error) => {
                    self.link = Link::Closed;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Whether the same may succeed later.
const fn is_passing(error: &ConnectError) -> bool {
    match error {
        ConnectError::Socket { .. } | ConnectError::Unreachable { .. } => true,
        ConnectError::Refused { reason } | ConnectError::Ended(SessionError::Closed { reason }) => {
            reason.is_transient()
        }
        ConnectError::Ended(SessionError::Lost { .. }) => true,
        ConnectError::Ended(_)
        | ConnectError::PinMismatch { .. }
        | ConnectError::WrongNetwork { .. } => false,
    }
}
