//! Streams written for what random ones do not reach: the limits, and chains of triggers.

use std::collections::BTreeSet;

use types::command::{
    Cancel, CancelScope, MarketStatus, OrderKind, OrderTarget, Place, ProtectionLimits, QuoteLevel,
    QuoteSet, Replace, Resting, SelfTrade, SetMarketStatus, SetProtection, StopLeg, TimeInForce,
    Trigger, TriggerCondition,
};
use types::genesis::Genesis;
use types::limits::{
    EXPIRIES_PER_TICK_MAX, FILLS_PER_COMMAND_MAX, OPEN_ORDERS_PER_ACCOUNT_MAX,
    REMEMBERED_CANCELS_MAX,
};
use types::{
    BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId, SequenceNumber, Side, Ticks,
};

use crate::common::Signer;
use crate::compare::{Frames, check};
use crate::mix::OPERATOR;
use crate::mixes::MIXES;

const MARKET: MarketId = MarketId::new(0);
/// Accounts 0 and 1 are of one group.
const PARTNER: u32 = 0;
const TAKER: u32 = 1;
const MAKER: u32 = 2;

/// Frames, one after the other.
struct Script {
    genesis: Genesis,
    signer: Signer,
    frames: Frames,
    now: u64,
}

impl Script {
    fn new() -> Self {
        let genesis = MIXES[0].genesis();
        Self {
            signer: Signer::new(&genesis),
            genesis,
            frames: Vec::new(),
            now: 1,
        }
    }

    fn send(&mut self, account: u32, commands: &[Command<'_>]) {
        for commands in commands.chunks(100) {
            let frame = self.signer.frame(account, commands);
            self.frames.push((frame, LogTime::new(self.now)));
        }
    }

    /// Sends the same order so many times.
    fn fill_up(&mut self, account: u32, count: u32, order: Place) {
        self.send(account, &vec![Command::Place(order); count as usize]);
    }

    /// The operator sets the status of the market.
    fn set(&mut self, status: MarketStatus) {
        let market = MARKET;
        let command = Command::SetMarketStatus(SetMarketStatus { market, status });
        self.send(OPERATOR as u32, &[command]);
    }

    /// Executes everything, and expects that these kinds of answers and events come.
    fn check(&self, name: &str, expected: &[&str]) {
        let mut reached = BTreeSet::new();
        check(&self.genesis, name, &self.frames, &mut reached);
        for kind in expected {
            assert!(reached.contains(*kind), "{name} never reached {kind}");
        }
    }
}

fn order(side: Side, price: u64, quantity: u64) -> Place {
    Place {
        market: MARKET,
        side,
        kind: OrderKind::GTC,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    }
}

fn stop(order: Place, price: u64) -> Command<'static> {
    let trigger = Some(Trigger {
        condition: TriggerCondition::Stop,
        price: Ticks::new(price),
    });
    Command::Place(Place { trigger, ..order })
}

fn resting_till(order: Place, expires_at: u64, display: u64) -> Place {
    let resting = Resting {
        expires_at: LogTime::new(expires_at),
        display: BaseLots::new(display),
        ..Resting::PLAIN
    };
    let kind = OrderKind::Limit(TimeInForce::Rest(resting));
    Place { kind, ..order }
}

#[test]
fn a_sweep_ends_at_the_fill_limit() {
    for kind in [OrderKind::GTC, OrderKind::IOC, OrderKind::FOK] {
        for beyond in [0, 1, 50] {
            for wanted in [0, 1, 100] {
                let mut script = Script::new();
                script.fill_up(
                    MAKER,
                    FILLS_PER_COMMAND_MAX + beyond,
                    order(Side::Ask, 100, 1),
                );
                let ask = order(Side::Ask, 90, 5);
                let bid = order(Side::Bid, 101, 5);
                script.send(PARTNER, &[stop(bid, 100), stop(ask, 100)]);
                let quantity = u64::from(FILLS_PER_COMMAND_MAX) + wanted;
                let sweep = order(Side::Bid, 100, quantity);
                script.send(TAKER, &[Command::Place(Place { kind, ..sweep })]);
                script.send(PARTNER, &[Command::Place(ask), Command::Place(bid)]);
                let name = format!("{kind:?}, {beyond} beyond, {wanted} more wanted");
                script.check(&name, &["fill"]);
            }
        }
    }
}

