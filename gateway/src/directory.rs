//! Which key may open which account's session: a snapshot that the gateway only reads.

use std::collections::HashMap;

use types::auth::PublicKey;
use types::genesis::Genesis;
use types::{AccountId, KeyEpoch, KeyId};

/// What is known of one session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number.
    pub key: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// How often that account's keys were rotated.
    pub epoch: KeyEpoch,
}

/// All session keys of a network.
#[derive(Clone, Debug, Default)]
pub struct KeyDirectory {
    keys: HashMap<PublicKey, KeyRecord>,
}

impl KeyDirectory {
    /// The keys that a genesis lists, numbered in its order: by account, then as listed.
    pub fn of(genesis: &Genesis) -> Self {
        let mut directory = Self::default();
        let accounts = genesis.accounts().iter().zip(0..).map(|(a, id)| (id, a));
        let listed = accounts.flat_map(|(id, a)| a.keys.iter().map(move |key| (id, key)));
        for ((account, public), key) in listed.zip(0..) {
            let record = KeyRecord {
                key: KeyId::new(key),
                account: AccountId::new(account),
                epoch: KeyEpoch::new(0),
            };
            directory.insert(*public, record);
        }
        directory
    }

    /// Adds a key.
    pub fn insert(&mut self, public_key: PublicKey, record: KeyRecord) {
        self.keys.insert(public_key, record);
    }

    /// Whose key this is.
    pub fn find(&self, public_key: &PublicKey) -> Option<KeyRecord> {
        self.keys.get(public_key).copied()
    }
}

#[cfg(test)]
mod tests {
    use types::auth::SigningKey;
    use types::genesis;

    use super::*;

    #[test]
    fn keys_are_numbered_in_the_order_of_the_genesis() {
        let directory = KeyDirectory::of(&genesis::development());
        for (name, number) in [
            ("dev-0", 0),
            ("dev-1", 1),
            ("dev-63", 63),
            ("dev-operator", 64),
        ] {
            let key = SigningKey::development(name).public();
            let expected = KeyRecord {
                key: KeyId::new(number),
                account: AccountId::new(number),
                epoch: KeyEpoch::new(0),
            };
            assert_eq!(directory.find(&key), Some(expected));
        }
        let stranger = SigningKey::development("dev-64").public();
        assert_eq!(directory.find(&stranger), None);
    }
}
