//! Keys come and go, and orders of those who are not there are taken off.

use types::keys::{Registration, SessionPolicy};
use types::limits::{EXPIRIES_PER_TICK_MAX, SILENCE_NS_MAX, SILENCE_NS_MIN, TIMER_NS_MAX};
use types::outcome::{DoneReason, Event, KeyChanged, PolicySet};
use types::{AccountId, KeyId, OrderId, RejectReason, SequenceNumber};

use super::exchange::{Answer, Exchange, Market, Work};
use super::keys::Rule;

impl Exchange {
    /// No session of a key is heard any more.
    pub(crate) fn silence(&mut self, sequence: SequenceNumber, key: KeyId) {
        self.work = Work::of_nobody(sequence);
        let before = self.events.len();
        let policy = self.keys.rule(key).policy;
        if policy.silence_ns == 0 {
            return;
        }
        let account = self.keys.get(key).unwrap().account;
        for market in 0..self.markets.len() {
            for id in self.absent(market, (account, key), policy) {
                self.end_open(market, id, DoneReason::Disconnected);
            }
        }
        self.follow(before);
    }

    /// What a silence takes off: resting orders, then armed ones, each by id.
    fn absent(
        &self,
        market: usize,
        (account, key): (AccountId, KeyId),
        policy: SessionPolicy,
    ) -> Vec<OrderId> {
        let Market {
            book,
            armed,
            quote_sets,
            ..
        } = &self.markets[market];
        let quoted = |id| {
            let set = quote_sets.get(&account);
            set.is_some_and(|(_, orders)| orders.contains(&id))
        };
        let is_own = |id| {
            let placed = self.known.placed.get(&id);
            placed.is_some_and(|placed| placed.key == key)
        };
        let resting = book
            .all()
            .map(|order| (false, order.id, order.account, order.resting));
        let armed = armed
            .values()
            .map(|order| (true, order.id, order.account, order.resting()));
        let mut all: Vec<_> = resting
            .chain(armed)
            .filter(|(_, _, owner, _)| *owner == account)
            .filter(|(_, id, ..)| policy.whole_account || is_own(*id))
            .filter(|(_, id, _, resting)| {
                let stays = resting.expires_at.get() == 0 && !resting.protected && !quoted(*id);
                policy.good_till_cancelled || !stays
            })
            .map(|(is_armed, id, ..)| (is_armed, id))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// Timers run out, as many as the limit of a tick has room for their orders.
    pub(crate) fn run_timers(&mut self) {
        let told = self.events.len();
        while self.events.len() - told < EXPIRIES_PER_TICK_MAX as usize
            && let Some(key) = self.keys.timed_out(self.now)
        {
            for market in 0..self.markets.len() {
                self.take_off_all(market, key, DoneReason::Timer);
            }
            let rule = self.keys.rule(key);
            self.keys.set_rule(
                key,
                Rule {
                    timer_at: 0,
                    ..rule
                },
            );
        }
    }

    pub(crate) fn set_policy(&mut self, policy: SessionPolicy) -> Answer {
        if !matches!(policy.silence_ns, 0 | SILENCE_NS_MIN..=SILENCE_NS_MAX) {
            return Err(RejectReason::InvalidPolicy);
        }
        let key = self.work.key;
        let rule = self.keys.rule(key);
        self.change_rule(Rule { policy, ..rule });
        self.events.push(Event::PolicySet(PolicySet {
            sequence: self.work.sequence,
            account: self.work.account,
            key,
            silence_ns: policy.silence_ns,
        }));
        Ok((0, 0))
    }

    pub(crate) fn set_timer(&mut self, after_ns: u64) -> Answer {
        let timer_at = self.now.checked_add(after_ns);
        let timer_at = timer_at.filter(|_| after_ns <= TIMER_NS_MAX);
        let timer_at = timer_at.ok_or(RejectReason::InvalidPolicy)?;
        let timer_at = if after_ns == 0 { 0 } else { timer_at };
        let rule = self.keys.rule(self.work.key);
        self.change_rule(Rule { timer_at, ..rule });
        Ok((0, 0))
    }

    fn change_rule(&mut self, rule: Rule) {
        let key = self.work.key;
        self.keys.set_rule(key, rule);
        if !self.keys.is_watched(key) {
            self.forget(key);
        }
    }

    pub(crate) fn register_key(&mut self, registration: &Registration) -> Answer {
        let (public, grant) = (registration.key(), registration.grant());
        let key = self.keys.register(self.work.account, public, grant)?;
        self.push_key_changed(key);
        Ok((key.get(), 0))
    }

    pub(crate) fn revoke_key(&mut self, key: Option<KeyId>) -> Answer {
        let is_live = |key: &KeyId| {
            let key = self.keys.get(*key);
            key.is_some_and(|key| key.account == self.work.account && !key.is_revoked)
        };
        let key = key.filter(is_live).ok_or(RejectReason::KeyNotFound)?;
        let told = self.events.len();
        for market in 0..self.markets.len() {
            self.take_off_all(market, key, DoneReason::KeyRevoked);
        }
        let ended = self.events.len() - told;
        self.forget(key);
        self.keys.revoke(key);
        self.push_key_changed(key);
        Ok((u32::try_from(ended).unwrap(), 0))
    }

    fn push_key_changed(&mut self, number: KeyId) {
        let key = self.keys.get(number).unwrap();
        self.events.push(Event::KeyChanged(KeyChanged {
            sequence: self.work.sequence,
            account: key.account,
            key: number,
            epoch: key.epoch,
            public: key.public,
            is_revoked: key.is_revoked,
        }));
    }

    /// Takes off what is known to be a key's in one market, by id.
    pub(crate) fn take_off_all(&mut self, market: usize, key: KeyId, reason: DoneReason) {
        let Market {
            id, book, armed, ..
        } = &self.markets[market];
        let is_open = |id: &OrderId| armed.contains_key(id) || book.order(*id).is_some();
        let placed = self.known.placed.iter();
        let own = placed.filter(|(order, placed)| placed.key == key && order.market() == *id);
        let own: Vec<OrderId> = own.map(|(order, _)| *order).filter(is_open).collect();
        for order in own {
            self.end_open(market, order, reason);
        }
    }
}
