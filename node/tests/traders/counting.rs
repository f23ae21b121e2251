//! What the metrics say of the trader API is what traders did.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use types::wallet::WalletKey;

use crate::common::Node;
use crate::{API, PATIENCE, Signed, get, now_millis, order, post, response};

/// The numbers of the API, as lines.
fn scrape(node: &Node) -> String {
    let mut stream = TcpStream::connect(node.ready["metrics"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    response(&answer).1
}

/// Scrapes until all of these lines are there: an answer is counted a moment before or after it is read.
fn scrape_until(node: &Node, lines: &[String]) {
    let start = Instant::now();
    loop {
        let text = scrape(node);
        let missing = lines
            .iter()
            .find(|line| !text.lines().any(|it| it == *line));
        let Some(missing) = missing else { return };
        let api: Vec<&str> = text.lines().filter(|it| it.contains("api_")).collect();
        assert!(start.elapsed() < PATIENCE, "no {missing}: {api:#?}");
    }
}

/// A text message of a client: masked with zeros, which change nothing.
fn message(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    let head = [0x81, 0x80 | length, 0, 0, 0, 0];
    [&head[..], text.as_bytes()].concat()
}

fn open_socket(node: &Node) -> TcpStream {
    let mut stream = TcpStream::connect(node.ready["api"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    for coin in ["BTC/USD", "ETH/USD"] {
        let text = format!(
            r#"{{"method":"subscribe","subscription":{{"type":"trades","coin":"{coin}"}}}}"#
        );
        stream.write_all(&message(&text)).unwrap();
    }
    let ask = r#"{"method":"post","id":1,"request":{"type":"info","payload":{"type":"meta"}}}"#;
    stream.write_all(&message(ask)).unwrap();
    stream
}

#[test]
fn numbers_are_what_traders_did() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [&API[..], &["--metrics", "127.0.0.1:0"]].concat();
    let node = Node::serve_with(directory.path(), &arguments);
    for _ in 0..3 {
        assert_eq!(post(&node, "/info", r#"{"type":"meta"}"#).0, 200);
    }
    assert_eq!(post(&node, "/info", "{}").0, 422);
    assert_eq!(post(&node, "/info", "{").0, 400);
    assert_eq!(post(&node, "/info", &" ".repeat(300 << 10)).0, 413);
    assert_eq!(get(&node, "/status").0, 200);
    assert_eq!(get(&node, "/nowhere").0, 404);
    let resting = order(true, "100", "0.1", "Gtc");
    for name in ["dev-0", "nobody"] {
        let wallet = WalletKey::development(name);
        Signed::new(&wallet, &resting, now_millis(), None).send(&node);
    }
    let off_the_grid = order(true, "100.001", "0.1", "Gtc");
    let wallet = WalletKey::development("dev-0");
    Signed::new(&wallet, &off_the_grid, now_millis(), None).send(&node);
    let socket = open_socket(&node);
    let requests = |endpoint, class, count| {
        format!("keel_api_requests_total{{endpoint=\"{endpoint}\",class=\"{class}\"}} {count}")
    };
    let refusals =
        |reason, count| format!("keel_api_refusals_total{{reason=\"{reason}\"}} {count}");
    let mut expected = vec![
        requests("info", "2xx", 3),
        requests("info", "4xx", 3),
        requests("info", "5xx", 0),
        requests("exchange", "2xx", 3),
        requests("exchange", "4xx", 0),
        requests("explorer", "2xx", 1),
        requests("page", "4xx", 1),
        requests("ws", "1xx", 1),
        requests("ws_info", "2xx", 1),
        refusals("malformed", 2),
        refusals("long_body", 1),
        refusals("unknown_signer", 1),
        refusals("untranslatable", 1),
        refusals("busy", 0),
        "keel_queue_depth{queue=\"recover\"} 0".to_owned(),
    ];
    let sockets = |count, subscriptions| {
        [
            format!("keel_api_sockets {count}"),
            format!("keel_api_subscriptions {subscriptions}"),
        ]
    };
    expected.extend(sockets(1, 2));
    scrape_until(&node, &expected);
    drop(socket);
    scrape_until(&node, &sockets(0, 0));
    assert!(node.stop().success());
}
