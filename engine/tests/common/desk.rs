//! A market and accounts, one command or tick at a time: for tests that are tables of steps.

use engine::State;
use engine::market::MarketState;
use types::block::Entry;
use types::command::{
    Cancel, OrderKind, OrderTarget, Place, Replace, Resting, SelfTrade, TimeInForce, Trigger,
    TriggerCondition,
};
use types::genesis::Genesis;
use types::outcome::{BlockOutcome, DoneReason, Event};
use types::{
    BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId, RejectReason, SequenceNumber,
    Side, Ticks,
};

use super::{Signer, ended, poor_genesis, run_one};

pub(crate) const MARKET: MarketId = MarketId::new(0);
pub(crate) const GTC: OrderKind = OrderKind::GTC;
pub(crate) const IOC: OrderKind = OrderKind::IOC;
pub(crate) const FOK: OrderKind = OrderKind::FOK;

/// What a step must say: fills and lots of the receipt, or the reject.
pub(crate) type Expected = Result<(u32, u64), RejectReason>;

/// A place that tests change field by field.
pub(crate) const fn place(side: Side, price: u64, quantity: u64, kind: OrderKind) -> Place {
    Place {
        market: MARKET,
        side,
        kind,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    }
}

pub(crate) const fn bid(price: u64, quantity: u64, kind: OrderKind) -> Command<'static> {
    Command::Place(place(Side::Bid, price, quantity, kind))
}

pub(crate) const fn ask(price: u64, quantity: u64, kind: OrderKind) -> Command<'static> {
    Command::Place(place(Side::Ask, price, quantity, kind))
}

pub(crate) const fn until(time: u64) -> OrderKind {
    OrderKind::Limit(TimeInForce::Rest(Resting {
        expires_at: LogTime::new(time),
        ..Resting::PLAIN
    }))
}

pub(crate) const fn iceberg(display: u64) -> OrderKind {
    OrderKind::Limit(TimeInForce::Rest(Resting {
        display: BaseLots::new(display),
        ..Resting::PLAIN
    }))
}

pub(crate) const fn armed(
    order: Place,
    condition: TriggerCondition,
    price: u64,
) -> Command<'static> {
    Command::Place(Place {
        trigger: Some(Trigger {
            condition,
            price: Ticks::new(price),
        }),
        ..order
    })
}

pub(crate) const fn id(sequence: u64) -> OrderId {
    OrderId::new_at(SequenceNumber::new(sequence), MARKET, 0)
}

pub(crate) const fn replace(
    sequence: u64,
    price: u64,
    quantity: u64,
    may_take: bool,
) -> Command<'static> {
    Command::Replace(Replace {
        target: OrderTarget::Order(id(sequence)),
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        may_take,
        self_trade: SelfTrade::Allow,
    })
}

pub(crate) const fn cancel(sequence: u64) -> Command<'static> {
    Command::Cancel(Cancel::Order(id(sequence)))
}

/// A market and accounts, one command or tick at a time.
pub(crate) struct Desk {
    pub(crate) state: State,
    signer: Signer,
    outcome: BlockOutcome,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::open(&poor_genesis())
    }

    pub(crate) fn open(genesis: &Genesis) -> Self {
        Self {
            state: State::from_genesis(genesis, 0),
            signer: Signer::new(genesis),
            outcome: BlockOutcome::default(),
        }
    }

    pub(crate) fn run(&mut self, entry: Entry) {
        run_one(&mut self.state, &mut self.outcome, entry);
    }

    pub(crate) fn tick(&mut self, time: u64) {
        self.run(Entry::Tick(LogTime::new(time)));
    }

    /// Executes one command; the n-th command or tick of a desk has sequence number n.
    pub(crate) fn step(&mut self, account: u32, command: Command<'_>) -> Expected {
        let frame = self.signer.frame(account, &[command]);
        self.run(Entry::Frame(frame));
        let receipt = &self.outcome.receipts[0];
        match receipt.reject_reason() {
            None => Ok((receipt.affected(), receipt.lots().get())),
            Some(reason) => {
                assert!(self.outcome.events.is_empty(), "a reject has no effect");
                Err(reason)
            }
        }
    }

    pub(crate) fn check(&mut self, steps: &[(u32, Command<'_>, Expected)]) {
        for (step, (account, command, expected)) in steps.iter().enumerate() {
            let result = self.step(*account, *command);
            assert_eq!(result, *expected, "step {}: {command:?}", step + 1);
        }
    }

    /// Maker order ids and sizes of the fills of the last command.
    pub(crate) fn fills(&self) -> Vec<(OrderId, u64)> {
        self.events()
            .filter_map(|event| match event {
                Event::Fill(fill) => Some((fill.maker.order_id, fill.quantity.get())),
                _ => None,
            })
            .collect()
    }

    /// Orders that ended with the last command or tick, and why.
    pub(crate) fn ended(&self) -> Vec<(OrderId, DoneReason)> {
        ended(&self.outcome)
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.outcome.events.iter().map(|record| record.event())
    }

    /// Price and remainder of an order on the book.
    pub(crate) fn resting(&self, order_id: OrderId) -> Option<(u64, u64)> {
        let order = self.market().book.order(order_id)?;
        Some((order.price.get(), order.remaining.get()))
    }

    /// The market that the steps are about.
    pub(crate) fn market(&self) -> &MarketState {
        let (_, market) = self.state.market_state(MARKET).unwrap();
        market
    }
}
