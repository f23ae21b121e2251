//! Order flow over many markets: makers who quote in all of them, and traders who take.
//!
//! Half of the commands are the makers': each places an order near the middle of a market and
//! cancels the one that it placed there some turns before. The other half are takers', each some
//! account's, immediate or cancel, with enough to meet an order or two. Who acts and where is drawn
//! from a seed. Frames of makers have eight commands and those of takers two.

use crate::matching::Random;
use bytes::BytesMut;
use engine::State;
use types::auth::{AuthenticFrame, FrameKey, SigningKey};
use types::block::SequencedFrame;
use types::command::{
    Cancel, Crossing, Immediate, OrderKind, Place, Resting, SelfTrade, TimeInForce,
};
use types::genesis::{self, AssetSpec, Genesis, GenesisAccount, MarketLimits, MarketSpec, Step};
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, FeeRate, GroupId, KeyEpoch, KeyId,
    LogTime, MarketId, NetworkId, Nonce, Side, Symbol, Ticks,
};

/// How commands are spread over markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Every market gets as many.
    Uniform,
    /// The market of rank r gets as many as 1/r.
    Zipf,
    /// One gets half, the others share the rest.
    Hot,
}

/// What a flow is like.
#[derive(Clone, Copy, Debug)]
pub struct FlowPlan {
    /// Markets, over ten base assets and one quote asset.
    pub markets: usize,
    /// Accounts, makers first.
    pub accounts: usize,
    /// How many of them quote, in all markets.
    pub makers: usize,
    /// How commands are spread over markets.
    pub spread: Spread,
    /// How many commands, about.
    pub commands: usize,
    /// Where chance begins.
    pub seed: u64,
}

/// Signed frames, in sending order.
#[derive(Debug)]
pub struct Flow {
    /// The network.
    pub genesis: Genesis,
    /// The frames.
    pub frames: Vec<SequencedFrame>,
    /// How many commands they have.
    pub commands: u64,
}

/// Orders of a maker that rest in a market at a time.
const RESTING: u64 = 16;
/// The middle of every market.
const MIDDLE: u64 = 10_000;
/// Commands in a maker's frame, and in a taker's.
const FRAMES: [usize; 2] = [8, 2];

impl Flow {
    /// A flow by plan.
    pub fn new(plan: FlowPlan) -> Self {
        let genesis = venue(plan);
        let frame_key = FrameKey::new(genesis.network(), genesis.hash());
        let keys: Vec<_> = (0..plan.accounts).map(key).collect();
        let shares = shares(plan);
        let mut random = Random::new(plan.seed);
        let mut placed = vec![0_u64; plan.makers * plan.markets];
        let mut nonces = vec![0; plan.accounts];
        let (mut frames, mut commands) = (Vec::new(), 0);
        let (mut list, mut buffer, mut received) = (Vec::new(), Vec::new(), BytesMut::new());
        while commands < plan.commands {
            list.clear();
            // Four frames of takers for one of a maker: as many commands.
            let is_maker = random.below(5) == 0;
            let account = if is_maker {
                random.below(plan.makers as u32) as usize
            } else {
                plan.makers + random.below((plan.accounts - plan.makers) as u32) as usize
            };
            while list.len() < FRAMES[usize::from(!is_maker)] {
                let market = pick(&shares, &mut random);
                if is_maker {
                    let placed = &mut placed[account * plan.markets + market];
                    list.extend(quote(&mut random, market, *placed));
                    *placed += 1;
                } else {
                    list.push(take(&mut random, market));
                }
            }
            commands += list.len();
            nonces[account] += 1;
            let header = FrameHeader {
                account: AccountId::new(account as u32),
                key: KeyId::new(account as u32),
                epoch: KeyEpoch::new(0),
                nonce: Nonce::new(nonces[account]),
                expires_at: LogTime::ZERO,
            };
            OrdersFrame::encode(&header, &list, &frame_key, &keys[account], &mut buffer);
            received.extend_from_slice(&buffer);
            let frame = OrdersFrame::parse(received.split().freeze());
            let frame = frame.expect("what was just encoded parses");
            frames.push(SequencedFrame {
                frame: AuthenticFrame::from_journal(frame, &frame_key),
                origin: None,
            });
        }
        Self {
            genesis,
            frames,
            commands: commands as u64,
        }
    }

