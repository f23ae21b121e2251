//! The ledger as it lies in a checkpoint, and back.
//!
//! [`LedgerSnapshot`] borrows the two large tables as they are, so that writing one costs a copy of
//! memory and nothing per account. [`ArchivedLedgerSnapshot`] is what a mapped checkpoint is read
//! as, in place: balances and proofs come straight from it.
//!
//! All fields are public and plain: this is a file format (`docs/CHECKPOINT.md`). A change to any
//! type here is a new version of it, and the frozen fixtures say so.

use rkyv::with::InlineAsBox;
use rkyv::{Archive, Serialize};
use types::auth::PublicKey;
use types::genesis::OwnerAddress;
use types::limits::{ATOMS_MAX, NONCE_MAX, NONCE_WINDOW};
use types::outcome::Digest;
use types::planted::{Bug, is_planted};
use types::{AccountId, AssetId, Atoms, GroupId, KeyEpoch, KeyId, Nonce, SequenceNumber};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::cells::{AssetSums, Cells};
use crate::edge::{Addresses, Edge};
use crate::encoding::{AccountRecord, Holding, NOBODY, encode_account, encode_inbox};
use crate::keys::{Key, Keys};
use crate::ledger::Account;
use crate::nonce::NonceWindow;
use crate::signer::Signers;
use crate::state_tree::Nodes;
use crate::tree::{EMPTY_LEAF, Proof, empty_subtree, leaf_hash, node_hash};
use crate::{Balance, Ledger, StateTree, SystemLeaves};

/// Below this height the nodes of the state tree are not kept: 64 leaves are hashed in microseconds.
const LOWEST_NODES: usize = 6;

// The large tables are written as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));
const _: () = assert!(size_of::<Account>() == size_of::<AccountRow>());
const _: () = assert!(size_of::<Balance>() == size_of::<BalanceRow>());

/// A ledger, with the upper nodes of its state tree.
#[derive(Archive, Serialize, Debug)]
#[rkyv(attr(allow(missing_debug_implementations)))]
pub struct LedgerSnapshot<'a> {
    /// By asset.
    pub assets: Vec<AssetRow>,
    /// By account.
    #[rkyv(with = InlineAsBox)]
    pub accounts: &'a [AccountRow],
    /// By account and asset.
    #[rkyv(with = InlineAsBox)]
    pub balances: &'a [BalanceRow],
    /// The layers of the state tree over the ordinary accounts from height 6 up to the first with
    /// one node, each from the left; only one node if there are no more than 64 accounts.
    pub nodes: Vec<[u8; 32]>,
    /// By key.
    pub keys: Vec<KeyRow>,
    /// Of the keys that have used a nonce, by key.
    pub windows: Vec<WindowRow>,
    /// Of all windows, one after the other, by nonce.
    pub uses: Vec<UseRow>,
}

/// What exists once per asset, in atoms.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct AssetRow {
    /// Deposits less withdrawals.
    pub deposited: u128,
    /// Fees collected.
    pub fees: u128,
    /// What rounding collected.
    pub dust: u128,
}

/// One account.
#[derive(Archive, Serialize, Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
#[rkyv(derive(Debug))]
#[repr(C)]
pub struct AccountRow {
    /// Who may withdraw.
    pub owner: OwnerAddress,
    /// Whom it must not trade with.
    pub group: u32,
    /// How many orders are open.
    pub open_orders: u32,
}

/// What an account has of an asset, in atoms.
#[derive(Archive, Serialize, Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
#[rkyv(derive(Debug))]
#[repr(C)]
pub struct BalanceRow {
    /// May be spent.
    pub free: u128,
    /// Is locked behind open orders.
    pub held: u128,
}

/// One session key.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct KeyRow {
    /// Its public bytes.
    pub public: [u8; 32],
    /// Whose it is.
    pub account: u32,
    /// Its rotation.
    pub epoch: u32,
}

/// The nonces that one key has used.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct WindowRow {
    /// The lowest nonce that is still decided.
    pub base: u64,
    /// Which key.
    pub key: u32,
    /// How many of the uses are its own.
    pub uses: u32,
}

