//! The history from outside: what clients did stands in Parquet files, once, in whichever steps they were
//! written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Row;
use parquet::record::RowAccessor as _;
use serde_json::{Value, json};

use crate::checkpoints::trade_again;
use crate::common::{ended, run, text};
use crate::inspecting::traded;

/// Writes the history, or what is new of it.
fn written(directory: &Path, out: &Path, more: &[&str]) -> Value {
    let out = out.to_str().unwrap();
    let arguments = [&["--out", out, "--json"], more].concat();
    serde_json::from_str(&text(&run("history", directory, &arguments))).unwrap()
}

/// A table's files, by name.
fn files(out: &Path, table: &str) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(out.join(table)) else {
        return BTreeMap::new();
    };
    let entries = entries.map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// All rows of a table, in the order of their files.
fn rows(out: &Path, table: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in files(out, table).keys() {
        let file = File::open(out.join(table).join(name)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        rows.extend(reader.get_row_iter(None).unwrap().map(|row| row.unwrap()));
    }
    rows
}

/// A row's fields, by name.
fn field(row: &Row, name: &str) -> String {
    let mut columns = row.get_column_iter();
    let (_, value) = columns.find(|(column, _)| *column == name).unwrap();
    value.to_string().trim_matches('"').to_owned()
}

fn fields(row: &Row, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| field(row, name)).collect()
}

#[test]
fn what_clients_did_stands_in_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let (path, out) = (directory.path(), tempfile::tempdir().unwrap());
    assert!(traded(path).stop().success());
    trade_again(path);
    let report = written(path, out.path(), &[]);
    let replay: Value = serde_json::from_str(&text(&run("replay", path, &["--json"]))).unwrap();
    assert_eq!(report["height"], replay["height"]);
    assert_eq!(report["sequence"], replay["sequence"]);

    let trades = rows(out.path(), "trades");
    let last = trades.last().unwrap();
    let names = ["market", "taker_side", "price", "quantity", "taker_account"];
    let expected = ["BTC-USD", "ask", "100.0", "0.2", "1"];
    assert_eq!(fields(last, &names), expected);
    // Each trade has two fills, and both sides pay what the ledger took.
    let fills = rows(out.path(), "fills");
    assert_eq!(fills.len(), 2 * trades.len());
    let fees: Vec<_> = fills.iter().map(|row| field(row, "fee_asset")).collect();
    assert!(fees.iter().all(|asset| asset == "BTC" || asset == "USD"));
    // Every order that rested is told, and why those ended that did not fill.
    let orders = rows(out.path(), "orders");
    let rested = orders.iter().filter(|row| field(row, "event") == "rested");
    assert!(rested.count() > 0);
    let ended = orders.iter().filter(|row| field(row, "event") == "ended");
    assert!(ended.clone().all(|row| !field(row, "reason").is_empty()));
    // A minute that is not over has no candle yet, and is remembered.
    let position = fs::read_to_string(out.path().join("history.json")).unwrap();
    let position: Value = serde_json::from_str(&position).unwrap();
    let open = position["open_candles"].as_array().unwrap();
    let counted: u64 = open.iter().map(|it| it["trades"].as_u64().unwrap()).sum();
    let over: u64 = rows(out.path(), "candles")
        .iter()
        .map(|row| row.get_ulong(8).unwrap())
        .sum();
    assert_eq!(counted + over, trades.len() as u64);
}

#[test]
fn a_history_in_steps_is_the_same_history() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (steps, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(traded(path).stop().success());
    written(path, steps.path(), &[]);
    let before = files(steps.path(), "trades");
    trade_again(path);
    let report = written(path, steps.path(), &[]);
    assert_eq!(report["chunks"], json!(2));
    // What was written stays as it is, and nothing new changes nothing.
    let after = files(steps.path(), "trades");
    assert!(
        before
            .iter()
            .all(|(name, bytes)| after.get(name) == Some(bytes))
    );
    assert_eq!(written(path, steps.path(), &[]), report);
    written(path, whole.path(), &[]);
    for table in ["trades", "fills", "orders", "candles"] {
        let rows =
            |out: &Path| -> Vec<String> { rows(out, table).iter().map(Row::to_string).collect() };
        assert_eq!(rows(steps.path()), rows(whole.path()), "{table}");
    }
    // A crash between a chunk's files and the note that they are there: the chunk is written again.
    let note = fs::read(whole.path().join("history.json")).unwrap();
    let chunks = files(whole.path(), "trades");
    fs::remove_dir_all(whole.path()).unwrap();
    fs::create_dir(whole.path()).unwrap();
    written(path, whole.path(), &[]);
    assert_eq!(files(whole.path(), "trades"), chunks);
    assert_eq!(fs::read(whole.path().join("history.json")).unwrap(), note);
    // Old chunks go, oldest first; nothing is a day old here but what is kept for no time at all.
    let report = written(path, steps.path(), &["--keep-days", "1"]);
    assert_eq!(report["chunks_deleted"], json!(0));
    let report = written(path, steps.path(), &["--keep-days", "0"]);
    assert_eq!(report["chunks_deleted"], json!(1));
    assert_eq!(files(steps.path(), "trades").len(), 1);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(traded(path).stop().success());
    let out = tempfile::tempdir().unwrap();
    fs::write(out.path().join("letter.txt"), "dear").unwrap();
    let to = out.path().to_str().unwrap();
    let (code, error) = ended(&run("history", path, &["--out", to]));
    assert_eq!(code, 1);
    assert!(error.contains("neither empty nor a history"), "{error}");
    fs::remove_file(out.path().join("letter.txt")).unwrap();
    written(path, out.path(), &[]);
    let note = out.path().join("history.json");
    let text = fs::read_to_string(&note).unwrap();
    let hash = text.find("genesis_hash").unwrap() + 16;
    let mut other = text.clone();
    other.replace_range(
        hash..hash + 1,
        if &text[hash..=hash] == "0" { "1" } else { "0" },
    );
    fs::write(&note, other).unwrap();
    let (code, error) = ended(&run("history", path, &["--out", to]));
    assert_eq!(code, 1);
    assert!(error.contains("another exchange"), "{error}");
}
