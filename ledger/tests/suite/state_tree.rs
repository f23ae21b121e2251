//! The state root: the vectors of `docs/STATE_TREE.md`, a naive twin, and what a root must see.

use std::collections::BTreeMap;
use std::fmt::Write;

use ledger::encoding::{AccountRecord, decode_inbox, encode_inbox};
use ledger::tree::{DEPTH, Layers, empty_subtree, leaf_hash, root};
use ledger::{AgentName, Claim, Holding, Ledger, Proof, StateTree, Trade};
use sha2::{Digest as _, Sha256};
use types::auth::PublicKey;
use types::genesis::{Genesis, development};
use types::inbox::{InboxEntry, InboxKind, InboxPosition};
use types::keys::{KeyGrant, KeyScope};
use types::limits::ATOMS_MAX;
use types::outcome::Digest;
use types::{AccountId, BaseLots, GroupId, KeyId, NetworkId, Nonce, SequenceNumber, Side, Ticks};

use crate::common::{account, asset, atoms, for_seeds, genesis, market};

const SPECIFICATION: &str = include_str!("../../../docs/STATE_TREE.md");

#[test]
fn the_specification_has_the_vectors_that_this_code_computes() {
    let computed = vectors();
    assert!(
        SPECIFICATION.contains(&format!("```text\n{computed}```\n")),
        "docs/STATE_TREE.md should have these vectors:\n{computed}"
    );
}

fn vectors() -> String {
    let mut lines = Lines::default();
    for height in 0..=DEPTH {
        lines.push(format!("empty_{height:02}"), &empty_subtree(height));
    }
    let alone = record(7, [0x11; 20], &[(0, 5, 2), (2, ATOMS_MAX, 0)]);
    lines.push_leaf("alone_7", &alone);
    lines.push("alone_root", &root(leaves(&[alone])));

    let sparse = sparse();
    for (name, record) in ["sparse_0", "sparse_5", "sparse_dust", "sparse_fees"]
        .iter()
        .zip(&sparse)
    {
        lines.push_leaf(name, record);
    }
    lines.push("sparse_root", &root(leaves(&sparse)));
    for (height, sibling) in Layers::new(leaves(&sparse)).siblings(5).iter().enumerate() {
        lines.push(format!("sparse_5_sibling_{height:02}"), sibling);
    }

    let mut bytes = Vec::new();
    encode_inbox(&consumed(2), &mut bytes);
    lines.push_bytes("edge_inbox", &bytes);
    let edge = edge();
    lines.push_leaf("edge_5", &edge);
    let mut leaves = leaves(&[edge]);
    leaves.push((AccountId::INBOX.get(), leaf_hash(&bytes)));
    lines.push("edge_root", &root(leaves));

    let ledger = Ledger::from_genesis(&development());
    for (name, account) in [
        ("development_0", account(0)),
        ("development_dust", AccountId::DUST),
        ("development_fees", AccountId::FEES),
    ] {
        lines.push_leaf(name, &ledger.account_record(account).unwrap());
    }
    lines.push("development_root", &ledger.state_root());
    lines.text
}

/// After so many deposits of 1000 atoms of asset 1 by 20 times 0x33.
fn consumed(count: u64) -> InboxPosition {
    (0..count).fold(InboxPosition::default(), |position, index| {
        let next = position.after(&deposit(index));
        next.expect("one after the other")
    })
}

fn deposit(index: u64) -> InboxEntry {
    InboxEntry {
        index,
        kind: InboxKind::Deposit,
        owner: [0x33; 20],
        account: AccountId::NOBODY,
        asset: asset(1),
        amount: atoms(1_000),
    }
}

/// An account that has withdrawn: all of one asset, and some of another.
fn edge() -> AccountRecord {
    let mut record = record(5, [0x33; 20], &[(1, 0, 0), (2, 30, 40)]);
    record.balances[0].1.withdrawn = atoms(2_000);
    record.balances[1].1.withdrawn = atoms(1 << 90);
    record
}

