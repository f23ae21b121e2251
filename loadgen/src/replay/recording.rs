//! A recorded level-3 stream as commands.
//!
//! The rule, which other engines were measured with: each `created` row, in file order, is a limit
//! order that rests till cancelled, its price in whole dollars, its size max(1, volume x 1,000,000
//! rounded half to even) lots of a millionth; rows with a price of zero or less or of 262,143 or
//! more, and rows that repeat an id, are skipped. Each `deleted` row with a volume above zero
//! cancels the order of its id. `changed` rows are ignored, and so is the clock of the recording.
//!
//! The order of an id is labelled with the id.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use types::{BaseLots, ClientOrderId, Side};

use super::decimal::round_half_even;

/// Decimals of a lot in the rule.
pub const LOT_DECIMALS: u8 = 6;
/// Prices from here on are no prices but marks of market orders.
pub const PRICE_DOLLARS_END: u64 = 262_143;

/// A recorded stream, reduced to what it asks of a book.
#[derive(Debug, Default)]
pub struct Recording {
    /// In file order.
    pub commands: Vec<RecordedCommand>,
    /// Orders among the commands; the others are cancels.
    pub orders: u64,
    /// Rows that are no command.
    pub skipped: SkippedRows,
}

/// A row that is a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedCommand {
    /// The side of its order, which decides who sends it.
    pub side: Side,
    /// The price of its order.
    pub price: Dollars,
    /// The label of its order.
    pub client_order_id: ClientOrderId,
    /// What happens to the order.
    pub action: RecordedAction,
}

/// What a row does to its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedAction {
    /// Enters it, with this size in lots of a millionth.
    Place(BaseLots),
    /// Takes it off the book.
    Cancel,
}

/// A price in whole dollars, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(u64);

impl Dollars {
    /// Wraps a number of dollars.
    pub const fn new(dollars: u64) -> Self {
        Self(dollars)
    }

    /// The number of dollars.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Rows that are no command, by the rule that skips them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SkippedRows {
    /// `created` with a price that is none.
    pub price: u64,
    /// `created` with an id that was there before.
    pub repeated_id: u64,
    /// `changed`.
    pub changed: u64,
    /// `deleted` without volume: the order was filled.
    pub deleted_without_volume: u64,
    /// `deleted` of an order that was skipped or never created.
    pub deleted_unknown: u64,
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read the recording: {0}")]
    Read(#[from] io::Error),
    /// The first line does not name the columns.
    #[error("the first line has no column {0:?}")]
    Column(&'static str),
    /// A row that cannot be understood.
    #[error("line {line}: {what}")]
    Row {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Recording {
    /// Reads a `.csv` file, or a `.csv.gz`.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path)?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            Self::read(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Self::read(BufReader::new(file))
        }
    }

    /// Reads comma-separated text whose first line names the columns.
    pub fn read(mut text: impl BufRead) -> Result<Self, RecordingError> {
        let mut line = String::new();
        text.read_line(&mut line)?;
        let columns = Columns::find(line.trim_end())?;
        let mut reader = Reader::default();
        for number in 2.. {
            line.clear();
            if text.read_line(&mut line)? == 0 {
                break;
            }
            let row = columns.row(line.trim_end());
            row.and_then(|row| reader.add(&row))
                .map_err(|what| RecordingError::Row { line: number, what })?;
        }
        Ok(reader.recording)
    }
}

/// Positions of the columns that matter.
struct Columns {
    id: usize,
    price: usize,
    volume: usize,
    action: usize,
    direction: usize,
}

/// The columns that matter, as text.
struct Row<'a> {
    id: &'a str,
    price: &'a str,
    volume: &'a str,
    action: &'a str,
    direction: &'a str,
}

impl Columns {
    fn find(header: &str) -> Result<Self, RecordingError> {
        let column = |name| {
            let position = header.split(',').position(|column| column == name);
            position.ok_or(RecordingError::Column(name))
        };
        Ok(Self {
            id: column("id")?,
            price: column("price")?,
            volume: column("volume")?,
            action: column("action")?,
            direction: column("direction")?,
        })
    }

