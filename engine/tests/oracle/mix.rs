//! What a random stream is made of, and the stream.

use types::command::{
    Cancel, CancelScope, Crossing, Immediate, MarketStatus, OrderKind, OrderTarget, Place,
    PriceRange, ProtectionLimits, QuoteLevel, QuoteSet, Replace, Resting, SelfTrade,
    SetMarketStatus, SetProtection, StopLeg, TimeInForce, Transfer, Trigger, TriggerCondition,
};
use types::genesis::{Genesis, GenesisAccount, MarketLimits};
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
    pub(crate) money: Money,
    pub(crate) places: u64,
    pub(crate) cancels: u64,
    pub(crate) replaces: u64,
    pub(crate) quote_sets: u64,
    pub(crate) cancel_alls: u64,
    pub(crate) transfers: u64,
    pub(crate) protections: u64,
    pub(crate) statuses: u64,
    /// Those that are set, the more often named the more often.
    pub(crate) status_list: &'static [MarketStatus],
    /// Of the first market; the second has none.
    pub(crate) limits: MarketLimits,
    /// Prices go from here ...
    pub(crate) low: u64,
    /// ... over so many ticks.
    pub(crate) span: u64,
    /// Sizes go from 1 to this.
    pub(crate) size: u64,
    pub(crate) kinds: &'static [Kind],
    pub(crate) self_trades: &'static [SelfTrade],
    pub(crate) icebergs: u64,
    pub(crate) expiring: u64,
    /// Orders with a stop beside them.
    pub(crate) ocos: u64,
    pub(crate) protected: u64,
    pub(crate) triggers: u64,
    pub(crate) conditions: &'static [TriggerCondition],
    pub(crate) remembering: u64,
    /// Time moves in steps of so many nanoseconds.
    pub(crate) pace: u64,
    /// Expiries, remembered cancels and windows last up to so many steps.
    pub(crate) horizon: u64,
    pub(crate) hostile: u64,
    pub(crate) labels: u64,
}

/// Who has how much, and what the venue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Money {
    Poor,
    Rich,
    /// Rich, and with fees that never divide evenly.
    Taxed,
}

/// An order kind without its resting part.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Limit,
    Ioc,
    Fok,
    Market,
    PostOnly,
    Slide,
}

/// The account that sets the status of markets, beside trading like the others.
pub(crate) const OPERATOR: usize = 3;

