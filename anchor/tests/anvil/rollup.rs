//! Data on chain: the operator and all that he published are gone, and everybody leaves by what is in
//! blobs.

use std::time::Duration;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall as _;
use anchor::blobs::pack;
use anchor::cli::demo::genesis;
use anchor::contract::Bridge;
use anchor::data::{StateData, Turn};
use anchor::publisher::{Publisher, Rollup, Step};
use anchor::snapshot::{Snapshot, newest_checkpoint};

use crate::block_on;
use crate::world::{ETHER, PERIOD, TOKEN, WINDOW, World, errors, owner, sender};

#[test]
fn everybody_leaves_by_blobs_alone() {
    block_on(async {
        let mut world = World::with_data("rollup", &[]).await;
        world.deposit(1, 0, 10 * ETHER);
        world.deposit(2, 1, 50_000 * TOKEN);
        world.anvil.mine(3).await;
        assert_eq!(world.watch(3).await.consumed, 2);
        let publisher = world.publisher(&[]);
        let mut published = 0;
        // Each changes the accounts that trade, and no other.
        for price in [3_000, 2_000, 1_000] {
            let sequence = place(&world, "dev-1", "ask", price);
            published += world.publish_all(&publisher, sequence).await;
        }
        place(&world, "dev-2", "bid", 1_000);
        let sequence = place(&world, "dev-2", "bid", 500);
        published += world.publish_all(&publisher, sequence).await;
        assert!(4 <= published, "{published}");
        let sequence = too_many_blobs_wait(&world).await;
        published += 1;
        let checked = world.anchor(&["check-data", "--beacon", &world.anvil.url]);
        assert_eq!(checked["sequence"], sequence);
        // The first has all accounts, and later ones those that changed.
        assert_eq!(checked["checkpoints_read"], published);
        let status = world.anchor(&["status"]);
        assert_eq!(status["data"], "rollup");
        assert_eq!(status["blobs_within_an_hour"], 1);

        world.kill_node();
        std::fs::remove_dir_all(world.published()).unwrap();
        world.anvil.pass(WINDOW + 1).await;
        world.force_withdraw();
        world.anvil.pass(PERIOD + 1).await;
        let escape = ["escape", "--from-l1", "--key", "key-3"];
        let nowhere = world.try_anchor(&escape);
        assert_eq!(nowhere.status.code(), Some(1));
        assert!(
            errors(&nowhere).contains("--beacon"),
            "{}",
            errors(&nowhere)
        );
        let by_blobs = [&escape[..], &["--beacon", &world.anvil.url]].concat();
        let escaped = world.anchor(&by_blobs);
        assert_eq!(escaped["accounts"], 2, "{escaped}");
        assert_eq!(world.anvil.balance(world.bridge).await, U256::ZERO);
        assert_eq!(world.tokens(world.bridge).await, U256::ZERO);
        // An ether was sold for 1,000.
        let tokens = world.tokens(owner(1)).await - U256::from(1_000_000 * TOKEN);
        assert_eq!(tokens, U256::from(1_000 * TOKEN));
    });
}

fn place(world: &World, key: &str, side: &str, price: u32) -> u64 {
    let order = format!(
        r#"{{"op":"place","market":"ETH-USD","side":"{side}","price":"{price}","quantity":"1","kind":"limit","tif":"gtc"}}"#
    );
    world.client(key, &[&order])[0]["sequence"]
        .as_u64()
        .unwrap()
}

/// Who posted as many blobs within the hour as he may waits with the next checkpoint.
async fn too_many_blobs_wait(world: &World) -> u64 {
    let publisher = Publisher {
        rollup: Rollup {
            blobs_per_hour: 4,
            ..Rollup::default()
        },
        ..world.publisher(&[])
    };
    let placed = place(world, "dev-2", "bid", 1);
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    let sequence = loop {
        match publisher.step().await.unwrap() {
            Step::Waiting {
                sequence, blobs, ..
            } if placed <= sequence => {
                assert_eq!(blobs, 1);
                break sequence;
            }
            // The node writes its checkpoints beside its work.
            Step::Waiting { .. } | Step::UpToDate { .. } => {}
            step => panic!("{step:?}"),
        }
        assert!(
            tokio::time::Instant::now() < until,
            "no checkpoint of {placed}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    world.anvil.pass(60 * 60 + 1).await;
    let step = publisher.step().await.unwrap();
    assert!(matches!(step, Step::Published { blobs: 1, .. }), "{step:?}");
    sequence
}

/// More than a blob has room for: what does not fit goes ahead, and a publisher that was killed in
/// between is gone on from.
#[test]
fn large_data_takes_several_transactions_and_survives_a_crash() {
    block_on(async {
        let mut text = genesis([0, 1, 2].map(owner));
        for number in 1_000_000_u32..1_007_000 {
            let owner = Address::left_padding_from(&number.to_be_bytes());
            text.push_str(&format!("\n[[account]]\nowner = \"{owner}\"\n"));
        }
        let world = World::with_genesis(&text, "rollup", &[]).await;
        world.deposit(1, 0, 10 * ETHER);
        world.anvil.mine(3).await;
        assert_eq!(world.watch(3).await.consumed, 1);
        let publisher = Publisher {
            rollup: Rollup {
                blobs_per_transaction: 1,
                ..Rollup::default()
            },
            ..world.publisher(&[])
        };
        let checkpoint = loop {
            match newest_checkpoint(&world.data()).unwrap() {
                Some(it) if it.meta().sequence.get() != 0 => break it,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        // A predecessor that got no further than the first blob.
        let turn = Turn {
            checkpoint: 1,
            checkpoints: Rollup::default().refresh,
        };
        let snapshot = Snapshot::open(&checkpoint).unwrap();
        let blobs = pack(&StateData::since(None, &snapshot, turn).encode());
        assert_eq!(blobs.len(), 2);
        let call = Bridge::postCall { onto: B256::ZERO };
        let (endpoints, first) = (&publisher.bridge.endpoints, vec![*blobs[0].blob]);
        sender(0)
            .transact_with_blobs(endpoints, world.bridge, call.abi_encode().into(), first)
            .await
            .unwrap();
        let step = publisher.step().await.unwrap();
        assert!(matches!(step, Step::Published { blobs: 2, .. }), "{step:?}");
        assert_eq!(publisher.bridge.blobs_within(60 * 60).await.unwrap(), 2);
        let checkpoints = publisher.bridge.checkpoints().await.unwrap();
        let data = publisher.bridge.data(&checkpoints).await.unwrap();
        assert_eq!(data[1].as_ref().unwrap().transactions.len(), 2);
        // From files, and from a node of the chain.
        for source in [["--published", "published"], ["--beacon", &world.anvil.url]] {
            let checked = world.anchor(&["check-data", source[0], source[1]]);
            assert_eq!(
                (&checked["accounts"], &checked["blobs_read"]),
                (&7_003.into(), &2.into())
            );
        }
        // A file that is not what it is called is not used.
        let file = world
            .published()
            .join(format!("{}.blob", alloy::hex::encode(blobs[1].hash)));
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[33] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let wrong = world.try_anchor(&["check-data", "--published", "published"]);
        assert!(
            errors(&wrong).contains("its hash is not"),
            "{}",
            errors(&wrong)
        );
    });
}