#[test]
fn what_a_sweep_sets_off_has_the_fills_that_are_left() {
    for kind in [OrderKind::GTC, OrderKind::IOC, OrderKind::FOK] {
        for wanted in [4, 5, 6] {
            let mut script = Script::new();
            script.fill_up(MAKER, FILLS_PER_COMMAND_MAX + 50, order(Side::Ask, 100, 1));
            let bid = order(Side::Bid, 101, wanted);
            script.send(PARTNER, &[stop(Place { kind, ..bid }, 100)]);
            let almost_all = u64::from(FILLS_PER_COMMAND_MAX) - 5;
            let sweep = Command::Place(order(Side::Bid, 100, almost_all));
            script.send(TAKER, &[sweep]);
            script.check(&format!("{kind:?}, {wanted} wanted"), &["triggered"]);
        }
    }
}

#[test]
fn makers_of_the_own_group_count_toward_the_fill_limit() {
    for self_trade in [SelfTrade::CancelMaker, SelfTrade::Decrement] {
        for kind in [OrderKind::GTC, OrderKind::FOK] {
            for own in [0, 1, 9_999, 10_000, 10_001] {
                let mut script = Script::new();
                script.fill_up(PARTNER, own, order(Side::Ask, 100, 1));
                script.fill_up(MAKER, 10_001 - own, order(Side::Ask, 100, 1));
                let bids = [9_999, 10_000, 10_001].map(|quantity| {
                    Command::Place(Place {
                        kind,
                        self_trade,
                        ..order(Side::Bid, 100, quantity)
                    })
                });
                script.send(TAKER, &bids);
                script.check(&format!("{self_trade:?}, {kind:?}, {own} own"), &[]);
            }
        }
    }
}

#[test]
fn one_iceberg_may_be_all_fills() {
    let mut script = Script::new();
    let iceberg = resting_till(order(Side::Ask, 100, 30_000), 0, 1);
    script.send(MAKER, &[Command::Place(iceberg)]);
    let kill = |quantity| Place {
        kind: OrderKind::FOK,
        ..order(Side::Bid, 100, quantity)
    };
    script.send(
        TAKER,
        &[
            Command::Place(kill(10_001)),
            Command::Place(kill(10_000)),
            Command::Place(order(Side::Bid, 100, 20_000)),
        ],
    );
    script.check(
        "iceberg",
        &["NOT_FILLABLE", "refreshed", "done: fill_limit"],
    );
}

#[test]
fn what_one_tick_leaves_does_not_trade() {
    let beyond = 40;
    let mut script = Script::new();
    let ask = resting_till(order(Side::Ask, 100, 1), 50, 0);
    script.fill_up(MAKER, EXPIRIES_PER_TICK_MAX - 20, ask);
    script.fill_up(TAKER, beyond, ask);
    let bid = resting_till(order(Side::Bid, 80, 1), 50, 0);
    let armed: Vec<_> = (0..40).map(|_| stop(bid, 100)).collect();
    script.send(MAKER, &armed);
    let elsewhere = MarketId::new(1);
    let ask = Place {
        market: elsewhere,
        ..ask
    };
    script.fill_up(MAKER, 5, ask);
    script.send(
        MAKER,
        &[Command::Place(Place {
            client_order_id: ClientOrderId::new(9),
            ..ask
        })],
    );
    script.fill_up(
        MAKER,
        3,
        Place {
            market: elsewhere,
            ..order(Side::Ask, 101, 10)
        },
    );
    script.now = 60;
    // The first tick gets no further than market 0; market 1 has what is left.
    let replace = |quantity, price| {
        Command::Replace(Replace {
            target: OrderTarget::Client {
                market: elsewhere,
                client_order_id: ClientOrderId::new(9),
            },
            price: Ticks::new(price),
            quantity: BaseLots::new(quantity),
            may_take: true,
            self_trade: SelfTrade::Allow,
        })
    };
    let there = |order: Place| Place {
        market: elsewhere,
        ..order
    };
    let kill = Place {
        kind: OrderKind::FOK,
        ..there(order(Side::Bid, 101, 31))
    };
    let post = Place {
        kind: OrderKind::POST_ONLY,
        ..there(order(Side::Bid, 100, 1))
    };
    script.send(MAKER, &[replace(1, 100), replace(3, 99)]);
    script.send(
        TAKER,
        &[
            Command::Place(kill),
            Command::Place(post),
            Command::Place(there(order(Side::Bid, 101, 4))),
            Command::Place(order(Side::Ask, 110, 5)),
            Command::Place(order(Side::Bid, 110, 6)),
        ],
    );
    script.now = 61;
    script.send(TAKER, &[Command::CancelAll(CancelScope::EVERYTHING)]);
    script.check("expiries", &["done: expired", "fill"]);
}

