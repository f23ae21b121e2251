//! What is drawn once per seed: how often what goes wrong, and how small everything is.
//!
//! Many rates are zero in a run (swarm testing): what is always mixed in everywhere hides what only
//! shows where it is absent.

use store::disk::Random;
use types::genesis::{self, Genesis, GenesisAccount, MarketLimits, PriceBand};
use types::{AssetId, Atoms, FeeRate, GroupId, NetworkId};

/// How many accounts trade; the last is the operator.
pub(crate) const ACCOUNTS: u32 = 4;

/// What else goes wrong on the disk, beside crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Nothing.
    None,
    /// Some operation fails.
    Failures,
    /// There is no space for a while.
    Full,
    /// A write is lost.
    Lost,
    /// A write lands elsewhere.
    Misdirected,
    /// Bits flip at rest.
    Rot,
}

/// Weights of the kinds of commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) places: u64,
    pub(crate) cancels: u64,
    pub(crate) replaces: u64,
    pub(crate) quote_sets: u64,
    pub(crate) cancel_alls: u64,
    pub(crate) transfers: u64,
    pub(crate) protections: u64,
    pub(crate) statuses: u64,
    pub(crate) policies: u64,
    pub(crate) timers: u64,
    pub(crate) revocations: u64,
}

/// A run's settings. Rates are percent.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) harm: Harm,
    pub(crate) lives: u64,
    /// Turns of parts in a life, at most.
    pub(crate) turns: u64,
    /// Power fails within so many operations of the disk.
    pub(crate) operations: u64,
    pub(crate) segment_length: u64,
    pub(crate) kept_segments: Option<u64>,
    pub(crate) kept_checkpoints: usize,
    pub(crate) checkpoint_interval_ns: u64,
    pub(crate) frames_ring: usize,
    pub(crate) released_ring: usize,
    pub(crate) linked: bool,
    /// Writes are short and interrupted.
    pub(crate) awkward: bool,
    pub(crate) mix: Mix,
    pub(crate) commands_per_frame: u64,
    /// Frames in which a wallet registers a key.
    pub(crate) registered: u64,
    /// Frames in which a wallet revokes a key.
    pub(crate) revoked: u64,
    /// Frames of keys that a wallet has registered, if there are any.
    pub(crate) keyed: u64,
    /// How often nobody hears of a key any more.
    pub(crate) silent: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) late: u64,
    pub(crate) repeated: u64,
    pub(crate) reused: u64,
    pub(crate) skipped: u64,
    pub(crate) expiring: u64,
    pub(crate) jumps: u64,
    pub(crate) backwards: u64,
    /// Longest step of the clock.
    pub(crate) pace_ns: u64,
    /// How long the exchange may be cancel-only after a restart.
    pub(crate) grace_ns: u64,
}

impl Plan {
    pub(crate) fn draw(random: &mut Random, graces: &mut Random) -> Self {
        let harm = random.choose(&[
            Harm::None,
            Harm::None,
            Harm::None,
            Harm::Failures,
            Harm::Full,
            Harm::Lost,
            Harm::Misdirected,
            Harm::Rot,
        ]);
        let mut rate = |most: u64| match random.below(3) {
            0 => 0,
            _ => random.below(most + 1),
        };
        // A full disk takes frames of cancels alone, so there must be some.
        let is_full = harm == Harm::Full;
        let mix = Mix {
            places: 40,
            cancels: rate(20).max(if is_full { 20 } else { 0 }),
            replaces: rate(25),
            quote_sets: rate(10),
            cancel_alls: rate(10),
            transfers: rate(10),
            protections: rate(12),
            statuses: rate(8),
            policies: rate(10),
            timers: rate(6),
            revocations: rate(3),
        };
        // Most lives are short, so that there are many; a few go deep.
        let scale = if rate(24) == 24 { 12 } else { 1 };
        let [lost, doubled, late] = [30, 30, 60].map(&mut rate);
        let [repeated, reused, skipped, expiring] = [30, 10, 10, 20].map(&mut rate);
        let [registered, revoked, keyed, silent] = [25, 6, 100, 12].map(&mut rate);
        let [jumps, backwards] = [10, 20].map(&mut rate);
        Self {
            harm,
            lives: 3 + random.below(8),
            turns: scale * (60 + random.below(240)),
            operations: scale * (5 + random.below(60)),
            segment_length: random.choose(&[8 << 10, 8 << 10, 16 << 10, 32 << 10, 128 << 10]),
            kept_segments: random.choose(&[None, Some(2), Some(3), Some(4)]),
            kept_checkpoints: random.choose(&[1, 1, 2, 3]),
            checkpoint_interval_ns: random.choose(&[0, 1_000_000, 5_000_000, 50_000_000]),
            frames_ring: random.choose(&[1, 2, 8, 64]),
            released_ring: random.choose(&[1, 2, 8, 64]),
            linked: random.coin(),
            awkward: random.below(4) == 0,
            mix,
            registered,
            revoked,
            keyed,
            silent,
            commands_per_frame: 1 + random.below(if is_full { 2 } else { 8 }),
            lost,
            doubled,
            late,
            repeated,
            reused,
            skipped,
            expiring,
            jumps,
            backwards,
            pace_ns: random.choose(&[0, 500_000, 3_000_000]),
            grace_ns: graces.choose(&[0, 0, 1, 500_000, 3_000_000, 20_000_000]),
        }
    }
}

/// Two markets with fees and rebates, and four accounts with little money, so that funds run out.
/// Accounts 0 and 1 belong together; the last is the operator.
pub(crate) fn small_genesis(random: &mut Random) -> Genesis {
    let development = genesis::development();
    let mut markets = development.markets().to_vec();
    markets[1].maker_fee = FeeRate::new(-50).expect("a legal rebate");
    if random.coin() {
        markets[0].limits = MarketLimits {
            notional_min: Atoms::new(2_000),
            open_orders_max: 12,
            band: Some(PriceBand {
                width_ppm: 80_000,
                interval_ms: u64::from(random.coin()),
            }),
            ..MarketLimits::NONE
        };
    }
    let balance = |asset| (AssetId::new(asset), Atoms::new(3_000_000));
    let accounts = (0..).zip(development.accounts()).take(ACCOUNTS as usize);
    let accounts = accounts.map(|(id, account): (u32, &GenesisAccount)| GenesisAccount {
        balances: (0..3).map(balance).collect(),
        group: GroupId::new(id.max(1)),
        operator: id == ACCOUNTS - 1,
        ..account.clone()
    });
    let (assets, accounts) = (development.assets().to_vec(), accounts.collect());
    Genesis::new(NetworkId::new(7), assets, markets, accounts).expect("a legal genesis")
}