/// What a nonce was used for.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct UseRow {
    /// The nonce.
    pub nonce: u64,
    /// The first 8 bytes of the frame's digest.
    pub fingerprint: u64,
    /// The frame's first sequence number.
    pub first_sequence: u64,
}

/// What is wrong with a snapshot whose bytes are as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot contradicts itself: {0}")]
pub struct Contradiction(pub &'static str);

impl Contradiction {
    /// `Ok` if what must hold does.
    pub const fn unless(holds: bool, what: &'static str) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self(what)),
        }
    }
}

impl Ledger {
    /// The ledger as it lies in a checkpoint. The tree must be up to date with it.
    pub fn snapshot<'a>(&'a self, tree: &StateTree) -> LedgerSnapshot<'a> {
        let assets = self.cells.sums().iter().map(|sums| AssetRow {
            deposited: sums.deposited.get(),
            fees: sums.fees.get(),
            dust: sums.dust.get(),
        });
        let keys = self.keys.as_slice().iter().map(|key| KeyRow {
            public: *key.public.as_bytes(),
            account: key.account.get(),
            epoch: key.epoch.get(),
        });
        let mut uses = Vec::new();
        let nonces = self.nonces().filter(|_| !is_planted(Bug::NoncesMissing));
        let windows = nonces.map(|(key, _, window)| {
            let before = uses.len();
            uses.extend(window.uses().map(|(nonce, fingerprint, sequence)| UseRow {
                nonce: nonce.get(),
                fingerprint,
                first_sequence: sequence.get(),
            }));
            WindowRow {
                base: window.base().get(),
                key: key.get(),
                uses: u32::try_from(uses.len() - before).expect("a window is short"),
            }
        });
        let windows = windows.collect();
        LedgerSnapshot {
            assets: assets.collect(),
            accounts: <[AccountRow]>::ref_from_bytes(self.accounts.as_bytes())
                .expect("a row in memory is a row in a snapshot"),
            balances: <[BalanceRow]>::ref_from_bytes(self.cells.balances().as_bytes())
                .expect("a row in memory is a row in a snapshot"),
            nodes: tree.nodes_from(LOWEST_NODES),
            keys: keys.collect(),
            windows,
            uses,
        }
    }

    /// The tables of accounts and balances, as they lie in memory and in a snapshot.
    pub fn tables(&self) -> [&[u8]; 2] {
        [self.accounts.as_bytes(), self.cells.balances().as_bytes()]
    }

    /// An account's row of each.
    pub fn rows(&self, account: AccountId) -> [&[u8]; 2] {
        let row = &self.accounts[account.index()];
        [row.as_bytes(), self.cells.row(account).as_bytes()]
    }

    /// The ledger that a snapshot was made of, but for what is beside it in a checkpoint: see
    /// [`Ledger::restore_edge`], [`Ledger::restore_keys`] and what else is called so.
    pub fn restore(snapshot: &ArchivedLedgerSnapshot<'_>) -> Result<Self, Contradiction> {
        let accounts = snapshot.accounts.iter().map(|row| Account {
            owner: row.owner,
            group: GroupId::new(row.group.to_native()),
            open_orders: row.open_orders.to_native(),
        });
        let accounts: Vec<Account> = accounts.collect();
        let cells = restore_cells(snapshot, accounts.len())?;
        let keys = snapshot.keys.iter().map(|row| Key {
            account: AccountId::new(row.account.to_native()),
            public: PublicKey::new(row.public),
            epoch: KeyEpoch::new(row.epoch.to_native()),
        });
        let keys: Vec<Key> = keys.collect();
        let is_owned = |key: &Key| key.account.index() < accounts.len();
        Contradiction::unless(keys.iter().all(is_owned), "a key of no account")?;
        let windows = restore_windows(snapshot, keys.len())?;
        Ok(Self {
            addresses: Addresses::new(&accounts),
            edge: Edge::default(),
            signers: Signers::default(),
            accounts,
            cells,
            keys: Keys::new(keys),
            windows,
        })
    }
}

