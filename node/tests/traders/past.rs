//! A node that is given a history answers as the one before it did, and goes on from there.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};
use types::decimal::to_hex;
use types::wallet::WalletKey;

use crate::common::{Node, refuses_to_serve, run, text};
use crate::{API, Signed, ask, now_millis, order};

const OTHER_NETWORK: &str = r#"network = 7
[[asset]]
symbol = "BTC"
decimals = 8
[[asset]]
symbol = "USD"
decimals = 8
[[market]]
symbol = "BTC-USD"
base = "BTC"
quote = "USD"
tick = "0.01"
lot = "0.000001"
[[account]]
owner = "0x0101010101010101010101010101010101010101"
balances = { BTC = "10", USD = "10000" }
"#;

/// Everything that a history brings back.
fn known(node: &Node) -> BTreeMap<String, Json> {
    let mut questions = vec![json!({ "type": "recentTrades", "coin": "BTC/USD" })];
    for interval in ["1m", "1h", "1w"] {
        let request = json!({ "coin": "BTC/USD", "interval": interval, "startTime": 0 });
        questions.push(json!({ "type": "candleSnapshot", "req": request }));
    }
    for name in ["dev-0", "dev-1"] {
        let user = format!("0x{}", to_hex(&WalletKey::development(name).address()));
        questions.push(json!({ "type": "userFills", "user": user }));
        questions.push(json!({ "type": "userFillsByTime", "user": user, "startTime": 0 }));
    }
    let answer = |question: Json| (question.to_string(), ask(node, &question));
    let mut known: BTreeMap<_, _> = questions.into_iter().map(answer).collect();
    let contexts = ask(node, &json!({ "type": "spotMetaAndAssetCtxs" }));
    known.insert("volume".to_owned(), contexts[1][0]["dayNtlVlm"].clone());
    known
}

/// One sells what rests then, and another buys it.
fn trade(node: &Node, price: &str, size: &str) {
    for (name, is_bid, tif) in [("dev-1", false, "Gtc"), ("dev-0", true, "Ioc")] {
        let wallet = WalletKey::development(name);
        let action = order(is_bid, price, size, tif);
        let answer = Signed::new(&wallet, &action, now_millis(), None).send(node);
        assert_eq!(answer["status"], "ok", "{answer}");
        let status = &answer["response"]["data"]["statuses"][0];
        assert!(status.get("error").is_none(), "{answer}");
    }
}

/// Candles of a minute, from the trades that the node tells: when, the four prices, and how many.
fn candles_of_trades(node: &Node) -> Vec<Json> {
    let trades = ask(node, &json!({ "type": "recentTrades", "coin": "BTC/USD" }));
    let mut minutes: BTreeMap<u64, Vec<&Json>> = BTreeMap::new();
    for trade in trades.as_array().unwrap().iter().rev() {
        let minute = trade["time"].as_u64().unwrap() / 60_000 * 60_000;
        minutes.entry(minute).or_default().push(trade);
    }
    let candle = |(start, trades): (u64, Vec<&Json>)| {
        let price = |trade: &&Json| trade["px"].as_str().unwrap().parse::<f64>().unwrap();
        let prices: Vec<f64> = trades.iter().map(price).collect();
        let high = prices.iter().copied().fold(f64::MIN, f64::max);
        let low = prices.iter().copied().fold(f64::MAX, f64::min);
        let (open, close) = (prices[0], prices[prices.len() - 1]);
        json!([start, open, high, low, close, prices.len()])
    };
    minutes.into_iter().map(candle).collect()
}

/// The same, as the node tells it.
fn candles(node: &Node) -> Vec<Json> {
    let request = json!({ "coin": "BTC/USD", "interval": "1m", "startTime": 0 });
    let candles = ask(node, &json!({ "type": "candleSnapshot", "req": request }));
    let price = |text: &Json| text.as_str().unwrap().parse::<f64>().unwrap();
    let candle = |it: &Json| {
        let [open, high, low, close] = ["o", "h", "l", "c"].map(|name| price(&it[name]));
        json!([it["t"], open, high, low, close, it["n"]])
    };
    candles.as_array().unwrap().iter().map(candle).collect()
}

fn write_history(directory: &Path, out: &Path) {
    text(&run(
        "history",
        directory,
        &["--out", out.to_str().unwrap()],
    ));
}

#[test]
fn a_history_brings_back_what_was_known_before_the_stop() {
    let directory = tempfile::tempdir().unwrap();
    let (data, out) = (directory.path().join("data"), directory.path().join("out"));
    let history = ["--history", out.to_str().unwrap()];
    let arguments = [&API[..], &history].concat();

    let node = Node::serve_with(&data, &API);
    for (price, size) in [("100", "0.1"), ("103.5", "0.2"), ("99", "0.3")] {
        trade(&node, price, size);
    }
    let before = known(&node);
    assert_eq!(candles(&node), candles_of_trades(&node));
    assert!(node.stop().success());
    write_history(&data, &out);

    let node = Node::serve_with(&data, &arguments);
    assert_eq!(known(&node), before);
    // What comes after belongs to the same candles, unless their minute is over.
    trade(&node, "104", "0.4");
    let trades = candles_of_trades(&node);
    let counted: u64 = trades.iter().map(|it| it[5].as_u64().unwrap()).sum();
    assert_eq!(counted, 4);
    assert_eq!(candles(&node), trades);
    let before = known(&node);
    assert!(node.stop().success());

    // What the history has not been told yet is missing, and nothing else is.
    let node = Node::serve_with(&data, &arguments);
    let counted: u64 = candles(&node)
        .iter()
        .map(|it| it[5].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 3);
    assert!(node.stop().success());
    write_history(&data, &out);
    let node = Node::serve_with(&data, &arguments);
    assert_eq!(known(&node), before);
    assert!(node.stop().success());
}

#[test]
fn a_history_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let [data, other, empty, out] =
        ["data", "other", "empty", "out"].map(|name| directory.path().join(name));
    let genesis = directory.path().join("genesis.toml");
    std::fs::write(&genesis, OTHER_NETWORK).unwrap();
    std::fs::create_dir(&empty).unwrap();
    let node = Node::serve_with(&data, &API);
    trade(&node, "100", "0.1");
    assert!(node.stop().success());
    write_history(&data, &out);

    let refused = |data: &Path, history: &Path, more: &[&str]| {
        let arguments = ["--history", history.to_str().unwrap()];
        let arguments = [&API[..], &arguments, more].concat();
        let (code, error) = refuses_to_serve(data, "127.0.0.1:0", &arguments);
        assert_eq!(code, 2, "{error}");
        error
    };
    let error = refused(&other, &out, &["--genesis", genesis.to_str().unwrap()]);
    assert!(error.contains("another exchange"), "{error}");
    // A journal that has not come so far.
    let younger = directory.path().join("younger");
    let error = refused(&younger, &out, &[]);
    assert!(error.contains("newer journal"), "{error}");
    for nothing in [&empty, &directory.path().join("nowhere")] {
        let error = refused(&data, nothing, &[]);
        assert!(error.contains("there is no history"), "{error}");
    }
    std::fs::write(
        out.join("fills").join("00000000000000000001.parquet"),
        "dear",
    )
    .unwrap();
    let error = refused(&data, &out, &[]);
    assert!(error.contains("00000000000000000001.parquet"), "{error}");
    let without_api = ["--history", out.to_str().unwrap()];
    let (code, error) = refuses_to_serve(&data, "127.0.0.1:0", &without_api);
    assert_eq!(code, 2);
    assert!(error.contains("--api"), "{error}");
}
