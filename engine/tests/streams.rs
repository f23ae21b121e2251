//! Random command streams: invariants, determinism, and that block cuts carry no meaning.

mod common;

use common::{cut, limited_genesis, random_frames, run};
use engine::State;
use engine::follower::Follower;
use engine::replay::{RecordedBlock, Replay, ReplayError};
use types::outcome::{BlockOutcome, Digest, DoneReason, Event, FrameVerdict};
use types::{Height, RejectReason};

const COMMANDS: usize = 20_000;

#[test]
fn books_and_balances_stay_sound_and_events_explain_them() {
    let genesis = limited_genesis();
    for seed in 0..8 {
        println!("seed {seed}");
        let frames = random_frames(&genesis, seed, COMMANDS);
        let mut state = State::from_genesis(&genesis, seed);
        let mut follower = Follower::from_genesis(&genesis);
        let blocks = cut(&state, &frames, 20, seed);
        run(&mut state, &blocks, |state, outcome| {
            state.assert_invariants();
            follower.follow(outcome);
            assert_follows(state, &follower);
        });
    }
}

fn assert_follows(state: &State, follower: &Follower) {
    for account in (0..state.ledger().account_count()).map(types::AccountId::new) {
        for asset in (0..state.ledger().asset_count()).map(types::AssetId::new) {
            assert_eq!(
                state.ledger().balance(account, asset),
                follower.ledger().balance(account, asset)
            );
        }
        assert_eq!(state.open_orders(account), follower.open_orders(account));
    }
    assert_eq!(
        state.ledger().state_root(),
        follower.ledger().state_root(),
        "events explain every balance"
    );
    let markets: Vec<_> = state.markets().collect();
    assert_eq!(markets, follower.market_states());
}

/// A stream that never reaches the rare answers proves nothing about them.
#[test]
fn streams_reach_every_answer() {
    let genesis = limited_genesis();
    let mut reached = std::collections::BTreeSet::new();
    for seed in 0..4 {
        let mut state = State::from_genesis(&genesis, seed);
        let frames = random_frames(&genesis, seed, COMMANDS);
        let blocks = cut(&state, &frames, 20, seed);
        run(&mut state, &blocks, |_, outcome| {
            for receipt in &outcome.receipts {
                reached.insert(
                    receipt
                        .reject_reason()
                        .map_or("accepted", RejectReason::name),
                );
            }
            for frame in &outcome.frames {
                reached.insert(match frame.verdict {
                    FrameVerdict::Executed => "executed",
                    FrameVerdict::Repeated { .. } => "repeated",
                    FrameVerdict::Refused(reason) => reason.name(),
                });
            }
            reached.extend(outcome.events.iter().map(|record| kind_of(&record.event())));
        });
    }
    // Limits of 10,000 and more take streams of their own; the session refuses the low numbers; keys have
    // streams of their own (`keys.rs`).
    let elsewhere = [
        RejectReason::TooManyRemembered,
        RejectReason::BookFull,
        RejectReason::UnknownKey,
        RejectReason::StaleEpoch,
        RejectReason::Expired,
        RejectReason::NonceTooOld,
        RejectReason::NonceTooHigh,
        RejectReason::NonceReused,
    ];
    let reasons = RejectReason::ALL.iter();
    let is_of_keys = |reason: RejectReason| (37..64).contains(&reason.code());
    let is_of_edge = |reason: RejectReason| RejectReason::TooManyAccounts <= reason;
    let is_meant = |reason: RejectReason| {
        let is_elsewhere = is_of_keys(reason) || is_of_edge(reason) || elsewhere.contains(&reason);
        32 <= reason.code() && !is_elsewhere
    };
    let reasons = reasons.filter(|reason| is_meant(**reason));
    let kinds = [
        "accepted",
        "executed",
        "repeated",
        "fill",
        "fill with rebate",
        "self trade",
        "rested",
        "transferred",
        "cancelled",
        "unfilled",
        "expired",
        "self_trade",
        "replaced",
        "refreshed",
        "armed",
        "triggered",
        "decremented",
        "reduced",
        "protection",
        "fill in auction",
        "status changed",
        "indicative",
    ];
    for name in reasons.map(|reason| reason.name()).chain(kinds) {
        assert!(reached.contains(name), "never reached: {name}");
    }
}

fn kind_of(event: &Event) -> &'static str {
    match event {
        Event::Fill(fill) if fill.auction.is_some() => "fill in auction",
        Event::Fill(fill) if fill.maker_refreshed => "refreshed",
        Event::Fill(fill) if fill.maker_fee < 0 => "fill with rebate",
        Event::Fill(fill) if fill.maker.account == fill.taker.account => "self trade",
        Event::Fill(_) => "fill",
        Event::Rested(_) => "rested",
        Event::Armed(_) => "armed",
        Event::Triggered(_) => "triggered",
        Event::Reduced(reduced) if reduced.reason == DoneReason::SelfTrade => "decremented",
        Event::Reduced(_) => "reduced",
        Event::Done(done) => done.reason.name(),
        Event::Transferred(_) => "transferred",
        Event::StatusChanged(_) => "status changed",
        Event::Indicative(_) => "indicative",
        Event::KeyChanged(_) => "key changed",
        Event::PolicySet(_) => "policy set",
        Event::AccountOpened(_) => "account opened",
        Event::Deposited(_) => "deposited",
        Event::Withdrawn(_) => "withdrawn",
    }
}

/// Everything a stream yields, joined over its blocks.
fn joined(outcomes: &[BlockOutcome]) -> BlockOutcome {
    let mut all = BlockOutcome::default();
    for outcome in outcomes {
        all.frames.extend_from_slice(&outcome.frames);
        all.receipts.extend_from_slice(&outcome.receipts);
        all.events.extend_from_slice(&outcome.events);
    }
    all
}

