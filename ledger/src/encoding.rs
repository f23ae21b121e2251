//! The canonical account record: the bytes that a leaf of the state tree hashes.
//!
//! It is made for the contract that will check it. All integers are big-endian and every field
//! lies in whole 32-byte words, so Solidity builds the same bytes with one `abi.encodePacked` over
//! words it already has, and one leaf holds all that an exit needs. The specification with
//! test vectors is `docs/STATE_TREE.md`; a change here is a protocol change.

use types::genesis::OwnerAddress;
use types::inbox::InboxPosition;
use types::{AccountId, AssetId, Atoms};

use crate::Ledger;

/// The first bytes of every record: what it is and in which version.
pub const RECORD_TAG: [u8; 8] = *b"keelacc1";

/// The first bytes of the record of [`AccountId::INBOX`].
pub const INBOX_TAG: [u8; 8] = *b"keelinb1";

/// The owner of the system's accounts: nobody.
pub(crate) const NOBODY: OwnerAddress = [0; 20];

/// What the state tree says about one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// Which account; also the index of the leaf.
    pub account: AccountId,
    /// Who may withdraw; zero for the system's accounts.
    pub owner: OwnerAddress,
    /// By ascending asset, only where something is not zero.
    pub balances: Vec<(AssetId, Holding)>,
}

/// What an account has of an asset, and what it has taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// May be spent.
    pub free: Atoms,
    /// Is locked behind open orders.
    pub held: Atoms,
    /// Was withdrawn, in all: the owner claims it on the chain.
    pub withdrawn: Atoms,
}

impl AccountRecord {
    /// Appends the canonical bytes: one word of tag, account and owner, then two words per balance,
    /// first asset and free (128 bits each), then withdrawn and held. So the length is 32 modulo 64, and never
    /// the 64 bytes of an inner node.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        encode_account(
            self.account,
            &self.owner,
            self.balances.iter().copied(),
            bytes,
        );
    }

    /// Reads a record; `None` unless these are the canonical bytes of one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, words) = bytes.split_first_chunk::<32>()?;
        let (pairs, rest) = words.as_chunks::<64>();
        let (tag, head) = head.split_first_chunk::<8>()?;
        let (account, owner) = head.split_first_chunk::<4>()?;
        let record = Self {
            account: AccountId::new(u32::from_be_bytes(*account)),
            owner: owner.try_into().ok()?,
            balances: pairs.iter().map(decode_balance).collect::<Option<_>>()?,
        };
        let mut canonical = Vec::new();
        record.encode(&mut canonical);
        let ids = record.balances.iter().map(|(asset, _)| asset);
        let is_sorted = ids.is_sorted_by(|a, b| a < b);
        let is_canonical = *tag == RECORD_TAG && rest.is_empty() && canonical == bytes;
        (is_canonical && is_sorted).then_some(record)
    }
}

/// Asset, free, withdrawn and held; something of it is not zero.
fn decode_balance(words: &[u8; 64]) -> Option<(AssetId, Holding)> {
    let (numbers, _) = words.as_chunks::<16>();
    let [asset, free, withdrawn, held] = *numbers else {
        return None;
    };
    let asset = u16::try_from(u128::from_be_bytes(asset)).ok()?;
    let amount = |bytes| Atoms::new(u128::from_be_bytes(bytes));
    let holding = Holding {
        free: amount(free),
        held: amount(held),
        withdrawn: amount(withdrawn),
    };
    (holding != Holding::default()).then_some((AssetId::new(asset), holding))
}

/// The record of [`AccountId::INBOX`], 72 bytes: tag, account u32, 20 zero bytes, how many entries were
/// consumed u64, and the running hash after them (32), big-endian.
pub fn encode_inbox(inbox: &InboxPosition, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&INBOX_TAG);
    bytes.extend_from_slice(&AccountId::INBOX.get().to_be_bytes());
    bytes.extend_from_slice(&NOBODY);
    bytes.extend_from_slice(&inbox.count.to_be_bytes());
    bytes.extend_from_slice(&inbox.hash);
}

/// Reads the record of the inbox; `None` unless these are the canonical bytes of one that is not empty.
pub fn decode_inbox(bytes: &[u8]) -> Option<InboxPosition> {
    let (count, hash) = bytes.get(32..)?.split_first_chunk::<8>()?;
    let inbox = InboxPosition {
        count: u64::from_be_bytes(*count),
        hash: hash.try_into().ok()?,
    };
    let mut canonical = Vec::new();
    encode_inbox(&inbox, &mut canonical);
    (canonical == bytes && inbox.count > 0).then_some(inbox)
}

pub(crate) fn encode_account(
    account: AccountId,
    owner: &OwnerAddress,
    balances: impl Iterator<Item = (AssetId, Holding)>,
    bytes: &mut Vec<u8>,
) {
    bytes.extend_from_slice(&RECORD_TAG);
    bytes.extend_from_slice(&account.get().to_be_bytes());
    bytes.extend_from_slice(owner);
    for (asset, balance) in balances {
        bytes.extend_from_slice(&u128::from(asset.get()).to_be_bytes());
        bytes.extend_from_slice(&balance.free.get().to_be_bytes());
        bytes.extend_from_slice(&balance.withdrawn.get().to_be_bytes());
        bytes.extend_from_slice(&balance.held.get().to_be_bytes());
    }
}

impl Ledger {
    /// What the state tree says about this account, if it exists. The system's accounts do.
    pub fn account_record(&self, account: AccountId) -> Option<AccountRecord> {
        self.has_leaf(account).then(|| AccountRecord {
            account,
            owner: self.leaf_owner(account),
            balances: self.leaf_balances(account).collect(),
        })
    }

    /// All that have a leaf, in order: the ordinary accounts, then the system's.
    pub(crate) fn leaf_accounts(&self) -> impl Iterator<Item = AccountId> {
        let inbox = (self.edge().inbox().count > 0).then_some(AccountId::INBOX);
        let system = [AccountId::DUST, AccountId::FEES];
        self.account_ids().chain(inbox).chain(system)
    }

    /// Appends the record of a leaf, without building it first.
    pub(crate) fn encode_leaf(&self, account: AccountId, bytes: &mut Vec<u8>) {
        if account == AccountId::INBOX {
            return encode_inbox(self.edge().inbox(), bytes);
        }
        let owner = self.leaf_owner(account);
        encode_account(account, &owner, self.leaf_balances(account), bytes);
    }

    fn has_leaf(&self, account: AccountId) -> bool {
        self.contains(account) || is_system(account)
    }

    fn leaf_owner(&self, account: AccountId) -> OwnerAddress {
        if is_system(account) {
            NOBODY
        } else {
            self.owner(account)
        }
    }

    fn leaf_balances(&self, account: AccountId) -> impl Iterator<Item = (AssetId, Holding)> {
        let holding = move |asset| {
            let balance = self.balance(account, asset);
            (asset, self.edge().holding(account, asset, balance))
        };
        let holdings = self.assets().map(holding);
        holdings.filter(|(_, holding)| *holding != Holding::default())
    }
}

fn is_system(account: AccountId) -> bool {
    account == AccountId::FEES || account == AccountId::DUST
}
