//! Which key may open which account's session, and whose wallet an account is: as of the last released
//! block.

use std::collections::HashMap;

use types::auth::PublicKey;
use types::genesis::{Genesis, OwnerAddress};
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
    public: HashMap<KeyId, PublicKey>,
    /// By account.
    owners: Vec<OwnerAddress>,
}

impl KeyDirectory {
    /// The accounts of a genesis, without those that were opened later, and without keys.
    pub fn without_keys(genesis: &Genesis) -> Self {
        let owners = genesis.accounts().iter().map(|account| account.owner);
        Self {
            owners: owners.collect(),
            ..Self::default()
        }
    }

    /// The keys that a genesis lists, numbered in its order: by account, then as listed.
    pub fn of(genesis: &Genesis) -> Self {
        let mut directory = Self::without_keys(genesis);
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

    /// Adds the next account. Panics on any other.
    pub fn insert_account(&mut self, account: AccountId, owner: OwnerAddress) {
        assert_eq!(account.index(), self.owners.len(), "one after the other");
        self.owners.push(owner);
    }

    /// Adds a key, in the place of another one of its number.
    pub fn insert(&mut self, public_key: PublicKey, record: KeyRecord) {
        self.remove(record.key);
        self.public.insert(record.key, public_key);
        self.keys.insert(public_key, record);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: KeyId) {
        if let Some(public_key) = self.public.remove(&key) {
            self.keys.remove(&public_key);
        }
    }

    /// Whose wallet an account is.
    pub fn owner(&self, account: AccountId) -> Option<OwnerAddress> {
        self.owners.get(account.index()).copied()
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

    #[test]
    fn a_number_has_one_key() {
        let genesis = genesis::development();
        let mut directory = KeyDirectory::of(&genesis);
        let [old, new] = ["dev-7", "other"].map(|name| SigningKey::development(name).public());
        let record = KeyRecord {
            epoch: KeyEpoch::new(1),
            ..directory.find(&old).unwrap()
        };
        directory.insert(new, record);
        assert_eq!(directory.find(&old), None);
        assert_eq!(directory.find(&new), Some(record));
        directory.remove(record.key);
        assert_eq!(directory.find(&new), None);
        let accounts = genesis.accounts();
        assert_eq!(directory.owner(AccountId::new(7)), Some(accounts[7].owner));
        assert_eq!(directory.owner(AccountId::new(65)), None);
    }
}
