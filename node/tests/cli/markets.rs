//! What stands beside an order, and what accounts and operators may set: stops, protection, the
//! status of a market, its limits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::Node;
use crate::shell::{Shell, accepted, assert_has, cancel, op, place, rejected, with};

/// Longer than a tick takes to come, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

fn set_status(status: &str) -> Value {
    json!({"op": "set_market_status", "market": "BTC-USD", "status": status})
}

fn set_protection(limits: &Value) -> Value {
    let mut line = json!({"op": "set_protection", "market": "BTC-USD"});
    for (name, value) in limits.as_object().unwrap() {
        line[name] = value.clone();
    }
    line
}

/// Asks until the market is like this: what is published comes with a tick, not with an order.
fn wait_for_market(shell: &mut Shell, expected: &Value) {
    wait_until_market(shell, |reply| {
        let mut reply = reply.clone();
        for name in ["status", "sequence", "market"] {
            reply.as_object_mut().unwrap().remove(name);
        }
        reply == *expected
    });
}

/// Asks until the answer is one that is waited for.
pub(crate) fn wait_until_market(shell: &mut Shell, is_there: impl Fn(&Value) -> bool) {
    let market = with(op("market"), "market", "BTC-USD");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = shell.check(&market, &accepted());
        if is_there(&reply) {
            return;
        }
        assert!(Instant::now() < deadline, "{reply}");
    }
}

/// The next event must include this.
fn hear(shell: &mut Shell, expected: &Value) {
    assert_has(&shell.later_event(), expected);
}

#[test]
fn one_cancels_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut owner = Shell::connect(&node, "dev-0");
    let mut other = Shell::connect(&node, "dev-1");

    let stop = json!({"trigger": "90", "limit": "85", "stp": "cancel_maker"});
    let take_profit = with(place("ask", "110", "1"), "stop", stop.clone());
    let placed = owner.check(&take_profit, &accepted());
    let order_id = &placed["order_id"];
    let open = json!({"order_id": order_id, "price": "110", "remaining": "1", "stop": stop});
    owner.check(&op("orders"), &json!({ "orders": [open] }));
    let above = with(
        place("ask", "110", "1"),
        "stop",
        json!({"trigger": "110", "limit": "85"}),
    );
    owner.check(&above, &rejected("INVALID_TRIGGER"));

    // A part fills at its own price; what is left is set off by a trade at the stop's trigger.
    other.check(&place("bid", "110", "0.25"), &json!({"filled": "0.25"}));
    let own_price = json!({"event": "fill", "role": "maker", "price": "110", "remaining": "0.75"});
    hear(&mut owner, &own_price);
    other.check(&place("bid", "90", "0.5"), &accepted());
    other.check(&place("bid", "88", "2"), &accepted());
    other.check(&place("ask", "90", "0.5"), &json!({"filled": "0.5"}));
    let triggered = json!({"event": "ended", "reason": "triggered", "order_id": order_id,
        "price": "85", "quantity": "0", "remaining": "0.75"});
    hear(&mut owner, &triggered);
    let sold = json!({"event": "fill", "role": "taker", "order_id": order_id, "price": "88",
        "quantity": "0.75", "remaining": null});
    hear(&mut owner, &sold);
    owner.check(&op("orders"), &json!({ "orders": [] }));
    let balances = owner.check(&op("balances"), &accepted());
    assert_eq!(balances["balances"][0]["held"], "0");
}

#[test]
fn a_protection_trips_in_the_middle_of_one_taker() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut maker = Shell::connect(&node, "dev-1");
    let mut taker = Shell::connect(&node, "dev-2");
    let quotes = |number: u64| {
        json!({"op": "quote_set", "market": "BTC-USD", "number": number, "bids": [],
            "asks": [["100", "1"], ["101", "1"], ["102", "1"], ["103", "1"], ["104", "1"]]})
    };
    let window = json!({"window_ms": 1_000});
    maker.check(&set_protection(&window), &rejected("INVALID_PROTECTION"));
    let three = json!({"group": 1, "window_ms": 86_400_000_u64, "max_fills": 3});
    maker.check(&set_protection(&three), &accepted());
    maker.check(&quotes(1), &accepted());
    let protected = with(place("bid", "50", "1"), "protected", true);
    maker.check(&protected, &accepted());
    let open = json!({"side": "bid", "protected": true});
    let orders = maker.check(&op("orders"), &accepted());
    assert_eq!(orders["orders"].as_array().unwrap().len(), 6);
    assert_eq!(orders["orders"][5]["protected"], open["protected"]);

    let swept = taker.check(&place("bid", "200", "10"), &json!({"filled": "3"}));
    assert_eq!(swept["fills"].as_array().unwrap().len(), 3);
    for price in ["100", "101", "102"] {
        hear(&mut maker, &json!({"event": "fill", "price": price}));
    }
    for price in ["103", "104", "50"] {
        let pulled = json!({"event": "ended", "reason": "protection", "price": price,
            "quantity": "1", "remaining": "0", "sequence": swept["sequence"]});
        hear(&mut maker, &pulled);
    }
    maker.check(&op("orders"), &json!({ "orders": [] }));
    taker.check(&op("cancel_all"), &json!({"cancelled": 1}));

    maker.check(&quotes(2), &rejected("PROTECTION_TRIPPED"));
    maker.check(&protected, &rejected("PROTECTION_TRIPPED"));
    maker.check(&place("bid", "50", "1"), &accepted());
    maker.check(&set_protection(&three), &accepted());
    maker.check(&quotes(2), &accepted());

    // Without limits it is taken away: nothing is pulled any more.
    maker.check(&set_protection(&json!({})), &accepted());
    taker.check(&place("bid", "200", "5"), &json!({"filled": "5"}));
}

