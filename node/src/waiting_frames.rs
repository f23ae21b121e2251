//! Frames that wait in the pipeline's ring: which of them go together, and what becomes of them.

use gateway::RejectedFrame;
use rtrb::{Consumer, Producer};
use types::RejectReason;
use types::block::SequencedFrame;
use types::wire::orders::OrdersFrame;
use types::wire::payload;

/// The frames at the head of the ring that go together: one, or all under one rolling signature.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) frames: usize,
    pub(crate) commands: u64,
    /// What they take in the payload.
    pub(crate) length: u64,
}

impl Run {
    fn add(&mut self, sequenced: &SequencedFrame) {
        self.frames += 1;
        self.commands += u64::from(sequenced.frame.frame().count());
        self.length += payload::frame_length(&sequenced.frame);
    }
}

/// The next of them, up to the first with a signature; `None` if that is not there yet.
pub(crate) fn next_run(frames: &mut Consumer<SequencedFrame>) -> Option<Run> {
    let mut run = Run::default();
    let first = frames.peek().ok()?;
    if first.frame.is_signed() {
        run.add(first);
        return Some(run);
    }
    let waiting = frames.slots();
    let chunk = frames.read_chunk(waiting).ok()?;
    let (first, rest) = chunk.as_slices();
    for sequenced in first.iter().chain(rest) {
        run.add(sequenced);
        if sequenced.frame.is_signed() {
            return Some(run);
        }
    }
    None
}

/// Whether the next so many frames only take orders off.
pub(crate) fn is_cancel(frames: &mut Consumer<SequencedFrame>, count: usize) -> bool {
    !is_any(frames, count, |frame| !frame.is_cancel())
}

/// Whether any of the next so many frames takes funds off the ledger.
pub(crate) fn has_withdrawal(frames: &mut Consumer<SequencedFrame>, count: usize) -> bool {
    is_any(frames, count, OrdersFrame::has_withdrawal)
}

fn is_any(
    frames: &mut Consumer<SequencedFrame>,
    count: usize,
    is_such: impl Fn(&OrdersFrame) -> bool,
) -> bool {
    let chunk = frames.read_chunk(count);
    let chunk = chunk.expect("they were seen a moment ago");
    let (first, rest) = chunk.as_slices();
    let mut all = first.iter().chain(rest);
    all.any(|sequenced| is_such(sequenced.frame.frame()))
}

/// The next so many frames.
pub(crate) fn pop(
    frames: &mut Consumer<SequencedFrame>,
    count: usize,
) -> impl Iterator<Item = SequencedFrame> + '_ {
    let chunk = frames.read_chunk(count);
    chunk.expect("they were seen a moment ago").into_iter()
}

/// Tells the session of a frame why it is not taken. Nobody waits for a frame without origin.
pub(crate) fn refuse(
    refused: &mut Producer<RejectedFrame>,
    sequenced: &SequencedFrame,
    reason: RejectReason,
) {
    let frame = sequenced.frame.frame();
    let Some(origin) = sequenced.origin else {
        return;
    };
    let pushed = refused.push(RejectedFrame {
        session: origin.session,
        nonce: frame.header().nonce,
        commands: frame.count(),
        reason,
    });
    assert!(pushed.is_ok(), "asked for room before; nobody else pushes");
}
