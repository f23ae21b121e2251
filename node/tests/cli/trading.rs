//! Every line of `keel client`, and what comes back.

use serde_json::{Value, json};

use crate::common::Node;
use crate::shell::{Shell, accepted, cancel, op, place, rejected, with};

#[test]
fn orders_rest_until_they_are_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut shell = Shell::connect(&node, "dev-0");
    let resting = json!({"status": "accepted", "filled": "0", "fills": []});
    let nothing = json!({"status": "accepted", "orders": []});

    let bid = place("bid", "100.5", "0.25");
    let first = shell.check(&with(bid.clone(), "client_order_id", 7), &resting);
    assert!(first["sequence"].is_u64() && first["stage_ns"]["durable"].is_u64());
    let twice = rejected("DUPLICATE_CLIENT_ORDER_ID");
    shell.check(&with(bid.clone(), "client_order_id", 7), &twice);
    shell.check(
        &op("orders"),
        &json!({"status": "accepted", "account": 0, "orders": [{
            "order_id": first["order_id"], "market": "BTC-USD", "side": "bid", "price": "100.5",
            "remaining": "0.25", "client_order_id": 7,
        }]}),
    );
    let held = json!({"asset": "USD", "free": "999999999974.875", "held": "25.125"});
    let balances = shell.check(&op("balances"), &accepted());
    assert_eq!(balances["balances"][2], held);

    shell.check(&cancel(&first["order_id"]), &json!({"cancelled": 1}));
    shell.check(&cancel(&first["order_id"]), &rejected("ORDER_NOT_FOUND"));
    shell.check(&op("orders"), &nothing);

    shell.check(&with(bid.clone(), "client_order_id", 8), &resting);
    let by_label = json!({"op": "cancel", "market": "BTC-USD", "client_order_id": 8});
    shell.check(&by_label, &json!({"status": "accepted", "cancelled": 1}));
    shell.check(&by_label, &rejected("ORDER_NOT_FOUND"));

    shell.check(&bid, &resting);
    shell.check(&with(bid.clone(), "market", "ETH-USD"), &resting);
    shell.check(&place("ask", "101", "1"), &resting);
    shell.check(&with(bid, "kind", "post_only"), &resting);
    let all = op("cancel_all");
    let asks = with(all.clone(), "side", "ask");
    shell.check(&asks, &json!({"cancelled": 1}));
    let bitcoin = with(all.clone(), "market", "BTC-USD");
    shell.check(&bitcoin, &json!({"cancelled": 2}));
    shell.check(&all, &json!({"cancelled": 1}));
    shell.check(&all, &json!({"status": "accepted", "cancelled": 0}));
    shell.check(&op("orders"), &nothing);
    assert!(shell.close().success());
}

#[test]
fn orders_meet_the_book_as_their_kind_says() {
    let directory = tempfile::tempdir().unwrap();
    // The parallel executor; the shadow repeats every block in order and would stop the node.
    let parallel = ["--executor", "parallel", "--workers", "2"];
    let node = Node::serve_with(directory.path(), &parallel);
    let mut maker = Shell::connect(&node, "dev-1");
    let mut taker = Shell::connect(&node, "dev-2");
    let ask = with(place("ask", "200", "1"), "client_order_id", 5);
    let ask = maker.check(&ask, &accepted())["order_id"].clone();

    let bid = place("bid", "200", "2");
    let post_only = with(bid.clone(), "kind", "post_only");
    taker.check(&post_only, &rejected("WOULD_CROSS"));
    let fill_or_kill = with(bid.clone(), "tif", "fok");
    taker.check(&fill_or_kill, &rejected("NOT_FILLABLE"));

    // The maker receives 60 USD and pays 100 ppm, the taker receives 0.3 BTC and pays 300 ppm.
    let fill = json!({"role": "taker", "side": "bid", "price": "200", "quantity": "0.3",
        "fee": "0.00009", "fee_asset": "BTC"});
    let partial = with(place("bid", "201.5", "0.3"), "tif", "fok");
    let bought = taker.check(&partial, &json!({"filled": "0.3", "fills": [fill]}));
    let sold = json!({"event": "fill", "order_id": ask, "client_order_id": 5, "role": "maker",
        "side": "ask", "price": "200", "quantity": "0.3", "remaining": "0.7", "fee": "0.006",
        "fee_asset": "USD", "market": "BTC-USD", "sequence": bought["sequence"]});
    assert_eq!(maker.later_event(), sold);

    let immediate = with(place("bid", "200", "0.5"), "tif", "ioc");
    taker.check(&immediate, &json!({"status": "accepted", "filled": "0.5"}));
    assert_eq!(maker.later_event()["remaining"], "0.2");
    taker.check(&bid, &json!({"status": "accepted", "filled": "0.2"}));
    assert_eq!(maker.later_event()["remaining"], "0");
    let left = json!({"side": "bid", "price": "200", "remaining": "1.8"});
    taker.check(&op("orders"), &json!({ "orders": [left] }));
    let none_left = with(place("bid", "300", "1"), "tif", "ioc");
    taker.check(&none_left, &json!({"filled": "0", "fills": []}));
    maker.check(&op("orders"), &json!({ "orders": [] }));
}

