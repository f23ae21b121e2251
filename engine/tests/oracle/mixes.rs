//! Random streams that stress one thing each.

use types::command::{
    Cancel, CancelScope, Crossing, Immediate, OrderKind, OrderTarget, Place, PriceRange,
    QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, TimeInForce, Transfer, Trigger,
    TriggerCondition,
};
use types::genesis::{Genesis, GenesisAccount};
use types::limits::{ATOMS_MAX, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX, SLOTS_PER_FRAME_MAX};
use types::wire::command::slots_needed;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, FeeRate, LogTime, MarketId,
    OrderId, SequenceNumber, Side, Ticks,
};

use crate::common::{ACCOUNTS, Levels, Random, Signer, poor_genesis};
use crate::compare::Frames;

/// What a stream is made of. Counts of commands are weights, chances are percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) name: &'static str,
    money: Money,
    places: u64,
    cancels: u64,
    replaces: u64,
    quote_sets: u64,
    cancel_alls: u64,
    transfers: u64,
    /// Prices go from here ...
    low: u64,
    /// ... over so many ticks.
    span: u64,
    /// Sizes go from 1 to this.
    size: u64,
    kinds: &'static [Kind],
    self_trades: &'static [SelfTrade],
    icebergs: u64,
    expiring: u64,
    triggers: u64,
    conditions: &'static [TriggerCondition],
    remembering: u64,
    /// Expiries and remembered cancels last up to this long.
    horizon: u64,
    hostile: u64,
    labels: u64,
}

/// Who has how much, and what the venue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Money {
    Poor,
    Rich,
    /// Rich, and with fees that never divide evenly.
    Taxed,
}

/// An order kind without its resting part.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Limit,
    Ioc,
    Fok,
    Market,
    PostOnly,
    Slide,
}

const ALL_KINDS: &[Kind] = &[
    Kind::Limit,
    Kind::Limit,
    Kind::Limit,
    Kind::Ioc,
    Kind::Fok,
    Kind::Market,
    Kind::PostOnly,
    Kind::Slide,
];
const ALL_SELF_TRADES: &[SelfTrade] = &[
    SelfTrade::Allow,
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::Decrement,
];
const BOTH_CONDITIONS: &[TriggerCondition] =
    &[TriggerCondition::Stop, TriggerCondition::TakeProfit];

const BASIC: Mix = Mix {
    name: "basic",
    money: Money::Rich,
    places: 70,
    cancels: 12,
    replaces: 10,
    quote_sets: 3,
    cancel_alls: 1,
    transfers: 1,
    low: 90,
    span: 21,
    size: 1_000,
    kinds: ALL_KINDS,
    self_trades: ALL_SELF_TRADES,
    icebergs: 10,
    expiring: 10,
    triggers: 5,
    conditions: BOTH_CONDITIONS,
    remembering: 5,
    horizon: 400,
    hostile: 1,
    labels: 40,
};