#[test]
fn a_taker_expires_what_it_meets() {
    for kind in [OrderKind::GTC, OrderKind::FOK, OrderKind::POST_ONLY] {
        for self_trade in [
            SelfTrade::Allow,
            SelfTrade::CancelTaker,
            SelfTrade::Decrement,
        ] {
            let mut script = Script::new();
            let over = EXPIRIES_PER_TICK_MAX + 20;
            script.fill_up(MAKER, over, resting_till(order(Side::Ask, 100, 1), 50, 0));
            script.fill_up(PARTNER, 5, resting_till(order(Side::Ask, 100, 3), 50, 2));
            script.fill_up(MAKER, 5, order(Side::Ask, 100, 2));
            script.now = 60;
            let taker = |quantity| Place {
                kind,
                self_trade,
                ..order(Side::Bid, 100, quantity)
            };
            script.send(
                TAKER,
                &[Command::Place(taker(11)), Command::Place(taker(10))],
            );
            script.check(&format!("{kind:?}, {self_trade:?}"), &["done: expired"]);
        }
    }
}

#[test]
fn armed_orders_that_a_tick_left_do_not_enter() {
    let mut script = Script::new();
    let bid = resting_till(order(Side::Bid, 80, 1), 50, 0);
    let armed: Vec<_> = (0..EXPIRIES_PER_TICK_MAX + 150)
        .map(|_| stop(bid, 100))
        .collect();
    script.send(MAKER, &armed);
    let lasting: Vec<_> = (0..5).map(|_| stop(order(Side::Bid, 81, 1), 100)).collect();
    script.send(MAKER, &lasting);
    let labelled = Place {
        client_order_id: ClientOrderId::new(9),
        ..bid
    };
    script.send(MAKER, &[stop(labelled, 200)]);
    script.now = 60;
    let replace = Command::Replace(Replace {
        target: OrderTarget::Client {
            market: MARKET,
            client_order_id: ClientOrderId::new(9),
        },
        price: Ticks::new(80),
        quantity: BaseLots::new(2),
        may_take: true,
        self_trade: SelfTrade::Allow,
    });
    script.send(MAKER, &[replace]);
    let pair = [order(Side::Ask, 110, 5), order(Side::Bid, 110, 5)].map(Command::Place);
    script.send(TAKER, &pair);
    script.send(TAKER, &pair);
    script.send(MAKER, &[Command::CancelAll(CancelScope::EVERYTHING)]);
    script.check("armed expiries", &["done: expired", "triggered"]);
}

#[test]
fn a_chain_of_stops_breaks_at_a_hundred_and_goes_on() {
    for (backwards, step) in [(false, 1), (true, 1), (false, 0)] {
        let mut script = Script::new();
        let asks: Vec<_> = (0..300)
            .map(|at| Command::Place(order(Side::Ask, 100 + at, 1)))
            .collect();
        script.send(MAKER, &asks);
        let mut stops: Vec<_> = (0..250)
            .map(|at| {
                stop(
                    Place {
                        kind: OrderKind::IOC,
                        ..order(Side::Bid, 500, 1)
                    },
                    100 + at * step,
                )
            })
            .collect();
        if backwards {
            stops.reverse();
        }
        script.send(PARTNER, &stops);
        let takers = vec![Command::Place(order(Side::Bid, 500, 1)); 4];
        script.send(TAKER, &takers);
        script.check(
            &format!("backwards {backwards}, step {step}"),
            &["triggered"],
        );
    }
}

#[test]
fn a_falling_chain_meets_take_profits() {
    let mut script = Script::new();
    let bids: Vec<_> = (0..200)
        .map(|at| Command::Place(order(Side::Bid, 500 - at, 2)))
        .collect();
    script.send(MAKER, &bids);
    let armed: Vec<_> = (0..200)
        .map(|at| {
            let (side, condition) = match at % 4 {
                0 => (Side::Bid, TriggerCondition::TakeProfit),
                _ => (Side::Ask, TriggerCondition::Stop),
            };
            let kind = match at % 3 {
                0 => OrderKind::GTC,
                1 => OrderKind::FOK,
                _ => OrderKind::POST_ONLY,
            };
            Command::Place(Place {
                kind,
                trigger: Some(Trigger {
                    condition,
                    price: Ticks::new(500 - at),
                }),
                ..order(side, 400 + at, 1 + at % 5)
            })
        })
        .collect();
    script.send(PARTNER, &armed);
    for _ in 0..3 {
        script.send(TAKER, &[Command::Place(order(Side::Ask, 450, 3))]);
    }
    script.check("falling", &["triggered", "done: unfilled"]);
}

