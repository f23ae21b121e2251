//! Clients that load a node until something happens to it, and the oracle of what must be there
//! afterwards. It is kept outside the node: which orders a client knows to rest, and which frames it
//! never got an answer for.
//!
//! What is in doubt is settled by sending the same bytes again; then the node's open orders must be
//! exactly the known ones. Every order has a size of its own, so a double would be seen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{
    ConnectError, ConnectOptions, Message, Receiver, Sender, SessionError, SignatureMode, connect,
};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use types::command::{CancelScope, OrderKind, Place, SelfTrade};
use types::wire::query::Question;
use types::{
    BaseLots, ClientOrderId, Command, LogTime, MarketId, Nonce, OrderId, RejectReason, Side, Ticks,
};

const FRAME: usize = 8;
const FRAMES_IN_FLIGHT: usize = 64;
/// After so many a disk counts as full for good. A node tries again every second; in that time a
/// client hears more than this, but a fault that strace does to every new thread never ends.
const REFUSALS_MAX: usize = 100_000;
/// Longer than any load takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Some clients and what they know.
#[derive(Debug)]
pub(crate) struct Clients {
    runtime: Runtime,
    known: Vec<(&'static str, Knowledge)>,
}

/// One order that was sent alone, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    /// Just before it was sent.
    pub(crate) sent_at: u64,
    /// Just after its ack had come.
    pub(crate) answered_at: u64,
}

/// How a load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadEnd {
    /// Every client sent what it should and knows all answers.
    Finished,
    /// The node is no more; what was not answered is in doubt.
    NodeEnded,
}

impl Clients {
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            runtime: runtime.unwrap(),
            known: names
                .iter()
                .map(|name| (*name, Knowledge::default()))
                .collect(),
        }
    }

    /// Every client settles what is in doubt, compares and then sends `frames` frames, many at a
    /// time. A node that was killed says nothing any more, so `ended` is told by whoever sees it.
    pub(crate) fn load(&mut self, server: SocketAddr, ended: &Notify, frames: u64) -> LoadEnd {
        let lives = self.known.iter_mut().map(|(name, knowledge)| {
            let options = options(server, name);
            async { live(options, knowledge, frames).await.is_ok() }
        });
        let lives = join_all(lives);
        let end = async {
            tokio::select! {
                finished = lives => if finished { return LoadEnd::Finished },
                () = ended.notified() => return LoadEnd::NodeEnded,
            }
            // A session ended, so the node has to follow.
            ended.notified().await;
            LoadEnd::NodeEnded
        };
        self.runtime.block_on(in_time(end))
    }

    /// The first client sends single orders, each after the answer to the one before. Returns those
    /// that were answered before the node ended.
    pub(crate) fn single_orders(
        &mut self,
        server: SocketAddr,
        ended: &Notify,
        count: usize,
    ) -> Vec<Exchange> {
        let (name, knowledge) = self.known.first_mut().unwrap();
        let options = options(server, name);
        let mut exchanges = Vec::new();
        let end = async {
            let orders = single_orders(options, knowledge, &mut exchanges, count);
            tokio::select! {
                sent = orders => if sent.is_ok() { return },
                () = ended.notified() => return,
            }
            ended.notified().await;
        };
        self.runtime.block_on(in_time(end));
        exchanges
    }

    /// Settles every doubt and compares; the node must be well.
    pub(crate) fn settle(&mut self, server: SocketAddr) {
        for (name, knowledge) in &mut self.known {
            let settled = self.runtime.block_on(async {
                let (mut sender, mut receiver) = connect(&options(server, name)).await?;
                settle(&mut sender, &mut receiver, knowledge).await?;
                compare(&mut sender, &mut receiver, knowledge).await?;
                finish(sender, receiver).await;
                Ok::<(), Dead>(())
            });
            settled.unwrap_or_else(|Dead(reason)| panic!("{name}: {reason}"));
        }
    }

    /// Commands that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.known.iter().map(|(_, known)| known.acknowledged).sum()
    }

    /// Orders that rest.
    pub(crate) fn resting(&self) -> usize {
        self.known
            .iter()
            .map(|(_, known)| known.resting.len())
            .sum()
    }

    /// The highest sequence number that any answer was for.
    pub(crate) fn last_sequence(&self) -> u64 {
        let of_clients = self.known.iter().map(|(_, known)| known.last_sequence);
        of_clients.max().unwrap_or_default()
    }
}