fn sparse() -> [AccountRecord; 4] {
    [
        record(0, [0x22; 20], &[]),
        record(5, [0x33; 20], &[(1, 1_000, 250), (200, 0, 1 << 90)]),
        record(AccountId::DUST.get(), [0; 20], &[(1, 1, 0)]),
        record(AccountId::FEES.get(), [0; 20], &[(0, 30, 0), (1, 40, 0)]),
    ]
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn push(&mut self, name: impl std::fmt::Display, value: &Digest) {
        writeln!(self.text, "{name} {value}").unwrap();
    }

    fn push_leaf(&mut self, name: &str, record: &AccountRecord) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        self.push_bytes(name, &bytes);
    }

    fn push_bytes(&mut self, name: &str, record: &[u8]) {
        write!(self.text, "{name}_record ").unwrap();
        for byte in record {
            write!(self.text, "{byte:02x}").unwrap();
        }
        self.text.push('\n');
        self.push(format!("{name}_leaf"), &leaf_hash(record));
    }
}

/// Balances as (asset, free, held).
fn record(number: u32, owner: [u8; 20], balances: &[(u16, u128, u128)]) -> AccountRecord {
    let balance = |(number, free, held): &(u16, u128, u128)| {
        let holding = Holding {
            free: atoms(*free),
            held: atoms(*held),
            withdrawn: atoms(0),
        };
        (asset(*number), holding)
    };
    AccountRecord {
        account: account(number),
        owner,
        balances: balances.iter().map(balance).collect(),
    }
}

fn leaf(record: &AccountRecord) -> Digest {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    assert_eq!(bytes.len() % 64, 32, "a record is never as long as a node");
    leaf_hash(&bytes)
}

fn leaves(records: &[AccountRecord]) -> Vec<(u32, Digest)> {
    let place = |record: &AccountRecord| (record.account.get(), leaf(record));
    records.iter().map(place).collect()
}

/// By definition, from the top.
fn naive_root(leaves: &BTreeMap<u32, Digest>, height: u32, index: u32) -> Digest {
    if height == 0 {
        return leaves.get(&index).copied().unwrap_or(Digest::ZERO);
    }
    let first = u64::from(index) << height;
    let last = first + (1 << height) - 1;
    if leaves.range(first as u32..=last as u32).next().is_none() {
        let child = naive_empty(height - 1);
        return naive_node(child, child);
    }
    let child = |side| naive_root(leaves, height - 1, 2 * index + side);
    naive_node(child(0), child(1))
}

fn naive_empty(height: u32) -> Digest {
    (0..height).fold(Digest::ZERO, |child, _| naive_node(child, child))
}

fn naive_node(left: Digest, right: Digest) -> Digest {
    let children = [*left.as_bytes(), *right.as_bytes()].concat();
    Digest::new(Sha256::digest(children).into())
}

#[test]
fn roots_are_those_of_the_definition() {
    for_seeds(100, |rng| {
        let count = rng.pick(&[0, 1, 2, 3, 10, 40]);
        let mask = rng.pick(&[u32::MAX, 63, !63]);
        let mut leaves = BTreeMap::new();
        for _ in 0..count {
            let index = rng.next() as u32 & mask;
            leaves.insert(index, Digest::new([rng.next() as u8; 32]));
        }
        let list: Vec<(u32, Digest)> = leaves.iter().map(|(index, leaf)| (*index, *leaf)).collect();
        assert_eq!(root(list), naive_root(&leaves, 32, 0));
    });
}

/// A ledger in which every field of the state differs from its default.
fn busy_ledger() -> Ledger {
    let funds: &[u128] = &[10_000, 10_000];
    let mut ledger = Ledger::from_genesis(&genesis(2, &[funds, funds, &[]]));
    ledger.hold(account(0), asset(0), atoms(500)).unwrap();
    let trade = Trade {
        taker_side: Side::Bid,
        price: Ticks::new(3),
        quantity: BaseLots::new(111),
        maker: account(0),
        taker: account(1),
    };
    ledger.settle(&market(0, 1, (1, 1), (10_000, 20_000)), &trade);
    ledger
}

#[test]
fn the_root_of_a_ledger_is_that_of_its_records() {
    for ledger in [busy_ledger(), Ledger::from_genesis(&development())] {
        let accounts = (0..ledger.account_count()).map(account);
        let system = [AccountId::DUST, AccountId::FEES];
        let records = accounts
            .chain(system)
            .map(|id| ledger.account_record(id).unwrap());
        let records: Vec<AccountRecord> = records.collect();
        let leaves: BTreeMap<u32, Digest> = leaves(&records).into_iter().collect();
        assert_eq!(ledger.state_root(), naive_root(&leaves, 32, 0));
    }
}

