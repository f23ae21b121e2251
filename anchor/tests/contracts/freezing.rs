//! The end of the ledger's say: when, by whom, what counts, and who gets what.

use alloy::primitives::U256;
use anchor::contract::{Bridge, DEPOSIT, WITHDRAW};
use anchor::proof::Funds;
use types::outcome::Digest;

use crate::bridge::{
    ALICE, Accounts, BOB, FREEZE_AFTER, PERIOD, SCALE, WINDOW, World, checkpoint, fails, withdrawn,
};

const ROOT: Digest = Digest::new([5; 32]);

#[test]
fn only_an_overdue_entry_or_silence_freezes() {
    let mut world = World::new();
    fails!(world.freeze(), NotOverdue);
    world.force(ALICE, WITHDRAW, 0, 0, 1).unwrap();
    world.chain.pass(PERIOD);
    fails!(world.freeze(), NotOverdue);
    assert!(!world.ask(&Bridge::isOverdueCall {}));
    world.chain.pass(1);
    assert!(world.ask(&Bridge::isOverdueCall {}));
    // Served at the last moment: a checkpoint that consumed it ends the danger.
    world.publish(ROOT, 1).unwrap();
    fails!(world.freeze(), NotOverdue);
    // Silence alone.
    world.chain.pass(FREEZE_AFTER);
    fails!(world.freeze(), NotOverdue);
    world.chain.pass(1);
    world.freeze().unwrap();
    fails!(world.freeze(), IsFrozen);
}

#[test]
fn a_deposit_that_is_ignored_freezes_too() {
    let mut world = World::new();
    world.deposit(0, 3, ALICE).unwrap();
    world.publish(ROOT, 0).unwrap();
    world.chain.pass(PERIOD + 1);
    world.publish(ROOT, 0).unwrap();
    world.freeze().unwrap();
}

#[test]
fn nothing_comes_in_after_a_freeze() {
    let mut world = World::new();
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    fails!(world.deposit(0, 1, ALICE), IsFrozen);
    fails!(world.force(ALICE, WITHDRAW, 0, 0, 1), IsFrozen);
    fails!(world.publish(ROOT, 0), IsFrozen);
    fails!(world.act(ALICE, &Bridge::addBondCall {}), IsFrozen);
    let remove = Bridge::removeCall {
        wrong: checkpoint(),
        before: checkpoint(),
        challenger: BOB,
    };
    fails!(world.act(ALICE, &remove), IsFrozen);
}

#[test]
fn a_freeze_keeps_the_last_final_checkpoint_whatever_else_is_shown() {
    let mut world = World::new();
    world.force(ALICE, WITHDRAW, 0, 0, 1).unwrap();
    world.chain.pass(PERIOD - WINDOW);
    let first = world.publish(ROOT, 0).unwrap();
    let second = world.publish(ROOT, 0).unwrap();
    world.chain.pass(WINDOW + 1);
    let third = world.publish(ROOT, 0).unwrap();
    let genesis = world.checkpoints[0].clone();
    let call = |last, next, world: &mut World| {
        world
            .act(BOB, &Bridge::freezeCall { last, next })
            .map(|_| ())
    };
    // One that is not final, one that is not the last, and ones that are none.
    fails!(call(third.clone(), checkpoint(), &mut world), NotFinal);
    fails!(call(first.clone(), second.clone(), &mut world), IsFinal);
    fails!(call(genesis.clone(), first.clone(), &mut world), IsFinal);
    fails!(call(first, third.clone(), &mut world), BadCheckpoint);
    fails!(
        call(second.clone(), checkpoint(), &mut world),
        BadCheckpoint
    );
    let mut forged = third.clone();
    forged.time += 1;
    fails!(call(second.clone(), forged, &mut world), BadCheckpoint);
    call(second.clone(), third.clone(), &mut world).unwrap();
    // The pending one is void however much time goes by.
    world.chain.pass(10 * WINDOW);
    let accounts = Accounts::default().with(0, ALICE, &[(0, withdrawn(1))]);
    fails!(world.claim(&third, &accounts, 0, 1), NotFinal);
    fails!(world.claim(&genesis, &accounts, 0, 1), NotFinal);
    fails!(world.claim(&second, &accounts, 0, 1), WrongProof);
}