/// All mixes; most differ from the basic one in what their name says.
pub(crate) const MIXES: &[Mix] = &[
    BASIC,
    Mix {
        name: "poor",
        money: Money::Poor,
        size: 4_000,
        ..BASIC
    },
    Mix {
        name: "one price",
        span: 1,
        size: 50,
        ..BASIC
    },
    Mix {
        name: "all crossing",
        span: 2,
        kinds: &[Kind::Limit, Kind::Market],
        ..BASIC
    },
    Mix {
        name: "replace heavy",
        places: 30,
        replaces: 80,
        labels: 12,
        size: 30,
        ..BASIC
    },
    Mix {
        name: "poor replaces",
        money: Money::Poor,
        replaces: 60,
        labels: 12,
        ..BASIC
    },
    Mix {
        name: "allow",
        self_trades: &[SelfTrade::Allow],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "cancel taker",
        self_trades: &[SelfTrade::CancelTaker],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "cancel maker",
        self_trades: &[SelfTrade::CancelMaker],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "cancel both",
        self_trades: &[SelfTrade::CancelBoth],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "decrement",
        self_trades: &[SelfTrade::Decrement],
        span: 5,
        ..BASIC
    },
    Mix {
        name: "icebergs",
        icebergs: 90,
        span: 4,
        cancels: 4,
        ..BASIC
    },
    Mix {
        name: "decremented icebergs",
        icebergs: 90,
        span: 2,
        size: 40,
        self_trades: &[SelfTrade::Decrement],
        ..BASIC
    },
    Mix {
        name: "replaced icebergs",
        icebergs: 90,
        replaces: 60,
        span: 3,
        size: 20,
        ..BASIC
    },
    Mix {
        name: "stops",
        triggers: 60,
        conditions: &[TriggerCondition::Stop],
        size: 20,
        labels: 200,
        cancels: 3,
        ..BASIC
    },
    Mix {
        name: "take profits",
        triggers: 60,
        conditions: &[TriggerCondition::TakeProfit],
        size: 20,
        labels: 200,
        cancels: 3,
        ..BASIC
    },
    Mix {
        name: "triggers",
        triggers: 70,
        replaces: 30,
        labels: 60,
        size: 100,
        ..BASIC
    },
    Mix {
        name: "quotes",
        quote_sets: 60,
        size: 4,
        span: 8,
        ..BASIC
    },
    Mix {
        name: "replaced quotes",
        quote_sets: 50,
        replaces: 60,
        size: 4,
        span: 8,
        ..BASIC
    },
    Mix {
        name: "poor quotes",
        money: Money::Poor,
        quote_sets: 60,
        size: 9_000,
        ..BASIC
    },
    Mix {
        name: "expiries",
        expiring: 90,
        cancels: 3,
        triggers: 20,
        ..BASIC
    },
    Mix {
        name: "pre-cancels",
        cancels: 120,
        remembering: 90,
        horizon: 4_000,
        labels: 1_000,
        ..BASIC
    },
    Mix {
        name: "ranges",
        cancel_alls: 30,
        cancels: 2,
        ..BASIC
    },
    Mix {
        name: "fill or kill",
        kinds: &[Kind::Limit, Kind::Fok],
        span: 4,
        size: 50,
        ..BASIC
    },
    Mix {
        name: "lowest prices",
        low: 1,
        span: 3,
        ..BASIC
    },
    Mix {
        name: "highest prices",
        low: PRICE_TICKS_MAX - 2,
        span: 3,
        size: 9,
        ..BASIC
    },
    Mix {
        name: "fees",
        money: Money::Taxed,
        low: 1,
        span: 7,
        size: 3,
        ..BASIC
    },
    Mix {
        name: "hostile",
        hostile: 20,
        ..BASIC
    },
];

impl Mix {
    pub(crate) fn genesis(&self) -> Genesis {
        let poor = poor_genesis();
        if self.money == Money::Poor {
            return poor;
        }
        let mut markets = poor.markets().to_vec();
        if self.money == Money::Taxed {
            for (market, maker_fee) in markets.iter_mut().zip([33_333, -77_777]) {
                market.maker_fee = FeeRate::new(maker_fee).unwrap();
                market.taker_fee = FeeRate::new(77_777).unwrap();
            }
        }
        let amount = Atoms::new(1 << 60);
        let rich = |account: &GenesisAccount| GenesisAccount {
            balances: (0..3).map(|asset| (AssetId::new(asset), amount)).collect(),
            ..account.clone()
        };
        let accounts = poor.accounts().iter().map(rich).collect();
        Genesis::new(poor.network(), poor.assets().to_vec(), markets, accounts).unwrap()
    }

