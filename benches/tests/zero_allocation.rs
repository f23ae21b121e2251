//! After warm-up the pipeline past the gateway allocates nothing per command.

#![allow(unsafe_code)] // A counting allocator has to be an allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use benches::{BLOCK_FRAMES, FRAME, Stream, seal};
use engine::sequencer::Sequencer;
use types::LogTime;
use types::outcome::BlockOutcome;

struct Counting;

/// Relaxed: one thread counts and reads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system allocator unchanged; counting has no part in it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_pipeline_allocates_nothing_per_command() {
    let stream = Stream::demo(600_000, 5);
    let mut state = stream.state();
    let mut sequencer = Sequencer::after(state.position());
    let mut outcome = BlockOutcome::default();
    let mut counted = Vec::with_capacity(stream.frames.len());
    for frames in stream.frames.chunks(BLOCK_FRAMES) {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let block = seal(&mut sequencer, frames, LogTime::ZERO);
        engine::sequential::execute(&mut state, &block, &mut outcome);
        sequencer.recycle(block);
        counted.push(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    // By the middle of the stream books and buffers have been as large as they get.
    let warm = &counted[counted.len() / 2..];
    let commands = warm.len() * BLOCK_FRAMES * FRAME;
    let allocations: u64 = warm.iter().sum();
    assert!(
        allocations == 0,
        "{allocations} allocations in {commands} commands of a warm pipeline"
    );
}
