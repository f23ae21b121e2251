//! Many connections on one key: sixteen traders, each with a runtime and a socket of its own, share the
//! nonces of one key, send in any order, send again at random, lose their connections and their node,
//! and every frame executes once.
//!
//! `KEEL_STORM_COMMANDS` sets how many commands are sent (CI sends 64,000, `cargo xtask storm` a
//! million); the seed is printed, and `KEEL_STORM_SEED` sets it.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use client::{AckMessage, FrameSigner, Message, Receiver, Sender, SessionError, connect};
use common::{Node, options, run, serving, text};
use tokio::sync::Notify;
use types::command::Transfer;
use types::{AccountId, AssetId, Atoms, Command, LogTime, Nonce};

const TRADERS: u64 = 16;
/// The key that they share.
const KEY: &str = "dev-0";
const COMMANDS_PER_FRAME: u64 = 64;
/// Frames that one trader has under way.
const OPEN_EACH: usize = 16;
/// How far the nonces under way may lie apart: the window of a key is 1,024.
const SPREAD: u64 = 900;
const KILLS: u64 = 4;

/// One atom to `dev-1`: what arrives there is how often that was executed.
const COMMAND: Command<'static> = Command::Transfer(Transfer {
    to: AccountId::new(1),
    asset: AssetId::new(2),
    amount: Atoms::new(1),
});

/// What the traders share: which nonces are theirs to use.
struct Nonces {
    state: Mutex<NonceState>,
    /// Somebody may take another nonce.
    freed: Notify,
    /// Some frames are done.
    done: Condvar,
}

struct NonceState {
    next: u64,
    end: u64,
    open: BTreeSet<u64>,
    done: u64,
}

impl Nonces {
    fn new(frames: u64) -> Self {
        Self {
            state: Mutex::new(NonceState {
                next: 1,
                end: frames + 1,
                open: BTreeSet::new(),
                done: 0,
            }),
            freed: Notify::new(),
            done: Condvar::new(),
        }
    }

    fn take(&self) -> Option<Nonce> {
        let mut state = self.state.lock().unwrap();
        let lowest = state.open.first().copied().unwrap_or(state.next);
        if state.next == state.end || state.next >= lowest + SPREAD {
            return None;
        }
        let nonce = state.next;
        state.next += 1;
        state.open.insert(nonce);
        Some(Nonce::new(nonce))
    }

    fn is_exhausted(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.next == state.end
    }

    fn finish(&self, nonce: Nonce) {
        let mut state = self.state.lock().unwrap();
        assert!(state.open.remove(&nonce.get()));
        state.done += 1;
        self.freed.notify_waiters();
        self.done.notify_all();
    }

    /// Waits until so many frames are done.
    fn wait_for(&self, frames: u64) {
        let state = self.state.lock().unwrap();
        let waiting = self.done.wait_while(state, |state| state.done < frames);
        drop(waiting.unwrap());
    }
}

/// What became of all of it.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    sent_again: u64,
    repeated: u64,
    refused_for_now: u64,
    connections: u64,
}

struct Trader {
    nonces: Arc<Nonces>,
    server: SocketAddr,
    random: Random,
    /// Frames that are not answered yet.
    open: BTreeMap<Nonce, Vec<u8>>,
    /// Whether any was refused since they were last sent.
    is_refused: bool,
    tally: Tally,
}

impl Trader {
    async fn trade(mut self) -> Tally {
        while !(self.open.is_empty() && self.nonces.is_exhausted()) {
            let Ok((sender, receiver)) = connect(&options(self.server, KEY)).await else {
                // The node is being started again.
                tokio::task::yield_now().await;
                continue;
            };
            self.tally.connections += 1;
            // The connection was lost, or given up on purpose.
            let _ = self.converse(sender, receiver).await;
        }
        self.tally
    }

    async fn converse(
        &mut self,
        mut sender: Sender,
        mut receiver: Receiver,
    ) -> Result<(), SessionError> {
        let mut signer = FrameSigner::new(*sender.terms(), options(self.server, KEY).key);
        self.send_again(&mut sender, 100);
        loop {
            self.send_new(&mut sender, &mut signer);
            // What was refused for now has no other answer to come.
            let refused = std::mem::take(&mut self.is_refused);
            self.send_again(&mut sender, if refused { 100 } else { 5 });
            sender.flush().await?;
            if self.open.is_empty() {
                if self.nonces.is_exhausted() {
                    return Ok(());
                }
                let mut freed = std::pin::pin!(self.nonces.freed.notified());
                freed.as_mut().enable();
                if self.nonces.take_is_hopeless() {
                    freed.await;
                }
                continue;
            }
            let message = receiver.next().await?;
            self.hear(&message);
            while let Some(message) = receiver.try_next() {
                self.hear(&message?);
            }
            if self.random.below(200) == 0 {
                return Ok(());
            }
        }
    }

