//! The parallel executor: the paper's payments on one core, on real workers, and on virtual ones.
//!
//! ```text
//! cargo bench -p benches --bench executor -- [--quick] [--only NAME] [--svg PATH]
//! ```
//!
//! Sections: `payments` is the paper's table; `goal` is the row that the issue asks for; `flow` is
//! order flow, measured and simulated; `scaling` is what more cores would give, simulated, and is
//! shown only where it agrees with what one and two real workers took; `cores` is what as many real
//! workers as the machine has cores took. Every run, simulated ones too, is compared with the sequential state. Figures
//! are medians of runs in turn that had the machine to themselves; where there were too few of those,
//! the row says so.
#![allow(missing_docs, unreachable_pub)] // A binary.
#![allow(clippy::print_stdout)] // Its output is what it is for.

mod chart;
mod clock;
mod cores;
mod flow;
mod payments;
mod scaling;
mod table;
mod timing;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use benches::Size;
use clap::Parser;

use payments::Payments;
use timing::Bench;
use work::Rate;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The parallel executor, measured and simulated.
#[derive(Debug, Parser)]
struct Options {
    /// Fewer runs of fewer blocks.
    #[arg(long)]
    quick: bool,
    /// Only see that it runs. Also what happens without `--bench`, which `cargo bench` passes.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true)]
    bench: bool,
    /// Only sections whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Where the curves of `scaling` are drawn.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Where the curves of `flow` are drawn.
    #[arg(long)]
    flow_svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("executor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let size = Size::asked(options.test, options.bench, options.quick);
    let (mut bench, rate) = (Bench::new()?, Rate::measure());
    let clock = &bench.clock;
    println!(
        "executor, {}: {:.0} steps of work a us; asking for the time {:.0} ns, lock {} ns, waking {} ns",
        size.name(),
        rate.steps_per_us,
        clock.asking,
        clock.lock,
        clock.wake,
    );
    let asked = |name: &str| options.only.as_ref().is_none_or(|part| name.contains(part));
    if asked("payments") {
        payments_table(size, &mut bench, rate);
    }
    if asked("goal") {
        goal(size, &mut bench, rate);
    }
    if asked("flow") {
        flow::table(size, &mut bench);
        let curves = flow_scaling(size, &mut bench);
        if let Some(path) = &options.flow_svg {
            let title = "Order flow: speed-up over the sequential executor, simulated";
            std::fs::write(path, chart::draw(title, &curves))?;
        }
    }
    if asked("cores") {
        cores(size, &mut bench, rate);
    }
    if asked("scaling") {
        let curves = payments_scaling(size, &mut bench, rate);
        if let Some(path) = &options.svg {
            let title = "Payments of 20 us: speed-up over the sequential loop, simulated";
            std::fs::write(path, chart::draw(title, &curves))?;
        }
    }
    Ok(())
}

/// The paper's accounts.
const ACCOUNTS: [u32; 5] = [2, 10, 100, 1_000, 10_000];

fn payments_table(size: Size, bench: &mut Bench, rate: Rate) {
    let (blocks, works, runs): (&[usize], &[u32], usize) = match size {
        Size::Smoke => (&[32], &[0, 2], 1),
        Size::Quick => (&[10_000], &[0, 2, 10], 3),
        Size::Full => (&[1_000, 10_000], &[0, 2, 10, 50, 100], 5),
    };
    println!("\nThe paper's payments, measured\n");
    table::head("block, work");
    for &us in works {
        for &block in blocks {
            for accounts in ACCOUNTS {
                let mut subject = Payments::new(block, accounts, rate.steps(us));
                let label = format!("{block}, {us} us");
                table::row(bench, &mut subject, (&label, accounts), runs);
            }
        }
    }
}

/// What the issue asks for, and by how much it is met.
fn goal(size: Size, bench: &mut Bench, rate: Rate) {
    let (block, runs) = match size {
        Size::Smoke => (32, 1),
        Size::Quick => (10_000, 5),
        Size::Full => (10_000, 15),
    };
    println!("\n20 us, 1,000 accounts: >= 1.7 with two workers\n");
    table::head("block, work");
    let mut subject = Payments::new(block, 1_000, rate.steps(20));
    let label = format!("{block}, 20 us");
    table::row(bench, &mut subject, (&label, 1_000), runs);
}

fn payments_scaling(size: Size, bench: &mut Bench, rate: Rate) -> Vec<scaling::Curve> {
    let (block, runs) = match size {
        Size::Smoke => (32, 1),
        Size::Quick => (10_000, 3),
        Size::Full => (10_000, 5),
    };
    println!("\nPayments of 20 us in blocks of {block}: simulated workers\n");
    scaling::head();
    let curve = |&accounts: &u32| {
        let mut subject = Payments::new(block, accounts, rate.steps(20));
        let label = format!("{accounts} accounts");
        scaling::curve(bench, &mut subject, label, runs)
    };
    ACCOUNTS[1..].iter().map(curve).collect()
}

fn flow_scaling(size: Size, bench: &mut Bench) -> Vec<scaling::Curve> {
    let runs = match size {
        Size::Smoke => 1,
        Size::Quick => 3,
        Size::Full => 5,
    };
    println!("\nOrder flow: simulated workers\n");
    scaling::head();
    let curve = |(label, plan): &(&str, benches::flow::FlowPlan)| {
        let mut subject = flow::Blocks::new(*plan);
        scaling::curve(bench, &mut subject, (*label).to_owned(), runs)
    };
    flow::flows(size)[..3].iter().map(curve).collect()
}

/// As many real workers as there are cores.
fn cores(size: Size, bench: &mut Bench, rate: Rate) {
    let (block, runs) = match size {
        Size::Smoke => (32, 1),
        Size::Quick => (10_000, 3),
        Size::Full => (10_000, 5),
    };
    println!("\nReal workers: payments of 20 us in blocks of {block}\n");
    let payments = |&accounts: &u32| {
        let subject = Payments::new(block, accounts, rate.steps(20));
        (format!("{accounts} accounts"), subject)
    };
    let mut payments: Vec<_> = ACCOUNTS[1..].iter().map(payments).collect();
    cores::payments(bench, &mut payments, runs);
    println!("\nReal workers: order flow\n");
    let flows = flow::flows(size).into_iter();
    let mut flows: Vec<_> = flows
        .map(|(label, plan)| (label.to_owned(), flow::Blocks::new(plan)))
        .collect();
    cores::flow(bench, &mut flows, runs);
}
