//! The way out: what a claim must show, and everything that it may not.

use alloy::primitives::{Address, B256, U256};
use anchor::contract::{Bridge, Record};
use anchor::proof::{ClaimProof, Funds};
use ledger::encoding::AccountRecord;
use ledger::{Claim, Holding, Proof, tree};
use types::{AccountId, AssetId, Atoms};

use crate::bridge::contracts::Verifier;
use crate::bridge::{
    ALICE, Accounts, BOB, WINDOW, World, deploy_plain, fails, record_bytes, withdrawn,
};
use crate::chain::Chain;

/// The vectors that the ledger's own tests compare with.
fn vector(name: &str) -> Vec<u8> {
    let page = include_str!("../../../docs/STATE_TREE.md");
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no vector {name}"));
    alloy::hex::decode(line).unwrap()
}

fn node(name: &str) -> B256 {
    B256::from_slice(&vector(name))
}

fn record_of(bytes: &[u8]) -> Record {
    let (words, rest) = bytes.as_chunks::<32>();
    assert!(rest.is_empty());
    Record {
        account: u32::from_be_bytes(bytes[8..12].try_into().unwrap()),
        owner: Address::from_slice(&bytes[12..32]),
        words: words[1..]
            .iter()
            .map(|word| U256::from_be_bytes(*word))
            .collect(),
    }
}

fn root_of(chain: &mut Chain, verifier: Address, record: &Record, siblings: [B256; 32]) -> B256 {
    let call = Verifier::rootCall {
        account: record.account,
        owner: record.owner,
        words: record.words.clone(),
        siblings,
    };
    chain.ask(verifier, &call).unwrap()
}

#[test]
fn the_verifier_agrees_with_the_vectors_of_the_specification() {
    let mut chain = Chain::new(1);
    let verifier = deploy_plain(&mut chain, &Verifier::BYTECODE);
    let empty = std::array::from_fn(|height| node(&format!("empty_{height:02}")));
    let record = record_of(&vector("alone_7_record"));
    assert_eq!(
        root_of(&mut chain, verifier, &record, empty),
        node("alone_root")
    );
    let siblings = std::array::from_fn(|height| node(&format!("sparse_5_sibling_{height:02}")));
    let record = record_of(&vector("sparse_5_record"));
    assert_eq!(
        root_of(&mut chain, verifier, &record, siblings),
        node("sparse_root")
    );
    // Any account that the ledger can prove, in the ledger's own form.
    let record = AccountRecord {
        account: AccountId::new(0xdead_beef),
        owner: [9; 20],
        balances: vec![(
            AssetId::new(255),
            Holding {
                free: Atoms::new(1 << 94),
                held: Atoms::new(3),
                withdrawn: Atoms::new(u128::MAX),
            },
        )],
    };
    let leaf = Claim::Has(record.clone()).leaf();
    let others = vec![(3, leaf), (0xdead_beef, leaf), (0xdead_beee, leaf)];
    let proof = Proof {
        claim: Claim::Has(record),
        siblings: tree::Layers::new(others).siblings(0xdead_beef),
    };
    let claim = ClaimProof::new(&proof).unwrap();
    let root = root_of(&mut chain, verifier, &claim.record, claim.siblings);
    assert_eq!(root, B256::new(*proof.root().as_bytes()));
    assert_eq!(claim.place(255), Some(0));
    assert_eq!(claim.place(1), None);
}

/// Accounts 4 and 5 side by side, and others far away; 5 is Alice's, with 300 atoms of ether and 70 of
/// the token withdrawn.
fn world() -> (World, Accounts) {
    let mut world = World::new();
    world.deposit(0, 1_000, ALICE).unwrap();
    world.deposit(1, 1_000, ALICE).unwrap();
    let funds = Funds {
        free: 100,
        held: 50,
        withdrawn: 300,
    };
    let accounts = Accounts::default()
        .with(4, BOB, &[(0, withdrawn(1))])
        .with(5, ALICE, &[(0, funds), (1, withdrawn(70))])
        .with(u32::MAX, Address::ZERO, &[(0, withdrawn(9))])
        .with(1 << 31, BOB, &[]);
    world.publish(accounts.root(), 2).unwrap();
    world.chain.pass(WINDOW + 1);
    (world, accounts)
}