#[test]
fn the_inbox_has_a_leaf_once_something_was_consumed() {
    let mut ledger = busy_ledger();
    let mut tree = StateTree::new(&ledger);
    for count in 0..3 {
        tree.update(&ledger, []);
        let root = ledger.state_root();
        assert_eq!(tree.root(), root);
        let proof = ledger.prove(&tree, AccountId::INBOX);
        assert!(proof.verify(&root));
        let expected = match count {
            0 => Claim::Absent(AccountId::INBOX),
            _ => Claim::Inbox(consumed(count)),
        };
        assert_eq!(proof.claim, expected);
        let claim = Claim::Inbox(consumed(count + 1));
        assert!(!Proof { claim, ..proof }.verify(&root));
        // The others' proofs go by it.
        for account in [account(1), AccountId::DUST, AccountId::FEES] {
            assert!(ledger.prove(&tree, account).verify(&root));
        }
        ledger.consume(&deposit(count)).unwrap();
    }
    let out_of_order = ledger.consume(&deposit(9));
    assert_eq!(out_of_order, Err(types::RejectReason::InboxOutOfOrder));
}

#[test]
fn the_record_of_the_inbox_is_read_from_its_canonical_bytes_and_from_no_others() {
    let mut bytes = Vec::new();
    encode_inbox(&consumed(3), &mut bytes);
    assert_eq!((bytes.len(), decode_inbox(&bytes)), (72, Some(consumed(3))));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let decoded = decode_inbox(&damaged);
        assert_eq!(decoded.is_some(), 32 * 8 <= bit, "bit {bit}");
        assert_ne!(decoded, Some(consumed(3)));
    }
    bytes.clear();
    encode_inbox(&InboxPosition::default(), &mut bytes);
    assert_eq!(decode_inbox(&bytes), None, "nothing was consumed");
    assert_eq!(decode_inbox(&bytes[..71]), None);
    assert_eq!(AccountRecord::decode(&bytes), None);
}

#[test]
fn a_record_lists_what_is_free_or_held() {
    let ledger = busy_ledger();
    let check = |account, expected| assert_eq!(ledger.account_record(account), expected);
    check(
        account(0),
        Some(record(0, [1; 20], &[(0, 9_500, 389), (1, 10_329, 0)])),
    );
    check(
        account(1),
        Some(record(1, [2; 20], &[(0, 10_108, 0), (1, 9_667, 0)])),
    );
    check(account(2), Some(record(2, [3; 20], &[])));
    check(account(3), None);
    let fees = record(AccountId::FEES.get(), [0; 20], &[(0, 2, 0), (1, 3, 0)]);
    check(AccountId::FEES, Some(fees));
    let dust = record(AccountId::DUST.get(), [0; 20], &[(0, 1, 0), (1, 1, 0)]);
    check(AccountId::DUST, Some(dust));
}

#[test]
fn every_account_is_provable_and_nothing_else() {
    let ledger = busy_ledger();
    let root = ledger.state_root();
    let accounts = [
        account(0),
        account(1),
        account(2),
        AccountId::DUST,
        AccountId::FEES,
    ];
    let tree = StateTree::new(&ledger);
    assert_eq!(tree.root(), root);
    for account in accounts {
        let proof = ledger.prove(&tree, account);
        assert!(proof.verify(&root), "account {account}");
        for forged in forgeries(&proof) {
            assert!(!forged.verify(&root), "{forged:?}");
        }
    }
}

#[test]
fn that_an_account_is_not_there_is_provable_of_no_other() {
    let ledger = busy_ledger();
    let root = ledger.state_root();
    let tree = StateTree::new(&ledger);
    for number in [3, 4, 63, 64, 1 << 20, u32::MAX - 3, u32::MAX - 2] {
        let proof = ledger.prove(&tree, account(number));
        assert_eq!(proof.claim, Claim::Absent(account(number)));
        assert!(proof.verify(&root), "account {number}");
        for other in [0, 1, 2, u32::MAX - 1, u32::MAX] {
            let claim = Claim::Absent(account(other));
            assert!(
                !Proof {
                    claim,
                    ..proof.clone()
                }
                .verify(&root)
            );
        }
        let claim = Claim::Has(record(number, [0; 20], &[]));
        assert!(!Proof { claim, ..proof }.verify(&root));
    }
    for number in [0, 1, 2, u32::MAX - 1, u32::MAX] {
        let proof = ledger.prove(&tree, account(number));
        let claim = Claim::Absent(account(number));
        assert!(!Proof { claim, ..proof }.verify(&root));
    }
}

