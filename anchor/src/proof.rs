//! A proof of the ledger in the form that the bridge takes it.

use alloy::primitives::{Address, B256, U256};
use ledger::encoding::AccountRecord;
use ledger::{Claim, Proof};

use crate::contract::Record;

/// What a claim shows: the record, its siblings, and what of the record it takes.
#[derive(Clone, Debug)]
pub struct ClaimProof {
    /// What the account has.
    pub record: Record,
    /// Leaf side first.
    pub siblings: [B256; 32],
}

impl ClaimProof {
    /// From a proof that the account exists; of one that does not there is nothing to claim.
    pub fn new(proof: &Proof) -> Option<Self> {
        let Claim::Has(record) = &proof.claim else {
            return None;
        };
        Some(Self {
            record: record_words(record),
            siblings: proof.siblings.map(|node| B256::new(*node.as_bytes())),
        })
    }

    /// The place in the record of an asset that the account has anything of.
    pub fn place(&self, asset: u16) -> Option<usize> {
        self.places().position(|(it, _)| it == asset)
    }

    /// By place: which asset, and its free, held and withdrawn atoms.
    pub fn places(&self) -> impl Iterator<Item = (u16, Funds)> + '_ {
        let (pairs, _) = self.record.words.as_chunks::<2>();
        pairs.iter().map(|[first, second]| {
            let funds = Funds {
                free: low(*first),
                held: low(*second),
                withdrawn: low(*second >> 128),
            };
            (low(*first >> 128) as u16, funds)
        })
    }
}

/// What an account has of one asset, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
    /// May be spent.
    pub free: u128,
    /// Is locked behind open orders.
    pub held: u128,
    /// Was taken out on the ledger, in all.
    pub withdrawn: u128,
}

impl Funds {
    /// All that the bridge will ever pay of this: what was taken out, and after a freeze the rest.
    pub const fn total(&self, is_frozen: bool) -> u128 {
        if is_frozen {
            self.free + self.held + self.withdrawn
        } else {
            self.withdrawn
        }
    }
}

fn record_words(record: &AccountRecord) -> Record {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    let (words, _) = bytes.as_chunks::<32>();
    Record {
        account: record.account.get(),
        owner: Address::new(record.owner),
        // The first word is tag, account and owner.
        words: words[1..]
            .iter()
            .map(|word| U256::from_be_bytes(*word))
            .collect(),
    }
}

fn low(word: U256) -> u128 {
    (word & U256::from(u128::MAX)).to::<u128>()
}