#[test]
fn a_claim_pays_what_was_withdrawn_to_the_owner_and_only_once() {
    let (mut world, accounts) = world();
    let last = world.last().clone();
    world.claim(&last, &accounts, 5, 0b11).unwrap();
    assert_eq!(world.chain.balance(ALICE), U256::from(300_000_000_000_u64));
    assert_eq!(world.tokens(ALICE), U256::from(700));
    for places in [0b01, 0b10, 0b11] {
        fails!(world.claim(&last, &accounts, 5, places), NothingDue);
    }
    // A later checkpoint pays the difference, and an older one nothing more.
    let more = Accounts::default().with(5, ALICE, &[(0, withdrawn(310))]);
    let next = world.publish(more.root(), 2).unwrap();
    fails!(world.claim(&next, &more, 5, 1), NotFinal);
    world.chain.pass(WINDOW);
    fails!(world.claim(&next, &more, 5, 1), NotFinal);
    world.chain.pass(1);
    world.claim(&next, &more, 5, 1).unwrap();
    fails!(world.claim(&last, &accounts, 5, 1), NothingDue);
    assert_eq!(world.chain.balance(ALICE), U256::from(310_000_000_000_u64));
}

#[test]
fn a_wrong_proof_is_refused_at_every_level() {
    let (mut world, accounts) = world();
    let last = world.last().clone();
    let right = accounts.claim(&last, 5, 1);
    for level in 0..32 {
        for change in [B256::ZERO, B256::repeat_byte(1), !right.siblings[level]] {
            let mut wrong = right.clone();
            if wrong.siblings[level] != change {
                wrong.siblings[level] = change;
                fails!(world.act(BOB, &wrong), WrongProof);
            }
        }
        let mut swapped = right.clone();
        swapped.siblings.swap(level, (level + 1) % 32);
        fails!(world.act(BOB, &swapped), WrongProof);
        // Another place.
        let mut moved = right.clone();
        moved.record.account ^= 1 << level;
        fails!(world.act(BOB, &moved), WrongProof);
    }
    // Every bit of every word, and of the owner.
    for bit in 0..256 {
        for word in 0..4 {
            let mut wrong = right.clone();
            wrong.record.words[word] ^= U256::from(1) << bit;
            fails!(world.act(BOB, &wrong), WrongProof);
        }
    }
    for bit in 0..160 {
        let mut wrong = right.clone();
        wrong.record.owner.0[bit / 8] ^= 1 << (bit % 8);
        fails!(world.act(BOB, &wrong), WrongProof);
    }
    assert!(world.act(BOB, &right).is_ok());
}

#[test]
fn neither_a_node_nor_another_record_passes_for_an_account() {
    let (mut world, accounts) = world();
    let last = world.last().clone();
    let right = accounts.claim(&last, 5, 1);
    // A record of an odd number of words is as long as a node.
    let mut odd = right.clone();
    odd.record.words.pop();
    fails!(world.act(BOB, &odd), OddRecord);
    let mut long = right.clone();
    long.record.words.extend([U256::ZERO, U256::ZERO]);
    fails!(world.act(BOB, &long), WrongProof);
    let mut short = right;
    short.record.words.truncate(2);
    fails!(world.act(BOB, &short), WrongProof);
    // A leaf with another tag: the contract writes the tag itself.
    let record = accounts.record(5);
    let mut bytes = record_bytes(&record);
    bytes[7] = b'2';
    let leaf = tree::leaf_hash(&bytes);
    let root = tree::root(vec![(5, leaf)]);
    let other = world.publish(root, 2).unwrap();
    world.chain.pass(WINDOW + 1);
    let claim = Bridge::claimCall {
        checkpoint: other,
        record,
        siblings: tree::Layers::new(vec![(5, leaf)])
            .siblings(5)
            .map(|node| B256::new(*node.as_bytes())),
        places: U256::from(1),
    };
    fails!(world.act(BOB, &claim), WrongProof);
}

