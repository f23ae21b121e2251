//! One hot function at a time, for a counter of instructions: `instructions NAME` prepares, then calls
//! what is named from within [`measured`] and prints how many units that was. Without a name it lists
//! all. `cargo xtask instructions` runs it under callgrind and compares with
//! `benches/instructions.toml`.
//!
//! Everything is the same in every run: seeds, hash seeds, and the entropy of batch verification, which
//! is none here. Nothing of it is a clock.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // A command-line tool reports on standard output.

use std::convert::Infallible;
use std::hint::black_box;
use std::process::ExitCode;

use benches::matching::keel::KeelBook;
use benches::matching::{Random, Tally};
use benches::{BLOCK_FRAMES, FRAME, Stream, seal};
use client::FrameSigner;
use engine::State;
use engine::feeds::{Feeds, Positions};
use engine::market_data::MarketData;
use engine::sequencer::Sequencer;
use ledger::{Ledger, Trade};
use types::auth::{AuthenticFrame, BatchVerifier, FrameKey, SignedFrames, SigningKey};
use types::block::{Block, SequencedFrame};
use types::command::{OrderKind, Place, SelfTrade};
use types::genesis::{self, Genesis};
use types::outcome::{BlockOutcome, Digest};
use types::wire::orders::OrdersFrame;
use types::wire::payload::encode_entry;
use types::wire::session::SessionTerms;
use types::{
    AccountId, AssetId, BaseLots, ClientOrderId, Command, KeyEpoch, KeyId, LogTime, MarketId,
    Nonce, Side, Ticks,
};

