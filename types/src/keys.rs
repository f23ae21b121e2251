//! Session keys: what a wallet lets one do, and the records with which it says so.
//!
//! An account belongs to an EVM address. Its wallet signs twice in the life of a key: to register
//! it, with everything that it may do, and to revoke it ([`crate::wallet`]). What a key may do is
//! enforced by the engine at every command, so that whoever steals one gets no more than that.

use zerocopy::little_endian::{U16, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::auth::PublicKey;
use crate::limits::GRANT_MARKETS_MAX;
use crate::{Atoms, LogTime, MarketId};

/// Which commands a key may sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyScope {
    /// Everything: keys of the genesis.
    #[default]
    Owner = 0,
    /// Orders, and everything that takes them off; no transfers, no other keys.
    Trade = 1,
    /// Nothing but what takes orders off.
    CancelOnly = 2,
}

impl KeyScope {
    /// The scope with this number that a wallet can grant.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Trade),
            2 => Some(Self::CancelOnly),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Trade => "trade",
            Self::CancelOnly => "cancel_only",
        }
    }
}

/// What one key may do. A limit of zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyGrant {
    /// Which commands.
    pub scope: KeyScope,
    /// In which markets.
    pub markets: GrantedMarkets,
    /// The highest price times size of one order, in quote atoms.
    pub order_notional_max: Atoms,
    /// The highest sum of that over the key's open orders in one market.
    pub open_notional_max: Atoms,
    /// What the key may lose in one market within a day, in quote atoms; from then on it may only
    /// take orders off.
    pub daily_loss_max: Atoms,
    /// Logged time after which it may do nothing; zero: never.
    pub expires_at: LogTime,
}

impl KeyGrant {
    /// Everything, for ever: what keys of the genesis may.
    pub const OWNER: Self = Self {
        scope: KeyScope::Owner,
        markets: GrantedMarkets::ALL,
        order_notional_max: Atoms::ZERO,
        open_notional_max: Atoms::ZERO,
        daily_loss_max: Atoms::ZERO,
        expires_at: LogTime::ZERO,
    };

    /// Whether what the key has open and what it loses is to be kept.
    pub const fn is_budgeted(&self) -> bool {
        !self.open_notional_max.is_zero() || !self.daily_loss_max.is_zero()
    }
}

/// Markets in ascending order, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantedMarkets([u16; GRANT_MARKETS_MAX]);

/// Fills the places behind the last market.
const NO_MARKET: u16 = u16::MAX;

impl GrantedMarkets {
    /// All markets, those that come later too.
    pub const ALL: Self = Self([NO_MARKET; GRANT_MARKETS_MAX]);

    /// These markets; none of them: all. `None` unless they ascend and are few enough.
    pub fn new(markets: &[MarketId]) -> Option<Self> {
        let mut all = [NO_MARKET; GRANT_MARKETS_MAX];
        for (place, market) in all.iter_mut().zip(markets) {
            *place = market.get();
        }
        (markets.len() <= GRANT_MARKETS_MAX)
            .then_some(all)
            .and_then(Self::from_numbers)
    }

    /// From the numbers as they lie on the wire: ascending, then [`u16::MAX`].
    pub fn from_numbers(numbers: [u16; GRANT_MARKETS_MAX]) -> Option<Self> {
        let ascends = |pair: &[u16]| pair[0] < pair[1] || pair == [NO_MARKET; 2];
        numbers.windows(2).all(ascends).then_some(Self(numbers))
    }

    /// As they lie on the wire.
    pub const fn numbers(&self) -> [u16; GRANT_MARKETS_MAX] {
        self.0
    }

    /// The markets; none: all.
    pub fn iter(&self) -> impl Iterator<Item = MarketId> + '_ {
        let named = self.0.iter().take_while(|number| **number != NO_MARKET);
        named.map(|number| MarketId::new(*number))
    }

    /// Whether this market is among them.
    pub fn allow(&self, market: MarketId) -> bool {
        *self == Self::ALL || self.iter().any(|it| it == market)
    }
}

impl Default for GrantedMarkets {
    fn default() -> Self {
        Self::ALL
    }
}

/// A wallet's signature: r and s, big-endian, and 27 or 28.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct WalletSignature {
    /// r, then s.
    pub compact: [u8; 64],
    /// 27 plus the parity of the point.
    pub v: u8,
}

impl WalletSignature {
    /// None: what stands in a record before it is signed.
    pub const NONE: Self = Self {
        compact: [0; 64],
        v: 0,
    };

    pub(crate) const fn is_canonical(&self) -> bool {
        matches!(self.v, 27 | 28)
    }
}

