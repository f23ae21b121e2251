//! Broken and malicious clients against a real node while an honest one keeps trading: nothing of
//! theirs reaches the journal, no answer of the honest one is lost, and the stop is clean.
//!
//! The hostile ones speak raw QUIC and are told by a seed, which is printed when the test fails and
//! which `KEEL_HOSTILE_SEED` sets. `KEEL_HOSTILE_FRAMES` is how many frames they send.

#![allow(clippy::print_stdout)] // A row of the report of `cargo xtask limits`.
#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

mod common;

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use client::{FrameSigner, Message, ServerPin, quic_config};
use common::{Node, run, text};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use types::auth::{FrameKey, SigningKey};
use types::block::Entry;
use types::command::{CancelScope, OrderKind, Place, SelfTrade, Transfer};
use types::genesis::{Genesis, development};
use types::wire::orders::HEAD_LENGTH;
use types::wire::session::{EXPORTER_LABEL, Hello, SessionTerms, Welcome};
use types::wire::{Kind, PREFIX_LENGTH, split_message};
use types::*;
use zerocopy::IntoBytes as _;

const HONEST: &str = "dev-0";
const HOSTILE: &str = "dev-1";
/// Hostile connections at a time.
const HOSTILE_CLIENTS: u64 = 4;
/// Frames that a hostile client sends at once, at most, before it looks at the answers.
const BURST: u64 = 8;
/// Longer than any answer takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn hostile_clients_harm_nobody() {
    let seed = number("KEEL_HOSTILE_SEED").unwrap_or_else(|| std::process::id().into());
    let frames = number("KEEL_HOSTILE_FRAMES").unwrap_or(4_000);
    eprintln!("{frames} hostile frames, KEEL_HOSTILE_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let (data, limits) = (
        directory.path().join("data"),
        directory.path().join("limits"),
    );
    std::fs::write(&limits, UNSPARING).unwrap();
    let limits = limits.to_str().unwrap();
    let node = Node::serve_with(&data, &["--metrics", "127.0.0.1:0", "--limits", limits]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let acknowledged = runtime.block_on(async {
        let over = Cell::new(false);
        let attack = async {
            // What grows with use has grown by then.
            let first = (frames / 10).min(20_000);
            attack(&node, seed, first).await;
            let before = memory(&node);
            attack(&node, seed ^ 0x5eed, frames - first).await;
            over.set(true);
            memory(&node).saturating_sub(before)
        };
        tokio::join!(trade(&node, &over), attack)
    });
    let (acknowledged, grown) = acknowledged;
    println!(
        "| mutated frames beside one trader | {frames}, memory flat, he is always answered | {} KiB \
         more, {acknowledged} of his commands acknowledged | {} |",
        grown >> 10,
        if grown < growth_max(acknowledged) {
            "yes"
        } else {
            "**no**"
        }
    );
    assert!(grown < growth_max(acknowledged), "{grown} bytes");
    eprintln!("{acknowledged} honest commands were acknowledged meanwhile");
    assert!(node.stop().success());
    check_journal(&data, acknowledged);
}

/// All frames are read and refused: a node that spares itself would not look at most of them.
const UNSPARING: &str = "[commands]\nrefusals = { per_second = 1000000, burst = 1000000 }\n";

/// Of resident memory, by an attack of any length beside so many commands of the honest client: what
/// feeds keep of those is his, and bounded.
fn growth_max(honest_commands: u64) -> u64 {
    GROWTH_MAX + (honest_commands * KEPT_PER_COMMAND).min(KEPT_MAX)
}

const GROWTH_MAX: u64 = 32 << 20;
/// Bytes in the feeds, for readers who come back: an order, its trade and its end in five feeds.
const KEPT_PER_COMMAND: u64 = 1_024;
const KEPT_MAX: u64 = 320 << 20;

