//! What the trigger book does: tables, and random streams compared with the oracle.

mod common;

use common::Random;
use matching::{ArmedOrder, NaiveTriggers, Triggers};
use types::command::{
    Crossing, Immediate, OrderKind, Resting, SelfTrade, TimeInForce, Trigger, TriggerCondition,
};
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

use TriggerCondition::{Stop, TakeProfit};

#[test]
fn a_condition_looks_one_way() {
    for (condition, side, below, at, above) in [
        (Stop, Side::Bid, false, true, true),
        (Stop, Side::Ask, true, true, false),
        (TakeProfit, Side::Bid, true, true, false),
        (TakeProfit, Side::Ask, false, true, true),
    ] {
        for (last, expected) in [(99, below), (100, at), (101, above)] {
            let trigger = Trigger {
                condition,
                price: Ticks::new(100),
            };
            let last = Ticks::new(last);
            let what = format!("{condition:?} {side:?} at {last}");
            assert_eq!(
                Triggers::is_satisfied(&trigger, side, last),
                expected,
                "{what}"
            );
            assert_eq!(
                NaiveTriggers::is_satisfied(&trigger, side, last),
                expected,
                "{what}"
            );
        }
    }
}

#[test]
fn trades_set_off_whom_they_reach_in_the_order_of_ids() {
    let mut triggers = Triggers::new();
    for (id, condition, side, price) in [
        (9, Stop, Side::Bid, 110),
        (2, Stop, Side::Bid, 111),
        (7, Stop, Side::Ask, 90),
        (4, Stop, Side::Ask, 89),
        (5, TakeProfit, Side::Bid, 90),
        (6, TakeProfit, Side::Ask, 110),
        (1, Stop, Side::Bid, 110),
    ] {
        triggers.arm(&ArmedOrder {
            trigger: Trigger {
                condition,
                price: Ticks::new(price),
            },
            side,
            ..armed(id)
        });
    }
    for (lowest, highest, expected) in [
        (91, 109, vec![]),
        (91, 110, vec![1, 6, 9]),
        (110, 110, vec![1, 6, 9]),
        (90, 109, vec![5, 7]),
        (90, 110, vec![1, 5, 6, 7, 9]),
        (89, 111, vec![1, 2, 4, 5, 6, 7, 9]),
        (500, 500, vec![1, 2, 6, 9]),
        (1, 1, vec![4, 5, 7]),
    ] {
        let mut out = vec![OrderId::new(99)];
        triggers.set_off(Ticks::new(lowest), Ticks::new(highest), &mut out);
        let out: Vec<u64> = out.iter().map(|id| id.get()).collect();
        assert_eq!(out[0], 99, "what was there stays in front");
        assert_eq!(out[1..], expected, "{lowest}..={highest}");
    }
    assert_eq!(triggers.len(), 7, "nobody is taken out");
}

#[test]
fn ids_and_labels_are_armed_once() {
    let labelled = |id, account, label| ArmedOrder {
        account: AccountId::new(account),
        client_order_id: ClientOrderId::new(label),
        ..armed(id)
    };
    for (what, second, legal) in [
        ("the same id", labelled(1, 2, 0), false),
        ("the same label", labelled(2, 1, 7), false),
        ("another's label", labelled(2, 2, 7), true),
        ("no label", labelled(2, 1, 0), true),
    ] {
        let mut triggers = Triggers::new();
        triggers.arm(&labelled(1, 1, 7));
        triggers.arm(&labelled(9, 1, 0));
        let result = std::panic::catch_unwind(move || triggers.arm(&second));
        assert_eq!(result.is_ok(), legal, "{what}");
    }
}

