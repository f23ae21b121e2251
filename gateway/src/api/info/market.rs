//! What is public of markets.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use types::action::Value;
use types::genesis::MarketSpec;
use types::{MarketId, Side, Ticks};

use super::super::model::{Candle, INTERVALS, Level, Market, Trade, interval};
use super::super::names::{Names, address_text, middle};
use super::{Ask, NoAnswer};

/// Levels a side of a book.
const LEVELS: usize = 20;
/// Trades in one answer.
const TRADES: usize = 100;
/// Candles in one answer.
const CANDLES: usize = 5_000;
/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

impl Ask<'_> {
    fn spec(&self, market: MarketId) -> &MarketSpec {
        &self.model.genesis().markets()[market.index()]
    }

    /// The market that the question names.
    fn market_in(&self, question: &Value) -> Result<MarketId, NoAnswer> {
        let coin = question.field("coin").and_then(Value::as_text);
        let coin = coin.ok_or(NoAnswer::Malformed)?;
        self.names.market(coin).ok_or(NoAnswer::NoMarket)
    }

    pub(super) fn l2_book(&self) -> Result<Json, NoAnswer> {
        let market = self.market_in(self.question)?;
        let grouping = Grouping::read(self.question)?;
        Ok(l2_book(self, market, grouping))
    }

    pub(super) fn recent_trades(&self) -> Result<Json, NoAnswer> {
        let market = self.market_in(self.question)?;
        let trades = self.model.market(market).trades.iter().rev().take(TRADES);
        let trades = trades.map(|it| trade(self.names, self.spec(market), it));
        Ok(trades.collect())
    }

    pub(super) fn candles(&self) -> Result<Json, NoAnswer> {
        let request = self.question.field("req").ok_or(NoAnswer::Malformed)?;
        let market = self.market_in(request)?;
        let name = request.field("interval").and_then(Value::as_text);
        let interval = name.and_then(interval).ok_or(NoAnswer::Malformed)?;
        let time = |name| request.field(name).and_then(Value::as_unsigned);
        let from = time("startTime").unwrap_or(0);
        let to = time("endTime").unwrap_or(u64::MAX);
        let candles = self.model.market(market).candles.of(interval).iter();
        let (_, length) = INTERVALS[interval];
        let wanted = candles.filter(|it| from < it.start + length && it.start <= to);
        let wanted = wanted.take(CANDLES);
        let candles = wanted.map(|it| candle(self, market, interval, it));
        Ok(candles.collect())
    }
}

/// How prices of a book are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in super::super) struct Grouping {
    /// So many digits of a price count; zero: all.
    digits: u8,
    /// And the last of them in steps of 1, 2 or 5.
    step: u8,
}

impl Grouping {
    pub(in super::super) fn read(question: &Value) -> Result<Self, NoAnswer> {
        let number = |name| match question.field(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Unsigned(number)) => Ok(Some(*number)),
            Some(_) => Err(NoAnswer::Malformed),
        };
        let digits = match number("nSigFigs")? {
            None => 0,
            Some(digits @ 2..=5) => digits as u8,
            Some(_) => return Err(NoAnswer::Malformed),
        };
        let step = match number("mantissa")? {
            None => 1,
            Some(step @ (1 | 2 | 5)) if digits == 5 => step as u8,
            Some(_) => return Err(NoAnswer::Malformed),
        };
        Ok(Self { digits, step })
    }

    /// The price that a level of this price is counted at: outward, so that nothing looks better than
    /// it is.
    fn apply(self, market: &MarketSpec, side: Side, price: Ticks) -> u128 {
        let units = u128::from(price.get()) * u128::from(market.tick.units);
        let digits = units.checked_ilog10().map_or(1, |it| it + 1);
        if self.digits == 0 || digits < self.digits.into() {
            return units;
        }
        let step = 10u128.pow(digits - u32::from(self.digits)) * u128::from(self.step);
        match side {
            Side::Bid => units / step * step,
            Side::Ask => units.div_ceil(step) * step,
        }
    }
}

/// The best levels of both sides.
pub(in super::super) fn l2_book(ask: &Ask<'_>, market: MarketId, grouping: Grouping) -> Json {
    let spec = ask.spec(market);
    let book = &ask.model.market(market).book;
    let levels = Side::BOTH.map(|side| {
        let mut grouped: Vec<(u128, Level)> = Vec::new();
        for (price, level) in book.levels(side) {
            let price = grouping.apply(spec, side, price);
            let last = grouped.last_mut().filter(|(last, _)| *last == price);
            if let Some((_, sum)) = last {
                sum.lots += level.lots;
                sum.orders += level.orders;
            } else if grouped.len() == LEVELS {
                break;
            } else {
                grouped.push((price, level));
            }
        }
        let level = |(price, level): &(u128, Level)| {
            let price = types::decimal::format(*price, spec.tick.decimals);
            level_text(spec, price, *level)
        };
        grouped.iter().map(level).collect::<Json>()
    });
    json!({ "coin": ask.names.coin(market), "time": ask.model.time(), "levels": levels })
}

