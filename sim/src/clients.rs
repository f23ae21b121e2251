//! Who sends what: commands, frames with their nonces, and links that lose, double and delay them.

use bytes::Bytes;
use store::disk::Random;
use types::auth::{AuthenticFrame, FrameKey, SigningKey};
use types::command::{
    Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget, Place,
    ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, SetMarketStatus,
    SetProtection, StopLeg, TimeInForce, Transfer, Trigger, TriggerCondition,
};
use types::genesis::{self, Genesis};
use types::wire::command::slots_needed;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, KeyEpoch, KeyId, LogTime,
    MarketId, Nonce, OrderId, SequenceNumber, Side, Ticks,
};

use crate::plan::{ACCOUNTS, Plan};

/// All clients, and the links to the node.
#[derive(Debug)]
pub(crate) struct Clients {
    frame_key: FrameKey,
    keys: Vec<SigningKey>,
    nonces: Vec<u64>,
    /// What was sent, to be sent again.
    sent: Vec<AuthenticFrame>,
    /// On its way: in how many turns it arrives.
    flying: Vec<(u64, AuthenticFrame)>,
    /// Levels of quote sets live longer than the commands that borrow them.
    levels: Vec<Vec<QuoteLevel>>,
}

impl Clients {
    pub(crate) fn new(genesis: &Genesis, random: &mut Random) -> Self {
        let name = |account| genesis::development_name(AccountId::new(account));
        let keys = (0..ACCOUNTS).map(|account| SigningKey::development(&name(account)));
        Self {
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            keys: keys.collect(),
            nonces: vec![0; ACCOUNTS as usize],
            sent: Vec::new(),
            flying: Vec::new(),
            levels: (0..16).map(|list| draw_levels(random, list)).collect(),
        }
    }

    /// The connections are gone, and what was on its way with them.
    pub(crate) fn disconnect(&mut self) {
        self.flying.clear();
    }

    /// Somebody sends something.
    pub(crate) fn send(&mut self, random: &mut Random, plan: &Plan, now: u64, sequence: u64) {
        let frame = match self.sent.last() {
            Some(_) if chance(random, plan.repeated) => {
                self.sent[index(random, self.sent.len())].clone()
            }
            _ => self.new_frame(random, plan, now, sequence),
        };
        let copies = 1 + u64::from(chance(random, plan.doubled));
        for _ in 0..copies {
            if chance(random, plan.lost) {
                continue;
            }
            let late = chance(random, plan.late);
            let delay = if late { random.below(60) } else { 0 };
            self.flying.push((delay, frame.clone()));
        }
    }

    /// An order that is worth taking, right now.
    pub(crate) fn probe(&mut self, random: &mut Random) -> AuthenticFrame {
        let command = Command::Place(Place {
            market: MarketId::new(0),
            side: random.choose(&Side::BOTH),
            kind: OrderKind::Limit(TimeInForce::Rest(Resting::default())),
            price: Ticks::new(100),
            quantity: BaseLots::new(1),
            client_order_id: ClientOrderId::new(0),
            self_trade: SelfTrade::Allow,
            trigger: None,
        });
        self.nonces[0] += 1;
        self.sign(0, self.nonces[0], 0, &[command])
    }

    /// What arrives now. Who is late may be overtaken.
    pub(crate) fn arrive(&mut self) -> Option<AuthenticFrame> {
        for (delay, _) in &mut self.flying {
            *delay = delay.saturating_sub(1);
        }
        let next = self.flying.iter().position(|(delay, _)| *delay == 0)?;
        Some(self.flying.remove(next).1)
    }

