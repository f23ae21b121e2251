//! Keys beyond those of the genesis, what becomes of their orders, and what they have done: a part of
//! a checkpoint of its own, since version 2 of the format. A checkpoint without it has none.

use ledger::{KeyStatus, WalletUse};
use rkyv::rancor::{Failure, Panic};
use rkyv::util::AlignedVec;
use rkyv::{Archive, Serialize};
use types::keys::{GrantedMarkets, KeyGrant, KeyScope, SessionPolicy};
use types::limits::GRANT_MARKETS_MAX;
use types::{
    AccountId, Atoms, BaseLots, KeyId, LogTime, MarketId, Nonce, OrderId, SequenceNumber, Ticks,
};

use super::Contradiction;
use crate::sessions::{SessionRule, Sessions};
use crate::state::State;
use crate::watch::{Usage, Watch, WatchedOrder};

/// Everything that is kept by key.
#[derive(Archive, Serialize, Debug)]
#[rkyv(derive(Debug))]
pub struct SessionsSnapshot {
    /// Keys that may not do everything, by id.
    pub keys: Vec<StatusRow>,
    /// The last frames of wallets, by account.
    pub wallets: Vec<WalletRow>,
    /// Policies and timers, by key.
    pub rules: Vec<RuleRow>,
    /// Watched orders, by market and id.
    pub orders: Vec<WatchedRow>,
    /// What keys with a budget have done, by market and key.
    pub usages: Vec<UsageRow>,
}

/// What a key may do.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct StatusRow {
    /// Its number.
    pub key: u32,
    /// Which commands: 0 all, 1 trade, 2 cancel only.
    pub scope: u8,
    /// Whether it may do nothing any more.
    pub is_revoked: bool,
    /// In which markets: ascending, then 65,535; none: in all.
    pub markets: [u16; GRANT_MARKETS_MAX],
    /// The highest notional of one order; zero: no limit, like the next two.
    pub order_notional_max: u128,
    /// The highest notional of open orders.
    pub open_notional_max: u128,
    /// The highest loss of a day.
    pub daily_loss_max: u128,
    /// Till when; zero: for ever.
    pub expires_at: u64,
}

/// The last frame of a wallet.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct WalletRow {
    /// Whose.
    pub account: u32,
    /// Its nonce.
    pub nonce: u64,
    /// The first 8 bytes of its digest.
    pub fingerprint: u64,
    /// The sequence number of its command.
    pub first_sequence: u64,
}

/// What becomes of a key's orders.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct RuleRow {
    /// The key.
    pub key: u32,
    /// Whose it is.
    pub account: u32,
    /// How long a silence may be; zero: for ever.
    pub silence_ns: u64,
    /// When its timer runs out; zero: never.
    pub timer_at: u64,
    /// Whether a silence takes orders without an expiry off.
    pub good_till_cancelled: bool,
    /// Whether a silence takes all orders of the account off.
    pub whole_account: bool,
}

/// A watched order.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct WatchedRow {
    /// The order.
    pub order_id: u64,
    /// The price that it counts with.
    pub price: u64,
    /// What of it is open.
    pub lots: u64,
    /// Whose it is.
    pub key: u32,
    /// Where.
    pub market: u16,
}

/// What a key with a budget has done in a market.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
#[rkyv(derive(Debug))]
pub struct UsageRow {
    /// The key.
    pub key: u32,
    /// Where.
    pub market: u16,
    /// Notional of its open orders.
    pub open: u128,
    /// The day of the sums.
    pub day: u64,
    /// Lots bought less lots sold.
    pub lots: i128,
    /// Quote atoms received less paid.
    pub quote: i128,
}

impl State {
    /// What is kept by key.
    pub fn sessions_snapshot(&self) -> SessionsSnapshot {
        let (mut orders, mut usages) = (Vec::new(), Vec::new());
        for (market, _, state) in self.market_states() {
            orders.extend(state.watch.orders().map(|(order_id, order)| WatchedRow {
                order_id: order_id.get(),
                price: order.price.get(),
                lots: order.lots.get(),
                key: order.key.get(),
                market: market.get(),
            }));
            usages.extend(state.watch.usages().map(|(key, usage)| UsageRow {
                key: key.get(),
                market: market.get(),
                open: usage.open.get(),
                day: usage.day,
                lots: usage.lots,
                quote: usage.quote,
            }));
        }
        SessionsSnapshot {
            keys: self.ledger().key_statuses().map(status_row).collect(),
            wallets: self.ledger().wallet_uses().map(wallet_row).collect(),
            rules: self.sessions().iter().map(rule_row).collect(),
            orders,
            usages,
        }
    }

