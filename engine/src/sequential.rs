//! The sequential executor: one command after the other. The oracle for every other executor.

use types::block::{Block, Entry, SequencedFrame};
use types::outcome::{BlockOutcome, FrameReceipt, FrameVerdict};
use types::phase::Phase;
use types::{KeyId, LogTime, SequenceNumber};

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
    seal(state, outcome);
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
    begin(state, block, outcome);
    let mut sequence = block.first_sequence;
    for entry in &block.entries {
        match entry {
            Entry::Tick(time) => tick(state, *time, sequence, outcome),
            Entry::Silence(key) => silence(state, *key, sequence, outcome),
            Entry::Phase(next) => phase(state, *next, sequence, outcome),
            Entry::Frame(sequenced) => {
                if let Some(mut context) = admit(state, sequenced, sequence, outcome) {
                    for command in sequenced.frame.frame().commands() {
                        transition::apply(state, context, &command, outcome);
                        context.sequence = context.sequence.next();
                    }
                }
            }
        }
        sequence = sequence.advance(entry.command_count());
    }
    end(state, sequence, outcome);
}

/// Clears `outcome` for a block, which must follow the state's position.
pub(crate) fn begin(state: &State, block: &Block, outcome: &mut BlockOutcome) {
    assert_eq!(block.height, state.position().height.next());
    assert_eq!(block.first_sequence, state.position().sequence.next());
    outcome.clear(block.height);
}

/// Everything of a block is executed; `next` is the position after it. Panics if balances are not
/// conserved.
pub(crate) fn end(state: &State, next: SequenceNumber, outcome: &mut BlockOutcome) {
    state.ledger().assert_conserved();
    outcome.last_sequence = SequenceNumber::new(next.get() - 1);
}

/// Seals the outcome of a block; the state is at its end.
pub(crate) fn seal(state: &mut State, outcome: &mut BlockOutcome) {
    outcome.hash = outcome.seal(state.position().outcome_hash);
    advance(state, outcome);
}

fn advance(state: &mut State, outcome: &BlockOutcome) {
    let position = state.position_mut();
    position.height = outcome.height;
    position.sequence = outcome.last_sequence;
    position.outcome_hash = outcome.hash;
}

/// Logged time moves.
pub(crate) fn tick(
    state: &mut State,
    time: LogTime,
    sequence: SequenceNumber,
    outcome: &mut BlockOutcome,
) {
    let now = state.position().time.max(time);
    state.position_mut().time = now;
    transition::tick(state, sequence, now, &mut outcome.events);
}

/// No session of a key is heard any more.
pub(crate) fn silence(
    state: &mut State,
    key: KeyId,
    sequence: SequenceNumber,
    outcome: &mut BlockOutcome,
) {
    let now = state.position().time;
    transition::silence(state, key, (sequence, now), &mut outcome.events);
}

/// The exchange opens, or is cancel-only from here on.
pub(crate) fn phase(
    state: &mut State,
    next: Phase,
    sequence: SequenceNumber,
    outcome: &mut BlockOutcome,
) {
    transition::phase(state, next, sequence, &mut outcome.events);
}

/// Judges a frame and writes its receipt; if its commands are to be executed, the context of the
/// first. Reads and writes nothing that a command does.
pub(crate) fn admit(
    state: &mut State,
    sequenced: &SequencedFrame,
    first_sequence: SequenceNumber,
    outcome: &mut BlockOutcome,
) -> Option<Context> {
    let frame = sequenced.frame.frame();
    let header = frame.header();
    let time = state.position().time;
    let genesis_hash = *state.genesis_hash();
    let clock = (time, &genesis_hash);
    let verdict = admission::admit(state.ledger_mut(), clock, &sequenced.frame, first_sequence);
    outcome.frames.push(FrameReceipt {
        account: header.account,
        key: header.key,
        nonce: header.nonce,
        first_sequence,
        count: frame.count(),
        verdict,
    });
    (verdict == FrameVerdict::Executed).then_some(Context {
        account: header.account,
        key: header.key,
        sequence: first_sequence,
        now: time,
    })
}
