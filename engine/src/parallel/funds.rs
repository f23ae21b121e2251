//! The accounts as a slice of a lane sees them: every movement is an addition to a numbered amount.

use ledger::{Fees, Ledger, Settlement, Trade};
use types::genesis::MarketSpec;
use types::limits::OPEN_ORDERS_PER_ACCOUNT_MAX;
use types::{AccountId, AssetId, Atoms};

use super::access::Access;
use super::mv_memory::Storage;
use crate::view::Funds;

/// Which amount has which number: per account its assets and its room for orders; behind all
/// accounts, per asset, fees and dust.
///
/// Of an asset the amount is what is free, and held is beside it, since nobody asks how much is held.
/// The room is how many more orders may be open. Fees and dust are only beside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbering {
    accounts: u32,
    assets: u32,
}

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    Balance(AccountId, AssetId),
    Room(AccountId),
    Fees(AssetId),
    Dust(AssetId),
}

impl Numbering {
    /// That of a ledger; `None` if 32 bits do not suffice.
    pub(crate) fn new(ledger: &Ledger) -> Option<Self> {
        let assets = u32::from(ledger.asset_count());
        // Some more, so that not every account that is opened numbers everything anew.
        let accounts = ledger.account_count();
        let accounts = accounts.saturating_add(accounts / 8 + 64);
        let count = u64::from(accounts) * u64::from(assets + 1) + 2 * u64::from(assets);
        u32::try_from(count).ok().map(|_| Self { accounts, assets })
    }

    /// How many accounts it can number.
    pub(crate) const fn accounts(self) -> u32 {
        self.accounts
    }

    /// How many amounts there are.
    pub(crate) const fn count(self) -> usize {
        (self.accounts * (self.assets + 1) + 2 * self.assets) as usize
    }

    const fn balance(self, account: AccountId, asset: AssetId) -> u32 {
        account.get() * (self.assets + 1) + asset.get() as u32
    }

    const fn room(self, account: AccountId) -> u32 {
        account.get() * (self.assets + 1) + self.assets
    }

    const fn fees(self, asset: AssetId) -> u32 {
        self.accounts * (self.assets + 1) + 2 * asset.get() as u32
    }

    const fn dust(self, asset: AssetId) -> u32 {
        self.fees(asset) + 1
    }

    /// What a number stands for.
    pub(crate) fn amount(self, number: u32) -> Amount {
        let stride = self.assets + 1;
        let asset = |number: u32| AssetId::new(u16::try_from(number).expect("assets have 16 bits"));
        let account = number / stride;
        if account < self.accounts {
            return match number % stride {
                place if place < self.assets => {
                    Amount::Balance(AccountId::new(account), asset(place))
                }
                _ => Amount::Room(AccountId::new(account)),
            };
        }
        let place = number - self.accounts * stride;
        match place % 2 {
            0 => Amount::Fees(asset(place / 2)),
            _ => Amount::Dust(asset(place / 2)),
        }
    }
}

/// A ledger before the block.
#[derive(Debug)]
pub(crate) struct Balances<'s> {
    pub(crate) ledger: &'s Ledger,
    pub(crate) numbering: Numbering,
}

impl Storage for Balances<'_> {
    type Value = ();

    fn value(&self, location: u32) -> Self::Value {
        unreachable!("there are no values, and so no value {location}")
    }

    fn amount(&self, location: u32) -> i128 {
        match self.numbering.amount(location) {
            Amount::Balance(account, asset) => signed(self.ledger.balance(account, asset).free),
            Amount::Room(account) => {
                i128::from(OPEN_ORDERS_PER_ACCOUNT_MAX)
                    - i128::from(self.ledger.open_orders(account))
            }
            // Nobody asks.
            Amount::Fees(_) | Amount::Dust(_) => 0,
        }
    }
}

/// Adds what was added to an amount to the ledger.
pub(crate) fn fold(
    ledger: &mut Ledger,
    numbering: Numbering,
    (location, added, aside): (u32, i128, i128),
) {
    match numbering.amount(location) {
        Amount::Balance(account, asset) => ledger.fold_balance(account, asset, added, aside),
        Amount::Room(account) => ledger.fold_orders(account, -added),
        Amount::Fees(asset) => ledger.fold_fees(asset, aside),
        Amount::Dust(asset) => ledger.fold_dust(asset, aside),
    }
}

/// What the venue took of an asset.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    fees: i128,
    dust: i128,
}