/// Resident bytes of the node.
fn memory(node: &Node) -> u64 {
    let server = node.ready["metrics"].as_str().unwrap();
    let mut stream = std::net::TcpStream::connect(server).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let name = "process_resident_memory_bytes ";
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().parse().unwrap()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

/// Trades until the attack is over: every frame is acknowledged, every command accepted. Returns how
/// many commands that were.
async fn trade(node: &Node, over: &Cell<bool>) -> u64 {
    let (mut sender, mut receiver) = client::connect(&node.options(HONEST)).await.unwrap();
    let mut acknowledged = 0;
    while !over.get() {
        let nonce = sender.queue_frame(&honest_commands());
        sender.flush().await.unwrap();
        let ack = loop {
            let next = tokio::time::timeout(PATIENCE, receiver.next()).await;
            match next.expect("an honest frame is answered").unwrap() {
                Message::Ack(ack) => break ack,
                Message::Fills(_) => {}
                other => panic!("an honest client hears {other:?}"),
            }
        };
        let ack = ack.view();
        assert_eq!((ack.nonce, ack.refused, ack.repeated), (nonce, None, false));
        assert!(ack.outcomes.iter().all(|o| o.reject_reason().is_none()));
        acknowledged += ack.outcomes.len() as u64;
    }
    sender.close().await;
    acknowledged
}

/// Rests, takes it, and cleans up.
fn honest_commands() -> [Command<'static>; 3] {
    [
        order(0, Side::Bid, 100),
        order(0, Side::Ask, 100),
        Command::CancelAll(CancelScope::EVERYTHING),
    ]
}

fn order(market: u16, side: Side, price: u64) -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(market),
        side,
        kind: OrderKind::GTC,
        price: Ticks::new(price),
        quantity: BaseLots::new(10),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

/// All hostile clients, to their end.
async fn attack(node: &Node, seed: u64, frames: u64) {
    let spam = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut random = Random(seed);
    for _ in 0..frames / 4 {
        let datagram = random.noise(1_400);
        spam.send_to(&datagram, node.address).unwrap();
    }
    let clients = (0..HOSTILE_CLIENTS).map(|number| Hostile::new(node, seed ^ (number + 1)));
    let mut attacks = tokio::task::JoinSet::new();
    for mut client in clients {
        let endpoint = client.endpoint.clone();
        attacks.spawn(async move {
            client.attack_openings(frames / HOSTILE_CLIENTS / 16).await;
            client.attack_sessions(frames / HOSTILE_CLIENTS).await;
            endpoint
        });
    }
    while let Some(ended) = attacks.join_next().await {
        ended.unwrap().close(0u32.into(), b"");
    }
}

/// One client that means harm.
struct Hostile {
    endpoint: Endpoint,
    config: ClientConfig,
    server: std::net::SocketAddr,
    random: Random,
}

/// A connection with its stream.
struct Opened {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Hostile {
    fn new(node: &Node, seed: u64) -> Self {
        Self {
            endpoint: Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap(),
            config: quic_config(&ServerPin::Development),
            server: node.address,
            random: Random(seed),
        }
    }

    async fn connect(&self) -> Opened {
        let config = self.config.clone();
        let connecting = self.endpoint.connect_with(config, self.server, "keel");
        let connection = connecting.unwrap().await.unwrap();
        let (send, receive) = connection.open_bi().await.unwrap();
        Opened {
            connection,
            send,
            receive,
        }
    }

    /// First messages that are none: no session may open.
    async fn attack_openings(&mut self, count: u64) {
        for _ in 0..count {
            let opened = self.connect().await;
            let mut first = opened.hello(HOSTILE);
            match self.random.below(4) {
                0 => self.random.flip_bits(&mut first),
                1 => first.truncate(self.random.below(first.len() as u64) as usize),
                2 => first = self.random.noise(300),
                // Signed for another connection.
                _ => {
                    first = Hello::new(None, &SigningKey::development(HOSTILE), &[7; 32])
                        .as_bytes()
                        .to_vec()
                }
            }
            opened.finish(&first).await;
        }
    }

    /// Sessions that open well and then send what must not be executed.
    async fn attack_sessions(&mut self, mut count: u64) {
        while count > 0 {
            let mut opened = self.connect().await;
            let hello = opened.hello(HOSTILE);
            opened.send.write_all(&hello).await.unwrap();
            let terms = opened.welcome().await;
            let burst = count.min(1 + self.random.below(BURST));
            let mut bytes = Vec::new();
            for _ in 0..burst {
                let (frame, is_cut) = self.frame(&terms);
                bytes.extend_from_slice(&frame);
                count -= 1;
                // Behind one that lacks its last byte, the next one's first byte is that byte once in
                // thousands of times, and makes it a good frame.
                if is_cut {
                    break;
                }
            }
            opened.finish(&bytes).await;
        }
    }

    /// A frame with something wrong with it, and whether that is that its end is missing.
    fn frame(&mut self, terms: &SessionTerms) -> (Vec<u8>, bool) {
        let mut frame = self.sign(terms, HOSTILE);
        let original = frame.clone();
        let wrong = self.random.below(9);
        match wrong {
            0..3 => self.random.flip_bits(&mut frame),
            3 => frame.truncate(self.random.below(frame.len() as u64) as usize),
            4 => frame = self.random.noise(300),
            // A length beyond the limit, or another version, or a body of noise.
            5 => frame[2] = 1 + self.random.below(255) as u8,
            6 => frame[5] = 2 + self.random.below(250) as u8,
            7 => self.random.fill(&mut frame[PREFIX_LENGTH..]),
            _ => frame = self.forge(terms),
        }
        assert_ne!(frame, original, "every frame has something wrong with it");
        (frame, wrong == 3)
    }

    /// A well-formed frame that is not for this session or not by its key.
    fn forge(&mut self, terms: &SessionTerms) -> Vec<u8> {
        let mut terms = *terms;
        match self.random.below(6) {
            0 => return self.sign(&terms, "dev-2"),
            1 => terms.network = NetworkId::new(2),
            2 => terms.genesis_hash = types::outcome::Digest::new([3; 32]),
            3 => terms.epoch = KeyEpoch::new(1),
            4 => terms.account = AccountId::new(0),
            // The signature of another frame.
            _ => {
                let mut frame = self.sign(&terms, HOSTILE);
                let other = self.sign(&terms, HOSTILE);
                let head = frame.len() - 64;
                frame[head..].copy_from_slice(&other[other.len() - 64..]);
                return frame;
            }
        }
        self.sign(&terms, HOSTILE)
    }

    /// A frame that would be executed, did nothing else happen to it.
    fn sign(&mut self, terms: &SessionTerms, key: &str) -> Vec<u8> {
        let theft = Command::Transfer(Transfer {
            to: AccountId::new(2),
            asset: AssetId::new(0),
            amount: Atoms::new(1),
        });
        let count = 1 + self.random.below(8) as usize;
        let commands: Vec<Command<'_>> = (0..count)
            .map(|index| match index % 2 {
                0 => order(1, Side::Bid, 1 + self.random.below(1_000)),
                _ => theft,
            })
            .collect();
        let nonce = Nonce::new(1 + self.random.below(1_000));
        let mut frame = Vec::new();
        let mut signer = FrameSigner::new(*terms, SigningKey::development(key));
        signer.sign(nonce, LogTime::ZERO, &commands, &mut frame);
        assert!(frame.len() > HEAD_LENGTH);
        frame
    }
}

impl Opened {
    fn hello(&self, key: &str) -> Vec<u8> {
        let mut exporter = [0; 32];
        self.connection
            .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
            .unwrap();
        let hello = Hello::new(None, &SigningKey::development(key), &exporter);
        hello.as_bytes().to_vec()
    }

    async fn welcome(&mut self) -> SessionTerms {
        let mut message = [0; size_of::<Welcome>()];
        let read = self.receive.read_exact(&mut message);
        let read = tokio::time::timeout(PATIENCE, read).await;
        read.expect("a session opens in time").unwrap();
        Welcome::parse(&message).unwrap()
    }

    /// Sends this, ends the stream, and expects refusals and then a close with a known reason.
    async fn finish(mut self, bytes: &[u8]) {
        // The node may have closed the connection at the first of these bytes.
        let _ = self.send.write_all(bytes).await;
        let _ = self.send.finish();
        let answers = tokio::time::timeout(PATIENCE, self.receive.read_to_end(1 << 20)).await;
        // A close may overtake the answers before it.
        let answers = answers
            .expect("it is answered or closed")
            .unwrap_or_default();
        let mut answers = BytesMut::from(answers.as_slice());
        while let Some((kind, _)) = split_message(&mut answers).unwrap() {
            assert_eq!(kind, Kind::Refused);
        }
        let closed = tokio::time::timeout(PATIENCE, self.connection.closed()).await;
        let close = match closed.expect("it is closed") {
            ConnectionError::ApplicationClosed(close) => close,
            // A client so busy that it missed the close hears that the node knows no more of it.
            ConnectionError::Reset => return,
            other => panic!("a hostile connection ended without a reason: {other}"),
        };
        let code = u16::try_from(close.error_code.into_inner()).unwrap();
        assert!(
            code == 0 || RejectReason::from_code(code).is_some(),
            "{code}"
        );
    }
}

/// The journal holds every acknowledged command of the honest client, and nothing else.
fn check_journal(directory: &Path, acknowledged: u64) {
    let genesis = development();
    let identity = store::Identity {
        network: genesis.network(),
        genesis_hash: genesis.hash(),
    };
    let mut reader = store::JournalReader::open(directory, &identity).unwrap();
    let mut commands = 0;
    while let Some(record) = reader.next_record().unwrap() {
        commands += honest_commands_in(&genesis, record.payload);
    }
    assert!(acknowledged > 0, "no trade, no proof");
    assert_eq!(commands, acknowledged);

    text(&run("verify", directory, &[]));
    text(&run("replay", directory, &["--signatures"]));
    let nonces = text(&run("dump", directory, &["--nonces"]));
    assert!(
        nonces.lines().count() == 1 && nonces.starts_with("0 0 "),
        "{nonces}"
    );
    assert_eq!(text(&run("dump", directory, &["--orders"])), "");
}

/// Commands in a record, all of which must be the honest client's.
fn honest_commands_in(genesis: &Genesis, payload: Vec<u8>) -> u64 {
    let frame_key = FrameKey::new(genesis.network(), genesis.hash());
    let mut entries = Vec::new();
    types::wire::payload::decode_entries(Bytes::from(payload), &frame_key, &mut entries).unwrap();
    let mut commands = 0;
    for entry in entries {
        if let Entry::Frame(sequenced) = entry {
            let frame = sequenced.frame.frame();
            assert_eq!(frame.header().account, AccountId::new(0));
            assert!(frame.commands().eq(honest_commands()));
            commands += u64::from(frame.count());
        }
    }
    commands
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next() as u8);
    }

    /// At least one byte.
    fn noise(&mut self, longest: u64) -> Vec<u8> {
        let mut bytes = vec![0; 1 + self.below(longest) as usize];
        self.fill(&mut bytes);
        bytes
    }

    /// Changes one to eight different bits.
    fn flip_bits(&mut self, bytes: &mut [u8]) {
        let count = 1 + self.below(8);
        let mut flipped = Vec::new();
        while (flipped.len() as u64) < count {
            let bit = self.below(bytes.len() as u64 * 8) as usize;
            if !flipped.contains(&bit) {
                flipped.push(bit);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