#[test]
fn an_auction_ends_at_one_price() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut operator = Shell::connect(&node, "dev-operator");
    let mut early = Shell::connect(&node, "dev-0");
    let mut late = Shell::connect(&node, "dev-1");
    wait_for_market(&mut operator, &json!({"market_status": "open"}));
    early.check(&set_status("auction"), &rejected("NOT_OPERATOR"));
    operator.check(&set_status("auction"), &json!({"trades": 0, "traded": "0"}));

    let bid = early.check(&place("bid", "105", "1"), &json!({"filled": "0"}));
    let immediate = with(place("bid", "105", "1"), "tif", "ioc");
    early.check(&immediate, &rejected("MARKET_STATUS"));
    let post_only = with(place("bid", "90", "1"), "kind", "post_only");
    early.check(&post_only, &rejected("MARKET_STATUS"));
    let ask = late.check(&place("ask", "95", "0.4"), &json!({"filled": "0"}));
    let indicative = json!({"price": "105", "quantity": "0.4",
        "surplus": {"side": "bid", "quantity": "0.6"}});
    wait_for_market(
        &mut operator,
        &json!({"market_status": "auction", "indicative": indicative}),
    );

    operator.check(&set_status("open"), &json!({"trades": 1, "traded": "0.4"}));
    for (shell, order, role, remaining) in [
        (&mut early, &bid, "maker", "0.6"),
        (&mut late, &ask, "taker", "0"),
    ] {
        let fill = json!({"event": "fill", "auction": true, "role": role, "price": "105",
            "order_id": order["order_id"], "quantity": "0.4", "remaining": remaining});
        hear(shell, &fill);
    }
    wait_for_market(
        &mut operator,
        &json!({"market_status": "open", "last": "105"}),
    );
    late.check(&op("orders"), &json!({ "orders": [] }));

    operator.check(&set_status("halted"), &accepted());
    early.check(&place("bid", "1", "1"), &rejected("MARKET_STATUS"));
    early.check(&cancel(&bid["order_id"]), &json!({"cancelled": 1}));
    let elsewhere = with(place("bid", "1", "1"), "market", "ETH-USD");
    early.check(&elsewhere, &accepted());
    assert!(node.stop().success());

    // A node that starts again has learned it all from its journal.
    let node = Node::serve(directory.path());
    let mut shell = Shell::connect(&node, "dev-2");
    let expected = json!({"market_status": "halted", "last": "105"});
    wait_for_market(&mut shell, &expected);
}

#[test]
fn a_market_keeps_to_the_limits_of_its_genesis() {
    let directory = tempfile::tempdir().unwrap();
    let genesis = directory.path().join("given.toml");
    let (owner, operator) = ("01".repeat(20), "02".repeat(20));
    let text = format!(
        r#"network = 1
[[asset]]
symbol = "BTC"
decimals = 8
[[asset]]
symbol = "USD"
decimals = 2
[[market]]
symbol = "BTC-USD"
base = "BTC"
quote = "USD"
tick = "0.01"
lot = "1"
min_notional = "5"
max_open_orders = 2
price_band_ppm = 100000
price_band_interval_ms = 86400000
status = "auction"
[[account]]
owner = "0x{owner}"
keys = ["dev-0"]
balances = {{ BTC = "10", USD = "10000" }}
[[account]]
owner = "0x{operator}"
operator = true
keys = ["dev-operator"]
"#
    );
    std::fs::write(&genesis, text).unwrap();
    let arguments = ["--genesis", genesis.to_str().unwrap()];
    let node = Node::serve_with(&directory.path().join("home"), &arguments);
    let mut shell = Shell::connect(&node, "dev-0");
    let mut operator = Shell::connect(&node, "dev-operator");
    let market = json!({"market": "BTC-USD", "min_notional": "5", "max_open_orders": 2,
        "price_band_ppm": 100_000, "price_band_interval_ms": 86_400_000, "first_status": "auction"});
    shell.check(&op("markets"), &json!({ "markets": [market] }));

    shell.check(&place("bid", "4.99", "1"), &rejected("NOTIONAL_TOO_SMALL"));
    shell.check(&place("bid", "10", "1"), &accepted());
    shell.check(&place("ask", "10", "1"), &accepted());
    let third = place("bid", "9", "1");
    shell.check(&third, &rejected("TOO_MANY_OPEN_ORDERS"));
    operator.check(&set_status("open"), &json!({"trades": 1}));
    shell.check(&place("bid", "11.01", "1"), &rejected("PRICE_OUT_OF_BAND"));
    shell.check(&place("ask", "8.99", "1"), &rejected("PRICE_OUT_OF_BAND"));
    shell.check(&place("bid", "11", "1"), &accepted());
    shell.check(&place("ask", "99", "1"), &accepted());
    assert!(node.stop().success());
}