    fn row<'a>(&self, line: &'a str) -> Result<Row<'a>, &'static str> {
        let field = |column| line.split(',').nth(column).ok_or("too few columns");
        Ok(Row {
            id: field(self.id)?,
            price: field(self.price)?,
            volume: field(self.volume)?,
            action: field(self.action)?,
            direction: field(self.direction)?,
        })
    }
}

/// Applies the rule row by row.
#[derive(Default)]
struct Reader {
    recording: Recording,
    /// Every order that was placed, for the price of its cancel.
    placed: BTreeMap<ClientOrderId, (Side, Dollars)>,
}

impl Reader {
    fn add(&mut self, row: &Row<'_>) -> Result<(), &'static str> {
        let id = row.id.parse().map_err(|_| "id is not a number")?;
        let client_order_id = ClientOrderId::new(id);
        if client_order_id.is_none() {
            return Err("id is zero, which labels nothing");
        }
        match row.action {
            "created" => self.create(row, client_order_id),
            "deleted" => self.delete(row, client_order_id),
            "changed" => {
                self.recording.skipped.changed += 1;
                Ok(())
            }
            _ => Err("action is none of created, changed, deleted"),
        }
    }

    fn create(
        &mut self,
        row: &Row<'_>,
        client_order_id: ClientOrderId,
    ) -> Result<(), &'static str> {
        let side = match row.direction {
            "bid" => Side::Bid,
            "ask" => Side::Ask,
            _ => return Err("direction is none of bid, ask"),
        };
        let skipped = &mut self.recording.skipped;
        let Some(price) = price(row.price)? else {
            skipped.price += 1;
            return Ok(());
        };
        if self.placed.contains_key(&client_order_id) {
            skipped.repeated_id += 1;
            return Ok(());
        }
        let lots = volume(row.volume)?.max(1);
        let quantity = BaseLots::new(u64::try_from(lots).map_err(|_| "volume is too large")?);
        self.placed.insert(client_order_id, (side, price));
        self.recording.orders += 1;
        self.recording.commands.push(RecordedCommand {
            side,
            price,
            client_order_id,
            action: RecordedAction::Place(quantity),
        });
        Ok(())
    }

    fn delete(
        &mut self,
        row: &Row<'_>,
        client_order_id: ClientOrderId,
    ) -> Result<(), &'static str> {
        let skipped = &mut self.recording.skipped;
        // Any digit but zero before the exponent is a volume, however small.
        volume(row.volume)?;
        let mantissa = row.volume.split(['e', 'E']).next().unwrap_or_default();
        let positive = !mantissa.starts_with('-') && mantissa.contains(|c| matches!(c, '1'..='9'));
        if !positive {
            skipped.deleted_without_volume += 1;
            return Ok(());
        }
        let Some(&(side, price)) = self.placed.get(&client_order_id) else {
            skipped.deleted_unknown += 1;
            return Ok(());
        };
        self.recording.commands.push(RecordedCommand {
            side,
            price,
            client_order_id,
            action: RecordedAction::Cancel,
        });
        Ok(())
    }
}

/// A price in whole dollars; `None`: a mark and no price.
fn price(text: &str) -> Result<Option<Dollars>, &'static str> {
    let parts = round_half_even(text, PRICE_DECIMALS).ok_or("price is not a decimal number")?;
    let dollars = parts / PARTS_PER_DOLLAR;
    if parts <= 0 || dollars >= i128::from(PRICE_DOLLARS_END) {
        return Ok(None);
    }
    match u64::try_from(dollars) {
        Ok(dollars) if parts % PARTS_PER_DOLLAR == 0 => Ok(Some(Dollars(dollars))),
        _ => Err("price is not in whole dollars"),
    }
}

