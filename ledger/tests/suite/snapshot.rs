//! Snapshots: there and back, proofs straight from the bytes, and what contradicts itself.

use std::collections::BTreeSet;

use ledger::snapshot::{ArchivedLedgerSnapshot, Contradiction, LedgerSnapshot};
use ledger::{Edge, Ledger, StateTree, Trade};
use rkyv::rancor::Error;
use rkyv::util::AlignedVec;
use types::inbox::{InboxEntry, InboxKind};
use types::outcome::Digest;
use types::{AccountId, BaseLots, KeyId, Nonce, SequenceNumber, Side, Ticks};

use crate::common::{Rng, account, asset, atoms, for_seeds, genesis, market};

/// A ledger of so many accounts after random verbs, and whom they touched.
fn random_ledger(rng: &mut Rng, accounts: usize, verbs: u64) -> (Ledger, BTreeSet<AccountId>) {
    let funds: &[u128] = &[1 << 40, 1 << 40];
    let mut ledger = Ledger::from_genesis(&genesis(2, &vec![funds; accounts]));
    let mut touched = BTreeSet::new();
    for _ in 0..verbs {
        touched.extend(random_verb(rng, &mut ledger));
    }
    (ledger, touched)
}

fn random_verb(rng: &mut Rng, ledger: &mut Ledger) -> Vec<AccountId> {
    let count = u64::from(ledger.account_count());
    let mut pick = || account(rng.below(count) as u32);
    let (one, other) = (pick(), pick());
    match rng.below(7) {
        0 => {
            ledger.hold(one, asset(1), atoms(500)).unwrap();
            ledger.order_opened(one);
            vec![one]
        }
        1 => {
            ledger.transfer(one, other, asset(0), atoms(7)).unwrap();
            vec![one, other]
        }
        2 => {
            ledger.hold(one, asset(1), atoms(111)).unwrap();
            let trade = Trade {
                taker_side: Side::Ask,
                price: Ticks::new(1),
                quantity: BaseLots::new(111),
                maker: one,
                taker: other,
            };
            ledger.settle(&market(0, 1, (1, 1), (10_000, 20_000)), &trade);
            vec![one, other]
        }
        3 => {
            ledger.withdraw(one, asset(0), atoms(3)).unwrap();
            ledger.deposit(one, asset(1), atoms(9)).unwrap();
            vec![one]
        }
        4 => {
            let opened = match rng.below(2) {
                0 => ledger.open_sub_account(one),
                _ => ledger.open_account([rng.next() as u8; 20]),
            };
            if let Ok(opened) = opened {
                ledger.deposit(opened, asset(0), atoms(1 << 40)).unwrap();
                ledger.deposit(opened, asset(1), atoms(1 << 40)).unwrap();
            }
            Vec::new()
        }
        5 => {
            let (signer, nonce) = ([rng.below(3) as u8; 20], rng.below(200));
            let now = types::LogTime::ZERO;
            if ledger.check_action_nonce(&signer, nonce, now).is_ok() {
                ledger.use_action_nonce(signer, nonce);
            }
            let index = ledger.edge().inbox().count;
            ledger.consume(&entry(index)).unwrap();
            Vec::new()
        }
        _ => {
            let key = KeyId::new(rng.below(u64::from(ledger.key_count()).max(1)) as u32);
            let nonce = Nonce::new(rng.below(3_000));
            let digest = Digest::new([rng.next() as u8; 32]);
            let fresh = ledger.check_nonce(key, nonce, &digest) == ledger::NonceCheck::Fresh;
            if fresh {
                ledger.use_nonce(key, nonce, &digest, SequenceNumber::new(rng.below(99)));
            }
            Vec::new()
        }
    }
}

const fn entry(index: u64) -> InboxEntry {
    InboxEntry {
        index,
        kind: InboxKind::CancelAll,
        owner: [5; 20],
        account: account(1),
        asset: asset(0),
        amount: atoms(0),
    }
}

/// What a snapshot leaves to others, put back as it was.
fn restore_rest(restored: &mut Ledger, ledger: &Ledger) {
    let edge = Edge::new(ledger.edge().withdrawals(), *ledger.edge().inbox());
    restored.restore_edge(edge.unwrap()).unwrap();
    let nonces = ledger.action_nonces();
    let nonces = nonces.map(|(signer, nonces)| (*signer, nonces.iter().collect()));
    restored.restore_action_nonces(nonces).unwrap();
}

fn bytes(snapshot: &LedgerSnapshot<'_>) -> AlignedVec {
    rkyv::to_bytes::<Error>(snapshot).unwrap()
}

