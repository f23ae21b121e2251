//! Cancels race with orders that would fill their targets: once a cancel is accepted, nothing of the
//! order fills any more, and before that it is open.

use std::collections::BTreeMap;

use engine::State;
use types::block::{Block, Entry, SequencedFrame};
use types::command::{
    Cancel, OrderKind, Place, Resting, SelfTrade, StopLeg, TimeInForce, Trigger, TriggerCondition,
};
use types::outcome::{BlockOutcome, Event, Fill, Receipt};
use types::{
    BaseLots, ClientOrderId, Command, Height, MarketId, OrderId, RejectReason, SequenceNumber,
    Side, Ticks,
};

use crate::common::{Random, Signer};
use crate::mixes::MIXES;
use crate::streams::number;

/// Pairs that race with each other, in one block.
const PAIRS_PER_ROUND: u64 = 64;

#[test]
fn nothing_fills_after_its_cancel() {
    let seed = 1;
    println!("seed {seed}");
    let mut races = Races::new(seed);
    let pairs = number("KEEL_RACES", 300_000);
    while races.pairs < pairs {
        races.run_round();
    }
    // A race that one side always wins proves nothing.
    let tenth = races.pairs / 10;
    let Races { won, lost, .. } = races;
    assert!(
        won > tenth && lost > tenth,
        "{won} cancels won, {lost} lost"
    );
}

/// The engine, and what it has said so far.
struct Races {
    random: Random,
    signer: Signer,
    state: State,
    outcome: BlockOutcome,
    height: Height,
    sequence: SequenceNumber,
    /// By the sequence number of the command that placed it, whether an order was cancelled.
    cancelled: Vec<bool>,
    pairs: u64,
    /// Cancels that were accepted, and those whose target was gone.
    won: u64,
    lost: u64,
}

/// The commands of a block, and which of them cancels which order.
#[derive(Default)]
struct Plan {
    frames: Vec<SequencedFrame>,
    cancels: BTreeMap<u64, OrderId>,
}

impl Races {
    fn new(seed: u64) -> Self {
        let genesis = MIXES[0].genesis();
        Self {
            random: Random::new(seed),
            signer: Signer::new(&genesis),
            state: State::from_genesis(&genesis, seed),
            outcome: BlockOutcome::default(),
            height: Height::ZERO,
            sequence: SequenceNumber::ZERO,
            cancelled: vec![false],
            pairs: 0,
            won: 0,
            lost: 0,
        }
    }

    /// Places makers; then cancels of them and orders that cross them, in random order.
    fn run_round(&mut self) {
        let mut plan = Plan::default();
        let makers: Vec<Place> = (0..PAIRS_PER_ROUND).map(|at| self.maker(at + 1)).collect();
        let first = self.sequence.next();
        let commands: Vec<_> = makers.iter().copied().map(Command::Place).collect();
        self.send(&mut plan, 2, &commands);
        let mut targets: Vec<_> = (0..PAIRS_PER_ROUND)
            .zip(&makers)
            .map(|(at, maker)| (OrderId::new_at(first.advance(at), maker.market, 0), *maker))
            .collect();
        let mut takers: Vec<_> = makers.iter().map(|maker| self.taker(maker)).collect();
        self.shuffle(&mut targets);
        self.shuffle(&mut takers);
        while !(targets.is_empty() && takers.is_empty()) {
            let some = 1 + self.random.below(24) as usize;
            if self.random.chance(50) {
                let taken = targets.split_off(targets.len().saturating_sub(some));
                self.send_cancels(&mut plan, &taken);
            } else {
                let taken = takers.split_off(takers.len().saturating_sub(some));
                self.send(&mut plan, 3, &taken);
            }
        }
        self.execute(&plan);
        self.pairs += PAIRS_PER_ROUND;
    }