fn restore_cells(
    snapshot: &ArchivedLedgerSnapshot<'_>,
    accounts: usize,
) -> Result<Cells, Contradiction> {
    let assets = snapshot.assets.len();
    let is_whole = accounts.checked_mul(assets) == Some(snapshot.balances.len());
    Contradiction::unless(is_whole, "a balance for every account and asset")?;
    let mut sums = Vec::with_capacity(assets);
    for row in snapshot.assets.iter() {
        let (deposited, fees, dust) = (row.deposited.into(), row.fees.into(), row.dust.into());
        let is_bounded = [deposited, fees, dust].iter().all(|sum| *sum <= ATOMS_MAX);
        Contradiction::unless(is_bounded, "the supply is bounded")?;
        sums.push(AssetSums {
            deposited: Atoms::new(deposited),
            observed: Atoms::new(fees + dust),
            fees: Atoms::new(fees),
            dust: Atoms::new(dust),
        });
    }
    let mut balances = Vec::with_capacity(snapshot.balances.len());
    for (index, row) in snapshot.balances.iter().enumerate() {
        let (free, held) = (row.free.to_native(), row.held.to_native());
        Contradiction::unless(free.max(held) <= ATOMS_MAX, "the supply is bounded")?;
        // At most 2^24 accounts of twice 2^95 atoms.
        sums[index % assets].observed += Atoms::new(free + held);
        let (free, held) = (Atoms::new(free), Atoms::new(held));
        balances.push(Balance { free, held });
    }
    let is_conserved = sums.iter().all(|sums| sums.observed == sums.deposited);
    Contradiction::unless(is_conserved, "balances are conserved")?;
    Ok(Cells::from_rows(balances, sums))
}

fn restore_windows(
    snapshot: &ArchivedLedgerSnapshot<'_>,
    keys: usize,
) -> Result<Vec<Option<NonceWindow>>, Contradiction> {
    let mut windows: Vec<Option<NonceWindow>> = vec![None; keys];
    let mut rest = snapshot.uses.as_slice();
    for row in snapshot.windows.iter() {
        let base = row.base.to_native();
        let count = row.uses.to_native() as usize;
        let key = KeyId::new(row.key.to_native());
        Contradiction::unless(count <= rest.len(), "every window has its uses")?;
        let (uses, after) = rest.split_at(count);
        rest = after;
        let slot = windows.get_mut(key.index());
        let slot = slot.ok_or(Contradiction("a window of no key"))?;
        Contradiction::unless(slot.is_none(), "one window per key")?;
        let mut window = NonceWindow::at(Nonce::new(base));
        for usage in uses {
            let nonce = usage.nonce.to_native();
            let is_within = base <= nonce && nonce <= NONCE_MAX && nonce - base < NONCE_WINDOW;
            Contradiction::unless(is_within, "a used nonce is in its window")?;
            let first_sequence = SequenceNumber::new(usage.first_sequence.to_native());
            window.restore(
                Nonce::new(nonce),
                usage.fingerprint.to_native(),
                first_sequence,
            );
        }
        *slot = Some(window);
    }
    Contradiction::unless(rest.is_empty(), "every use is some window's")?;
    Ok(windows)
}

