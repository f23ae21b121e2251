//! Random but reproducible commands, frames and blocks for the engine's tests.

#![allow(dead_code)] // Each test file uses its own part.

use bytes::Bytes;
use engine::State;
use engine::sequencer::Sequencer;
use types::auth::{AuthenticFrame, FrameKey, SigningKey};
use types::block::{Block, SequencedFrame};
use types::command::{CancelScope, CancelTarget, OrderKind, Place, TimeInForce, Transfer};
use types::genesis::{self, Genesis};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::BlockOutcome;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, FeeRate, KeyEpoch, KeyId, LogTime,
    MarketId, NetworkId, Nonce, OrderId, SequenceNumber, Side, Ticks,
};

/// SplitMix64: every test prints the seed that it started with.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

pub(crate) const ACCOUNTS: u32 = 4;

/// Two markets with fees and rebates; four accounts with little money, so that funds run out.
pub(crate) fn poor_genesis() -> Genesis {
    let development = genesis::development();
    let mut markets = development.markets().to_vec();
    markets[1].maker_fee = FeeRate::new(-50).unwrap();
    let accounts = (0..ACCOUNTS)
        .map(|account| genesis::GenesisAccount {
            balances: (0..3)
                .map(|asset| (AssetId::new(asset), Atoms::new(3_000_000)))
                .collect(),
            ..development.accounts()[account as usize].clone()
        })
        .collect();
    Genesis::new(
        NetworkId::new(7),
        development.assets().to_vec(),
        markets,
        accounts,
    )
    .unwrap()
}

/// A command that is sensible most of the time and hostile some of the time.
pub(crate) fn random_command(random: &mut Random, last_sequence: u64) -> Command {
    let market = MarketId::new(if random.chance(2) {
        u16::try_from(random.below(5)).unwrap()
    } else {
        u16::try_from(random.below(2)).unwrap()
    });
    let label = ClientOrderId::new(random.below(40));
    match random.below(100) {
        0..70 => Command::Place(random_order(random, market, label)),
        70..82 => Command::Cancel(CancelTarget::Client {
            market,
            client_order_id: label,
        }),
        82..92 => {
            let sequence = SequenceNumber::new(random.below(last_sequence.max(1)) + 1);
            Command::Cancel(CancelTarget::Order(OrderId::new_at(sequence, market, 0)))
        }
        92..95 => Command::CancelAll(CancelScope {
            market: random.chance(50).then_some(market),
            side: random.chance(50).then(|| random.pick(&Side::BOTH)),
        }),
        _ => Command::Transfer(Transfer {
            to: AccountId::new(random.below(u64::from(ACCOUNTS) + 1) as u32),
            asset: AssetId::new(random.below(4) as u16),
            amount: Atoms::new(u128::from(random.below(50_000))),
        }),
    }
}

fn random_order(random: &mut Random, market: MarketId, label: ClientOrderId) -> Place {
    let extremes = [0, 1, PRICE_TICKS_MAX, PRICE_TICKS_MAX + 1, u64::MAX];
    let price = match random.below(50) {
        0 => random.pick(&extremes),
        _ => 90 + random.below(21),
    };
    let extremes = [0, 1, QUANTITY_LOTS_MAX, QUANTITY_LOTS_MAX + 1, u64::MAX];
    let quantity = match random.below(50) {
        0 => random.pick(&extremes),
        _ => 1 + random.below(2_000),
    };
    Place {
        market,
        side: random.pick(&Side::BOTH),
        kind: random.pick(&[
            OrderKind::Limit(TimeInForce::Gtc),
            OrderKind::Limit(TimeInForce::Gtc),
            OrderKind::Limit(TimeInForce::Ioc),
            OrderKind::Limit(TimeInForce::Fok),
            OrderKind::PostOnly,
        ]),
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        client_order_id: label,
    }
}

/// Signs frames for the accounts of a genesis whose keys are the development keys.
#[derive(Debug)]
pub(crate) struct Signer {
    frame_key: FrameKey,
    keys: Vec<SigningKey>,
    nonces: Vec<u64>,
    buffer: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let count = u32::try_from(genesis.accounts().len()).unwrap();
        let name = |account| genesis::development_name(AccountId::new(account));
        Self {
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            keys: (0..count)
                .map(|account| SigningKey::development(&name(account)))
                .collect(),
            nonces: vec![0; count as usize],
            buffer: Vec::new(),
        }
    }

    /// The account's next frame.
    pub(crate) fn frame(&mut self, account: u32, commands: &[Command]) -> SequencedFrame {
        self.nonces[account as usize] += 1;
        let nonce = self.nonces[account as usize];
        self.frame_with(account, nonce, 0, commands)
    }

    pub(crate) fn frame_with(
        &mut self,
        account: u32,
        nonce: u64,
        expires_at: u64,
        commands: &[Command],
    ) -> SequencedFrame {
        let header = FrameHeader {
            account: AccountId::new(account),
            key: KeyId::new(account),
            epoch: KeyEpoch::new(0),
            nonce: Nonce::new(nonce),
            expires_at: LogTime::new(expires_at),
        };
        let key = &self.keys[account as usize];
        OrdersFrame::encode(&header, commands, &self.frame_key, key, &mut self.buffer);
        let frame = OrdersFrame::parse(Bytes::copy_from_slice(&self.buffer)).unwrap();
        SequencedFrame {
            frame: AuthenticFrame::from_journal(frame, &self.frame_key),
            origin: None,
        }
    }
}

/// Seals blocks out of frames, cutting after each frame with this chance.
pub(crate) fn cut(
    state: &State,
    frames: &[(SequencedFrame, LogTime)],
    percent: u64,
    seed: u64,
) -> Vec<Block> {
    let mut random = Random::new(seed);
    let mut sequencer = Sequencer::after(state.position());
    let mut blocks = Vec::new();
    for (frame, now) in frames {
        if sequencer.is_full() {
            blocks.extend(sequencer.seal());
        }
        sequencer.push(frame.clone(), *now);
        if random.chance(percent) {
            blocks.extend(sequencer.seal());
        }
    }
    blocks.extend(sequencer.seal());
    blocks
}

/// Executes blocks one by one, handing each outcome to `check`.
pub(crate) fn run(
    state: &mut State,
    blocks: &[Block],
    mut check: impl FnMut(&State, &BlockOutcome),
) {
    let mut outcome = BlockOutcome::default();
    for block in blocks {
        engine::sequential::execute(state, block, &mut outcome);
        check(state, &outcome);
    }
}

/// Frames of random commands of all accounts, at a standing clock.
pub(crate) fn random_frames(
    genesis: &Genesis,
    seed: u64,
    commands: usize,
) -> Vec<(SequencedFrame, LogTime)> {
    let mut random = Random::new(seed);
    let mut signer = Signer::new(genesis);
    let mut frames = Vec::new();
    let mut made = 0;
    while made < commands {
        let count = 1 + random.below(48) as usize;
        let list: Vec<Command> = (0..count)
            .map(|_| random_command(&mut random, made as u64))
            .collect();
        let account = random.below(u64::from(ACCOUNTS)) as u32;
        let repeat = random.chance(3).then(|| random.pick(&[0, 1]));
        if let (Some(_), Some((earlier, _))) = (repeat, frames.last()) {
            let earlier: SequencedFrame = Clone::clone(earlier);
            frames.push((earlier, LogTime::new(1)));
        }
        frames.push((signer.frame(account, &list), LogTime::new(1)));
        made += count;
    }
    frames
}