fn access(bytes: &AlignedVec) -> &ArchivedLedgerSnapshot<'_> {
    rkyv::access::<ArchivedLedgerSnapshot<'_>, Error>(bytes).unwrap()
}

#[test]
fn what_is_restored_is_what_was() {
    for_seeds(60, |rng| {
        let accounts = rng.pick(&[1, 2, 63, 64, 65, 128, 129, 300]);
        let (mut ledger, _) = random_ledger(rng, accounts, 200);
        let mut tree = StateTree::new(&ledger);
        // A tree that is kept is one that is made anew.
        let touched: Vec<_> = (0..50)
            .flat_map(|_| random_verb(rng, &mut ledger))
            .collect();
        tree.update(&ledger, touched);
        assert_eq!(tree.root(), ledger.state_root());

        let bytes = bytes(&ledger.snapshot(&tree));
        let archived = access(&bytes);
        archived.check().unwrap();
        assert_eq!(archived.state_root(ledger.edge()), ledger.state_root());
        let mut restored = Ledger::restore(archived).unwrap();
        restore_rest(&mut restored, &ledger);
        assert_eq!(restored.state_hash(), ledger.state_hash());
        assert_eq!(restored.state_root(), ledger.state_root());
        restored.check_conservation().unwrap();
        let again = self::bytes(&restored.snapshot(&StateTree::new(&restored)));
        assert_eq!(again[..], bytes[..], "one state has one snapshot");
        for number in [0, accounts as u32 / 2, accounts as u32 - 1, accounts as u32] {
            check_proof(&ledger, &tree, archived, account(number));
        }
        let system = [AccountId::INBOX, AccountId::DUST, AccountId::FEES];
        for id in system.into_iter().chain([account(70_000)]) {
            check_proof(&ledger, &tree, archived, id);
        }
    });
}

fn check_proof(
    ledger: &Ledger,
    tree: &StateTree,
    archived: &ArchivedLedgerSnapshot<'_>,
    account: AccountId,
) {
    let proof = archived.prove(ledger.edge(), account);
    assert_eq!(proof, ledger.prove(tree, account));
    assert!(proof.verify(&ledger.state_root()));
}

#[test]
fn a_tree_that_misses_a_change_has_another_root() {
    let (mut ledger, _) = random_ledger(&mut Rng::new(1), 100, 50);
    let mut tree = StateTree::new(&ledger);
    ledger
        .transfer(account(3), account(77), asset(0), atoms(1))
        .unwrap();
    tree.update(&ledger, [account(3)]);
    assert_ne!(tree.root(), ledger.state_root());
    tree.update(&ledger, [account(77), account(3), account(77)]);
    assert_eq!(tree.root(), ledger.state_root());
}

/// A change to a good snapshot, and what is said about it.
type Change = (fn(&mut LedgerSnapshot<'_>), &'static str);

const CONTRADICTIONS: &[Change] = &[
    (
        |it| it.accounts = &it.accounts[1..],
        "a balance for every account and asset",
    ),
    (
        |it| it.balances = &it.balances[1..],
        "a balance for every account and asset",
    ),
    (|it| it.assets[0].fees += 1, "balances are conserved"),
    (
        |it| it.assets[0].deposited = u128::MAX,
        "the supply is bounded",
    ),
    (|it| it.keys[0].account = 999, "a key of no account"),
    (|it| it.windows[0].key = 999, "a window of no key"),
    (
        |it| it.windows[1].key = it.windows[0].key,
        "one window per key",
    ),
    (
        |it| it.windows[0].uses += 1_000,
        "every window has its uses",
    ),
    (
        |it| it.windows[0].base += 5_000,
        "a used nonce is in its window",
    ),
    (|it| it.uses.push(it.uses[0]), "every use is some window's"),
];

#[test]
fn what_contradicts_itself_is_not_restored() {
    let (ledger, _) = random_ledger(&mut Rng::new(7), 5, 400);
    let tree = StateTree::new(&ledger);
    for (change, what) in CONTRADICTIONS {
        let mut snapshot = ledger.snapshot(&tree);
        change(&mut snapshot);
        let bytes = bytes(&snapshot);
        let restored = Ledger::restore(access(&bytes));
        assert_eq!(restored.err(), Some(Contradiction(what)));
    }
    let mut snapshot = ledger.snapshot(&tree);
    snapshot.nodes.push([0; 32]);
    let bytes = bytes(&snapshot);
    let error = Contradiction("every node of the state tree");
    assert_eq!(access(&bytes).check(), Err(error));
}