#[test]
fn of_two_quotes_at_one_price_one_can_stay() {
    let level = |price, quantity| QuoteLevel::new(Ticks::new(price), BaseLots::new(quantity));
    for moved in [4, 5, 9] {
        for wanted in [3, 4, 5, 7, 9, 10] {
            let mut script = Script::new();
            let set = |number, bids| {
                Command::QuoteSet(QuoteSet {
                    market: MARKET,
                    number,
                    bids,
                    asks: &[],
                })
            };
            // A tick is first; the second level of the set has index 1.
            let second = OrderId::new_at(SequenceNumber::new(2), MARKET, 1);
            let replace = Command::Replace(Replace {
                target: OrderTarget::Order(second),
                price: Ticks::new(90),
                quantity: BaseLots::new(moved),
                may_take: false,
                self_trade: SelfTrade::Allow,
            });
            let (first, then) = ([level(90, 5), level(89, 5)], [level(90, wanted)]);
            let commands = [set(1, &first), replace, set(2, &then), set(3, &first)];
            script.send(MAKER, &commands);
            let name = format!("moved with {moved}, then {wanted} wanted");
            script.check(&name, &["done: replaced"]);
        }
    }
}

#[test]
fn open_orders_stop_at_their_limit() {
    let mut script = Script::new();
    let bids: Vec<_> = (0..u64::from(OPEN_ORDERS_PER_ACCOUNT_MAX) - 1)
        .map(|at| Command::Place(order(Side::Bid, 1 + at / 64, 1)))
        .collect();
    script.send(MAKER, &bids);
    script.send(TAKER, &[Command::Place(order(Side::Ask, 9_000, 4))]);
    let quote = |price| [QuoteLevel::new(Ticks::new(price), BaseLots::new(1))];
    let (low, high) = (quote(1), quote(7_000));
    let set = |number, bids, asks| {
        Command::QuoteSet(QuoteSet {
            market: MARKET,
            number,
            bids,
            asks,
        })
    };
    let first = OrderId::new_at(SequenceNumber::new(2), MARKET, 0);
    let bid = order(Side::Bid, 2, 1);
    let ioc = Place {
        kind: OrderKind::IOC,
        ..order(Side::Bid, 9_000, 1)
    };
    let replace = Replace {
        target: OrderTarget::Order(first),
        price: Ticks::new(3),
        quantity: BaseLots::new(2),
        may_take: false,
        self_trade: SelfTrade::Allow,
    };
    script.send(
        MAKER,
        &[
            set(1, &low, &high),
            set(2, &low, &[]),
            set(3, &low, &high),
            set(4, &[], &high),
            Command::Place(bid),
            Command::Place(ioc),
            Command::Place(order(Side::Bid, 9_000, 1)),
            stop(bid, 9_500),
            stop(ioc, 9_500),
            stop(ioc, 8_000),
            Command::Replace(replace),
            set(5, &[], &[]),
            stop(ioc, 9_500),
            Command::Place(bid),
            Command::Cancel(Cancel::Order(first)),
            Command::Place(bid),
        ],
    );
    script.check("open orders", &["TOO_MANY_OPEN_ORDERS", "fill", "armed"]);
}

#[test]
fn remembered_cancels_stop_at_their_limit() {
    let mut script = Script::new();
    let remember = |label, until| {
        Command::Cancel(Cancel::Client {
            market: MARKET,
            client_order_id: ClientOrderId::new(label),
            remember_until: LogTime::new(until),
        })
    };
    let place = |label| {
        Command::Place(Place {
            client_order_id: ClientOrderId::new(label),
            ..order(Side::Bid, 10, 1)
        })
    };
    let full = REMEMBERED_CANCELS_MAX as u64;
    let labels: Vec<_> = (1..=full + 2).map(|label| remember(label, 20)).collect();
    script.send(MAKER, &labels);
    script.send(
        MAKER,
        &[
            remember(1, 30),
            remember(2, 10),
            place(full),
            place(full + 1),
        ],
    );
    for now in [10, 11, 20, 21, 30, 31] {
        script.now = now;
        let label = 1_000 + now;
        script.send(
            MAKER,
            &[place(1), place(2), place(3), remember(label, now + 5)],
        );
        script.send(
            MAKER,
            &[remember(label, now), remember(label, now + 1), place(label)],
        );
        script.send(MAKER, &[remember(1, 0), remember(2, 0), remember(3, 5)]);
    }
    let expected = ["TOO_MANY_REMEMBERED", "CANCELLED_BEFORE", "EXPIRY_IN_PAST"];
    script.check("remembered", &expected);
}

