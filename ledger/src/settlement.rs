//! A trade becomes balance movements: who pays what from where, and what the venue takes.
//!
//! What a side pays was secured before: the maker's is held since its order rested, and the engine
//! has seen that the taker's free balance covers its whole order at its limit. Base and notional
//! are linear in the lots, so a hold is used up exactly by the fills of its order, in whatever
//! pieces they come.
//!
//! Fees are charged in the asset that the charged side receives (a bid receives base, an ask
//! quote) and rounded up. Of the charge, the whole atoms of the rate go to the fees; what rounding
//! added, 0 or 1 atom, goes to the dust. A rebate is the maker's rate on what the *taker* receives,
//! rounded down, and comes out of the fees in that asset, to which the same trade has just added at
//! least as much: the genesis guarantees maker rate + taker rate >= 0, and both parts are rounded
//! down. So no sequence of trades, however small, takes more out of the venue than it put in.

use types::genesis::MarketSpec;
use types::limits::FEE_RATE_ONE;
use types::{AccountId, AssetId, Atoms, BaseLots, FeeRate, Side, Ticks};

use crate::Ledger;
use crate::cells::{Cell, Cells};

/// One match of a taker with a resting maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Which side the taker was on.
    pub taker_side: Side,
    /// The maker's price.
    pub price: Ticks,
    /// How much.
    pub quantity: BaseLots,
    /// The resting side.
    pub maker: AccountId,
    /// The incoming side; may be the same account.
    pub taker: AccountId,
}

/// What a trade cost its sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Charged to the maker in the asset that the maker receives (0 or more), or, negative, a
    /// rebate in the asset that the taker receives.
    pub maker_fee: i128,
    /// Charged to the taker in the asset that the taker receives.
    pub taker_fee: Atoms,
}

impl Ledger {
    /// Settles one trade and says what it cost. Panics if a side cannot pay, which the caller has
    /// excluded, or if an account does not exist.
    #[inline]
    pub fn settle(&mut self, market: &MarketSpec, trade: &Trade) -> Fees {
        let base = Payment {
            asset: market.base,
            amount: market.factors.base(trade.quantity),
        };
        let quote = Payment {
            asset: market.quote,
            amount: market.factors.notional(trade.price, trade.quantity),
        };
        let (to_maker, to_taker) = match trade.taker_side {
            Side::Bid => (quote, base),
            Side::Ask => (base, quote),
        };
        let cells = &mut self.cells;
        cells.debit(Cell::Held(trade.maker), to_taker.asset, to_taker.amount);
        cells.debit(Cell::Free(trade.taker), to_maker.asset, to_maker.amount);
        // The taker's fee comes first, because a rebate is paid out of it.
        let taker_fee = pay(cells, trade.taker, to_taker, market.taker_fee);
        let maker_fee = if market.maker_fee.is_rebate() {
            let rebate = market.maker_fee.magnitude_rounded_down(to_taker.amount);
            cells.debit(Cell::Fees, to_taker.asset, rebate);
            cells.credit(Cell::Free(trade.maker), to_taker.asset, rebate);
            cells.credit(Cell::Free(trade.maker), to_maker.asset, to_maker.amount);
            -signed(rebate)
        } else {
            signed(pay(cells, trade.maker, to_maker, market.maker_fee))
        };
        Fees {
            maker_fee,
            taker_fee,
        }
    }
}

#[derive(Clone, Copy)]
struct Payment {
    asset: AssetId,
    amount: Atoms,
}

/// Pays into `free`, less the charge, which is returned.
#[inline]
fn pay(cells: &mut Cells, receiver: AccountId, payment: Payment, rate: FeeRate) -> Atoms {
    let Payment { asset, amount } = payment;
    let charge = Charge::new(rate, amount);
    cells.credit(Cell::Free(receiver), asset, amount - charge.total());
    cells.credit(Cell::Fees, asset, charge.fee);
    if !charge.dust.is_zero() {
        cells.credit(Cell::Dust, asset, charge.dust);
    }
    charge.total()
}

/// A charge, split into what is fee and what is rounding.
#[derive(Clone, Copy)]
struct Charge {
    fee: Atoms,
    dust: Atoms,
}

impl Charge {
    /// One 128-bit division where [`FeeRate::charge_rounded_up`] beside
    /// [`FeeRate::magnitude_rounded_down`] would take two; they must agree.
    #[inline]
    fn new(rate: FeeRate, amount: Atoms) -> Self {
        let fee = rate.magnitude_rounded_down(amount);
        let parts = amount.get() * u128::from(rate.get().unsigned_abs());
        let exact = fee.get() * FEE_RATE_ONE.unsigned_abs() as u128 == parts;
        let charge = Self {
            fee,
            dust: Atoms::new(u128::from(!exact)),
        };
        debug_assert!(charge.total() == rate.charge_rounded_up(amount));
        charge
    }

    fn total(self) -> Atoms {
        self.fee + self.dust
    }
}

/// Amounts stay below 2^95.
fn signed(amount: Atoms) -> i128 {
    i128::try_from(amount.get()).expect("legal amounts fit in i128")
}
