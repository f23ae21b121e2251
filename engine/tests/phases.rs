//! `docs/ORDERS.md`, the restart: what a phase of the whole exchange lets markets do, and how they come
//! back from it. The last account is the operator.

#![allow(clippy::unwrap_used)] // Test support: a panic is a failed test.

mod common;

use common::ACCOUNTS;
use common::desk::{Desk, GTC, IOC, MARKET, armed, ask, bid, cancel, id, place, replace};
use engine::State;
use engine::sequencer::{Sequencer, TICK_INTERVAL_NS};
use engine::snapshot::{self, Beside, BesideBytes, Contradiction};
use ledger::StateTree;
use rkyv::rancor::Panic;
use types::block::Entry;
use types::command::{
    CancelScope, MarketStatus, QuoteLevel, QuoteSet, SetMarketStatus, TriggerCondition,
};
use types::genesis::development;
use types::outcome::Event;
use types::phase::Phase;
use types::{BaseLots, Command, LogTime, MarketId, RejectReason, SequenceNumber, Side, Ticks};

const OPERATOR: u32 = ACCOUNTS - 1;
const OTHER: MarketId = MarketId::new(1);
const REFUSED: Result<(u32, u64), RejectReason> = Err(RejectReason::MarketStatus);

const fn status(market: MarketId, status: MarketStatus) -> Command<'static> {
    Command::SetMarketStatus(SetMarketStatus { market, status })
}

/// Enters a phase; what must be told of statuses, and that nothing else is.
fn enter(desk: &mut Desk, phase: Phase, expected: &[(MarketId, MarketStatus)]) {
    desk.run(Entry::Phase(phase));
    assert_eq!(desk.state.phase(), phase);
    assert_eq!(told(desk), expected, "{phase:?}");
    assert_eq!(desk.events().count(), expected.len(), "{phase:?}");
}

/// The statuses that the last step has told.
fn told(desk: &Desk) -> Vec<(MarketId, MarketStatus)> {
    let events = desk.events().filter_map(|event| match event {
        Event::StatusChanged(changed) => {
            assert_eq!(changed.sequence, desk.state.position().sequence);
            Some((changed.market, changed.status))
        }
        _ => None,
    });
    events.collect()
}

/// What whoever asks is answered.
fn answered(desk: &Desk) -> Vec<MarketStatus> {
    desk.state.markets().map(|market| market.status).collect()
}

const BOTH_CLOSED: [(MarketId, MarketStatus); 2] = [
    (MARKET, MarketStatus::CancelOnly),
    (OTHER, MarketStatus::CancelOnly),
];
const BOTH_OPEN: [(MarketId, MarketStatus); 2] =
    [(MARKET, MarketStatus::Open), (OTHER, MarketStatus::Open)];

#[test]
fn while_cancel_only_orders_only_become_smaller() {
    let mut desk = Desk::new();
    desk.check(&[
        (0, ask(100, 5, GTC), Ok((0, 0))),
        (1, bid(90, 5, GTC), Ok((0, 0))),
        (1, bid(89, 5, GTC), Ok((0, 0))),
    ]);
    enter(&mut desk, Phase::CancelOnly, &BOTH_CLOSED);
    assert_eq!(answered(&desk), [MarketStatus::CancelOnly; 2]);
    let levels = [QuoteLevel::new(Ticks::new(80), BaseLots::new(1))];
    let quotes = |bids| {
        Command::QuoteSet(QuoteSet {
            market: MARKET,
            number: 1,
            bids,
            asks: &[],
        })
    };
    let waits = armed(place(Side::Bid, 100, 1, GTC), TriggerCondition::Stop, 99);
    desk.check(&[
        (2, bid(100, 1, GTC), REFUSED),
        (2, bid(80, 1, GTC), REFUSED),
        (2, bid(100, 1, IOC), REFUSED),
        (2, waits, REFUSED),
        (2, quotes(&levels), REFUSED),
        (1, replace(2, 90, 6, true), REFUSED),
        (1, replace(2, 91, 5, false), REFUSED),
        (1, replace(2, 90, 4, true), Ok((0, 0))),
        (1, cancel(3), Ok((1, 5))),
        (2, quotes(&[]), Ok((0, 0))),
        (1, Command::CancelAll(CancelScope::EVERYTHING), Ok((1, 0))),
    ]);
    enter(&mut desk, Phase::Open, &BOTH_OPEN);
    assert_eq!(answered(&desk), [MarketStatus::Open; 2]);
    desk.check(&[(2, bid(100, 1, GTC), Ok((1, 1)))]);
}