#[test]
fn funds_move_between_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut from = Shell::connect(&node, "dev-3");
    let mut to = Shell::connect(&node, "dev-4");
    let transfer = |to: Value, asset: &str, amount: &str| json!({"op": "transfer", "to": to, "asset": asset, "amount": amount});
    for (line, expected) in [
        (transfer(json!(4), "BTC", "1.5"), accepted()),
        (transfer(json!("dev-4"), "BTC", "0.00000001"), accepted()),
        (
            transfer(json!("dev-3"), "BTC", "1"),
            rejected("SELF_TRANSFER"),
        ),
        (transfer(json!(65), "BTC", "1"), rejected("UNKNOWN_ACCOUNT")),
        (
            transfer(json!("nobody"), "BTC", "1"),
            rejected("UNKNOWN_ACCOUNT"),
        ),
        (transfer(json!(4), "DOG", "1"), rejected("UNKNOWN_ASSET")),
        (transfer(json!(4), "BTC", "0"), rejected("ZERO_QUANTITY")),
        (
            transfer(json!(4), "BTC", "0.000000001"),
            rejected("MALFORMED"),
        ),
        (
            transfer(json!(4), "BTC", "10000000"),
            rejected("INSUFFICIENT_FUNDS"),
        ),
        (
            transfer(json!(4), "BTC", &"9".repeat(30)),
            rejected("QUANTITY_TOO_LARGE"),
        ),
    ] {
        from.check(&line, &expected);
    }
    let left = json!({"asset": "BTC", "free": "9999998.49999999", "held": "0"});
    assert_eq!(from.ask(&op("balances"))["balances"][0], left);
    let received = json!({"asset": "BTC", "free": "10000001.50000001", "held": "0"});
    assert_eq!(to.ask(&op("balances"))["balances"][0], received);
}

#[test]
fn what_cannot_be_done_is_rejected_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut shell = Shell::connect(&node, "dev-5");
    let order = || place("bid", "100", "1");
    let before = shell.ask(&op("balances"));
    for (line, reason) in [
        (with(order(), "price", "0"), "ZERO_PRICE"),
        (with(order(), "price", "0.001"), "MALFORMED"),
        (with(order(), "price", "-1"), "MALFORMED"),
        (with(order(), "price", "1e3"), "MALFORMED"),
        (with(order(), "price", 100), "MALFORMED"),
        (with(order(), "price", "42949672.95"), "PRICE_TOO_HIGH"),
        (with(order(), "price", "9".repeat(60)), "PRICE_TOO_HIGH"),
        (with(order(), "quantity", "0"), "ZERO_QUANTITY"),
        (with(order(), "quantity", "0.0000001"), "MALFORMED"),
        (
            with(order(), "quantity", "281474976.710656"),
            "QUANTITY_TOO_LARGE",
        ),
        (
            place("bid", "42949672.94", "281474976.710655"),
            "INSUFFICIENT_FUNDS",
        ),
        (place("ask", "1", "10000000.000001"), "INSUFFICIENT_FUNDS"),
        (with(order(), "market", "DOG-USD"), "UNKNOWN_MARKET"),
        (with(order(), "side", "up"), "MALFORMED"),
        (with(order(), "tif", "gtt"), "MALFORMED"),
        (with(order(), "colour", "red"), "MALFORMED"),
        (
            with(with(order(), "kind", "post_only"), "tif", "ioc"),
            "MALFORMED",
        ),
        (
            with(op("cancel_all"), "market", "DOG-USD"),
            "UNKNOWN_MARKET",
        ),
        (cancel(&json!(65_536)), "ORDER_NOT_FOUND"),
        (cancel(&json!(u64::MAX)), "UNKNOWN_MARKET"),
        (op("cancel"), "MALFORMED"),
        (op("place"), "MALFORMED"),
        (op("fly"), "MALFORMED"),
        (json!({"market": "BTC-USD"}), "MALFORMED"),
        (json!([]), "MALFORMED"),
    ] {
        shell.check(&line, &rejected(reason));
    }
    for line in ["nonsense", "{", "{\"op\":", "\u{0}", "🙂"] {
        let reply = shell.say(line);
        assert_eq!(reply["reason"], "MALFORMED", "{line}: {reply}");
        assert!(reply["detail"].is_string());
    }
    let after = shell.ask(&op("balances"));
    assert_eq!(before["balances"], after["balances"]);
    shell.check(&op("orders"), &json!({ "orders": [] }));
    assert!(shell.close().success());
}

