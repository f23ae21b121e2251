//! A node around the gateway: its thread, real sockets, and a fake engine that gives every frame a
//! place and an answer. Also what the tests say to it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use client::{
    AckMessage, ConnectOptions, Message, Receiver, Sender, ServerPin, SessionError, SignatureMode,
};
use crossbeam_utils::CachePadded;
use gateway::counters::GatewayCounters;
use gateway::{
    AnswerBook, FeedDelivery, FeedPorts, FeedRequest, Gateway, GatewayConfig, GatewayHandle,
    GatewaySetup, Identity, KeyDirectory, Ports, QueryReply, QueryRequest, SignatureWorker, Wake,
    Weights,
};
use rtrb::{Consumer, Producer, RingBuffer};
use tokio::sync::Notify;
use types::auth::{FrameKey, SigningKey};
use types::block::{ReleasedBlock, SequencedFrame};
use types::command::{Immediate, MarketStatus, OrderKind, Place, SelfTrade, SetMarketStatus};
use types::genesis::{Genesis, development};
use types::outcome::{
    Digest, Done, DoneReason, EventRecord, Fill, FrameReceipt, FrameVerdict, Party, Receipt,
    Reduced, RestingTaker, StatusChanged, Triggered,
};
use types::wire::Kind;
use types::wire::query::{
    BalanceRecord, MarketState, MarketStateRecord, Question, Reference, encode_reply,
};
use types::*;

/// A gateway on its own thread and a fake engine on another.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) genesis: Genesis,
    handle: Option<GatewayHandle>,
    gateway: Option<JoinHandle<()>>,
    engine: Option<JoinHandle<()>>,
    control: Arc<Control>,
    pub(crate) counters: Arc<CachePadded<GatewayCounters>>,
    feeds: Option<FakeFeeds>,
}

/// What makes the feeds, in a test's hands.
pub(crate) struct FakeFeeds {
    pub(crate) requests: Consumer<FeedRequest>,
    deliveries: Producer<FeedDelivery>,
    wake: Arc<Notify>,
}

impl FakeFeeds {
    fn new(wake: &Arc<Notify>) -> (FeedPorts, Self) {
        let (to_feeds, requests) = RingBuffer::new(8);
        let (deliver, deliveries) = RingBuffer::new(4_096);
        let ports = FeedPorts {
            requests: to_feeds,
            deliveries,
            wake: Wake::new(|| ()),
        };
        let feeds = Self {
            requests,
            deliveries: deliver,
            wake: Arc::clone(wake),
        };
        (ports, feeds)
    }

