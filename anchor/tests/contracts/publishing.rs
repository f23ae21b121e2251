//! Who may publish what, bonds, and the seam of the judge.

use alloy::primitives::{Address, B256, U256};
use anchor::contract::{Bridge, Checkpoint, checkpoint_hash};
use types::outcome::Digest;

use crate::bridge::contracts::{PlainToken, YesJudge};
use crate::bridge::{
    ALICE, Accounts, BOB, BOND, CHAIN, FREEZE_AFTER, OPEN_AFTER, OPERATOR, WINDOW, World,
    checkpoint, deploy_plain, fails, withdrawn,
};
use crate::chain::{Chain, Revert};

const ROOT: Digest = Digest::new([5; 32]);

#[test]
fn what_is_published_is_known_by_its_hash() {
    let mut world = World::new();
    let published = world.publish(ROOT, 0).unwrap();
    for it in world.checkpoints.clone() {
        let stored = world.ask(&Bridge::checkpointHashCall { index: it.index });
        assert_eq!(stored, checkpoint_hash(&it));
        let hash = world.ask(&Bridge::hashOfCall { it: it.clone() });
        assert_eq!(hash, stored);
    }
    let head = world.ask(&Bridge::headCall {});
    assert_eq!((head.index, head.sequence), (1, published.sequence));
}

#[test]
fn checkpoints_go_forward_and_name_the_inbox_as_it_is() {
    let mut world = World::new();
    world.deposit(0, 1, ALICE).unwrap();
    world.deposit(0, 2, ALICE).unwrap();
    world.publish(ROOT, 1).unwrap();
    let right = world.publication(ROOT, 1);
    type Change = fn(&mut Bridge::publishCall);
    let refused: [(Change, &str); 5] = [
        (|it| it.sequence -= 10, "the same again"),
        (|it| it.sequence = 0, "backwards"),
        (|it| it.stateRoot = B256::ZERO, "no root"),
        (|it| it.consumed = 0, "fewer entries"),
        (|it| (it.consumed, it.inboxHash) = (0, B256::ZERO), "none"),
    ];
    for (change, what) in refused {
        let mut wrong = right.clone();
        change(&mut wrong);
        println!("{what}");
        fails!(world.act(OPERATOR, &wrong), BadCheckpoint);
    }
    // An entry that is not there, and entries of another chain.
    let mut ahead = world.publication(ROOT, 2);
    ahead.consumed = 3;
    ahead.inboxHash = B256::ZERO;
    fails!(world.act(OPERATOR, &ahead), BadInboxHash);
    let mut reorganised = right.clone();
    reorganised.inboxHash = B256::repeat_byte(9);
    fails!(world.act(OPERATOR, &reorganised), BadInboxHash);
    world.act(OPERATOR, &right).unwrap();
    fails!(world.act(OPERATOR, &right), BadCheckpoint);
}

#[test]
fn without_a_judge_only_the_operator_publishes_however_long_he_is_silent() {
    let mut world = World::new();
    fails!(world.publish_as(ALICE, ROOT, 0), BadBond);
    world.bond(ALICE);
    fails!(world.publish_as(ALICE, ROOT, 0), NotProposer);
    world.chain.pass(10 * FREEZE_AFTER);
    fails!(world.publish_as(ALICE, ROOT, 0), NotProposer);
    world.publish(ROOT, 0).unwrap();
}