#[test]
fn a_phase_again_tells_nothing() {
    let mut desk = Desk::new();
    enter(&mut desk, Phase::Open, &[]);
    enter(&mut desk, Phase::CancelOnly, &BOTH_CLOSED);
    enter(&mut desk, Phase::CancelOnly, &[]);
    enter(&mut desk, Phase::Open, &BOTH_OPEN);
}

/// What an operator sets holds; what is told is what may happen.
#[test]
fn operators_set_statuses_meanwhile() {
    use MarketStatus::{CancelOnly, Halted, Open, PostOnly};
    let mut desk = Desk::new();
    desk.step(OPERATOR, status(MARKET, Halted)).unwrap();
    enter(&mut desk, Phase::CancelOnly, &[(OTHER, CancelOnly)]);
    assert_eq!(answered(&desk), [Halted, CancelOnly]);
    for (market, set, expected) in [
        (MARKET, Open, Some(CancelOnly)),
        (MARKET, Open, None),
        (MARKET, PostOnly, None),
        (OTHER, Halted, Some(Halted)),
        (OTHER, CancelOnly, Some(CancelOnly)),
        (OTHER, Halted, Some(Halted)),
    ] {
        desk.step(OPERATOR, status(market, set)).unwrap();
        let expected: Vec<_> = expected
            .map(|status| (market, status))
            .into_iter()
            .collect();
        assert_eq!(told(&desk), expected, "{set:?}");
        desk.check(&[(0, ask(100, 1, GTC), REFUSED)]);
    }
    let set = desk.step(0, status(MARKET, Open));
    assert_eq!(set, Err(RejectReason::NotOperator));
    enter(&mut desk, Phase::Open, &[(MARKET, PostOnly)]);
    assert_eq!(answered(&desk), [PostOnly, Halted]);
}

#[test]
fn an_auction_waits_and_begins_anew() {
    use MarketStatus::{Auction, CancelOnly, Halted, Open, PostOnly};
    let indicated = |desk: &Desk| {
        let mut events = desk.events();
        events.any(|event| matches!(event, Event::Indicative(_)))
    };
    let mut desk = Desk::new();
    desk.check(&[
        (OPERATOR, status(MARKET, Auction), Ok((0, 0))),
        (0, ask(90, 5, GTC), Ok((0, 0))),
        (1, bid(100, 5, GTC), Ok((0, 0))),
    ]);
    desk.tick(10);
    assert!(indicated(&desk));
    enter(&mut desk, Phase::CancelOnly, &BOTH_CLOSED);
    assert!(
        desk.state
            .markets()
            .all(|market| market.indicative.is_none())
    );
    desk.check(&[
        (0, replace(2, 90, 3, true), Ok((0, 0))),
        // It would trade, and nothing does.
        (OPERATOR, status(MARKET, Open), REFUSED),
        (OPERATOR, status(MARKET, PostOnly), REFUSED),
        (OPERATOR, status(MARKET, Halted), Ok((0, 0))),
        (OPERATOR, status(MARKET, Open), REFUSED),
        (OPERATOR, status(MARKET, CancelOnly), Ok((0, 0))),
        (OPERATOR, status(MARKET, Auction), Ok((0, 0))),
        // So does one that begins now.
        (OPERATOR, status(OTHER, Auction), Ok((0, 0))),
    ]);
    assert_eq!(desk.state.next_due(), None);
    desk.tick(20);
    assert!(!indicated(&desk));
    let both = [(MARKET, Auction), (OTHER, Auction)];
    enter(&mut desk, Phase::Open, &both);
    assert!(desk.state.next_due().is_some());
    desk.tick(21);
    assert!(indicated(&desk));
    desk.check(&[(OPERATOR, status(MARKET, Open), Ok((1, 3)))]);
}