/// A wallet registers a key, 192 bytes: key (32), highest notional of an order u128, of open orders
/// u128, highest daily loss u128, expires at u64, scope u8, v u8, 6 reserved, markets (16 x u16,
/// ascending, then 65,535), signature (64).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Registration {
    key: [u8; 32],
    order_notional_max: U128,
    open_notional_max: U128,
    daily_loss_max: U128,
    expires_at: U64,
    scope: u8,
    v: u8,
    reserved: [u8; 6],
    markets: [U16; GRANT_MARKETS_MAX],
    compact: [u8; 64],
}

const _: () = assert!(size_of::<Registration>() == 192);

impl Registration {
    /// A record for the wallet to sign: see [`crate::wallet::WalletKey::register`]. Panics on the
    /// owner's scope, which nobody can grant.
    pub fn new(key: PublicKey, grant: &KeyGrant, signature: WalletSignature) -> Self {
        assert!(grant.scope != KeyScope::Owner, "nobody grants everything");
        Self {
            key: *key.as_bytes(),
            order_notional_max: U128::new(grant.order_notional_max.get()),
            open_notional_max: U128::new(grant.open_notional_max.get()),
            daily_loss_max: U128::new(grant.daily_loss_max.get()),
            expires_at: U64::new(grant.expires_at.get()),
            scope: grant.scope as u8,
            v: signature.v,
            reserved: [0; 6],
            markets: grant.markets.numbers().map(U16::new),
            compact: signature.compact,
        }
    }

    /// The key.
    pub const fn key(&self) -> PublicKey {
        PublicKey::new(self.key)
    }

    /// What it may do.
    pub fn grant(&self) -> KeyGrant {
        self.checked_grant().expect("checked when the frame came")
    }

    fn checked_grant(&self) -> Option<KeyGrant> {
        Some(KeyGrant {
            scope: KeyScope::from_code(self.scope)?,
            markets: GrantedMarkets::from_numbers(self.markets.map(U16::get))?,
            order_notional_max: Atoms::new(self.order_notional_max.get()),
            open_notional_max: Atoms::new(self.open_notional_max.get()),
            daily_loss_max: Atoms::new(self.daily_loss_max.get()),
            expires_at: LogTime::new(self.expires_at.get()),
        })
    }

    /// The wallet's signature.
    pub const fn signature(&self) -> WalletSignature {
        WalletSignature {
            compact: self.compact,
            v: self.v,
        }
    }

    pub(crate) fn is_canonical(&self) -> bool {
        self.reserved == [0; 6]
            && !self.key().is_weak()
            && self.signature().is_canonical()
            && self.checked_grant().is_some()
    }
}

/// A wallet revokes a key, 128 bytes: key (32), signature (64), v u8, 31 reserved.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Revocation {
    key: [u8; 32],
    signature: WalletSignature,
    reserved: [u8; 31],
}

const _: () = assert!(size_of::<Revocation>() == 128);

impl Revocation {
    /// A record for the wallet to sign: see [`crate::wallet::WalletKey::revoke`].
    pub const fn new(key: PublicKey, signature: WalletSignature) -> Self {
        Self {
            key: *key.as_bytes(),
            signature,
            reserved: [0; 31],
        }
    }

    /// The key.
    pub const fn key(&self) -> PublicKey {
        PublicKey::new(self.key)
    }

    /// The wallet's signature.
    pub const fn signature(&self) -> WalletSignature {
        self.signature
    }

    pub(crate) fn is_canonical(&self) -> bool {
        self.reserved == [0; 31] && self.signature.is_canonical()
    }
}

/// When a key's orders are taken off because nobody is there: an account's, or those that the key
/// placed while this was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionPolicy {
    /// For how long no packet of any session of the key may come, in nanoseconds; zero: for ever.
    pub silence_ns: u64,
    /// Whether orders without an expiry go too, that are no quotes.
    pub good_till_cancelled: bool,
    /// Whether all orders of the account go, whoever placed them.
    pub whole_account: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn granted_markets_ascend() {
        let market = MarketId::new;
        let some = GrantedMarkets::new(&[market(1), market(5)]).unwrap();
        assert!(some.allow(market(1)) && some.allow(market(5)));
        assert!(!some.allow(market(0)) && !some.allow(market(2)));
        assert!(GrantedMarkets::ALL.allow(market(1_000)));
        assert_eq!(GrantedMarkets::new(&[]), Some(GrantedMarkets::ALL));
        assert_eq!(GrantedMarkets::new(&[market(5), market(1)]), None);
        assert_eq!(GrantedMarkets::new(&[market(1), market(1)]), None);
        let many: Vec<_> = (0..17).map(market).collect();
        assert!(GrantedMarkets::new(&many[..16]).is_some());
        assert_eq!(GrantedMarkets::new(&many), None);
    }
}
