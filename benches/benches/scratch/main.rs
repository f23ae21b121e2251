#![allow(missing_docs, clippy::all, clippy::print_stdout)]
use std::time::{Duration, Instant};
use benches::flow::{Flow, FlowPlan, Spread};
use benches::seal;
use engine::parallel::workers::{Alone, Pool};
use engine::parallel::{BlockExecutor, Choice, Cut, Hands, Settings, Tally};
use engine::sequencer::Sequencer;
use types::LogTime;
use types::block::Block;
use types::outcome::{BlockOutcome, Digest};

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let spread = match args.get(1).map(|s| s.as_str()) { Some("uniform") => Spread::Uniform, Some("hot") => Spread::Hot, _ => Spread::Zipf };
    let only: Option<&str> = args.get(2).map(|s| s.as_str()).filter(|s| *s != "all");
    let per_block: usize = args.get(3).and_then(|s| s.parse().ok()).unwrap_or(2048);
    let slice: u32 = args.get(4).and_then(|s| s.parse().ok()).unwrap_or(128);
    let makers: usize = args.get(5).and_then(|s| s.parse().ok()).unwrap_or(8);
    let plan = FlowPlan { markets: 100, accounts: 10_000, makers, spread, commands: std::env::var("N").map_or(400_000, |n| n.parse().unwrap()), seed: 1 };
    let flow = Flow::new(plan);
    let genesis_state = flow.state();
    let mut sequencer = Sequencer::after(genesis_state.position());
    let mut blocks: Vec<Block> = Vec::new();
    let mut now = LogTime::ZERO;
    let mut at = 0;
    while at < flow.frames.len() {
        let mut end = at; let mut n = 0;
        while end < flow.frames.len() && n < per_block { n += flow.frames[end].frame.frame().count() as usize; end += 1; }
        now = now.advance(1_000_000);
        blocks.push(seal(&mut sequencer, &flow.frames[at..end], now));
        at = end;
    }
    let mut reference: Option<Digest> = None;
    let mut run = |name: &str, f: &mut dyn FnMut(&mut engine::State, &Block, &mut BlockOutcome)| {
        if only.is_some_and(|o| !name.contains(o)) { return; }
        let mut best = f64::MAX; let mut bestcpu = f64::MAX;
        for _ in 0..std::env::var("R").map_or(5, |n| n.parse().unwrap()) {
            let mut state = flow.state();
            let mut outcome = BlockOutcome::default();
            let warm = blocks.len() / 4;
            for block in &blocks[..warm] { engine::sequential::execute(&mut state, block, &mut outcome); }
            f(&mut state, &Block::default(), &mut outcome);
            let n: u64 = blocks[warm..].iter().map(|b| b.command_count()).sum(); let commands = n as f64;
            let (t, c) = (Instant::now(), cpu());
            let mut fills = 0; let mut rej = 0;
            for block in &blocks[warm..] { f(&mut state, block, &mut outcome); fills += outcome.events.len(); rej += outcome.receipts.iter().filter(|r| r.reject_reason().is_some()).count(); }
            let (t, c) = (t.elapsed().as_nanos() as f64 / commands, (cpu() - c).as_nanos() as f64 / commands);
            best = best.min(t); bestcpu = bestcpu.min(c);
            match reference { None => { println!("events/cmd {} rejects {}", fills as f64 / commands, rej as f64/commands); reference = Some(outcome.hash) }, Some(r) => assert_eq!(r, outcome.hash) }
        }
        println!("{name:30} {best:8.1} ns wall {bestcpu:8.1} ns cpu");
    };
    run("sequential", &mut |s, b, o| if b.height.get() > 0 { engine::sequential::execute(s, b, o) });
    let pool = Pool::new(2).unwrap();
    for (name, lanes, two) in [("one/1lane", 1, false), ("one/8lanes", 8, false), ("two/8lanes", 8, true)] {
        let settings = Settings { choice: Choice::Always, cut: Some(Cut { lanes_max: lanes, commands_per_slice: slice }) };
        let mut ex: Option<BlockExecutor> = None;
        let mut tally = Tally::default();
        run(name, &mut |s, b, o| {
            if b.height.get() == 0 { ex = Some(BlockExecutor::new(s, settings)); return; }
            let e = ex.as_mut().unwrap();
            e.execute(s, b, o, if two { Hands::Real(&pool) } else { Hands::Real(&Alone) }, None);
            tally = *e.tally();
        });
        println!("   {:?}", tally);
    }
}