    /// A state before the flow.
    pub fn state(&self) -> State {
        State::from_genesis(&self.genesis, 1)
    }
}

/// A new quote, and the end of the one that it replaces.
fn quote(random: &mut Random, market: usize, placed: u64) -> [Command<'static>; 2] {
    let side = Side::BOTH[(placed % 2) as usize];
    let distance = 1 + u64::from(random.below(20));
    let market = MarketId::new(market as u16);
    let place = Command::Place(Place {
        market,
        side,
        kind: OrderKind::PostOnly(Crossing::Reject, Resting::default()),
        price: Ticks::new(match side {
            Side::Bid => MIDDLE - distance,
            Side::Ask => MIDDLE + distance,
        }),
        quantity: BaseLots::new(1 + u64::from(random.below(20))),
        client_order_id: ClientOrderId::new(1 + placed % RESTING),
        self_trade: SelfTrade::Allow,
        trigger: None,
    });
    let cancel = Command::Cancel(Cancel::Client {
        market,
        client_order_id: ClientOrderId::new(1 + placed % RESTING),
        remember_until: LogTime::ZERO,
    });
    [cancel, place]
}

fn take(random: &mut Random, market: usize) -> Command<'static> {
    let side = Side::BOTH[random.below(2) as usize];
    Command::Place(Place {
        market: MarketId::new(market as u16),
        side,
        kind: match random.below(10) {
            0 => OrderKind::Limit(TimeInForce::Immediate(Immediate::OrKill)),
            _ => OrderKind::Limit(TimeInForce::Immediate(Immediate::OrCancel)),
        },
        price: Ticks::new(match side {
            Side::Bid => MIDDLE + 30,
            Side::Ask => MIDDLE - 30,
        }),
        quantity: BaseLots::new(1 + u64::from(random.below(20))),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

/// By market, the sum of the shares up to it.
fn shares(plan: FlowPlan) -> Vec<u32> {
    const WHOLE: f64 = (1_u32 << 31) as f64;
    let share = |rank: usize| match plan.spread {
        Spread::Uniform => 1.0,
        Spread::Zipf => 1.0 / (rank + 1) as f64,
        Spread::Hot if rank == 0 => (plan.markets - 1).max(1) as f64,
        Spread::Hot => 1.0,
    };
    let mut sum = 0.0;
    let sums = (0..plan.markets).map(|rank| {
        sum += share(rank);
        (sum * WHOLE / plan.markets as f64) as u32
    });
    sums.collect()
}

fn pick(shares: &[u32], random: &mut Random) -> usize {
    let whole = *shares.last().expect("there is a market");
    let at = random.below(whole);
    shares.partition_point(|sum| *sum <= at)
}

fn key(account: usize) -> SigningKey {
    SigningKey::development(&format!("flow-{account}"))
}

fn venue(plan: FlowPlan) -> Genesis {
    let symbol = |text: String| Symbol::new(&text).expect("short symbols are legal");
    let asset = |name: String| AssetSpec {
        symbol: symbol(name),
        decimals: 8,
    };
    let mut assets: Vec<_> = (0..10).map(|at| asset(format!("B{at}"))).collect();
    assets.push(asset("USD".to_owned()));
    let quote = AssetId::new(10);
    let step = |text| Step::parse(text).expect("steps are legal");
    let markets = (0..plan.markets).map(|at| {
        let base = AssetId::new((at % 10) as u16);
        let fee = |parts| FeeRate::new(parts).expect("fees are legal");
        MarketSpec::new(
            symbol(format!("M{at}")),
            (base, &assets[base.index()]),
            (quote, &assets[quote.index()]),
            (step("0.01"), step("0.001")),
            (fee(-20), fee(100)),
            MarketLimits::NONE,
        )
        .expect("the market is legal")
    });
    let development = genesis::development();
    let accounts = (0..plan.accounts).map(|account| GenesisAccount {
        keys: vec![key(account).public()],
        group: GroupId::new(account as u32),
        operator: false,
        balances: (0..11)
            .map(|asset| (AssetId::new(asset), Atoms::new(1 << 70)))
            .collect(),
        ..development.accounts()[0].clone()
    });
    let (markets, accounts) = (markets.collect(), accounts.collect());
    Genesis::new(NetworkId::new(9), assets, markets, accounts).expect("the venue is legal")
}
