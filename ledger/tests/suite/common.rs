//! What the tests of the ledger share: seeded randomness and small networks.

use types::auth::SigningKey;
use types::genesis::{AssetSpec, Genesis, GenesisAccount, MarketLimits, MarketSpec, Step};
use types::{AccountId, AssetId, Atoms, FeeRate, GroupId, NetworkId, Symbol};

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// In `0..=max`, and often at either end.
    pub(crate) fn up_to(&mut self, max: u128) -> u128 {
        let wide = u128::from(self.next()) << 64 | u128::from(self.next());
        match self.below(8) {
            0 => 0,
            1 => max,
            _ if max == u128::MAX => wide,
            _ => wide % (max + 1),
        }
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

/// Runs `test` for so many seeds; if it panics, says for which.
pub(crate) fn for_seeds(count: u64, mut test: impl FnMut(&mut Rng)) {
    for seed in 0..count {
        let _guard = SeedGuard(seed);
        test(&mut Rng::new(seed));
    }
}

struct SeedGuard(u64);

impl Drop for SeedGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

pub(crate) const fn account(number: u32) -> AccountId {
    AccountId::new(number)
}

pub(crate) const fn asset(number: u16) -> AssetId {
    AssetId::new(number)
}

pub(crate) const fn atoms(number: u128) -> Atoms {
    Atoms::new(number)
}

pub(crate) fn rate(parts_per_million: i32) -> FeeRate {
    FeeRate::new(parts_per_million).unwrap()
}

/// A market whose lot is `lot` base atoms and whose tick-lot is `tick * lot` quote atoms.
pub(crate) fn market(
    base: u16,
    quote: u16,
    (tick, lot): (u64, u64),
    fees: (i32, i32),
) -> MarketSpec {
    let spec = AssetSpec {
        symbol: Symbol::new("A").unwrap(),
        decimals: 0,
    };
    MarketSpec::new(
        Symbol::new(&format!("M{base}-{quote}")).unwrap(),
        (asset(base), &spec),
        (asset(quote), &spec),
        (step(tick), step(lot)),
        (rate(fees.0), rate(fees.1)),
        MarketLimits::NONE,
    )
    .unwrap()
}

fn step(units: u64) -> Step {
    Step { units, decimals: 0 }
}

/// A network of assets without decimals, and one account per row of balances, with a key.
pub(crate) fn genesis(assets: u16, balances: &[&[u128]]) -> Genesis {
    let assets = (0..assets).map(|number| AssetSpec {
        symbol: Symbol::new(&format!("A{number}")).unwrap(),
        decimals: 0,
    });
    let accounts = (1u32..).zip(balances).map(|(owner, row)| GenesisAccount {
        owner: [owner as u8; 20],
        group: GroupId::new(owner),
        operator: false,
        keys: vec![SigningKey::development(&owner.to_string()).public()],
        balances: (0..)
            .map(asset)
            .zip(row.iter().copied().map(atoms))
            .collect(),
    });
    let network = NetworkId::DEVELOPMENT;
    Genesis::new(network, assets.collect(), Vec::new(), accounts.collect()).unwrap()
}