#[test]
fn armed_orders_expire_like_resting_ones() {
    let resting = |expires_at| Resting {
        expires_at: LogTime::new(expires_at),
        ..Resting::PLAIN
    };
    let mut triggers = Triggers::new();
    for (id, kind) in [
        (4, OrderKind::Limit(TimeInForce::Rest(resting(10)))),
        (3, OrderKind::PostOnly(Crossing::Slide, resting(10))),
        (2, OrderKind::Limit(TimeInForce::Rest(resting(9)))),
        (1, OrderKind::GTC),
        (5, OrderKind::Market(Immediate::OrCancel)),
        (6, OrderKind::POST_ONLY),
    ] {
        triggers.arm(&ArmedOrder { kind, ..armed(id) });
    }
    for (now, max, expected) in [
        (8, 9, vec![]),
        (9, 9, vec![2]),
        (10, 0, vec![]),
        (10, 1, vec![3]),
        (11, 9, vec![4]),
        (u64::MAX, 9, vec![]),
    ] {
        let mut expired = Vec::new();
        let count = triggers.expire(LogTime::new(now), max, |order| {
            expired.push(order.order_id.get());
        });
        assert_eq!((count as usize, &expired), (expected.len(), &expected));
        triggers.assert_invariants();
    }
}

/// A stop bid at 100 of account 0, for ever.
fn armed(id: u64) -> ArmedOrder {
    ArmedOrder {
        order_id: OrderId::new(id),
        account: AccountId::new(0),
        client_order_id: ClientOrderId::NONE,
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(100),
        quantity: BaseLots::new(1),
        self_trade: SelfTrade::Allow,
        trigger: Trigger {
            condition: Stop,
            price: Ticks::new(100),
        },
    }
}

/// What a stream draws from.
struct Mix {
    name: &'static str,
    accounts: u64,
    labels: u64,
    prices: u64,
    /// How far apart trades are at most.
    swing: u64,
    expiring: u64,
    /// Chance in percent that an order that is set off is taken out.
    taken_out: u64,
}

const USUAL: Mix = Mix {
    name: "usual",
    accounts: 10,
    labels: 30,
    prices: 200,
    swing: 10,
    expiring: 20,
    taken_out: 80,
};

const MIXES: [Mix; 4] = [
    USUAL,
    Mix {
        name: "one price",
        prices: 1,
        swing: 1,
        ..USUAL
    },
    Mix {
        name: "one account, all expiring",
        accounts: 1,
        labels: 3,
        expiring: 100,
        ..USUAL
    },
    Mix {
        name: "wide and rarely taken out",
        prices: 1 << 32,
        swing: 1 << 31,
        taken_out: 20,
        ..USUAL
    },
];

#[test]
fn the_trigger_book_says_what_the_oracle_says() {
    for mix in &MIXES {
        for seed in 0..10 {
            Stream::new(mix, seed).run();
        }
    }
}

#[test]
fn a_trigger_book_that_goes_back_says_what_the_oracle_said_there() {
    let mut undone = [0; 4];
    for mix in &MIXES {
        for seed in 100..110 {
            let mut stream = Stream::new(mix, seed);
            stream.triggers.begin_undo();
            stream.marks = Some(Vec::new());
            let of_stream = stream.run();
            undone = std::array::from_fn(|kind| undone[kind] + of_stream[kind]);
        }
    }
    assert!(undone.iter().all(|count| 300 < *count), "{undone:?}");
}

/// One stream on its way. Names itself if it is dropped in a panic.
struct Stream<'a> {
    mix: &'a Mix,
    seed: u64,
    step: u64,
    random: Random,
    triggers: Triggers,
    naive: NaiveTriggers,
    /// Stops beside resting orders, a few of which have left.
    stops: Vec<(OrderId, Side, Ticks)>,
    /// Where it may go back to, oldest first; nothing if it never goes back.
    marks: Option<Vec<Here>>,
    /// How many orders have been armed, disarmed, attached and detached.
    done: [u32; 4],
    /// How many of those were undone.
    undone: [u32; 4],
}

/// Where a stream was.
struct Here {
    triggers: usize,
    naive: NaiveTriggers,
    stops: Vec<(OrderId, Side, Ticks)>,
    done: [u32; 4],
}

impl<'a> Stream<'a> {
    fn new(mix: &'a Mix, seed: u64) -> Self {
        Self {
            mix,
            seed,
            step: 0,
            random: Random::new(seed),
            triggers: Triggers::new(),
            naive: NaiveTriggers::new(),
            stops: Vec::new(),
            marks: None,
            done: [0; 4],
            undone: [0; 4],
        }
    }

