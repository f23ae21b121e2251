//! `kill -9` under load, again and again on one directory: what was acknowledged is there, nothing
//! is there twice, and what is in doubt is settled by sending the same bytes again.
//!
//! The oracle is kept outside the node: which orders a client knows to rest, and which frames it
//! never got an answer for. `KEEL_KILL_CYCLES` sets the number of kills (`cargo xtask kill-loop`
//! runs the long form); the seed of the moments is printed.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::{ConnectError, ConnectOptions, Message, Receiver, Sender, SessionError, connect};
use common::{Node, run, text};
use tokio::sync::Notify;
use types::command::{CancelScope, OrderKind, Place, SelfTrade};
use types::wire::query::Question;
use types::{BaseLots, ClientOrderId, Command, LogTime, MarketId, Nonce, OrderId, Side, Ticks};

const FRAME: usize = 8;
const FRAMES_IN_FLIGHT: usize = 64;
const CLIENTS: [&str; 3] = ["dev-0", "dev-1", "dev-2"];

/// What one client knows, kept outside the node.
#[derive(Default)]
struct Knowledge {
    /// Orders that were acknowledged and rest: their unique size, and their id.
    resting: BTreeMap<u64, OrderId>,
    /// Frames without an answer.
    in_doubt: BTreeMap<Nonce, Vec<Command<'static>>>,
    /// Every order has a size of its own, so that a double would be seen.
    last_size: u64,
    next_nonce: u64,
    acknowledged: u64,
}

impl Knowledge {
    fn next_frame(&mut self) -> (Nonce, Vec<Command<'static>>) {
        let commands: Vec<Command<'static>> = (0..FRAME)
            .map(|_| {
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
            })
            .collect();
        self.next_nonce += 1;
        let nonce = Nonce::new(self.next_nonce);
        self.in_doubt.insert(nonce, commands.clone());
        (nonce, commands)
    }

    /// Takes an answer in.
    fn learn(&mut self, message: &Message) {
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
struct Dead;

impl From<SessionError> for Dead {
    fn from(_: SessionError) -> Self {
        Self
    }
}

impl From<ConnectError> for Dead {
    fn from(_: ConnectError) -> Self {
        Self
    }
}

/// One client's life between a start and a kill: settle what is in doubt, compare, then load.
async fn live(options: ConnectOptions, knowledge: &mut Knowledge) -> Result<(), Dead> {
    let (mut sender, mut receiver) = connect(&options).await?;
    settle(&mut sender, &mut receiver, knowledge).await?;
    compare(&mut sender, &mut receiver, knowledge).await?;

    // Starts from an empty book, so that an account's limit is never reached.
    knowledge.next_nonce += 1;
    let nonce = Nonce::new(knowledge.next_nonce);
    let everything = Command::CancelAll(CancelScope::EVERYTHING);
    knowledge.in_doubt.insert(nonce, vec![everything]);
    sender.queue_frame_with(nonce, LogTime::ZERO, &[everything]);
    loop {
        while knowledge.in_doubt.len() < FRAMES_IN_FLIGHT {
            let (nonce, commands) = knowledge.next_frame();
            sender.queue_frame_with(nonce, LogTime::ZERO, &commands);
        }
        sender.flush().await?;
        let message = receiver.next().await?;
        knowledge.learn(&message);
        while let Some(message) = receiver.try_next() {
            knowledge.learn(&message?);
        }
    }
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
    assert_eq!(found, expected);
    Ok(())
}

/// Loads a node with all clients until it is killed. A killed node says nothing any more, so the
/// clients are told by whoever killed it.
async fn load_until(killed: Arc<Notify>, clients: &mut [(ConnectOptions, Knowledge)]) {
    let lives = clients
        .iter_mut()
        .map(|(options, knowledge)| live(options.clone(), knowledge));
    let lives = join_all(lives);
    tokio::select! {
        () = lives => {}
        () = killed.notified() => {}
    }
}

/// Runs futures side by side on one task.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) {
    let mut futures: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut futures {
            if let Some(future) = slot
                && future.as_mut().poll(context).is_ready()
            {
                *slot = None;
            }
        }
        match futures.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

/// SplitMix64 of the cycle: the moment of each kill.
fn moment(seed: u64, cycle: u64) -> Duration {
    let mut z = seed.wrapping_add(cycle.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_micros(20_000 + (z ^ (z >> 31)) % 280_000)
}

#[test]
fn acknowledged_orders_survive_every_kill_and_none_is_doubled() {
    let cycles = std::env::var("KEEL_KILL_CYCLES").map_or(6, |text| text.parse().unwrap());
    let seed = std::process::id().into();
    println!("{cycles} kills, seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut known: Vec<Knowledge> = CLIENTS.iter().map(|_| Knowledge::default()).collect();
    for cycle in 0..cycles {
        let node = Node::serve(directory.path());
        let mut clients: Vec<_> = CLIENTS
            .iter()
            .zip(known)
            .map(|(name, knowledge)| (node.options(name), knowledge))
            .collect();
        let killed = Arc::new(Notify::new());
        let tell = Arc::clone(&killed);
        // Scoped, so that the node is killed even if a client's claim fails meanwhile.
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Not synchronisation but the fault itself: the moment of death.
                std::thread::sleep(moment(seed, cycle));
                node.kill();
                tell.notify_one();
            });
            runtime.block_on(load_until(killed, &mut clients));
        });
        known = clients
            .into_iter()
            .map(|(_, knowledge)| knowledge)
            .collect();
        let verify = run("verify", directory.path(), &[]);
        let code = verify.status.code().unwrap();
        let acknowledged: u64 = known.iter().map(|knowledge| knowledge.acknowledged).sum();
        assert!(
            code == 0 || code == 4,
            "verify after kill {cycle}: {verify:?}"
        );
        println!("kill {cycle}: verify {code}, {acknowledged} acknowledged so far");
    }
    let acknowledged: u64 = known.iter().map(|knowledge| knowledge.acknowledged).sum();
    assert!(acknowledged > cycles, "no load, no proof");

    // A last start settles the last doubts; then the journal alone must tell the same.
    let node = Node::serve(directory.path());
    for (name, knowledge) in CLIENTS.iter().zip(&mut known) {
        runtime.block_on(async {
            let (mut sender, mut receiver) = connect(&node.options(name)).await.unwrap();
            assert!(settle(&mut sender, &mut receiver, knowledge).await.is_ok());
            assert!(compare(&mut sender, &mut receiver, knowledge).await.is_ok());
            sender.close().await;
        });
    }
    assert!(node.stop().success());
    text(&run("verify", directory.path(), &[]));
    text(&run("replay", directory.path(), &["--signatures"]));
    let dumped = text(&run("dump", directory.path(), &["--orders"]));
    let resting: usize = known.iter().map(|knowledge| knowledge.resting.len()).sum();
    assert_eq!(dumped.lines().count(), resting);
}
