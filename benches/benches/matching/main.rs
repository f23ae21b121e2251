//! Our book beside a yardstick and three published books, on identical streams: operations a second
//! of thread CPU time, percentiles per operation, and whether everybody makes the same trades.
//!
//! ```text
//! cargo bench -p benches --bench matching -- [--quick] [--passes N] [--only NAME] [--json FILE]
//! ```
//!
//! Compare figures of one run only. Rates are those of the best pass; the machine's other work can
//! only slow a pass down. All engines take turns, so that a busy minute hits them alike. Trades that
//! differ from the reference's end the run.
#![allow(missing_docs, unreachable_pub)] // A binary.
#![allow(clippy::print_stdout)] // Its output is what it is for.

mod contest;
mod peers;
mod report;
mod worst;

use std::path::PathBuf;
use std::process::ExitCode;

use benches::Size;
use benches::matching::{Keel, Plan, Reference, Stream, recorded};
use clap::Parser;
use contest::{Contestant, Result, clock_cost, compete};
use report::Report;

/// Matching: our book beside others, on identical streams.
#[derive(Debug, Parser)]
struct Options {
    /// A tenth of the operations and of the large books.
    #[arg(long)]
    quick: bool,
    /// Only see that it runs. Also what happens without `--bench`, which `cargo bench` passes.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true)]
    bench: bool,
    /// Passes of each engine over each stream.
    #[arg(long, default_value_t = 5)]
    passes: usize,
    /// Only workloads whose name contains this; `worst` for the worst cases.
    #[arg(long)]
    only: Option<String>,
    /// Only engines whose name contains this, besides the reference.
    #[arg(long)]
    engine: Option<String>,
    /// Writes the table to this file; a relative path starts at the folder `benches`.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("matching: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let size = Size::asked(options.test, options.bench, options.quick);
    let passes = if size == Size::Smoke {
        1
    } else {
        options.passes
    };
    let mut report = Report::new(size, passes, clock_cost());
    print!("{}", report.heading());
    let contestants = contestants(options);
    for plan in Plan::all(size) {
        if is_asked_for(options, plan.name) {
            report_stream(&mut report, &plan.stream(), &contestants)?;
        }
    }
    if is_asked_for(options, recorded::NAME) {
        match recorded_stream(size)? {
            Some(stream) => report_stream(&mut report, &stream, &contestants)?,
            None => println!(
                "\n{}: skipped, no recording: run `cargo xtask fetch-data`",
                recorded::NAME
            ),
        }
    }
    if is_asked_for(options, "worst") {
        print!("{}", report.add_worst_cases(worst::all(size)));
    }
    if let Some(path) = &options.json {
        std::fs::write(path, report.json()?)?;
    }
    Ok(())
}

fn is_asked_for(options: &Options, name: &str) -> bool {
    options.only.as_ref().is_none_or(|part| name.contains(part))
}

/// Ours first, then the yardstick, then the others from fast to slow.
fn contestants(options: &Options) -> Vec<Contestant> {
    let all = [
        Contestant::of::<Keel>(),
        Contestant::of::<Reference>(),
        Contestant::of::<peers::RustOrderBook>().without_fills(),
        Contestant::of::<peers::Lobster>(),
        Contestant::of::<peers::OrderBookRs>().up_to(ORDERBOOK_RS_OPS_MAX),
    ];
    let asked = |contestant: &Contestant| {
        let name = contestant.name;
        let part = options.engine.as_ref();
        contestant.is_yardstick() || part.is_none_or(|part| name.contains(part))
    };
    all.into_iter().filter(asked).collect()
}

/// It takes 2 to 20 microseconds per operation: whole streams would take minutes.
const ORDERBOOK_RS_OPS_MAX: usize = 100_000;

fn recorded_stream(size: Size) -> Result<Option<Stream>> {
    let path = recorded::path();
    if !path.is_file() {
        return Ok(None);
    }
    let commands_max = match size {
        Size::Full => usize::MAX,
        Size::Quick => 50_000,
        Size::Smoke => 10_000,
    };
    Ok(Some(recorded::stream(&path, commands_max)?))
}

fn report_stream(report: &mut Report, stream: &Stream, contestants: &[Contestant]) -> Result<()> {
    let scores = compete(contestants, stream, report.passes())?;
    print!("{}", report.add(stream, &scores));
    Ok(())
}
