//! How long a commit takes: one record of 4 KiB or 64 KiB, back to back, without and with one
//! spinning thread a core in this process.
//!
//! The next segment is made between two commits, outside of what is measured. What else runs on the
//! machine is not seen here, and may cost a commit more than our own spinning threads do.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use benches::Size;
use store::format::HEADER_LENGTH;

use crate::Result;
use crate::scratch::{Scratch, ways};

pub fn run(size: Size, parent: &Path) -> Result<()> {
    let (alone, beside) = match size {
        Size::Smoke => (8, 4),
        Size::Quick => (400, 100),
        Size::Full => (3_000, 600),
    };
    println!("\ncommit latency, us");
    println!("record   spinning      io     commits       p50       p99       max");
    for length in [4 << 10, 64 << 10] {
        section(length, "none", alone, size, parent)?;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism()?.get() {
                // Relaxed: nothing but the flag itself is shared.
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let measured = section(length, "one a core", beside, size, parent);
            stop.store(true, Ordering::Relaxed);
            measured
        })?;
    }
    Ok(())
}

fn section(length: usize, spinning: &str, commits: usize, size: Size, parent: &Path) -> Result<()> {
    let payload = vec![7; length - HEADER_LENGTH];
    let mut journals = Vec::new();
    for io in ways() {
        journals.push((io, Scratch::new(io, size, parent)?, Vec::new()));
    }
    for _ in 0..commits {
        for (_, scratch, latencies) in &mut journals {
            let journal = &mut scratch.journal;
            if let Some(number) = journal.wants_prepared()
                && let Some(segment) = journal.preparer().prepare(number)?
            {
                journal.offer_prepared(segment);
            }
            scratch.append(&payload, 1)?;
            let started = Instant::now();
            scratch.journal.commit()?;
            latencies.push(started.elapsed().as_nanos() as f64 / 1e3);
        }
    }
    for (io, _, latencies) in &mut journals {
        latencies.sort_unstable_by(f64::total_cmp);
        let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
        println!(
            "{:<7}  {spinning:<12}  {:<5} {commits:>8}  {:>8.1}  {:>8.1}  {:>8.1}",
            format!("{} KiB", length >> 10),
            io.name(),
            percentile(50),
            percentile(99),
            percentile(100),
        );
    }
    Ok(())
}
