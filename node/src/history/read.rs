//! What a history says to a node that starts: the newest candles, trades and fills.
//!
//! A trade's two fills stand next to each other and say all of it, so trades are read from those. Files
//! are looked at newest first until there are rows enough, and then read oldest first, as things
//! happened. What cannot be is refused: a file is not the journal, and nothing has executed it again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::State;
use gateway::api::{Candle, Past, PastTrade};
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use types::genesis::{Genesis, MarketSpec};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::{Digest, Fill, Party};
use types::{
    AccountId, Atoms, BaseLots, ClientOrderId, MarketId, OrderId, SequenceNumber, Side, Ticks,
};

use super::follow::NANOS_PER_MICRO;
use super::position::{Candle as Minute, Chunk, Position};
use super::tables::{Table, Tables};
use super::{HistoryError, POSITION_FILE, file_name, io};

/// No more files of a table are opened once there are so many rows in them, ...
const ROWS_ENOUGH: u64 = 1 << 20;
/// ... or so many files.
const FILES_MAX: usize = 1 << 16;
/// More trades than happen in a minute; sums of fewer have room.
const MINUTE_TRADES_MAX: u64 = 1 << 40;

const NANOS_PER_MILLI: u64 = 1_000_000;
const MICROS_PER_MILLI: u64 = NANOS_PER_MILLI / NANOS_PER_MICRO;

/// Reads the newest part of a history of this exchange that goes no further than this state.
pub(crate) fn read(
    folder: &Path,
    genesis: &Arc<Genesis>,
    state: &State,
) -> Result<Past, HistoryError> {
    let position = position(folder, genesis, state.position().sequence)?;
    let markets = genesis.markets().iter().zip(0..);
    let by_name = |(spec, id): (&MarketSpec, u16)| {
        let name = spec.symbol.as_str().as_bytes().to_vec();
        (name, MarketId::new(id))
    };
    let reading = Reading {
        genesis,
        position: &position,
        markets: markets.map(by_name).collect(),
        accounts: state.ledger().account_count(),
    };
    let mut past = Past::new(Arc::clone(genesis));
    let Tables {
        mut candles,
        mut fills,
        ..
    } = Tables::new();
    for path in newest(folder, candles.name(), &position.chunks, ROWS_ENOUGH)? {
        read_file(&path, &mut candles, |rows| reading.candles(rows, &mut past))?;
    }
    for minute in &position.open_candles {
        let read = reading.candle(minute, &mut past);
        read.map_err(|what| wrong(&folder.join(POSITION_FILE), &what))?;
    }
    for path in newest(folder, fills.name(), &position.chunks, ROWS_ENOUGH)? {
        read_file(&path, &mut fills, |rows| reading.trades(rows, &mut past))?;
    }
    Ok(past)
}

/// How far the history goes, if it is one of this exchange and goes no further than the node.
fn position(
    folder: &Path,
    genesis: &Genesis,
    recovered: SequenceNumber,
) -> Result<Position, HistoryError> {
    let file = folder.join(POSITION_FILE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(wrong(folder, "there is no history"));
        }
        Err(error) => return Err(io(&file, error)),
    };
    let position = Position::parse(&text, genesis.hash()).map_err(|what| wrong(folder, &what))?;
    if recovered.get() < position.sequence {
        let what = format!(
            "it goes on to sequence {}, and this node's journal ends with {recovered}: it is of a \
             newer journal",
            position.sequence
        );
        return Err(wrong(folder, &what));
    }
    Ok(position)
}

/// The newest files of a table, oldest first: until there are rows enough in them.
fn newest(
    folder: &Path,
    table: &str,
    chunks: &[Chunk],
    rows_enough: u64,
) -> Result<Vec<PathBuf>, HistoryError> {
    let mut files = Vec::new();
    let mut rows = 0;
    for chunk in chunks.iter().rev() {
        if rows_enough <= rows || files.len() == FILES_MAX {
            break;
        }
        let path = folder.join(table).join(file_name(chunk.first_sequence));
        // A table without rows has no file.
        let Some(file) = open(&path)? else {
            continue;
        };
        let reader = SerializedFileReader::new(file);
        let reader = reader.map_err(|error| wrong(&path, &error.to_string()))?;
        let counted = reader.metadata().file_metadata().num_rows();
        rows += u64::try_from(counted).unwrap_or_default();
        files.push(path);
    }
    files.reverse();
    Ok(files)
}

fn open(path: &Path) -> Result<Option<File>, HistoryError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(path, error)),
    }
}

fn read_file(
    path: &Path,
    table: &mut Table,
    show: impl FnMut(&Table) -> Result<(), String>,
) -> Result<(), HistoryError> {
    let file = File::open(path).map_err(|error| io(path, error))?;
    let read = table.read(file, show);
    read.map_err(|what| wrong(path, &what))
}

