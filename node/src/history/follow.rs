//! Blocks to rows.

use types::block::Entry;
use types::genesis::{Genesis, MarketSpec, Step};
use types::outcome::{Event, EventRecord, Fill, Party};
use types::{BaseLots, MarketId, SequenceNumber, Side, Ticks};

use super::position::{Candle, Position};
use super::tables::{Tables, Value};
use super::{CHUNK_ROWS_MAX, Folder, HistoryError};
use crate::recovery::Executed;

const MINUTE_NS: u64 = 60_000_000_000;
pub(super) const NANOS_PER_MICRO: u64 = 1_000;

/// Follows blocks, and writes a chunk whenever there are rows enough.
#[derive(Debug)]
pub(crate) struct Historian<'a> {
    folder: &'a Folder<'a>,
    genesis: &'a Genesis,
    position: Position,
    tables: Tables,
    /// Hash of the block's record in the journal, in hexadecimal.
    record: String,
}

/// What happened to an order, but for its fills.
struct OrderEvent<'a> {
    owner: &'a Party,
    market: MarketId,
    side: Side,
    event: &'static str,
    reason: &'static str,
    price: Ticks,
    remaining: BaseLots,
}

impl<'a> Historian<'a> {
    /// Goes on at this position.
    pub(crate) fn new(folder: &'a Folder<'a>, genesis: &'a Genesis, position: Position) -> Self {
        Self {
            folder,
            genesis,
            position,
            tables: Tables::new(),
            record: String::new(),
        }
    }

    /// Takes the next block, or one that it has.
    pub(crate) fn follow(&mut self, executed: Executed<'_>) -> Result<(), HistoryError> {
        let Executed { block, outcome, .. } = executed;
        if block.height.get() <= self.position.height {
            return Ok(());
        }
        self.record = executed.record_hash.to_string();
        let mut times = block.entries.iter();
        let mut reached = block.first_sequence;
        for record in &outcome.events {
            self.advance(&mut times, &mut reached, record.sequence());
            self.event(record);
        }
        self.advance(&mut times, &mut reached, outcome.last_sequence);
        self.position.height = block.height.get();
        self.position.sequence = outcome.last_sequence.get();
        if CHUNK_ROWS_MAX <= self.tables.rows() {
            self.folder.write(&mut self.tables, &mut self.position)?;
        }
        Ok(())
    }

    /// Writes what is left, and says how far it goes.
    pub(crate) fn finish(mut self) -> Result<Position, HistoryError> {
        if self.position.sequence_written < self.position.sequence {
            self.folder.write(&mut self.tables, &mut self.position)?;
        }
        Ok(self.position)
    }

