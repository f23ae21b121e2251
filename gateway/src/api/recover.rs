//! Who has signed: recovered from signatures on workers of their own.
//!
//! A recovery costs as much as a hundred other steps of a request, so it is done neither where sockets
//! are served nor where orders are matched. All workers take from one bounded queue; a full queue is an
//! answer.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use types::action::{Envelope, Value};
use types::genesis::OwnerAddress;
use types::keys::WalletSignature;

use super::counters::{RECOVER_QUEUE, SharedCounters};

/// An action, and who waits for its signer.
#[derive(Debug)]
struct Question {
    action: Arc<Value>,
    envelope: Envelope,
    signature: WalletSignature,
    reply: oneshot::Sender<Option<OwnerAddress>>,
}

/// The workers' queue, as whoever asks sees it.
#[derive(Clone, Debug)]
pub(super) struct Recovery(SyncSender<Question>, SharedCounters);

/// One worker: the body of a thread of its caller's.
#[derive(Clone, Debug)]
pub struct RecoverWorker(Arc<Mutex<Receiver<Question>>>);

/// There is no room in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

/// A queue, and a worker of it. Clones of the worker share the queue.
pub(super) fn recovery(counters: SharedCounters) -> (Recovery, RecoverWorker) {
    let (questions, waiting) = sync_channel(RECOVER_QUEUE);
    let worker = RecoverWorker(Arc::new(Mutex::new(waiting)));
    (Recovery(questions, counters), worker)
}

impl Recovery {
    /// Who has signed this action; nobody, if nobody signs such a thing for us.
    pub(super) async fn signer(
        &self,
        action: Arc<Value>,
        envelope: Envelope,
        signature: WalletSignature,
    ) -> Result<Option<OwnerAddress>, QueueFull> {
        let (reply, signer) = oneshot::channel();
        let question = Question {
            action,
            envelope,
            signature,
            reply,
        };
        match self.0.try_send(question) {
            Ok(()) => {
                let _waiting = Waiting::new(&self.1);
                signer.await.map_err(|_| QueueFull)
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(QueueFull),
        }
    }
}

/// Counts an action as handed over, and as answered when it is dropped: its client may go before.
struct Waiting<'a>(&'a SharedCounters);

impl<'a> Waiting<'a> {
    fn new(counters: &'a SharedCounters) -> Self {
        counters.recoveries_asked.add(1);
        Self(counters)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.recoveries_done.add(1);
    }
}

impl RecoverWorker {
    /// Answers until there is nobody who asks.
    pub fn run(&self) {
        loop {
            // Held only while waiting: whoever has a question lets the next one wait.
            let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(question) = next else { return };
            let signer = question
                .envelope
                .signer(&question.action, question.signature);
            // Whoever asked may have gone.
            let _ = question.reply.send(signer);
        }
    }
}