    /// Some rest, some hide most of themselves, some have a stop beside them, some wait for a trigger.
    fn maker(&mut self, label: u64) -> Place {
        let quantity = 1 + self.random.below(9);
        let price = 100 + self.random.below(5);
        let stop = self.random.chance(20).then(|| StopLeg {
            trigger: Ticks::new(price - 1),
            limit: Ticks::new(98 + self.random.below(4)),
            self_trade: SelfTrade::Allow,
        });
        let resting = Resting {
            display: BaseLots::new(if self.random.chance(30) {
                quantity / 3
            } else {
                0
            }),
            stop,
            ..Resting::PLAIN
        };
        let trigger = self.random.chance(20).then(|| Trigger {
            condition: TriggerCondition::Stop,
            price: Ticks::new(100 + self.random.below(5)),
        });
        Place {
            market: MarketId::new(self.random.below(2) as u16),
            side: Side::Ask,
            kind: OrderKind::Limit(TimeInForce::Rest(resting)),
            price: Ticks::new(price),
            quantity: BaseLots::new(quantity),
            client_order_id: ClientOrderId::new(label),
            self_trade: SelfTrade::Allow,
            trigger,
        }
    }

    fn taker(&mut self, maker: &Place) -> Command<'static> {
        let more = self.random.below(3);
        Command::Place(Place {
            side: Side::Bid,
            kind: OrderKind::IOC,
            price: Ticks::new(maker.price.get() + more),
            quantity: BaseLots::new(1 + self.random.below(maker.quantity.get() + more)),
            client_order_id: ClientOrderId::NONE,
            trigger: None,
            ..*maker
        })
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.random.below(at as u64 + 1) as usize);
        }
    }

    /// Cancels by id or by label.
    fn send_cancels(&mut self, plan: &mut Plan, targets: &[(OrderId, Place)]) {
        let mut commands = Vec::new();
        for (at, (order_id, maker)) in (1..).zip(targets) {
            plan.cancels.insert(self.sequence.get() + at, *order_id);
            commands.push(Command::Cancel(if self.random.chance(50) {
                Cancel::Order(*order_id)
            } else {
                Cancel::Client {
                    market: maker.market,
                    client_order_id: maker.client_order_id,
                    remember_until: types::LogTime::ZERO,
                }
            }));
        }
        self.send(plan, 2, &commands);
    }

    fn send(&mut self, plan: &mut Plan, account: u32, commands: &[Command<'_>]) {
        if !commands.is_empty() {
            plan.frames.push(self.signer.frame(account, commands));
            self.sequence = self.sequence.advance(commands.len() as u64);
        }
    }

    fn execute(&mut self, plan: &Plan) {
        self.height = self.height.next();
        let first = self.state.position().sequence.next();
        let block = Block {
            height: self.height,
            first_sequence: first,
            entries: plan.frames.iter().cloned().map(Entry::Frame).collect(),
        };
        engine::sequential::execute(&mut self.state, &block, &mut self.outcome);
        self.cancelled
            .resize(self.sequence.get() as usize + 1, false);
        let outcome = std::mem::take(&mut self.outcome);
        let mut receipts = outcome.receipts.iter().peekable();
        for record in &outcome.events {
            let Event::Fill(fill) = record.event() else {
                continue;
            };
            while let Some(before) = receipts.next_if(|next| next.sequence() < fill.sequence) {
                self.count(plan, before);
            }
            self.assert_open(&fill);
        }
        receipts.for_each(|receipt| self.count(plan, receipt));
        self.outcome = outcome;
    }

    fn assert_open(&self, fill: &Fill) {
        for order_id in [fill.maker.order_id, fill.taker.order_id] {
            let placed = order_id.sequence().get() as usize;
            assert!(
                !self.cancelled[placed],
                "order {order_id} fills at {} after its cancel",
                fill.sequence
            );
        }
    }

    fn count(&mut self, plan: &Plan, receipt: &Receipt) {
        let Some(order_id) = plan.cancels.get(&receipt.sequence().get()) else {
            return;
        };
        match receipt.reject_reason() {
            None => {
                self.cancelled[order_id.sequence().get() as usize] = true;
                self.won += 1;
            }
            Some(reason) => {
                assert_eq!(reason, RejectReason::OrderNotFound);
                self.lost += 1;
            }
        }
    }
}
