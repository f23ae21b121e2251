//! Snapshots of random streams: whoever goes on from one answers every later command alike.

mod common;

use common::{cut, limited_genesis, random_frames, run};
use engine::State;
use engine::snapshot::{
    self, Beside, BesideBytes, ChangedAccounts, Contradiction, Image, Memory, StateSnapshot,
};
use ledger::StateTree;
use rkyv::util::AlignedVec;
use types::genesis::Genesis;
use types::outcome::BlockOutcome;

const COMMANDS: usize = 12_000;

fn written(state: &State, tree: &StateTree) -> AlignedVec<16> {
    let mut image = Image::new(Aligned::default());
    image.update(state, tree, &[]);
    image.memory().0.clone()
}

#[derive(Default)]
struct Aligned(AlignedVec<16>);

impl Memory for Aligned {
    fn append(&mut self, length: usize) {
        self.0.resize(self.0.len() + length, 0xaa);
    }

    fn truncate(&mut self, length: usize) {
        self.0.resize(length.min(self.0.len()), 0);
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

fn restored(genesis: &Genesis, state: &State, tree: &StateTree, hash_seed: u64) -> State {
    let bytes = written(state, tree);
    let archived = snapshot::access(&bytes).expect("it is an archive");
    let edge = state.ledger().edge();
    assert_eq!(archived.ledger.state_root(edge), tree.root());
    let beside = BesideBytes::of(state);
    let restored = State::restore(archived, beside.read(), genesis, hash_seed);
    let restored = restored.expect("a state writes itself down");
    restored.assert_invariants();
    assert_eq!(restored.digest(), state.digest());
    assert_eq!(restored.position(), state.position());
    let again = written(&restored, tree);
    assert!(again[..] == bytes[..], "one state has one snapshot");
    restored
}

#[test]
fn a_restart_changes_nothing() {
    let genesis = limited_genesis();
    for seed in 200..206 {
        println!("seed {seed}");
        let frames = random_frames(&genesis, seed, COMMANDS);
        let mut state = State::from_genesis(&genesis, 1);
        let blocks = cut(&state, &frames, 20, seed);
        let mut hashes = Vec::new();
        run(&mut state, &blocks, |_, outcome| hashes.push(outcome.hash));

        let mut again = State::from_genesis(&genesis, 2);
        let mut tree = StateTree::new(again.ledger());
        let mut outcome = BlockOutcome::default();
        let mut changed = ChangedAccounts::new();
        let mut image = Image::new(Aligned::default());
        for (number, (block, hash)) in blocks.iter().zip(&hashes).enumerate() {
            engine::sequential::execute(&mut again, block, &mut outcome);
            assert_eq!(outcome.hash, *hash, "block {}", block.height);
            changed.follow(&outcome);
            if number % 10 == 9 {
                tree.update(again.ledger(), changed.as_slice().iter().copied());
                assert_eq!(tree.root(), again.ledger().state_root());
                image.update(&again, &tree, changed.as_slice());
                changed.clear();
                assert!(
                    image.memory().0[..] == written(&again, &tree)[..],
                    "an image that is kept is one that is made anew"
                );
                again = restored(&genesis, &again, &tree, number as u64);
            }
        }
        assert_eq!(again.digest(), state.digest());
    }
}

/// A change to a good snapshot, and what is said about it.
type Change = (fn(&mut StateSnapshot<'_>), &'static str);

const CHANGES: &[Change] = &[
    (
        |it| it.markets.truncate(1),
        "accounts, assets and markets are the genesis'",
    ),
    (|it| it.markets[0].status = 9, "a status of no number"),
    (
        |it| it.markets[0].is_collecting ^= true,
        "the book collects in an auction",
    ),
    (|it| it.markets[0].orders[0].side = 2, "a side of no number"),
    (
        |it| it.markets[0].orders[0].account = 70_000,
        "every order is some account's",
    ),
    (
        |it| it.markets[0].orders[0].stop.trigger = u64::MAX,
        "prices are legal",
    ),
    (
        |it| _ = it.markets[0].orders.remove(0),
        "who has a turn rests",
    ),
    (
        |it| _ = it.markets[0].turns.remove(0),
        "one turn for each order",
    ),
    (|it| it.markets[0].armed[0].kind = 7, "a kind of no number"),
    (
        |it| it.markets[0].armed[0].condition = 0,
        "a condition of no number",
    ),
    (
        |it| it.markets[0].armed[0].self_trade = 5,
        "a self-trade setting of no number",
    ),
    (|it| it.markets[0].armed[0].quantity = 0, "sizes are legal"),
    (
        |it| it.markets[0].armed[0].order_id = it.markets[0].orders[0].order_id,
        "ids are unique",
    ),
    (
        |it| it.markets[0].armed[0].quantity += 1,
        "what is held is what open orders need",
    ),
    (
        |it| _ = it.markets[0].armed.remove(0),
        "open orders are counted",
    ),
    (|it| it.markets[0].last_trade = u64::MAX, "prices are legal"),
    (|it| _ = it.scopes.pop(), "every protection is counted"),
    (|it| _ = it.counts.pop(), "every protection is counted"),
];

/// A state in which there is something of everything.
fn rich() -> (Genesis, State) {
    let genesis = limited_genesis();
    let mut state = State::from_genesis(&genesis, 1);
    let frames = random_frames(&genesis, 203, COMMANDS);
    let blocks = cut(&state, &frames, 20, 203);
    for block in &blocks {
        engine::sequential::execute(&mut state, block, &mut BlockOutcome::default());
        let tree = StateTree::new(state.ledger());
        let snapshot = state.snapshot(&tree);
        let market = &snapshot.markets[0];
        let is_rich = market.orders.len() > 1 && market.armed.len() > 1;
        if is_rich && snapshot.scopes.len() > 1 && snapshot.counts.len() > 1 {
            return (genesis, state);
        }
    }
    panic!("the stream never got rich");
}

#[test]
fn what_contradicts_itself_is_not_restored() {
    let (genesis, state) = rich();
    let tree = StateTree::new(state.ledger());
    for (change, what) in CHANGES {
        let mut snapshot = state.snapshot(&tree);
        change(&mut snapshot);
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&snapshot).unwrap();
        let archived = snapshot::access(&bytes).unwrap();
        let restored = State::restore(archived, Beside::default(), &genesis, 0);
        assert_eq!(restored.err(), Some(Contradiction(what)));
    }
}

/// Bytes that are damaged in spite of their digest are refused or restored, and never a panic.
#[test]
fn damaged_bytes_never_panic() {
    let (genesis, state) = rich();
    let tree = StateTree::new(state.ledger());
    let bytes = written(&state, &tree);
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut damaged = AlignedVec::<16>::new();
        damaged.extend_from_slice(&bytes);
        damaged[at] ^= 1 << (at % 8);
        let restored = snapshot::access(&damaged)
            .and_then(|archived| State::restore(archived, Beside::default(), &genesis, 0));
        refused += u64::from(restored.is_err());
    }
    println!("{refused} of {} refused", bytes.len());
    assert!(0 < refused);
    for length in 0..bytes.len().min(4_096) {
        let mut cut = AlignedVec::<16>::new();
        cut.extend_from_slice(&bytes[..length]);
        assert!(snapshot::access(&cut).is_err(), "{length} bytes");
    }
}
