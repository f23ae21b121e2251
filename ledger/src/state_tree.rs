//! The state tree with its nodes kept between roots: what changed is hashed again, nothing else.
//!
//! Ordinary accounts are numbered densely from zero, so their nodes lie in one list per height, and
//! everything to the right of them is empty but for the two leaves of the system at the very end.
//! [`tree`](crate::tree) says the same over any set of leaves, from scratch, and is the oracle.

use types::AccountId;
use types::outcome::Digest;

use crate::Ledger;
use crate::tree::{Claim, DEPTH, EMPTY_LEAF, Proof, empty_subtree, leaf_hash, node_hash};

/// All nodes over the accounts of a ledger, as of the last update.
#[derive(Clone, Debug)]
pub struct StateTree {
    /// By height, up to the first with a single node; each from the left, without gaps.
    layers: Vec<Vec<Digest>>,
    system: SystemLeaves,
    /// Scratch: the record being hashed, and the nodes of one height that have changed.
    record: Vec<u8>,
    changed: Vec<u32>,
}

/// The leaves of the system's accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemLeaves {
    /// Of [`AccountId::DUST`].
    pub dust: Digest,
    /// Of [`AccountId::FEES`].
    pub fees: Digest,
    /// Of [`AccountId::INBOX`]; empty before anything was consumed.
    pub inbox: Digest,
}

impl StateTree {
    /// Hashes all accounts of a ledger.
    pub fn new(ledger: &Ledger) -> Self {
        let none = SystemLeaves {
            dust: EMPTY_LEAF,
            fees: EMPTY_LEAF,
            inbox: EMPTY_LEAF,
        };
        let mut tree = Self {
            layers: vec![Vec::new()],
            system: none,
            record: Vec::new(),
            changed: Vec::new(),
        };
        tree.update(ledger, []);
        tree
    }

    /// Hashes these accounts again, those that were opened, and the system's. Every account that has
    /// changed since the last update must be among them; in which order, and how often, does not matter.
    pub fn update(&mut self, ledger: &Ledger, changed: impl IntoIterator<Item = AccountId>) {
        let known = self.layers[0].len() as u32;
        self.grow(ledger.account_count() as usize);
        let opened = (known..ledger.account_count()).map(AccountId::new);
        let mut nodes = std::mem::take(&mut self.changed);
        nodes.clear();
        let ordinary = changed
            .into_iter()
            .chain(opened)
            .filter(|account| ledger.contains(*account));
        nodes.extend(ordinary.map(AccountId::get));
        nodes.sort_unstable();
        nodes.dedup();
        for index in &nodes {
            self.layers[0][*index as usize] = self.leaf(ledger, AccountId::new(*index));
        }
        for height in 1..self.layers.len() {
            nodes.iter_mut().for_each(|index| *index /= 2);
            nodes.dedup();
            let (below, here) = self.layers.split_at_mut(height);
            let (below, here) = (&below[height - 1], &mut here[0]);
            for index in &nodes {
                let left = *index as usize * 2;
                let empty = empty_subtree(height - 1);
                let right = below.get(left + 1).unwrap_or(&empty);
                here[*index as usize] = node_hash(&below[left], right);
            }
        }
        self.changed = nodes;
        self.system = SystemLeaves {
            dust: self.leaf(ledger, AccountId::DUST),
            fees: self.leaf(ledger, AccountId::FEES),
            inbox: match ledger.edge().inbox().count {
                0 => EMPTY_LEAF,
                _ => self.leaf(ledger, AccountId::INBOX),
            },
        };
    }

    /// Makes room for so many accounts, whose nodes are hashed by whoever calls.
    fn grow(&mut self, accounts: usize) {
        self.layers[0].resize(accounts, EMPTY_LEAF);
        let mut height = 1;
        while self.layers[height - 1].len() > 1 {
            let length = self.layers[height - 1].len().div_ceil(2);
            match self.layers.get_mut(height) {
                Some(layer) => layer.resize(length, empty_subtree(height)),
                None => self.layers.push(vec![empty_subtree(height); length]),
            }
            height += 1;
        }
    }