    fn run(mut self) -> [u32; 4] {
        while self.step < 1_500 {
            match self.random.weighted(&[50, 20, 15, 5, 10, 10, 5]) {
                0 => self.arm(),
                1 => self.trade(),
                2 => self.cancel(),
                3 => self.cancel_all(),
                4 => self.attach(),
                5 => self.detach(),
                _ => self.expire(),
            }
            self.come_and_go();
            self.compare();
            self.step += 1;
        }
        self.undone
    }

    /// Remembers this place to come back to, or goes back to an earlier one.
    fn come_and_go(&mut self) {
        let Some(marks) = &mut self.marks else {
            return;
        };
        if self.random.percent(12) {
            marks.push(Here {
                triggers: self.triggers.undo_mark(),
                naive: self.naive.clone(),
                stops: self.stops.clone(),
                done: self.done,
            });
        }
        if self.random.percent(1) {
            marks.clear();
            self.triggers.end_undo();
            self.triggers.begin_undo();
        }
        if !self.random.percent(6) || marks.is_empty() {
            return;
        }
        let back = self.random.below(marks.len().min(4) as u64) as usize;
        marks.truncate(marks.len() - back);
        let here = &marks[marks.len() - 1];
        self.triggers.undo_to(here.triggers);
        self.naive = here.naive.clone();
        self.stops.clone_from(&here.stops);
        for (kind, done) in self.done.iter_mut().enumerate() {
            self.undone[kind] += *done - here.done[kind];
        }
        self.done = here.done;
        self.compare_all();
    }

    fn arm(&mut self) {
        let (random, mix) = (&mut self.random, self.mix);
        let mut expires_at = 0;
        if random.percent(mix.expiring) {
            expires_at = self.step + 1 + random.below(100);
        }
        let resting = Resting {
            expires_at: LogTime::new(expires_at),
            ..Resting::PLAIN
        };
        let order = ArmedOrder {
            // Neither rising nor falling, and each once.
            order_id: OrderId::new((self.step + 1) * 7_919 % 10_007),
            account: AccountId::new(random.below(mix.accounts) as u32),
            client_order_id: ClientOrderId::new(random.below(mix.labels)),
            side: random.side(),
            kind: random.of(&[
                OrderKind::Limit(TimeInForce::Rest(resting)),
                OrderKind::PostOnly(Crossing::Reject, resting),
                OrderKind::Market(Immediate::OrKill),
            ]),
            price: Ticks::new(1 + random.below(mix.prices)),
            trigger: Trigger {
                condition: random.of(&[Stop, TakeProfit]),
                price: Ticks::new(1 + random.below(mix.prices)),
            },
            ..armed(0)
        };
        if (self.naive)
            .labelled(order.account, order.client_order_id)
            .is_none()
        {
            self.triggers.arm(&order);
            self.naive.arm(&order);
            self.done[0] += 1;
        }
    }

    fn trade(&mut self) {
        let lowest = 1 + self.random.below(self.mix.prices);
        let highest = lowest + self.random.below(self.mix.swing);
        let (mut due, mut expected) = (Vec::new(), Vec::new());
        let [lowest, highest] = [lowest, highest].map(Ticks::new);
        self.triggers.set_off(lowest, highest, &mut due);
        self.naive.set_off(lowest, highest, &mut expected);
        assert_eq!(due, expected);
        for order_id in due {
            if let Some(stop) = self.stops.iter().find(|stop| stop.0 == order_id) {
                let is_reached = match stop.1 {
                    Side::Bid => stop.2 <= highest,
                    Side::Ask => lowest <= stop.2,
                };
                assert!(is_reached);
                continue;
            }
            let order = self.triggers.order(order_id).expect("it stays armed");
            let reached = [lowest, highest]
                .map(|last| Triggers::is_satisfied(&order.trigger, order.side, last));
            assert!(reached.contains(&true));
            if self.random.percent(self.mix.taken_out) {
                self.cancel_one(order_id);
            }
        }
    }

    /// A resting order comes with a stop beside it. Its id is none that an armed order has.
    fn attach(&mut self) {
        let order_id = OrderId::new(10_007 + (self.step + 1) * 7_919 % 10_007);
        let side = self.random.side();
        let trigger = Ticks::new(1 + self.random.below(self.mix.prices));
        self.triggers.attach(order_id, side, trigger);
        self.naive.attach(order_id, side, trigger);
        self.stops.push((order_id, side, trigger));
        self.done[2] += 1;
    }