impl Mix {
    pub(crate) fn genesis(&self) -> Genesis {
        let poor = poor_genesis();
        let mut markets = poor.markets().to_vec();
        markets[0].limits = self.limits;
        if self.money == Money::Taxed {
            for (market, maker_fee) in markets.iter_mut().zip([33_333, -77_777]) {
                market.maker_fee = FeeRate::new(maker_fee).unwrap();
                market.taker_fee = FeeRate::new(77_777).unwrap();
            }
        }
        let amount = Atoms::new(1 << 60);
        let rich = || (0..3).map(|asset| (AssetId::new(asset), amount)).collect();
        let account = |(at, account): (usize, &GenesisAccount)| GenesisAccount {
            operator: at == OPERATOR,
            balances: match self.money {
                Money::Poor => account.balances.clone(),
                Money::Rich | Money::Taxed => rich(),
            },
            ..account.clone()
        };
        let accounts = poor.accounts().iter().enumerate().map(account).collect();
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
            let moved = random.below(20) * self.pace;
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
                + self.transfers
                + self.protections
                + self.statuses,
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
            Command::CancelAll(self.scope(random, market))
        } else if falls_on(self.transfers) {
            Command::Transfer(self.transfer(random))
        } else if falls_on(self.protections) {
            Command::SetProtection(self.protection(random, market))
        } else {
            let status = random.pick(self.status_list);
            Command::SetMarketStatus(SetMarketStatus { market, status })
        }
    }

    fn scope(&self, random: &mut Random, market: MarketId) -> CancelScope {
        let (low, high) = (self.price(random), self.price(random));
        let range = PriceRange::new(low, high);
        CancelScope {
            market: random.chance(80).then_some(market),
            side: random.chance(50).then(|| random.pick(&Side::BOTH)),
            prices: range.filter(|_| random.chance(60)),
        }
    }

    fn transfer(&self, random: &mut Random) -> Transfer {
        Transfer {
            to: AccountId::new(random.below(u64::from(ACCOUNTS) + 1) as u32),
            asset: AssetId::new(random.below(4) as u16),
            amount: Atoms::new(if random.chance(self.hostile) {
                random.pick(&[ATOMS_MAX, ATOMS_MAX + 1, u128::MAX])
            } else {
                u128::from(random.below(2_000))
            }),
        }
    }

    /// Mostly limits that are soon reached; some that never are, and some that are none.
    fn protection(&self, random: &mut Random, market: MarketId) -> SetProtection {
        let window = self.pace * (1 + random.below(self.horizon));
        let lots = 1 + random.below(3 * self.size);
        let limits = ProtectionLimits {
            window_ns: random.pick(&[window, window, window, u64::MAX]),
            fills: random.pick(&[0, 1, 1, 2, 3, 5, u64::MAX]),
            lots: BaseLots::new(random.pick(&[0, 0, lots, lots, u64::MAX])),
            notional: Atoms::new(random.pick(&[
                0,
                0,
                u128::from(lots * (self.low + self.span / 2)),
                u128::MAX,
            ])),
        };
        SetProtection {
            market,
            group: random.pick(&[0, 0, 1, 1, 1, 2, 255]),
            limits: match random.below(20) {
                0..2 => ProtectionLimits::NONE,
                2 => ProtectionLimits {
                    window_ns: 0,
                    ..limits
                },
                _ => limits,
            },
        }
    }

    fn order(&self, random: &mut Random, market: MarketId, now: u64) -> Place {
        let price = self.price(random);
        let quantity = self.quantity(random);
        let side = random.pick(&Side::BOTH);
        let protected = random.chance(self.protected);
        let hides = random.chance(self.icebergs) && (!protected || random.chance(5));
        let resting = Resting {
            expires_at: LogTime::new(if random.chance(self.expiring) {
                self.later(random, now, 20)
            } else {
                0
            }),
            display: BaseLots::new(if hides {
                1 + random.below(1 + quantity.get().min(self.size) / 3)
            } else {
                0
            }),
            stop: random
                .chance(self.ocos)
                .then(|| self.stop(random, side, price)),
            protected,
        };
        let trigger = random.chance(self.triggers).then(|| Trigger {
            condition: random.pick(self.conditions),
            price: in_32_bits(self.price(random)),
        });
        Place {
            market,
            side,
            kind: random.pick(self.kinds).with(resting),
            price,
            quantity,
            client_order_id: self.label(random),
            self_trade: random.pick(self.self_trades),
            trigger,
        }
    }

    /// A time to come, or one that was up to so many steps ago.
    fn later(&self, random: &mut Random, now: u64, before: u64) -> u64 {
        let ahead = self.pace * random.below(self.horizon);
        (now + ahead).saturating_sub(self.pace * before)
    }

    /// Mostly a little beyond the order's own price.
    fn stop(&self, random: &mut Random, side: Side, price: Ticks) -> StopLeg {
        let beyond = random.below(2 + self.span / 3);
        let trigger = match side {
            _ if random.chance(self.hostile) => self.price(random),
            Side::Bid => Ticks::new(price.get().saturating_add(beyond)),
            Side::Ask => Ticks::new(price.get().saturating_sub(beyond)),
        };
        StopLeg {
            trigger: in_32_bits(trigger),
            limit: in_32_bits(self.price(random)),
            self_trade: random.pick(self.self_trades),
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
                    self.later(random, now, 10)
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

/// Triggers and stops have 32 bits on the wire.
fn in_32_bits(price: Ticks) -> Ticks {
    Ticks::new(price.get().min(u64::from(u32::MAX)))
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
