//! `keel subscribe`: what it prints of each feed, and how it goes on and ends.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::common::{Node, keel};
use crate::shell::{Shell, accepted, assert_has, place};

/// A subscriber in a process of its own.
struct Subscriber {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscriber {
    fn start(node: &Node, arguments: &[&str]) -> Self {
        let mut process = keel()
            .args(["subscribe", "--connect", &node.address.to_string()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it ended").unwrap()
    }

    fn object(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The next object that is an event: checkpoints come when they like.
    fn event(&mut self) -> Value {
        loop {
            let object = self.object();
            if object["event"] != "checkpoint" {
                return object;
            }
        }
    }

    /// The rest of its lines, and its exit code.
    fn finish(mut self) -> (Vec<String>, Option<i32>) {
        let rest = self.lines.map(Result::unwrap).collect();
        (rest, self.process.wait().unwrap().code())
    }

    fn interrupt(&self) {
        rustix::process::kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
    }
}

/// A market with two bids, and a taker of one of them.
fn trade(node: &Node) {
    let mut maker = Shell::connect(node, "dev-0");
    maker.check(&place("bid", "100", "1"), &accepted());
    maker.check(&place("bid", "99", "2"), &accepted());
    let mut taker = Shell::connect(node, "dev-1");
    taker.check(&place("ask", "100", "0.25"), &accepted());
    assert!(maker.close().success() && taker.close().success());
}

const TRADES: [&str; 5] = ["--market", "BTC-USD", "--feed", "trades", "--json"];

#[test]
fn each_feed_is_told_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    trade(&node);
    for (feed, count, expected) in [
        (
            "trades",
            1,
            json!({"number": 1, "event": "trade", "side": "ask", "price": "100", "quantity": "0.25"}),
        ),
        (
            "l1",
            2,
            json!({"number": 2, "event": "best", "side": "bid", "price": "100", "quantity": "0.75"}),
        ),
        (
            "l2",
            3,
            json!({"number": 3, "event": "level", "price": "100", "quantity": "0.75", "orders": 1}),
        ),
        (
            "l3",
            3,
            json!({"number": 3, "event": "shrunk", "price": "100", "quantity": "0.75"}),
        ),
        (
            "reports",
            1,
            json!({"number": 1, "event": "fill", "role": "maker", "quantity": "0.25", "remaining": "0.75"}),
        ),
    ] {
        let count = count.to_string();
        let market = ["--market", "BTC-USD"];
        let of = if feed == "reports" { &[][..] } else { &market };
        let more = ["--feed", feed, "--from", "0", "--count", &count, "--json"];
        let subscriber = Subscriber::start(&node, &[of, &more].concat());
        let (lines, code) = subscriber.finish();
        assert_eq!(code, Some(0), "{feed}: {lines:?}");
        let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_has(&last, &expected);
        assert_eq!(last["hash"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn a_reader_joins_at_a_snapshot_and_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    trade(&node);
    let orders = ["--market", "BTC-USD", "--feed", "l3"];
    let json = [&orders[..], &["--json"]].concat();
    let mut first = Subscriber::start(&node, &json);
    let snapshot = first.object();
    assert_has(&snapshot, &json!({"event": "snapshot", "number": 3}));
    assert!(snapshot["book_hash"].is_string());
    assert_has(
        &first.object(),
        &json!({"event": "order", "side": "bid", "price": "100", "quantity": "0.75"}),
    );
    assert_has(
        &first.object(),
        &json!({"event": "order", "price": "99", "quantity": "2"}),
    );
    let mut maker = Shell::connect(&node, "dev-0");
    maker.check(&place("bid", "98", "3"), &accepted());
    let event = first.event();
    assert_has(
        &event,
        &json!({"number": 4, "event": "added", "price": "98"}),
    );
    first.interrupt();
    let (_, code) = first.finish();
    assert_eq!(code, Some(0), "SIGINT is how one stops to listen");

    maker.check(&place("bid", "97", "4"), &accepted());
    let from = |hash: &Value| format!("4:{}", hash.as_str().unwrap());
    let position = from(&event["hash"]);
    let more = ["--from", &position, "--count", "1"];
    let (lines, code) = Subscriber::start(&node, &[&orders[..], &more].concat()).finish();
    assert_eq!(code, Some(0));
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert!(line.starts_with("5 added hash="), "{line}");
    assert!(line.contains("price=97 quantity=4 "), "{line}");

    // Nobody ever stood there: a gap is told, and a snapshot follows.
    let forged = from(&json!("ab".repeat(32)));
    let mut lost = Subscriber::start(&node, &[&json[..], &["--from", &forged]].concat());
    let gap = lost.object();
    assert_has(
        &gap,
        &json!({"event": "gap", "reason": "forked", "after": 4}),
    );
    // It may be one that was made for another reader, with the events since.
    assert_has(
        &lost.object(),
        &json!({"event": "snapshot", "number": gap["through"]}),
    );
    let mut number = gap["through"].clone();
    while number != 5 {
        number = lost.object()["number"].clone();
    }
    drop(lost.process.kill());
    drop(lost.finish());
    assert!(maker.close().success());
}

#[test]
fn a_feed_that_ends_says_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    trade(&node);
    let mut subscriber = Subscriber::start(&node, &TRADES);
    let hash = subscriber.object()["hash"].as_str().unwrap().to_owned();
    assert!(node.stop().success());
    let mut error = subscriber.process.stderr.take().unwrap();
    let (_, code) = subscriber.finish();
    assert_eq!(code, Some(1));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut error, &mut text).unwrap();
    assert!(text.contains(&format!("--from 1:{hash}")), "{text}");
}

#[test]
fn what_cannot_be_subscribed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    for (arguments, complaint) in [
        (&["--feed", "l2"][..], "--market"),
        (
            &["--feed", "l2", "--market", "X-Y"],
            "there are BTC-USD, ETH-USD",
        ),
        (&["--feed", "l4", "--market", "BTC-USD"], "l4"),
        (
            &["--feed", "l2", "--market", "BTC-USD", "--from", "3"],
            "a colon and 64 hexadecimal digits",
        ),
    ] {
        let subscriber = Subscriber::start(&node, arguments);
        let output = subscriber.process.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(complaint), "{error}");
    }
}
