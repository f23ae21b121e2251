//! Signed actions against what the Python SDK of the dialect (0.24.0) made of them: bytes, signer,
//! and what they come to here. `actions/python_sdk.jsonl` has the bodies as the SDK sends them, with
//! the MessagePack that it hashed and the address that it signed as.

#![allow(clippy::unwrap_used)] // In a test a panic is a failed test.

use types::action::{
    Action, AuditFailure, Cloid, Envelope, Untranslatable, Value, audit, label_of, size_decimals,
    translate,
};
use types::command::{
    ApproveAgent, Cancel, Command, OrderKind, OrderTarget, Place, Replace, SelfTrade, Send,
    Transfer, Trigger, TriggerCondition, Withdraw,
};
use types::decimal::{bytes_from_hex, from_hex};
use types::genesis::{OwnerAddress, development};
use types::keys::WalletSignature;
use types::wallet::WalletKey;
use types::wire::action::SignedAction;
use types::wire::orders::FrameHeader;
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, KeyEpoch, KeyId, LogTime, MarketId,
    OrderId, Side, Ticks,
};

const VECTORS: &str = include_str!("actions/python_sdk.jsonl");
const SUB: &str = "00112233445566778899aabbccddeeff00112233";

/// What one line of the file says.
struct Vector {
    name: String,
    action: Value,
    envelope: Envelope,
    signature: WalletSignature,
    address: OwnerAddress,
    msgpack: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    VECTORS.lines().map(vector).collect()
}

fn vector(line: &str) -> Vector {
    let line = Value::from_json(line.as_bytes()).unwrap();
    let text = |name: &str| line.field(name).unwrap().as_text().unwrap();
    let body = Value::from_json(text("body").as_bytes()).unwrap();
    let signature = body.field("signature").unwrap();
    let half = |name| {
        let digits = signature.field(name).unwrap().as_text().unwrap();
        format!("{:0>64}", digits.trim_start_matches("0x"))
    };
    let compact = from_hex(&(half("r") + &half("s"))).unwrap();
    let v = signature.field("v").unwrap().as_unsigned().unwrap();
    let address = |text: &str| bytes_from_hex(&text[2..]).unwrap();
    let vault = body.field("vaultAddress").unwrap().as_text();
    Vector {
        name: text("name").to_owned(),
        envelope: Envelope {
            nonce: body.field("nonce").unwrap().as_unsigned().unwrap(),
            vault: vault.map(address),
            expires_after: body.field("expiresAfter").unwrap().as_unsigned(),
        },
        signature: WalletSignature {
            compact: compact.try_into().unwrap(),
            v: v.try_into().unwrap(),
        },
        address: address(text("address")),
        msgpack: from_hex(text("msgpack")).unwrap(),
        action: body.field("action").unwrap().clone(),
    }
}

/// Two accounts: the signer's is 5, the other's is 6.
fn book(signer: OwnerAddress) -> impl Fn(&OwnerAddress) -> Option<AccountId> {
    move |address| {
        let sub = bytes_from_hex(SUB).unwrap();
        let known = [(signer, 5), (sub, 6)];
        let found = known.iter().find(|(known, _)| known == address)?;
        Some(AccountId::new(found.1))
    }
}

#[test]
fn bytes_and_signers_are_the_sdk_s() {
    for vector in vectors() {
        let name = &vector.name;
        assert_eq!(vector.action.to_msgpack(), vector.msgpack, "{name}");
        let read = Value::from_msgpack(&vector.msgpack);
        assert_eq!(read.as_ref(), Ok(&vector.action), "{name}");
        let signer = vector.envelope.signer(&vector.action, vector.signature);
        // What was signed for another network is somebody else's here.
        let is_ours = name != "order_mainnet";
        assert_eq!(signer == Some(vector.address), is_ours, "{name}");
    }
}

