//! Decoded commands through sequencer, sequential executor and outcome hash, in memory: what one
//! core carries past the gateway, without network, signatures or disk.
#![allow(missing_docs)] // Criterion's macros make undocumented functions.

use std::time::Duration;

use benches::{BLOCK_FRAMES, Stream, seal};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::sequencer::Sequencer;
use types::LogTime;
use types::outcome::BlockOutcome;

fn pipeline(criterion: &mut Criterion) {
    let stream = Stream::demo(500_000, 1);
    let mut group = criterion.benchmark_group("engine::pipeline");
    group.throughput(Throughput::Elements(stream.commands()));
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(8));
    for frames_per_block in [1, 8, BLOCK_FRAMES] {
        group.bench_function(
            format!("demo/frames_per_block={frames_per_block}"),
            |bench| {
                bench.iter_batched(
                    || stream.state(),
                    |mut state| {
                        let mut sequencer = Sequencer::after(state.position());
                        let mut outcome = BlockOutcome::default();
                        let mut now = LogTime::ZERO;
                        for frames in stream.frames.chunks(frames_per_block) {
                            now = now.advance(1_000_000);
                            let block = seal(&mut sequencer, frames, now);
                            engine::sequential::execute(&mut state, &block, &mut outcome);
                            sequencer.recycle(block);
                        }
                        (state, outcome.hash)
                    },
                    BatchSize::PerIteration,
                );
            },
        );
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