    /// Moves logged time to what it was at this command, and ends the candles that are over then.
    fn advance<'b>(
        &mut self,
        entries: &mut impl Iterator<Item = &'b Entry>,
        reached: &mut SequenceNumber,
        sequence: SequenceNumber,
    ) {
        while *reached <= sequence
            && let Some(entry) = entries.next()
        {
            *reached = reached.advance(entry.command_count());
            if let Entry::Tick(time) = entry {
                self.position.time_ns = self.position.time_ns.max(time.get());
                self.end_candles();
            }
        }
    }

    fn end_candles(&mut self) {
        let now = self.position.time_ns;
        let Self {
            tables,
            position,
            genesis,
            ..
        } = self;
        position.open_candles.retain(|candle| {
            let is_over = candle.begins_ns + MINUTE_NS <= now;
            if is_over {
                let market = MarketId::new(candle.market);
                let spec = genesis.market(market).expect("it has traded");
                push_candle(tables, spec, candle);
            }
            !is_over
        });
    }

    fn event(&mut self, record: &EventRecord) {
        let event = record.event();
        let order = match &event {
            Event::Fill(fill) => return self.fill(fill),
            Event::Rested(it) => OrderEvent {
                owner: &it.owner,
                market: it.market,
                side: it.side,
                event: "rested",
                reason: "",
                price: it.price,
                remaining: it.quantity,
            },
            Event::Armed(it) => OrderEvent {
                owner: &it.owner,
                market: it.market,
                side: it.side,
                event: "armed",
                reason: "",
                price: it.price,
                remaining: it.quantity,
            },
            Event::Triggered(it) => OrderEvent {
                owner: &it.owner,
                market: it.market,
                side: it.side,
                event: "triggered",
                reason: "",
                price: it.price,
                remaining: it.quantity,
            },
            Event::Reduced(it) => OrderEvent {
                owner: &it.owner,
                market: it.market,
                side: it.side,
                event: "reduced",
                reason: it.reason.name(),
                price: it.price,
                remaining: it.remaining,
            },
            Event::Done(it) => OrderEvent {
                owner: &it.owner,
                market: it.market,
                side: it.side,
                event: "ended",
                reason: it.reason.name(),
                price: it.price,
                remaining: it.remaining,
            },
            Event::Transferred(_)
            | Event::StatusChanged(_)
            | Event::Indicative(_)
            | Event::KeyChanged(_)
            | Event::PolicySet(_)
            | Event::AccountOpened(_)
            | Event::Deposited(_)
            | Event::Withdrawn(_) => return,
        };
        self.order(record.sequence(), &order);
    }

    fn order(&mut self, sequence: SequenceNumber, order: &OrderEvent<'_>) {
        let spec = self.spec(order.market);
        let row = [
            Value::Integer(sequence.get()),
            Value::Integer(self.micros()),
            Value::Integer(order.owner.account.get().into()),
            Value::Integer(order.owner.order_id.get()),
            Value::Integer(order.owner.client_order_id.get()),
            Value::Text(spec.symbol.as_str()),
            Value::Text(side_name(order.side)),
            Value::Text(order.event),
            Value::Text(order.reason),
            Value::Number(units(order.price.get(), spec.tick)),
            Value::Number(units(order.remaining.get(), spec.lot)),
            Value::Integer(order.price.get()),
            Value::Integer(order.remaining.get()),
        ];
        self.tables.orders.push(&row);
    }

    fn fill(&mut self, fill: &Fill) {
        let spec = self.spec(fill.market);
        let (sequence, time) = (fill.sequence.get(), self.micros());
        let (price, quantity) = (fill.price.get(), fill.quantity.get());
        let shown = [
            Value::Number(units(price, spec.tick)),
            Value::Number(units(quantity, spec.lot)),
            Value::Integer(price),
            Value::Integer(quantity),
        ];
        let [price_shown, quantity_shown, price_exact, quantity_exact] = shown;
        self.tables.trades.push(&[
            Value::Integer(sequence),
            Value::Integer(time),
            Value::Text(spec.symbol.as_str()),
            Value::Text(side_name(fill.taker_side)),
            price_shown,
            quantity_shown,
            price_exact,
            quantity_exact,
            Value::Integer(fill.maker.account.get().into()),
            Value::Integer(fill.taker.account.get().into()),
            Value::Integer(fill.maker.order_id.get()),
            Value::Integer(fill.taker.order_id.get()),
            Value::Text(&self.record),
        ]);
        let taker_fee = i128::try_from(fill.taker_fee.get()).expect("amounts have 95 bits");
        let maker_side = fill.taker_side.opposite();
        for (party, side, role, fee) in [
            (&fill.maker, maker_side, "maker", fill.maker_fee),
            (&fill.taker, fill.taker_side, "taker", taker_fee),
        ] {
            // A rebate is paid out of what the taker receives.
            let receives = if fee < 0 { fill.taker_side } else { side };
            let asset = match receives {
                Side::Bid => spec.base,
                Side::Ask => spec.quote,
            };
            let asset = self.genesis.asset(asset).expect("a market's asset");
            self.tables.fills.push(&[
                Value::Integer(sequence),
                Value::Integer(time),
                Value::Integer(party.account.get().into()),
                Value::Text(spec.symbol.as_str()),
                Value::Text(side_name(side)),
                Value::Text(role),
                Value::Integer(party.order_id.get()),
                Value::Integer(party.client_order_id.get()),
                price_shown,
                quantity_shown,
                price_exact,
                quantity_exact,
                Value::Wide(fee),
                Value::Text(asset.symbol.as_str()),
                Value::Text(&self.record),
            ]);
        }
        self.trade(fill.market, price, quantity);
    }

    /// Adds a trade to the candle of its minute. Candles that were over have ended with the tick before.
    fn trade(&mut self, market: MarketId, price: u64, lots: u64) {
        let begins_ns = self.position.time_ns / MINUTE_NS * MINUTE_NS;
        let open = &mut self.position.open_candles;
        let found = open.binary_search_by_key(&market.get(), |candle| candle.market);
        let at = found.unwrap_or_else(|at| {
            let candle = Candle {
                market: market.get(),
                begins_ns,
                open: price,
                high: price,
                low: price,
                close: price,
                lots: 0,
                tick_lots: 0,
                trades: 0,
            };
            open.insert(at, candle);
            at
        });
        let candle = &mut open[at];
        candle.high = candle.high.max(price);
        candle.low = candle.low.min(price);
        candle.close = price;
        candle.lots += lots;
        candle.tick_lots += u128::from(price) * u128::from(lots);
        candle.trades += 1;
    }

    fn spec(&self, market: MarketId) -> &'a MarketSpec {
        let spec = self.genesis.market(market);
        spec.expect("events are of markets that there are")
    }

    const fn micros(&self) -> u64 {
        self.position.time_ns / NANOS_PER_MICRO
    }
}

fn push_candle(tables: &mut Tables, spec: &MarketSpec, candle: &Candle) {
    let price = |ticks| Value::Number(units(ticks, spec.tick));
    let factor = u128::from(spec.factors.quote_atoms_per_tick_lot());
    let turnover = candle.tick_lots.checked_mul(factor);
    let turnover = turnover.and_then(|atoms| i128::try_from(atoms).ok());
    tables.candles.push(&[
        Value::Integer(candle.begins_ns / NANOS_PER_MICRO),
        Value::Text(spec.symbol.as_str()),
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        Value::Number(units(candle.lots, spec.lot)),
        Value::Integer(candle.open),
        Value::Integer(candle.high),
        Value::Integer(candle.low),
        Value::Integer(candle.close),
        Value::Integer(candle.lots),
        Value::Wide(turnover.expect("each trade has at most 95 bits")),
        Value::Integer(candle.trades),
    ]);
}

/// For charts: the nearest floating-point number.
fn units(count: u64, step: Step) -> f64 {
    count as f64 * step.units as f64 / 10f64.powi(step.decimals.into())
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "bid",
        Side::Ask => "ask",
    }
}
