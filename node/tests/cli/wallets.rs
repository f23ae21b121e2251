//! A wallet that is elsewhere: what `keel key --typed-data` prints is hashed here by the rules of
//! EIP-712 alone, with nothing of ours but the curve; what is signed so is taken by `--signature`.

use std::path::Path;

use serde_json::{Value, json};
use sha3::{Digest as _, Keccak256};
use types::wallet::WalletKey;

use crate::common::{Node, keel, text};
use crate::shell::{Shell, accepted, op, place, rejected};

fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// `Name(type field,...)`, as the standard writes a type.
fn encoded_type(types: &Value, name: &str) -> String {
    let fields = types[name].as_array().unwrap().iter();
    let fields = fields.map(|field| {
        let of = |part: &str| field[part].as_str().unwrap();
        format!("{} {}", of("type"), of("name"))
    });
    format!("{name}({})", fields.collect::<Vec<_>>().join(","))
}

/// One value as a word.
fn word(kind: &str, value: &Value) -> [u8; 32] {
    if let Some(kind) = kind.strip_suffix("[]") {
        let words = value.as_array().unwrap().iter();
        let words: Vec<_> = words.map(|value| word(kind, value)).collect();
        return keccak(words.as_flattened());
    }
    match kind {
        "string" => keccak(value.as_str().unwrap().as_bytes()),
        "bytes32" => {
            let digits = value.as_str().unwrap().strip_prefix("0x").unwrap();
            types::decimal::bytes_from_hex(digits).unwrap()
        }
        _ => {
            assert!(kind.starts_with("uint"), "{kind}");
            let number = match value {
                Value::String(text) => text.parse::<u128>().unwrap(),
                number => number.as_u64().unwrap().into(),
            };
            let mut word = [0; 32];
            word[16..].copy_from_slice(&number.to_be_bytes());
            word
        }
    }
}

fn hash_struct(types: &Value, name: &str, object: &Value) -> [u8; 32] {
    let mut words = vec![keccak(encoded_type(types, name).as_bytes())];
    let fields = types[name].as_array().unwrap();
    assert_eq!(fields.len(), object.as_object().unwrap().len());
    for field in fields {
        let of = |part: &str| field[part].as_str().unwrap();
        words.push(word(of("type"), &object[of("name")]));
    }
    keccak(words.as_flattened())
}

/// What a wallet answers to `eth_signTypedData_v4`.
fn sign(wallet: &str, data: &Value) -> String {
    let types = &data["types"];
    let domain = hash_struct(types, "EIP712Domain", &data["domain"]);
    let name = data["primaryType"].as_str().unwrap();
    let message = hash_struct(types, name, &data["message"]);
    let digest = keccak(&[&[0x19, 0x01][..], &domain, &message].concat());
    let signature = WalletKey::development(wallet).sign(digest);
    let bytes = [&signature.compact[..], &[signature.v]].concat();
    format!("0x{}", types::decimal::to_hex(&bytes))
}

/// `keel key` for account 3: the object that it prints, or its complaint.
fn key(node: &Node, action: &str, arguments: &[&str]) -> Result<Value, String> {
    let output = keel()
        .args(["key", action, "--connect", &node.address.to_string()])
        .args(["--account", "3"])
        .args(arguments)
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_str(&text(&output)).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// Makes a key and returns its public half.
fn keygen(file: &Path) -> String {
    let made = keel()
        .args(["keygen", "--json", "--out"])
        .arg(file)
        .output();
    let made: Value = serde_json::from_str(&text(&made.unwrap())).unwrap();
    made["public_key"].as_str().unwrap().to_owned()
}

#[test]
fn a_wallet_elsewhere_registers_and_revokes() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(&directory.path().join("data"));
    let file = directory.path().join("session");
    let public = keygen(&file);
    let file = file.to_str().unwrap();
    let grant = [
        &["--key", file, "--markets", "0,1"][..],
        &["--order-notional", "10000000000"],
        &["--daily-loss", "340282366920938463463374607431768211455"],
        &["--expires-at", "18446744073709551615"],
    ]
    .concat();

    let shown = key(&node, "register", &[&grant[..], &["--typed-data"]].concat()).unwrap();
    assert_eq!(shown["message"]["markets"], json!([0, 1]));
    assert_eq!(shown["message"]["orderNotional"], "10000000000");
    let nonce = shown["message"]["nonce"].as_str().unwrap();
    let signature = sign("dev-3", &shown);
    let given = ["--nonce", nonce, "--signature", &signature];
    // Nothing that was signed can be left out or changed.
    let other = [&["--key", file, "--markets", "0"][..], &given].concat();
    let complaint = key(&node, "register", &other).unwrap_err();
    assert!(complaint.contains("WRONG_WALLET"), "{complaint}");
    let registered = key(&node, "register", &[&grant[..], &given].concat()).unwrap();
    assert_eq!(registered["key"], 65);

    let mut session = Shell::connect_with(&node, &["--key", file]);
    session.check(&place("bid", "100", "1"), &accepted());
    let too_large = rejected("KEY_ORDER_NOTIONAL");
    session.check(&place("bid", "100", "1.000001"), &too_large);
    session.check(&op("orders"), &accepted());

    let of_key = ["--public-key", &public];
    let shown = key(&node, "revoke", &[&of_key[..], &["--typed-data"]].concat()).unwrap();
    let nonce = shown["message"]["nonce"].as_str().unwrap();
    let revoked = |signature: &str| {
        let given = ["--nonce", nonce, "--signature", signature];
        key(&node, "revoke", &[&of_key[..], &given].concat())
    };
    let complaint = revoked(&sign("dev-4", &shown)).unwrap_err();
    assert!(complaint.contains("WRONG_WALLET"), "{complaint}");
    assert_eq!(revoked(&sign("dev-3", &shown)).unwrap()["cancelled"], 1);
}

#[test]
fn a_signature_needs_what_was_signed() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::serve(directory.path());
    let revoke = |more: &[&str]| {
        let public = "ab".repeat(32);
        key(
            &node,
            "revoke",
            &[&["--public-key", &public], more].concat(),
        )
        .unwrap_err()
    };
    let signature = "1b".repeat(65);
    for (arguments, complaint) in [
        (&[][..], "--wallet"),
        (&["--signature", &signature], "--nonce"),
        (&["--signature", "1b", "--nonce", "1"], "65 bytes"),
        (&["--typed-data", "--wallet", "dev-3"], "--wallet"),
    ] {
        let found = revoke(arguments);
        assert!(found.contains(complaint), "{found}");
    }
}