    /// Frames of all accounts, under a clock that moves on now and then; some come twice.
    pub(crate) fn frames(&self, seed: u64, commands: u64) -> Frames {
        let mut random = Random::new(seed);
        let levels = self.levels(&mut random);
        let mut signer = Signer::new(&self.genesis());
        let mut frames: Frames = Vec::new();
        // The sequence number to come: ticks and frames that come twice take some, too.
        let (mut sequence, mut now) = (1, 0);
        while sequence < commands {
            let moved = random.below(20);
            now += moved;
            sequence += u64::from(moved > 0);
            let count = 1 + random.below(48);
            let list: Vec<_> = (0..count)
                .map(|at| self.command(&mut random, (sequence + at, now), &levels))
                .scan(0, |slots, command| {
                    *slots += slots_needed(&command);
                    (*slots <= SLOTS_PER_FRAME_MAX).then_some(command)
                })
                .collect();
            let account = random.below(u64::from(ACCOUNTS)) as u32;
            let frame = (signer.frame(account, &list), LogTime::new(now));
            let times = 1 + u64::from(random.chance(2));
            sequence += times * list.len() as u64;
            frames.extend((0..times).map(|_| frame.clone()));
        }
        frames
    }

    fn command<'a>(
        &self,
        random: &mut Random,
        (sequence, now): (u64, u64),
        levels: &'a Levels,
    ) -> Command<'a> {
        let market = self.market(random);
        let mut weight = random.below(
            self.places
                + self.cancels
                + self.replaces
                + self.quote_sets
                + self.cancel_alls
                + self.transfers,
        );
        let mut falls_on = |weights: u64| {
            let hit = weight < weights;
            weight = weight.wrapping_sub(weights);
            hit
        };
        if falls_on(self.places) {
            Command::Place(self.order(random, market, now))
        } else if falls_on(self.cancels) {
            self.cancel(random, market, (sequence, now))
        } else if falls_on(self.replaces) {
            Command::Replace(self.replacement(random, market, sequence))
        } else if falls_on(self.quote_sets) {
            Command::QuoteSet(QuoteSet {
                market,
                number: sequence.saturating_sub(if random.chance(10) { 200 } else { 0 }),
                bids: &levels[2 * random.below(levels.len() as u64 / 2) as usize],
                asks: &levels[2 * random.below(levels.len() as u64 / 2) as usize + 1],
            })
        } else if falls_on(self.cancel_alls) {
            let (low, high) = (self.price(random), self.price(random));
            let range = PriceRange::new(low, high);
            Command::CancelAll(CancelScope {
                market: random.chance(80).then_some(market),
                side: random.chance(50).then(|| random.pick(&Side::BOTH)),
                prices: range.filter(|_| random.chance(60)),
            })
        } else {
            Command::Transfer(Transfer {
                to: AccountId::new(random.below(u64::from(ACCOUNTS) + 1) as u32),
                asset: AssetId::new(random.below(4) as u16),
                amount: Atoms::new(if random.chance(self.hostile) {
                    random.pick(&[ATOMS_MAX, ATOMS_MAX + 1, u128::MAX])
                } else {
                    u128::from(random.below(2_000))
                }),
            })
        }
    }

    fn order(&self, random: &mut Random, market: MarketId, now: u64) -> Place {
        let price = self.price(random);
        let quantity = self.quantity(random);
        let resting = Resting {
            expires_at: LogTime::new(if random.chance(self.expiring) {
                (now + random.below(self.horizon)).saturating_sub(20)
            } else {
                0
            }),
            display: BaseLots::new(if random.chance(self.icebergs) {
                1 + random.below(1 + quantity.get().min(self.size) / 3)
            } else {
                0
            }),
        };
        let trigger = random.chance(self.triggers).then(|| Trigger {
            condition: random.pick(self.conditions),
            price: self.price(random),
        });
        Place {
            market,
            side: random.pick(&Side::BOTH),
            kind: random.pick(self.kinds).with(resting),
            price,
            quantity,
            client_order_id: self.label(random),
            self_trade: random.pick(self.self_trades),
            trigger,
        }
    }

    fn cancel(
        &self,
        random: &mut Random,
        market: MarketId,
        (sequence, now): (u64, u64),
    ) -> Command<'static> {
        Command::Cancel(match self.target(random, market, sequence) {
            OrderTarget::Order(order_id) => Cancel::Order(order_id),
            OrderTarget::Client {
                client_order_id, ..
            } => Cancel::Client {
                market,
                client_order_id,
                remember_until: LogTime::new(if random.chance(self.remembering) {
                    (now + random.below(self.horizon)).saturating_sub(10)
                } else {
                    0
                }),
            },
        })
    }

    fn replacement(&self, random: &mut Random, market: MarketId, sequence: u64) -> Replace {
        Replace {
            target: self.target(random, market, sequence),
            price: self.price(random),
            quantity: self.quantity(random),
            may_take: random.chance(60),
            self_trade: random.pick(self.self_trades),
        }
    }

    fn target(&self, random: &mut Random, market: MarketId, sequence: u64) -> OrderTarget {
        if random.chance(70) {
            return OrderTarget::Client {
                market,
                client_order_id: self.label(random),
            };
        }
        let sequence = SequenceNumber::new(sequence.saturating_sub(1 + random.below(150)).max(1));
        let index = random.pick(&[0, 0, 0, 1, 2, 32, 33, 34]);
        OrderTarget::Order(OrderId::new_at(sequence, market, index))
    }

    fn market(&self, random: &mut Random) -> MarketId {
        let hostile = random.chance(self.hostile);
        MarketId::new(random.below(if hostile { 5 } else { 2 }) as u16)
    }

    fn label(&self, random: &mut Random) -> ClientOrderId {
        ClientOrderId::new(random.below(self.labels))
    }

    fn price(&self, random: &mut Random) -> Ticks {
        let extremes = [0, 1, PRICE_TICKS_MAX, PRICE_TICKS_MAX + 1, u64::MAX];
        Ticks::new(if random.chance(self.hostile) {
            random.pick(&extremes)
        } else {
            self.low + random.below(self.span)
        })
    }

    fn quantity(&self, random: &mut Random) -> BaseLots {
        let extremes = [0, 1, QUANTITY_LOTS_MAX, QUANTITY_LOTS_MAX + 1, u64::MAX];
        BaseLots::new(if random.chance(self.hostile) {
            random.pick(&extremes)
        } else {
            1 + random.below(self.size)
        })
    }

    /// Lists of levels, bids and asks in turns, around a middle that differs from list to list, so
    /// that some cross; a few are in no order.
    fn levels(&self, random: &mut Random) -> Levels {
        let list = |list: u64| {
            let middle = self.low + self.span / 4 + random.below(self.span / 2 + 1);
            let count = random.pick(&[0, 1, 2, 3, 4, 4, 6, 8, 32]);
            let prices = (0..count).map(|_| {
                let away = random.below(self.span / 2 + 1);
                match list % 2 {
                    0 => middle.saturating_sub(away),
                    _ => middle + 1 + away,
                }
            });
            let mut prices: Vec<u64> = prices.collect();
            if list > 5 {
                prices.sort_unstable();
                prices.dedup();
            }
            if list.is_multiple_of(2) {
                prices.reverse();
            }
            let level = |price| QuoteLevel::new(Ticks::new(price), self.quantity(random));
            prices.into_iter().map(level).collect()
        };
        (0..96).map(list).collect()
    }
}

impl Kind {
    const fn with(self, resting: Resting) -> OrderKind {
        match self {
            Self::Limit => OrderKind::Limit(TimeInForce::Rest(resting)),
            Self::Ioc => OrderKind::IOC,
            Self::Fok => OrderKind::FOK,
            Self::Market => OrderKind::Market(Immediate::OrCancel),
            Self::PostOnly => OrderKind::PostOnly(Crossing::Reject, resting),
            Self::Slide => OrderKind::PostOnly(Crossing::Slide, resting),
        }
    }
}