/// A name, and what does it and returns the units.
type Counted = (&'static str, fn() -> u64);

/// What can be counted.
const COUNTED: &[Counted] = &[
    ("frame_check_per_command", frame_check),
    ("batch_verify_per_signature", batch_verify),
    ("place_on_deep_book_per_command", place_on_deep_book),
    ("demo_mix_per_command", demo_mix),
    ("match_per_taker", match_taker),
    ("settle_per_trade", settle),
    ("journal_encode_per_command", journal_encode),
    ("outcome_hash_per_command", outcome_hash),
    ("feeds_per_command", feeds),
    ("client_frame_per_frame", client_frame),
    (PLANTED, settle_with_needless_looks),
];

/// A slowdown on purpose: the guard must see it.
const PLANTED: &str = "planted_slowdown";

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        for (name, _) in COUNTED {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    match COUNTED.iter().find(|(counted, _)| *counted == name) {
        Some((_, run)) => {
            println!("{}", run());
            ExitCode::SUCCESS
        }
        None => ExitCode::from(2),
    }
}

/// Instructions are counted in here and nowhere else: callgrind is told this name.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// Commands of the streams below: enough for steady costs, little enough for a machine that is fifty
/// times slower.
const COMMANDS: usize = 16_384;

/// Bytes to checked commands.
fn frame_check() -> u64 {
    let stream = Stream::demo(COMMANDS, 1);
    let frames = stream.frames.iter();
    let bytes: Vec<_> = frames.map(|it| it.frame.frame().bytes().clone()).collect();
    measured(&mut || {
        for bytes in &bytes {
            let frame = OrdersFrame::parse(bytes.clone()).expect("it was encoded");
            for command in frame.commands() {
                black_box(command);
            }
        }
    });
    stream.commands()
}

/// Signatures over frames of 32, 64 in a batch.
fn batch_verify() -> u64 {
    const BATCH: usize = 64;
    let stream = Stream::demo(2 * BATCH * FRAME, 1);
    let genesis = &stream.genesis;
    let verifier = BatchVerifier::new(FrameKey::new(genesis.network(), genesis.hash()));
    let signed = |sequenced: &SequencedFrame| {
        let frame = sequenced.frame.frame();
        let public = genesis.accounts()[frame.header().account.index()].keys[0];
        (SignedFrames::One(frame.clone()), public)
    };
    let signed: Vec<_> = stream.frames.iter().map(signed).collect();
    let mut results = Vec::new();
    measured(&mut || {
        for batch in signed.chunks(BATCH) {
            verifier.verify(batch.iter().cloned(), Predictable(1), &mut results);
            assert!(results.iter().all(Result::is_ok), "they are good");
        }
    });
    signed.len() as u64
}

/// Blocks of 8 frames of orders that rest, where 16,384 rest already.
fn place_on_deep_book() -> u64 {
    const MEASURED: usize = 4_096;
    let mut venue = Venue::new();
    let mut outcome = BlockOutcome::default();
    for block in venue.blocks(COMMANDS) {
        engine::sequential::execute(&mut venue.state, &block, &mut outcome);
    }
    let blocks = venue.blocks(MEASURED);
    measured(&mut || {
        for block in &blocks {
            engine::sequential::execute(&mut venue.state, block, &mut outcome);
        }
    });
    let accepted = outcome
        .receipts
        .iter()
        .all(|it| it.reject_reason().is_none());
    assert!(accepted, "all of them rest");
    MEASURED as u64
}

/// The second half of the demo's stream, from decoded frames to the sealed outcome.
fn demo_mix() -> u64 {
    let stream = Stream::demo(2 * COMMANDS, 1);
    let mut state = stream.state();
    let blocks = blocks(&stream, &state);
    let (warm_up, counted) = blocks.split_at(blocks.len() / 2);
    let mut outcome = BlockOutcome::default();
    let mut execute = |blocks: &[Block]| {
        for block in blocks {
            engine::sequential::execute(&mut state, block, &mut outcome);
        }
    };
    execute(warm_up);
    measured(&mut || execute(counted));
    commands(counted)
}

/// Takers of one to three lots against makers of two, on a book of 16,384.
fn match_taker() -> u64 {
    const TAKERS: u32 = 4_096;
    let mut random = Random::new(1);
    let mut book = KeelBook::with_room(COMMANDS as u32);
    for order in 0..COMMANDS as u32 {
        let price = MIDDLE + 1 + random.below(1_000);
        book.rest(order % 1_000, Side::Ask, price, 2);
    }
    let mut tally = Tally::default();
    measured(&mut || {
        for _ in 0..TAKERS {
            let quantity = 1 + u64::from(random.below(3));
            let left = book.take(Side::Bid, MIDDLE + 1_000, quantity, &mut tally);
            assert!(left == 0, "there is enough");
        }
    });
    black_box(tally);
    TAKERS.into()
}

fn settle() -> u64 {
    settle_and(|_| ())
}

/// [`settle`], slowed down by what a careless change might: looks at balances that nobody needs.
fn settle_with_needless_looks() -> u64 {
    settle_and(|ledger| {
        for account in [1, 33] {
            black_box(ledger.balance(AccountId::new(account), AssetId::new(0)));
        }
    })
}

fn settle_and(mut then: impl FnMut(&Ledger)) -> u64 {
    const TRADES: u32 = 16_384;
    let genesis = genesis::development();
    let market = &genesis.markets()[0];
    let mut ledger = Ledger::from_genesis(&genesis);
    let mut random = Random::new(1);
    let trades: Vec<_> = (0..TRADES)
        .map(|_| Trade {
            taker_side: Side::Bid,
            price: Ticks::new(u64::from(MIDDLE + random.below(100))),
            quantity: BaseLots::new(1 + u64::from(random.below(9))),
            maker: AccountId::new(random.below(32)),
            taker: AccountId::new(32 + random.below(32)),
        })
        .collect();
    for trade in &trades {
        let base = market.factors.base(trade.quantity);
        let held = ledger.hold(trade.maker, market.base, base);
        held.expect("development accounts have enough");
    }
    measured(&mut || {
        for trade in &trades {
            black_box(ledger.settle(market, trade));
            then(&ledger);
        }
    });
    TRADES.into()
}

/// What a journal record holds of a block.
fn journal_encode() -> u64 {
    let stream = Stream::demo(COMMANDS, 1);
    let blocks = blocks(&stream, &stream.state());
    let mut payload = Vec::with_capacity(1 << 20);
    measured(&mut || {
        for block in &blocks {
            payload.clear();
            for entry in &block.entries {
                encode_entry(entry, &mut payload);
            }
            black_box(&payload);
        }
    });
    stream.commands()
}

/// The hash that seals a block's outcome.
fn outcome_hash() -> u64 {
    let stream = Stream::demo(COMMANDS, 1);
    let outcomes = outcomes(&stream);
    measured(&mut || {
        for outcome in &outcomes {
            black_box(outcome.seal(Digest::ZERO));
        }
    });
    stream.commands()
}

/// What the public and accounts are told, with nobody subscribed.
fn feeds() -> u64 {
    let stream = Stream::demo(COMMANDS, 1);
    let outcomes = outcomes(&stream);
    let mut feeds = Feeds::new(MarketData::of(&stream.state(), 1), Positions::default());
    let mut bytes = 0;
    measured(&mut || {
        for outcome in &outcomes {
            feeds.follow(outcome, |_, _, message| bytes += message.len());
        }
    });
    black_box(bytes);
    stream.commands()
}

/// A client's frames of 32: encoded, hashed and signed.
fn client_frame() -> u64 {
    let stream = Stream::demo(COMMANDS / 4, 1);
    let mut signer = signer(&stream.genesis, 0);
    let frames = stream.frames.iter().map(|it| it.frame.frame());
    let lists: Vec<Vec<_>> = frames.map(|frame| frame.commands().collect()).collect();
    let mut out = Vec::with_capacity(1 << 20);
    measured(&mut || {
        for (commands, nonce) in lists.iter().zip(1..) {
            out.clear();
            signer.sign(Nonce::new(nonce), LogTime::ZERO, commands, &mut out);
            black_box(&out);
        }
    });
    lists.len() as u64
}

/// The middle of every price here.
const MIDDLE: u32 = 100_000;

/// Of a development account.
fn signer(genesis: &Genesis, account: u32) -> FrameSigner {
    let name = genesis::development_name(AccountId::new(account));
    let terms = SessionTerms {
        network: genesis.network(),
        genesis_hash: genesis.hash(),
        account: AccountId::new(account),
        key: KeyId::new(account),
        epoch: KeyEpoch::new(0),
        next_nonce: Nonce::new(1),
        frames_in_flight: 1,
        unsigned_frames: 0,
    };
    FrameSigner::new(terms, SigningKey::development(&name))
}

/// A stream in blocks of the largest size that benches use.
fn blocks(stream: &Stream, state: &State) -> Vec<Block> {
    let mut sequencer = Sequencer::after(state.position());
    let mut now = LogTime::ZERO;
    let chunks = stream.frames.chunks(BLOCK_FRAMES);
    let sealed = chunks.map(|frames| {
        now = now.advance(1_000_000);
        seal(&mut sequencer, frames, now)
    });
    sealed.collect()
}

fn outcomes(stream: &Stream) -> Vec<BlockOutcome> {
    let mut state = stream.state();
    let executed = blocks(stream, &state).into_iter().map(|block| {
        let mut outcome = BlockOutcome::default();
        engine::sequential::execute(&mut state, &block, &mut outcome);
        outcome
    });
    executed.collect()
}

fn commands(blocks: &[Block]) -> u64 {
    blocks.iter().map(Block::command_count).sum()
}

/// The development network with orders that rest and never meet.
struct Venue {
    frame_key: FrameKey,
    signers: Vec<FrameSigner>,
    state: State,
    sequencer: Sequencer,
    random: Random,
    orders: u64,
    frames: u64,
}

impl Venue {
    fn new() -> Self {
        let genesis = genesis::development();
        let state = State::from_genesis(&genesis, 1);
        let signer = |account| signer(&genesis, account);
        Self {
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            signers: (0..4).map(signer).collect(),
            sequencer: Sequencer::after(state.position()),
            state,
            random: Random::new(1),
            orders: 0,
            frames: 0,
        }
    }

    /// Blocks of 8 frames, each of one account in turn.
    fn blocks(&mut self, orders: usize) -> Vec<Block> {
        let frames: Vec<_> = (0..orders / FRAME).map(|_| self.frame()).collect();
        let now = LogTime::new(1_000_000);
        let chunks = frames.chunks(8);
        chunks
            .map(|frames| seal(&mut self.sequencer, frames, now))
            .collect()
    }

    fn frame(&mut self) -> SequencedFrame {
        let commands: Vec<_> = (0..FRAME).map(|_| self.order()).collect();
        let accounts = self.signers.len() as u64;
        let signer = &mut self.signers[(self.frames % accounts) as usize];
        let nonce = Nonce::new(1 + self.frames / accounts);
        self.frames += 1;
        let mut bytes = Vec::new();
        signer.sign(nonce, LogTime::ZERO, &commands, &mut bytes);
        let frame = OrdersFrame::parse(bytes.into()).expect("it was just encoded");
        SequencedFrame {
            frame: AuthenticFrame::from_journal(frame, &self.frame_key),
            origin: None,
        }
    }

    fn order(&mut self) -> Command<'static> {
        self.orders += 1;
        let distance = 1 + self.random.below(1_000);
        let side = Side::BOTH[self.random.below(2) as usize];
        Command::Place(Place {
            market: MarketId::new(0),
            side,
            kind: OrderKind::GTC,
            price: Ticks::new(u64::from(match side {
                Side::Bid => MIDDLE - distance,
                Side::Ask => MIDDLE + distance,
            })),
            quantity: BaseLots::new(1 + u64::from(self.random.below(9))),
            client_order_id: ClientOrderId::new(self.orders),
            self_trade: SelfTrade::Allow,
            trigger: None,
        })
    }
}

/// No entropy at all, for counts that are the same in every run.
struct Predictable(u64);

impl rand_core::TryRng for Predictable {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.step() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.step())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.step().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Predictable {}

impl Predictable {
    const fn step(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.0
    }
}
