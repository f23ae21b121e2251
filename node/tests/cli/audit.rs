//! `keel audit`: an honest run has nothing to hide, a swapped pair is named, a false receipt found.

use std::path::{Path, PathBuf};

use client::{Message, SignatureMode, connect};
use serde_json::Value;
use types::auth::SigningKey;
use types::command::CancelScope;
use types::wire::receipts::{Receipt, ReceiptKey, Receipts};
use types::{Command, KeyId, Nonce, SequenceNumber, decimal, genesis};

use crate::common::{Node, ended, keel, run, text};

/// Frames of each client.
const FRAMES: usize = 200;

/// Two clients at once, one of each signature mode. Returns their receipts, a message a line.
fn traded(directory: &Path) -> Vec<String> {
    let node = Node::serve(directory);
    let client = |name: &'static str, signatures| {
        let mut options = node.options(name);
        options.signatures = signatures;
        options.receipts = true;
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (mut sender, mut receiver) = connect(&options).await.unwrap();
                let (mut lines, mut told) = (Vec::new(), 0);
                for _ in 0..FRAMES / 4 {
                    for _ in 0..4 {
                        sender.queue_frame(&[Command::CancelAll(CancelScope::EVERYTHING)]);
                    }
                    sender.flush().await.unwrap();
                }
                while told < FRAMES {
                    if let Message::Receipts(receipts) = receiver.next().await.unwrap() {
                        told += receipts.view().receipts().len();
                        lines.push(decimal::to_hex(receipts.bytes()));
                    }
                }
                lines
            })
        })
    };
    let clients = [
        client("dev-0", SignatureMode::Frame),
        client("dev-1", SignatureMode::Rolling),
    ];
    let lines = clients.map(|client| client.join().unwrap()).concat();
    assert!(node.stop().success());
    lines
}

fn audit(directory: &Path, file: &Path) -> (i32, Value) {
    let output = keel()
        .args(["audit", "--json", "--dir"])
        .arg(directory)
        .arg("--receipts")
        .arg(file)
        .output()
        .unwrap();
    let object = serde_json::from_slice(&output.stdout);
    let (code, error) = ended(&output);
    (code, object.unwrap_or_else(|_| panic!("{error}")))
}

/// What the node would have signed, had it said this.
fn signed(run: u64, receipts: &[Receipt]) -> String {
    let genesis = genesis::development();
    let receipt_key = ReceiptKey::new(genesis.network(), genesis.hash());
    let server = SigningKey::development("tls");
    let mut bytes = Vec::new();
    Receipts::encode(
        run,
        KeyId::new(0),
        receipts,
        &receipt_key,
        &server,
        &mut bytes,
    );
    decimal::to_hex(&bytes)
}

#[test]
fn an_audit_finds_what_is_false_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let lines = traded(directory.path());
    let file = |name: &str, lines: &[String]| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    };
    let (code, honest) = audit(directory.path(), &file("honest", &lines));
    assert_eq!(code, 0, "{honest}");
    assert_eq!(honest["receipts"], 2 * FRAMES);
    assert_eq!(honest["distances"], serde_json::json!([[0, 2 * FRAMES]]));

    // The first two frames of dev-0, as if the second had arrived first.
    let bytes = decimal::from_hex(&lines[0]).unwrap();
    let first = Receipts::parse(&bytes).unwrap();
    let [a, b, ..] = first.receipts() else {
        panic!("four frames came in one write");
    };
    let with_arrival = |receipt: &Receipt, arrival| {
        Receipt::new(receipt.nonce(), arrival, receipt.first_sequence())
    };
    let swapped = [with_arrival(a, b.arrival()), with_arrival(b, a.arrival())];
    let planted = file("swapped", &[signed(first.run(), &swapped)]);
    let (code, found) = audit(directory.path(), &planted);
    assert_eq!(
        (code, &found["swapped_pairs"]),
        (1, &Value::from(1)),
        "{found}"
    );
    let named = found["swapped"][0].as_str().unwrap();
    assert!(
        named.contains("nonce 2") && named.contains("nonce 1"),
        "{named}"
    );

    let elsewhere = Receipt::new(a.nonce(), a.arrival(), SequenceNumber::new(9_999));
    let another = Receipt::new(Nonce::new(77), a.arrival(), a.first_sequence());
    let mut flipped = bytes.clone();
    flipped[90] ^= 1;
    let twice = [*a, with_arrival(b, a.arrival())];
    for (what, line) in [
        ("a flipped bit", decimal::to_hex(&flipped)),
        ("a place without a frame", signed(first.run(), &[elsewhere])),
        ("another frame there", signed(first.run(), &[another])),
        ("two with one arrival", signed(first.run(), &twice)),
        ("no receipt", "abc".to_owned()),
    ] {
        let (code, found) = audit(directory.path(), &file("false", &[line]));
        assert_eq!(
            (code, &found["false_receipts"]),
            (1, &Value::from(1)),
            "{what}: {found}"
        );
    }
    text(&run("verify", directory.path(), &["--signatures"]));
}
