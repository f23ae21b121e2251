//! Nobody is there: orders of a key are taken off, because it is silent, because its timer ran out, or
//! because it was revoked. And how keys come and go.

use std::collections::BTreeSet;

use types::command::CancelScope;
use types::keys::{KeyGrant, Registration, SessionPolicy};
use types::limits::{EXPIRIES_PER_TICK_MAX, SILENCE_NS_MAX, SILENCE_NS_MIN, TIMER_NS_MAX};
use types::outcome::{DoneReason, EventRecord, KeyChanged, PolicySet};
use types::planted::{Bug, is_planted};
use types::{KeyId, LogTime, MarketId, OrderId, RejectReason, SequenceNumber};

use super::cancel::{cancel_all_for, disarm, take_off};
use super::{Accepted, Context};
use crate::sessions::SessionRule;
use crate::view::{Funds, MarketView, StateView};

/// A silence of the key will take its orders off from here on, or no more.
pub(super) fn set_policy<V: StateView>(
    view: &mut V,
    context: Context,
    policy: SessionPolicy,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let Context { account, key, .. } = context;
    let is_legal = matches!(policy.silence_ns, 0 | SILENCE_NS_MIN..=SILENCE_NS_MAX);
    if !is_legal {
        return Err(RejectReason::InvalidPolicy);
    }
    view.sessions_mut().set_policy(account, key, policy);
    forget_unwatched(view, key);
    events.push(EventRecord::from(&PolicySet {
        sequence: context.sequence,
        account,
        key,
        silence_ns: policy.silence_ns,
    }));
    Ok(Accepted::default())
}

/// The key's timer starts anew, or stops.
pub(super) fn set_timer<V: StateView>(
    view: &mut V,
    context: Context,
    after_ns: u64,
) -> Result<Accepted, RejectReason> {
    let Context { account, key, .. } = context;
    // No timer is later than the end of time.
    let timer_at = context.now.get().checked_add(after_ns);
    let Some(timer_at) = timer_at.filter(|_| after_ns <= TIMER_NS_MAX) else {
        return Err(RejectReason::InvalidPolicy);
    };
    let timer_at = if after_ns == 0 { 0 } else { timer_at };
    let timer_at = LogTime::new(timer_at);
    view.sessions_mut().set_timer(account, key, timer_at);
    forget_unwatched(view, key);
    Ok(Accepted::default())
}

/// The account's timer will run out then, or never.
pub(super) fn set_timer_at<V: StateView>(
    view: &mut V,
    context: Context,
    timer_at: LogTime,
) -> Result<Accepted, RejectReason> {
    let latest = context.now.get().saturating_add(TIMER_NS_MAX);
    let is_legal = timer_at == LogTime::ZERO || context.now < timer_at && timer_at.get() <= latest;
    if !is_legal {
        return Err(RejectReason::InvalidPolicy);
    }
    view.sessions_mut()
        .set_account_timer(context.account, timer_at);
    Ok(Accepted::default())
}

/// Nobody wants to know any more which orders are a key's.
fn forget_unwatched<V: StateView>(view: &mut V, key: KeyId) {
    if !view.is_watched(key) {
        forget(view, key);
    }
}

fn forget<V: StateView>(view: &mut V, key: KeyId) {
    for market in markets(view) {
        let market = view.market(market).expect("compared with the count");
        market.state.watch.forget(market.spec, key);
    }
}

/// No session of a key has been heard for as long as its policy says. Without a policy nothing
/// happens: it was changed while this was on its way.
pub(super) fn silence<V: StateView>(
    view: &mut V,
    key: KeyId,
    (sequence, now): (SequenceNumber, LogTime),
    events: &mut Vec<EventRecord>,
) {
    let Some(rule) = view.sessions().rule(key).copied() else {
        return;
    };
    if rule.policy.silence_ns == 0 {
        return;
    }
    let context = Context {
        account: rule.account,
        key,
        sequence,
        now,
    };
    for id in markets(view) {
        let mut market = view.market(id).expect("compared with the count");
        let orders = absent_orders(&market, key, &rule);
        take_off_orders(
            &mut market,
            context,
            &orders,
            DoneReason::Disconnected,
            events,
        );
    }
}

/// The orders in one market that a silence takes off, resting ones before armed ones, each by id.
fn absent_orders<F>(market: &MarketView<'_, F>, key: KeyId, rule: &SessionRule) -> Vec<OrderId> {
    let (state, account) = (&*market.state, rule.account);
    let quoted: BTreeSet<_> = state.quotes.orders_of(account).collect();
    let is_own = |order_id| {
        let watched = state.watch.order(order_id);
        rule.policy.whole_account || watched.is_some_and(|order| order.key == key)
    };
    let everything = rule.policy.good_till_cancelled;
    let is_meant = |order_id, expires_at, protected| {
        let ends = expires_at != LogTime::ZERO || protected || quoted.contains(&order_id);
        is_own(order_id) && (everything || ends)
    };
    let resting = state.book.orders_of(account);
    let resting = resting.filter(|it| is_meant(it.order_id, it.expires_at, it.protected));
    let mut resting: Vec<_> = resting.map(|order| order.order_id).collect();
    resting.sort_unstable();
    let armed = state.triggers.orders().filter(|it| it.account == account);
    let armed = armed.filter(|order| {
        let rests = order.kind.resting().unwrap_or_default();
        is_meant(order.order_id, rests.expires_at, rests.protected)
    });
    if !is_planted(Bug::SilenceSparesArmed) {
        resting.extend(armed.map(|order| order.order_id));
    }
    resting
}

