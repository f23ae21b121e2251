//! What the genesis limits in a market: notional, open orders, and how far prices may go.

use types::limits::OPEN_ORDERS_PER_ACCOUNT_MAX;
use types::{AccountId, RejectReason, Side};

use super::exchange::{Exchange, Market};
use super::funds::notional;
use types::command::MarketStatus;

const PARTS: u128 = 1_000_000;
const NANOS_PER_MILLI: u128 = 1_000_000;

/// The price around which a band lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) price: u64,
    pub(crate) taken_at: u64,
}

impl Market {
    pub(crate) fn check_notional(&self, price: u64, quantity: u64) -> Result<(), RejectReason> {
        let atoms = u128::try_from(notional(&self.spec, price, quantity)).unwrap();
        if atoms < self.spec.limits.notional_min.get() {
            return Err(RejectReason::NotionalTooSmall);
        }
        Ok(())
    }

    pub(crate) fn check_band(&self, side: Side, price: u64) -> Result<(), RejectReason> {
        if self.edge(side, price) == price {
            Ok(())
        } else {
            Err(RejectReason::PriceOutOfBand)
        }
    }

    /// A price, moved to the edge of the band if it lies beyond.
    pub(crate) fn edge(&self, side: Side, price: u64) -> u64 {
        match (self.band(), side) {
            (Some((_, highest)), Side::Bid) => price.min(highest),
            (Some((lowest, _)), Side::Ask) => price.max(lowest),
            (None, _) => price,
        }
    }

    /// The lowest and the highest price, if there is a band now.
    fn band(&self) -> Option<(u64, u64)> {
        let band = self.spec.limits.band?;
        let reference = u128::from(self.reference?.price);
        if self.status == MarketStatus::Auction {
            return None;
        }
        let width = u128::from(band.width_ppm);
        let lowest = (reference * (PARTS - width)).div_ceil(PARTS);
        let highest = reference * (PARTS + width) / PARTS;
        Some((
            u64::try_from(lowest).unwrap(),
            u64::try_from(highest).unwrap(),
        ))
    }

    /// A tick: takes the reference if there is none or its interval has passed.
    pub(crate) fn take_reference(&mut self, now: u64) {
        let (Some(band), Some(price)) = (self.spec.limits.band, self.last_trade) else {
            return;
        };
        let interval = u128::from(band.interval_ms) * NANOS_PER_MILLI;
        let holds = |reference: Reference| u128::from(now - reference.taken_at) < interval;
        if !self.reference.is_some_and(holds) {
            self.reference = Some(Reference {
                price,
                taken_at: now,
            });
        }
    }

    fn open_orders_of(&self, account: AccountId) -> usize {
        let resting = self.book.all().filter(|order| order.account == account);
        let armed = self.armed.values();
        resting.count() + armed.filter(|order| order.account == account).count()
    }
}

impl Exchange {
    /// Whether the account may have so many orders more, once some have left.
    pub(crate) fn check_open_orders(
        &self,
        market: usize,
        entering: usize,
        leaving: usize,
    ) -> Result<(), RejectReason> {
        let account = self.work.account;
        let Market { spec, .. } = &self.markets[market];
        let in_all = self.open_orders[account.index()] as usize - leaving + entering;
        let here_max = spec.limits.open_orders_max as usize;
        // Counting takes long, and an account that has few orders in all has no more here.
        let is_full = in_all > OPEN_ORDERS_PER_ACCOUNT_MAX as usize
            || in_all > here_max
                && self.markets[market].open_orders_of(account) - leaving + entering > here_max;
        if is_full {
            return Err(RejectReason::TooManyOpenOrders);
        }
        Ok(())
    }
}
