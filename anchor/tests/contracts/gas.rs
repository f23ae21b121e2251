//! What calls cost, whole transactions, held to the bounds that anchor/README.md tells.

use alloy::primitives::{Address, B256, U256};
use anchor::contract::WITHDRAW;
use anchor::proof::Funds;
use types::outcome::Digest;

use crate::bridge::{ALICE, Accounts, BOB, FREEZE_AFTER, WINDOW, World, withdrawn};

/// Accounts all over the tree, so that no sibling is an empty subtree of zero bytes.
fn spread(owner: Address, funds: &[(u16, Funds)]) -> Accounts {
    let others = (0..32).map(|height| 5 ^ (1 << height));
    others.fold(Accounts::default().with(5, owner, funds), |all, account| {
        all.with(account, BOB, &[])
    })
}

#[test]
fn calls_cost_what_the_table_says() {
    let mut world = World::new();
    let mut table = Vec::new();
    // Whoever is paid exists already, and has some of the token.
    for who in [ALICE, BOB] {
        world.chain.fund(who, U256::ONE);
        world.mint(who, U256::ONE);
    }
    world.deposit(0, 1_000, ALICE).unwrap();
    world.deposit(0, 1_000, ALICE).unwrap();
    table.push(("deposit of ether", world.chain.gas, 130_000));
    world.deposit(1, 1_000, ALICE).unwrap();
    world.deposit(1, 1_000, ALICE).unwrap();
    table.push(("deposit of a token", world.chain.gas, 160_000));
    world.force(ALICE, WITHDRAW, 5, 0, 1).unwrap();
    table.push(("forced request", world.chain.gas, 130_000));
    world.publish(Digest::new([0xa5; 32]), 3).unwrap();
    let funds = |withdrawn| Funds {
        free: 1_000_000,
        held: 1_000_000,
        withdrawn,
    };
    let accounts = spread(ALICE, &[(0, funds(100)), (1, funds(100))]);
    world.publish(accounts.root(), 5).unwrap();
    table.push(("publish", world.chain.gas, 60_000));
    world.chain.pass(WINDOW + 1);
    let last = world.last().clone();
    world.claim(&last, &accounts, 5, 0b01).unwrap();
    table.push(("claim of ether, depth 32", world.chain.gas, 100_000));
    world.claim(&last, &accounts, 5, 0b10).unwrap();
    table.push(("claim of a token, depth 32", world.chain.gas, 100_000));
    let accounts = spread(ALICE, &[(0, funds(200)), (1, withdrawn(100))]);
    let last = world.publish(accounts.root(), 5).unwrap();
    world.chain.pass(WINDOW + 1);
    world.claim(&last, &accounts, 5, 0b01).unwrap();
    table.push(("claim of ether, not the first", world.chain.gas, 85_000));
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    table.push(("freeze", world.chain.gas, 80_000));
    let mut rollup = World::rollup();
    for index in 1..=2 {
        let root = Digest::new([index; 32]);
        crate::rollup::publish(&mut rollup, root, &[crate::rollup::blob(index)], B256::ZERO)
            .unwrap();
    }
    table.push(("publish with a blob", rollup.chain.gas, 70_000));
    for (what, gas, limit) in &table {
        println!("| {what} | {gas} |");
        assert!(gas <= limit, "{what}: {gas} gas, more than {limit}");
    }
    // The README tells these very numbers.
    let readme = include_str!("../../README.md");
    for (what, gas, _) in &table {
        let row = format!("| {what} | {} |", grouped(*gas));
        assert!(readme.contains(&row), "anchor/README.md has no row {row}");
    }
}

/// With commas between thousands.
fn grouped(number: u64) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}