#[test]
fn a_record_is_read_from_its_canonical_bytes_and_from_no_others() {
    for expected in sparse().into_iter().chain([edge()]) {
        let mut bytes = Vec::new();
        expected.encode(&mut bytes);
        assert_eq!(AccountRecord::decode(&bytes), Some(expected.clone()));
        for length in 0..bytes.len() {
            let cut = AccountRecord::decode(&bytes[..length]);
            // Cut after a whole balance it is another account's record.
            assert_eq!(cut.is_some(), 32 <= length && length % 64 == 32);
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Some(other) = AccountRecord::decode(&damaged) {
                let mut again = Vec::new();
                other.encode(&mut again);
                assert_eq!(again, damaged);
                assert_ne!(other, expected);
            }
        }
        bytes.extend_from_slice(&[0; 64]);
        assert_eq!(AccountRecord::decode(&bytes), None, "nothing of an asset");
    }
    let mut bytes = Vec::new();
    record(1, [1; 20], &[(2, 1, 0), (1, 1, 0)]).encode(&mut bytes);
    assert_eq!(AccountRecord::decode(&bytes), None, "not in order");
}

/// Every field of a proof, changed alone.
fn forgeries(proof: &Proof) -> Vec<Proof> {
    let Claim::Has(record) = &proof.claim else {
        panic!("who is there has a record");
    };
    let mut forgeries = Vec::new();
    let mut forge = |change: &dyn Fn(&mut AccountRecord)| {
        let mut record = record.clone();
        change(&mut record);
        forgeries.push(Proof {
            claim: Claim::Has(record),
            ..proof.clone()
        });
    };
    for bit in 0..32 {
        forge(&|record| record.account = account(record.account.get() ^ 1 << bit));
    }
    for byte in 0..20 {
        forge(&|record| record.owner[byte] ^= 1);
    }
    for index in 0..record.balances.len() {
        forge(&|record| record.balances[index].0 = asset(7));
        forge(&|record| record.balances[index].1.free += atoms(1));
        forge(&|record| record.balances[index].1.held += atoms(1));
        forge(&|record| record.balances[index].1.withdrawn += atoms(1));
        forge(&|record| {
            record.balances.remove(index);
        });
    }
    forge(&|record| record.balances.push((asset(9), Holding::default())));
    for height in 0..DEPTH {
        let mut forged = proof.clone();
        forged.siblings[height] = Digest::new([height as u8 + 1; 32]);
        forgeries.push(forged);
    }
    forgeries
}