/// One of the clients has rolling signatures, so that runs meet what frames meet.
fn options(server: SocketAddr, name: &str) -> ConnectOptions {
    let mut options = super::options(server, name);
    if name == "dev-1" {
        options.signatures = SignatureMode::Rolling;
    }
    options
}

/// Tells when a process has ended, without reaping it.
pub(crate) fn told_when_ended(node: &super::Node) -> Arc<Notify> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let id = node.id();
    let ended = Arc::new(Notify::new());
    let tell = Arc::clone(&ended);
    std::thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // An error: it was reaped already.
        let _ = waitid(WaitId::Pid(id), options);
        tell.notify_one();
    });
    ended
}

/// What one client knows.
#[derive(Debug, Default)]
struct Knowledge {
    /// Orders that were acknowledged and rest: their unique size, and their id.
    resting: BTreeMap<u64, OrderId>,
    /// Frames without an answer.
    in_doubt: BTreeMap<Nonce, Vec<Command<'static>>>,
    /// Those of them that the node refused for want of room.
    refused: Vec<Nonce>,
    last_size: u64,
    next_nonce: u64,
    acknowledged: u64,
    last_sequence: u64,
}

impl Knowledge {
    /// A frame of new orders, from now on in doubt.
    fn next_frame(&mut self, orders: usize) -> (Nonce, Vec<Command<'static>>) {
        let commands = (0..orders).map(|_| {
            self.last_size += 1;
            Command::Place(Place {
                market: MarketId::new(0),
                side: Side::Bid,
                kind: OrderKind::GTC,
                price: Ticks::new(100 + self.last_size % 50),
                quantity: BaseLots::new(self.last_size),
                client_order_id: ClientOrderId::NONE,
                self_trade: SelfTrade::Allow,
                trigger: None,
            })
        });
        let commands = commands.collect();
        self.doubt(commands)
    }

    /// Starts from an empty book, so that an account's limit is never reached.
    fn cancel_everything(&mut self) -> (Nonce, Vec<Command<'static>>) {
        self.doubt(vec![Command::CancelAll(CancelScope::EVERYTHING)])
    }

    fn doubt(&mut self, commands: Vec<Command<'static>>) -> (Nonce, Vec<Command<'static>>) {
        self.next_nonce += 1;
        let nonce = Nonce::new(self.next_nonce);
        self.in_doubt.insert(nonce, commands.clone());
        (nonce, commands)
    }

    /// Takes an answer in.
    fn learn(&mut self, message: &Message) {
        match message {
            Message::Refused { nonce, reason } if *reason == RejectReason::DiskFull => {
                self.refused.push(*nonce);
            }
            // A node that ends says so.
            Message::Refused { nonce, reason } => {
                assert_eq!(*reason, RejectReason::ShuttingDown, "nonce {nonce}");
            }
            _ => {}
        }
        let Message::Ack(ack) = message else { return };
        let ack = ack.view();
        assert_eq!(ack.refused, None);
        let Some(commands) = self.in_doubt.remove(&ack.nonce) else {
            panic!("an answer to a frame that has one already: {ack:?}");
        };
        let sequences = (ack.first_sequence.get()..).map(types::SequenceNumber::new);
        for ((command, outcome), sequence) in commands.iter().zip(ack.outcomes).zip(sequences) {
            assert_eq!(outcome.reject_reason(), None, "{command:?}");
            self.acknowledged += 1;
            self.last_sequence = self.last_sequence.max(sequence.get());
            match command {
                Command::Place(place) => {
                    let order_id = OrderId::new_at(sequence, place.market, 0);
                    self.resting.insert(place.quantity.get(), order_id);
                }
                Command::CancelAll(_) => self.resting.clear(),
                _ => unreachable!("the load has only these"),
            }
        }
    }
}

/// The node died: from here on only the next start tells.
struct Dead(String);

impl From<SessionError> for Dead {
    fn from(error: SessionError) -> Self {
        Self(error.to_string())
    }
}

impl From<ConnectError> for Dead {
    fn from(error: ConnectError) -> Self {
        Self(error.to_string())
    }
}