#[test]
fn only_what_is_in_the_record_can_be_taken() {
    let (mut world, accounts) = world();
    let last = world.last().clone();
    for places in [0, 0b100, 0b101, 1 << 63] {
        fails!(world.claim(&last, &accounts, 5, places), NothingDue);
    }
    let mut far = accounts.claim(&last, 5, 1);
    far.places = U256::from(1) << 255;
    fails!(world.act(BOB, &far), NothingDue);
    fails!(world.claim(&last, &accounts, 1 << 31, 1), NothingDue);
    // The system's accounts have no owner.
    fails!(world.claim(&last, &accounts, u32::MAX, 1), NotOwned);
}

#[test]
fn a_checkpoint_that_was_not_published_is_none() {
    let (mut world, accounts) = world();
    let last = world.last().clone();
    type Change = fn(&mut anchor::contract::Checkpoint);
    let changes: [Change; 7] = [
        |it| it.index -= 1,
        |it| it.sequence += 1,
        |it| it.consumed -= 1,
        |it| it.time -= 1,
        |it| it.proposer = ALICE,
        |it| it.stateRoot = B256::repeat_byte(3),
        |it| it.dataCommitment = B256::ZERO,
    ];
    for change in changes {
        let mut wrong = last.clone();
        change(&mut wrong);
        fails!(world.claim(&wrong, &accounts, 5, 1), BadCheckpoint);
    }
}

#[test]
fn extreme_amounts_are_paid_exactly_and_impossible_ones_not_at_all() {
    let mut world = World::new();
    let most = (1_u128 << 95) - 1;
    world.deposit(0, most, ALICE).unwrap();
    world.deposit(1, most - 1, ALICE).unwrap();
    // The ledger's limit on what lies here.
    fails!(world.deposit(0, 1, ALICE), TooMuch);
    world.deposit(1, 1, ALICE).unwrap();
    fails!(world.deposit(1, 1, ALICE), TooMuch);
    fails!(world.deposit(0, 1 << 95, ALICE), BadAmount);
    fails!(world.deposit(0, 0, ALICE), BadAmount);
    let accounts = Accounts::default()
        .with(0, ALICE, &[(0, withdrawn(most)), (1, withdrawn(1))])
        // A wrong root could say this; it takes nothing of the bonds and nothing that wraps.
        .with(
            1,
            BOB,
            &[
                (0, withdrawn(1)),
                (1, withdrawn(u128::MAX)),
                (7, withdrawn(1)),
            ],
        );
    let last = world.publish(accounts.root(), 4 - 1).unwrap();
    world.chain.pass(WINDOW + 1);
    world.claim(&last, &accounts, 0, 0b11).unwrap();
    fails!(world.claim(&last, &accounts, 1, 0b001), TooMuch);
    assert!(world.claim(&last, &accounts, 1, 0b010).is_err());
    fails!(world.claim(&last, &accounts, 1, 0b100), BadAsset);
    let bonds = world.ask(&Bridge::bondsTotalCall {});
    assert_eq!(world.chain.balance(world.bridge), bonds);
    assert_eq!(
        world.tokens(world.bridge),
        U256::from(most - 1) * U256::from(10)
    );
}

#[test]
fn a_proof_is_of_no_use_to_another_bridge() {
    let (world, accounts) = world();
    let last = world.last().clone();
    let token = world.token;
    let World { chain, .. } = world;
    let mut other = World::with(chain, token, Address::ZERO);
    fails!(other.claim(&last, &accounts, 5, 1), BadCheckpoint);
    // Nor under a checkpoint there, with another root.
    let own = other.publish(Accounts::default().root(), 0).unwrap();
    other.chain.pass(WINDOW + 1);
    fails!(other.claim(&own, &accounts, 5, 1), WrongProof);
}
