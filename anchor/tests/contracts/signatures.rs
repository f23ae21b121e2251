//! What a wallet signs: good for one chain, one bridge, one action and one epoch.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolStruct;
use anchor::contract::{Bridge, CANCEL_ALL, WITHDRAW};
use anchor::proof::Funds;
use anchor::signing::{Force, Sell, domain};

use crate::bridge::contracts::PlainToken;
use crate::bridge::{
    Accounts, BOB, CHAIN, FEE, FREEZE_AFTER, SCALE, WINDOW, World, deploy_plain, fails, withdrawn,
};
use crate::chain::{Chain, Revert};

fn wallet() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x42)).unwrap()
}

fn sign<T: SolStruct>(what: &T, chain_id: u64, bridge: Address) -> Bytes {
    let hash = what.eip712_signing_hash(&domain(chain_id, bridge));
    wallet().sign_hash_sync(&hash).unwrap().as_bytes().into()
}

const SELL: Sell = Sell {
    account: 1,
    asset: 0,
    upTo: 50,
    to: BOB,
    epoch: U256::ZERO,
};

const FORCE: Force = Force {
    kind: WITHDRAW,
    account: 1,
    asset: 0,
    amount: 9,
    epoch: U256::ZERO,
};

fn sell(world: &mut World, it: &Sell, signature: Bytes) -> Result<(), Revert> {
    let call = Bridge::sellForCall {
        owner: wallet().address(),
        account: it.account,
        asset: it.asset,
        upTo: it.upTo,
        to: it.to,
        signature,
    };
    world.act(BOB, &call).map(|_| ())
}

fn force(world: &mut World, it: &Force, signature: Bytes) -> Result<(), Revert> {
    let call = Bridge::forceForCall {
        owner: wallet().address(),
        kind: it.kind,
        account: it.account,
        asset: it.asset,
        amount: it.amount,
        signature,
    };
    world.chain.fund(BOB, U256::from(FEE));
    world.send(BOB, U256::from(FEE), &call).map(|_| ())
}

#[test]
fn a_signature_counts_once_and_for_one_epoch() {
    let mut world = World::new();
    let bridge = world.bridge;
    let first = sign(&FORCE, CHAIN, bridge);
    force(&mut world, &FORCE, first.clone()).unwrap();
    fails!(force(&mut world, &FORCE, first), BadSignature);
    let mut next = FORCE;
    next.epoch = U256::ONE;
    let second = sign(&next, CHAIN, bridge);
    // The owner ends the epoch, and what was signed in it is void.
    world
        .act(wallet().address(), &Bridge::endEpochCall {})
        .unwrap();
    fails!(force(&mut world, &next, second), BadSignature);
    next.epoch = U256::from(2);
    let third = sign(&next, CHAIN, bridge);
    force(&mut world, &next, third).unwrap();
    assert_eq!(world.ask(&Bridge::entryCountCall {}), 2);
}

#[test]
fn a_signature_is_of_no_use_elsewhere() {
    let mut world = World::new();
    let bridge = world.bridge;
    // Another chain, another contract.
    fails!(
        sell(&mut world, &SELL, sign(&SELL, CHAIN + 1, bridge)),
        BadSignature
    );
    fails!(
        sell(&mut world, &SELL, sign(&SELL, CHAIN, BOB)),
        BadSignature
    );
    let token = world.token;
    let World { chain, .. } = world;
    let mut other = World::with(chain, token, Address::ZERO);
    fails!(
        sell(&mut other, &SELL, sign(&SELL, CHAIN, bridge)),
        BadSignature
    );
    let mut chain = Chain::new(CHAIN + 1);
    let token = deploy_plain(&mut chain, &PlainToken::BYTECODE);
    let mut elsewhere = World::with(chain, token, Address::ZERO);
    let bridge = elsewhere.bridge;
    fails!(
        sell(&mut elsewhere, &SELL, sign(&SELL, CHAIN, bridge)),
        BadSignature
    );
    sell(&mut elsewhere, &SELL, sign(&SELL, CHAIN + 1, bridge)).unwrap();
}

