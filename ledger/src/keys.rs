//! Session keys, densely numbered: those of the genesis over all accounts, then those that wallets
//! have registered.
//!
//! Whoever asks by [`KeyId`] pays an array access. Asking by public key is for session setup only.
//! A revoked key keeps its number until the account registers another one, which takes its place
//! under the next epoch: so the numbers, and the nonce windows behind them, stay bounded.

use std::collections::BTreeMap;

use types::auth::PublicKey;
use types::genesis::Genesis;
use types::keys::{KeyGrant, KeyScope};
use types::limits::KEYS_PER_ACCOUNT_MAX;
use types::outcome::Digest;
use types::{AccountId, KeyEpoch, KeyId, Nonce, RejectReason, SequenceNumber};

use crate::Ledger;
use crate::nonce::{NonceCheck, fingerprint};
use crate::snapshot::Contradiction;

/// A session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose commands it signs.
    pub account: AccountId,
    /// What its signatures verify against.
    pub public: PublicKey,
    /// How often its number was given anew, or what it may do. Keys of the genesis have epoch 0.
    pub epoch: KeyEpoch,
}

/// What a key may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// What it was granted.
    pub grant: KeyGrant,
    /// Whether it may do nothing any more.
    pub is_revoked: bool,
}

/// The last frame that a wallet has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletUse {
    /// Its nonce; the next one's is higher.
    pub nonce: Nonce,
    /// The first 8 bytes of its digest.
    pub fingerprint: u64,
    /// The sequence number of its command.
    pub first_sequence: SequenceNumber,
}

#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// By id.
    keys: Vec<Key>,
    /// Ids of the genesis' keys, in order of their bytes.
    by_public: Vec<KeyId>,
    /// The registered ones.
    registered: BTreeMap<PublicKey, KeyId>,
    /// The same by account.
    of_account: BTreeMap<AccountId, Vec<KeyId>>,
    /// Of registered keys, and of revoked ones. All others may do everything.
    statuses: BTreeMap<KeyId, KeyStatus>,
    /// By account.
    wallets: BTreeMap<AccountId, WalletUse>,
    /// By account and the name that it has given. Some may be revoked.
    agents: BTreeMap<(AccountId, AgentName), KeyId>,
}

