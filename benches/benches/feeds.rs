//! Released outcomes of the demo's mix through the feeds, with nobody subscribed: what is paid for
//! every command so that positions and hashes have no holes. Without what the node keeps of it.
#![allow(missing_docs)] // Criterion's macros make undocumented functions.

use std::time::Duration;

use benches::{BLOCK_FRAMES, FRAME, Stream, seal};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::feeds::{Feeds, Positions};
use engine::market_data::MarketData;
use engine::sequencer::Sequencer;
use types::LogTime;
use types::outcome::BlockOutcome;

fn feeds(criterion: &mut Criterion) {
    let stream = Stream::demo(200_000, 1);
    let mut group = criterion.benchmark_group("engine::feeds");
    group.throughput(Throughput::Elements(stream.commands()));
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(8));
    for frames_per_block in [1, 8, BLOCK_FRAMES] {
        let outcomes = outcomes(&stream, frames_per_block);
        group.bench_function(
            format!("demo/frames_per_block={frames_per_block}"),
            |bench| {
                bench.iter_batched(
                    || Feeds::new(MarketData::of(&stream.state(), 1), Positions::default()),
                    |mut feeds| {
                        let mut bytes = 0;
                        for outcome in &outcomes {
                            feeds.follow(outcome, |_, _, message| bytes += message.len());
                        }
                        (feeds, bytes)
                    },
                    BatchSize::PerIteration,
                );
            },
        );
    }
    group.finish();
}

/// What each block of so many frames comes to.
fn outcomes(stream: &Stream, frames_per_block: usize) -> Vec<BlockOutcome> {
    let mut state = stream.state();
    let mut sequencer = Sequencer::after(state.position());
    let mut now = LogTime::ZERO;
    let blocks = stream.frames.chunks(frames_per_block).map(|frames| {
        now = now.advance(1_000_000);
        let block = seal(&mut sequencer, frames, now);
        let mut outcome = BlockOutcome::default();
        engine::sequential::execute(&mut state, &block, &mut outcome);
        sequencer.recycle(block);
        outcome
    });
    let outcomes: Vec<_> = blocks.collect();
    let events: usize = outcomes.iter().map(|outcome| outcome.events.len()).sum();
    assert!(FRAME * stream.frames.len() / 2 < events, "it trades");
    outcomes
}

criterion_group!(benches, feeds);
criterion_main!(benches);