    /// The next request, once it is there.
    pub(crate) async fn request(&mut self) -> FeedRequest {
        let mut tries = 0;
        loop {
            if let Ok(request) = self.requests.pop() {
                return request;
            }
            tries += 1;
            assert!(tries < 8_000, "a request comes in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn deliver(&mut self, delivery: FeedDelivery) {
        self.deliveries.push(delivery).expect("there is room");
        self.wake.notify_one();
    }
}

#[derive(Default)]
struct Control {
    held: AtomicBool,
    stopped: AtomicBool,
}

/// Resting orders of everybody's counterparty.
pub(crate) const MAKER: AccountId = AccountId::new(1);

impl Node {
    pub(crate) fn start() -> Self {
        Self::start_with(GatewayConfig::default(), 1_024)
    }

    /// With these limits, and so much room between gateway and signature worker.
    pub(crate) fn start_with(config: GatewayConfig, unverified_max: usize) -> Self {
        Self::start_weighted(config, unverified_max, Weights::default())
    }

    /// And with accounts that may send more than others.
    pub(crate) fn start_weighted(
        config: GatewayConfig,
        unverified_max: usize,
        weights: Weights,
    ) -> Self {
        let genesis = development();
        let (to_verify, unverified) = RingBuffer::new(unverified_max);
        let (to_sequencer, verified) = RingBuffer::new(1_024);
        let (to_gateway, rejected) = RingBuffer::new(1_024);
        let (_, refused) = RingBuffer::new(1);
        let (release, released) = RingBuffer::new(1_024);
        let (silences, silent) = RingBuffer::new(16);
        let (to_queries, questions) = RingBuffer::new(4);
        let (replies, query_replies) = RingBuffer::new(16);
        let wake = Arc::new(Notify::new());
        let (feed_ports, feeds) = FakeFeeds::new(&wake);
        let control = Arc::new(Control::default());
        let frame_key = FrameKey::new(genesis.network(), genesis.hash());
        let engine = FakeEngine {
            worker: SignatureWorker::new(unverified, to_sequencer, to_gateway, frame_key),
            verified,
            release,
            _silent: silent,
            questions,
            replies,
            wake: Arc::clone(&wake),
            control: Arc::clone(&control),
            last_sequence: SequenceNumber::ZERO,
            executed: BTreeMap::new(),
        };
        let engine = std::thread::spawn(move || engine.run());
        let unpark = {
            let thread = engine.thread().clone();
            Wake::new(move || thread.unpark())
        };
        let ports = Ports {
            to_verify,
            wake_verifier: unpark.clone(),
            rejected,
            refused,
            released,
            wake_pipeline: unpark.clone(),
            silences,
            to_queries,
            wake_queries: unpark,
            query_replies,
            feeds: feed_ports,
            wake,
        };
        let setup = GatewaySetup {
            config,
            identity: Identity::development(),
            network: genesis.network(),
            genesis_hash: genesis.hash(),
            reference: Reference::of(&genesis),
            directory: KeyDirectory::of(&genesis),
            policies: Vec::new(),
            answers: AnswerBook::new(),
            weights,
        };
        let (gateway, handle) = Gateway::new(setup, ports);
        let counters = gateway.counters();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let gateway = std::thread::spawn(move || serve(gateway, socket));
        Self {
            address,
            genesis,
            handle: Some(handle),
            gateway: Some(gateway),
            engine: Some(engine),
            control,
            counters,
            feeds: Some(feeds),
        }
    }

    /// The other end of the feeds' rings.
    pub(crate) fn feeds(&mut self) -> FakeFeeds {
        self.feeds.take().expect("taken once")
    }

    /// From now on the engine takes nothing out of its rings, ...
    pub(crate) fn hold_engine(&self) {
        self.control.held.store(true, Ordering::SeqCst);
    }

    /// ... until now.
    pub(crate) fn resume_engine(&self) {
        self.control.held.store(false, Ordering::SeqCst);
        self.engine.as_ref().unwrap().thread().unpark();
    }

    pub(crate) fn drain(&self) {
        self.handle.as_ref().unwrap().drain();
    }

    /// Closes the gateway and waits for its end.
    pub(crate) fn close(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.close();
        }
        if let Some(gateway) = self.gateway.take() {
            gateway.join().expect("the gateway never panics");
        }
    }

    pub(crate) fn options(&self, key: &str) -> ConnectOptions {
        ConnectOptions {
            server: self.address,
            pin: ServerPin::Development,
            network: Some(NetworkId::DEVELOPMENT),
            key: SigningKey::development(key),
            signatures: SignatureMode::Frame,
            keep_alive: client::KEEP_ALIVE,
            receipts: false,
        }
    }

    pub(crate) async fn connect(&self, key: &str) -> Session {
        let (sender, receiver) = client::connect(&self.options(key)).await.unwrap();
        Session { sender, receiver }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.control.stopped.store(true, Ordering::SeqCst);
        if let Some(engine) = self.engine.take() {
            engine.thread().unpark();
            let ended = engine.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
        // Without its handle the gateway closes by itself. Nobody waits for it: it gives clients
        // time to say farewell, but theirs is over, for they share this thread.
    }
}

fn serve(gateway: Gateway, socket: UdpSocket) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(gateway.serve(socket)).unwrap();
}

/// One side of a session, with deadlines so that a failing test ends.
pub(crate) struct Session {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

impl Session {
    pub(crate) async fn next(&mut self) -> Result<Message, SessionError> {
        let next = tokio::time::timeout(Duration::from_secs(8), self.receiver.next());
        next.await.expect("the server answers in time")
    }

