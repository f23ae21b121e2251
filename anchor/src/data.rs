//! What a checkpoint leaves on the chain in `rollup` mode: the records of accounts that changed since
//! the checkpoint before, and a share of the others in turn, so that after so many checkpoints every
//! record has been written again.
//!
//! `docs/ROLLUP_DATA.md` has the bytes. A record here holds what that of the state tree does, in a
//! quarter of the room.

use ledger::encoding::{AccountRecord, Holding};
use types::inbox::InboxPosition;
use types::limits::ACCOUNTS_MAX;
use types::{AccountId, AssetId, Atoms};
use unsigned_varint::{decode, encode};

use crate::snapshot::Snapshot;

/// The first bytes: what it is and in which version.
const TAG: [u8; 8] = *b"keeldat1";
/// Those of the system, which every checkpoint writes.
const SYSTEM: [AccountId; 2] = [AccountId::DUST, AccountId::FEES];

/// The data of one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateData {
    /// Of the ledger's total order.
    pub sequence: u64,
    /// What of the chain's inbox the ledger has consumed.
    pub inbox: InboxPosition,
    /// How many ordinary accounts there are.
    pub accounts: u32,
    /// By ascending account; those of the system are last, and always among them.
    pub records: Vec<AccountRecord>,
}

/// Which accounts are written although nothing of them has changed: those whose number leaves
/// `checkpoint`, divided by `checkpoints`, the same remainder.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The checkpoint's index.
    pub checkpoint: u64,
    /// After so many all have been written; not zero.
    pub checkpoints: u64,
}

impl Turn {
    fn has(self, account: u32) -> bool {
        u64::from(account) % self.checkpoints == self.checkpoint % self.checkpoints
    }
}

impl StateData {
    /// What there is to write of a state; of all accounts if the state before it is not known.
    pub fn since(before: Option<&Snapshot<'_>>, now: &Snapshot<'_>, turn: Turn) -> Self {
        let ordinary = (0..now.accounts()).map(AccountId::new).filter(|account| {
            let is_same = before.is_some_and(|it| it.record(*account) == now.record(*account));
            !is_same || turn.has(account.get())
        });
        Self {
            sequence: now.sequence,
            inbox: *now.consumed(),
            accounts: now.accounts(),
            records: ordinary
                .chain(SYSTEM)
                .filter_map(|account| now.record(account))
                .collect(),
        }
    }

    /// The bytes; all fixed integers are big-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = TAG.to_vec();
        // The length, once it is known.
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.inbox.count.to_be_bytes());
        bytes.extend_from_slice(&self.inbox.hash);
        bytes.extend_from_slice(&self.accounts.to_be_bytes());
        bytes.extend_from_slice(&(self.records.len() as u32).to_be_bytes());
        let mut next = 0;
        for record in &self.records {
            put(&mut bytes, u128::from(record.account.get() - next));
            next = record.account.get().wrapping_add(1);
            bytes.extend_from_slice(&record.owner);
            put(&mut bytes, record.balances.len() as u128);
            for (asset, it) in &record.balances {
                put(&mut bytes, u128::from(asset.get()));
                for amount in [it.free, it.held, it.withdrawn] {
                    put(&mut bytes, amount.get());
                }
            }
        }
        let length = bytes.len() as u64;
        bytes[8..16].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    /// Reads what [`StateData::encode`] wrote, with zeros behind it; says what is wrong with it. Bytes
    /// from the chain may be anything.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader(bytes);
        if reader.array()? != TAG {
            return Err("it does not begin with keeldat1");
        }
        let length = usize::try_from(u64::from_be_bytes(reader.array()?));
        let length = length.map_err(|_| "it is longer than memory")?;
        let (bytes, padding) = bytes.split_at_checked(length).ok_or(CUT_SHORT)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err("something follows it");
        }
        reader.0 = bytes.get(16..).ok_or(CUT_SHORT)?;
        let sequence = u64::from_be_bytes(reader.array()?);
        let inbox = InboxPosition {
            count: u64::from_be_bytes(reader.array()?),
            hash: reader.array()?,
        };
        let accounts = u32::from_be_bytes(reader.array()?);
        if ACCOUNTS_MAX < accounts as usize {
            return Err("it has more accounts than a ledger can have");
        }
        let count = u32::from_be_bytes(reader.array()?);
        let mut records = Vec::new();
        let mut next = Some(0);
        for _ in 0..count {
            let record = reader.record(next.ok_or(NOT_ASCENDING)?)?;
            next = record.account.get().checked_add(1);
            let is_ordinary = record.account.get() < accounts;
            if !is_ordinary && !SYSTEM.contains(&record.account) {
                return Err("an account does not exist");
            }
            records.push(record);
        }
        if !reader.0.is_empty() {
            return Err("something follows its last record");
        }
        Ok(Self {
            sequence,
            inbox,
            accounts,
            records,
        })
    }
}

const CUT_SHORT: &str = "it is cut short";
const NOT_ASCENDING: &str = "its accounts do not ascend";