#[test]
fn a_bond_is_needed_and_stays_until_all_is_final() {
    let mut world = World::new();
    world.publish(ROOT, 0).unwrap();
    let unlock = Bridge::unlockBondCall {};
    let take = Bridge::takeBondCall {};
    fails!(world.act(OPERATOR, &take), BadBond);
    world.act(OPERATOR, &unlock).unwrap();
    fails!(world.act(OPERATOR, &unlock), BadBond);
    fails!(world.publish(ROOT, 0), BadBond);
    fails!(world.act(OPERATOR, &take), BadBond);
    fails!(world.act(OPERATOR, &Bridge::addBondCall {}), BadBond);
    world.chain.pass(WINDOW);
    fails!(world.act(OPERATOR, &take), BadBond);
    world.chain.pass(1);
    world.act(OPERATOR, &take).unwrap();
    assert_eq!(world.chain.balance(OPERATOR), U256::from(BOND));
    assert_eq!(world.ask(&Bridge::bondsTotalCall {}), U256::ZERO);
    fails!(world.act(OPERATOR, &take), BadBond);
    fails!(world.act(ALICE, &unlock), BadBond);
    // In two halves, and one wei less than it takes.
    world.chain.fund(OPERATOR, U256::from(BOND));
    world
        .send(OPERATOR, U256::from(BOND - 1), &Bridge::addBondCall {})
        .unwrap();
    fails!(world.publish(ROOT, 0), BadBond);
    world
        .send(OPERATOR, U256::ONE, &Bridge::addBondCall {})
        .unwrap();
    world.publish(ROOT, 0).unwrap();
}

fn judged() -> (World, Address) {
    let mut chain = Chain::new(CHAIN);
    let token = deploy_plain(&mut chain, &PlainToken::BYTECODE);
    let judge = deploy_plain(&mut chain, &YesJudge::BYTECODE);
    (World::with(chain, token, judge), judge)
}

fn remove(
    world: &mut World,
    judge: Address,
    wrong: &Checkpoint,
    before: &Checkpoint,
) -> Result<(), Revert> {
    let call = YesJudge::removeCall {
        bridge: world.bridge,
        wrong: crate::bridge::judged(wrong),
        before: crate::bridge::judged(before),
        challenger: BOB,
    };
    world
        .chain
        .send(ALICE, judge, U256::ZERO, &call)
        .map(|_| ())
}

#[test]
fn with_a_judge_anybody_publishes_after_a_silence() {
    let (mut world, _) = judged();
    world.bond(ALICE);
    world.chain.pass(OPEN_AFTER);
    fails!(world.publish_as(ALICE, ROOT, 0), NotProposer);
    world.chain.pass(1);
    world.publish_as(ALICE, ROOT, 0).unwrap();
    fails!(world.publish_as(ALICE, ROOT, 0), NotProposer);
    world.publish(ROOT, 0).unwrap();
}

#[test]
fn a_judge_removes_what_is_not_final_with_all_after_it() {
    let (mut world, judge) = judged();
    let accounts = Accounts::default().with(0, ALICE, &[(0, withdrawn(1))]);
    world.deposit(0, 9, ALICE).unwrap();
    let first = world.publish(accounts.root(), 1).unwrap();
    world.chain.pass(WINDOW + 1);
    let second = world.publish(ROOT, 1).unwrap();
    let third = world.publish(ROOT, 1).unwrap();
    let genesis = world.checkpoints[0].clone();
    fails!(remove(&mut world, judge, &first, &genesis), IsFinal);
    fails!(remove(&mut world, judge, &third, &first), BadCheckpoint);
    fails!(remove(&mut world, judge, &genesis, &genesis), BadCheckpoint);
    fails!(
        remove(&mut world, judge, &checkpoint(), &first),
        BadCheckpoint
    );
    let direct = Bridge::removeCall {
        wrong: second.clone(),
        before: first.clone(),
        challenger: BOB,
    };
    fails!(world.act(OPERATOR, &direct), NotProposer);
    remove(&mut world, judge, &second, &first).unwrap();
    assert_eq!(world.chain.balance(BOB), U256::from(BOND));
    fails!(remove(&mut world, judge, &third, &second), BadCheckpoint);
    // The bond is gone, the first checkpoint stays, and the count goes on from it.
    fails!(world.publish(ROOT, 1), BadBond);
    world.bond(OPERATOR);
    world.checkpoints.truncate(2);
    world.chain.pass(1);
    let again = world.publish(ROOT, 1).unwrap();
    assert_eq!(again.index, 2);
    world.chain.pass(WINDOW + 1);
    fails!(world.claim(&second, &accounts, 0, 1), BadCheckpoint);
    world.claim(&first, &accounts, 0, 1).unwrap();
}
