//! Data on chain: which blobs a checkpoint is bound to, and that none goes without.

use alloy::primitives::{Address, B256};
use anchor::contract::{Bridge, Checkpoint, bound_commitment, posted_hash};
use types::outcome::Digest;

use crate::bridge::{ALICE, Accounts, FREEZE_AFTER, OPERATOR, WINDOW, World, fails, withdrawn};
use crate::chain::Revert;

const ROOT: Digest = Digest::new([5; 32]);
/// Blobs' names, which begin with their version.
const FIRST: [B256; 2] = [blob(1), blob(2)];
const SECOND: [B256; 3] = [blob(3), blob(4), blob(5)];

pub(crate) const fn blob(number: u8) -> B256 {
    let mut hash = [number; 32];
    hash[0] = 1;
    B256::new(hash)
}

/// What publishing this root next would be, onto what was posted.
fn publication(world: &mut World, root: Digest, onto: B256) -> Bridge::publishWithBlobsCall {
    let consumed = world.ask(&Bridge::entryCountCall {});
    let it = world.publication(root, consumed);
    Bridge::publishWithBlobsCall {
        index: world.last().index + 1,
        sequence: it.sequence,
        consumed,
        inboxHash: it.inboxHash,
        stateRoot: it.stateRoot,
        commitment: it.dataCommitment,
        onto,
    }
}

/// Publishes with these blobs, onto what was posted.
pub(crate) fn publish(
    world: &mut World,
    root: Digest,
    blobs: &[B256],
    onto: B256,
) -> Result<Checkpoint, Revert> {
    let call = publication(world, root, onto);
    world.chain.blobs = blobs.to_vec();
    world.act(OPERATOR, &call)?;
    let published = Checkpoint {
        index: call.index,
        sequence: call.sequence,
        consumed: call.consumed,
        time: world.chain.now(),
        proposer: OPERATOR,
        stateRoot: call.stateRoot,
        dataCommitment: bound_commitment(call.commitment, posted_hash(onto, blobs)),
    };
    world.checkpoints.push(published.clone());
    Ok(published)
}

fn post(world: &mut World, who: Address, blobs: &[B256], onto: B256) -> Result<(), Revert> {
    world.chain.blobs = blobs.to_vec();
    world.act(who, &Bridge::postCall { onto }).map(|_| ())
}

fn posted(world: &mut World) -> B256 {
    world.ask(&Bridge::postedCall {})
}

#[test]
fn a_checkpoint_is_bound_to_the_blobs_of_its_transaction_and_claimed_from_as_ever() {
    let mut world = World::rollup();
    world.deposit(0, 1_000, ALICE).unwrap();
    let accounts = Accounts::default().with(0, ALICE, &[(0, withdrawn(100))]);
    let published = publish(&mut world, accounts.root(), &FIRST, B256::ZERO).unwrap();
    let stored = world.ask(&Bridge::checkpointHashCall { index: 1 });
    assert_eq!(stored, anchor::contract::checkpoint_hash(&published));
    world.chain.pass(WINDOW + 1);
    let claim = accounts.claim(&published, 0, 1);
    // With any other blobs it is another checkpoint.
    for other in [&FIRST[..1], &SECOND, &[FIRST[1], FIRST[0]]] {
        let mut wrong = claim.clone();
        let data = posted_hash(B256::ZERO, other);
        wrong.checkpoint.dataCommitment = bound_commitment(B256::repeat_byte(7), data);
        fails!(world.act(ALICE, &wrong), BadCheckpoint);
    }
    world.act(ALICE, &claim).unwrap();
}

#[test]
fn no_checkpoint_goes_without_blobs() {
    let mut world = World::rollup();
    fails!(world.publish(ROOT, 0), WrongMode);
    fails!(publish(&mut world, ROOT, &[], B256::ZERO), BadData);
    fails!(post(&mut world, OPERATOR, &[], B256::ZERO), BadData);
    // Blobs that nobody posted.
    let invented = posted_hash(B256::ZERO, &FIRST);
    fails!(publish(&mut world, ROOT, &SECOND, invented), BadData);
    fails!(post(&mut world, OPERATOR, &SECOND, invented), BadData);
}

#[test]
fn data_is_good_in_its_own_place_only() {
    let mut world = World::rollup();
    publish(&mut world, ROOT, &FIRST, B256::ZERO).unwrap();
    // Made for the place of the one that came between.
    let mut late = publication(&mut world, ROOT, B256::ZERO);
    late.index -= 1;
    for index in [late.index, late.index + 2] {
        world.chain.blobs = SECOND.to_vec();
        let wrong = Bridge::publishWithBlobsCall {
            index,
            ..late.clone()
        };
        fails!(world.act(OPERATOR, &wrong), BadCheckpoint);
    }
    publish(&mut world, ROOT, &SECOND, B256::ZERO).unwrap();
}

#[test]
fn blobs_of_several_transactions_are_bound_in_order_and_used_once() {
    let mut world = World::rollup();
    fails!(post(&mut world, ALICE, &FIRST, B256::ZERO), BadBond);
    post(&mut world, OPERATOR, &FIRST, B256::ZERO).unwrap();
    let first = posted_hash(B256::ZERO, &FIRST);
    assert_eq!(posted(&mut world), first);
    post(&mut world, OPERATOR, &SECOND, first).unwrap();
    let both = posted_hash(first, &SECOND);
    assert_eq!(posted(&mut world), both);
    // What is not at the end cannot be gone on with.
    fails!(publish(&mut world, ROOT, &FIRST, first), BadData);
    let published = publish(&mut world, ROOT, &FIRST, both).unwrap();
    let stored = world.ask(&Bridge::checkpointHashCall { index: 1 });
    assert_eq!(stored, anchor::contract::checkpoint_hash(&published));
    assert_eq!(posted(&mut world), B256::ZERO);
    fails!(publish(&mut world, ROOT, &FIRST, both), BadData);
}

#[test]
fn what_was_left_half_done_is_left_behind() {
    let mut world = World::rollup();
    post(&mut world, OPERATOR, &FIRST, B256::ZERO).unwrap();
    post(&mut world, OPERATOR, &SECOND, B256::ZERO).unwrap();
    assert_eq!(posted(&mut world), posted_hash(B256::ZERO, &SECOND));
    publish(&mut world, ROOT, &FIRST, B256::ZERO).unwrap();
}

#[test]
fn an_anchored_bridge_takes_no_blobs_and_a_frozen_one_neither() {
    let mut world = World::new();
    fails!(publish(&mut world, ROOT, &FIRST, B256::ZERO), WrongMode);
    fails!(post(&mut world, OPERATOR, &FIRST, B256::ZERO), WrongMode);
    let mut world = World::rollup();
    publish(&mut world, ROOT, &FIRST, B256::ZERO).unwrap();
    world.chain.pass(FREEZE_AFTER + 1);
    world.freeze().unwrap();
    fails!(publish(&mut world, ROOT, &FIRST, B256::ZERO), IsFrozen);
    fails!(post(&mut world, OPERATOR, &FIRST, B256::ZERO), IsFrozen);
}
