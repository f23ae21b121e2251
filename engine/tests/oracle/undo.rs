//! A state that goes back: detours are executed and undone, and nothing of them is left.

use std::collections::BTreeSet;

use engine::State;
use ledger::StateTree;
use rkyv::rancor::Panic;
use types::block::{Block, Entry};
use types::outcome::{BlockOutcome, Digest};

use crate::common::{Random, cut};
use crate::compare::{answer_name, event_name};
use crate::mixes::MIXES;
use crate::streams::{assert_reached, number};

const COMMANDS: u64 = 2_000;

/// A detour may leave the way again, so many times.
const DEPTH_MAX: u32 = 3;

#[test]
fn a_detour_that_is_undone_leaves_nothing() {
    let mut undone = BTreeSet::new();
    for mix in MIXES {
        let genesis = mix.genesis();
        for seed in 0..number("KEEL_SEEDS", 4) {
            println!("mix {:?}, seed {seed}", mix.name);
            let mut state = State::from_genesis(&genesis, 1);
            let blocks = cut(&state, &mix.frames(seed, COMMANDS), 100, seed);
            let mut expected = BlockOutcome::default();
            let mut straight = Detours::new(State::from_genesis(&genesis, 2), &blocks, seed);
            straight.state.begin_undo();
            for block in &blocks {
                if straight.random.chance(5) {
                    straight.state.end_undo();
                    straight.state.begin_undo();
                }
                if straight.random.chance(15) {
                    straight.leave(DEPTH_MAX, &mut undone);
                }
                straight.execute(&block.entries);
                engine::sequential::execute(&mut state, block, &mut expected);
                assert!(straight.outcome == expected, "block {}", block.height);
            }
            assert_eq!(straight.state.digest(), state.digest());
        }
    }
    assert_reached(&undone);
}

/// A state on its way, which it leaves now and then.
struct Detours<'a> {
    state: State,
    /// Entries for detours are drawn from these.
    blocks: &'a [Block],
    random: Random,
    outcome: BlockOutcome,
}

impl<'a> Detours<'a> {
    fn new(state: State, blocks: &'a [Block], seed: u64) -> Self {
        Self {
            state,
            blocks,
            random: Random::new(seed),
            outcome: BlockOutcome::default(),
        }
    }

    /// Executes entries, wherever it is.
    fn execute(&mut self, entries: &[Entry]) {
        let block = self.state.position().next_block(entries.to_vec());
        engine::sequential::execute(&mut self.state, &block, &mut self.outcome);
    }

    /// Executes what comes at another time, goes back, and is where it was. What was undone is added
    /// to `undone`.
    fn leave(&mut self, depth: u32, undone: &mut BTreeSet<String>) {
        let mark = self.state.undo_mark();
        let here = written(&self.state);
        for _ in 0..1 + self.random.below(3) {
            for _ in 0..self.random.below(6) {
                // Frames of before have been executed, so they do nothing.
                let at = self.state.position().height.get() + self.random.below(60);
                let blocks = self.blocks.len() as u64;
                self.execute(&self.blocks[(at % blocks) as usize].entries);
                undone.extend(self.outcome.receipts.iter().map(answer_name));
                let events = self.outcome.events.iter();
                undone.extend(events.map(|event| event_name(&event.event())));
                if depth > 1 && self.random.chance(10) {
                    self.leave(depth - 1, undone);
                }
            }
            self.state.undo_to(&mark);
            assert!(written(&self.state) == here, "something is left");
            self.state.assert_invariants();
        }
    }
}

/// Everything that a snapshot keeps: more than the digest tells.
fn written(state: &State) -> (Vec<u8>, Digest) {
    let tree = StateTree::new(state.ledger());
    let bytes = rkyv::to_bytes::<Panic>(&state.snapshot(&tree)).unwrap();
    (bytes.to_vec(), state.digest())
}