    /// One leaves; at times one that has left already.
    fn detach(&mut self) {
        let place = self.random.below(self.stops.len() as u64 + 1) as usize;
        let Some((order_id, side, trigger)) = self.stops.get(place).copied() else {
            return;
        };
        let was_attached = self.triggers.detach(order_id, side, trigger);
        assert_eq!(was_attached, self.naive.detach(order_id, side, trigger));
        self.done[3] += u32::from(was_attached);
        if !was_attached || self.random.percent(80) {
            self.stops.swap_remove(place);
        }
    }

    fn cancel(&mut self) {
        let orders = self.naive.len();
        let place = self.random.below(u64::from(orders) + 1) as usize;
        let order = self.naive.orders().nth(place);
        self.cancel_one(order.map_or(OrderId::new(0), |order| order.order_id));
    }

    fn cancel_one(&mut self, order_id: OrderId) {
        assert_eq!(self.triggers.order(order_id), self.naive.order(order_id));
        let cancelled = self.naive.cancel(order_id);
        assert_eq!(self.triggers.cancel(order_id), cancelled);
        self.done[1] += u32::from(cancelled.is_some());
        assert_eq!(self.triggers.cancel(order_id), None);
    }

    fn cancel_all(&mut self) {
        let account = AccountId::new(self.random.below(self.mix.accounts) as u32);
        let side = self.random.of(&[None, Some(Side::Bid), Some(Side::Ask)]);
        let prices = self.random.percent(70).then(|| {
            let ends = [(); 2].map(|()| 1 + self.random.below(self.mix.prices));
            (
                Ticks::new(ends[0].min(ends[1])),
                Ticks::new(ends[0].max(ends[1])),
            )
        });
        let (mut cancelled, mut expected) = (Vec::new(), Vec::new());
        let counts = [
            (self.triggers).cancel_all(account, side, prices, |order| cancelled.push(*order)),
            (self.naive).cancel_all(account, side, prices, |order| expected.push(*order)),
        ];
        assert_eq!(cancelled, expected);
        self.done[1] += cancelled.len() as u32;
        assert_eq!(counts, [cancelled.len() as u32; 2]);
    }

    fn expire(&mut self) {
        let now = LogTime::new(self.step);
        let max = self.random.of(&[0, 1, 10_000]);
        let (mut expired, mut expected) = (Vec::new(), Vec::new());
        let counts = [
            (self.triggers).expire(now, max, |order| expired.push(*order)),
            (self.naive).expire(now, max, |order| expected.push(*order)),
        ];
        assert_eq!(expired, expected);
        self.done[1] += expired.len() as u32;
        assert_eq!(counts, [expired.len() as u32; 2]);
    }

    fn compare(&mut self) {
        assert_eq!(self.triggers.len(), self.naive.len());
        assert_eq!(self.triggers.stop_count(), self.naive.stop_count());
        let account = AccountId::new(self.random.below(self.mix.accounts) as u32);
        let label = ClientOrderId::new(self.random.below(self.mix.labels));
        assert_eq!(
            self.triggers.labelled(account, label),
            self.naive.labelled(account, label)
        );
        assert_eq!(
            self.triggers.open_orders(account),
            self.naive.open_orders(account)
        );
        if self.step.is_multiple_of(16) {
            self.compare_all();
        }
    }

    fn compare_all(&self) {
        assert!(self.triggers.orders().eq(self.naive.orders()));
        assert_eq!(self.triggers.is_empty(), self.naive.is_empty());
        let expiries = self.naive.orders().map(|order| order.expires_at());
        let next = expiries.filter(|time| *time != LogTime::ZERO).min();
        assert_eq!(self.triggers.next_expiry(), next);
        let [mut all, mut expected] = [Vec::new(), Vec::new()];
        let [first, last] = [Ticks::new(1), Ticks::new(u64::MAX)];
        self.triggers.set_off(first, last, &mut all);
        self.naive.set_off(first, last, &mut expected);
        assert_eq!(all, expected);
        self.triggers.assert_invariants();
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "in mix {:?}, seed {}, step {}",
                self.mix.name, self.seed, self.step
            );
        }
    }
}
