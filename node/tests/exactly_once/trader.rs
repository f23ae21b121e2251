//! A trader's side: a process that sends what it is told to, again and again, until it is answered.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::ops::ControlFlow;

use client::{
    AckMessage, ConnectError, FrameSigner, Message, Receiver, Sender, SessionError, connect,
};
use tokio::sync::mpsc;
use types::command::Transfer;
use types::{AccountId, AssetId, Atoms, Command, LogTime, Nonce, SequenceNumber};

use crate::common::options;
use crate::lines::{Order, Report, Tally};
use crate::{COMMANDS_PER_FRAME, KEY, Random};

/// One atom to `dev-1`: what arrives there is how often that was executed.
const COMMAND: Command<'static> = Command::Transfer(Transfer {
    to: AccountId::new(1),
    asset: AssetId::new(2),
    amount: Atoms::new(1),
});

/// Trades until the end of standard input.
pub(crate) fn trade(server: SocketAddr, seed: u64) {
    // The harness may have begun a line.
    say("");
    let (read, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let _ = read.send(Order::parse(&line.unwrap()));
        }
    });
    let trader = Trader {
        server,
        random: Random(seed),
        orders,
        starts: 1,
        waiting: Vec::new(),
        open: BTreeMap::new(),
        executed: BTreeMap::new(),
        is_refused: false,
        tally: Tally::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let tally = runtime.unwrap().block_on(trader.live());
    say(&Report::Ended(tally).line());
}

/// Past the harness, which would keep what a test prints.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}

struct Trader {
    server: SocketAddr,
    random: Random,
    orders: mpsc::UnboundedReceiver<Order>,
    /// How many times the node was started, as far as is known here.
    starts: u64,
    /// Nonces that were not sent yet.
    waiting: Vec<Nonce>,
    /// Frames that are not answered yet.
    open: BTreeMap<Nonce, Vec<u8>>,
    /// Where each frame was executed.
    executed: BTreeMap<Nonce, SequenceNumber>,
    /// Whether any was refused since they were last sent.
    is_refused: bool,
    tally: Tally,
}

impl Trader {
    async fn live(mut self) -> Tally {
        loop {
            // Whoever asks for a connection now gets one to a node that was started so often.
            let starts = self.starts;
            match self.connect().await {
                ControlFlow::Break(()) => return self.tally,
                // The node is being started again.
                ControlFlow::Continue(Err(_)) => tokio::task::yield_now().await,
                ControlFlow::Continue(Ok((sender, receiver))) => {
                    self.tally.connections += 1;
                    say(&Report::Connected(starts).line());
                    // Lost, or given up on purpose.
                    let conversation = self.converse(sender, receiver).await;
                    if let Ok(ControlFlow::Break(())) = conversation {
                        return self.tally;
                    }
                }
            }
        }
    }

    /// A connection, or none when another start of the node makes the attempt a stale one. `Break`:
    /// all is done.
    async fn connect(
        &mut self,
    ) -> ControlFlow<(), Result<(Sender, Receiver), Option<ConnectError>>> {
        let wanted = options(self.server, KEY);
        let connecting = connect(&wanted);
        let mut connecting = std::pin::pin!(connecting);
        let starts = self.starts;
        while self.starts == starts {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.take(order),
                    None => return ControlFlow::Break(()),
                },
                connected = &mut connecting => {
                    return ControlFlow::Continue(connected.map_err(Some));
                }
            }
        }
        ControlFlow::Continue(Err(None))
    }

    /// Until the connection is lost, given up, or belongs to a dead node. `Break`: all is done.
    async fn converse(
        &mut self,
        mut sender: Sender,
        mut receiver: Receiver,
    ) -> Result<ControlFlow<()>, SessionError> {
        let mut signer = FrameSigner::new(*sender.terms(), options(self.server, KEY).key);
        self.send_again(&mut sender, 100);
        let starts = self.starts;
        while self.starts == starts {
            self.send_new(&mut sender, &mut signer);
            // What was refused for now has no other answer to come.
            let refused = std::mem::take(&mut self.is_refused);
            self.send_again(&mut sender, if refused { 100 } else { 5 });
            sender.flush().await?;
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.take(order),
                    None => return Ok(ControlFlow::Break(())),
                },
                message = receiver.next() => self.hear(&message?),
            }
            while let Some(message) = receiver.try_next() {
                self.hear(&message?);
            }
            while let Ok(order) = self.orders.try_recv() {
                self.take(order);
            }
            if self.random.below(200) == 0 {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Send(nonce) => self.waiting.push(nonce),
            Order::Started(starts) => self.starts = starts,
        }
    }

    /// New frames, in any order.
    fn send_new(&mut self, sender: &mut Sender, signer: &mut FrameSigner) {
        while !self.waiting.is_empty() {
            let at = self.random.below(self.waiting.len() as u64) as usize;
            let nonce = self.waiting.swap_remove(at);
            let commands = [COMMAND; COMMANDS_PER_FRAME as usize];
            let mut frame = Vec::new();
            signer.sign(nonce, LogTime::ZERO, &commands, &mut frame);
            sender.queue_bytes(&frame);
            self.open.insert(nonce, frame);
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
        if self.open.remove(&nonce).is_some() {
            assert_eq!(ack.refused, None, "nonce {nonce}");
            self.executed.insert(nonce, ack.first_sequence);
            say(&Report::Done(nonce, ack.first_sequence).line());
        }
        // One that was answered before may have left the window since.
        if ack.refused.is_none() {
            assert_eq!(ack.first_sequence, self.executed[&nonce], "nonce {nonce}");
            assert_eq!(ack.outcomes.len() as u64, COMMANDS_PER_FRAME);
            let mut outcomes = ack.outcomes.iter();
            assert!(outcomes.all(|outcome| outcome.reject_reason().is_none()));
        }
    }
}
