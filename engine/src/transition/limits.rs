//! What a market demands of orders beyond the limits of the protocol: its least notional, its status,
//! its price band, and stops that make sense.

use types::command::{MarketStatus, OrderKind, Place, Resting, TimeInForce};
use types::genesis::MarketSpec;
use types::limits::PRICE_TICKS_MAX;
use types::{BaseLots, RejectReason, Side, Ticks};

use super::place::check_price;
use crate::market::MarketState;

/// Whether an order is worth enough.
pub(super) fn check_notional(
    spec: &MarketSpec,
    price: Ticks,
    quantity: BaseLots,
) -> Result<(), RejectReason> {
    if spec.factors.notional(price, quantity) < spec.limits.notional_min {
        return Err(RejectReason::NotionalTooSmall);
    }
    Ok(())
}

/// Whether the stop beside an order lies beyond its price.
pub(super) fn check_stop(side: Side, price: Ticks, resting: Resting) -> Result<(), RejectReason> {
    let Some(stop) = resting.stop else {
        return Ok(());
    };
    let is_legal = check_price(stop.trigger).is_ok() && check_price(stop.limit).is_ok();
    let is_beyond = match side {
        Side::Bid => price < stop.trigger,
        Side::Ask => stop.trigger < price,
    };
    if is_legal && is_beyond {
        Ok(())
    } else {
        Err(RejectReason::InvalidTrigger)
    }
}

/// Whether the status lets a new order in.
pub(super) fn check_place(status: MarketStatus, order: &Place) -> Result<(), RejectReason> {
    let is_post_only = matches!(order.kind, OrderKind::PostOnly(..));
    let rests = matches!(order.kind, OrderKind::Limit(TimeInForce::Rest(_)));
    allow(match status {
        MarketStatus::Open => true,
        MarketStatus::PostOnly => is_post_only,
        MarketStatus::Auction => rests && order.trigger.is_none(),
        MarketStatus::CancelOnly | MarketStatus::Halted => false,
    })
}

/// What a replace does to its order, as far as a status cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It keeps its place.
    InPlace,
    /// It waits on for its trigger.
    Armed,
    /// It enters again, and may take if it reaches the other side.
    MayTake,
    /// It enters again, and does not take.
    Rests,
}

/// Whether the status lets an order change.
pub(super) fn check_change(status: MarketStatus, change: Change) -> Result<(), RejectReason> {
    allow(match status {
        MarketStatus::Open | MarketStatus::Auction => true,
        MarketStatus::PostOnly => change != Change::MayTake,
        MarketStatus::CancelOnly => change == Change::InPlace,
        MarketStatus::Halted => false,
    })
}

/// Whether the status lets quotes in.
pub(super) fn check_quotes(status: MarketStatus) -> Result<(), RejectReason> {
    let takes_quotes = matches!(status, MarketStatus::Open | MarketStatus::PostOnly);
    allow(takes_quotes)
}

fn allow(is_allowed: bool) -> Result<(), RejectReason> {
    if is_allowed {
        Ok(())
    } else {
        Err(RejectReason::MarketStatus)
    }
}

/// Whether a price is within the band, in the direction in which it trades.
pub(super) fn check_band(
    spec: &MarketSpec,
    state: &MarketState,
    side: Side,
    price: Ticks,
) -> Result<(), RejectReason> {
    if within_band(spec, state, side, price) == price {
        Ok(())
    } else {
        Err(RejectReason::PriceOutOfBand)
    }
}

/// The price, or the edge of the band if it is beyond. The band never becomes wider by rounding.
pub(super) fn within_band(
    spec: &MarketSpec,
    state: &MarketState,
    side: Side,
    price: Ticks,
) -> Ticks {
    let (Some(band), Some(reference)) = (spec.limits.band, state.reference) else {
        return price;
    };
    if state.status == MarketStatus::Auction {
        return price;
    }
    let (reference, width) = (reference.price.get(), u64::from(band.width_ppm));
    match side {
        Side::Bid => {
            let highest = reference * (PPM + width) / PPM;
            price.min(Ticks::new(highest.min(PRICE_TICKS_MAX)))
        }
        Side::Ask => {
            let lowest = (reference * (PPM - width)).div_ceil(PPM);
            price.max(Ticks::new(lowest))
        }
    }
}

/// A band's width is in millionths.
const PPM: u64 = 1_000_000;
