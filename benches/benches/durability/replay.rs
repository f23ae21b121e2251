//! Recorded blocks executed again, in memory: what one core replays a second, and what the shadow
//! of a node costs.
//!
//! The records are those of the demo's stream in blocks of 2,048 commands. Replay decodes them, which
//! computes the digest of every frame, executes, hashes and compares every outcome. The shadow gets
//! blocks that are decoded, and compares without hashing.

use std::time::{Duration, Instant};

use benches::{BLOCK_FRAMES, Size, Stream, seal};
use engine::replay::{RecordedBlock, Replay};
use engine::sequencer::Sequencer;
use engine::sequential;
use types::LogTime;
use types::block::Block;
use types::outcome::{BlockOutcome, Digest};
use types::wire::payload;

use crate::Result;

pub fn run(size: Size) -> Result<()> {
    let (commands, passes) = match size {
        Size::Smoke => (10_000, 1),
        Size::Quick => (500_000, 3),
        Size::Full => (2_000_000, 5),
    };
    let stream = Stream::demo(commands, 1);
    let (blocks, outcomes) = executed(&stream);
    let records = records(&blocks, &outcomes);
    let commands = stream.commands() as f64;
    println!("\nexecuted again, {commands} commands on one core, best and median of {passes}");

    row("replay of a journal's records", commands, passes, || {
        let mut replay = Replay::new(stream.state());
        let started = Instant::now();
        for record in &records {
            replay
                .apply(record.clone())
                .expect("what was recorded comes out");
        }
        started.elapsed()
    });
    row("shadow", commands, passes, || {
        let mut state = stream.state();
        let mut scratch = BlockOutcome::default();
        let started = Instant::now();
        for (block, outcome) in blocks.iter().zip(&outcomes) {
            assert!(sequential::repeat(&mut state, block, outcome, &mut scratch));
        }
        started.elapsed()
    });
    Ok(())
}

fn executed(stream: &Stream) -> (Vec<Block>, Vec<BlockOutcome>) {
    let mut state = stream.state();
    let mut sequencer = Sequencer::after(state.position());
    let mut now = LogTime::ZERO;
    let run = |frames| {
        now = now.advance(1_000_000);
        let block = seal(&mut sequencer, frames, now);
        let mut outcome = BlockOutcome::default();
        sequential::execute(&mut state, &block, &mut outcome);
        (block, outcome)
    };
    stream.frames.chunks(BLOCK_FRAMES).map(run).unzip()
}

fn records(blocks: &[Block], outcomes: &[BlockOutcome]) -> Vec<RecordedBlock> {
    let before = std::iter::once(Digest::ZERO).chain(outcomes.iter().map(|it| it.hash));
    let record = |(block, previous_outcome): (&Block, Digest)| {
        let mut bytes = Vec::new();
        for entry in &block.entries {
            payload::encode_entry(entry, &mut bytes);
        }
        RecordedBlock {
            height: block.height,
            first_sequence: block.first_sequence,
            command_count: block.command_count(),
            previous_outcome,
            payload: bytes.into(),
        }
    };
    blocks.iter().zip(before).map(record).collect()
}

fn row(what: &str, commands: f64, passes: usize, mut work: impl FnMut() -> Duration) {
    let mut times: Vec<f64> = (0..passes).map(|_| work().as_secs_f64()).collect();
    times.sort_unstable_by(f64::total_cmp);
    let [best, median] = [times[0], times[passes / 2]].map(|seconds| commands / seconds / 1e6);
    println!("  {what:<36}{median:>9.2} M/s (best {best:.2})");
}
