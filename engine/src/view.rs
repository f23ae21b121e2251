//! What a transition may see and touch.
//!
//! `transition::apply` is written once, over these traits. The sequential executor implements them
//! with the state itself; the parallel one implements [`Funds`] over multi-version memory and lends
//! each lane its own books. Questions about balances are predicates ("does free cover this?"),
//! not values, so that an executor can tell a decision that changed from a number that changed.

use ledger::{Fees, KeyStatus, Ledger, Trade};
use types::command::{MarketStatus, SetProtection};
use types::genesis::{MarketSpec, OwnerAddress};
use types::limits::OPEN_ORDERS_PER_ACCOUNT_MAX;
use types::phase::Phase;
use types::{AccountId, AssetId, Atoms, GroupId, KeyId, MarketId, RejectReason};

use crate::market::MarketState;
use crate::protection::Protections;
use crate::sessions::Sessions;

/// Accounts and balances, as a transition may use them.
pub trait Funds {
    /// Whether the account exists.
    fn contains(&self, account: AccountId) -> bool;

    /// Whether the asset exists.
    fn lists(&self, asset: AssetId) -> bool;

    /// Whether the free balance is at least `amount`.
    fn covers(&mut self, account: AccountId, asset: AssetId, amount: Atoms) -> bool;

    /// The free balance is at least `amount`, as the transition knows: anything else is a broken
    /// invariant.
    fn expect_covers(&mut self, account: AccountId, asset: AssetId, amount: Atoms);

    /// Free to held. The transition has asked [`Funds::covers`] before.
    fn hold(&mut self, account: AccountId, asset: AssetId, amount: Atoms);

    /// Held to free.
    fn release(&mut self, account: AccountId, asset: AssetId, amount: Atoms);

    /// Free of one to free of the other. The transition has asked [`Funds::covers`] before.
    fn transfer(&mut self, from: AccountId, to: AccountId, asset: AssetId, amount: Atoms);

    /// Turns a fill into balance movements: the maker pays from held, the taker from free.
    fn settle(&mut self, market: &MarketSpec, trade: &Trade) -> Fees;

    /// Whether the account may have so many more orders, over all markets, once so many are gone.
    fn has_order_room(&mut self, account: AccountId, gone: u32, come: u32) -> bool;

    /// One more order of the account rests.
    fn order_opened(&mut self, account: AccountId);

    /// One order of the account left its book.
    fn order_closed(&mut self, account: AccountId);
}

/// One market, with the funds that its fills move.
#[derive(Debug)]
pub struct MarketView<'a, F> {
    /// Its grid, assets and fees.
    pub spec: &'a MarketSpec,
    /// By account, the group within which orders may refuse to trade.
    pub groups: &'a [GroupId],
    /// What the exchange lets it do.
    pub phase: Phase,
    /// Its book and what stands beside it.
    pub state: &'a mut MarketState,
    /// How much quotes may trade here and in other markets of the cluster.
    pub protections: &'a mut Protections,
    /// The accounts.
    pub funds: &'a mut F,
}

impl<F> MarketView<'_, F> {
    /// What may happen here now: of its own status and the exchange's phase the stricter.
    #[inline]
    pub const fn status(&self) -> MarketStatus {
        self.phase.effective(self.state.status)
    }
}

/// The state, as a transition may use it.
pub trait StateView {
    /// How this view keeps balances.
    type Funds: Funds;

    /// The accounts.
    fn funds(&mut self) -> &mut Self::Funds;

    /// A market and the accounts, or `None` if there is no such market.
    fn market(&mut self, market: MarketId) -> Option<MarketView<'_, Self::Funds>>;

    /// Markets are numbered from 0 to this.
    fn market_count(&self) -> u16;

    /// Whether the account may open and close markets.
    fn is_operator(&self, account: AccountId) -> bool;

    /// How much quotes may trade in a market, which exists, and in those of its cluster.
    fn protections(&mut self, market: MarketId) -> &mut Protections;

    /// Protects an account in a market, which exists.
    fn protect(&mut self, account: AccountId, set: &SetProtection);

    /// What a key may do, if that is not everything.
    fn key_status(&self, key: KeyId) -> Option<&KeyStatus>;

    /// Whose key it is, if it exists.
    fn key_owner(&self, key: KeyId) -> Option<AccountId>;

    /// What is to become of orders when nobody is there.
    fn sessions(&self) -> &Sessions;

    /// What the exchange lets markets do.
    fn phase(&self) -> Phase;

    /// Whether anybody's orders are watched.
    fn watches(&self) -> bool;

    /// Whether it is to be known which orders are this key's.
    fn is_watched(&self, key: KeyId) -> bool {
        self.watches() && (self.key_status(key).is_some() || self.sessions().rule(key).is_some())
    }

    /// The same, to be changed. Only for commands that run alone.
    fn sessions_mut(&mut self) -> &mut Sessions;

    /// From here on the exchange lets markets do this. Only for what runs alone.
    fn set_phase(&mut self, phase: Phase);

    /// Keys, and what crosses the edge, to be changed. Only for commands that run alone.
    fn ledger_mut(&mut self) -> &mut Ledger;

    /// Opens an owner's first account. Only for commands that run alone.
    fn open_account(&mut self, owner: OwnerAddress) -> Result<AccountId, RejectReason>;

    /// Opens another account of the owner of this one. Only for commands that run alone.
    fn open_sub_account(&mut self, of: AccountId) -> Result<AccountId, RejectReason>;
}

impl Funds for Ledger {
    fn contains(&self, account: AccountId) -> bool {
        Self::contains(self, account)
    }

    fn lists(&self, asset: AssetId) -> bool {
        asset.get() < self.asset_count()
    }

    fn covers(&mut self, account: AccountId, asset: AssetId, amount: Atoms) -> bool {
        self.balance(account, asset).free >= amount
    }

    fn expect_covers(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        assert!(self.covers(account, asset, amount));
    }

    fn hold(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        Self::hold(self, account, asset, amount).expect("the transition asked covers() before");
    }

    fn release(&mut self, account: AccountId, asset: AssetId, amount: Atoms) {
        Self::release(self, account, asset, amount);
    }

    fn transfer(&mut self, from: AccountId, to: AccountId, asset: AssetId, amount: Atoms) {
        Self::transfer(self, from, to, asset, amount)
            .expect("the transition asked covers() before");
    }

    fn settle(&mut self, market: &MarketSpec, trade: &Trade) -> Fees {
        Self::settle(self, market, trade)
    }

    fn has_order_room(&mut self, account: AccountId, gone: u32, come: u32) -> bool {
        self.open_orders(account) - gone + come <= OPEN_ORDERS_PER_ACCOUNT_MAX
    }

    fn order_opened(&mut self, account: AccountId) {
        Self::order_opened(self, account);
    }

    fn order_closed(&mut self, account: AccountId) {
        Self::order_closed(self, account);
    }
}