    pub(crate) async fn ack(&mut self) -> AckMessage {
        match self.next().await {
            Ok(Message::Ack(ack)) => ack,
            other => panic!("expected an ack, not {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, commands: &[Command<'_>]) -> Nonce {
        let nonce = self.sender.queue_frame(commands);
        self.sender.flush().await.unwrap();
        nonce
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.sender.queue_bytes(bytes);
        self.sender.flush().await.unwrap();
    }

    /// One frame there and its ack back.
    pub(crate) async fn trades(&mut self) {
        let nonce = self.send(&[place(5, 1)]).await;
        let ack = self.ack().await;
        assert_eq!(ack.nonce(), nonce);
        assert_eq!(ack.view().refused, None);
    }

    pub(crate) async fn refused(&mut self, nonce: Nonce, reason: RejectReason) {
        assert_eq!(self.next().await, Ok(Message::Refused { nonce, reason }));
    }

    pub(crate) async fn closed(&mut self, reason: RejectReason) {
        assert_eq!(self.next().await, Err(SessionError::Closed { reason }));
    }

    /// A signed frame that is not sent.
    pub(crate) fn frame(&self, nonce: u64, commands: &[Command<'_>]) -> Vec<u8> {
        sign(&self.sender, "dev-0", nonce, commands)
    }
}

/// A frame of the session's terms with this key's signature.
pub(crate) fn sign(sender: &Sender, key: &str, nonce: u64, commands: &[Command<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut signer = client::FrameSigner::new(*sender.terms(), SigningKey::development(key));
    signer.sign(Nonce::new(nonce), LogTime::ZERO, commands, &mut bytes);
    bytes
}

/// An ask rests; a price of zero is rejected.
pub(crate) fn place(price: u64, label: u64) -> Command<'static> {
    order(Side::Ask, price, label)
}

/// A bid trades at once with an order of [`MAKER`].
pub(crate) fn take(price: u64, label: u64) -> Command<'static> {
    order(Side::Bid, price, label)
}

fn order(side: Side, price: u64, label: u64) -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(0),
        side,
        kind: OrderKind::GTC,
        price: Ticks::new(price),
        quantity: BaseLots::new(10),
        client_order_id: ClientOrderId::new(label),
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

/// A market order that meets all kinds of orders of [`MAKER`]: one has expired, one shrinks and one
/// ends because they are of the taker's group, one trades, and that sets off another, which does
/// not fill. What is left of the market order ends too.
pub(crate) fn sweep(self_trade: SelfTrade) -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(0),
        side: Side::Bid,
        kind: OrderKind::Market(Immediate::OrCancel),
        price: Ticks::new(5),
        quantity: BaseLots::new(10),
        client_order_id: ClientOrderId::NONE,
        self_trade,
        trigger: None,
    })
}

/// Ends an auction, in which an order of [`MAKER`] meets a later one of the account before it.
pub(crate) const OPEN: Command<'static> = Command::SetMarketStatus(SetMarketStatus {
    market: MarketId::new(0),
    status: MarketStatus::Open,
});

/// What the fake read model says of the only market.
pub(crate) const MARKET: MarketState = MarketState {
    market: MarketId::new(0),
    status: MarketStatus::PostOnly,
    last: Some(Ticks::new(5)),
    indicative: None,
};

/// Signature worker, sequencer, engine, release gate and read model in one thread.
struct FakeEngine {
    worker: SignatureWorker,
    verified: Consumer<SequencedFrame>,
    release: Producer<Arc<ReleasedBlock>>,
    _silent: Consumer<KeyId>,
    questions: Consumer<QueryRequest>,
    replies: Producer<QueryReply>,
    wake: Arc<Notify>,
    control: Arc<Control>,
    last_sequence: SequenceNumber,
    executed: BTreeMap<(KeyId, Nonce), (Digest, SequenceNumber)>,
}

impl FakeEngine {
    fn run(mut self) {
        while !self.control.stopped.load(Ordering::SeqCst) {
            let held = self.control.held.load(Ordering::SeqCst);
            if held || !self.turn() {
                std::thread::park();
            }
        }
    }