/// Columns of fills, found once for all their rows.
struct Fills<'a> {
    rows: &'a Table,
    sequence: &'a [i64],
    time: &'a [i64],
    price: &'a [i64],
    lots: &'a [i64],
    account: &'a [i64],
    order_id: &'a [i64],
    client_order_id: &'a [i64],
    market: &'a [ByteArray],
    side: &'a [ByteArray],
    role: &'a [ByteArray],
    record: &'a [ByteArray],
}

impl<'a> Fills<'a> {
    fn of(rows: &'a Table) -> Self {
        Self {
            sequence: rows.integers("sequence"),
            time: rows.integers("time"),
            price: rows.integers("price_ticks"),
            lots: rows.integers("quantity_lots"),
            account: rows.integers("account"),
            order_id: rows.integers("order_id"),
            client_order_id: rows.integers("client_order_id"),
            market: rows.texts("market"),
            side: rows.texts("side"),
            role: rows.texts("role"),
            record: rows.texts("record"),
            rows,
        }
    }
}

/// What rows are understood by.
struct Reading<'a> {
    genesis: &'a Genesis,
    position: &'a Position,
    markets: BTreeMap<Vec<u8>, MarketId>,
    accounts: u32,
}

impl Reading<'_> {
    fn candles(&self, rows: &Table, past: &mut Past) -> Result<(), String> {
        let names = [
            "time",
            "open_ticks",
            "high_ticks",
            "low_ticks",
            "close_ticks",
            "volume_lots",
            "trades",
        ];
        let columns = names.map(|name| rows.integers(name));
        let markets = rows.texts("market");
        for (row, market) in markets.iter().enumerate() {
            let [time, open, high, low, close, lots, trades] =
                columns.map(|column| column[row].cast_unsigned());
            let market = self.market(market)?;
            let factor = self.spec(market).factors.quote_atoms_per_tick_lot();
            let turnover = unsigned(rows.wide("turnover_atoms", row))?;
            let minute = Minute {
                market: market.get(),
                begins_ns: time.saturating_mul(NANOS_PER_MICRO),
                open,
                high,
                low,
                close,
                lots,
                tick_lots: turnover / u128::from(factor),
                trades,
            };
            self.candle(&minute, past)?;
        }
        Ok(())
    }

    fn candle(&self, minute: &Minute, past: &mut Past) -> Result<(), String> {
        let market = MarketId::new(minute.market);
        let prices = [minute.open, minute.high, minute.low, minute.close];
        let can_be = self.genesis.market(market).is_some()
            && minute.begins_ns <= self.position.time_ns
            && prices.iter().all(|price| *price <= PRICE_TICKS_MAX)
            && minute.tick_lots <= u128::from(PRICE_TICKS_MAX) * u128::from(minute.lots)
            && minute.trades <= MINUTE_TRADES_MAX;
        if !can_be {
            return Err(format!("no such candle can be: {minute:?}"));
        }
        let candle = Candle {
            start: minute.begins_ns / NANOS_PER_MILLI,
            open: Ticks::new(minute.open),
            high: Ticks::new(minute.high),
            low: Ticks::new(minute.low),
            close: Ticks::new(minute.close),
            lots: minute.lots.into(),
            tick_lots: minute.tick_lots,
            trades: minute.trades,
        };
        past.candle(market, &candle);
        Ok(())
    }

    /// Trades from their fills: the maker's, then the taker's.
    fn trades(&self, rows: &Table, past: &mut Past) -> Result<(), String> {
        if !rows.rows().is_multiple_of(2) {
            return Err("a trade has one fill".to_owned());
        }
        let fills = Fills::of(rows);
        for maker in (0..rows.rows()).step_by(2) {
            past.trade(&self.trade(&fills, maker)?);
        }
        Ok(())
    }

    fn trade(&self, fills: &Fills<'_>, maker: usize) -> Result<PastTrade, String> {
        let taker = maker + 1;
        let integer = |column: &[i64]| column[taker].cast_unsigned();
        let sequence = integer(fills.sequence);
        let (time, price, lots) = (
            integer(fills.time),
            integer(fills.price),
            integer(fills.lots),
        );
        let record = str::from_utf8(fills.record[taker].data()).ok();
        let record = record.and_then(Digest::from_hex);
        let taker_side = match fills.side[taker].data() {
            b"bid" => Some(Side::Bid),
            b"ask" => Some(Side::Ask),
            _ => None,
        };
        let is_pair = fills.sequence[maker] == fills.sequence[taker]
            && fills.role[maker].data() == b"maker"
            && fills.role[taker].data() == b"taker"
            && fills.market[maker].data() == fills.market[taker].data();
        let can_be = is_pair
            && sequence <= self.position.sequence
            && time <= self.position.time_ns / NANOS_PER_MICRO
            && price <= PRICE_TICKS_MAX
            && lots <= QUANTITY_LOTS_MAX;
        let (Some(record), Some(taker_side), true) = (record, taker_side, can_be) else {
            return Err(format!("no such fill can be, at sequence {sequence}"));
        };
        let fill = Fill {
            sequence: SequenceNumber::new(sequence),
            market: self.market(&fills.market[taker])?,
            taker_side,
            price: Ticks::new(price),
            quantity: BaseLots::new(lots),
            maker: self.party(fills, maker)?,
            taker: self.party(fills, taker)?,
            maker_remaining: BaseLots::ZERO,
            maker_refreshed: false,
            auction: None,
            maker_fee: fills.rows.wide("fee_atoms", maker),
            taker_fee: Atoms::new(unsigned(fills.rows.wide("fee_atoms", taker))?),
        };
        Ok(PastTrade {
            fill,
            time: time / MICROS_PER_MILLI,
            record,
        })
    }

    fn party(&self, fills: &Fills<'_>, row: usize) -> Result<Party, String> {
        let account = u32::try_from(fills.account[row]).ok();
        let account = account.filter(|account| *account < self.accounts);
        let account = account.ok_or("an account that there is not")?;
        Ok(Party {
            account: AccountId::new(account),
            order_id: OrderId::new(fills.order_id[row].cast_unsigned()),
            client_order_id: ClientOrderId::new(fills.client_order_id[row].cast_unsigned()),
        })
    }

    fn market(&self, name: &ByteArray) -> Result<MarketId, String> {
        let market = self.markets.get(name.data()).copied();
        market.ok_or_else(|| "a market that there is not".to_owned())
    }

    fn spec(&self, market: MarketId) -> &MarketSpec {
        let spec = self.genesis.market(market);
        spec.expect("names are of markets that there are")
    }
}

