//! Random but reproducible commands, frames and blocks for the engine's tests.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used)] // Test support: a panic is a failed test.

pub(crate) mod desk;
pub(crate) mod edge;
pub(crate) mod keyed;

use bytes::Bytes;
use engine::State;
use types::auth::{AuthenticFrame, FrameKey, SigningKey};
use types::block::{Block, Entry, SequencedFrame};
use types::command::{
    Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget, Place,
    PriceRange, ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade,
    SetMarketStatus, SetProtection, StopLeg, TimeInForce, Transfer, Trigger, TriggerCondition,
};
use types::genesis::{self, Genesis, MarketLimits, PriceBand};
use types::limits::{COMMANDS_PER_BLOCK_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::{BlockOutcome, DoneReason, Event, FrameVerdict};
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, FeeRate, GroupId, KeyEpoch, KeyId,
    LogTime, MarketId, NetworkId, Nonce, OrderId, RejectReason, SequenceNumber, Side, Ticks,
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

/// Two markets with fees and rebates; four accounts with little money, so that funds run out. The
/// last is an operator.
pub(crate) fn poor_genesis() -> Genesis {
    poor_genesis_with(MarketLimits::NONE)
}

/// The same, and the first market has limits of its own.
pub(crate) fn limited_genesis() -> Genesis {
    poor_genesis_with(MarketLimits {
        notional_min: Atoms::new(2_000),
        open_orders_max: 12,
        band: Some(PriceBand {
            width_ppm: 80_000,
            interval_ms: 0,
        }),
        ..MarketLimits::NONE
    })
}

pub(crate) fn poor_genesis_with(limits: MarketLimits) -> Genesis {
    let development = genesis::development();
    let mut markets = development.markets().to_vec();
    markets[1].maker_fee = FeeRate::new(-50).unwrap();
    markets[0].limits = limits;
    let accounts = (0..ACCOUNTS)
        .map(|account| genesis::GenesisAccount {
            balances: (0..3)
                .map(|asset| (AssetId::new(asset), Atoms::new(3_000_000)))
                .collect(),
            // Accounts 0 and 1 belong together.
            group: GroupId::new(account.max(1)),
            operator: account == ACCOUNTS - 1,
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

/// Levels of quote sets live longer than the commands that borrow them.
pub(crate) type Levels = Vec<Vec<QuoteLevel>>;

/// Tests live through this much logged time, so that expiries come.
const TIME_MAX: u64 = 2_000;

/// A command in one of so many markets that is sensible most of the time and hostile some of the
/// time.
pub(crate) fn random_command<'a>(
    random: &mut Random,
    markets: u64,
    last_sequence: u64,
    levels: &'a Levels,
) -> Command<'a> {
    let market = MarketId::new(if random.chance(2) {
        u16::try_from(random.below(markets + 3)).unwrap()
    } else {
        u16::try_from(random.below(markets)).unwrap()
    });
    let label = ClientOrderId::new(random.below(40));
    match random.below(100) {
        0..62 => Command::Place(random_order(random, market, label)),
        62..72 => Command::Cancel(Cancel::Client {
            market,
            client_order_id: label,
            remember_until: LogTime::new(if random.chance(20) {
                random.below(TIME_MAX)
            } else {
                0
            }),
        }),
        72..78 => Command::Cancel(Cancel::Order(random_order_id(
            random,
            market,
            last_sequence,
        ))),
        78..88 => Command::Replace(Replace {
            target: if random.chance(50) {
                OrderTarget::Order(random_order_id(random, market, last_sequence))
            } else {
                OrderTarget::Client {
                    market,
                    client_order_id: label,
                }
            },
            price: Ticks::new(random_price(random)),
            quantity: BaseLots::new(random_quantity(random)),
            may_take: random.chance(70),
            self_trade: random_self_trade(random),
        }),
        88..92 => Command::QuoteSet(QuoteSet {
            market,
            number: last_sequence.saturating_sub(random.below(30)),
            bids: &levels[random.below(levels.len() as u64) as usize],
            asks: &levels[random.below(levels.len() as u64) as usize],
        }),
        92..94 => Command::CancelAll(CancelScope {
            market: random.chance(50).then_some(market),
            side: random.chance(50).then(|| random.pick(&Side::BOTH)),
            prices: random
                .chance(30)
                .then(|| {
                    let (low, high) = (random_price(random), random_price(random));
                    PriceRange::new(Ticks::new(low), Ticks::new(high))
                })
                .flatten(),
        }),
        94..96 => Command::SetProtection(random_protection(random, market)),
        96..98 => Command::SetMarketStatus(SetMarketStatus {
            market,
            status: if random.chance(60) {
                MarketStatus::Open
            } else {
                random.pick(&MarketStatus::ALL)
            },
        }),
        _ => Command::Transfer(Transfer {
            to: AccountId::new(random.below(u64::from(ACCOUNTS) + 1) as u32),
            asset: AssetId::new(random.below(4) as u16),
            amount: Atoms::new(u128::from(random.below(50_000))),
        }),
    }
}

fn random_protection(random: &mut Random, market: MarketId) -> SetProtection {
    let group = random.pick(&[0, 0, 1, 2]);
    let mut limits = ProtectionLimits::NONE;
    if random.chance(85) {
        limits.window_ns = random.pick(&[0, 1, TIME_MAX / 10, TIME_MAX]);
        let limit = random.below(3);
        let size = 1 + random.below(4);
        limits.fills = if limit == 0 { size } else { 0 };
        limits.lots = BaseLots::new(if limit == 1 { 400 * size } else { 0 });
        limits.notional = Atoms::new(if limit == 2 { 40_000 * size as u128 } else { 0 });
    }
    SetProtection {
        market,
        group,
        limits,
    }
}

/// Lists of levels, some best first for bids, some for asks, some in no order.
pub(crate) fn random_levels(random: &mut Random) -> Levels {
    (0..24)
        .map(|list| {
            let mut prices: Vec<u64> = (0..random.below(6))
                .map(|_| match list % 2 {
                    0 => 90 + random.below(10),
                    _ => 101 + random.below(10),
                })
                .collect();
            if list > 1 {
                prices.sort_unstable();
                prices.dedup();
            }
            if list % 2 == 0 {
                prices.reverse();
            }
            let level = |price| {
                let quantity = BaseLots::new(random_quantity(random));
                QuoteLevel::new(Ticks::new(price), quantity)
            };
            prices.into_iter().map(level).collect()
        })
        .collect()
}

fn random_order_id(random: &mut Random, market: MarketId, last_sequence: u64) -> OrderId {
    let sequence = SequenceNumber::new(random.below(last_sequence.max(1)) + 1);
    let index = if random.chance(20) {
        random.below(64)
    } else {
        0
    };
    OrderId::new_at(sequence, market, index)
}

fn random_price(random: &mut Random) -> u64 {
    let extremes = [0, 1, PRICE_TICKS_MAX, PRICE_TICKS_MAX + 1, u64::MAX];
    match random.below(50) {
        0 => random.pick(&extremes),
        _ => 90 + random.below(21),
    }
}

/// Of triggers and stops, which have 32 bits.
fn short_price(random: &mut Random) -> Ticks {
    Ticks::new(random_price(random).min(u32::MAX.into()))
}

fn random_quantity(random: &mut Random) -> u64 {
    let extremes = [0, 1, QUANTITY_LOTS_MAX, QUANTITY_LOTS_MAX + 1, u64::MAX];
    match random.below(50) {
        0 => random.pick(&extremes),
        _ => 1 + random.below(2_000),
    }
}

fn random_self_trade(random: &mut Random) -> SelfTrade {
    random.pick(&[
        SelfTrade::Allow,
        SelfTrade::Allow,
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ])
}

fn random_resting(random: &mut Random) -> Resting {
    Resting {
        expires_at: LogTime::new(if random.chance(20) {
            random.below(TIME_MAX)
        } else {
            0
        }),
        display: BaseLots::new(if random.chance(20) {
            random.below(500)
        } else {
            0
        }),
        stop: random.chance(15).then(|| StopLeg {
            trigger: short_price(random),
            limit: short_price(random),
            self_trade: random_self_trade(random),
        }),
        protected: random.chance(20),
    }
}

fn random_kind(random: &mut Random) -> OrderKind {
    let resting = random_resting(random);
    random.pick(&[
        OrderKind::Limit(TimeInForce::Rest(resting)),
        OrderKind::Limit(TimeInForce::Rest(resting)),
        OrderKind::Limit(TimeInForce::Rest(resting)),
        OrderKind::IOC,
        OrderKind::FOK,
        OrderKind::Market(Immediate::OrCancel),
        OrderKind::Market(Immediate::OrKill),
        OrderKind::PostOnly(Crossing::Reject, resting),
        OrderKind::PostOnly(Crossing::Slide, resting),
    ])
}

fn random_order(random: &mut Random, market: MarketId, label: ClientOrderId) -> Place {
    let trigger = random.chance(12).then(|| Trigger {
        condition: random.pick(&[TriggerCondition::Stop, TriggerCondition::TakeProfit]),
        price: short_price(random),
    });
    Place {
        market,
        side: random.pick(&Side::BOTH),
        kind: random_kind(random),
        price: Ticks::new(random_price(random)),
        quantity: BaseLots::new(random_quantity(random)),
        client_order_id: label,
        self_trade: random_self_trade(random),
        trigger,
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
    pub(crate) fn frame(&mut self, account: u32, commands: &[Command<'_>]) -> SequencedFrame {
        self.nonces[account as usize] += 1;
        let nonce = self.nonces[account as usize];
        self.frame_with(account, nonce, 0, commands)
    }

    pub(crate) fn frame_with(
        &mut self,
        account: u32,
        nonce: u64,
        expires_at: u64,
        commands: &[Command<'_>],
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

/// One sequence of ticks and frames, cut into blocks after each entry with this chance. The ticks
/// are part of the sequence: they do not depend on where it is cut.
pub(crate) fn cut(
    state: &State,
    frames: &[(SequencedFrame, LogTime)],
    percent: u64,
    seed: u64,
) -> Vec<Block> {
    cut_entries(state, with_ticks(state, frames), percent, seed)
}

/// Frames, each behind a tick to the time at which it arrives.
pub(crate) fn with_ticks(state: &State, frames: &[(SequencedFrame, LogTime)]) -> Vec<Entry> {
    let mut last_tick = state.position().time;
    let mut entries = Vec::new();
    for (frame, now) in frames {
        if *now > last_tick {
            last_tick = *now;
            entries.push(Entry::Tick(*now));
        }
        entries.push(Entry::Frame(frame.clone()));
    }
    entries
}

/// The same of entries.
pub(crate) fn cut_entries(
    state: &State,
    entries: Vec<Entry>,
    percent: u64,
    seed: u64,
) -> Vec<Block> {
    let mut random = Random::new(seed);
    let mut blocks = vec![state.position().next_block(Vec::new())];
    for entry in entries {
        let last = blocks.last_mut().unwrap();
        let full = last.command_count() + 256 > COMMANDS_PER_BLOCK_MAX as u64;
        if !last.entries.is_empty() && (full || random.chance(percent)) {
            let next = Block {
                height: last.height.next(),
                first_sequence: last.first_sequence.advance(last.command_count()),
                entries: vec![entry],
            };
            blocks.push(next);
        } else {
            last.entries.push(entry);
        }
    }
    blocks
}

/// Executes an entry and hands it back.
pub(crate) fn run_one(state: &mut State, outcome: &mut BlockOutcome, entry: Entry) -> Entry {
    let block = state.position().next_block(vec![entry]);
    engine::sequential::execute(state, &block, outcome);
    state.assert_invariants();
    block.entries.into_iter().next().expect("there is one")
}

/// The receipt of the first command of the first frame, or why the frame was refused.
pub(crate) fn first_answer(outcome: &BlockOutcome) -> Result<u32, RejectReason> {
    match outcome.frames[0].verdict {
        FrameVerdict::Refused(reason) => Err(reason),
        FrameVerdict::Repeated { .. } => panic!("repeated"),
        FrameVerdict::Executed => match outcome.receipts[0].reject_reason() {
            Some(reason) => Err(reason),
            None => Ok(outcome.receipts[0].affected()),
        },
    }
}

/// What ended, and why.
pub(crate) fn ended(outcome: &BlockOutcome) -> Vec<(OrderId, DoneReason)> {
    let events = outcome.events.iter().map(|record| record.event());
    let ended = events.filter_map(|event| match event {
        Event::Done(done) => Some((done.owner.order_id, done.reason)),
        _ => None,
    });
    ended.collect()
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

/// Frames of random commands of all accounts, under a clock that moves on now and then.
pub(crate) fn random_frames(
    genesis: &Genesis,
    seed: u64,
    commands: usize,
) -> Vec<(SequencedFrame, LogTime)> {
    let mut random = Random::new(seed);
    let markets = genesis.markets().len() as u64;
    let levels = random_levels(&mut random);
    let mut signer = Signer::new(genesis);
    let mut frames: Vec<(SequencedFrame, LogTime)> = Vec::new();
    let (mut made, mut now) = (0, 0);
    while made < commands {
        now += random.below(3) * TIME_MAX / (commands as u64 / 24 + 1);
        let count = 1 + random.below(48) as usize;
        let list: Vec<Command<'_>> = (0..count)
            .map(|_| random_command(&mut random, markets, made as u64, &levels))
            .scan(0, |slots, command| {
                *slots += types::wire::command::slots_needed(&command);
                (*slots <= types::limits::SLOTS_PER_FRAME_MAX).then_some(command)
            })
            .collect();
        let account = random.below(u64::from(ACCOUNTS)) as u32;
        let earlier = frames.last().map(|(frame, _)| frame.clone());
        if let Some(earlier) = earlier.filter(|_| random.chance(3)) {
            frames.push((earlier, LogTime::new(now)));
        }
        frames.push((signer.frame(account, &list), LogTime::new(now)));
        made += list.len();
    }
    frames
}
