//! Balances in plain integers, and fees as `docs/adr/0002-fees.md` has them.

use std::collections::BTreeMap;

use types::genesis::{Genesis, MarketSpec};
use types::{AccountId, AssetId, Side};

const PARTS: i128 = 1_000_000;

/// What an account has of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) free: i128,
    pub(crate) held: i128,
}

/// All balances, those of the fee and dust accounts included.
#[derive(Clone, Debug)]
pub(crate) struct Funds {
    balances: BTreeMap<(AccountId, AssetId), Balance>,
}

/// What both sides of a trade swap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swap {
    pub(crate) taker_side: Side,
    pub(crate) price: u64,
    pub(crate) quantity: u64,
    pub(crate) maker: AccountId,
    pub(crate) taker: AccountId,
}

impl Funds {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let mut balances: BTreeMap<_, Balance> = BTreeMap::new();
        for (account, spec) in (0..).map(AccountId::new).zip(genesis.accounts()) {
            for (asset, amount) in &spec.balances {
                let amount = i128::try_from(amount.get()).unwrap();
                balances.entry((account, *asset)).or_default().free += amount;
            }
        }
        Self { balances }
    }

    pub(crate) fn hold(&mut self, account: AccountId, (asset, amount): (AssetId, i128)) {
        self.change(account, asset, -amount, amount);
    }

    pub(crate) fn release(&mut self, account: AccountId, (asset, amount): (AssetId, i128)) {
        self.change(account, asset, amount, -amount);
    }

    pub(crate) fn transfer(
        &mut self,
        from: AccountId,
        to: AccountId,
        (asset, amount): (AssetId, i128),
    ) {
        self.change(from, asset, -amount, 0);
        self.change(to, asset, amount, 0);
    }

    /// Moves what a trade moves; says what it cost the maker and the taker.
    pub(crate) fn settle(&mut self, spec: &MarketSpec, swap: &Swap) -> (i128, i128) {
        let from_bid = needed(spec, Side::Bid, swap.price, swap.quantity);
        let from_ask = needed(spec, Side::Ask, swap.price, swap.quantity);
        let (from_taker, from_maker) = match swap.taker_side {
            Side::Bid => (from_bid, from_ask),
            Side::Ask => (from_ask, from_bid),
        };
        self.change(swap.taker, from_taker.0, -from_taker.1, 0);
        self.change(swap.maker, from_maker.0, 0, -from_maker.1);
        self.change(swap.taker, from_maker.0, from_maker.1, 0);
        self.change(swap.maker, from_taker.0, from_taker.1, 0);
        let taker_fee = self.charge(swap.taker, from_maker, i128::from(spec.taker_fee.get()));
        let rate = i128::from(spec.maker_fee.get());
        let maker_fee = if rate < 0 {
            let rebate = from_maker.1 * -rate / PARTS;
            self.transfer(AccountId::FEES, swap.maker, (from_maker.0, rebate));
            -rebate
        } else {
            self.charge(swap.maker, from_taker, rate)
        };
        (maker_fee, taker_fee)
    }

    /// Takes a share of what came in, rounded up.
    fn charge(
        &mut self,
        account: AccountId,
        (asset, received): (AssetId, i128),
        rate: i128,
    ) -> i128 {
        let fee = received * rate / PARTS;
        let dust = i128::from(received * rate % PARTS != 0);
        self.transfer(account, AccountId::FEES, (asset, fee));
        self.transfer(account, AccountId::DUST, (asset, dust));
        fee + dust
    }

    fn change(&mut self, account: AccountId, asset: AssetId, free: i128, held: i128) {
        let balance = self.balances.entry((account, asset)).or_default();
        balance.free += free;
        balance.held += held;
        assert!(
            balance.free >= 0 && balance.held >= 0,
            "the oracle overdraws account {account}: {balance:?}"
        );
    }

    pub(crate) fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        let balance = self.balances.get(&(account, asset));
        balance.copied().unwrap_or_default()
    }

    pub(crate) fn covers(&self, account: AccountId, (asset, amount): (AssetId, i128)) -> bool {
        self.balance(account, asset).free >= amount
    }
}

/// What an order of this size may have to pay at this price.
pub(crate) fn needed(spec: &MarketSpec, side: Side, price: u64, quantity: u64) -> (AssetId, i128) {
    match side {
        Side::Bid => (spec.quote, notional(spec, price, quantity)),
        Side::Ask => {
            let factor = i128::from(spec.factors.base_atoms_per_lot());
            (spec.base, i128::from(quantity) * factor)
        }
    }
}

/// Price times size, in quote atoms.
pub(crate) fn notional(spec: &MarketSpec, price: u64, quantity: u64) -> i128 {
    let factor = i128::from(spec.factors.quote_atoms_per_tick_lot());
    i128::from(price) * i128::from(quantity) * factor
}

impl Balance {
    /// Free and held.
    pub(crate) fn atoms(self) -> (u128, u128) {
        let atoms = |amount| u128::try_from(amount).unwrap();
        (atoms(self.free), atoms(self.held))
    }
}