fn unsigned(number: i128) -> Result<u128, String> {
    u128::try_from(number).map_err(|_| format!("{number} is below zero"))
}

fn wrong(path: &Path, what: &str) -> HistoryError {
    HistoryError::NotHere(format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::tables::Value;
    use super::*;

    #[test]
    fn the_newest_files_are_read_until_there_are_rows_enough() {
        let folder = tempfile::tempdir().unwrap();
        let mut tables = Tables::new();
        let table = &mut tables.candles;
        std::fs::create_dir(folder.path().join(table.name())).unwrap();
        // Nothing traded in the third.
        let counts = [3, 2, 0, 2, 1];
        let mut chunks = Vec::new();
        for (first_sequence, count) in (1..).zip(counts) {
            let time_ns = 0;
            chunks.push(Chunk {
                first_sequence,
                time_ns,
            });
            let numbers = |it: u64| Value::Integer(it);
            for row in 0..count {
                table.push(&[
                    numbers(row),
                    Value::Text("A-B"),
                    Value::Number(0.5),
                    Value::Number(0.5),
                    Value::Number(0.5),
                    Value::Number(0.5),
                    Value::Number(0.5),
                    numbers(first_sequence),
                    numbers(2),
                    numbers(3),
                    numbers(4),
                    numbers(u64::MAX),
                    Value::Wide(-6),
                    numbers(7),
                ]);
            }
            if count > 0 {
                let path = folder.path().join(table.name());
                let path = path.join(file_name(first_sequence));
                std::fs::write(path, table.encode().unwrap()).unwrap();
            }
        }
        for (rows_enough, expected) in [
            (0, &[][..]),
            (1, &[5]),
            (2, &[4, 4, 5]),
            (3, &[4, 4, 5]),
            (4, &[2, 2, 4, 4, 5]),
            (100, &[1, 1, 1, 2, 2, 4, 4, 5]),
        ] {
            let mut found = Vec::new();
            for path in newest(folder.path(), table.name(), &chunks, rows_enough).unwrap() {
                read_file(&path, table, |rows| {
                    found.extend_from_slice(rows.integers("open_ticks"));
                    assert_eq!(rows.integers("volume_lots")[0].cast_unsigned(), u64::MAX);
                    assert_eq!(rows.wide("turnover_atoms", 0), -6);
                    assert_eq!(rows.texts("market")[0].data(), b"A-B");
                    Ok(())
                })
                .unwrap();
            }
            assert_eq!(found, expected, "{rows_enough}");
        }
        // Rows of another table are told.
        let path = folder.path().join("candles").join(file_name(1));
        let error = read_file(&path, &mut tables.fills, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("columns"), "{error}");
    }
}
