//! What is to become of orders when nobody is there: session policies and timers of keys, and timers of
//! accounts.

use std::collections::{BTreeMap, BTreeSet};

use types::keys::SessionPolicy;
use types::{AccountId, KeyId, LogTime};

/// The policies and timers of all that have one.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    rules: BTreeMap<KeyId, SessionRule>,
    /// When all orders of an account are taken off.
    account_timers: BTreeMap<AccountId, LogTime>,
    /// The same by time, since every account may have one and every tick asks.
    account_times: BTreeSet<(LogTime, AccountId)>,
}

/// What a key has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRule {
    /// Whose key it is.
    pub account: AccountId,
    /// What a silence does.
    pub policy: SessionPolicy,
    /// When the key's timer runs out, by logged time; zero: it does not run.
    pub timer_at: LogTime,
}

impl SessionRule {
    const fn new(account: AccountId) -> Self {
        Self {
            account,
            policy: SessionPolicy {
                silence_ns: 0,
                good_till_cancelled: false,
                whole_account: false,
            },
            timer_at: LogTime::ZERO,
        }
    }

    /// Whether it asks for nothing.
    const fn is_void(&self) -> bool {
        self.policy.silence_ns == 0 && self.timer_at.get() == 0
    }
}

impl Sessions {
    /// What a silence does to the orders of this key, from here on.
    pub(crate) fn set_policy(&mut self, account: AccountId, key: KeyId, policy: SessionPolicy) {
        self.change(account, key, |rule| {
            rule.policy = match policy.silence_ns {
                0 => SessionPolicy::default(),
                _ => policy,
            };
        });
    }

    /// When this key's timer runs out; zero stops it.
    pub(crate) fn set_timer(&mut self, account: AccountId, key: KeyId, timer_at: LogTime) {
        self.change(account, key, |rule| rule.timer_at = timer_at);
    }

    /// When this account's timer runs out; zero stops it.
    pub(crate) fn set_account_timer(&mut self, account: AccountId, timer_at: LogTime) {
        let before = if timer_at == LogTime::ZERO {
            self.account_timers.remove(&account)
        } else {
            self.account_times.insert((timer_at, account));
            self.account_timers.insert(account, timer_at)
        };
        if let Some(before) = before.filter(|before| *before != timer_at) {
            self.account_times.remove(&(before, account));
        }
    }

    /// The timers of accounts that run.
    pub fn account_timers(&self) -> impl Iterator<Item = (AccountId, LogTime)> {
        let timers = self.account_timers.iter();
        timers.map(|(account, timer_at)| (*account, *timer_at))
    }

    /// The accounts whose timers have run out, ascending.
    pub(crate) fn timed_out_accounts(&self, now: LogTime) -> Vec<AccountId> {
        let over = ..=(now, AccountId::new(u32::MAX));
        let accounts = self.account_times.range(over).map(|(_, account)| *account);
        let mut accounts: Vec<_> = accounts.collect();
        accounts.sort_unstable();
        accounts
    }

    fn change(&mut self, account: AccountId, key: KeyId, change: impl FnOnce(&mut SessionRule)) {
        let rule = self.rules.entry(key);
        let rule = rule.or_insert_with(|| SessionRule::new(account));
        change(rule);
        if rule.is_void() {
            self.rules.remove(&key);
        }
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: KeyId) {
        self.rules.remove(&key);
    }

    /// What a key has asked for, if anything.
    #[inline]
    pub fn rule(&self, key: KeyId) -> Option<&SessionRule> {
        self.rules.get(&key)
    }

    /// Whether no key has asked for anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, &SessionRule)> {
        self.rules.iter().map(|(key, rule)| (*key, rule))
    }

    /// The key whose timer has run out, the lowest if there are several.
    pub(crate) fn timed_out(&self, now: LogTime) -> Option<KeyId> {
        let mut rules = self.iter();
        let is_over = |rule: &SessionRule| rule.timer_at.get() > 0 && rule.timer_at <= now;
        rules.find(|(_, rule)| is_over(rule)).map(|(key, _)| key)
    }

    /// When the next timer runs out.
    pub(crate) fn next_timer(&self) -> Option<LogTime> {
        let timers = self.rules.values().map(|rule| rule.timer_at);
        let timers = timers.filter(|timer_at| timer_at.get() > 0);
        let of_accounts = self.account_times.first().map(|(timer_at, _)| *timer_at);
        timers.chain(of_accounts).min()
    }

    /// As they were; `None` if one asks for nothing.
    pub(crate) fn restore(rules: impl IntoIterator<Item = (KeyId, SessionRule)>) -> Option<Self> {
        let rules: BTreeMap<_, _> = rules.into_iter().collect();
        let is_sound = rules.values().all(|rule| !rule.is_void());
        is_sound.then_some(Self {
            rules,
            ..Self::default()
        })
    }
}