/// The accounts as one slice sees them.
#[derive(Debug)]
pub(crate) struct SliceFunds<'x, 'm, 's> {
    pub(crate) access: &'x mut Access<'m, Balances<'s>>,
    /// By asset; added to the memory at the end, because nobody asks before.
    taken: Vec<Taken>,
}

impl<'x, 'm, 's> SliceFunds<'x, 'm, 's> {
    pub(crate) fn new(access: &'x mut Access<'m, Balances<'s>>) -> Self {
        let assets = access.storage().numbering.assets as usize;
        Self {
            access,
            taken: vec![Taken::default(); assets],
        }
    }

    /// Adds what the venue took.
    pub(crate) fn finish(self) {
        let numbering = self.access.storage().numbering;
        for (asset, taken) in (0..).map(AssetId::new).zip(&self.taken) {
            for (location, amount) in [
                (numbering.fees(asset), taken.fees),
                (numbering.dust(asset), taken.dust),
            ] {
                if amount != 0 {
                    self.access.add(location, 0, amount);
                }
            }
        }
    }

    fn ledger(&self) -> &'s Ledger {
        self.access.storage().ledger
    }

    fn balance(&self, account: AccountId, asset: AssetId) -> u32 {
        self.access.storage().numbering.balance(account, asset)
    }

    fn room(&self, account: AccountId) -> u32 {
        self.access.storage().numbering.room(account)
    }

    #[inline]
    fn add(&mut self, account: AccountId, asset: AssetId, (free, held): (i128, i128)) {
        self.access.add(self.balance(account, asset), free, held);
    }
}

impl Funds for SliceFunds<'_, '_, '_> {
    fn contains(&self, account: AccountId) -> bool {
        self.ledger().contains(account)
    }

    fn lists(&self, asset: AssetId) -> bool {
        asset.get() < self.ledger().asset_count()
    }

    fn covers(&mut self, account: AccountId, asset: AssetId, amount: Atoms) -> bool {
        let location = self.balance(account, asset);
        self.access.is_at_least(location, signed(amount))
    }

    fn expect_covers(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        let location = self.balance(account, asset);
        self.access.expect_at_least(location, signed(amount));
    }

    fn hold(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        let amount = signed(amount);
        self.add(account, asset, (-amount, amount));
    }

    fn release(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        let amount = signed(amount);
        self.add(account, asset, (amount, -amount));
    }

    fn transfer(&mut self, from: AccountId, to: AccountId, asset: AssetId, amount: Atoms) {
        let amount = signed(amount);
        self.add(from, asset, (-amount, 0));
        self.add(to, asset, (amount, 0));
    }

    fn settle(&mut self, market: &MarketSpec, trade: &Trade) -> Fees {
        let settlement = Settlement::new(market, trade);
        let Settlement {
            taker_asset,
            maker_asset,
            ..
        } = settlement;
        let (maker, taker) = (trade.maker, trade.taker);
        let rebate = signed(settlement.rebate);
        self.add(maker, maker_asset, (rebate, -signed(settlement.maker_pays)));
        self.add(maker, taker_asset, (signed(settlement.maker_receives), 0));
        let taker_pays = signed(settlement.taker_pays);
        self.add(taker, taker_asset, (-taker_pays, 0));
        self.add(taker, maker_asset, (signed(settlement.taker_receives), 0));
        let taken = &mut self.taken[maker_asset.index()];
        taken.fees += signed(settlement.taker_charge.fee) - rebate;
        taken.dust += signed(settlement.taker_charge.dust);
        let taken = &mut self.taken[taker_asset.index()];
        taken.fees += signed(settlement.maker_charge.fee);
        taken.dust += signed(settlement.maker_charge.dust);
        settlement.fees()
    }

    fn has_order_room(&mut self, account: AccountId, gone: u32, come: u32) -> bool {
        let need = i128::from(come) - i128::from(gone);
        self.access.is_at_least(self.room(account), need)
    }

    fn order_opened(&mut self, account: AccountId) {
        self.access.add(self.room(account), -1, 0);
    }

    fn order_closed(&mut self, account: AccountId) {
        self.access.add(self.room(account), 1, 0);
    }
}

/// Amounts stay far below 2^127, whoever asks: what is above the limit was refused before.
fn signed(amount: Atoms) -> i128 {
    i128::try_from(amount.get()).expect("amounts fit into 127 bits")
}
