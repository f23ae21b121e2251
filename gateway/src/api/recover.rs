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

/// Actions that may wait for a worker.
const QUEUE: usize = 4_096;

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
pub(super) struct Recovery(SyncSender<Question>);

/// One worker: the body of a thread of its caller's.
#[derive(Clone, Debug)]
pub struct RecoverWorker(Arc<Mutex<Receiver<Question>>>);

/// There is no room in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

/// A queue, and a worker of it. Clones of the worker share the queue.
pub(super) fn recovery() -> (Recovery, RecoverWorker) {
    let (questions, waiting) = sync_channel(QUEUE);
    let worker = RecoverWorker(Arc::new(Mutex::new(waiting)));
    (Recovery(questions), worker)
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
            Ok(()) => signer.await.map_err(|_| QueueFull),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(QueueFull),
        }
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