#[test]
fn what_waits_for_a_price_waits_on() {
    let mut desk = Desk::new();
    let stop = armed(place(Side::Bid, 110, 1, GTC), TriggerCondition::Stop, 100);
    desk.check(&[
        (0, ask(100, 2, GTC), Ok((0, 0))),
        (0, ask(105, 1, GTC), Ok((0, 0))),
        (1, stop, Ok((0, 0))),
    ]);
    enter(&mut desk, Phase::CancelOnly, &BOTH_CLOSED);
    desk.tick(10);
    enter(&mut desk, Phase::Open, &BOTH_OPEN);
    assert_eq!(desk.resting(id(1)), Some((100, 2)));
    desk.check(&[(2, bid(100, 1, GTC), Ok((1, 1)))]);
    assert_eq!(desk.fills(), [(id(1), 1), (id(1), 1)]);
}

#[test]
fn orders_expire_while_cancel_only() {
    let mut desk = Desk::new();
    desk.step(0, ask(100, 2, common::desk::until(50))).unwrap();
    enter(&mut desk, Phase::CancelOnly, &BOTH_CLOSED);
    assert_eq!(desk.state.next_due(), Some(LogTime::new(50)));
    desk.tick(50);
    assert_eq!(desk.ended().len(), 1);
}

/// A checkpoint of version 3 has the phase; earlier ones are of an open exchange.
#[test]
fn a_snapshot_keeps_the_phase() {
    let mut desk = Desk::new();
    let genesis = common::poor_genesis();
    let restored = |state: &State, phase: Option<&[u8]>| {
        let tree = StateTree::new(state.ledger());
        let bytes = rkyv::to_bytes::<Panic>(&state.snapshot(&tree)).unwrap();
        let archived = snapshot::access(&bytes).unwrap();
        let beside = Beside {
            phase,
            ..Beside::default()
        };
        State::restore(archived, beside, &genesis, 5)
    };
    let open = restored(&desk.state, None).unwrap();
    assert_eq!(open.digest(), desk.state.digest());
    desk.run(Entry::Phase(Phase::CancelOnly));
    let phase = BesideBytes::of(&desk.state).phase;
    let closed = restored(&desk.state, Some(&phase)).unwrap();
    assert_eq!(closed.phase(), Phase::CancelOnly);
    assert_eq!(closed.digest(), desk.state.digest());
    let forgotten = restored(&desk.state, None).unwrap();
    assert_ne!(forgotten.digest(), desk.state.digest());
    for damaged in [&[2][..], &[], &[1, 0]] {
        let refused = restored(&desk.state, Some(damaged)).err();
        let expected = Contradiction("a phase of no number");
        assert_eq!(refused, Some(expected), "{damaged:?}");
    }
}

/// A phase is logged at a moment of its own, and is first of its block.
#[test]
fn a_phase_brings_its_tick() {
    let state = State::from_genesis(&development(), 0);
    let mut sequencer = Sequencer::after(state.position());
    let mut log = |phase, now| {
        sequencer.phase(phase, LogTime::new(now));
        let block = sequencer.seal().unwrap();
        let entries = block.entries.iter();
        let ticks = entries.filter_map(|entry| match entry {
            Entry::Tick(time) => Some(time.get()),
            _ => None,
        });
        let ticks: Vec<_> = ticks.collect();
        let last = block.entries.last();
        assert!(matches!(last, Some(Entry::Phase(last)) if *last == phase));
        (block.first_sequence, ticks)
    };
    let first = SequenceNumber::new;
    for (phase, now, expected) in [
        (
            Phase::CancelOnly,
            TICK_INTERVAL_NS,
            (first(1), vec![TICK_INTERVAL_NS]),
        ),
        // No matter how soon.
        (
            Phase::Open,
            TICK_INTERVAL_NS + 1,
            (first(3), vec![TICK_INTERVAL_NS + 1]),
        ),
        // A clock that is behind logs no time.
        (Phase::CancelOnly, 7, (first(5), vec![])),
    ] {
        assert_eq!(log(phase, now), expected);
    }
}