    fn new_frame(
        &mut self,
        random: &mut Random,
        plan: &Plan,
        now: u64,
        sequence: u64,
    ) -> AuthenticFrame {
        let account = index(random, ACCOUNTS as usize);
        let nonce = match self.nonces[account] {
            last if 0 < last && chance(random, plan.reused) => 1 + random.below(last),
            last => {
                let skipped = u64::from(chance(random, plan.skipped)) * random.below(5);
                self.nonces[account] = last + 1 + skipped;
                self.nonces[account]
            }
        };
        let expires_at = match chance(random, plan.expiring) {
            true => (now + random.below(8_000_000)).saturating_sub(2_000_000),
            false => 0,
        };
        let levels = std::mem::take(&mut self.levels);
        let count = 1 + random.below(plan.commands_per_frame);
        let commands = (0..count).map(|_| draw_command(random, plan, &levels, now, sequence));
        let mut slots = 0;
        let commands: Vec<_> = commands
            .take_while(|command| {
                slots += slots_needed(command);
                slots <= SLOTS_MAX
            })
            .collect();
        let account = u32::try_from(account).expect("four accounts");
        let frame = match commands.as_slice() {
            [] => self.sign(account, nonce, expires_at, &[IDLE]),
            commands => self.sign(account, nonce, expires_at, commands),
        };
        self.levels = levels;
        if self.sent.len() == SENT_MAX {
            self.sent.remove(0);
        }
        self.sent.push(frame.clone());
        frame
    }

    fn sign(
        &self,
        account: u32,
        nonce: u64,
        expires_at: u64,
        commands: &[Command<'_>],
    ) -> AuthenticFrame {
        let header = FrameHeader {
            account: AccountId::new(account),
            key: KeyId::new(account),
            epoch: KeyEpoch::new(0),
            nonce: Nonce::new(nonce),
            expires_at: LogTime::new(expires_at),
        };
        let key = &self.keys[account as usize];
        let mut bytes = Vec::new();
        OrdersFrame::encode(&header, commands, &self.frame_key, key, &mut bytes);
        let frame = OrdersFrame::parse(Bytes::from(bytes)).expect("what was encoded decodes");
        AuthenticFrame::from_journal(frame, &self.frame_key)
    }
}

/// A frame fits several times into the smallest block.
const SLOTS_MAX: usize = 16;

/// How many sent frames are remembered.
const SENT_MAX: usize = 48;

/// What does nothing.
const IDLE: Command<'static> = Command::Transfer(Transfer {
    to: AccountId::new(0),
    asset: AssetId::new(0),
    amount: Atoms::ZERO,
});

pub(crate) fn chance(random: &mut Random, percent: u64) -> bool {
    random.below(100) < percent
}

pub(crate) fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).expect("below a length")
}

fn draw_levels(random: &mut Random, list: u64) -> Vec<QuoteLevel> {
    let first = if list.is_multiple_of(2) { 90 } else { 101 };
    let mut prices: Vec<u64> = (0..random.below(4))
        .map(|_| first + random.below(10))
        .collect();
    prices.sort_unstable();
    prices.dedup();
    if list.is_multiple_of(2) {
        prices.reverse();
    }
    let level = |price| QuoteLevel::new(Ticks::new(price), draw_quantity(random));
    prices.into_iter().map(level).collect()
}