    /// New frames, in any order.
    fn send_new(&mut self, sender: &mut Sender, signer: &mut FrameSigner) {
        let mut batch = Vec::new();
        while self.open.len() < OPEN_EACH
            && let Some(nonce) = self.nonces.take()
        {
            let commands = [COMMAND; COMMANDS_PER_FRAME as usize];
            let mut frame = Vec::new();
            signer.sign(nonce, LogTime::ZERO, &commands, &mut frame);
            self.open.insert(nonce, frame.clone());
            batch.push(frame);
        }
        while !batch.is_empty() {
            let at = self.random.below(batch.len() as u64) as usize;
            sender.queue_bytes(&batch.swap_remove(at));
            self.tally.sent += 1;
        }
    }

    /// Each open frame with this chance in a hundred.
    fn send_again(&mut self, sender: &mut Sender, percent: u64) {
        for frame in self.open.values() {
            if self.random.below(100) < percent {
                sender.queue_bytes(frame);
                self.tally.sent_again += 1;
            }
        }
    }

    fn hear(&mut self, message: &Message) {
        match message {
            Message::Ack(ack) => self.acknowledged(ack),
            Message::Refused { nonce, reason } => {
                assert!(reason.is_transient(), "{nonce}: {reason}");
                self.tally.refused_for_now += 1;
                self.is_refused = true;
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, ack: &AckMessage) {
        let nonce = ack.nonce();
        let ack = ack.view();
        self.tally.repeated += u64::from(ack.repeated);
        // One that was answered before may have left the window since.
        if self.open.remove(&nonce).is_some() {
            assert_eq!(ack.refused, None, "nonce {nonce}");
            let mut outcomes = ack.outcomes.iter();
            assert!(outcomes.all(|outcome| outcome.reject_reason().is_none()));
            self.nonces.finish(nonce);
        }
    }
}

impl Nonces {
    /// Whether nobody may take a nonce until another one is done.
    fn take_is_hopeless(&self) -> bool {
        let state = self.state.lock().unwrap();
        let lowest = state.open.first().copied().unwrap_or(state.next);
        state.next < state.end && state.next >= lowest + SPREAD
    }
}

#[test]
fn sixteen_connections_on_one_key_execute_every_frame_once() {
    let commands = number("KEEL_STORM_COMMANDS").unwrap_or(64_000);
    let seed = number("KEEL_STORM_SEED").unwrap_or_else(|| std::process::id().into());
    println!("{commands} commands, KEEL_STORM_SEED={seed}");
    let frames = commands / COMMANDS_PER_FRAME;
    let directory = tempfile::tempdir().unwrap();
    let mut node = Node::serve(directory.path());
    let server = node.address;
    let nonces = Arc::new(Nonces::new(frames));
    let traders: Vec<_> = (0..TRADERS)
        .map(|number| {
            let trader = Trader {
                nonces: Arc::clone(&nonces),
                server,
                random: Random(seed.wrapping_mul(TRADERS) + number),
                open: BTreeMap::new(),
                is_refused: false,
                tally: Tally::default(),
            };
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                runtime.block_on(trader.trade())
            })
        })
        .collect();
    for kill in 1..=KILLS {
        nonces.wait_for(kill * frames / (KILLS + 1));
        node.kill();
        node = serve_there(directory.path(), server);
    }
    let mut all = Tally::default();
    for trader in traders {
        let tally = trader.join().unwrap();
        all.sent += tally.sent;
        all.sent_again += tally.sent_again;
        all.repeated += tally.repeated;
        all.refused_for_now += tally.refused_for_now;
        all.connections += tally.connections;
    }
    println!("{frames} frames: {all:?}");
    assert_eq!(all.sent, frames);
    assert!(frames / 10 < all.sent_again && 0 < all.repeated && TRADERS < all.connections);
    assert!(node.stop().success());
    check(directory.path(), frames);
}

/// A trillion USD in atoms, and what came to it.
fn check(directory: &Path, frames: u64) {
    text(&run("verify", directory, &[]));
    text(&run("replay", directory, &["--signatures"]));
    let balances = text(&run("dump", directory, &["--balances"]));
    let received = balances.lines().find(|line| line.starts_with("1 USD "));
    let received: Vec<&str> = received.unwrap().split(' ').collect();
    let atoms = 1_000_000_000_000 * 100_000_000_u128 + u128::from(frames * COMMANDS_PER_FRAME);
    assert_eq!(received[2], types::decimal::format(atoms, 8));
}

fn serve_there(directory: &Path, address: SocketAddr) -> Node {
    let command = serving(&[], directory, &address.to_string(), &[]);
    Node::start(command).unwrap()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