/// More decimals than any recorder writes, to see that they are zero.
const PRICE_DECIMALS: u8 = 12;
const PARTS_PER_DOLLAR: i128 = 10i128.pow(PRICE_DECIMALS as u32);

/// A size in lots, not yet at least one.
fn volume(text: &str) -> Result<i128, &'static str> {
    round_half_even(text, LOT_DECIMALS).ok_or("volume is not a decimal number")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "id,timestamp,exchange_timestamp,price,volume,action,direction";

    fn read(rows: &[&str]) -> Result<Recording, RecordingError> {
        Recording::read(format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes())
    }

    fn place(id: u64, side: Side, price: u64, lots: u64) -> RecordedCommand {
        RecordedCommand {
            side,
            price: Dollars(price),
            client_order_id: ClientOrderId::new(id),
            action: RecordedAction::Place(BaseLots::new(lots)),
        }
    }

    fn cancel(id: u64, side: Side, price: u64) -> RecordedCommand {
        RecordedCommand {
            action: RecordedAction::Cancel,
            ..place(id, side, price, 0)
        }
    }

    #[test]
    fn every_rule_has_its_row() {
        let recording = read(&[
            "11,1,1,78318.0,1.53453667,created,bid",
            "12,1,1,78320.0,7.18e-06,created,ask",
            "13,1,1,78320.0,1e-08,created,ask",
            "14,1,1,0.0,0.5,created,ask",
            "15,1,1,-3.0,0.5,created,bid",
            "16,1,1,262142.0,0.5,created,ask",
            "17,1,1,262143.0,0.5,created,ask",
            "18,1,1,999999999.0,0.5,created,bid",
            "11,2,2,78319.0,2.0,created,bid",
            "11,2,2,78318.0,1.0,changed,bid",
            "12,3,3,78320.0,0.0,deleted,ask",
            "11,3,3,78318.0,1e-08,deleted,bid",
            "14,3,3,0.0,0.5,deleted,ask",
            "99,3,3,78318.0,0.5,deleted,bid",
        ])
        .unwrap();
        assert_eq!(
            recording.commands,
            [
                place(11, Side::Bid, 78_318, 1_534_537),
                place(12, Side::Ask, 78_320, 7),
                place(13, Side::Ask, 78_320, 1),
                place(16, Side::Ask, 262_142, 500_000),
                cancel(11, Side::Bid, 78_318),
            ]
        );
        assert_eq!(recording.orders, 4);
        assert_eq!(
            recording.skipped,
            SkippedRows {
                price: 4,
                repeated_id: 1,
                changed: 1,
                deleted_without_volume: 1,
                deleted_unknown: 2,
            }
        );
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "direction,action,volume,price,id,more\nask,created,2,7,1,x\n";
        let recording = Recording::read(text.as_bytes()).unwrap();
        assert_eq!(recording.commands, [place(1, Side::Ask, 7, 2_000_000)]);
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        for (row, expected) in [
            ("x,1,1,1.0,1.0,created,bid", "line 3: id is not a number"),
            (
                "0,1,1,1.0,1.0,created,bid",
                "line 3: id is zero, which labels nothing",
            ),
            (
                "2,1,1,1.5,1.0,created,bid",
                "line 3: price is not in whole dollars",
            ),
            (
                "2,1,1,1.0,,created,bid",
                "line 3: volume is not a decimal number",
            ),
            (
                "2,1,1,1.0,1.0,traded,bid",
                "line 3: action is none of created, changed, deleted",
            ),
            (
                "2,1,1,1.0,1.0,created,buy",
                "line 3: direction is none of bid, ask",
            ),
            ("2,1,1,1.0,1.0,created", "line 3: too few columns"),
        ] {
            let error = read(&["1,1,1,1.0,1.0,created,bid", row]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = Recording::read(&b"id,price,action\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "the first line has no column \"volume\"");
    }
}