/// Changes of single fields: name, whether exits depend on it, and the change.
type Change = (&'static str, bool, fn(&mut Ledger));

const CHANGES: &[Change] = &[
    ("a hold", true, |ledger| {
        ledger.hold(account(0), asset(1), atoms(1)).unwrap();
    }),
    ("a release", true, |ledger| {
        ledger.release(account(0), asset(0), atoms(1))
    }),
    ("a transfer", true, |ledger| {
        ledger
            .transfer(account(0), account(1), asset(0), atoms(1))
            .unwrap();
    }),
    ("a fee and dust", true, |ledger| {
        settle_one_lot(ledger, (50_000, 60_000))
    }),
    ("a trade", true, |ledger| settle_one_lot(ledger, (0, 0))),
    ("an open order", false, |ledger| {
        ledger.order_opened(account(2))
    }),
    ("a nonce", false, |ledger| use_nonce(ledger, 0, 1, 1, 1)),
    ("another nonce", false, |ledger| {
        use_nonce(ledger, 0, 2, 1, 1)
    }),
    ("another key", false, |ledger| use_nonce(ledger, 1, 1, 1, 1)),
    ("another frame", false, |ledger| {
        use_nonce(ledger, 0, 1, 2, 1)
    }),
    ("another sequence", false, |ledger| {
        use_nonce(ledger, 0, 1, 1, 2)
    }),
    ("a window that slid", false, |ledger| {
        use_nonce(ledger, 0, 5_000, 1, 1)
    }),
    ("a withdrawal", true, |ledger| {
        ledger.withdraw(account(0), asset(1), atoms(5)).unwrap();
    }),
    ("a deposit", true, |ledger| {
        ledger.deposit(account(0), asset(1), atoms(5)).unwrap();
    }),
    ("an account that was opened", true, |ledger| {
        ledger.open_account([7; 20]).unwrap();
    }),
    ("a sub-account", true, |ledger| {
        ledger.open_sub_account(account(0)).unwrap();
    }),
    ("an entry of the inbox", true, |ledger| {
        ledger.consume(&deposit(0)).unwrap();
    }),
    ("the nonce of an action", false, |ledger| {
        ledger.use_action_nonce([7; 20], 1)
    }),
    ("another nonce of an action", false, |ledger| {
        ledger.use_action_nonce([7; 20], 2)
    }),
    ("an agent", false, |ledger| {
        approve(ledger, *b"a name of length")
    }),
    ("another name of it", false, |ledger| {
        approve(ledger, *b"another, as long")
    }),
];

fn approve(ledger: &mut Ledger, name: AgentName) {
    let grant = KeyGrant {
        scope: KeyScope::Trade,
        ..KeyGrant::OWNER
    };
    let agent = PublicKey::of_agent(&[9; 20]);
    let key = ledger.register_key(account(0), agent, &grant).unwrap();
    assert_eq!(ledger.name_agent(account(0), name, key), None);
}

fn settle_one_lot(ledger: &mut Ledger, rates: (i32, i32)) {
    let trade = Trade {
        taker_side: Side::Bid,
        price: Ticks::new(1),
        quantity: BaseLots::new(1),
        maker: account(0),
        taker: account(1),
    };
    ledger.settle(&market(0, 1, (1, 1), rates), &trade);
}

fn use_nonce(ledger: &mut Ledger, key: u32, nonce: u64, byte: u8, sequence: u64) {
    let digest = Digest::new([byte; 32]);
    let sequence = SequenceNumber::new(sequence);
    ledger.use_nonce(KeyId::new(key), Nonce::new(nonce), &digest, sequence);
}

#[test]
fn roots_see_what_exits_need_and_hashes_see_everything() {
    let start = || {
        let mut ledger = Ledger::from_genesis(&development());
        ledger.hold(account(0), asset(0), atoms(10)).unwrap();
        ledger
    };
    let mut hashes = vec![start().state_hash()];
    let mut roots = vec![start().state_root()];
    for (name, in_root, change) in CHANGES {
        let mut ledger = start();
        change(&mut ledger);
        assert!(!hashes.contains(&ledger.state_hash()), "{name}");
        hashes.push(ledger.state_hash());
        assert_eq!(!roots.contains(&ledger.state_root()), *in_root, "{name}");
        roots.push(ledger.state_root());
    }
}

#[test]
fn roots_and_hashes_see_the_genesis() {
    let development = development();
    let variant = |change: fn(&mut Vec<types::genesis::GenesisAccount>)| {
        let mut accounts = development.accounts().to_vec();
        change(&mut accounts);
        let (assets, markets) = (
            development.assets().to_vec(),
            development.markets().to_vec(),
        );
        let genesis = Genesis::new(NetworkId::DEVELOPMENT, assets, markets, accounts).unwrap();
        Ledger::from_genesis(&genesis)
    };
    let same = variant(|_| ());
    assert_eq!(
        same.state_root(),
        Ledger::from_genesis(&development).state_root()
    );
    for (in_root, changed) in [
        (true, variant(|accounts| accounts[63].owner[19] ^= 1)),
        (
            true,
            variant(|accounts| accounts[63].balances[2].1 += atoms(1)),
        ),
        (true, variant(|accounts| accounts[63].balances.truncate(2))),
        (true, variant(|accounts| drop(accounts.pop()))),
        (true, variant(|accounts| accounts.swap(0, 1))),
        (
            false,
            variant(|accounts| accounts[5].group = GroupId::new(6)),
        ),
        (
            false,
            variant(|accounts| accounts[5].keys[0] = PublicKey::new([9; 32])),
        ),
        (
            false,
            variant(|accounts| accounts[5].keys.push(PublicKey::new([9; 32]))),
        ),
    ] {
        assert_eq!(changed.state_root() != same.state_root(), in_root);
        assert_ne!(changed.state_hash(), same.state_hash());
    }
}
