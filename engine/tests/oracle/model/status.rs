//! Market status: who sets it, what a phase of the whole exchange leaves of it, and what it allows.

use types::command::{MarketStatus, OrderKind, Place, Replace, SetMarketStatus, TimeInForce};
use types::outcome::{Event, StatusChanged};
use types::phase::Phase;
use types::{RejectReason, SequenceNumber};

use super::exchange::{Answer, Exchange, Work};

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
            if self.phase == Phase::CancelOnly && self.markets[market].is_auctioned {
                return Err(RejectReason::MarketStatus);
            }
            let uncrossing = self.uncross(market);
            met = (uncrossing.fills, uncrossing.lots);
            if !uncrossing.complete {
                return Ok(met);
            }
            prices.extend(uncrossing.price);
        }
        let effective = self.status(market);
        self.markets[market].status = set.status;
        if set.status == MarketStatus::Auction {
            self.markets[market].is_auctioned = true;
        } else if trades(set.status) {
            self.markets[market].is_auctioned = false;
        }
        self.tell_status(market, effective);
        if set.status == MarketStatus::Open {
            self.cascade(market, prices);
        }
        Ok(met)
    }

    /// The exchange is cancel-only, or what its operators have made of it.
    pub(crate) fn set_phase(&mut self, sequence: SequenceNumber, phase: Phase) {
        self.work = Work::of_nobody(sequence);
        let before: Vec<_> = (0..self.markets.len())
            .map(|market| self.status(market))
            .collect();
        self.phase = phase;
        for (market, before) in before.into_iter().enumerate() {
            self.tell_status(market, before);
        }
    }

    /// What may happen in a market.
    pub(crate) fn status(&self, market: usize) -> MarketStatus {
        match (self.phase, self.markets[market].status) {
            (Phase::CancelOnly, status) if status != MarketStatus::Halted => {
                MarketStatus::CancelOnly
            }
            (_, status) => status,
        }
    }

    /// Tells what may happen now, if that is something else than before; an auction begins anew.
    fn tell_status(&mut self, market: usize, before: MarketStatus) {
        let status = self.status(market);
        if status == before {
            return;
        }
        if status == MarketStatus::Auction {
            self.markets[market].published = None;
        }
        self.events.push(Event::StatusChanged(StatusChanged {
            sequence: self.work.sequence,
            market: self.markets[market].id,
            status,
        }));
    }

    pub(crate) fn check_place_status(
        &self,
        market: usize,
        place: &Place,
    ) -> Result<(), RejectReason> {
        let rests = matches!(place.kind, OrderKind::Limit(TimeInForce::Rest(_)));
        let never_takes = matches!(place.kind, OrderKind::PostOnly(..));
        allow(match self.status(market) {
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
        allow(match self.status(market) {
            MarketStatus::Open | MarketStatus::Auction => true,
            MarketStatus::PostOnly => change != Change::Again || !replace.may_take,
            MarketStatus::CancelOnly => change == Change::InPlace,
            MarketStatus::Halted => false,
        })
    }

    /// Whether a set with levels may be placed.
    pub(crate) fn check_quote_status(&self, market: usize) -> Result<(), RejectReason> {
        allow(trades(self.status(market)))
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