#[test]
fn a_signature_is_for_its_action_and_every_field_of_it() {
    let mut world = World::new();
    let bridge = world.bridge;
    fails!(
        sell(&mut world, &SELL, sign(&FORCE, CHAIN, bridge)),
        BadSignature
    );
    fails!(
        force(&mut world, &FORCE, sign(&SELL, CHAIN, bridge)),
        BadSignature
    );
    let good = sign(&SELL, CHAIN, bridge);
    let sales: [fn(&mut Sell); 4] = [
        |it| it.account = 2,
        |it| it.asset = 1,
        |it| it.upTo = 51,
        |it| it.to = Address::repeat_byte(1),
    ];
    for change in sales {
        let mut wrong = SELL;
        change(&mut wrong);
        fails!(sell(&mut world, &wrong, good.clone()), BadSignature);
    }
    let signed = sign(&FORCE, CHAIN, bridge);
    let forces: [fn(&mut Force); 4] = [
        |it| (it.kind, it.amount) = (CANCEL_ALL, 0),
        |it| it.account = 2,
        |it| it.asset = 1,
        |it| it.amount = 10,
    ];
    for change in forces {
        let mut wrong = FORCE;
        change(&mut wrong);
        fails!(force(&mut world, &wrong, signed.clone()), BadSignature);
    }
    // Cut short, empty, another recovery bit, and the other s of the same signature.
    let mut flipped = good.to_vec();
    flipped[64] ^= 1;
    let mut high = good.to_vec();
    let order = U256::from_be_slice(&alloy::hex!(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
    ));
    let s = order - U256::from_be_slice(&good[32..64]);
    high[32..64].copy_from_slice(&s.to_be_bytes::<32>());
    high[64] ^= 7;
    for wrong in [good[..64].to_vec(), Vec::new(), flipped, high] {
        fails!(sell(&mut world, &SELL, wrong.into()), BadSignature);
    }
    sell(&mut world, &SELL, good).unwrap();
}

#[test]
fn a_sale_takes_the_next_units_and_cannot_be_taken_back() {
    let mut world = World::new();
    let owner = wallet().address();
    let sell = |up_to, to| Bridge::sellCall {
        account: 1,
        asset: 0,
        upTo: up_to,
        to,
    };
    world.deposit(0, 200, owner).unwrap();
    world.act(owner, &sell(50, BOB)).unwrap();
    fails!(world.act(owner, &sell(80, owner)), AlreadySold);
    // A stranger's sale of the same account is his own affair.
    world.act(BOB, &sell(90, Address::repeat_byte(3))).unwrap();
    let mut accounts = Accounts::default().with(1, owner, &[(0, withdrawn(30))]);
    let first = world.publish(accounts.root(), 1).unwrap();
    world.chain.pass(WINDOW + 1);
    world.claim(&first, &accounts, 1, 1).unwrap();
    let paid = |world: &mut World, who| world.chain.balance(who) / U256::from(SCALE);
    assert_eq!(paid(&mut world, BOB), U256::from(30));
    fails!(world.act(owner, &sell(80, owner)), AlreadySold);
    accounts = Accounts::default().with(1, owner, &[(0, withdrawn(70))]);
    let second = world.publish(accounts.root(), 1).unwrap();
    world.chain.pass(WINDOW + 1);
    world.claim(&second, &accounts, 1, 1).unwrap();
    assert_eq!(paid(&mut world, BOB), U256::from(50));
    assert_eq!(paid(&mut world, owner), U256::from(20));
    // It is fulfilled: the next may be sold, beyond what was paid.
    fails!(world.act(owner, &sell(70, BOB)), NothingDue);
    fails!(world.act(owner, &sell(90, Address::ZERO)), BadOwner);
    let mut nowhere = sell(90, BOB);
    nowhere.asset = 2;
    fails!(world.act(owner, &nowhere), BadAsset);
    world.act(owner, &sell(90, BOB)).unwrap();
    // After a freeze it comes before what the owner has left.
    let funds = Funds {
        free: 100,
        held: 30,
        withdrawn: 70,
    };
    accounts = Accounts::default().with(1, owner, &[(0, funds)]);
    let third = world.publish(accounts.root(), 1).unwrap();
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    world.claim(&third, &accounts, 1, 1).unwrap();
    assert_eq!(paid(&mut world, BOB), U256::from(70));
    assert_eq!(paid(&mut world, owner), U256::from(130));
}
