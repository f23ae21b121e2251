//! What is to become of orders when nobody is there: session policies and timers of keys, and timers of
//! accounts.

use std::collections::{BTreeMap, BTreeSet};

use types::keys::SessionPolicy;
use types::{AccountId, KeyId, LogTime};

/// The policies and timers of all that have one.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    rules: BTreeMap<KeyId, SessionRule>,
    /// Timers of keys that run, by time: every block asks for the next one, and every key may have a rule.
    key_times: BTreeSet<(LogTime, KeyId)>,
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
        let before = rule.timer_at;
        change(rule);
        let after = rule.timer_at;
        if rule.is_void() {
            self.rules.remove(&key);
        }
        self.key_times.remove(&(before, key));
        if after.get() > 0 {
            self.key_times.insert((after, key));
        }
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: KeyId) {
        if let Some(rule) = self.rules.remove(&key) {
            self.key_times.remove(&(rule.timer_at, key));
        }
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
        let over = ..=(now, KeyId::new(u32::MAX));
        self.key_times.range(over).map(|(_, key)| *key).min()
    }

    /// When the next timer runs out.
    pub(crate) fn next_timer(&self) -> Option<LogTime> {
        let of_keys = self.key_times.first().map(|(timer_at, _)| *timer_at);
        let of_accounts = self.account_times.first().map(|(timer_at, _)| *timer_at);
        of_keys.into_iter().chain(of_accounts).min()
    }

    /// As they were; `None` if one asks for nothing.
    pub(crate) fn restore(rules: impl IntoIterator<Item = (KeyId, SessionRule)>) -> Option<Self> {
        let rules: BTreeMap<_, _> = rules.into_iter().collect();
        let is_sound = rules.values().all(|rule| !rule.is_void());
        let timers = rules.iter().map(|(key, rule)| (rule.timer_at, *key));
        let key_times = timers.filter(|(timer_at, _)| timer_at.get() > 0).collect();
        is_sound.then_some(Self {
            rules,
            key_times,
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a look at all rules says.
    fn by_looking(sessions: &Sessions, now: LogTime) -> (Option<LogTime>, Option<KeyId>) {
        let running = || sessions.iter().filter(|(_, rule)| rule.timer_at.get() > 0);
        let next = running().map(|(_, rule)| rule.timer_at).min();
        let mut over = running().filter(|(_, rule)| rule.timer_at <= now);
        (next, over.next().map(|(key, _)| key))
    }

    #[test]
    fn timers_are_found_by_time_as_by_looking_at_all_rules() {
        let mut sessions = Sessions::default();
        let account = AccountId::new(1);
        // Keys and times come back again and again, in another order each time.
        for step in 0..2_000_u64 {
            let key = KeyId::new((step * 7 % 11) as u32);
            let at = LogTime::new(step * 13 % 17);
            match step % 5 {
                0 => sessions.remove(key),
                1 => sessions.set_policy(
                    account,
                    key,
                    SessionPolicy {
                        silence_ns: step % 3,
                        ..SessionRule::new(account).policy
                    },
                ),
                _ => sessions.set_timer(account, key, at),
            }
            if step % 100 == 99 {
                sessions =
                    Sessions::restore(sessions.iter().map(|(key, rule)| (key, *rule))).unwrap();
            }
            for now in [0, 5, 16].map(LogTime::new) {
                let found = (sessions.next_timer(), sessions.timed_out(now));
                assert_eq!(found, by_looking(&sessions, now), "step {step}");
            }
        }
    }
}