    /// Does all there is to do; whether that was anything.
    fn turn(&mut self) -> bool {
        let progress = self.worker.run_once();
        let mut block = ReleasedBlock::default();
        while let Ok(sequenced) = self.verified.pop() {
            self.execute(&sequenced, &mut block);
        }
        if !block.outcome.frames.is_empty() {
            block.outcome.last_sequence = self.last_sequence;
            self.release.push(Arc::new(block)).expect("a large ring");
        }
        let mut answered = false;
        while let Ok(question) = self.questions.pop() {
            self.answer(&question);
            answered = true;
        }
        let busy = !progress.is_idle() || answered;
        if busy {
            self.wake.notify_one();
        }
        busy
    }

    fn execute(&mut self, sequenced: &SequencedFrame, block: &mut ReleasedBlock) {
        let frame = sequenced.frame.frame();
        let header = frame.header();
        let digest = *sequenced.frame.digest();
        let first_sequence = self.last_sequence.next();
        let slot = (header.key, header.nonce);
        let verdict = match self.executed.get(&slot) {
            None => FrameVerdict::Executed,
            Some((first, first_sequence)) if *first == digest => FrameVerdict::Repeated {
                first_sequence: *first_sequence,
            },
            Some(_) => FrameVerdict::Refused(RejectReason::NonceReused),
        };
        block.outcome.frames.push(FrameReceipt {
            account: header.account,
            key: header.key,
            nonce: header.nonce,
            first_sequence,
            count: frame.count(),
            verdict,
        });
        block.origins.push(sequenced.origin);
        self.last_sequence = self.last_sequence.advance(u64::from(frame.count()));
        if verdict == FrameVerdict::Executed {
            self.executed.insert(slot, (digest, first_sequence));
            let sequences = (0..).map(|index| first_sequence.advance(index));
            for (command, sequence) in frame.commands().zip(sequences) {
                apply(&command, header.account, sequence, block);
            }
        }
        let received_at = sequenced.origin.unwrap().received_at;
        block.sequenced_at = received_at + 1_000;
        block.executed_at = received_at + 2_000;
        block.durable_at = received_at + 3_000;
    }

    fn answer(&mut self, question: &QueryRequest) {
        let (request, sequence) = (question.request, self.last_sequence);
        let mut message = Vec::new();
        match question.question {
            Question::Balances => {
                let free = Atoms::new(u128::from(question.account.get()));
                let records = [BalanceRecord::new(AssetId::new(0), free, Atoms::ZERO)];
                encode_reply(Kind::Balances, request, sequence, &records, &mut message);
            }
            Question::Markets => {
                let records = [MarketStateRecord::from(&MARKET)];
                encode_reply(
                    Kind::MarketStates,
                    request,
                    sequence,
                    &records,
                    &mut message,
                );
            }
            other => panic!("{other:?} is not for the read model"),
        }
        let session = question.session;
        let pushed = self.replies.push(QueryReply { session, message });
        pushed.expect("a session has few questions open");
    }
}

fn apply(
    command: &Command<'_>,
    account: AccountId,
    sequence: SequenceNumber,
    block: &mut ReleasedBlock,
) {
    let outcome = &mut block.outcome;
    let receipt = match command {
        Command::Place(place) if place.price.is_zero() => {
            Receipt::rejected(sequence, RejectReason::ZeroPrice)
        }
        Command::Place(place) if place.kind.resting().is_none() => {
            outcome.events.extend(swept(place, account, sequence));
            Receipt::accepted(sequence, 1, FILLED)
        }
        Command::Place(place) if place.side == Side::Bid => {
            let fill = fill(place, account, sequence, place.quantity);
            outcome.events.push(EventRecord::from(&fill));
            Receipt::accepted(sequence, 1, place.quantity)
        }
        Command::Place(_) => Receipt::accepted(sequence, 0, BaseLots::ZERO),
        Command::CancelAll(_) => {
            let cancelled = done(DoneReason::Cancelled, resting(account, 9), sequence);
            outcome.events.push(EventRecord::from(&cancelled));
            Receipt::accepted(sequence, 1, BaseLots::ZERO)
        }
        Command::SetMarketStatus(set) => {
            outcome.events.extend(uncrossed(set, account, sequence));
            Receipt::accepted(sequence, 1, BaseLots::ZERO)
        }
        _ => Receipt::rejected(sequence, RejectReason::OrderNotFound),
    };
    outcome.receipts.push(receipt);
}