#[test]
fn an_uncrossing_stops_at_its_limit_and_goes_on_when_it_is_sent_again() {
    let limit = FILLS_PER_COMMAND_MAX;
    for (name, meetings) in [("the last fits", limit), ("one is too many", limit + 1)] {
        for opened in [MarketStatus::Open, MarketStatus::PostOnly] {
            for closed in [
                None,
                Some(MarketStatus::CancelOnly),
                Some(MarketStatus::Halted),
            ] {
                let mut script = Script::new();
                script.set(MarketStatus::Auction);
                script.fill_up(MAKER, meetings, order(Side::Bid, 110, 1));
                let ask = order(Side::Ask, 90, u64::from(meetings) + 5);
                script.send(PARTNER, &[Command::Place(ask)]);
                script.send(PARTNER, &[Command::Place(order(Side::Ask, 111, 5))]);
                script.now = 2;
                for status in closed.into_iter().chain([opened, opened, opened]) {
                    script.set(status);
                    script.now += 100_000_000;
                    script.send(TAKER, &[Command::Place(order(Side::Bid, 111, 3))]);
                }
                let name = format!("{name}, {closed:?}, then {opened:?}");
                script.check(&name, &["met", "indicative", "status changed"]);
            }
        }
    }
}

#[test]
fn a_protection_that_trips_in_a_long_auction_pulls_before_it_goes_on() {
    for (fills, group) in [(5, 0), (9_999, 1), (10_001, 1), (20_000, 0)] {
        let mut script = Script::new();
        script.set(MarketStatus::Auction);
        let limits = ProtectionLimits {
            window_ns: 1,
            fills,
            ..ProtectionLimits::NONE
        };
        for market in [MARKET, MarketId::new(1)] {
            let set = SetProtection {
                market,
                group,
                limits,
            };
            script.send(MAKER, &[Command::SetProtection(set)]);
        }
        let there = Place {
            market: MarketId::new(1),
            ..order(Side::Ask, 100, 1)
        };
        script.fill_up(MAKER, 3, protected(there));
        script.fill_up(MAKER, 10_100, protected(order(Side::Ask, 100, 1)));
        script.fill_up(TAKER, 10_050, order(Side::Bid, 101, 1));
        script.fill_up(PARTNER, 60, order(Side::Ask, 101, 1));
        for _ in 0..3 {
            script.set(MarketStatus::Open);
        }
        script.check(&format!("{fills} fills"), &["met"]);
    }
}

#[test]
fn what_expires_counts_as_a_meeting() {
    let limit = FILLS_PER_COMMAND_MAX;
    for over in [limit - 1, limit, 2 * limit + 1] {
        let mut script = Script::new();
        script.set(MarketStatus::Auction);
        // The tick takes as many as it may; what it leaves is the uncrossing's.
        let gone = resting_till(order(Side::Bid, 105, 1), 50, 0);
        script.fill_up(MAKER, over, gone);
        script.fill_up(PARTNER, EXPIRIES_PER_TICK_MAX, gone);
        let ask = resting_till(order(Side::Ask, 95, 4), 60, 0);
        script.send(TAKER, &[Command::Place(ask); 3]);
        script.send(MAKER, &[Command::Place(order(Side::Bid, 100, 9))]);
        script.now = 55;
        for _ in 0..4 {
            script.set(MarketStatus::Open);
        }
        script.send(TAKER, &[Command::Place(order(Side::Ask, 90, 9))]);
        script.check(&format!("{over} over"), &["met", "done: expired"]);
    }
}