fn put(bytes: &mut Vec<u8>, number: u128) {
    bytes.extend_from_slice(encode::u128(number, &mut encode::u128_buffer()));
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (array, rest) = self.0.split_first_chunk().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*array)
    }

    fn number(&mut self) -> Result<u128, &'static str> {
        let (number, rest) = decode::u128(self.0).map_err(|_| "a number is not well-formed")?;
        self.0 = rest;
        Ok(number)
    }

    fn record(&mut self, first: u32) -> Result<AccountRecord, &'static str> {
        let skipped = u32::try_from(self.number()?).ok();
        let account = skipped.and_then(|skipped| first.checked_add(skipped));
        let account = AccountId::new(account.ok_or(NOT_ASCENDING)?);
        let owner = self.array()?;
        let mut balances: Vec<(AssetId, Holding)> = Vec::new();
        for _ in 0..self.number()? {
            let asset = u16::try_from(self.number()?).map_err(|_| "an asset does not exist")?;
            let mut amount = || self.number().map(Atoms::new);
            let holding = Holding {
                free: amount()?,
                held: amount()?,
                withdrawn: amount()?,
            };
            let asset = AssetId::new(asset);
            if balances.last().is_some_and(|(last, _)| asset <= *last) {
                return Err("its assets do not ascend");
            }
            balances.push((asset, holding));
        }
        Ok(AccountRecord {
            account,
            owner,
            balances,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{B256, hex};

    use super::*;
    use crate::contract::{bound_commitment, posted_hash};

    fn record(account: u32, balances: &[(u16, [u128; 3])]) -> AccountRecord {
        let holding = |[free, held, withdrawn]: [u128; 3]| Holding {
            free: Atoms::new(free),
            held: Atoms::new(held),
            withdrawn: Atoms::new(withdrawn),
        };
        AccountRecord {
            account: AccountId::new(account),
            owner: [account as u8; 20],
            balances: balances
                .iter()
                .map(|(asset, amounts)| (AssetId::new(*asset), holding(*amounts)))
                .collect(),
        }
    }

    fn data() -> StateData {
        StateData {
            sequence: 1 << 40,
            inbox: InboxPosition {
                count: 3,
                hash: [9; 32],
            },
            accounts: 1_000,
            records: vec![
                record(0, &[]),
                record(1, &[(0, [1, 0, 0]), (255, [127, 128, u128::MAX >> 33])]),
                record(999, &[(7, [0, 0, 5])]),
                record(u32::MAX - 1, &[(0, [3, 0, 0])]),
                record(u32::MAX, &[]),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_with_the_zeros_of_a_blob_behind_it() {
        let bytes = data().encode();
        assert_eq!(StateData::decode(&bytes), Ok(data()));
        let padded = [&bytes[..], &[0; 100]].concat();
        assert_eq!(StateData::decode(&padded), Ok(data()));
        let followed = [&bytes[..], &[1]].concat();
        assert!(StateData::decode(&followed).is_err());
    }

    #[test]
    fn nothing_else_is_read_as_the_same() {
        let bytes = data().encode();
        for length in 0..bytes.len() {
            assert!(StateData::decode(&bytes[..length]).is_err(), "{length}");
        }
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(StateData::decode(&changed), Ok(data()), "bit {bit}");
        }
    }

    #[test]
    fn records_must_be_of_accounts_that_exist_and_ascend() {
        let refused = |change: fn(&mut StateData)| {
            let mut data = data();
            change(&mut data);
            StateData::decode(&data.encode()).unwrap_err()
        };
        assert_eq!(refused(|it| it.accounts = 999), "an account does not exist");
        let too_many = refused(|it| it.accounts = u32::MAX);
        assert_eq!(too_many, "it has more accounts than a ledger can have");
        let twice = refused(|it| it.records[1].balances[1].0 = AssetId::new(0));
        assert_eq!(twice, "its assets do not ascend");
        // Behind the last number there is none.
        let mut bytes = data().encode();
        let count = u32::from_be_bytes(bytes[68..72].try_into().unwrap());
        bytes[68..72].copy_from_slice(&(count + 1).to_be_bytes());
        assert_eq!(StateData::decode(&bytes), Err(NOT_ASCENDING));
    }

    #[test]
    fn the_vectors_of_the_specification_are_right() {
        let bytes = data().encode();
        let blob = crate::blobs::pack(&bytes)[0].hash;
        let posted = posted_hash(B256::ZERO, &[blob]);
        let bound = bound_commitment(B256::repeat_byte(7), posted);
        let page = include_str!("../../docs/ROLLUP_DATA.md");
        for line in [
            format!("data {}", hex::encode(&bytes)),
            format!("blob {}", hex::encode(blob)),
            format!("posted {}", hex::encode(posted)),
            format!("bound {}", hex::encode(bound)),
        ] {
            println!("{line}");
            assert!(page.lines().any(|it| it == line), "docs/ROLLUP_DATA.md");
        }
    }

    #[test]
    fn everybody_has_a_turn() {
        for account in [0, 1, 143, 144, 1_000_000] {
            let turns = (500..500 + 144).filter(|checkpoint| {
                let checkpoint = *checkpoint;
                let checkpoints = 144;
                let turn = Turn {
                    checkpoint,
                    checkpoints,
                };
                turn.has(account)
            });
            assert_eq!(turns.count(), 1, "{account}");
        }
    }
}
