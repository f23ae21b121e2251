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

/// What a trade moves, worked out but not yet moved: an executor may add it up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What the taker pays with, out of free; the maker receives it.
    pub taker_asset: AssetId,
    /// What the maker pays with, out of held; the taker receives it.
    pub maker_asset: AssetId,
    /// In `taker_asset`.
    pub taker_pays: Atoms,
    /// In `maker_asset`.
    pub maker_pays: Atoms,
    /// In `taker_asset`, after the maker's charge.
    pub maker_receives: Atoms,
    /// In `maker_asset`, after the taker's charge.
    pub taker_receives: Atoms,
    /// In `taker_asset`: nothing where there is a rebate.
    pub maker_charge: Charge,
    /// In `maker_asset`.
    pub taker_charge: Charge,
    /// In `maker_asset`, to the maker and out of the fees.
    pub rebate: Atoms,
}

impl Settlement {
    /// What this trade moves in this market.
    #[inline]
    pub fn new(market: &MarketSpec, trade: &Trade) -> Self {
        let base = (market.base, market.factors.base(trade.quantity));
        let notional = market.factors.notional(trade.price, trade.quantity);
        let quote = (market.quote, notional);
        let ((taker_asset, taker_pays), (maker_asset, maker_pays)) = match trade.taker_side {
            Side::Bid => (quote, base),
            Side::Ask => (base, quote),
        };
        let taker_charge = Charge::new(market.taker_fee, maker_pays);
        let (maker_charge, rebate) = if market.maker_fee.is_rebate() {
            let rebate = market.maker_fee.magnitude_rounded_down(maker_pays);
            (Charge::default(), rebate)
        } else {
            (Charge::new(market.maker_fee, taker_pays), Atoms::ZERO)
        };
        Self {
            taker_asset,
            maker_asset,
            taker_pays,
            maker_pays,
            maker_receives: taker_pays - maker_charge.total(),
            taker_receives: maker_pays - taker_charge.total(),
            maker_charge,
            taker_charge,
            rebate,
        }
    }

    /// What the trade costs its sides.
    #[inline]
    pub fn fees(&self) -> Fees {
        Fees {
            // Where there is a rebate, there is no charge.
            maker_fee: signed(self.maker_charge.total()) - signed(self.rebate),
            taker_fee: self.taker_charge.total(),
        }
    }
}

impl Ledger {
    /// Settles one trade and says what it cost. Panics if a side cannot pay, which the caller has
    /// excluded, or if an account does not exist.
    #[inline]
    pub fn settle(&mut self, market: &MarketSpec, trade: &Trade) -> Fees {
        let settlement = Settlement::new(market, trade);
        let Settlement {
            taker_asset,
            maker_asset,
            ..
        } = settlement;
        let (maker, taker) = (trade.maker, trade.taker);
        let cells = &mut self.cells;
        cells.debit(Cell::Held(maker), maker_asset, settlement.maker_pays);
        cells.debit(Cell::Free(taker), taker_asset, settlement.taker_pays);
        // The taker's fee comes first, because a rebate is paid out of it.
        cells.credit(Cell::Free(taker), maker_asset, settlement.taker_receives);
        charge(cells, maker_asset, settlement.taker_charge);
        if market.maker_fee.is_rebate() {
            cells.debit(Cell::Fees, maker_asset, settlement.rebate);
            cells.credit(Cell::Free(maker), maker_asset, settlement.rebate);
            cells.credit(Cell::Free(maker), taker_asset, settlement.maker_receives);
        } else {
            cells.credit(Cell::Free(maker), taker_asset, settlement.maker_receives);
            charge(cells, taker_asset, settlement.maker_charge);
        }
        settlement.fees()
    }
}

/// The venue takes a charge.
#[inline]
fn charge(cells: &mut Cells, asset: AssetId, charge: Charge) {
    cells.credit(Cell::Fees, asset, charge.fee);
    if !charge.dust.is_zero() {
        cells.credit(Cell::Dust, asset, charge.dust);
    }
}

/// A charge, split into what is fee and what is rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// The whole atoms of the rate.
    pub fee: Atoms,
    /// What rounding up adds, 0 or 1 atom.
    pub dust: Atoms,
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