/// A checkpoint becomes final in the second in which somebody freezes: one second decides, and in both
/// cases what was paid and what is still there are all that was paid in.
#[test]
fn freezing_and_becoming_final_race_without_loss() {
    for late in [0, 1] {
        let mut world = World::new();
        world.deposit(0, 100, ALICE).unwrap();
        world.force(ALICE, WITHDRAW, 0, 0, 1).unwrap();
        world.chain.pass(PERIOD - WINDOW + 1);
        let funds = Funds {
            free: 60,
            held: 30,
            withdrawn: 10,
        };
        let accounts = Accounts::default().with(0, ALICE, &[(0, funds)]);
        let pending = world.publish(accounts.root(), 1).unwrap();
        world.chain.pass(WINDOW + late);
        world.freeze().unwrap();
        let reclaim = Bridge::reclaimCall {
            index: 0,
            owner: ALICE,
            asset: 0,
            amount: 100,
        };
        if late == 0 {
            fails!(world.claim(&pending, &accounts, 0, 1), NotFinal);
            world.act(BOB, &reclaim).unwrap();
        } else {
            fails!(world.act(BOB, &reclaim), WrongEntry);
            world.claim(&pending, &accounts, 0, 1).unwrap();
        }
        assert_eq!(world.chain.balance(ALICE), U256::from(100 * SCALE));
        let bonds = world.ask(&Bridge::bondsTotalCall {});
        assert_eq!(world.chain.balance(world.bridge), bonds);
    }
}

#[test]
fn deposits_that_were_not_consumed_go_back_once_and_as_they_were() {
    let mut world = World::new();
    world.deposit(0, 10, ALICE).unwrap();
    world.deposit(0, 20, ALICE).unwrap();
    world.force(ALICE, WITHDRAW, 0, 1, 30).unwrap();
    world.deposit(1, 40, BOB).unwrap();
    world.publish(ROOT, 1).unwrap();
    let reclaim = |index, owner, asset, amount| Bridge::reclaimCall {
        index,
        owner,
        asset,
        amount,
    };
    fails!(world.act(BOB, &reclaim(1, ALICE, 0, 20)), NotFrozen);
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    // Consumed, not there, another's, another amount, another asset, and no deposit at all.
    fails!(world.act(BOB, &reclaim(0, ALICE, 0, 10)), WrongEntry);
    fails!(world.act(BOB, &reclaim(4, ALICE, 0, 10)), WrongEntry);
    fails!(world.act(BOB, &reclaim(1, BOB, 0, 20)), WrongEntry);
    fails!(world.act(BOB, &reclaim(1, ALICE, 0, 21)), WrongEntry);
    fails!(world.act(BOB, &reclaim(1, ALICE, 1, 20)), WrongEntry);
    fails!(world.act(BOB, &reclaim(2, ALICE, 1, 30)), WrongEntry);
    world.act(ALICE, &reclaim(3, BOB, 1, 40)).unwrap();
    world.act(BOB, &reclaim(1, ALICE, 0, 20)).unwrap();
    assert_eq!(world.chain.balance(ALICE), U256::from(20 * SCALE));
    assert_eq!(world.tokens(BOB), U256::from(400));
    fails!(world.act(BOB, &reclaim(1, ALICE, 0, 20)), AlreadyReclaimed);
    fails!(world.act(BOB, &reclaim(3, BOB, 1, 40)), AlreadyReclaimed);
    assert_eq!(DEPOSIT, world.ask(&Bridge::DEPOSITCall {}));
}

#[test]
fn a_bond_outlives_a_freeze() {
    let mut world = World::new();
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    let operator = crate::bridge::OPERATOR;
    world.act(operator, &Bridge::unlockBondCall {}).unwrap();
    world.chain.pass(WINDOW + 1);
    world.act(operator, &Bridge::takeBondCall {}).unwrap();
    assert_eq!(world.chain.balance(world.bridge), U256::ZERO);
}
