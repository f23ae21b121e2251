//! The tables and their columns: `docs/HISTORY.md` says what each means.
//!
//! Amounts stand twice where that helps: exactly, in ticks, lots or atoms, and as floating-point numbers
//! in units, for charts. Sums that must be right are made of the exact ones.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Values of one column, row by row.
#[derive(Debug)]
enum Column {
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Text(Vec<ByteArray>),
    /// 128 bits, big-endian.
    Wide(Vec<FixedLenByteArray>),
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Integer(u64),
    Number(f64),
    Text(&'a str),
    Wide(i128),
}

/// Rows of one table.
#[derive(Debug)]
pub(super) struct Table {
    name: &'static str,
    schema: &'static str,
    names: Vec<String>,
    columns: Vec<Column>,
}

/// Rows that are read at once; even, so that the two fills of a trade are.
const ROWS_AT_ONCE: usize = 1 << 14;

/// All tables.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) trades: Table,
    pub(super) fills: Table,
    pub(super) orders: Table,
    pub(super) candles: Table,
}

const TRADES: &str = "message trades {
    required int64 sequence (INTEGER(64, false));
    required int64 time (TIMESTAMP(MICROS, true));
    required binary market (STRING);
    required binary taker_side (STRING);
    required double price;
    required double quantity;
    required int64 price_ticks (INTEGER(64, false));
    required int64 quantity_lots (INTEGER(64, false));
    required int64 maker_account (INTEGER(64, false));
    required int64 taker_account (INTEGER(64, false));
    required int64 maker_order_id (INTEGER(64, false));
    required int64 taker_order_id (INTEGER(64, false));
    required binary record (STRING);
}";

const FILLS: &str = "message fills {
    required int64 sequence (INTEGER(64, false));
    required int64 time (TIMESTAMP(MICROS, true));
    required int64 account (INTEGER(64, false));
    required binary market (STRING);
    required binary side (STRING);
    required binary role (STRING);
    required int64 order_id (INTEGER(64, false));
    required int64 client_order_id (INTEGER(64, false));
    required double price;
    required double quantity;
    required int64 price_ticks (INTEGER(64, false));
    required int64 quantity_lots (INTEGER(64, false));
    required fixed_len_byte_array(16) fee_atoms (DECIMAL(38, 0));
    required binary fee_asset (STRING);
    required binary record (STRING);
}";

const ORDERS: &str = "message orders {
    required int64 sequence (INTEGER(64, false));
    required int64 time (TIMESTAMP(MICROS, true));
    required int64 account (INTEGER(64, false));
    required int64 order_id (INTEGER(64, false));
    required int64 client_order_id (INTEGER(64, false));
    required binary market (STRING);
    required binary side (STRING);
    required binary event (STRING);
    required binary reason (STRING);
    required double price;
    required double remaining;
    required int64 price_ticks (INTEGER(64, false));
    required int64 remaining_lots (INTEGER(64, false));
}";

const CANDLES: &str = "message candles {
    required int64 time (TIMESTAMP(MICROS, true));
    required binary market (STRING);
    required double open;
    required double high;
    required double low;
    required double close;
    required double volume;
    required int64 open_ticks (INTEGER(64, false));
    required int64 high_ticks (INTEGER(64, false));
    required int64 low_ticks (INTEGER(64, false));
    required int64 close_ticks (INTEGER(64, false));
    required int64 volume_lots (INTEGER(64, false));
    required fixed_len_byte_array(16) turnover_atoms (DECIMAL(38, 0));
    required int64 trades (INTEGER(64, false));
}";

impl Tables {
    /// The subfolders.
    pub(super) const NAMES: [&str; 4] = ["trades", "fills", "orders", "candles"];

    /// Without rows.
    pub(super) fn new() -> Self {
        let [trades, fills, orders, candles] = Self::NAMES;
        Self {
            trades: Table::new(trades, TRADES),
            fills: Table::new(fills, FILLS),
            orders: Table::new(orders, ORDERS),
            candles: Table::new(candles, CANDLES),
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        [
            &mut self.trades,
            &mut self.fills,
            &mut self.orders,
            &mut self.candles,
        ]
        .into_iter()
    }

    /// Rows of all of them.
    pub(super) fn rows(&self) -> usize {
        let tables = [&self.trades, &self.fills, &self.orders, &self.candles];
        tables.into_iter().map(Table::rows).sum()
    }
}

impl Table {
    fn new(name: &'static str, schema: &'static str) -> Self {
        let parsed = parse_message_type(schema).expect("a schema of ours");
        let column = |field: &Arc<parquet::schema::types::Type>| match field.get_physical_type() {
            parquet::basic::Type::INT64 => Column::Integer(Vec::new()),
            parquet::basic::Type::DOUBLE => Column::Number(Vec::new()),
            parquet::basic::Type::BYTE_ARRAY => Column::Text(Vec::new()),
            _ => Column::Wide(Vec::new()),
        };
        Self {
            name,
            schema,
            names: parsed
                .get_fields()
                .iter()
                .map(|field| field.name().to_owned())
                .collect(),
            columns: parsed.get_fields().iter().map(column).collect(),
        }
    }

