//! Reorganisations, stuck transactions, and programs that are killed at any point.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

use alloy::primitives::{U64, U256};
use alloy::sol_types::SolCall as _;
use anchor::contract::Bridge;
use anchor::publisher::{PublishError, Step};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::block_on;
use crate::world::{ETHER, SCALE, World, owner};

const CONFIRMATIONS: u64 = 6;

#[test]
fn a_deposit_that_is_reorganised_away_is_never_credited() {
    block_on(async {
        let world = World::new(&[]).await;
        let mut watcher = world.watcher(&[], CONFIRMATIONS).await;
        for depth in 1..=6 {
            world.deposit(1, 0, ETHER);
            // It gets as deep as it may without counting, and is gone.
            world.anvil.mine(depth - 1).await;
            let watched = watcher.step().await.unwrap();
            assert_eq!(
                (watched.consumed, watched.unconfirmed),
                (0, 1),
                "depth {depth}"
            );
            world.anvil.reorganise(depth).await;
            world.anvil.mine(CONFIRMATIONS + 1).await;
            let watched = watcher.step().await.unwrap();
            assert_eq!(
                (watched.count, watched.unconfirmed),
                (0, 0),
                "depth {depth}"
            );
        }
        // Another one in its place is credited, once.
        world.deposit(2, 0, 3 * ETHER);
        world.anvil.mine(CONFIRMATIONS).await;
        assert_eq!(watcher.step().await.unwrap().consumed, 1);
        world.anvil.reorganise(CONFIRMATIONS).await;
        assert_eq!(watcher.step().await.unwrap().consumed, 0);
        watcher.session.close().await;
        let balances = world.client("dev-2", &[r#"{"op":"balances"}"#]);
        assert!(balances[0].to_string().contains("\"3\""), "{balances:?}");
    });
}

#[test]
fn a_publication_that_is_reorganised_away_is_published_again() {
    block_on(async {
        let world = World::new(&[]).await;
        let publisher = world.publisher(&[]);
        for depth in 1..=6 {
            let sequence = one_more_command(&world);
            world.publish_all(&publisher, sequence).await;
            let before = publisher.bridge.head().await.unwrap();
            world.anvil.mine(depth - 1).await;
            world.anvil.reorganise(depth).await;
            let after = publisher.bridge.head().await.unwrap();
            assert!(after.index < before.index, "depth {depth}: it is gone");
            world.publish_all(&publisher, sequence).await;
            let again = publisher.bridge.head().await.unwrap();
            assert_eq!(again.sequence, before.sequence, "depth {depth}");
        }
        assert_one_checkpoint_per_sequence(&world).await;
    });
}

/// A reorganisation that is deeper than the confirmations takes back what was credited. Nothing can
/// undo that on the ledger, so both programs stop and say why.
#[test]
fn a_reorganisation_below_the_confirmations_stops_both_programs() {
    block_on(async {
        let world = World::new(&[]).await;
        world.deposit(1, 0, ETHER);
        world.anvil.mine(2).await;
        let mut watcher = world.watcher(&[], 1).await;
        assert_eq!(watcher.step().await.unwrap().consumed, 1);
        world.anvil.reorganise(4).await;
        world.deposit(2, 0, 5 * ETHER);
        world.anvil.mine(2).await;
        let error = watcher.step().await.unwrap_err().to_string();
        assert!(error.contains("nothing more is credited"), "{error}");
        let publisher = world.publisher(&[]);
        let until = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            match publisher.step().await {
                Err(PublishError::Diverged { count: 1, .. }) => break,
                // Checkpoints from before the deposit are as good as ever.
                Ok(_) if tokio::time::Instant::now() < until => {}
                other => panic!("{other:?}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_stuck_transaction_is_replaced_with_the_same_nonce_at_a_higher_fee() {
    block_on(async {
        let world = World::new(&[]).await;
        let sequence = one_more_command(&world);
        let publisher = world.publisher(&[]);
        let _: Value = world.anvil.ask("evm_setAutomine", json!([false])).await;
        let nonce = nonce(&world).await;
        let publish = world.publish_all(&publisher, sequence);
        // Two offers later, somebody makes a block.
        let mine = async {
            let mut fees = BTreeSet::new();
            while fees.len() < 3 {
                let pool: Value = world.anvil.ask("txpool_content", json!([])).await;
                let of_sender = pool["pending"].as_object().unwrap().values().next();
                if let Some(pending) = of_sender.and_then(Value::as_object) {
                    assert_eq!(pending.len(), 1, "one nonce");
                    let fee = &pending.values().next().unwrap()["maxFeePerGas"];
                    fees.insert(serde_json::from_value::<U256>(fee.clone()).unwrap());
                }
                sleep(Duration::from_millis(50)).await;
            }
            world.anvil.mine(1).await;
            let _: Value = world.anvil.ask("evm_setAutomine", json!([true])).await;
        };
        tokio::join!(publish, mine);
        assert_eq!(self::nonce(&world).await, nonce + 1);
        assert_one_checkpoint_per_sequence(&world).await;
    });
}

/// Publisher and watcher are killed over and over, while deposits come and the ledger goes on. In the
/// end every sequence on the chain is there once, and every deposit was credited once.
#[test]
fn killed_programs_go_on_without_loss_or_double() {
    // The long form is 200: KEEL_ANCHOR_KILLS.
    let kills = std::env::var("KEEL_ANCHOR_KILLS").ok();
    let kills: u64 = kills.map_or(12, |text| text.parse().unwrap());
    let seed = std::env::var("KEEL_SEED")
        .ok()
        .map_or(7, |text| text.parse().unwrap());
    println!("KEEL_SEED={seed}");
    block_on(async {
        // A block every second: transactions are pending for a while.
        let world = World::new(&[]).await;
        let _: Value = world.anvil.ask("evm_setAutomine", json!([false])).await;
        let _: Value = world.anvil.ask("evm_setIntervalMining", json!([1])).await;
        let mut random = seed;
        let mut deposited = 0;
        for round in 0..kills {
            let mut programs = [publishing(&world), watching(&world)];
            if round % 4 == 0 {
                deposited += 1;
                world.deposit(1, 0, ETHER);
            }
            one_more_command(&world);
            random = next(random);
            sleep(Duration::from_millis(random % 1_500)).await;
            for program in &mut programs {
                program.kill().unwrap();
                program.wait().unwrap();
            }
        }
        // What is left to do is done by one more of each.
        let _: Value = world.anvil.ask("evm_setIntervalMining", json!([0])).await;
        let _: Value = world.anvil.ask("evm_setAutomine", json!([true])).await;
        world.anvil.mine(CONFIRMATIONS + 1).await;
        assert_eq!(world.watch(CONFIRMATIONS).await.count, deposited);
        let publisher = world.publisher(&[]);
        let sequence = one_more_command(&world);
        world.publish_all(&publisher, sequence).await;
        assert_one_checkpoint_per_sequence(&world).await;
        let head = publisher.bridge.head().await.unwrap();
        println!(
            "{kills} kills, {} checkpoints, {deposited} deposits",
            head.index
        );
        assert_eq!(head.consumed, deposited);
        let proof = proof_of(&world, 1).await;
        assert_eq!(proof, u128::from(deposited) * ETHER);
        let held = world.anvil.balance(world.bridge).await;
        assert_eq!(held, U256::from(proof) * U256::from(SCALE));
    });
}

/// What the last published file says an account has of ether.
async fn proof_of(world: &World, account: u32) -> u128 {
    let reader = world.reader(&[]);
    let last = reader.checkpoints().await.unwrap().pop().unwrap();
    let file = anchor::published::read(&world.published(), last.dataCommitment).unwrap();
    let snapshot = anchor::snapshot::Snapshot::open(&file).unwrap();
    assert_eq!(snapshot.state_root, last.stateRoot);
    let proof = snapshot.prove(account).unwrap();
    let (_, funds) = proof.places().find(|(asset, _)| *asset == 0).unwrap();
    funds.total(true)
}

fn publishing(world: &World) -> Child {
    let published = world.published();
    let mut command = world.anchor_command(&["publish", "--key", "key-0", "--interval", "0"]);
    command.args(["--patience", "2", "--dir"]).arg(world.data());
    command.arg("--published").arg(published);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn watching(world: &World) -> Child {
    let address = world.node.as_ref().unwrap().address.to_string();
    let mut command = world.anchor_command(&["watch", "--session-key", "dev-operator"]);
    command.args(["--interval", "0", "--connect", &address]);
    command
        .args(["--confirmations", &CONFIRMATIONS.to_string(), "--dir"])
        .arg(world.data());
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// So that there is something new to publish. Returns its sequence number.
fn one_more_command(world: &World) -> u64 {
    let replies = world.client("dev-2", &[r#"{"op":"cancel_all"}"#]);
    replies[0]["sequence"].as_u64().unwrap()
}

async fn nonce(world: &World) -> u64 {
    let params = json!([owner(0), "latest"]);
    world
        .anvil
        .ask::<U64>("eth_getTransactionCount", params)
        .await
        .to()
}

async fn assert_one_checkpoint_per_sequence(world: &World) {
    let reader = world.reader(&[]);
    let checkpoints = reader.checkpoints().await.unwrap();
    assert!(checkpoints.is_sorted_by(|a, b| a.sequence < b.sequence));
    for it in &checkpoints {
        let call = Bridge::checkpointHashCall { index: it.index };
        let stored = world.anvil.call(world.bridge, call.abi_encode()).await;
        assert_eq!(
            stored.as_ref(),
            anchor::contract::checkpoint_hash(it).as_slice()
        );
    }
    assert!(matches!(
        world.publisher(&[]).step().await,
        Ok(Step::UpToDate { .. } | Step::Published { .. })
    ));
}

/// SplitMix64.
fn next(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