/// An owner's name for an agent.
pub type AgentName = [u8; 16];

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
        Self {
            keys,
            by_public,
            registered: BTreeMap::new(),
            of_account: BTreeMap::new(),
            statuses: BTreeMap::new(),
            wallets: BTreeMap::new(),
            agents: BTreeMap::new(),
        }
    }

    fn find(&self, public: &PublicKey) -> Option<KeyId> {
        let Self {
            keys, by_public, ..
        } = self;
        let place = by_public.binary_search_by_key(public, |id| keys[id.index()].public);
        let registered = self.registered.get(public).copied();
        registered.or_else(|| Some(by_public[place.ok()?]))
    }

    fn register(
        &mut self,
        account: AccountId,
        public: PublicKey,
        grant: &KeyGrant,
    ) -> Result<KeyId, RejectReason> {
        let status = KeyStatus {
            grant: *grant,
            is_revoked: false,
        };
        if let Some(id) = self.find(&public) {
            let is_own = self.keys[id.index()].account == account;
            if !is_own || !self.registered.contains_key(&public) {
                return Err(RejectReason::KeyTaken);
            }
            self.renew(id, public, status);
            return Ok(id);
        }
        let own = self.of_account.entry(account).or_default();
        let statuses = &self.statuses;
        if let Some(id) = own.iter().copied().find(|id| statuses[id].is_revoked) {
            self.renew(id, public, status);
            return Ok(id);
        }
        if own.len() == KEYS_PER_ACCOUNT_MAX {
            return Err(RejectReason::TooManyKeys);
        }
        let id = u32::try_from(self.keys.len()).expect("keys per account are bounded");
        let id = KeyId::new(id);
        own.push(id);
        self.keys.push(Key {
            account,
            public,
            epoch: KeyEpoch::default(),
        });
        self.registered.insert(public, id);
        self.statuses.insert(id, status);
        Ok(id)
    }

    /// A registered number is given anew: what was signed before is dead.
    fn renew(&mut self, id: KeyId, public: PublicKey, status: KeyStatus) {
        let key = &mut self.keys[id.index()];
        self.registered.remove(&key.public);
        self.registered.insert(public, id);
        key.public = public;
        key.epoch = KeyEpoch::new(key.epoch.get() + 1);
        self.statuses.insert(id, status);
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
        self.keys.find(public)
    }

    /// What a key may do, if that is not everything.
    #[inline]
    pub fn key_status(&self, key: KeyId) -> Option<&KeyStatus> {
        self.keys.statuses.get(&key)
    }

    /// Whether every key may do everything.
    #[inline]
    pub fn has_only_owners(&self) -> bool {
        self.keys.statuses.is_empty()
    }

    /// All keys that may not do everything, by id.
    pub fn key_statuses(&self) -> impl Iterator<Item = (KeyId, &KeyStatus)> {
        self.keys
            .statuses
            .iter()
            .map(|(key, status)| (*key, status))
    }

    /// The last frames of the wallets that have signed any, by account.
    pub fn wallet_uses(&self) -> impl Iterator<Item = (AccountId, &WalletUse)> {
        self.keys.wallets.iter().map(|(account, it)| (*account, it))
    }

    /// All agents by account and name; some may be revoked.
    pub fn agents(&self) -> impl Iterator<Item = (AccountId, &AgentName, KeyId)> {
        let agents = self.keys.agents.iter();
        agents.map(|((account, name), key)| (*account, name, *key))
    }

    /// What an account calls an agent of its own: a look at no more names than it may have keys.
    pub fn agent_name(&self, account: AccountId, key: KeyId) -> Option<AgentName> {
        let names = (account, AgentName::default())..=(account, [u8::MAX; 16]);
        let mut own = self.keys.agents.range(names);
        own.find(|(_, named)| **named == key)
            .map(|((_, name), _)| *name)
    }

    /// Gives a registered key of the account this name, and returns the agent that had it and is not
    /// revoked. Panics if there is no such key.
    pub fn name_agent(&mut self, account: AccountId, name: AgentName, key: KeyId) -> Option<KeyId> {
        assert!(self.keys.keys[key.index()].account == account);
        // A number that was given anew has one name.
        if let Some(name) = self.agent_name(account, key) {
            self.keys.agents.remove(&(account, name));
        }
        let before = self.keys.agents.insert((account, name), key)?;
        // Its number may have been given to a key since that is no agent's.
        let is_agent = self.keys.keys[before.index()].public.agent().is_some();
        let is_revoked = self.keys.statuses[&before].is_revoked;
        (is_agent && !is_revoked).then_some(before)
    }

    /// Lets a key sign for an account: a new one, one of its own under another grant, or one in the
    /// place of a revoked one. Refused without effect: [`RejectReason::KeyTaken`],
    /// [`RejectReason::TooManyKeys`].
    pub fn register_key(
        &mut self,
        account: AccountId,
        public: PublicKey,
        grant: &KeyGrant,
    ) -> Result<KeyId, RejectReason> {
        let key = self.keys.register(account, public, grant)?;
        let count = self.keys.keys.len();
        self.windows.resize_with(count, || None);
        Ok(key)
    }

    /// Ends a key. Panics if there is no such key.
    pub fn revoke_key(&mut self, key: KeyId) {
        assert!(key.index() < self.keys.keys.len());
        let status = self.keys.statuses.entry(key).or_insert(KeyStatus {
            grant: KeyGrant::OWNER,
            is_revoked: true,
        });
        status.is_revoked = true;
    }

    /// Whether a frame of a wallet may execute: each nonce is higher than the last.
    pub fn check_wallet_nonce(
        &self,
        account: AccountId,
        nonce: Nonce,
        digest: &Digest,
    ) -> NonceCheck {
        if nonce.get() > types::limits::NONCE_MAX {
            return NonceCheck::TooHigh;
        }
        match self.keys.wallets.get(&account) {
            Some(last) if nonce < last.nonce => NonceCheck::TooOld,
            Some(last) if nonce > last.nonce => NonceCheck::Fresh,
            Some(last) if last.fingerprint == fingerprint(digest) => NonceCheck::Repeated {
                first_sequence: last.first_sequence,
            },
            Some(_) => NonceCheck::Reused,
            None => NonceCheck::Fresh,
        }
    }

    /// Marks a nonce of a wallet as used. Panics unless it is fresh.
    pub fn use_wallet_nonce(
        &mut self,
        account: AccountId,
        nonce: Nonce,
        digest: &Digest,
        first_sequence: SequenceNumber,
    ) {
        let check = self.check_wallet_nonce(account, nonce, digest);
        assert!(check == NonceCheck::Fresh, "nonce {nonce}: {check:?}");
        let usage = WalletUse {
            nonce,
            fingerprint: fingerprint(digest),
            first_sequence,
        };
        self.keys.wallets.insert(account, usage);
    }

    /// The names of agents, as they were.
    pub fn restore_agents(
        &mut self,
        agents: impl IntoIterator<Item = (AccountId, AgentName, KeyId)>,
    ) -> Result<(), Contradiction> {
        for (account, name, key) in agents {
            let registered = self.keys.keys.get(key.index());
            let registered = registered.filter(|_| self.keys.statuses.contains_key(&key));
            let is_own = registered.is_some_and(|it| it.account == account);
            Contradiction::unless(is_own, "an agent is a registered key of its account")?;
            let before = self.keys.agents.insert((account, name), key);
            Contradiction::unless(before.is_none(), "a name is one agent's")?;
        }
        Ok(())
    }

    /// What keys may do and what wallets have signed, as it was.
    pub fn restore_keys(
        &mut self,
        statuses: impl IntoIterator<Item = (KeyId, KeyStatus)>,
        wallets: impl IntoIterator<Item = (AccountId, WalletUse)>,
    ) -> Result<(), Contradiction> {
        let keys = &mut self.keys;
        for (id, status) in statuses {
            let key = keys.keys.get(id.index());
            let key = *key.ok_or(Contradiction("a grant of no key"))?;
            if status.grant.scope != KeyScope::Owner {
                keys.registered.insert(key.public, id);
                let own = keys.of_account.entry(key.account).or_default();
                own.push(id);
                let is_bounded = own.len() <= KEYS_PER_ACCOUNT_MAX;
                Contradiction::unless(is_bounded, "an account has few keys")?;
            }
            let before = keys.statuses.insert(id, status);
            Contradiction::unless(before.is_none(), "one grant per key")?;
        }
        let statuses = &keys.statuses;
        let is_of_genesis = |id: &KeyId| {
            let status = statuses.get(id);
            status.is_none_or(|status| status.grant.scope == KeyScope::Owner)
        };
        keys.by_public.retain(is_of_genesis);
        for (account, usage) in wallets {
            let is_known = account.index() < self.accounts.len();
            Contradiction::unless(is_known, "a wallet of no account")?;
            let is_new = keys.wallets.insert(account, usage).is_none();
            Contradiction::unless(is_new, "one wallet per account")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use types::auth::SigningKey;
    use types::genesis::{development, development_names};

    use super::*;

    #[test]
    fn a_name_ends_the_agent_that_had_it_and_nobody_else() {
        let mut ledger = Ledger::from_genesis(&development());
        let account = AccountId::new(0);
        let grant = KeyGrant {
            scope: KeyScope::Trade,
            ..KeyGrant::OWNER
        };
        let (name, other) = ([1; 16], [2; 16]);
        let approve = |ledger: &mut Ledger, agent: u8, name| {
            let agent = PublicKey::of_agent(&[agent; 20]);
            let key = ledger.register_key(account, agent, &grant).unwrap();
            (key, ledger.name_agent(account, name, key))
        };
        let (first, before) = approve(&mut ledger, 1, name);
        assert_eq!(before, None);
        let (second, before) = approve(&mut ledger, 2, name);
        assert_eq!(before, Some(first));
        ledger.revoke_key(first);
        // One agent has one name.
        assert_eq!(approve(&mut ledger, 2, other), (second, None));
        assert_eq!(ledger.agent_name(account, second), Some(other));
        // The number of a revoked agent is given to a key that is none: its name ends nothing.
        ledger.revoke_key(second);
        for seed in [3, 4] {
            let public = SigningKey::from_seed([seed; 32]).public();
            let key = ledger.register_key(account, public, &grant).unwrap();
            assert!(key == first || key == second);
        }
        let (_, before) = approve(&mut ledger, 5, other);
        assert_eq!(before, None);
    }

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