/// Logged time moves: timers run out, lowest key first and then lowest account, as long as there is
/// room for what they take off; the others wait for the next tick.
pub(super) fn run_timers<V: StateView>(
    view: &mut V,
    (sequence, now): (SequenceNumber, LogTime),
    events: &mut Vec<EventRecord>,
) {
    let room = EXPIRIES_PER_TICK_MAX as usize;
    let told = events.len();
    while events.len() - told < room
        && let Some(key) = view.sessions().timed_out(now)
    {
        let rule = view.sessions().rule(key).expect("it has a timer");
        let context = Context {
            account: rule.account,
            key,
            sequence,
            now,
        };
        take_off_all(view, context, DoneReason::Timer, events);
        let sessions = view.sessions_mut();
        sessions.set_timer(context.account, key, LogTime::ZERO);
        // Nothing of it is open, so there is nothing to forget.
    }
    for account in view.sessions().timed_out_accounts(now) {
        if room <= events.len() - told {
            break;
        }
        let context = Context {
            account,
            key: KeyId::WALLET,
            sequence,
            now,
        };
        let everything = CancelScope::EVERYTHING;
        let cancelled = cancel_all_for(view, context, everything, DoneReason::Timer, events);
        cancelled.expect("everything can always be cancelled");
        view.sessions_mut()
            .set_account_timer(account, LogTime::ZERO);
    }
}

/// The account's wallet lets a key sign.
pub(super) fn register<V: StateView>(
    view: &mut V,
    context: Context,
    registration: &Registration,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let (public, grant): (_, KeyGrant) = (registration.key(), registration.grant());
    if public.agent().is_some() {
        return Err(RejectReason::KeyTaken);
    }
    let key = view
        .ledger_mut()
        .register_key(context.account, public, &grant)?;
    events.push(key_changed(view, context, key, false));
    Ok(Accepted {
        affected: key.get(),
        ..Accepted::default()
    })
}

/// A key of the account ends, from the next command on. What it has open is taken off, as far as it
/// is known what that is.
pub(super) fn revoke<V: StateView>(
    view: &mut V,
    context: Context,
    key: Option<KeyId>,
    events: &mut Vec<EventRecord>,
) -> Result<Accepted, RejectReason> {
    let account = context.account;
    let is_live = |key: &KeyId| {
        let status = view.key_status(*key);
        view.key_owner(*key) == Some(account) && status.is_none_or(|status| !status.is_revoked)
    };
    let key = key.filter(is_live).ok_or(RejectReason::KeyNotFound)?;
    let told = events.len();
    let context_of_key = Context { key, ..context };
    take_off_all(view, context_of_key, DoneReason::KeyRevoked, events);
    let affected = events.len() - told;
    forget(view, key);
    if !is_planted(Bug::RevokedKeySigns) {
        view.ledger_mut().revoke_key(key);
    }
    view.sessions_mut().remove(key);
    events.push(key_changed(view, context, key, true));
    Ok(Accepted {
        affected: u32::try_from(affected).expect("open orders are bounded"),
        ..Accepted::default()
    })
}

pub(super) fn key_changed<V: StateView>(
    view: &mut V,
    context: Context,
    key: KeyId,
    is_revoked: bool,
) -> EventRecord {
    let it = view.ledger_mut().key(key).expect("it was found");
    EventRecord::from(&KeyChanged {
        sequence: context.sequence,
        account: context.account,
        key,
        epoch: it.epoch,
        public: it.public,
        is_revoked,
    })
}

/// Takes all watched orders of the context's key off.
fn take_off_all<V: StateView>(
    view: &mut V,
    context: Context,
    reason: DoneReason,
    events: &mut Vec<EventRecord>,
) {
    for id in markets(view) {
        let mut market = view.market(id).expect("compared with the count");
        let orders = market.state.watch.orders_of(context.key);
        take_off_orders(&mut market, context, &orders, reason, events);
    }
}

/// Takes open orders off, in this order.
pub(super) fn take_off_orders<F: Funds>(
    market: &mut MarketView<'_, F>,
    context: Context,
    orders: &[OrderId],
    reason: DoneReason,
    events: &mut Vec<EventRecord>,
) {
    for order_id in orders {
        if let Some(order) = market.state.book.order(*order_id) {
            take_off(market, context, &order, reason, events);
        } else if let Some(order) = market.state.triggers.order(*order_id) {
            disarm(market, context, &order, reason, events);
        }
    }
}

fn markets<V: StateView>(view: &V) -> impl Iterator<Item = MarketId> + use<V> {
    (0..view.market_count()).map(MarketId::new)
}
