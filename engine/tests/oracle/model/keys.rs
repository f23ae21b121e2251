//! Keys: whose they are, what their wallets let them do, and what is to become of their orders when
//! nobody is there.

use std::collections::BTreeMap;

use types::auth::PublicKey;
use types::genesis::{Genesis, GenesisAccount};
use types::keys::{KeyGrant, KeyScope, SessionPolicy};
use types::limits::KEYS_PER_ACCOUNT_MAX;
use types::wire::orders::FrameHeader;
use types::{AccountId, Command, KeyEpoch, KeyId, RejectReason};

/// All keys, by number.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    all: Vec<Key>,
    rules: BTreeMap<KeyId, Rule>,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) account: AccountId,
    pub(crate) public: PublicKey,
    pub(crate) epoch: KeyEpoch,
    /// What it may do; keys of the genesis, which have none, everything.
    pub(crate) grant: Option<KeyGrant>,
    pub(crate) is_revoked: bool,
}

/// What a key has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) policy: SessionPolicy,
    /// When its timer runs out; zero: it does not run.
    pub(crate) timer_at: u64,
}

impl Keys {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let accounts = (0..).map(AccountId::new).zip(genesis.accounts());
        let of_account = |(account, spec): (AccountId, &GenesisAccount)| {
            let keys = spec.keys.clone();
            keys.into_iter().map(move |public| Key {
                account,
                public,
                epoch: KeyEpoch::new(0),
                grant: None,
                is_revoked: false,
            })
        };
        Self {
            all: accounts.flat_map(of_account).collect(),
            rules: BTreeMap::new(),
        }
    }

    /// A key by number; a wallet is none.
    pub(crate) fn get(&self, key: KeyId) -> Option<&Key> {
        self.all.get(key.index())
    }

    /// Why no frame of this key may execute, whatever its nonce.
    pub(crate) fn refusal(&self, header: &FrameHeader, now: u64) -> Option<RejectReason> {
        let key = self.get(header.key);
        let Some(key) = key.filter(|key| key.account == header.account) else {
            return Some(RejectReason::UnknownKey);
        };
        let expires_at = key.grant.map_or(0, |grant| grant.expires_at.get());
        if key.epoch != header.epoch {
            Some(RejectReason::StaleEpoch)
        } else if key.is_revoked {
            Some(RejectReason::KeyRevoked)
        } else if expires_at != 0 && expires_at < now {
            Some(RejectReason::KeyExpired)
        } else {
            None
        }
    }

    /// Whether it is to be known which orders are the key's: it was granted something, or has asked.
    pub(crate) fn is_watched(&self, key: KeyId) -> bool {
        let is_special = |key: &Key| key.grant.is_some() || key.is_revoked;
        self.get(key).is_some_and(is_special) || self.rules.contains_key(&key)
    }

    pub(crate) fn find(&self, public: PublicKey) -> Option<KeyId> {
        let at = self.all.iter().position(|key| key.public == public)?;
        Some(KeyId::new(u32::try_from(at).unwrap()))
    }

    pub(crate) fn rule(&self, key: KeyId) -> Rule {
        self.rules.get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn set_rule(&mut self, key: KeyId, rule: Rule) {
        self.rules.insert(key, rule);
        let asks = |rule: &Rule| rule.policy.silence_ns != 0 || rule.timer_at != 0;
        self.rules.retain(|_, rule| asks(rule));
    }

    /// The lowest key whose timer has run out.
    pub(crate) fn timed_out(&self, now: u64) -> Option<KeyId> {
        let mut rules = self.rules.iter();
        let over = rules.find(|(_, rule)| rule.timer_at != 0 && rule.timer_at <= now)?;
        Some(*over.0)
    }

    /// A new key, a key of the account's under another grant, or one in the place of a revoked one.
    pub(crate) fn register(
        &mut self,
        account: AccountId,
        public: PublicKey,
        grant: KeyGrant,
    ) -> Result<KeyId, RejectReason> {
        let is_own = |key: &Key| key.account == account && key.grant.is_some();
        let known = self.all.iter().position(|key| key.public == public);
        if known.is_some_and(|at| !is_own(&self.all[at])) {
            return Err(RejectReason::KeyTaken);
        }
        let dead = |key: &Key| is_own(key) && key.is_revoked;
        let number = known.or_else(|| self.all.iter().position(dead));
        let epoch = match number {
            Some(number) => self.all[number].epoch.get() + 1,
            None => 0,
        };
        let key = Key {
            account,
            public,
            epoch: KeyEpoch::new(epoch),
            grant: Some(grant),
            is_revoked: false,
        };
        let count = self.all.iter().filter(|key| is_own(key)).count();
        let number = match number {
            Some(number) => {
                self.all[number] = key;
                number
            }
            None if count == KEYS_PER_ACCOUNT_MAX => return Err(RejectReason::TooManyKeys),
            None => {
                self.all.push(key);
                self.all.len() - 1
            }
        };
        Ok(KeyId::new(u32::try_from(number).unwrap()))
    }

    pub(crate) fn revoke(&mut self, key: KeyId) {
        self.all[key.index()].is_revoked = true;
        self.rules.remove(&key);
    }
}

/// Whether a scope has this command in it.
pub(crate) fn is_in_scope(scope: KeyScope, own: KeyId, command: &Command<'_>) -> bool {
    let takes_off = match command {
        Command::Cancel(_)
        | Command::CancelAll(_)
        | Command::SetSessionPolicy(_)
        | Command::SetTimer(_) => true,
        Command::RevokeKey(key) => *key == own,
        _ => false,
    };
    let trades = matches!(
        command,
        Command::Place(_) | Command::Replace(_) | Command::QuoteSet(_) | Command::SetProtection(_)
    );
    match scope {
        KeyScope::Owner => true,
        KeyScope::Trade => takes_off || trades,
        KeyScope::CancelOnly => takes_off,
    }
}