#[test]
fn a_nonce_is_used_once() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut shell = Shell::connect(&node, "dev-6");
    let query = |nonce: u64| json!({"op": "query", "nonce": nonce});
    let bid = with(place("bid", "100", "1"), "nonce", 5);
    let first = shell.check(&bid, &json!({"status": "accepted", "nonce": 5}));
    let again = json!({"status": "accepted", "nonce": 5, "repeated": true, "filled": "0",
        "order_id": first["order_id"], "sequence": first["sequence"]});
    shell.check(&bid, &again);
    shell.check(
        &with(place("bid", "100", "2"), "nonce", 5),
        &rejected("NONCE_REUSED"),
    );
    let known = json!({"status": "accepted", "nonce": 5, "sequence": first["sequence"]});
    shell.check(&query(5), &known);
    shell.check(&query(4), &json!({"status": "unknown", "nonce": 4}));

    // The next one without a nonce takes the one above; the window may be used in any order.
    shell.check(&place("bid", "0", "1"), &json!({"nonce": 6}));
    shell.check(&query(6), &rejected("ZERO_PRICE"));
    shell.check(
        &with(op("cancel_all"), "nonce", 2),
        &json!({"cancelled": 1}),
    );
    let far = with(op("cancel_all"), "nonce", 5_000);
    shell.check(&far, &json!({"cancelled": 0}));
    let old = with(op("cancel_all"), "nonce", 3);
    shell.check(&old, &rejected("NONCE_TOO_OLD"));
    let high = with(op("cancel_all"), "nonce", u64::MAX);
    shell.check(&high, &rejected("NONCE_TOO_HIGH"));

    // Another session of the same key goes on where released frames end.
    let mut other = Shell::connect(&node, "dev-6");
    other.check(&op("cancel_all"), &json!({"nonce": 5_001}));
    other.check(&query(5_000), &accepted());
}

#[test]
fn markets_and_balances_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let mut shell = Shell::connect(&node, "dev-63");
    let market = |name: &str, lot: &str| json!({"market": name, "tick": "0.01", "lot": lot, "maker_fee_ppm": 100, "taker_fee_ppm": 300});
    let both = [market("BTC-USD", "0.000001"), market("ETH-USD", "0.00001")];
    let expected = json!({"status": "accepted", "markets": both});
    assert_eq!(shell.ask(&op("markets")), expected);
    let expected = json!({"status": "accepted", "account": 63, "sequence": 0, "balances": [
        {"asset": "BTC", "free": "10000000", "held": "0"},
        {"asset": "ETH", "free": "100000000", "held": "0"},
        {"asset": "USD", "free": "1000000000000", "held": "0"},
    ]});
    assert_eq!(shell.ask(&op("balances")), expected);
    // An empty line asks nothing.
    assert_eq!(shell.say("\n{\"op\":\"balances\"}"), expected);
    assert!(shell.close().success());
}
