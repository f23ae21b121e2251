//! The faucet of a development network pays by signed actions, seldom, and only where there is one.

use serde_json::{Value as Json, json};
use types::decimal::to_hex;
use types::wallet::WalletKey;

use crate::common::{Node, run, text};
use crate::{API, Signed, ask, get, now_millis, post};

const PAID: [(&str, &str); 3] = [("BTC", "1"), ("ETH", "10"), ("USD", "100000")];

fn address(byte: u8) -> String {
    format!("0x{}", to_hex(&[byte; 20]))
}

fn want(node: &Node, address: &str) -> (u16, String) {
    post(node, "/faucet", &json!({ "address": address }).to_string())
}

fn total(node: &Node, user: &str, coin: &str) -> Json {
    let answer = ask(
        node,
        &json!({ "type": "spotClearinghouseState", "user": user }),
    );
    let balances = answer["balances"].as_array().unwrap();
    let found = balances.iter().find(|it| it["coin"] == coin);
    found.map_or(Json::Null, |it| it["total"].clone())
}

#[test]
fn a_development_network_pays_each_address_once() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve_with(directory.path(), &API);
    let status: Json = serde_json::from_str(&get(&node, "/status").1).unwrap();
    assert_eq!(status["faucet"]["cooldownSeconds"], 3_600);
    let expected: Json = PAID
        .iter()
        .map(|(token, amount)| json!({ "token": token, "amount": amount }))
        .collect();
    assert_eq!(status["faucet"]["amounts"], expected);

    let (code, body) = want(&node, &address(0x44));
    let body: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["paid"]), (200, &expected));
    for (coin, amount) in PAID {
        assert_eq!(total(&node, &address(0x44), coin), amount, "{coin}");
    }
    let agent = WalletKey::development("dev-0");
    let approval = format!(
        r#"{{"type":"approveAgent","hyperliquidChain":"Testnet","signatureChainId":"0x66eee","agentAddress":"{}","agentName":"","nonce":{}}}"#,
        address(0x55),
        now_millis()
    );
    let nonce = serde_json::from_str::<Json>(&approval).unwrap()["nonce"].clone();
    let approved = Signed::new(&agent, &approval, nonce.as_u64().unwrap(), None).send(&node);
    assert_eq!(approved["status"], "ok", "{approved}");
    let faucet = WalletKey::development("dev-63").address();
    for (what, address, expected) in [
        ("again", address(0x44), 429),
        ("an agent", address(0x55), 422),
        ("nobody", address(0), 422),
        ("itself", format!("0x{}", to_hex(&faucet)), 422),
        ("no address", "0x12".to_owned(), 422),
    ] {
        let (code, body) = want(&node, &address);
        assert_eq!(code, expected, "{what}: {body}");
    }
    assert_eq!(post(&node, "/faucet", "{").0, 400);
    assert_eq!(total(&node, &address(0x44), "BTC"), "1", "once");

    // Of one machine as many as it may at once: what was asked for again counts too.
    let paid = (0x60..0x70).filter(|it| want(&node, &address(*it)).0 == 200);
    let paid = paid.count();
    assert!((8..=9).contains(&paid), "{paid}");
    assert_eq!(total(&node, &address(0x60), "USD"), "100000");
    assert_eq!(total(&node, &address(0x6f), "USD"), Json::Null);
    assert!(node.stop().success());

    // Under its wallet's signature, and nothing came from nowhere.
    let verified = text(&run("verify", directory.path(), &["--signatures"]));
    assert!(verified.contains("authentic"), "{verified}");
    text(&run("replay", directory.path(), &[]));
}

#[test]
fn a_network_without_a_faucet_pays_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (with, without) = (
        directory.path().join("with"),
        directory.path().join("without"),
    );
    assert!(Node::serve_with(&with, &API).stop().success());
    let genesis = std::fs::read_to_string(with.join("genesis.toml")).unwrap();
    let (genesis, _) = genesis.split_once("\n[faucet]").unwrap();
    let file = directory.path().join("genesis.toml");
    std::fs::write(&file, genesis).unwrap();
    let arguments = [&API[..], &["--genesis", file.to_str().unwrap()]].concat();
    let node = Node::serve_with(&without, &arguments);
    let (code, body) = want(&node, &address(0x44));
    assert_eq!((code, body.as_str()), (403, "This network has no faucet."));
    let status: Json = serde_json::from_str(&get(&node, "/status").1).unwrap();
    assert_eq!(status["faucet"], Json::Null);
    assert!(node.stop().success());
}
