//! Traders over HTTP: what is signed wrongly is refused with the known words, and a trader and a native
//! market maker trade with each other under signatures that anyone can verify again.

#![allow(clippy::unwrap_used)] // All of this is tests: what fails here fails them.

#[path = "../common/mod.rs"]
mod common;
mod counting;
mod faucet;
mod following;
mod past;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{Message, connect};
use common::{Node, run, text};
use serde_json::{Value as Json, json};
use sha3::{Digest as _, Keccak256};
use types::action::{Envelope, Value};
use types::command::{OrderKind, Place, SelfTrade};
use types::decimal::to_hex;
use types::wallet::WalletKey;
use types::wire::ack::Role;
use types::{BaseLots, ClientOrderId, Command, MarketId, Side, Ticks};

const API: [&str; 2] = ["--api", "127.0.0.1:0"];

/// Longer than anything here takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request over a connection of its own.
fn request(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Status and body of an answer.
fn response(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn exchange(node: &Node, request: &str) -> (u16, String) {
    let address = node.ready["api"].as_str().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    response(&answer)
}

/// One answer: its status and its body.
fn post(node: &Node, path: &str, body: &str) -> (u16, String) {
    exchange(node, &request(path, body))
}

fn get(node: &Node, path: &str) -> (u16, String) {
    exchange(
        node,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    )
}

fn ask(node: &Node, question: &Json) -> Json {
    let (status, body) = post(node, "/info", &question.to_string());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// A signed request, before it is sent.
struct Signed {
    action: String,
    nonce: u64,
    signature: types::keys::WalletSignature,
    expires_after: Option<u64>,
}

impl Signed {
    fn new(wallet: &WalletKey, action: &str, nonce: u64, expires_after: Option<u64>) -> Self {
        let value = Value::from_json(action.as_bytes()).unwrap();
        let envelope = Envelope {
            nonce,
            vault: None,
            expires_after,
        };
        Self {
            action: action.to_owned(),
            nonce,
            signature: wallet.sign(envelope.digest(&value).unwrap()),
            expires_after,
        }
    }

    fn send(&self, node: &Node) -> Json {
        let (status, body) = post(node, "/exchange", &self.body());
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn body(&self) -> String {
        let (r, s) = self.signature.compact.split_at(32);
        let expires = self
            .expires_after
            .map_or("null".to_owned(), |it| it.to_string());
        format!(
            r#"{{"action":{},"nonce":{},"signature":{{"r":"0x{}","s":"0x{}","v":{}}},"vaultAddress":null,"expiresAfter":{expires}}}"#,
            self.action,
            self.nonce,
            to_hex(r),
            to_hex(s),
            self.signature.v
        )
    }
}

fn order(is_bid: bool, price: &str, size: &str, tif: &str) -> String {
    format!(
        r#"{{"type":"order","orders":[{{"a":10000,"b":{is_bid},"p":"{price}","s":"{size}","r":false,"t":{{"limit":{{"tif":"{tif}"}}}}}}],"grouping":"na"}}"#
    )
}

/// A trading action as it is signed for the main network of the dialect.
fn sign_for_mainnet(wallet: &WalletKey, action: &str, nonce: u64) -> Signed {
    let keccak = |bytes: &[u8]| -> [u8; 32] { Keccak256::digest(bytes).into() };
    let value = Value::from_json(action.as_bytes()).unwrap();
    let mut hashed = value.to_msgpack();
    hashed.extend_from_slice(&nonce.to_be_bytes());
    hashed.push(0);
    let mut chain = [0; 32];
    chain[30..].copy_from_slice(&1_337u16.to_be_bytes());
    let domain =
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    let domain = [
        keccak(domain.as_bytes()),
        keccak(b"Exchange"),
        keccak(b"1"),
        chain,
        [0; 32],
    ];
    let message = [
        keccak(b"Agent(string source,bytes32 connectionId)"),
        keccak(b"a"),
        keccak(&hashed),
    ];
    let mut digest = vec![0x19, 0x01];
    digest.extend_from_slice(&keccak(domain.as_flattened()));
    digest.extend_from_slice(&keccak(message.as_flattened()));
    Signed {
        action: action.to_owned(),
        nonce,
        signature: wallet.sign(keccak(&digest)),
        expires_after: None,
    }
}

#[test]
fn what_is_signed_wrongly_is_refused_with_known_words() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), &API);
    let wallet = WalletKey::development("dev-0");
    let own = format!("0x{}", to_hex(&wallet.address()));
    let resting = order(true, "100", "0.1", "Gtc");
    let now = now_millis();

    let mut wrong_byte = Signed::new(&wallet, &resting, now, None);
    wrong_byte.action = order(true, "101", "0.1", "Gtc");
    let mut wrong_order = Signed::new(&wallet, &resting, now + 1, None);
    wrong_order.action = resting.replace(r#""a":10000,"b":true"#, r#""b":true,"a":10000"#);
    assert_ne!(wrong_order.action, resting);
    let mut other_nonce = Signed::new(&wallet, &resting, now + 2, None);
    other_nonce.nonce += 1;
    let mainnet = sign_for_mainnet(&wallet, &resting, now + 4);
    let pay = |chain: &str, nonce: u64| {
        format!(
            r#"{{"type":"usdSend","hyperliquidChain":"Testnet","signatureChainId":"{chain}","destination":"{own}","amount":"1","time":{nonce}}}"#
        )
    };
    let mut other_chain = Signed::new(&wallet, &pay("0x66eee", now + 5), now + 5, None);
    other_chain.action = pay("0x1", now + 5);
    for (what, signed) in [
        ("a wrong byte", wrong_byte),
        ("another order of keys", wrong_order),
        ("another nonce", other_nonce),
        ("signed for the main network", mainnet),
        ("signed on another chain", other_chain),
    ] {
        let answer = signed.send(&node);
        let words = answer["response"].as_str().unwrap();
        assert_eq!(answer["status"], "err", "{what}");
        assert!(
            words.starts_with("User or API Wallet 0x"),
            "{what}: {words}"
        );
        assert!(words.ends_with(" does not exist."), "{what}: {words}");
        assert!(!words.contains(&own), "{what}: {words}");
    }

    // Of these the signer is known.
    let accepted = Signed::new(&wallet, &resting, now + 6, None);
    assert_eq!(accepted.send(&node)["status"], "ok");
    let expired = Signed::new(&wallet, &resting, now + 7, Some(now - 60_000));
    let day = 24 * 60 * 60 * 1_000;
    for (signed, words) in [
        (&accepted, "Invalid nonce: duplicate nonce"),
        (
            &Signed::new(&wallet, &resting, now - 3 * day, None),
            "is too low",
        ),
        (
            &Signed::new(&wallet, &resting, now + 2 * day, None),
            "is too far ahead",
        ),
        (&expired, "Action expired"),
    ] {
        let answer = signed.send(&node);
        let found = answer["response"].as_str().unwrap();
        assert!(found.contains(words), "{words}: {found}");
    }
    // What was refused has left nothing behind.
    let open = ask(&node, &json!({ "type": "openOrders", "user": own }));
    assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    assert!(node.stop().success());
    let verified = text(&run("verify", directory.path(), &["--signatures"]));
    assert!(verified.contains("authentic"), "{verified}");
}

#[test]
fn what_is_no_request_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), &API);
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(300 << 10));
    for (path, body, status) in [
        ("/info", "", 400),
        ("/info", "{", 400),
        ("/info", "{}", 422),
        ("/info", r#"{"type":"wonder"}"#, 422),
        ("/info", r#"{"type":"l2Book","coin":"X"}"#, 422),
        ("/info", r#"{"type":"openOrders","user":"0x12"}"#, 422),
        ("/info", &long, 413),
        ("/exchange", "[]", 422),
        ("/exchange", r#"{"action":{"type":"noop"},"nonce":1}"#, 422),
        ("/nowhere", "{}", 404),
    ] {
        let (found, answer) = post(&node, path, body);
        assert_eq!(found, status, "{path} {:.80}: {answer}", body);
        // The Python SDK looks into a body of 4xx that is JSON.
        assert!(serde_json::from_str::<Json>(&answer).is_err(), "{answer}");
    }
    assert!(node.stop().success());
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
fn a_trader_and_a_native_market_maker_trade() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), &API);
    let trader = WalletKey::development("dev-0");
    let user = format!("0x{}", to_hex(&trader.address()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut sender, mut receiver) = runtime.block_on(connect(&node.options("dev-1"))).unwrap();
    let ask_order = Command::Place(Place {
        market: MarketId::new(0),
        side: Side::Ask,
        kind: OrderKind::POST_ONLY,
        price: Ticks::new(10_100),
        quantity: BaseLots::new(500_000),
        client_order_id: ClientOrderId::new(7),
        self_trade: SelfTrade::Allow,
        trigger: None,
    });
    runtime.block_on(async {
        sender.queue_frame(&[ask_order]);
        sender.flush().await.unwrap();
        loop {
            if let Message::Ack(ack) = receiver.next().await.unwrap() {
                assert_eq!(ack.view().outcomes[0].reject_reason(), None);
                break;
            }
        }
    });

    let taken = Signed::new(
        &trader,
        &order(true, "102", "0.2", "Ioc"),
        now_millis(),
        None,
    );
    let answer = taken.send(&node);
    let filled = &answer["response"]["data"]["statuses"][0]["filled"];
    assert_eq!(
        (&filled["totalSz"], &filled["avgPx"]),
        (&json!("0.2"), &json!("101"))
    );
    let fills = ask(&node, &json!({ "type": "userFills", "user": user }));
    let fill = &fills[0];
    assert_eq!((&fill["px"], &fill["sz"]), (&json!("101"), &json!("0.2")));
    assert_eq!(
        (&fill["side"], &fill["crossed"]),
        (&json!("B"), &json!(true))
    );

    // The maker is told the same.
    let report = runtime.block_on(async {
        loop {
            if let Message::Fills(fills) = receiver.next().await.unwrap() {
                return fills.reports()[0];
            }
        }
    });
    assert_eq!(report.price(), Ticks::new(10_100));
    assert_eq!(report.quantity(), BaseLots::new(200_000));
    assert_eq!(report.role(), Role::Maker);
    let balances = ask(
        &node,
        &json!({ "type": "spotClearinghouseState", "user": user }),
    );
    let held = |coin: &str| {
        let balances = balances["balances"].as_array().unwrap();
        balances
            .iter()
            .find(|it| it["coin"] == coin)
            .unwrap()
            .clone()
    };
    assert_eq!(held("USD")["total"], "999999999979.8");
    assert_eq!(held("USD")["hold"], "0");
    drop((sender, receiver));
    assert!(node.stop().success());

    let verified = text(&run("verify", directory.path(), &["--signatures"]));
    assert!(
        verified.contains("authentic: 2 frames under 2 signatures"),
        "{verified}"
    );
    text(&run("replay", directory.path(), &[]));
}

#[test]
fn a_restart_knows_what_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), &API);
    let trader = WalletKey::development("dev-0");
    let user = format!("0x{}", to_hex(&trader.address()));
    let placed = Signed::new(
        &trader,
        &order(true, "99.5", "0.2", "Gtc"),
        now_millis(),
        None,
    );
    let answer = placed.send(&node);
    let id = answer["response"]["data"]["statuses"][0]["resting"]["oid"].clone();
    node.kill();
    let node = Node::serve_with(directory.path(), &API);
    let open = ask(&node, &json!({ "type": "openOrders", "user": user }));
    assert_eq!(open[0]["oid"], id, "{open}");
    assert_eq!(
        (&open[0]["limitPx"], &open[0]["sz"]),
        (&json!("99.5"), &json!("0.2"))
    );
    let book = ask(&node, &json!({ "type": "l2Book", "coin": "BTC/USD" }));
    assert_eq!(
        book["levels"][0][0],
        json!({ "px": "99.5", "sz": "0.2", "n": 1 })
    );
    // It was signed before, so it is no new action after the restart either.
    let again = placed.send(&node);
    assert!(
        again["response"]
            .as_str()
            .unwrap()
            .contains("Invalid nonce"),
        "{again}"
    );
    assert!(node.stop().success());
}