#[test]
fn whatever_is_signed_counts() {
    for vector in vectors() {
        let name = &vector.name;
        let good = vector.envelope.signer(&vector.action, vector.signature);
        let Value::Map(fields) = &vector.action else {
            panic!("{name}")
        };
        let mut others = Vec::new();
        // Every number and text changed, every pair of fields swapped.
        for index in 0..fields.len() {
            let mut changed = fields.clone();
            changed[index].1 = match &changed[index].1 {
                Value::Text(text) => Value::Text(format!("{text}0")),
                Value::Unsigned(number) => Value::Unsigned(number + 1),
                _ => Value::Null,
            };
            others.push((changed, vector.envelope));
        }
        let is_blind = vector.action.field("signatureChainId").is_none();
        if is_blind && fields.len() > 1 {
            let mut swapped = fields.clone();
            swapped.swap(0, 1);
            others.push((swapped, vector.envelope));
        }
        let Envelope { nonce, vault, .. } = vector.envelope;
        for (nonce, vault, expires_after) in [
            (nonce + 1, vault, vector.envelope.expires_after),
            (nonce, Some([9; 20]), vector.envelope.expires_after),
            (nonce, vault, Some(7)),
        ] {
            let envelope = Envelope {
                nonce,
                vault,
                expires_after,
            };
            others.push((fields.clone(), envelope));
        }
        for (fields, envelope) in others {
            let signer = envelope.signer(&Value::Map(fields.clone()), vector.signature);
            assert_ne!(signer, good, "{name} {fields:?} {envelope:?}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one row an action")]
fn actions_come_to_commands() {
    let market = |id| MarketId::new(id);
    let label = label_of(&Cloid::parse("0x00000000000000000000000000000007").unwrap());
    let first = Command::Place(Place {
        market: market(0),
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(10_050),
        quantity: BaseLots::new(250_000),
        client_order_id: label,
        self_trade: SelfTrade::CancelMaker,
        trigger: None,
    });
    let stop = Command::Place(Place {
        market: market(1),
        side: Side::Ask,
        kind: OrderKind::IOC,
        price: Ticks::new(9_900),
        quantity: BaseLots::new(150_000),
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::CancelMaker,
        trigger: Some(Trigger {
            condition: TriggerCondition::Stop,
            price: Ticks::new(10_100),
        }),
    });
    let replace = |target| {
        Command::Replace(Replace {
            target,
            price: Ticks::new(10_050),
            quantity: BaseLots::new(250_000),
            may_take: true,
            self_trade: SelfTrade::CancelMaker,
        })
    };
    let labelled = OrderTarget::Client {
        market: market(0),
        client_order_id: label,
    };
    let sub: OwnerAddress = bytes_from_hex(SUB).unwrap();
    let send = |asset, amount| {
        Command::Send(Send {
            to: sub,
            asset: AssetId::new(asset),
            amount: Atoms::new(amount),
        })
    };
    let agent = |name: &[u8]| {
        let mut padded = [0; 16];
        padded[..name.len()].copy_from_slice(name);
        Command::ApproveAgent(ApproveAgent {
            agent: sub,
            name: padded,
            expires_at: LogTime::ZERO,
        })
    };
    let expected = [
        ("order", Ok(vec![first, stop])),
        ("order_expires", Ok(vec![first])),
        ("order_vault", Ok(vec![first])),
        // An id of another market than the one that is named.
        ("cancel", Err(Untranslatable::OtherMarket(10_000))),
        (
            "cancel_cloid",
            Ok(vec![Command::Cancel(Cancel::Client {
                market: market(0),
                client_order_id: label,
                remember_until: LogTime::ZERO,
            })]),
        ),
        (
            "modify",
            Ok(vec![
                // 77 is of market 1.
                replace(OrderTarget::Order(OrderId::new(13))),
                replace(labelled),
            ]),
        ),
        (
            "schedule",
            Ok(vec![Command::SetTimerAt(LogTime::new(
                1_700_000_010_000_000_000,
            ))]),
        ),
        (
            "subtransfer",
            Ok(vec![Command::Transfer(Transfer {
                to: AccountId::new(6),
                asset: AssetId::new(2),
                amount: Atoms::new(500_000_000),
            })]),
        ),
        ("usd_send", Ok(vec![send(2, 1_250_000_000)])),
        ("spot_send", Ok(vec![send(0, 50_000_000)])),
        ("send_asset", Ok(vec![send(0, 50_000_000)])),
        ("withdraw", Err(Untranslatable::Destination)),
        ("agent", Ok(vec![agent(b"desk")])),
        ("agent_unnamed", Ok(vec![agent(b"")])),
    ];
    let genesis = development();
    let vectors = vectors();
    for (name, expected) in expected {
        let vector = vectors.iter().find(|vector| vector.name == name).unwrap();
        let text = vector.action.to_json().replace(":77,", ":13,");
        let action = Action::read(&Value::from_json(text.as_bytes()).unwrap()).unwrap();
        let book = book(vector.address);
        let found = translate(&action, &vector.envelope, &vector.address, &genesis, &book);
        let commands = found.map(|found| found.commands);
        assert_eq!(commands, expected, "{name}");
    }
}

/// How long each limit order lives; the last is no word of the dialect.
#[test]
fn times_in_force_are_kinds_of_orders() {
    let genesis = development();
    for (tif, kind) in [
        ("Gtc", Some(OrderKind::GTC)),
        ("Ioc", Some(OrderKind::IOC)),
        ("FrontendMarket", Some(OrderKind::IOC)),
        ("Alo", Some(OrderKind::POST_ONLY)),
        ("Fok", Some(OrderKind::FOK)),
        ("FOK", None),
        ("", None),
    ] {
        let json = format!(
            r#"{{"type":"order","orders":[{{"a":10000,"b":true,"p":"1","s":"1","r":false,"t":{{"limit":{{"tif":"{tif}"}}}}}}],"grouping":"na"}}"#
        );
        let action = Action::read(&Value::from_json(json.as_bytes()).unwrap());
        let envelope = Envelope {
            nonce: 1,
            vault: None,
            expires_after: None,
        };
        let found = action.ok().map(|action| {
            let translated = translate(&action, &envelope, &[1; 20], &genesis, book([1; 20]));
            match translated.unwrap().commands[..] {
                [Command::Place(place)] => place.kind,
                ref other => panic!("{other:?}"),
            }
        });
        assert_eq!(found, kind, "{tif:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_known_words() {
    let order = |price: &str, size: &str, more: &str| {
        format!(
            r#"{{"type":"order","orders":[{{"a":10000,"b":true,"p":"{price}","s":"{size}","r":false,"t":{{"limit":{{"tif":"Gtc"}}}}{more}}}],"grouping":"na"}}"#
        )
    };
    let genesis = development();
    for (json, expected) in [
        (order("100.5", "1", ""), None),
        (order("100.505", "1", ""), Some("Price must be divisible by tick size. asset=10000")),
        (order("-1", "1", ""), Some("Price must be divisible by tick size. asset=10000")),
        (order("100", "0.0000001", ""), Some("Order has invalid size. asset=10000")),
        (
            order("100", "1", "").replace("10000", "10009"),
            Some("Unknown asset 10009."),
        ),
        (order("100", "1", "").replace("10000", "0"), Some("Unknown asset 0.")),
        (
            order("100", "1", "").replace("\"r\":false", "\"r\":true"),
            Some("Reduce only order would increase position. asset=10000"),
        ),
        (
            order("1", "1", "").replace(
                "\"na\"",
                "\"na\",\"builder\":{\"b\":\"0x0000000000000000000000000000000000000000\",\"f\":10}",
            ),
            Some("Builder fee has not been approved."),
        ),
        (
            r#"{"type":"setReferrer","code":"X"}"#.to_owned(),
            Some("Referral codes are not used here."),
        ),
        (
            format!(r#"{{"type":"approveAgent","agentAddress":"0x{SUB}","agentName":"seventeen letters","nonce":1}}"#),
            Some("An agent's name has at most 16 bytes."),
        ),
    ] {
        let action = Action::read(&Value::from_json(json.as_bytes()).unwrap()).unwrap();
        let envelope = Envelope {
            nonce: 1,
            vault: None,
            expires_after: None,
        };
        let book = book([1; 20]);
        let found = translate(&action, &envelope, &[1; 20], &genesis, &book);
        let found = found.err().map(|reason| reason.to_string());
        assert_eq!(found.as_deref(), expected, "{json}");
    }
    for json in [
        order("1", "1", ",\"x\":1"),
        order("1", "1", ",\"c\":\"0x12\""),
        order("1", "1", "").replace("Gtc", "Gtd"),
        order("1", "1", "").replace("\"na\"", "\"normalTpsl\""),
        r#"{"type":"order","orders":[],"grouping":"na"}"#.to_owned(),
        r#"{"type":"wonder"}"#.to_owned(),
        r#"{"type":1}"#.to_owned(),
        "[]".to_owned(),
    ] {
        let value = Value::from_json(json.as_bytes()).unwrap();
        assert!(Action::read(&value).is_err(), "{json}");
    }
}

#[test]
fn an_auditor_finds_every_change() {
    let genesis = development();
    for vector in vectors() {
        let action = Action::read(&vector.action).unwrap();
        let book = book(vector.address);
        let Ok(commands) = translate(&action, &vector.envelope, &vector.address, &genesis, &book)
        else {
            continue;
        };
        let (nonce, expires_at) = vector.envelope.frame_terms().unwrap();
        let account = commands.account.as_ref();
        let account = account.or(Some(&vector.address));
        let header = FrameHeader {
            account: book(account.unwrap()).unwrap(),
            key: KeyId::WALLET,
            epoch: KeyEpoch::new(0),
            nonce,
            expires_at,
        };
        let signed = SignedAction {
            action: vector.action.to_msgpack().into(),
            nonce: vector.envelope.nonce,
            vault: vector.envelope.vault,
            expires_after: vector.envelope.expires_after,
            signature: vector.signature,
            signer: vector.address,
        };
        let audit = |header: &FrameHeader, signed: &SignedAction| {
            audit(&commands.frame(header), signed, &genesis, &book)
        };
        let name = &vector.name;
        if name == "order_mainnet" {
            assert_eq!(audit(&header, &signed), Err(AuditFailure::Signer));
            continue;
        }
        assert_eq!(audit(&header, &signed), Ok(vector.address), "{name}");
        let other = FrameHeader {
            account: AccountId::new(7),
            ..header
        };
        assert_eq!(audit(&other, &signed), Err(AuditFailure::Account), "{name}");
        let other = FrameHeader {
            nonce: header.nonce.next(),
            ..header
        };
        assert_eq!(audit(&other, &signed), Err(AuditFailure::Header), "{name}");
        let other = SignedAction {
            signer: [7; 20],
            ..signed.clone()
        };
        assert_eq!(audit(&header, &other), Err(AuditFailure::Signer), "{name}");
        let mut bytes = vector.msgpack.clone();
        bytes.push(0xc0);
        let other = SignedAction {
            action: bytes.into(),
            ..signed
        };
        assert_eq!(
            audit(&header, &other),
            Err(AuditFailure::Unreadable),
            "{name}"
        );
    }
}

#[test]
fn any_bytes_give_a_value_or_a_reason() {
    // Every prefix of a good action, and every byte of it changed to every value.
    let bytes = vectors().remove(0).msgpack;
    for length in 0..bytes.len() {
        assert!(Value::from_msgpack(&bytes[..length]).is_err());
    }
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        for byte in 0..=u8::MAX {
            changed[index] = byte;
            if let Ok(value) = Value::from_msgpack(&changed) {
                assert_eq!(value.to_msgpack(), changed);
                let _ = Action::read(&value).is_ok();
            }
        }
    }
}

#[test]
fn sizes_have_as_many_decimals_as_are_whole_lots() {
    let genesis = development();
    let decimals: Vec<u8> = genesis.markets().iter().map(size_decimals).collect();
    assert_eq!(decimals, [6, 5]);
    let wallet = WalletKey::development("dev-0");
    assert_eq!(genesis.accounts()[0].owner, wallet.address());
}

#[test]
fn withdrawals_go_home() {
    let vector = vectors().into_iter().find(|it| it.name == "withdraw");
    let vector = vector.unwrap();
    let sub: OwnerAddress = bytes_from_hex(SUB).unwrap();
    let action = Action::read(&vector.action).unwrap();
    let found = translate(&action, &vector.envelope, &sub, &development(), book(sub));
    let expected = Command::Withdraw(Withdraw {
        asset: AssetId::new(2),
        amount: Atoms::new(100_000_000),
    });
    assert_eq!(found.map(|found| found.commands), Ok(vec![expected]));
}
