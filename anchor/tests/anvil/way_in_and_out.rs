//! The whole way, with the operator and without him.

use alloy::primitives::U256;
use alloy::sol_types::SolCall as _;
use anchor::contract::Bridge;
use anchor::publisher::Step;

use crate::block_on;
use crate::world::{ETHER, PERIOD, SCALE, TOKEN, WINDOW, World, errors, owner};

const CHECKPOINTS: u64 = 100;

#[test]
fn money_comes_in_is_traded_and_leaves() {
    block_on(async {
        let mut world = World::new(&[]).await;
        world.deposit(1, 0, 10 * ETHER);
        world.deposit(2, 1, 50_000 * TOKEN);
        // Too young, then old enough.
        let watched = world.watch(3).await;
        assert_eq!((watched.consumed, watched.unconfirmed), (0, 2));
        world.anvil.mine(3).await;
        let watched = world.watch(3).await;
        assert_eq!((watched.consumed, watched.unconfirmed), (2, 0));
        trade(&world);
        let sequence = world.client(
            "dev-1",
            &[r#"{"op":"withdraw","asset":"USD","amount":"1000"}"#],
        )[0]["sequence"]
            .as_u64()
            .unwrap();
        publish_a_hundred(&world, sequence).await;
        // Not final yet.
        let withdraw = withdraw(1);
        let early = world.try_anchor(&withdraw);
        assert_eq!(early.status.code(), Some(1));
        assert!(
            errors(&early).contains("no checkpoint is final"),
            "{}",
            errors(&early)
        );
        world.anvil.pass(WINDOW + 1).await;
        let before = world.tokens(owner(1)).await;
        let paid = world.anchor(&withdraw);
        assert_eq!(paid["paid"][0]["atoms"], (1_000 * TOKEN).to_string());
        assert_eq!(
            world.tokens(owner(1)).await - before,
            U256::from(1_000 * TOKEN)
        );
        let again = world.try_anchor(&withdraw);
        assert_eq!(again.status.code(), Some(1));
        assert!(
            errors(&again).contains("nothing is due"),
            "{}",
            errors(&again)
        );
        everybody_leaves_without_the_operator(&mut world).await;
    });
}

/// Account 1 sells two ether for 3,000 each, half of it rests, and 2 has an order open.
fn trade(world: &World) {
    let accepted = world.client(
        "dev-1",
        &[r#"{"op":"place","market":"ETH-USD","side":"ask","price":"3000","quantity":"4","kind":"limit","tif":"gtc"}"#],
    );
    assert_eq!(accepted[0]["status"], "accepted");
    world.client(
        "dev-2",
        &[
            r#"{"op":"place","market":"ETH-USD","side":"bid","price":"3000","quantity":"2","kind":"limit","tif":"gtc"}"#,
            r#"{"op":"place","market":"ETH-USD","side":"bid","price":"2500","quantity":"1","kind":"limit","tif":"gtc"}"#,
        ],
    );
}

/// Each of another state, all in order, and the chain agrees with each.
async fn publish_a_hundred(world: &World, sequence: u64) {
    let publisher = world.publisher(&[]);
    let mut published = world.publish_all(&publisher, sequence).await;
    let order = r#"{"op":"place","market":"ETH-USD","side":"bid","price":"1","quantity":"1","kind":"limit","tif":"gtc"}"#;
    while published < CHECKPOINTS {
        let replies = world.client(
            "dev-2",
            &[
                order,
                r#"{"op":"cancel_all","market":"ETH-USD","side":"ask"}"#,
            ],
        );
        let sequence = replies
            .iter()
            .filter_map(|it| it["sequence"].as_u64())
            .max();
        published += world.publish_all(&publisher, sequence.unwrap()).await;
    }
    let checkpoints = publisher.bridge.checkpoints().await.unwrap();
    assert!(CHECKPOINTS < checkpoints.len() as u64);
    assert!(checkpoints.is_sorted_by(|a, b| a.sequence < b.sequence));
    let newest = publisher.step().await.unwrap();
    assert!(matches!(newest, Step::UpToDate { .. }), "{newest:?}");
    // The node hears of it by a file.
    let anchored = store::Anchored::read(&world.data()).unwrap();
    let last = checkpoints.last().unwrap();
    assert_eq!(anchored.sequence.get(), last.sequence);
    for it in &checkpoints[1..] {
        let call = Bridge::checkpointHashCall { index: it.index };
        let stored = publisher.bridge.read(&call, None).await.unwrap();
        assert_eq!(stored, anchor::contract::checkpoint_hash(it));
    }
}

async fn everybody_leaves_without_the_operator(world: &mut World) {
    world.kill_node();
    // Nobody will consume these.
    world.deposit(2, 0, 7 * ETHER);
    world.force_withdraw();
    let escape = [
        "escape",
        "--from-l1",
        "--key",
        "key-3",
        "--published",
        "published",
    ];
    let alive = world.try_anchor(&escape);
    assert_eq!(alive.status.code(), Some(1));
    assert!(
        errors(&alive).contains("the bridge is alive"),
        "{}",
        errors(&alive)
    );
    world.anvil.pass(PERIOD + 1).await;
    let before = [
        world.anvil.balance(owner(1)).await,
        world.anvil.balance(owner(2)).await,
    ];
    let frozen = world.anchor(&["freeze", "--key", "key-3"]);
    assert_eq!(frozen["by_this_call"], true);
    let escaped = world.anchor(&escape);
    assert_eq!(
        (&escaped["froze"], &escaped["accounts"]),
        (&false.into(), &2.into())
    );
    assert_eq!(escaped["reclaimed"], 1);
    let ether = |atoms: u128| U256::from(atoms) * U256::from(SCALE);
    assert_eq!(
        world.anvil.balance(owner(1)).await - before[0],
        ether(8 * ETHER)
    );
    assert_eq!(
        world.anvil.balance(owner(2)).await - before[1],
        ether(9 * ETHER)
    );
    let all = U256::from(1_000_000 * TOKEN);
    assert_eq!(
        world.tokens(owner(1)).await,
        all + U256::from(6_000 * TOKEN)
    );
    assert_eq!(
        world.tokens(owner(2)).await,
        all - U256::from(6_000 * TOKEN)
    );
    nothing_is_left(world, &escape).await;
}

/// Nothing stays behind, there is nothing more to take, and nothing comes in.
async fn nothing_is_left(world: &World, escape: &[&str]) {
    assert_eq!(world.anvil.balance(world.bridge).await, U256::ZERO);
    assert_eq!(world.tokens(world.bridge).await, U256::ZERO);
    let again = world.anchor(escape);
    assert_eq!(
        (&again["accounts"], &again["reclaimed"]),
        (&0.into(), &0.into())
    );
    let frozen = world
        .anvil
        .call(world.bridge, Bridge::frozenCall {}.abi_encode())
        .await;
    assert_eq!(U256::from_be_slice(&frozen), U256::ONE);
    let late = world.try_anchor(&["deposit", "--key", "key-1", "--asset", "0", "--atoms", "1"]);
    assert!(errors(&late).contains("IsFrozen"), "{}", errors(&late));
}

fn withdraw(account: u32) -> [&'static str; 7] {
    assert_eq!(account, 1);
    [
        "withdraw",
        "--key",
        "key-3",
        "--published",
        "published",
        "--account",
        "1",
    ]
}
