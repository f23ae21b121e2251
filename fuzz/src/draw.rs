//! Numbers out of the fuzzer's bytes, mostly one byte each. Most are out of a few, so that orders
//! meet and ids come back; the highest bytes stand for the ends of ranges, and where what is illegal
//! may be asked for, for what is just beyond.

use arbitrary::{Arbitrary, Result, Unstructured};

use types::command::{
    Crossing, Immediate, MarketStatus, OrderKind, ProtectionLimits, QuoteLevel, Resting, SelfTrade,
    StopLeg, TimeInForce, Trigger, TriggerCondition,
};
use types::limits::{INDICATIVE_INTERVAL_NS, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::{AccountId, Atoms, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

type Source<'a, 'b> = &'a mut Unstructured<'b>;

/// Accounts are numbered from 0 to this.
pub(crate) const ACCOUNTS: u32 = 4;

pub(crate) fn account(source: Source<'_, '_>) -> Result<AccountId> {
    Ok(AccountId::new(u32::from(u8::arbitrary(source)?) % ACCOUNTS))
}

/// No label, or one of a few.
pub(crate) fn label(source: Source<'_, '_>) -> Result<ClientOrderId> {
    of_few(source, 0, 6, &[u64::MAX]).map(ClientOrderId::new)
}

pub(crate) fn order_id(source: Source<'_, '_>) -> Result<OrderId> {
    of_few(source, 1, 24, &[0, 1 << 32, u64::MAX]).map(OrderId::new)
}

pub(crate) fn side(source: Source<'_, '_>) -> Result<Side> {
    source.choose(&Side::BOTH).copied()
}

/// One side, or both.
pub(crate) fn sides(source: Source<'_, '_>) -> Result<Option<Side>> {
    let choices = [None, Some(Side::Bid), Some(Side::Ask)];
    source.choose(&choices).copied()
}

/// A legal price.
pub(crate) fn price(source: Source<'_, '_>) -> Result<Ticks> {
    let ends = [1, 1 << 16, 1 << 31, PRICE_TICKS_MAX - 1, PRICE_TICKS_MAX];
    of_few(source, 95, 12, &ends).map(Ticks::new)
}

/// Any price.
pub(crate) fn any_price(source: Source<'_, '_>) -> Result<Ticks> {
    let ends = [0, 1, PRICE_TICKS_MAX, PRICE_TICKS_MAX + 1, u64::MAX];
    of_few(source, 95, 12, &ends).map(Ticks::new)
}

/// Any price of a trigger or a stop: they have 32 bits.
fn short_price(source: Source<'_, '_>) -> Result<Ticks> {
    let ends = [0, 1, PRICE_TICKS_MAX, PRICE_TICKS_MAX + 1];
    of_few(source, 95, 12, &ends).map(Ticks::new)
}

/// No price, or a legal one.
pub(crate) fn price_or_none(source: Source<'_, '_>) -> Result<Option<Ticks>> {
    match bool::arbitrary(source)? {
        true => Ok(None),
        false => price(source).map(Some),
    }
}

/// All prices, or those from one to another, in whatever order.
pub(crate) fn prices(source: Source<'_, '_>) -> Result<Option<(Ticks, Ticks)>> {
    if bool::arbitrary(source)? {
        return Ok(None);
    }
    Ok(Some((price(source)?, price(source)?)))
}

/// A legal size.
pub(crate) fn lots(source: Source<'_, '_>) -> Result<BaseLots> {
    let ends = [1, 1 << 20, QUANTITY_LOTS_MAX - 1, QUANTITY_LOTS_MAX];
    of_few(source, 1, 20, &ends).map(BaseLots::new)
}

/// Any size.
pub(crate) fn any_lots(source: Source<'_, '_>) -> Result<BaseLots> {
    let ends = [0, QUANTITY_LOTS_MAX, QUANTITY_LOTS_MAX + 1, u64::MAX];
    of_few(source, 1, 20, &ends).map(BaseLots::new)
}

/// Nothing half of the time, else a size.
pub(crate) fn lots_or_none(source: Source<'_, '_>) -> Result<BaseLots> {
    match u8::arbitrary(source)? {
        0..128 => Ok(BaseLots::ZERO),
        byte => Ok(BaseLots::new(u64::from(byte) % 8)),
    }
}

pub(crate) fn time(source: Source<'_, '_>) -> Result<LogTime> {
    let ends = [1_000, 2 * INDICATIVE_INTERVAL_NS, u64::MAX];
    of_few(source, 1, 16, &ends).map(LogTime::new)
}

/// Never half of the time, else a time.
pub(crate) fn time_or_never(source: Source<'_, '_>) -> Result<LogTime> {
    match bool::arbitrary(source)? {
        true => Ok(LogTime::ZERO),
        false => time(source),
    }
}

/// A limit on how many.
pub(crate) fn count(source: Source<'_, '_>) -> Result<u32> {
    let count = of_few(source, 0, 4, &[10_000, u64::from(u32::MAX)])?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

pub(crate) fn self_trade(source: Source<'_, '_>) -> Result<SelfTrade> {
    let choices = [
        SelfTrade::Allow,
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ];
    source.choose(&choices).copied()
}

pub(crate) fn kind(source: Source<'_, '_>) -> Result<OrderKind> {
    let resting = Resting {
        expires_at: time_or_never(source)?,
        display: lots_or_none(source)?,
        stop: stop(source, short_price)?,
        protected: u8::arbitrary(source)? < 64,
    };
    let choices = [
        OrderKind::Limit(TimeInForce::Rest(resting)),
        OrderKind::PostOnly(Crossing::Reject, resting),
        OrderKind::PostOnly(Crossing::Slide, resting),
        OrderKind::Market(Immediate::OrCancel),
        OrderKind::Market(Immediate::OrKill),
        OrderKind::IOC,
        OrderKind::FOK,
    ];
    source.choose(&choices).copied()
}

pub(crate) fn trigger(source: Source<'_, '_>) -> Result<Trigger> {
    let choices = [TriggerCondition::Stop, TriggerCondition::TakeProfit];
    Ok(Trigger {
        condition: *source.choose(&choices)?,
        price: short_price(source)?,
    })
}

/// Mostly no stop; else one that the book takes.
pub(crate) fn legal_stop(source: Source<'_, '_>) -> Result<Option<StopLeg>> {
    stop(source, price)
}

fn stop(
    source: Source<'_, '_>,
    price: fn(Source<'_, '_>) -> Result<Ticks>,
) -> Result<Option<StopLeg>> {
    if u8::arbitrary(source)? < 192 {
        return Ok(None);
    }
    Ok(Some(StopLeg {
        trigger: price(source)?,
        limit: price(source)?,
        self_trade: self_trade(source)?,
    }))
}

/// None at times, else some limits that a few fills reach, or that are never reached.
pub(crate) fn protection(source: Source<'_, '_>) -> Result<ProtectionLimits> {
    if u8::arbitrary(source)? < 32 {
        return Ok(ProtectionLimits::NONE);
    }
    Ok(ProtectionLimits {
        window_ns: of_few(source, 1, 16, &[0, u64::MAX])?,
        fills: of_few(source, 0, 4, &[u64::MAX])?,
        lots: lots_or_none(source)?,
        notional: Atoms::new(500 * u128::from(of_few(source, 0, 4, &[u64::MAX])?)),
    })
}

/// Open half of the time.
pub(crate) fn status(source: Source<'_, '_>) -> Result<MarketStatus> {
    match bool::arbitrary(source)? {
        true => Ok(MarketStatus::Open),
        false => source.choose(&MarketStatus::ALL).copied(),
    }
}

/// Quotes of a side, best first unless the fuzzer wants them otherwise.
pub(crate) fn quotes(source: Source<'_, '_>, side: Side) -> Result<Vec<QuoteLevel>> {
    let count = u8::arbitrary(source)? % 6;
    let is_sorted = u8::arbitrary(source)? < 240;
    let levels = (0..count).map(|_| Ok(QuoteLevel::new(any_price(source)?, any_lots(source)?)));
    let mut levels = levels.collect::<Result<Vec<QuoteLevel>>>()?;
    if is_sorted {
        levels.sort_by_key(QuoteLevel::price);
        levels.dedup_by_key(|level| level.price());
        if side == Side::Bid {
            levels.reverse();
        }
    }
    Ok(levels)
}

/// One of `few` numbers from `first` on, or, if the byte is one of the highest, one of the ends.
fn of_few(source: Source<'_, '_>, first: u64, few: u64, ends: &[u64]) -> Result<u64> {
    let byte = u8::arbitrary(source)?;
    let end = ends.get(usize::from(u8::MAX - byte));
    Ok(*end.unwrap_or(&(first + u64::from(byte) % few)))
}
