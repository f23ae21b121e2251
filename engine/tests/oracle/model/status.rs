//! Market status: who sets it, and what it allows.

use types::RejectReason;
use types::command::{MarketStatus, OrderKind, Place, Replace, SetMarketStatus, TimeInForce};
use types::outcome::{Event, StatusChanged};

use super::exchange::{Answer, Exchange};

/// What a replace does to its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It stays where it is, with a smaller or equal size.
    InPlace,
    /// It enters again.
    Again,
    /// It is armed again.
    Armed,
}

impl Exchange {
    pub(crate) fn set_market_status(&mut self, set: &SetMarketStatus) -> Answer {
        if !self.operators[self.work.account.index()] {
            return Err(RejectReason::NotOperator);
        }
        let market = self.known(set.market)?;
        let before = self.markets[market].status;
        if before == set.status {
            return Ok((0, 0));
        }
        let (mut prices, mut met) = (Vec::new(), (0, 0));
        if trades(set.status) && !trades(before) {
            let uncrossing = self.uncross(market);
            met = (uncrossing.fills, uncrossing.lots);
            if !uncrossing.complete {
                return Ok(met);
            }
            prices.extend(uncrossing.price);
        }
        self.markets[market].status = set.status;
        if set.status == MarketStatus::Auction {
            self.markets[market].published = None;
        }
        self.events.push(Event::StatusChanged(StatusChanged {
            sequence: self.work.sequence,
            market: set.market,
            status: set.status,
        }));
        if set.status == MarketStatus::Open {
            self.cascade(market, prices);
        }
        Ok(met)
    }

    pub(crate) fn check_place_status(
        &self,
        market: usize,
        place: &Place,
    ) -> Result<(), RejectReason> {
        let rests = matches!(place.kind, OrderKind::Limit(TimeInForce::Rest(_)));
        let never_takes = matches!(place.kind, OrderKind::PostOnly(..));
        allow(match self.markets[market].status {
            MarketStatus::Open => true,
            MarketStatus::PostOnly => never_takes,
            MarketStatus::Auction => rests && place.trigger.is_none(),
            MarketStatus::CancelOnly | MarketStatus::Halted => false,
        })
    }

    pub(crate) fn check_replace_status(
        &self,
        market: usize,
        replace: &Replace,
        change: Change,
    ) -> Result<(), RejectReason> {
        allow(match self.markets[market].status {
            MarketStatus::Open | MarketStatus::Auction => true,
            MarketStatus::PostOnly => change != Change::Again || !replace.may_take,
            MarketStatus::CancelOnly => change == Change::InPlace,
            MarketStatus::Halted => false,
        })
    }

    /// Whether a set with levels may be placed.
    pub(crate) fn check_quote_status(&self, market: usize) -> Result<(), RejectReason> {
        allow(trades(self.markets[market].status))
    }
}

/// Whether a book cannot be crossed in this status.
const fn trades(status: MarketStatus) -> bool {
    matches!(status, MarketStatus::Open | MarketStatus::PostOnly)
}

const fn allow(allowed: bool) -> Result<(), RejectReason> {
    if allowed {
        Ok(())
    } else {
        Err(RejectReason::MarketStatus)
    }
}