/// One client's life: settle what is in doubt, compare, then load.
async fn live(options: ConnectOptions, knowledge: &mut Knowledge, frames: u64) -> Result<(), Dead> {
    knowledge.refused.clear();
    let (mut sender, mut receiver) = connect(&options).await?;
    settle(&mut sender, &mut receiver, knowledge).await?;
    compare(&mut sender, &mut receiver, knowledge).await?;

    let (nonce, commands) = knowledge.cancel_everything();
    sender.queue_frame_with(nonce, LogTime::ZERO, &commands);
    let (mut left, mut refusals) = (frames, 0);
    loop {
        while left > 0 && knowledge.in_doubt.len() < FRAMES_IN_FLIGHT {
            let (nonce, commands) = knowledge.next_frame(FRAME);
            sender.queue_frame_with(nonce, LogTime::ZERO, &commands);
            left -= 1;
        }
        // What found no room on the disk is sent again, and at last left for the next start.
        refusals += knowledge.refused.len();
        if refusals > REFUSALS_MAX {
            finish(sender, receiver).await;
            return Ok(());
        }
        for nonce in std::mem::take(&mut knowledge.refused) {
            let commands = &knowledge.in_doubt[&nonce];
            sender.queue_frame_with(nonce, LogTime::ZERO, commands);
        }
        sender.flush().await?;
        if knowledge.in_doubt.is_empty() {
            finish(sender, receiver).await;
            return Ok(());
        }
        let message = receiver.next().await?;
        knowledge.learn(&message);
        while let Some(message) = receiver.try_next() {
            knowledge.learn(&message?);
        }
    }
}

/// One order after the other.
async fn single_orders(
    options: ConnectOptions,
    knowledge: &mut Knowledge,
    exchanges: &mut Vec<Exchange>,
    count: usize,
) -> Result<(), Dead> {
    let (mut sender, mut receiver) = connect(&options).await?;
    for _ in 0..count {
        let (nonce, commands) = knowledge.next_frame(1);
        sender.queue_frame_with(nonce, LogTime::ZERO, &commands);
        let sent_at = unix_nanos();
        sender.flush().await?;
        while !knowledge.in_doubt.is_empty() {
            let message = receiver.next().await?;
            knowledge.learn(&message);
        }
        exchanges.push(Exchange {
            sent_at,
            answered_at: unix_nanos(),
        });
    }
    finish(sender, receiver).await;
    Ok(())
}

/// Ends a session from both sides, so that a node which is told to stop then waits for nobody.
async fn finish(sender: Sender, mut receiver: Receiver) {
    sender.close().await;
    while receiver.next().await.is_ok() {}
}

fn unix_nanos() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since_epoch.as_nanos().try_into().unwrap()
}

/// Sends every frame in doubt again, byte for byte, and waits for its answer.
async fn settle(
    sender: &mut Sender,
    receiver: &mut Receiver,
    knowledge: &mut Knowledge,
) -> Result<(), Dead> {
    for (nonce, commands) in &knowledge.in_doubt {
        sender.queue_frame_with(*nonce, LogTime::ZERO, commands);
    }
    sender.flush().await?;
    while !knowledge.in_doubt.is_empty() {
        let message = receiver.next().await?;
        knowledge.learn(&message);
    }
    Ok(())
}

/// The node's open orders are exactly the acknowledged ones.
async fn compare(
    sender: &mut Sender,
    receiver: &mut Receiver,
    knowledge: &Knowledge,
) -> Result<(), Dead> {
    sender.queue_query(Question::OpenOrders);
    sender.flush().await?;
    let orders = loop {
        if let Message::OpenOrders { orders, .. } = receiver.next().await? {
            break orders;
        }
    };
    let found: Vec<(u64, OrderId)> = orders
        .iter()
        .map(|order| (order.remaining.get(), order.order_id))
        .collect();
    let expected: Vec<(u64, OrderId)> = knowledge.resting.iter().map(|(s, o)| (*s, *o)).collect();
    // Not `assert_eq`: it would print both lists, and they are long.
    let first = found.iter().zip(&expected).find(|(a, b)| a != b);
    let lengths = (found.len(), expected.len());
    assert!(
        found == expected,
        "open orders, found and known: {lengths:?}, first difference {first:?}"
    );
    Ok(())
}

/// A node that neither answers nor ends fails the test.
async fn in_time<T>(end: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, end).await;
    ended.expect("a node answers or ends")
}

/// Runs futures side by side on one task. Whether all were true.
async fn join_all<F: Future<Output = bool>>(futures: impl Iterator<Item = F>) -> bool {
    let mut futures: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut all = true;
    std::future::poll_fn(|context| {
        for slot in &mut futures {
            if let Some(future) = slot
                && let std::task::Poll::Ready(good) = future.as_mut().poll(context)
            {
                all &= good;
                *slot = None;
            }
        }
        match futures.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    all
}