fn draw_command<'a>(
    random: &mut Random,
    plan: &Plan,
    levels: &'a [Vec<QuoteLevel>],
    now: u64,
    sequence: u64,
) -> Command<'a> {
    let market = MarketId::new(u16::from(random.coin()));
    let mix = &plan.mix;
    let weights = [
        mix.places,
        mix.cancels,
        mix.replaces,
        mix.quote_sets,
        mix.cancel_alls,
        mix.transfers,
        mix.protections,
        mix.statuses,
    ];
    let mut left = random.below(weights.iter().sum());
    let mut falls_on = weights.iter().position(|weight| {
        let hit = left < *weight;
        left = left.saturating_sub(*weight);
        hit
    });
    match falls_on.take().expect("below the sum") {
        0 => Command::Place(draw_place(random, market, now)),
        1 => Command::Cancel(draw_cancel(random, market, now, sequence)),
        2 => Command::Replace(Replace {
            target: draw_target(random, market, sequence),
            price: draw_price(random),
            quantity: draw_quantity(random),
            may_take: random.coin(),
            self_trade: draw_self_trade(random),
        }),
        3 => Command::QuoteSet(QuoteSet {
            market,
            number: sequence,
            bids: &levels[2 * index(random, levels.len() / 2)],
            asks: &levels[2 * index(random, levels.len() / 2) + 1],
        }),
        4 => Command::CancelAll(CancelScope {
            market: random.coin().then_some(market),
            side: random.coin().then(|| random.choose(&Side::BOTH)),
            prices: None,
        }),
        5 => Command::Transfer(Transfer {
            to: AccountId::new(random.below(5) as u32),
            asset: AssetId::new(random.below(3) as u16),
            amount: Atoms::new(u128::from(random.below(50_000))),
        }),
        6 => Command::SetProtection(SetProtection {
            market,
            group: random.choose(&[0, 1]),
            limits: ProtectionLimits {
                window_ns: 1 + random.below(50_000_000),
                fills: 1 + random.below(3),
                lots: BaseLots::new(0),
                notional: Atoms::ZERO,
            },
        }),
        _ => Command::SetMarketStatus(SetMarketStatus {
            market,
            status: match random.below(5) {
                0..2 => MarketStatus::Open,
                2..4 => MarketStatus::Auction,
                _ => random.choose(&MarketStatus::ALL),
            },
        }),
    }
}

fn draw_cancel(random: &mut Random, market: MarketId, now: u64, sequence: u64) -> Cancel {
    match draw_target(random, market, sequence) {
        OrderTarget::Order(order_id) => Cancel::Order(order_id),
        OrderTarget::Client {
            client_order_id, ..
        } => Cancel::Client {
            market,
            client_order_id,
            remember_until: LogTime::new(match random.below(4) {
                0 => now + random.below(20_000_000),
                _ => 0,
            }),
        },
    }
}

fn draw_place(random: &mut Random, market: MarketId, now: u64) -> Place {
    let resting = Resting {
        expires_at: LogTime::new(match random.below(5) {
            0 => now + random.below(15_000_000),
            _ => 0,
        }),
        display: BaseLots::new(match random.below(6) {
            0 => 1 + random.below(300),
            _ => 0,
        }),
        stop: (random.below(8) == 0).then(|| StopLeg {
            trigger: draw_price(random),
            limit: draw_price(random),
            self_trade: draw_self_trade(random),
        }),
        protected: random.below(4) == 0,
    };
    let limit = OrderKind::Limit(TimeInForce::Rest(resting));
    Place {
        market,
        side: random.choose(&Side::BOTH),
        kind: random.choose(&[
            limit,
            limit,
            limit,
            OrderKind::IOC,
            OrderKind::FOK,
            OrderKind::Market(Immediate::OrCancel),
            OrderKind::PostOnly(Crossing::Slide, resting),
        ]),
        price: draw_price(random),
        quantity: draw_quantity(random),
        client_order_id: ClientOrderId::new(random.below(12)),
        self_trade: draw_self_trade(random),
        trigger: (random.below(8) == 0).then(|| Trigger {
            condition: random.choose(&[TriggerCondition::Stop, TriggerCondition::TakeProfit]),
            price: draw_price(random),
        }),
    }
}

fn draw_target(random: &mut Random, market: MarketId, sequence: u64) -> OrderTarget {
    match random.below(3) {
        0 => {
            let back = random.below(40).min(sequence.saturating_sub(1));
            let sequence = SequenceNumber::new((sequence - back).max(1));
            OrderTarget::Order(OrderId::new_at(sequence, market, 0))
        }
        _ => OrderTarget::Client {
            market,
            client_order_id: ClientOrderId::new(random.below(12)),
        },
    }
}

fn draw_price(random: &mut Random) -> Ticks {
    Ticks::new(90 + random.below(21))
}

fn draw_quantity(random: &mut Random) -> BaseLots {
    BaseLots::new(1 + random.below(600))
}

fn draw_self_trade(random: &mut Random) -> SelfTrade {
    random.choose(&[
        SelfTrade::Allow,
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ])
}
