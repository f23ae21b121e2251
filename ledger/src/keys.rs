//! Registered session keys, densely numbered over all accounts in genesis order.
//!
//! Whoever asks by [`KeyId`] pays an array access. Asking by public key is for session setup only.

use types::auth::PublicKey;
use types::genesis::Genesis;
use types::{AccountId, KeyEpoch, KeyId};

use crate::Ledger;

/// A session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose commands it signs.
    pub account: AccountId,
    /// What its signatures verify against.
    pub public: PublicKey,
    /// The rotation of the account's keys that it belongs to. Keys of the genesis have epoch 0.
    pub epoch: KeyEpoch,
}

#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// By id.
    keys: Vec<Key>,
    /// Ids in order of their public keys.
    by_public: Vec<KeyId>,
}

impl Keys {
    pub(crate) fn from_genesis(genesis: &Genesis) -> Self {
        let mut keys = Vec::new();
        for (account, spec) in (0..).map(AccountId::new).zip(genesis.accounts()) {
            keys.extend(spec.keys.iter().map(|public| Key {
                account,
                public: *public,
                epoch: KeyEpoch::default(),
            }));
        }
        Self::new(keys)
    }

    /// By id.
    pub(crate) fn new(keys: Vec<Key>) -> Self {
        let count = u32::try_from(keys.len()).expect("there are fewer keys than ids");
        let mut by_public: Vec<KeyId> = (0..count).map(KeyId::new).collect();
        by_public.sort_unstable_by_key(|id| keys[id.index()].public);
        Self { keys, by_public }
    }

    /// By id.
    pub(crate) fn as_slice(&self) -> &[Key] {
        &self.keys
    }
}

impl Ledger {
    /// A key by id.
    pub fn key(&self, key: KeyId) -> Option<&Key> {
        self.keys.keys.get(key.index())
    }

    /// How many keys are registered; their ids are below this.
    pub fn key_count(&self) -> u32 {
        u32::try_from(self.keys.keys.len()).expect("there are fewer keys than ids")
    }

    /// The key with these public bytes, in logarithmic time.
    pub fn key_by_public(&self, public: &PublicKey) -> Option<KeyId> {
        let Keys { keys, by_public } = &self.keys;
        let position = by_public.binary_search_by_key(public, |id| keys[id.index()].public);
        position.ok().map(|position| by_public[position])
    }
}

#[cfg(test)]
mod tests {
    use types::auth::SigningKey;
    use types::genesis::{development, development_names};

    use super::*;

    #[test]
    fn every_key_is_found_by_id_and_by_its_bytes() {
        let ledger = Ledger::from_genesis(&development());
        for (number, name) in (0..).zip(development_names()) {
            let account = AccountId::new(number);
            let public = SigningKey::development(&name).public();
            let id = ledger.key_by_public(&public).unwrap();
            let key = Key {
                account,
                public,
                epoch: KeyEpoch::new(0),
            };
            assert_eq!((id, ledger.key(id)), (KeyId::new(number), Some(&key)));
        }
        let count = ledger.key_count();
        assert_eq!(count as usize, development_names().count());
        assert_eq!(ledger.key(KeyId::new(count)), None);
        assert_eq!(ledger.key_by_public(&PublicKey::new([0; 32])), None);
        assert_eq!(ledger.key_by_public(&PublicKey::new([255; 32])), None);
    }
}
