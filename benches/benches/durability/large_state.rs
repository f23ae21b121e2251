//! A state of a million accounts with four assets each: its snapshot, its state tree, proofs, and the
//! way back.
//!
//! One thread does everything; milliseconds are of its CPU, medians of several passes. Buffers are
//! used again, as the node does, and the first pass, which allocates them, is not counted.

use std::time::{Duration, Instant};

use benches::Size;
use engine::State;
use engine::snapshot::{self, Beside, Image, Memory};
use ledger::StateTree;
use rustix::time::{ClockId, clock_gettime};
use store::AlignedBuffer;
use types::genesis::{AssetSpec, Genesis, GenesisAccount};
use types::{AccountId, AssetId, Atoms, GroupId, NetworkId, Symbol};

use crate::Result;

const ASSETS: u16 = 4;
const DIRTY: usize = 10_000;

pub fn run(size: Size) -> Result<()> {
    let (accounts, passes) = match size {
        Size::Smoke => (1_000, 2),
        Size::Quick => (1_000_000, 5),
        Size::Full => (1_000_000, 15),
    };
    println!("\n{accounts} accounts x {ASSETS} assets, ms of CPU, median of {passes}");
    let genesis = genesis(accounts)?;
    let state = State::from_genesis(&genesis, 1);
    let mut tree = StateTree::new(state.ledger());
    let dirty: Vec<AccountId> = (0..DIRTY).map(|index| spread(index, accounts)).collect();

    let mut image = Image::new(Buffer(AlignedBuffer::with_capacity(0)));
    image.update(&state, &tree, &[]);
    row("a whole snapshot, reused buffer", passes, || {
        image.forget();
        image.update(&state, &tree, &[]);
    });
    row("the same, 10,000 accounts changed", passes, || {
        image.update(&state, &tree, &dirty);
    });
    let buffer = &image.memory().0;
    println!("  it has {:.1} MB", buffer.bytes().len() as f64 / 1e6);
    row("its BLAKE3 digest", passes, || blake3::hash(buffer.bytes()));
    let archived = snapshot::access(buffer.bytes())?;
    row("restored and checked", passes.min(5), || {
        State::restore(archived, Beside::default(), &genesis, 1)
    });
    row("state tree from scratch", passes.min(5), || {
        StateTree::new(state.ledger())
    });
    row("tree update, 10,000 random leaves", passes, || {
        tree.update(state.ledger(), dirty.iter().copied());
    });

    let root = tree.root();
    let edge = state.ledger().edge();
    let proved = micros(dirty.len().min(2_000), |index| {
        archived.ledger.prove(edge, dirty[index])
    });
    println!("  {:<36}{proved:>9.1} us", "a proof from the snapshot");
    let proof = archived.ledger.prove(edge, dirty[0]);
    assert!(proof.verify(&root), "it holds");
    let checked = micros(2_000, |_| proof.verify(&root));
    println!("  {:<36}{checked:>9.1} us", "a check of it");
    Ok(())
}

/// Memory as a node has it.
struct Buffer(AlignedBuffer);

impl Memory for Buffer {
    fn append(&mut self, length: usize) {
        self.0.append(length);
    }

    fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

/// A network of many accounts that differ.
fn genesis(accounts: u32) -> Result<Genesis> {
    let asset = |number| {
        let symbol = Symbol::new(&format!("A{number}")).ok_or("a legal symbol")?;
        let decimals = 0;
        Ok::<_, &str>(AssetSpec { symbol, decimals })
    };
    let assets: std::result::Result<Vec<_>, _> = (0..ASSETS).map(asset).collect();
    let accounts = (0..accounts).map(|number| {
        let mut owner = [1; 20];
        owner[..4].copy_from_slice(&number.to_le_bytes());
        let amount = Atoms::new(1_000_000 + u128::from(number));
        GenesisAccount {
            owner,
            group: GroupId::new(number),
            operator: false,
            keys: Vec::new(),
            balances: (0..ASSETS).map(|id| (AssetId::new(id), amount)).collect(),
        }
    });
    let network = NetworkId::DEVELOPMENT;
    Ok(Genesis::new(
        network,
        assets?,
        Vec::new(),
        accounts.collect(),
    )?)
}

/// Accounts all over the place, by a multiplication.
fn spread(index: usize, accounts: u32) -> AccountId {
    let mixed = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    AccountId::new((mixed % u64::from(accounts)) as u32)
}

fn row<T>(what: &str, passes: usize, mut work: impl FnMut() -> T) {
    let mut times: Vec<Duration> = (0..passes)
        .map(|_| {
            let before = thread_cpu();
            std::hint::black_box(work());
            thread_cpu() - before
        })
        .collect();
    times.sort_unstable();
    let [best, median] = [times[0], times[times.len() / 2]].map(|it| it.as_secs_f64() * 1e3);
    println!("  {what:<36}{median:>9.2} ms (best {best:.2})");
}

/// Microseconds of wall time of each call: calls this short are not interrupted often.
fn micros<T>(calls: usize, mut work: impl FnMut(usize) -> T) -> f64 {
    let mut times: Vec<Duration> = (0..calls)
        .map(|index| {
            let started = Instant::now();
            std::hint::black_box(work(index));
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