    /// The state root as of the last update.
    pub fn root(&self) -> Digest {
        self.nodes().root()
    }

    /// The siblings of the nodes on the way from an account's leaf to the root.
    pub fn siblings(&self, account: AccountId) -> [Digest; DEPTH] {
        self.nodes().siblings(account)
    }

    /// The layers from this height on up to the first with a single node, one after the other.
    pub(crate) fn nodes_from(&self, height: usize) -> Vec<[u8; 32]> {
        if self.layers.len() <= height {
            return vec![*self.nodes().at(height, 0).as_bytes()];
        }
        let layers = self.layers[height..].iter().flatten();
        layers.map(|node| *node.as_bytes()).collect()
    }

    fn nodes(&self) -> Nodes<impl Fn(usize, u32) -> Digest> {
        Nodes {
            top: self.layers.len() - 1,
            system: self.system,
            node: |height: usize, index: u32| {
                let node = self.layers[height].get(index as usize);
                node.copied().unwrap_or(empty_subtree(height))
            },
        }
    }

    fn leaf(&mut self, ledger: &Ledger, account: AccountId) -> Digest {
        self.record.clear();
        ledger.encode_leaf(account, &mut self.record);
        leaf_hash(&self.record)
    }
}

/// A tree over densely numbered accounts, wherever its nodes lie.
pub(crate) struct Nodes<N> {
    /// The height at which one node stands for all ordinary accounts.
    pub(crate) top: usize,
    pub(crate) system: SystemLeaves,
    /// The node at a height up to `top`; empty beyond the accounts.
    pub(crate) node: N,
}

impl<N: Fn(usize, u32) -> Digest> Nodes<N> {
    pub(crate) fn root(&self) -> Digest {
        node_hash(&self.left(DEPTH - 1), &self.right(DEPTH - 1))
    }

    pub(crate) fn siblings(&self, account: AccountId) -> [Digest; DEPTH] {
        std::array::from_fn(|height| self.at(height, account.get() >> height ^ 1))
    }

    /// Any node of the tree.
    fn at(&self, height: usize, index: u32) -> Digest {
        let is_last = index == u32::MAX >> height;
        match index {
            _ if height == 0 && index == AccountId::DUST.get() => self.system.dust,
            _ if height == 0 && index == AccountId::INBOX.get() => self.system.inbox,
            _ if height == 1 && index == AccountId::INBOX.get() >> 1 => self.over_inbox(),
            _ if height == 0 && is_last => self.system.fees,
            _ if is_last => self.right(height),
            0 if self.top <= height => self.left(height),
            _ if height <= self.top => (self.node)(height, index),
            _ => empty_subtree(height),
        }
    }

    /// The leftmost node, which has all ordinary accounts below it.
    fn left(&self, height: usize) -> Digest {
        let top = (self.node)(self.top, 0);
        (self.top..height).fold(top, |node, height| node_hash(&node, &empty_subtree(height)))
    }

    /// The rightmost node above the leaves, which has the system's accounts below it.
    fn right(&self, height: usize) -> Digest {
        let pair = node_hash(&self.system.dust, &self.system.fees);
        (1..height).fold(pair, |node, height| match height {
            1 => node_hash(&self.over_inbox(), &node),
            _ => node_hash(&empty_subtree(height), &node),
        })
    }

    /// The node over the inbox, whose neighbor is nobody.
    fn over_inbox(&self) -> Digest {
        node_hash(&EMPTY_LEAF, &self.system.inbox)
    }
}

impl Ledger {
    /// Proves what the root of this tree says about an account: its record, or that it does not
    /// exist. The tree must be up to date with this ledger.
    pub fn prove(&self, tree: &StateTree, account: AccountId) -> Proof {
        Proof {
            claim: self.claim(account),
            siblings: tree.siblings(account),
        }
    }

    fn claim(&self, account: AccountId) -> Claim {
        self.edge().claim(account, self.account_record(account))
    }
}