/// What of a market order trades.
const FILLED: BaseLots = BaseLots::new(4);

/// What a market order does: see [`sweep`].
fn swept(place: &Place, account: AccountId, sequence: SequenceNumber) -> [EventRecord; 7] {
    let end = match place.self_trade {
        SelfTrade::CancelTaker => DoneReason::SelfTrade,
        _ => DoneReason::Unfilled,
    };
    let taker = taker(place, account, sequence);
    let reduced = Reduced {
        sequence,
        market: place.market,
        side: Side::Ask,
        reason: DoneReason::SelfTrade,
        price: place.price,
        by: BaseLots::new(1),
        remaining: BaseLots::new(2),
        owner: resting(MAKER, 2),
    };
    let triggered = Triggered {
        sequence,
        market: place.market,
        side: Side::Ask,
        price: place.price,
        quantity: BaseLots::new(7),
        owner: resting(MAKER, 4),
    };
    [
        (&done(DoneReason::Expired, resting(MAKER, 1), sequence)).into(),
        (&reduced).into(),
        (&done(DoneReason::SelfTrade, resting(MAKER, 3), sequence)).into(),
        (&fill(place, account, sequence, FILLED)).into(),
        (&done(end, taker, sequence)).into(),
        (&triggered).into(),
        (&done(DoneReason::Unfilled, resting(MAKER, 4), sequence)).into(),
    ]
}

/// What the end of an auction does: see [`OPEN`].
fn uncrossed(
    set: &SetMarketStatus,
    operator: AccountId,
    sequence: SequenceNumber,
) -> [EventRecord; 2] {
    let taker = AccountId::new(operator.get() - 1);
    let fill = Fill {
        sequence,
        market: set.market,
        taker_side: Side::Bid,
        price: Ticks::new(5),
        quantity: FILLED,
        maker: resting(MAKER, 1),
        taker: resting(taker, 2),
        maker_remaining: BaseLots::ZERO,
        maker_refreshed: false,
        auction: Some(RestingTaker {
            remaining: BaseLots::new(3),
            refreshed: false,
        }),
        maker_fee: 1,
        taker_fee: Atoms::new(2),
    };
    let changed = StatusChanged {
        sequence,
        market: set.market,
        status: set.status,
    };
    [(&fill).into(), (&changed).into()]
}

/// An order that was there before all commands.
fn resting(account: AccountId, index: u64) -> Party {
    Party {
        account,
        order_id: OrderId::new_at(SequenceNumber::ZERO, MarketId::new(0), index),
        client_order_id: ClientOrderId::new(index),
    }
}

fn taker(place: &Place, account: AccountId, sequence: SequenceNumber) -> Party {
    Party {
        account,
        order_id: OrderId::new_at(sequence, place.market, 0),
        client_order_id: place.client_order_id,
    }
}

fn fill(place: &Place, account: AccountId, sequence: SequenceNumber, quantity: BaseLots) -> Fill {
    Fill {
        sequence,
        market: place.market,
        taker_side: place.side,
        price: place.price,
        quantity,
        maker: resting(MAKER, 0),
        taker: taker(place, account, sequence),
        maker_remaining: BaseLots::new(3),
        maker_refreshed: false,
        auction: None,
        maker_fee: -1,
        taker_fee: Atoms::new(2),
    }
}

fn done(reason: DoneReason, owner: Party, sequence: SequenceNumber) -> Done {
    Done {
        sequence,
        market: MarketId::new(0),
        side: Side::Ask,
        reason,
        price: Ticks::new(5),
        remaining: BaseLots::new(6),
        owner,
        held: true,
    }
}