#[test]
fn what_an_opening_sets_off_has_the_fills_that_are_left() {
    for left in [0, 1, 5] {
        let mut script = Script::new();
        for wanted in [3, 4, 5] {
            script.send(TAKER, &[stop(order(Side::Bid, 120, wanted), 100)]);
        }
        script.set(MarketStatus::Auction);
        let meetings = FILLS_PER_COMMAND_MAX - left;
        script.fill_up(MAKER, meetings, order(Side::Bid, 100, 1));
        script.fill_up(PARTNER, meetings, order(Side::Ask, 100, 1));
        script.fill_up(MAKER, 20, order(Side::Ask, 101, 1));
        script.set(MarketStatus::Open);
        script.check(&format!("{left} left"), &["met", "triggered"]);
    }
}

#[test]
fn the_largest_auction_passes_64_bits() {
    let mut script = Script::new();
    script.set(MarketStatus::Auction);
    let most = types::limits::QUANTITY_LOTS_MAX;
    // The asks are held in base: a lot is a hundred atoms, and there are 2^60.
    let asks = [Command::Place(order(Side::Ask, 1, most / 64)); 40];
    script.send(MAKER, &asks);
    let bids = [Command::Place(order(Side::Bid, 3, most)); 40];
    script.send(PARTNER, &bids);
    script.now = 2;
    script.set(MarketStatus::Open);
    script.check("largest", &["met"]);
}

#[test]
fn stops_and_armed_orders_share_the_hundred() {
    for kind in [OrderKind::GTC, OrderKind::IOC] {
        let mut script = Script::new();
        for at in 0..130 {
            let beside = with_stop(order(Side::Bid, 50 + at % 3, 2), 100, 99 + at % 5);
            let armed = Place {
                kind,
                ..order(Side::Bid, 101, 1)
            };
            script.send(MAKER, &[Command::Place(beside), stop(armed, 100)]);
        }
        script.fill_up(PARTNER, 40, order(Side::Ask, 100, 3));
        for _ in 0..6 {
            script.send(TAKER, &[Command::Place(order(Side::Bid, 100, 1))]);
        }
        script.check(&format!("{kind:?}"), &["triggered"]);
    }
}

#[test]
fn a_chain_of_stops_beside_orders_climbs() {
    let mut script = Script::new();
    for at in 0..250 {
        let beside = with_stop(order(Side::Bid, 10 + at % 40, 1), 100 + at, 600);
        script.send(MAKER, &[Command::Place(beside)]);
        script.send(PARTNER, &[Command::Place(order(Side::Ask, 100 + at, 1))]);
    }
    for _ in 0..4 {
        script.send(TAKER, &[Command::Place(order(Side::Bid, 500, 1))]);
    }
    script.check("climbing", &["triggered"]);
}

#[test]
fn a_protection_pulls_a_whole_ladder() {
    for (group, limit) in [(0, 1), (3, 50), (3, 9_999), (0, 10_001)] {
        let mut script = Script::new();
        let elsewhere = MarketId::new(1);
        let limits = ProtectionLimits {
            window_ns: 1,
            fills: limit,
            ..ProtectionLimits::NONE
        };
        for market in [MARKET, elsewhere] {
            let set = SetProtection {
                market,
                group,
                limits,
            };
            script.send(MAKER, &[Command::SetProtection(set)]);
        }
        let protected = protected(order(Side::Ask, 100, 1));
        let there = Place {
            market: elsewhere,
            ..protected
        };
        script.fill_up(MAKER, 10_100, protected);
        script.fill_up(MAKER, 20, there);
        script.fill_up(PARTNER, 3, order(Side::Ask, 100, 1));
        for quantity in [limit + 3, limit + 4] {
            let kill = Place {
                kind: OrderKind::FOK,
                ..order(Side::Bid, 100, quantity)
            };
            script.send(TAKER, &[Command::Place(kill)]);
        }
        script.send(TAKER, &[Command::Place(order(Side::Bid, 100, 20_000))]);
        script.check(&format!("group {group}, {limit} fills"), &["fill"]);
    }
}

fn with_stop(order: Place, trigger: u64, limit: u64) -> Place {
    rests(order, |resting| {
        resting.stop = Some(StopLeg {
            trigger: Ticks::new(trigger),
            limit: Ticks::new(limit),
            self_trade: SelfTrade::Allow,
        });
    })
}

fn protected(order: Place) -> Place {
    rests(order, |resting| resting.protected = true)
}

fn rests(order: Place, change: impl FnOnce(&mut Resting)) -> Place {
    let mut resting = Resting::PLAIN;
    change(&mut resting);
    let kind = OrderKind::Limit(TimeInForce::Rest(resting));
    Place { kind, ..order }
}