#[test]
fn block_cuts_carry_no_meaning() {
    let genesis = limited_genesis();
    for seed in 100..104 {
        println!("seed {seed}");
        let frames = random_frames(&genesis, seed, COMMANDS);
        let mut results = Vec::new();
        for (percent, hash_seed) in [(0, 1), (5, 2), (50, 3), (100, 4)] {
            let mut state = State::from_genesis(&genesis, hash_seed);
            let blocks = cut(&state, &frames, percent, seed);
            let mut outcomes = Vec::new();
            run(&mut state, &blocks, |_, outcome| {
                outcomes.push(outcome.clone());
            });
            let root = state.ledger().state_root();
            results.push((joined(&outcomes), state.digest(), root));
        }
        for other in &results[1..] {
            // Not assert_eq: thousands of records would be printed.
            assert!(results[0].0.frames == other.0.frames);
            assert!(results[0].0.receipts == other.0.receipts);
            assert!(results[0].0.events == other.0.events);
            assert_eq!((results[0].1, results[0].2), (other.1, other.2));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_hash_and_another_another() {
    let genesis = limited_genesis();
    let hash = |seed, hash_seed| {
        let mut state = State::from_genesis(&genesis, hash_seed);
        let frames = random_frames(&genesis, seed, 1_000);
        let blocks = cut(&state, &frames, 10, seed);
        run(&mut state, &blocks, |_, _| {});
        (state.position().outcome_hash, state.digest())
    };
    assert_eq!(hash(7, 1), hash(7, 2));
    assert_ne!(hash(7, 1).0, hash(8, 1).0);
}

fn records(genesis: &types::genesis::Genesis, seed: u64) -> (Vec<RecordedBlock>, State) {
    let mut state = State::from_genesis(genesis, seed);
    let frames = random_frames(genesis, seed, 1_000);
    let blocks = cut(&state, &frames, 30, seed);
    let mut hashes = vec![Digest::ZERO];
    run(&mut state, &blocks, |_, outcome| hashes.push(outcome.hash));
    let record = |(block, previous_outcome): (&types::block::Block, &Digest)| {
        let mut payload = Vec::new();
        for entry in &block.entries {
            types::wire::payload::encode_entry(entry, &mut payload);
        }
        RecordedBlock {
            height: block.height,
            first_sequence: block.first_sequence,
            command_count: block.command_count(),
            previous_outcome: *previous_outcome,
            payload: payload.into(),
        }
    };
    (blocks.iter().zip(&hashes).map(record).collect(), state)
}

#[test]
fn a_journal_replays_to_the_same_state() {
    let genesis = limited_genesis();
    let (records, state) = records(&genesis, 21);
    let mut replay = Replay::new(State::from_genesis(&genesis, 99));
    for record in records {
        replay.apply(record).unwrap();
    }
    assert_eq!(replay.state().digest(), state.digest());
    assert_eq!(replay.state().position(), state.position());
}

#[test]
fn a_journal_that_does_not_fit_is_refused_at_the_block() {
    let genesis = limited_genesis();
    let (records, _) = records(&genesis, 22);
    let apply = |change: &dyn Fn(&mut Vec<RecordedBlock>)| {
        let mut records = records.clone();
        change(&mut records);
        let mut replay = Replay::new(State::from_genesis(&genesis, 0));
        let result = records
            .into_iter()
            .try_for_each(|record| replay.apply(record));
        result.unwrap_err()
    };
    assert!(matches!(
        apply(&|records| records[3].previous_outcome = Digest::new([1; 32])),
        ReplayError::Outcome { height, .. } if height == Height::new(3)
    ));
    assert!(matches!(
        apply(&|records| drop(records.remove(3))),
        ReplayError::Gap { expected, .. } if expected == Height::new(4)
    ));
    assert!(matches!(
        apply(&|records| records[3].command_count += 1),
        ReplayError::Sequence { height } if height == Height::new(4)
    ));
    assert!(matches!(
        apply(&|records| records[3].payload.truncate(20)),
        ReplayError::Payload { height, reason: RejectReason::Malformed }
            if height == Height::new(4)
    ));
    let other_rules = |records: &mut Vec<RecordedBlock>| {
        let payload = records[5].payload.clone();
        records[4].payload = payload;
        records[4].command_count = records[5].command_count;
        records[5].first_sequence = records[4].first_sequence.advance(records[4].command_count);
    };
    assert!(matches!(
        apply(&other_rules),
        ReplayError::Outcome { height, .. } if height == Height::new(5)
    ));
}

#[test]
fn a_second_state_repeats_every_block_and_sees_what_differs() {
    let genesis = limited_genesis();
    let frames = random_frames(&genesis, 31, 4_000);
    let [mut first, mut second] = [1, 2].map(|seed| State::from_genesis(&genesis, seed));
    let blocks = cut(&first, &frames, 30, 31);
    let (mut outcome, mut scratch) = (BlockOutcome::default(), BlockOutcome::default());
    for block in &blocks {
        engine::sequential::execute(&mut first, block, &mut outcome);
        let mut same = |outcome: &BlockOutcome| {
            let same = engine::sequential::repeat(&mut second, block, outcome, &mut scratch);
            assert_eq!(second.position().outcome_hash, outcome.hash);
            same
        };
        if block.height.get() < blocks.len() as u64 {
            assert!(same(&outcome), "block {}", block.height);
        } else {
            let receipt = outcome.receipts.pop();
            assert!(!same(&outcome), "a receipt is missing: {receipt:?}");
        }
    }
    assert_eq!(first.digest(), second.digest());
}