impl ArchivedLedgerSnapshot<'_> {
    /// Proves what the snapshot's state root says about an account: its record, or that it does not
    /// exist. `edge` is what lies beside the snapshot in its checkpoint. Panics on a snapshot that
    /// contradicts itself; see [`ArchivedLedgerSnapshot::check`].
    pub fn prove(&self, edge: &Edge, account: AccountId) -> Proof {
        Proof {
            claim: edge.claim(account, self.record(edge, account)),
            siblings: self.nodes(edge).siblings(account),
        }
    }

    /// The state root, from the nodes that the snapshot keeps.
    pub fn state_root(&self, edge: &Edge) -> Digest {
        self.nodes(edge).root()
    }

    /// Whether the tables are as long as the number of accounts and assets says: what reading in
    /// place relies on. [`Ledger::restore`] checks this too, and everything else.
    pub fn check(&self) -> Result<(), Contradiction> {
        let (accounts, assets) = (self.accounts.len(), self.assets.len());
        let is_whole = accounts.checked_mul(assets) == Some(self.balances.len());
        Contradiction::unless(is_whole, "a balance for every account and asset")?;
        let nodes: usize = layer_lengths(accounts).iter().sum();
        Contradiction::unless(nodes == self.nodes.len(), "every node of the state tree")
    }

    /// What the state tree says about an account, if it exists.
    pub fn record(&self, edge: &Edge, account: AccountId) -> Option<AccountRecord> {
        let is_system = account == AccountId::FEES || account == AccountId::DUST;
        let owner = match self.accounts.get().get(account.index()) {
            Some(row) => row.owner,
            None if is_system => NOBODY,
            None => return None,
        };
        let balances = self.holdings_of(edge, account);
        Some(AccountRecord {
            account,
            owner,
            balances: balances.collect(),
        })
    }

    /// What an account has or had, by asset, where that is anything.
    fn holdings_of<'s>(
        &'s self,
        edge: &'s Edge,
        account: AccountId,
    ) -> impl Iterator<Item = (AssetId, Holding)> + 's {
        let assets = self.assets.len();
        let ids = (0..self.asset_count()).map(AssetId::new);
        ids.map(move |asset| {
            let (free, held) = match account {
                AccountId::FEES => (self.assets[asset.index()].fees.to_native(), 0),
                AccountId::DUST => (self.assets[asset.index()].dust.to_native(), 0),
                _ => {
                    let row = &self.balances[account.index() * assets + asset.index()];
                    (row.free.to_native(), row.held.to_native())
                }
            };
            let (free, held) = (Atoms::new(free), Atoms::new(held));
            (asset, edge.holding(account, asset, Balance { free, held }))
        })
        .filter(|(_, holding)| *holding != Holding::default())
    }

    fn asset_count(&self) -> u16 {
        u16::try_from(self.assets.len()).unwrap_or(u16::MAX)
    }

    fn nodes<'s>(&'s self, edge: &'s Edge) -> Nodes<impl Fn(usize, u32) -> Digest + 's> {
        let lengths = layer_lengths(self.accounts.len());
        let system = SystemLeaves {
            dust: self.leaf(edge, AccountId::DUST.get()),
            fees: self.leaf(edge, AccountId::FEES.get()),
            inbox: self.leaf(edge, AccountId::INBOX.get()),
        };
        Nodes {
            top: LOWEST_NODES + lengths.len() - 1,
            system,
            node: move |height, index| self.node(edge, &lengths, (height, index)),
        }
    }

    /// A node over ordinary accounts: a kept one, or hashed from the leaves below it.
    fn node(&self, edge: &Edge, lengths: &[usize], (height, index): (usize, u32)) -> Digest {
        if height < LOWEST_NODES {
            return self.low_node(edge, height, index);
        }
        let layer = height - LOWEST_NODES;
        if lengths[layer] <= index as usize {
            return empty_subtree(height);
        }
        let start: usize = lengths[..layer].iter().sum();
        Digest::new(self.nodes[start + index as usize])
    }

    fn low_node(&self, edge: &Edge, height: usize, index: u32) -> Digest {
        if height == 0 {
            return self.leaf(edge, index);
        }
        let [left, right] = [0, 1].map(|side| self.low_node(edge, height - 1, index * 2 + side));
        node_hash(&left, &right)
    }

    fn leaf(&self, edge: &Edge, index: u32) -> Digest {
        let account = AccountId::new(index);
        if account == AccountId::INBOX && edge.inbox().count > 0 {
            let mut bytes = Vec::new();
            encode_inbox(edge.inbox(), &mut bytes);
            return leaf_hash(&bytes);
        }
        let is_system = account == AccountId::FEES || account == AccountId::DUST;
        let owner = match self.accounts.get().get(account.index()) {
            Some(row) => row.owner,
            None if is_system => NOBODY,
            None => return EMPTY_LEAF,
        };
        let mut bytes = Vec::new();
        encode_account(account, &owner, self.holdings_of(edge, account), &mut bytes);
        leaf_hash(&bytes)
    }
}

/// How many nodes each layer has that a snapshot of so many accounts keeps.
fn layer_lengths(accounts: usize) -> Vec<usize> {
    let mut lengths = vec![accounts.div_ceil(1 << LOWEST_NODES).max(1)];
    while let Some(below) = lengths.last().copied()
        && below > 1
    {
        lengths.push(below.div_ceil(2));
    }
    lengths
}
