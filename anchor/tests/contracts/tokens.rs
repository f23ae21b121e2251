//! Tokens and owners that are not as they should be.

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall as _;
use anchor::contract::Bridge;

use crate::bridge::contracts::{FalseToken, FeeToken, Payee, PlainToken, ReentrantToken};
use crate::bridge::{
    ALICE, Accounts, BOB, CHAIN, FREEZE_AFTER, SCALE, WINDOW, World, deploy_plain, fails, withdrawn,
};
use crate::chain::Chain;

fn world(bytecode: &Bytes) -> World {
    let mut chain = Chain::new(CHAIN);
    let token = deploy_plain(&mut chain, bytecode);
    World::with(chain, token, Address::ZERO)
}

/// Alice has withdrawn 60 of a token, and that is final.
fn withdrawn_token(world: &mut World) -> Accounts {
    let accounts = Accounts::default().with(1, ALICE, &[(1, withdrawn(60))]);
    world.publish(accounts.root(), 1).unwrap();
    world.chain.pass(WINDOW + 1);
    accounts
}

#[test]
fn a_token_that_takes_a_fee_is_refused() {
    let mut world = world(&FeeToken::BYTECODE);
    fails!(world.deposit(1, 100, ALICE), NotWhole);
    // The fee of nothing is nothing: less than a hundred units arrive whole.
    world.deposit(1, 9, ALICE).unwrap();
}

#[test]
fn a_token_that_says_false_fails() {
    let mut world = world(&FalseToken::BYTECODE);
    let refuse = |world: &mut World, yes| {
        let call = FalseToken::refuseCall { yes };
        world
            .chain
            .send(BOB, world.token, U256::ZERO, &call)
            .unwrap();
    };
    refuse(&mut world, true);
    assert!(world.deposit(1, 100, ALICE).is_err());
    refuse(&mut world, false);
    world.deposit(1, 100, ALICE).unwrap();
    let accounts = withdrawn_token(&mut world);
    let last = world.last().clone();
    refuse(&mut world, true);
    assert!(world.claim(&last, &accounts, 1, 1).is_err());
    // Nothing was counted as paid.
    refuse(&mut world, false);
    let before = world.tokens(ALICE);
    world.claim(&last, &accounts, 1, 1).unwrap();
    assert_eq!(world.tokens(ALICE) - before, U256::from(600));
}

#[test]
fn a_token_that_calls_back_gets_nothing_more() {
    let mut world = world(&ReentrantToken::BYTECODE);
    world.deposit(1, 100, ALICE).unwrap();
    let accounts = withdrawn_token(&mut world);
    let last = world.last().clone();
    let again = accounts.claim(&last, 1, 1);
    let deposit = Bridge::depositCall {
        asset: 1,
        amount: 1,
        owner: BOB,
    };
    world.mint(ALICE, U256::from(1_000));
    for call in [again.abi_encode(), deposit.abi_encode()] {
        let arm = ReentrantToken::armCall {
            target_: world.bridge,
            call_: call.into(),
        };
        world
            .chain
            .send(BOB, world.token, U256::ZERO, &arm)
            .unwrap();
        world.act(ALICE, &deposit).unwrap();
    }
    world.claim(&last, &accounts, 1, 1).unwrap();
    let ask = |world: &mut World| {
        let tried = world.chain.ask(world.token, &ReentrantToken::triedCall {});
        let worked = world.chain.ask(world.token, &ReentrantToken::workedCall {});
        (tried.unwrap(), worked.unwrap())
    };
    assert_eq!(ask(&mut world), (U256::from(3), U256::ZERO));
    assert_eq!(world.tokens(world.bridge), U256::from((102 - 60) * 10));
    assert_eq!(world.ask(&Bridge::entryCountCall {}), 3);
}

#[test]
fn an_owner_that_calls_back_is_paid_once_and_one_that_refuses_keeps_its_claim() {
    let mut world = world(&PlainToken::BYTECODE);
    let payee = deploy_plain(&mut world.chain, &Payee::BYTECODE);
    world.deposit(0, 100, ALICE).unwrap();
    let accounts = Accounts::default().with(1, payee, &[(0, withdrawn(60))]);
    let last = world.publish(accounts.root(), 1).unwrap();
    world.chain.pass(WINDOW + 1);
    let call = |world: &mut World, call: &dyn Fn(&mut Chain)| call(&mut world.chain);
    let refuse = |yes| {
        move |chain: &mut Chain| {
            let call = Payee::refuseCall { yes };
            chain.send(BOB, payee, U256::ZERO, &call).unwrap();
        }
    };
    call(&mut world, &refuse(true));
    fails!(world.claim(&last, &accounts, 1, 1), BadValue);
    assert_eq!(
        world.ask(&Bridge::paidCall {
            account: 1,
            asset: 0
        }),
        0
    );
    call(&mut world, &refuse(false));
    let arm = Payee::armCall {
        target_: world.bridge,
        call_: accounts.claim(&last, 1, 1).abi_encode().into(),
    };
    world.chain.send(BOB, payee, U256::ZERO, &arm).unwrap();
    world.claim(&last, &accounts, 1, 1).unwrap();
    assert_eq!(world.chain.balance(payee), U256::from(60 * SCALE));
    assert!(!world.chain.ask(payee, &Payee::workedCall {}).unwrap());
}

#[test]
fn money_that_was_sent_without_a_deposit_is_nobodys_and_harms_nobody() {
    let mut world = world(&PlainToken::BYTECODE);
    world.deposit(1, 60, ALICE).unwrap();
    let mint = PlainToken::mintCall {
        to: world.bridge,
        units: U256::from(13),
    };
    let token = world.token;
    world.chain.send(BOB, token, U256::ZERO, &mint).unwrap();
    world.chain.fund(world.bridge, U256::from(13));
    let accounts = withdrawn_token(&mut world);
    let last = world.last().clone();
    world.claim(&last, &accounts, 1, 1).unwrap();
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    fails!(world.claim(&last, &accounts, 1, 1), NothingDue);
    assert_eq!(world.tokens(world.bridge), U256::from(13));
}
