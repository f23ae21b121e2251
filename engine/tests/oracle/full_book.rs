//! A book that holds as many orders as it may. The oracle would need gigabytes, so the engine is
//! asked alone.

use engine::State;
use types::block::Entry;
use types::command::{
    OrderKind, Place, QuoteLevel, QuoteSet, Resting, SelfTrade, StopLeg, TimeInForce, Trigger,
    TriggerCondition,
};
use types::genesis::{Genesis, development};
use types::limits::{COMMANDS_PER_FRAME_MAX, OPEN_ORDERS_PER_ACCOUNT_MAX, ORDERS_PER_BOOK_MAX};
use types::outcome::{BlockOutcome, DoneReason, Event};
use types::{BaseLots, ClientOrderId, Command, MarketId, RejectReason, Side, Ticks};

use crate::common::Signer;

#[test]
fn whoever_finds_the_book_full_does_not_rest() {
    let genesis = development();
    let mut venue = Venue::new(&genesis);
    let stop = Trigger {
        condition: TriggerCondition::Stop,
        price: Ticks::new(100),
    };
    let armed = Place {
        trigger: Some(stop),
        ..order(Side::Bid, 90, 1)
    };
    let two_armed = [Command::Place(armed), Command::Place(armed)];
    assert_eq!(venue.send(40, &two_armed), [None, None]);
    venue.send(41, &[Command::Place(order(Side::Ask, 100, 9))]);
    venue.send(43, &[Command::Place(with_stop())]);
    let bids = [Command::Place(order(Side::Bid, 50, 1)); COMMANDS_PER_FRAME_MAX];
    let accounts = ORDERS_PER_BOOK_MAX / OPEN_ORDERS_PER_ACCOUNT_MAX;
    for account in 0..accounts {
        let mut left = OPEN_ORDERS_PER_ACCOUNT_MAX as usize;
        // One is free for the last order before the book is full, one is the ask, one has a stop.
        left -= if account == 0 { 3 } else { 0 };
        while left > 0 {
            let count = left.min(bids.len());
            assert!(
                venue
                    .send(account, &bids[..count])
                    .iter()
                    .all(Option::is_none)
            );
            left -= count;
        }
    }

    // The order that fills the book up sets off two that find no room, and one that makes its own.
    let ioc = Place {
        kind: OrderKind::IOC,
        ..order(Side::Bid, 100, 1)
    };
    let level = [QuoteLevel::new(Ticks::new(50), BaseLots::new(1))];
    let set = QuoteSet {
        market: MarketId::new(0),
        number: 1,
        bids: &level,
        asks: &[],
    };
    let answers = venue.send(
        42,
        &[
            Command::Place(order(Side::Bid, 50, 1)),
            Command::Place(order(Side::Bid, 50, 1)),
            Command::QuoteSet(set),
            Command::Place(ioc),
        ],
    );
    let full = Some(RejectReason::BookFull);
    assert_eq!(answers, [None, full, full, None]);
    let ended = venue.outcome.events.iter().filter(|record| {
        matches!(record.event(), Event::Done(done)
            if done.reason == DoneReason::Unfilled && !done.held)
    });
    assert_eq!(ended.count(), 2);
    let moved = venue.outcome.events.iter().filter(
        |record| matches!(record.event(), Event::Rested(rested) if rested.price == Ticks::new(60)),
    );
    assert_eq!(moved.count(), 1);
    venue.state.assert_invariants();
}

fn order(side: Side, price: u64, quantity: u64) -> Place {
    Place {
        market: MarketId::new(0),
        side,
        kind: OrderKind::GTC,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    }
}

/// A bid that a trade at 100 sets off, to enter at 60.
fn with_stop() -> Place {
    let resting = Resting {
        stop: Some(StopLeg {
            trigger: Ticks::new(100),
            limit: Ticks::new(60),
            self_trade: SelfTrade::Allow,
        }),
        ..Resting::PLAIN
    };
    Place {
        kind: OrderKind::Limit(TimeInForce::Rest(resting)),
        ..order(Side::Bid, 50, 1)
    }
}

/// An engine that is sent one frame a block.
struct Venue {
    signer: Signer,
    state: State,
    outcome: BlockOutcome,
}

impl Venue {
    fn new(genesis: &Genesis) -> Self {
        Self {
            signer: Signer::new(genesis),
            state: State::from_genesis(genesis, 1),
            outcome: BlockOutcome::default(),
        }
    }

    /// Executes commands; says why which were rejected.
    fn send(&mut self, account: u32, commands: &[Command<'_>]) -> Vec<Option<RejectReason>> {
        let block = self
            .state
            .position()
            .next_block(vec![Entry::Frame(self.signer.frame(account, commands))]);
        engine::sequential::execute(&mut self.state, &block, &mut self.outcome);
        let receipts = self.outcome.receipts.iter();
        receipts.map(|receipt| receipt.reject_reason()).collect()
    }
}