    /// Its subfolder.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        match &self.columns[0] {
            Column::Integer(values) => values.len(),
            _ => unreachable!("every table begins with a number or a time"),
        }
    }

    /// Appends a row. Panics unless its values are those of the columns.
    pub(super) fn push(&mut self, row: &[Value<'_>]) {
        assert_eq!(row.len(), self.columns.len(), "a value for every column");
        for (column, value) in self.columns.iter_mut().zip(row) {
            match (column, value) {
                // Parquet keeps unsigned numbers in signed ones, bit by bit.
                (Column::Integer(column), Value::Integer(value)) => column.push(*value as i64),
                (Column::Number(column), Value::Number(value)) => column.push(*value),
                (Column::Text(column), Value::Text(value)) => column.push((*value).into()),
                (Column::Wide(column), Value::Wide(value)) => {
                    column.push(value.to_be_bytes().to_vec().into());
                }
                (column, value) => panic!("{}: {value:?} for {column:?}", self.name),
            }
        }
    }

    /// The rows as a file; they are gone from here.
    pub(super) fn encode(&mut self) -> Result<Vec<u8>, ParquetError> {
        let schema = Arc::new(parse_message_type(self.schema)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("keel".to_owned())
            .build();
        let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        for column in &mut self.columns {
            let mut writer = group.next_column()?.expect("a column of the schema");
            match column {
                Column::Integer(values) => {
                    let typed = writer.typed::<Int64Type>();
                    typed.write_batch(&std::mem::take(values), None, None)?;
                }
                Column::Number(values) => {
                    let typed = writer.typed::<DoubleType>();
                    typed.write_batch(&std::mem::take(values), None, None)?;
                }
                Column::Text(values) => {
                    let typed = writer.typed::<ByteArrayType>();
                    typed.write_batch(&std::mem::take(values), None, None)?;
                }
                Column::Wide(values) => {
                    let typed = writer.typed::<FixedLenByteArrayType>();
                    typed.write_batch(&std::mem::take(values), None, None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        file.into_inner()
    }

    /// Reads a file that [`Table::encode`] made, and shows its rows, some at a time.
    pub(super) fn read(
        &mut self,
        file: File,
        mut show: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let text = |error: ParquetError| error.to_string();
        let file = SerializedFileReader::new(file).map_err(text)?;
        let schema = file.metadata().file_metadata().schema_descr();
        let found = schema.columns().iter();
        let found: Vec<&str> = found.map(|column| column.name()).collect();
        if found != self.names {
            return Err(format!("its columns are not those of {}", self.name));
        }
        for group in 0..file.num_row_groups() {
            let group = file.get_row_group(group).map_err(text)?;
            let columns = 0..self.columns.len();
            let columns = columns.map(|column| group.get_column_reader(column));
            let mut columns: Vec<ColumnReader> = columns.collect::<Result<_, _>>().map_err(text)?;
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            while left > 0 {
                let count = left.min(ROWS_AT_ONCE);
                for (column, reader) in self.columns.iter_mut().zip(&mut columns) {
                    column.read(reader, count)?;
                }
                show(self)?;
                left -= count;
            }
        }
        Ok(())
    }

    /// A column of numbers or times.
    pub(super) fn integers(&self, name: &str) -> &[i64] {
        match self.column(name) {
            Column::Integer(values) => values,
            column => panic!("{name}: {column:?}"),
        }
    }

    /// A column of texts.
    pub(super) fn texts(&self, name: &str) -> &[ByteArray] {
        match self.column(name) {
            Column::Text(values) => values,
            column => panic!("{name}: {column:?}"),
        }
    }

    /// A value of 128 bits.
    pub(super) fn wide(&self, name: &str, row: usize) -> i128 {
        match self.column(name) {
            Column::Wide(values) => {
                let bytes = values[row].data().try_into();
                i128::from_be_bytes(bytes.expect("the column was read as one of this length"))
            }
            column => panic!("{name}: {column:?}"),
        }
    }

    fn column(&self, name: &str) -> &Column {
        let place = self.names.iter().position(|it| it == name);
        &self.columns[place.expect("a column of the table")]
    }
}

impl Column {
    /// The next so many values, instead of those that are here.
    fn read(&mut self, reader: &mut ColumnReader, count: usize) -> Result<(), String> {
        match (self, reader) {
            (Self::Integer(values), ColumnReader::Int64ColumnReader(reader)) => {
                read_values::<Int64Type>(reader, count, values)
            }
            (Self::Number(values), ColumnReader::DoubleColumnReader(reader)) => {
                read_values::<DoubleType>(reader, count, values)
            }
            (Self::Text(values), ColumnReader::ByteArrayColumnReader(reader)) => {
                read_values::<ByteArrayType>(reader, count, values)
            }
            (Self::Wide(values), ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
                read_values::<FixedLenByteArrayType>(reader, count, values)?;
                let is_wide = |value: &FixedLenByteArray| value.len() == size_of::<i128>();
                let are_wide = values.iter().all(is_wide);
                are_wide
                    .then_some(())
                    .ok_or_else(|| "a number is of another length".to_owned())
            }
            _ => Err("a column is of another type".to_owned()),
        }
    }
}

fn read_values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    values: &mut Vec<T::T>,
) -> Result<(), String> {
    values.clear();
    let read = reader.read_records(count, None, None, values);
    let (rows, ..) = read.map_err(|error| error.to_string())?;
    match rows == count && values.len() == count {
        true => Ok(()),
        false => Err("it ends in the middle of a row".to_owned()),
    }
}
