//! Prices, sizes and amounts: the type says the unit.
//!
//! A price is whole [`Ticks`], a size whole [`BaseLots`], a balance whole [`Atoms`] of one asset.
//! Only products that mean something compile, and each of them names its unit:
//! ticks x lots x (quote atoms per tick-lot) = quote atoms; lots x (base atoms per lot) = base
//! atoms. Both are exact; only fees round, and their functions say in whose favour.
//!
//! There is no `From<u64>`: a bare integer becomes a quantity only where somebody writes `new`.

use zerocopy::{Immutable, IntoBytes};

use crate::limits::{ATOMS_FACTOR_MAX, ATOMS_MAX, FEE_RATE_MAX, FEE_RATE_ONE};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, IntoBytes, Immutable,
        )]
        #[repr(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0);

            /// Wraps a number of units. Range checks belong to the command checks.
            pub const fn new(units: $inner) -> Self {
                Self(units)
            }

            /// The number of units.
            pub const fn get(self) -> $inner {
                self.0
            }

            /// Whether it is nothing.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Sum, or `None` on overflow.
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Difference, or `None` below zero.
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

quantity! {
    /// A price in whole ticks of its market.
    Ticks(u64)
}

quantity! {
    /// A size in whole lots of the base asset of its market.
    BaseLots(u64)
}

quantity! {
    /// An amount in the smallest units of one asset.
    Atoms(u128)
}

impl std::ops::Add for BaseLots {
    type Output = Self;

    /// Panics on overflow: callers add sizes that were checked against the limits.
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for BaseLots {
    type Output = Self;

    /// Panics below zero: callers take at most what is there.
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::ops::Add for Atoms {
    type Output = Self;

    /// Panics on overflow, which the limits exclude for legal balances.
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for Atoms {
    type Output = Self;

    /// Panics below zero: callers have checked that the amount is there.
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::ops::AddAssign for Atoms {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::SubAssign for Atoms {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Atoms {
    /// The highest legal supply of one asset.
    pub const MAX: Self = Self(ATOMS_MAX);
}

/// Conversion factors of one market: how many atoms a lot and a tick-lot are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotFactors {
    base_atoms_per_lot: u64,
    quote_atoms_per_tick_lot: u64,
}

impl LotFactors {
    /// `None` if a factor is zero or above [`ATOMS_FACTOR_MAX`].
    pub const fn new(base_atoms_per_lot: u64, quote_atoms_per_tick_lot: u64) -> Option<Self> {
        let legal = base_atoms_per_lot > 0
            && base_atoms_per_lot <= ATOMS_FACTOR_MAX
            && quote_atoms_per_tick_lot > 0
            && quote_atoms_per_tick_lot <= ATOMS_FACTOR_MAX;
        if legal {
            Some(Self {
                base_atoms_per_lot,
                quote_atoms_per_tick_lot,
            })
        } else {
            None
        }
    }

    /// Base atoms in one lot.
    pub const fn base_atoms_per_lot(self) -> u64 {
        self.base_atoms_per_lot
    }

    /// Quote atoms in one tick times one lot.
    pub const fn quote_atoms_per_tick_lot(self) -> u64 {
        self.quote_atoms_per_tick_lot
    }

    /// Lots to base atoms, exactly. Cannot overflow within the limits (48 + 40 bits).
    pub const fn base(self, lots: BaseLots) -> Atoms {
        Atoms(lots.0 as u128 * self.base_atoms_per_lot as u128)
    }

    /// Price times size to quote atoms, exactly. Cannot overflow within the limits
    /// (32 + 48 + 40 bits).
    pub const fn notional(self, price: Ticks, lots: BaseLots) -> Atoms {
        Atoms(price.0 as u128 * lots.0 as u128 * self.quote_atoms_per_tick_lot as u128)
    }
}

/// A fee in parts per million of the amount that the charged side receives. Negative: a rebate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeeRate(i32);

impl FeeRate {
    /// No fee.
    pub const ZERO: Self = Self(0);

    /// `None` outside -10 % ..= 10 %.
    pub const fn new(parts_per_million: i32) -> Option<Self> {
        let magnitude = parts_per_million.unsigned_abs() as i64;
        if magnitude <= FEE_RATE_MAX {
            Some(Self(parts_per_million))
        } else {
            None
        }
    }

    /// Parts per million.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Whether the rate pays instead of charging.
    pub const fn is_rebate(self) -> bool {
        self.0 < 0
    }

    /// The charge on `amount` for a rate that is not a rebate, rounded up: the payer loses the
    /// remainder.
    pub const fn charge_rounded_up(self, amount: Atoms) -> Atoms {
        debug_assert!(!self.is_rebate());
        Atoms((amount.0 * self.0.unsigned_abs() as u128).div_ceil(FEE_RATE_ONE as u128))
    }

    /// The whole atoms of the magnitude of the rate on `amount`, rounded down: for a rebate its
    /// receiver loses the remainder; for a charge this is the part that is fee and not dust.
    pub const fn magnitude_rounded_down(self, amount: Atoms) -> Atoms {
        Atoms(amount.0 * self.0.unsigned_abs() as u128 / FEE_RATE_ONE as u128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};

    #[test]
    fn the_largest_order_has_a_notional_that_fits() {
        let factors = LotFactors::new(ATOMS_FACTOR_MAX, ATOMS_FACTOR_MAX).unwrap();
        let price = Ticks::new(PRICE_TICKS_MAX);
        let lots = BaseLots::new(QUANTITY_LOTS_MAX);
        let expected = u128::from(PRICE_TICKS_MAX)
            .checked_mul(u128::from(QUANTITY_LOTS_MAX))
            .and_then(|product| product.checked_mul(u128::from(ATOMS_FACTOR_MAX)));
        assert_eq!(Some(factors.notional(price, lots).get()), expected);
    }

    #[test]
    fn factors_of_zero_and_beyond_the_limit_do_not_exist() {
        for (base, quote, legal) in [
            (0, 1, false),
            (1, 0, false),
            (1, 1, true),
            (ATOMS_FACTOR_MAX, ATOMS_FACTOR_MAX, true),
            (ATOMS_FACTOR_MAX + 1, 1, false),
            (1, ATOMS_FACTOR_MAX + 1, false),
        ] {
            assert_eq!(
                LotFactors::new(base, quote).is_some(),
                legal,
                "{base} {quote}"
            );
        }
    }

    #[test]
    fn a_charge_rounds_up_and_a_rebate_down() {
        for (rate, amount, up, down) in [
            (300, 0, 0, 0),
            (300, 1, 1, 0),
            (300, 1_000_000, 300, 300),
            (300, 1_000_001, 301, 300),
            (1, 999_999, 1, 0),
        ] {
            let rate = FeeRate::new(rate).unwrap();
            assert_eq!(rate.charge_rounded_up(Atoms::new(amount)), Atoms::new(up));
            assert_eq!(
                rate.magnitude_rounded_down(Atoms::new(amount)),
                Atoms::new(down)
            );
        }
        let rebate = FeeRate::new(-300).unwrap();
        assert_eq!(
            rebate.magnitude_rounded_down(Atoms::new(9_999)),
            Atoms::new(2)
        );
    }

    #[test]
    fn fee_rates_stop_at_ten_percent() {
        assert!(FeeRate::new(100_000).is_some());
        assert!(FeeRate::new(100_001).is_none());
        assert!(FeeRate::new(-100_001).is_none());
        assert!(FeeRate::new(i32::MIN).is_none());
    }
}