    /// Puts back what is kept by key into a state that was restored without.
    pub(super) fn restore_sessions(&mut self, bytes: &[u8]) -> Result<(), Contradiction> {
        // An archive is read where it is aligned, and these are few bytes.
        let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        let snapshot = rkyv::access::<ArchivedSessionsSnapshot, Failure>(&aligned);
        let snapshot = snapshot.map_err(|Failure| Contradiction("no archive of sessions"))?;
        let statuses: Result<Vec<_>, _> = snapshot.keys.iter().map(status).collect();
        let wallets = snapshot.wallets.iter().map(wallet);
        self.put_keys(statuses?, wallets)?;
        let rules = Sessions::restore(snapshot.rules.iter().map(rule));
        let rules = rules.ok_or(Contradiction("a policy that asks for nothing"))?;
        let is_owned = |(key, rule): (KeyId, &SessionRule)| {
            let key = self.ledger().key(key);
            key.is_some_and(|key| key.account == rule.account)
        };
        Contradiction::unless(rules.iter().all(is_owned), "a policy of no key")?;
        self.put_sessions(rules);
        let markets = u16::try_from(self.market_states().count()).expect("few");
        let is_known = |market: u16| market < markets;
        let is_listed = snapshot
            .orders
            .iter()
            .all(|row| is_known(row.market.to_native()))
            && snapshot
                .usages
                .iter()
                .all(|row| is_known(row.market.to_native()));
        Contradiction::unless(is_listed, "what is watched is in a market")?;
        for market in (0..markets).map(MarketId::new) {
            let orders = snapshot.orders.iter();
            let orders = orders.filter(|row| row.market.to_native() == market.get());
            let usages = snapshot.usages.iter();
            let usages = usages.filter(|row| row.market.to_native() == market.get());
            let watch = Watch::restore(orders.map(watched), usages.map(usage));
            self.put_watch(market, watch);
        }
        self.check_watched()
    }
}

/// Writes a snapshot down.
pub(super) fn encode_sessions(snapshot: &SessionsSnapshot) -> AlignedVec {
    // Only a writer can fail, and this one cannot.
    let Ok(bytes) = rkyv::to_bytes::<Panic>(snapshot);
    bytes
}

fn status_row((key, status): (KeyId, &KeyStatus)) -> StatusRow {
    let grant = &status.grant;
    StatusRow {
        key: key.get(),
        scope: grant.scope as u8,
        is_revoked: status.is_revoked,
        markets: grant.markets.numbers(),
        order_notional_max: grant.order_notional_max.get(),
        open_notional_max: grant.open_notional_max.get(),
        daily_loss_max: grant.daily_loss_max.get(),
        expires_at: grant.expires_at.get(),
    }
}

fn status(row: &ArchivedStatusRow) -> Result<(KeyId, KeyStatus), Contradiction> {
    let scope = match row.scope {
        0 => Some(KeyScope::Owner),
        code => KeyScope::from_code(code),
    };
    let markets = GrantedMarkets::from_numbers(row.markets.map(|number| number.to_native()));
    let status = KeyStatus {
        grant: KeyGrant {
            scope: scope.ok_or(Contradiction("a scope of no number"))?,
            markets: markets.ok_or(Contradiction("granted markets ascend"))?,
            order_notional_max: Atoms::new(row.order_notional_max.to_native()),
            open_notional_max: Atoms::new(row.open_notional_max.to_native()),
            daily_loss_max: Atoms::new(row.daily_loss_max.to_native()),
            expires_at: LogTime::new(row.expires_at.to_native()),
        },
        is_revoked: row.is_revoked,
    };
    Ok((KeyId::new(row.key.to_native()), status))
}

fn wallet_row((account, usage): (AccountId, &WalletUse)) -> WalletRow {
    WalletRow {
        account: account.get(),
        nonce: usage.nonce.get(),
        fingerprint: usage.fingerprint,
        first_sequence: usage.first_sequence.get(),
    }
}

fn wallet(row: &ArchivedWalletRow) -> (AccountId, WalletUse) {
    let usage = WalletUse {
        nonce: Nonce::new(row.nonce.to_native()),
        fingerprint: row.fingerprint.to_native(),
        first_sequence: SequenceNumber::new(row.first_sequence.to_native()),
    };
    (AccountId::new(row.account.to_native()), usage)
}

fn rule_row((key, rule): (KeyId, &SessionRule)) -> RuleRow {
    RuleRow {
        key: key.get(),
        account: rule.account.get(),
        silence_ns: rule.policy.silence_ns,
        timer_at: rule.timer_at.get(),
        good_till_cancelled: rule.policy.good_till_cancelled,
        whole_account: rule.policy.whole_account,
    }
}

fn rule(row: &ArchivedRuleRow) -> (KeyId, SessionRule) {
    let rule = SessionRule {
        account: AccountId::new(row.account.to_native()),
        policy: SessionPolicy {
            silence_ns: row.silence_ns.to_native(),
            good_till_cancelled: row.good_till_cancelled,
            whole_account: row.whole_account,
        },
        timer_at: LogTime::new(row.timer_at.to_native()),
    };
    (KeyId::new(row.key.to_native()), rule)
}

fn watched(row: &ArchivedWatchedRow) -> (OrderId, WatchedOrder) {
    let order = WatchedOrder {
        key: KeyId::new(row.key.to_native()),
        price: Ticks::new(row.price.to_native()),
        lots: BaseLots::new(row.lots.to_native()),
    };
    (OrderId::new(row.order_id.to_native()), order)
}

fn usage(row: &ArchivedUsageRow) -> (KeyId, Usage) {
    let usage = Usage {
        open: Atoms::new(row.open.to_native()),
        day: row.day.to_native(),
        lots: row.lots.to_native(),
        quote: row.quote.to_native(),
    };
    (KeyId::new(row.key.to_native()), usage)
}
