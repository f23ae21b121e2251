//! The way in: what is taken, what is refused, and the chain that both sides must agree on.

use alloy::primitives::{Address, B256, U256};
use anchor::contract::{Bridge, CANCEL_ALL, DEPOSIT, WITHDRAW};
use sha2::{Digest as _, Sha256};

use crate::bridge::{ALICE, BOB, FEE, SCALE, TOKEN_SCALE, World, assets, deploy, fails, terms};
use crate::chain::Chain;

/// 83 bytes and the hash before: the ledger computes the same.
fn chain_hash(
    previous: B256,
    index: u64,
    kind: u8,
    owner: Address,
    (account, asset, amount): (u32, u16, u128),
) -> B256 {
    let mut bytes = previous.to_vec();
    bytes.extend(index.to_be_bytes());
    bytes.push(kind);
    bytes.extend(owner);
    bytes.extend(account.to_be_bytes());
    bytes.extend(asset.to_be_bytes());
    bytes.extend(amount.to_be_bytes());
    assert_eq!(bytes.len(), 83);
    B256::new(Sha256::digest(&bytes).into())
}

#[test]
fn entries_form_the_chain_that_the_ledger_computes() {
    let mut world = World::new();
    world.deposit(0, 5, ALICE).unwrap();
    world.force(BOB, WITHDRAW, 3, 1, u128::MAX).unwrap();
    world.force(ALICE, CANCEL_ALL, 9, 0, 0).unwrap();
    world.deposit(1, 7, BOB).unwrap();
    let entries = [
        (DEPOSIT, ALICE, (u32::MAX, 0, 5)),
        (WITHDRAW, BOB, (3, 1, u128::MAX)),
        (CANCEL_ALL, ALICE, (9, 0, 0)),
        (DEPOSIT, BOB, (u32::MAX, 1, 7)),
    ];
    let mut hash = B256::ZERO;
    assert_eq!(world.inbox_hash(0), hash);
    for (index, (kind, owner, rest)) in (0..).zip(entries) {
        hash = chain_hash(hash, index, kind, owner, rest);
        assert_eq!(world.inbox_hash(index + 1), hash, "entry {index}");
    }
    assert_eq!(world.ask(&Bridge::entryCountCall {}), 4);
    assert_eq!(world.inbox_hash(5), B256::ZERO);
}

#[test]
fn a_deposit_is_whole_of_a_known_asset_and_somebodys() {
    let mut world = World::new();
    let unit = U256::from(SCALE);
    world.chain.fund(ALICE, unit * U256::from(10));
    world.mint(ALICE, U256::from(100 * TOKEN_SCALE));
    let deposit = |asset, amount, owner| Bridge::depositCall {
        asset,
        amount,
        owner,
    };
    for value in [
        U256::ZERO,
        unit - U256::ONE,
        unit + U256::ONE,
        unit * U256::from(2),
    ] {
        fails!(world.send(ALICE, value, &deposit(0, 1, BOB)), BadValue);
    }
    fails!(world.send(ALICE, unit, &deposit(1, 1, BOB)), BadValue);
    fails!(world.act(ALICE, &deposit(2, 1, BOB)), BadAsset);
    fails!(world.act(ALICE, &deposit(u16::MAX, 1, BOB)), BadAsset);
    fails!(world.act(ALICE, &deposit(1, 0, BOB)), BadAmount);
    fails!(world.act(ALICE, &deposit(1, 1 << 95, BOB)), BadAmount);
    fails!(world.act(ALICE, &deposit(1, 1, Address::ZERO)), BadOwner);
    // More than she has, and then all of it.
    assert!(world.act(ALICE, &deposit(1, 101, BOB)).is_err());
    assert_eq!(world.ask(&Bridge::entryCountCall {}), 0);
    world.act(ALICE, &deposit(1, 100, BOB)).unwrap();
    world.send(ALICE, unit, &deposit(0, 1, BOB)).unwrap();
    assert_eq!(world.tokens(ALICE), U256::ZERO);
    assert_eq!(world.tokens(world.bridge), U256::from(1_000));
}

#[test]
fn a_forced_request_costs_its_fee_which_nobody_gets() {
    let mut world = World::new();
    world.chain.fund(ALICE, U256::from(10 * FEE));
    let force = |kind, asset, amount| Bridge::forceCall {
        kind,
        account: 1,
        asset,
        amount,
    };
    let fee = U256::from(FEE);
    for value in [U256::ZERO, fee - U256::ONE, fee + U256::ONE] {
        fails!(world.send(ALICE, value, &force(WITHDRAW, 0, 1)), BadValue);
    }
    for kind in [0, DEPOSIT, 4, 255] {
        fails!(world.send(ALICE, fee, &force(kind, 0, 1)), BadKind);
    }
    fails!(world.send(ALICE, fee, &force(WITHDRAW, 2, 1)), BadAsset);
    fails!(world.send(ALICE, fee, &force(WITHDRAW, 1, 0)), BadAmount);
    fails!(world.send(ALICE, fee, &force(CANCEL_ALL, 1, 0)), BadAsset);
    fails!(world.send(ALICE, fee, &force(CANCEL_ALL, 0, 1)), BadAmount);
    let before = world.chain.balance(world.bridge);
    world.send(ALICE, fee, &force(WITHDRAW, 1, 1)).unwrap();
    assert_eq!(world.chain.balance(world.bridge), before);
    assert_eq!(world.chain.balance(Address::ZERO), fee);
}

#[test]
fn terms_that_cannot_work_are_refused() {
    let mut chain = Chain::new(1);
    let token = Address::repeat_byte(1);
    type Change = fn(&mut anchor::contract::Terms);
    let changes: [Change; 8] = [
        |it| it.genesisRoot = B256::ZERO,
        |it| it.operator = Address::ZERO,
        |it| it.challengeWindow = 0,
        |it| it.requestPeriod = 0,
        |it| it.openAfter = 0,
        |it| it.freezeAfter = it.openAfter,
        |it| it.freezeAfter = 0,
        |it| it.bond = U256::from(1) << 128,
    ];
    for change in changes {
        let mut wrong = terms(Address::ZERO);
        change(&mut wrong);
        fails!(deploy(&mut chain, wrong, assets(token)), BadTerms);
    }
    // Two assets of one token, one without scale, none, and more than the ledger can have.
    let mut unscaled = assets(token);
    unscaled[1].scale = Default::default();
    let many = (0..257_u64).map(|i| {
        let mut asset = assets(token).remove(1);
        asset.token = Address::left_padding_from(&(i + 1).to_be_bytes());
        asset
    });
    for list in [assets(Address::ZERO), unscaled, Vec::new(), many.collect()] {
        fails!(deploy(&mut chain, terms(Address::ZERO), list), BadTerms);
    }
    deploy(&mut chain, terms(Address::ZERO), assets(token)).unwrap();
}