fn level_text(spec: &MarketSpec, price: String, level: Level) -> Json {
    json!({ "px": price, "sz": spec.format_volume(level.lots), "n": level.orders })
}

/// The best of both sides.
pub(in super::super) fn bbo(ask: &Ask<'_>, market: MarketId) -> Json {
    let spec = ask.spec(market);
    let best = Side::BOTH.map(|side| {
        let best = ask.model.market(market).book.best(side);
        best.map(|(price, level)| level_text(spec, spec.format_price(price), level))
    });
    json!({ "coin": ask.names.coin(market), "time": ask.model.time(), "bbo": best })
}

/// A public trade.
pub(in super::super) fn trade(names: &Names, spec: &MarketSpec, trade: &Trade) -> Json {
    json!({
        "coin": names.coin(trade.market),
        "side": side_text(trade.taker_side),
        "px": spec.format_price(trade.price),
        "sz": spec.format_quantity(trade.lots),
        "time": trade.time,
        "hash": format!("0x{}", trade.record),
        "tid": trade.number,
        "users": trade.parties.each_ref().map(address_text),
    })
}

/// `B` buys, `A` sells.
pub(in super::super) const fn side_text(side: Side) -> &'static str {
    match side {
        Side::Bid => "B",
        Side::Ask => "A",
    }
}

/// One candle.
pub(in super::super) fn candle(
    ask: &Ask<'_>,
    market: MarketId,
    interval: usize,
    candle: &Candle,
) -> Json {
    let spec = ask.spec(market);
    let (name, length) = INTERVALS[interval];
    json!({
        "t": candle.start,
        "T": candle.start + length - 1,
        "s": ask.names.coin(market),
        "i": name,
        "o": spec.format_price(candle.open),
        "c": spec.format_price(candle.close),
        "h": spec.format_price(candle.high),
        "l": spec.format_price(candle.low),
        "v": spec.format_volume(candle.lots),
        "n": candle.trades,
    })
}

/// Between the best bid and the best ask; of a book with one side or none, the last price.
fn mid(spec: &MarketSpec, market: &Market) -> Option<String> {
    let best = |side| market.book.best(side).map(|(price, _)| price);
    match (best(Side::Bid), best(Side::Ask)) {
        (Some(bid), Some(ask)) => Some(middle(spec, bid, ask)),
        _ => market.last.map(|price| spec.format_price(price)),
    }
}

fn markets(ask: &Ask<'_>) -> impl Iterator<Item = MarketId> + use<> {
    let count = ask.model.genesis().markets().len();
    (0..u16::try_from(count).expect("ids are 16 bits")).map(MarketId::new)
}

/// By name; a market that has never had a price is not there.
pub(in super::super) fn all_mids(ask: &Ask<'_>) -> Json {
    let mids: BTreeMap<&str, String> = markets(ask)
        .filter_map(|id| Some((ask.names.coin(id), mid(ask.spec(id), ask.model.market(id))?)))
        .collect();
    json!(mids)
}

/// What each market is like.
pub(super) fn contexts(ask: &Ask<'_>) -> Json {
    markets(ask).map(|id| context(ask, id)).collect()
}

fn context(ask: &Ask<'_>, id: MarketId) -> Json {
    let (spec, market) = (ask.spec(id), ask.model.market(id));
    let hour = interval("1h").expect("it is in the table");
    let since = ask.model.time().saturating_sub(DAY);
    let day = market.candles.of(hour).iter();
    let day: Vec<&Candle> = day.filter(|candle| since <= candle.start).collect();
    let sum = |of: fn(&Candle) -> u128| day.iter().map(|it| of(it)).sum::<u128>();
    let quote = &ask.model.genesis().assets()[spec.quote.index()];
    let factor = u128::from(spec.factors.quote_atoms_per_tick_lot());
    let notional = sum(|it| it.tick_lots).saturating_mul(factor);
    let previous = day.first().map(|candle| candle.open).or(market.last);
    let price = |ticks: Option<Ticks>| ticks.map_or("0.0".to_owned(), |it| spec.format_price(it));
    let mid = mid(spec, market);
    json!({
        "coin": ask.names.coin(id),
        "dayNtlVlm": types::decimal::format(notional, quote.decimals),
        "dayBaseVlm": spec.format_volume(sum(|it| it.lots)),
        "markPx": mid.clone().unwrap_or_else(|| "0.0".to_owned()),
        "midPx": mid,
        "prevDayPx": price(previous),
        "circulatingSupply": "0.0",
        "totalSupply": "0.0",
    })
}

/// What one market is like, as sockets are told.
pub(in super::super) fn active_asset_context(ask: &Ask<'_>, market: MarketId) -> Json {
    json!({ "coin": ask.names.coin(market), "ctx": context(ask, market) })
}
