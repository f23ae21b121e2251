//! The sequential executor: one command after the other. The oracle for every other executor.

use types::SequenceNumber;
use types::block::{Block, Entry};
use types::outcome::{BlockOutcome, FrameReceipt, FrameVerdict};

use crate::admission;
use crate::state::State;
use crate::transition::{self, Context};

/// Executes a block on top of `state`, leaving everything that came of it in `outcome` (which is
/// cleared first; its buffers are reused).
///
/// Panics if the block does not follow the state's position, or if balances are not conserved: the
/// node stops, and the journal can be replayed.
pub fn execute(state: &mut State, block: &Block, outcome: &mut BlockOutcome) {
    run(state, block, outcome);
    outcome.hash = outcome.seal(state.position().outcome_hash);
    advance(state, outcome);
}

/// Executes a block that was executed before, elsewhere, on a state of the same history. Returns
/// whether the same came of it; `scratch` holds what did. Cheaper than [`execute`]: outcomes are
/// compared, not hashed.
///
/// Panics like [`execute`].
#[must_use]
pub fn repeat(
    state: &mut State,
    block: &Block,
    outcome: &BlockOutcome,
    scratch: &mut BlockOutcome,
) -> bool {
    run(state, block, scratch);
    scratch.hash = outcome.hash;
    advance(state, scratch);
    scratch == outcome
}

fn run(state: &mut State, block: &Block, outcome: &mut BlockOutcome) {
    assert_eq!(block.height, state.position().height.next());
    assert_eq!(block.first_sequence, state.position().sequence.next());
    outcome.clear(block.height);
    let mut sequence = block.first_sequence;
    for entry in &block.entries {
        match entry {
            Entry::Tick(time) => {
                let now = state.position().time.max(*time);
                state.position_mut().time = now;
                transition::tick(state, sequence, now, &mut outcome.events);
            }
            Entry::Frame(sequenced) => execute_frame(state, sequenced, sequence, outcome),
        }
        sequence = sequence.advance(entry.command_count());
    }
    state.ledger().assert_conserved();
    outcome.last_sequence = SequenceNumber::new(sequence.get() - 1);
}

fn advance(state: &mut State, outcome: &BlockOutcome) {
    let position = state.position_mut();
    position.height = outcome.height;
    position.sequence = outcome.last_sequence;
    position.outcome_hash = outcome.hash;
}

fn execute_frame(
    state: &mut State,
    sequenced: &types::block::SequencedFrame,
    first_sequence: SequenceNumber,
    outcome: &mut BlockOutcome,
) {
    let frame = sequenced.frame.frame();
    let header = frame.header();
    let time = state.position().time;
    let verdict = admission::admit(state.ledger_mut(), time, &sequenced.frame, first_sequence);
    outcome.frames.push(FrameReceipt {
        account: header.account,
        key: header.key,
        nonce: header.nonce,
        first_sequence,
        count: frame.count(),
        verdict,
    });
    if verdict != FrameVerdict::Executed {
        return;
    }
    let mut sequence = first_sequence;
    for command in frame.commands() {
        let context = Context {
            account: header.account,
            sequence,
            now: time,
        };
        transition::apply(state, context, &command, outcome);
        sequence = sequence.next();
    }
}
