//! The state tree: a root that commits to every balance, and proofs of single accounts.
//!
//! Fixed depth 32, indexed by account id, SHA-256 throughout. A leaf is the hash of the canonical
//! record ([`crate::encoding`]), a node the hash of its two children, left first; where no account
//! exists the leaf is 32 zero bytes, and whole empty subtrees are constants. The specification with
//! test vectors is `docs/STATE_TREE.md`.
//!
//! [`root`] and [`Layers`] work on a sorted list of the nodes that exist at one height and raise
//! that list to the next: from scratch, over any leaves. A node that needs a root every second keeps
//! a [`StateTree`](crate::StateTree) instead.

use std::sync::LazyLock;

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

use types::AccountId;
use types::inbox::InboxPosition;
use types::outcome::Digest;

use crate::Ledger;
use crate::encoding::{AccountRecord, encode_inbox};

/// Nodes between a leaf and the root.
pub const DEPTH: usize = 32;

/// The leaf where no account exists. No record hashes to it.
pub const EMPTY_LEAF: Digest = Digest::ZERO;

/// The root of an empty subtree, by height; leaves have height 0.
pub fn empty_subtree(height: usize) -> Digest {
    EMPTY_SUBTREES[height]
}

/// The hash of a canonical account record.
pub fn leaf_hash(record: &[u8]) -> Digest {
    Digest::new(Sha256::digest(record).into())
}

/// The root over leaves given by strictly ascending index; all others are empty.
pub fn root(leaves: Vec<(u32, Digest)>) -> Digest {
    let mut nodes = leaves;
    for height in 0..DEPTH {
        raise(&mut nodes, height);
    }
    top(&nodes)
}

/// All nodes over a set of leaves, for proofs of many of them: 36 bytes for each, some twice as many as
/// there are leaves.
#[derive(Clone, Debug)]
pub struct Layers {
    /// By height, leaves first; each by ascending index.
    layers: Vec<Vec<(u32, Digest)>>,
}

impl Layers {
    /// Over leaves given by strictly ascending index; all others are empty.
    pub fn new(leaves: Vec<(u32, Digest)>) -> Self {
        let mut layers = vec![leaves];
        for height in 0..DEPTH {
            let mut nodes = layers[height].clone();
            raise(&mut nodes, height);
            layers.push(nodes);
        }
        Self { layers }
    }

    /// The root.
    pub fn root(&self) -> Digest {
        top(&self.layers[DEPTH])
    }

    /// The siblings of the nodes on the way from the leaf at `index` to the root.
    pub fn siblings(&self, index: u32) -> [Digest; DEPTH] {
        std::array::from_fn(|height| {
            let sibling = index >> height ^ 1;
            let nodes = &self.layers[height];
            let position = nodes.binary_search_by_key(&sibling, |(index, _)| *index);
            position.map_or(empty_subtree(height), |position| nodes[position].1)
        })
    }
}

/// What a root says about one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What is proven.
    pub claim: Claim,
    /// The siblings of the nodes on the way from the leaf to the root.
    pub siblings: [Digest; DEPTH],
}

/// What may be proven of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It exists, and this is its record.
    Has(AccountRecord),
    /// It does not exist.
    Absent(AccountId),
    /// Of [`AccountId::INBOX`]: so much was consumed.
    Inbox(InboxPosition),
}

impl Claim {
    /// Of which account.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Has(record) => record.account,
            Self::Absent(account) => *account,
            Self::Inbox(_) => AccountId::INBOX,
        }
    }

    /// The bytes that its leaf hashes, if there is a leaf.
    pub fn record(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::Has(record) => record.encode(&mut bytes),
            Self::Inbox(inbox) => encode_inbox(inbox, &mut bytes),
            Self::Absent(_) => return None,
        }
        Some(bytes)
    }

    /// The leaf that stands for it.
    pub fn leaf(&self) -> Digest {
        let record = self.record();
        record.map_or(EMPTY_LEAF, |bytes| leaf_hash(&bytes))
    }
}

impl Proof {
    /// Whether the claim holds under `root`.
    pub fn verify(&self, root: &Digest) -> bool {
        self.root() == *root
    }

    /// The root that this proof leads to.
    pub fn root(&self) -> Digest {
        let leaf = (self.claim.account().get(), self.claim.leaf());
        let (_, root) = self.siblings.iter().fold(leaf, |(index, node), sibling| {
            let parent = match index % 2 {
                0 => node_hash(&node, sibling),
                _ => node_hash(sibling, &node),
            };
            (index / 2, parent)
        });
        root
    }
}

impl Ledger {
    /// The root of the state tree, computed from scratch.
    pub fn state_root(&self) -> Digest {
        let mut record = Vec::new();
        let leaf = |account: AccountId| {
            record.clear();
            self.encode_leaf(account, &mut record);
            (account.get(), leaf_hash(&record))
        };
        root(self.leaf_accounts().map(leaf).collect())
    }
}

/// Replaces the nodes of one height by their parents.
fn raise(nodes: &mut Vec<(u32, Digest)>, height: usize) {
    let empty = empty_subtree(height);
    let mut parents = 0;
    let mut next = 0;
    while next < nodes.len() {
        let (index, node) = nodes[next];
        next += 1;
        let parent = if index % 2 == 1 {
            node_hash(&empty, &node)
        } else {
            match nodes.get(next) {
                Some((neighbor, right)) if *neighbor == index + 1 => {
                    next += 1;
                    node_hash(&node, right)
                }
                _ => node_hash(&node, &empty),
            }
        };
        nodes[parents] = (index / 2, parent);
        parents += 1;
    }
    nodes.truncate(parents);
}

fn top(nodes: &[(u32, Digest)]) -> Digest {
    assert!(nodes.len() <= 1, "the indexes of the leaves ascend");
    nodes
        .first()
        .map_or(empty_subtree(DEPTH), |(_, root)| *root)
}

/// The hash of a node over its children.
pub(crate) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut children = [0; 64];
    children[..32].copy_from_slice(left.as_bytes());
    children[32..].copy_from_slice(right.as_bytes());
    // SHA-256 of 64 bytes is this block and one that never changes, without any buffering.
    let mut words = INITIAL;
    compress256(&mut words, &[children, PADDING_OF_64]);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Digest::new(digest)
}

/// What SHA-256 starts from (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// What follows a message of 64 bytes: one bit, zeros, and its length in bits.
const PADDING_OF_64: [u8; 64] = {
    let mut block = [0; 64];
    block[0] = 0x80;
    block[62] = 2;
    block
};

static EMPTY_SUBTREES: LazyLock<[Digest; DEPTH + 1]> = LazyLock::new(|| {
    let mut subtrees = [EMPTY_LEAF; DEPTH + 1];
    for height in 0..DEPTH {
        subtrees[height + 1] = node_hash(&subtrees[height], &subtrees[height]);
    }
    subtrees
});
